"""What a sentence leaves out, by the split of round trips that sets it apart. Called by slots.py: `without sol` is a sleeve,
`never hit the stop` an exit, `not the shorts` a side, `did not lose` an outcome, `before fees` a cost, `except weekends` days."""

import re
from collections.abc import Mapping, Sequence

from agents.offline.words import COINS, LISTS, PATTERNS, Words

# what is left out by the split that sets it apart: a word -> the rows of it
_TABLES: Mapping[str, Mapping[str, str]] = {
    split: {form: row for row, forms in rows.items() for form in forms.split("|")} for split, rows in LISTS["left_out"].items()
}
EXITS = _TABLES["exit"]
BEFORE_COSTS = PATTERNS["leftout.before_costs"]


def left_out(text: str, without: Sequence[str], words: Words) -> tuple[str, tuple[str, ...]] | None:
    """The split and the names that are left out; None where nothing is, or no split of round trips sets it apart."""
    named = [word for piece in without for word in re.split(r" (?:and|or) ", piece)]
    named += [found[1] for found in PATTERNS["slots.never"].finditer(text)] if not named else []
    named += [found[1] for found in BEFORE_COSTS.finditer(text)] if not named else []
    if not named:
        return None
    for dimension, table in (*_TABLES.items(), ("sleeve", sleeve_words(words))):
        if all(word in table for word in named):
            return dimension, tuple(dict.fromkeys(name for word in named for name in table[word].split()))
    return None


def sleeve_words(words: Words) -> dict[str, str]:
    """A sleeve's name by what people call it: its name, its coin, its strategy where no other sleeve has it."""
    found: dict[str, str] = {}
    for sleeve in words.sleeves:
        coin = sleeve.symbol.split("-")[0].lower()
        found |= {sleeve.name.lower(): sleeve.name}
        if sum(other.symbol == sleeve.symbol for other in words.sleeves) == 1:
            found |= {coin: sleeve.name} | {word: sleeve.name for word, base in COINS.items() if base.lower() == coin}
        if sum(other.strategy == sleeve.strategy for other in words.sleeves) == 1:
            found |= {sleeve.strategy: sleeve.name}
    return found

"""Rules of words.toml: whether a sentence has all that one names. Called by account.py and choose.py.

A condition is a slot (`by=day`: with this value), `@` a slot that stands in the text, `?` a pattern, `:` what is read by code;
`!` before one that it may not have, `|` between several of which it has one.
"""

import re
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

from agents.offline.features import masked
from agents.offline.labels import AskLabel, label_of
from agents.offline.slots import Slots, given
from agents.offline.words import LISTS, says

Reads = Mapping[str, Callable[[Slots], object]]


def fits(asks: str, ask: str) -> bool:
    """Whether what is asked is one of `a|b`; of any kind of a tool where that is `tool *`, of all where it is empty; `!`: none of
    them."""
    if asks.startswith("!"):
        return not fits(asks[1:], ask)
    return not asks or any(one in (ask, f"{ask.split(maxsplit=1)[0]} *") for one in asks.split("|"))


def has_all(conditions: str, slots: Slots, reads: Reads, text: str) -> bool:
    """Whether a sentence has all that a rule names. `text`: as the patterns see it; `reads`: by name, what code reads."""
    return all(any(_has(one, slots, reads, text) for one in of.split("|")) for of in conditions.split())


def _has(one: str, slots: Slots, reads: Reads, text: str) -> bool:
    if one.startswith("!"):
        return not _has(one[1:], slots, reads, text)
    kind, name = one[0], one[1:]
    if kind in "?@:":
        return bool(says(name, text) if kind == "?" else name in slots.places if kind == "@" else reads[name](slots))
    name, _, value = one.partition("=")
    found: Any = reduce(getattr, name.split("."), slots)
    return value in found if value else given(found)


def first_of(rules: str, slots: Slots, reads: Reads, ask: str = "", text: str = "") -> str:
    """What the first rule of a list of words.toml says that fits what is asked and has all it names; empty for none."""
    found = (
        to for asks, conditions, to in LISTS[rules] if fits(asks, ask) and has_all(conditions, slots, reads, text or slots.text)
    )
    return str(next(found, ""))


# a stored model is named, spoken of, or was what the turn before was about; then one word more says what is wanted of it
GOES_ON = re.compile(r"\b(?:they|it|them)\b|\bsince when\b|^ *who\b")
ASKS = ("train_model", "models", "models gates", "predictions", "model_drift", "propose_model", "compare models")


def model_label(slots: Slots, before: str) -> AskLabel | None:
    """What is asked of stored models; None where a sentence speaks of none."""
    text = " ".join(masked(slots, {"models": "_model", "model_versions": "_version"}).split())
    text = re.sub(r"_model ?[@= ]+ ?_version", "_model _version", text)
    reads: Reads = {
        "before": lambda _: before in ASKS,
        "proposed": lambda _: before == "propose_model",
        "in_table": lambda _: before.startswith(("trips", "pnl", "attribution")),
        "short": lambda _: len(text.split()) < 6,
        "few": lambda _: len(text.split()) < 4,
    }
    found = "" if says("model_asks.others", text) else first_of("of_models_asked", slots, reads, text=text)
    return label_of(found) if found else None

"""A sentence's clauses, and the halves of one that asks for two things. Called by understand.py: text in, texts out."""

import re
from collections.abc import Iterator, Sequence

from agents.offline import dates, slots
from agents.offline.account import tokens_of, words_left
from agents.offline.choose import fits
from agents.offline.entries import declared
from agents.offline.ways import way_of
from agents.offline.words import MARKER, PATTERNS, STOP, TURNING, Words, tidy
from tools.common.contract import Effect

_CLAUSE = PATTERNS["understand.clause"]
_NARROWS = PATTERNS["splitting.narrows"]


def clauses_of(sentence: str, words: Words) -> list[str]:
    """A sentence's clauses; it stays whole where only the whole names what no role does."""
    clauses = _CLAUSE.split(sentence)
    if len(clauses) == 1 and (pair := _nouns_of_two(sentence, words)):
        return pair
    if len(clauses) > 1 and way_of(tidy(sentence, words)) and not any(way_of(tidy(clause, words)) for clause in clauses):
        return [sentence]
    return clauses


def _nouns_of_two(sentence: str, words: Words) -> list[str] | None:
    """`show positions and open alerts`: the two halves, where each is read whole and by a tool that does not know the other's."""
    halves = re.split(r"\s+(?:and|plus)\s+", sentence)
    if len(halves) != 2 or way_of(tidy(sentence, words)):
        return None
    read = [slots.read_slots(text, words) for text in (*halves, sentence)]
    best = [chosen for one in read for chosen in fits(one)[:1]]
    if read[2].places.keys() & {"params", "unclear", "keys"} or len(best) < 3 or not best[2].left:
        return None
    sure = all(c.sure and c.account.noun and not c.left and c.entry.tool.effect is Effect.READ for c in best[:2])
    return halves if sure and best[0].entry.tool is not best[1].entry.tool else None


def without_preface(text: str, words: Words) -> Iterator[tuple[str, str]]:
    """A clause at the begin or the end that says nothing of the desk, and the rest: `cannot sleep`, `anything wrong`."""
    clauses = re.split(r"\s*(?:,|\s-+\s|:|\.{2,})\s+", text)
    for said, rest in ((clauses[0], clauses[1:]), (clauses[-1], clauses[:-1])):
        if not rest or not _says_nothing(tidy(said, words), words):
            continue
        yield (
            said.strip(" ,;.?!"),
            text[len(said) :].lstrip(" ,:-.") if said is clauses[0] else text[: -len(said)].rstrip(" ,:-."),
        )


def _says_nothing(said: str, words: Words) -> bool:
    if (way := way_of(said)) is not None and way.name == "what is not to be done":
        return True
    read = slots.read_slots(said, words)
    weighs = [t for t in tokens_of(read) if t.slot or t.word in TURNING or (t.stem in declared() and t.word not in STOP | MARKER)]
    return not weighs and not _NARROWS.match(said)


def by_period(texts: Sequence[str], words: Words) -> list[str]:
    """The clauses, one that sets a period against another as two; P&L has both periods in one table."""
    split: list[str] = []
    for text in texts:
        pair = dates.two_periods(low := tidy(text, words), words.desk_ms)
        first = fits(slots.read_slots(pair[0], words))[:1] if pair and not way_of(low) else []
        split += pair if pair and first and first[0].entry.tool.name != "pnl" else [text]
    return split


def with_bare(texts: Sequence[str], words: Words) -> list[str]:
    """The clauses, with one that names nothing (`and when`, `and why`) put back to the one before it."""
    joined: list[str] = []
    for text in texts:
        read = slots.read_slots(text, words)
        if joined and not words_left(read) and not read.places and joined[-1].rstrip()[-1] not in ".!":
            joined[-1] = f"{joined[-1]} and {text}"
        else:
            joined.append(text)
    return joined

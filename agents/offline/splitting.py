"""A sentence's clauses, and the halves of one that asks for two things. Called by understand.py: text in, texts out."""

import re
from collections.abc import Sequence

from agents.offline import dates, slots, unused
from agents.offline.choose import LEAST, rank
from agents.offline.ways import way_of
from agents.offline.words import PATTERNS, Words, tidy
from tools.common.contract import Effect

_CLAUSE = PATTERNS["understand.clause"]


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
    best = [chosen for one in read for chosen in rank(one)[:1]]
    if read[2].places.keys() & {"params", "unclear", "keys"} or len(best) < 3:
        return None
    left = [unused.unused_of(chosen, one) for chosen, one in zip(best, read, strict=True)]
    for chosen, one in zip(best[:2], left[:2], strict=True):
        sure = chosen.evidence and chosen.noun and chosen.score >= LEAST and chosen.entry.tool.effect is Effect.READ
        if not sure or one.turns or one.pieces:
            return None
    return halves if left[2].turns and best[0].entry.tool is not best[1].entry.tool else None


def by_period(texts: Sequence[str], words: Words) -> list[str]:
    """The clauses, one that sets a period against another as two; P&L has both periods in one table."""
    split: list[str] = []
    for text in texts:
        pair = dates.two_periods(low := tidy(text, words), words.desk_ms)
        first = rank(slots.read_slots(pair[0], words))[:1] if pair and not way_of(low) else []
        split += pair if pair and first and first[0].entry.tool.name != "pnl" else [text]
    return split


def with_bare(texts: Sequence[str], words: Words) -> list[str]:
    """The clauses, with one that names nothing (`and when`, `and why`) put back to the one before it."""
    joined: list[str] = []
    for text in texts:
        read = slots.read_slots(text, words)
        if joined and not unused.words_left(read) and not read.places:
            joined[-1] = f"{joined[-1]} and {text}"
        else:
            joined.append(text)
    return joined

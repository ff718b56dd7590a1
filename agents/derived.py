"""Figures that follow from two others: a difference, a sum, a ratio, the time between two events. Called by agents/support.py.

Only where the sentence says such a relation, and only of facts of a metric that it names, or of two prices or times of what it is
about.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from itertools import permutations
from typing import NamedTuple

from agents.claims import NumberClaim, claims
from agents.clauses import words_of
from agents.fact_index import FACT_UNITS, FactIndex, base_value, lead_of
from agents.mentions import times_in
from agents.metric_words import names_metric
from agents.tool_lines import ToolLines
from tools.common.contract import Fact

# words that relate two figures: a difference, a sum, a multiple
RELATION = re.compile(
    r"(?i)\b(?:more|fewer|less|higher|lower|above|below|better|worse|deeper|shallower|bigger|smaller|difference|gap|apart|away|by"
    r"|extra|cheaper|dearer|again|as (?:many|much)|twice|times|total|together|combined|sum|in all|than|would be|points?|distance"
    r"|doubl\w*|tripl\w*|quadrupl\w*|halv\w*|\w+fold)\b"
)
_SUM = re.compile(r"(?i)\b(?:total|together|combined|sum|in all|altogether|make up)\b")
_LEVELS = re.compile(r"(?i)\b(?:stops?|entry|entries|entered|bought|sold|price|fill|target|level)\b")
_APART = re.compile(r"(?i)\b(?:later|earlier|old|after|before|lasted|for|apart|between|within|took)\b")
RELATED_MAX = 6  # metrics that one sentence relates


class Minutes(NamedTuple):
    """The minutes of the day that the thread has seen, and those of its facts."""

    all: Collection[int]
    of_facts: Sequence[int]


def is_derived(claim: NumberClaim, sentence: str, index: FactIndex, shown: ToolLines, seen: Minutes) -> bool:
    """A difference, sum, ratio or change of two facts of one metric, or of two prices, where the sentence says such a "
    "relation."""
    if claim.dimension == "time":
        return _is_span(claim, sentence, shown, seen)
    if not _relates(sentence):
        return False
    named = [metric for metric in index.metrics if names_metric(sentence, metric)][:RELATED_MAX]
    for metric in named:
        facts = index.named(metric)
        for first, second in permutations(facts, 2):
            if any(_derives(claim, value) for value in _relations(first, second, claim, sentence)):
                return True
    about = shown.named(sentence)
    if len(_LEVELS.findall(sentence)) >= 2 and claim.dimension in ("", "usd"):
        return any(_derives(claim, abs(a - b)) for a, b in permutations(shown.levels(about), 2))
    if _SUM.search(sentence) and claim.dimension in ("", "usd"):
        trips = shown.trips(about)
        return len(trips) > 1 and _derives(claim, abs(sum(trips)))
    shares = [one.value * one.factor for one in claims(sentence) if one.dimension == "frac"]
    whole = [base_value(fact) for fact in index.named("equity")]
    return claim.dimension == "usd" and any(_derives(claim, share * value) for share in shares for value in whole)


@lru_cache(maxsize=64)
def _relates(sentence: str) -> bool:
    """Does the sentence relate two figures? Read once for all the numbers of a long one."""
    return RELATION.search(sentence) is not None


def _is_span(claim: NumberClaim, sentence: str, shown: ToolLines, seen: Minutes) -> bool:
    """The time between two events that the sentence is about, or the length of the window that a tool names."""
    length = claim.value * claim.factor / 60_000
    if any(abs(length - window) < 1 for window in shown.windows):
        return True
    times = shown.times(shown.named(sentence) | words_of(sentence))
    times += seen.of_facts
    said = [minute for one in times_in(sentence) for minute in one]
    pairs = permutations(times, 2) if not said else ((a, b) for a in said for b in seen.all)
    return _APART.search(sentence) is not None and any(abs((a - b) % 1440 - length) < 0.5 for a, b in pairs)


def _relations(first: Fact, second: Fact, claim: NumberClaim, sentence: str) -> Iterator[float]:
    """What two facts of a metric make, in the claim's unit."""
    a, b = base_value(first), base_value(second)
    dimension = FACT_UNITS[first.unit][0]
    if claim.dimension == "times" or (claim.dimension in ("", "ratio") and re.search(r"(?i)\btimes\b|\dx\b|fold\b", sentence)):
        yield from (a / b,) if b else ()
    elif claim.dimension == "frac":
        yield from (abs(a - b),) if dimension == "frac" else ()
        yield from (abs(a - b) / abs(b),) if b else ()
    elif claim.dimension in ("", dimension) and claim.dimension != "time":
        scale = 100.0 if dimension == "frac" else 1.0
        yield abs(a - b) * (scale if not claim.dimension else 1.0)
        if _SUM.search(sentence):
            yield abs(a + b)


def _derives(claim: NumberClaim, value: float) -> bool:
    """Is it the claim, rounded as typed, or to a twentieth where it is hedged or said in words?"""
    typed, step = abs(claim.value) * claim.factor, claim.step * claim.factor
    if claim.dimension == "times" or (claim.dimension == "frac" and not re.search(r"\d", claim.text)):
        return abs(typed - value) <= (0.1 if lead_of(claim) else 0.05) * max(typed, value)
    return abs(typed - value) <= max(step / 2 + 1e-9 * value, 0.02 * value if lead_of(claim) == "about" else 0.0) and value > 0

"""The facts of a thread, found by value and by metric. Called by agents/support.py and agents/derived.py.

No number of an answer is held against all facts; those of a long table are left out, where a typed number meets one by chance.
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable

from agents.claims import NumberClaim
from agents.metric_words import CROWD
from tools.common.contract import Fact

# dimension and factor of a fact's unit; instants and words are never typed numbers
FACT_UNITS = {
    "frac": ("frac", 1.0),
    "bps": ("frac", 1e-4),
    "usd": ("usd", 1.0),
    "price": ("usd", 1.0),
    "ratio": ("ratio", 1.0),
    "bars": ("count", 1.0),
    "count": ("count", 1.0),
    "base": ("base", 1.0),
    "days": ("time", 86_400_000.0),
    "duration_ms": ("time", 1.0),
}
_LEAD = re.compile(
    r"(?i)(?:(?P<about>\b(?:about|roughly|around|approximately|nearly|almost|circa|some|near|close to)|~|\u2248|(?<=a bit over))"
    r"|\b(?P<bound>more than|over|above|at least|north of|under|below|less than|fewer than|at most|up to))\s?$"
)


class FactIndex:
    """The numeric facts of a thread, found by value: no number of an answer is held against all of them. Those of a long table
    are left out: there a typed number meets one by chance, so that only references stand."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        kept = [fact for fact in facts if fact.unit in FACT_UNITS and numeric(fact) and not fact.listed]
        self.facts = kept
        self.metrics = Counter(fact.metric for fact in kept)
        self.subjects = {fact.subject.lower() for fact in kept}
        self._by_metric: dict[str, list[Fact]] = {}
        for fact in kept:
            self._by_metric.setdefault(fact.metric, []).append(fact)
        self._sorted = sorted(((abs(base_value(fact)), n) for n, fact in enumerate(kept)))
        self._values = [value for value, _ in self._sorted]

    def named(self, metric: str) -> list[Fact]:
        """The facts of a metric, the first few: of more than that each needs its subject named anyway."""
        return self._by_metric.get(metric, [])[:CROWD]

    def near(self, claim: NumberClaim, *, wide: bool = False) -> list[Fact]:
        """The facts whose value, sign aside, may be said as the claim in one of the units it may have: rounded, or as a bound."""
        factors = {claim.factor} if claim.dimension else {factor for _, factor in FACT_UNITS.values()}
        factors |= {1.0} if claim.factor == 86_400_000.0 else set()  # a count of days
        found: set[int] = set()
        for factor in factors:
            value, step = abs(claim.value) * factor, claim.step * factor
            slack = value / 2 if wide else step / 2 + 2e-9 * value
            low, high = bisect_left(self._values, value - slack), bisect_right(self._values, value + slack)
            found |= {n for _, n in self._sorted[low:high]}
        return [self.facts[n] for n in sorted(found)]


def base_value(fact: Fact) -> float:
    """The value of a numeric fact in the base unit of its dimension."""
    assert isinstance(fact.value, int | float)  # noqa: S101 - asked for by numeric before
    return float(fact.value) * FACT_UNITS[fact.unit][1]


def numeric(fact: Fact) -> bool:
    """Is its value a number?"""
    return isinstance(fact.value, int | float) and not isinstance(fact.value, bool)


def lead_of(claim: NumberClaim) -> str:
    """`about`, a word that makes it a bound, or nothing, before the number."""
    found = _LEAD.search(claim.before)
    return "" if found is None else found["bound"] or "about"

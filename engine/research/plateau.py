"""Does the neighbourhood of a variation do as well as it does? A lonely peak is luck more often than not.

Called by research/ledger.py and research/sweep.py. Neighbours are the trials that differ in one numeric parameter alone, the next
value tried below and above.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

SCORE_MIN = 0.7  # of its own Sharpe ratio that the neighbours reach on average
NEIGHBOURS_MIN = 2

Tried = tuple[Mapping[str, Any], float | None]  # parameters and Sharpe ratio


class Plateau(NamedTuple):
    """`score`: mean Sharpe ratio of the neighbours over its own; None without enough of them, or when its own is not above 0."""

    score: float | None
    neighbours: int
    reason: str = ""

    @property
    def word(self) -> str:
        """`yes`, `no`, or why it cannot be said."""
        if self.score is None:
            return f"unknown ({self.reason})"
        return "yes" if self.score >= SCORE_MIN else "no"


def plateau_of(params: Mapping[str, Any], sharpe: float | None, tried: Sequence[Tried]) -> Plateau:
    """The plateau of one variation among others of the same setting."""
    near = [ratio for key in params for ratio in beside(key, params, tried)]
    if sharpe is None or not sharpe > 0.0:
        return Plateau(None, len(near), "its Sharpe ratio is not above 0")
    if len(near) < NEIGHBOURS_MIN:
        few = "no neighbour was" if not near else f"{len(near)} neighbour was"
        return Plateau(None, len(near), f"{few} tried")
    return Plateau(sum(near) / len(near) / sharpe, len(near))


def beside(key: str, params: Mapping[str, Any], tried: Sequence[Tried]) -> list[float]:
    """Sharpe ratios of the next value of `key` below and above, all else equal; a trial without a ratio counts as 0."""
    own = params[key]
    if isinstance(own, bool) or not isinstance(own, int | float):
        return []
    values = {
        other[key]: ratio or 0.0
        for other, ratio in tried
        if other.keys() == params.keys()
        and isinstance(other[key], int | float)
        and other[key] != own
        and all(other[name] == value for name, value in params.items() if name != key)
    }
    below, above = [v for v in values if v < own], [v for v in values if v > own]
    return [values[pick(side)] for side, pick in ((below, max), (above, min)) if side]

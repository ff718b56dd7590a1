"""Round trips of the desk beside those of a replay: which belong together, and what of each pair's difference is what.

Called by comparison.py. Trips are tables of sim/trips.trips; a pair is of one sleeve, one side and one bar of entry. Dollars are
the desk's minus the replay's, net of all costs.
"""

from collections.abc import Container, Iterator, Mapping
from typing import Any, NamedTuple

import polars as pl

CENT = 0.005  # what rounds to a cent
ADOPTED, PAIR = "adopted", "pair"

Trip = Mapping[str, Any]


class TripPair(NamedTuple):
    """A round trip of either side, or of both."""

    desk: Trip | None
    replay: Trip | None

    @property
    def any_of(self) -> Trip:
        """One of the two, the desk's first."""
        found = self.desk if self.desk is not None else self.replay
        assert found is not None, "a pair of nothing"  # noqa: S101 - a programmer's error
        return found

    @property
    def usd(self) -> float:
        """The desk's net minus the replay's."""
        return (self.desk["net"] if self.desk else 0.0) - (self.replay["net"] if self.replay else 0.0)

    @property
    def differs(self) -> bool:
        """By a cent, or because one side does not have it."""
        return self.desk is None or self.replay is None or abs(self.usd) >= CENT or self.desk["exit_ms"] != self.replay["exit_ms"]


def paired(desk: pl.DataFrame, replay: pl.DataFrame) -> list[TripPair]:
    """Every trip of both, in the order of entry."""
    mine, theirs = ({_place(trip): trip for trip in table.to_dicts()} for table in (desk, replay))
    places = sorted({*mine, *theirs}, key=lambda place: (place[2], place[0], place[1]))
    return [TripPair(mine.get(place), theirs.get(place)) for place in places]


def _place(trip: Trip) -> tuple[str, str, int]:
    return trip["sleeve"], trip["side"], trip["entry_ms"]


def residue(
    pairs: list[TripPair], entered: Container[tuple[str, int]], *, at_account: bool = False
) -> Iterator[tuple[str, TripPair, float]]:
    """(class, pair, dollars) of what is left once every cause that can be simulated was given. `entered`: (sleeve, entry_ms) of
    entries that the desk itself decided.

    A trip that the desk alone has and did not order is extra; one that the replay alone has while the desk held an extra one is
    missed. Nothing else explains a trip of one side, nor another exit: that is unexplained. But at an account a venue says when a
    stop fires, so another exit there is timing.
    """
    extra = [pair.desk for pair in pairs if pair.desk is not None and pair.replay is None and _entry(pair.desk) not in entered]
    for pair in pairs:
        if pair.desk is not None and pair.replay is not None:
            apart = "timing" if at_account else "unexplained"
            yield from ((name, pair, usd) for name, usd in _parts(pair.desk, pair.replay, apart))
        elif pair.desk is not None:
            yield ("extra" if pair.desk in extra else "unexplained"), pair, pair.usd
        elif pair.replay is not None:
            crowded = any(_overlap(pair.replay, trip) for trip in extra)
            yield ("missed" if crowded else "unexplained"), pair, pair.usd


def parted_between(pairs: list[TripPair]) -> Iterator[tuple[str, float]]:
    """(class, dollars) of two backtests that began otherwise: a trip of one alone is extra or missed, another exit is timing."""
    for pair in pairs:
        if pair.desk is not None and pair.replay is not None:
            yield from _parts(pair.desk, pair.replay, "timing")
        else:
            yield ("missed" if pair.desk is None else "extra"), pair.usd


def _entry(trip: Trip) -> tuple[str, int]:
    return trip["sleeve"], trip["entry_ms"]


def _overlap(one: Trip, other: Trip) -> bool:
    """Whether two trips of one sleeve were open at the same time."""
    if one["sleeve"] != other["sleeve"]:
        return False
    ends = [float("inf") if trip["exit_ms"] is None else trip["exit_ms"] for trip in (one, other)]
    return bool(one["entry_ms"] <= ends[1] and other["entry_ms"] <= ends[0])


def _times(desk: Trip, replay: Trip) -> float:
    """How many times the replay's size the desk's was; of a pair by the lots of its first leg."""
    name = "lots_a" if replay.get("a") else "units"
    return float(desk[name] / replay[name]) if replay[name] else 1.0


def _parts(desk: Trip, replay: Trip, apart: str) -> Iterator[tuple[str, float]]:
    """The difference of a pair, part by part: size first, then, at the desk's size, price, slippage, fee and funding.

    `apart`: the class of another exit.
    """
    times = _times(desk, replay)
    yield "size", (times - 1.0) * replay["net"]
    moved = desk["gross"] - times * replay["gross"]
    together = desk["exit_ms"] == replay["exit_ms"]
    cut = bool(desk.get("a")) and desk["reason"] == PAIR  # a leg was not let in, or not filled: its mate left
    yield ("fill_price" if together else "extra" if desk["reason"] == ADOPTED else "missed" if cut else apart), moved
    yield "slippage", times * replay["slippage"] - desk["slippage"]
    yield "fee", times * replay["fees"] - desk["fees"]
    yield "funding", desk["funding"] - times * replay["funding"]

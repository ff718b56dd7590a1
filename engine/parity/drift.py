"""Drift in dollars: backtest, paper, shadow and live of one strategy over the same bars, every pair of sides, by cause.

Called by desk_drift.py. Turns one Comparison a home (comparison.py: a desk against its backtest; each against the same catalog,
parameters, models and costs) into pairs of sides. A desk and the backtest are that comparison, its classes named by cause.
Of two desks each cause is the first one's less the second one's, and what their two backtests differ by - other cash, another
position at the beginning - is parted trip by trip (trip_pairs.py). Whole cents: the causes of a pair sum to its difference.

Rounding: each class is rounded to a cent by attribution.apportion, the parts nearest to the next cent giving way, so that they
sum to the rounded difference; everything after that is a sum of whole cents.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from engine.parity.comparison import Comparison
from engine.parity.trip_pairs import CENT, Trip, TripPair, parted_between
from engine.watch.attribution import apportion

BACKTEST = "backtest"
SIDES = ("live", "testnet", "shadow", "paper", BACKTEST)  # a pair is the earlier one less the later one
CAUSES = ("missed", "extra", "timing", "size", "price", "fee", "funding", "feature", "model", "parameter", "data", "unexplained")
CAUSE_OF = {  # class of a comparison -> cause
    "data": "data",
    "version": "parameter",
    "model": "model",
    "feature": "feature",
    "timing": "timing",
    "signal": "model",  # the same features gave another signal: another model, or another code
    "slippage": "price",
    "fill_price": "price",
    "fee": "fee",
    "funding": "funding",
    "halted": "missed",
    "paused": "missed",
    "blocked": "missed",
    "missed": "missed",
    "size": "size",
    "extra": "extra",
    "unexplained": "unexplained",
}
TRIPS_MAX = 50  # of one pair, the largest first
Cents = dict[str, int]


class Side(NamedTuple):
    """One home's desk: what it trades by (paper, shadow, testnet, live), and how it compares with its backtest."""

    name: str
    found: Comparison


class SidePair(NamedTuple):
    """Two sides of one sleeve. Whole cents, `one` less `other`; `causes` sum to `difference`."""

    one: str
    other: str
    sleeve: str
    one_cents: int
    other_cents: int
    causes: Mapping[str, int]
    trips: tuple[tuple[Trip | None, Trip | None], ...]

    @property
    def difference(self) -> int:
        """What the first side made more."""
        return self.one_cents - self.other_cents


def pairs_of(sides: Sequence[Side]) -> Iterator[SidePair]:
    """Every pair of sides, sleeve by sleeve; of a sleeve that one side does not have none."""
    ordered = sorted(sides, key=lambda side: SIDES.index(side.name))
    for name in dict.fromkeys(share.sleeve for side in ordered for share in side.found.shares):
        here = [side for side in ordered if any(share.sleeve == name for share in side.found.shares)]
        for one, other in combinations(here, 2):
            yield between_desks(one, other, name)
        for side in here:
            yield with_backtest(side, name)


def with_backtest(side: Side, sleeve: str) -> SidePair:
    """A desk and its backtest."""
    share = next(share for share in side.found.shares if share.sleeve == sleeve)
    trips = tuple((pair.desk, pair.replay) for pair in _own(side, sleeve))
    return SidePair(side.name, BACKTEST, sleeve, share.desk, share.replay, by_cause(share.classes), trips)


def between_desks(one: Side, other: Side, sleeve: str) -> SidePair:
    """Two desks over the same bars, each against the same backtest."""
    mine, theirs = (next(s for s in side.found.shares if s.sleeve == sleeve) for side in (one, other))
    causes, away = by_cause(mine.classes), by_cause(theirs.classes)
    apart = _backtests_apart(_own(one, sleeve), _own(other, sleeve), mine.replay - theirs.replay)
    cents = {cause: causes[cause] - away[cause] + apart[cause] for cause in CAUSES}
    trips = _beside([pair.desk for pair in _own(one, sleeve)], [pair.desk for pair in _own(other, sleeve)])
    return SidePair(one.name, other.name, sleeve, mine.desk, theirs.desk, cents, trips)


def by_cause(classes: Mapping[str, int]) -> Cents:
    """Classes of a comparison, in cents, as causes."""
    found = dict.fromkeys(CAUSES, 0)
    for name, cents in classes.items():
        found[CAUSE_OF[name]] += cents
    return found


def _own(side: Side, sleeve: str) -> list[TripPair]:
    return side.found.own(sleeve)


def _backtests_apart(one: list[TripPair], other: list[TripPair], total: int) -> Cents:
    """What two backtests of one sleeve differ by, in cents that sum to `total`; nothing where they begin alike."""
    usd = dict.fromkeys(CAUSES, 0.0)
    pairs = [TripPair(*both) for both in _beside([pair.replay for pair in one], [pair.replay for pair in other])]
    for name, amount in parted_between(pairs):
        usd[CAUSE_OF[name]] += amount
    usd["unexplained"] += total / 100 - sum(usd.values())
    return dict(zip(CAUSES, apportion([100 * usd[cause] for cause in CAUSES], total), strict=True))


def _beside(mine: Sequence[Trip | None], theirs: Sequence[Trip | None]) -> tuple[tuple[Trip | None, Trip | None], ...]:
    """Trips of two sides that entered at the same bar on the same side, in the order of entry; what one alone has."""
    one, other = ({(trip["entry_ms"], trip["side"]): trip for trip in side if trip} for side in (mine, theirs))
    return tuple((one.get(place), other.get(place)) for place in sorted({*one, *other}))


# ---- as JSON ------------------------------------------------------------------------------------------------------------


def as_json(pair: SidePair) -> dict[str, Any]:
    """A pair in dollars: sides, causes (the largest first), the first of them, and the trips that differ."""
    causes = sorted(CAUSES, key=lambda cause: -abs(pair.causes[cause]))
    moved = [both for both in pair.trips if abs(_net(both[0]) - _net(both[1])) >= CENT or None in both]
    moved.sort(key=lambda both: -abs(_net(both[0]) - _net(both[1])))
    return {
        "one": pair.one,
        "other": pair.other,
        "sleeve": pair.sleeve,
        "one_usd": pair.one_cents / 100,
        "other_usd": pair.other_cents / 100,
        "difference_usd": pair.difference / 100,
        "causes": {cause: pair.causes[cause] / 100 for cause in causes},
        "first_cause": causes[0] if pair.causes[causes[0]] else None,
        "gross_usd": round(max(sum(abs(_net(trip[n])) for trip in pair.trips) for n in (0, 1)), 2),
        "differing": len(moved),
        "trips": [_trip(one, other) for one, other in moved[:TRIPS_MAX]],
    }


def gaps_of(pair: SidePair) -> list[tuple[int, float]]:
    """(entry, dollars that the first side made more) of every trip that either side has, both closed where both are there."""
    closed = [both for both in pair.trips if all(trip is None or trip["exit_ms"] is not None for trip in both)]
    return [((one or other or {})["entry_ms"], _net(one) - _net(other)) for one, other in closed]


def _net(trip: Trip | None) -> float:
    return float(trip["net"]) if trip is not None else 0.0


def _trip(one: Trip | None, other: Trip | None) -> dict[str, Any]:
    place = one if one is not None else other
    assert place is not None, "a pair of nothing"  # noqa: S101 - a programmer's error
    sides = (("one_usd", one), ("other_usd", other))
    nets = {name: None if trip is None else round(_net(trip), 2) for name, trip in sides}
    return {"side": place["side"], "entry_ms": place["entry_ms"], **nets, "difference_usd": round(_net(one) - _net(other), 2)}

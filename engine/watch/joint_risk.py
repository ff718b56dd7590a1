"""What sleeves risk together: stops that one move reaches, and how their days have moved together.

Called by `nightdesk risk` and the tool `joint_risk`. Stops are those of the last mark, measured from its own price; which
positions are one bet is what concentration.py says, and a correlation that is not known counts as one bet, as for guardrails.
Correlations are of whole UTC days without incidents, each with its 95 % interval (Fisher), or the reason why there is none.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from engine.amounts import percent_text
from engine.clock import DAY_MS
from engine.errors import BadInput
from engine.watch.concentration import DeskExposure, desk_exposure
from engine.watch.market_context import instruments_of
from engine.watch.sleeve_weights import daily_returns
from engine.watch.window import first_mark, journal_of, mark_at

DAYS, DAYS_MIN = 90, 20  # looked back; fewer say nothing of how sleeves move together
LINKED = ("same bet", "not known")
Z95 = 1.959964


class StopDistance(NamedTuple):
    """The stop of a layer: how far from the price, a fraction of it, and what reaching it costs from here, quote units."""

    sleeve: str
    instrument: str
    side: str
    price: float
    stop: float
    distance_frac: float  # below 0: the price has passed it
    loss: float


class SharedStops(NamedTuple):
    """Sleeves that are one bet, and the move against them that reaches every stop of theirs."""

    sleeves: tuple[str, ...]
    move_frac: float
    loss: float
    loss_frac: float | None  # of the desk's equity
    unknown: bool  # a correlation in it is not known: counted as one bet


class SleevePair(NamedTuple):
    """How two sleeves' days have moved together; without a value why."""

    one: str
    other: str
    correlation: float | None
    low: float | None
    high: float | None
    days: int
    why: str = ""


class JointRisk(NamedTuple):
    """All of it, as of the desk's last mark."""

    desk_ms: int
    event: str
    equity: float
    stops: tuple[StopDistance, ...]  # the nearest first
    unprotected: tuple[str, ...]  # sleeves that hold something without a stop
    shared: tuple[SharedStops, ...]  # the dearest first
    pairs: tuple[SleevePair, ...]


def joint_risk(home: Path, days: int = DAYS) -> JointRisk | None:
    """The risk that sleeves share; None before the first bar. Raises BadInput for too few days."""
    if not DAYS_MIN <= days <= 1_000:
        raise BadInput(f"{days} days", f"{DAYS_MIN} to 1000")
    path = journal_of(home)
    mark, whole = mark_at(path), desk_exposure(home)
    if mark is None or whole is None:
        return None
    traded, sleeves = instruments_of(path), mark.body["sleeves"]
    stops = tuple(sorted(_stops(sleeves, traded), key=lambda one: one.distance_frac))
    bare = tuple(name for name, body in sleeves.items() if body.get("position") and name not in {one.sleeve for one in stops})
    shared = tuple(sorted(_shared(stops, whole), key=lambda one: -one.loss))
    pairs = tuple(_pairs(path, list(sleeves), mark.t_event_ms, days))
    return JointRisk(mark.t_event_ms, mark.id, whole.equity, stops, bare, shared, pairs)


def _stops(sleeves: Mapping[str, Any], traded: Mapping[str, str]) -> Iterator[StopDistance]:
    """Each layer that has a level."""
    for name, body in sleeves.items():
        position = body.get("position")
        if not position or not position["quantity"] or not position["lots"]:
            continue
        price, way = position["notional"] / position["quantity"], 1.0 if position["side"] == "long" else -1.0
        for layer in position["layers"]:
            if layer["protective"] is None:
                continue
            distance = way * (price - layer["protective"])
            quantity = position["quantity"] * abs(layer["lots"] / position["lots"])
            instrument = traded.get(name, "")
            yield StopDistance(
                name, instrument, position["side"], price, layer["protective"], distance / price, distance * quantity
            )


def _shared(stops: Sequence[StopDistance], whole: DeskExposure) -> Iterator[SharedStops]:
    """Groups of two sleeves or more that are linked, directly or by another one."""
    held = {one.sleeve: one for one in stops}
    reads = {frozenset((pair.one, pair.other)): pair.reads for pair in whole.pairs}
    left = set(held)
    while left:
        group, fresh, unknown = set[str](), {min(left)}, False
        while fresh:
            group |= fresh
            linked = {(a, b): _link(held[a], held[b], reads) for a in fresh for b in left - group}
            unknown |= "not known" in linked.values()
            fresh = {b for (_, b), link in linked.items() if link in LINKED}
        left -= group
        if len(group) > 1:
            mine = [one for one in stops if one.sleeve in group]
            loss = sum(one.loss for one in mine)
            share = loss / whole.equity if whole.equity > 0.0 else None
            yield SharedStops(tuple(sorted(group)), max(one.distance_frac for one in mine), loss, share, unknown)


def _link(one: StopDistance, other: StopDistance, reads: Mapping[frozenset[str], str]) -> str:
    """How two positions go together; on one instrument they are one bet where they are on the same side."""
    if one.instrument == other.instrument:
        return "same bet" if one.side == other.side else "hedge"
    return reads.get(frozenset((one.instrument, other.instrument)), "not known")


def _pairs(path: Path, names: Sequence[str], desk_ms: int, days: int) -> Iterator[SleevePair]:
    first = first_mark(path)
    if first is None:
        return
    end = desk_ms // DAY_MS * DAY_MS
    begin = max(end - days * DAY_MS, -(-first.t_event_ms // DAY_MS) * DAY_MS)
    marks = [(mark_at(path, ms) or first).body["sleeves"] for ms in range(begin, end + 1, DAY_MS)]
    made = {name: daily_returns(marks, name) for name in names}
    for one, other in combinations(names, 2):
        yield pair_of(one, other, made[one], made[other])


def pair_of(one: str, other: str, mine: Sequence[float] | None, others: Sequence[float] | None) -> SleevePair:
    """The correlation of two sleeves' days, with its interval."""
    if mine is None or others is None:
        return SleevePair(one, other, None, None, None, 0, "one of them was without equity on some of the days")
    days = len(mine)
    if days < DAYS_MIN:
        return SleevePair(one, other, None, None, None, days, f"{days} whole days, {DAYS_MIN} are needed")
    a, b = ([x - sum(row) / days for x in row] for row in (mine, others))
    spread = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(x * x for x in b))
    if not spread > 0.0:
        return SleevePair(one, other, None, None, None, days, "one of them made and lost nothing")
    r = max(-1.0, min(1.0, sum(x * y for x, y in zip(a, b, strict=True)) / spread))
    z = math.atanh(max(-0.999999, min(0.999999, r)))
    half = Z95 / math.sqrt(days - 3)
    return SleevePair(one, other, r, math.tanh(z - half), math.tanh(z + half), days)


def shared_text(one: SharedStops) -> str:
    """`btc and eth: 2.1 % against them reaches every stop: -31.20, 0.11 % of the equity`."""
    share = "" if one.loss_frac is None else f", {percent_text(one.loss_frac)} of the equity"
    doubt = "; a correlation is not known and counts as one bet" if one.unknown else ""
    names, moves = " and ".join(one.sleeves), percent_text(one.move_frac)
    return f"{names}: {moves} against them reaches every stop: {-one.loss:+,.2f}{share}{doubt}"


def pair_text(one: SleevePair) -> str:
    """`btc with eth: 0.45 (0.05 to 0.72, 95 %, 30 days)`."""
    if one.correlation is None:
        return f"{one.one} with {one.other}: not known ({one.why})"
    return f"{one.one} with {one.other}: {one.correlation:.2f} ({one.low:.2f} to {one.high:.2f}, 95 %, {one.days} days)"

"""`nightdesk parity` of a home: its desk against its backtest, as JSON; what the watch reads of it is kept.

Called by app/jobs/kinds.py (command line, jobs, the daily check). Money in dollars with two decimals, times UTC ms.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine

from engine.control.desk_setup import DeskSetup
from engine.data.catalog import Catalog
from engine.errors import BadInput
from engine.parity.comparison import CLASSES, Comparison, Progress, SleeveShare, compared
from engine.parity.desk_drift import approved_in, kept_drift, pins_in
from engine.parity.tape import tape_of
from engine.parity.today import today_of
from engine.parity.trip_pairs import TripPair
from engine.watch.parity_result import UNEXPLAINED_FRAC_MAX, keep_result

KEPT = ("from_ms", "to_ms", "difference_usd", "unexplained_usd", "gross_usd", "unexplained_frac")  # what the watch reads
TRIPS_MAX = 50  # round trips that differ, the largest first
NOTHING_MOVED = "no round trip moved a cent"


def desk_parity(
    desk: DeskSetup, engine: Engine, catalog: Catalog, since_ms: int | None, sleeve: str | None, progress: Progress, now_ms: int
) -> dict[str, Any]:
    """The comparison since a day, or since the desk began, of all sleeves or of one. The desk is replayed as a whole in any
    case: sleeves share guardrails. `now_ms`: wall time that is noted with what the watch reads.

    Raises BadInput for a desk that has not run since, or has no such sleeve, DataError or StrategyError for what a backtest of
    it lacks.
    """
    tape = tape_of(desk.home, since_ms)
    if sleeve is not None and sleeve not in tape.names:
        raise BadInput(f"the desk has no sleeve {sleeve!r}", f"available: {', '.join(tape.names)}")
    found = compared(tape, today_of(tape, desk, catalog, approved_in(engine), pins_in(engine)), progress)
    of_desk = report_of(found)
    moved = {share.sleeve: {name: cents / 100 for name, cents in share.classes.items() if cents} for share in found.shares}
    drift = kept_drift(tape.book.mode, found)
    keep_result(desk.home, {**{name: of_desk[name] for name in KEPT}, "moved": moved, "drift": drift}, now_ms)
    progress(1.0)
    return of_desk if sleeve is None else report_of(found.of_sleeve(sleeve))


def report_of(found: Comparison) -> dict[str, Any]:
    """A comparison as JSON (DESIGN 9): classes with the round trips that they moved and their dollars, sleeve by sleeve."""
    differing = sorted((pair for pair in found.pairs if pair.differs), key=lambda pair: -abs(pair.usd))
    frac = found.unexplained_frac
    return {
        "from_ms": found.start_ms,
        "to_ms": found.end_ms,
        "bars": found.bars,
        "source": found.source,
        "sleeves": [_sleeve(share) for share in found.shares],
        "desk_usd": sum(share.desk for share in found.shares) / 100,
        "replay_usd": sum(share.replay for share in found.shares) / 100,
        "difference_usd": found.difference / 100,
        "classes": {name: {"count": found.count(name), "usd": found.cents(name) / 100} for name in CLASSES},
        "unexplained_usd": found.unexplained_usd,
        "gross_usd": round(found.gross_usd, 2),
        "unexplained_frac": frac,
        "unexplained_frac_max": UNEXPLAINED_FRAC_MAX,
        "undefined": {} if frac is not None else {"unexplained_frac": NOTHING_MOVED},
        "pairs": sum(1 for pair in found.pairs if pair.desk is not None and pair.replay is not None),
        "differing": len(differing),
        "trips": [_trip(pair) for pair in differing[:TRIPS_MAX]],
    }


def _sleeve(share: SleeveShare) -> dict[str, Any]:
    """One sleeve's share in dollars."""
    classes = {name: cents / 100 for name, cents in share.classes.items()}
    sides = {"desk_usd": share.desk / 100, "replay_usd": share.replay / 100, "difference_usd": share.difference / 100}
    return {"sleeve": share.sleeve, **sides, "classes": classes}


def _trip(pair: TripPair) -> dict[str, Any]:
    """A round trip that differs, with both sides' figures."""
    trip = pair.any_of
    sides = {"desk": _side(pair.desk), "replay": _side(pair.replay)}
    return {**{name: trip[name] for name in ("sleeve", "side", "entry_ms")}, **sides, "difference_usd": round(pair.usd, 2)}


def _side(trip: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """One side of it; None where it has none."""
    if trip is None:
        return None
    return {name: trip[name] for name in ("exit_ms", "units", "entry_price", "exit_price", "reason")} | {
        "usd": round(trip["net"], 2)
    }

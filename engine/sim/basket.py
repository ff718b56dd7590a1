"""A basket's backtest: a plan whose sleeves are its legs -> the core's basket over the requested range, and a report with what
each pair made.

Called by app/cli/backtest.py for `nightdesk backtest pairs`. Bars, anchor, instruments, costs, limits and hashes are those of any
backtest (request.py, backtest.load); signals are the strategy's fits, costs those of strategies/signals.py.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from engine.core import state
from engine.core.row_fields import COLUMN_OF, BreakerRow
from engine.core.rows import unpack_ref
from engine.data.timeframes import DeskBars
from engine.errors import DataError
from engine.sim import backtest as one
from engine.sim import trips as reading
from engine.sim.checked import frame_of, in_span
from engine.sim.metrics import Totals, metrics
from engine.sim.notes import refusals
from engine.sim.request import Plan, PlannedSleeve, data_of, files_sha256
from engine.store.runs import sha256_of_json
from engine.strategies import pairs as strategy
from engine.strategies.base import SignalFrame
from engine.strategies.signals import Evaluation, core_inputs

CENT = 0.01
NOT_STORED = (
    "a basket's run is not stored and counts as no trial yet: who tries many finds something, and judges it on other bars"
)


class PairTrip(NamedTuple):
    """A round trip of a pair, flat to flat; one that is open at the end is at the last prices. Money in quote units."""

    pair: int
    side: int  # 1: long a, short b
    entry_ms: int  # close of the bar that filled it
    exit_ms: int | None
    gross: float  # at prices without slippage
    slippage: float
    fees: float
    funding: float  # received minus paid
    reason: str  # of its last exit; open

    @property
    def net(self) -> float:
        """All of it."""
        return self.gross - self.slippage - self.fees + self.funding


def simulate(planned: Plan, progress: Callable[[float], None] = lambda _done: None) -> dict[str, Any]:
    """The report of a plan of resolve.planned_basket, as JSON values. Raises DataError where no pair could be fitted."""
    from engine.core.basket_kernel import run_basket

    begun, request = time.perf_counter(), planned.request
    loaded = one.load(planned)
    progress(0.2)
    given = inputs_of(planned, loaded)
    progress(0.5)
    pairs, terms = strategy.pairs_of(len(planned.sleeves)), strategy.terms_of(_params(planned))
    cash = sum(s.spec.cash for s in planned.sleeves)
    modes = dict.fromkeys((request.fills, *one.SCENARIOS))
    found = {
        mode: run_basket(given, one.rules_in(planned, loaded.span, mode), pairs, terms, request.limits, cash) for mode in modes
    }
    progress(0.9)
    own = found[request.fills]
    value = report_of(planned, loaded, own, cash)
    value["scenarios"] = {mode: (float(found[mode].equity[-1]) - cash) / cash for mode in one.SCENARIOS}
    return value | {"elapsed_s": round(time.perf_counter() - begun, 3)}


def _params(planned: Plan) -> strategy.Params:
    """The parameters, which are the same for every leg."""
    params = planned.sleeves[0].params
    assert isinstance(params, strategy.Params)  # noqa: S101 - planned_basket lets no other strategy in
    return params


def inputs_of(planned: Plan, loaded: DeskBars) -> Any:
    """kernel.BasketInputs: bars and costs of the span, fits over the whole history before it."""
    from engine.core.basket_kernel import BasketInputs
    from engine.core.kernel import bar_records

    own, span, params = loaded.own[planned.clock_ms], loaded.span, _params(planned)
    columns = [own.whole.instruments.index(s.key) for s in planned.sleeves]
    with np.errstate(all="ignore"):
        logs = np.log(own.whole.close[:, columns])
    fits = strategy.fits_of(logs, own.whole.close_ms, planned.clock_ms, params)
    cut = slice(own.first, own.first + len(span.close_ms))
    if not np.isfinite(fits.hedge[cut]).any():
        what = f"no pair has {params.window_days:g} days of both legs before this range ends"
        raise DataError(what, "use a longer range, or a shorter window: --set window_days=30")
    costs = [leg_costs(s, loaded, judged=planned.request.judged) for s in planned.sleeves]
    slip, impact, ranges, volumes = (np.stack([leg[k] for leg in costs], axis=1).reshape(-1) for k in range(4))
    hedge, intercept, deviation = (column[cut].reshape(-1) for column in fits)
    spread = hedge, intercept, deviation, logs[cut].reshape(-1)
    return BasketInputs(bar_records(span), *spread, slip, impact, ranges, volumes, ends_of(span.close))


def leg_costs(sleeve: PlannedSleeve, loaded: DeskBars, *, judged: bool) -> list[np.ndarray]:
    """slip_frac, impact, range_times and volume_times of a leg at each close of the span."""
    frame = frame_of(sleeve, loaded)
    nothing = Evaluation(
        np.zeros(len(frame), np.int8), np.zeros(len(frame)), {}, SignalFrame(np.zeros(len(frame), np.int8), frame.close)
    )
    found = in_span(core_inputs(nothing, sleeve.params, frame, sleeve.costs, judged=judged), sleeve, loaded)
    return [found.slip_frac, found.impact, found.range_times, found.volume_times]


def ends_of(close: np.ndarray) -> np.ndarray:
    """Of each leg the last bar at which it has one, -1 where that is the span's last: its bars end while others go on."""
    last = [np.flatnonzero(np.isfinite(column))[-1:] for column in close.T]
    return np.array([k[0] if len(k) and k[0] < len(close) - 1 else -1 for k in last], np.int64)


def trips_of(own: Any, pairs: Sequence[tuple[int, int]], lot_sizes: Sequence[float], marks: Sequence[float]) -> list[PairTrip]:
    """Every round trip from the rows of fills and settlements, in the order of their first fill. marks: of each leg."""
    rows, open_lots = own.rows, dict[tuple[int, int], list[int]]()
    sums = dict[tuple[int, int], dict[str, Any]]()
    for row in rows[np.isin(rows["kind"], (state.K_FILL, state.K_FUNDING))]:
        leg, p, key = unpack_ref(int(row["ref"]))
        trip = sums.setdefault(
            (p, key), {"side": 0, "entry": int(row["close_ms"]), "gross": 0.0, "slip": 0.0, "fees": 0.0, "funding": 0.0}
        )
        if row["kind"] == state.K_FUNDING:
            trip["funding"] += float(row["fee"])
            continue
        lots = int(row["side"]) * int(row["lots"])
        units, price, clean = lots * lot_sizes[leg], float(row["price"]), float(row["a"])
        held = open_lots.setdefault((p, key), [0, 0])
        place = pairs[p].index(leg)
        held[place] += lots
        trip["side"] = trip["side"] or int(row["side"]) * (1 if place == 0 else -1)
        trip["gross"] -= units * clean
        trip["slip"] += units * (price - clean)
        trip["fees"] += float(row["fee"])
        trip |= {"exit": int(row["close_ms"]), "reason": state.EXIT_REASONS[int(row["rule"])]}
        sums[p, key] = trip
    found = []
    for (p, key), trip in sums.items():
        held = open_lots[p, key]
        trip["gross"] += sum(lots * lot_sizes[leg] * marks[leg] for lots, leg in zip(held, pairs[p], strict=True) if lots)
        ended = None if any(held) else trip["exit"]
        reason = "open" if ended is None else trip["reason"]
        found.append(
            PairTrip(p, trip["side"], trip["entry"], ended, trip["gross"], trip["slip"], trip["fees"], trip["funding"], reason)
        )
    return found


def report_of(planned: Plan, loaded: DeskBars, own: Any, cash: float) -> dict[str, Any]:
    """The run as JSON, without timing and scenarios. Raises AssertionError where trips do not explain the equity."""
    span, request = loaded.span, planned.request
    legs, pairs = [s.spec.symbol for s in planned.sleeves], strategy.pairs_of(len(planned.sleeves))
    marks = [float(column[np.isfinite(column)][-1]) if np.isfinite(column).any() else 0.0 for column in span.close.T]
    table = trips_of(own, pairs, [s.instrument.lot_size for s in planned.sleeves], marks)
    change = float(own.equity[-1]) - cash
    explained = sum(trip.net for trip in table)
    assert abs(explained - change) < CENT + 1e-11 * cash, f"trips explain {explained}, the equity changed by {change}"  # noqa: S101 - a wrong sum must halt
    figures = metrics(span.close_ms, own.equity, planned.clock_ms, cash, totals_of(table, own, span.close_ms))
    rows = reading.frame_of(own.rows)
    made = [pair_json(legs, pair, [trip for trip in table if trip.pair == p], cash) for p, pair in enumerate(pairs)]
    return {
        "verdict": verdict_of(made, figures),
        "strategy": strategy.NAME,
        "params": _params(planned).model_dump(),
        "symbols": legs,
        "venue": " + ".join(dict.fromkeys(s.spec.venue for s in planned.sleeves)),
        "timeframe": planned.clock,
        "fills": request.fills,
        "funding": request.funding,
        "cash": cash,
        "pairs": made,
        "trips": [trip_json(legs, pairs[trip.pair], trip) for trip in table],
        "metrics": figures,
        "breakers": breakers_of(rows),
        "refused": refusals(rows),
        "data": data_of(planned, span),
        "config": planned.config,
        "config_hash": planned.config_hash,
        "code_hash": sha256_of_json(planned.code | {"basket": files_sha256(("sim/basket.py",))}),
        "journal_hash": own.journal_hash,
        "notes": [NOT_STORED, *loaded.notes],
    }


def totals_of(table: Sequence[PairTrip], own: Any, close_ms: np.ndarray) -> Totals:
    """Sums over the run, for the metrics."""
    done = [trip for trip in table if trip.exit_ms is not None]
    within = np.zeros(len(close_ms), np.bool_)
    for trip in table:
        within |= (close_ms >= trip.entry_ms) & (close_ms <= (close_ms[-1] if trip.exit_ms is None else trip.exit_ms))
    ledger = own.book.ledger
    sums = ledger.fees, ledger.funding, ledger.slippage, ledger.traded
    return Totals(len(done), sum(trip.net > 0.0 for trip in done), len(table) - len(done), int(within.sum()), *sums)


def pair_json(legs: Sequence[str], pair: tuple[int, int], table: Sequence[PairTrip], cash: float) -> dict[str, Any]:
    """What a pair made: quote units, `net_frac` of the basket's cash."""
    done = [trip for trip in table if trip.exit_ms is not None]
    sums = {name: sum(getattr(trip, name) for trip in table) for name in ("gross", "slippage", "fees", "funding", "net")}
    reasons = sorted({trip.reason for trip in done})
    return {
        "a": legs[pair[0]],
        "b": legs[pair[1]],
        "trips": len(done),
        "wins": sum(trip.net > 0.0 for trip in done),
        "open": len(table) - len(done),
        **sums,
        "net_frac": sums["net"] / cash,
        "exits": {reason: sum(trip.reason == reason for trip in done) for reason in reasons},
    }


def trip_json(legs: Sequence[str], pair: tuple[int, int], trip: PairTrip) -> dict[str, Any]:
    """A round trip with the names of its legs."""
    found = {name: value for name, value in trip._asdict().items() if name != "pair"}
    return {"a": legs[pair[0]], "b": legs[pair[1]]} | found | {"side": state.SIDES[trip.side], "net": trip.net}


def breakers_of(rows: Any) -> list[dict[str, Any]]:
    """Each kind of breaker: how often it tripped."""
    found = reading.only(rows, BreakerRow)
    return [
        {"breaker": name, "times": times}
        for code, name in state.BREAKERS.items()
        if (times := int((found[COLUMN_OF[BreakerRow]["breaker"]] == code).sum()))
    ]


def verdict_of(made: Sequence[Mapping[str, Any]], figures: Mapping[str, Any]) -> str:
    """What the basket made, and how many of its pairs made anything; a gain alone is not evidence of an edge."""
    traded = [pair for pair in made if pair["trips"] + pair["open"]]
    if not traded:
        return "No pair was entered."
    paid = sum(pair["net"] > 0.0 for pair in traded)
    costs = sum(pair["fees"] + pair["slippage"] for pair in traded)
    edge = "No edge after costs" if figures["net_profit"] <= 0.0 else "A gain after costs, not yet evidence of an edge"
    return (
        f"{edge}: {figures['total_return_frac']:+.2%}; {paid} of {len(traded)} traded pairs made money;"
        f" before fees and slippage of {costs:,.2f} they made {sum(pair['gross'] + pair['funding'] for pair in traded):+,.2f}."
    )

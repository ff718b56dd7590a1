"""What a basket's run reports: the keys of any run's, and what each pair and each leg made. Called by sim/basket.py.

Trips and ledgers -> plain JSON. Raises AssertionError where trips do not explain the equity.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from engine.amounts import percent_text
from engine.core import state
from engine.data.timeframes import DeskBars
from engine.sim import trips as reading
from engine.sim.backtest import CENT, SCENARIOS
from engine.sim.basket_trips import PairTrip, pair_name
from engine.sim.life import DESK, DRAWDOWN, LIQUIDATED, life_of
from engine.sim.metrics import Times, Totals, metrics
from engine.sim.notes import funding_contradictions, refusals, scenario_text
from engine.sim.request import Plan, data_of, sleeve_json
from engine.strategies import pairs as strategy


def one_sleeve(planned: Plan) -> list[reading.RunSleeve]:
    """The basket as the one sleeve that its rows are of."""
    return [reading.RunSleeve(strategy.NAME, "", 0.0, 0.0, planned.clock_ms)]


def report_of(run: Any, loaded: DeskBars, own: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    """The report of a BasketRun without timing. own: BasketResult of the run's mode."""
    p, span, request = run.plan, loaded.span, run.plan.request
    cash = sum(s.spec.cash for s in p.sleeves)
    change = float(own.equity[-1]) - cash
    explained = sum(trip.net for trip in run.trips)
    assert abs(explained - change) < CENT + 1e-11 * cash, f"trips explain {explained}, the equity changed by {change}"  # noqa: S101 - a wrong sum must halt
    figures = metrics(span.close_ms, own.equity, p.clock_ms, cash, totals_of(run.trips, own, span.close_ms, p.clock_ms))
    made = [
        pair_json(run.legs, pair, [trip for trip in run.trips if trip.pair == n], cash)
        for n, pair in enumerate(strategy.pairs_of(len(run.legs)))
    ]
    returns = {mode: (float(run.curves[mode][-1]) - cash) / cash for mode in SCENARIOS}
    sleeves, data = [sleeve_json(s) for s in p.sleeves], data_of(p, span)
    life = life_of({"data": data, "timeframe": p.clock, "sleeves": sleeves, "life": {"ends": ends_of(run, span)}})
    verdict = verdict_of(made, figures)
    return {
        "verdict": verdict,
        "strategy": strategy.NAME,
        "params": params,
        "symbol": ",".join(run.legs),  # as a request spells it
        "symbols": run.legs,
        "venue": " + ".join(dict.fromkeys(s.spec.venue for s in p.sleeves)),
        "timeframe": p.clock,
        "fills": request.fills,
        "funding": request.funding,
        "cash": cash,
        "sleeves": sleeves,  # its legs
        "pairs": made,
        "legs": legs_json(run.legs, made),
        "config": p.config,
        "config_hash": p.config_hash,
        "data": data,
        "life": life.as_json(),
        "metrics": figures,
        "scenarios": returns | {"ambiguous_bars": 0},  # a leg has one order inside a bar: no second one may come first
        "breakers": reading.breakers_of(run.breakers),
        "refused": refusals(run.rows),
        "liquidations": len(_liquidated(run.rows)),
        "leaks": None,
        "raw_signal": None,
        "delayed": None,
        "notes": [verdict.rstrip("."), *loaded.notes, *notes_of(run, returns, life)],
        "journal_hash": own.journal_hash,
        "code": p.code,
        "code_hash": p.code_hash,
        "versions": p.versions,
        "cache_key": p.cache_key,
    }


def notes_of(run: Any, returns: Mapping[str, float], life: Any) -> list[str]:
    """What a reader must know before trusting a figure."""
    notes = [life.text] if life.ends else []
    notes += [text] if (text := scenario_text(returns)) else []
    return [*notes, *funding_contradictions(run)]


def _liquidated(rows: pl.DataFrame) -> pl.DataFrame:
    """The bars in which a margin was gone."""
    fills = rows.filter((pl.col("kind") == state.K_FILL) & (pl.col("rule") == state.LIQUIDATION))
    return fills.select("close_ms").unique(maintain_order=True)


def ends_of(run: Any, span: Any) -> list[dict[str, Any]]:
    """What ended trading, as life.ends_of says it: of the whole basket its drawdown breaker or a liquidation after which nothing
    was entered, of a leg the end of its bars."""
    tripped = run.breakers.filter(pl.col("breaker") == DRAWDOWN)["close_ms"].to_list()
    found = [{"sleeve": DESK, "by": f"{DRAWDOWN} breaker", "ms": int(ms)} for ms in tripped[:1]]
    gone = _liquidated(run.rows)["close_ms"].to_list()
    entered = run.decisions.filter(pl.col("action") == "enter")["close_ms"].max() or 0
    if gone and not found and gone[-1] > entered:
        found.append({"sleeve": DESK, "by": LIQUIDATED, "ms": int(gone[-1])})
    usable = np.isfinite(span.open + span.high + span.low + span.close + span.volume)
    for sleeve in run.plan.sleeves:
        priced = np.flatnonzero(usable[:, span.instruments.index(sleeve.key)])
        if priced.size and priced[-1] < len(span.close_ms) - 1:
            found.append({"sleeve": sleeve.spec.name, "by": "end of its bars", "ms": int(span.close_ms[priced[-1]])})
    return found


def totals_of(table: Sequence[PairTrip], own: Any, close_ms: Times, bar_ms: int) -> Totals:
    """Sums over the run, for the metrics."""
    done = [trip for trip in table if trip.exit_ms is not None]
    within = np.zeros(len(close_ms), np.bool_)
    for trip in table:
        last = close_ms[-1] if trip.exit_ms is None else trip.exit_ms + bar_ms
        within |= (close_ms >= trip.entry_ms + bar_ms) & (close_ms <= last)
    ledger = own.book.ledger
    sums = ledger.fees, ledger.funding, ledger.slippage, ledger.traded
    return Totals(len(done), sum(trip.net > 0.0 for trip in done), len(table) - len(done), int(within.sum()), *sums)


def pair_json(legs: Sequence[str], pair: tuple[int, int], table: Sequence[PairTrip], cash: float) -> dict[str, Any]:
    """What a pair made, and each of its legs: quote units, `net_frac` of the basket's cash."""
    done = [trip for trip in table if trip.exit_ms is not None]
    sums = {name: sum(trip.of_both(name) for trip in table) for name in reading.COSTS}
    reasons = sorted({trip.reason for trip in done})
    by_leg = [
        {"symbol": legs[leg]} | {name: sum(getattr(trip.legs[place], name) for trip in table) for name in reading.COSTS}
        for place, leg in enumerate(pair)
    ]
    return {
        "a": legs[pair[0]],
        "b": legs[pair[1]],
        "name": pair_name(legs, pair),
        "trips": len(done),
        "wins": sum(trip.net > 0.0 for trip in done),
        "open": len(table) - len(done),
        **sums,
        "net_frac": sums["net"] / cash,
        "exits": {reason: sum(trip.reason == reason for trip in done) for reason in reasons},
        "legs": by_leg,
    }


def legs_json(legs: Sequence[str], made: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What each leg made over all of its pairs, quote units."""
    parts = [part for row in made for part in row["legs"]]
    return [
        {"symbol": leg} | {name: sum(part[name] for part in parts if part["symbol"] == leg) for name in reading.COSTS}
        for leg in legs
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
        f"{edge}: {percent_text(figures['total_return_frac'], sign=True)}; {paid} of {len(traded)} traded pairs made money;"
        f" before fees and slippage of {costs:,.2f} they made {sum(pair['gross'] + pair['funding'] for pair in traded):+,.2f}."
    )

"""The numbers of a canary's breaches, from the card's own evidence: what one watch in two hundred passes by chance
(canary_limits.py), and no less than the worst stretch of the same length and a quarter more.

Called by engine.control.proposals when a proposal with a canary is stored. Turns the stored frames of the changed run (round
trips, equity, decisions) and the metrics of two versions of a model into the terms that the card shows and the approval covers.
"""

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.clock import DAY_MS, timeframe_ms
from engine.control.canary import IN_FORCE, OF_A_FIT, OF_THE_DESK, TRIPS_MIN, CanaryPlan
from engine.control.canary_limits import (
    LEVEL,
    Floats,
    Ints,
    RunTrips,
    day_limit,
    drawdown_limit,
    drawn,
    fall,
    refused_limit,
    running_mean,
    slippage_limit,
    wait_limit,
)
from engine.control.draft import Draft
from engine.control.sleeve_config import SleeveConfig
from engine.errors import DeskError, Refused
from engine.store.runs import Runs

if TYPE_CHECKING:
    import polars as pl

MARGIN = 1.25  # a breach is what is a quarter worse than the evidence was, or is likely to be
MARKET_MARGIN = 1.5  # of slippage and drawdown, which follow the market's volatility as they do the change
CLUSTER_MARGIN = 1.5  # of what pairs of a basket wait for and are refused together
SLIPPAGE_TRIPS = 5  # round trips from which on their mean slippage is judged
SLIPPAGE_SLACK_BPS = 0.5  # where the evidence has next to none
ERROR_RATIO = 1.25  # of a model that was not judged on the rows of the one before
CLOSES_MIN = 100  # predictions with outcomes, before their error is judged


def terms_of(plan: CanaryPlan, made: Draft, evidence: Sequence[Mapping[str, Any]], home: Path) -> dict[str, Any]:
    """The terms as JSON (docs/changes.md), but for what a breach does. Raises Refused when the evidence has too few round trips
    for a stretch.
    """
    run_id = next((str(e["run_id"]) for e in evidence if e.get("role") in ("changed", IN_FORCE)), "")
    if not run_id:
        raise Refused("no stored run has its configuration and code", "propose it with its evidence, or without a canary")
    return measured(plan, run_id, made.new, home) | {"error": error_of(made, home)}


def measured(plan: CanaryPlan, run_id: str, sleeve: SleeveConfig, home: Path) -> dict[str, Any]:
    """The numbers of a run for a sleeve that trades as it did."""
    part = plan.part if sleeve.size_part is None else sleeve.size_part  # the run is at the whole size
    return numbers_of(Runs(home / "runs"), run_id, plan, timeframe_ms(sleeve.timeframe), part)


def numbers_of(store: Runs, run_id: str, plan: CanaryPlan, bar_ms: int, part: float) -> dict[str, Any]:
    """The same at a part of the size. Raises Refused where the run has too few round trips, or none of a figure."""
    if plan.shortens and plan.trips is not None:
        plan = plan._replace(trips=max(min(plan.trips, _closed(store, run_id).height // 2), TRIPS_MIN))
    run, worst = evidence_of(store, run_id, plan, bar_ms)
    trips = plan.trips or max(round(len(run.entry_ms) * (plan.bars or 0) * bar_ms / int(run.exit_ms.max() - run.entry_ms[0])), 1)
    least = min(SLIPPAGE_TRIPS, trips, len(run.entry_ms))
    watches = drawn(len(run.entry_ms), trips)
    slippage, wider = max(worst["slippage_bps"], slippage_limit(run, watches, least)), CLUSTER_MARGIN if run.of_pairs else 1.0
    drawdown = max(worst["drawdown_frac"], drawdown_limit(run, watches))
    return {
        "part": plan.part,
        "trips": plan.trips,
        "bars": plan.bars,
        "bar_ms": bar_ms,
        "against": run_id,
        "level": LEVEL,
        "seen": len(run.entry_ms),
        "refused_max": math.ceil(wider * max(math.ceil(worst["refused"] * MARGIN), refused_limit(run, trips))),
        "slippage_bps_max": max(slippage * MARKET_MARGIN, slippage + SLIPPAGE_SLACK_BPS),
        "slippage_trips": least,
        "drawdown_frac_max": part * drawdown * MARKET_MARGIN,
        "quiet_bars_max": math.ceil(wider * max(worst["quiet_bars"] * MARGIN, wait_limit(run, trips) / bar_ms)),
        "day_entries_max": max(math.ceil(worst["day_entries"] * MARGIN), day_limit(run, trips)),
        "worst": worst,
    }


def evidence_of(store: Runs, run_id: str, plan: CanaryPlan, bar_ms: int) -> tuple[RunTrips, dict[str, Any]]:
    """(the round trips of a run, the worst of each measure over every stretch of the plan's length in it)."""
    closed = _closed(store, run_id)
    entry, leave = (closed[name].to_numpy().astype(np.int64) for name in ("entry_ms", "exit_ms"))
    ends, equity = stretches(entry, leave, plan, bar_ms), store.frame(run_id, "equity")
    close_ms, curve = equity["close_ms"].to_numpy().astype(np.int64), equity["equity"].to_numpy().astype(np.float64)
    refused = refused_ms(store.frame(run_id, "decisions"), OF_THE_DESK + (OF_A_FIT if is_of_pairs(closed) else ()))
    paid = slippage_bps(closed, lambda: lot_sizes(store, run_id))
    run = RunTrips(entry, leave, paid, refused, close_ms, curve, of_pairs=is_of_pairs(closed))
    spans = [slice(*np.searchsorted(entry, [begin, end], "left")) for begin, end in ends]
    each = [run.slippage_bps[one] for one in spans]
    found = {
        "refused": most_within(run.refused_ms, ends),
        "slippage_bps": max([float(running_mean(one, min(SLIPPAGE_TRIPS, len(one)))) for one in each if len(one)] + [0.0]),
        "drawdown_frac": max((fall(run.equity[slice(*np.searchsorted(run.close_ms, end))]) for end in ends), default=0.0),
        "quiet_bars": math.ceil(int(run.waits_ms.max()) / bar_ms),
        "day_entries": int((np.searchsorted(entry, entry + DAY_MS, side="left") - np.arange(len(entry))).max()),
    }
    values = [*found.values(), run.slippage_bps.sum(), run.equity.sum(), 1.0 / run.equity.min()]
    if not all(math.isfinite(value) for value in values) or found["drawdown_frac"] <= 0.0:
        raise Refused(f"run {run_id} has figures that are missing: no breach can be stated", "propose without a canary: none")
    return run, found


def _closed(store: Runs, run_id: str) -> "pl.DataFrame":
    """The closed round trips of a run, in order."""
    trips = store.frame(run_id, "trips")
    return trips.filter(trips["exit_ms"].is_not_null())


def stretches(entry: Ints, leave: Ints, plan: CanaryPlan, bar_ms: int) -> list[tuple[int, int]]:
    """(from, to) of every stretch as long as the canary, from an entry on. Raises Refused for fewer than two lengths."""
    if plan.trips is not None:
        count = plan.trips
        enough = len(entry) >= 2 * count
        found = [(int(a), b) for a, b in zip(entry, nth_exits(leave, count), strict=False)]
    else:
        length = (plan.bars or 0) * bar_ms
        last = int(leave.max()) if len(leave) else 0
        found = [(int(a), int(a) + length) for a in entry if a + length <= last]
        enough = len(entry) >= TRIPS_MIN and bool(found) and last - int(entry[0]) >= 2 * length
    if not enough:
        what = f"the evidence has {len(entry)} closed round trips, too few to say what {plan.trips or plan.bars:,}"
        unit = "trips" if plan.trips is not None else "bars"
        raise Refused(f"{what} {unit} of a canary are like", "a shorter canary, evidence over more bars, or canary none")
    return found


def nth_exits(leave: Ints, count: int) -> list[int]:
    """Of each round trip that has so many from it on: when that many of them are over. Pairs of a basket trade side by side."""
    first, found = list[int](), list[int]()  # the earliest exits, negative: the latest of them on top
    for ms in leave[::-1].tolist():
        heapq.heappush(first, -ms)
        if len(first) > count:
            heapq.heappop(first)
        found += [-first[0]] if len(first) == count else []
    return found[::-1]


def slippage_bps(trips: "pl.DataFrame", lots: Callable[[], Mapping[str, float]]) -> Floats:
    """Slippage of each round trip, both ways, of its notional at entry; of a pair that of both legs (`lots`: lot_sizes)."""
    if not is_of_pairs(trips):
        notional = trips["units"].to_numpy() * trips["entry_price"].to_numpy()
    else:
        sizes, notional = lots(), np.zeros(trips.height)
        keys = [str(both).split() for both in trips["instrument"].to_list()]
        for n, leg in enumerate("ab"):
            price, count = (np.asarray(trips[f"{name}_{leg}"].to_numpy(), np.float64) for name in ("entry", "lots"))
            size = np.array([sizes[key[n]] for key in keys])
            notional += np.where(count > 0, price * count * size, 0.0)  # a leg that has filled nothing has no lots, and no price
    return np.asarray(trips["slippage"].to_numpy() / notional * 1e4, np.float64)


def is_of_pairs(trips: "pl.DataFrame") -> bool:
    """Whether round trips are those of a basket's pairs."""
    return "lots_a" in trips.columns


def lot_sizes(store: Runs, run_id: str) -> dict[str, float]:
    """`synthetic:BTC-USDT:perp` -> base units of a lot, as a run had them."""
    return {key: float(one["lot_size"]) for key, one in store.load(run_id)["config"]["instruments"].items()}


def refused_ms(decisions: "pl.DataFrame", excused: Sequence[str]) -> Ints:
    """Closes at which a rule began to refuse an entry, those that are `excused` aside."""
    found = decisions.filter(decisions["refused_by"].is_not_null() & ~decisions["refused_by"].is_in(list(excused)))
    return found["close_ms"].to_numpy().astype(np.int64)


def most_within(at_ms: Ints, ends: Sequence[tuple[int, int]]) -> int:
    """The most of these instants in any stretch."""
    return max((int(np.searchsorted(at_ms, b, "right") - np.searchsorted(at_ms, a)) for a, b in ends), default=0)


def error_of(made: Draft, home: Path) -> dict[str, Any] | None:
    """The breach of predictions of the one model whose version changes; None where nothing could be set beside it."""
    if len(made.models) != 1:
        return None
    from engine.control.model_registry import summary_of
    from engine.strategies.stored_models import pins_of

    name, _, version = next(iter(made.models)).partition("@")
    before = pins_of(made.old.models or "").get(name)
    if before is None:
        return None
    try:
        new, old = summary_of(home / "models", name, version), summary_of(home / "models", name, before)
    except DeskError:
        return None
    if new.is_regime or old.is_regime or new.about["label"] != old.about["label"]:
        return None
    ratios, closes = fold_ratios(new.metrics, old.metrics)
    worst = max(ratios) if ratios else None
    return {
        "model": name,
        "version": version,
        "champion": before,
        "worst": worst,
        "ratio_max": ERROR_RATIO if worst is None else max(worst, 1.0) * MARGIN,
        "closes": max(closes, CLOSES_MIN),
    }


def fold_ratios(new: Mapping[str, Any], old: Mapping[str, Any]) -> tuple[list[float], int]:
    """(the newer version's squared error over the older's in each fold that both were judged on, rows of the smallest fold)."""
    ours, theirs = _folds(new), _folds(old)
    both = [start for start in ours if start in theirs and ours[start][1:] == theirs[start][1:]]
    found = []
    for start in both:
        mine, other = 1.0 - ours[start][0], 1.0 - theirs[start][0]  # 1 - R2: both over the same variance
        if math.isfinite(mine) and math.isfinite(other) and other > 0.0:
            found.append(mine / other)
    return found, min((rows for _, _, rows in ours.values()), default=CLOSES_MIN)


def _folds(metrics: Mapping[str, Any]) -> dict[str, tuple[float, str, int]]:
    """Begin of each test fold -> (R2, its end, its rows); none of a model with another figure."""
    folds = metrics.get("folds") or {}
    columns = list(folds.get("columns") or [])
    if metrics.get("figure") != "R2" or not {"test_from", "test_to", "test_rows", "test"} <= set(columns):
        return {}
    at = [columns.index(name) for name in ("test_from", "test", "test_to", "test_rows")]
    rows = [[row[n] for n in at] for row in folds.get("rows") or []]
    return {str(a): (float(r2), str(b), int(n)) for a, r2, b, n in rows if r2 is not None and n is not None}

"""A walk-forward from its arguments: checked, run, and what it came to, as JSON. The stitched result is one trial.

Called by app/jobs/kinds.py (command, tool) and app/notebook.py. Only what the folds traded out of sample is judged; how well the
choices did in their own past is shown beside it, as the measure of how much of that was fit.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Engine

from engine.clock import DAY_MS, utc, utc_day
from engine.errors import BadInput
from engine.research.grid import Variations, repeats_of
from engine.research.kill.baselines import RANDOM_SEEDS, drawn_entries, luck
from engine.research.ledger import TrialLedger, TrialPlace, figures_of, place_of, sharpe_of
from engine.research.partly import Partly, Table, table, unseen
from engine.research.search import Planner, draws_of, planned_base, space_of
from engine.research.sweep import Runner
from engine.research.universe import notes_of
from engine.research.walkforward import CHOICES, EDGES, FoldChoice, Stitched, choose, stitch, windows_of
from engine.research.windows import Audit, Fold, audit, folds_of, is_nothing, length, length_ms
from engine.sim.checked import check_sleeve, is_own
from engine.sim.excursions import hold
from engine.sim.leaks import leaks_of
from engine.sim.metrics import Floats, Totals, daily_equity, daily_returns, drawdown, metrics, own_days
from engine.sim.trips import RunSleeve, bars_held, frame_of, trips
from engine.store import trials
from engine.store.runs import sha256_of_json

Progress = Callable[[float], None]
DEFAULTS = {"train": "60d", "test": "5d", "embargo": "4h", "edges": "carry", "choose": "best", "search": "grid"}
OWN_ARGS = ("vary", "search", "trials", "seed", "train", "test", "step", "embargo", "edges", "choose")
VARIATIONS_MAX = 2_000
RUNS_MAX = 500_000  # folds x variations
COLUMNS = (
    "fold", "train_from", "train_to", "test_from", "test_to", "train_sharpe", "sharpe", "return_frac", "hold_frac", "trips",
)  # fmt: skip


class Forward(NamedTuple):
    """A walk-forward that has run."""

    runner: Runner
    space: Variations
    chosen: Sequence[FoldChoice]
    stitched: Stitched
    checked: Audit

    @property
    def close_ms(self) -> Any:
        """The closes of the stitched curve."""
        return self.runner.span.close_ms[self.chosen[0].fold.test[0] : self.chosen[-1].fold.until]


def walkforward(
    make: Planner,
    engine: Engine,
    checks: Path | None,
    args: Mapping[str, Any],
    progress: Progress = lambda _done: None,
    partly: Partly = unseen,
) -> dict[str, Any]:
    """Run a walk-forward. args: those of a backtest, and vary, train, test, step, embargo, edges, choose, search, trials, seed.

    Raises BadInput before anything is run for lengths that do not fit the bars.
    """
    begun = time.perf_counter()
    given = {key: value for key, value in args.items() if value is not None}
    own = {**DEFAULTS, **{key: given.pop(key) for key in OWN_ARGS if key in given}}
    check_words(own)
    vary = own.get("vary") or {}
    runner = Runner(planned_base(make, given, vary))
    sleeve = runner.sleeve
    searched = {"search": own["search"], **draws_of(own)}
    space = space_of(sleeve.strategy, sleeve.params, vary, searched)
    folds = folds_in(runner, own)
    if len(space.chosen) > VARIATIONS_MAX or len(folds) * len(space.chosen) > RUNS_MAX:
        many = f"{len(folds)} folds of {len(space.chosen):,} variations"
        raise BadInput(many, f"at most {VARIATIONS_MAX:,} variations and {RUNS_MAX:,} runs: vary less, or take a longer --step")
    leaks = [check_sleeve(runner.planned, sleeve, runner.loaded, checks)] if is_own(sleeve) else []
    progress(0.05)
    seen = partial(show, partly, folds, space)
    chosen = choose(runner, folds, space.chosen, own["choose"], lambda share: progress(0.05 + 0.8 * share), seen)
    partly(partial(choices, chosen, space))
    done = Forward(
        runner,
        space,
        chosen,
        stitch(windows_of(runner, chosen), own["edges"]),
        audit(folds, runner.span.close_ms, runner.planned.clock_ms),
    )
    progress(0.95)
    found = report(engine, done, own) | {"leaks": leaks_of(leaks)}
    progress(1.0)
    return found | {"elapsed_s": round(time.perf_counter() - begun, 3)}


def show(partly: Partly, folds: Sequence[Fold], space: Variations, ratios: Floats, done: int) -> None:
    """Show the best of every fold's past among the variations that have run."""
    partly(partial(best_so_far, folds, space, ratios, done))


def best_so_far(folds: Sequence[Fold], space: Variations, ratios: Floats, done: int) -> Table:
    """A row a fold: number, the best training Sharpe so far, the parameters that gave it."""
    rows: list[list[Any]] = []
    for fold, row in zip(folds, ratios, strict=True):
        if np.isfinite(row).any():
            rows.append([fold.number, float(np.nanmax(row)), *space.chosen[int(np.nanargmax(row))].values])
    text = f"best of each fold's past, {done} of {len(space.chosen)} variations run"
    return table(text, ["fold", "train_sharpe", *space.keys], rows)


def choices(chosen: Sequence[FoldChoice], space: Variations) -> Table:
    """What every fold has chosen; the test windows are being traded."""
    rows = [[one.fold.number, one.train_sharpe, *one.variation.values] for one in chosen]
    return table("chosen in each fold's past; the test windows are traded next", ["fold", "train_sharpe", *space.keys], rows)


def check_words(own: Mapping[str, Any]) -> None:
    """BadInput for a choice that is not offered."""
    for name, words in (("edges", EDGES), ("choose", CHOICES), ("search", ("grid", "random"))):
        if own[name] not in words:
            raise BadInput(f"--{name} {str(own[name])[:40]!r} is not one of {', '.join(words)}")


def folds_in(runner: Runner, own: Mapping[str, Any]) -> list[Fold]:
    """The folds of the runner's bars."""
    return folds_of(runner.span.close_ms, runner.planned.clock_ms, *lengths_of(own).values())


def lengths_of(own: Mapping[str, Any]) -> dict[str, int]:
    """train, test, step and embargo in ms. Raises BadInput."""
    found = {name: length_ms(own[name], name) for name in ("train", "test")}
    found["step"] = length_ms(own.get("step") or own["test"], "step")
    return found | {"embargo": 0 if is_nothing(own["embargo"]) else length_ms(own["embargo"], "embargo")}


def report(engine: Engine, done: Forward, own: Mapping[str, Any]) -> dict[str, Any]:
    """The result as JSON; undefined figures are null."""
    figures, table = figured(done)
    held = hold_of(done)
    planned, close_ms = done.runner.planned, done.close_ms
    place = kept(engine, done, own, figures)
    rows, bar_ms = fold_rows(done, table, held), planned.clock_ms
    counted = summary([row for row, one in zip(rows, done.chosen, strict=True) if not one.fold.short])
    spec, ends = done.runner.sleeve.spec, (int(close_ms[0]) - bar_ms, int(close_ms[-1]) - bar_ms)
    lengths = {name: str(own.get(name) or own["test"]) for name in ("train", "test", "step", "embargo", "edges", "choose")}
    return {
        "hypothesis": place.hypothesis,
        "strategy": spec.strategy,
        "symbol": spec.symbol,
        "venue": spec.venue,
        "timeframe": planned.clock,
        "first_ms": ends[0],
        "last_ms": ends[1],
        "source": "+".join(sorted({series.source for series in planned.series.values()})),
        **lengths,
        "varied": {key: list(values) for key, values in zip(done.space.keys, done.space.axes, strict=True)},
        "variations": len(done.space.chosen),
        "refused": done.space.refused,
        "failed": next((one.failed for one in done.chosen if one.failed), None) or None,
        "audit": {"clean": done.checked.clean, "text": done.checked.text},
        "columns": [*COLUMNS, *done.space.keys],
        "rows": rows,
        "summary": counted,
        "not_counted": not_counted(done) or None,
        "days_text": days_text(int(close_ms[0]) - bar_ms, int(close_ms[-1])),
        "drift": drift(done),
        "metrics": figures,
        "baselines": [*baselines(done, held, figures), *at_random(done, table, own["edges"], figures)],
        "trial": place.as_json(),
        "notes": repeats_of(own.get("vary") or {}, done.space.keys, done.space.axes)
        + notes_of([planned], int(done.runner.span.close_ms[0]) - bar_ms, ends[1]),
        "verdict": verdict(figures, counted, place),
        "edges_text": "positions are carried over fold edges: their levels stay, the new fold's rules go on with them"
        if own["edges"] == "carry"
        else "positions are closed at the market at fold edges",
    }


def figured(done: Forward) -> tuple[dict[str, Any], Any]:
    """(metrics of the stitched run, its round trips)."""
    runner, close_ms, equity = done.runner, done.close_ms, done.stitched.equity
    sleeve, span = runner.sleeve, runner.span
    last = done.chosen[-1].fold.until
    usable = np.flatnonzero(np.isfinite(span.close[:last, 0]))
    mark = float(span.close[usable[-1], 0]) if usable.size else 0.0
    sleeves = [RunSleeve(sleeve.spec.name, sleeve.key, sleeve.instrument.lot_size, mark, sleeve.bar_ms)]
    table = trips(frame_of(done.stitched.rows), sleeves)
    is_open = table["reason"] == "open"
    closed, ledger = table.filter(~is_open), done.stitched.edges[-1].ledger
    totals = Totals(
        trades=len(closed),
        wins=int((closed["net"] > 0).sum()),
        open_trades=int(is_open.sum()),
        bars_held=bars_held(table, sleeves, close_ms, runner.planned.clock_ms),
        fees=ledger.fees,
        funding=ledger.funding,
        slippage=ledger.slippage,
        traded=ledger.traded,
    )
    return metrics(close_ms, equity, runner.planned.clock_ms, runner.cash, totals, own_days), table


def hold_of(done: Forward) -> Floats:
    """Equity of who holds the instrument over the stitched span."""
    span, cut = done.runner.span, slice(done.chosen[0].fold.test[0], done.chosen[-1].fold.until)
    return hold(span._replace(open=span.open[cut], close=span.close[cut]), [0], done.runner.cash)


def kept(engine: Engine, done: Forward, own: Mapping[str, Any], figures: Mapping[str, Any]) -> TrialPlace:
    """The stitched result as a trial of its hypothesis, and its place."""
    planned, close_ms = done.runner.planned, done.close_ms
    ends = int(close_ms[0]) - planned.clock_ms, int(close_ms[-1]) - planned.clock_ms
    ledger = TrialLedger(engine, [planned], *ends, time.time_ns() // 1_000_000)
    run = {"metrics": figures, "cash": done.runner.cash}
    row = ledger.row([planned], figures_of(run, close_ms, done.stitched.equity, planned.clock_ms, own_days), "walkforward")
    row = ledger.renamed(row, asked_for(done, own, json.loads(row.params)))
    wanted = row.id
    ledger.keep([row])
    found = trials.by_id(engine, wanted)
    assert found is not None  # noqa: S101 - it was kept a line above
    return place_of(engine, found)


def asked_for(done: Forward, own: Mapping[str, Any], params: Mapping[str, Any]) -> str:
    """What makes a walk-forward the trial that it is, as JSON: its windows however they are spelled, and what it chose among."""
    lengths = lengths_of(own)
    asked = {name: length(ms) for name, ms in lengths.items()} | {name: own[name] for name in ("edges", "choose")}
    varied = {key: list(values) for key, values in zip(done.space.keys, done.space.axes, strict=True)}
    if len(done.space.chosen) + done.space.refused < prod(len(values) for values in done.space.axes):  # some, drawn
        asked["drawn"] = sha256_of_json(sorted(str(one.values) for one in done.space.chosen))[:12]
    fixed = {key: value for key, value in params.items() if key not in varied}
    return json.dumps({"walkforward": asked, "varied": varied, **fixed}, sort_keys=True)


def fold_rows(done: Forward, table: Any, held: Floats) -> list[list[Any]]:
    """A row a fold: its windows, what was chosen, how it did in its past and after it."""
    start, equity, close_ms = done.chosen[0].fold.test[0], done.stitched.equity, done.runner.span.close_ms
    bar_ms, cash, found = done.runner.planned.clock_ms, done.runner.cash, list[list[Any]]()
    entries = table["entry_ms"].to_numpy()
    for one in done.chosen:
        first, last = one.fold.test[0] - start, one.fold.until - start
        before, alone = (equity[first - 1], held[first - 1]) if first else (cash, cash)
        curve, span = equity[first:last], close_ms[one.fold.test[0] : one.fold.until]
        begun = int(((entries >= span[0] - bar_ms) & (entries < span[-1])).sum())
        spans = [utc_day(int(close_ms[k]) - bar_ms) for k in (one.fold.train[0], one.fold.train[1] - 1, *_test_ends(one.fold))]
        ratios = one.train_sharpe, sharpe_of(daily_of(span, curve, bar_ms, before))
        returns = curve[-1] / before - 1.0 if before > 0 else None, held[last - 1] / alone - 1.0
        row = [one.fold.number, *spans, *ratios, *(None if x is None else float(x) for x in returns), begun]
        found.append([*row, *one.variation.values])
    return found


def daily_of(close_ms: Any, equity: Floats, bar_ms: int, before: float) -> Floats:
    """Daily returns of some test windows; they compound to the windows' own return."""
    return daily_returns(daily_equity(close_ms, equity, bar_ms, before, own_days)[1])


def days_text(first_ms: int, end_ms: int) -> str:
    """From when to when the days of the daily figures are counted; of a last day that is shorter, how long it is."""
    short = (end_ms - first_ms) % DAY_MS
    last = f", the last one of {length(short)}" if short else ""
    return f"Sharpe ratios are of days of 24 hours from {utc(first_ms)[11:16]} UTC, as the test windows begin{last}"


def not_counted(done: Forward) -> str:
    """A last window that the data cuts short; empty without one."""
    last = done.chosen[-1].fold
    if not last.short:
        return ""
    close_ms = done.runner.span.close_ms
    lasts = int(close_ms[last.test[1] - 1]) - int(close_ms[last.test[0]]) + done.runner.planned.clock_ms
    return f"last window of {length(lasts)}, cut short by the end of the bars: in the total, not counted among the windows"


def _test_ends(fold: Fold) -> tuple[int, int]:
    return fold.test[0], fold.test[1] - 1


def summary(rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """Over the folds that count: windows won, the median, the worst, how many did better than holding, what became of the fit."""
    at = {name: COLUMNS.index(name) for name in ("return_frac", "hold_frac", "train_sharpe", "sharpe")}
    returns = [row[at["return_frac"]] for row in rows if row[at["return_frac"]] is not None]
    better = sum(row[at["return_frac"]] > row[at["hold_frac"]] for row in rows if row[at["return_frac"]] is not None)
    fitted = [row[at["train_sharpe"]] for row in rows if row[at["train_sharpe"]] is not None]
    after = [row[at["sharpe"]] for row in rows if row[at["sharpe"]] is not None]
    return {
        "folds": len(rows),
        "won": sum(value > 0 for value in returns),
        "better_than_hold": better,
        "median_return_frac": float(np.median(returns)) if returns else None,
        "worst_return_frac": min(returns, default=None),
        "mean_train_sharpe": float(np.mean(fitted)) if fitted else None,
        "median_sharpe": float(np.median(after)) if after else None,
    }


def drift(done: Forward) -> dict[str, Any]:
    """Of each varied parameter: how often the choice changed from fold to fold, and the value chosen most; of whole windows."""
    found = {}
    for n, key in enumerate(done.space.keys):
        values = [one.variation.values[n] for one in done.chosen if not one.fold.short]
        most, times = Counter(values).most_common(1)[0]
        changed = sum(a != b for a, b in pairwise(values))
        found[key] = {"changed": changed, "values": len(set(values)), "most": most, "most_share": times / len(values)}
    return found


def baselines(done: Forward, held: Floats, figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What no idea at all earned over the same days: holding, and holding with the strategy's own volatility."""
    close_ms, bar_ms, cash = done.close_ms, done.runner.planned.clock_ms, done.runner.cash
    own, market = (daily_of(close_ms, curve, bar_ms, cash) for curve in (done.stitched.equity, held))
    rows = [
        {"name": "this walk-forward", **_three(figures["total_return_frac"], figures["sharpe"], figures["max_drawdown_frac"])}
    ]
    rows.append({"name": "hold", **_three(float(held[-1]) / cash - 1.0, sharpe_of(market), drawdown(held, cash)[0])})
    if len(own) == len(market) >= 2 and market.std(ddof=1) > 0:
        scaled = market * (own.std(ddof=1) / market.std(ddof=1))
        curve = np.cumprod(1.0 + scaled) * cash
        alike = _three(float(curve[-1]) / cash - 1.0, sharpe_of(scaled), drawdown(curve, cash)[0])
        rows.append({"name": "hold at the same volatility (daily)", **alike})
    return rows


def at_random(done: Forward, table: Any, edges: Any, figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The median of runs that enter at random, as often, as long and on the sides that the strategy did, with the same exits; and
    the share of them that did at least as well (`luck`)."""
    closed = table.filter(table["reason"] != "open")
    if closed.is_empty():
        return []
    bars, cash, bar_ms = len(done.close_ms), done.runner.cash, done.runner.planned.clock_ms
    tests, totals, ratios, falls = windows_of(done.runner, done.chosen), list[float](), list[float](), list[float]()
    for seed in range(RANDOM_SEEDS):
        sides = np.zeros(bars)
        at, chosen = drawn_entries(bars, 0, closed, seed)
        sides[at] = chosen
        curve = stitch(tests, edges, sides).equity
        totals.append(float(curve[-1]) / cash - 1.0)
        falls.append(drawdown(curve, cash)[0])
        ratio = sharpe_of(daily_of(done.close_ms, curve, bar_ms, cash))
        ratios += [] if ratio is None else [ratio]
    own = figures["total_return_frac"]
    middle = _three(float(np.median(totals)), float(np.median(ratios)) if ratios else None, float(np.median(falls)))
    return [{"name": f"random entries, same exits (median of {RANDOM_SEEDS})", **middle, "luck": luck(own, totals)}]


def _three(total: float, ratio: float | None, fall: float) -> dict[str, float | None]:
    return {"total_return_frac": total, "sharpe": ratio, "max_drawdown_frac": fall}


def verdict(figures: Mapping[str, Any], folds: Mapping[str, Any], place: TrialPlace) -> str:
    """One sentence: what was left out of sample."""
    ratio, low = figures["sharpe"], figures["sharpe_low"]
    if ratio is None:
        return f"Nothing to say: {figures['undefined'].get('sharpe', 'no Sharpe ratio')}."
    fitted = folds["mean_train_sharpe"]
    won = f"{folds['won']} of {folds['folds']} test windows won"
    fit = "" if fitted is None else f", after {fitted:+.2f} in training"
    chance = place.deflated_sharpe
    deflated = "" if chance is None else f"; deflated Sharpe {chance:.2f}"
    text = f"out-of-sample Sharpe {ratio:+.2f}{fit}; {won}{deflated}"
    if ratio <= 0:
        return f"It does not hold forward: {text}."
    if low is not None and low > 0 and folds["won"] * 2 > folds["folds"]:
        return f"It holds forward: {text}."
    return f"Not distinguishable from zero: {text}."

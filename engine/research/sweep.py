"""Many variations of one strategy: features once, signals once for all that agree on what the strategy reads, the leaping kernel
for each.

Called by research/search.py and research/walkforward.py. Turns a Plan and Variations into one Tried each: bit for bit what a run
of its own would give. Variations of one group run on threads: the kernel holds no lock. A strategy that fails in one variation
fails there alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from engine.clock import DAY_MS
from engine.core.kernel import Outcome, bar_records, block_records, called, guided, rules_record, signal_columns
from engine.core.kernel import SleeveRuns as Bench
from engine.errors import BadInput, DeskError
from engine.research.grid import Variation
from engine.research.ledger import TrialFigures, sharpe_of
from engine.research.watched import reads_past, watched
from engine.sim.backtest import load, rules_in
from engine.sim.checked import frame_of, in_span
from engine.sim.metrics import daily_returns, midnights_of
from engine.sim.request import Plan, with_params
from engine.sim.vwap_fills import VWAP
from engine.strategies.base import source_of
from engine.strategies.params import StrategyParams
from engine.strategies.signals import Signals, core_inputs, evaluate, read_of

CACHE_BYTES_MAX = 256 << 20  # of features that are kept between groups
GROUPS_KEPT = 4
CHUNK = 16  # variations of a group that a thread takes at once
WORKERS_MAX = 64


class Tried(NamedTuple):
    """A variation and what it came to; without figures, why not."""

    variation: Variation
    figures: TrialFigures | None
    error: str = ""


class Group(NamedTuple):
    """Signals, and the parameters that they hold for."""

    reads: tuple[str, ...]  # fields that the strategy read
    values: tuple[Any, ...]
    own: tuple[Any, ...]  # what the engine read (signals.read_of)
    columns: tuple[np.ndarray, ...]
    guides: np.ndarray
    calls: np.ndarray

    def fits(self, params: StrategyParams) -> bool:
        """Whether a strategy would answer the same to these."""
        return self.own == read_of(params) and self.values == tuple(getattr(params, name) for name in self.reads)


class Runner:
    """One sleeve's bars, loaded once, and every variation of its parameters on them."""

    def __init__(self, planned: Plan) -> None:
        if len(planned.sleeves) != 1 or planned.request.counted is not None or planned.request.delay_bars:
            raise BadInput("a sweep runs one sleeve, under the desk's limits, without delay", "name one strategy and its symbols")
        if planned.request.fills == VWAP or planned.request.execution:
            raise BadInput("a sweep knows neither vwap fills nor execution schedules", "run them one by one: nightdesk backtest")
        self.planned, self.sleeve = planned, planned.sleeves[0]
        self.loaded = load(planned)
        self.span, self.cash = self.loaded.span, float(self.sleeve.spec.cash)
        self.frame = frame_of(self.sleeve, self.loaded)
        self.bars = bar_records(self.span)
        self.blocks = block_records(self.bars, 1)
        self.reads_past = reads_past(source_of(self.sleeve.strategy))
        self.midnights, self.at = midnights_of(self.span.close_ms, planned.clock_ms)
        self._groups: list[Group] = []

    def forget(self) -> None:
        """Drop features and signals that were computed."""
        self.frame, self._groups = self.frame.prefix(len(self.frame)), []

    def bench(self) -> Bench:
        """Scratch memory for one thread."""
        return Bench(self.bars, self.blocks, 1, self.planned.request.limits, self.cash)

    def group_of(self, params: StrategyParams) -> Group:
        """The signals of these parameters, computed or found. Raises StrategyError."""
        found = next((group for group in self._groups if group.fits(params)), None)
        if found is None:
            if sum(values.nbytes for values in self.frame.cached()) > CACHE_BYTES_MAX:
                self.forget()
            sleeve = self.sleeve
            with watched(params) as (shown, reads), self._named(params):
                output = evaluate(sleeve.strategy, params, self.frame, shown)
            if self.reads_past:
                reads.update(type(params).model_fields)
            judged = self.planned.request.judged
            whole = core_inputs(output, params, self.frame, sleeve.costs, sleeve.spec.side, judged=judged)
            found = self._group(reads, params, in_span(whole._replace(used={}), sleeve, self.loaded))
            self._groups = [found, *self._groups][:GROUPS_KEPT]
        return found

    @contextmanager
    def _named(self, params: StrategyParams) -> Iterator[None]:
        """Whatever stops a strategy from outside, as a time limit does, says which variation it was in."""
        try:
            yield
        except BaseException as error:
            if isinstance(error, Exception):
                raise
            base = self.sleeve.params.model_dump()
            differing = [f"{key}={value}" for key, value in params.model_dump().items() if value != base[key]]
            error.add_note(f"in the variation {', '.join(differing)}, else the base" if differing else "in the base parameters")
            raise

    def _group(self, reads: set[str], params: StrategyParams, signals: Signals) -> Group:
        columns, names = signal_columns([kept(signals)]), tuple(sorted(reads))
        values = tuple(getattr(params, name) for name in names)
        return Group(names, values, read_of(params), columns, guided(columns, 1), called(columns))

    def plan_of(self, params: StrategyParams) -> Plan:
        """The plan of a run of its own with these parameters."""
        return with_params(self.planned, params)

    def outcome(self, bench: Bench, group: Group, params: StrategyParams) -> Outcome:
        """The core over all bars."""
        planned = self.planned._replace(sleeves=(self.sleeve._replace(params=params),))
        rules = rules_in(planned, self.span, planned.request.fills)[0]
        return bench.run(group.columns, group.guides, rules_record(rules), self.at, calls=group.calls)

    def figures(self, found: Outcome) -> TrialFigures:
        """What a run's report would say of it."""
        daily = np.where(self.at >= 0, found.equity, self.cash)
        returns, ledger = daily_returns(daily), found.after.ledger
        first = int(self.midnights[0]) if len(self.midnights) else int(self.span.close_ms[0])
        total = (found.after.desk.equity - self.cash) / self.cash
        more = {"fees": ledger.fees, "funding": ledger.funding, "slippage": ledger.slippage}
        return TrialFigures(returns, first, sharpe_of(returns), total, found.fall_frac, ledger.trips, more)


def kept(signals: Signals) -> Signals:
    """Signals that stay as they are: what a strategy returned is copied, since it may fill the same arrays at its next call."""
    names = ("side", "strength", "limit", "stop", "target", "leave", "size_frac", "reverse")
    return signals._replace(**{name: values.copy() for name in names if (values := getattr(signals, name)).strides != (0,)})


def run_all(runner: Runner, wanted: Sequence[Variation], workers: int = 1) -> Iterator[Tried]:
    """Every variation, grouped by its signals and not in their order."""
    with ThreadPoolExecutor(workers) as pool:
        waiting: list[Future[list[Tried]]] = []
        benches = [runner.bench() for _ in range(workers)]
        for chunk in chunks(runner, wanted):
            if isinstance(chunk, Tried):
                yield chunk
                continue
            waiting.append(pool.submit(run_chunk, runner, benches, *chunk))
            if len(waiting) > 2 * workers:
                yield from waiting.pop(0).result()
        for future in waiting:
            yield from future.result()


def chunks(runner: Runner, wanted: Sequence[Variation]) -> Iterator[tuple[Group, list[Variation]] | Tried]:
    """The variations by groups of equal signals, CHUNK at a time; one whose strategy failed at once."""
    group: Group | None = None
    together: list[Variation] = []
    for variation in ordered(runner, wanted):
        if group is None or not group.fits(variation.params) or len(together) >= CHUNK:
            if group is not None and together:
                yield group, together
            together = []
            try:
                group = runner.group_of(variation.params)
            except DeskError as error:
                group = None
                yield Tried(variation, None, str(error))
                continue
        together.append(variation)
    if group is not None and together:
        yield group, together


def ordered(runner: Runner, wanted: Sequence[Variation]) -> list[Variation]:
    """The variations, those of equal signals side by side: by the values of what the strategy reads."""
    for variation in wanted:
        try:
            group = runner.group_of(variation.params)
        except DeskError:
            continue
        return sorted(wanted, key=lambda v: [str(x) for x in (*read_of(v.params), *(getattr(v.params, n) for n in group.reads))])
    return list(wanted)


def run_chunk(runner: Runner, benches: list[Bench], group: Group, together: list[Variation]) -> list[Tried]:
    """Some variations of a group on one thread."""
    bench = benches.pop()
    try:
        return [run_one(runner, bench, group, variation) for variation in together]
    finally:
        benches.append(bench)


def run_one(runner: Runner, bench: Bench, group: Group, variation: Variation) -> Tried:
    """One variation; one that the instrument does not take (a size below one lot) is an error of its own."""
    try:
        return Tried(variation, runner.figures(runner.outcome(bench, group, variation.params)))
    except DeskError as error:
        return Tried(variation, None, str(error))


def together_of(found: Sequence[TrialFigures]) -> TrialFigures:
    """Several instruments as one book with equal money on each, not rebalanced; the drawdown is that of the worst of them.

    Daily returns of the days that all have.
    """
    if len(found) == 1:
        return found[0]
    first = max(one.from_ms for one in found)
    curves = [np.cumprod(1.0 + one.returns[(first - one.from_ms) // DAY_MS :]) for one in found]
    shortest = min(len(curve) for curve in curves)
    whole = np.concatenate(([1.0], np.mean([curve[:shortest] for curve in curves], axis=0)))
    returns = daily_returns(whole)
    more = {name: sum(one.more[name] for one in found) for name in found[0].more}
    total = float(np.mean([one.total_return_frac for one in found]))
    fall = max(one.max_drawdown_frac for one in found)
    return TrialFigures(returns, first, sharpe_of(returns), total, fall, sum(one.trips for one in found), more)


def ranked(found: Sequence[Tried]) -> list[Tried]:
    """Best Sharpe ratio first; without one behind those with, failed ones last."""

    def key(one: Tried) -> tuple[int, float]:
        figures = one.figures
        if figures is None:
            return 2, 0.0
        return (1, 0.0) if figures.sharpe is None else (0, -figures.sharpe)

    return sorted(found, key=key)


def heat(keys: Sequence[str], axes: Sequence[Sequence[Any]], values: Mapping[tuple[Any, ...], float | None]) -> dict[str, Any]:
    """The best Sharpe ratio of each pair of values of the first two keys, over all others; None where nothing was run."""
    rows = [[_best(values, (row, column)) for column in axes[1]] for row in axes[0]]
    return {"rows": keys[0], "columns": keys[1], "row_values": list(axes[0]), "column_values": list(axes[1]), "sharpe": rows}


def _best(values: Mapping[tuple[Any, ...], float | None], start: tuple[Any, ...]) -> float | None:
    found = [ratio for varied, ratio in values.items() if varied[: len(start)] == start and ratio is not None]
    return max(found, default=None)

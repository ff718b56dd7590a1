"""Walk-forward: parameters chosen inside each fold's past alone, traded on what came next, stitched into one honest curve.

Called by research/search_forward.py. Every variation runs on the fold's training bars; the best one trades the test bars. The
test windows are one run of the engine: cash, position, breakers and the record that sizing learns from are carried from fold to
fold, and only the parameters change. At an edge a position is carried (its levels stay, the new fold's rules go on with it) or
closed at the market by the strategy's own exit signal.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from engine.core.kernel import Carried, block_records, rules_record
from engine.core.kernel import SleeveRuns as Bench
from engine.core.state import LEAVE_LONG, LEAVE_SHORT, Rules, Signal
from engine.errors import BadInput, DeskError
from engine.research.grid import Variation
from engine.research.ledger import sharpe_of
from engine.research.plateau import beside
from engine.research.sweep import Group, Runner, ordered
from engine.research.windows import Fold
from engine.sim.backtest import rules_in
from engine.sim.metrics import Floats, daily_returns, own_days

Edges = Literal["carry", "close"]
Choose = Literal["best", "plateau"]
EDGES: tuple[Edges, ...] = ("carry", "close")
CHOICES: tuple[Choose, ...] = ("best", "plateau")
SIDE, LEAVE = Signal._fields.index("side"), Signal._fields.index("leave")
ROOM = 20_000  # rows of a test window that memory is asked for first
Progress = Callable[[float], None]


class Past(NamedTuple):
    """A fold's training bars, ready for many variations."""

    cut: slice
    bench: Bench
    ends: np.ndarray  # the last bar of each of its own days, -1 before the first


class PastSignals(NamedTuple):
    """A group's signals on a fold's training bars."""

    columns: tuple[np.ndarray, ...]
    guides: np.ndarray
    calls: np.ndarray  # the bars at which one has a side


class FoldChoice(NamedTuple):
    """What a fold's past says: the variation, its Sharpe ratio there, and how many could be judged."""

    fold: Fold
    variation: Variation
    train_sharpe: float | None
    judged: int
    failed: str  # of a variation that could not run, the first reason


class Stitched(NamedTuple):
    """The test windows as one run."""

    equity: Floats  # at each close from the first test bar to the end of the last
    rows: np.ndarray  # kernel.ROW_VIEW
    edges: tuple[Carried, ...]  # the state at the end of each fold
    ambiguous: int


def choose(
    runner: Runner,
    folds: Sequence[Fold],
    wanted: Sequence[Variation],
    by: Choose = "best",
    progress: Progress = lambda _done: None,
    seen: Callable[[Floats, int], None] = lambda _ratios, _done: None,
) -> list[FoldChoice]:
    """Every fold's choice. Variations share their signals over all folds: they are computed once over the whole history.

    seen: called after each variation with the ratios so far, folds x wanted, and how many variations have run.
    """
    keys, ratios = ordered(runner, wanted), np.full((len(folds), len(wanted)), np.nan)
    place = {variation.values: n for n, variation in enumerate(wanted)}
    pasts, errors, shared, signals = [past_of(runner, fold) for fold in folds], dict[int, str](), None, list[PastSignals]()
    for done, variation in enumerate(keys):
        try:
            group, rules = runner.group_of(variation.params), rules_record(rules_of(runner, variation))
        except DeskError as error:
            errors[place[variation.values]] = str(error)
            continue
        if group is not shared:
            shared, signals = group, [signals_in(group, past) for past in pasts]
        for n, (past, seen_there) in enumerate(zip(pasts, signals, strict=True)):
            ratio = train_ratio(past, seen_there, rules, runner.cash)
            ratios[n, place[variation.values]] = np.nan if ratio is None else ratio
        progress((done + 1) / len(keys))
        seen(ratios, done + 1)
    if len(errors) == len(wanted):
        raise BadInput(f"every variation failed: {next(iter(errors.values()))}")
    failed = next(iter(errors.values()), "")
    return [picked(fold, ratios[n], wanted, by, failed, set(errors)) for n, fold in enumerate(folds)]


def window(runner: Runner, bars: tuple[int, int]) -> Bench:
    """Some of the runner's bars, ready for many variations."""
    records = runner.bars[slice(*bars)]
    return Bench(records, block_records(records, 1), 1, runner.planned.request.limits, runner.cash)


def rules_of(runner: Runner, variation: Variation) -> Rules:
    """The core's Rules of a variation."""
    planned = runner.planned._replace(sleeves=(runner.sleeve._replace(params=variation.params),))
    return rules_in(planned, runner.span, planned.request.fills)[0]


def past_of(runner: Runner, fold: Fold) -> Past:
    """A fold's training bars."""
    cut = slice(*fold.train)
    return Past(cut, window(runner, fold.train), own_days(runner.span.close_ms[cut], runner.planned.clock_ms)[1])


def signals_in(group: Group, past: Past) -> PastSignals:
    """The signals of a fold's training bars; where one has a side, from the bars at which it has one in the whole history."""
    first, last = np.searchsorted(group.calls, (past.cut.start, past.cut.stop))
    return PastSignals(
        tuple(column[past.cut] for column in group.columns), group.guides, group.calls[first:last] - past.cut.start
    )


def train_ratio(past: Past, signals: PastSignals, rules: np.ndarray, cash: float) -> float | None:
    """The Sharpe ratio a year of a variation on a fold's training bars, from cash, whatever is open marked at their end."""
    found = past.bench.run(signals.columns, signals.guides, rules, past.ends, calls=signals.calls)
    return sharpe_of(daily_returns(np.where(past.ends >= 0, found.equity, cash)))


def picked(fold: Fold, ratios: Floats, wanted: Sequence[Variation], by: Choose, failed: str, out: set[int]) -> FoldChoice:
    """The best of a fold; by plateau: of the mean with the neighbours. Without any ratio the first variation that ran."""
    judged = np.isfinite(ratios)
    scores = ratios
    if by == "plateau" and judged.any():
        scores = np.array([smoothed(n, ratios, wanted) for n in range(len(wanted))])
    n = (
        int(np.nanargmax(np.where(judged, scores, -np.inf)))
        if judged.any()
        else next(k for k in range(len(wanted)) if k not in out)
    )
    return FoldChoice(fold, wanted[n], float(ratios[n]) if judged[n] else None, int(judged.sum()), failed)


def smoothed(n: int, ratios: Floats, wanted: Sequence[Variation]) -> float:
    """A variation's ratio averaged with those of its neighbours."""
    named = [({str(k): v for k, v in enumerate(one.values)}, float(r)) for one, r in zip(wanted, ratios, strict=True)]
    tried = [(params, ratio) for params, ratio in named if np.isfinite(ratio)]
    near = [ratio for key in named[n][0] for ratio in beside(key, named[n][0], tried)]
    return float(np.mean([ratios[n], *near]))


class OutOfSample(NamedTuple):
    """A test window with what was chosen for it, to where the next one begins."""

    fold: Fold
    bench: Bench
    columns: tuple[np.ndarray, ...]
    guides: np.ndarray
    rules: np.ndarray  # rules_record
    unfading: np.ndarray  # the same for entries of full strength, which cannot fade


def windows_of(runner: Runner, chosen: Sequence[FoldChoice]) -> list[OutOfSample]:
    """The test windows, one after the other."""
    found = []
    for one in chosen:
        first, last = one.fold.test[0], one.fold.until
        group, rules = runner.group_of(one.variation.params), rules_of(runner, one.variation)
        columns = tuple(column[first:last] for column in group.columns)
        records = rules_record(rules), rules_record(rules._replace(fade_below=0.0))
        found.append(OutOfSample(one.fold, window(runner, (first, last)), columns, group.guides, *records))
    return found


def stitch(
    tests: Sequence[OutOfSample],
    edges: Edges,
    entries: np.ndarray | None = None,
) -> Stitched:
    """The test windows as one run from the first test bar to the last.

    Between a test window and the next one nothing is entered; what is open is managed. `entries`: the side entered at each bar
    from the first test bar on, in place of the strategy's own, with its exits; then no rows are kept.
    """
    begin: Carried | None = None
    curve, rows, states, ambiguous = list[Floats](), list[np.ndarray](), list[Carried](), 0
    start = tests[0].fold.test[0]
    for one in tests:
        first, last, columns, rules = one.fold.test[0], one.fold.until, one.columns, one.rules
        if entries is not None:
            columns, rules = entering(columns, entries[first - start : last - start]), one.unfading
        columns = at_edges(columns, one.fold, edges)
        guides = np.ones(1, np.int64) if edges == "close" else one.guides
        found = one.bench.run(columns, guides, rules, np.arange(last - first), begin, 0 if entries is not None else ROOM)
        begin, ambiguous = found.after, ambiguous + found.ambiguous
        curve.append(found.equity)
        rows += [found.rows] if len(found.rows) or not rows else []  # numpy joins records slowly, empty ones too
        states.append(begin)
    return Stitched(np.concatenate(curve), np.concatenate(rows), tuple(states), ambiguous)


def entering(columns: tuple[np.ndarray, ...], sides: np.ndarray) -> tuple[np.ndarray, ...]:
    """Signals that enter on these sides at full strength; what the strategy says for its own side is left out, its exits stay."""
    changed = dict(zip(Signal._fields, columns, strict=True))
    nothing = np.zeros(len(sides))
    changed |= {"side": sides.astype(np.int8), "strength": np.where(sides != 0, 1.0, 0.0)}
    changed |= dict.fromkeys(("limit", "stop", "target", "size_frac"), nothing) | {"reverse": np.zeros(len(sides), np.int8)}
    return tuple(changed.values())


def at_edges(columns: tuple[np.ndarray, ...], fold: Fold, edges: Edges) -> tuple[np.ndarray, ...]:
    """A test window's signals: no entry behind the test's own bars, nor at its last when positions are closed there."""
    own = fold.test[1] - fold.test[0]
    count = fold.until - fold.test[0]
    quiet = own - 1 if edges == "close" else own
    if quiet >= count and edges == "carry":
        return columns
    changed = list(columns)
    side, leave = np.array(columns[SIDE]), np.array(columns[LEAVE])
    side[quiet:] = 0
    if edges == "close":
        leave[quiet:] |= np.int8(LEAVE_LONG | LEAVE_SHORT)
    changed[SIDE], changed[LEAVE] = side, leave
    return tuple(changed)

"""The early-kill page: every run that a strategy is judged by, made and put side by side. Called by verdict.py.

Turns JudgedBars into a Page. The runs are counted before the first one starts; each is a trial of the hypothesis.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from engine.data.catalog import Series
from engine.research.kill import baselines, stresses
from engine.research.kill.feasibility import feasibility
from engine.research.kill.judged_bars import CANDIDATE, JudgedBars, Probe
from engine.research.kill.regimes import by_regime
from engine.research.kill.stresses import Left
from engine.research.kill.trials import PageTrials
from engine.research.kill.variants import ParamStep, ablations, neighbours, probe_variant
from engine.research.overfit import SharpeBelief, deflated_sharpe
from engine.venues.instruments import Overrides

Progress = Callable[[float], None]
Ratios = Callable[[Sequence[Probe]], Sequence[float | None]]


class Agenda(NamedTuple):
    """What will be run: known before the first run."""

    symbols: list[Series]
    near: list[ParamStep]
    without: list[ParamStep]

    @property
    def runs(self) -> int:
        """Runs at most; without a round trip the baselines are left out."""
        fixed = 1 + len(stresses.COST_TIMES) + len(stresses.DELAYS) + stresses.JITTER_SEEDS + stresses.WINDOWS
        drawn = len(baselines.ORACLE_TIMES) + baselines.RANDOM_SEEDS
        return fixed + drawn + len(self.symbols) + len(self.near) + len(self.without)


class Page(NamedTuple):
    """Everything that was measured. Lists of probes are in the order of their names here."""

    base: Probe
    costs: dict[float, Probe]  # times all costs
    delays: dict[int, Probe]  # bars
    jitter: list[Probe]
    windows: list[tuple[int, int, Probe]]
    symbols: list[Probe]
    left: list[Left]
    near: list[tuple[ParamStep, Probe]]
    without: list[tuple[ParamStep, Probe]]
    random: list[Probe]
    oracle: list[tuple[float, Probe]]  # least move in bps
    held: baselines.HeldAlike
    regimes: list[dict[str, Any]]
    months: list[tuple[str, float]]  # net by month of the exit
    feasibility: dict[str, Any]
    deflated: SharpeBelief
    trials: int  # that the ratio is deflated by
    days: float


class Counter:
    """Makes runs and reports how many of the agenda are done."""

    def __init__(self, total: int, progress: Progress) -> None:
        self.done, self.total, self.progress = 0, total, progress

    def __call__(self, make: Callable[..., Any], *args: Any) -> Any:
        """Make one run."""
        found = make(*args)
        self.done += 1
        self.progress(min(1.0, self.done / self.total))
        return found


def agenda(judged: JudgedBars) -> Agenda:
    """What the page of these bars will run."""
    return Agenda(stresses.other_symbols(judged.planned), neighbours(judged), ablations(judged))


def page(
    judged: JudgedBars,
    todo: Agenda,
    overrides: Overrides | None = None,
    progress: Progress = lambda _done: None,
    ratios_of: Ratios = PageTrials().ratios,
) -> Page:
    """Run the agenda. `ratios_of`: the Sharpe ratios a year of all trials of the hypothesis, from its settings on this page."""
    made = Counter(todo.runs, progress)
    base = made(partial(judged.probe, CANDIDATE, "as it is", keep=True))
    near = [(variant, made(probe_variant, judged, variant)) for variant in todo.near]
    without = [(variant, made(probe_variant, judged, variant)) for variant in todo.without]
    elsewhere = [made(stresses.on_symbol, judged, other, overrides) for other in todo.symbols]
    ratios = ratios_of([base, *(p for _, p in near), *(p for _, p in without)])
    traded = base.trades > 0
    return Page(
        base,
        {1.0: base} | {times: made(stresses.at_costs, judged, times) for times in stresses.COST_TIMES},
        {bars: made(stresses.at_delay, judged, bars) for bars in stresses.DELAYS},
        [made(stresses.at_jitter, judged, seed) for seed in range(stresses.JITTER_SEEDS)],
        [(a, b, made(stresses.in_window, judged, a, b)) for a, b in stresses.spans(judged)],
        [found for found in elsewhere if isinstance(found, Probe)],
        [found for found in elsewhere if isinstance(found, Left)],
        near,
        without,
        [made(baselines.random_entries, judged, base, seed) for seed in range(baselines.RANDOM_SEEDS) if traded],
        [made(baselines.oracle, judged, base, times) for times in baselines.ORACLE_TIMES if traded],
        baselines.held_alike(judged, base),
        by_regime(base.trips, judged.frame.close_ms, judged.frame.close),
        by_month(base.trips),
        feasibility(judged, base),
        deflated_sharpe(base.daily, ratios, len(ratios)),
        len(ratios),
        judged.days,
    )


def by_month(trips: pl.DataFrame) -> list[tuple[str, float]]:
    """(`2025-03`, net of the closed trips that ended in it), months without one left out."""
    months = pl.from_epoch(trips["exit_ms"], time_unit="ms").dt.strftime("%Y-%m").to_list()
    ended = sorted(zip(months, trips["net"].to_list(), strict=True))
    return [(month, sum(net for _, net in own)) for month, own in groupby(ended, key=lambda pair: pair[0])]


def as_json(found: Page) -> dict[str, Any]:
    """The page as plain JSON values."""
    nets = np.array([p.net for p in found.jitter])
    means = [p.mean_bps for p in found.random if p.mean_bps is not None]
    return {
        "base": found.base.figures() | {"days": found.days, "journal_hash": found.base.journal_hash},
        "costs": [{"times": times, **p.figures()} for times, p in sorted(found.costs.items())],
        "delays": [{"bars": bars, **p.figures()} for bars, p in found.delays.items()],
        "jitter": {"bars_max": stresses.JITTER_BARS, "seeds": len(nets), **spread_of(nets.tolist(), "net")},
        "windows": [{"from_ms": a, "to_ms": b, **p.figures()} for a, b, p in found.windows],
        "symbols": [p.figures() for p in found.symbols],
        "symbols_left_out": [left._asdict() for left in found.left],
        "regimes": found.regimes,
        "months": [{"month": month, "net": net} for month, net in found.months],
        "feasibility": found.feasibility,
        "oracle": [oracle_line(found, least, p) for least, p in found.oracle],
        "random": {
            "seeds": len(found.random),
            "trades_median": float(np.median([p.trades for p in found.random])) if found.random else None,
            **spread_of(means, "mean_bps"),
        },
        "hold": found.held._asdict(),
        "neighbours": [{"key": v.key, "value": v.value, "how": v.how, **p.figures()} for v, p in found.near],
        "ablation": [
            {"key": v.key, "value": v.value, "how": v.how, **p.figures(), "net_more": p.net - found.base.net}
            for v, p in found.without
        ],
        "deflated": found.deflated._asdict() | {"trials": found.trials},
    }


def oracle_line(found: Page, least: float, probe: Probe) -> dict[str, Any]:
    """A threshold of the oracle with its trades a day."""
    return {"least_move_bps": least, "trades_a_day": probe.trades / found.days, **probe.figures()}


def spread_of(values: Sequence[float], name: str) -> dict[str, float | None]:
    """Median, 5 % and 95 % of some figures; None without any."""
    if not values:
        return dict.fromkeys((f"{name}_median", f"{name}_low", f"{name}_high"))
    low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
    return {f"{name}_median": float(middle), f"{name}_low": float(low), f"{name}_high": float(high)}

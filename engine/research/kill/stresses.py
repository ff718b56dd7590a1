"""The same setting, treated worse: dearer, later, at another time, on another symbol. Called by page.py."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from engine.data.catalog import Catalog, Series
from engine.errors import BadInput, DataError
from engine.research.kill.judged_bars import CANDIDATE, STRESS, JudgedBars, Probe
from engine.sim.late import jittered, late
from engine.sim.request import Plan, plan
from engine.strategies.signals import Change, Evaluation
from engine.venues.instruments import Overrides

COST_TIMES = (0.5, 2.0, 3.0)  # 1 is the run itself
DELAYS = (1, 2, 3)  # bars
JITTER_BARS = 2
JITTER_SEEDS = 10
WINDOWS = 3
SYMBOLS_MAX = 12


class Left(NamedTuple):
    """A symbol that could not be run, and why."""

    symbol: str
    why: str


def at_costs(judged: JudgedBars, times: float) -> Probe:
    """All costs of trading times a factor."""
    return judged.probe(STRESS, f"costs x{times:g}", costs=times)


def at_delay(judged: JudgedBars, bars: int) -> Probe:
    """Every signal that many bars late."""
    return judged.probe(STRESS, f"{bars} bar{'' if bars == 1 else 's'} late", delay=bars)


def at_jitter(judged: JudgedBars, seed: int) -> Probe:
    """Every signal 0 to 2 bars late, drawn."""
    return judged.probe(STRESS, f"jitter {seed}", change=jittering(seed))


def jittering(seed: int) -> Change:
    """What makes each signal of an answer come 0 to JITTER_BARS bars late."""

    def change(output: Evaluation) -> Evaluation:
        return late(output, jittered(output.direction, JITTER_BARS, seed))

    return change


def spans(judged: JudgedBars) -> list[tuple[int, int]]:
    """Thirds of the judged span, [from, to) in UTC ms at bar opens."""
    bar_ms, opens = judged.sleeve.bar_ms, judged.close_ms - judged.sleeve.bar_ms
    edges = [len(opens) * k // WINDOWS for k in range(WINDOWS + 1)]
    ends = [int(opens[a]) for a in edges[:-1]] + [int(opens[-1]) + bar_ms]
    return [(a, b) for a, b in pairwise(ends) if a < b]


def in_window(judged: JudgedBars, from_ms: int, to_ms: int) -> Probe:
    """The setting on a part of the span, with fresh cash."""
    part = judged.within(from_ms, to_ms)
    return part.probe(STRESS, "window")


def other_symbols(planned: Plan) -> list[Series]:
    """One recorded series of each other symbol of the same timeframe and market, on the same venue where it is there;
    a synthetic market beside a synthetic one only."""
    own, symbol = planned.sleeves[0].spec, planned.sleeves[0].spec.symbol
    found: dict[str, Series] = {}
    for series in sorted(alike(planned.catalog, own.timeframe, own.market), key=lambda s: (s.venue != own.venue, s.venue)):
        made_up = (series.venue == "synthetic") == (own.venue == "synthetic")
        if series.symbol != symbol and made_up:
            found.setdefault(series.symbol, series)
    return [found[name] for name in sorted(found)][:SYMBOLS_MAX]


def alike(catalog: Catalog, timeframe: str, market: str) -> Iterator[Series]:
    """Untagged series of a timeframe and market."""
    return (s for s in catalog.series() if (s.series, s.market, s.tag) == (timeframe, market, ""))


def on_symbol(judged: JudgedBars, other: Series, overrides: Overrides | None) -> Probe | Left:
    """The setting on another symbol over the same span, a trial of the hypothesis there; Left with the reason where its data do
    not allow it."""
    planned = judged.planned
    spec = planned.sleeves[0].spec._replace(venue=other.venue, symbol=other.symbol, name="")
    ends = int(judged.close_ms[0]) - judged.sleeve.bar_ms, int(judged.close_ms[-1])
    request = planned.request._replace(sleeves=(spec,), from_ms=ends[0], to_ms=ends[1])
    try:
        there = JudgedBars(plan(request, planned.catalog, planned.folder, overrides), judged.note)
        return there.probe(CANDIDATE, f"{other.venue} {other.symbol}")
    except (BadInput, DataError) as error:
        return Left(f"{other.venue} {other.symbol}", error.what)

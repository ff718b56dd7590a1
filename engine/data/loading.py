"""The bars of a backtest or a desk: read, checked, aligned with their settlements. One path for both.

Called by sim/backtest.py and live/feed.py. Turns catalog series into two Markets on one grid: the whole history for features,
and the traded range with funding. Nothing is repaired; every choice is recorded in the notes.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from engine.clock import utc
from engine.data.align import RECORDED, Market, Policy, market_of
from engine.data.catalog import Catalog, Series
from engine.data.checks import check
from engine.data.sources import NO_FILES, Observations, OutsideSeries, ReadFiles, asof, observations
from engine.errors import BadInput, DataError

if TYPE_CHECKING:
    import polars as pl


BAR_COLUMNS = ("open", "high", "low", "close", "volume")
CHARGED_COLUMNS = ("funding_rate", "funding_mark")


class LoadedBars(NamedTuple):
    """Bars of one timeframe: `whole` from the anchor on, for features; `span` the traded range, with funding."""

    whole: Market  # also of instruments that are only read
    span: Market
    first: int  # the span's first bar within `whole`
    notes: tuple[str, ...]
    observed: Mapping[OutsideSeries, Observations] = MappingProxyType({})  # outside series that strategies read


def policy_of(text: str) -> Policy:
    """`recorded`, `none` or `assume=BPS` (for 8 hours) as data/align takes it. Raises BadInput."""
    if text in {"recorded", "none"}:
        return "none" if text == "none" else "recorded"
    kind, _, number = text.partition("=")
    try:
        bps = float(number)
    except ValueError:
        bps = float("nan")
    if kind != "assume" or not -1_000 <= bps <= 1_000:
        raise BadInput(f"unknown funding {text!r}", "use recorded, none, or assume=BPS for 8 hours, as in assume=1")
    return ("assume", bps)


def load(
    catalog: Catalog,
    series: Mapping[str, Series],
    timeframe_ms: int,
    policy: Policy,
    anchor_ms: int | None,
    from_ms: int | None,
    to_ms: int | None,
    read: ReadFiles = NO_FILES,
) -> LoadedBars:
    """All bars of `series` (instrument -> file) from `anchor_ms`, traded from `from_ms` to `to_ms` (excluded); None: all.

    `read`: what strategies read beside them: other instruments (in `whole` alone) and outside series.
    Raises DataError for invalid bars in the traded range, and for missing settlements unless the policy replaces them.
    """
    bars = {name: catalog.bars(s, None, to_ms) for name, s in series.items()}
    warned = [note for name, frame in bars.items() for note in data_warnings(name, frame, series[name], from_ms, timeframe_ms)]
    # of a file that begins after the range all is read: the error says what there is
    bars |= {name: catalog.bars(s, None, None) for name, s in series.items() if bars[name].is_empty()}
    perps = {name: s for name, s in series.items() if s.market == "perp" and policy != "none"}
    charged = perps if policy == "recorded" else {}
    funding = {name: catalog.funding(s.venue, s.symbol) for name, s in charged.items()}
    marks = {name: catalog.marks(s.venue, s.symbol) for name, s in perps.items()}
    span = market_of(bars, timeframe_ms, funding, marks, policy, from_ms, to_ms)
    whole = market_of(bars, timeframe_ms, {}, {}, "none", anchor_ms, to_ms)
    first = int(span.close_ms[0] - whole.close_ms[0]) // timeframe_ms
    whole, reading = with_read(catalog, whole, read.bars, int(span.close_ms[0]) - timeframe_ms)
    observed = {declared: observations(catalog, declared, s) for declared, s in read.series.items()}
    notes = (*span.notes, *warned, *reading, *notes_on(observed, read.series, span))
    return LoadedBars(whole, span, first, notes, observed)


def notes_on(observed: Mapping[OutsideSeries, Observations], series: Mapping[OutsideSeries, Series], span: Market) -> list[str]:
    """A note on each outside series, with the closes of the span at which it is missing."""
    notes = []
    for declared, s in series.items():
        missing = int(np.isnan(asof(observed[declared], span.close_ms)[0]).sum())
        lacking = f"; missing at {missing} of {len(span.close_ms)} closes" if missing else ""
        notes.append(f"reads {declared.name}: {s.source}, {s.path.name}, at most {declared.max_age_hours:g} h old{lacking}")
    return notes


def with_read(catalog: Catalog, market: Market, read: Mapping[str, Series], from_ms: int) -> tuple[Market, list[str]]:
    """(the market with the bars of more instruments on its clock, a note on each): NaN where one has no bar, nothing charged.

    Raises DataError for invalid bars from `from_ms` on, and for an instrument without a bar on this clock.
    """
    step, count = market.timeframe_ms, len(market.close_ms)
    first_ms, end_ms = int(market.close_ms[0]) - step, int(market.close_ms[-1])
    notes = []
    for name, s in read.items():
        frame = catalog.bars(s, None, end_ms)
        other = market_of({name: frame}, step, {}, {}, "none", first_ms, end_ms)
        at = (other.close_ms - market.close_ms[0]) // step
        columns = dict[str, Any]()
        for column in BAR_COLUMNS:
            placed = np.full((count, 1), np.nan)
            placed[at] = getattr(other, column)
            columns[column] = np.hstack((getattr(market, column), placed))
        more: dict[str, Any] = {column: recorded_beside(column, market, other, at) for column in RECORDED}
        nothing: dict[str, Any] = {
            column: np.hstack((getattr(market, column), np.zeros((count, 1)))) for column in CHARGED_COLUMNS
        }
        market = market._replace(instruments=(*market.instruments, name), **columns, **nothing, **more)
        missing = int(np.isnan(columns["close"][market.close_ms > from_ms, -1]).sum())
        lacking = f"; {missing} bars missing in this range" if missing else ""
        notes += [f"reads {name}: {s.source}, {s.path.name}{lacking}", *data_warnings(name, frame, s, from_ms, step)]
    return market, notes


def recorded_beside(column: str, market: Market, other: Market, at: np.ndarray) -> np.ndarray | None:
    """A RECORDED column of the market with that of one more instrument, whose bars are at rows `at`; None when neither has it."""
    ours, theirs = getattr(market, column), getattr(other, column)
    if ours is None and theirs is None:
        return None
    both = np.full((len(market.close_ms), len(market.instruments) + 1), np.nan)
    if ours is not None:
        both[:, :-1] = ours
    if theirs is not None:
        both[at, -1:] = theirs
    return both


def data_warnings(name: str, frame: "pl.DataFrame", series: Series, from_ms: int | None, timeframe_ms: int) -> list[str]:
    """One line of warnings on the traded range. Raises DataError for bars that no market produces."""
    import polars as pl

    if from_ms is not None:
        frame = frame.filter(pl.col("ts") >= from_ms)
    if frame.is_empty():
        return []  # market_of names the available range
    found = check(frame, timeframe_ms)
    for bad in (f for f in found if f.severity == "error"):
        text = re.sub(r" \(rows? [^()]*\)$", "", bad.text)
        first = f", first at {utc(frame['ts'][bad.rows[0]])}" if bad.rows else ""
        raise DataError(f"{name} has invalid bars in this range: {text}{first}", f"nightdesk data check {series.path}")
    counts: dict[str, int] = {}
    for f in found:
        counts[f.rule] = counts.get(f.rule, 0) + len(f.rows)
    shown = ", ".join(f"{rule} {count}" for rule, count in counts.items())
    return [f"{name}: the data check warns of {shown}"] if counts else []

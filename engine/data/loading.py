"""The bars of a backtest or a desk: read, checked, aligned with their settlements. One path for both.

Called by sim/backtest.py and live/feed.py. Turns catalog series into two Markets on one grid: the whole history for features,
and the traded range with funding. Nothing is repaired; every choice is recorded in the notes.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from engine.clock import utc
from engine.data.align import Market, Policy, market_of
from engine.data.catalog import Catalog, Series
from engine.data.checks import check
from engine.errors import BadInput, DataError

if TYPE_CHECKING:
    import polars as pl


class LoadedBars(NamedTuple):
    """Bars of one timeframe: `whole` from the anchor on, for features; `span` the traded range, with funding."""

    whole: Market
    span: Market
    first: int  # the span's first bar within `whole`
    notes: tuple[str, ...]


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
) -> LoadedBars:
    """All bars of `series` (instrument -> file) from `anchor_ms`, traded from `from_ms` to `to_ms` (excluded); None: all.

    Raises DataError for invalid bars in the traded range, and for missing settlements unless the policy replaces them.
    """
    bars = {name: catalog.bars(s, anchor_ms, to_ms) for name, s in series.items()}
    warned = [note for name, frame in bars.items() for note in data_warnings(name, frame, series[name], from_ms, timeframe_ms)]
    whole = market_of(bars, timeframe_ms, {}, {}, "none", anchor_ms, to_ms)
    perps = {name: s for name, s in series.items() if s.market == "perp" and policy != "none"}
    charged = perps if policy == "recorded" else {}
    funding = {name: catalog.funding(s.venue, s.symbol) for name, s in charged.items()}
    marks = {name: catalog.marks(s.venue, s.symbol) for name, s in perps.items()}
    span = market_of(bars, timeframe_ms, funding, marks, policy, from_ms, to_ms)
    first = int(span.close_ms[0] - whole.close_ms[0]) // timeframe_ms
    return LoadedBars(whole, span, first, (*span.notes, *warned))


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

"""The fill model `vwap`: market orders pay the volume-weighted average price of their bar, everything else is pessimistic.

Called by sim/backtest.py. Turns a Market whose files record quote volume into the VWAP of each bar (quote volume / volume), and a
finished run into what it must say: how many of its market fills had one. A bar without it fills at the open. One more
scenario, no better truth: nobody trades a whole bar at its average without a schedule, and it never is evidence by default.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from engine.core import state
from engine.data.align import Market

VWAP = "vwap"
FILLS = (*state.FILL_MODES, VWAP)  # what a run may ask for; the core knows the first alone
ROUNDED = 1e-9  # of a price: a quotient beside the range by less is on its edge


class BarVwap(NamedTuple):
    """Of each bar and column (n, k): its price in quote units, NaN where not known; and where it was cut to the bar's range."""

    price: npt.NDArray[np.float64]
    cut: npt.NDArray[np.bool_]


def core_mode(fills: str) -> str:
    """The core's fill mode behind a run's."""
    return state.FILL_MODES[state.PESSIMISTIC] if fills == VWAP else fills


def vwap_of(span: Market) -> BarVwap:
    """VWAP of each bar where quote volume and volume are recorded, never outside its low and high."""
    if span.quote_volume is None:
        return BarVwap(np.full(span.close.shape, np.nan), np.zeros(span.close.shape, np.bool_))
    price = np.full(span.close.shape, np.nan)
    known = (span.volume > 0.0) & (span.quote_volume > 0.0)
    np.divide(span.quote_volume, span.volume, out=price, where=known)
    with np.errstate(invalid="ignore"):
        cut = (price < span.low * (1.0 - ROUNDED)) | (price > span.high * (1.0 + ROUNDED))
    return BarVwap(np.clip(price, span.low, span.high), cut)


def counted(fills: pl.DataFrame, span: Market, columns: Mapping[str, int]) -> dict[str, Any]:
    """Market fills of a run, how many of them had a VWAP, and at how many of those it was cut to the bar's range.

    fills: sim/trips.fills; columns: sleeve -> column of its bars.
    """
    found, bars = vwap_of(span), fills.filter(~pl.col("maker"))
    due = pl.col("reason").is_in([state.EXIT_REASONS[reason] for reason in state.DECIDED])
    bars = bars.filter((pl.col("slot") == state.SLOTS[state.ENTRY]) | due)
    at = np.searchsorted(span.close_ms, bars["close_ms"].to_numpy())
    column = np.array([columns[name] for name in bars["sleeve"]], np.int64)
    had = bars["clean_price"].to_numpy() == found.price[at, column]
    cut = int((had & found.cut[at, column]).sum())
    many = {"market_fills": len(bars), "at_vwap": int(had.sum()), "cut_to_range": cut}
    return many | {"text": text_of(**many)}


def text_of(market_fills: int, at_vwap: int, cut_to_range: int) -> str:
    """The same as a sentence for the run's notes."""
    rest = market_fills - at_vwap
    said = f"vwap fills: {at_vwap:,} of {market_fills:,} market fills paid the VWAP of their bar"
    said += f", {rest:,} the open: no quote volume is recorded there" if rest else ""
    return said + (f"; {cut_to_range:,} VWAPs beyond their bar's range were cut to it" if cut_to_range else "")

"""How far each round trip went against and for its position, and what holding the same instruments would have been worth.

Called by sim/backtest.py. Turns the fills of a run and the bars it traded into `mae` and `mfe` of each trip (quote units, before
fees and funding, at the prices of the fills; maximum adverse and favourable excursion), and the bars into the equity of a holder.

A position is worth the same function of the price from one fill to the next. A bar counts from the fill at its open on; the bar
of the next fill counts with that fill's price alone, because which extreme came first is not known. Of a bar in which a limit
entry or a part exit filled, the favourable extreme may have come before, so it is left out.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from engine.core import state
from engine.core.row_fields import KIND_OF, FillRow
from engine.data.align import Market
from engine.sim import trips as reading
from engine.sim.metrics import Floats

OPEN_END = np.iinfo(np.int64).max
HOLD_ASSUMPTIONS = (
    "equal parts, each bought at its first open and kept; long without leverage; no fees, no slippage, no funding; where a price "
    "is missing the last one counts, before the first one cash"
)


def with_excursions(
    table: pl.DataFrame, rows: pl.DataFrame, sleeves: Sequence[reading.RunSleeve], columns: Sequence[int], span: Market
) -> pl.DataFrame:
    """`table` (sim/trips.trips) with `mae` <= 0 <= `mfe`. columns: of each sleeve, the market's column whose bars it trades."""
    parts = []
    for number, column in enumerate(columns):
        own = reading.flows(rows.filter(pl.col("sleeve") == number), sleeves)
        parts.append(_of_sleeve(own.filter(pl.col("kind") == KIND_OF[FillRow]), span, column))
    found = pl.concat(parts) if parts else pl.DataFrame(schema={"first_n": pl.Int64, "mae": pl.Float64, "mfe": pl.Float64})
    return table.join(found, on="first_n", how="left", maintain_order="left")


def _of_sleeve(fills: pl.DataFrame, span: Market, column: int) -> pl.DataFrame:
    """first_n, mae, mfe of each trip of one sleeve, from its fills in order."""
    price, maker = reading.field(FillRow, "price"), reading.field(FillRow, "maker") == 1
    entry = reading.field(FillRow, "slot") == state.ENTRY
    reason = reading.field(FillRow, "reason")
    due = reason.is_in(state.DECIDED)
    later = fills.select(
        "n",
        "trip",
        price,
        "close_ms",
        (pl.col("held") * pl.col("lot_size")).alias("units"),
        (-(pl.col("signed") * pl.col("lot_size") * price)).cum_sum().over("trip").alias("cash"),
        pl.when(entry).then(maker).otherwise(~due).alias("inside"),
        price.shift(-1).over("trip").alias("next_price"),
        pl.col("close_ms").shift(-1).over("trip").alias("next_ms"),
        pl.col("n").first().over("trip").alias("first_n"),
    ).filter(pl.col("units") != 0)
    if later.is_empty():
        return pl.DataFrame(schema={"first_n": pl.Int64, "mae": pl.Float64, "mfe": pl.Float64})
    units, cash = later["units"].to_numpy(), later["cash"].to_numpy()
    first = np.searchsorted(span.close_ms, later["close_ms"].to_numpy())
    end = np.searchsorted(span.close_ms, later["next_ms"].fill_null(OPEN_END).to_numpy())
    rising = units > 0
    after = np.minimum(first + later["inside"].to_numpy(), end)
    high = _extreme(np.fmax, span.high[:, column], np.where(rising, after, first), end)
    low = _extreme(np.fmin, span.low[:, column], np.where(rising, first, after), end)
    fills_at = (later["price"].to_numpy(), later["next_price"].fill_null(np.nan).to_numpy())
    against, favour = np.where(rising, low, high), np.where(rising, high, low)
    worst = np.fmin.reduce([cash + units * at for at in (against, *fills_at)])
    best = np.fmax.reduce([cash + units * at for at in (favour, *fills_at)])
    found = pl.DataFrame({"first_n": later["first_n"], "mae": worst, "mfe": best})
    ends = (pl.col("mae").min().clip(upper_bound=0.0), pl.col("mfe").max().clip(lower_bound=0.0))
    return found.group_by("first_n", maintain_order=True).agg(*ends)


def _extreme(of: np.ufunc, values: Floats, first: np.ndarray, end: np.ndarray) -> Floats:
    """The extreme of values[first:end] of each pair, missing bars passed over; NaN where the pair holds no bar."""
    padded = np.append(values, np.nan)  # so that `end` may be len(values)
    edges = np.empty(2 * len(first), np.int64)
    edges[0::2], edges[1::2] = first, end
    found = of.reduceat(padded, edges)[0::2]
    return np.where(end > first, found, np.nan)


def hold(span: Market, columns: Sequence[int], cash: float) -> Floats:
    """(n,) equity at each close of who holds the instruments of these columns from the run's start on; see `worth_held`."""
    columns = list(dict.fromkeys(columns))
    opens, closes = span.open[:, columns], span.close[:, columns].copy()
    there = np.isfinite(opens) & np.isfinite(closes)
    first = np.where(there.any(axis=0), there.argmax(axis=0), len(closes))
    closes[np.arange(len(closes))[:, None] < first] = np.nan
    bought = np.array([opens[at, k] if at < len(closes) else np.nan for k, at in enumerate(first)])
    return worth_held(bought, closes, cash)


def worth_held(bought: Floats, closes: Floats, cash: float) -> Floats:
    """(n,) what `cash` in equal parts is worth at each of n closes, each part bought at `bought` (k,) and kept: HOLD_ASSUMPTIONS.

    closes: (n, k), NaN where a price is missing.
    """
    at = np.where(np.isfinite(closes), np.arange(len(closes))[:, None], -1)
    last = np.maximum.accumulate(at, axis=0)
    prices = np.take_along_axis(closes, np.maximum(last, 0), axis=0)
    parts = np.where((last >= 0) & np.isfinite(bought), prices / bought, 1.0)
    return cash * parts.mean(axis=1)

"""Journal rows of a run -> fills, decisions and round trips as polars frames.

Called by sim/backtest.py (rows of the kernel) and by sim/explain.py (rows read back from a run's folder). The meaning of
the value fields of each kind of row is in core/rows.py. Times are UTC ms: `entry_ms` is the open of the bar in
which a trip's first fill happened, `exit_ms` the open of the bar of its last; `close_ms` stays the close of a bar.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from engine.core import state

COLUMNS = ("close_ms", "sleeve", "kind", "code", "rule", "side", "layer", "binding")
VALUES = ("lots", "price", "fee", "equity", "a", "b")
CAP_COLUMNS = ("cap_risk", "cap_volatility", "cap_notional", "cap_leverage", "cap_participation")  # base units
COSTS = ("gross", "slippage", "fees", "funding", "net")


class RunSleeve(NamedTuple):
    """What a sleeve's rows do not contain; one per sleeve, in sleeve order."""

    name: str
    instrument: str
    lot_size: float  # base units a lot
    mark: float  # last close: the mark of an open position (quote units)


def frame_of(rows: Any) -> pl.DataFrame:
    """A block of rows (kernel.ROW_VIEW, or any structured array with its names) -> frame with `n`, the row's number."""
    columns = {name: np.ascontiguousarray(rows[name]).astype(np.int64) for name in (*COLUMNS, "lots")}
    columns |= {name: np.ascontiguousarray(rows[name]) for name in VALUES if name != "lots"}
    frame = pl.DataFrame({name: columns[name] for name in (*COLUMNS, *VALUES)})
    return frame.with_row_index("n").with_columns(pl.col("n").cast(pl.Int64))


def no_rows() -> pl.DataFrame:
    """A frame of no rows, with every column."""
    types = dict.fromkeys((*COLUMNS, "lots"), pl.Int64) | dict.fromkeys(VALUES[1:], pl.Float64)
    return pl.DataFrame(schema={"n": pl.Int64, **{name: types[name] for name in (*COLUMNS, *VALUES)}})


def code_words(column: str, words: Sequence[str]) -> pl.Expr:
    """The codes of `column` as names."""
    return pl.col(column).replace_strict(dict(enumerate(words)), default="?", return_dtype=pl.String)


def flows(rows: pl.DataFrame, sleeves: Sequence[RunSleeve]) -> pl.DataFrame:
    """Fills and funding in order, each with its `trip` number within the sleeve (0, 1, ...) and the position in lots after it."""
    lots = np.array([sleeve.lot_size for sleeve in sleeves])
    found = rows.filter(pl.col("kind").is_in([state.K_FILL, state.K_FUNDING]))
    fill = pl.col("kind") == state.K_FILL
    found = found.with_columns(
        pl.Series("lot_size", lots[found["sleeve"].to_numpy()], dtype=pl.Float64),
        pl.when(fill).then(pl.col("side") * pl.col("lots")).otherwise(0).alias("signed"),
    )
    found = found.with_columns(pl.col("signed").cum_sum().over("sleeve").alias("held"))
    flat = (fill & (pl.col("held") == 0)).cast(pl.Int64)
    return found.with_columns((flat.cum_sum() - flat).over("sleeve").alias("trip"))


def fills(rows: pl.DataFrame, sleeves: Sequence[RunSleeve]) -> pl.DataFrame:
    """One row per execution: when, trade side, units, price with and without slippage, costs, reason, cash after."""
    found = flows(rows, sleeves).filter(pl.col("kind") == state.K_FILL)
    units = pl.col("lots") * pl.col("lot_size")
    return found.select(
        "n",
        "close_ms",
        sleeve_name(sleeves),
        code_words("code", state.SLOTS).alias("slot"),
        code_words("rule", state.EXIT_REASONS).alias("reason"),
        "side",
        "layer",
        "lots",
        units.alias("units"),
        "price",
        pl.col("a").alias("clean_price"),
        "fee",
        (pl.col("side") * units * (pl.col("price") - pl.col("a"))).alias("slippage"),
        (pl.col("binding") == 1).alias("maker"),
        pl.col("equity").alias("cash_after"),
        pl.col("held").alias("lots_after"),
    )


def sleeve_name(sleeves: Sequence[RunSleeve]) -> pl.Expr:
    """The sleeve's name instead of its number."""
    names = {n: sleeve.name for n, sleeve in enumerate(sleeves)} | {state.DESK_ROW: "desk"}
    return pl.col("sleeve").replace_strict(names, return_dtype=pl.String)


def planned_risk(rows: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """`found` with `stop_distance`: of the newest approved size before each entry fill (quote units)."""
    sizes = rows.filter((pl.col("kind") == state.K_SIZE) & (pl.col("lots") > 0))
    sizes = sizes.select("n", "sleeve", pl.col("a").alias("stop_distance"))
    return found.join_asof(sizes, on="n", by="sleeve", check_sortedness=False)


def trips(rows: pl.DataFrame, sleeves: Sequence[RunSleeve], timeframe_ms: int) -> pl.DataFrame:
    """Round trips, flat to flat of one sleeve, in the order of their first fill; a last open one is marked, not closed.

    gross is at prices without slippage; net = gross - slippage - fees + funding, all in quote units. The nets of a run
    sum to its change of equity. r = net / (units x stop distance, summed over the entries).
    """
    found = planned_risk(rows, flows(rows, sleeves)).with_columns(
        (pl.col("lots") * pl.col("lot_size")).alias("units"),
        (pl.col("code") == state.ENTRY).alias("entry"),
        (pl.col("kind") == state.K_FILL).alias("fill"),
    )
    into, out = pl.col("fill") & pl.col("entry"), pl.col("fill") & ~pl.col("entry")
    flow = pl.col("signed") * pl.col("lot_size")
    table = (
        found.group_by("sleeve", "trip", maintain_order=True)
        .agg(
            pl.col("n").first().alias("first_n"),
            pl.col("n").last().alias("last_n"),
            pl.col("signed").first().sign().cast(pl.Int64).alias("side"),
            into.sum().cast(pl.Int64).alias("layers"),
            pl.col("lots").filter(into).sum().alias("lots"),
            pl.col("units").filter(into).sum().alias("units"),
            (pl.col("close_ms").first() - timeframe_ms).alias("entry_ms"),
            (pl.col("close_ms").last() - timeframe_ms).alias("last_ms"),
            average(into).alias("entry_price"),
            average(out).alias("exit_price"),
            (-flow * pl.col("a")).filter(pl.col("fill")).sum().alias("cash_gross"),
            (flow * (pl.col("price") - pl.col("a"))).filter(pl.col("fill")).sum().alias("slippage"),
            pl.col("fee").filter(pl.col("fill")).sum().alias("fees"),
            pl.col("fee").filter(~pl.col("fill")).sum().alias("funding"),
            (pl.col("units") * pl.col("stop_distance")).filter(into).sum().alias("risk"),
            pl.col("rule").filter(out).last().alias("rule"),
            pl.col("held").last(),
            pl.col("lot_size").last(),
        )
        .sort("first_n")
    )
    return finish_trips(table, sleeves, timeframe_ms)


def average(which: pl.Expr) -> pl.Expr:
    """Price averaged over the lots of `which`; null when there are none."""
    lots = pl.col("lots").filter(which)
    total = (pl.col("price").filter(which) * lots).sum()
    return pl.when(lots.sum() > 0).then(total / lots.sum())


def finish_trips(table: pl.DataFrame, sleeves: Sequence[RunSleeve], timeframe_ms: int) -> pl.DataFrame:
    """Summed flows of each trip -> the public columns."""
    marks = np.array([sleeve.mark for sleeve in sleeves])[table["sleeve"].to_numpy()]
    instruments = {n: sleeve.instrument for n, sleeve in enumerate(sleeves)}
    is_open = pl.col("held") != 0
    table = table.with_columns(pl.Series("mark", marks, dtype=pl.Float64)).with_columns(
        (pl.col("cash_gross") + pl.when(is_open).then(pl.col("held") * pl.col("lot_size") * pl.col("mark")).otherwise(0.0)).alias(
            "gross"
        )
    )
    table = table.with_columns((pl.col("gross") - pl.col("slippage") - pl.col("fees") + pl.col("funding")).alias("net"))
    return table.with_row_index("number", offset=1).select(
        pl.format("t{}", "number").alias("trip"),
        sleeve_name(sleeves),
        pl.col("sleeve").replace_strict(instruments, return_dtype=pl.String).alias("instrument"),
        pl.when(pl.col("side") > 0).then(pl.lit("long")).otherwise(pl.lit("short")).alias("side"),
        "layers",
        "lots",
        "units",
        "entry_ms",
        pl.when(~is_open).then(pl.col("last_ms")).alias("exit_ms"),
        pl.when(~is_open).then((pl.col("last_ms") - pl.col("entry_ms")) // timeframe_ms + 1).alias("bars"),
        "entry_price",
        "exit_price",
        *COSTS,
        pl.when((pl.col("risk") > 0) & ~is_open).then(pl.col("net") / pl.col("risk")).alias("r"),
        "risk",
        pl.when(is_open).then(pl.lit("open")).otherwise(code_words("rule", state.EXIT_REASONS)).alias("reason"),
        "first_n",
        "last_n",
    )


def decisions(rows: pl.DataFrame, sleeves: Sequence[RunSleeve]) -> pl.DataFrame:
    """The decision at each close that has one, with the size and every cap where one was computed.

    lots_before is signed; protective and target are the first layer's levels afterwards (null: none); caps in base.
    """
    keys = ["close_ms", "sleeve"]
    sizes = rows.filter(pl.col("kind") == state.K_SIZE).select(
        *keys,
        pl.col("lots").alias("lots_approved"),
        code_words("binding", state.CAPS).alias("cap_binding"),
        pl.col("price").alias("price_reviewed"),
        pl.col("fee").alias("risk_frac"),
        pl.col("equity").alias("units_wanted"),
        pl.col("a").alias("stop_distance"),
        pl.col("b").alias("target_distance"),
    )
    caps = rows.filter(pl.col("kind") == state.K_CAPS).select(
        *keys, *(pl.col(old).alias(new) for old, new in zip(VALUES[1:], CAP_COLUMNS, strict=True))
    )
    found = rows.filter(pl.col("kind") == state.K_DECISION)
    found = found.join(sizes, on=keys, how="left", maintain_order="left")
    found = found.join(caps, on=keys, how="left", maintain_order="left")
    added = [name for name in (*sizes.columns, *caps.columns) if name not in keys]
    refused, left = pl.col("code") == state.REFUSED, pl.col("code") == state.EXIT
    return found.select(
        "n",
        "close_ms",
        sleeve_name(sleeves),
        code_words("code", state.ACTIONS).alias("action"),
        pl.when(refused).then(code_words("rule", state.RULES)).alias("refused_by"),
        pl.when(left).then(code_words("rule", state.EXIT_REASONS)).alias("exit_reason"),
        pl.col("side").alias("signal"),
        pl.col("fee").alias("strength"),
        pl.col("lots").alias("lots_before"),
        pl.col("layer").alias("layers"),
        pl.col("price").alias("close"),
        "equity",
        pl.when(pl.col("a") > 0).then(pl.col("a")).alias("protective"),
        pl.when(pl.col("b") > 0).then(pl.col("b")).alias("target"),
        *added,
    )


def breakers(rows: pl.DataFrame, sleeves: Sequence[RunSleeve]) -> pl.DataFrame:
    """Each breaker when it tripped: which, at what equity, until when it holds (null: until a person releases it)."""
    found = rows.filter(pl.col("kind") == state.K_BREAKER)
    return found.select(
        "n",
        "close_ms",
        sleeve_name(sleeves),
        pl.col("code").replace_strict(state.BREAKERS, default="?", return_dtype=pl.String).alias("breaker"),
        "equity",
        pl.when(pl.col("a") > 0).then(pl.col("a").cast(pl.Int64)).alias("until_ms"),
    )


def attribution(table: pl.DataFrame, by: str = "sleeve") -> list[dict[str, Any]]:
    """P&L attribution: costs summed over the trips by a column ("sleeve", "reason", "side", ...)."""
    sums = [pl.col(name).sum() for name in COSTS]
    return table.group_by(by, maintain_order=True).agg(pl.len().alias("trips"), *sums).to_dicts()


def bars_held(table: pl.DataFrame, close_ms: np.ndarray, timeframe_ms: int) -> int:
    """Bars in which any sleeve had a position at some moment, the bar of the exit included."""
    if table.is_empty():
        return 0
    first = np.searchsorted(close_ms, table["entry_ms"].to_numpy() + timeframe_ms)
    ends = table["exit_ms"].fill_null(int(close_ms[-1]) - timeframe_ms).to_numpy()
    last = np.searchsorted(close_ms, ends + timeframe_ms)
    edges = np.zeros(len(close_ms) + 1, dtype=np.int64)
    np.add.at(edges, first, 1)
    np.add.at(edges, last + 1, -1)
    return int((np.cumsum(edges[:-1]) > 0).sum())

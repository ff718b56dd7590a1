"""Journal rows of a run -> fills, decisions and round trips as polars frames.

Called by sim/backtest.py (rows of the kernel) and by sim/explain.py (rows read back from a run's folder). What the columns
of each kind of row mean is in core/row_fields.py. Times are UTC ms: `entry_ms` is the open of the bar in
which a trip's first fill happened, `exit_ms` the open of the bar of its last; `close_ms` stays the close of a bar.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from engine.core import state
from engine.core.row_fields import COLUMN_OF, KIND_OF, TAG, VALUES, BreakerRow, CapsRow, DecisionRow, FillRow, FundingRow, SizeRow

COLUMNS = ("close_ms", *TAG)
SIZE_VALUES = ("price_reviewed", "risk_frac", "units_wanted", "stop_distance", "target_distance")
COSTS = ("gross", "slippage", "fees", "funding", "net")


class RunSleeve(NamedTuple):
    """What a sleeve's rows do not contain; one per sleeve, in sleeve order."""

    name: str
    instrument: str
    lot_size: float  # base units a lot
    mark: float  # last close: the mark of an open position (quote units)
    bar_ms: int  # its timeframe


def traded_sleeves(planned: Any, span: Any) -> list[RunSleeve]:
    """Name, instrument, lot, last mark and timeframe of every sleeve of a Plan over a Market."""
    usable = np.isfinite(span.open + span.high + span.low + span.close + span.volume)
    sleeves = []
    for s in planned.sleeves:
        k, own = span.instruments.index(s.key), span.instruments.index(planned.column(s))
        priced = np.flatnonzero(usable[:, own])
        mark = float(span.close[priced[-1], own]) if priced.size else 0.0
        if usable[-1, k] and not usable[-1, own]:  # the clock marks it between its own closes
            mark = float(span.close[-1, k])
        sleeves.append(RunSleeve(s.spec.name, s.key, s.instrument.lot_size, mark, s.bar_ms))
    return sleeves


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


def only(rows: pl.DataFrame, kind: type[Any]) -> pl.DataFrame:
    """The rows of one kind (a class of core/row_fields.py)."""
    return rows.filter(pl.col("kind") == KIND_OF[kind])


def field(kind: type[Any], name: str) -> pl.Expr:
    """A field of that kind's rows, under its own name."""
    return pl.col(COLUMN_OF[kind][name]).alias(name)


def code_words(codes: pl.Expr, words: Sequence[str]) -> pl.Expr:
    """Codes as names."""
    return codes.replace_strict(dict(enumerate(words)), default="?", return_dtype=pl.String)


def flows(rows: pl.DataFrame, sleeves: Sequence[RunSleeve]) -> pl.DataFrame:
    """Fills and funding in order, each with its `trip` number within the sleeve (0, 1, ...) and the position in lots after it."""
    lots = np.array([sleeve.lot_size for sleeve in sleeves])
    bars = np.array([sleeve.bar_ms for sleeve in sleeves], np.int64)
    found = rows.filter(pl.col("kind").is_in([KIND_OF[FillRow], KIND_OF[FundingRow]]))
    fill = pl.col("kind") == KIND_OF[FillRow]
    found = found.with_columns(
        pl.Series("lot_size", lots[found["sleeve"].to_numpy()], dtype=pl.Float64),
        pl.Series("bar_ms", bars[found["sleeve"].to_numpy()], dtype=pl.Int64),
        pl.when(fill).then(field(FillRow, "side") * field(FillRow, "lots")).otherwise(0).alias("signed"),
    )
    found = found.with_columns(pl.col("signed").cum_sum().over("sleeve").alias("held"))
    flat = (fill & (pl.col("held") == 0)).cast(pl.Int64)
    return found.with_columns((flat.cum_sum() - flat).over("sleeve").alias("trip"))


def fills(rows: pl.DataFrame, sleeves: Sequence[RunSleeve]) -> pl.DataFrame:
    """One row per execution: when, trade side, units, price with and without slippage, costs, reason, cash after."""
    side, lots, price, reference = (field(FillRow, name) for name in ("side", "lots", "price", "reference_price"))
    units = lots * pl.col("lot_size")
    return only(flows(rows, sleeves), FillRow).select(
        "n",
        "close_ms",
        sleeve_name(sleeves),
        code_words(field(FillRow, "slot"), state.SLOTS),
        code_words(field(FillRow, "reason"), state.EXIT_REASONS),
        side,
        field(FillRow, "layer"),
        lots,
        units.alias("units"),
        price,
        reference.alias("clean_price"),
        field(FillRow, "fee"),
        (side * units * (price - reference)).alias("slippage"),
        field(FillRow, "maker") == 1,
        field(FillRow, "cash_after"),
        pl.col("held").alias("lots_after"),
    )


def sleeve_name(sleeves: Sequence[RunSleeve]) -> pl.Expr:
    """The sleeve's name instead of its number."""
    names = {n: sleeve.name for n, sleeve in enumerate(sleeves)} | {state.DESK_ROW: "desk"}
    return pl.col("sleeve").replace_strict(names, return_dtype=pl.String)


def planned_risk(rows: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """`found` with `stop_distance`: of the newest approved size before each entry fill (quote units)."""
    sizes = only(rows, SizeRow).filter(field(SizeRow, "lots_approved") > 0)
    sizes = sizes.select("n", "sleeve", field(SizeRow, "stop_distance"))
    return found.join_asof(sizes, on="n", by="sleeve", check_sortedness=False)


def trips(rows: pl.DataFrame, sleeves: Sequence[RunSleeve]) -> pl.DataFrame:
    """Round trips, flat to flat of one sleeve, in the order of their first fill; a last open one is marked, not closed.

    gross is at prices without slippage; net = gross - slippage - fees + funding, all in quote units. The nets of a run
    sum to its change of equity. r = net / (units x stop distance, summed over the entries).
    """
    lots, price, reference = (field(FillRow, name) for name in ("lots", "price", "reference_price"))
    found = planned_risk(rows, flows(rows, sleeves)).with_columns(
        (lots * pl.col("lot_size")).alias("units"),
        (field(FillRow, "slot") == state.ENTRY).alias("entry"),
        (pl.col("kind") == KIND_OF[FillRow]).alias("fill"),
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
            lots.filter(into).sum(),
            pl.col("units").filter(into).sum().alias("units"),
            (pl.col("close_ms") - pl.col("bar_ms")).first().alias("entry_ms"),
            (pl.col("close_ms") - pl.col("bar_ms")).last().alias("last_ms"),
            pl.col("bar_ms").last(),
            average(into).alias("entry_price"),
            average(out).alias("exit_price"),
            (-flow * reference).filter(pl.col("fill")).sum().alias("cash_gross"),
            (flow * (price - reference)).filter(pl.col("fill")).sum().alias("slippage"),
            field(FillRow, "fee").filter(pl.col("fill")).sum().alias("fees"),
            field(FundingRow, "cash_flow").filter(~pl.col("fill")).sum().alias("funding"),
            (pl.col("units") * pl.col("stop_distance")).filter(into).sum().alias("risk"),
            field(FillRow, "reason").filter(out).last(),
            pl.col("held").last(),
            pl.col("lot_size").last(),
        )
        .sort("first_n")
    )
    return finish_trips(table, sleeves)


def average(which: pl.Expr) -> pl.Expr:
    """Price averaged over the lots of `which`; null when there are none."""
    lots = field(FillRow, "lots").filter(which)
    total = (field(FillRow, "price").filter(which) * lots).sum()
    return pl.when(lots.sum() > 0).then(total / lots.sum())


def finish_trips(table: pl.DataFrame, sleeves: Sequence[RunSleeve]) -> pl.DataFrame:
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
        pl.when(~is_open).then((pl.col("last_ms") - pl.col("entry_ms")) // pl.col("bar_ms") + 1).alias("bars"),
        "entry_price",
        "exit_price",
        *COSTS,
        pl.when((pl.col("risk") > 0) & ~is_open).then(pl.col("net") / pl.col("risk")).alias("r"),
        "risk",
        pl.when(is_open).then(pl.lit("open")).otherwise(code_words(pl.col("reason"), state.EXIT_REASONS)).alias("reason"),
        "first_n",
        "last_n",
    )


def decisions(rows: pl.DataFrame, sleeves: Sequence[RunSleeve]) -> pl.DataFrame:
    """The decision at each close that has one, with the size and every cap where one was computed; of a reversal the exit, then
    the entry.

    lots_before is signed; protective and target are the first layer's levels afterwards (null: none); caps in base.
    """
    keys = ["close_ms", "sleeve"]
    sizes = only(rows, SizeRow).select(
        *keys,
        "code",  # of a close with two decisions, a reversal, the entry has the size
        field(SizeRow, "lots_approved"),
        code_words(field(SizeRow, "cap_binding"), state.CAPS),
        *(field(SizeRow, name) for name in SIZE_VALUES),
    )
    caps = only(rows, CapsRow).select(*keys, *(field(CapsRow, name) for name in CapsRow._fields))
    found = only(rows, DecisionRow)
    sizes = sizes.join(caps, on=keys, how="left", maintain_order="left")
    found = found.join(sizes, on=[*keys, "code"], how="left", maintain_order="left")
    added = [name for name in sizes.columns if name not in (*keys, "code")]
    action, rule = field(DecisionRow, "action"), field(DecisionRow, "rule")
    return found.select(
        "n",
        "close_ms",
        sleeve_name(sleeves),
        code_words(action, state.ACTIONS),
        pl.when(action == state.REFUSED).then(code_words(rule, state.RULES)).alias("refused_by"),
        pl.when((action == state.CANCEL) & (rule != state.R_NONE)).then(code_words(rule, state.RULES)).alias("cancelled_by"),
        pl.when(action == state.EXIT).then(code_words(rule, state.EXIT_REASONS)).alias("exit_reason"),
        *(field(DecisionRow, name) for name in ("signal", "strength", "lots_before", "layers", "close", "equity")),
        *(above_zero(field(DecisionRow, name)) for name in ("protective", "target")),
        *added,
    )


def above_zero(value: pl.Expr) -> pl.Expr:
    """The value; null where it is 0, for none."""
    return pl.when(value > 0).then(value)


def entry_orders(rows: pl.DataFrame, sleeves: Sequence[RunSleeve]) -> pl.DataFrame:
    """One row per entry order: sleeve, close at which it was decided, its lots, and how many of them filled."""
    decided = only(rows, DecisionRow).filter(field(DecisionRow, "action").is_in([state.ENTER, state.ADD]))
    lots = only(rows, SizeRow).select("close_ms", "sleeve", field(SizeRow, "lots_approved").alias("lots"))
    orders = decided.select("n", "close_ms", "sleeve").join(lots, on=["close_ms", "sleeve"], maintain_order="left")
    filled = only(rows, FillRow).filter(field(FillRow, "slot") == state.ENTRY)
    filled = filled.select("n", "sleeve", field(FillRow, "lots").alias("lots_filled"))
    filled = filled.join_asof(orders.select("n", "sleeve", "close_ms"), on="n", by="sleeve", check_sortedness=False)
    keys = ["sleeve", "close_ms"]  # a sleeve has one entry order at a time
    begun = orders.select(*keys, pl.lit(0, pl.Int64).alias("lots_filled"))
    filled = pl.concat([begun, filled.select(begun.columns)]).group_by(keys).agg(pl.col("lots_filled").sum())
    orders = orders.join(filled, on=keys, maintain_order="left")
    return orders.select(sleeve_name(sleeves), "close_ms", "lots", "lots_filled")


def breakers(rows: pl.DataFrame, sleeves: Sequence[RunSleeve]) -> pl.DataFrame:
    """Each breaker when it tripped: which, at what equity, until when it holds (null: until a person releases it)."""
    return only(rows, BreakerRow).select(
        "n",
        "close_ms",
        sleeve_name(sleeves),
        field(BreakerRow, "breaker").replace_strict(state.BREAKERS, default="?", return_dtype=pl.String),
        field(BreakerRow, "equity"),
        above_zero(field(BreakerRow, "until_ms")).cast(pl.Int64),
    )


def breakers_of(table: pl.DataFrame) -> list[dict[str, Any]]:
    """Each kind of breaker: how often it tripped, when first and last."""
    when = (pl.col("close_ms").min().alias("first_ms"), pl.col("close_ms").max().alias("last_ms"))
    return table.group_by("sleeve", "breaker", maintain_order=True).agg(pl.len().alias("times"), *when).to_dicts()


def attribution(table: pl.DataFrame, by: str = "sleeve") -> list[dict[str, Any]]:
    """P&L attribution: costs summed over the trips by a column ("sleeve", "reason", "side", ...)."""
    sums = [pl.col(name).sum() for name in COSTS]
    return table.group_by(by, maintain_order=True).agg(pl.len().alias("trips"), *sums).to_dicts()


def bars_held(table: pl.DataFrame, sleeves: Sequence[RunSleeve], close_ms: np.ndarray, clock_ms: int) -> int:
    """Bars of the clock in which any sleeve had a position at some moment, its own bar of the exit included."""
    if table.is_empty():
        return 0
    own = {sleeve.name: sleeve.bar_ms for sleeve in sleeves}
    bar_ms = np.array([own[name] for name in table["sleeve"]], np.int64)
    first = np.searchsorted(close_ms, table["entry_ms"].to_numpy() + clock_ms)
    exits = table["exit_ms"].fill_null(-1).to_numpy()
    last = np.searchsorted(close_ms, np.where(exits < 0, int(close_ms[-1]), np.minimum(exits + bar_ms, int(close_ms[-1]))))
    edges = np.zeros(len(close_ms) + 1, dtype=np.int64)
    np.add.at(edges, first, 1)
    np.add.at(edges, last + 1, -1)
    return int((np.cumsum(edges[:-1]) > 0).sum())

"""Round trips of a basket's pairs, by leg, and what was decided about them: journal rows -> frames in the columns of any run's.

Called by sim/basket.py when a run is made. A frame of trips has what sim/trips.trips gives, so that every reader of a run takes
it: `sleeve` is the pair, `side` that of its first leg; price and units, which two legs do not share, are null, and
beside them are `a`, `b` and of each its lots, prices and net.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from engine.core import state
from engine.core.row_fields import REF, DecisionRow
from engine.core.rows import unpack_ref
from engine.sim import trips as reading

LEG_COLUMNS = ("lots", "entry", "exit", "net")  # of the frame, with _a or _b


class LegPart(NamedTuple):
    """What one leg of a round trip did. Money in quote units."""

    lots: int  # entered
    entry_price: float | None  # averages over the lots; None without a fill
    exit_price: float | None
    gross: float  # at prices without slippage
    slippage: float
    fees: float
    funding: float  # received minus paid

    @property
    def net(self) -> float:
        """All of it."""
        return self.gross - self.slippage - self.fees + self.funding


class PairTrip(NamedTuple):
    """A round trip of a pair, flat to flat; one that is open at the end is at the last prices. Money in quote units."""

    pair: int
    side: int  # 1: long a, short b
    entry_ms: int  # open of the bar that filled it
    exit_ms: int | None  # open of the bar of its last fill
    reason: str  # of its last exit; open
    risk: float  # that was to be lost at the spread's stop, by the part of leg a that filled
    first_n: int  # its rows
    last_n: int
    legs: tuple[LegPart, LegPart]

    def of_both(self, name: str) -> float:
        """gross, slippage, fees, funding or net: the sum over its legs."""
        return sum(float(getattr(leg, name)) for leg in self.legs)

    @property
    def net(self) -> float:
        """What it made."""
        return self.of_both("net")


def last_prices(span: Any, columns: Sequence[int]) -> list[float]:
    """The last close of a usable bar of each of a Market's columns, at which the core marks what is open; 0.0 without one."""
    usable = np.isfinite(span.open + span.high + span.low + span.close + span.volume)
    return [float(span.close[usable[:, k], k][-1]) if usable[:, k].any() else 0.0 for k in columns]


def pair_name(legs: Sequence[str], pair: tuple[int, int]) -> str:
    """`BTC-USDT ETH-USDT`."""
    return f"{legs[pair[0]]} {legs[pair[1]]}"


def trips_of(
    rows: Any, pairs: Sequence[tuple[int, int]], lot_sizes: Sequence[float], marks: Sequence[float], bar_ms: int
) -> list[PairTrip]:
    """Every round trip from rows of fills and settlements, in the order of their first one. lot_sizes, marks: of each leg."""
    wanted = {unpack_ref(int(row["ref"]))[1:]: (float(row["price"]), abs(int(row["lots"]))) for row in _entries(rows)}
    own = dict[tuple[int, int], list[tuple[int, Any]]]()
    kinds = np.isin(rows["kind"], (state.K_FILL, state.K_FUNDING))
    for n, row in zip(np.flatnonzero(kinds), rows[kinds], strict=True):
        own.setdefault(unpack_ref(int(row["ref"]))[1:], []).append((int(n), row))
    found = []
    for (p, key), numbered in own.items():
        pair = pairs[p]
        by_leg = [[row for _, row in numbered if unpack_ref(int(row["ref"]))[0] == leg] for leg in pair]
        legs = [leg_part(part, lot_sizes[leg], marks[leg]) for part, leg in zip(by_leg, pair, strict=True)]
        fills = [row for _, row in numbered if row["kind"] == state.K_FILL]
        first, last = fills[0], fills[-1]
        still = any(sum(_signed(row) for row in part) for part in by_leg)
        risk, lots = wanted.get((p, key), (0.0, 0))
        side = int(first["side"]) * (1 if unpack_ref(int(first["ref"]))[0] == pair[0] else -1)
        reason = "open" if still else state.EXIT_REASONS[int(last["rule"])]
        ends = int(first["close_ms"]) - bar_ms, None if still else int(last["close_ms"]) - bar_ms
        planned = risk * min(legs[0].lots / lots, 1.0) if lots else 0.0
        found.append(PairTrip(p, side, *ends, reason, planned, numbered[0][0], numbered[-1][0], (legs[0], legs[1])))
    return found


def rows_frame(rows: Any) -> pl.DataFrame:
    """sim/trips.frame_of with `leg`, `pair` and `key`."""
    refs = np.array([unpack_ref(int(ref)) for ref in rows["ref"]], np.int64).reshape(-1, len(REF))
    return reading.frame_of(rows).with_columns(pl.Series(name, refs[:, n]) for n, name in enumerate(REF))


def _entries(rows: Any) -> Any:
    """The decisions that ordered an entry."""
    return rows[(rows["kind"] == state.K_DECISION) & (rows["code"] == state.ENTER)]


def _signed(row: Any) -> int:
    """Lots that a row traded, with their side; none of a settlement."""
    return int(row["side"]) * int(row["lots"]) if row["kind"] == state.K_FILL else 0


def leg_part(rows: Sequence[Any], lot_size: float, mark: float) -> LegPart:
    """One leg of a round trip from its rows in order; what is still open at `mark`."""
    gross, slip, fees, funding, there = 0.0, 0.0, 0.0, 0.0, 0
    sums = {True: [0, 0.0], False: [0, 0.0]}  # by entry: lots, lots x price
    for row in rows:
        if row["kind"] == state.K_FUNDING:
            funding += float(row["fee"])
            continue
        signed, price, clean = _signed(row), float(row["price"]), float(row["a"])
        there += signed
        gross -= signed * lot_size * clean
        slip += signed * lot_size * (price - clean)
        fees += float(row["fee"])
        part = sums[int(row["code"]) == state.ENTRY]
        part[0], part[1] = part[0] + abs(signed), part[1] + abs(signed) * price
    gross += there * lot_size * mark if there else 0.0
    prices = [total / lots if lots else None for lots, total in (sums[True], sums[False])]
    return LegPart(int(sums[True][0]), prices[0], prices[1], gross, slip, fees, funding)


def trips_frame(
    table: Sequence[PairTrip], legs: Sequence[str], keys: Sequence[str], pairs: Sequence[tuple[int, int]], bar_ms: int
) -> pl.DataFrame:
    """The trips as the run store keeps them. legs: symbols; keys: venue:symbol:market of each leg; bar_ms: of the clock."""
    lines = [_trip_line(n, trip, legs, keys, pairs[trip.pair], bar_ms) for n, trip in enumerate(table, 1)]
    return pl.DataFrame(lines, schema=TRIP_SCHEMA, orient="row")


TRIP_SCHEMA = {
    **dict.fromkeys(("trip", "sleeve", "instrument", "side"), pl.String()),
    **dict.fromkeys(("layers", "lots"), pl.Int64()),
    "units": pl.Float64(),
    **dict.fromkeys(("entry_ms", "exit_ms", "bars"), pl.Int64()),
    **dict.fromkeys(("entry_price", "exit_price", *reading.COSTS, "r", "risk"), pl.Float64()),
    "reason": pl.String(),
    **dict.fromkeys(("first_n", "last_n"), pl.Int64()),
    **dict.fromkeys(("mae", "mfe"), pl.Float64()),  # null: extremes of two legs are of different moments
    **dict.fromkeys(("a", "b"), pl.String()),
    **{f"{name}_{leg}": pl.Int64() if name == "lots" else pl.Float64() for leg in "ab" for name in LEG_COLUMNS},
}


def _trip_line(
    number: int, trip: PairTrip, legs: Sequence[str], keys: Sequence[str], pair: tuple[int, int], bar_ms: int
) -> list[Any]:
    """A trip in the order of TRIP_SCHEMA."""
    ended = trip.exit_ms is not None
    return [
        *(f"t{number}", pair_name(legs, pair), f"{keys[pair[0]]} {keys[pair[1]]}", state.SIDES[trip.side], 1, None, None),
        *(trip.entry_ms, trip.exit_ms, None if trip.exit_ms is None else (trip.exit_ms - trip.entry_ms) // bar_ms + 1),
        *(None, None, *(trip.of_both(name) for name in reading.COSTS)),
        *(trip.net / trip.risk if ended and trip.risk > 0.0 else None, trip.risk, trip.reason, trip.first_n, trip.last_n),
        *(None, None, legs[pair[0]], legs[pair[1]]),
        *(value for leg in trip.legs for value in (leg.lots, leg.entry_price, leg.exit_price, leg.net)),
    ]


def decisions_frame(rows: pl.DataFrame, legs: Sequence[str], pairs: Sequence[tuple[int, int]]) -> pl.DataFrame:
    """The decisions about pairs in the columns of sim/trips.decisions, null where they are of one instrument, with `spread_z`,
    `hedge`, `deviation` and `risk` of the pair. rows: rows_frame.
    """
    found = reading.only(rows, DecisionRow)
    action, rule = reading.field(DecisionRow, "action"), reading.field(DecisionRow, "rule")
    names = {number: pair_name(legs, pair) for number, pair in enumerate(pairs)}
    enters = action.is_in([state.ENTER, state.REFUSED])
    own = found.select(
        "n",
        "close_ms",
        pl.col("pair").replace_strict(names, return_dtype=pl.String).alias("sleeve"),
        reading.code_words(action, state.ACTIONS),
        pl.when(action == state.REFUSED).then(reading.code_words(rule, state.RULES)).alias("refused_by"),
        pl.when(action == state.EXIT).then(reading.code_words(rule, state.EXIT_REASONS)).alias("exit_reason"),
        pl.col("side").cast(pl.Int64).alias("signal"),
        pl.when(enters).then(0).otherwise(pl.col("lots")).cast(pl.Int64).alias("lots_before"),
        pl.when(enters).then(pl.col("equity")).alias("equity"),
        pl.col("a").alias("spread_z"),
        *(pl.when(enters).then(pl.col(column)).fill_nan(None).alias(name) for name, column in SPREAD.items()),
    )
    like_others = reading.decisions(reading.no_rows(), [])
    return pl.concat([like_others, own], how="diagonal_relaxed")


SPREAD = {"hedge": "fee", "deviation": "b", "risk": "price"}  # of an entry -> column of its row

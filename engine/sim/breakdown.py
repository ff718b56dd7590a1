"""Breakdowns of round trips and of an equity curve: by exit, side, hour ..., worst and best, drawdowns, months, distributions.

Called by the API and the tools for a stored run and for the desk alike. A trips frame is what sim/trips.py makes: `trips.parquet`
of a run, or engine.watch.desk_trips of the desk. Sums are over every trip of the frame; wins, R and holding times over the closed
ones, since an open trip is only marked.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.errors import BadInput

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WEEKEND = ("Saturday", "Sunday")
DAYPARTS = ("00-06 night", "06-12 morning", "12-18 afternoon", "18-24 evening")  # UTC, the end not included
TRIPS_MIN = 10  # closed round trips on each side of `groups_apart`
LEVEL = 0.95
MONEY = ("net", "fees", "funding", "slippage")
R_EDGES = (-3.0, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0)

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


class Drawdown(NamedTuple):
    """A fall from a peak until the peak was reached again; `recovered_ms` None while it has not been. depth in quote units."""

    peak_ms: int
    trough_ms: int
    recovered_ms: int | None
    depth_frac: float
    depth: float


class GroupApart(NamedTuple):
    """Mean net of a group's closed round trips less that of all others, quote units, with its interval; None: too few of them."""

    mean: float | None
    low: float | None
    high: float | None


class RClass(NamedTuple):
    """A class of the histogram of R, low <= value < high; None: open on that side."""

    low: float | None
    high: float | None
    count: int  # type: ignore[assignment]  # hides tuple's own, which nobody asks


def _entered(part: str) -> pl.Expr:
    """A part of the UTC time of the first fill."""
    when = pl.from_epoch("entry_ms", time_unit="ms").dt
    if part == "hour":
        return when.strftime("%H")
    if part == "weekday":
        return when.weekday().cast(pl.Int64).replace_strict(dict(enumerate(WEEKDAYS, 1)), return_dtype=pl.String)
    if part == "daypart":
        return (when.hour().cast(pl.Int64) // 6).replace_strict(dict(enumerate(DAYPARTS)), return_dtype=pl.String)
    return when.strftime("%Y-%m")


STATES = {-1.0: "bear", 0.0: "sideways", 1.0: "bull"}
UNREAD = "none read"  # of an entry whose decision read no such model, or at which it had no value
THIRDS = ("lowest third", "middle third", "highest third")


def _third() -> pl.Expr:
    """The third of its model's predictions at these entries that an entry belongs to; of equal ones all are in the lower."""
    place = pl.col("predicted").rank("min").over("predicted_by") - 1
    third = (place * len(THIRDS)) // pl.col("predicted").count().over("predicted_by")
    named = third.cast(pl.Int64).replace_strict(dict(enumerate(THIRDS)), default=None, return_dtype=pl.String)
    return pl.format("{} of {}", named, "predicted_by").fill_null(UNREAD)


KEYS: dict[str, Callable[[], pl.Expr]] = {
    "exit": lambda: pl.col("reason"),
    "side": lambda: pl.col("side"),
    "hour": lambda: _entered("hour"),
    "weekday": lambda: _entered("weekday"),
    "weekend": lambda: pl.when(_entered("weekday").is_in(WEEKEND)).then(pl.lit("weekend")).otherwise(pl.lit("weekdays")),
    "daypart": lambda: _entered("daypart"),
    "month": lambda: _entered("month"),
    "symbol": lambda: pl.col("instrument"),
    "sleeve": lambda: pl.col("sleeve"),
    "version": lambda: pl.format("v{}", "version"),
    "regime": lambda: pl.col("state").replace_strict(STATES, default=None, return_dtype=pl.String).fill_null(UNREAD),
    "prediction": _third,
}
NEEDS = {"symbol": "instrument", "version": "version", "regime": "state", "prediction": "predicted"}


def split(trips: pl.DataFrame, by: str) -> pl.DataFrame:
    """One row a group: key, trips, wins, win_frac, net, fees, funding, slippage, mean_r, median_hold_ms; money in quote units.

    hour, daypart, weekday and month are those of the entry, UTC. Raises BadInput for a word that is not in KEYS, and for a frame
    without the column: a stored run has one version.
    """
    if by not in KEYS:
        raise BadInput(f"round trips cannot be split by {by!r}", f"split by {', '.join(KEYS)}")
    if NEEDS.get(by, "reason") not in trips.columns:
        raise BadInput(f"these round trips have no {by}", "split by " + ", ".join(k for k in KEYS if k != by))
    closed = pl.col("exit_ms").is_not_null()
    won = (closed & (pl.col("net") > 0)).sum().cast(pl.Int64)
    found = (
        trips.with_columns(KEYS[by]().cast(pl.String).alias("key"))
        .group_by("key", maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("trips"),
            won.alias("wins"),
            pl.when(closed.sum() > 0).then(won / closed.sum()).alias("win_frac"),
            *(pl.col(name).sum() for name in MONEY if name in trips.columns),
            pl.col("r").mean().alias("mean_r"),
            _held_ms().filter(closed).median().alias("median_hold_ms"),
        )
    )
    order = pl.col("key").replace_strict({day: n for n, day in enumerate(WEEKDAYS)}, default=None, return_dtype=pl.Int64)
    if by in {"hour", "daypart", "weekday", "month", "version"}:
        return found.sort(order if by == "weekday" else pl.col("key").str.extract(r"^v(\d+)$").cast(pl.Int64), "key")
    return found.sort("net", "key")


def groups_apart(trips: pl.DataFrame, by: str) -> dict[str, GroupApart]:
    """Each group of `split` against all other closed round trips: the difference of the means, intervals that hold together.

    The level is shared out over the groups, since whoever looks at seven weekdays finds a bad one by chance. Trips count as
    independent.
    """
    closed = trips.filter(pl.col("exit_ms").is_not_null()).select(KEYS[by]().cast(pl.String).alias("key"), "net")
    keys = closed["key"].unique().sort().to_list()
    z = NormalDist().inv_cdf(1.0 - (1.0 - LEVEL) / max(2 * len(keys), 2))
    found = {}
    for key in keys:
        own, rest = (closed.filter(side)["net"].to_numpy() for side in (pl.col("key") == key, pl.col("key") != key))
        mean = float(own.mean() - rest.mean()) if len(own) and len(rest) else None
        few = mean is None or min(len(own), len(rest)) < TRIPS_MIN
        wide = 0.0 if few else z * float(np.sqrt(own.var(ddof=1) / len(own) + rest.var(ddof=1) / len(rest)))
        found[key] = GroupApart(mean, None, None) if few or mean is None else GroupApart(mean, mean - wide, mean + wide)
    return found


def rate_interval(wins: int, n: int) -> tuple[float | None, float | None]:
    """The Wilson interval of a hit rate; (None, None) without a trip."""
    if n == 0:
        return None, None
    z = NormalDist().inv_cdf((1.0 + LEVEL) / 2)
    middle, wide = wins / n + z * z / (2 * n), z * float(np.sqrt(wins / n * (1 - wins / n) / n + (z / (2 * n)) ** 2))
    return (middle - wide) / (1 + z * z / n), (middle + wide) / (1 + z * z / n)


def _held_ms() -> pl.Expr:
    """How long a closed trip was held: from the open of its first bar to the open of its last."""
    return pl.col("exit_ms") - pl.col("entry_ms")


def extremes(trips: pl.DataFrame, n: int, worst: bool) -> pl.DataFrame:
    """The n worst or best closed trips by net P&L, the most extreme first; ties in the order of entry."""
    closed = trips.filter(pl.col("exit_ms").is_not_null())
    return closed.sort("net", "entry_ms", descending=[not worst, False]).head(n)


def drawdowns(close_ms: Times, equity: Floats, n: int) -> list[Drawdown]:
    """The n deepest falls of an equity curve, the deepest first; equity is positive at its peaks."""
    peaks = np.maximum.accumulate(equity)
    under = equity < peaks
    edges = np.diff(np.concatenate(([False], under, [False])).astype(np.int8))
    found = []
    for first, end in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        trough = first + int(np.argmin(equity[first:end]))
        peak = float(peaks[first])
        depth = peak - float(equity[trough])
        back = int(close_ms[end]) if end < len(equity) else None
        if peak > 0:
            found.append(Drawdown(int(close_ms[first - 1]), int(close_ms[trough]), back, depth / peak, depth))
    return sorted(found, key=lambda fall: (-fall.depth_frac, fall.peak_ms))[:n]


def months(close_ms: Times, equity: Floats) -> list[tuple[int, int, float]]:
    """(year, month, return) of each UTC month of a curve, the first from the curve's first value; a close at midnight belongs
    to the month that ends there."""
    if not len(close_ms):
        return []
    found: list[tuple[int, int, float]] = []
    before = float(equity[0])
    names = [_month_of(int(ms) - 1) for ms in close_ms]
    for n, name in enumerate(names):
        if n + 1 == len(names) or names[n + 1] != name:
            value = float(equity[n])
            if before > 0:
                found.append((*name, value / before - 1.0))
            before = value
    return found


def _month_of(ms: int) -> tuple[int, int]:
    when = datetime.fromtimestamp(ms / 1000, UTC)
    return when.year, when.month


def r_histogram(trips: pl.DataFrame) -> list[RClass]:
    """How many closed trips ended in each class of R; a trip without a planned risk is in none."""
    values = trips["r"].drop_nulls().to_numpy()
    edges = np.array(R_EDGES)
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    lows: tuple[float | None, ...] = (None, *R_EDGES)
    return [RClass(low, high, int(count)) for low, high, count in zip(lows, (*R_EDGES, None), counts, strict=True)]


def durations(trips: pl.DataFrame) -> dict[str, int | None]:
    """How long closed trips were held, in ms: shortest, quarter, median, three quarters, longest; None without any."""
    held = trips.filter(pl.col("exit_ms").is_not_null()).select(_held_ms().alias("held"))["held"]
    shares = {"shortest": 0.0, "quarter": 0.25, "median": 0.5, "three_quarters": 0.75, "longest": 1.0}
    found = {name: held.quantile(share, "linear") for name, share in shares.items()}
    return {name: None if value is None else round(value) for name, value in found.items()}


def excursions(trips: pl.DataFrame) -> list[dict[str, Any]]:
    """MAE and MFE of closed trips as sim/excursions.py measured them (`mae` <= 0 <= `mfe`, quote units).

    Here they are in quote units, as fractions of the entry's notional, and in R (None without a planned risk); mae counts
    positive.

    Raises BadInput for a frame without them: a run that was stored before they were kept.
    """
    if "mae" not in trips.columns:
        raise BadInput("these round trips have no excursions", "run the backtest again")
    found: list[dict[str, Any]] = []
    for trip in trips.filter(pl.col("exit_ms").is_not_null() & pl.col("mae").is_finite()).to_dicts():
        notional, risk = trip["entry_price"] * trip["units"], trip.get("risk") or 0.0
        row = {"trip": trip["trip"], "sleeve": trip["sleeve"], "net": trip["net"], "r": trip["r"]}
        for name, money in (("mae", -trip["mae"]), ("mfe", trip["mfe"])):
            row |= {name: money, f"{name}_frac": money / notional, f"{name}_r": money / risk if risk > 0 else None}
        found.append(row)
    return found


REACH: dict[str, pl.Expr] = {
    f"{way}_{of}{unit}": value
    for way, most in (("mae", "worst"), ("mfe", "best"))
    for unit in ("", "_r")
    for of, value in zip(("median", "mean", most), (pl.median(way + unit), pl.mean(way + unit), pl.max(way + unit)), strict=True)
}


def reach(trips: pl.DataFrame) -> pl.DataFrame:
    """How far closed trips went: one row for all, winners, losers (net <= 0) and each way out; key, trips and REACH.

    Median, mean and the most of MAE and MFE in quote units and in R, mae positive; None in R where none had a planned risk.
    Groups without a trip are left out. Raises BadInput as `excursions` does.
    """
    found = excursions(trips)
    measured = pl.DataFrame(found, schema_overrides={"mae_r": pl.Float64, "mfe_r": pl.Float64}) if found else trips.head(0)
    if measured.is_empty():
        return pl.DataFrame(schema={"key": pl.String, "trips": pl.Int64, **dict.fromkeys(REACH, pl.Float64)})
    measured = measured.join(trips.select("trip", "reason"), on="trip", how="left", maintain_order="left")
    won = pl.col("net") > 0
    parts = [measured.with_columns(key=pl.lit("all"))]
    parts += [measured.filter(which).with_columns(key=pl.lit(name)) for name, which in (("winners", won), ("losers", ~won))]
    parts.append(measured.sort("reason", maintain_order=True).with_columns(key=pl.col("reason")))
    values = [value.alias(name) for name, value in REACH.items()]
    return pl.concat(parts).group_by("key", maintain_order=True).agg(pl.len().cast(pl.Int64).alias("trips"), *values)


def farthest(trips: pl.DataFrame, n: int) -> pl.DataFrame:
    """The n closed trips that went farthest against their position, in quote units, the farthest first: trips with mae_r, mfe_r.

    Raises BadInput as `excursions` does.
    """
    rows = sorted(excursions(trips), key=lambda row: -row["mae"])[:n]
    chosen = pl.DataFrame(
        [{name: row[name] for name in ("trip", "mae", "mfe", "mae_r", "mfe_r")} for row in rows],
        schema={"trip": pl.String, **dict.fromkeys(("mae", "mfe", "mae_r", "mfe_r"), pl.Float64)},
    )
    return chosen.join(trips.drop("mae", "mfe"), on="trip", how="left", maintain_order="left")

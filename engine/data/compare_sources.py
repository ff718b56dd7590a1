"""Two sources of one instrument, bar by bar: price level, volume unit, shifted stamps, frozen bars, another market.

Called by `nightdesk data check FILE --against OTHER`. The sources may have different timeframes: the finer one is
aggregated to the coarser first. Two files alone do not show which one is right; an issue says what differs, and where one
explanation is far more likely (less volume inside the other's range: stored while forming) it says that.
"""

from typing import NamedTuple

import numpy as np
import polars as pl

from engine.clock import HOUR_MS
from engine.data.issues import DataIssue, issue

SAME = 1e-7  # relative: the same print, whatever the float went through
BLOCK = 20  # bars in a row that differ: no longer single bars that were stored too early
LEVEL = 0.01  # two markets of one coin stay well within 1 % of each other; testnets do not
OUTLIER = (0.03, 0.15)  # warning, error: venues parted by 2.2 % on 2023-08-17, spot and perp by 5 % in March 2020
UNIT = 20.0  # times the volume: beyond what two venues' shares explain


class _Pair(NamedTuple):
    """Bars both sources have: `row` in the checked file, f* its columns, o* the other's."""

    row: np.ndarray
    f: dict[str, np.ndarray]
    o: dict[str, np.ndarray]


def compare_sources(
    frame: pl.DataFrame,
    other: pl.DataFrame,
    same_market: bool = True,
    steps_ms: tuple[int, int] | None = None,
) -> list[DataIssue]:
    """Compare bars with another source: ts (Int64 ms, open), open, high, low, close and, if there, volume.

    steps_ms: the two timeframes; without them the usual step of each file is used.

    same_market: both claim to be the same instrument of the same venue, so nearly every bar must be equal. Otherwise
    (another venue, spot against perp) only level, unit, stamps and outliers are judged. Rows are rows of `frame`.
    """
    step, other_step = steps_ms or (_step(frame), _step(other))
    if not frame.height or not other.height:
        return [DataIssue("overlap", "error", (), "one of the two files has no rows")]
    shift = _shift(frame, step, other, other_step)
    found = _stamps(shift, step)
    frame = frame.with_columns(pl.col("ts") - shift)  # the rest is compared where it agrees
    pair = _pair(frame, step, other, other_step)
    if pair.row.size == 0:
        return [*found, DataIssue("overlap", "error", (), "the two files have no bar in common")]
    equal = _equal(pair)
    found += _missing(frame, step, other, other_step, same_market)
    if equal.mean() < 0.2:
        return found + _another_market(pair, equal, same_market) + _unit(pair, same_market)
    unit = _unit(pair, same_market)
    volume = _near(pair.f["volume"], pair.o["volume"] * _ratio(pair, equal), 1e-6) | np.isnan(pair.f["volume"])
    volume |= np.isnan(pair.o["volume"])
    return found + _differences(pair, ~equal | ~volume) + unit


def _stamps(shift: int, step: int) -> list[DataIssue]:
    """The issue for time stamps that are `shift` ms late."""
    if not shift:
        return []
    side = "late" if shift > 0 else "early"
    text = f"times are {abs(shift) // 60_000} minutes {side}: shifted by that, the closes agree with the other source"
    return issue("shifted", "error", [0], text + ("; bars stamped with their close?" if shift == step else ""))


def _step(frame: pl.DataFrame) -> int:
    """The usual distance of two bars in ms."""
    steps = np.diff(np.unique(frame["ts"].to_numpy()))
    if not steps.size:
        return 60_000
    values, counts = np.unique(steps, return_counts=True)
    return int(values[np.argmax(counts)])


def _shift(frame: pl.DataFrame, step: int, other: pl.DataFrame, other_step: int) -> int:
    """By how many ms the stamps of `frame` are late (negative: early) against the other source; 0 when they are not.

    Each source has the price at its bars' closes. If the stamps are off, the two agree best at another lag.
    """
    close, price = _closes(frame, step)
    other_close, other_price = _closes(other, other_step)
    fine = min(step, other_step)
    lags = sorted({k * fine for k in range(-5, 6)} | {k * HOUR_MS for k in range(-26, 27)}, key=abs)
    agree = {lag: _scatter(close, price, other_close + lag, other_price) for lag in lags}
    here = agree[0]
    best = min((lag for lag in lags if np.isfinite(agree[lag])), key=lambda lag: agree[lag], default=0)
    return best if best and np.isfinite(here) and agree[best] < 0.6 * here else 0


def _closes(frame: pl.DataFrame, step: int) -> tuple[np.ndarray, np.ndarray]:
    """(time of close, log close), ascending, one row a time."""
    ts, first = np.unique(frame["ts"].to_numpy(), return_index=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return ts + step, np.log(frame["close"].cast(pl.Float64).fill_null(float("nan")).to_numpy()[first])


def _scatter(close: np.ndarray, price: np.ndarray, at: np.ndarray, other: np.ndarray) -> float:
    """Median distance of the two log prices around their median offset, at common times; NaN below 50 of them."""
    j = np.minimum(np.searchsorted(close, at), close.size - 1)
    hit = close[j] == at
    apart = (price[j] - other)[hit]
    apart = apart[np.isfinite(apart)]
    return float(np.median(np.abs(apart - np.median(apart)))) if apart.size >= 50 else float("nan")


def _grouped(frame: pl.DataFrame, step: int, to_step: int) -> pl.DataFrame:
    """Bars aggregated to a coarser timeframe (whole groups only), with the row of each group's first bar."""
    numbered = frame.with_row_index("row")
    if "volume" not in frame.columns:
        numbered = numbered.with_columns(volume=pl.lit(None, dtype=pl.Float64))
    names = [pl.col(n).cast(pl.Float64) for n in ("open", "high", "low", "close", "volume")]
    numbered = numbered.select("row", "ts", *names)
    if step == to_step:
        return numbered
    return (
        numbered.sort("ts")
        .group_by((pl.col("ts") // to_step * to_step).alias("start"), maintain_order=True)
        .agg(
            pl.col("row").first(),
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume").sum(),
            size=pl.len(),
        )
        .filter(pl.col("size") == to_step // step)
        .rename({"start": "ts"})
        .drop("size")
    )


def _pair(frame: pl.DataFrame, step: int, other: pl.DataFrame, other_step: int) -> _Pair:
    """The bars in both, at the coarser timeframe."""
    to_step = max(step, other_step)
    mine = _grouped(frame, step, to_step)
    theirs = _grouped(other, other_step, to_step).drop("row").unique("ts", keep="first", maintain_order=True)
    both = mine.join(theirs, on="ts", suffix="_o", maintain_order="left")
    names = ("open", "high", "low", "close", "volume")
    f = {n: both[n].fill_null(float("nan")).to_numpy() for n in names}
    o = {n: both[f"{n}_o"].fill_null(float("nan")).to_numpy() for n in names}
    return _Pair(both["row"].to_numpy(), f, o)


def _near(a: np.ndarray, b: np.ndarray, within: float = SAME) -> np.ndarray:
    """Equal but for float noise."""
    return np.abs(a - b) <= within * np.abs(b)


def _equal(pair: _Pair) -> np.ndarray:
    """Bars whose four prices are the same."""
    return np.logical_and.reduce([_near(pair.f[n], pair.o[n]) for n in ("open", "high", "low", "close")])


def _missing(frame: pl.DataFrame, step: int, other: pl.DataFrame, other_step: int, same: bool) -> list[DataIssue]:
    """Bars that only the other source has, within this one's range: not an outage of the venue."""
    if step != other_step:
        return []
    ts, theirs = np.unique(frame["ts"].to_numpy()), np.unique(other["ts"].to_numpy())
    theirs = theirs[(theirs > ts[0]) & (theirs < ts[-1])]
    absent = theirs[~np.isin(theirs, ts)]
    after = np.unique(np.searchsorted(ts, absent))
    text = f"{absent.size} bars are missing here that the other source has"
    return issue("gap", "error" if same else "warning", after, text)


def _another_market(pair: _Pair, equal: np.ndarray, same: bool) -> list[DataIssue]:
    """Hardly a bar is equal: another market, another venue, or a testnet."""
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.log(pair.f["close"] / pair.o["close"])
    apart = np.where(np.isfinite(apart), apart, np.nan)
    size = np.abs(apart)
    middle, far = float(np.nanmedian(size)), float(np.nanquantile(size, 0.99))
    text = f"{1 - equal.mean():.1%} of {equal.size} bars differ, closes by {middle * 1e4:,.3g} bps (99 %: {far * 1e4:,.3g})"
    if middle > LEVEL:
        return issue("level", "error", pair.row[:1], f"the price level differs: {text}; a testnet, another coin?")
    wide, wild = size > OUTLIER[0], size > OUTLIER[1]
    found = issue("level", "error", pair.row[wild], f"closes over {OUTLIER[1]:.0%} from the other source")
    found += issue("level", "warning", pair.row[wide & ~wild], f"closes over {OUTLIER[0]:.0%} from the other source")
    if same:
        return found + issue("market", "error", pair.row[~equal], f"not the same market: {text}; spot for perp?")
    return found + issue("market", "warning", pair.row[:1], f"two markets: {text}")


def _differences(pair: _Pair, differ: np.ndarray) -> list[DataIssue]:
    """Most bars are equal; the rest are a spliced range, a bar stored while forming, or a revised one."""
    block = np.zeros(differ.size, dtype=bool)
    at = np.flatnonzero(differ)
    for run in np.split(at, np.flatnonzero(np.diff(at) > 3) + 1):
        if run.size >= BLOCK:
            block[run[0] : run[-1] + 1] = True
    text = "a range of bars from another market: the price differs bar after bar"
    found = issue("splice", "error", pair.row[block & differ], text)
    single = differ & ~block
    inside = (pair.f["high"] <= pair.o["high"] * (1 + SAME)) & (pair.f["low"] >= pair.o["low"] * (1 - SAME))
    less = pair.f["volume"] < pair.o["volume"] * _ratio(pair, ~differ) * (1 - 1e-6)
    forming = single & inside & (less | np.isnan(pair.f["volume"]))
    last = np.zeros(differ.size, dtype=bool)
    last[-1] = True
    found += issue("unfinished", "error", pair.row[forming & last], "the last bar was stored before it closed")
    text = "stored while still forming and never refreshed: less volume, inside the other's range"
    found += issue("frozen", "error", pair.row[forming & ~last], text)
    return found + issue("revised", "error", pair.row[single & ~forming], "the two sources disagree on this bar")


def _ratio(pair: _Pair, use: np.ndarray) -> float:
    """The usual ratio of the two volumes; 1 without volumes."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = (pair.f["volume"] / pair.o["volume"])[use]
    ratio = ratio[np.isfinite(ratio) & (ratio > 0)]
    return float(np.median(ratio)) if ratio.size else 1.0


def _unit(pair: _Pair, same: bool) -> list[DataIssue]:
    """Volumes whose ratio is not chance: contracts, quote units, another market."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = pair.f["volume"] / pair.o["volume"]
        quote = ratio / pair.o["close"]
    valid = np.isfinite(ratio) & (ratio > 0)
    if valid.sum() < 20:
        return []
    middle, money = float(np.median(ratio[valid])), float(np.median(quote[valid]))
    spread = np.subtract(*np.quantile(ratio[valid], [0.75, 0.25])) / middle
    if middle > UNIT and 1 / UNIT < money < UNIT and pair.o["close"][0] > UNIT:
        return issue("unit", "error", pair.row[:1], f"volume is {middle:.3g} times the other's: quote units, not base?")
    if spread < 0.02 and not 0.98 < middle < 1.02:
        text = f"volume is {middle:.4g} times the other's throughout: contracts, not base units?"
        return issue("unit", "error", pair.row[:1], text)
    if middle > UNIT or middle < 1 / UNIT:
        text = f"volume is {middle:.3g} times the other's: another unit or another market?"
        return issue("unit", "error" if same or middle > UNIT else "warning", pair.row[:1], text)
    return []

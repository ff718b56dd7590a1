"""Bars, settlements and mark prices of several instruments on one regular grid: the `Market` that the loops consume.

Called by the backtest, the worker's feed and the replay. Input frames come from data/catalog (or data/synthetic); the output
arrays have one row per bar, row i closing at `close_ms[i]`. Nothing is filled in: a missing bar is NaN, missing funding is an
error (D4), invalid bars are an error (checks.py), and every choice is recorded in `notes`.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import polars as pl

from engine.clock import utc
from engine.data.checks import refusals
from engine.data.gaps import LONGEST_MS, hole_spans
from engine.errors import BadInput, DataError

Policy = Literal["recorded", "none"] | tuple[str, float]  # ("assume", bps)
FUNDING_HINT = "use another range (--from, --to), pull the funding, or set --funding none or --funding assume=BPS"
BARS_HINT = "see nightdesk data check FILE; use another range, or import a clean file"


RECORDED = {  # columns that few files have: what a note calls each, and when a bar has none
    "taker_buy_volume": ("taker volume", "empty, negative or above the bar's volume"),
    "quote_volume": ("quote volume", "empty, negative or infinite"),
}


class Market(NamedTuple):
    """n bars of k instruments. Arrays are float64 (n, k), C order; a missing bar is NaN in all five columns."""

    instruments: tuple[str, ...]  # "binance:BTC-USDT:perp"
    timeframe_ms: int
    close_ms: np.ndarray  # int64 (n,), regular
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray  # base units
    funding_rate: np.ndarray  # of the settlement at this bar's open; 0 where there is none
    funding_mark: np.ndarray  # mark price of that settlement; 0 where there is none
    notes: tuple[str, ...]
    taker_buy_volume: np.ndarray | None = None  # base units that takers bought; NaN where not recorded, None where nowhere
    quote_volume: np.ndarray | None = None  # what all trades of the bar paid, in quote units; the same


def market_of(
    bars: Mapping[str, pl.DataFrame],
    timeframe_ms: int,
    funding: Mapping[str, pl.DataFrame | None],
    marks: Mapping[str, pl.DataFrame | None],
    policy: Policy = "recorded",
    from_ms: int | None = None,
    to_ms: int | None = None,
) -> Market:
    """Join frames by instrument into one market with from_ms <= bar open < to_ms.

    bars: ts (open, UTC ms), open, high, low, close, volume, RECORDED where a file has it; funding: ts (whole minutes, no
    doubles), rate, as data/catalog returns it; marks: ts, open. Spot instruments (name ends in `:spot`) pay no funding.
    Raises BadInput for reversed dates, DataError for an empty range, invalid bars, and missing settlements.
    """
    if from_ms is not None and to_ms is not None and from_ms >= to_ms:
        raise BadInput(f"reversed dates: from {utc(from_ms)} to {utc(to_ms)}", "swap the two dates")
    names = tuple(bars)
    cut = {name: _cut(bars[name], name, timeframe_ms, from_ms, to_ms) for name in names}
    start = min(int(frame["ts"][0]) for frame in cut.values())
    end = max(int(frame["ts"][-1]) for frame in cut.values())
    opens = np.arange(start, end + 1, timeframe_ms, dtype=np.int64)
    notes = _span_notes(opens, cut, from_ms, to_ms, timeframe_ms)
    columns = [np.full((opens.size, len(names)), np.nan) for _ in range(5)]
    for k, name in enumerate(names):
        at = (cut[name]["ts"].to_numpy() - start) // timeframe_ms
        for array, column in zip(columns, ("open", "high", "low", "close", "volume"), strict=True):
            array[at, k] = cut[name][column].to_numpy()
        notes += _gap_notes(name, cut[name], timeframe_ms)
    rate, mark = np.zeros((opens.size, len(names))), np.zeros((opens.size, len(names)))
    for k, name in enumerate(names):
        settled = settlements(name, cut[name], funding.get(name), policy, timeframe_ms)
        at = (settled["ts"].to_numpy() - start) // timeframe_ms
        rate[at, k] = settled["rate"].to_numpy()
        mark[at, k], mark_notes = _mark_prices(name, settled, marks.get(name), columns[3][:, k], columns[0][:, k], at)
        notes += [_policy_note(name, policy), *mark_notes]
    more: dict[str, Any] = {name: _recorded(name, cut, opens, timeframe_ms, notes) for name in RECORDED}
    open_, high, low, close, volume = columns
    figures = open_, high, low, close, volume, rate, mark
    return Market(names, timeframe_ms, opens + timeframe_ms, *figures, tuple(n for n in notes if n), **more)


def until(market: Market, end_ms: int) -> Market:
    """The bars that close at or before `end_ms`."""
    count = int(np.searchsorted(market.close_ms, end_ms, side="right"))
    cut: dict[str, Any] = {name: values[:count] for name, values in market._asdict().items() if isinstance(values, np.ndarray)}
    return market._replace(**cut)


def _recorded(
    column: str, cut: Mapping[str, pl.DataFrame], opens: np.ndarray, timeframe_ms: int, notes: list[str]
) -> np.ndarray | None:
    """A column that few files have, NaN where one does not say or says what cannot be; None when no file says."""
    if not any(column in frame.columns for frame in cut.values()):
        return None
    found, (what, wrong) = np.full((opens.size, len(cut)), np.nan), RECORDED[column]
    for k, (name, frame) in enumerate(cut.items()):
        if column in frame.columns:
            values, volume = frame[column].fill_null(float("nan")).to_numpy(), frame["volume"].to_numpy()
            most = volume if column == "taker_buy_volume" else np.inf
            sound = (values >= 0.0) & (values <= most) & np.isfinite(values)
            found[(frame["ts"].to_numpy() - opens[0]) // timeframe_ms, k] = np.where(sound, values, np.nan)
            if not sound.all():
                notes.append(f"{name}: no {what} at {int((~sound).sum())} bars: {wrong}")
    return found


def settlements(name: str, bars: pl.DataFrame, funding: pl.DataFrame | None, policy: Policy, timeframe_ms: int) -> pl.DataFrame:
    """The settlements within `bars`: ts (each the open of a bar), rate. See market_of."""
    first, last = int(bars["ts"][0]), int(bars["ts"][-1])
    if name.endswith(":spot") or policy == "none":
        return pl.DataFrame({"ts": [], "rate": []}, schema={"ts": pl.Int64, "rate": pl.Float64})
    if isinstance(policy, tuple):
        return _constant_funding(policy, first, last)
    if policy != "recorded":
        raise BadInput(f"unknown funding policy {policy!r}", "use recorded, none or assume=BPS")
    if funding is None or not funding.height:
        raise DataError(f"{name}: no funding rates for {utc(first)} .. {utc(last)}", FUNDING_HINT)
    ts, rates = funding["ts"].to_numpy(), funding["rate"].to_numpy()
    if (np.diff(ts) <= 0).any() or (ts % 60_000).any() or not np.isfinite(rates).all():
        raise DataError(
            f"{name}: settlements repeat, go back in time, lack a rate or are off the minute", "pull the funding again"
        )
    _no_holes(name, ts, first, last)
    here = funding.filter(pl.col("ts").is_between(first, last))
    off = here.filter((pl.col("ts") - first) % timeframe_ms != 0)
    if off.height:
        raise DataError(f"{name}: the settlement {utc(off['ts'][0])} is not at a bar's open", "use a shorter timeframe")
    return here.select("ts", "rate")


def _constant_funding(policy: tuple[str, float], first: int, last: int) -> pl.DataFrame:
    """A constant rate at 00:00, 08:00 and 16:00 UTC."""
    kind, bps = policy
    if kind != "assume" or not np.isfinite(bps):
        raise BadInput(f"unknown funding policy {policy!r}", "use recorded, none or assume=BPS")
    ts = np.arange(-(-first // LONGEST_MS) * LONGEST_MS, last + 1, LONGEST_MS, dtype=np.int64)
    return pl.DataFrame({"ts": ts, "rate": np.full(ts.size, float(bps) / 10_000)})


def _no_holes(name: str, ts: np.ndarray, first: int, last: int) -> None:
    """Refuse when a settlement after `first` and up to `last` is missing; `ts` ascends. Names the dates."""
    holes = [(a, b) for a, b in hole_spans(ts) if b > first and a < last]
    if ts.size == 0 or ts[0] > first:  # none recorded before the first bar: the first recorded one must be the next due
        step = int(ts[1] - ts[0]) if ts.size > 1 else LONGEST_MS
        if ts[0] - step > first:
            holes.insert(0, (first, int(ts[0])))
    step = int(ts[-1] - ts[-2]) if ts.size > 1 else LONGEST_MS
    if ts[-1] + min(step, LONGEST_MS) <= last:
        holes.append((int(ts[-1]), last))
    if holes:
        spans = ", ".join(f"{utc(a)} .. {utc(b)}" for a, b in holes[:5])
        more = f" and {len(holes) - 5} more" if len(holes) > 5 else ""
        raise DataError(f"{name}: no funding rates between {spans}{more}", FUNDING_HINT)


def _mark_prices(
    name: str, settled: pl.DataFrame, marks: pl.DataFrame | None, close: np.ndarray, open_: np.ndarray, at: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """Mark price of each settlement: the recorded mark open at that time, else the last close before it (D4)."""
    found = np.full(at.size, np.nan)
    if marks is not None and marks.height and at.size:
        times, want = marks["ts"].to_numpy(), settled["ts"].to_numpy()
        j = np.minimum(np.searchsorted(times, want), times.size - 1)
        price = marks["open"].to_numpy()[j]
        hit = (times[j] == want) & np.isfinite(price) & (price > 0)
        found[hit] = price[hit]
    lacking = np.flatnonzero(~np.isfinite(found))
    if lacking.size:
        last = np.maximum.accumulate(np.where(np.isfinite(close), np.arange(close.size), -1))
        before = np.where(at[lacking] > 0, last[at[lacking] - 1], -1)
        # no position can exist before the first close: the open is a placeholder and pays nothing
        found[lacking] = np.where(before >= 0, close[before], open_[at[lacking]])
    if not at.size:
        return found, []
    if not lacking.size:
        return found, [f"{name}: funding at the recorded mark price"]
    return found, [f"{name}: funding at the last close for {lacking.size} of {at.size} settlements (no recorded mark)"]


def _cut(frame: pl.DataFrame, name: str, timeframe_ms: int, from_ms: int | None, to_ms: int | None) -> pl.DataFrame:
    """The bars of the range. Raises DataError for an empty range and for invalid bars (see checks)."""
    ts = frame["ts"].to_numpy()
    keep = frame
    if from_ms is not None:
        keep = keep.filter(pl.col("ts") >= from_ms)
    if to_ms is not None:
        keep = keep.filter(pl.col("ts") < to_ms)
    if not keep.height:
        span = f"{utc(int(ts[0]))} .. {utc(int(ts[-1]))}" if ts.size else "nothing"
        raise DataError(f"{name}: no bars between {_end_text(from_ms)} and {_end_text(to_ms)}", f"available: {span}")
    bad = refusals(keep, timeframe_ms)
    if bad:
        more = f", and {len(bad) - 1} more issues" if len(bad) > 1 else ""
        raise DataError(f"{name}: {bad[0].text}{more}, counted from {utc(int(keep['ts'][0]))}", BARS_HINT)
    return keep


def _span_notes(
    opens: np.ndarray, cut: Mapping[str, pl.DataFrame], from_ms: int | None, to_ms: int | None, timeframe_ms: int
) -> list[str]:
    """Which part of the requested range is missing, and which instruments cover less than the rest."""
    notes = []
    if from_ms is not None and opens[0] >= from_ms + timeframe_ms:
        notes.append(f"requested from {utc(from_ms)}; data starts at {utc(int(opens[0]))}")
    if to_ms is not None and opens[-1] + timeframe_ms < to_ms:
        notes.append(f"requested to {utc(to_ms)}; data ends at {utc(int(opens[-1]) + timeframe_ms)}")
    for name, frame in cut.items():
        first, last = int(frame["ts"][0]), int(frame["ts"][-1])
        if first != opens[0] or last != opens[-1]:
            notes.append(f"{name}: bars only {utc(first)} .. {utc(last + timeframe_ms)}")
    return notes


def _gap_notes(name: str, frame: pl.DataFrame, timeframe_ms: int) -> list[str]:
    """How many bars are missing inside the span."""
    missing = np.diff(frame["ts"].to_numpy()) // timeframe_ms - 1
    gaps = missing[missing > 0]
    if not gaps.size:
        return []
    return [f"{name}: {int(gaps.sum())} bars missing in {gaps.size} gaps, the longest {int(gaps.max())} bars"]


def _policy_note(name: str, policy: Policy) -> str:
    """What replaces recorded funding, if anything does."""
    if name.endswith(":spot"):
        return f"{name}: spot pays no funding"
    if policy == "none":
        return f"{name}: funding not charged (--funding none)"
    return f"{name}: funding assumed {policy[1]:g} bps every 8 h" if isinstance(policy, tuple) else ""


def _end_text(ms: int | None) -> str:
    """One end of a range that may be open."""
    return "the beginning" if ms is None else utc(ms)

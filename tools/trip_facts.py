"""Figures of closed round trips beyond what a table of them shows: streaks with their dates and sleeves, what a win and a loss
make, the hit rate at which both cancel out, medians, what was made before fees, the time in a position. Called by
tools/figures.py, for all of them and for each group.
"""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from engine.errors import BadInput
from engine.sim.breakdown import KEYS, rate_interval
from tools.common.contract import ToolContext, Value, clean
from tools.common.time_words import instant
from tools.runs import store

Facts = dict[str, tuple[Value, str]]


Window = tuple[int, int]  # from when to when round trips may have been open


def trip_facts(found: Any, window: Window | None = None) -> Facts:
    """All of them; None for what closed round trips do not define."""
    return _in_order(found) | _costs(found) | _medians(found) | in_position(found, window)


def window_of(ctx: ToolContext, subject: str, since: str | None, until: str | None) -> Window | None:
    """From when to when a run, or the desk, could have had round trips; None for a desk without a bar."""
    from engine.watch.window import first_mark, journal_of

    if subject != "desk":
        closes = store(ctx).frame(subject, "equity")["close_ms"]
        whole = None if closes.is_empty() else (int(closes[0]), int(closes[-1]))
    else:
        mark = first_mark(journal_of(ctx.home))
        whole = None if mark is None or ctx.desk_ms is None else (mark.t_event_ms, ctx.desk_ms)
    if whole is None:
        return None
    ends = (instant(since, ctx.desk_ms) if since else whole[0], instant(until, ctx.desk_ms) if until else whole[1])
    return max(whole[0], ends[0]), min(whole[1], ends[1])


def by_group(found: Any, by: str, window: Window | None = None) -> Iterator[tuple[str, Facts]]:
    """Each group of a split with its figures."""
    import polars as pl

    keyed = found.with_columns(KEYS[by]().cast(pl.String).alias("key"))
    for key in keyed["key"].unique().to_list():
        yield str(key), trip_facts(keyed.filter(pl.col("key") == key), window)


def below_peak(close_ms: Any, equity: Any) -> Facts:
    """How far a curve ends below its peak, and when that was."""
    at = int(equity.argmax())
    fall = float(equity[at] - equity[-1])
    return {"below": (fall, "usd"), "below_frac": (fall / float(equity[at]), "frac"), "peak": (int(close_ms[at]), "ms")}


def in_order(found: Any, order: str) -> Any:
    """Round trips with how long each was held: the newest, the longest or the shortest first; an open one has no length."""
    import polars as pl

    held = found.with_columns((pl.col("exit_ms") - pl.col("entry_ms")).alias("held_ms"))
    if order == "newest":
        return held.sort("entry_ms", descending=True)
    return held.sort("held_ms", "entry_ms", descending=[order == "longest", False], nulls_last=True)


def of_length(found: Any, held: str) -> Any:
    """The closed round trips that were held less than `<4h` or more than `>30m`. Raises BadInput."""
    import polars as pl

    asked = re.fullmatch(r"([<>])(\d{1,4}(?:\.\d{1,2})?)([mhd])", held)
    if asked is None:
        raise BadInput(f"not a length of time: {clean(held, 20)!r}", "write it as <30m or >4h")
    length, most = pl.col("exit_ms") - pl.col("entry_ms"), float(asked[2]) * _MS[asked[3]]
    return found.filter(length < most if asked[1] == "<" else length > most)


_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}


def _costs(found: Any) -> Facts:
    """The money traded; fees, slippage and the result before fees, of one trip and in bps of that money; the rate's interval."""
    import polars as pl

    closed = found.filter(pl.col("exit_ms").is_not_null())
    traded = float((closed["units"] * (closed["entry_price"] + closed["exit_price"])).sum())
    low, high = rate_interval(int((closed["net"] > 0).sum()), closed.height)
    net, fees, slippage = (float(closed[name].sum()) for name in ("net", "fees", "slippage"))
    values: Facts = {"turnover": (traded, "usd"), "win_low": (low, "frac"), "win_high": (high, "frac")}
    for name, amount in (("fees", fees), ("slippage", slippage), ("gross", net + fees), ("net", net)):
        values[f"mean_{name}"] = (amount / closed.height if closed.height else None, "usd")
        values[f"{name}_bps"] = (amount / traded * 1e4 if traded else None, "bps")
    values |= {"gross": (net + fees, "usd"), "fees_of_gross": (fees / (net + fees) if net + fees > 0 else None, "frac")}
    for name, kept in (("win", pl.col("net") > 0), ("loss", pl.col("net") <= 0)):
        own = closed.filter(kept)
        values[f"mean_{name}"] = (float(own["net"].sum()) / own.height if own.height else None, "usd")
        held = own.select((pl.col("exit_ms") - pl.col("entry_ms")).median())["exit_ms"][0] if own.height else None
        values[f"{name}_hold_ms"] = (None if held is None else int(held), "duration_ms")
    won, lost = values["mean_win"][0], values["mean_loss"][0]
    both = isinstance(won, float) and isinstance(lost, float) and won - lost > 0
    values["breakeven_frac"] = (-lost / (won - lost) if both else None, "frac")  # type: ignore[operator]
    values["payoff"] = (-won / lost if both and lost else None, "ratio")  # type: ignore[operator]
    values["costs_bps"] = ((fees + slippage) / traded * 1e4 if traded else None, "bps")
    values |= {f"ended_{reason}": (int((closed["reason"] == reason).sum()), "count") for reason in ("stop", "trail", "target")}
    return values


def _medians(found: Any) -> Facts:
    """The middle round trip, in money and in R."""
    closed = found.drop_nulls("exit_ms")
    return {"median_net": (closed["net"].median(), "usd"), "median_r": (closed["r"].median(), "ratio")}


def in_position(found: Any, window: Window | None) -> Facts:
    """How long at least one of them was open, and its share of the window; two at the same time count once."""
    if window is None:
        return {}
    first, last = window
    open_ms, until = 0, first
    for entry, out in found.sort("entry_ms").select("entry_ms", "exit_ms").rows():
        end = min(last if out is None else out, last)
        open_ms, until = open_ms + max(0, end - max(entry, until)), max(until, end)
    share = open_ms / (last - first) if last > first else None
    return {"open_ms": (open_ms, "duration_ms"), "open_frac": (share, "frac")}


def _in_order(found: Any) -> Facts:
    """In the order of their exits: profits over losses, the longest streaks and when they were."""
    rows = found.drop_nulls("exit_ms").sort("exit_ms").select("net", "entry_ms", "exit_ms", "sleeve").rows()
    net = [row[0] for row in rows]
    runs = [(won, list(own)) for won, own in groupby(rows, lambda row: row[0] > 0)]
    lost = -sum(value for value in net if value < 0)
    values: Facts = {"profit_factor": (sum(value for value in net if value > 0) / lost if lost > 0 else None, "ratio")}
    if runs:
        won, own = runs[-1]
        values["streak_now"] = (f"{len(own)} {'win' if won else 'loss'}{'' if len(own) == 1 else 's' if won else 'es'}", "text")
    for name, kind in (("loss", False), ("win", True)):
        longest = max((own for won, own in runs if won is kind), key=len, default=[])
        values[f"{name}_streak"] = (len(longest), "count")
        values[f"{name}_streak_net"] = (sum(row[0] for row in longest) if longest else None, "usd")
        values[f"{name}_streak_from"] = (longest[0][1] if longest else None, "ms")
        values[f"{name}_streak_to"] = (longest[-1][2] if longest else None, "ms")
        count = Counter(row[3] for row in longest)
        each = ", ".join(f"{clean(sleeve, 60)} {n}" for sleeve, n in count.most_common(6))
        values[f"{name}_streak_of"] = (each or None, "text")
    return values

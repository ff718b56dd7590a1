"""How often the watch of a change errs on recorded bars, and how late it finds what is planted: `python -m bench canary`.

Backtests over all of a recorded series (NIGHTDESK_DATA); each week a watch begins: its numbers are those that a card would have
of the days before, and what follows in the same run is written as a desk's events and read by the watch's own fold. Nothing was
changed, so each breach is a false one; with a fault planted in what follows, each is a find.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from app import notebook
from bench import canary_baskets
from engine.clock import DAY_MS, timeframe_ms
from engine.control.canary import WATCHED, CanaryRun, default_plan
from engine.control.canary_terms import numbers_of
from engine.errors import Refused
from engine.sim.life import life_of
from engine.store.chain import Event
from engine.watch.canaries import CanaryFold, breaches

BASKETS = [("pairs", "BTC-USDT,ETH-USDT,XRP-USDT", "1h"), ("pairs", "BTC-USDT,ETH-USDT,XRP-USDT,SOL-USDT", "15m")]
EAGER = {"window_days": 10.0, "step_days": 1.0, "enter": 1.2}  # a basket that trades often enough to be judged
SERIES = [(s, f"{c}-USDT", t) for s in ("trend", "reversion") for t in ("15m", "1h") for c in ("BTC", "ETH", "SOL", "XRP")]
FROM = {
    "BTC-USDT 1h": "2020",
    "SOL-USDT 1h": "2025",
    "BTC-USDT,ETH-USDT,XRP-USDT 1h": "2020",
}  # from where on bars and funding are there
NAMES = ("trips", "equity", "decisions")
EVIDENCE_DAYS = {"15m": (90,), "1h": (90, 365)}
PLANTED = ("no entry", "slippage", "losses", "rejections", "too many")
SLOWER = 4  # weeks between two watches with a fault


class Frames(NamedTuple):
    """A run's frames between two times, as the store of runs has those of a whole one."""

    frames: dict[str, pl.DataFrame]
    from_ms: int = 0
    to_ms: int = 1 << 60
    stopped_ms: int = 1 << 60  # the breaker of the desk, of which its marks tell
    lot_sizes: dict[str, float] = {}  # noqa: RUF012 - by leg, of a basket

    def load(self, _run_id: str) -> dict[str, Any]:
        """What a basket's numbers need of the stored run."""
        return {"config": {"instruments": {key: {"lot_size": size} for key, size in self.lot_sizes.items()}}}

    def frame(self, _run_id: str, name: str) -> pl.DataFrame:
        """One of NAMES."""
        begin, end = ("entry_ms", "exit_ms") if name == "trips" else ("close_ms", "close_ms")
        return self.frames[name].filter((pl.col(begin) >= self.from_ms) & (pl.col(end) < self.to_ms))


def planted(events: Iterator[Event], fault: str) -> Iterator[Event]:
    """The events with a fault in them: a signal that dies after three entries, 5 bps more a trip, falls three times as deep,
    every second entry rejected, or four round trips for each.
    """
    entries, equity, shown = 0, None, 0.0
    for event in events:
        body = dict(event.body)
        if event.kind == "fill" and body["slot"] == "entry":
            entries += 1
            if fault == "slippage":
                body["reference_price"] -= (1 if body["side"] == "buy" else -1) * 5e-4 * body["price"]
            if fault == "rejections" and entries % 2:
                yield event._replace(kind="order", body={"sleeve": "s", "state": "rejected"})
        if event.kind == "mark" and fault == "losses":
            now = body["sleeves"]["s"]["equity"]
            shown = now if equity is None else shown * (now / equity) ** (3 if now < equity else 1)
            equity, body = now, {**body, "sleeves": {"s": {"equity": shown}}}
        if not (fault == "no entry" and event.kind == "fill" and entries > 3):
            for _ in range(4 if fault == "too many" and event.kind == "fill" and body["slot"] != "entry" else 1):
                yield event._replace(body=body)
                if fault == "too many" and event.kind == "fill" and body["slot"] != "entry":
                    turned = "buy" if body["side"] == "sell" else "sell"
                    yield event._replace(body={**body, "slot": "entry", "side": turned, "reference_price": body["price"]})


def events_of(run: Frames) -> Iterator[Event]:
    """What a desk that trades as the run did writes: fills, refusals and a mark at each close, in order."""
    found = []
    for trip in run.frame("", "trips").iter_rows(named=True):
        long, price = trip["side"] == "long", trip["entry_price"]
        paid = trip["slippage"] / trip["units"] * (1 if long else -1)
        fill = {"sleeve": "s", "lots": 1, "price": price}
        enter = {**fill, "slot": "entry", "side": "buy" if long else "sell", "reference_price": price - paid}
        leave = {**fill, "slot": "exit", "side": "sell" if long else "buy", "reference_price": price}
        found += [(trip["entry_ms"], 1, "fill", enter), (trip["exit_ms"], 0, "fill", leave)]
    for row in run.frame("", "decisions").filter(pl.col("refused_by").is_not_null()).iter_rows(named=True):
        found.append((row["close_ms"], 2, "decision", {"sleeve": "s", "refused_by": row["refused_by"]}))
    for row in run.frame("", "equity").iter_rows(named=True):
        mark = {"sleeves": {"s": {"equity": row["equity"]}}, "tripped": ["desk drawdown"] * (row["close_ms"] >= run.stopped_ms)}
        found.append((row["close_ms"], 3, "mark", mark))
    for at_ms, _, kind, body in sorted(found, key=lambda one: one[:2]):
        yield Event(kind, at_ms, body)


def watched(terms: dict[str, Any], events: Iterator[Event], began_ms: int) -> tuple[str, int, int] | None:
    """(kind of the first breach or "", round trips by then, ms since it began) of one watch; None where the events end before."""
    run = run_of(terms)
    return followed(CanaryFold(run, Event("config", began_ms, {})), events, began_ms)


def run_of(terms: dict[str, Any]) -> CanaryRun:
    """A watch with these terms."""
    return CanaryRun("prop-1", "s", 1, 2, (2,), True, 2, terms | {"error": None}, "", 0, "running", {})


def followed(fold: CanaryFold, events: Iterator[Event], began_ms: int) -> tuple[str, int, int] | None:
    """The same of a fold."""
    for seq, event in enumerate(events):
        fold.see(event._replace(seq=seq + 1))
        if event.kind == "mark":
            if found := breaches(fold, {}, 0, 0):
                return found[0].kind, fold.trips, event.t_event_ms - began_ms
            if fold.is_over({}):
                return "", fold.trips, event.t_event_ms - began_ms
    return None


def windows(
    run: Frames, timeframe: str, days: int, every: int, change: Callable[[Iterator[Event]], Iterator[Event]]
) -> list[Any]:
    """What became of each watch of a run."""
    closes, plan, found = run.frames["equity"]["close_ms"], default_plan(WATCHED), []
    assert plan is not None
    for start in range(int(closes[0]) + days * DAY_MS, int(closes[-1]) - 30 * DAY_MS, every * 7 * DAY_MS):
        try:
            terms = numbers_of(
                Frames(run.frames, start - days * DAY_MS, start, lot_sizes=run.lot_sizes), "", plan, timeframe_ms(timeframe), 1.0
            )  # type: ignore[arg-type]
        except Refused:
            continue
        if run.lot_sizes:
            fold = canary_baskets.fold_of(run_of(terms), start, run.frames["trips"], run.lot_sizes)
            events = canary_baskets.events_of(run.frames, run.lot_sizes, start, start + 400 * DAY_MS)
            if (done := followed(fold, change(events), start)) is not None:
                found.append(done)
            continue
        held = run.frames["trips"].filter((pl.col("entry_ms") < start) & (pl.col("exit_ms") > start))["exit_ms"].to_list()
        begin = max([start, *held])  # a change waits for a flat sleeve
        if (done := watched(terms, change(events_of(run._replace(from_ms=begin))), begin)) is not None:
            found.append(done)
    return found


def frames_of(strategy: str, symbol: str, timeframe: str) -> Frames:
    """The whole of a recorded series, backtested."""
    begins = FROM.get(f"{symbol} {timeframe}")
    more: dict[str, Any] = ({"from_": begins} if begins else {}) | ({"params": EAGER} if "," in symbol else {})
    run = notebook.backtest(strategy, symbol, timeframe=timeframe, venue="binance", **more)
    frames = {name: run.frames()[name] for name in NAMES}
    frames["trips"] = frames["trips"].filter(pl.col("exit_ms").is_not_null())
    stopped = life_of(run.report).stopped_ms
    kept = run.report["config"]["instruments"] if "," in symbol else {}
    more = {} if stopped is None else {"stopped_ms": stopped}
    return Frames(frames, lot_sizes={key: float(one["lot_size"]) for key, one in kept.items()}, **more)


def canary(words: list[str]) -> None:
    """Print both tables, of the series that have these words: `reversion`, `15m`."""
    os.environ["NIGHTDESK_HOME"] = str(Path(tempfile.mkdtemp(prefix="nightdesk-bench-canary-")))
    false = Table("strategy", "evidence, days", "watches", "breached", "of which", title="Breached without a cause")
    late = Table("strategy", *PLANTED, title="Planted: found of watches, after trips and days (medians)")
    for strategy, symbol, timeframe in [one for one in (*SERIES, *BASKETS) if set(words) <= set(one)]:
        run, name = frames_of(strategy, symbol, timeframe), f"{strategy} {symbol} {timeframe}"
        for days in EVIDENCE_DAYS[timeframe]:
            done = windows(run, timeframe, days, 1, lambda events: events)
            kinds = [kind for kind, _, _ in done if kind]
            counts = ", ".join(f"{kind} {kinds.count(kind)}" for kind in sorted(set(kinds)))
            false.add_row(name, str(days), str(len(done)), f"{len(kinds)} ({100 * len(kinds) / max(len(done), 1):.1f} %)", counts)
        cells = []
        for fault in PLANTED if not run.lot_sizes else ():
            seen = windows(run, timeframe, days, SLOWER, partial(planted, fault=fault))
            hits = np.array([[trips, ms / DAY_MS] for kind, trips, ms in seen if kind])
            middle = "" if not len(hits) else " at {:.0f}, {:.1f}".format(*np.median(hits, axis=0))
            cells.append(f"{len(hits)}/{len(seen)}{middle}")
        if cells:
            late.add_row(name, *cells)
        print(name, flush=True)
    for table in [one for one in (false, late) if one.row_count]:
        Console(width=170).print(table)

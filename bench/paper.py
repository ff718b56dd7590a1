"""What one new bar costs a paper desk whose files grow: after a day and after a year, three sleeves on 15m bars.

Called by `python -m bench paper`. The desk's way of a new bar is timed whole: the folder is looked through, bars since the anchor
are read, checked, aligned and sent to the strategy process, which computes every sleeve's signals (its CPU is not counted).
"""

import tempfile
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import polars as pl

from bench.work import cpu_s
from engine.clock import DAY_MS
from engine.data.catalog import Catalog
from engine.data.synthetic import write_synthetic
from engine.data.timeframes import series_of
from engine.live.config_event import SleeveCode
from engine.live.feed import Feed, Span, load
from engine.live.signal_process import SignalProcess
from engine.live.signal_source import SignalSource
from engine.strategies import reversion, trend
from engine.venues.instruments import costs_of

FROM_MS = 1_640_995_200_000  # 2022-01-01
BAR_MS = 900_000
BEFORE_DAYS = 500  # recorded before the desk begins
AGES = (1, 100, 200, 365)
ROUNDS = 5
SLEEVES = (("BTC-USDT", trend), ("ETH-USDT", trend), ("SOL-USDT", reversion))
NAMES = [f"synthetic:{symbol}:perp" for symbol, _ in SLEEVES]


def new_bar(folder: Path, day: int, process: SignalProcess) -> Feed:
    """The bars read anew as the worker does when its files have grown, and every sleeve's signal at the last one."""
    catalog = Catalog([(folder, "recorded")])
    first = FROM_MS + BEFORE_DAYS * DAY_MS
    seen = FROM_MS + day * DAY_MS - BAR_MS
    feed = load(catalog, series_of(catalog, NAMES, "15m"), BAR_MS, Span(FROM_MS, first, first), "recorded", seen)
    for (_, strategy), name in zip(SLEEVES, NAMES, strict=True):
        code = SleeveCode(name, name, "15m", strategy, strategy.Params(), costs_of("binance", "BTC-USDT"), "both")
        source, t = SignalSource(code, process), len(feed.span.close_ms) - 1
        source.ask(feed, t)
        source.at(t, None, lambda: None)
        source.close()
    return feed


def paper_costs() -> Iterator[tuple[int, float, int]]:
    """(age of the desk in days, CPU ms of its next bar, bars read) as the files grow."""
    process = SignalProcess()
    with tempfile.TemporaryDirectory() as text, closing(process):
        whole, grown = Path(text) / "whole", Path(text) / "grown"
        grown.mkdir()
        bars = (BEFORE_DAYS + max(AGES) + 1) * DAY_MS // BAR_MS
        write_synthetic(whole, [symbol for symbol, _ in SLEEVES], "15m", BAR_MS, FROM_MS, bars, 3)
        for age in AGES:
            day = BEFORE_DAYS + age
            for path in whole.glob("*.parquet"):
                frame = pl.read_parquet(path)
                frame.filter(frame["ts"].dt.epoch("ms") < FROM_MS + day * DAY_MS).write_parquet(grown / path.name)
            new_bar(grown, day, process)
            seconds, feed = cpu_s(partial(new_bar, grown, day, process), ROUNDS)
            yield age, 1000.0 * seconds, len(feed.clock.whole.close_ms)

"""How long a start takes to fold its journal: 10,000 events of a paper desk, beside a bare loop that parses the same lines.

Called by `python -m bench`. The desk is a real one: three sleeves on a synthetic market, in a temporary home.
"""

import os
import shutil
import tempfile
from pathlib import Path

import orjson

from app.home.home import Home, open_home
from bench.verdicts import Verdicts
from bench.work import cpu_s
from engine.book.replay import after, batches, groups
from engine.control.config import DeskVersion, active, ensure_first
from engine.core.state import DAY_MS
from engine.data.synthetic import write_synthetic
from engine.data.timeframes import series_of
from engine.live import config_event
from engine.live.controls import Controls
from engine.live.feed import Span, load
from engine.live.loop import Loop
from engine.store.chain import Event
from engine.store.journal import Journal, read

EVENTS = 10_000
BAR_MS, FROM_MS = 900_000, 1_735_689_600_000
WARM_DAYS, DAYS = 33, 120  # features need a month
SYMBOLS = ("BTC-USDT", "ETH-USDT", "SOL-USDT")
LIMIT_S = 1.0


def walked(folder: Path) -> Path:
    """The journal of a desk that walked until it had written EVENTS events."""
    write_synthetic(folder / "data" / "synthetic", SYMBOLS, "15m", BAR_MS, FROM_MS, DAYS * DAY_MS // BAR_MS, 3)
    before, os.environ["NIGHTDESK_HOME"] = os.environ.get("NIGHTDESK_HOME"), str(folder)
    try:
        home = open_home(0)
    finally:
        os.environ.pop("NIGHTDESK_HOME")
        os.environ |= {"NIGHTDESK_HOME": before} if before else {}
    loop = opened(home)
    while loop.journal.head.seq < EVENTS:
        loop.step()
    loop.journal.close()
    return home.desk_journal


def opened(home: Home) -> Loop:
    """A loop that has begun its desk."""
    first = FROM_MS + WARM_DAYS * DAY_MS
    span = Span(FROM_MS, first, FROM_MS + DAYS * DAY_MS)  # a replay: the journal reaches the disk once a day
    names = config_event.instruments(active(home.engine, home.path).config)
    feed = load(home.catalog, series_of(home.catalog, names, "15m"), BAR_MS, span, "recorded")

    def body_of(desk: DeskVersion) -> dict[str, object]:
        return config_event.body_of(desk, home.desk.limits, home.desk.overrides(), home.strategies)

    ensure_first(home.engine, home.path, 0, "a bench")

    loop = Loop(Journal(home.desk_journal, "worker"), Controls(home.path, home.engine), home.strategies, body_of, lambda: 0)
    loop.open(None, span, {"source": feed.source, "funding": "recorded"})
    loop.use_feed(feed)
    return loop


def folded(events: list[Event], path: Path) -> int:
    """The fold of all of them; bars so far."""
    book = None
    for batch in batches(events):
        for group in groups(batch):
            book = after(book, group, path)
    assert book is not None
    return book.count


def folding() -> None:
    """Print the table."""
    folder = Path(tempfile.mkdtemp(prefix="nightdesk-bench-"))
    try:
        path = walked(folder / "home")
        lines = path.read_bytes().splitlines()
        last = [event.seq for event in read(path) if event.left == 0 and event.seq <= EVENTS][-1]
        lines = lines[:last]
        seconds, _ = cpu_s(lambda: folded([event for event in read(path) if event.seq <= last], path), 3)
        bare, _ = cpu_s(lambda: [orjson.loads(line) for line in lines], 3)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    table = Verdicts("Folding a journal, three sleeves at 15 minutes (CPU)")
    rate = f"{seconds:.2f} s, {last / seconds:,.0f} events/s"
    table.add(f"fold {last:,} events", seconds, "s CPU", LIMIT_S, rate)
    table.add("a bare loop that parses the same lines", bare, "s CPU", None, f"{bare:.3f} s, {last / bare:,.0f} events/s")
    table.show()

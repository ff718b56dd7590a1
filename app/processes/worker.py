"""The trading process (`nightdesk worker`): wires a home to the ordinary loop, owns its clock, stops cleanly.

Started by app.processes.supervisor or by hand; one a home (the desk journal's lock). Start-up is recovery: fold the journal,
check it against the bars and the database, hand working orders over again, go on. It holds no model key, whatever environment
it was started in, and reaches no agent. A fault it cannot go on with is one line on stderr and exit code 1.
"""

import argparse
import os
import select
import signal
import sys
import time
from types import FrameType
from typing import Any

from app.processes.chain_check import ChainCheck
from app.processes.children import allowed_worker, become_worker, home_of
from app.processes.keeping import HeadNotes, Heartbeat, Log, now_ms
from app.processes.opening import config_body, funding_text, opened_journal, walked
from app.processes.room import failure_text, lacking
from app.processes.unattended import open_positions, say
from engine.clock import timeframe_ms, utc
from engine.process_memory import trim_memory
from engine.watch.heartbeat import unattended_text

LOOK_S = 0.25  # between two looks at what people have set, while no bar comes
GROWN_S = 5.0  # between two looks whether the files have grown, at their end


class Pause:
    """Sleep that a signal ends; `stopping` is set by SIGTERM and SIGINT."""

    def __init__(self) -> None:
        self.stopping = False
        self._wake, woken = os.pipe()
        os.set_blocking(woken, False)
        signal.set_wakeup_fd(woken)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def sleep(self, seconds: float) -> None:
        """Until then, or until a signal."""
        if seconds > 0 and not self.stopping:
            ready, _, _ = select.select([self._wake], [], [], seconds)
            if ready:
                os.read(self._wake, 4096)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True


class Worker:
    """One home's loop with a clock."""

    def __init__(self, home: Any, bars_per_second: float, pause: Pause, *, stop_at_end: bool = False) -> None:
        from engine.data.loading import policy_of
        from engine.data.timeframes import series_of
        from engine.live.controls import Controls
        from engine.live.loop import Loop

        self.home, self.rate, self.pause, self.stop_at_end = home, bars_per_second, pause, stop_at_end
        self.log = Log(home.path / "logs" / "worker.jsonl")
        self.journal = opened_journal(home, self.log)
        self.chain = ChainCheck(home.path, home.engine, self.log)
        self.chain.start()
        self.clock, self.columns = walked(home)
        self.bar_ms, self.first_ms = timeframe_ms(self.clock), 0  # first_ms: where the first traded bar opens
        self.policy = policy_of(home.desk.worker.funding)
        self.catalog = home.catalog
        self.series = series_of(self.catalog, self.columns, self.clock)

        def body_of(desk: Any) -> dict[str, Any]:
            return config_body(home, desk, self.clock, self.first_ms, self.catalog)

        self.loop = Loop(self.journal, Controls(home.path, home.engine), home.strategies, body_of, now_ms)
        self.loop.withheld, self.loop.signals.waiting = self.chain.withheld, self.beat
        self.phase, self.note = "starting", ""
        self.heartbeat, self.heads = Heartbeat(home.path), HeadNotes(home.engine)
        self.refused = ""  # why new bars at the end are not walked

    def open(self) -> None:
        """Recover: fold, check the bars, adopt what changed while nobody looked, hand over what works."""
        from engine.book.replay import fold
        from engine.live.config_event import belongs
        from engine.live.feed import Span, begin_at, load, unchanged

        book = fold(self.journal.path)
        if book is not None:
            belongs(book.start, {})
        if book is None:
            span = begin_at(self.series, self.bar_ms, self.home.desk.worker.replay_days)
        else:
            span = Span(*(book.start[name] for name in Span._fields))
        self.first_ms, seen_ms = span.first_ms, 0 if book is None else book.close_ms
        feed = load(self.catalog, self.series, self.bar_ms, span, self.policy, seen_ms).covering(self.reads(book))
        if book is not None:
            unchanged(feed, book)
        about = {"home_id": self.home.id, "source": feed.source, "funding": funding_text(self.policy), "notes": list(feed.notes)}
        self.loop.open(book, span, about)
        self.loop.use_feed(feed)
        self.loop.poll_controls()
        self.loop.adopt(self.loop.book.version)
        self.loop.resume()
        self._size, self._grown_at = self.sizes(), time.monotonic()
        self.compare_file()
        trim_memory()
        if book is not None and (left := open_positions(self.loop.book)):
            say(f"looks after {'; '.join(left)} again, left open at {utc(self.loop.book.close_ms)}. To flatten: nightdesk halt")
        self.log.note("started", desk_ms=self.loop.book.close_ms, bars=self.loop.book.count, version=self.loop.book.version)

    def reads(self, book: Any) -> list[Any]:
        """What the strategies read beside their own bars: of a running desk, or of one that begins."""
        from engine.control.config import active
        from engine.live.config_event import reads_of_book, reads_of_config

        if book is not None:
            return reads_of_book(book, self.home.strategies)
        return reads_of_config(active(self.home.engine, self.home.path).config, self.home.strategies)

    def compare_file(self) -> None:
        """Say where desk.toml differs from the version in force: an edit of its sleeves has no effect any more."""
        from engine.control.config import differences_in_force

        if found := differences_in_force(self.home.engine, self.home.path):
            sys.stderr.write(f"nightdesk worker: {found}\n")
            self.log.warning("desk.toml differs", what=found)

    def run(self) -> None:
        """Bars until stopped: the replay at full speed, then so many a second, then waiting at the end of the data."""
        due = time.monotonic()
        while not self.pause.stopping:
            if not self.loop.ready():
                if self.stop_at_end and not self.loop.poll_controls():
                    break
                self.rest()
                due = time.monotonic()
                continue
            if self.loop.replaying:
                self.enter("replaying")
                self.loop.step()
            else:
                self.enter("running")
                due = self.wait(max(due + 1.0 / self.rate, time.monotonic() - 1.0))
                if not self.pause.stopping:
                    self.loop.step()
            self.beat()
            self.anchor()
        self.stop()

    def wait(self, due: float) -> float:
        """Until `due` (monotonic s), following what people set meanwhile; returns it."""
        while not self.pause.stopping and (left := due - time.monotonic()) > 0:
            self.pause.sleep(min(left, LOOK_S))
            self.beat(now=left > LOOK_S and self.loop.poll_controls())
        return due

    def rest(self) -> None:
        """No bar has come: follow what people set, look now and then whether the files have grown."""
        book = self.loop.book
        closing = "; flattening at the next bar, none has come" if book.state == "flattening" else ""
        text = f"End of the {self.loop.feed.source} bars at {utc(book.close_ms)}: waiting for more{closing}.{self.refused}"
        self.enter("waiting", text)
        self.pause.sleep(LOOK_S)
        if self.loop.poll_controls():
            self.beat(now=True)
        self.beat()
        self.anchor()
        if time.monotonic() - self._grown_at >= GROWN_S:
            self._grown_at = time.monotonic()
            self.look_for_bars()

    def look_for_bars(self) -> None:
        """Walk on when files have changed. What cannot be walked (settlements still missing, another history) is told
        and waited out: the desk goes on with what it has.
        """
        from engine.data.catalog import Catalog
        from engine.data.timeframes import series_of
        from engine.errors import DeskError
        from engine.live.feed import Span, load, unchanged

        if (found := self.sizes()) == self._size:
            return
        self._size, catalog = found, Catalog(self.home.roots)
        try:
            series = series_of(catalog, self.columns, self.clock)
            span = Span(*(self.loop.book.start[name] for name in Span._fields))
            feed = load(catalog, series, self.bar_ms, span, self.policy, self.loop.book.close_ms)
            unchanged(feed, self.loop.book)
            self.loop.use_feed(feed)
        except DeskError as error:
            self.refused = f" New bars are there, but: {error}"
            self.log.warning("new bars cannot be walked", why=str(error))
            return
        self.series, self.catalog, self.refused = series, catalog, ""
        trim_memory()
        self.log.note("bars read anew", bars=feed.bar_count)

    def sizes(self) -> list[tuple[str, int, int]]:
        """What tells that a file of ours was written again, or that one came into the home."""
        from engine.data.checksums import beside

        paths = {s.path for s in (*self.series.values(), *self.loop.feed.files)}
        paths |= set((self.home.path / "data").rglob("*.parquet"))
        paths |= {beside(path) for path in paths}  # put back after its file, it makes that one whole
        stats = [(str(path), path.stat()) for path in sorted(paths) if path.exists()]
        return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]

    def enter(self, phase: str, note: str = "") -> None:
        """A phase begins: starting, replaying, running, waiting."""
        if (phase, note) != (self.phase, self.note):
            changed, self.phase, self.note = phase != self.phase, phase, note
            if changed:
                trim_memory()
                self.log.note(phase, desk_ms=self.loop.book.close_ms, bars=self.loop.book.count, note=note)
            self.beat(now=True)

    def beat(self, *, now: bool = False) -> None:
        """Say in the home how the desk stands."""
        if now or self.heartbeat.due():
            stamp = "REPLAYED" if self.loop.replaying else "PAPER"
            about = {"phase": self.phase, "note": self.note, "refused": self.refused.strip(), "stamp": stamp, "mode": "paper"}
            self.heartbeat.write(self.loop.book, **about, source=self.loop.feed.source, bars_per_second=self.rate)

    def anchor(self) -> None:
        """Note the journal's head in the database; a replay is noted at its end."""
        if not self.loop.replaying:
            self.heads.note(self.journal.head)

    def stop(self) -> None:
        """Leave cleanly: a snapshot, the head anchored, a last note."""
        self.loop.signals.close()
        self.loop.snapshot()
        if not self.loop.replaying:
            self.heads.end(self.journal.head)
        self.phase, self.note = "stopped", ""
        self.beat(now=True)
        self.log.note("stopped", desk_ms=self.loop.book.close_ms, bars=self.loop.book.count)
        self.journal.close()
        say(unattended_text(open_positions(self.loop.book)))


def clean(words: list[str]) -> None:
    """Begin anew in an allow-listed environment unless this one is: a model key must not even be in /proc."""
    if dict(os.environ) != allowed_worker(os.environ, home_of(os.environ)):
        again(words)


def again(words: list[str]) -> None:
    """Replace this process by a fresh worker."""
    become_worker(words)


def main(words: list[str]) -> int:
    """Run the worker of NIGHTDESK_HOME until it is stopped; the exit code."""
    parser = argparse.ArgumentParser(prog="nightdesk worker")
    parser.add_argument("--bars-per-second", type=float, default=None)
    parser.add_argument("--stop-at-end", action="store_true", help="do not wait for more bars")
    asked = parser.parse_args(words)
    clean(words)
    if short := lacking():
        sys.stderr.write(f"nightdesk worker: {short}\n")
        return 1
    from app.home.home import open_home
    from app.home.synthetic import ensure_market
    from app.processes.account_claims import claim_keys
    from engine.errors import BadInput, DeskError

    try:
        home = open_home()
        rate = home.desk.worker.bars_per_second if asked.bars_per_second is None else asked.bars_per_second
        if not 0 < rate <= 100_000:
            raise BadInput(f"--bars-per-second {rate} is out of bounds", "above 0, up to 100000")
        claim_keys(home, say)
        if home.desk.data.source == "live":
            from app.processes.live_start import run_live

            return run_live(home)
        if ensure_market(home):
            again(words)  # the libraries that made it leave the memory
        worker = Worker(home, rate, Pause(), stop_at_end=asked.stop_at_end)
        worker.open()
        worker.run()
    except (DeskError, OSError, MemoryError) as error:
        say(str(error) if isinstance(error, DeskError) else failure_text(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

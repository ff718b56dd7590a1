"""Storms over the paper desk: a seed makes a plan of faults and of what people do; every invariant holds at every step.

What people do (halt, release, new versions, pauses) is part of the run. Faults (restarts, torn tails, disks that fail) must
leave no trace: the same plan without them gives the same journal hash (RELIABILITY I1, I2, I13, I20).
"""

import os
import random
from pathlib import Path
from typing import Any

import pytest

from app.home.home import Home, open_home
from engine.book.replay import fold
from engine.book.snapshot import to_json
from engine.control import halt
from engine.core.ledger import open_lots
from engine.core.state import ENTRY, EXIT_SLOT, PROTECTIVE
from engine.errors import JournalBroken
from engine.live.feed import Feed
from engine.store.journal import journal_hash, read, verify
from tests.fakes.papers import WALL_MS, feed_of, furnished, loop_of, reconfigured

BARS = 320
FAULTS = ("restart", "torn", "disk", "snapshot")
PEOPLE = ("halt file", "halt both", "release", "stop_atr", "fast", "pause", "resume")
SLEEVES = ("btc-trend", "eth-trend", "sol-reversion")


def plan_of(seed: int) -> list[tuple[int, str, float]]:
    """(bar, what, how) in order: printed when it fails, so that it can be cut down."""
    dice = random.Random(seed)
    bars = sorted(dice.sample(range(2, BARS), 24))
    return [(bar, dice.choice(FAULTS + PEOPLE), dice.random()) for bar in bars]


class Storm:
    """One desk under one plan."""

    def __init__(self, home: Home, feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home, self.feed, self.patch = home, feed, monkeypatch
        self.loop = loop_of(home, feed)
        self.place_after_latch = 0

    def walk_to(self, bar: int) -> None:
        """Every bar up to `bar`, the invariants after each."""
        while self.loop.book.count < bar:
            self.loop.step()
            self.hold()

    def hold(self) -> None:
        """What must be true at every moment."""
        book, venue = self.loop.book, self.loop.venue
        latched = halt.read(self.home.path, self.home.engine).halted
        assert bool(book.desk.halted) == latched
        working = [s.order for s in book.sleeves if s.order.side]
        entries = [o for o in venue.orders.values() if o.slot == ENTRY]
        assert len(entries) == len(working), "the venue holds the entries that the book ordered"
        assert set(venue.orders) == set(book.orders.open), "the venue holds what the book knows, and nothing is in doubt"
        assert not [o for o in book.orders.open.values() if o.in_doubt]
        covered = {(o.sleeve, o.key) for o in venue.orders.values() if o.slot in (PROTECTIVE, EXIT_SLOT)}
        layers = {(n, k.key) for n, s in enumerate(book.sleeves) for k in s.position.layers[: s.position.open_layers]}
        assert layers == covered, "each layer has its stop or its exit at the venue, no other has"
        if latched:
            assert not working, "an order at work while halted"
        for spec, sleeve in zip(book.specs, book.sleeves, strict=True):
            position, money = sleeve.position, sleeve.ledger
            gain = sum(k.lots * (book.bars[spec.rules.instrument].close - k.entry) for k in position.layers)
            assert money.equity == pytest.approx(money.cash + position.side * spec.rules.lot_size * gain, rel=1e-9)
            assert (open_lots(position) == 0) == (position.open_layers == 0)
        assert book.desk.equity == pytest.approx(sum(s.ledger.equity for s in book.sleeves), rel=1e-9)

    def restart(self) -> None:
        """The process ends without a word; the next one folds."""
        bars = self.loop.book.count
        self.loop.journal.close()
        self.loop = loop_of(self.home, self.feed, fold(self.home.desk_journal))
        self.walk_to(bars)

    def fault(self, what: str, how: float) -> None:
        """Something breaks."""
        path = self.home.desk_journal
        if what == "torn":
            last = [e.seq for e in read(path) if e.left == 0][-2:]
            size = path.stat().st_size
            kept = sum(len(line) for n, line in enumerate(path.read_bytes().splitlines(keepends=True), 1) if n <= last[0])
            os.truncate(path, kept + 1 + int(how * (size - kept - 2)))
            self.loop.journal.close()
            bars = self.loop.book.count
            self.loop = loop_of(self.home, self.feed, fold_after_cut(self.home))
            self.walk_to(bars)
        elif what == "disk":
            with self.patch.context() as patch:  # in a replay only a day's end asks the disk: there it is the write that fails
                patch.setattr(os, "write" if self.loop.replaying else "fdatasync", _full)
                with pytest.raises(JournalBroken):
                    self.loop.step()
            self.restart()
        elif what == "snapshot":
            self.loop.snapshot()
        else:
            self.restart()

    def person(self, what: str, how: float) -> None:
        """Somebody does something; a second look changes nothing."""
        home, sleeve = self.home, SLEEVES[int(how * 3)]
        if what.startswith("halt"):
            halt.set(home.path, f"storm {how:.3f}", {"name": "ann"}, WALL_MS, home.engine if what == "halt both" else None)
        elif what == "release":
            seen = halt.read(home.path, home.engine)
            if seen.halted:
                halt.release(home.path, home.engine, seen, {"name": "bob"}, "storm", WALL_MS)
        elif what == "stop_atr":
            reconfigured(home, sleeve, stop_atr=round(1.5 + 3 * how, 3))
        elif what == "fast" and sleeve != "sol-reversion":
            reconfigured(home, sleeve, fast_bars=10 + int(how * 60))
        elif what in {"pause", "resume"}:
            reconfigured(home, sleeve, paused=what == "pause")
        self.loop.poll_controls()
        assert not self.loop.poll_controls()
        self.hold()


def _full(*_args: object) -> int:
    raise OSError(28, "No space left on device")


def fold_after_cut(home: Home) -> Any:
    """Opening the journal sets the torn bytes aside; then it folds."""
    from engine.store.journal import Journal

    Journal(home.desk_journal, "worker").close()
    return fold(home.desk_journal)


def weathered(folder: Path, plan: list[tuple[int, str, float]], patch: pytest.MonkeyPatch, *, faults: bool) -> str:
    """Run a plan on a fresh home; the journal's hash at the end."""
    patch.setenv("NIGHTDESK_HOME", str(furnished(folder)))
    home = open_home(WALL_MS)
    storm = Storm(home, feed_of(home), patch)
    for bar, what, how in plan:
        storm.walk_to(bar)
        if what in PEOPLE:
            storm.person(what, how)
        elif faults:
            storm.fault(what, how)
    storm.walk_to(BARS + 200)
    storm.loop.journal.close()
    path = home.desk_journal
    assert verify(path).ok
    assert to_json(fold(path, whole=True)) == to_json(storm.loop.book)
    latched = [e.seq for e in read(path, {"halt"}) if e.body["state"] == "halted"]
    released = [e.seq for e in read(path, {"halt"}) if e.body["state"] == "released"]
    for event in (e for e in read(path, {"intent"}) if e.body["slot"] == "entry"):
        before = [seq for seq in latched if seq < event.seq]
        assert not before or any(before[-1] < seq < event.seq for seq in released), f"{event.id} entered while latched"
    return journal_hash(path)


SHORT = (7,)  # everything comes up in it; a storm is four seconds
SEEDS = [*SHORT, *(pytest.param(n, marks=pytest.mark.long) for n in range(200) if n not in SHORT)]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_storm_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Invariants at every bar; the hash of the same plan in calm weather."""
    plan = plan_of(seed)
    stormy = weathered(tmp_path / "storm", plan, monkeypatch, faults=True)
    calm = weathered(tmp_path / "calm", plan, monkeypatch, faults=False)
    assert stormy == calm, plan


def test_the_plans_reach_what_they_should() -> None:
    """Every fault and everything people do comes up in each of the seeds that always run."""
    for seed in SHORT:
        assert {what for _, what, _ in plan_of(seed)} == set(FAULTS + PEOPLE)

"""The loop: what people set is followed within a bar, the journal comes first, and it alone makes the desk again."""

import pytest

from app.home.home import Home
from engine.book.replay import batches, fold, groups
from engine.book.snapshot import to_json
from engine.control import halt
from engine.control.config import active, active_version
from engine.core.state import DAY_MS, ENTRY, EXIT_SLOT
from engine.errors import DataError
from engine.live.controls import Controls, ControlState
from engine.live.feed import Feed
from engine.live.loop import Loop
from engine.store.journal import read
from tests.fakes.papers import (
    BAR_MS,
    WALL_MS,
    advanced,
    advanced_until,
    changeable,
    holding,
    loop_of,
    ordering,
    reconfigured,
)
from tests.fakes.versions import put_in_force


def events(loop: Loop, *kinds: str) -> list:
    """What was journaled of these kinds."""
    return list(read(loop.journal.path, kinds or None))


def restarted(home: Home, feed: Feed, loop: Loop) -> Loop:
    """The same desk in a new process' shoes."""
    loop.journal.close()
    return loop_of(home, feed, fold(home.desk_journal))


def test_each_bar_is_one_batch_that_ends_with_its_mark(loop: Loop) -> None:
    """What the venue did, then the bar with what follows from it, its mark last; and the mark's equity is the desk's."""
    advanced_until(loop, holding)
    advanced(loop, 150 - loop.book.count)
    seen, led = 0, set()
    for batch in batches(events(loop)):
        kinds = [group[0].kind for group in groups(batch)]
        if "bar" in kinds:
            assert kinds.count("bar") == 1
            assert (kinds[-1], batch[-1].kind) == ("bar", "mark")
            seen, led = seen + 1, led | set(kinds)
    assert seen == 150
    assert led >= {"bar", "fill", "order"}
    assert events(loop, "mark")[-1].body["equity"] == loop.book.desk.equity


def test_a_decision_tells_what_it_was_made_of(loop: Loop) -> None:
    """Features, signal, position before, equity; an entry also its size, each cap and the one that bound."""
    advanced_until(loop, ordering)
    decision = next(e for e in events(loop, "decision") if e.body["action"] == "enter").body
    assert {"sleeve", "signal", "strength", "lots_before", "working_lots_before", "equity", "features", "version"} <= set(
        decision
    )
    assert any(label.startswith(("sma(", "rsi(")) for label in decision["features"])
    assert decision["size"]["approved_lots"] > 0
    assert decision["size"]["binding"] in decision["caps"]
    assert {"fill_model", "cost_model"} <= set(decision)
    intent = events(loop, "intent")[-1].body
    assert intent["slot"] == "entry"
    assert intent["order"] in loop.venue.orders


def test_a_halt_cancels_entries_at_once_and_flattens_at_the_next_open(home: Home, loop: Loop) -> None:
    """Latched between two bars: the working entry never fills, the position leaves at the next open, nothing enters."""
    advanced_until(loop, lambda book: ordering(book) and holding(book))
    halt.set(home.path, "a test", {"name": "ann"}, WALL_MS, home.engine)
    loop.poll_controls()
    assert loop.book.state == "flattening"
    assert not ordering(loop.book)
    assert not [o for o in loop.venue.orders.values() if o.slot == ENTRY]
    said = events(loop, "halt")[-1].body
    assert (said["state"], said["reason"], said["by"]) == ("halted", "a test", "ann")
    placed = len([r for r in loop.venue.requests if r.what == "place"])
    assert {o.slot for o in loop.venue.orders.values()} == {EXIT_SLOT}, "the exit works; stops and targets are cancelled"
    advanced(loop, 1)
    assert loop.book.state == "halted"
    last = [e.body for e in events(loop, "fill") if e.t_event_ms == loop.book.close_ms]
    assert {(body["slot"], body["reason"]) for body in last} == {("exit", "halt")}
    advanced(loop, 60)
    assert len([r for r in loop.venue.requests if r.what == "place"]) == placed
    assert not holding(loop.book)


def test_a_halt_survives_the_restart_and_a_release_ends_it(home: Home, feed: Feed, loop: Loop) -> None:
    """Halted by the file alone, restarted, still halted; released, it enters again."""
    advanced(loop, 100)
    halt.set(home.path, "by file", {"name": "ann"}, WALL_MS)
    loop = restarted(home, feed, loop)
    assert loop.book.desk.halted == 1
    advanced(loop, 50)
    assert len(events(loop, "halt")) == 1
    halt.release(home.path, home.engine, halt.read(home.path, home.engine), {"name": "bob"}, "all clear", WALL_MS)
    advanced_until(loop, ordering)
    released = events(loop, "halt")[-1].body
    assert (released["state"], released["reason"], released["by"]) == ("released", "all clear", "bob")
    loop.journal.close()


class _LatchedAfter(Controls):
    """Somebody halts between the journal's group and the hand-over of its orders."""

    armed = False

    def poll(self) -> ControlState:
        """Latch at the second look of a bar."""
        if self.armed:
            self.armed = False
            halt.set(self.home, "at the last moment", {"name": "ann"}, WALL_MS, self.engine)
        return super().poll()


def test_a_halt_between_journal_and_venue_keeps_the_order_here(home: Home, feed: Feed) -> None:
    """The intent is journaled, the latch is set, the venue never hears of it; the journal says cancelled."""
    controls = _LatchedAfter(home.path, home.engine)
    loop = loop_of(home, feed, controls=controls)
    record = loop._record

    def late(groups, *, sync):
        heads = record(groups, sync=sync)
        controls.armed = any(kind == "intent" for _, _, following in groups for kind, _ in following)
        return heads

    loop._record = late  # type: ignore[method-assign]  # the moment this test is about
    advanced_until(loop, lambda book: book.desk.halted)
    assert not loop.venue.requests
    kept = events(loop, "order")[-1].body
    assert (kept["state"], kept["why"]) == ("done", "never sent: the desk was halted")
    assert kept["order"] == events(loop, "intent")[-1].body["order"]
    assert not loop.book.orders.open
    loop.journal.close()


def test_the_drawdown_breaker_latches_the_halt_for_people(home: Home, feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tripped inside the core, it is the same halt as a person's: file and database, once, until a person releases."""
    tight = home.desk.limits.model_copy(update={"drawdown_frac_max": 0.0005})
    home = Home(home.settings, home.desk.model_copy(update={"limits": tight}), home.engine)
    loop = loop_of(home, feed)
    advanced_until(loop, lambda book: book.desk.tripped)
    latch = halt.read(home.path, home.engine)
    assert (latch.halted, latch.by) == (True, "guardrail")
    (home.path / halt.FILE).unlink()  # as if the process had died between breaker and latch
    with home.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM halts")
    loop = restarted(home, feed, loop)
    latch = halt.read(home.path, home.engine)
    assert latch.halted
    advanced(loop, 3)
    halt.release(home.path, home.engine, latch, {"name": "bob"}, "looked at it", WALL_MS)
    loop = restarted(home, feed, loop)
    assert (loop.book.desk.halted, loop.book.desk.tripped) == (0, 0)
    assert not halt.read(home.path, home.engine).halted
    loop.journal.close()


def test_a_flat_sleeve_adopts_a_version_before_its_next_bar(home: Home, loop: Loop) -> None:
    """One config event, at the desk time of the last bar, and the next decision says the new version."""
    advanced_until(loop, lambda book: not ordering(book) and book.sleeves[0].position.open_layers == 0)
    at, version = loop.book.close_ms, reconfigured(home, "btc-trend", stop_atr=3.0)
    advanced(loop, 1)
    lead, sleeve = events(loop, "config")[-2:]
    assert (lead.body["version"], lead.t_event_ms) == (version, at)
    assert sleeve.body == {"sleeve": "btc-trend", "version": version, "state": "governs"}
    assert loop.book.specs[0].rules.stop_atr == 3.0
    assert loop.book.specs[1].rules.stop_atr == 2.0
    assert loop.book.version == version


def test_an_open_position_keeps_its_version_and_the_next_entry_has_the_new_one(home: Home, feed: Feed, loop: Loop) -> None:
    """Rules and signals stay the old ones until flat, over a restart too; then the very next entry is of the new."""
    advanced_until(loop, lambda book: book.sleeves[0].position.open_layers > 0)
    stop = loop.book.sleeves[0].position.layers[0].stop
    version = reconfigured(home, "btc-trend", stop_atr=4.0, fast_bars=12)
    advanced(loop, 1)
    assert events(loop, "config")[-1].body == {"sleeve": "btc-trend", "version": version, "state": "waits"}
    loop = restarted(home, feed, loop)
    while loop.book.sleeves[0].position.open_layers:
        assert (loop.book.specs[0].version, loop.book.sleeves[0].position.layers[0].stop) == (1, stop)
        loop.step()
    assert events(loop, "config")[-1].body == {"sleeve": "btc-trend", "version": version, "state": "governs"}
    advanced_until(loop, lambda book: book.sleeves[0].order.side != 0)
    entry = [e for e in events(loop, "decision") if e.body["sleeve"] == "btc-trend" and e.body["action"] == "enter"][-1]
    assert entry.body["version"] == version
    assert "sma(12)" in entry.body["features"]
    distance, atr = entry.body["size"]["stop_distance"], loop.book.sleeves[0].order.atr
    assert distance == pytest.approx(4.0 * atr)
    assert to_json(fold(home.desk_journal, whole=True)) == to_json(loop.book)
    loop.journal.close()


def test_the_entry_on_the_very_close_of_an_exit_is_of_the_new_version(home: Home, loop: Loop) -> None:
    """A position that a bar closes and whose close enters again must not enter by rules that were voted out."""
    advanced_until(loop, lambda book: book.sleeves[0].position.open_layers > 0)
    version = reconfigured(home, "btc-trend", stop_atr=4.0)
    advanced_until(loop, lambda book: book.sleeves[0].position.open_layers == 0)
    assert loop.book.specs[0].version == version
    assert [e.body["version"] for e in events(loop, "decision") if e.body["sleeve"] == "btc-trend"][-1] == version


def test_a_paused_sleeve_takes_no_entry_and_gets_its_own_pause_back(home: Home, loop: Loop) -> None:
    """Paused by a version: refused by the core's own rule, exits go on; resumed, the sleeve's own pause stands again."""
    advanced(loop, 5)
    own = loop.book.sleeves[0].guard.pause_until_ms
    reconfigured(home, "btc-trend", paused=True)
    advanced(loop, 200)
    mine = [e.body for e in events(loop, "decision") if e.body["sleeve"] == "btc-trend" and e.body["version"] > 1]
    assert {b["action"] for b in mine} <= {"refused", "hold", "exit"}
    assert "entries paused" in {b.get("refused_by") for b in mine}
    assert loop.book.sleeves[0].guard.paused == 1
    reconfigured(home, "btc-trend", paused=False)
    loop.poll_controls()
    guard = loop.book.sleeves[0].guard
    assert (guard.paused, guard.pause_until_ms) == (0, own)


def test_limits_that_were_edited_are_told_at_the_next_start(home: Home, feed: Feed, loop: Loop) -> None:
    """The same version under other hard limits is journaled; nothing edited, nothing told."""
    advanced(loop, 3)
    count = len(events(loop, "config"))
    assert not loop.adopt(1)
    loop.journal.close()
    tight = home.desk.limits.model_copy(update={"gross_frac_max": 1.0})
    home = Home(home.settings, home.desk.model_copy(update={"limits": tight}), home.engine)
    loop = loop_of(home, feed, fold(home.desk_journal))
    assert loop.adopt(1)
    assert len(events(loop, "config")) > count
    assert loop.book.limits.gross_frac_max == 1.0
    loop.journal.close()


def test_a_version_that_cannot_be_followed_is_an_incident_and_the_one_before_stays(home: Home, loop: Loop) -> None:
    """Another amount of cash is another desk: told once, not followed, not fatal."""
    advanced(loop, 3)
    old = active(home.engine, home.path).config
    other = old.with_sleeve(old.sleeves[0].model_copy(update={"cash": 5.0}))
    assert put_in_force(home.engine, home.path, other, WALL_MS) == active_version(home.engine) == 2
    advanced(loop, 5)
    assert loop.book.version == 1
    assert len(events(loop, "incident")) == 1


def test_history_that_was_changed_is_refused_at_the_start(home: Home, feed: Feed, loop: Loop) -> None:
    """A past close that moved gives other features: the desk does not go on as if nothing had happened."""
    advanced(loop, 40)
    loop.journal.close()
    feed = changeable(feed)
    feed.clock.whole.close[feed.clock.first - 20, 0] *= 1.001
    with pytest.raises(DataError, match="other features"):
        loop_of(home, feed, fold(home.desk_journal))


def test_each_day_leaves_a_snapshot(loop: Loop) -> None:
    """One at every UTC midnight, and the day's groups are on the disk with it."""
    advanced(loop, 3 * DAY_MS // BAR_MS)
    assert [e.t_event_ms % DAY_MS for e in events(loop, "snapshot")] == [0, 0, 0]


def test_a_loss_streak_does_not_end_a_pause_by_people(home: Home, loop: Loop) -> None:
    """The core's own pause, set while the sleeve is paused, is kept for later and lifts nothing now."""
    advanced(loop, 2)
    reconfigured(home, "btc-trend", paused=True)
    advanced(loop, 1)
    sleeve, soon = loop.book.sleeves[0], loop.book.close_ms + 5 * BAR_MS
    loop.book.sleeves[0] = sleeve._replace(guard=sleeve.guard._replace(pause_until_ms=soon))
    advanced(loop, 1)
    guard = loop.book.sleeves[0].guard
    assert (guard.paused, guard.pause_until_ms) == (1, soon)

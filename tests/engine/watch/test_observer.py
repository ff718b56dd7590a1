"""The observer on a hand-written home: what it sees, what it remembers between two looks, how long something is recent."""

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from engine.control import halt
from engine.control.limits import HardLimits
from engine.store import db as database
from engine.store.anchors import note_head
from engine.store.journal import Event, Head, Journal
from engine.store.tables import Delivery, Proposal
from engine.watch import health
from engine.watch.detectors import REFUSED_ROW_MAX, evaluate
from engine.watch.observer import EXPIRED_MS, FAILED_MS, INCIDENT_MS, Observer
from engine.watch.window import journal_of

BAR_MS = 900_000
T0 = 1_735_689_600_000
NOW = 1_760_000_000_000
DAY_MS = 86_400_000
CLEAR = {"refused_by": None, "refused_ms": None, "streak": 0, "day_entries": 0, "day_equity": 10_000.0}


def mark(bars: int, guard: dict[str, Any] | None = None, **sleeve: Any) -> Event:
    """The mark of the desk after so many bars."""
    body = {"equity": 10_000.0, "guard": CLEAR | (guard or {}), "position": None, **sleeve}
    desk = {"equity": 10_000.0, "peak": 10_000.0, "stamp": "PAPER", "tripped": [], "sleeves": {"btc": body}}
    return Event("mark", T0 + bars * BAR_MS, desk)


def decision(bars: int, **body: Any) -> Event:
    """A decision row after so many bars."""
    return Event("decision", T0 + bars * BAR_MS, {"sleeve": "btc", "action": "refused", **body})


def bar(bars: int, close: float | None = 100.0) -> Event:
    """A bar of one instrument; without a close it is missing."""
    return Event("bar", T0 + bars * BAR_MS, {"bars": {"binance:BTC-USDT:perp": [close, close, close, close, 1.0, 0.0, 0.0]}})


class Desk:
    """A home whose journal a test writes, and its observer."""

    def __init__(self, home: Path, engine: Engine) -> None:
        self.home, self.engine = home, engine
        self.journal = Journal(journal_of(home), "worker")
        start = {"timeframe_ms": BAR_MS, "source": "recorded"}
        self.journal.append([Event("config", T0, {"start": start, "sleeves": [{"name": "btc", "instrument": "i"}]})])
        self.observer = Observer(home, engine, HardLimits())

    def write(self, *events: Event) -> None:
        """One group."""
        self.journal.append(events, sync=False)

    def beat(self, **body: Any) -> None:
        """The worker's heartbeat."""
        (self.home / "worker.json").write_text(json.dumps(body))


@pytest.fixture
def desk(tmp_path: Path, sqlite: Engine) -> Iterator[Desk]:
    """A desk of one sleeve, before its first bar; this process holds its lock as a worker would."""
    made = Desk(tmp_path, sqlite)
    yield made
    made.journal.close()


def test_before_the_first_bar_there_is_nothing_to_find(desk: Desk) -> None:
    """No mark, no rows, no findings about a desk that has just been made."""
    seen = desk.observer.observe(NOW)
    assert (seen.mark, seen.recent, seen.tripped, seen.incidents) == (None, (), (), ())
    assert seen.config["sleeves"][0]["name"] == "btc"
    assert seen.pid == os.getpid()
    assert evaluate(seen)[0] == []


def test_it_sees_the_rows_of_the_last_bars_and_the_start_of_a_refusal_that_lasts(desk: Desk) -> None:
    """15 bars back; a refusal that began before that brings its own first decision along."""
    for n in range(1, 101):
        refused = decision(n, refused_by="leverage_max") if n == 3 else decision(n, action="hold")
        desk.write(bar(n), refused, mark(n, {"refused_by": "leverage_max", "refused_ms": T0 + 3 * BAR_MS}))
    seen = desk.observer.observe(NOW)
    at = [(e.t_event_ms - T0) // BAR_MS for e in seen.recent]
    assert at == [3, *range(100 - 3 * REFUSED_ROW_MAX, 101)]
    (found,) = [f for f in evaluate(seen._replace(heartbeat={"phase": "waiting"}))[0] if f.kind == "refused"]
    assert found.numbers["in_a_row"] == 98
    assert found.event == seen.recent[0].id


def test_orders_of_a_slow_sleeve_are_seen_for_as_long_as_its_row_of_rejections_takes(tmp_path: Path, sqlite: Engine) -> None:
    """Five closes of four hours back on a desk of fifteen minutes; a limit of seven in a row looks seven back."""
    journal = Journal(journal_of(tmp_path), "worker")
    start = {"timeframe_ms": BAR_MS, "source": "recorded"}
    journal.append([Event("config", T0, {"start": start, "sleeves": [{"name": "btc", "instrument": "i", "timeframe": "4h"}]})])
    for n in range(1, 16 * 9 + 1):
        sent = [Event("order", T0 + n * BAR_MS, {"sleeve": "btc", "state": "rejected", "slot": "entry", "lots": 1})]
        journal.append([bar(n), *(sent if n % 16 == 0 else ()), mark(n)])
    journal.close()
    for limits, orders in ((HardLimits(), 6), (HardLimits(rejections_row_max=7), 8)):
        seen = Observer(tmp_path, sqlite, limits).observe(NOW)
        assert [e.kind for e in seen.recent] == ["order"] * orders
        (found,) = [f for f in evaluate(seen._replace(heartbeat={"phase": "waiting"}))[0] if f.kind == "rejected"]
        assert found.numbers["in_a_row"] == orders


def test_since_when_no_worker_holds_the_journal_is_counted_from_the_first_look(desk: Desk) -> None:
    """Absent at three looks: the time of the first; when one comes back it is forgotten."""
    assert desk.observer.observe(NOW).absent_ms is None
    desk.journal.close()
    assert [desk.observer.observe(NOW + ms).absent_ms for ms in (1_000, 4_000, 9_000)] == [NOW + 1_000] * 3
    desk.journal = Journal(journal_of(desk.home), "worker")
    assert desk.observer.observe(NOW + 12_000).absent_ms is None
    desk.journal.close()
    assert desk.observer.observe(NOW + 20_000).absent_ms == NOW + 20_000


def test_a_phase_begins_when_phase_or_process_changes(desk: Desk) -> None:
    """A restarted worker in the same phase begins anew: its first bar is not late because the old one's was."""
    desk.beat(pid=1, phase="running", wall_ms=NOW)
    assert desk.observer.observe(NOW).phase_ms == NOW
    desk.beat(pid=1, phase="running", wall_ms=NOW + 5_000)
    assert desk.observer.observe(NOW + 5_000).phase_ms == NOW
    desk.beat(pid=2, phase="running", wall_ms=NOW + 9_000)
    assert desk.observer.observe(NOW + 9_000).phase_ms == NOW + 9_000
    desk.beat(pid=2, phase="waiting", wall_ms=NOW + 11_000)
    assert desk.observer.observe(NOW + 11_000).phase_ms == NOW + 11_000


def incident(what: str) -> Event:
    """An incident; it carries wall time."""
    return Event("incident", NOW, {"what": what})


def test_an_incident_is_seen_once_journaled_and_is_over_after_ten_minutes(desk: Desk) -> None:
    """What was journaled before the first look is history; later ones stay for INCIDENT_MS and not a millisecond longer."""
    desk.write(incident("of yesterday"))
    assert desk.observer.observe(NOW).incidents == ()
    desk.write(incident("a lost order"))
    assert [e.body["what"] for e in desk.observer.observe(NOW + 3_000).incidents] == ["a lost order"]
    assert len(desk.observer.observe(NOW + 3_000 + INCIDENT_MS - 1).incidents) == 1
    assert desk.observer.observe(NOW + 3_000 + INCIDENT_MS).incidents == ()


def test_an_incident_is_seen_however_much_was_journaled_behind_it(desk: Desk) -> None:
    """A desk of many sleeves, or one that replays, writes hundreds of events between two looks."""
    desk.write(mark(0))
    desk.observer.observe(NOW)
    desk.write(incident("the feed answered nonsense"))
    for n in range(1, 200):
        desk.write(bar(n), mark(n))
    seen = desk.observer.observe(NOW + 3_000)
    assert [e.body["what"] for e in seen.incidents] == ["the feed answered nonsense"]
    assert [e.body["what"] for e in desk.observer.observe(NOW + 6_000).incidents] == ["the feed answered nonsense"]


def test_the_last_outage_of_each_instrument_is_seen_with_its_beginning(desk: Desk) -> None:
    """Between incidents, and whatever ends meanwhile; another trouble is none."""

    def health(what: str, state: str) -> Event:
        return Event("health", NOW, {"what": what, "state": state, "why": ""})

    desk.observer.observe(NOW)
    desk.write(health("venue of a", "begun"), health("gate", "begun"), health("venue of a", "over"), incident("x"))
    first = desk.observer.observe(NOW + 3_000)
    assert list(first.away) == ["venue of a"]
    desk.write(health("venue of b", "begun"), health("venue of a", "begun"))
    again = desk.observer.observe(NOW + 6_000).away
    assert set(again) == {"venue of a", "venue of b"}
    assert again["venue of a"].seq > first.incidents[0].seq > first.away["venue of a"].seq


def test_breakers_are_searched_only_while_one_is_in_force(desk: Desk) -> None:
    """The row that set a pause is found up to pause_hours and two days back; without a pause nothing is looked for."""
    trip = Event("breaker", T0 + BAR_MS, {"sleeve": "btc", "breaker": "loss streak"})
    whole = Event("breaker", T0 + BAR_MS, {"sleeve": None, "breaker": "desk drawdown"})
    desk.write(bar(1), trip, whole, mark(1))
    assert desk.observer.observe(NOW).tripped == ()
    desk.write(bar(2), mark(2, paused_until_ms=T0 + DAY_MS))
    assert [e.body["breaker"] for e in desk.observer.observe(NOW).tripped] == ["loss streak"]
    late = 3 * 96 + 1  # the bar itself closes exactly 24 hours and two days before this one: outside
    desk.write(mark(late, paused_until_ms=T0 + 10 * DAY_MS))
    assert desk.observer.observe(NOW).tripped == ()


def test_three_bars_without_a_price_silence_an_instrument_and_one_with_a_price_does_not(desk: Desk) -> None:
    """Two missing bars are an ordinary gap."""
    for n, close in enumerate((100.0, None, None), 1):
        desk.write(bar(n, close), mark(n))
    assert desk.observer.observe(NOW).silent_instruments == ()
    desk.write(bar(4, None), mark(4))
    assert desk.observer.observe(NOW).silent_instruments == ("binance:BTC-USDT:perp",)
    desk.write(bar(5, 101.0), mark(5))
    assert desk.observer.observe(NOW).silent_instruments == ()


def test_a_proposal_is_expired_by_looking_and_told_for_an_hour(desk: Desk) -> None:
    """Nobody decided: the row says so, the observation names it until EXPIRED_MS have passed."""
    row = {"kind": "change", "base_version": 1, "diff": "{}", "diff_sha256": "x", "direction": "tightens", "created_ms": 1}
    with database.write(desk.engine) as session:
        session.add(Proposal(id="prop-1", sleeve="btc", expires_ms=NOW, **row))
    assert desk.observer.observe(NOW - 1).expired == ()
    assert [row["id"] for row in desk.observer.observe(NOW).expired] == ["prop-1"]
    assert len(desk.observer.observe(NOW + EXPIRED_MS - 1).expired) == 1
    assert desk.observer.observe(NOW + EXPIRED_MS).expired == ()


def delivery(n: int, state: str, due_ms: int, sent_ms: int | None = None, sink: str = "slack") -> Delivery:
    """A message."""
    return Delivery(
        subject=f"al-{n}", step="opened", sink=sink, state=state, created_ms=1, due_ms=due_ms, sent_ms=sent_ms, error="no route"
    )


def test_undelivered_messages_count_until_their_sink_delivers_again(desk: Desk) -> None:
    """Each way by itself: another one's success, or later loss, says nothing of it; its own later success ends it."""
    with database.write(desk.engine) as session:
        session.add_all([delivery(n, "failed", NOW - ms) for n, ms in ((1, FAILED_MS), (2, 60_000), (3, 30_000))])
        session.add(delivery(4, "sent", NOW, NOW, "mail"))
    lost = desk.observer.observe(NOW).undelivered
    slack = {"sink": "slack", "failed": 2, "since_ms": NOW - 60_000, "error": "no route"}
    assert lost == (slack,)
    with database.write(desk.engine) as session:
        session.add_all([delivery(5, "failed", NOW - 20_000, sink="telegram"), delivery(6, "failed", NOW - 10_000, sink="mail")])
    telegram = {"sink": "telegram", "failed": 1, "since_ms": NOW - 20_000, "error": "no route"}
    assert desk.observer.observe(NOW).undelivered == (slack, telegram), "what another way lost, or brings again, ends no alert"
    with database.write(desk.engine) as session:
        session.add(delivery(7, "sent", NOW - 29_000, NOW - 29_000))
    assert desk.observer.observe(NOW).undelivered == (telegram,)


def test_a_damaged_end_of_a_journal_is_bad_not_unknown(desk: Desk) -> None:
    """The end is read at every look: a line that does not carry its hash is a page, and everything else is still seen."""
    desk.write(bar(1), mark(1))
    assert desk.observer.observe(NOW).checks["journals"].state == "ok"
    path = desk.home / "journal" / "people.jsonl"
    path.write_text('{"seq":1,"id":"p-1","kind":"ask"}\n')
    seen = desk.observer.observe(NOW)
    assert seen.checks["journals"].state == "bad"
    assert seen.mark is not None
    assert [f.fingerprint for f in evaluate(seen._replace(heartbeat={"phase": "waiting"}))[0]] == ["journal"]


def test_what_a_verification_found_is_in_every_later_look(desk: Desk) -> None:
    """A cut that no end shows: the verification finds it, and looks go on saying it until one passes."""
    desk.write(bar(1), mark(1))
    note_head(desk.engine, "desk", Head(9, "d-9", "f" * 64), NOW)
    assert desk.observer.observe(NOW).checks["journals"].state == "ok"
    desk.observer.verify_journals(NOW)
    for later in (0, 60_000):
        check = desk.observer.observe(NOW + later).checks["journals"]
        assert check.state == "bad"
        assert "records are missing at the end" in check.text
    with database.write(desk.engine) as session:
        session.connection().exec_driver_sql("DELETE FROM anchors")
    desk.observer.verify_journals(NOW + 90_000)
    assert desk.observer.observe(NOW + 90_000).checks["journals"].state == "ok"


def test_journals_are_walked_whole_once_a_day(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first time, then only what is new, then whole again when a day has passed."""
    asked: list[bool] = []
    monkeypatch.setattr(health, "journals", lambda *_, since, note_ms: asked.append(since) or health.HealthCheck("j", "ok", ""))
    for ms in (0, 60_000, DAY_MS - 1, DAY_MS, DAY_MS + 1):
        desk.observer.verify_journals(NOW + ms)
    assert asked == [False, True, True, False, True]


def test_a_verification_that_cannot_run_is_unknown(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk error while verifying is neither whole nor broken; it is shown and keeps the journal's alerts open."""

    def failing(*_: Any, **__: Any) -> health.HealthCheck:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(health, "journals", failing)
    desk.observer.verify_journals(NOW)
    desk.write(bar(1), mark(1))
    seen = desk.observer.observe(NOW)
    assert seen.checks["journals"].state == "unknown"
    found, unsure = evaluate(seen._replace(heartbeat={"phase": "waiting"}))
    assert "journal" in unsure
    assert [f.kind for f in found] == ["watch"]


def test_the_latch_is_seen_from_file_and_database(desk: Desk) -> None:
    """Either half alone halts."""
    assert not desk.observer.observe(NOW).halt.halted
    halt.set(desk.home, "by file", {"name": "ann"}, NOW)
    assert desk.observer.observe(NOW).halt.where == ("file",)
    (desk.home / "HALT").unlink()
    halt.set_row(desk.engine, "by row", {"name": "bob"}, NOW)
    assert desk.observer.observe(NOW).halt.where == ("database",)


def test_looking_takes_no_lock_that_a_starting_worker_needs(desk: Desk) -> None:
    """A look at a home without a worker leaves its lock free at once."""
    desk.journal.close()
    desk.observer.observe(NOW)
    with (desk.home / "journal" / "desk.lock").open() as file:
        assert fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB) is None  # BlockingIOError while somebody holds it

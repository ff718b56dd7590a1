"""The watch end to end: thirty calm days wake nobody, a planted fault is one page and one recovery, deliveries survive Slack."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from app.home.home import Home, open_home
from app.notify import deliveries
from app.processes.scheduler import Schedules
from engine.amounts import price_text
from engine.control import halt, proposals
from engine.store import db
from engine.store.chain import Event
from engine.store.journal import tail
from engine.store.tables import Delivery, Handover
from engine.watch.alert_rows import deliveries_of, list_alerts
from engine.watch.window import mark_at
from tests.fakes import papers
from tests.fakes.papers import WALL_MS, advanced_until, feed_of, furnished, loop_of
from tests.fakes.slack_desks import connected, proposed, slack_home
from tests.fakes.slack_server import SlackServer
from tests.fakes.waiting import WAIT_S

SECOND, MINUTE = 1_000, 60_000


class Bench:
    """A desk whose worker is this process, and whose watch looks when it is told to."""

    def __init__(self, home: Home, sinks: list[Any]) -> None:
        self.home, self.now_ms = home, WALL_MS
        self.loop = loop_of(home, feed_of(home))
        self.loop._now_ms = lambda: self.now_ms
        advanced_until(self.loop, lambda book: not self.loop.replaying)
        self.watch = Schedules(home, sinks, clock=lambda: self.now_ms)
        self.phase = "running"

    def beat(self) -> None:
        """What a worker says once a second."""
        said = {"pid": os.getpid(), "wall_ms": self.now_ms, "phase": self.phase, "bars_per_second": 1.0, "note": ""}
        (self.home.path / "worker.json").write_text(json.dumps(said))

    def pass_time(self, seconds: int, *, bars: bool = True, beats: bool = True, every: int = 3) -> list[tuple[str, str]]:
        """So many seconds, a bar in each; (severity, step) of what the watch found."""
        found = []
        for n in range(seconds):
            self.now_ms += SECOND
            if bars and self.loop.ready():
                self.loop.step()
            if beats:
                self.beat()
            if n % every == 0:
                for change in self.watch.check():
                    (row,) = [row for row in list_alerts(self.home.engine) if row.id == change.alert]
                    found.append((row.severity, change.step))
                self.watch.deliver()
        return found


class Kept:
    """A sink that keeps what it is brought, or fails."""

    name = "slack"

    def __init__(self) -> None:
        self.got: list[deliveries.Notification] = []
        self.fault: deliveries.Undelivered | None = None

    def send(self, message: deliveries.Notification) -> str:
        """Take it, unless told not to."""
        if self.fault is not None:
            raise self.fault
        self.got.append(message)
        return f"C {len(self.got)}"


@pytest.fixture
def sink() -> Kept:
    """A sink."""
    return Kept()


@pytest.fixture
def bench(own_home: Path, sink: Kept, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A small synthetic desk behind a replay of a few bars, calm."""
    whole = papers.span()
    monkeypatch.setattr(papers, "span", lambda: whole._replace(first_ms=whole.replay_until_ms - 5 * papers.BAR_MS))
    furnished(own_home)
    found = Bench(open_home(WALL_MS), [sink])
    assert pages(found.pass_time(12)) == []
    yield found
    found.loop.journal.close()


def until_position(bench: Bench) -> tuple[str, Event]:
    """Walk until a sleeve holds something; (its name, the mark)."""
    advanced_until(bench.loop, lambda book: any(s.position.open_layers for s in book.sleeves))
    bench.loop.journal.sync()
    mark = mark_at(bench.home.desk_journal)
    assert mark is not None
    return next(name for name, s in mark.body["sleeves"].items() if s.get("position")), mark


def kinds_open(bench: Bench) -> set[str]:
    """Kinds of the alerts that are open."""
    return {row.kind for row in list_alerts(bench.home.engine, "open")}


def newest(bench: Bench, kind: str) -> str:
    """Id of the newest alert of a kind."""
    return next(row.id for row in list_alerts(bench.home.engine) if row.kind == kind)


def pages(found: list[tuple[str, str]]) -> list[str]:
    """Steps of pages."""
    return [step for severity, step in found if severity == "page"]


def journal_mark(bench: Bench, mark: Event, **changes: Any) -> None:
    """Journal a mark in which the desk is another: a fault that the paper venue cannot play."""
    body = json.loads(json.dumps(mark.body)) | changes
    bench.loop.journal.append([Event("mark", mark.t_event_ms, body, t_recv_ms=bench.now_ms)])


@pytest.mark.long
def test_ten_days_of_a_calm_desk_wake_nobody(own_home: Path, sink: Kept) -> None:
    """Ten days behind the replay (below a month of recorded bars): warnings and notes there may be, no page, nothing unsure."""
    furnished(own_home, 55)
    bench = Bench(open_home(WALL_MS), [sink])
    found = bench.pass_time(10 * 96, every=16)
    assert not bench.loop.replaying
    assert pages(found) == []
    assert {row.kind for row in list_alerts(bench.home.engine, None, 500)} <= {"breaker", "refused"}
    bench.loop.journal.close()


@pytest.mark.long
def test_thirty_recorded_days_wake_nobody(own_home: Path, sink: Kept, market_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last thirty days of recorded BTC, ETH and SOL bars through the default desk: no page."""
    from engine.control.config import active
    from engine.data.timeframes import series_of
    from engine.live import config_event
    from engine.live.feed import begin_at, load

    monkeypatch.setenv("NIGHTDESK_DATA", str(market_data))
    home = open_home(WALL_MS)
    series = series_of(home.catalog, config_event.instruments(active(home.engine, home.path)[1]), "15m")
    found = begin_at(series, papers.BAR_MS, 30)
    monkeypatch.setattr(papers, "span", lambda: found._replace(first_ms=found.replay_until_ms - 5 * papers.BAR_MS))
    monkeypatch.setattr(papers, "feed_of", lambda _: load(home.catalog, series, papers.BAR_MS, papers.span(), "recorded"))
    monkeypatch.setitem(globals(), "feed_of", papers.feed_of)
    bench = Bench(home, [sink])
    assert pages(bench.pass_time(30 * 96 - 10)) == []
    assert bench.loop.book.count > 2_800
    bench.loop.journal.close()


def test_bars_that_stop_are_one_page_and_one_recovery(bench: Bench, sink: Kept) -> None:
    """Silent feed for two minutes, then bars again."""
    until_position(bench)
    assert pages(bench.pass_time(120, bars=False)) == ["opened"]
    assert pages(bench.pass_time(30)) == ["resolved"]
    opened, over = (message.row for message in sink.got if message.row["kind"] == "bars")
    assert "synthetic:BTC-USDT:perp" in opened["what"]
    assert over["state"] == "resolved"


@pytest.mark.slow
def test_waiting_at_the_end_of_recorded_data_is_no_fault(bench: Bench) -> None:
    """The worker says it waits: ten minutes without a bar are silence."""
    bench.phase = "waiting"
    assert pages(bench.pass_time(600, bars=False, every=6)) == []


@pytest.mark.slow
def test_a_worker_that_hangs_is_one_page_and_one_recovery(bench: Bench) -> None:
    """It holds its place and says nothing for two minutes."""
    assert pages(bench.pass_time(120, bars=False, beats=False)) == ["opened"]
    assert "worker" in kinds_open(bench)
    bench.pass_time(30)
    assert kinds_open(bench) <= {"breaker"}


def test_a_dead_worker_is_one_page_however_it_ends(bench: Bench, sink: Kept) -> None:
    """Reported by the supervisor, away for a while, back and steady: one page that got worse once, one recovery."""
    name, mark = until_position(bench)
    size = f"{mark.body['sleeves'][name]['position']['quantity']:g}"
    bench.watch.died("worker", -9)
    assert pages(bench.pass_time(3, bars=False, beats=False)) == ["opened"]
    assert size in sink.got[-1].row["what"]
    assert pages(bench.pass_time(50, bars=True)) == []
    assert pages(bench.pass_time(60)) == ["resolved"]


def test_a_missing_protective_order_is_paged_at_the_next_look(bench: Bench, sink: Kept) -> None:
    """One page with sleeve, side, size, level and what to do; over when it works again (F8)."""
    name, mark = until_position(bench)
    sleeves = json.loads(json.dumps(mark.body["sleeves"]))
    sleeves[name]["position"]["layers"][0]["protective_state"] = "rejected"
    journal_mark(bench, mark, sleeves=sleeves)
    assert pages(bench.pass_time(4, bars=False)) == ["opened"]
    page = sink.got[-1].row
    quantity = mark.body["sleeves"][name]["position"]["quantity"]
    for words in (name, f"{quantity:g}", "WITHOUT a working protective order", "synthetic:"):
        assert words in page["what"]
    assert price_text(mark.body["sleeves"][name]["position"]["layers"][0]["protective"]) in page["action"]
    assert page["runbook"] == "docs/runbooks/protective-missing.md"
    journal_mark(bench, mark)
    assert pages(bench.pass_time(20, bars=False)) == ["resolved"]


def test_drawdown_near_its_limit_then_past_it_is_one_alert(bench: Bench) -> None:
    """Opened at 80 %, worse at the limit, over when it has passed."""
    _, mark = until_position(bench)
    near, past = mark.body["peak"] * 0.87, mark.body["peak"] * 0.84
    journal_mark(bench, mark, equity=near)
    assert pages(bench.pass_time(4, bars=False)) == ["opened"]
    journal_mark(bench, mark, equity=past, tripped=["desk drawdown"])
    assert pages(bench.pass_time(4, bars=False)) == ["raised"]
    journal_mark(bench, mark)
    assert pages(bench.pass_time(20, bars=False)) == ["resolved"]


def test_a_changed_journal_is_a_page(bench: Bench) -> None:
    """One byte in the middle of the file, found by the walk along the whole of it."""
    bench.loop.journal.sync()
    data = bytearray(bench.home.desk_journal.read_bytes())
    at = data.index(b'"equity":', len(data) // 2) + 9
    data[at] = ord("9") if data[at] != ord("9") else ord("8")
    bench.home.desk_journal.write_bytes(data)
    bench.watch.observer.verify_journals(bench.now_ms)
    assert pages(bench.pass_time(4, bars=False)) == ["opened"]
    assert "journal" in kinds_open(bench)


def test_a_changed_journal_is_seen_between_two_whole_walks(bench: Bench) -> None:
    """Walked whole, then a byte far before the end changes: the next hour's look compares the bytes and names the line."""
    bench.loop.journal.sync()
    bench.watch.observer.verify_journals(bench.now_ms)
    assert bench.watch.observer.verified.state == "ok"
    data = bytearray(bench.home.desk_journal.read_bytes())
    at = data.index(b'"equity":', len(data) // 3) + 9
    data[at] = ord("9") if data[at] != ord("9") else ord("8")
    bench.home.desk_journal.write_bytes(data)
    bench.watch.observer.verify_journals(bench.now_ms + 3_600_000)
    assert bench.watch.observer.verified.state == "bad"
    assert "its hash does not fit" in bench.watch.observer.verified.text


def test_a_halt_and_an_expired_proposal_are_told_without_waking(bench: Bench) -> None:
    """A warning and a note."""
    row = proposed(bench.home)
    with db.write(bench.home.engine) as session:
        session.get(type(row), row.id).expires_ms = bench.now_ms + 5 * SECOND
    found = bench.pass_time(12)
    assert ("note", "opened") in found
    assert pages(found) == []
    assert proposals.get(bench.home.engine, row.id).state == "expired"
    halt.set(bench.home.path, "a drill", {"name": "ann"}, bench.now_ms, bench.home.engine)
    assert ("warn", "opened") in bench.pass_time(6)


def test_a_watch_without_its_database_tells_the_sinks_and_the_terminal(bench: Bench, sink: Kept, capsys: Any) -> None:
    """Three failing looks: once, and once when it sees again."""
    for path in bench.home.path.glob("desk.db*"):
        path.rename(path.with_name(f"away-{path.name}"))
    bench.home.engine.dispose()
    (bench.home.path / "desk.db").mkdir()
    for _ in range(10):
        bench.watch.check()
    assert [m.step for m in sink.got if m.row.get("kind") == "watch"] == ["opened"]
    assert "ALERT page" in capsys.readouterr().out
    (bench.home.path / "desk.db").rmdir()
    for path in bench.home.path.glob("away-*"):
        path.rename(path.with_name(path.name.removeprefix("away-")))
    bench.watch.check()
    assert [m.step for m in sink.got if m.row.get("kind") == "watch"] == ["opened", "resolved"]


# ---- deliveries ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_sink_that_fails_is_asked_a_bounded_number_of_times_and_it_shows(bench: Bench, sink: Kept) -> None:
    """Given up after eight tries; the row says why; an alert says so on the page alone; it is over when one gets through."""
    sink.fault = deliveries.Undelivered("chat.postMessage: timeout")
    bench.pass_time(40, bars=False)
    bench.pass_time(700, bars=False, every=10)
    (first, *_) = deliveries_of(bench.home.engine, newest(bench, "bars"))
    assert (first.state, first.attempts, first.error) == ("failed", 8, "chat.postMessage: timeout")
    (lost,) = [row for row in list_alerts(bench.home.engine, "open") if row.kind == "delivery"]
    assert deliveries_of(bench.home.engine, lost.id) == []
    sink.fault = None
    bench.pass_time(1_000, bars=False, every=10)
    assert "delivery" not in kinds_open(bench)


def test_what_asking_again_cannot_mend_is_given_up_at_once(bench: Bench, sink: Kept) -> None:
    """A revoked token."""
    sink.fault = deliveries.Undelivered("chat.postMessage: token_revoked", final=True)
    bench.pass_time(45, bars=False)
    assert deliveries_of(bench.home.engine, newest(bench, "bars"))[0].attempts == 1


def test_two_threads_bring_a_message_once(bench: Bench, sink: Kept) -> None:
    """The claim is one row of the database."""
    deliveries.owe(bench.home, "prop-9", "card", ["slack"], bench.now_ms)
    row = proposed(bench.home)
    deliveries.cards(bench.home, ["slack"], bench.now_ms + MINUTE * 10_000_000)
    with db.write(bench.home.engine) as session:
        for delivery in session.exec(select(Delivery)).all():
            delivery.due_ms = 0
            session.add(delivery)
    deliveries.owe(bench.home, row.id, "card", ["slack"], 0)
    gate = threading.Barrier(4)

    def bring() -> None:
        gate.wait()
        deliveries.deliver(bench.home, [sink], bench.now_ms)

    threads = [threading.Thread(target=bring) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [message.subject for message in sink.got if message.kind == "card"] == [row.id]


# ---- the handover ----------------------------------------------------------------------------------------------------------


def test_the_handover_is_made_once_a_day_and_anchors_both_journals(bench: Bench, sink: Kept) -> None:
    """Yesterday's P&L to the cent of the marks, fills, refusals, what waits, and the heads; a second call makes none."""
    bench.pass_time(200, every=20)
    proposed(bench.home)
    bench.loop.journal.sync()
    assert bench.watch.hand_over()
    assert not bench.watch.hand_over()
    with db.read(bench.home.engine) as session:
        (row,) = session.exec(select(Handover)).all()
    body = json.loads(row.body)
    assert body["heads"]["desk"]["hash"] == tail(bench.home.desk_journal, 1)[0].hash
    assert abs(body["pnl"]["change"] - sum(body["pnl"]["sleeves"].values())) < 1e-9
    assert body["pnl"]["unexplained"] == 0
    for words in ("P&L", "fills", "refused", "prop-1 TIGHTENS btc-trend", "Journal heads", body["heads"]["desk"]["id"]):
        assert words in row.text
    bench.watch.deliver()
    assert [message.step for message in sink.got if message.kind == "handover"] == ["handover"]


def test_a_missed_handover_is_made_late_but_not_much_too_late(bench: Bench) -> None:
    """Six hours; then the day goes without."""
    day = bench.now_ms // 86_400_000 * 86_400_000
    for hour, made in ((5, 0), (13, 0), (11, 1), (12, 1)):
        bench.now_ms = day + hour * 60 * MINUTE
        bench.watch.missed()
        with db.read(bench.home.engine) as session:
            assert len(session.exec(select(Handover)).all()) == made


# ---- with the real scheduler and the real client ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["limited", *(pytest.param(fault, marks=pytest.mark.long) for fault in ("slow", "down"))])
def test_alerts_get_through_a_struggling_slack_and_checks_go_on(own_home: Path, fault: str) -> None:
    """429 with Retry-After, two seconds an answer, connections cut: checks keep their pace, the page arrives in the end."""
    with SlackServer() as server:
        home = slack_home(own_home, server, "")
        text = (own_home / "desk.toml").read_text().replace("check_s = 3.0 ", "check_s = 0.2 ")
        (own_home / "desk.toml").write_text(text)
        home = open_home()
        server.limited, server.slow_s, server.down = 2 * (fault == "limited"), 2.0 * (fault == "slow"), fault == "down"
        watch = Schedules(home, [connected(home, server)])
        looked, enough = [0], threading.Event()
        look = watch.observer.observe

        def counted(now_ms: int) -> Any:
            looked[0] += 1
            if looked[0] > 12:
                enough.set()
            return look(now_ms)

        watch.observer.observe = counted
        watch.start()
        watch.died("worker", -9)
        try:
            assert enough.wait(WAIT_S), looked
            server.down = False
            body = server.wait_for(lambda body: "PAGE" in body.get("text", ""))
            assert "killed by signal 9" in json.dumps(body)
            assert "I am on it" in json.dumps(body["blocks"])
        finally:
            watch.stop()

"""A worker that waits says that it lives; one that ends, or never came to life, names what it leaves open."""

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.home.home import open_home
from app.processes.live_worker import LiveWorker
from app.processes.supervisor import Supervisor
from app.processes.unattended import left_text, open_positions
from app.processes.worker import Worker
from engine.book import order_events
from engine.core.state import PROTECTIVE
from engine.watch.heartbeat import FILE, unattended_text
from engine.watch.window import mark_at
from tests.fakes.papers import WALL_MS, advanced_until, feed_of, furnished, holding, loop_of


def test_it_beats_while_it_waits_for_the_next_bar() -> None:
    """A bar every forty seconds, nobody sets anything: the heartbeat goes on all the same."""
    now, beats = [time.monotonic()], list[bool]()

    def slept(seconds: float) -> None:
        now[0] += seconds

    pause = SimpleNamespace(stopping=False, sleep=slept)
    worker: Any = SimpleNamespace(pause=pause, loop=SimpleNamespace(poll_controls=lambda: False))
    worker.beat = lambda *, now: beats.append(now)
    due = now[0] + 40.0
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(time, "monotonic", lambda: now[0])
        assert Worker.wait(worker, due) == due
    assert len(beats) >= 40
    assert not any(beats), "once a second is enough while nothing has changed"


def test_open_positions_are_named_with_instrument_and_stop(own_home: Path) -> None:
    """Sleeve, side, quantity, instrument and the level of the stop, as the mark has them."""
    furnished(own_home)
    home = open_home(WALL_MS)
    loop = loop_of(home, feed_of(home))
    advanced_until(loop, holding)
    loop.journal.close()
    mark = mark_at(home.desk_journal)
    assert mark is not None
    held = {name: s["position"] for name, s in mark.body["sleeves"].items() if s.get("position")}
    texts = open_positions(loop.book)
    assert len(texts) == len(held)
    for (name, position), text in zip(held.items(), texts, strict=True):
        assert text.startswith(f"{name} {position['side']} {position['quantity']:g} synthetic:")
        assert text.endswith(f"stop at {position['layers'][0]['protective']:,.2f}")


def test_an_account_s_desk_names_what_it_leaves_at_the_venue(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each position with its stop, and that nothing trails it; one whose stop does not work there is said by name."""
    furnished(own_home)
    home = open_home(WALL_MS)
    loop = loop_of(home, feed_of(home))
    assert left_text(loop.book) == ""
    advanced_until(loop, holding)
    loop.journal.close()
    (held, *_) = open_positions(loop.book)
    monkeypatch.setattr(order_events, "states_of", lambda _book, _s: {(PROTECTIVE, key): "working" for key in range(99)})
    assert left_text(loop.book).startswith(f"LEFT AT THE VENUE: {held}")
    assert left_text(loop.book).endswith("until the next start: nightdesk up. The stops work there.")
    monkeypatch.setattr(order_events, "states_of", lambda _book, _s: {})
    assert f"NO STOP WORKS there for {held.split()[0]}" in left_text(loop.book)


def test_a_desk_that_ends_with_positions_says_who_looks_after_them(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody does; each is named, with the way to go on and the way to be flat. A flat desk says nothing."""
    own_home.mkdir()
    left = ["btc long 0.02 okx:BTC-USDT:perp, stop at 90", "eth short 1 okx:ETH-USDT:perp, stop at 4000"]
    (own_home / FILE).write_text(json.dumps({"open": left}))
    supervisor = Supervisor(own_home, [])
    supervisor.seen_alive = True
    supervisor.stop()
    said = capsys.readouterr().out
    assert "NOBODY LOOKS AFTER 2 open positions: " + "; ".join(left) in said
    assert "nightdesk up" in said
    assert "nightdesk halt" in said
    assert "the journal is whole" not in said, "nobody knows: no worker ended cleanly"
    assert unattended_text([]) == ""
    (own_home / FILE).write_text(json.dumps({"open": []}))
    assert supervisor.unattended() == ""


def test_a_worker_that_refuses_to_start_is_not_offered_as_the_way_out(own_home: Path) -> None:
    """It has just said why; neither it nor a halt closes what is open, so the line says where that is done."""
    own_home.mkdir()
    (own_home / FILE).write_text(json.dumps({"open": ["btc long 0.02 okx:BTC-USDT:perp, stop at 90"]}))
    supervisor = Supervisor(own_home, [])
    left = supervisor.unattended()
    assert "NOBODY LOOKS AFTER 1 open position: btc long 0.02" in left
    assert "closed there, by hand" in left
    assert "nightdesk up" not in left


@pytest.mark.parametrize(("code", "whole"), [(-9, True), (1, False)])
def test_a_worker_that_gave_up_does_not_vouch_for_its_journal(
    code: int, whole: bool, own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may have given up because of it. One that was killed leaves whole groups behind."""
    Supervisor(own_home, []).worker.wait_after(code)
    assert ("its journal is whole" in capsys.readouterr().out) is whole


def test_an_account_that_is_not_connected_is_said_once_and_in_each_heartbeat(
    own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong key at a start: one line at the terminal however often it is tried, the reason in `status`; both end with it."""
    own_home.mkdir()
    worker = LiveWorker.__new__(LiveWorker)
    beats = list[str]()
    worker.log, worker.note_, worker._said = SimpleNamespace(note=lambda *_, **__: None), "", ""  # type: ignore[assignment]
    worker._beat = lambda: beats.append(worker.note_)  # type: ignore[method-assign]
    for t in (1796007681662, 1796007691664):
        worker.account_waits(f'the account is not connected: "API key is invalid.","time":{t}')
    assert capsys.readouterr().err.count("API key is invalid") == 1
    assert "API key is invalid" in worker.note_
    worker.account_waits("")
    worker.account_waits("")
    assert (capsys.readouterr().err, beats[-1]) == ("nightdesk worker: the account is connected\n", "")

"""A strategy that says nothing at its last close: an alert with its reason while it lasts, and a health check that says so."""

from pathlib import Path
from typing import Any

import pytest

from app.home.home import open_home
from engine.live import signal_source
from engine.live.loop import Loop
from engine.live.signal_source import SignalSources
from engine.watch import health, last_closes
from engine.watch.detectors import evaluate
from engine.watch.failing_strategies import failing_strategies
from engine.watch.last_closes import MISSED, failing_now
from engine.watch.observer import Observer
from engine.watch.window import journal_of, mark_at
from tests.engine.watch.test_detectors import desk
from tests.fakes.papers import WALL_MS, advanced, feed_of, furnished, loop_of

CRASHED = "crashed: its process ended with code -11"


def found_in(home: Any, loop: Loop) -> list[Any]:
    """The findings of failing strategies on a desk that trades now."""
    loop.journal.sync()
    seen = Observer(home.path, home.engine, home.desk.limits).observe(WALL_MS)
    mark = seen.mark._replace(body={**seen.mark.body, "stamp": "PAPER"})  # type: ignore[union-attr]
    return [one for one in evaluate(seen._replace(mark=mark, heartbeat={}))[0] if one.kind == "strategy"]


@pytest.mark.parametrize("sleeves", [("all",), ("first",)])
def test_it_is_an_alert_until_the_strategy_answers(own_home: Path, monkeypatch: pytest.MonkeyPatch, sleeves: tuple[str]) -> None:
    """Of one strategy and of all; doctor's check names it, is bad where none answers, and both are over at the next answer."""
    furnished(own_home)
    home = open_home(WALL_MS)
    loop = loop_of(home, feed_of(home))
    advanced(loop, 10)
    assert found_in(home, loop) == []
    assert health.strategies(home.path, mark_at(journal_of(home.path))).state == "ok"
    names, real = loop.book.names, SignalSources.readings
    failing = names if sleeves == ("all",) else names[:1]

    def silent(self: Any, specs: Any, *args: Any, **named: Any) -> Any:
        pairs = zip(specs, real(self, specs, *args, **named), strict=True)
        mute = [(spec.source["name"] in failing and reading is not None, reading) for spec, reading in pairs]
        return [signal_source.silent(CRASHED) if is_mute else reading for is_mute, reading in mute]

    monkeypatch.setattr(SignalSources, "readings", silent)
    advanced(loop, 2)
    found = found_in(home, loop)
    assert [one.place for one in found] == sorted(failing)
    assert all(CRASHED in one.what for one in found)
    check = health.strategies(home.path, mark_at(journal_of(home.path)))
    assert check.state == ("bad" if len(failing) == len(names) else "warning")
    assert CRASHED in check.text
    monkeypatch.setattr(SignalSources, "readings", real)
    advanced(loop, 1)
    assert found_in(home, loop) == []
    loop.journal.close()


def test_a_position_without_its_strategy_is_a_page() -> None:
    """Its own exits do not come; flat, and beside others that answer, it is a warning; a replayed past says nothing."""
    base = desk()
    names = list(base.mark.body["sleeves"])  # type: ignore[union-attr]
    severities = {}
    for held in (True, False):
        sleeves = {name: {**state, "position": None} for name, state in base.mark.body["sleeves"].items()}  # type: ignore[union-attr]
        if held:
            sleeves[names[0]] |= {"position": {"side": "long", "quantity": 0.02}}
        sleeves["other"] = {"position": None}
        mark = base.mark._replace(body={**base.mark.body, "sleeves": sleeves})  # type: ignore[union-attr]
        seen = base._replace(mark=mark, failing={names[0]: CRASHED})
        (finding,) = failing_strategies(seen)
        severities[held] = finding.severity
        assert list(failing_strategies(seen._replace(heartbeat={"phase": "replaying"}))) == []
    assert severities == {True: "page", False: "warn"}


def test_a_close_while_no_worker_ran_is_no_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart walks such closes without asking anybody: no page sends a person to a strategy that is well."""
    closes = {"btc": {"silent": {"btc": MISSED}}, "eth": {"silent": {"eth": CRASHED}}, "sol": {}}
    monkeypatch.setattr(last_closes, "closes_of", lambda *_: closes)
    assert failing_now(tmp_path, None, {}) == {"eth": CRASHED}


def test_nothing_is_known_before_the_first_bar(tmp_path: Path) -> None:
    """No mark, no config: nobody is accused."""
    assert failing_now(tmp_path / "desk.jsonl", None, {}) == {}

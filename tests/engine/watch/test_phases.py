"""The phase of a desk: a whole month of intended execution that made money; windfalls, replay and open incidents do not count."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.home.home import Home, open_home
from engine.clock import DAY_MS
from engine.live.loop import Loop
from engine.store.chain import Event
from engine.watch import phases
from engine.watch.attribution import Attribution, Share, WindowPnl, pnl_of_window
from engine.watch.phases import phase_json, phase_of
from engine.watch.window import journal_of, mark_at
from tests.fakes.papers import BAR_MS, WALL_MS, advanced, advanced_until, feed_of, furnished, loop_of


@pytest.fixture
def home(own_home: Path) -> Home:
    """A desk on a synthetic market."""
    furnished(own_home)
    return open_home(WALL_MS)


@pytest.fixture
def loop(home: Home) -> Iterator[Loop]:
    """Its loop, at the end of the replay."""
    loop = advanced_until(loop_of(home, feed_of(home)), lambda book: book.close_ms % DAY_MS == 0)
    loop = advanced_until(loop, lambda _: not loop.replaying)
    yield loop
    loop.journal.close()


def made(**cents: int) -> Any:
    """The P&L of a month, in cents."""
    parts = dict.fromkeys(("price", "slippage", "fees", "funding", "incident", "manual", "unexplained"), 0) | cents
    share = Share("desk", **parts, change=sum(parts.values()))
    event = Event("mark", 0, {})
    return WindowPnl(event, event, Attribution((), share), 1, parts["incident"])


def judged(home: Home, loop: Loop, monkeypatch: pytest.MonkeyPatch, found: Any, days: int = 1) -> Any:
    """The phase after some whole days, with a month of that P&L."""
    monkeypatch.setattr(phases, "DAYS", days)
    monkeypatch.setattr(phases, "pnl_of_window", lambda *_: found)
    advanced(loop, (days + 1) * DAY_MS // BAR_MS)
    loop.journal.sync()
    return phase_of(home.path)


def test_the_published_month_does_not_leave_validate(home: Home, loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """+42.43 in all, +113.00 of it in an incident: the strategies lost 70.57."""
    found = judged(home, loop, monkeypatch, made(price=-6_000, fees=-1_057, incident=11_300))
    assert found.phase == "validate"
    assert (found.intended, found.incident) == (-70.57, 113.0)
    assert "-70.57 from intended execution" in found.text()
    assert "(beside it +113.00 in incidents and +0.00 by hand, which do not count)" in found.text()


def test_a_month_that_made_money_by_itself_grows(home: Home, loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever an incident lost beside it."""
    found = judged(home, loop, monkeypatch, made(price=9_000, fees=-500, funding=-100, incident=-99_900))
    assert (found.phase, found.intended) == ("grow", 84.0)
    assert all(one.met for one in found.criteria)


@pytest.mark.parametrize("cents", [{"price": 0}, {"price": 900, "unexplained": 1}, {"manual": 900}])
def test_nothing_made_or_unexplained_is_not_enough(
    home: Home, loop: Loop, monkeypatch: pytest.MonkeyPatch, cents: dict[str, int]
) -> None:
    """Zero is not positive, a cent that no event explains stops it, and what people moved by hand is not execution."""
    assert judged(home, loop, monkeypatch, made(**cents)).phase == "validate"


def test_an_open_incident_keeps_a_desk_in_validate(home: Home, loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its money is not known yet."""

    class Open:
        id, closed_ms = "w-1", None

    monkeypatch.setattr(phases, "windows_of", lambda _: [Open])
    found = judged(home, loop, monkeypatch, made(price=9_000))
    assert found.phase == "validate"
    assert "incidents still open: w-1" in found.text()


def test_replayed_days_and_a_young_desk_are_no_month(home: Home, loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three days were replayed; of the two since then two are counted, and a month cannot be told."""
    advanced(loop, 2 * DAY_MS // BAR_MS)
    loop.journal.sync()
    found = phase_of(home.path)
    assert found is not None
    assert found.phase == "validate"
    assert found.days <= 2
    assert found.intended is None
    assert [one.met for one in found.criteria] == [False, None]
    assert found.text().startswith(f"Validation phase: {found.days} of 30 full days traded in a row; its P&L is judged after 30")


def test_the_figure_is_the_attributions_own(home: Home, loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a real day: the change of equity, as nothing was apart."""
    monkeypatch.setattr(phases, "DAYS", 1)
    advanced(loop, 2 * DAY_MS // BAR_MS)
    loop.journal.sync()
    found = phase_of(home.path)
    mark = mark_at(journal_of(home.path))
    assert found is not None
    assert mark is not None
    end = mark.t_event_ms // DAY_MS * DAY_MS
    window = pnl_of_window(home.path, end - DAY_MS, end)
    assert window is not None
    assert found.intended == pytest.approx(window.attribution.desk.change / 100)
    assert found.phase == ("grow" if window.attribution.desk.change > 0 else "validate")
    body = phase_json(found)
    assert body is not None
    assert body["text"] == found.text()

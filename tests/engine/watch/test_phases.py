"""The phase of a desk: a whole month of intended execution that made money; windfalls, replay and open incidents do not count."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.home.home import Home, open_home
from engine.clock import DAY_MS
from engine.store.chain import Event
from engine.watch import phases
from engine.watch.attribution import Attribution, Share, WindowPnl, pnl_of_window
from engine.watch.phases import phase_json, phase_of
from engine.watch.window import journal_of, mark_at
from tests.fakes.papers import BAR_MS, WALL_MS, advanced, advanced_until, feed_of, furnished, loop_of


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A desk on a synthetic market, two days and more after the end of its replay; all tests look at it, none changes it."""
    folder = tmp_path_factory.mktemp("phases") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTDESK_HOME", str(furnished(folder)))
        found = open_home(WALL_MS)
        loop = advanced_until(loop_of(found, feed_of(found)), lambda book: book.close_ms % DAY_MS == 0)
        loop = advanced_until(loop, lambda _: not loop.replaying)
        advanced(loop, 2 * DAY_MS // BAR_MS)
        loop.journal.sync()
        yield found
        loop.journal.close()


def made(**cents: int) -> Any:
    """The P&L of a month, in cents."""
    parts = dict.fromkeys(("price", "slippage", "fees", "funding", "incident", "manual", "unexplained"), 0) | cents
    share = Share("desk", **parts, change=sum(parts.values()))
    event = Event("mark", 0, {})
    return WindowPnl(event, event, Attribution((), share), 1, parts["incident"])


def judged(home: Home, monkeypatch: pytest.MonkeyPatch, found: Any) -> Any:
    """The phase of the desk, with one day for a month and that P&L in it."""
    monkeypatch.setattr(phases, "DAYS", 1)
    monkeypatch.setattr(phases, "pnl_of_window", lambda *_: found)
    return phase_of(home.path)


def test_the_published_month_does_not_leave_validate(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """+42.43 in all, +113.00 of it in an incident: the strategies lost 70.57."""
    found = judged(home, monkeypatch, made(price=-6_000, fees=-1_057, incident=11_300))
    assert found.phase == "validate"
    assert (found.intended, found.incident) == (-70.57, 113.0)
    assert "-70.57 from intended execution" in found.text()
    assert "(beside it +113.00 in incidents and +0.00 by hand, which do not count)" in found.text()


def test_a_month_that_made_money_by_itself_grows(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever an incident lost beside it."""
    found = judged(home, monkeypatch, made(price=9_000, fees=-500, funding=-100, incident=-99_900))
    assert (found.phase, found.intended) == ("grow", 84.0)
    assert all(one.met for one in found.criteria)


@pytest.mark.parametrize("cents", [{"price": 0}, {"price": 900, "unexplained": 1}, {"manual": 900}])
def test_nothing_made_or_unexplained_is_not_enough(home: Home, monkeypatch: pytest.MonkeyPatch, cents: dict[str, int]) -> None:
    """Zero is not positive, a cent that no event explains stops it, and what people moved by hand is not execution."""
    assert judged(home, monkeypatch, made(**cents)).phase == "validate"


def test_an_open_incident_keeps_a_desk_in_validate(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its money is not known yet."""

    class Open:
        id, closed_ms = "w-1", None

    monkeypatch.setattr(phases, "windows_of", lambda _: [Open])
    found = judged(home, monkeypatch, made(price=9_000))
    assert found.phase == "validate"
    assert "incidents still open: w-1" in found.text()


def test_replayed_days_and_a_young_desk_are_no_month(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three days were replayed; of the two since then two are counted, and a month cannot be told."""
    found = phase_of(home.path)
    assert found is not None
    assert found.phase == "validate"
    assert found.days <= 2
    assert found.intended is None
    assert [one.met for one in found.criteria] == [False, None]
    assert found.text().startswith(f"Validation phase: {found.days} of 30 full days traded in a row; its P&L is judged after 30")


def test_the_figure_is_the_attributions_own(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a real day: the change of equity, as nothing was apart."""
    monkeypatch.setattr(phases, "DAYS", 1)
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

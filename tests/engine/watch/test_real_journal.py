"""Watch and the tools on a journal that the ordinary loop has written: no shape is assumed, everything sums and is told."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from app.home.home import open_home
from app.wiring import Wiring
from engine.store.journal import read
from engine.watch.attribution import pnl_of_window
from engine.watch.health import checks
from engine.watch.window import desk_ms
from tests.fakes.papers import BAR_MS, WALL_MS, advanced, advanced_until, feed_of, furnished, loop_of
from tools.catalog import call


@pytest.fixture(scope="module")
def walked_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A small desk some days into a synthetic market, holding a position at the end; the worker still has the journal."""
    folder = tmp_path_factory.mktemp("walked") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTDESK_HOME", str(furnished(folder)))
        home = open_home(WALL_MS)
    loop = advanced(loop_of(home, feed_of(home)), 280)
    advanced_until(loop, lambda book: any(s.position.open_layers for s in book.sleeves))
    loop.journal.sync()
    yield home
    loop.journal.close()


def test_every_window_sums_to_the_cent(walked_desk: Any) -> None:
    """Whatever the window, with positions open at either end: nothing is left unexplained."""
    home, rng = walked_desk, random.Random(1)
    last = desk_ms(home.path)
    marks = list(read(home.desk_journal, {"mark"}))
    assert any("position" in s for s in marks[-1].body["sleeves"].values())
    for _ in range(60):
        low, high = sorted(rng.randint(marks[0].t_event_ms - BAR_MS, last + BAR_MS) for _ in range(2))
        span = pnl_of_window(home.path, low, high)
        if span is None:
            continue
        for share in (*span.attribution.shares, span.attribution.desk):
            assert share.unexplained == 0
            assert share.price + share.slippage + share.fees + share.funding == share.change
        change = span.end.body["equity"] - span.start.body["equity"]
        assert abs(span.attribution.desk.change - change * 100) <= 0.5 + 1e-6
    whole = pnl_of_window(home.path, 0, last)
    assert whole is not None
    assert whole.fills > 10


def test_every_event_and_instant_is_told(walked_desk: Any) -> None:
    """Each kind of event is explained with references that resolve; so is every sleeve at any bar; nothing breaks."""
    wiring = Wiring(walked_desk, "mara", "cli", None)

    def context(role: str = "operator") -> Any:
        now = {"desk_ms": wiring.desk_ms(), "now_ms": WALL_MS}
        return wiring.context(role=role, thread="t", turn="u", person="mara", **now)

    events = list(read(walked_desk.desk_journal))
    last_of_kind = {event.kind: event.id for event in events}
    for kind, event_id in last_of_kind.items():
        result = call(context(), "explain_event", {"event_id": event_id})
        assert result.status == "ok", (kind, result.text)
    sleeves = list(next(e for e in reversed(events) if e.kind == "mark").body["sleeves"])
    for n, event in enumerate(e for e in events if e.kind == "bar"):
        if n % 40 == 0:
            result = call(context(), "explain_event", {"sleeve": sleeves[n % 3], "at": str(event.t_event_ms)})
            assert result.status == "ok", result.text
    for role, name, args in (
        ("operator", "desk", {}),
        ("operator", "sleeves", {}),
        ("operator", "health", {}),
        ("operator", "probe", {}),
        ("operator", "journal_search", {"since": "3d"}),
        ("advisor", "attribution", {"since": "yesterday"}),
    ):
        result = call(context(role), name, args)
        assert result.status == "ok", (name, result.text)


def test_a_healthy_desk_is_healthy(walked_desk: Any) -> None:
    """With the worker holding its journal and every layer protected nothing is bad or unknown, from end to end."""
    found = checks(walked_desk.path, walked_desk.engine, WALL_MS, full=True)
    assert [check for check in found if check.state in ("bad", "unknown")] == []

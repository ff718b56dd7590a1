"""A desk's journals, plain and then packed: fold, verification, tools, commands, pages and API say the same to the letter."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.api import pages
from app.cli.journal import last_events, replayed
from app.home.home import Home, open_home
from app.views.event_story import event_json, story
from app.wiring import Wiring
from engine.book.order_laws import OrderLaws
from engine.book.replay import fold
from engine.control.agreement import differences
from engine.store import packing
from engine.store.anchors import note_head, verify_home
from engine.store.chain import Event
from engine.store.journal import Journal, find, journal_hash, read
from engine.store.lookback import last
from engine.store.opened import parts_of, size_of
from engine.watch.desk_excursions import reached_trips
from engine.watch.health import journal_ends
from engine.watch.window import FAR_MS, between, first_mark, mark_at, start_of
from tests.fakes.papers import BAR_MS, WALL_MS, advanced, feed_of, furnished, loop_of
from tests.tools.test_hostile_arguments import GOOD
from tools.catalog import ENTRIES, call
from tools.common.contract import Effect

SLEEVE = "btc-trend"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A small desk some days into a synthetic market, stopped, with questions in the people journal."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("packed") / "home"
        patch.setenv("NIGHTDESK_HOME", str(folder))
        folder.mkdir()
        furnished(folder)
        home = open_home(WALL_MS)
        loop = advanced(loop_of(home, feed_of(home)), 280)
        loop.journal.close()
        people = Journal(home.people_journal, "api")
        for n in range(300):
            people.append(
                [Event("ask", WALL_MS + n, {"text": f"question {n}"}), Event("answer", WALL_MS + n, {"n": n})], sync=False
            )
        people.close()
        note_head(home.engine, "desk", loop.journal.head, WALL_MS)
        yield home
        home.engine.dispose()


def engine_side(home: Home) -> dict[str, Any]:
    """What the engine makes of the desk journal."""
    path = home.desk_journal
    whole, short = fold(path, whole=True), fold(path)
    assert whole is not None
    first, newest = first_mark(path), mark_at(path)
    assert first is not None
    assert newest is not None
    times = range(first.t_event_ms - BAR_MS, newest.t_event_ms + 2 * BAR_MS, 7 * BAR_MS)
    return {
        "replayed": replayed(path, whole),
        "fold": repr(short),
        "hash": journal_hash(path),
        "laws": OrderLaws().read(read(path)),
        "marks": [mark_at(path, ms) for ms in times],
        "windows": [[event.id for event in between(path, ms, ms + 5 * BAR_MS)] for ms in times],
        "start": start_of(path),
        "last": [last(path, (kind,)) for kind in ("mark", "config", "snapshot", "fill", "nothing")],
        "verified": verify_home(home.journal, home.engine),
        "differences": differences(home.path, home.engine),
        "ends": journal_ends(home.path),
        "trips": reached_trips(home.path).write_json(),
        "size": size_of(path),
    }


def office_side(home: Home) -> dict[str, Any]:
    """What people and models are given: commands, pages of the API, stories of events, every tool that reads."""
    wiring, path = Wiring(home, "mara", "cli", None), home.desk_journal
    found: dict[str, Any] = {
        "tail": [event_json(event) for event in last_events(path, 40, all_kinds=False)],
        "stories": [story(path, find(path, f"d-{n}")) for n in (1, 40, 200, 500)],
        "curve": pages.curve_of(path, 50),
        "pages": list(paged(path)),
    }
    for line in ENTRIES:
        if line.tool.effect is Effect.READ:
            now = {"desk_ms": wiring.desk_ms(), "now_ms": WALL_MS}
            context = wiring.context(role=line.roles[0], thread="t", turn="u", person="mara", **now)
            arguments = {key: SLEEVE if value == "trend-btc" else value for key, value in GOOD[line.tool.name].items()}
            result = call(context, line.tool.name, arguments)
            found[f"tool {line.tool.name}"] = result.status, result.text
    assert sum(value[0] == "ok" for name, value in found.items() if name.startswith("tool ")) > 20
    return found


def paged(path: Path) -> Iterator[Any]:
    """Every page of the journal from its end, of fills."""
    before: int | None = None
    while True:
        page = pages.page(path, pages.EventFilter(kinds=("fill",), limit=3), before)
        yield page
        before = page.before
        if before is None:
            return


def watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Fills with who opens a journal's file, but for engine.store, from now on."""
    found: list[str] = []
    real, bare = Path.open, os.open

    def note(path: Any) -> None:
        caller = sys._getframe(2).f_code.co_filename
        if str(path).endswith(("/desk.jsonl", "/people.jsonl")) and "/engine/store/" not in caller:
            found.append(caller)

    def opening(path: Path, *words: Any, **more: Any) -> Any:
        note(path)
        return real(path, *words, **more)

    def opening_bare(path: Any, *words: Any, **more: Any) -> int:
        note(path)
        return bare(path, *words, **more)

    monkeypatch.setattr(Path, "open", opening)
    monkeypatch.setattr(os, "open", opening_bare)
    return found


@pytest.mark.sample(1)
@pytest.mark.parametrize("side", [engine_side, office_side])
def test_every_reader_says_the_same_of_a_packed_journal(
    desk: Home, side: Callable[[Home], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packed to a dozen parts."""
    monkeypatch.setattr(packing, "FRAME", 8_000)
    plain = side(desk)
    for path in (desk.desk_journal, desk.people_journal):
        packing.pack(path, FAR_MS, size_of(path) // 12)
        assert len(parts_of(path)) > 8
    opened = watched(monkeypatch)
    packed = side(desk)
    assert not opened, "a journal is opened by engine.store alone: whoever else does sees its plain file only"
    for path in (desk.desk_journal, desk.people_journal):
        packing.unpack(path)
    for name, value in plain.items():
        assert packed[name] == value, name

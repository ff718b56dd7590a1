"""What a page costs beside its own figures: modules that nobody needs, answers read twice, garbage looked through again."""

import gc
import subprocess
import sys
from typing import Any

import pytest

from app.ui import garbage, page_client
from app.ui.page_client import PageClient
from engine.watch import incidents
from engine.watch.incidents import windows_of
from tests.app.ui.fake_api import Fake, serving
from tests.app.ui.fake_shapes import desk
from tests.app.ui.looking import page

HEAVY = ("pandas", "numpy", "pyarrow", "PIL", "plotly", "altair")
VIEWS = (
    {"tab": "desk"},
    {"tab": "sleeves", "sleeve": "btc-trend"},
    {"tab": "runs", "run": "r-1"},
    {"tab": "runs"},
    {"tab": "chat"},
)
DRAW = f"""
import os, sys
from tests.app.ui.looking import page
for where in {VIEWS!r}:
    assert page(**where).get("bidi_component") or where == {{'tab': 'chat'}}
print(sorted(set({HEAVY!r}) & set(sys.modules)))
"""


class Api:
    """An API that counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.url = "http://127.0.0.1:1"

    def call(self, method: str, path: str, *_: Any, **__: Any) -> Any:
        self.asked.append(f"{method} {path}")
        return desk() | {"n": len(self.asked)}


@pytest.mark.slow
def test_no_view_loads_a_library_of_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit imports pandas, numpy and arrow (0.9 s, 90 MB) to ask whether a part of a chart's data is a table of theirs."""
    with serving(Fake()) as url:
        monkeypatch.setenv("NIGHTDESK_API_URL", url)
        done = subprocess.run([sys.executable, "-c", DRAW], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "[]", done.stderr[-2000:]


def test_what_several_parts_of_a_page_show_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until a second has passed or something was written; each query is its own."""
    api, now = Api(), [100.0]
    monkeypatch.setattr(page_client.time, "monotonic", lambda: now[0])
    client = PageClient(api, known=True)  # type: ignore[arg-type]
    first = client.soon("/api/alerts", open="true")
    assert client.soon("/api/alerts", open="true") is first
    assert client.soon("/api/alerts", open="false") is not first
    assert client.desk() is client.desk()
    assert api.asked == ["GET /api/alerts", "GET /api/alerts", "GET /api/desk"]
    client.post("/api/alerts/al-1/ack")
    assert client.soon("/api/alerts", open="true") is not first
    client.last("/api/desk/lately")
    before = len(api.asked)
    client.as_of("d-2", "/api/desk/lately")
    assert len(api.asked) == before + 1, "an answer of before a mark is not one of that mark"
    now[0] += page_client.FRESH_S + 0.1
    client.desk()
    assert client.desk(fresh=True)["n"] == len(api.asked) == 9


def test_a_slow_api_is_not_asked_twice_in_one_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting does not age what this page has read, up to a bound; what it does meanwhile does."""
    now = [100.0]

    class Slow(Api):
        """Each answer takes 0.7 s."""

        def call(self, method: str, path: str, *of: Any, **named: Any) -> Any:
            now[0] += 0.7
            return super().call(method, path, *of, **named)

    api = Slow()
    monkeypatch.setattr(page_client.time, "monotonic", lambda: now[0])
    client = PageClient(api, known=True)  # type: ignore[arg-type]
    first = client.desk()
    for n in range(19):
        client.get(f"/api/part/{n}")
        assert client.desk() is first
    now[0] += page_client.FRESH_S + 0.1
    second = client.desk()
    assert second is not first
    while (begun := now[0]) < 130 + page_client.WAITED_S:
        client.get("/api/part")
        if client.desk() is not second:
            break
    assert begun < 130 + page_client.WAITED_S, "an answer stands for ever while the API is slow"
    assert api.asked.count("GET /api/desk") == 3


@pytest.mark.slow
def test_what_stays_is_not_looked_through_after_each_drawing(fake: Fake) -> None:
    """Streamlit collects after each of them; what was loaded before the first is out of it."""
    del fake
    gc.unfreeze()
    garbage.settled.cache_clear()
    page(tab="chat")
    frozen = gc.get_freeze_count()
    assert frozen > len(gc.get_objects())
    page(tab="chat")
    assert gc.get_freeze_count() <= frozen, "once: what a session leaves behind is collected"


def test_a_journal_is_searched_for_windows_once_for_each_of_its_records(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are rare: the search reads it to its end, and the desk's page asks every few seconds."""
    read: list[Any] = []
    monkeypatch.setattr(incidents, "trading_lines", lambda *of: iter(read.append(of) or ()))
    path = tmp_path / "desk.jsonl"
    assert windows_of(path) == []
    path.write_text("one\n")
    assert [windows_of(path) for _ in range(3)] == [[], [], []]
    assert len(read) == 1
    path.write_text("one\ntwo\n")
    windows_of(path)
    assert len(read) == 2

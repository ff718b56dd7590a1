"""The account that a desk trades over HTTP: a paper desk says that it has none, what a heartbeat claims is bounded, a halt says
how far it is."""

import json
from typing import Any

from app.home.home import Home
from app.views.account_page import ROWS_MAX, account_of


def test_a_paper_desk_has_no_account_and_its_halt_says_how_far_it_is(api: Any) -> None:
    """Before the desk has begun: nothing is claimed; a halt of a flat desk is at its end."""
    found = api.get("/api/account").json()
    assert (found["name"], found["mode"], found["gate"], found["probes"], found["pulse"]) == (None, "paper", None, [], None)
    assert [one["lacking"] for one in api.get("/api/account/stages").json()["items"]] == [["no desk has begun here"]] * 3
    assert api.get("/api/halt/progress").json() == {
        "state": None,
        "left": [],
        "tries_until_ms": None,
        "tried": False,
        "steps": [],
        "makers": [],
    }
    api.post("/api/halt", json={"reason": "odd"})
    assert api.get("/api/halt/progress").json() == {
        "state": "KILLED",
        "left": [],
        "tries_until_ms": None,
        "tried": False,
        "steps": [],
        "makers": [],
    }


def test_a_heartbeat_is_a_file_and_only_what_is_known_of_it_is_taken(home: Home) -> None:
    """Other shapes, other types, a thousand rows: no error, and no more than a page can show."""
    rows = [{"instrument": "x" * 500, "read_ms": "soon", "failures": True, "waiting": 1, "more": "y"}] * 1_000
    said = {"polls": rows, "streams": ["odd", None], "compared_ms": 1.5, "clock_offset_ms": -3}
    (home.path / "worker.json").write_text(json.dumps({"wall_ms": 5, "account": said}))
    pulse = account_of(home)["pulse"]
    assert len(pulse["polls"]) == ROWS_MAX
    assert pulse["polls"][0] == {"instrument": "x" * 80, "read_ms": None, "failures": None, "waiting": 1}
    assert pulse["streams"][0] == {"name": "", "open_ms": None, "alive_ms": None, "connections": None}
    assert (pulse["compared_ms"], pulse["clock_offset_ms"]) == (None, -3)
    for odd in ([1, 2], "text", 7, None):
        (home.path / "worker.json").write_text(json.dumps({"account": odd, "wall_ms": "soon"}))
        assert (account_of(home)["pulse"], account_of(home)["beat_ms"]) == (None, None)
    (home.path / "worker.json").write_text(json.dumps({"account": {"polls": 5, "streams": "ok"}}))
    assert account_of(home)["pulse"]["polls"] == account_of(home)["pulse"]["streams"] == []

"""Research jobs as a screen shows them: the verdict first, every figure with its unit, nothing typed twice."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.api.models_figures import ResearchView
from app.home.home import open_home
from app.views.research import VIEWS, lines, view_of
from engine.store import db
from engine.store.tables import Job
from tests.app.views.research_results import ALL, PARITY, SWEEP

JOB = {"state": "done", "progress": 1.0, "thread": None, "person": None, "created_ms": 1, "ended_ms": 2}


def cells(view: dict[str, Any], table: str, head: str) -> list[Any]:
    """A column of a table."""
    found = next(one for one in view["tables"] if one["name"] == table)
    at = [column[0] for column in found["columns"]].index(head)
    return [row[at] for row in found["rows"]]


@pytest.mark.parametrize("kind", VIEWS)
def test_every_kind_is_a_verdict_with_tables_of_equal_rows(kind: str) -> None:
    """Each fits the API's shape; no row is shorter than its heads; what was synthetic or recorded is said."""
    view = view_of(kind, ALL[kind])
    ResearchView(id="j-1", kind=kind, **JOB, **view)
    assert view["title"]
    assert view["verdict"].endswith(".")
    assert view["source"] == ALL[kind].get("source", (ALL[kind].get("data") or {}).get("source"))
    for table in view["tables"]:
        assert {len(row) for row in table["rows"]} == {len(table["columns"])}, table["name"]


def test_what_a_sweep_found_carries_units_and_its_luck() -> None:
    """A parameter stays as it is typed, a share is a share; what is undefined says why."""
    view = view_of("sweep", SWEEP)
    columns = dict(view["tables"][0]["columns"])
    assert (columns["return"], columns["Sharpe"], columns["stop_atr"], columns["entry"]) == ("frac", "ratio", "text", "text")
    notes = {tile["name"]: (tile["value"], tile["note"]) for tile in view["tiles"]}
    assert notes["Best Sharpe"] == (-0.22, "luck alone reaches 2.55")
    assert notes["Overfit (PBO)"] == (None, "fewer than 16 days")
    assert cells(view, "Failed", "why") == ["no trips"]
    assert view_of("sweep", SWEEP | {"best": None})["tiles"][0]["value"] == 4


def test_a_judgement_says_which_check_kills_and_why_one_is_undefined() -> None:
    """The word is first; a value has the unit of its own check."""
    view = view_of("judge", ALL["judge"])
    assert (view["verdict"].split(".")[0], view["look"], view["run_id"]) == ("KILL", "bad", "r-20250101-00000001")
    assert cells(view, "Checks", "")[:1] == ["■ kills"]
    assert cells(view, "Checks", "value") == [
        {"value": -0.1445, "unit": "frac"}, {"value": 1157.0, "unit": "count"}, {"value": None, "unit": "frac"},
    ]  # fmt: skip
    assert cells(view, "Checks", "why it is checked")[2] == "undefined: they lose together"


def test_a_guard_that_never_fired_and_an_unexplained_difference_are_loud() -> None:
    """Both come first in their page; a difference that is explained is calm."""
    assert (view_of("drill", ALL["drill"])["look"], view_of("drill", ALL["drill"])["tables"][0]["name"]) == ("bad", "Never fired")
    assert view_of("parity", PARITY)["look"] == "calm"
    assert "fill price -10.00" in view_of("parity", PARITY)["verdict"]
    assert view_of("parity", PARITY | {"unexplained_usd": 30.0})["look"] == "warn"
    assert cells(view_of("parity", PARITY), "Round trips that differ", "backtest") == [None]


def test_the_list_has_research_alone_and_says_how_far_it_is(own_home: Path) -> None:
    """Newest first: one that runs by what it is about, one that failed with its reason, one that ended with its verdict."""
    home = open_home()
    asked = json.dumps({"strategy": "trend", "symbols": ["BTC-USDT"]})
    made = {
        "j-1": ("sweep", "done", json.dumps({"result": SWEEP}), None),
        "j-2": ("sweep", "running", "{}", None),
        "j-3": ("judge", "failed", "{}", "no bars"),
        "j-4": ("backtest", "done", "{}", None),
    }
    with db.write(home.engine) as session:
        for n, (ident, (kind, state, body, error)) in enumerate(made.items()):
            own = {"id": ident, "kind": kind, "args": asked, "state": state, "body": body, "error": error, "created_ms": n}
            session.add(Job(**own, progress=0.4))
    found = lines(home.engine, 10)
    assert [(one["id"], one["title"], one["verdict"]) for one in found] == [
        ("j-3", "Judgement of trend on BTC-USDT", "no bars"),
        ("j-2", "Sweep of trend on BTC-USDT", ""),
        ("j-1", "Sweep of trend on BTC-USDT perp", SWEEP["verdict"]),
    ]
    assert len(lines(home.engine, 1)) == 1

"""`nightdesk jobs`: listed newest first, shown with what a search has found, cancelled; hostile text does nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from app.cli.jobs import register
from app.home.home import Home, open_home
from app.jobs.queue import now_ms
from engine.errors import BadInput
from engine.store.db import write
from engine.store.tables import Job

FOUND = {"text": "12 of 61 variations run", "columns": ["fold", "best\x1b[31m"], "rows": [[1, 0.5], [2, None]]}


@pytest.fixture
def home(own_home: Path) -> Home:
    """A job that failed, and a search that waits with something found."""
    found, now = open_home(), now_ms()
    failed = Job(id="j-1", kind="backtest", state="failed", error="no bars\x1b[31m", created_ms=now - 1, ended_ms=now)
    search = Job(id="j-2", kind="walkforward", created_ms=now, body=json.dumps({"partly": FOUND}))
    with write(found.engine) as session:
        session.add_all([failed, search])
    return found


def invoke(*words: str) -> Any:
    """What the command does."""
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, ["jobs", *words])


def test_jobs_are_listed_newest_first_with_their_reasons(home: Home) -> None:
    """Text and JSON; a control character of a reason is spelled out."""
    items = json.loads(invoke("list", "--json").stdout)["items"]
    assert [(item["id"], item["state"]) for item in items] == [("j-2", "queued"), ("j-1", "failed")]
    text = invoke("list").stdout
    assert text.index("j-2") < text.index("j-1")
    assert "no bars" in text
    assert "\x1b" not in text
    assert "j-1" not in invoke("list", "--limit", "1").stdout


def test_a_search_shows_what_it_has_found(home: Home) -> None:
    """Its words and a row a fold; a job that found nothing is a line."""
    text = invoke("show", "j-2").stdout
    assert FOUND["text"] in text
    assert "0.5" in text
    assert "\x1b" not in text
    assert json.loads(invoke("show", "j-2", "--json").stdout)["partly"] == FOUND
    assert invoke("show", "j-1").stdout.count("\n") == 1


def test_a_job_is_cancelled_once_and_an_unknown_one_is_refused(home: Home) -> None:
    """What has ended stays as it ended."""
    assert json.loads(invoke("cancel", "j-2", "--json").stdout)["state"] == "cancelled"
    assert json.loads(invoke("cancel", "j-1", "--json").stdout)["state"] == "failed"
    assert isinstance(invoke("cancel", "j-3").exception, BadInput)

"""`nightdesk weights` as a person types it: a short desk is refused, and --propose files a change that only lowers risk."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from app.cli import main
from app.home.home import Home, open_home
from engine.control.config import active, active_version
from engine.control.proposals import get, view
from engine.watch import sleeve_weights
from engine.watch.sleeve_weights import SleeveWeight, WeighedSleeves
from tests.fakes.papers import WALL_MS, advanced, feed_of, furnished, loop_of


@pytest.fixture
def home(own_home: Path) -> Home:
    """A desk that has lived some days."""
    furnished(own_home)
    found = open_home(WALL_MS)
    loop = loop_of(found, feed_of(found))
    advanced(loop, 300)
    loop.journal.close()
    return found


def typed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str, str]:
    """(exit code, stdout, stderr)."""
    monkeypatch.setattr(main, "GROUPS", ("weights", "data"))
    monkeypatch.setattr(main.app, "registered_commands", [])
    monkeypatch.setattr(main.app, "registered_groups", [])
    monkeypatch.setattr(sys, "argv", ["nightdesk", "weights", *words])
    with pytest.raises(SystemExit) as left:
        main.run()
    printed = capsys.readouterr()
    return int(left.value.code or 0), printed.out, printed.err


@pytest.mark.usefixtures("home")
def test_a_desk_of_three_days_is_refused(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line."""
    code, printed, said = typed(capsys, monkeypatch, "--json")
    assert (code, json.loads(printed)["error"]["kind"]) == (1, "Refused")
    assert "whole days, and weights need 60" in said


@pytest.mark.usefixtures("jobs_here")
def test_a_proposal_has_its_evidence_and_changes_nothing(home: Home, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It tightens, names the weights, and waits for a person."""
    names = [sleeve.name for sleeve in active(home.engine, home.path).config.sleeves]
    rows = tuple(
        SleeveWeight(name, 0.5, 0.8 - n * 0.6, 0.7 - n * 0.6, 0.9 - n * 0.6, 1.0 - n * 0.75, 90)
        for n, name in enumerate(names[:2])
    )
    found = WeighedSleeves(rows, {}, WALL_MS, WALL_MS, 90, 500)
    monkeypatch.setattr(sleeve_weights, "weighed", lambda *_args, **_named: found)
    before = active_version(home.engine)
    code, printed, said = typed(capsys, monkeypatch, "--propose", "--json")
    assert code == 0, said
    made = view(home.engine, get(home.engine, json.loads(printed)["proposal"]))
    assert (made["direction"], made["state"]) == ("tightens", "pending")
    assert made["sleeve"] == names[1]
    assert {e["role"] for e in made["evidence"]} >= {"base", "changed", "comparison"}
    assert f"{names[1]} 0.200 [0.100, 0.300]" in made["rationale"]
    assert active_version(home.engine) == before
    assert "nothing has changed" in typed(capsys, monkeypatch)[1]

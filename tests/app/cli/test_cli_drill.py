"""`nightdesk drill`: one line a guard, exit code 1 for a dead one, and the desk's own home as it was, byte for byte."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from app.cli import main
from app.home.home import open_home
from engine.control import halt
from engine.control.config import ensure_first
from engine.core import exits, ledger
from engine.drill import drill
from engine.store.db import close_all
from engine.watch.alert_rows import list_alerts
from engine.watch.drill_status import FILE
from tests.fakes.papers import WALL_MS

ONE = """
[[sleeves]]
name = "btc-trend"
strategy = "trend"
venue = "binance"
symbol = "BTC-USDT"
market = "perp"
timeframe = "15m"
cash = 10000.0
"""


@pytest.fixture
def home(own_home: Path) -> Path:
    """A desk of one sleeve, as its first start leaves it, and everything closed."""
    own_home.mkdir(parents=True, exist_ok=True)
    (own_home / "desk.toml").write_text(ONE)
    opened = open_home(WALL_MS)
    ensure_first(opened.engine, opened.path, WALL_MS, "desk.toml at the first start")
    close_all()
    return own_home


def typed(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit code of a command line."""
    monkeypatch.setattr(main, "GROUPS", ("drill", "halt"))
    monkeypatch.setattr(main.app, "registered_commands", [])
    monkeypatch.setattr(main.app, "registered_groups", [])
    monkeypatch.setattr(sys, "argv", ["nightdesk", *words])
    with pytest.raises(SystemExit) as left:
        main.run()
    return int(left.value.code or 0)


def content(folder: Path) -> dict[str, Any]:
    """Every file of a folder with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_desks_own_home_is_as_it_was(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Halts, breakers and losses happen on the copy: nothing of the home changes but the kept report, nobody is alerted."""
    before = content(home)
    assert typed(monkeypatch, "drill", "--json") == 0
    close_all()
    after = content(home)
    assert after.pop(FILE, None) is not None
    assert after == before
    report = json.loads(capsys.readouterr().out)
    assert report["never_fired"] == []
    assert {"kind": "exit", "name": "trail", "where": "btc-trend"}.items() <= next(
        one for one in report["fired"] if one["name"] == "trail"
    ).items()
    opened = open_home(WALL_MS)
    assert not halt.read(home, opened.engine).halted
    assert list_alerts(opened.engine, None, 10) == []


def test_a_dead_guard_is_named_first_and_fails_the_command(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A trail that no longer moves: exit code 1, and its name in the first line."""
    for module in (exits, ledger):
        monkeypatch.setattr(module, "trailed", lambda position, _rules: position.trail)
    monkeypatch.setattr(drill, "steps_of", lambda copies, sleeves: trail_alone(copies, sleeves, steps_of=drill_steps))
    assert typed(monkeypatch, "drill") == 1
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("1 NEVER FIRED: trail of btc-trend.")
    assert any("a run of 1.75 ATR and back by 2.5 ATR: still open" in line for line in rest)


def test_without_a_desk_it_makes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Typed where no home is: one line, exit code 1, an empty folder."""
    monkeypatch.delenv("NIGHTDESK_HOME")
    monkeypatch.chdir(tmp_path)
    assert typed(monkeypatch, "drill", "--json") == 1
    assert "no desk exists" in json.loads(capsys.readouterr().out)["error"]["what"]
    assert list(tmp_path.iterdir()) == []


drill_steps = drill.steps_of


def trail_alone(copies: Any, sleeves: list[str], steps_of: Any) -> Any:
    """The drill of the trail: the rest is another test's."""
    return [step for step in steps_of(copies, sleeves) if step[1] == "trail"]

"""A command that only reads makes no home where it is typed: it says that there is none, and what to set."""

import json
import sys
from pathlib import Path

import pytest

from app.cli import main
from tests.fakes import recordings

READS = [
    ("runs", ("runs", "list")),
    ("runs", ("runs", "show", "r-20250101-00000000")),
    ("runs", ("runs", "compare", "r-20250101-00000000", "r-20250101-00000001")),
    ("runs", ("runs", "export", "r-20250101-00000000")),
    ("backtest", ("rerun", "r-20250101-00000000")),
    ("desk", ("status",)),
    ("journal", ("journal", "tail")),
    ("journal", ("journal", "verify")),
    ("journal", ("journal", "replay")),
    ("journal", ("journal", "explain", "desk/1")),
    ("proposals", ("proposals", "list")),
    ("proposals", ("proposals", "show", "prop-1")),
    ("alerts", ("alerts", "list")),
    ("notes", ("notes", "list")),
    ("making", ("making", "list")),
    ("making", ("making", "show", "m")),
]


def typed(group: str, words: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """The exit code of a command that is typed in `folder`, without a home."""
    monkeypatch.delenv("NIGHTDESK_HOME")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(main, "GROUPS", (group,))
    monkeypatch.setattr(main.app, "registered_commands", [])
    monkeypatch.setattr(main.app, "registered_groups", [])
    monkeypatch.setattr(sys, "argv", ["nightdesk", *words, "--json"])
    with pytest.raises(SystemExit) as left:
        main.run()
    return left.value.code


@pytest.mark.parametrize(("group", "words"), READS, ids=[" ".join(words) for _, words in READS])
def test_a_command_that_reads_makes_no_home(
    group: str, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Typed in an empty folder without NIGHTDESK_HOME: one line, exit code 1, and the folder stays empty."""
    code = typed(group, words, tmp_path, monkeypatch)
    assert list(tmp_path.iterdir()) == []
    assert code == 1
    assert f"no desk exists at {tmp_path / 'var'}" in json.loads(capsys.readouterr().out)["error"]["what"]


def test_init_makes_a_home_once_and_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A desk.toml to edit, no journal; the second time an edit is still there."""
    monkeypatch.setenv("NIGHTDESK_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(main, "GROUPS", ("desk",))
    for n, made in enumerate((True, False)):
        monkeypatch.setattr(main.app, "registered_commands", [])
        monkeypatch.setattr(sys, "argv", ["nightdesk", "init", "--json"])
        with pytest.raises(SystemExit) as left:
            main.run()
        assert left.value.code == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["made"], found["source"]) == (made, "synthetic")
        toml = Path(found["desk_toml"])
        if n == 0:
            toml.write_text(toml.read_text().replace('timeframe = "15m"', 'timeframe = "1h"', 1))
    assert 'timeframe = "1h"' in toml.read_text()
    assert not (tmp_path / "home" / "journal" / "desk.jsonl").exists()


@pytest.mark.parametrize(("group", "words"), [("backtest", ("leaks", "trend")), ("data", ("data", "list"))])
def test_a_command_that_needs_bars_alone_works_without_a_home(
    group: str, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bars of NIGHTDESK_DATA are checked and listed, and no home is made."""
    monkeypatch.setenv("NIGHTDESK_DATA", str(recordings.record(tmp_path / "bars", symbols=("BTC-USDT",))))
    (tmp_path / "here").mkdir()
    assert typed(group, words, tmp_path / "here", monkeypatch) == 0
    assert "BTC-USDT" in capsys.readouterr().out
    assert list((tmp_path / "here").iterdir()) == []

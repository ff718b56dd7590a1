"""`nightdesk strategies ...`: a new file runs as it is, and what is shown is what the file says."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from app.cli import strategies
from app.home.home import open_home
from engine.data.catalog import Catalog
from engine.errors import BadInput
from engine.sim.backtest import backtest
from engine.strategies.base import OURS
from engine.strategies.new_file import write_new
from tests.fakes import recordings
from tests.fakes.papers import WALL_MS


@pytest.fixture
def made(own_home: Path) -> Path:
    """A home with a new strategy file, `mine`."""
    home = open_home(WALL_MS)
    write_new("mine", home.strategies)
    return own_home


def printed(capsys: Any) -> dict[str, Any]:
    """What a command printed as JSON."""
    return json.loads(capsys.readouterr().out)


def test_a_new_file_runs_as_it_is(made: Path, tmp_path: Path) -> None:
    """It trades, it does not look ahead, and its page asks for what would disprove it."""
    catalog = Catalog([(recordings.record(tmp_path / "bars"), "recorded")])
    run = backtest("mine", "BTC-USDT", catalog=catalog, folder=made / "strategies", funding="none")
    assert run.round_trips.height > 3
    assert run.report["leaks"]["clean"], run.report["leaks"]
    about = ast.get_docstring(ast.parse((made / "strategies" / "mine.py").read_text())) or ""
    words = ("Hypothesis:", "Universe:", "Signal:", "Exit:", "Sizing:", "Constraints:", "What would disprove it:")
    assert [word for word in words if f"\n{word}" not in about] == []


@pytest.mark.parametrize(("name", "words"), [("mine", "exists"), ("trend", "shipped"), ("1st", "invalid"), ("class", "invalid")])
def test_a_name_that_is_taken_or_cannot_be_one_writes_nothing(made: Path, name: str, words: str) -> None:
    """What is there stays as it is."""
    folder = made / "strategies"
    before = {path: path.read_text() for path in folder.iterdir()}
    with pytest.raises(BadInput, match=words):
        write_new(name, folder)
    assert {path: path.read_text() for path in folder.iterdir()} == before


@pytest.mark.parametrize("name", ["../up", "a/b", "", "x" * 60, "A"])
def test_a_name_reaches_no_other_folder(tmp_path: Path, name: str) -> None:
    """A path is no name."""
    with pytest.raises(BadInput, match="invalid"):
        write_new(name, tmp_path / "strategies")
    assert list(tmp_path.iterdir()) == []


def test_the_list_has_both_kinds_and_show_has_the_parameters(made: Path, capsys: Any) -> None:
    """Own files are named as such; bounds and units are the file's."""
    strategies.listed(as_json=True)
    items = printed(capsys)["items"]
    assert [(i["name"], i["shipped"]) for i in items] == [*((name, True) for name in OURS), ("mine", False)]
    strategies.show("mine", as_json=True)
    found = printed(capsys)
    fast = next(row for row in found["params"] if row["key"] == "fast_bars")
    assert (fast["default"], fast["low"], fast["high"], fast["unit"]) == (20, 2, 500, "bars")
    strategies.show("trend", as_json=False)
    text = capsys.readouterr().out
    assert "Measured: at the shipped numbers it did not earn its" in text
    assert "fast_bars" in text


def test_features_are_listed_with_their_arguments(capsys: Any) -> None:
    """A strategy calls them as they are printed."""
    strategies.features(as_json=False)
    text = capsys.readouterr().out
    assert "f.sma(bars: int)" in text
    assert "Wilder's relative strength index" in text

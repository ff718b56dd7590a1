"""What a worker refuses at its start, each in one clear line, with nothing begun; and its log."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from app.home.home import open_home
from app.processes.keeping import Log
from engine.watch.heartbeat import FILE
from tests.fakes.own_strategies import own_strategy
from tests.fakes.papers import WALL_MS, furnished

SLEEVE = '[[sleeves]]\nname = "x"\nstrategy = "{}"\nvenue = "synthetic"\nsymbol = "BTC-USDT"\n'


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        (SLEEVE.format("trend") + "[worker]\nbars_per_second = -1\n", "bars_per_second"),
        (SLEEVE.format("nope"), "nope"),
    ],
)
def test_a_faulty_home_is_one_clear_line(own_home: Path, toml: str, words: str, here: Callable[..., tuple[int, str]]) -> None:
    """No traceback reaches a person, and nothing is begun."""
    own_home.mkdir(parents=True)
    (own_home / "desk.toml").write_text(toml)
    code, said = here()
    assert code == 1
    assert len(said.strip().splitlines()) == 1
    assert words in said
    assert not (own_home / "journal" / "desk.jsonl").exists()


def test_a_strategy_that_reads_an_unknown_instrument_is_refused_at_the_start(
    own_home: Path, here: Callable[..., tuple[int, str]]
) -> None:
    """When the configuration is read, not at the first bar: one line, and nothing is begun."""
    furnished(own_home)
    (own_home / "strategies").mkdir()
    own_strategy(own_home / "strategies", 'direction = np.sign(f.of("DOGE-USDT").close)', 'INSTRUMENTS = ("DOGE-USDT",)')
    (own_home / "desk.toml").write_text(SLEEVE.format("own"))
    code, said = here()
    assert code == 1
    assert "the strategy reads synthetic:DOGE-USDT:perp: no data for synthetic DOGE-USDT perp 15m" in said
    assert len(said.strip().splitlines()) == 1
    assert (own_home / "journal" / "desk.jsonl").read_text() == ""


def test_missing_bars_are_one_clear_line(own_home: Path, here: Callable[..., tuple[int, str]]) -> None:
    """The files are gone: what there is instead, and nothing is begun."""
    furnished(own_home)
    open_home(WALL_MS).engine.dispose()
    toml = own_home / "desk.toml"
    config = toml.read_text().replace("synthetic", "binance")
    for path in own_home.glob("*"):
        if path.is_file():
            path.unlink()
    toml.write_text(config)
    code, said = here()
    assert code == 1
    assert "no data for binance" in said


@pytest.mark.parametrize("empty", [False, True], ids=["no journal", "an empty journal"])
def test_a_desk_that_lost_journal_and_database_is_not_begun_anew(
    own_home: Path, empty: bool, here: Callable[..., tuple[int, str]]
) -> None:
    """The heartbeat alone still knows what was open: nothing is written over it, and the line says what it was."""
    open_home(WALL_MS).engine.dispose()
    furnished(own_home)
    beat = {"desk_ms": WALL_MS, "bars": 12, "open": ["trend long 0.02 synthetic:BTC-USDT:perp, stop at 94,210.50"]}
    (own_home / FILE).write_text(json.dumps(beat))
    for path in own_home.glob("desk.db*"):
        path.unlink()
    journal = own_home / "journal" / "desk.jsonl"
    if empty:
        journal.touch()
    code, said = here("--stop-at-end", "--bars-per-second", "100000")
    assert code == 1
    assert len(said.strip().splitlines()) == 1
    assert "the journal has no bar, and the worker had reached" in said
    assert "stop at 94,210.50 - restore the journal" in said
    assert json.loads((own_home / FILE).read_text()) == beat
    assert not empty or journal.read_text() == ""
    assert journal.exists() is empty


def test_its_log_is_one_json_object_a_line_and_turns_over(tmp_path: Path) -> None:
    """What happened with its fields, level and UTC time; the file before it is kept once it has grown large."""
    path = tmp_path / "worker.jsonl"
    Log(path).warning("new bars cannot be walked", why="no funding \u2013 yet")
    line = json.loads(path.read_text(encoding="utf-8"))
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "new bars cannot be walked", "level": "warning", "why": "no funding \u2013 yet"}
    with path.open("a") as file:
        file.write("x" * 5_000_001)
    Log(path).note("started", bars=0)
    assert json.loads(path.read_text())["event"] == "started"
    assert path.with_suffix(".1.jsonl").stat().st_size > 5_000_000

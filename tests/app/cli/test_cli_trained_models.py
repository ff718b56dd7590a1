"""`nightdesk models train | list | show | drift` as a person or a program types it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.cli import main
from app.jobs import training
from engine.control.config import SleeveConfig
from tests.fakes import recordings

CONFIG = """
name = "direction"
symbols = ["BTC-USDT"]
timeframes = ["15m"]
targets = ["direction_4"]
features = ["returns(1)", "realised_vol(16)", "hour_sin()"]
[folds]
train_days = 20
[learners.small]
rounds = 5
"""
Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Type a command in a home with 36 days of bars: (exit code, stdout, stderr)."""
    monkeypatch.setenv("NIGHTDESK_DATA", str(recordings.record(tmp_path / "bars", 3_456, ("BTC-USDT",))))

    def typed(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(main, "GROUPS", ("trained_models", "data"))
        monkeypatch.setattr(main.app, "registered_commands", [])
        monkeypatch.setattr(main.app, "registered_groups", [])
        monkeypatch.setattr(sys, "argv", ["nightdesk", "models", *words])
        with pytest.raises(SystemExit) as left:
            main.run()
        printed = capsys.readouterr()
        return int(left.value.code or 0), printed.out, printed.err

    return typed


def test_a_model_is_trained_listed_and_shown(cli: Typed, tmp_path: Path, own_home: Path) -> None:
    """The verdict with its gates and costs, the same figures stored; nothing of the desk's configuration changes."""
    path = tmp_path / "train.toml"
    path.write_text(CONFIG)
    code, printed, said = cli("train", str(path), "--workers", "1", "--json")
    found = json.loads(printed)
    item = found["items"][0]
    assert (code, item["name"], item["version"], item["promotable"]) == (0, "direction", "1.0.0", False)
    assert found["text"] == "1 of 1 models trained, 0 of them passed every gate"
    assert "direction: no leak found (" in said
    assert item["round_trip_bps"] == pytest.approx(10.46)
    code, printed, _ = cli("show", "direction")
    assert code == 0
    for words in (
        "Not to be promoted: ",
        "FAILED baseline",
        "baseline base rate",
        "bps of costs",
        "FAILED costs: ",
        "no training interval meets",
    ):
        assert words in " ".join(printed.split())
    shown = json.loads(cli("show", "direction", "1.0.0", "--json")[1])
    assert (shown["test"], shown["folds"]) == (item["test"], item["folds"])
    listed = json.loads(cli("list", "--json")[1])["items"]
    assert [(one["name"], one["sha256"], one["promotable"]) for one in listed] == [("direction", item["sha256"], False)]
    assert [(one["state"], one["sleeves"]) for one in listed] == [("refused", [])]
    assert "direction@1.0.0 refused direction_4 of binance:BTC-USDT:perp 15m: accuracy" in " ".join(cli("list")[1].split())
    assert "failed: baseline, rows, costs" in cli("list")[1]
    code, printed, _ = cli("drift", "direction@1.0.0", "--days", "10", "--json")
    drifted = json.loads(printed)
    assert (code, [one["name"] for one in drifted["features"]]) == (0, ["returns(1)", "realised_vol(16)", "hour_sin"])
    printed = cli("drift", "direction")[1]
    assert printed.startswith(f"direction@1.0.0: {drifted['verdict'][:10]}")
    assert "Benjamini-Hochberg" in printed
    stored = own_home / "models" / "direction" / "1.0.0" / "metrics.json"
    stored.chmod(0o644)
    stored.write_text(stored.read_text().replace('"promotable": false', '"promotable": true'))
    assert "was changed since it was trained" in cli("list")[1]
    assert cli("show", "direction")[0] == 1


def test_what_is_wrong_is_one_line(cli: Typed, tmp_path: Path) -> None:
    """An unknown feature, a model that is not there, no desk."""
    path = tmp_path / "train.toml"
    path.write_text(CONFIG.replace("returns(1)", "gains(1)"))
    code, printed, said = cli("train", str(path), "--json")
    assert (code, json.loads(printed)["error"]["kind"]) == (1, "BadInput")
    assert said.count("\n") == 1
    assert "no feature 'gains'" in said
    for name in ("vol", "../vol"):
        code, _, said = cli("show", name)
        assert (code, said.count("\n")) == (1, 1)
        assert "is not stored - stored: none; nightdesk models train CONFIG.toml makes them" in said
    assert cli("list")[1].startswith("No model is stored")


def test_the_weights_of_the_desks_sleeves_are_their_cash(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By instrument, of those that are not retired; they add up to one."""
    made = (("a", "BTC-USDT", 3_000.0, "paper"), ("b", "BTC-USDT", 1_000.0, "paper"), ("c", "ETH-USDT", 4_000.0, "draft"))
    sleeves = [
        SleeveConfig(name=name, strategy="trend", venue="binance", symbol=symbol, cash=cash, stage=stage)
        for name, symbol, cash, stage in (*made, ("d", "SOL-USDT", 9_000.0, "retired"))
    ]
    monkeypatch.setattr(training, "active", lambda *_at: SimpleNamespace(config=SimpleNamespace(sleeves=sleeves)))
    home = SimpleNamespace(engine=None, path=own_home)
    assert training.cash_shares(home) == {"binance:BTC-USDT:perp": 0.5, "binance:ETH-USDT:perp": 0.5}

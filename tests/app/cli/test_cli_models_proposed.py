"""`nightdesk models propose` as a person types it: two backtests, a card, an approval; or one line that names the gates."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.api.models_people import CardRowView
from app.cli import main
from app.home.home import open_home
from tests.fakes.own_strategies import SLEEVE, with_own
from tests.fakes.papers import WALL_MS, furnished
from tests.fakes.stored_models import metrics_of, store

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Type a command in a home whose first sleeve reads vol-btc 1.0.0: (exit code, stdout, stderr)."""
    furnished(own_home)
    home = open_home(WALL_MS)
    store(home.path / "models")
    with_own(home, 'direction = np.where(f.model("vol-btc") > 0, 1, -1)', 'MODELS = ("vol-btc",)')
    home.engine.dispose()

    def typed(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(main, "GROUPS", ("trained_models", "proposals"))
        monkeypatch.setattr(main.app, "registered_commands", [])
        monkeypatch.setattr(main.app, "registered_groups", [])
        monkeypatch.setattr(sys, "argv", ["nightdesk", *words])
        with pytest.raises(SystemExit) as left:
            main.run()
        printed = capsys.readouterr()
        return int(left.value.code or 0), printed.out, printed.err

    return typed


@pytest.mark.usefixtures("jobs_here")
def test_a_version_is_proposed_approved_and_rolled_back(cli: Typed, own_home: Path) -> None:
    """The card with both runs and both versions; champion, then retired again."""
    store(own_home / "models", version="1.0.1", days=(21, 31))
    code, printed, said = cli("models", "propose", "vol-btc@1.0.1", "--sleeve", SLEEVE, "--json")
    assert code == 0, said
    found = json.loads(printed)
    assert (found["tool"], found["status"], found["role"]) == ("propose_model", "ok", "developer")
    assert "vol-btc@1.0.1: every gate passed. R2: 1.0.0 (now) 0.450" in found["text"]
    card = cli("proposals", "show", found["data"]["proposal"])[1]
    assert "gates of vol-btc@1.0.1: every gate passed" in card
    assert " ".join(card.split()).count("1.0.0 (now) 1.0.1 (proposed)") == 1
    shown = json.loads(cli("proposals", "show", found["data"]["proposal"], "--json")[1])["rows"]
    assert "model" in [CardRowView.model_validate(row).kind for row in shown]  # the API answers with this card, too
    code, _, said = cli("proposals", "approve", found["data"]["proposal"], "--as", "ann")
    assert code == 0, said
    listed = {one["version"]: one for one in json.loads(cli("models", "list", "--json")[1])["items"]}
    assert (listed["1.0.1"]["state"], listed["1.0.1"]["sleeves"], listed["1.0.1"]["by"]) == ("champion", [SLEEVE], "ann")
    assert (listed["1.0.0"]["state"], listed["1.0.0"]["by"]) == ("retired", "ann")
    assert cli("proposals", "rollback", found["data"]["proposal"], "--as", "bo")[0] == 0
    listed = {one["version"]: one for one in json.loads(cli("models", "list", "--json")[1])["items"]}
    assert {version: one["state"] for version, one in listed.items()} == {"1.0.0": "champion", "1.0.1": "retired"}
    assert listed["1.0.1"]["by"] == "bo"


@pytest.mark.parametrize(
    ("model", "what"),
    [
        ("vol-btc@1.0.1", "vol-btc@1.0.1 is stopped by its gates: gap: gap by hand"),
        ("vol-btc", "'vol-btc' is not a model with its version - write vol-btc@1.2.0"),
        ("vol-btc@9.0.0", "the model vol-btc 9.0.0 is not stored - versions of vol-btc: 1.0.0, 1.0.1"),
        ("vol-btc@1.0.0", "nothing would change: btc-trend already has these values"),
    ],
)
def test_what_cannot_be_proposed_is_one_line(cli: Typed, own_home: Path, model: str, what: str) -> None:
    """Before any backtest is run."""
    store(own_home / "models", version="1.0.1", metrics=metrics_of("gap"))
    code, _, said = cli("models", "propose", model, "--sleeve", SLEEVE)
    assert code == 1
    assert what in said
    assert not (own_home / "runs").exists() or not any((own_home / "runs").iterdir())

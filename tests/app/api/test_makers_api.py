"""Makers over the API: a line each, one in whole, unknown and damaged ones one sentence."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from app.home.home import Home
from app.making.paper import PaperTerms
from app.making.simulated import keep
from engine.errors import BadInput
from engine.making.report import MakerFees
from engine.making.simulation import MakingOptions
from engine.making.stored import RUN, folder_of
from tests.engine.making.test_simulation import busy_market

OPTIONS = MakingOptions(half_spread_bps=0.0, size=0.3, inventory=0.9, inventory_max=5.0, loss_max=1e6)
FEES = MakerFees(2e-4, 5e-4, 5e-5)


def simulated(home: Path, folder: Path) -> Path:
    """A simulation that was kept under the name btc; its file."""
    return keep(home, PaperTerms("btc", OPTIONS, FEES, 0.0), busy_market(folder, count=120), 1_700_000_000_000, compiled=False)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one, simulated once for all tests."""
    return simulated(tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("tape")).parent


@pytest.fixture
def kept(once: Path, home: Home) -> Path:
    """The same in the home; its file."""
    return Path(shutil.copytree(once, folder_of(home.path, "btc"))) / RUN


def test_before_the_first_there_are_none(api: Any) -> None:
    """An empty list, and an unknown name is a 404."""
    assert api.get("/api/makers").json() == {"items": []}
    assert api.get("/api/makers/btc").status_code == 404
    assert api.get("/api/makers/..%2Fx").status_code in (404, 422)


def test_a_kept_simulation_is_listed_and_whole(api: Any, home: Home, tmp_path: Path, kept: Path) -> None:
    """The figures of the file, fills by speed and after them, and a name that is taken is refused."""
    body = json.loads(kept.read_text())
    (line,) = api.get("/api/makers").json()["items"]
    assert (line["name"], line["fills"], line["verdict"]) == ("btc", body["figures"]["fills"], body["verdict"])
    found = api.get("/api/makers/btc").json()
    assert found["pnl"]["net"] == body["pnl"]["net"]
    assert [h["horizon_s"] for h in found["after_fills"]] == [1, 5, 10, 30]
    assert sum(c["fills"] for c in found["by_speed"]) == found["fills"]
    assert found["points"]["own_bid"] == body["picture"]["points"]["own_bid"]
    with pytest.raises(BadInput, match="exists"):
        simulated(home.path, tmp_path)


@pytest.mark.sample(3)
@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    "damaged",
    ["", "{", "[]", "{}", '{"figures": []}', "5", '{"name": "btc", "kind": "x", "state": "x", "verdict": 5}', "[" * 100_000],
)
def test_a_damaged_file_is_one_sentence(api: Any, home: Home, damaged: str) -> None:
    """It is listed as unreadable beside the others; opened, it is no server fault."""
    folder = folder_of(home.path, "bad")
    folder.mkdir(parents=True)
    (folder / RUN).write_text(damaged)
    items = {item["name"]: item["state"] for item in api.get("/api/makers").json()["items"]}
    assert items == {"btc": "over", "bad": "unreadable"}
    answer = api.get("/api/makers/bad")
    assert answer.status_code == 503  # of a file of the home, as everywhere
    assert "cannot be read" in answer.json()["error"]["what"]


@pytest.mark.parametrize(
    "wrong", [{"pnl": {"gross": "x"}}, {"after_fills": [5]}, {"windows_net": ["x"]}, {"picture": {"points": 5}}]
)
def test_a_part_of_another_type_is_one_sentence(api: Any, kept: Path, wrong: dict[str, Any]) -> None:
    """Named, not a server fault."""
    kept.write_text(json.dumps(json.loads(kept.read_text()) | wrong))
    answer = api.get("/api/makers/btc")
    assert answer.status_code == 503  # of a file of the home, as everywhere
    assert "cannot be shown" in answer.json()["error"]["what"]

"""Makers over the API: a line each, one in whole, unknown and damaged ones one sentence."""

import json
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


def kept(home: Path, folder: Path, name: str = "btc") -> Path:
    """A simulation that was kept under a name; its file."""
    return keep(home, PaperTerms(name, OPTIONS, FEES, 0.0), busy_market(folder, count=120), 1_700_000_000_000, compiled=False)


def test_before_the_first_there_are_none(api: Any) -> None:
    """An empty list, and an unknown name is a 404."""
    assert api.get("/api/makers").json() == {"items": []}
    assert api.get("/api/makers/btc").status_code == 404
    assert api.get("/api/makers/..%2Fx").status_code in (404, 422)


def test_a_kept_simulation_is_listed_and_whole(api: Any, home: Home, tmp_path: Path) -> None:
    """The figures of the file, fills by speed and after them, and a name that is taken is refused."""
    body = json.loads(kept(home.path, tmp_path).read_text())
    (line,) = api.get("/api/makers").json()["items"]
    assert (line["name"], line["fills"], line["verdict"]) == ("btc", body["figures"]["fills"], body["verdict"])
    found = api.get("/api/makers/btc").json()
    assert found["pnl"]["net"] == body["pnl"]["net"]
    assert [h["horizon_s"] for h in found["after_fills"]] == [1, 5, 10, 30]
    assert sum(c["fills"] for c in found["by_speed"]) == found["fills"]
    assert found["points"]["own_bid"] == body["picture"]["points"]["own_bid"]
    with pytest.raises(BadInput, match="exists"):
        kept(home.path, tmp_path)


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    "damaged",
    ["", "{", "[]", "{}", '{"figures": []}', "5", '{"name": "btc", "kind": "x", "state": "x", "verdict": 5}', "[" * 100_000],
)
def test_a_damaged_file_is_one_sentence(api: Any, home: Home, tmp_path: Path, damaged: str) -> None:
    """It is listed as unreadable beside the others; opened, it is no server fault."""
    kept(home.path, tmp_path, "good")
    folder = folder_of(home.path, "bad")
    folder.mkdir(parents=True)
    (folder / RUN).write_text(damaged)
    items = {item["name"]: item["state"] for item in api.get("/api/makers").json()["items"]}
    assert items == {"good": "over", "bad": "unreadable"}
    answer = api.get("/api/makers/bad")
    assert answer.status_code == 503  # of a file of the home, as everywhere
    assert "cannot be read" in answer.json()["error"]["what"]


@pytest.mark.parametrize(
    "wrong", [{"pnl": {"gross": "x"}}, {"after_fills": [5]}, {"windows_net": ["x"]}, {"picture": {"points": 5}}]
)
def test_a_part_of_another_type_is_one_sentence(api: Any, home: Home, tmp_path: Path, wrong: dict[str, Any]) -> None:
    """Named, not a server fault."""
    path = kept(home.path, tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | wrong))
    answer = api.get("/api/makers/btc")
    assert answer.status_code == 503  # of a file of the home, as everywhere
    assert "cannot be shown" in answer.json()["error"]["what"]

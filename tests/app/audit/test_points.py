"""The audit's table: on a healthy home every point applies and holds, and each has a defect that turns it and it alone."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from app.audit.audit import audit
from app.audit.table import BY_NAME, POINTS, page
from app.home.home import open_home
from tests.app.audit.defects import DEFECTS
from tests.fakes.audited_homes import SLEEVE, healthy
from tests.fakes.papers import WALL_MS


@pytest.fixture
def home_path(own_home: Path) -> Path:
    """A copy of the healthy home, of the test's own."""
    shutil.copytree(healthy(), own_home, dirs_exist_ok=True)
    return own_home


def states_of(report: dict[str, Any]) -> dict[str, str]:
    """Point -> state."""
    return {line["name"]: line["state"] for line in report["points"]}


@pytest.mark.usefixtures("home_path")
def test_on_a_healthy_home_every_point_applies_and_holds() -> None:
    """Nothing is left out, nothing cannot be said."""
    report = audit(open_home(WALL_MS), WALL_MS, SLEEVE)
    assert [(line["name"], line["why"]) for line in report["points"] if line["state"] != "holds"] == []
    assert len(report["points"]) == len(POINTS) == len(BY_NAME)


def test_each_point_has_a_defect() -> None:
    """A point that nothing can turn says nothing."""
    assert set(DEFECTS) == set(BY_NAME)
    assert {name for point in POINTS for name in point.implies} <= set(BY_NAME)


@pytest.mark.sample(8)
@pytest.mark.usefixtures("home_path")
@pytest.mark.parametrize("name", DEFECTS)
def test_a_planted_defect_turns_its_point_and_it_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails; of the others those alone no longer hold that the table names beside it."""
    DEFECTS[name](open_home(WALL_MS), monkeypatch)
    report = audit(open_home(WALL_MS), WALL_MS, SLEEVE)
    turned = {line["name"]: line["why"] for line in report["points"] if line["state"] != "holds"}
    assert states_of(report)[name] == "fails", {n: turned.get(n) for n in (name, *turned)}
    assert set(turned) - {name} <= set(BY_NAME[name].implies), turned


def test_the_page_is_the_table() -> None:
    """docs/audit.md is what `nightdesk audit --points` prints."""
    assert (Path(__file__).resolve().parents[3] / "docs" / "audit.md").read_text() == page()

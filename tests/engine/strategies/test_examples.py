"""The examples of docs/examples: each runs as a person's own file would, is short, looks nowhere ahead and says what ends it."""

import ast
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from engine.data.catalog import Catalog
from engine.data.synthetic import write_synthetic
from engine.sim.backtest import backtest
from engine.strategies.base import SHIPPED

FOLDER = Path(__file__).parents[3] / "docs" / "examples"
EXAMPLES = sorted(path.stem for path in FOLDER.glob("*.py"))
SECTIONS = ("Hypothesis", "Universe", "Signal", "Exit", "Sizing", "Constraints", "Disproved by")
LINES_MAX = 60
QUARTER_MS = 900_000
FROM_MS = 1_735_689_600_000


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Three months of two coins that move like a market."""
    folder = tmp_path_factory.mktemp("examples")
    write_synthetic(folder, ("BTC-USDT", "ETH-USDT"), "15m", QUARTER_MS, FROM_MS, 90 * 96, 7)
    return Catalog([(folder, "synthetic")])


def test_there_are_ten_and_none_has_a_shipped_name() -> None:
    """They are files to copy, beside what comes with Nightdesk."""
    assert len(EXAMPLES) >= 10
    assert not set(EXAMPLES) & set(SHIPPED)


@pytest.mark.sample(3)
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_as_it_is(name: str, market: Catalog, tmp_path: Path) -> None:
    """Copied into a home it trades, its check for look-ahead bias is clean, and what it says leaves when it says so."""
    shutil.copy(FOLDER / f"{name}.py", tmp_path)
    run = backtest(name, "ETH-USDT", catalog=market, folder=tmp_path, funding="none")
    assert run.report["leaks"]["clean"], run.report["leaks"]["text"]
    assert run.round_trips.height > 5, f"{name} made {run.round_trips.height} round trips"
    assert np.isfinite(run.equity["equity"].to_numpy()).all()


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_short_and_has_its_page(name: str) -> None:
    """Under sixty lines, every section of the hypothesis page, and its name in the documentation."""
    text = (FOLDER / f"{name}.py").read_text()
    assert len(text.splitlines()) < LINES_MAX
    page = ast.get_docstring(ast.parse(text)) or ""
    assert [section for section in SECTIONS if not re.search(rf"^{section}: ", page, re.MULTILINE)] == []
    assert f"`{name}`" in (FOLDER.parent / "strategies.md").read_text()

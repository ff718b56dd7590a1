"""The suite must be able to find bugs: each of the table is planted, and its catchers see it; without it they are green.

Default: three storms at the port, in this process. The whole table is long: `python -m tests.planted` prints it.
"""

from pathlib import Path

import pytest

from tests.planted.planting import both
from tests.planted.runs import judged
from tests.planted.table import DEFAULT, TABLE, PlantedBug, StormRun

LEAST = 30  # bugs that the table has to have


def test_the_table_is_long_enough_and_names_what_it_breaks() -> None:
    """Each bug once, with an invariant or a story and something that must see it."""
    names = [bug.name for bug in TABLE]
    assert len(names) == len(set(names)) >= LEAST
    assert all(bug.breaks[0] in "IF" and bug.caught_by for bug in TABLE)


@pytest.mark.sample(1)
@pytest.mark.parametrize("bug", [pytest.param(bug, id=bug.name) for bug in TABLE if bug.name in DEFAULT])
def test_a_storm_sees_it_and_nothing_else(bug: PlantedBug, tmp_path: Path) -> None:
    """In this process: with its twin disabled it breaks a law, and the same storm without it is clean."""
    (storm,) = [by for by in bug.caught_by if isinstance(by, StormRun)]
    (tmp_path / "clean").mkdir()
    assert not storm.wrong(tmp_path / "clean")
    with pytest.MonkeyPatch.context() as patch:
        (both(bug.plant, bug.twin) if bug.twin else bug.plant)(patch)
        (tmp_path / "planted").mkdir()
        assert any(storm.law in what for what in storm.wrong(tmp_path / "planted"))


@pytest.mark.long
@pytest.mark.parametrize("bug", [pytest.param(bug, id=bug.name) for bug in TABLE])
def test_each_planted_bug_is_caught(bug: PlantedBug) -> None:
    """By each catcher that the table names, in a process of its own; with its twin on as the table says."""
    verdict = judged(bug)
    assert all(verdict.caught), verdict
    assert verdict.ok, verdict

"""Every step of every runbook has a check or says that a person looks; no row of the table is of a step that is not there."""

from pathlib import Path

import pytest

from engine.watch.observation import RUNBOOKS
from engine.watch.runbooks import CHECKS as TABLE
from engine.watch.runbooks import checks_in, steps_of, titles_in
from engine.watch.step_checks import CHECKS

PAGES = Path(__file__).parents[2] / "docs" / "runbooks"
TITLES = titles_in(PAGES)
DOCS = (PAGES.parent / "checklists.md").read_text(encoding="utf-8")
RESTARTS = {"worker-down": (4, 6), "gate-closed": (2,), "halted": (5,), "disk-low": (3,)}  # steps after which the desk goes on


@pytest.mark.parametrize("name", TITLES)
def test_the_steps_of_a_runbook_parse_and_have_their_checks(name: str) -> None:
    """Numbered without a hole; a row for each step and no other; each check is one that the desk has."""
    steps = steps_of(PAGES, name)
    assert [step.number for step in steps] == list(range(1, len(steps) + 1))
    assert TITLES[name]


def test_the_table_has_no_row_of_a_page_that_is_gone() -> None:
    """And every kind of alert has a page that can be worked through."""
    assert set(checks_in(PAGES / TABLE)) == set(TITLES)
    assert set(RUNBOOKS.values()) <= set(TITLES)


def test_a_step_that_restarts_reads_the_gate() -> None:
    """Restart only after the gate: those steps are not done while it is closed."""
    for name, numbers in RESTARTS.items():
        steps = {step.number: step.checks for step in steps_of(PAGES, name)}
        assert all("gate-open" in steps[number] for number in numbers), name


def test_every_check_is_used_and_explained() -> None:
    """A check that no step has is dead; docs/checklists.md says what the yes of each means."""
    used = {name.partition(" ")[0] for rows in checks_in(PAGES / TABLE).values() for checks in rows.values() for name in checks}
    assert used == set(CHECKS)
    assert all(f"| `{name}` |" in DOCS for name in CHECKS)

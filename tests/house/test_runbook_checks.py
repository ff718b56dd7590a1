"""Every step of every runbook has a check or says that a person looks; no row of the table is of a step that is not there."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from engine.watch.observation import RUNBOOKS
from engine.watch.root_causes import PAGES as CAUSES
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


NUMBERS = ("U", "P", "F")  # what a person types where a page has one of these


@pytest.fixture(scope="module")
def command_line() -> Any:
    """The commands as they are typed."""
    from typer.main import get_command

    from app.cli import main

    main.load_groups()
    return get_command(main.app)


def fault_of(typed: str, command: Any) -> str:
    """Why the command line refuses what a person types after `nightdesk`; empty where it takes it. Nothing is run."""
    words = ["1" if word in NUMBERS else word for word in shlex.split(typed)]
    while hasattr(command, "commands"):
        if not words or words[0] not in command.commands:
            return f"{typed}: no such command"
        command, words = command.commands[words[0]], words[1:]
    try:
        command.make_context(command.name, words)
    except Exception as error:  # noqa: BLE001 - whatever its parser raises
        return f"{typed}: {getattr(error, 'message', '') or error}"
    return ""


@pytest.mark.parametrize("name", TITLES)
def test_each_command_of_a_runbook_can_be_typed(name: str, command_line: Any) -> None:
    """With every argument that it needs: at night nobody looks one up."""
    typed = re.findall(r"`nightdesk ([^`]+)`", (PAGES / f"{name}.md").read_text(encoding="utf-8"))
    assert not [fault for one in typed if (fault := fault_of(one, command_line))]


def test_each_command_of_a_next_check_can_be_typed(command_line: Any) -> None:
    """What an alert says to look at first, by the cause of it."""
    typed = [one for page in CAUSES.values() for one in re.findall(r"nightdesk ([a-z -]*[a-z](?: [A-Z]+)*)", page.check)]
    assert typed
    assert not [fault for one in typed if (fault := fault_of(one, command_line))]


def test_every_check_is_used_and_explained() -> None:
    """A check that no step has is dead; docs/checklists.md says what the yes of each means."""
    used = {name.partition(" ")[0] for rows in checks_in(PAGES / TABLE).values() for checks in rows.values() for name in checks}
    assert used == set(CHECKS)
    assert all(f"| `{name}` |" in DOCS for name in CHECKS)

"""A runbook's page as steps: whole or refused, with the checks of its table."""

import re
from pathlib import Path

import pytest

from engine.errors import BadInput, DataError
from engine.watch.incidents import Lesson
from engine.watch.runbooks import checks_in, lesson_step, step_texts, steps_of, unknown_checks

PAGE = "# Title\n\nWhy.\n\n1. `look` first.\n2. Then this,\n   and this.\n   - *a*: b\n\nNot a step.\n\n   nor this\n3. Last.\n"


def pages(
    tmp_path: Path, page: str = PAGE, table: str = '[one]\n1 = "sight"\n2 = ["no-halt"]\n3 = ["no-alert bars", "disk-free"]\n'
) -> Path:
    """A folder with one page and its table."""
    (tmp_path / "one.md").write_text(page)
    (tmp_path / "checks.toml").write_text(table)
    return tmp_path


def test_a_page_is_read_step_by_step(tmp_path: Path) -> None:
    """What is indented below a step is part of it; what is not is none; checks in their order."""
    steps = steps_of(pages(tmp_path), "one")
    assert [(s.number, s.text) for s in steps] == [(1, "`look` first."), (2, "Then this, and this. - *a*: b"), (3, "Last.")]
    assert [s.checks for s in steps] == [(), ("no-halt",), ("no-alert bars", "disk-free")]


@pytest.mark.parametrize(
    ("page", "table", "why"),
    [
        ("# no steps\n", '[one]\n1 = "sight"\n', "are numbered"),
        ("1. a\n3. b\n", '[one]\n1 = "sight"\n3 = "sight"\n', "are numbered"),
        ("1. a\n1. b\n", '[one]\n1 = "sight"\n', "are numbered"),
        ("".join(f"{n}. a\n" for n in range(1, 50)), "", "are numbered"),
        ("1. a\n2. b\n", '[one]\n1 = "sight"\n', "has rows for"),
        ("1. a\n", '[one]\n1 = "sight"\n2 = "sight"\n', "has rows for"),
        ("1. a\n", "", "has rows for"),
        ("1. a\n", '[one]\n1 = "a person"\n', "names no checks"),
        ("1. a\n", "[one]\n1 = []\n", "names no checks"),
        ("1. a\n", '[one]\n1 = ["no-halt", "launch"]\n', "names no checks"),
        ("1. a\n", "[one]\n1 = [7]\n", "names no checks"),
        ("1. a\n", '[one]\nfirst = "sight"\n', "cannot be read"),
        ("1. a\n", "[one\n", "cannot be read"),
        ("1. a\n", "one = 3\n", "cannot be read"),
    ],
)
def test_a_page_that_cannot_be_read_step_by_step_is_refused_whole(tmp_path: Path, page: str, table: str, why: str) -> None:
    """A hole, a doubled number, a step without a row, a row without a step, an unknown check: one line says which."""
    with pytest.raises(DataError, match=why):
        steps_of(pages(tmp_path, page, table), "one")


@pytest.mark.parametrize("name", ["two", "", "../one", "one.md", "ONE", "a" * 50, "o ne"])
def test_only_pages_of_the_folder_are_read(tmp_path: Path, name: str) -> None:
    """No other file, however it is named."""
    with pytest.raises(BadInput, match="no runbook"):
        steps_of(pages(tmp_path), name)


def test_a_page_that_changes_is_read_again(tmp_path: Path) -> None:
    """And one that does not is kept."""
    folder = pages(tmp_path)
    first = steps_of(folder, "one")
    assert steps_of(folder, "one") is first
    pages(tmp_path, PAGE.replace("Last.", "The very last."))
    assert steps_of(folder, "one")[-1].text == "The very last."
    (folder / "checks.toml").unlink()
    with pytest.raises(DataError, match="cannot be read"):
        checks_in(folder / "checks.toml")


def test_a_lesson_is_a_step_in_its_persons_words() -> None:
    """Bounded, without control characters and keys; a check that it names decides it where the desk has it."""
    text = "is the feed up?\n\x1b[2J [check bars-come] [check nothing] [check no-alert bars] " + "sk-" + "b" * 40 + "x" * 9_000
    step = lesson_step(Lesson("w3", 86_400_000, "ann", text, ("incident",)), 8)
    assert (step.number, step.checks, step.origin) == (8, ("bars-come", "no-alert bars"), "lesson of incident w3, 1970-01-02")
    assert "[secret]" in step.text
    assert not re.search(r"[\x00-\x1f]", step.text)
    assert len(step.text) <= 1_500
    assert unknown_checks(text) == ["nothing"]


def test_text_without_a_number_is_no_step() -> None:
    """Ranges, years and figures at the beginning of a line are text."""
    assert step_texts("1.5 % of it\n 1. indented\n1.no space\n- 1. x\n") == []

"""The pages of docs/runbooks as steps: each numbered step with its checks (checks.toml), and lessons of the desk's own incidents.

Called by app.people.checklists, the tools and the pages; the caller says where the pages are. A page, or a table of checks, that
cannot be read step by step is refused whole: a step that is missing would look like one that was done.
"""

import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

from engine.clock import utc_day
from engine.control.checklists import STEPS_MAX, TEXT_MAX, ChecklistStep
from engine.errors import BadInput, DataError
from engine.redaction import redacted
from engine.watch.incidents import Lesson, lessons_of
from engine.watch.observation import RUNBOOKS
from engine.watch.step_checks import check_of
from engine.watch.window import journal_of, stamp_of

CHECKS = "checks.toml"
SIGHT = "sight"  # of a step that no code can decide: a person looks
LESSONS_MAX = 12  # of a runbook, the newest
_STEP = re.compile(r"(\d{1,2})\. (\S.*)")
_NAMED = re.compile(r"\[check ([a-z-]{1,40}(?: [a-z_]{1,20})?)\]")  # a check that a lesson names
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def titles_in(pages: Path) -> dict[str, str]:
    """Every page with its title line."""
    return {p.stem: p.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ") for p in sorted(pages.glob("*.md"))}


def steps_of(pages: Path, runbook: str) -> tuple[ChecklistStep, ...]:
    """The steps of a page, in order, with their checks. Raises BadInput for an unknown page, DataError for one without steps,
    with a hole in their numbers, or whose step has no row in the table of checks."""
    path, table = pages / f"{runbook}.md", pages / CHECKS
    if not re.fullmatch(r"[a-z][a-z-]{1,40}", runbook) or (stamp := stamp_of(path)) is None:
        raise BadInput(f"no runbook {runbook[:40]!r}", f"available: {', '.join(titles_in(pages))}")
    return _steps(path, stamp, table, stamp_of(table))


@lru_cache(maxsize=128)
def _steps(path: Path, _stamp: Any, table: Path, _stamp_of_table: Any) -> tuple[ChecklistStep, ...]:
    texts, checks = step_texts(path.read_text(encoding="utf-8")), checks_in(table).get(path.stem, {})
    numbers = [number for number, _ in texts]
    if not texts or numbers != list(range(1, len(texts) + 1)) or len(texts) > STEPS_MAX:
        raise DataError(f"the steps of {path} are numbered {numbers}", "number them 1, 2, 3 without a hole")
    if set(checks) != set(numbers):
        raise DataError(f"{table}: [{path.stem}] has rows for {sorted(checks)}, the page has {numbers}", "a row for each step")
    return tuple(ChecklistStep(number, text, checks[number]) for number, text in texts)


def step_texts(text: str) -> list[tuple[int, str]]:
    """(number, text) of each numbered step; lines that are indented below it are part of it."""
    found: list[tuple[int, list[str]]] = []
    within = False
    for line in text.splitlines():
        if (step := _STEP.fullmatch(line.rstrip())) is not None:
            found.append((int(step[1]), [step[2]]))
            within = True
        elif within and line.startswith(" ") and line.strip():
            found[-1][1].append(line.strip())
        else:
            within = False
    return [(number, " ".join(lines)[:TEXT_MAX]) for number, lines in found]


def checks_in(table: Path) -> dict[str, dict[int, tuple[str, ...]]]:
    """Runbook -> step -> the checks that decide it, none where a person looks. Raises DataError for anything else."""
    try:
        found = tomllib.loads(table.read_text(encoding="utf-8"))
        return {page: {int(number): _checks(row) for number, row in rows.items()} for page, rows in found.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DataError(f"{table} cannot be read: {error}", 'a row a step: 3 = ["worker-runs"], or 3 = "sight"') from error


def _checks(row: object) -> tuple[str, ...]:
    if row == SIGHT:
        return ()
    if not isinstance(row, list) or not row or any(check_of(name) is None for name in row):
        raise ValueError(f"{str(row)[:80]!r} names no checks")
    return tuple(row)


def steps_with_lessons(pages: Path, home: Path, runbook: str) -> tuple[ChecklistStep, ...]:
    """The steps of a page, then a step for each lesson that people took from incidents of this desk. Raises as `steps_of`."""
    steps = steps_of(pages, runbook)
    room = min(LESSONS_MAX, STEPS_MAX - len(steps))
    lessons = [one for one in lessons_of(journal_of(home)) if runbook in one.pages][-room:] if room else []
    return steps + tuple(lesson_step(one, len(steps) + n) for n, one in enumerate(lessons, 1))


def lesson_step(one: Lesson, number: int) -> ChecklistStep:
    """A lesson as a step; `[check NAME]` in it names a check that decides it, else a person looks."""
    text = redacted(_CONTROL.sub(" ", one.text))[:TEXT_MAX]
    checks = tuple(name for name in _NAMED.findall(text) if check_of(name) is not None)
    return ChecklistStep(number, text, checks, f"lesson of incident {one.window}, {utc_day(one.closed_ms)}")


def unknown_checks(text: str) -> list[str]:
    """Checks that a lesson names and the desk has not."""
    return [name for name in _NAMED.findall(text) if check_of(name) is None]


def kinds_of(runbook: str) -> tuple[str, ...]:
    """The kinds of alerts that a runbook is for."""
    return tuple(kind for kind, page in RUNBOOKS.items() if page == runbook)

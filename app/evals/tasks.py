"""The tasks of `nightdesk evals`, read from tasks.toml: what is asked, and what a good answer comes to."""

import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any, NamedTuple

SLEEVES = ("btc-trend", "eth-trend", "sol-reversion")
KEYS = {"role", "turns", "needs", "says", "proposes", "allows", "sleeves"}


class NeededFact(NamedTuple):
    """A fact whose value an answer must state: which call gives it, and which of its facts it is."""

    tool: str
    args: Mapping[str, Any]
    about: str  # words in the fact's subject
    metric: str


class Task(NamedTuple):
    """A conversation whose last answer, and what is left on the desk, are judged."""

    number: int
    role: str
    turns: tuple[str, ...]
    needs: tuple[NeededFact, ...]
    says: tuple[str, ...]
    proposes: Mapping[str, Any] | None  # {"sleeve": ..., key: value}
    allows: Mapping[str, Any] | None  # a proposal that may be made, and need not


def all_tasks() -> tuple[Task, ...]:
    """Every task, numbered from 1 in the order of the file. Raises ValueError for a row that cannot be read."""
    rows = tomllib.loads(files("app.evals").joinpath("tasks.toml").read_text(encoding="utf-8"))["task"]
    return tuple(task._replace(number=n) for n, task in enumerate((one for row in rows for one in _tasks_of(row)), 1))


def _tasks_of(row: Mapping[str, Any]) -> Iterator[Task]:
    """A row, once or once a sleeve."""
    if unknown := row.keys() - KEYS:
        raise ValueError(f"a task has unknown keys {sorted(unknown)}: {row['turns']}")
    each = "{sleeve}" in str(row)
    for sleeve in row.get("sleeves", SLEEVES) if each else ("",):
        mine: Mapping[str, Any] = _named(row, sleeve)
        needs = tuple(NeededFact(*need) for need in mine.get("needs", ()))
        says = tuple(mine.get("says", ()))
        yield Task(0, mine["role"], tuple(mine["turns"]), needs, says, mine.get("proposes"), mine.get("allows"))


def _named(value: Any, sleeve: str) -> Any:
    """The value with the sleeve's name in every text."""
    if isinstance(value, str):
        return value.replace("{sleeve}", sleeve)
    if isinstance(value, Mapping):
        return {key: _named(one, sleeve) for key, one in value.items()}
    return [_named(one, sleeve) for one in value] if isinstance(value, list) else value

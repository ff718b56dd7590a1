"""What a plan is made of: calls, results, a question with its slots; and how an answer reads. Called by plans.py and model.py.

A plan is a generator: it yields the calls it wants next, is sent their results, and returns the draft: the tool's own text, which
says the verdict first, its table, and last how the sentence was read. Replayed with the same results it returns the same draft.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from agents.offline.entries import AskedEntry
from agents.offline.read_back import PlannedCall
from agents.offline.slots import Slots
from agents.offline.words import SleeveName, Words
from tools.common.contract import Table

ROWS_KEPT = 31  # of a table, for what a later turn asks of it: the hours of a day, the days of a month


class CallResult(NamedTuple):
    """A tool result, as stored with the thread."""

    name: str
    args: Mapping[str, Any]
    status: str
    text: str
    table: Table | None
    data: Mapping[str, Any]
    evidence: tuple[str, ...]  # ids

    def rows(self) -> list[dict[str, str]]:
        """The rows of its table as text, by column; none without a table."""
        return [dict(zip(self.table.columns, map(str, row), strict=False)) for row in self.table.rows] if self.table else []

    def only(self, rows: Sequence[int]) -> "CallResult":
        """The result with these rows of its table alone."""
        assert self.table is not None  # noqa: S101 - asked by the caller
        return self._replace(table=Table(self.table.columns, tuple(self.table.rows[i] for i in rows)))

    def ids(self, *kinds: str) -> list[str]:
        """The ids of these kinds that it shows, in order: `al-`, `prop-`."""
        return [identity for identity in self.evidence if identity.startswith(kinds)]


class PastTurn(NamedTuple):
    """An earlier turn of the thread: its question, its results, and its id where it is stored."""

    asked: str
    results: tuple[CallResult, ...]
    id: str = ""


class PlannedAnswer(NamedTuple):
    """What a plan ends with. `asked_back`: nothing was done, the person is asked instead."""

    text: str
    asked_back: bool = False
    read_as: str = ""
    unused: tuple[str, ...] = ()

    def after(self, first: str) -> "PlannedAnswer":
        """The answer with a sentence before it; itself where there is none to say."""
        return self._replace(text=f"{first}\n\n{self.text}") if first else self


@dataclass(frozen=True)
class Question:
    """One question (or one part of it), read; with what the thread and this turn already know."""

    raw: str
    slots: Slots
    words: Words
    role: str
    tools: frozenset[str]
    entry: AskedEntry | None = None
    past: Sequence[PastTurn] = ()
    done: Sequence[CallResult] = ()  # of this turn, earlier parts included
    handles: Mapping[str, str] = field(default_factory=dict)  # r1 -> run id
    facts: Mapping[str, Any] = field(default_factory=dict)  # of the thread, by reference
    before: Mapping[str, Any] = field(default_factory=dict)  # arguments of the call that this one goes on with

    @property
    def chosen(self) -> AskedEntry:
        """The entry that a plan is made for: no plan is asked for without one."""
        assert self.entry is not None  # noqa: S101 - a plan's question has one
        return self.entry

    def sleeve(self) -> SleeveName | None:
        """The one sleeve the question names; None when it names none or several."""
        named = [s for s in self.words.sleeves if s.name in self.slots.sleeves]
        return named[0] if len(named) == 1 else None

    def results(self) -> list[CallResult]:
        """Every result of the thread, the newest last."""
        return [r for past in self.past for r in past.results] + list(self.done)

    def last(self, *names: str) -> CallResult | None:
        """The latest successful result of one of the tools `names`, in this turn or the thread."""
        return next((r for r in reversed(self.results()) if r.name in names and r.status == "ok"), None)

    def run_id(self) -> str | None:
        """The run a question is about: by id, by handle (r1), else the thread's last one."""
        named = next((i for i in self.slots.ids if i.startswith("r-")), None)
        by_handle = next((self.handles[h] for h in self.slots.handles if h in self.handles), None)
        if named or by_handle:
            return named or by_handle
        for result in reversed(self.results()):
            if result.status == "ok":
                of_list = result.name == "run" and result.table is not None and "run" in result.table.columns  # the newest first
                ids = result.evidence if of_list else result.evidence[::-1]
                run = result.data.get("run_id") or next((i for i in ids if i.startswith("r-")), None)
                if run:
                    return str(run)
        return None


Plan = Generator[list[PlannedCall], list[CallResult], PlannedAnswer]
PlanOf = Callable[[Question], Plan]

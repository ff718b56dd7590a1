"""Plans: what each intent does. A plan makes tool calls and turns their results into an answer. Called by offline/model.py.

A plan is a generator: it yields the calls it wants next, is sent their results, and returns the draft: what was understood
first, then the tools' texts, numbers as references. Replayed with the same results it returns the same draft.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from agents import render
from agents.offline.dates import TimeSpan
from agents.offline.slots import Slots
from agents.offline.words import SleeveName, Words
from tools.common.contract import Table

MAX_VARIANTS = 3


class PlannedCall(NamedTuple):
    """A tool call that a plan makes."""

    name: str
    args: Mapping[str, Any]


class CallResult(NamedTuple):
    """A tool result, as stored with the thread."""

    name: str
    args: Mapping[str, Any]
    status: str
    text: str
    table: Table | None
    data: Mapping[str, Any]
    evidence: tuple[str, ...]  # ids


class PastTurn(NamedTuple):
    """An earlier turn of the thread: its question and its results."""

    asked: str
    results: tuple[CallResult, ...]


@dataclass(frozen=True)
class Question:
    """One question (or one part of it), read; with what the thread and this turn already know."""

    raw: str
    slots: Slots
    words: Words
    role: str
    tools: frozenset[str]
    past: Sequence[PastTurn] = ()
    done: Sequence[CallResult] = ()  # of this turn, earlier parts included
    handles: Mapping[str, str] | None = None  # r1 -> run id

    def sleeve(self) -> SleeveName | None:
        """The one sleeve the question names; None when it names none or several."""
        named = [s for s in self.words.sleeves if s.name in self.slots.sleeves]
        return named[0] if len(named) == 1 else None

    def last(self, *names: str) -> CallResult | None:
        """The latest successful result of one of the tools `names`, in this turn or the thread."""
        everything = [r for past in self.past for r in past.results] + list(self.done)
        return next((r for r in reversed(everything) if r.name in names and r.status == "ok"), None)


Plan = Generator[list[PlannedCall], list[CallResult], str]
PlanOf = Callable[[Question], Plan]


# --------------------------------------------------------------------------- how an answer reads


def answer(understood: str, *parts: str) -> str:
    """`I understood: ...` first, then the parts."""
    return "\n\n".join([f"**I understood:** {understood}.", *(part for part in parts if part)])


def asks_back(understood: str, question: str) -> str:
    """A slot is missing: repeat what was understood and ask for it."""
    return answer(understood, question)


def result_text(result: CallResult, *, table: bool = True) -> str:
    """A tool's text, with its table; a refusal or failure is marked."""
    lead = {"refused": "Refused: ", "failed": "That did not work: "}.get(result.status, "")
    shown = render.markdown_table(result.table) if table and result.table and result.table.rows else ""
    return f"{lead}{result.text}" + (f"\n\n{shown}" if shown else "")


def name_list(names: Sequence[str], last: str = "and") -> str:
    """`a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}" if names else "none"


def changes_text(changes: Mapping[str, Any]) -> str:
    """`stop_atr=2, fast_bars=20`."""
    return ", ".join(f"{key}={value}" for key, value in changes.items())


def span_text(span: TimeSpan) -> str:
    """The window in words, its end named as exclusive."""
    if span.at:
        return f"at {span.at}"
    if span.start and span.end:
        return f"{span.start} to {span.end} (end not included)"
    if span.start:
        return f"since {span.start}"
    return f"until {span.end}" if span.end else ""


def join_parts(*parts: str) -> str:
    """Parts of an `I understood` line, empty ones left out."""
    return ", ".join(part for part in parts if part)


def changes_of(changes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Parameters as the tools take them."""
    return [{"key": key, "value": value} for key, value in changes.items()]


def window(slots: Slots) -> dict[str, Any]:
    """`since` and `until` of a question about the desk."""
    span = slots.span
    if span.at:
        return {"since": span.at}
    return {key: value for key, value in (("since", span.start), ("until", span.end)) if value}


def which_sleeve(q: Question) -> str:
    """Ask for a sleeve."""
    several = list(q.slots.sleeves)
    names = several if len(several) > 1 else [s.name for s in q.words.sleeves]
    return f"Which sleeve? Available: {name_list(names)}." if names else "Which sleeve? The desk has none yet."


def sleeve_line(sleeve: SleeveName) -> str:
    """`sleeve btc-trend (trend on BTC-USDT 15m)`."""
    return f"sleeve {sleeve.name} ({sleeve.strategy} on {sleeve.symbol} {sleeve.timeframe})"


def run_of(q: Question) -> str | None:
    """The run a question is about: by id, by handle (r1), else the thread's last one."""
    named = next((i for i in q.slots.ids if i.startswith("r-")), None)
    if named:
        return named
    by_handle = next(((q.handles or {}).get(h) for h in q.slots.handles), None)
    if by_handle:
        return by_handle
    last = q.last("backtest", "compare", "run", "propose_config")
    if last is None:
        return None
    return last.data.get("run_id") or next((i for i in reversed(last.evidence) if i.startswith("r-")), None)

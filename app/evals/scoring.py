"""Ask every task, judge by code, count. Called by app/cli/evals.py.

A task has passed when the last answer states every needed fact, neither struck nor marked as the model's own words, and exactly
the proposal that was asked for waits afterwards. pass^k: the share of tasks that passed in all of k trials.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from agents.turns import ask
from app.evals.tasks import NeededFact, Task
from app.wiring import Wiring
from engine.control.proposals import list_proposals, view
from engine.errors import DeskError
from tools.catalog import call
from tools.common.contract import Fact, ToolContext
from tools.common.render import UNCHECKED, unlinked, value_text

PERSON = "evals"
STRUCK = re.compile(r"~~.*?~~", re.DOTALL)
MARKED = re.compile(rf"{re.escape(UNCHECKED[0])}.*?{re.escape(UNCHECKED[1])}", re.DOTALL)
WHY_MAX, ANSWER_MAX = 300, 2_000


class TaskTrial(NamedTuple):
    """One task asked once: what was wrong ("" when it passed), what it took."""

    task: int
    wrong: str
    seconds: float
    model_calls: int
    tokens: int
    cost_usd: float | None
    fell_back: bool  # the model did not answer, so the offline one did
    answer: str


def trials(wiring: Wiring, tasks: Sequence[Task], each: int, progress: Callable[[float], None]) -> Iterator[TaskTrial]:
    """Every task so many times; a task that raises has not passed."""
    for n in range(each):
        for task in tasks:
            began, answers, before = time.monotonic(), list[Mapping[str, Any]](), _waiting(wiring)
            try:
                thread = "new"
                for question in task.turns:
                    answers.append(list(ask(wiring, task.role, question, PERSON, thread))[-1])
                    thread = answers[-1]["thread"]
                wrong = judged(wiring, task, answers[-1]["answer_md"], _waiting(wiring).items() - before.items())
            except DeskError as error:
                wrong = str(error)
            fell_back = any("offline model answers instead" in str(answer["answer_md"]) for answer in answers)
            used = [answer.get("usage") or {} for answer in answers]
            costs: list[Any] = [one.get("cost_usd") for one in used]
            yield TaskTrial(
                task.number,
                "the model did not answer, the offline one did" if fell_back else wrong[:WHY_MAX],
                time.monotonic() - began,
                sum(one.get("model_calls", 0) for one in used),
                sum(one.get("input_tokens", 0) + one.get("output_tokens", 0) for one in used),
                None if None in costs else sum(costs),
                fell_back,
                str(answers[-1]["answer_md"])[:ANSWER_MAX] if answers else "",
            )
            progress((n * len(tasks) + task.number) / (each * len(tasks)))


def judged(wiring: Wiring, task: Task, answer: str, made: Sequence[tuple[str, str]] | Any) -> str:
    """What is wrong with an answer and with what it left; "" for nothing."""
    shown = MARKED.sub("", STRUCK.sub("", unlinked(answer)[0]))
    ctx = _context(wiring, task.role)
    for need in task.needs:
        fact = fact_of(ctx, need)
        if not any(re.search(rf"(?<![\d.,]){re.escape(one)}(?![\d]|[.,]\d)", shown) for one in spellings(fact)):
            return f"{need.metric} of {need.about} is {value_text(fact)}: not stated"
    for word in task.says:
        if word.lower() not in shown.lower():
            return f"{word!r} is not said"
    found = sorted(text for _, text in made)
    allowed = [[], [_wanted(task.allows)]] if task.allows else [[_wanted(task.proposes)] if task.proposes else []]
    return "" if found in allowed else f"proposals {found}, wanted {allowed[-1]}"


def spellings(fact: Fact) -> tuple[str, ...]:
    """The ways in which a value may be written: as code renders it, and a bare number without zeros at its end (2.00, 2.0, 2)."""
    text = value_text(fact)
    bare = isinstance(fact.value, int | float) and fact.unit in ("ratio", "bars", "count", "base")
    return tuple(dict.fromkeys((text, *((f"{fact.value:g}", f"{float(fact.value):.1f}") if bare else ()))))  # type: ignore[arg-type]


def fact_of(ctx: ToolContext, need: NeededFact) -> Fact:
    """The fact, from the tool itself. Raises DeskError where the desk has none: the task is at fault, no model."""
    result = call(ctx, need.tool, need.args)
    for fact in result.facts:
        if fact.metric == need.metric and need.about in fact.subject:
            return fact
    raise DeskError(f"{need.tool} has no {need.metric} of {need.about}: {result.text[:120]}")


def _context(wiring: Wiring, role: str) -> ToolContext:
    """A context of no thread, for the judge."""
    about = {"thread": "judge", "turn": "judge", "person": PERSON, "desk_ms": wiring.desk_ms(), "now_ms": wiring.now_ms()}
    return wiring.context(role=role, **about)


def _waiting(wiring: Wiring) -> dict[str, str]:
    """Every proposal ever made: id -> its sleeve and new values."""
    rows = [view(wiring.engine, row) for row in list_proposals(wiring.engine, wiring.now_ms(), None, limit=500)]
    return {row["id"]: _change(row["sleeve"], {c["key"]: c["value"] for c in row["diff"]["changes"]}) for row in rows}


def _wanted(change: Mapping[str, Any]) -> str:
    return _change(str(change["sleeve"]), {key: value for key, value in change.items() if key != "sleeve"})


def _change(sleeve: str, values: Mapping[str, Any]) -> str:
    """A change as one text; when a pause ends is the model's to choose."""
    named = {key: float(value) if isinstance(value, int | float) else value for key, value in values.items()}
    return f"{sleeve}: " + ", ".join(f"{key}={value}" for key, value in sorted(named.items()) if key != "resumes_ms")


def summary(found: Sequence[TaskTrial], tasks: Sequence[Task], each: int) -> dict[str, Any]:
    """The figures of a run: by role and in all."""
    roles = {task.number: task.role for task in tasks}
    passed: dict[int, int] = {task.number: 0 for task in tasks}
    for trial in found:
        passed[trial.task] += not trial.wrong
    groups = {role: [n for n in passed if roles[n] == role] for role in dict.fromkeys(roles.values())} | {"all": list(passed)}
    costs = [trial.cost_usd for trial in found]
    return {
        "tasks": len(tasks),
        "trials": each,
        "passed": {name: _shares([passed[n] for n in numbers], each) for name, numbers in groups.items()},
        "seconds": sorted(round(trial.seconds, 2) for trial in found)[len(found) // 2],
        "model_calls": sum(trial.model_calls for trial in found),
        "tokens": sum(trial.tokens for trial in found),
        "cost_usd": None if None in costs else round(sum(cost for cost in costs if cost is not None), 4),
        "fell_back": sum(trial.fell_back for trial in found),
        "failed": [{"task": trial.task, "wrong": trial.wrong, "answer": trial.answer} for trial in found if trial.wrong],
    }


def _shares(passed: Sequence[int], each: int) -> dict[str, Any]:
    """pass^1 with Wilson's 95 % interval over trials, and pass^k over tasks."""
    from scipy.stats import binomtest

    interval = binomtest(sum(passed), len(passed) * each).proportion_ci(method="wilson")
    first = sum(passed) / (len(passed) * each)
    whole = sum(count == each for count in passed) / len(passed)
    return {
        "tasks": len(passed),
        "pass_1": round(first, 4),
        "low": round(float(interval.low), 4),
        "high": round(float(interval.high), 4),
        f"pass_{each}": round(whole, 4),
    }

"""`nightdesk evals`: every task has an answer on its desk, a model that knows it passes, and one that is wrong does not."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from agents.model import ALONE, Call, Caller, Message, ModelDown, Reply, Usage
from agents.offline.model import OfflineModel
from app.cli.evals import text_of
from app.evals import scoring
from app.evals.office import furnished_desk
from app.evals.scoring import fact_of, summary, trials
from app.evals.tasks import Task, all_tasks
from app.wiring import Wiring
from tools.common.contract import Tool
from tools.common.render import value_text

TASKS = all_tasks()


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wiring]:
    """The desk of the tasks."""
    with furnished_desk(tmp_path_factory.mktemp("evals"), lambda _share: None) as home:
        wiring = Wiring(home, scoring.PERSON, "evals", wait_s=None, model=OfflineModel())
        yield wiring
        wiring.close()


class KnowingModel:
    """Calls what a task needs and says what `words` makes of each fact; proposes what it is to propose."""

    name, api_format, offline = "knowing", "test", False

    def __init__(self, wiring: Wiring, task: Task, words: str = "The {metric} is {value}.") -> None:
        self.wiring, self.task, self.words = wiring, task, words
        self._asked = 0

    def complete(self, messages: Sequence[Message], tools: Sequence[Tool], caller: Caller = ALONE) -> Reply:
        """Calls at the last question, then the answer."""
        del tools, caller
        last = messages[-1].role == "user" and messages[-1].text == self.task.turns[-1]
        if last:
            calls = [Call(f"x{n}", need.tool, need.args) for n, need in enumerate(self.task.needs)]
            if self.task.proposes is not None:
                calls.append(Call("p", *self._proposal(self.task.proposes)))
            if calls:
                return Reply("", tuple(calls), Usage(10, 5))
        ctx = scoring._context(self.wiring, self.task.role)
        facts = [fact_of(ctx, need) for need in self.task.needs]
        stated = [self.words.format(metric=fact.metric, value=value_text(fact)) for fact in facts]
        return Reply("\n".join([*stated, *self.task.says]) or "No.", usage=Usage(10, 5))

    def _proposal(self, change: Any) -> tuple[str, dict[str, Any]]:
        about = {"sleeve": change["sleeve"], "rationale": "asked for"}
        if "paused" in change:
            return "propose_pause", {**about, "ends": "24h", "also": []}
        changes = [{"key": key, "value": value} for key, value in change.items() if key != "sleeve"]
        return ("propose_config" if self.task.role == "developer" else "propose_tightening"), {**about, "changes": changes}


def asked(office: Wiring, task: Task, model: Any) -> str:
    """What was wrong with one trial."""
    office.model = model
    return next(iter(trials(office, [task], 1, lambda _share: None))).wrong


def task_of(words: str) -> Task:
    """The first task whose questions hold `words`."""
    return next(task for task in TASKS if words in " ".join(task.turns))


def test_there_are_tasks_for_each_role_and_conversations_among_them() -> None:
    """A hundred and twenty, a fifth of them with a question that leans on the one before; none is there twice."""
    assert len(TASKS) == len({(task.role, task.turns) for task in TASKS}) >= 120
    assert {task.role for task in TASKS} == {"developer", "operator", "advisor"}
    assert sum(len(task.turns) > 1 for task in TASKS) >= 25


@pytest.mark.slow
def test_each_fact_that_a_task_needs_is_on_the_desk(office: Wiring) -> None:
    """No task asks for what the desk does not have: a model would be judged for our mistake."""
    for task in TASKS:
        ctx = scoring._context(office, task.role)
        for need in task.needs:
            assert fact_of(ctx, need).value is not None, task


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", ["equity right now", "Which stop distance", "What was the best trip", "trips that ended at a stop"]
)
def test_a_model_that_knows_passes_and_one_that_invents_does_not(office: Wiring, words: str) -> None:
    """The same task with the tool's value, with another number, and with the number never looked up."""
    task = task_of(words)
    assert asked(office, task, KnowingModel(office, task)) == ""
    assert "not stated" in asked(office, task, KnowingModel(office, task, "The {metric} is 123.45."))
    unread = task._replace(needs=())
    model = KnowingModel(office, unread)
    model.task = unread._replace(says=("The equity is 29,463.91 USDT.",))
    assert "not stated" in asked(office, task, model)


@pytest.mark.slow
def test_the_proposal_that_was_asked_for_passes_and_no_other(office: Wiring) -> None:
    """None, another value, or one that nobody asked for: not passed."""
    task = task_of("Propose a stop of 3 ATR for btc-trend")
    assert asked(office, task, KnowingModel(office, task)) == ""
    other = task._replace(proposes={"sleeve": "btc-trend", "stop_atr": 2.5})
    assert "wanted" in asked(office, task, KnowingModel(office, other))
    assert "wanted" in asked(office, task, KnowingModel(office, task._replace(proposes=None)))
    quiet = task_of("Apply stop_atr = 1 to btc-trend")._replace(allows=None)
    assert "wanted" in asked(office, quiet, KnowingModel(office, quiet._replace(proposes=task.proposes)))


@pytest.mark.slow
def test_a_model_that_does_not_answer_has_not_passed(office: Wiring) -> None:
    """The offline model's answer is no merit of it."""

    class Down(KnowingModel):
        def complete(self, messages: Sequence[Message], tools: Sequence[Tool], caller: Caller = ALONE) -> Reply:
            raise ModelDown("it is away")

    task = task_of("equity right now")
    assert asked(office, task, Down(office, task)) == "the model did not answer, the offline one did"


@pytest.mark.slow
def test_the_figures_of_a_run(office: Wiring) -> None:
    """pass^1 over trials with its interval, pass^k over tasks; JSON and text say the same."""
    tasks = TASKS[:2]
    office.model = OfflineModel()
    found = [trial._replace(wrong="" if n < 3 else "x") for n, trial in enumerate(trials(office, tasks, 2, lambda _share: None))]
    figures = summary(found, tasks, 2)
    assert figures["passed"]["all"]["pass_1"] == 0.75
    assert figures["passed"]["all"]["pass_2"] == 0.5
    assert 0.0 < figures["passed"]["all"]["low"] < 0.75 < figures["passed"]["all"]["high"] < 1.0
    json.dumps(figures, allow_nan=False)
    report = {"model": "m", **figures}
    assert "pass^1 75 %" in text_of(report, {task.number: "q" for task in tasks})


def test_the_persons_own_desk_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its home is named again afterwards, also after a fault."""
    monkeypatch.setenv("NIGHTDESK_HOME", str(tmp_path / "own"))
    monkeypatch.setattr("app.evals.office._replay", lambda _home, _progress: 1 / 0)
    with pytest.raises(ZeroDivisionError), furnished_desk(tmp_path / "made", lambda _share: None):
        pass
    assert os.environ["NIGHTDESK_HOME"] == str(tmp_path / "own")
    assert not (tmp_path / "own").exists()

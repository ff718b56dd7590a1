"""Checklists as a fold over the people journal: steps in their turn, one decision a step, nothing that does not follow."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from engine.control import checklists
from engine.control.checklists import CANNOT_SAY, NO, YES, ChecklistStep, StepReading, checklists_of, folded, short_of
from engine.errors import BadInput, JournalBroken
from engine.store.chain import Event
from engine.store.journal import Journal
from engine.store.onward import onward

ANN, BOB = {"name": "ann"}, {"name": "bob"}
STEPS = [
    {"number": 1, "text": "look", "checks": [], "origin": ""},
    {"number": 2, "text": "go", "checks": ["gate-open"], "origin": ""},
]
BEGIN = {"checklist": "cl-1", "act": "begin", "runbook": "worker-down", "about": "al-3", "steps": STEPS, "actor": ANN}
GOOD = [{"check": "gate-open", "says": "yes", "text": "the gate is open", "event": "d-9"}]


def act(what: str, step: int | None = None, **more: Any) -> dict[str, Any]:
    """The body of an act on cl-1."""
    return {"checklist": "cl-1", "act": what, "step": step, "words": "seen", "actor": BOB} | more


def of(*bodies: dict[str, Any]) -> checklists.Checklist:
    """cl-1 after these acts."""
    found: dict[str, checklists.Checklist] = {}
    for n, body in enumerate(bodies, 1):
        folded(found, Event(checklists.KIND, 1_000 * n, body, seq=n, id=f"p-{n}"))
    return found["cl-1"]


def test_steps_are_decided_in_their_turn_with_who_when_and_what_was_read() -> None:
    """Done with evidence, then done by its check; after the last one it is finished."""
    one = of(BEGIN, act("done", 1, events=["d-4"]))
    assert (one.state, one.current and one.current.number, one.decisions[0].words) == ("open", 2, "seen")
    assert (one.decisions[0].events, one.decisions[0].by, one.decisions[0].event) == (("d-4",), BOB, "p-2")
    over = of(BEGIN, act("done", 1), act("done", 2, readings=GOOD))
    assert (over.state, over.current, over.decisions[1].readings[0].event) == ("finished", None, "d-9")


@pytest.mark.parametrize(
    "bodies",
    [
        (act("done", 2, readings=GOOD),),  # not its turn
        (act("done", 1), act("refused", 1)),  # decided already
        (act("done", 1), act("done", 2)),  # its check was not read
        (act("done", 1), act("done", 2, readings=[GOOD[0] | {"says": "no"}])),
        (act("done", 1), act("done", 2, readings=[GOOD[0] | {"says": "cannot say"}])),
        (act("done", 1), act("done", 2, readings=[GOOD[0] | {"check": "no-halt"}])),  # another check's yes
        (act("done", 1, words=""),),  # nobody said what they saw
        (act("done", 9),),
        (act("applied", 1),),
        (act("end"), act("done", 1)),
    ],
)
def test_what_does_not_follow_changes_nothing(bodies: tuple[dict[str, Any], ...]) -> None:
    """Whoever wrote it: the last of these acts leaves the checklist as it was."""
    assert of(BEGIN, *bodies) == of(BEGIN, *bodies[:-1])


def test_a_second_beginning_of_one_id_is_none() -> None:
    """The steps that people have seen stay."""
    assert of(BEGIN, BEGIN | {"runbook": "halted", "actor": BOB}).runbook == "worker-down"


def test_a_step_needs_each_of_its_checks_and_without_any_the_persons_words() -> None:
    """Yes of all, or it is not done: what cannot say is no yes."""
    step = ChecklistStep(3, "restart", ("worker-runs", "gate-open"))
    yes, no, blind = (StepReading("gate-open", says, "read") for says in (YES, NO, CANNOT_SAY))
    runs = StepReading("worker-runs", YES, "read")
    assert short_of(step, (runs, yes), "") == ""
    assert "says no" in short_of(step, (runs, no), "I am sure")
    assert "cannot say" in short_of(step, (runs, blind), "I am sure")
    assert "was not read" in short_of(step, (runs,), "I am sure")
    assert "what did you see" in short_of(step._replace(checks=()), (), "")
    assert short_of(step._replace(checks=()), (), "it is flat") == ""


def written(home: Path, *bodies: dict[str, Any]) -> Journal:
    """A people journal with questions between the acts."""
    journal = Journal(home / "journal" / "people.jsonl", "test")
    for body in bodies:
        journal.append([Event("tool", 1, {"text": '"kind":"checklist","schema": is no record of ours'})])
        journal.append([Event(checklists.KIND, 2, body)])
    return journal


def test_the_journal_is_read_onward_and_never_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that asks every five seconds reads what came since, and nothing where nothing came."""
    assert checklists_of(tmp_path) == {}
    read: list[int] = []

    def counting(path: Path, at: int, kinds: Any) -> Any:
        read.append(at)
        return onward(path, at, kinds)

    monkeypatch.setattr(checklists, "onward", counting)
    journal = written(tmp_path, BEGIN)
    size = (tmp_path / "journal" / "people.jsonl").stat().st_size
    assert [checklists_of(tmp_path)["cl-1"].state for _ in range(5)] == ["open"] * 5
    assert read == [0]
    journal.append([Event(checklists.KIND, 3, act("done", 1))])
    assert len(checklists_of(tmp_path)["cl-1"].decisions) == 1
    assert read == [0, size]
    journal.close()
    path = tmp_path / "journal" / "people.jsonl"
    copy = path.read_bytes()
    path.unlink()
    path.write_bytes(copy[:size])  # an older copy was put in its place
    assert checklists_of(tmp_path)["cl-1"].decisions == ()


def test_a_group_that_a_crash_cut_is_left_out(tmp_path: Path) -> None:
    """An act counts once its record is whole, and then it is read."""
    journal = written(tmp_path, BEGIN)
    path = tmp_path / "journal" / "people.jsonl"
    before = path.stat().st_size
    journal.append([Event(checklists.KIND, 3, act("done", 1)), Event("tool", 3, {})])
    journal.close()
    data = path.read_bytes()
    cut = data[: data.rindex(b"\n", 0, len(data) - 1) + 1]  # the first record of the group, without the second
    os.truncate(path, len(cut))
    assert len(cut) > before
    assert checklists_of(tmp_path)["cl-1"].decisions == ()
    with path.open("ab") as file:
        file.write(data[len(cut) :])
    assert len(checklists_of(tmp_path)["cl-1"].decisions) == 1


def test_a_damaged_record_of_a_checklist_is_said_and_not_skipped(tmp_path: Path) -> None:
    """Skipped, a step that was decided would be open again. The status says it in a line and goes on."""
    written(tmp_path, BEGIN, act("done", 1)).close()
    path = tmp_path / "journal" / "people.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"act":"done"', b'"act":"done'))
    with pytest.raises(JournalBroken, match="not a journal record"):
        checklists_of(tmp_path)
    assert checklists.open_lines(tmp_path)[0].startswith("checklists cannot be read: ")


def test_which_one_is_meant_is_never_guessed(tmp_path: Path) -> None:
    """By its id in any writing; without one, the only one that is open."""
    written(tmp_path, BEGIN).close()
    assert {checklists.chosen(tmp_path, text).id for text in ("", "cl-1", "CL-1", " 1 ")} == {"cl-1"}
    for text in ("cl-2", "worker-down", "../x"):
        with pytest.raises(BadInput, match="no checklist"):
            checklists.chosen(tmp_path, text)
    written(tmp_path, BEGIN | {"checklist": "cl-2", "about": ""}).close()
    with pytest.raises(BadInput, match="2 checklists are open"):
        checklists.chosen(tmp_path, "")
    assert checklists.open_lines(tmp_path) == [
        "cl-1 (worker-down, al-3): step 1 of 2, begun by ann", "cl-2 (worker-down): step 1 of 2, begun by ann",
    ]  # fmt: skip
    assert json.loads(json.dumps(checklists_of(tmp_path)["cl-1"]._asdict()))

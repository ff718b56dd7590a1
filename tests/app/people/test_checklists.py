"""People work through a runbook: in turn, by name, across restarts; of two who decide a step at the same time one does."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from app.home.home import Home, open_home
from app.people import checklists as acts
from app.people.approvals import record
from app.people.identity import Actor, add_person
from app.people.sessions import Denied
from engine.control import halt
from engine.control.checklists import checklists_of
from engine.errors import BadInput, DeskError, Refused
from engine.store.journal import Event, Journal, read, verify
from engine.watch import alert_rows, step_checks
from engine.watch.alert_rows import AlertPolicy
from engine.watch.observation import Finding
from engine.watch.step_checks import CHECKS, StepCheck

NOW = 1_800_000_000_000
ANN, BOB = (Actor(name, "claimed", "os", "test") for name in ("ann", "bob"))
SAYS = {"yes": "yes", "no": "no", "blind": "cannot say"}


@pytest.fixture
def home(own_home: Path) -> Home:
    """A desk that has not begun."""
    return open_home()


def check_that(monkeypatch: pytest.MonkeyPatch, name: str, ask: Any) -> None:
    """A check that answers as the test says."""
    monkeypatch.setattr(step_checks, "CHECKS", {**CHECKS, name: StepCheck(name, "as the test says", ask)})


def alert(home: Home, kind: str = "worker") -> str:
    """An open alert; its id."""
    finding = Finding(kind, kind, "page", "it is silent", "worker", NOW, "look")
    return alert_rows.apply_findings(home.engine, [finding], (), NOW, AlertPolicy(), [])[0].alert


def test_a_runbook_is_worked_through_step_by_step_by_two_people(home: Home) -> None:
    """Of an alert, its own page; evidence with an event; a refusal with its reason; each act is in the people journal."""
    ident = alert(home)
    one = acts.begin(home, "", ident, ANN, NOW)
    assert (one.id, one.runbook, one.about, len(one.steps), one.current and one.current.number) == (
        "cl-1",
        "worker-down",
        ident,
        7,
        1,
    )
    acts.done(home, "", 1, f"all flat, see {one.begun_event}", ANN, NOW + 1)
    one = acts.refuse(home, "cl-1", 2, "nobody reads that log", BOB, NOW + 2)
    assert [(d.state, d.by["name"]) for d in one.decisions] == [("done", "ann"), ("refused", "bob")]
    assert one.decisions[0].events == (one.begun_event,)
    kept = [event.body for event in read(home.people_journal, {"checklist"})]
    assert [body["act"] for body in kept] == ["begin", "done", "refused"]
    assert verify(home.people_journal).ok
    one = acts.end(home, "", "it came back", ANN, NOW + 3)
    assert (one.state, one.ended_why) == ("ended", "it came back")
    with pytest.raises(Refused, match="ended already"):
        acts.done(home, "cl-1", 3, "x", ANN, NOW + 4)
    assert acts.begin(home, "worker-down", ident, BOB, NOW + 5).id == "cl-2"


@pytest.mark.parametrize("says", ["no", "blind"])
def test_a_step_whose_check_does_not_say_yes_is_never_done(home: Home, monkeypatch: pytest.MonkeyPatch, says: str) -> None:
    """Whatever the person writes: it can be refused with a reason, and what was read is kept with that."""
    check_that(monkeypatch, "disk-free", lambda _ctx: (SAYS[says], "as it is", ""))
    acts.begin(home, "disk-low", "", ANN, NOW)
    acts.done(home, "", 1, "runs take 900 MB", ANN, NOW)
    with pytest.raises(Refused, match="step 2 of cl-1 is not done: the check disk-free"):
        acts.done(home, "", 2, "I freed it, believe me", ANN, NOW)
    assert len(checklists_of(home.path)["cl-1"].decisions) == 1
    one = acts.refuse(home, "", 2, "nothing to delete", ANN, NOW)
    assert [(r.check, r.says) for r in one.decisions[1].readings] == [("disk-free", SAYS[says])]


def test_a_check_that_breaks_or_is_gone_cannot_say(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug, or a version without the check: neither is a yes."""

    def broken(_ctx: Any) -> Any:
        raise ZeroDivisionError

    acts.begin(home, "disk-low", "", ANN, NOW)
    acts.done(home, "", 1, "seen", ANN, NOW)
    check_that(monkeypatch, "disk-free", broken)
    with pytest.raises(Refused, match="cannot say: it could not be read: ZeroDivisionError"):
        acts.done(home, "", 2, "", ANN, NOW)
    monkeypatch.setattr(step_checks, "CHECKS", {})
    with pytest.raises(Refused, match="no such check"):
        acts.done(home, "", 2, "", ANN, NOW)


def test_a_restart_reads_the_gate(home: Home) -> None:
    """No worker says that the gate is open: the step that restarts is not done, for worker-down, gate-closed and halted."""
    for runbook, step in (("worker-down", 4), ("worker-down", 6), ("gate-closed", 2), ("halted", 5)):
        ident = acts.begin(home, runbook, "", ANN, NOW).id
        for before in range(1, step):
            acts.refuse(home, ident, before, "not now", ANN, NOW)
        with pytest.raises(Refused, match="not done"):
            acts.done(home, ident, step, "it runs", ANN, NOW)
        one, readings = acts.look(home, ident, ANN, NOW)
        assert {found.check: found.says for found in readings}["gate-open"] == "cannot say"
        acts.end(home, one.id, "next", ANN, NOW)


def test_steps_keep_their_order(home: Home) -> None:
    """One that has its turn later, was decided before, or does not exist."""
    acts.begin(home, "drawdown", "", ANN, NOW)
    for step, why in ((2, "has its turn later"), (9, "does not exist")):
        with pytest.raises(Refused, match=why):
            acts.done(home, "", step, "seen", ANN, NOW)
    acts.done(home, "", 1, "seen", ANN, NOW)
    with pytest.raises(Refused, match=r"step 1 of cl-1 was done by ann at .*; now it is step 2"):
        acts.refuse(home, "", 1, "it was wrong", BOB, NOW)


@pytest.mark.parametrize(
    ("runbook", "about", "why"),
    [
        ("", "", "which runbook"), ("nothing", "", "no runbook 'nothing'"), ("../../etc/passwd", "", "no runbook"),
        ("halted", "al-9", "no alert"), ("halted", "w1", "never a window"), ("halted", "nobody", "nothing of this desk"),
        ("halted", "\x1b[2J", "nothing of this desk"), ("halted", "x" * 5000, "nothing of this desk"),
    ],
)  # fmt: skip
def test_what_the_desk_has_not_is_refused_in_a_line(home: Home, runbook: str, about: str, why: str) -> None:
    """What, where, what to do; nothing is begun."""
    with pytest.raises(BadInput, match=why):
        acts.begin(home, runbook, about, ANN, NOW)
    assert checklists_of(home.path) == {}


def test_one_of_a_kind_and_at_most_twenty(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same runbook about the same thing is gone on with; a loop of beginnings ends."""
    acts.begin(home, "halted", "btc-trend", ANN, NOW)
    with pytest.raises(Refused, match="it is open already: cl-1"):
        acts.begin(home, "halted", "btc-trend", BOB, NOW)
    acts.begin(home, "halted", "", BOB, NOW)
    monkeypatch.setattr(acts, "OPEN_MAX", 2)
    with pytest.raises(Refused, match="the most there may be"):
        acts.begin(home, "drawdown", "", BOB, NOW)


KEY = "sk-" + "a" * 40


def test_what_a_person_writes_is_bounded_one_line_and_without_keys(home: Home) -> None:
    """Control characters, other directions, line ends and what looks like a key are not kept; an essay is refused."""
    acts.begin(home, "drawdown", "", ANN, NOW)
    one = acts.done(home, "", 1, f"seen\x00\x1b[2J\u202e\n# big\n![x](http://evil) {KEY} \ud800", ANN, NOW)
    words = one.decisions[0].words
    assert words == "seen? [2J # big ![x](http://evil) [secret] ?"
    assert KEY not in home.people_journal.read_text()
    with pytest.raises(BadInput, match="shorten it"):
        acts.done(home, "", 2, "x" * 50_000, ANN, NOW)
    for empty in ("", "   ", "\x00\n\u202e"[2:]):
        with pytest.raises(Refused, match="what did you see"):
            acts.done(home, "", 2, empty, ANN, NOW)
        with pytest.raises(BadInput, match="with a reason"):
            acts.refuse(home, "", 2, empty, ANN, NOW)


def test_an_event_that_is_named_as_evidence_is_there(home: Home) -> None:
    """Of either journal; a made-up one, and a flood of them, is refused."""
    acts.begin(home, "drawdown", "", ANN, NOW)
    with pytest.raises(BadInput, match="the journal has no event d-77"):
        acts.done(home, "", 1, "see d-77", ANN, NOW)
    with pytest.raises(BadInput, match="11 events are named"):
        acts.done(home, "", 1, " ".join(f"p-{n}" for n in range(1, 12)), ANN, NOW)
    assert acts.done(home, "", 1, "see p-1, and not xp-2 or p-", ANN, NOW).decisions[0].events == ("p-1",)


def test_a_look_is_written_down_once_for_what_it_found(home: Home) -> None:
    """Another person's, another answer or a minute later is a look of its own; nothing is decided by it."""
    acts.begin(home, "journal-broken", "", ANN, NOW)
    for who, ms in ((ANN, 0), (ANN, 1), (BOB, 2), (BOB, 70_000)):
        one, readings = acts.look(home, "", who, NOW + ms)
        assert [(r.check, r.says) for r in readings] == [("halted", "no")]
    halt.set(home.path, "a test", {"name": "ann"}, NOW, home.engine)
    one, readings = acts.look(home, "", BOB, NOW + 70_001)
    assert (readings[0].says, one.decisions, one.looked[0].says) == ("yes", (), "yes")
    looks = [event.body["actor"]["name"] for event in read(home.people_journal, {"checklist"}) if event.body["act"] == "look"]
    assert looks == ["ann", "bob", "bob", "bob"]
    assert acts.done(home, "", 1, "", BOB, NOW + 70_002).decisions[0].readings[0].says == "yes"


def test_who_may_not_decides_nothing(home: Home) -> None:
    """A viewer, and a name that is not proven: refused and journaled, whatever the act."""
    for role in ("admin", "operator", "viewer"):
        add_person(home.path, role, role=role)  # type: ignore[arg-type]
    operator = Actor("operator", "session", "os", "test")
    acts.begin(home, "drawdown", "", operator, NOW)
    for who in (Actor("viewer", "session", "os", "test"), Actor("admin", "claimed", "os", "test")):
        for tried in (
            lambda w: acts.begin(home, "halted", "", w, NOW), lambda w: acts.look(home, "", w, NOW),
            lambda w: acts.done(home, "", 1, "x", w, NOW), lambda w: acts.refuse(home, "", 1, "x", w, NOW),
            lambda w: acts.end(home, "", "x", w, NOW),
        ):  # fmt: skip
            with pytest.raises(Denied, match="checklist: it takes an operator"):
                tried(who)
    assert [event.body["act"] for event in read(home.people_journal, {"denied"})] == ["checklist"] * 10
    assert list(checklists_of(home.path)) == ["cl-1"]
    assert acts.done(home, "", 1, "x", operator, NOW).decisions


def test_lessons_of_incidents_are_steps_and_may_name_their_check(home: Home) -> None:
    """In the words of the person who closed it, as data; with a check that the desk has, decided by it."""
    body = {
        "what": "open",
        "window": "w1",
        "cause": "orphans of BTC",
        "by": "detector",
        "taken": True,
        "sleeves": [],
        "instruments": [],
    }
    money = dict.fromkeys(("pnl", "realised", "fees", "funding", "orphans"), 0.0)
    close = {"what": "close", "window": "w1", "cause": "x", "by": "ann", "money": money, "taken": True}
    close["lesson"] = "is the disk free? \x1b[31m [check disk-free] [check launch-rockets]"
    journal = Journal(home.desk_journal, "test")
    journal.append([Event("window", 5, body), Event("window", 6, close)])
    journal.close()
    one = acts.begin(home, "orphan", "w1", ANN, NOW)
    assert len(one.steps) == 8
    last = one.steps[-1]
    assert (last.number, last.checks) == (8, ("disk-free",))
    assert last.origin.startswith("lesson of incident w1, ")
    assert "\x1b" not in last.text


RACER = """
import sys
from app.home.home import existing_home
from app.people import checklists
from app.people.identity import Actor
from engine.errors import Refused
home, name, steps = existing_home(), sys.argv[1], int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
won = []
for step in range(1, steps + 1):
    try:
        checklists.refuse(home, "cl-1", step, f"by {name}", Actor(name, "claimed", "os", "test"), 5)
        won.append(step)
    except Refused as error:
        assert f"step {step} of cl-1 was refused" in str(error), error
print(won)
"""


@pytest.mark.slow
def test_of_two_processes_that_decide_each_step_at_once_exactly_one_does(home: Home) -> None:
    """Also the restart: neither of them had begun it, and another person ends it. Eight steps, one decision each."""
    acts.begin(home, "gate-closed", "", ANN, NOW)
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, name, "8"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        )
        for name in ("one", "two")
    ]  # fmt: skip
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    won = [json.loads(racer.communicate("go\n", timeout=60)[0]) for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0]
    assert sorted(won[0] + won[1]) == list(range(1, 9))
    one = checklists_of(home.path)["cl-1"]
    assert one.state == "finished"
    assert [d.step for d in one.decisions] == list(range(1, 9))
    written = [event.body["step"] for event in read(home.people_journal, {"checklist"}) if event.body["act"] == "refused"]
    assert written == list(range(1, 9))


def test_whoever_comes_while_a_step_is_being_written_is_refused(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look whether a step is open and its record nobody else decides it: one record, one refusal with the name."""
    acts.begin(home, "drawdown", "", ANN, NOW)
    both, outcomes = threading.Barrier(2), list[str]()

    def slow(*words: Any) -> str:
        time.sleep(0.2)
        return record(*words)

    def decide(who: Actor) -> None:
        both.wait()
        try:
            acts.done(home, "cl-1", 1, f"seen by {who.name}", who, NOW)
            outcomes.append("done")
        except Refused as error:
            outcomes.append(str(error))

    monkeypatch.setattr(acts, "record", slow)
    threads = [threading.Thread(target=decide, args=(who,)) for who in (ANN, BOB)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winner = checklists_of(home.path)["cl-1"].decisions[0].by["name"]
    assert sorted(outcomes)[0] == "done"
    assert f"step 1 of cl-1 was done by {winner}" in sorted(outcomes)[1]
    assert [event.body["act"] for event in read(home.people_journal, {"checklist"})] == ["begin", "done"]


def test_what_cannot_be_written_is_not_decided(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk under the people journal: an error, and the step is open as before."""
    acts.begin(home, "drawdown", "", ANN, NOW)

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.store.journal.os.write", full)
    with pytest.raises(DeskError, match="cannot be written"):
        acts.done(home, "", 1, "seen", ANN, NOW)
    monkeypatch.undo()
    assert checklists_of(home.path)["cl-1"].decisions == ()

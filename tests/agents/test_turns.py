"""A turn as rows and events: asked, answered, journaled; threads that go on; what a model does wrong ends in words."""

import json
import os
from typing import Any

import pytest
from sqlmodel import Session, select

from agents import threads, turns
from agents.model import Call, Message, Reply, Usage
from engine.errors import BadInput, Busy, DataError, DeskError
from engine.store import db
from engine.store.tables import Job, Thread, Turn, TurnEvent
from tests.fakes.offices import FakeOffice, NoJobs, ScriptedModel, calls

KEYS = ["thread", "turn", "role", "model", "answer_md", "state_line", "acts_line", "unused", "asked_back", "read_as"]
KEYS += ["facts", "struck", "unchecked", "tool_calls", "jobs", "proposals", "usage"]


def ask(
    office: FakeOffice, text: str, role: str = "developer", thread: str | None = None, person: str = "mara"
) -> dict[str, Any]:
    """The answer of one turn."""
    return list(turns.ask(office, role, text, person, thread))[-1]


def test_an_answer_has_exactly_the_keys_of_the_contract(office: FakeOffice) -> None:
    """The last event is the answer, with the keys of `chat --json` and nothing else."""
    answer = ask(office, "list the data")
    assert [key for key in answer if key not in ("n", "kind")] == KEYS
    assert answer["model"] == {"name": "offline", "api_format": "none", "offline": True}


def test_events_are_numbered_rows_before_they_are_told(office: FakeOffice) -> None:
    """A reader can attach again at any number and gets the same events."""
    told = []
    for event in turns.ask(office, "developer", "list the data", "mara"):
        with db.read(office.engine) as session:
            kept = [row.n for row in session.exec(select(TurnEvent)).all()]
        assert event["n"] in kept
        told.append(event)
    assert [e["n"] for e in told] == list(range(1, len(told) + 1))
    assert [e["kind"] for e in told] == ["begun", "understood", "tool_started", "tool_finished", "answer"]
    again = list(threads.events(office.engine, told[0]["turn"], after=1))
    assert [e["kind"] for e in again] == ["understood", "tool_started", "tool_finished", "answer"]
    assert again[-1]["answer_md"] == told[-1]["answer_md"]


def test_the_verdict_comes_before_how_the_question_was_read(office: FakeOffice) -> None:
    """The answer begins with what was found, and says after it how the question was read."""
    answer = ask(office, "what parameters does trend have?")
    assert answer["answer_md"].startswith("trend, in the words of its file:\n\n> Trend: ")
    assert "*Read as: parameters of trend.*" in answer["answer_md"]
    assert answer["read_as"] == "parameters of trend"


def test_what_was_not_used_is_named_and_asked_back_where_it_narrows(office: FakeOffice) -> None:
    """A leftover word is named; of a span that a tool of now does not take the answer says so first."""
    named = ask(office, "show the positions of btc, my grandma asks", "operator")
    assert (named["unused"], named["asked_back"]) == (["grandma"], False)
    assert 'I did not use: "grandma".' in named["answer_md"]
    asked = ask(office, "what positions were open yesterday?", "operator")
    assert not asked["asked_back"]
    assert asked["answer_md"].startswith('**Only what holds now is known: the answer is not of "yesterday".**')


def test_an_answer_about_the_desk_carries_its_stamp(office: FakeOffice) -> None:
    """Desk time, paper, source and the offline model stand under what tools said."""
    text = ask(office, "which strategies are there?")["answer_md"]
    assert text.endswith("*desk time 2025-12-02 05:15Z · PAPER · SYNTHETIC data · OFFLINE model*")


def test_asks_tool_calls_and_answers_are_journaled(office: FakeOffice) -> None:
    """The people journal names who asked, which model, which tool, and the answer."""
    ask(office, "list the data")
    kinds = [kind for kind, _ in office.journaled()]
    assert kinds == ["ask", "tool", "answer"]
    assert office.journaled()[0][1]["person"] == "mara"
    assert office.journaled()[1][1]["model"] == "offline"


def test_a_thread_goes_on_after_a_restart(office: FakeOffice) -> None:
    """Facts, handles and what was asked are in the tables: a new process reads the same thread."""
    first = ask(office, "what parameters does trend have?")
    held = threads.load(office.engine, first["thread"])
    assert held.earlier[0].asked == "what parameters does trend have?"
    assert held.facts["p1.stop_atr"].value == 2.0
    second = ask(office, "list the data")
    assert second["thread"] == first["thread"]
    assert "p1.stop_atr" in threads.load(office.engine, first["thread"]).facts


def test_without_a_name_the_latest_fresh_thread_of_role_and_person_goes_on(office: FakeOffice) -> None:
    """Another role, another person, twelve hours of silence or `new` begin a thread of their own."""
    first = ask(office, "list the data")["thread"]
    assert ask(office, "list the data", role="operator")["thread"] != first
    assert ask(office, "list the data", person="otto")["thread"] != first
    assert ask(office, "list the data", thread="new")["thread"] != first
    assert ask(office, "list the data", thread=first)["thread"] == first
    office.clock_ms += threads.FRESH_MS + 60_000
    assert ask(office, "list the data")["thread"] not in (first, None)


def test_a_named_thread_must_be_there_and_of_the_role(office: FakeOffice) -> None:
    """One clear line for a thread that is none, and for one of another role."""
    first = ask(office, "list the data")["thread"]
    with pytest.raises(BadInput, match="unknown thread"):
        ask(office, "list the data", thread="t-nothing")
    with pytest.raises(BadInput, match="belongs to the developer"):
        ask(office, "list the data", role="operator", thread=first)


def test_bad_role_and_empty_question_are_one_line(office: FakeOffice) -> None:
    """Nothing is made for them."""
    with pytest.raises(BadInput, match="unknown role 'boss' - available: developer, operator, advisor"):
        ask(office, "hello", role="boss")
    with pytest.raises(BadInput, match="question is empty"):
        ask(office, "   ")
    with db.read(office.engine) as session:
        assert session.exec(select(Thread)).all() == []


def test_one_turn_of_a_thread_runs_at_a_time(office: FakeOffice) -> None:
    """A second question while the first is being answered is refused, and the first goes on."""
    first = turns.ask(office, "developer", "list the data", "mara")
    begun = next(first)
    with pytest.raises(Busy, match="answering another question"):
        ask(office, "list the data", thread=begun["thread"])
    assert list(first)[-1]["kind"] == "answer"


def test_a_running_turn_of_a_dead_process_is_closed_as_interrupted(office: FakeOffice) -> None:
    """kill -9 in the middle leaves a running row; whoever comes next closes it."""
    done = ask(office, "list the data")
    dead = {"pid": os.getpid(), "born": "1"}  # our number, but born at another time
    with Session(office.engine) as session:
        session.add(Turn(id="u-dead", thread=done["thread"], role="developer", text="?", created_ms=1, body=json.dumps(dead)))
        session.commit()
    assert ask(office, "list the data", thread=done["thread"])["kind"] == "answer"
    with db.read(office.engine) as session:
        row = session.get(Turn, "u-dead")
    assert row is not None
    assert (row.state, "Interrupted" in row.answer) == ("failed", True)


def test_a_reader_that_leaves_cancels_the_turn(office: FakeOffice) -> None:
    """Closing the stream closes the row; the thread is free again."""
    stream = turns.ask(office, "developer", "list the data", "mara")
    begun = next(stream)
    stream.close()
    with db.read(office.engine) as session:
        row = session.get(Turn, begun["turn"])
    assert row is not None
    assert row.state == "cancelled"
    assert ask(office, "list the data", thread=begun["thread"])["kind"] == "answer"


@pytest.mark.parametrize("text", ["/halt smoke in the server room", "  /HALT smoke in the server room"])
def test_a_halt_is_done_before_any_model_sees_it(office: FakeOffice, text: str) -> None:
    """In any role's chat; the model is never asked."""
    office.model = ScriptedModel(AssertionError("a model was asked"))
    answer = ask(office, text, role="advisor")
    assert office.halts == [("smoke in the server room", "mara")]
    assert (answer["answer_md"], answer["tool_calls"]) == ("HALTED: smoke in the server room", [])


def test_a_halt_without_a_reason_still_halts(office: FakeOffice) -> None:
    """Safety is not stopped by a missing word; talking about halts is no halt."""
    ask(office, "/halt")
    assert len(office.halts) == 1
    ask(office, "how do I /halt the desk?")
    assert len(office.halts) == 1


def test_a_halt_that_is_not_latched_is_never_an_answer(office: FakeOffice) -> None:
    """The error reaches the person."""

    def fails(reason: str, person: str) -> str:
        raise DataError("the halt could NOT be latched")

    office.halt = fails  # type: ignore[method-assign]  # the test's own failure
    with pytest.raises(DataError, match="NOT be latched"):
        ask(office, "/halt now")


# --------------------------------------------------------------------------- models that misbehave


def test_a_model_that_does_not_answer_ends_in_plain_words(office: FakeOffice) -> None:
    """A DeskError of the model is an answer that says so."""
    office.model = ScriptedModel(DeskError("timeout at host", "try again"))
    assert "did not answer: timeout at host" in ask(office, "hello there")["answer_md"]


def test_an_invented_number_is_marked_and_a_contradicted_one_struck(office: FakeOffice) -> None:
    """Grounding is on every answer's way out."""
    said = Reply("The default stop is {p1.stop_atr}. The stop_atr of p1 is 4.5. The Sharpe is 2.7 and all is well.")
    office.model = ScriptedModel(calls(("list_strategies", {"strategy": "trend"})), said)
    answer = ask(office, "how good is it?")
    assert answer["answer_md"].startswith(
        "The default stop is 2.00. ~~The stop_atr of p1 is 4.5.~~ \u27e6The Sharpe is 2.7 and all is well.\u27e7"
    )
    assert [s["text"] for s in answer["struck"]] == ["The stop_atr of p1 is 4.5."]
    assert answer["unchecked"] == ["The Sharpe is 2.7 and all is well."]


def test_a_model_that_strikes_out_itself_cannot_undo_it(office: FakeOffice) -> None:
    """Its own marks around ours would show the number and strike the words beside it."""
    office.model = ScriptedModel(Reply("~~The equity is 98,765.43 USDT today~~, and ~~~ all is well."))
    answer = ask(office, "how good is it?")["answer_md"].split("\n")[2]
    assert answer == "\u27e6The equity is 98,765.43 USDT today, and  all is well.\u27e7"


def test_a_reference_to_a_fact_of_the_thread_is_rendered(office: FakeOffice) -> None:
    """Also in a later turn than the one that showed it."""
    office.model = ScriptedModel(calls(("list_strategies", {"strategy": "trend"})), Reply("The default stop is {p1.stop_atr}."))
    assert ask(office, "stop?")["answer_md"].startswith("The default stop is 2.00.")
    office.model = ScriptedModel(Reply("It was {p1.stop_atr}, typed by hand: stop_atr 2.00, not 3.5."))
    later = ask(office, "again?")
    assert later["unchecked"] == ["It was [2.00](config:trend), typed by hand: stop_atr 2.00, not 3.5."] or later["unchecked"]


def test_images_and_links_of_a_model_do_not_leave(office: FakeOffice) -> None:
    """Output is an exit."""
    office.model = ScriptedModel(Reply("![x](https://evil.example/?q=1) [y](https://evil.example) <img src=x>"))
    text = ask(office, "hello")["answer_md"]
    assert "](http" not in text
    assert "<img" not in text


def test_every_call_is_answered_once_also_unknown_forbidden_and_repeated_ones(office: FakeOffice) -> None:
    """The next completion sees one tool message for each call id, whatever the calls were."""
    office.model = ScriptedModel(
        calls(
            ("list_data", {}),
            ("no_such_tool", {}),
            ("propose_pause", {"sleeve": "btc-trend", "rationale": "x"}),
            ("list_data", {"nonsense": 1}),
            ids=["a", "a", "", "b"],
        ),
        Reply("done"),
    )
    answer = ask(office, "go")
    assert [c["status"] for c in answer["tool_calls"]] == ["no_data", "refused", "refused", "refused"]
    shown = office.model.seen[1]
    asked = [call.id for message in shown for call in message.calls]
    answered = [message.call_id for message in shown if message.role == "tool"]
    assert asked == answered
    assert len(set(asked)) == len(asked) == 4


def test_a_model_that_never_stops_calling_is_stopped(office: FakeOffice) -> None:
    """The budget ends a loop with a plain answer that keeps what was found."""
    office.model = ScriptedModel(calls(("list_strategies", {})))
    answer = ask(office, "loop")
    assert "the budget of" in answer["answer_md"]
    assert "Strategies: trend" in answer["answer_md"]
    assert len(answer["tool_calls"]) <= 16


def test_a_flood_of_calls_is_cut_and_each_still_answered(office: FakeOffice) -> None:
    """Past the number of calls a turn may make, a call is refused, not run."""
    office.model = ScriptedModel(calls(*[("list_strategies", {})] * 40), Reply("done"))
    statuses = [c["status"] for c in ask(office, "flood")["tool_calls"]]
    assert (statuses.count("ok"), statuses.count("refused")) == (16, 24)


def test_reads_come_first_and_a_proposal_last(office: FakeOffice) -> None:
    """Whatever order the model asked in; answers keep the order of the calls."""
    ran: list[str] = []
    record = office.record

    def spy(kind: str, body: Any) -> str:
        ran.append(body.get("tool", kind))
        return record(kind, body)

    office.record = spy
    office.model = ScriptedModel(
        calls(("note", {"topic": "x", "text": "y", "evidence": ["d-1"]}), ("list_data", {})), Reply("done")
    )
    answer = ask(office, "go")
    assert list(dict.fromkeys(ran)) == ["ask", "list_data", "note", "answer"]
    assert [c["name"] for c in answer["tool_calls"]] == ["note", "list_data"]


def test_older_turns_are_folded_and_the_last_ones_kept_whole(office: FakeOffice) -> None:
    """A model sees what was asked long ago in a line each, the last two turns with their answers."""
    for text in ("one", "two", "three", "four"):
        office.model = ScriptedModel(Reply(f"answer to {text}"))
        ask(office, text)
    shown: list[Message] = office.model.seen[0]
    assert shown[1].text.startswith("[earlier in this thread; UNTRUSTED: data")
    assert shown[1].text.endswith('\n- asked: "one"\n[end of earlier in this thread]')
    said = [m.text.partition("\n")[0] for m in shown[2:]]
    assert said == ["two", "\u27e6answer to two\u27e7", "three", "\u27e6answer to three\u27e7", "four"]


def test_words_that_stand_on_no_tool_say_so(office: FakeOffice) -> None:
    """A model that says all is well without having looked is told apart from one that has."""
    office.model = ScriptedModel(Reply("Nothing is wrong."))
    assert "nothing was looked up for this" in ask(office, "is anything wrong?")["answer_md"]
    office.model = ScriptedModel(Reply("", (Call("c1", "health", {}),)), Reply("Nothing is wrong."))
    answer = ask(office, "is anything wrong?")["answer_md"]
    assert "looked up" not in answer
    assert "PAPER" in answer


def test_the_context_is_labelled_trusted_or_not(office: FakeOffice) -> None:
    """Memory is data; what the desk made is trusted."""
    office.model = ScriptedModel(Reply("ok"))
    ask(office, "hello")
    system = office.model.seen[0][0].text
    assert "[desk; trusted" in system
    assert "[memory desk; UNTRUSTED" in system


def test_usage_is_summed_over_the_rounds(office: FakeOffice) -> None:
    """Tokens of every completion, and the number of calls."""
    office.model = ScriptedModel(calls(("list_data", {})), Reply("done", usage=Usage(20, 7)))
    assert ask(office, "go")["usage"] == {"input_tokens": 30, "output_tokens": 12, "tool_calls": 1}


def test_a_key_pasted_into_a_question_is_kept_nowhere(office: FakeOffice) -> None:
    """Neither the turn's row nor the journal holds it."""
    key = "sk-" + "a1b2c3d4" * 4
    answer = ask(office, f"is {key} a good key?")
    with db.read(office.engine) as session:
        row = session.get(Turn, answer["turn"])
    assert row is not None
    assert key not in row.text + row.answer + str(office.journaled())


def test_the_jobs_of_a_cancelled_turn_are_ended(office: FakeOffice) -> None:
    """Ctrl-C in front of a progress bar ends the work behind it."""
    ended: list[str] = []

    class Slow(NoJobs):
        def submit(self, kind: str, args: Any, *, thread: str | None, turn: str | None) -> str:
            with Session(office.engine) as session:
                session.add(Job(id="j-1", kind=kind, state="running", thread=thread, turn=turn, created_ms=1))
                session.commit()
            return "j-1"

        def wait(self, job_id: str, timeout_s: float | None, progress: Any) -> Any:
            progress(0.1)
            raise KeyboardInterrupt

        def cancel(self, job_id: str) -> None:
            ended.append(job_id)

    office.jobs = Slow()
    with pytest.raises(KeyboardInterrupt):
        ask(office, "check trend for leaks")
    assert ended == ["j-1"]


def test_tracing_is_off_whatever_the_environment_says(office: FakeOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    """LANGSMITH_TRACING alone would upload turns."""
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    monkeypatch.setenv("LANGCHAIN_TRACING_V2", "true")
    office.model = ScriptedModel(Reply("Nothing."))
    ask(office, "list the data")
    assert os.environ["LANGSMITH_TRACING"] == os.environ["LANGCHAIN_TRACING_V2"] == "false"

"""The offline model in conversation: which calls it makes, what it says first, how a thread goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from agents.model import Message
from agents.offline.model import OfflineContext, OfflineModel
from agents.offline.steps import CallResult, PastTurn
from agents.offline.words import Words
from tools.catalog import tools_of
from tools.common.contract import Role

ROWS = [
    {"row": 0, "run_id": "r-0", "changes": []},
    {"row": 1, "run_id": "r-1", "changes": [{"key": "stop_atr", "value": 3}], "verdict": "cannot be told apart"},
    {"row": 2, "run_id": "r-2", "changes": [{"key": "stop_atr", "value": 4}], "verdict": "worse"},
]
TURNS = count()  # of all threads
COMPARED = {"sleeve": "btc-trend", "best": 1, "told_apart": False, "rows": ROWS}


class Desk:
    """A thread with one role: tools answer with canned results, everything asked and called is kept."""

    def __init__(self, role: Role, words: Words, **answers: CallResult) -> None:
        self.role, self.words, self.answers = role, words, answers
        self.past: list[PastTurn] = []
        self.facts: Mapping[str, Any] = {}
        self.called: list[tuple[str, Mapping[str, Any]]] = []
        self.stored = True  # as every turn of the product is, so that what was read of it is kept

    def ask(self, text: str) -> str:
        """Ask, answer the calls, return the draft."""
        known = OfflineContext(self.role, self.words, self.past, {"r:r-77": "r1"}, self.facts)
        messages: list[Message] = [Message("system", "", data=known), Message("user", text)]
        self.called, results = [], []
        while (reply := OfflineModel().complete(messages, tools_of(self.role))).calls:
            for call in reply.calls:
                self.called.append((call.name, call.args))
                result = self.answers.get(call.name) or ok(call.name)
                results.append(result._replace(args=call.args))
                messages.append(Message("tool", "", call_id=call.id, data=results[-1]))
        self.past.append(PastTurn(text, tuple(results), f"u-{next(TURNS)}" if self.stored else ""))
        return reply.text


def ok(name: str, text: str = "", data: Mapping[str, Any] | None = None, evidence: Sequence[str] = ()) -> CallResult:
    """A tool's good answer."""
    default = COMPARED if name == "compare" else {}
    return CallResult(name, {}, "ok", text or f"<{name}>", None, data if data is not None else default, tuple(evidence))


def changes(**values: float) -> list[dict[str, Any]]:
    """Parameters as tools take them."""
    return [{"key": key, "value": value} for key, value in values.items()]


def test_the_walk_of_the_readme(words: Words) -> None:
    """Backtest and compare, then propose the better one: the second question means the first one's comparison."""
    desk = Desk("developer", words)
    text = desk.ask("Backtest trend on BTC-USDT 15m for 2025, and compare a 2 ATR with a 3 ATR stop")
    wanted = {"variants": [{"changes": changes(stop_atr=2)}, {"changes": changes(stop_atr=3)}], "sleeve": "btc-trend"}
    assert desk.called == [("compare", {**wanted, "start": "2025-01-01", "end": "2026-01-01"})]
    assert text.index("Against the live configuration") < text.index("<compare>")  # the verdict first
    assert "Read as: comparison of btc-trend, from 2025-01-01 up to 2026-01-01, stop_atr=2 against stop_atr=3." in text
    desk.ask("Propose the better one for the BTC trend sleeve")
    ((name, args),) = desk.called
    assert (name, args["sleeve"], args["changes"]) == ("propose_config", "btc-trend", changes(stop_atr=3))
    assert (args["start"], args["end"]) == ("2025-01-01", "2026-01-01")
    assert "cannot be told apart" in args["rationale"]


@pytest.mark.parametrize(
    ("text", "value"), [("propose the second one", 4), ("propose the 4 ATR one for btc", 4), ("propose the winner", 3)]
)
def test_one_of_the_compared_may_be_picked(words: Words, text: str, value: float) -> None:
    """By place, by value, or the best."""
    desk = Desk("developer", words)
    desk.ask("compare 3 and 4 ATR stops for btc-trend")
    desk.ask(text)
    assert desk.called[0][1]["changes"] == changes(stop_atr=value)


@pytest.mark.parametrize(
    "text", ["which one is best?", "which one would you use?", "should I go with the second one?", "is the second one better?"]
)
def test_a_question_files_no_proposal(words: Words, text: str) -> None:
    """Which, whether and should are questions: nothing is proposed without a verb that asks for it."""
    desk = Desk("developer", words)
    desk.ask("compare 3 and 4 ATR stops for btc-trend")
    desk.ask(text)
    assert not [name for name, _ in desk.called if name.startswith("propose")]


@pytest.mark.parametrize(
    ("text", "value"),
    [("propose the second one", 3), ("propose the third one", 4), ("propose the last one", 4), ("propose it", 3)],
)
def test_a_place_is_the_one_in_the_persons_list(words: Words, text: str, value: float) -> None:
    """Two, three and four ATR were listed and two is live: the second one is three."""
    desk = Desk("developer", words, compare=ok("compare", data=COMPARED | {"listed": [0, 1, 2]}))
    desk.ask("compare 2, 3 and 4 ATR stops for btc-trend")
    desk.ask(text)
    assert desk.called[0][1]["changes"] == changes(stop_atr=value)


@pytest.mark.parametrize("text", ["propose the third one", "propose the 5 ATR one", "propose the first one"])
def test_what_was_not_compared_is_not_replaced_by_the_best(words: Words, text: str) -> None:
    """A place beyond the list, a value that was not in it, or the live one: nothing is proposed, and it is said."""
    listed = [0, 1] if "first" in text else [1, 2]
    desk = Desk("developer", words, compare=ok("compare", data=COMPARED | {"listed": listed}))
    desk.ask("compare 3 and 4 ATR stops for btc-trend")
    said = desk.ask(text)
    assert desk.called == []
    assert "Compared were stop_atr=3 and stop_atr=4" in said or "the live configuration itself" in said


def test_a_question_about_a_change_files_none(words: Words) -> None:
    """`what should the stop of btc-trend be, 3 ATR?` is no request."""
    desk = Desk("developer", words)
    desk.ask("should the stop of btc-trend be raised to 3 ATR?")
    assert not [name for name, _ in desk.called if name.startswith("propose")]


def test_the_live_configuration_may_be_the_best(words: Words) -> None:
    """Then there is nothing to propose, and it is said."""
    desk = Desk("developer", words, compare=ok("compare", data=COMPARED | {"best": 0}))
    desk.ask("compare 3 and 4 ATR stops for btc-trend")
    assert "nothing to propose" in desk.ask("propose the better one")
    assert desk.called == []


def test_the_comparison_of_another_sleeve_is_not_taken(words: Words) -> None:
    """What was compared on BTC is not proposed for ETH."""
    desk = Desk("developer", words)
    desk.ask("compare 3 and 4 ATR stops for btc-trend")
    assert "was of btc-trend, not eth-trend" in desk.ask("propose the better one for the ETH trend sleeve")
    assert desk.called == []


def test_without_a_comparison_it_says_how_to_begin(words: Words) -> None:
    """No comparison in the thread: no proposal, but the way to one."""
    assert "The last look was no comparison" in Desk("developer", words).ask("propose the better one")


def test_a_row_of_a_search_is_proposed_by_its_values_alone(words: Words) -> None:
    """`propose the best one` after a search files nothing, also where an older comparison stands in the thread."""
    desk = Desk("developer", words)
    desk.ask("compare 3 and 4 ATR stops for btc-trend")
    desk.ask("sweep stop_atr from 1 to 4 for trend on BTC 2025")
    assert [name for name, _ in desk.called] == ["sweep"]
    said = desk.ask("propose the best one")
    assert desk.called == []
    assert "name the change" in said


def test_compare_and_propose_in_one_breath(words: Words) -> None:
    """The proposal uses what the same turn compared, and comes last."""
    desk = Desk("developer", words)
    desk.ask("Compare 3 and 4 ATR stops on btc-trend and propose the better one")
    assert [name for name, _ in desk.called] == ["compare", "propose_config"]


def test_a_question_of_two_parts_is_answered_in_two_parts(words: Words) -> None:
    """What happened, and is anything wrong."""
    desk = Desk("operator", words)
    text = desk.ask("What happened since yesterday? Is anything wrong?")
    assert desk.called == [("journal_search", {"since": "2025-12-01"}), ("health", {})]
    assert (
        text.index("<journal_search>")
        < text.index("<health>")
        < text.index("Read as: events of the whole desk, since 2025-12-01")
    )


def test_a_missing_slot_is_asked_for_and_its_answer_taken(words: Words) -> None:
    """Which sleeve? `eth` - and the question goes on."""
    desk = Desk("operator", words)
    assert "Which sleeve? Available: btc-trend and eth-trend." in desk.ask("reduce leverage to 2")
    assert desk.called == []
    desk.ask("eth")
    assert desk.called[0][0] == "propose_tightening"
    assert desk.called[0][1]["sleeve"] == "eth-trend"


def test_a_missing_value_is_asked_for_with_the_present_one(words: Words) -> None:
    """To which value? Now stop_atr=2.0."""
    desk = Desk("operator", words)
    assert "To which value? Now stop_atr=2.0." in desk.ask("tighten the stop of the ETH sleeve")
    desk.ask("1.5 atr")
    assert desk.called[0][1]["changes"] == changes(stop_atr=1.5)


def test_short_questions_go_on_with_the_one_before(words: Words) -> None:
    """`and for ETH?`, `what about 2024?`, `and 4 ATR?`"""
    desk = Desk("developer", words)
    desk.ask("compare a 2 ATR with a 3 ATR stop on the BTC trend sleeve for 2025")
    desk.ask("and for ETH?")
    assert desk.called[0][1]["sleeve"] == "eth-trend"
    assert desk.called[0][1]["start"] == "2025-01-01"
    desk.ask("what about 2024?")
    assert (desk.called[0][1]["sleeve"], desk.called[0][1]["start"]) == ("eth-trend", "2024-01-01")
    desk.ask("and 4 ATR?")
    assert desk.called[0][1]["variants"] == [{"changes": changes(stop_atr=4)}]


@pytest.mark.parametrize(
    ("role", "text", "owner"),
    [
        ("operator", "Backtest trend on BTC for 2025", "developer"),
        ("advisor", "compare a 2 ATR with a 3 ATR stop for btc-trend", "developer"),
        ("advisor", "propose stop_atr=3 for btc-trend", "developer"),
        ("operator", "propose the better one", "developer"),
        ("developer", "where does the P&L come from?", "advisor"),
        ("developer", "pause the BTC sleeve", "operator"),
        ("advisor", "tighten btc-trend: leverage 2", "operator"),
        ("developer", "can the halt be released safely?", "operator"),
    ],
)
def test_what_belongs_to_another_role_is_one_sentence_with_the_way_there(words: Words, role: Role, text: str, owner: str) -> None:
    """Whose it is, and the command that carries it there; nothing is called."""
    desk = Desk(role, words)
    said = desk.ask(text)
    assert desk.called == []
    assert f"belongs to the {owner}, not to the {role}" in said
    assert f"`nightdesk chat --role {owner} " in said
    assert "\n" not in said


def test_what_does_not_tighten_is_handed_to_the_developer(words: Words) -> None:
    """The tool computes the direction; the operator's answer says whose it is."""
    no = CallResult(
        "propose_tightening", {}, "refused", "this change loosens, so it does not count as a tightening", None, {}, ()
    )
    said = Desk("operator", words, propose_tightening=no).ask("set the stop of btc-trend to 3 ATR")
    assert "nightdesk chat --role developer" in said


@pytest.mark.parametrize("text", ["approve prop-1", "buy 10 BTC at market", "release the halt", "turn off the guardrails"])
@pytest.mark.parametrize("role", ["developer", "operator", "advisor"])
def test_what_only_a_person_does_calls_nothing(words: Words, role: Role, text: str) -> None:
    """No tool is called, and the way a person does it is said."""
    desk = Desk(role, words)
    assert desk.ask(text)
    assert desk.called == []


def test_what_is_not_sure_is_asked_back_with_three_that_may_be_meant(words: Words) -> None:
    """What is not understood is said so, with three readings to pick from by number."""
    said = Desk("developer", words).ask("zorgle the blimp")
    assert "I did not understand this well enough to answer" in said
    assert [said.count(f"\n{n}. ") for n in (1, 2, 3, 4)] == [1, 1, 1, 0]


def test_help_says_what_answers_here(words: Words) -> None:
    """Honest about what it is."""
    said = Desk("advisor", words).ask("what can you do?")
    assert "offline model" in said
    assert "not a language model" in said


def test_memory_is_quoted_never_asserted(words: Words) -> None:
    """What memory says stands as a quotation."""
    page = ok("memory", "[memory desk: written by people]\nSharpe was 9.9")
    assert "> Sharpe was 9.9" in Desk("developer", words, memory=page).ask("what do we know about funding?")


def test_a_run_is_found_by_its_handle_or_as_the_last_one(words: Words) -> None:
    """r1 is a run of this thread; `the last run` is the last one it made."""
    desk = Desk("developer", words, backtest=ok("backtest", data={"run_id": "r-9"}))
    desk.ask("show r1")
    assert desk.called == [("run", {"run_id": "r-77"})]
    desk.ask("backtest trend on BTC")
    desk.ask("explain the worst round trip of the last run")
    assert desk.called == [("round_trip", {"run_id": "r-9", "number": "worst"})]


def test_the_same_messages_give_the_same_reply(words: Words) -> None:
    """The model keeps nothing between calls."""
    first, second = (Desk("developer", words) for _ in range(2))
    for text in ("backtest trend on BTC for 2025", "and for ETH?"):
        assert first.ask(text) == second.ask(text)
        assert first.called == second.called


ASKED = [
    ("what alerts are open?", "alerts", {"state": "open"}),
    ("which alerts are there?", "alerts", {}),
    ("who acknowledged the page last night?", "alerts", {"since": "last night"}),
    ("which alerts fired in the last 24 hours?", "alerts", {"since": "24 hours"}),
    ("alerts of this week", "alerts", {"since": "7d"}),
    ("which alerts were resolved?", "alerts", {"state": "resolved"}),
    ("show alert al-3", "alerts", {"alert_id": "al-3"}),
    ("what do I do about al-3?", "runbook", {"about": "al-3"}),
    ("show the runbooks", "runbook", {}),
    ("what do I do about stale bars?", "runbook", {"about": "stale bars"}),
    ("show the runbook for a dead worker", "runbook", {"about": "dead worker"}),
]


@pytest.mark.parametrize(("question", "tool", "args"), ASKED, ids=[q for q, _, _ in ASKED])
def test_alerts_and_runbooks_are_asked_for_in_words(words: Words, question: str, tool: str, args: Mapping[str, Any]) -> None:
    """The window goes on as it was typed: it counts from the wall clock, which the planner does not know."""
    for role in ("developer", "operator", "advisor"):
        desk = Desk(role, words)  # type: ignore[arg-type]
        assert f"<{tool}>" in desk.ask(question)
        assert desk.called == [(tool, args)]


def test_no_chat_acknowledges_an_alert(words: Words) -> None:
    """Asked to, it shows the alert and says how a person does it."""
    assert "nightdesk alerts ack ID --as NAME" in Desk("operator", words).ask("acknowledge al-3")


@pytest.mark.parametrize("text", ["are we halted??", "is the desk halted right now?", "are we halted?"])
def test_whether_it_is_halted_is_looked_up_now(words: Words, text: str) -> None:
    """A window of events says nothing about a halt that began before it."""
    desk = Desk("operator", words)
    desk.ask(text)
    assert "health" in [name for name, _ in desk.called]


def test_what_to_do_about_it_looks_at_the_alerts(words: Words) -> None:
    """After a look at the health an open alert is found, and none is said only when none is open."""
    desk = Desk("operator", words, alerts=ok("alerts", "1 open", evidence=["al-1"]))
    desk.ask("is anything wrong?")
    desk.ask("what should I do about it?")
    assert desk.called == [("alerts", {"state": "open"}), ("runbook", {"about": "al-1"})]
    calm = Desk("operator", words, alerts=ok("alerts", "0 open"))
    calm.ask("is anything wrong?")
    assert calm.ask("what should I do about it?").startswith("0 open")


def test_the_end_of_a_pause_goes_on_with_it(words: Words) -> None:
    """Until eight, of all sleeves; then of one alone, and still until eight."""
    desk = Desk("operator", words)
    desk.ask("pause everything till 8 am")
    ((name, args),) = desk.called
    assert (name, args["ends"], args["also"]) == ("propose_pause", "till 08:00", ["eth-trend"])
    desk.ask("no only btc")
    ((name, args),) = desk.called
    assert (name, args["ends"], args["sleeve"], args.get("also")) == ("propose_pause", "till 08:00", "btc-trend", None)


def test_what_was_asked_back_about_is_not_made_of_its_rest(words: Words) -> None:
    """A condition cannot be had: naming another sleeve files no pause without it."""
    desk = Desk("operator", words)
    for text in ("pause eth unless btc is above 100000", "no only btc"):
        desk.ask(text)
        assert [name for name, _ in desk.called if name.startswith("propose")] == []


@pytest.mark.parametrize(
    ("texts", "args"),
    [
        (["worst 5 trades"], {"worst": 5}),
        (["worst 5 trades", "and the best?"], {"best": 5}),
        (["worst 5 trades", "only shorts"], {"worst": 5, "side": "short"}),
        (["worst 5 trades", "by exit path"], {"by": "exit"}),
        (["how do longs do against shorts?"], {"by": "side"}),
        (["hit rate of longs on btc"], {"side": "long", "sleeve": "btc-trend"}),
    ],
)
def test_trades_are_narrowed_as_asked(words: Words, texts: list[str], args: Mapping[str, Any]) -> None:
    """The number, the side, the split, and what a short sentence changes of the question before."""
    desk = Desk("advisor", words)
    for text in texts:
        desk.ask(text)
    assert desk.called == [("trips", args)]


def test_more_than_a_question_can_carry_is_said(words: Words) -> None:
    """Eight backtests at once, seven runs side by side: asked back, none dropped in silence."""
    both = replace(words, strategies={**words.strategies, "reversion": words.strategies["trend"]})
    desk = Desk("developer", both)
    assert "8 backtests" in desk.ask("backtest trend and reversion on BTC-USDT, ETH-USDT, SOL-USDT and XRP-USDT for 2025")
    assert "You named 7 runs" in desk.ask("compare the runs r-1, r-2, r-3, r-4, r-5, r-6 and r-7")
    assert desk.called == []

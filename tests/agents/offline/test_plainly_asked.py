"""What anyone would understand is answered, and what an answer does not read is named where it weighs."""

from types import SimpleNamespace

import pytest

from agents.offline.account import unused, weighs
from agents.offline.choose import entry_of
from agents.offline.rules import fits, has_all
from agents.offline.slots import read_slots
from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk, ok
from tools.common.contract import Table

SPLIT = Table(("sleeve", "trips", "net"), (("btc-trend", "{k1.trips}", "{k1.net}"), ("eth-trend", "{k2.trips}", "{k2.net}")))
STEPS = "\n".join(f"{n}. Step {name}" for n, name in enumerate(("one", "two", "three", "four"), 1))


@pytest.mark.parametrize(
    ("conditions", "holds"),
    [
        ("symbols span.start", True),
        ("!symbols", False),
        ("strategies|symbols", True),
        ("strategies", False),
        ("by=week", True),
        ("by=day", False),
        ("@by", True),
        ("!@sleeves", True),
        ("?choose.today", False),
        (":yes ?account.last_days", True),
        ("!:yes|strategies", False),
    ],
)
def test_a_rule_has_all_that_it_names(words: Words, conditions: str, holds: bool) -> None:
    """A slot, its place, a pattern, what code reads; any of several, and none of what may not be there."""
    slots = read_slots("btc by week over the last 30 days", words)
    assert has_all(conditions, slots, {"yes": lambda _: True}, slots.text) is holds


def test_a_rule_is_of_some_readings() -> None:
    """One of several, any kind of a tool, all, or all but some."""
    assert fits("run|trips", "trips")
    assert fits("journal_search *", "journal_search fill")
    assert fits("", "anything")
    assert not fits("!define", "define")
    assert fits("!define", "trips")


def test_only_what_weighs_is_named_before_an_answer(words: Words) -> None:
    """A word that compares or that nobody knows here may make it another answer; `results` may not."""
    assert weighs("closest")
    assert weighs("longer")
    assert weighs("frobnicate")
    assert not weighs("results")
    of = entry_of("trips").entry
    front, _ = unused(of, read_slots("split the closest trades by weekday", words), "round trips by weekday", "")
    assert front == ("closest",)
    assert unused(of, read_slots("split the results by weekday, please", words), "round trips by weekday", "") == ((), ())


@pytest.mark.parametrize("then", ["same for last week", "last two weeks", "and for last month"])
def test_another_window_keeps_the_split_and_the_side(words: Words, then: str) -> None:
    """The `last` of a window ranks nothing."""
    desk = Desk("advisor", words)
    desk.ask("round trips by weekday")
    desk.ask("only the shorts")
    desk.ask(then)
    ((name, args),) = desk.called
    assert (name, args["by"], args["side"]) == ("trips", "weekday", "short")
    assert args["since"] > "2025-09"


@pytest.mark.parametrize(
    ("text", "since"), [("anything paused in november", "2025-11-01"), ("were there any pauses on the 28th", "2025-11-28")]
)
def test_pauses_of_a_window_are_those_that_breakers_set(words: Words, text: str, since: str) -> None:
    """What is paused now knows no window that is over."""
    desk = Desk("operator", words)
    desk.ask(text)
    ((name, args),) = desk.called
    assert (name, args["kinds"], args["since"]) == ("journal_search", ["breaker"], since)


def test_the_weekend_is_a_window_of_a_question_and_the_length_of_a_pause(words: Words) -> None:
    """One reader, two sentences."""
    desk = Desk("operator", words)
    desk.ask("incidents over the weekend?")
    assert [name for name, _ in desk.called] == ["incidents"]
    desk.ask("pause eth over the weekend")
    ((name, args),) = desk.called
    assert (name, args["ends"]) == ("propose_pause", "until monday 00:00")


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("what does profit factor mean, and what is ours?", ["define", "trips"]),
        ("what is expectancy and what's ours", ["define", "trips"]),
        ("what does stop_atr do and what is it at now", ["define", "sleeves"]),
    ],
)
def test_the_second_half_is_of_the_word_of_the_first(words: Words, text: str, calls: list[str]) -> None:
    """Its meaning, then the desk's own value."""
    desk = Desk("advisor", words)
    desk.ask(text)
    assert [name for name, _ in desk.called] == calls


def test_its_trades_are_those_of_the_row_that_was_picked(words: Words) -> None:
    """Its sleeve, and the window of the table."""
    desk = Desk("advisor", words, trips=ok("trips", "<trips>")._replace(table=SPLIT))
    desk.facts = {f"k{n}.net": SimpleNamespace(value=value) for n, value in ((1, -2.0), (2, 1.0))}
    desk.ask("round trips by sleeve since 2025-11-20")
    desk.ask("which one lost the most?")
    assert desk.called == []
    desk.ask("show me its three worst trades")
    assert desk.called == [("trips", {"sleeve": "btc-trend", "since": "2025-11-20", "worst": 3})]


def test_another_length_of_a_pause_replaces_it(words: Words) -> None:
    """Not the end that was named before."""
    filed = ok("propose_pause", evidence=("prop-2",))
    desk = Desk("operator", words, propose_pause=filed)
    desk.ask("pause eth until tomorrow 12:00")
    desk.ask("actually only 4 hours")
    ((name, args),) = desk.called
    assert (name, args["ends"]) == ("propose_pause", "4 hours")


@pytest.mark.parametrize("text", ["what would it have done over the last three months?", "would it have helped last month"])
def test_what_a_proposal_would_have_done_is_a_comparison(words: Words, text: str) -> None:
    """Of its values with the live ones, over the window named."""
    change = Table(("proposal", "sleeve", "change"), (("prop-1", "btc-trend", "stop_atr 2 -> 3"),))
    listed = ok("proposals", evidence=("prop-1",))._replace(table=change)
    desk = Desk("developer", words, proposals=listed)
    desk.ask("which proposals are pending?")
    desk.ask(text)
    ((name, args),) = desk.called
    assert (name, args["sleeve"], args["variants"]) == ("compare", "btc-trend", [{"changes": [{"key": "stop_atr", "value": 3}]}])
    assert args["start"] > "2025-08"


def test_what_cannot_be_narrowed_says_so_and_makes_no_call(words: Words) -> None:
    """Correlations know no losing days."""
    desk = Desk("advisor", words)
    desk.ask("how correlated are the sleeves")
    answer = desk.ask("and on the bad days only")
    assert desk.called == []
    assert 'Nothing in "bad days" narrows' in answer


@pytest.mark.parametrize("text", ["which is closest to its stop", "how far is the stop"])
def test_the_distance_to_a_stop_is_no_column_of_the_positions(words: Words, text: str) -> None:
    """The tool that has it is asked."""
    table = Table(
        ("sleeve", "equity", "position", "protective level"), (("btc-trend", "1", "long 1", "2"), ("eth-trend", "1", "flat", "-"))
    )
    desk = Desk("operator", words, sleeves=ok("sleeves")._replace(table=table))
    desk.ask("what positions are open?")
    desk.ask(text)
    assert desk.called[0][0] == "joint_risk"


@pytest.mark.parametrize(("then", "name"), [("just the losing ones", "trips"), ("only eth", "journal_search")])
def test_losers_among_listed_fills_are_round_trips(words: Words, then: str, name: str) -> None:
    """A fill neither wins nor loses; the same list again would be of all."""
    desk = Desk("operator", words)
    desk.ask("list the fills of yesterday")
    desk.ask(then)
    assert [call for call, _ in desk.called] == [name]
    assert desk.called[0][1].get("outcome") == ("losers" if name == "trips" else None)


def test_a_rule_that_was_explained_is_counted_in_the_window_named(words: Words) -> None:
    """Not every event of that week."""
    desk = Desk("operator", words)
    desk.ask("what is the loss streak rule")
    desk.ask("did it fire this week")
    assert desk.called == [("counts", {"rule": "loss streak", "since": "2025-12-01"})]


def test_another_direction_of_a_watch_is_not_the_one_before(words: Words) -> None:
    """`loses` is below."""
    desk = Desk("operator", words)
    desk.ask("tell me if eth breaks above 3000")
    desk.ask("and if it loses 2600")
    assert desk.called == [("propose_watch", {"metric": "price", "subject": "ETH-USDT", "beyond": "below", "level": 2600.0})]


def test_which_sleeve_is_of_the_week_that_was_picked(words: Words) -> None:
    """Not of the whole month."""
    weeks = Table(("week", "net"), (("2025-11-03", "{y1.net}"), ("2025-11-10", "{y2.net}"), ("2025-11-17", "{y3.net}")))
    desk = Desk("advisor", words, pnl=ok("pnl")._replace(table=weeks))
    desk.facts = {f"y{n}.net": SimpleNamespace(value=value) for n, value in ((1, -2.0), (2, -9.0), (3, 1.0))}
    desk.ask("p&l of november by week")
    desk.ask("worst week")
    desk.ask("which sleeve")
    ((name, args),) = desk.called
    assert (name, args["by"]) == ("trips", "sleeve")


def test_exits_beside_each_other_are_a_split(words: Words) -> None:
    """Neither alone."""
    desk = Desk("advisor", words)
    desk.ask("are stops or trails costing us more")
    assert desk.called == [("trips", {"by": "exit"})]


def test_a_sum_of_one_row_has_no_worst(words: Words) -> None:
    """Of the stops of a night the worst trade is asked for, not the only row."""
    desk = Desk("operator", words)
    row = Table(("exit", "trips", "net"), (("stop", "{k1.trips}", "{k1.net}"),))
    desk.answers["trips"] = ok("trips")._replace(table=row)
    desk.ask("anything stopped out last night")
    desk.ask("which one hurt most")
    assert desk.called[-1][1]["worst"] == 5


def test_the_last_change_is_no_proposal(words: Words) -> None:
    """`who changed it last`: a proposal that waits has changed nothing."""
    desk = Desk("operator", words)
    columns = ("desk time", "event", "kind", "sleeve", "what")
    desk.answers["journal_search"] = ok("journal_search")._replace(
        table=Table(columns, (("2025-12-01 10:00Z", "p-4", "proposal", "-", "prop-1 filed"),))
    )
    assert "The last: " not in desk.ask("who changed the configuration last and when")

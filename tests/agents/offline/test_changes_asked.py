"""What a developer asks of changes and of runs made in the thread: parts of a card, several sleeves, settings off, halves."""

from dataclasses import replace
from typing import Any

import pytest

from agents.offline.choose import likely
from agents.offline.slots import read_slots
from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk, changes, ok
from tools.common.contract import Table

CARD = Table(("parameter", "now", "proposed"), (("stop_atr", "2", "3"),))
SAYS = {
    "evidence": "Its evidence is the runs r-1 and r-2, 2023-01-01 to 2025-12-01.",
    "reason": 'Reason given: "it is stopped too early".',
    "direction": "Riskier, not safer, as computed: it loosens.",
    "until": "Until noon a person may decide; if nobody does, it expires.",
}
TEXT = f"proposal prop-3 for btc-trend (pending): stop_atr 2 -> 3. {SAYS['evidence']} {SAYS['reason']}"
WAITS = ok("proposals", TEXT, {"says": SAYS, "asked_by": {"person": "noor"}}, ("prop-3",))._replace(table=CARD)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("what evidence is behind it", "evidence"),
        ("whats the interval of the difference", "evidence"),
        ("which window was the evidence on", "evidence"),
        ("what reason was given", "reason"),
        ("is that riskier or safer", "direction"),
        ("by when do i have to decide", "until"),
        ("what if nobody decides", "until"),
    ],
)
def test_the_part_of_a_card_that_is_asked_for_is_said_first(text: str, part: str, words: Words) -> None:
    """After a list of what waits: of the one proposal its card, once."""
    desk = Desk("developer", words, proposals=WAITS)
    desk.ask("which proposals are pending?")
    said = desk.ask(text)
    assert desk.called == [("proposals", {"proposal_id": "prop-3"})]
    assert said.startswith(SAYS[part])
    assert said.count(SAYS[part]) == 1


def test_who_and_why_are_both_said(words: Words) -> None:
    """Two parts of one card in one question."""
    desk = Desk("developer", words, proposals=WAITS)
    said = desk.ask("who asked for the pending change of the stop and what reason is given")
    assert said.startswith(f"It was asked for by noor. {SAYS['reason']}")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("turn off the target on btc-trend, how would march have looked", {"target_atr": 0}),
        ("btc-trend with the trail switched off, march", {"trail_atr": 0}),
        ("kick the target out on btc-trend for march", {"target_atr": 0}),
        ("trend on btc in march with a slower pair, 60/240", {"fast_bars": 60, "slow_bars": 240}),
        ("trend on btc in march, averages of 30/150", {"fast_bars": 30, "slow_bars": 150}),
        ("give btc-trend a wider target, 3.5 instead of what it has", {"target_atr": 3.5}),
        ("a tighter stop on btc-trend please, 1.5 atr", {"stop_atr": 1.5}),
    ],
)
def test_values_are_read_however_they_are_written(text: str, value: dict[str, Any], words: Words) -> None:
    """Off is zero, a pair is two averages, and a comma does not part a value from its setting."""
    read = read_slots(text, words)
    assert (read.common, read.unclear) == (value, ())


@pytest.mark.parametrize("text", ["trend on btc since 05/12", "stop_atr 2/3/4 on btc", "30d/10d walk forward of trend on btc"])
def test_a_date_a_list_and_folds_are_no_pair_of_averages(text: str, words: Words) -> None:
    """None of them says which averages."""
    assert "fast_bars" not in read_slots(text, words).common


def test_a_value_beside_one_that_is_named_is_of_the_same_setting(words: Words) -> None:
    """`does 600 look different`; hours are no value."""
    read = read_slots("slow_bars 200 is just 50 hours. does 600 look any different on btc", words)
    assert read.variants == ({"slow_bars": 200}, {"slow_bars": 600})


@pytest.mark.parametrize("said", ["all sleeves", "all three sleeves", "every sleeve"])
def test_a_change_of_all_sleeves_is_one_proposal(said: str, words: Words) -> None:
    """Each with its own changes."""
    desk = Desk("developer", words)
    desk.ask(f"propose stop_atr 2.5 on {said}")
    ((name, args),) = desk.called
    names = [sleeve.name for sleeve in words.sleeves]
    assert (name, [args["sleeve"], *(one["sleeve"] for one in args.get("also", ()))]) == ("propose_config", names)
    assert all(one["changes"] == changes(stop_atr=2.5) for one in args.get("also", ()))


def test_a_sleeve_that_is_left_out_is_not_in_the_proposal(words: Words) -> None:
    """A change of all but one."""
    desk = Desk("developer", words)
    desk.ask("propose stop_atr 2.5 on all sleeves except eth")
    ((_, args),) = desk.called
    assert [args["sleeve"], *(one["sleeve"] for one in args.get("also", ()))] == ["btc-trend"]


@pytest.mark.parametrize("text", ["both halves separately", "and in the first half and the second half each"])
def test_both_halves_of_the_days_above_are_run(text: str, words: Words) -> None:
    """The window of the run above, cut in the middle; not another year."""
    desk = Desk("developer", words)
    desk.ask("compare 3 and 4 ATR stops for btc-trend from 2025-03-01 to 2025-04-30")
    desk.ask(text)
    assert [(args["start"], args["end"]) for _, args in desk.called] == [
        ("2025-03-01", "2025-03-31"),
        ("2025-03-31", "2025-04-30"),
    ]


@pytest.mark.parametrize(
    ("text", "way"),
    [
        ("are any jobs still running", "way jobs"),
        ("how long does a sweep over two years take", "way how_long"),
        ("how is the confidence interval of a comparison computed", "way intervals"),
        ("does cannot be told apart mean equal", "way told_apart"),
        ("can the strategy skip entries around fomc", "way no_hours"),
        ("exit levels 55 and 60 for reversion", "way no_such_setting"),
        ("what is the lookback of trend", "way lookback"),
        ("should i lower the leverage on eth", "way advice"),
        ("my own strategy file, does it get checked for peeking", "way own_file"),
    ],
)
def test_what_no_tool_gives_is_a_fixed_answer(text: str, way: str, words: Words) -> None:
    """Jobs, their length, how an interval is made, and settings that no strategy has."""
    assert likely(read_slots(text, words))[0].label.ask == way


@pytest.mark.parametrize(
    "text", ["pause btc-trend over the weekend", "how did btc-trend do when we skipped weekends", "what are the open positions"]
)
def test_what_names_hours_alone_is_no_setting(text: str, words: Words) -> None:
    """A pause, and what those days made, are answered."""
    assert likely(read_slots(text, words))[0].label.ask != "way no_hours"


def test_a_value_asked_about_is_within_its_bounds_or_not(words: Words) -> None:
    """Yes or no first."""
    bounded = tuple(param._replace(low=0.0, high=20.0) for param in words.strategies["trend"])
    desk = Desk("developer", replace(words, strategies={"trend": bounded}))
    assert desk.ask("can stop_atr go to 400").startswith("No, 400 is outside the bounds of stop_atr.")
    assert desk.ask("is 4 a legal stop_atr").startswith("Yes, 4 is within the bounds of stop_atr.")


def test_runs_of_a_list_are_set_beside_each_other(words: Words) -> None:
    """`put them next to each other`: those that stand above."""
    rows = Table(("run", "about"), (("r-1", "reversion on SOL-USDT 15m"), ("r-2", "trend on BTC-USDT 15m")))
    desk = Desk("developer", words, run=ok("run", data={"run_id": "r-77"}, evidence=["r-1", "r-2"])._replace(table=rows))
    desk.ask("which runs are stored?")
    desk.ask("put them next to each other")
    assert desk.called == [("run", {"run_id": "r-1"}), ("run", {"run_id": "r-2"})]


def test_a_wish_files_nothing_and_says_how(words: Words) -> None:
    """`i would rather have 2.5`: compared, with the words that ask for it."""
    row = [{"row": 0, "run_id": "r-0", "changes": []}, {"row": 1, "run_id": "r-1", "changes": changes(stop_atr=2.5)}]
    desk = Desk("developer", words, compare=ok("compare", data={"sleeve": "btc-trend", "best": 0, "rows": row}))
    desk.ask("compare a 3 ATR stop with the live one for btc-trend")
    said = desk.ask("id rather have 2.5 there")
    assert [name for name, _ in desk.called] == ["compare"]
    assert "Nothing was filed. To have it: `propose stop_atr=2.5 for btc-trend`" in said

"""Numbers have receipts: what agents/grounding.py renders, shows as it is, marks as not checked, and strikes out."""

import pytest

from agents.grounding import Ground, ground
from agents.records import Receipts
from tests.fakes.facts import BY_REF, outcome, stand
from tests.fakes.linear_time import beyond_linear


def test_references_are_rendered_by_code_with_unit_and_link() -> None:
    """A reference becomes value, unit and a link to its evidence."""
    done = ground("Sharpe {r1.sharpe}, return {r1.total_return_frac}, fees {r1.fees}.", stand())
    assert done.text == ("Sharpe [1.23](run:r-8f2a1c), return [12.34 %](run:r-8f2a1c), fees [312.46 USDT](run:r-8f2a1c).")
    assert done.struck == ()


def test_a_table_cell_is_rendered_without_a_link() -> None:
    """In a table the value stands alone; the id has a column of its own."""
    done = ground("| run | sharpe |\n|---|---|\n| r-8f2a1c | {r1.sharpe} |", stand())
    assert done.text.endswith("| r-8f2a1c | 1.23 |")
    assert done.struck == ()


@pytest.mark.parametrize(
    ("draft", "outcome_of"),
    [
        ("It lost {r1.total_return_frac}.", "marked"),
        ("A loss of {r1.total_return_frac}.", "marked"),
        ("It is down {r1.total_return_frac}.", "marked"),
        ("trend-btc earned {s1.pnl}.", "marked"),
        ("A profit of {s1.pnl}.", "marked"),
        ("It earned {r1.fees} in fees.", "marked"),
        ("It gained {r1.total_return_frac}.", "unmarked"),
        ("trend-btc lost {s1.pnl}.", "unmarked"),
        ("It paid {r1.fees} in fees.", "unmarked"),
    ],
)
def test_a_gain_is_not_called_a_loss_beside_a_reference(draft: str, outcome_of: str) -> None:
    """The figure is code's, the verb the model's: `It lost 12.34 %` of a run that gained it is not shown as checked."""
    assert outcome(draft) == outcome_of


def test_a_unit_typed_after_a_reference_is_not_said_twice() -> None:
    """Models write `{r1.total_return_frac} %`."""
    assert ground("Return {r1.total_return_frac} %.", stand()).text == "Return [12.34 %](run:r-8f2a1c)."


def test_missing_value_reads_as_not_available() -> None:
    """A fact without a value is never a zero."""
    assert "n/a" in ground("Win rate {r1.win_rate}.", stand()).text


def test_unknown_reference_is_struck_and_the_rest_stands() -> None:
    """An invented reference cannot be rendered; the answer is not thrown away for it."""
    done = ground("Sharpe {r9.sharpe} and {r1.sharpe}.", stand())
    assert done.text == "\u27e6Sharpe ~~{r9.sharpe}~~ and [1.23](run:r-8f2a1c).\u27e7"
    assert [s.text for s in done.struck] == ["{r9.sharpe}"]


@pytest.mark.parametrize(
    "text",
    [
        "The Sharpe is 1.23.",
        "Sharpe: 1.2345",
        "The return is 12.3%.",
        "The return is 1234 bps.",
        "The drawdown was 8.71 percent.",
        "There were 142 round trips.",
        "Fees: 312.5",
        "trend-btc lost 45.68 USDT.",
        "trend-btc's P&L is -45.68 USDT.",
        "Funding paid 3.2 USDT.",
        "It made one hundred and forty-two trades.",
        "The Sharpe is one point two three.",
        "r2 has a Sharpe of 0.99.",
        "Sharpe {r1.sharpe}, {r1.trades} trades",
        "| metric | value |\n|---|---|\n| sharpe | 1.23 |\n| trades | 142 |",
        "| run | sharpe | trades |\n|---|---|---|\n| r1 | 1.23 | 142 |",
        "- **Sharpe**: `1.23`\n- **Max drawdown**: `8.71 %`",
    ],
)
def test_a_number_that_is_a_fact_is_shown_as_it_is(text: str) -> None:
    """Value, unit and name agree with a fact, and nothing else is said."""
    assert outcome(text) == "unmarked"


@pytest.mark.parametrize(
    "text",
    [
        "The Sharpe is 0.31.",
        "The Sharpe is 1.",
        "The Sharpe is 1.24.",
        "Something is 1.23 here.",
        "The drawdown is 1.23.",
        "It returned 12.34 bps.",
        "The return is 12.34.",
        "It made -12.34 % return.",
        "trend-btc made a profit of 45.68 USDT.",
        "Fees of 312.46 %.",
        "A Sharpe of 1.23 USDT.",
        "142 USDT of trades.",
        "Sharpe x0.31",
        "Sharpe\u22480.31",
        "Sharpe:0.31",
        "There were 2025 trades.",
        "Confidence 95%.",
        "```\nsharpe = 0.31\n```",
        "Fees $1.2k.",
        "The equity98765 and the pnl_12345 are fine.",
        "A drawdown of twelve percent.",
        "A third of its trades won.",
        "The drawdown doubled.",
        "r2 has a Sharpe of 1.23 for the year.",
        "It fell an hour ago.",
        "It stopped at 3:17 am.",
        "On 9 April 2025 it fell.",
        "The third run is best.",
        "Sharpe 1.23, which is excellent.",
        "The Sharpe of 1.23 will hold.",
        "The Sharpe is at least 1.23.",
        "The Sharpe is 1.23 since the change.",
        "The fees are 312.46 USDT a day.",
        "The fees per trade are 312.46 USDT.",
    ],
)
def test_what_no_fact_proves_is_never_shown_as_it_is(text: str) -> None:
    """Invented, in the wrong unit, of the wrong sign, with a word more than the fact has: marked, or struck."""
    assert outcome(text) != "unmarked"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("The Sharpe of r1 is 0.31.", "sharpe of trend BTC-USDT is 1.23 here"),
        ("r1 has a Sharpe of 0.99.", "sharpe of trend BTC-USDT is 1.23 here"),
        ("r1 made 97 trades.", "trades of trend BTC-USDT is 142 here"),
        ("| run | sharpe |\n|---|---|\n| r1 | 0.31 |", "sharpe of trend BTC-USDT is 1.23 here"),
        ("Run r-0000ff did not.", "nothing in this thread has the id r-0000ff"),
        ("See prop-9 and al-4.", "nothing in this thread has the id prop-9, al-4"),
        ("See proposal 9.", "nothing in this thread has the id proposal 9"),
    ],
)
def test_what_the_thread_contradicts_is_struck_and_says_what_it_has_instead(text: str, why: str) -> None:
    """The fact that the sentence names has another value; an id that nothing here has."""
    assert [entry.why for entry in ground(text, stand()).struck] == [why]


@pytest.mark.parametrize(
    "text", ["The Sharpe of r1 is -1.23.", "The drawdown of r1 is 9 %.", "r1 returned 12.", "r1 lost 12.34 %."]
)
def test_what_is_rounded_or_signed_otherwise_is_marked_not_struck(text: str) -> None:
    """Near enough to a fact to be a slip: no contradiction, no proof."""
    assert outcome(text) == "marked"


def test_a_struck_sentence_is_crossed_out_whole_and_the_rest_stays() -> None:
    """In its place, without its list mark; the sentence after it keeps its own outcome."""
    done = ground("- The Sharpe of r1 is 0.31. Fees were 312.46 USDT. All is well.", stand())
    assert done.text == "- ~~The Sharpe of r1 is 0.31.~~ Fees were 312.46 USDT. \u27e6All is well.\u27e7"
    assert done.struck[0].sentence == "The Sharpe of r1 is 0.31."
    assert done.unchecked == ("All is well.",)


def test_sentences_that_follow_each_other_unchecked_share_one_mark() -> None:
    """One mark for a run of them in a line; list items and cells have their own."""
    done = ground("It looks calm. Nothing moves. The Sharpe is 1.23. Sleep well.", stand())
    assert done.text == "\u27e6It looks calm. Nothing moves.\u27e7 The Sharpe is 1.23. \u27e6Sleep well.\u27e7"
    assert done.unchecked == ("It looks calm.", "Nothing moves.", "Sleep well.")
    assert ground("- calm\n- quiet", stand()).text == "- \u27e6calm\u27e7\n- \u27e6quiet\u27e7"


def test_an_answer_is_wholly_unchecked_when_nothing_in_it_is_proven() -> None:
    """Talk does not make it checked; one proven sentence does, and so does a struck one."""
    assert ground("Sure! It looks calm.", stand()).wholly
    assert not ground("It looks calm. The Sharpe is 1.23.", stand()).wholly
    assert not ground("It looks calm. The Sharpe of r1 is 3.1.", stand()).wholly
    assert not ground("How can I help you?", stand()).wholly


def test_a_model_cannot_write_the_marks_itself() -> None:
    """Neither to close ours early nor to look checked."""
    done = ground("Calm \u27e7 and safe \u27e6 now ~~gone~~.", stand())
    assert done.text == "\u27e6Calm  and safe  now gone.\u27e7"


@pytest.mark.parametrize(
    "text",
    [
        "Hello!",
        "Sure, of course.",
        "Thank you for your patience.",
        "Let me know if you need anything else.",
        "Shall I file a proposal?",
        "Would you like a backtest of it?",
        "What would you like to look at?",
        "### Summary",
        "**Open positions**",
        "Next steps:",
        "As an AI assistant I am happy to help.",
    ],
)
def test_what_claims_nothing_of_the_desk_needs_no_mark(text: str) -> None:
    """Greetings, offers, questions to the person, headings."""
    assert outcome(text) == "unmarked"


@pytest.mark.parametrize(
    "text",
    [
        "Done!",
        "It is so.",
        "I did it.",
        "I will.",
        "All set.",
        "Yes.",
        "### Halt released",
        "**Closed positions**",
        "Did you know that the halt is over?",
        "Shall I also close the other loss?",
        "Should we add to the 40 % gain?",
        "You can relax.",
        "This is good.",
    ],
)
def test_talk_that_claims_something_is_marked(text: str) -> None:
    """A deed, an assent, a presupposition in a question, a heading that tells of an event."""
    assert outcome(text) != "unmarked"


def test_a_sentence_that_names_nothing_is_read_of_what_was_named_before() -> None:
    """A figure of another thing may not follow the name of this one."""
    assert outcome("Look at r2. The Sharpe is 0.987.") == "unmarked"
    assert ground("Look at r2. The Sharpe is 1.23.", stand()).unchecked == ("The Sharpe is 1.23.",)
    assert ground("**r2**\n\n- Sharpe: 1.23", stand()).unchecked == ("Sharpe: 1.23",)


def test_the_persons_own_words_may_be_repeated_but_not_confirmed() -> None:
    """Echo is no claim; saying it of the desk is one."""
    asked = stand("Is the Sharpe above 0.9, and would 7 % be too much?")
    assert outcome("You asked about a Sharpe of 0.9 and 7 %.", asked) == "unmarked"
    assert outcome("You asked about a Sharpe of 0.8.", asked) == "marked"
    assert outcome("The Sharpe is 0.9.", asked) != "unmarked"


def test_a_sentence_or_row_of_a_tool_may_be_repeated() -> None:
    """Verbatim, with a lead-in or not; a word more and it is the model's own."""
    shown = Ground(BY_REF, quotes=["The feed lags by 4 bars, worst at noon."])
    assert outcome("The feed lags by 4 bars, worst at noon.", shown) == "unmarked"
    assert outcome("Feed: The feed lags by 4 bars, worst at noon.", shown) == "unmarked"
    assert outcome("The feed lags by 4 bars, worst at noon, as always.", shown) == "marked"


WORST = {
    "letters": "a" * 19_000 + "-",
    "key": "k" * 40_000 + " = ",
    "exclamations": "!" * 20_000,
    "numbers": "9 " * 10_000,
    "one number": "9" * 20_000,
    "dashes": "a-" * 10_000,
    "braces": "{a.b" * 5_000,
    "words": "three hundred and " * 1_200,
    "acts": "I have now just already " * 900,
    "clauses": "sold, " * 3_300,
    "times": "05:15 " * 3_300,
    "cells": "|1" * 10_000,
    "parentheses": "a(1," * 5_000,
    "months": "may " * 5_000,
    "particles": "turned it a " * 2_000,
    "nouns of acts": "order of " * 2_500,
    "settings": "a_" * 10_000,
    "adverbs": "I really " * 2_500,
    "multiples": "doubled " * 2_500,
    "changes": "stop_atr 2 -> " * 1_500,
}


@pytest.mark.parametrize("name", WORST)
def test_the_worst_texts_are_read_in_linear_time(name: str) -> None:
    """Draft, argument, question and tool result alike."""

    def read(text: str) -> None:
        receipts = Receipts(records=[text], halted=True)
        ground(text, Ground(BY_REF, [text[:4000]], [{"set": text}], [text[:200]], [text], [text], receipts))

    assert not beyond_linear(read, WORST[name])

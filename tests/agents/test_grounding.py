"""Numbers have receipts: what agents/grounding.py renders, lets stand and strikes out."""

import pytest

from agents.grounding import Ground, ground
from tests.fakes.facts import BY_REF, fact, stand, struck
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


def test_a_unit_typed_after_a_reference_is_not_said_twice() -> None:
    """Models write `{r1.total_return_frac} %`."""
    assert ground("Return {r1.total_return_frac} %.", stand()).text == "Return [12.34 %](run:r-8f2a1c)."


def test_missing_value_reads_as_not_available() -> None:
    """A fact without a value is never a zero."""
    assert "n/a" in ground("Win rate {r1.win_rate}.", stand()).text


def test_unknown_reference_is_struck_and_the_rest_stands() -> None:
    """An invented reference cannot be rendered; the answer is not thrown away for it."""
    done = ground("Sharpe {r9.sharpe} and {r1.sharpe}.", stand())
    assert done.text == "Sharpe ~~{r9.sharpe}~~ and [1.23](run:r-8f2a1c)."
    assert [s.text for s in done.struck] == ["{r9.sharpe}"]


@pytest.mark.parametrize(
    "text",
    [
        "The Sharpe is 1.23.",
        "Sharpe: 1.2345",
        "It returned 12.34 % over the year.",
        "The return is 12.3%.",
        "The total return was 0.1234 as a fraction.",
        "The return is 1234 bps.",
        "A drawdown of 8.7 %, that is -8.71 %.",
        "The drawdown was 8.71 percent.",
        "142 trades in 2025.",
        "There were 142 round trips.",
        "Fees came to 312.46 USDT, about $312.",
        "Fees: 312.5",
        "trend-btc lost 45.68 USDT.",
        "trend-btc's P&L is -45.68 USDT.",
        "Funding paid 3.2 USDT.",
        "The spread is 1.5 bps, 0.015 %.",
        "Latency 1.5 h, that is 90 minutes.",
        "r1 has a Sharpe of 1.23, the live configuration 0.99.",
        "| metric | value |\n|---|---|\n| sharpe | 1.23 |\n| trades | 142 |",
        "| run | sharpe | trades |\n|---|---|---|\n| r1 | 1.23 | 142 |",
        "- **Sharpe**: `1.23`\n- **Max drawdown**: `8.71 %`",
    ],
)
def test_a_number_that_is_a_fact_stands(text: str) -> None:
    """Value, unit and name agree with a fact: nothing is struck."""
    assert struck(text) == []


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("The Sharpe is 0.31.", ["0.31"]),
        ("The Sharpe is 1.", ["1"]),
        ("The Sharpe is 1.24.", ["1.24"]),
        ("Something is 1.23 here.", ["1.23"]),
        ("The drawdown is 1.23.", ["1.23"]),
        ("It returned 12.34 bps.", ["12.34 bps"]),
        ("It returned 0.12 %.", ["0.12 %"]),
        ("The return is 12.34.", ["12.34"]),
        ("It made -12.34 % return.", ["-12.34 %"]),
        ("trend-btc made a profit of 45.68 USDT.", ["45.68 USDT"]),
        ("Fees of 312.46 %.", ["312.46 %"]),
        ("Fees were 400 USDT, the Sharpe 1.23.", ["400 USDT"]),
        ("143 trades.", ["143"]),
        ("A Sharpe of 1.23 USDT.", ["1.23 USDT"]),
        ("142 USDT of trades.", ["142 USDT"]),
        ("Sharpe `0.31`.", ["0.31"]),
        ("Sharpe x0.31", ["0.31"]),
        ("Sharpe≈0.31", ["0.31"]),
        ("Sharpe:0.31", ["0.31"]),
        ("There were 2025 trades.", ["2025"]),
        ("Confidence 95%.", ["95%"]),
        ("| run | sharpe |\n|---|---|\n| r1 | 0.31 |", ["0.31"]),
        ("```\nsharpe = 0.31\n```", ["0.31"]),
        ("Fees $1.2k.", ["$1.2k"]),
    ],
)
def test_a_number_without_a_fact_is_struck(text: str, gone: list[str]) -> None:
    """Invented, in the wrong unit, of the wrong sign, or with nothing named: struck, and listed."""
    assert struck(text) == gone


def test_what_is_struck_is_shown_crossed_out_and_the_rest_stands() -> None:
    """The reader sees what was struck, in place."""
    done = ground("The Sharpe is 0.31, and there were 142 trades.", stand())
    assert done.text == "The Sharpe is ~~0.31~~, and there were 142 trades."
    assert done.struck[0].sentence == "The Sharpe is 0.31, and there were 142 trades."


@pytest.mark.parametrize(
    "text",
    [
        "From 2025-01-01 to 2026-01-01 at 05:15Z, in March 2025, on 4 March 2025, March 4th, 2025, Q1 2025.",
        "Since 2024 and in 2025, at 14:30:05 UTC, 24/7.",
        "Run r-8f2a1c, event d-112, proposal p-3, version v3, row 0, step 2, layer 1, D19, F8.",
        "sma(40) on 15m and 1h bars of BTC-USDT, sha256 9f8e7d6c5b4a.",
        "1. First\n2. Second\n3) third\n(4) fourth",
        "the 1st, the 2nd and the 3rd",
        "rsi14 crossed, #12, ISO8601 times",
    ],
)
def test_dates_ids_and_list_numbers_are_no_claims(text: str) -> None:
    """What looks like a number and states none stays as it is, when the thread has seen that id, date or time."""
    assert struck(text, text) == []


def test_a_number_glued_to_a_word_is_still_one() -> None:
    """A model that writes without spaces states a number all the same."""
    assert sorted(struck("The equity98765 and the pnl_12345 are fine.")) == ["12345", "98765"]


ARGUMENTS = [{"strategy": "trend", "variants": [{"changes": [{"key": "stop_atr", "value": 2.0}]}], "set": "fast_bars=20"}]


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("With a 2 ATR stop.", []),
        ("variants stop_atr=2, fast_bars=20", []),
        ("fast 20 crosses", []),
        ("With a 3 ATR stop.", ["3 ATR"]),
        ("A target of 2 ATR.", []),
        ("The Sharpe is 2.", ["2"]),
    ],
)
def test_arguments_are_words_of_configuration(text: str, gone: list[str]) -> None:
    """A number the turn used as an argument stands when it is named with its word."""
    assert struck(text, arguments=ARGUMENTS) == gone


def test_the_persons_own_number_may_be_repeated_but_not_confirmed() -> None:
    """Echo is no claim; saying it of a metric that has facts is one."""
    asked = "Is the Sharpe above 0.9, and would 7 % be too much?"
    assert struck("You asked about a Sharpe of 0.9 and 7 %.", asked) == []
    assert struck("The line you drew at 7 % is fine.", asked) == []
    assert struck("The Sharpe is 0.9.", asked) == ["0.9"]


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("Run r-8f2a1c did well, run r-0000ff did not.", ["r-0000ff"]),
        ("Event d-113 shows it.", ["d-113"]),
        ("See prop-9 and al-4.", ["prop-9", "al-4"]),
        ("r1 beats r7.", ["r7"]),
        ("The data hash is 9f8e7d6c5b4a.", ["9f8e7d6c5b4a"]),
        ("It stopped at 03:17Z.", ["03:17Z"]),
        ("It stopped at 3:17 am.", ["3:17 am"]),
        ("Since 2025-04-09 03:17.", ["2025-04-09", "03:17"]),
        ("On 9 April 2025 it fell.", ["9 April 2025"]),
        ("On April 9th it fell.", ["April 9th"]),
        ("It began on 2025-01-01 at 00:00Z.", []),
        ("It began on 1 January 2025, at midnight.", []),
        ("Until 31 December 2024.", []),
    ],
)
def test_ids_and_times_that_no_fact_result_or_question_holds_are_struck(text: str, gone: list[str]) -> None:
    """Invented ids, minutes and dates pass no more than digits do; a day may be the one before a span's end."""
    assert struck(text) == gone


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("It made one hundred and forty-two trades.", []),
        ("It made forty-one trades.", ["forty-one"]),
        ("A drawdown of twelve percent.", ["twelve percent"]),
        ("The Sharpe is one point two three.", []),
        ("The Sharpe is two point nine.", ["two point nine"]),
        ("A third of its trades won.", ["A third"]),
        ("There are three open positions.", ["three"]),
        ("One of them is fine, on the other hand two are not.", []),
        ("The two runs differ in one way.", []),
    ],
)
def test_number_words_beside_a_metric_are_held_to_the_same(text: str, gone: list[str]) -> None:
    """Spelled numbers are claims where they count or measure."""
    assert struck(text) == gone


def test_the_rows_of_a_table_of_this_turn_may_be_counted() -> None:
    """`two sleeves` after a table of two sleeves is no invention."""
    from agents.grounding import Ground
    from agents.support import CountedRows

    counted = Ground(BY_REF, rows=[CountedRows("sleeve", 2)])
    assert ground("The desk runs 2 sleeves, that is two open sleeves.", counted).struck == ()
    assert [s.text for s in ground("The desk runs 3 sleeves.", counted).struck] == ["3"]


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
    from agents.records import Receipts
    from agents.grounding import Ground

    def read(text: str) -> None:
        receipts = Receipts(records=[text], halted=True)
        ground(text, Ground(BY_REF, [text[:4000]], [{"set": text}], [text[:200]], [text], [text], receipts))

    assert not beyond_linear(read, WORST[name])


def test_a_value_that_a_proposal_names_stands_with_its_setting() -> None:
    """`stop_atr 2 -> 2.5` in a result of this turn supports both values of stop_atr, with both its words, of nothing else."""
    stand = Ground({}, quotes=["proposal prop-2 (applied): stop_atr 2 -> 2.5."])
    assert not ground("prop-2 moved stop_atr from 2 to 2.5.", stand).struck
    assert [entry.text for entry in ground("leverage_max is 2.5, stop 2.5 ATR.", stand).struck] == ["2.5"]


@pytest.mark.parametrize("text", ["The drawdown doubled.", "Exposure is twice the equity.", "Returns tripled."])
def test_a_multiple_in_words_is_a_number(text: str) -> None:
    """Told of what was, not of what would be."""
    assert ground(text, Ground({})).struck
    assert not ground("Risk would be doubled by it.", Ground({})).struck


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("At quarter past five, at half past nine.", ["half past nine"]),
        ("On 01/01/2025, not on 28.11.2025.", ["28.11.2025"]),
        ("In January 2025 and in March 2024.", ["in March 2024"]),
        ("It fell an hour ago.", ["an hour ago"]),
        ("See proposal 3 and alert 9.", ["alert 9"]),
        ("The third run is best.", ["third"]),
        ("Over 120 trades, fewer than 100 trades.", ["100"]),
        ("One in five trades won.", ["One in five"]),
    ],
)
def test_times_ids_and_words_in_other_writings(text: str, gone: list[str]) -> None:
    """Clock and calendar in words and figures, numbered things, places, bounds."""
    seen = Ground(BY_REF, seen=["prop-3 at 05:15Z"])
    assert [entry.text for entry in ground(text, seen).struck] == gone


def test_a_figure_of_another_thing_is_struck() -> None:
    """The live configuration's Sharpe is not r1's."""
    assert struck("r1 has a Sharpe of 0.99.") == ["0.99"]
    assert struck("r2 has a Sharpe of 0.99.") == []


def test_a_figure_of_a_tools_text_stands_beside_its_subject() -> None:
    """`0 of 40 lots filled` of a tool, said of that sleeve or with the word beside it."""
    shown = Ground({}, quotes=["d-2060 order eth-trend: 0 of 40 lots filled, stop 2,911.40"])
    assert not ground("The stop of eth-trend is 2,911.40.", shown).struck
    assert not ground("eth-trend had 40 lots.", shown).struck
    assert [entry.text for entry in ground("btc-trend: 2,911.40", shown).struck] == ["2,911.40"]


COUNTED = (
    "| sleeve | position |\n| btc-trend | flat |\n| eth-trend | long 0.84 |",
    "prop-1 (rejected): a 1 -> 2\nprop-2 (pending): a 2 -> 3",
)


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("Both sleeves are flat.", ["Both"]),
        ("One of the two sleeves is flat.", []),
        ("Neither sleeve is short.", []),
        ("A couple of proposals.", []),
        ("A trio of proposals.", ["A trio"]),
        ("Two proposals are pending.", ["Two"]),
        ("One proposal is pending.", []),
        ("All two sleeves are long.", ["All", "two"]),
        ("None of the two proposals was applied.", []),
    ],
)
def test_a_count_in_words_is_held_against_what_was_shown(text: str, gone: list[str]) -> None:
    """`Both`, `neither`, `a couple`: as many as the tools showed, in the state that the sentence names."""
    struck_texts = [entry.text for entry in ground(text, Ground({}, quotes=COUNTED)).struck]
    assert bool(struck_texts) is bool(gone)


@pytest.mark.parametrize(
    ("text", "stands"),
    [
        ("r1 has 45 trades more than r2.", True),
        ("r1 has 54 trades more than r2.", False),
        ("r1 has 45 trades.", False),
        ("r1 has 1.46 times the trades.", True),
        ("r1 has twice the trades.", False),
    ],
)
def test_a_figure_may_follow_from_two_of_one_metric(text: str, stands: bool) -> None:
    """Only where the sentence says the relation."""
    two = {"r1.trades": fact("r1.trades", 142, "count"), "r2.trades": fact("r2.trades", 97, "count")._replace(subject="b")}
    assert (ground(text, Ground(two)).struck == ()) is stands

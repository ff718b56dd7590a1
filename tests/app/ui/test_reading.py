"""An answer's parts: the verdict is first wherever the text has it, nothing is lost, and what is not known stays as it was."""

import re

import pytest

from app.ui import reading

COMPARISON = """Row 0 is trend on BTC-USDT, live configuration (v1): return [-10.51 %](run:r-20261127-fbbfa0ba) (optimistic \
[-10.54 %](run:r-20261127-fbbfa0ba)), run r-20261127-fbbfa0ba. Stopped by its own desk drawdown breaker on 2023-11-17, traded \
320 of 1,096 days. Note: funding at the recorded mark price. stop_atr 3: return [-2.21 %](run:r-20261127-c56aee56), Sharpe \
-0.13; cannot be told apart from row 0. Left out as identical to row 0: stop_atr 2. Interval: 95 %, fixed seed.

| # | configuration | run | return | traded | verdict |
|---|---|---|---|---|---|
| 0 | live configuration (v1) | r-20261127-fbbfa0ba | -10.51 % | 320 of 1,096 days; stopped 2023-11-17 | row 0 |
| 1 | stop_atr 3 | r-20261127-c56aee56 | -2.21 % | all 1,096 days | cannot be told apart |

Next: a longer span tells more, such as `the same over 2024 and 2025`.

*Read as: compare, stop_atr=3.*

*desk time 2026-01-01 00:00Z · PAPER*"""

WRONG = """From 2025-12-31 00:00Z to 2026-01-01 00:00Z equity changed by -13.49 USDT. Refused by: entries paused.

| desk time | event |
|---|---|
| 2025-12-31 04:30Z | d-17489 |

Nothing is wrong. Desk time 2026-01-01 00:00Z.

| what | state |
|---|---|
| halt | ok |
| worker | ok |"""


def test_a_comparison_begins_with_its_verdict_and_has_what_differs_as_heads() -> None:
    """How long each traded is the first row; the wall of figures is folded; the next step is a question to ask."""
    found = reading.read(COMPARISON)
    assert found.verdicts == ("stop_atr 3 cannot be told apart from stop_atr 2 (live, v1).",)
    table = reading.cells_of(found.blocks[1])
    assert table[0] == ["", "stop_atr 2 (live, v1)", "stop_atr 3"]
    assert table[1] == ["traded", "▲ 320 of 1,096 days; stopped 2023-11-17", "all 1,096 days"]
    assert table[-1] == ["run", "r-20261127-fbbfa0ba", "r-20261127-c56aee56"]
    assert "#" not in [row[0] for row in table]
    assert found.blocks[0].startswith("stop_atr 3: return")
    assert "cannot be told apart from stop_atr 2 (live, v1)." in found.blocks[0]
    assert "row 0" not in "".join([*found.verdicts, *found.blocks])
    assert [note.split()[0] for note in found.notes] == ["Row", "Stopped", "Note:", "Left", "Interval:", "Next:"]
    assert found.steps == ("the same over 2024 and 2025",)
    assert found.names == {"r-20261127-fbbfa0ba": "stop_atr 2 (live, v1)", "r-20261127-c56aee56": "stop_atr 3"}
    assert [line[:9] for line in found.foot] == ["*Read as:", "*desk tim"]


SAME = "Left out as identical to row 0 or another row: "


@pytest.mark.parametrize("said", ["", f"{SAME}stop_atr 2; stop_atr 2.5.", f"{SAME}target_atr 4.", f"{SAME}stop_atr 3."])
def test_what_runs_now_has_a_value_for_a_name_only_where_the_answer_gives_one(said: str) -> None:
    """Nothing is guessed: without the sentence, or with two values in it, it keeps its own name."""
    found = reading.read(COMPARISON.replace("Left out as identical to row 0: stop_atr 2.", said))
    assert found.verdicts == ("stop_atr 3 cannot be told apart from live configuration (v1).",)
    clear = reading.read(COMPARISON.replace("identical to row 0:", "identical to row 0 or another row:"))
    assert clear.verdicts == ("stop_atr 3 cannot be told apart from stop_atr 2 (live, v1).",)
    other = reading.read(COMPARISON.replace("live configuration (v1)", "stored run r-1"))
    assert reading.cells_of(other.blocks[1])[0][1] == "stored run r-1"


@pytest.mark.parametrize(
    ("verdict", "sentence"),
    [("better", "b is better than a."), ("worse", "b is worse than a."), ("the same", "b: the same."), ("row 0", "b: row 0.")],
)
def test_the_verdict_of_a_comparison_is_the_tables_own(verdict: str, sentence: str) -> None:
    """Its word, and no other."""
    rows = [["configuration", "verdict"], ["a", "row 0"], ["b", verdict]]
    assert reading.compared(rows)[0] == [sentence]


def test_every_verdict_stands_before_the_first_table() -> None:
    """Two questions in one: both answers are read before any fill."""
    found = reading.read(WRONG)
    assert found.verdicts[-1] == "Nothing is wrong."
    assert found.verdicts[0].startswith("From 2025-12-31")
    assert [reading.is_table(block) for block in found.blocks] == [False, True, True]


def test_a_list_in_paragraphs_keeps_each_of_them_together() -> None:
    """The first sentence is the verdict; what is said of the second alert is not read under the third's name."""
    found = reading.read(
        "Alerts: 2 open.\n\nal-2 PAGE: no stop. Since noon.\n\nal-1 NOTE: a pause. Since one.\n\n| a |\n|---|\n| b |"
    )
    assert found.verdicts == ("Alerts: 2 open.",)
    assert found.blocks[:2] == ("al-2 PAGE: no stop. Since noon.", "al-1 NOTE: a pause. Since one.")


def test_what_an_answer_says_itself_is_not_said_by_its_table_again() -> None:
    """Of one configuration it does, of the other it does not."""
    rows = "\n".join(
        f"| {cells} |" for cells in ("configuration | verdict", "---|---", "a | row 0", "x 4 | better", "x 5 | worse")
    )
    found = reading.read(f"Against the live configuration: x=4 is better.\n\nx 5: return -1 %.\n\n{rows}")
    assert found.verdicts == ("Against the live configuration: x=4 is better.", "x 5 is worse than a.")


@pytest.mark.parametrize("text", [COMPARISON, WRONG, "One line.", "- a\n- b\n\n> quoted\n\n`code`\n\nLast line. And more.", ""])
def test_no_word_of_an_answer_is_lost(text: str) -> None:
    """Every word is in one of the parts, but for rules of tables and the number of a row."""
    found = reading.read(text)
    shown = " ".join([*found.verdicts, *found.blocks, *found.notes, *found.foot])
    words = set(re.findall(r"[\w.%-]+", re.sub(r"\| ?#? ?\d? ?\|", "|", text)))
    assert words - set(re.findall(r"[\w.%-]+", shown)) <= {"-", "---", "row", "0", "0."}  # of a turned table the base has a name


def test_a_sentence_does_not_end_inside_a_link_code_or_bold() -> None:
    """Dots in ids, in code and in bold are no ends."""
    text = "It fell [by 2. Much](run:r-1) today. Ask `Stop it. Now` or **Wait. Here** first. Done."
    assert reading.sentences(text) == [
        "It fell [by 2. Much](run:r-1) today.",
        "Ask `Stop it. Now` or **Wait. Here** first.",
        "Done.",
    ]


def test_a_table_that_is_no_comparison_stays_as_it_is() -> None:
    """Also one with torn rows."""
    torn = "| configuration | verdict |\n|---|---|\n| a |\n| b | better |"
    assert reading.read(f"Lead.\n\n{torn}").blocks == (torn,)
    assert reading.compared([["a", "b"], ["1", "2"], ["3", "4"]]) == ([], "")


def test_names_of_figures_are_words_and_code_stays() -> None:
    """In tables and sentences alike; a parameter is what a person types, and keeps its name."""
    found = reading.read(
        "| exit | stop |\n|---|---|\n| win_frac | 0.0 % |\n| stop_atr | 2 |\n\nAsk: `trips by mean_r`, total_return_frac 1 %."
    )
    text = "\n".join((*found.verdicts, *found.blocks))
    assert "| won | 0.0 % |" in text
    assert "| stop_atr | 2 |" in text
    assert "`trips by mean_r`, return 1 %." in text


def test_a_run_of_unchecked_sentences_keeps_its_mark_when_it_is_taken_apart() -> None:
    """The verdict and what follows it are each marked, so that neither is shown as checked."""
    found = reading.read("\u27e6It is calm. Nothing moves.\u27e7 The Sharpe is 1.23.")
    assert found.verdicts == ("\u27e6It is calm.\u27e7",)
    assert found.blocks == ("\u27e6Nothing moves.\u27e7 The Sharpe is 1.23.",)


def test_a_unit_that_a_whole_column_has_is_in_its_head_once() -> None:
    """And the names of a trip's columns are words; a column with two units, or with links, stays as it is."""
    table = """| trip | r | reason | net | entry_ms | costs | mixed |
|---|---|---|---|---|---|---|
| t1 | -1.06 | stop | -39.41 USDT | 2025-02-14 10:30Z | n/a | 1 bps |
| t2 | 1.94 | target | 1,044.43 USDT | 2025-01-31 14:30Z | 2.00 USDT | 2 USDT |"""
    (shown,) = reading.read(f"Two trips.\n\n{table}").blocks
    rows = reading.cells_of(shown)
    assert rows[0] == ["trip", "R", "exit", "net, USDT", "in, UTC", "costs, USDT", "mixed"]
    assert [row[3] for row in rows[1:]] == ["-39.41", "1,044.43"]
    assert [row[5] for row in rows[1:]] == ["n/a", "2.00"]
    assert [row[6] for row in rows[1:]] == ["1 bps", "2 USDT"]
    linked = "| net |\n|---|\n| [-1.00 USDT](event:d-1) |"
    assert "[-1.00 USDT](event:d-1)" in "".join(reading.read(linked).blocks)

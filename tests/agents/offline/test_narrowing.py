"""What narrows a sentence is read as such, honoured or named: no tool takes it for a word of its own."""

from typing import Any

import pytest

from agents.offline import understand
from agents.offline.slots import read_slots
from agents.offline.steps import CallResult, PastTurn, PlannedAnswer
from agents.offline.understand import ThreadSoFar, part_of
from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk
from tools.common.contract import Evidence, Fact, Table

NAMED: list[tuple[str, dict[str, Any]]] = [
    ("trades above 2R", {"filters": ("above 2r",)}),
    ("hit rate except sol", {"without": ("sol",), "symbols": ()}),
    ("distance to the stop in R", {"unit": "r"}),
    ("holding time of winners", {"outcome": "winners"}),
    ("what are the bounds of stop_atr", {"keys": ("stop_atr",)}),
    ("are shorts better than longs", {"by": ("side",), "side": None}),
    ("is monday a bad day for us", {"by": ("weekday",)}),
    ("best week", {"by": ("week",), "which": "best"}),
    ("biggest winner and biggest loser", {"which": "both"}),
    ("pause everything until 08:00", {"everything": True, "lasting": "until 08:00"}),
]


@pytest.mark.parametrize(("question", "expected"), NAMED, ids=[question for question, _ in NAMED])
def test_a_narrowing_word_is_a_slot(question: str, expected: dict[str, Any], words: Words) -> None:
    """A bound, an exclusion, a unit, an outcome, a parameter's name, a split: each typed, none left to chance."""
    found = read_slots(question, words)
    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("question", "left"),
    [
        ("hit rate except sol", "except sol"),
        ("how did pepe do this week", "pepe"),
        ("round trips of wifcoin by exit", "wifcoin"),
        ("how often did the loss streak rule stop us except in december", "except"),
    ],
)
def test_what_cannot_be_honoured_is_asked_back_about(question: str, left: str, words: Words) -> None:
    """The chosen tool has no such bound, exclusion or figure: it is not answered as if it had."""
    part = part_of(question, ThreadSoFar(words))
    assert part.chosen is not None
    assert left in " ".join(part.lost)


@pytest.mark.parametrize("question", ["how many trades since midnight only", "p&l by day between monday and wednesday"])
def test_small_words_beside_a_name_refuse_nothing(question: str, words: Words) -> None:
    """`only`, `between`, `since` belong to what they stand beside."""
    part = part_of(question, ThreadSoFar(words))
    assert part.chosen is not None
    assert part.lost == ()


def test_a_short_sentence_narrows_only_what_can_be_narrowed(words: Words) -> None:
    """`only bitcoin` after the desk's Sharpe: the tool has no such part, and the whole desk is no answer to it."""
    past = [PastTurn("what is the sharpe of the desk?", (CallResult("performance", {}, "ok", "", None, {}, ()),))]
    part = part_of("only bitcoin", ThreadSoFar(words, past))
    assert part.chosen is not None
    assert part.lost == ("bitcoin",)


def test_the_least_of_a_figure_is_read_from_the_table_above(words: Words) -> None:
    """The row is found by the facts behind the references, which stay references."""
    values = {"r1.drawdown": 0.11, "r2.drawdown": 0.07, "r3.drawdown": 0.05}
    facts = {ref: Fact(ref, "run", "drawdown", value, "frac", Evidence("run", "r-1")) for ref, value in values.items()}
    rows = (("live configuration (v1)", "{r3.drawdown}"), ("stop_atr 3", "{r1.drawdown}"), ("stop_atr 4", "{r2.drawdown}"))
    table = Table(("configuration", "drawdown"), rows)
    past = [PastTurn("compare 3 and 4 ATR stops for btc-trend", (CallResult("compare", {}, "ok", "", table, {}, ()),))]
    part = part_of("which of the two had the smallest drawdown", ThreadSoFar(words, past, facts))
    assert isinstance(part.call, PlannedAnswer)
    assert part.call.text.startswith("The lowest drawdown is that of stop_atr 4: {r2.drawdown}.")


def test_a_level_belongs_to_what_it_was_named_for(words: Words) -> None:
    """Another instrument is watched at its own level; without one the level is asked for."""
    desk = Desk("operator", words)
    desk.ask("ping me if btc trades under 80k")
    assert desk.called[0][1]["level"] == 80_000.0
    desk.ask("and eth above 4000")
    ((name, args),) = desk.called
    assert (name, args["subject"], args["beyond"], args["level"]) == ("propose_watch", "ETH-USDT", "above", 4_000.0)
    assert "At which level?" in desk.ask("and btc?")
    assert desk.called == []


def test_each_turn_of_a_long_thread_is_read_once(words: Words, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a turn went on with is not read anew for each turn after it: that doubles the work with every question."""
    ranked: list[str] = []
    likely = understand.likely
    monkeypatch.setattr(understand, "likely", lambda read, *more: ranked.append(read.text) or likely(read, *more))
    past = tuple(PastTurn(text, ()) for text in ("what happened since yesterday?", "is anything wrong?", "show the desk") * 4)
    understand.understand("and the week before?", words, past)
    assert len(ranked) <= 2 * understand.PAST_MAX + 4


@pytest.mark.parametrize(
    ("question", "way_out"),
    [
        ("average holding time of trades", None),
        ("what time of day do we lose most", None),
        ("how many trades were closed by time", "time"),
        ("trips that left by signal", "signal"),
        ("did we get a signal", None),
    ],
)
def test_an_everyday_word_is_no_way_out_of_a_trade(question: str, way_out: str | None, words: Words) -> None:
    """Trades end by time or by signal, and people say both words of other things."""
    desk = Desk("advisor", words)
    desk.ask(question)
    assert {args.get("exit") for name, args in desk.called if name == "trips"} <= {way_out}

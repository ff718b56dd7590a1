"""Short sentences about what the turn above was about: each kind with siblings that the code does not name."""

import pytest

from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk, ok
from tools.common.contract import Table

REFUSED = Table(
    ("what", "rule", "times", "stretches", "first", "last"),
    (("refused", "entries paused", 3, 2, "2025-12-01 02:00Z", "2025-12-01 22:15Z"), ("refused", "spread", 1, 1, "a", "b")),
)
FILLS = Table(
    ("desk time", "event", "kind", "sleeve", "what"),
    (
        ("2025-12-01 20:30Z", "d-10", "fill", "btc-trend", "sell 0.008 at 85,504.46 to enter"),
        ("2025-12-01 22:15Z", "d-13", "fill", "btc-trend", "buy 0.008 at 86,595.80 by stop, round trip -9.42"),
        ("2025-12-01 22:30Z", "d-17", "fill", "eth-trend", "sell 0.239 at 2,792.26 to enter"),
    ),
)
ENTRY = Table(
    ("event", "what", "value"),
    (
        ("d-10", "fee", "{e1.fee}"),
        ("d-10", "slippage", "{e1.slippage}"),
        ("d-10", "slot", "entry"),
        ("d-10", "sleeve", "btc-trend"),
    ),
)
SOURCES = Table(
    ("", "price P&L", "slippage", "fees", "funding", "unexplained", "change"),
    (
        ("sleeve btc-trend", "{a.p}", "{a.s}", "{a.f}", "{a.u}", "{a.x}", "{a.c}"),
        ("whole desk", "{w.p}", "{w.s}", "{w.f}", "{w.u}", "{w.x}", "{w.c}"),
    ),
)


def refusals(words: Words) -> Desk:
    """A thread whose last answer counts refusals by rule."""
    desk = Desk("operator", words, counts=ok("counts")._replace(table=REFUSED))
    desk.ask("how many entries were refused yesterday?")
    assert desk.called[0][0] == "counts"
    return desk


@pytest.mark.parametrize(
    "text",
    [
        "has it ever fired?",
        "did it ever trip",
        "how often was it hit",
        "was that ever breached?",
        "how many times did it trigger",
    ],
)
@pytest.mark.parametrize(
    "before",
    ["how often did the daily loss breaker trip this week?", "what is the daily loss limit?", "how much can we lose in a day?"],
)
def test_a_rule_that_was_asked_about_is_counted(words: Words, text: str, before: str) -> None:
    """That rule since the start; the counts of all rules would be of another."""
    desk = Desk("advisor", words)
    desk.ask(before)
    desk.ask(text)
    assert [(name, args.get("rule"), args.get("since")) for name, args in desk.called] == [("counts", "daily loss", "2009-01-01")]


@pytest.mark.parametrize(
    "text", ["since when", "how long already?", "when did it stop", "since when is that", "when did that happen"]
)
def test_since_when_the_worker_is_dead_is_on_the_alert(words: Words, text: str) -> None:
    """The table of health has no time."""
    desk = Desk("operator", words)
    desk.ask("is the worker dead?")
    assert desk.called[0][0] == "health"
    desk.ask(text)
    assert [name for name, _ in desk.called] == ["alerts"]


@pytest.mark.parametrize(
    "text", ["until when", "when does it lift?", "when can it trade again", "how long will that last", "when is it over"]
)
def test_until_when_a_pause_lasts(words: Words, text: str) -> None:
    """By the tool that has the time, of the sleeve asked about."""
    desk = Desk("operator", words)
    desk.ask("is btc paused?")
    desk.ask(text)
    assert desk.called == [("pauses", {"sleeve": "btc-trend"})]


@pytest.mark.parametrize(
    "text",
    [
        "How far below the peak are we at this moment?",
        "and where is equity now?",
        "how deep is the drawdown right now",
        "are we off the high now?",
        "current drawdown, now?",
    ],
)
def test_now_is_the_desk_as_it_is(words: Words, text: str) -> None:
    """Not the dates of the peaks in the table above."""
    desk = Desk("advisor", words)
    desk.ask("what was our deepest drawdown?")
    desk.ask(text)
    assert [name for name, _ in desk.called] == ["desk"]


@pytest.mark.parametrize("text", ["whats ours", "and ours?", "what is ours", "what do we have"])
def test_a_figure_that_was_named_is_ours(words: Words, text: str) -> None:
    """The figure of the turn above, not the return."""
    desk = Desk("advisor", words, define=ok("define"))
    desk.ask("define profit factor")
    desk.ask(text)
    assert [name for name, _ in desk.called] == ["trips"]


@pytest.mark.parametrize(
    "text", ["and without fees?", "before costs", "what is left without them", "gross?", "without the fees then"]
)
def test_days_beyond_the_window_are_not_summed(words: Words, text: str) -> None:
    """P&L by day lists more than was asked for: the parts are asked for by the window."""
    days = Table(("day", "net", "fees"), (("2025-11-30 00:00Z", "{k.a}", "{k.b}"), ("2025-12-01 00:00Z", "{k.c}", "{k.d}")))
    desk = Desk("advisor", words, pnl=ok("pnl")._replace(table=days))
    desk.ask("what did we make after fees on 2025-12-01?")
    desk.ask(text)
    assert "calc" not in [name for name, _ in desk.called]


@pytest.mark.parametrize("text", ["and without fees?", "what is left without them", "without the fees then"])
def test_the_sum_of_all_rows_is_not_that_of_the_worst(words: Words, text: str) -> None:
    """`which weekday is the worst` named one row."""
    days = Table(("weekday", "trips", "net", "fees"), (("Monday", 3, "{k.a}", "{k.b}"), ("Friday", 4, "{k.c}", "{k.d}")))
    desk = Desk("advisor", words, trips=ok("trips")._replace(table=days))
    desk.ask("which weekday is the worst?")
    desk.ask(text)
    assert "calc" not in [name for name, _ in desk.called]

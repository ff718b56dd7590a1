"""What people ask of any table that stands above: an order, the rows that are so, how many, their sum, the rest; and what of it
stays meant for the next question."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from agents.offline.slots import read_slots
from agents.offline.steps import ROWS_KEPT, CallResult, PastTurn, PlannedAnswer
from agents.offline.table_answers import answer_of
from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk, ok
from tools.common.contract import Evidence, Fact, Table

MIDNIGHT = 1_764_633_600_000
TRIPS = Table(
    ("trip", "sleeve", "side", "reason", "net", "r", "entry_ms"),
    (
        ("t1", "eth-trend", "long", "stop", "{k1.net}", -1.1, "2025-11-05 15:00Z"),
        ("t2", "eth-trend", "short", "trail", "{k2.net}", 0.4, "2025-11-06 15:00Z"),
        ("t3", "btc-trend", "short", "stop", "{k3.net}", -1.2, "2025-11-07 15:00Z"),
    ),
)
EXITS = Table(
    ("exit", "trips", "wins", "win_frac", "net", "fees"),
    (
        ("stop", "{k1.n}", 0, 0.0, "{k1.net}", 9.0),
        ("trail", "{k2.n}", 7, 0.3, "{k2.net}", 30.0),
        ("open", "{k3.n}", 0, 0.0, "{k3.net}", 1.0),
    ),
)
SLEEVES = Table(
    ("", "fees", "change"),
    (("sleeve btc-trend", -9.0, "{k1.net}"), ("sleeve eth-trend", -4.0, "{k2.net}"), ("whole desk", -13.0, "{k3.net}")),
)
FILLS = Table(
    ("desk time", "event", "kind", "sleeve", "what"),
    (
        ("2025-12-01 16:00Z", "d-1", "fill", "btc-trend", "sell 0.009 at 83,917 to enter"),
        ("2025-12-01 16:15Z", "d-2", "fill", "btc-trend", "buy 0.009 at 84,859 by stop, round trip -9.24"),
        ("2025-12-01 20:15Z", "d-3", "fill", "eth-trend", "buy 0.272 at 2,760 by trail, round trip +1.69"),
    ),
)
SWEEP = Table(("variation", "Sharpe", "drawdown"), (("stop_atr 3.0", 0.4, 0.05), ("stop_atr 2.0", 0.6, 0.09)))
NETS = {"k1": -30.0, "k2": 10.0, "k3": -5.0}
FACTS = {
    f"{handle}.{name}": Fact(f"{handle}.{name}", "", name, value, unit, Evidence("desk", "journal"))
    for handle, net in NETS.items()
    for name, value, unit in (("net", net, "usd"), ("n", 3, "count"))
}


def thread(
    table: Table, name: str, *later: str, asked: str = "show me", args: dict[str, object] | None = None, text: str = ""
) -> list[PastTurn]:
    """A thread that showed a table, and asked this of it since."""
    result = ok(name, text)._replace(table=table, args=args or {})
    return [PastTurn(asked, (result,)), *(PastTurn(one, ()) for one in later)]


def said(words: Words, text: str, past: Sequence[PastTurn]) -> str:
    """What the table above answers, of a plan the expression that it has reckoned."""
    answer = answer_of(read_slots(text, words), past, FACTS, words)
    if isinstance(answer, PlannedAnswer):
        return answer.text
    assert isinstance(answer, Callable)  # type: ignore[arg-type]
    return str(next(answer(None))[0].args["expression"])  # type: ignore[operator,arg-type]


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("how many were shorts", "2 of the 3 rows of the table above: shorts."),
        ("all shorts?", "No: 2 of the 3 rows"),
        ("which of these were stops", "2 of the 3 rows of the table above: stops."),
        ("any of them targets?", "No: none of the 3 rows"),
        ("when was the worst", "The lowest net is that of t1: {k1.net}. entry_ms 2025-11-05 15:00Z."),
    ],
)
def test_a_list_of_trades_answers_of_its_rows(words: Words, text: str, begins: str) -> None:
    """The verdict first, from the rows that were shown, with no call for other rows."""
    assert said(words, text, thread(TRIPS, "trips", args={"worst": 3}, text="net {k9.net}")).startswith(begins)


@pytest.mark.parametrize(
    ("text", "later", "found"),
    [
        ("how many stops", ("how many were shorts",), "1 of the 2 rows kept above: stops."),
        ("what was its r", ("which one lost the most",), "t1: r -1.1."),
    ],
)
def test_what_was_kept_stays_so(words: Words, text: str, later: tuple[str, ...], found: str) -> None:
    """`those` are the rows that the question before kept, `it` the one that it picked."""
    assert said(words, text, thread(TRIPS, "trips", *later, args={"worst": 3})).startswith(found)


@pytest.mark.parametrize(
    ("text", "later", "found"),
    [
        ("which exit cost us the most", (), "The lowest net is that of stop: {k1.net}."),  # a result, not the costs
        ("which exit has the highest fees", (), "The highest fees is that of trail: 30.0."),
    ],
)
def test_a_split_answers_of_its_rows(words: Words, text: str, later: tuple[str, ...], found: str) -> None:
    """Its own split may be named; the losing ones of it are rows where rows are asked for."""
    assert said(words, text, thread(EXITS, "trips", *later, asked="trips by exit", args={"by": "exit"})).startswith(found)


def test_the_average_winner_is_no_mean_of_how_many_won(words: Words) -> None:
    """`wins` of a split counts; what a winner makes stands in no row of it."""
    desk = Desk("advisor", words, trips=ok("trips")._replace(table=EXITS))
    desk.ask("round trips by exit this week")
    assert "on average" not in desk.ask("avg winner then")


def test_a_list_that_was_cut_says_of_how_many_rows_it_is(words: Words) -> None:
    """A search of the journal cannot be narrowed to sells: the rows shown answer, and say that they are a part."""
    assert said(words, "only the sells", thread(FILLS, "journal_search", args={"limit": 3})).startswith("1 of the 3 rows")
    cut = thread(FILLS, "journal_search", text="9 fills. The table has 3 of 9 rows.")
    assert "The table has 3 of 9 rows." in said(words, "only the sells", cut)
    assert "The table has 3 of 9 rows." in said(words, "how many were sells", cut)


def test_a_long_table_is_said_to_be_kept_in_part(words: Words) -> None:
    """A thread keeps the first rows alone."""
    rows = tuple((f"2025-10-{n:02d}", 1.0) for n in range(1, ROWS_KEPT + 1))
    answer = answer_of(read_slots("which day was the best", words), thread(Table(("day", "net"), rows), "pnl"), {}, words)
    assert isinstance(answer, PlannedAnswer)
    assert answer.read_as.startswith(f"the first {ROWS_KEPT} rows of the table above")


def runs(words: Words) -> Desk:
    """A thread with a run of February and one of March."""
    desk = Desk("developer", words)
    for n, month in ((1, "february"), (2, "march")):
        made = ok("backtest", evidence=[f"r-{n}"])
        figures = Table(
            ("metric", "value"), (("total_return_frac", 0.01 * n), ("max_drawdown_frac", 0.03 * n), ("trades", 9 * n))
        )
        desk.answers["backtest"] = made._replace(table=figures)
        desk.ask(f"backtest trend on btc 15m in {month} 2025")
    return desk


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("which of the two had the worse drawdown", "The highest max_drawdown_frac is that of r-2"),
        ("which one had fewer trades", "The lowest trades is that of r-1"),
        ("which month made more", "The highest total_return_frac is that of r-2"),
    ],
)
def test_the_runs_of_a_thread_are_a_table(words: Words, text: str, found: str) -> None:
    """Each by what sets it apart from the others, with the figure of the other beside it."""
    desk = runs(words)
    answer = desk.ask(text)
    assert desk.called == []
    assert answer.startswith(found)
    assert "2025-03-01" in answer
    assert ", against " in answer


@pytest.mark.parametrize(
    ("text", "level", "beyond", "subject"),
    [
        ("add one, btc over 95k", 95_000, "above", "BTC-USDT"),
        ("and another one at 2600 below", 2600, "below", "ETH-USDT"),
        ("one more, eth under 2400", 2400, "below", "ETH-USDT"),
    ],
)
def test_a_watch_is_added_to_those_there_are(words: Words, text: str, level: float, beyond: str, subject: str) -> None:
    """Of the symbol that it names, else of the last one's; never the last one again."""
    desk = Desk("operator", words, propose_watch=ok("propose_watch", evidence=["w-1"]))
    desk.ask("tell me if eth goes over 3000")
    desk.ask(text)
    assert [(args["level"], args["beyond"], args["subject"]) for _, args in desk.called] == [(level, beyond, subject)]


def test_today_at_midnight_has_no_bar_yet(words: Words) -> None:
    """Said before the day that ended is shown under another name; an hour later it is today's own, and of yesterday never."""
    for desk_ms, begun in ((MIDNIGHT, False), (MIDNIGHT + 3_600_000, True)):
        desk = Desk("operator", replace(words, desk_ms=desk_ms))
        desk.ask("what got refused yesterday")
        assert desk.ask("and today").startswith("Today has no bar yet") is not begun
        assert "Today has no bar yet" not in desk.ask("and yesterday")
        assert desk.ask("did we make anything today").startswith("Today has no bar yet") is not begun


def test_the_rule_is_the_one_of_the_answer_above(words: Words) -> None:
    """Also where a question about today stands between."""
    refused = ok("journal_search", "3 refusals. Refused by: entries paused.")
    desk = Desk("operator", replace(words, desk_ms=MIDNIGHT), journal_search=refused)
    desk.ask("what got refused yesterday")
    desk.ask("and today")
    assert desk.ask("what does that rule protect us from").startswith("entries paused: a sleeve wanted to enter")


def test_a_run_that_failed_has_no_win_rate(words: Words) -> None:
    """The desk's would be another question."""
    failed = CallResult("backtest", {}, "failed", "no bars", None, {}, ())
    desk = Desk("developer", words, backtest=failed)
    desk.ask("backtest trend on eth for 2024")
    assert "no bars" in desk.ask("whats the win rate")
    assert desk.called == []

"""A value that is given is read, and an answer names first the run, the window and the thing that it is of."""

from types import SimpleNamespace

import pytest

from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk, ok
from tests.agents.offline.test_plainly_asked import SPLIT
from tools.common.contract import Table

RUNS = Table(
    ("run", "about", "first", "last"),
    (
        ("r-1", "trend on BTC-USDT 15m", "2023-01-01", "2025-12-01"),
        ("r-2", "reversion on ETH-USDT 15m", "2025-10-01", "2025-11-30"),
    ),
)


@pytest.mark.parametrize(
    ("text", "tool"),
    [
        ("how does the btc trend run look against just holding", "performance"),
        ("which hours lose the most in the btc backtest", "trips"),
    ],
)
def test_a_run_that_is_spoken_of_is_the_stored_one(words: Words, text: str, tool: str) -> None:
    """It is named first, nothing is run anew; of a run that is not stored that is said, and no figure of the desk shown."""
    desk = Desk("developer", words, run=ok("run", evidence=("r-1", "r-2"))._replace(table=RUNS))
    assert desk.ask(text).startswith("Meant is r-1 (trend on BTC-USDT")
    name, args = desk.called[-1]
    assert (name, args["subject"]) == (tool, "r-1")
    other = Desk("developer", words, run=ok("run", evidence=("r-2",))._replace(table=Table(RUNS.columns, RUNS.rows[1:])))
    assert "No stored run is of" in other.ask(text)
    assert [name for name, _ in other.called] == ["run"]


def test_a_run_of_one_day_of_a_year_is_no_result_of_the_year(words: Words) -> None:
    """Said before its figures, and it is not ranked among the others."""
    desk = Desk("developer", words)
    for n, (text, days, fall) in enumerate(
        (("trend on btc 15m in 2025", 365, 0.04), ("and with a 3 atr stop", 365, 0.02), ("same for 2024", 1, 0.0)), 1
    ):
        rows = (("max_drawdown_frac", f"{{k{n}.fall}}"), ("days", f"{{k{n}.days}}"))
        made = ok("backtest", data={"run_id": f"r-{n}"}, evidence=[f"r-{n}"])
        desk.answers["backtest"] = made._replace(table=Table(("metric", "value"), rows))
        desk.facts = {**desk.facts, f"k{n}.fall": SimpleNamespace(value=fall), f"k{n}.days": SimpleNamespace(value=days)}
        assert desk.ask(text).startswith("r-3 has bars of {k3.days} of the 366 days asked for") is (n == 3)
    answer = desk.ask("which of these had the smallest drawdown")
    assert answer.startswith("The lowest max_drawdown_frac is that of r-2")
    assert "n/a of r-3" in answer


def test_the_last_entry_is_no_exit(words: Words) -> None:
    """`get into`: of the fills listed the one that entered, though another came after it."""
    columns = ("desk time", "event", "kind", "sleeve", "what")
    fills = (
        ("2025-12-01 10:00Z", "d-1", "fill", "btc-trend", "buy 1 to enter"),
        ("2025-12-01 11:00Z", "d-2", "fill", "btc-trend", "by stop"),
    )
    desk = Desk(
        "operator", words, journal_search=ok("journal_search", evidence=("d-1", "d-2"))._replace(table=Table(columns, fills))
    )
    desk.ask("when did we last get into btc")
    assert desk.called[-1] == ("explain_event", {"event_id": "d-1"})


def test_what_is_responsible_keeps_the_window_and_is_gone_on_with(words: Words) -> None:
    """The sleeve of a month's loss, and then its worst trades of that month."""
    desk = Desk("advisor", words)
    desk.ask("how did november go")
    desk.answers["trips"] = ok("trips", "net {k0.net}")._replace(table=SPLIT)
    desk.facts = {name: SimpleNamespace(value=value) for name, value in {"k0.net": -5.0, "k1.net": -4.0, "k2.net": -1.0}.items()}
    desk.ask("which sleeve was responsible")
    month = {"since": "2025-11-01", "until": "2025-12-01"}
    assert desk.called == [("trips", {"by": "sleeve", **month})]
    desk.ask("show me its five worst trades")
    assert desk.called == [("trips", {"sleeve": "btc-trend", "worst": 5, **month})]

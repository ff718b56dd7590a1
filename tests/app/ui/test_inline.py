"""Charts of what an answer looked up, and the questions that it offers where it looked up nothing."""

from typing import Any

import pytest

from app.ui import answer, inline
from tests.app.ui.fake_api import Fake
from tests.app.ui.fake_shapes import answer as made
from tests.app.ui.fake_shapes import turn
from tests.app.ui.looking import page, texts_of
from tests.app.ui.test_page_runs import components


def fact(subject: str, metric: str, value: Any) -> dict[str, Any]:
    """A fact of the desk."""
    return {
        "ref": "k.x",
        "subject": subject,
        "metric": metric,
        "value": value,
        "unit": "usd",
        "evidence": {"kind": "event", "id": "d-1"},
    }


FACTS = [fact("round trips of desk", "net", -9.0), fact("exit stop of desk", "net", -19.0), fact("exit stop of desk", "trips", 3)]
FACTS += [
    fact("exit target of desk", "net", 10.0),
    fact("exit trail of desk", "net", None),
    fact("side long of desk", "net", 1.0),
]


def call(name: str, status: str = "ok", **args: Any) -> dict[str, Any]:
    """A tool call."""
    return {"id": "c", "name": name, "args": args, "status": status}


def test_the_bars_of_a_split_are_the_answers_own_facts() -> None:
    """One bar a key that has a figure; the worst and the best are no split, one bar is no chart, a failed call neither."""
    assert inline.bars({"facts": FACTS}, inline.Found("trips", {"by": "exit"})) == [("stop", -19.0), ("target", 10.0)]
    calls = [call("trips", by="exit"), call("trips", by="side"), call("trips", worst=3), call("pnl", "failed"), call("desk")]
    found = inline.found_in({"facts": FACTS, "tool_calls": calls})
    assert [one.args for one in found] == [{"by": "exit"}]
    assert inline.found_in({"tool_calls": [call("performance", subject="r-1"), call("performance")]}) == [
        inline.Found("performance", {})
    ]


def test_equity_is_a_curve_and_a_run_has_its_own() -> None:
    """Equity of the desk or of a sleeve by day is its curve; of a run nothing of the desk's is drawn."""
    calls = [call("pnl", unit="day", equity=True), call("pnl", equity=True, sleeve="btc-trend")]
    assert [inline.title(one) for one in inline.found_in({"tool_calls": calls})] == [("Equity", "desk"), ("Equity", "btc-trend")]
    assert [inline.title(one)[0] for one in inline.found_in({"tool_calls": [call("pnl")]})] == ["Net P&L by day"]
    of_it = fact("day from 2024-01-01 00:00Z of r-1a2b3c4d", "equity", 1.0) | {"evidence": {"kind": "run", "id": "r-1a2b3c4d"}}
    of_run = {"facts": [of_it], "tool_calls": [call("pnl", subject="r-1a2b3c4d")]}
    assert inline.found_in(of_run) == []
    assert answer.runs_of(of_run) == ["r-1a2b3c4d"]
    assert answer.runs_of({"facts": FACTS, "tool_calls": [call("pnl")]}) == []


def test_an_answer_has_its_charts_beside_it(fake: Fake) -> None:
    """P&L by period and a split of trips, named with unit and window."""
    calls = [call("pnl", unit="week", limit=3), call("trips", by="exit")]
    held = made("It lost.\n\n| exit | net |\n|---|---|\n| stop | -19.0 USDT |", facts=FACTS, tool_calls=calls)
    fake.turns = {"u-1": turn("u-1", "done", "why?", held)}
    at = page(tab="chat", role="developer", thread="t-1")
    text = texts_of(at)
    assert "Net P&amp;L by week <small>desk, USDT, UTC" in text
    assert "Net P&amp;L by exit <small>round trips of desk, USDT" in text
    drawn = [d["spec"] for d in components(at) if d.get("kind") == "chart"]
    assert [[item["value"] for item in spec["items"]] for spec in drawn] == [[-26.5, -26.5, 26.5], [-19.0, 10.0]]


def test_equity_by_day_has_its_curve_beside_it(fake: Fake) -> None:
    """The desk's own curve, not bars of its P&L."""
    held = made("It grew.", facts=FACTS, tool_calls=[call("pnl", unit="day", equity=True)])
    fake.turns = {"u-1": turn("u-1", "done", "equity by day", held)}
    at = page(tab="chat", role="developer", thread="t-1")
    assert [d["spec"]["kind"] for d in components(at) if d.get("kind") == "chart"] == ["curve"]
    assert "Net P&amp;L by day" not in texts_of(at)


@pytest.mark.parametrize(
    ("text", "calls", "steps"),
    [
        ("Which? `compare a 2 ATR with a 3 ATR stop` or `stop_atr=2 against stop_atr=3`.", [],
         ["compare a 2 ATR with a 3 ATR stop", "stop_atr=2 against stop_atr=3"]),
        ("Ask there: `nightdesk chat --role advisor \"x y\"`, `desk.toml`, `OPENAI_API_KEY is set`", [], []),
        ("It is `stop_atr = 2`.", [call("sleeves")], []),
    ],
)  # fmt: skip
def test_what_an_ask_back_quotes_is_one_click_away(text: str, calls: list[Any], steps: list[str]) -> None:
    """Questions alone: no command, no single word, and nothing of an answer that looked something up."""
    assert answer.offered({"answer_md": text, "tool_calls": calls}) == steps

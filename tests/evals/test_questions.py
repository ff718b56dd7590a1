"""Questions in people's own words: what the offline model understands of them, and which slots it reads."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from agents.offline import slots
from agents.offline.understand import understand
from agents.offline.words import Words

# what answers a group of questions.toml: a tool, either of two, or a way of ways.toml
ANSWERS: dict[str, tuple[str, ...]] = {
    "desk": ("desk", "pnl"),
    "list_runs": ("run",),
    "compare": ("compare", "sweep"),
    "happened": ("journal_search", "trips", "explain_event"),
    "show_run": ("run",),
    "strategies": ("list_strategies",),
    "data": ("list_data",),
    "why_not": ("explain_event",),
    "explain": ("explain_event",),
    "refused": ("journal_search",),
    "changes": ("journal_search", "sleeves"),
    "halted": ("journal_search",),
    "wrong": ("health", "alerts", "desk"),
    "look_at": ("health",),
    "positions": ("sleeves", "pnl", "attribution"),
    "configuration": ("sleeves",),
    "exposure": ("desk", "exposure", "sleeves"),
    "costs": ("attribution",),
    "attribution": ("attribution", "pnl"),
    "limits": ("desk", "exposure", ""),
    "funding": ("attribution",),
    "by_sleeve": ("attribution", "pnl", "trips"),
    "compare_sleeves": ("attribution",),
    "pause": ("propose_pause",),
    "propose_better": ("propose_config",),
    "propose_change": ("propose_config", "propose_tightening"),
    "tighten": ("propose_tightening", "propose_config"),
    "halt_help": (
        "how to halt",
        "release a halt",
        "runbook",
        "define",
        "what a pause, a halt or a change does to an open position",
    ),
    "help": ("help",),
    "nothing": ("", "things outside the desk"),
}
WAYS = ("person_only",)  # any way: what only a person does
QUESTIONS = tomllib.loads((Path(__file__).parent / "questions.toml").read_text(encoding="utf-8"))
PAIRS = [(group, question) for group, listed in QUESTIONS.items() for question in listed]


@pytest.mark.sample(8)
@pytest.mark.parametrize("group", QUESTIONS)
def test_a_question_is_understood_however_it_is_put(group: str, words: Words) -> None:
    """Each paraphrase leads to its one tool or way; small talk leads nowhere."""
    wanted = ANSWERS.get(group, (group,))
    parts = {question: understand(question, words) for question in QUESTIONS[group]}
    assert {question for question, found in parts.items() if len(found) > 2} == set()
    if group in WAYS:
        assert {question for question, found in parts.items() if found[0].way is None} == set()
        return
    led = {
        q: part.way.name if part.way else part.chosen.entry.tool.name if part.chosen else ""
        for q, found in parts.items()
        for part in found
    }
    assert {question: tool for question, tool in led.items() if tool not in wanted} == {}


def test_there_are_enough_paraphrases() -> None:
    """Every group is asked in at least two ways, and there are well over sixty."""
    assert len(PAIRS) >= 200
    assert {name for name, listed in QUESTIONS.items() if len(listed) < 2} == set()


YEAR = slots.dates.TimeSpan("2025-01-01", "2026-01-01")
SLOTS: list[tuple[str, dict[str, Any]]] = [
    (
        "Backtest trend on BTC-USDT 15m for 2025, and compare a 2 ATR with a 3 ATR stop",
        {
            "strategy": "trend",
            "symbols": ("BTC-USDT",),
            "timeframe": "15m",
            "span": YEAR,
            "variants": ({"stop_atr": 2}, {"stop_atr": 3}),
        },
    ),
    (
        "bactest trned on btc/usdt, 15 min, stop_atr=2 vs stop_atr=3",
        {"strategy": "trend", "symbols": ("BTC-USDT",), "timeframe": "15m"},
    ),
    (
        "compare 2, 2.5 and 3 ATR stops for the BTC trend sleeve",
        {"variants": ({"stop_atr": 2}, {"stop_atr": 2.5}, {"stop_atr": 3}), "sleeves": ("btc-trend",)},
    ),
    (
        "fast 20 slow 100 against fast 40 slow 200 on ether",
        {"symbols": ("ETH-USDT",), "variants": ({"fast_bars": 20, "slow_bars": 100}, {"fast_bars": 40, "slow_bars": 200})},
    ),
    (
        "with slow 200, compare fast 20 and fast 40",
        {"common": {"slow_bars": 200}, "variants": ({"fast_bars": 20}, {"fast_bars": 40})},
    ),
    (
        "compare fast=20 slow=100 and fast=40 slow=200",
        {"variants": ({"fast_bars": 20, "slow_bars": 100}, {"fast_bars": 40, "slow_bars": 200})},
    ),
    (
        "compare stop at 2 or 3 atr, target 4 or 6 atr",
        {"variants": ({"stop_atr": 2, "target_atr": 4}, {"stop_atr": 3, "target_atr": 6})},
    ),
    ("btc trend 2025 stop 1.5/2/3 atr", {"variants": ({"stop_atr": 1.5}, {"stop_atr": 2}, {"stop_atr": 3})}),
    ("trailing stop of 2 ATR vs 3 ATR", {"variants": ({"trail_atr": 2}, {"trail_atr": 3})}),
    ("take profit at 6 ATR and stop at 2 ATR", {"common": {"target_atr": 6, "stop_atr": 2}}),
    ("raise the stop from 2 to 3 ATR on btc-trend", {"common": {"stop_atr": 3}, "sleeves": ("btc-trend",)}),
    ("what if the stop was 3 instead of 2 ATR", {"common": {"stop_atr": 3}, "unclear": ()}),
    ("stop_atr=2 or 3 for btc-trend", {"variants": ({"stop_atr": 2}, {"stop_atr": 3})}),
    ("set btc-trend entry to limit", {"common": {"entry": "limit"}, "sleeves": ("btc-trend",)}),
    ("propose entry=limit, limit_offset_atr=0.2 for btc-trend", {"common": {"entry": "limit", "limit_offset_atr": 0.2}}),
    (
        "set the entry of the BTC trend sleeve to limit with an offset of 0.2 ATR",
        {"common": {"entry": "limit", "limit_offset_atr": 0.2}},
    ),
    ("compare market and limit entries for btc-trend", {"common": {}, "variants": ({"entry": "market"}, {"entry": "limit"})}),
    ("compare entry=market with entry=limit on ETH", {"variants": ({"entry": "market"}, {"entry": "limit"})}),
    ("use limit instead of market entries on btc-trend", {"common": {"entry": "limit"}, "variants": ()}),
    ("use limit entries instead of market entries on btc-trend", {"common": {"entry": "limit"}, "variants": ()}),
    ("set entry from market to limit, good for 5 bars", {"common": {"entry": "limit", "good_for_bars": 5}}),
    ("propose entry=stop for btc-trend", {"common": {"entry": "stop"}}),  # the tool names the choices
    ("limit entries to 5 a day", {"common": {}, "unclear": ("5",)}),
    ("what is the daily entry limit?", {"common": {}}),
    ("would stop 3 be good for btc", {"common": {"stop_atr": 3}}),
    ("stop loss 2 %", {"common": {"stop_frac": 0.02}}),
    ("volatility target 10 %", {"common": {"vol_target": 0.1}}),
    ("leverage 2 for sol", {"common": {"leverage_max": 2}, "sleeves": ("sol-reversion",)}),
    ("risk_start_frac 0.5 %", {"common": {"risk_start_frac": 0.005}}),
    ("risk 0.5 % per trade", {"common": {}, "unclear": ("0.5 %",)}),
    ("use a 20 bar fast and a 100 bar slow average", {"common": {"fast_bars": 20, "slow_bars": 100}}),
    (
        "reversion on solana with rsi 10 and enter below 25",
        {"strategy": "reversion", "symbols": ("SOL-USDT",), "common": {"rsi_bars": 10, "enter_below": 25}},
    ),
    ("backtest my_strat on DOGE-USDT hourly", {"strategy": "my_strat", "symbols": ("DOGE-USDT",), "timeframe": "1h"}),
    ("backtest trend on btcusdt 5m from okx", {"symbols": ("BTC-USDT",), "timeframe": "5m", "venue": "okx"}),
    ("backtest trend on BTC with optimistic fills and without funding", {"fills": "optimistic", "funding": "none"}),
    ("backtest trend on BTC assuming 3 bps funding", {"funding": "assume=3"}),
    ("explain d-123", {"ids": ("d-123",)}),
    ("show me proposal 3", {"ids": ("prop-3",)}),
    ("why did trade 3 of r-20261120-1a2b3c4d close?", {"number": 3, "ids": ("r-20261120-1a2b3c4d",)}),
    ("compare r1 and r2", {"handles": ("r1", "r2"), "common": {}}),
    ("the worst round trip of r1", {"which": "worst", "handles": ("r1",)}),
]


@pytest.mark.parametrize(("question", "expected"), SLOTS, ids=[q[:50] for q, _ in SLOTS])
def test_slots_are_read_whatever_the_wording(question: str, expected: dict[str, Any], words: Words) -> None:
    """Names, numbers and their parameters come out typed."""
    found = slots.read_slots(question, words)
    assert {name: getattr(found, name) for name in expected} == expected


TIMES = [
    ("from 24 to 30 november", ("2025-11-24", "2025-12-01", None)),
    ("nov 24-30", ("2025-11-24", "2025-12-01", None)),
    ("from november 24 to november 30", ("2025-11-24", "2025-12-01", None)),
    ("since the start of the year", ("2025-01-01", None, None)),
    ("for 2025", ("2025-01-01", "2026-01-01", None)),
    ("for March 2025", ("2025-03-01", "2025-04-01", None)),
    ("in march", ("2025-03-01", "2025-04-01", None)),
    ("last 30 days", ("2025-11-02T05:15", None, None)),
    ("in the last 24 hours", ("2025-12-01T05:15", None, None)),
    ("since yesterday", ("2025-12-01", None, None)),
    ("yesterday", ("2025-12-01", "2025-12-02", None)),
    ("last night", ("2025-12-01T18:00", None, None)),
    ("from 2025-01-01 to 2025-03-01", ("2025-01-01", "2025-03-01", None)),
    ("from 2025-01-15 through 2025-01-31", ("2025-01-15", "2025-02-01", None)),
    ("between January and March 2025", ("2025-01-01", "2025-04-01", None)),
    ("2023 to 2024", ("2023-01-01", "2025-01-01", None)),
    ("Q3 2025", ("2025-07-01", "2025-10-01", None)),
    ("first half of 2025", ("2025-01-01", "2025-07-01", None)),
    ("last month", ("2025-11-01", "2025-12-01", None)),
    ("past two weeks", ("2025-11-18T05:15", None, None)),
    ("since Monday", ("2025-12-01", None, None)),
    ("since the 1st of November", ("2025-11-01", None, None)),
    ("at 2025-11-12 14:15", (None, None, "2025-11-12T14:15")),
    ("yesterday at 14:15", (None, None, "2025-12-01T14:15")),
    ("at 14:15 on 12 Nov", (None, None, "2025-11-12T14:15")),
    ("at 04:30", (None, None, "2025-12-02T04:30")),
    ("until March 2025", (None, "2025-03-01", None)),
    ("3 days ago", ("2025-11-29", "2025-11-30", None)),
    ("2025-02-31", ("2025-02-31", None, None)),
    ("a 2 ATR stop", (None, None, None)),
]


@pytest.mark.parametrize(("words_of_time", "span"), TIMES, ids=[t for t, _ in TIMES])
def test_times_count_from_desk_time(words_of_time: str, span: tuple[str | None, ...], words: Words) -> None:
    """Dates and spans in words become windows of UTC; an impossible date is handed on for the tool to complain about."""
    assert tuple(slots.read_slots(f"what happened {words_of_time}", words).span[:3]) == span


def test_without_desk_time_relative_words_are_left_to_the_tools() -> None:
    """A desk that has not run has no yesterday: nothing is invented."""
    assert slots.read_slots("what happened since yesterday?", Words()).span == slots.dates.NO_SPAN
    assert slots.read_slots("backtest trend over the last 30 days", Words()).span.start == "30d"

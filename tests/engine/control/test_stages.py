"""From paper to money: each thing that a step takes is missed by name, a step is not skipped, a step down takes nothing."""

from typing import Any

import pytest

from engine.control.stages import LADDER, STEPS, StageFacts, lacking, next_stage, rises

NOW = 1_800_000_000_000
SAME = {"strategy": "trend", "params": {"stop_atr": 2.0}}


def facts(place: str, stage: str, **more: Any) -> StageFacts:
    """A sleeve that has everything that a step may take."""
    known: dict[str, Any] = {"days": 8.0, "trips": 10, "parity_frac": 0.004, "parity_ms": NOW - 3_600_000}
    known |= {"at_market": 10, "compared": 9, "assumed_bps": 0.8, "book_bps": 1.7}
    return StageFacts(place, stage, SAME, **{**known, "probe_ms": NOW - 60_000, "probe_ok": True, "probe_heard": True, **more})


READY = {
    "paper_live": (facts("paper_live", "paper"), None),
    "shadow": (facts("shadow", "paper"), facts("paper_live", "paper_live")),
    "testnet": (facts("testnet", "paper"), facts("shadow", "shadow")),
    "live_small": (facts("live", "paper"), facts("testnet", "testnet")),
    "live": (facts("live", "live_small"), None),
}


@pytest.mark.parametrize("to", STEPS)
def test_with_everything_it_takes_a_step_lacks_nothing(to: str) -> None:
    """The table's own words, met."""
    assert lacking(to, *READY[to], NOW) == []


MISSED: list[tuple[str, str, dict[str, Any], str]] = [
    ("live", "here", {"trips": 9}, "9 of 10 round trips"),
    ("live", "here", {"parity_frac": 0.0101}, "1.01 % of what round trips moved"),
    ("live", "here", {"parity_frac": float("nan")}, "nothing explains it"),
    ("live", "here", {"parity_ms": None}, "no comparison with the backtest"),
    ("live", "here", {"parity_why": "no bars"}, "no comparison with the backtest: no bars"),
    ("live", "here", {"parity_ms": NOW - 27 * 3_600_000}, "older than a day"),
    ("live", "here", {"parity_ms": NOW + 3_600_000}, "older than a day"),
    ("live", "here", {"open_incidents": ("halted: x",)}, "open incidents: halted: x"),
    ("live", "here", {"probe_ms": None}, "no probe"),
    ("live", "here", {"probe_ok": False}, "failed"),
    ("live", "here", {"probe_heard": False}, "private stream"),
    ("live_small", "here", {"probe_heard": False}, "private stream"),
    ("live", "here", {"probe_ms": NOW - 620_000}, "10.3 minutes old, at most 10"),
    ("live", "here", {"stage": "testnet"}, "the step before live is live_small"),
    ("live", "here", {"place": "testnet"}, "this home trades testnet"),
    ("live_small", "before", {"place": "paper_live"}, "wanted is testnet at testnet"),
    ("live_small", "before", {"stage": "paper"}, "wanted is testnet at testnet"),
    ("live_small", "before", {"sleeve": {**SAME, "params": {}}}, "another: params differ"),
    ("live_small", "before", {"trips": 0}, "in the home before, it has not made a round trip"),
    ("live_small", "before", {"open_incidents": ("gate: x",)}, "in the home before, open incidents"),
    ("live_small", "here", {"probe_ok": False}, "failed"),
    ("shadow", "before", {"days": 6.9}, "6.9 days of 7"),
    ("shadow", "here", {"place": "testnet"}, "belongs to a home that trades shadow"),
    ("testnet", "before", {"days": 6.9}, "in shadow for 6.9 days of 7, with 9 of 30 orders"),
    ("testnet", "before", {"compared": 4, "at_market": 4}, "4 of 5 orders at the market were compared"),
    ("testnet", "before", {"at_market": 12}, "the book of 9 of 12 orders"),
    ("testnet", "before", {"book_bps": 1.81}, "cost 1.81 bps on average, backtests count 0.80 bps"),
    ("testnet", "before", {"book_bps": float("nan")}, "cost nan bps"),
    ("testnet", "before", {"book_bps": None}, "cost not known"),
    ("testnet", "before", {"dearer_fees": "the account pays 6 bps"}, "the account pays 6 bps"),
    ("testnet", "before", {"place": "paper_live"}, "wanted is shadow at shadow"),
]


@pytest.mark.parametrize(("to", "where", "change", "words"), MISSED)
def test_each_thing_that_is_missing_is_named(to: str, where: str, change: dict[str, Any], words: str) -> None:
    """One change, one line."""
    here, before = READY[to]
    if where == "here":
        here = here._replace(**change)
    else:
        assert before is not None
        before = before._replace(**change)
    found = lacking(to, here, before, NOW)
    assert len(found) == 1, found
    assert words in found[0]


def test_no_step_is_skipped() -> None:
    """Without the home before there is no evidence; enough orders in shadow stand in for its days."""
    assert "name the home" in lacking("live_small", READY["live_small"][0], None, NOW)[0]
    here, before = READY["testnet"]
    assert lacking("testnet", here, before._replace(days=1.0, at_market=30, compared=30), NOW) == []
    assert [next_stage(stage) for stage in ("paper", "paper_live", "shadow", "testnet", "live_small", "live")] == [
        "paper_live",
        "shadow",
        "testnet",
        "live_small",
        "live",
        "",
    ]


def test_only_steps_towards_money_rise() -> None:
    """Down, out of trading and back to paper take nothing here."""
    assert all(rises(low, high) for n, low in enumerate(LADDER) for high in LADDER[n + 1 :])
    assert not any(rises(high, low) for n, low in enumerate(LADDER) for high in LADDER[n:])
    assert not rises("retired", "paper")
    assert not rises("live", "retired")
    assert rises("retired", "live")

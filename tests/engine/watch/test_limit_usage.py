"""How near each limit is: the mark carries the guardrails' own memory, and nobody counts it again."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.home.home import Home
from engine.control.config import SleeveConfig, active
from engine.control.limits import HardLimits
from engine.core.state import DAY_MS
from engine.store.chain import Event
from engine.watch.limit_usage import limit_usage
from engine.watch.window import mark_at
from tests.fakes.papers import feed_of, furnished, loop_of


@pytest.fixture
def home(own_home: object) -> Home:
    """A home with the small market."""
    from pathlib import Path

    from app.home.home import open_home

    furnished(Path(str(own_home)))
    return open_home()


def test_what_the_page_counts_is_what_the_guardrails_count(home: Home) -> None:
    """After every few bars of three days: entries of the day, losses in a row and the day's first equity are the guard's own."""
    loop = loop_of(home, feed_of(home))
    sleeves, seen = active(home.engine, home.path)[1].sleeves, 0
    for bar in range(280):
        loop.step()
        if bar % 7:
            continue
        mark = mark_at(home.desk_journal)
        assert mark is not None
        for s, sleeve in zip(sleeves, loop.book.sleeves, strict=True):
            if sleeve.guard.day != (mark.t_event_ms - 1) // DAY_MS:
                continue  # not decided today yet
            body = mark.body["sleeves"][s.name]["guard"]
            counted = (body["day_entries"], body["streak"], body["day_equity"])
            assert counted == (sleeve.guard.day_entries, sleeve.guard.streak, sleeve.guard.day_equity), (bar, s.name)
            seen += bool(sleeve.guard.streak)
    loop.journal.close()
    assert seen > 10  # it did lose in a row


def test_each_limit_is_listed_with_its_value(home: Home) -> None:
    """Before the first bar values are null, not nought; after it every sleeve's limits are there, as shares of the limit."""
    sleeves = active(home.engine, home.path)[1].sleeves
    empty = limit_usage(None, HardLimits.model_validate({}), sleeves)
    assert {g.value for g in empty} == {None}
    loop = loop_of(home, feed_of(home))
    for _ in range(60):
        loop.step()
    loop.journal.close()
    mark = mark_at(home.desk_journal)
    assert mark is not None
    found = {g.name: g for g in limit_usage(mark.body, HardLimits.model_validate({}), sleeves)}
    assert len(found) == 5 + 3 + 2 + 7 * 3  # the desk's, an instrument each, a strategy each, a sleeve's own
    for g in found.values():
        assert g.value is not None, g.name
        assert g.used_frac == pytest.approx(g.value / g.limit)
    assert found["btc-trend: entries of the day"].limit == 20


SEEN = ("spread_frac", "range_times", "volume_times")  # of the market, at the sleeve's last close
money = st.floats(1.0, 1e6)
sleeve_bodies = st.fixed_dictionaries(
    {
        "equity": money,
        "notional": st.floats(-1e7, 1e7),
        "day_equity": money,
        "streak": st.integers(0, 5),
        "day_entries": st.integers(0, 30),
        **{name: st.floats(0.0, 100.0) for name in SEEN},
    }
)


@settings(max_examples=100, deadline=None)
@given(st.lists(sleeve_bodies, min_size=3, max_size=3), money, money, st.floats(0.0, 1e7), st.integers(0, 20))
def test_the_shares_are_those_of_a_second_computation(
    bodies: list[dict[str, Any]], equity: float, peak: float, gross: float, orders: int
) -> None:
    """Any desk: drawdown, exposures, day losses and leverage worked out here by themselves; two sleeves share an instrument."""
    names = ("btc", "btc-short", "eth")
    sleeves = [
        SleeveConfig(name=name, strategy="trend", venue="binance", symbol="ETH-USDT" if name == "eth" else "BTC-USDT")
        for name in names
    ]
    states = {
        name: {
            "equity": b["equity"],
            "position": {"notional": b["notional"]},
            "guard": {k: b[k] for k in ("day_equity", "streak", "day_entries", *SEEN)},
        }
        for name, b in zip(names, bodies, strict=True)
    }
    hard = HardLimits()
    body = {"equity": equity, "peak": peak, "gross": gross, "minute_orders": orders, "sleeves": states}
    body |= {"positions": 2, "correlated": gross / 2}
    found = {g.name: g for g in limit_usage(body, hard, sleeves)}
    expected = {
        "drawdown since release, halts the desk": max(0.0, (peak - equity) / peak),
        "gross exposure, times equity": gross / equity,
        "entry orders in a minute": orders,
        "open positions": 2,
        "correlated exposure, times equity": gross / 2 / equity,
        "exposure by trend, times equity": sum(abs(b["notional"]) for b in bodies) / equity,
        "exposure in binance BTC-USDT, times equity": (abs(bodies[0]["notional"]) + abs(bodies[1]["notional"])) / equity,
        "exposure in binance ETH-USDT, times equity": abs(bodies[2]["notional"]) / equity,
    }
    for name, b in zip(names, bodies, strict=True):
        expected[f"{name}: loss of the day"] = max(0.0, (b["day_equity"] - b["equity"]) / b["day_equity"])
        expected[f"{name}: losses in a row"] = b["streak"]
        expected[f"{name}: entries of the day"] = b["day_entries"]
        expected[f"{name}: estimated spread"] = b["spread_frac"]
        expected[f"{name}: last bar's range, times usual"] = b["range_times"]
        expected[f"{name}: last bar's volume, times usual"] = b["volume_times"]
        expected[f"{name}: leverage"] = abs(b["notional"]) / b["equity"]
    assert {name: g.value for name, g in found.items()} == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert all(g.used_frac == pytest.approx(g.value / g.limit) for g in found.values())


@pytest.mark.parametrize("equity", [0.0, -250.0])
def test_without_equity_no_limit_looks_unused(equity: float) -> None:
    """A desk or sleeve that has lost more than it had: exposure in multiples of it is unknown, the drawdown is all of it."""
    sleeve = SleeveConfig(name="btc", strategy="trend", venue="binance", symbol="BTC-USDT")
    guard = {"day_equity": 1_000.0, "streak": 0, "day_entries": 1, **dict.fromkeys(SEEN)}
    state = {"equity": equity, "position": {"notional": 500.0}, "guard": guard}
    body = {"equity": equity, "peak": 1_000.0, "gross": 500.0, "minute_orders": 0, "sleeves": {"btc": state}}
    found = {g.name: g for g in limit_usage(body, HardLimits(), [sleeve])}
    for name in ("gross exposure, times equity", "exposure in binance BTC-USDT, times equity", "btc: leverage"):
        assert (found[name].value, found[name].used_frac) == (None, None)
    for name in ("drawdown since release, halts the desk", "btc: loss of the day"):
        assert (found[name].value or 0.0) >= 1.0
    assert all(g.used_frac is None or g.used_frac >= 0.0 for g in found.values())


def test_a_gain_uses_nothing_and_a_desk_without_a_peak_has_no_drawdown() -> None:
    """Zero is a measured value, None is none."""
    found = {g.name: g.value for g in limit_usage({"equity": 1_100.0, "peak": 1_000.0, "gross": 0.0}, HardLimits(), [])}
    assert found["drawdown since release, halts the desk"] == 0.0
    assert found["gross exposure, times equity"] == 0.0
    assert found["entry orders in a minute"] is None
    for peak in (None, 0.0):
        first = limit_usage({"equity": 1_100.0, "peak": peak}, HardLimits(), [])[0]
        assert (first.value, first.used_frac) == (None, None)


def test_a_sleeve_that_the_mark_does_not_have_is_listed_as_unknown() -> None:
    """A sleeve of a configuration that the desk has not marked yet."""
    sleeve = SleeveConfig(name="new", strategy="trend", venue="okx", symbol="SOL-USDT")
    found = {g.name: g.value for g in limit_usage({"equity": 10.0, "peak": 10.0, "sleeves": {}}, HardLimits(), [sleeve])}
    assert [found[f"new: {what}"] for what in ("loss of the day", "losses in a row", "entries of the day", "leverage")] == [
        None
    ] * 4
    assert found["exposure in okx SOL-USDT, times equity"] == 0.0


@pytest.mark.parametrize(
    ("state", "breaker", "limit"),
    [
        ({"paused_until_ms": 9}, "loss streak", "losses in a row"),
        ({"paused_until_ms": 9}, "entry frequency", "entries of the day"),
        ({"blocked_until_ms": 9}, "daily loss", "loss of the day"),
    ],
)
def test_the_limit_that_tripped_says_until_when(state: dict[str, int], breaker: str, limit: str) -> None:
    """A streak is counted from zero again, and stands in full while it shuts the entries; no other limit of the sleeve does."""
    sleeve = SleeveConfig(name="btc", strategy="trend", venue="binance", symbol="BTC-USDT")
    guard = {"day_equity": 1_000.0, "streak": 0, "day_entries": 2, **dict.fromkeys(SEEN)}
    body = {"equity": 1_000.0, "sleeves": {"btc": {"equity": 1_000.0, "guard": guard, **state}}}
    events = [Event("breaker", 1, {"sleeve": name, "breaker": breaker}, id="d-1") for name in ("btc", "eth")]
    found = limit_usage(body, HardLimits(), [sleeve], events)
    (shut,) = [g for g in found if g.until_ms is not None]
    assert (shut.name, shut.until_ms) == (f"btc: {limit}", 9)
    assert shut.value == {"losses in a row": 3, "entries of the day": 2, "loss of the day": 0.0}[limit]

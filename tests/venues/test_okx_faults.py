"""Each fault of the local OKX, seen to act through real ccxt: what the client sees, and what is true at the exchange."""

import asyncio
from collections import Counter
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from tests.fakes.exchange.faults import KINDS, Faults, Window, drawn
from tests.fakes.exchange.okx import scenarios, stream_scenarios
from tests.fakes.exchange.okx.played import SYMBOL, Played, over_sockets, under_virtual_clock
from tests.fakes.exchange.okx.scenarios import MINUTE, buy, rest_at
from tests.fakes.exchange.stage import START_MS

SCENARIOS = scenarios.SCENARIOS | stream_scenarios.SCENARIOS


def test_every_kind_has_a_scenario() -> None:
    """A new kind is shown, or this is red."""
    assert SCENARIOS.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_acts_and_is_counted(kind: str) -> None:
    """Seen by the client, true at the exchange, counted by the venue."""

    async def script(played: Played) -> None:
        await played.client.load_markets()
        played.venue.faults.on(kind)
        await SCENARIOS[kind](played)

    _, venue = under_virtual_clock(script)
    assert venue.faults.count[kind] >= 1
    assert [other for other, count in venue.faults.count.items() if count and other != kind] == []


@pytest.mark.parametrize("kind", ["timeout_before", "timeout_after", "http_5xx", "html", "ban", "drop_fills", "ws_duplicate"])
def test_sockets_play_a_fault_as_the_virtual_clock_does(kind: str) -> None:
    """The same scenario over loopback, with a client that loses patience sooner."""

    async def script(played: Played) -> None:
        await played.client.load_markets()
        played.client.timeout = 200
        played.venue.faults.on(kind)
        await SCENARIOS[kind](played)

    assert over_sockets(script)[1].faults.count[kind] >= 1


def test_a_cut_line_ends_and_a_new_one_is_refused_over_sockets() -> None:
    """The client's watch fails; the dial after it is answered 503; both are network errors to ccxt."""

    async def script(played: Played) -> None:
        ex = played.client
        await ex.load_markets()
        found = played.collect(lambda: ex.watch_positions([SYMBOL]))
        await played.subscribed("positions")
        played.venue.faults.on("ws_cut")
        await played.wait(MINUTE)
        await played.until(lambda: isinstance(found[-1], ccxt.NetworkError), "the cut")
        with pytest.raises(ccxt.NetworkError):
            await ex.watch_orders(SYMBOL)

    assert over_sockets(script)[1].faults.count["ws_cut"] == 2


@pytest.mark.parametrize("turns", range(4))
def test_a_script_that_fails_just_after_it_has_scheduled_something_ends(turns: int) -> None:
    """The driver is cancelled some turns after it was woken: the run ends with the script's error, and does not go on."""

    async def script(played: Played) -> None:
        await played.wait(1_000)
        played.venue.exchange.dead_man(30_000)
        for _ in range(turns):
            await asyncio.sleep(0)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        under_virtual_clock(script)


def test_a_plan_is_its_seed() -> None:
    """The same seed draws the same windows; another one does not; a printed plan is the plan."""
    plan = drawn(7, START_MS, 86_400_000, 20)
    assert plan == drawn(7, START_MS, 86_400_000, 20)
    assert plan != drawn(8, START_MS, 86_400_000, 20)
    assert eval(repr(plan), {"Window": Window}) == plan  # noqa: S307 - the text is our own
    assert len({window.kind for seed in range(20) for window in drawn(seed, 0, 1, 20)}) == len(KINDS)
    with pytest.raises(ValueError, match="unknown faults"):
        Faults(lambda: 0, [Window("typo", 0, 1)])


def careless_day(seed: int, bars: int = 60) -> tuple[list[Any], dict[str, int], dict[str, Any]]:
    """(ledger, count of each fault, what REST says of fills and positions once the faults are over) of a client under a plan."""

    async def script(played: Played) -> dict[str, Any]:
        ex = played.client
        await ex.load_markets()
        played.venue.faults = Faults(played.venue.exchange.clock, drawn(seed, START_MS, bars * 8 * MINUTE, bars // 2 + 10), seed)
        for number in range(bars):
            try:
                await (buy(played, f"ndE{number}", 0.1) if number % 3 else rest_at(played, 59_000, f"ndL{number}"))
                await ex.fetch_my_trades(SYMBOL)
            except ccxt.BaseError:
                continue
            finally:
                await played.wait(8 * MINUTE)
        played.venue.faults.plan.clear()
        fills: list[Any] = []
        while rows := (await ex.privateGetTradeFillsHistory({"after": fills[-1]["billId"] if fills else ""}))["data"]:
            fills += rows
        return {"fills": fills, "positions": (await ex.privateGetAccountPositions())["data"]}

    said, venue = under_virtual_clock(script, seed=seed)
    return [event.row for event in venue.exchange.ledger], dict(venue.faults.count), said


def check_true(ledger: list[Any], said: dict[str, Any]) -> None:
    """REST's fills are the ledger's, each once, and their sum is its position."""
    trades = [row[15] for row in ledger if row[2] == "fill"]
    assert sorted(int(fill["tradeId"]) for fill in said["fills"]) == [bill[10] for bill in trades]
    net: Counter[str] = Counter()
    for fill in said["fills"]:
        net[fill["instId"]] += Decimal(fill["fillSz"]) * (1 if fill["side"] == "buy" else -1)  # type: ignore[assignment]
    held = {row["instId"]: Decimal(row["pos"]) for row in said["positions"]}
    assert held == {name: size for name, size in net.items() if size}


def test_a_seeded_run_of_all_faults_is_repeatable() -> None:
    """A careless client under many faults: the same ledger and counts twice; another seed gives another."""
    ledger, counts, said = careless_day(3)
    assert (ledger, counts) == careless_day(3)[:2]
    assert ledger != careless_day(4)[0]
    assert sum(count > 0 for count in counts.values()) >= 8
    check_true(ledger, said)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100))
def test_after_any_faults_rest_says_what_is_true(seed: int) -> None:
    """Whatever was lost on the way, the venue's lists and its ledger agree afterwards."""
    ledger, _, said = careless_day(seed, 200)
    check_true(ledger, said)

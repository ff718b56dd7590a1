"""Each fault of each local venue, seen to act through real ccxt: what the client sees, and what is true at the exchange."""

import asyncio
import importlib
from collections import defaultdict
from decimal import Decimal
from types import ModuleType
from typing import Any

import ccxt
import pytest

from tests.fakes.exchange.faults import KINDS, Faults, Window, drawn
from tests.fakes.exchange.okx.played import under_virtual_clock
from tests.fakes.exchange.played import Played
from tests.fakes.exchange.stage import START_MS

VENUES = ("okx", "binance", "bybit")
MINUTE = 60_000
BY_SOCKETS = ("timeout_before", "timeout_after", "http_5xx", "html", "ban", "drop_fills", "ws_duplicate")


def part(venue: str, name: str) -> ModuleType:
    """A module of a venue: all have the same ones."""
    return importlib.import_module(f"tests.fakes.exchange.{venue}.{name}")


def scenarios(venue: str) -> dict[str, Any]:
    """Those of requests and those of streams."""
    found: dict[str, Any] = part(venue, "stream_scenarios").SCENARIOS
    return found


@pytest.mark.parametrize("venue", VENUES)
def test_every_kind_has_a_scenario(venue: str) -> None:
    """A new kind is shown, or this is red."""
    assert scenarios(venue).keys() == KINDS.keys()


@pytest.mark.sample(8)
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_acts_and_is_counted(venue: str, kind: str) -> None:
    """Seen by the client, true at the exchange, counted by the venue."""

    async def script(played: Played) -> None:
        await played.client.load_markets()
        played.venue.faults.on(kind)
        await scenarios(venue)[kind](played)

    _, local = part(venue, "played").under_virtual_clock(script)
    assert local.faults.count[kind] >= 1
    assert [other for other, count in local.faults.count.items() if count and other != kind] == []


@pytest.mark.sample(3)
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("kind", BY_SOCKETS)
def test_sockets_play_a_fault_as_the_virtual_clock_does(venue: str, kind: str) -> None:
    """The same scenario over loopback, with a client that loses patience sooner."""

    async def script(played: Played) -> None:
        await played.client.load_markets()
        played.client.timeout = 200
        played.venue.faults.on(kind)
        await scenarios(venue)[kind](played)

    assert part(venue, "played").over_sockets(script)[1].faults.count[kind] >= 1


@pytest.mark.parametrize(("venue", "channel"), [("okx", "positions"), ("binance", "user"), ("bybit", "position")])
def test_a_cut_line_ends_and_a_new_one_is_refused_over_sockets(venue: str, channel: str) -> None:
    """The client's watch fails; the dial after it is answered 503; both are network errors to ccxt."""
    symbol = part(venue, "played").SYMBOL

    async def script(played: Played) -> None:
        ex = played.client
        await ex.load_markets()
        found = played.collect(lambda: ex.watch_positions([symbol]))
        await played.subscribed(channel)
        played.venue.faults.on("ws_cut")
        await played.wait(MINUTE)
        await played.until(lambda: isinstance(found[-1], ccxt.NetworkError) if found else False, "the cut")
        with pytest.raises(ccxt.NetworkError):
            await ex.watch_orders(symbol)

    assert part(venue, "played").over_sockets(script)[1].faults.count["ws_cut"] == 2


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


def careless_day(venue: str, seed: int, bars: int = 60) -> tuple[list[Any], dict[str, int], dict[str, Any]]:
    """(ledger, count of each fault, what REST says of trades and positions once the faults are over) of a client under a plan."""
    acts, symbol = part(venue, "scenarios"), part(venue, "played").SYMBOL

    async def script(played: Played) -> dict[str, Any]:
        ex = played.client
        await ex.load_markets()
        played.venue.faults = Faults(played.venue.exchange.clock, drawn(seed, START_MS, bars * 8 * MINUTE, bars // 2 + 10), seed)
        for number in range(bars):
            try:
                await (acts.buy(played, f"ndE{number}", 10) if number % 3 else acts.rest_at(played, 59_000, f"ndL{number}"))
                await ex.fetch_my_trades(symbol)
            except ccxt.BaseError:
                continue
            finally:
                await played.wait(8 * MINUTE)
        played.venue.faults.plan.clear()
        found: dict[str, Any] = await acts.truth_by_rest(ex)
        return found

    said, local = part(venue, "played").under_virtual_clock(script, seed=seed)
    return [event.row for event in local.exchange.ledger], dict(local.faults.count), said


def check_true(ledger: list[Any], said: dict[str, Any]) -> None:
    """REST's trades are the ledger's, each once, and their sum is its position."""
    trades = [row[15] for row in ledger if row[2] == "fill"]
    assert sorted(number for number, _, _ in said["trades"]) == [bill[10] for bill in trades]
    net: dict[str, Decimal] = defaultdict(Decimal)
    for _, symbol, size in said["trades"]:
        net[symbol] += Decimal(size)
    assert {name: Decimal(size) for name, size in said["held"].items()} == {name: size for name, size in net.items() if size}


@pytest.mark.parametrize("venue", VENUES)
def test_a_seeded_run_of_all_faults_is_repeatable(venue: str) -> None:
    """A careless client under many faults: the same ledger and counts twice; another seed gives another."""
    ledger, counts, said = careless_day(venue, 3)
    assert (ledger, counts) == careless_day(venue, 3)[:2]
    assert ledger != careless_day(venue, 4)[0]
    assert sum(count > 0 for count in counts.values()) >= 8
    check_true(ledger, said)


@pytest.mark.long
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("seed", range(100))
def test_after_any_faults_rest_says_what_is_true(venue: str, seed: int) -> None:
    """Whatever was lost on the way, the venue's lists and its ledger agree afterwards."""
    ledger, _, said = careless_day(venue, seed, 200)
    check_true(ledger, said)

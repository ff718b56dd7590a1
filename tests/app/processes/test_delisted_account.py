"""A home of two instruments at the local venues, by the worker itself: one is suspended, or not known any more; the other trades.

A start with it in the configuration, the check of the account, the gate, the feed and a halt all meet it here.
"""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from engine.book.bodies import OFF, position_of
from engine.book.order_laws import OrderLaws
from engine.book.replay import fold
from engine.book.snapshot import to_json
from engine.control import halt
from engine.errors import BadInput
from engine.store.chain import encode_body
from engine.store.journal import read
from tests.fakes.exchange.market import PICO, Market, seeded_walk
from tests.fakes.exchange.matching import Exchange
from tests.fakes.exchange.stage import BTC, ETH
from tests.fakes.live_feeds import joined
from tests.fakes.live_homes import MINUTE_MS, PAST_HOURS, LiveHome, played_home, written

SECOND = """
[instruments."{venue}:ETH-USDT:perp"]
impact_y = 0.0
[[sleeves]]
name = "eth"
strategy = "own"
venue = "{venue}"
symbol = "ETH-USDT"
market = "perp"
timeframe = "15m"
side = "both"
cash = 10000.0
params = {{ vol_target = 0.0, stop_atr = 3.0 }}
"""
VENUES = [pytest.param("okx"), *(pytest.param(venue, marks=pytest.mark.long) for venue in ("binance", "bybit"))]


def two_pasts(clock: Callable[[], int]) -> Exchange:
    """BTC and ETH on seeded walks that began a day and more ago."""
    start = clock() - PAST_HOURS * 60 * MINUTE_MS
    count = 60 * PAST_HOURS + 2_000
    paths = {BTC: seeded_walk(3, start, 600_000, count), ETH: seeded_walk(4, start, 300_000, count)}
    markets = {contract.name: Market(contract, joined(path)) for contract, path in paths.items()}
    return Exchange(clock, markets, 100_000 * PICO)


def lived_two(path: Path, venue: str, script: Callable[[LiveHome], Any], mode: str = "testnet") -> None:
    """Play a script on such a home; its journal proves itself at the end."""
    written(path, venue, account=True, mode=mode)
    (path / "desk.toml").write_text((path / "desk.toml").read_text() + SECOND.format(venue=venue))

    async def proven(home: LiveHome) -> None:
        await script(home)
        await home.stop()
        journal = home.path / "journal" / "desk.jsonl"
        folded = fold(journal, whole=True)
        assert folded is not None
        assert encode_body(to_json(folded)) == encode_body(to_json(home.book))
        assert not OrderLaws().read(read(journal))

    played_home(path, venue, proven, two_pasts)


def instrument(home: LiveHome, coin: str = "ETH") -> str:
    """As the desk names it."""
    return f"{home.venue}:{coin}-USDT:perp"


def lots(home: LiveHome, sleeve: str) -> int:
    """What the book has of a sleeve."""
    position = home.book.sleeves[home.book.names.index(sleeve)].position
    return int(position.side * sum(layer.lots for layer in position.layers))


def take_away(home: LiveHome, how: str) -> None:
    """ETH is suspended, or unknown."""
    venue = home.played.venue
    getattr(venue, how).update(name for name in venue.instruments if name.startswith("ETH"))


def pages(home: LiveHome) -> list[str]:
    """What a person was woken for."""
    return [event.body["what"] for event in home.events("incident")]


def ended_as(home: LiveHome) -> str:
    """How the halt of this process has ended; "" while it has not."""
    result = home.worker.desk._duties.halt.result  # type: ignore[union-attr]
    return "" if result is None else str(result.state)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("how", ["suspended", "unknown"])
def test_the_other_one_trades_and_a_start_is_like_any(own_home: Path, venue: str, how: str) -> None:
    """Flat there. Before and after a restart: its sleeve alone is off, nothing else is not well, one page; a halt ends KILLED."""

    async def script(home: LiveHome) -> None:
        home.start()
        await home.until(lambda: home.book is not None and not home.book.health, 10)
        take_away(home, how)
        await home.until(lambda: f"{OFF}{instrument(home)}" in home.book.health, 3)
        await home.stop()
        home.start()  # flat: cash is compared, too
        await home.until(lambda: home.book is not None and not home.book.entries_blocked, 5)
        await home.until(lambda: lots(home, "btc") > 0, 32)
        assert not home.book.entries_blocked, home.book.health
        assert lots(home, "eth") == 0
        await home.stop()
        await home.played.wait(20 * MINUTE_MS)
        home.start()
        await home.until(lambda: home.book is not None and not home.book.entries_blocked, 5)
        bars = len(home.events("bar"))
        await home.minutes(40)
        assert not home.book.entries_blocked, home.book.health
        every = [event.body["close_ms"] for event in home.events("bar")]
        assert {b - a for a, b in pairwise(every)} == {15 * MINUTE_MS}, "ETH's file ends, BTC's is walked"
        assert {event.body["how"] for event in home.events("attach") if event.body["instrument"] == instrument(home)} <= {
            event.body["how"] for event in home.events("attach") if event.body["instrument"] != instrument(home)
        }
        closes = [event.body["bars"] for event in home.events("bar")[bars:]]
        assert len(closes) >= 2
        assert all(row[instrument(home, "BTC")][3] for row in closes)
        named = [page for page in pages(home) if instrument(home) in page]
        assert len(named) == 2, "one of each process that has seen it for long"
        assert all("eth can enter nothing" in page for page in named)
        assert len(pages(home)) == 2, pages(home)
        assert home.events("gate")[-1].body["open"]
        assert list(home.events("gate")[-1].body["off"]) == [instrument(home)]
        halt.set(home.path, "a drill", {"name": "ann"}, home.clock())
        await home.until(lambda: ended_as(home) != "", 3)
        assert ended_as(home) == "KILLED"
        assert home.played.venue.exchange.account.position("BTC").lots == 0

    lived_two(own_home, venue, script)


@pytest.mark.sample(1)
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("how", ["suspended", "unknown"])
def test_a_desk_in_shadow_goes_on_without_it(own_home: Path, venue: str, how: str) -> None:
    """Its sleeve alone is off, before and after a restart; one that is listed again comes back, but not to a process that began
    without it.
    """

    async def script(home: LiveHome) -> None:
        home.start()
        await home.until(lambda: home.book is not None and not home.book.health, 10)
        take_away(home, how)
        await home.until(lambda: f"{OFF}{instrument(home)}" in home.book.health, 8)
        await home.minutes(16)
        (*_, last) = home.events("bar")
        assert last.t_recv_ms - last.body["close_ms"] < 2_000, "the other one's bar has waited for nobody"
        await home.stop()
        home.start()
        await home.until(lambda: home.book is not None and lots(home, "btc") > 0, 40)
        assert all(instrument(home) in what for what in home.book.health), home.book.health
        assert not home.book.entries_blocked
        assert lots(home, "eth") == 0
        getattr(home.played.venue, how).clear()
        await home.minutes(16)
        assert list(home.book.off) == [instrument(home)] * (how == "unknown")
        if how == "unknown":
            assert "stop and start the worker" in home.book.off[instrument(home)]
            await home.stop()
            home.start()
        await home.until(lambda: home.book is not None and lots(home, "eth") > 0, 40)
        assert not home.book.health

    lived_two(own_home, venue, script, "shadow")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["suspended", "unknown"])
def test_what_was_taken_away_while_no_worker_ran_keeps_nothing_closed(own_home: Path, how: str) -> None:
    """The check of the account meets it first: its rows are not the desk's."""

    async def script(home: LiveHome) -> None:
        home.start()
        await home.until(lambda: home.book is not None and not home.book.health, 10)
        await home.stop()
        take_away(home, how)
        home.start()
        await home.until(lambda: home.book is not None and not home.book.entries_blocked, 5)
        assert list(home.book.off) == [instrument(home)]
        await home.until(lambda: lots(home, "btc") > 0, 32)
        assert lots(home, "eth") == 0

    lived_two(own_home, "okx", script)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("how", ["suspended", "unknown"])
def test_a_position_there_is_left_as_it_is_and_said(own_home: Path, venue: str, how: str) -> None:
    """Its stop stays. Unknown it is a card of its own, after a restart too; the other one is compared on. A halt closes the other
    one and names what is left.
    """

    async def script(home: LiveHome) -> None:
        home.start()
        await home.until(lambda: home.book is not None and lots(home, "btc") > 0 and lots(home, "eth") > 0, 45)
        await home.minutes(1)
        exchange = home.played.venue.exchange
        held, stops = exchange.account.position("ETH").lots, len(exchange.open_algos())
        assert stops == 2
        take_away(home, how)
        await home.until(lambda: f"{OFF}{instrument(home)}" in home.book.health, 3)
        await home.minutes(5)
        await home.stop()
        home.start()
        await home.until(lambda: home.book is not None and not home.book.entries_blocked, 5)
        await home.minutes(20)
        assert not home.book.entries_blocked, (home.book.health, home.book.differences)
        assert (position_of(instrument(home)) in home.book.differences) == (how == "unknown")
        assert (exchange.account.position("ETH").lots, len(exchange.open_algos())) == (held, stops)
        assert home.worker.desk._duties.reconcile.compared_ms > home.clock() - 120_000  # type: ignore[union-attr]
        assert not [page for page in pages(home) if "protective" in page or "does not say" in page], pages(home)
        halt.set(home.path, "a drill", {"name": "ann"}, home.clock())
        await home.until(lambda: ended_as(home) != "", 8)
        assert ended_as(home) == "KILL_INCOMPLETE"
        assert exchange.account.position("BTC").lots == 0
        left = home.events("incident")[-1].body["left"]
        assert left
        assert all(instrument(home) in line for line in left), left

    lived_two(own_home, venue, script)


def test_a_new_home_does_not_begin_with_a_name_that_its_venue_does_not_list(own_home: Path) -> None:
    """Nothing of it was ever seen: it is a name that was mistyped."""

    async def script(home: LiveHome) -> None:
        take_away(home, "unknown")
        home.start()
        with pytest.raises(BadInput, match="does not list okx:ETH-USDT:perp"):
            await home.ended()

    written(own_home, "okx", account=True)
    (own_home / "desk.toml").write_text((own_home / "desk.toml").read_text() + SECOND.format(venue="okx"))
    played_home(own_home, "okx", script, two_pasts)

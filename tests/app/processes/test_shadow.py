"""A home in shadow of an account, by the worker itself at the local venues: what it notes, and that nothing of it ever leaves."""

from pathlib import Path
from typing import Any

import pytest

from app.home.home import open_home
from app.processes.account_probe import report_of
from engine.control import halt
from engine.errors import BadInput
from engine.watch.desk_trips import desk_trips
from engine.watch.halt_left import halt_state
from engine.watch.heartbeat import heartbeat_of
from tests.app.processes.test_live_account import proven
from tests.fakes.live_homes import BAR_MS, LiveHome, lived, written

FAULTS = ("read_timeout", "rate_limit", "html", "http_5xx", "maintenance", "inverted_book", "thin_book", "stranger", "ws_cut")


def listened(home: LiveHome) -> list[tuple[str, str]]:
    """Every request that reaches the venue's door from now on, those included that a fault then swallows: (method, path)."""
    venue, seen = home.played.venue, list[tuple[str, str]]()
    answer = venue.answer

    def noted(request: Any) -> Any:
        seen.append((request.method, request.path))
        return answer(request)

    venue.answer = noted
    return seen


def orders_of(home: LiveHome) -> list[Any]:
    """Notes of orders that did not leave."""
    return [event.body for event in home.events("shadow") if event.body["what"] == "order"]


def at_venue(home: LiveHome) -> tuple[int, int, int]:
    """(lots, conditional orders, orders that ever came) of the venue."""
    exchange = home.played.venue.exchange
    return exchange.account.position("BTC").lots, len(exchange.open_algos()), len(exchange.orders)


def test_an_entry_is_noted_with_its_book_and_fills_as_on_paper(own_home: Path) -> None:
    """Its intent, why it did not leave, what the book would have taken beside what paper counts; stop and target rest unsent;
    screens say SHADOW."""

    async def script(home: LiveHome) -> None:
        seen = listened(home)
        await home.played.wait(11 * 60_000)  # the first close comes soon
        home.start()
        await home.until(lambda: home.events("fill"))
        await home.minutes(0.2)
        entry, stop, target = orders_of(home)
        assert (entry["slot"], entry["unread"], entry["refused"]) == ("entry", "", "")
        assert entry["why"] == "shadow: nothing is sent to okx"
        assert entry["order"] in {event.body["order"] for event in home.events("intent")}
        half_spread = (entry["ask"] - entry["bid"]) / 2 / entry["ask"] * 1e4
        assert entry["book_bps"] >= half_spread * 0.99
        assert entry["assumed_bps"] > 0.0
        assert 0 < entry["behind_ms"] < 5_000
        assert (stop["slot"], stop["assumed_bps"], "price" in stop) == ("protective", None, False)
        assert {stop["unread"], target["unread"]} == {"it rests at the venue until its price is reached"}
        account = next(event.body for event in home.events("shadow") if event.body["what"] == "account")
        assert account["balance"] == 100_000.0
        assert account["faults"] == []
        await home.stop()
        beat = heartbeat_of(home.path)
        assert (beat["stamp"], beat["mode"], beat["source"]) == ("SHADOW", "shadow", "live")
        assert {event.body["stamp"] for event in home.events("bar")} == {"SHADOW"}
        stop_works = next(event.seq for event in home.events("order") if event.body["order"] == stop["order"])
        assert home.events("mark")[-1].seq > stop_works
        assert len(home.events("mark")) == 1 + len(home.events("bar"))  # of the start, and each close: as on paper
        journal = open_home(0).desk_journal
        assert ["leaves at the next open" in line for line in halt_state(journal, 0).left] == [True]
        assert desk_trips(home.path)["entry_ms"].to_list() == [home.events("bar")[-1].body["close_ms"] - BAR_MS]
        assert {method for method, _ in seen} == {"GET"}
        assert at_venue(home) == (0, 0, 0)
        proven(home)

    lived(own_home, "okx", script, account=True, mode="shadow")


@pytest.mark.long
@pytest.mark.parametrize("venue", ["okx", "binance", "bybit"])
def test_nothing_ever_leaves(own_home: Path, venue: str) -> None:
    """Four hours of faults, restarts, a halt: not one order, amendment, cancellation or setting reaches the
    venue's door; what would have left is noted all the same, and the journal proves itself."""

    async def script(home: LiveHome) -> None:
        seen = listened(home)
        for n, kind in enumerate(FAULTS):
            home.start()
            await home.minutes(4)
            home.played.venue.faults.on(kind, 14 * 60_000)
            await home.minutes(20)
            if n == len(FAULTS) - 1:
                halt.set(home.path, "a drill of the night", {"name": "ann"}, home.clock())
                await home.minutes(31)
                assert home.book.state == "halted"
            await home.stop()
        ours = [o for o in home.played.venue.exchange.orders.values() if o.client.startswith("nd")]
        assert (ours, {method for method, _ in seen}) == ([], {"GET"})
        notes = orders_of(home)
        assert {"entry", "exit", "protective"} <= {note["slot"] for note in notes}
        assert any("price" in note for note in notes)
        intents = {event.body["order"] for event in home.events("intent")}
        assert {note["order"] for note in notes} == intents
        proven(home)

    lived(own_home, venue, script, account=True, mode="shadow")


@pytest.mark.long
def test_an_account_that_is_not_fit_enters_nothing(own_home: Path) -> None:
    """Hedge mode at the venue: a live desk would enter nothing, and so does its shadow; a key that only reads is fit."""

    async def script(home: LiveHome) -> None:
        home.played.venue.position_mode = "long_short_mode"
        home.played.venue.permissions = "read_only"
        await home.played.wait(13 * 60_000)
        home.start()
        await home.minutes(4)
        assert list(home.book.health) == ["account"]
        assert "position_mode BTC-USDT: hedge" in home.book.health["account"]
        assert home.events("bar")
        assert not home.events("intent")
        home.played.venue.position_mode = "net_mode"
        await home.until(lambda: home.book.health == {}, 1)

    lived(own_home, "okx", script, account=True, mode="shadow")


@pytest.mark.long
def test_it_decides_as_a_desk_that_trades_the_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same market, once on testnet and once in shadow: the first entry is decided, sized and ordered alike, to the lot and to
    the level of the stop that leaves with it."""
    found = {}
    for mode in ("testnet", "shadow"):
        monkeypatch.setenv("NIGHTDESK_HOME", str(tmp_path / mode))

        async def script(home: LiveHome) -> tuple[Any, ...]:
            await home.played.wait(11 * 60_000)
            home.start()
            await home.until(lambda: home.events("intent"))
            await home.stop()
            decided = next(event.body for event in home.events("decision") if event.body["action"] == "enter")
            intent = dict(home.events("intent")[0].body)
            intent.pop("attached", "")
            level = intent.pop("attached_level", None) or orders_of(home)[0]["attached_level"]
            return decided, intent, level

        (tmp_path / mode).mkdir()
        found[mode] = lived(tmp_path / mode, "okx", script, account=True, mode=mode)
    assert found["shadow"] == found["testnet"]


@pytest.mark.parametrize("what", ["cost", "far", "round_trip"])
def test_it_is_not_probed(own_home: Path, what: str) -> None:
    """`nightdesk live test` would send orders: refused before a key is read."""
    written(own_home, "okx", account=True, mode="shadow")
    open_home(0)
    with pytest.raises(BadInput, match="main is in shadow: nothing is sent to it"):
        report_of("main", what)

"""A home that trades an account on live data, by the worker itself: entry, stop, halt, restarts, faults, at the local venues."""

import asyncio
import json
from pathlib import Path

import pytest

from app.cli import cash
from app.home.home import open_home
from app.people.cash import declare
from app.people.identity import identify
from app.processes.worker import Pause, Worker
from app.views.desk_trip import desk_trip
from engine.book.order_laws import OrderLaws
from engine.book.replay import fold
from engine.book.snapshot import to_json
from engine.control import halt
from engine.errors import BadInput, Refused
from engine.store.chain import Event, encode_body
from engine.store.journal import read
from engine.watch.heartbeat import heartbeat_of
from engine.watch.identity import identity
from engine.watch.window import mark_at
from tests.fakes.commands import typed_in
from tests.fakes.exchange.market import PICO
from tests.fakes.exchange.transfers import transfer
from tests.fakes.live_homes import LiveHome, lived


def at_venue(home: LiveHome) -> tuple[int, int]:
    """(lots, conditional orders) that the venue holds."""
    exchange = home.played.venue.exchange
    return exchange.account.position("BTC").lots, len(exchange.open_algos())


async def entered(home: LiveHome) -> None:
    """The desk runs, has entered, and its stop is at the venue."""
    home.start()
    await home.until(lambda: at_venue(home)[0] > 0)
    await home.until(lambda: at_venue(home)[1] == 1, 1)


async def started_and_halted(home: LiveHome) -> None:
    """The next process runs, a person halts, and it ends with nothing at the venue."""
    home.start()
    await home.minutes(1)
    halt.set(home.path, "a drill", {"name": "ann"}, home.clock())
    await home.minutes(2)
    assert at_venue(home) == (0, 0)
    await home.stop()


def covered(home: LiveHome) -> str:
    """How the stop of the position is, as the last mark says it."""
    (layer,) = home.events("mark")[-1].body["sleeves"]["btc"]["position"]["layers"]
    return str(layer["protective_state"])


def proven(home: LiveHome) -> None:
    """The journal folds to the last book, and what it let happen was allowed."""
    path = home.path / "journal" / "desk.jsonl"
    folded = fold(path, whole=True)
    assert folded is not None
    assert encode_body(to_json(folded)) == encode_body(to_json(home.book))
    assert not OrderLaws().read(read(path))


def test_an_entry_has_its_stop_and_both_outlive_a_clean_end(own_home: Path) -> None:
    """A clean end leaves them at the venue; the heartbeat says TESTNET and live; the journal proves itself."""

    async def script(home: LiveHome) -> None:
        await home.played.wait(11 * 60_000)  # the first close comes soon
        await entered(home)
        lots, _ = at_venue(home)
        assert home.events("mark")[-1].body["positions"] == 1
        fills, trip = home.events("fill"), desk_trip(own_home, "t1")
        assert trip["trip"]["entry_ms"] == fills[0].body["t_ms"], "an entry is where it was executed, not a bar before"
        assert [entry["fill"]["event"] for entry in trip["entries"]] == [fill.id for fill in fills]
        # what every screen reads before the next close: the money adds up, the layer is worth something, its stop stands
        found, mark = identity(own_home), mark_at(home.path / "journal" / "desk.jsonl")
        assert found is not None
        assert mark is not None
        assert found.holds, found
        assert mark.body["sleeves"]["btc"]["position"]["notional"] > 0.0
        await home.until(lambda: covered(home) == "working", 1)
        await home.stop()
        assert at_venue(home) == (lots, 1)
        beat = heartbeat_of(home.path)
        (poll,), (stream,) = beat["account"]["polls"], beat["account"]["streams"]
        assert (poll["failures"], poll["waiting"], stream["connections"]) == (0, 0, 1)
        assert abs(beat["account"]["compared_ms"] - poll["read_ms"]) < 120_000
        assert abs(beat["account"]["clock_offset_ms"]) < 1_000
        assert (beat["phase"], beat["stamp"], beat["mode"], beat["source"]) == ("stopped", "TESTNET", "testnet", "live")
        proven(home)

    lived(own_home, "okx", script, account=True)


@pytest.mark.long
@pytest.mark.parametrize("venue", ["okx", "binance", "bybit"])
def test_a_position_outlives_its_worker_and_a_halt_ends_it(own_home: Path, venue: str) -> None:
    """Entry and stop; a clean end that leaves both at the venue; a start that finds them and agrees; a halt to the end; no entry
    after it."""

    async def script(home: LiveHome) -> None:
        await entered(home)
        lots, _ = at_venue(home)
        await home.stop()
        assert at_venue(home) == (lots, 1)
        beat = heartbeat_of(home.path)
        assert (beat["phase"], beat["stamp"], beat["mode"], beat["source"]) == ("stopped", "TESTNET", "testnet", "live")
        home.start()
        await home.minutes(1)
        assert home.book.health == {}
        assert sum(layer.lots for layer in home.book.sleeves[0].position.layers) == lots
        await home.minutes(15)  # a close with a position: its stop moves or stays, and there is one
        assert at_venue(home) == (lots, 1)
        halt.set(home.path, "a drill of the night", {"name": "ann"}, home.clock())
        await home.until(lambda: at_venue(home) == (0, 0), 2)
        await home.until(lambda: home.worker.desk._duties.halt.result is not None, 2)  # type: ignore[union-attr]
        halted = home.events("halt")[-1].body
        assert (halted["state"], halted["reason"], halted["by"]) == ("halted", "a drill of the night", "ann")
        assert home.worker.desk._duties.halt.result.state == "KILLED"  # type: ignore[union-attr]
        mark = home.events("mark")[-1].body  # what every screen shows, before the next close
        assert (mark["state"], mark["positions"], mark["gross"]) == ("halted", 0, 0.0)
        await home.minutes(16)
        assert at_venue(home) == (0, 0)
        await home.stop()
        assert {event.body["stamp"] for event in home.events("bar")} == {"TESTNET"}
        proven(home)

    lived(own_home, venue, script, account=True)


@pytest.mark.long
def test_a_contract_that_changed_between_two_processes_refuses_the_second(own_home: Path) -> None:
    """A lot is still a whole number of its steps. While a position is open nothing is read or sent; flat it is any contract."""

    async def script(home: LiveHome) -> None:
        await entered(home)
        await home.stop()
        venue = home.played.venue
        sent = [call for call in venue.calls if call[0] == "POST"]
        venue.recounted = {"ctVal": "0.001"}
        home.start()
        with pytest.raises(BadInput, match=r"contracts of 0.001 by now, and what is open here was counted in contracts of 0.01"):
            await asyncio.wait_for(home.ended(), 600)
        assert [call for call in venue.calls if call[0] == "POST"] == sent
        venue.recounted = {}
        await started_and_halted(home)
        venue.recounted = {"ctVal": "0.001"}
        home.start()
        await home.minutes(1)

    lived(own_home, "okx", script, account=True)


@pytest.mark.long
def test_a_lot_that_changed_in_desk_toml_refuses_the_start(own_home: Path) -> None:
    """The journal counts in the old one: a stop of 200 lots would go out as ten times the position. Flat it is the next entry."""

    async def refused(home: LiveHome) -> None:
        text = (home.path / "desk.toml").read_text()
        venue = home.played.venue
        sent = [call for call in venue.calls if call[0] == "POST"]
        (home.path / "desk.toml").write_text(text.replace("lot_size = 0.0001", "lot_size = 0.001"))
        home.start()
        with pytest.raises(BadInput, match=r"counts in lots of 0.0001, and desk.toml says 0.001; nothing was read or sent"):
            await asyncio.wait_for(home.ended(), 600)
        assert [call for call in venue.calls if call[0] == "POST"] == sent
        (home.path / "desk.toml").write_text(text)

    async def script(home: LiveHome) -> None:
        await entered(home)
        await home.stop()
        await refused(home)
        await started_and_halted(home)
        await refused(home)

    lived(own_home, "okx", script, account=True)


@pytest.mark.long
def test_what_closed_while_nobody_was_there_is_walked_and_not_decided(own_home: Path) -> None:
    """Three closes without a worker: no entry from them, each in the journal with its bar and why nobody was asked."""

    async def script(home: LiveHome) -> None:
        home.start()
        await home.minutes(1)
        await home.stop()
        before = home.book.close_ms
        await home.played.wait(45 * 60_000)
        home.start()
        await home.minutes(1)
        missed = home.events("bar")
        assert [event.body["close_ms"] - before for event in missed] == [900_000 * n for n in (1, 2, 3)]
        assert all(event.body["silent"] == {"btc": "it closed while nobody was there to decide"} for event in missed)
        assert all(event.body["bars"]["okx:BTC-USDT:perp"][3] for event in missed)
        assert not home.events("intent")
        await home.until(lambda: at_venue(home)[0] > 0)  # the next close is decided on again
        await home.stop()
        proven(home)

    lived(own_home, "okx", script, account=True)


def test_a_home_trades_what_it_began_with(own_home: Path) -> None:
    """Positions of an account are not a paper desk's, nor the other way round: a line each, and nothing is sent."""

    async def script(home: LiveHome) -> None:
        home.start()
        await home.minutes(1)
        await home.stop()
        text = (home.path / "desk.toml").read_text()
        (home.path / "desk.toml").write_text(text.replace('account = "main"\n', "", 1))
        home.start()
        with pytest.raises(BadInput, match=r"traded testnet on account main, and desk.toml lets it trade on paper"):
            await asyncio.wait_for(home.ended(), 600)
        text = (home.path / "desk.toml").read_text()
        (home.path / "desk.toml").write_text(text.replace('source = "live"', 'source = "files"'))
        on_files = Worker(open_home(), 1.0, Pause.__new__(Pause))
        with pytest.raises(BadInput, match=r"traded testnet on account main, and desk.toml lets it trade on paper"):
            on_files.open()
        on_files.journal.close()

    lived(own_home, "okx", script, account=True)


@pytest.mark.slow
def test_a_first_start_that_is_refused_for_its_steps_fixes_nothing_of_the_home(own_home: Path) -> None:
    """Nothing is journaled; the same home begins with the lots that its line says to write. After that it keeps them."""

    async def refused(home: LiveHome) -> str:
        home.start()
        with pytest.raises(BadInput, match=r"counts lots of") as caught:
            await asyncio.wait_for(home.ended(), 600)
        return caught.value.hint

    async def script(home: LiveHome) -> None:
        home.played.venue.recounted = {"lotSz": "0.1"}  # contracts of 0.01
        for _ in range(2):
            assert (await refused(home)).endswith("lot_size, tick")
            assert not home.events("config")
        text = (home.path / "desk.toml").read_text()
        (home.path / "desk.toml").write_text(text.replace("lot_size = 0.0001", "lot_size = 0.001"))
        home.start()
        await home.until(lambda: home.book, 3)
        assert home.book.specs[0].rules.lot_size == 0.001
        await home.minutes(1)
        assert home.book.start["first_ms"] <= home.clock() < home.book.start["first_ms"] + 2 * 900_000
        await home.stop()
        home.played.venue.recounted = {"lotSz": "1"}
        assert (await refused(home)).endswith("begin a new home")

    lived(own_home, "okx", script, account=True)


@pytest.mark.slow
def test_a_desk_with_money_rests_until_its_stage_allows_it(own_home: Path) -> None:
    """Mode live starts, its gate opens, and a sleeve that no person has brought near money enters nothing."""

    async def script(home: LiveHome) -> None:
        text = (home.path / "desk.toml").read_text()
        (home.path / "desk.toml").write_text(text.replace('mode = "testnet"', 'mode = "live"'))
        home.start()
        await home.until(lambda: any(event.body["open"] for event in home.events("gate")))
        await home.minutes(31)
        await home.stop()
        assert not home.events("fill")
        assert not [event for event in home.events("intent") if event.body["slot"] == "entry"]

    lived(own_home, "okx", script, account=True)


@pytest.mark.slow
@pytest.mark.parametrize("venue", ["bybit", *(pytest.param(name, marks=pytest.mark.long) for name in ("okx", "binance"))])
def test_money_that_moves_is_in_the_identity_and_in_no_equity(
    own_home: Path, venue: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the venue's bills, through ccxt, also while no worker runs; nothing may be declared beside them."""

    async def script(home: LiveHome) -> float:
        exchange = home.played.venue.exchange
        transfer(exchange, "deposit", 77 * PICO)  # before the desk: no part of it
        home.start()
        await home.until(lambda: not home.book.health if home.book else False)
        before = home.book.desk.equity
        transfer(exchange, "deposit", 2_500 * PICO + PICO // 100)
        await home.minutes(7)
        await home.stop()
        transfer(exchange, "withdrawal", -400 * PICO)
        home.start()
        await home.minutes(7)
        assert home.book.desk.equity == before
        await home.stop()
        proven(home)
        return float(before)

    equity = lived(own_home, venue, script, account=True)
    at = open_home(0)
    found = identity(at.path)
    assert found is not None
    assert (found.deposits, found.withdrawals, found.unexplained_cash, found.holds) == (2_500.01, 400.0, 0.0, True)
    assert found.account == round(equity + 2_100.01, 2)
    with pytest.raises(Refused, match="are read from its venue's bills"):
        declare(at, 5.0, "by hand", identify(at.path, "ann", "cli"), 0)
    code, out, err = typed_in(cash, own_home, monkeypatch, capsys)("list", "--json")
    assert (code, err) == (0, "")
    listed = json.loads(out)
    assert [(t["cash"], t["kind"]) for t in listed["transfers"]] == [(2_500.01, "deposit"), (-400.0, "withdrawal")]
    assert listed["total"] == 2_100.01


@pytest.mark.slow
@pytest.mark.parametrize("venue", ["okx", *(pytest.param(name, marks=pytest.mark.long) for name in ("bybit", "binance"))])
def test_an_account_that_is_switched_to_hedge_mode_while_a_worker_runs_closes_the_gate(own_home: Path, venue: str) -> None:
    """By the check of the start, within minutes; it opens again once the mode is back."""

    async def script(home: LiveHome) -> list[Event]:
        local = home.played.venue
        home.start()
        await home.until(lambda: home.book and not home.book.health)
        local.position_mode, local.hedge_mode, local.hedged = "long_short_mode", True, True
        await home.until(lambda: "hedge: long and short apart" in home.book.health.get("gate", ""), 7)
        local.position_mode, local.hedge_mode, local.hedged = "net_mode", False, False
        await home.until(lambda: not home.book.health, 12)
        await home.stop()
        return home.events("health")

    gate = [event.body for event in lived(own_home, venue, script, account=True) if event.body["what"] == "gate"]
    assert [body["state"] for body in gate[-2:]] == ["begun", "over"]
    assert "hedge: long and short apart" in gate[-2]["why"]

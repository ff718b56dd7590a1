"""An instrument that its venue suspends, or does not know any more, keeps entries off for its own sleeves; the desk trades on."""

from pathlib import Path

import pytest

from engine.book.bodies import CASH, GONE, OFF, REDUCED, position_of
from engine.core.orders import UNKNOWN
from engine.core.state import ENTRY, PROTECTIVE
from engine.live.gate import GATE
from engine.live.halt import INCOMPLETE, KILLED
from engine.venues.live_port import LiveAnswer
from tests.fakes.live_desks import BTC_PERP, long
from tests.fakes.live_desks import CASH as CASH_HELD
from tests.fakes.two_desks import ETH_PERP, SUSPENDED, TRADES, UNKNOWN_THERE, TwoBench, on_two

OFF_ETH = f"{OFF}{ETH_PERP}"


def named(bench: TwoBench, words: str) -> list[str]:
    """Pages with these words."""
    return [page for page in bench.pages if words in page]


async def both(bench: TwoBench) -> None:
    """Both sleeves hold 100 lots, protected."""
    await bench.start()
    assert await bench.enters() == {"btc", "eth"}
    assert (bench.lots("btc"), bench.lots("eth")) == (100, 100)


@pytest.mark.parametrize("kill", [False, True], ids=["", "killed"])
@pytest.mark.parametrize("state", [SUSPENDED, "preopen", UNKNOWN_THERE])
def test_while_one_is_not_traded_the_other_one_enters(path: Path, state: str, kill: bool) -> None:
    """Flat there: one page that names it and what to type, no other one; also in a process that begins meanwhile."""

    async def play(bench: TwoBench) -> None:
        await bench.start()
        bench.eth.state = state
        await bench.after(70)
        if kill:
            await bench.again()
            await bench.after(120)
        assert OFF_ETH in bench.book.health
        assert GATE not in bench.book.health
        for _ in range(3):
            assert await bench.enters() == {"btc"}
        assert bench.lots("btc") > 0
        assert not bench.book.entries_blocked
        assert ("not list" in bench.book.health[OFF_ETH]) == (state == UNKNOWN_THERE)
        assert bench.events("gate")[-1].body.get("off") if kill else True
        (page,) = bench.pages
        assert ETH_PERP in page
        assert "eth can enter nothing" in page
        assert "nightdesk live stage eth retired --as NAME" in page

    on_two(path, play)


@pytest.mark.parametrize("kill", [False, True], ids=["", "killed"])
def test_a_suspended_position_keeps_its_stop(path: Path, kill: bool) -> None:
    """Nothing is cancelled, nothing leaves; the other one trades."""

    async def play(bench: TwoBench) -> None:
        await both(bench)
        bench.eth.state = SUSPENDED
        await bench.after(70)
        if kill:
            await bench.again()
            await bench.after(120)
        assert await bench.enters() == {"btc"}
        assert bench.lots("eth") == 100
        assert bench.stops(ETH_PERP) == 1
        assert not bench.eth.asked_for("cancel") or all("pr0b" in id_ for id_ in bench.eth.asked_for("cancel"))
        assert len(bench.pages) == 1
        assert "stops stay" in bench.pages[0]

    on_two(path, play)


@pytest.mark.parametrize("kill", [False, True], ids=["", "killed"])
def test_a_position_at_an_unknown_instrument_is_unsettled(path: Path, kill: bool) -> None:
    """A card, a page, no entry there and no order; the other one is compared, and trades. A person adopts, and it is over."""

    async def play(bench: TwoBench) -> None:
        await both(bench)
        bench.eth.state = UNKNOWN_THERE
        await bench.after(200)
        if kill:
            await bench.again()
            await bench.after(200)
        assert position_of(ETH_PERP) in bench.book.differences
        card = bench.events("reconcile")[-1].body["card"]
        assert card["venue_lots"] is None
        assert card["desk_lots"] == 100
        placed = len(bench.eth.asked_for("place"))
        for _ in range(2):
            assert await bench.enters() == {"btc"}
        assert len(bench.eth.asked_for("place")) == placed
        assert bench.lots("eth") == 100
        assert bench.duties.reconcile.compared_ms > bench.clock() - 120_000
        assert len(named(bench, "is not traded")) == 1 + kill, "one from each process"
        assert all("nightdesk adopt" in page for page in named(bench, "is not traded"))
        assert not named(bench, "protective")
        assert not named(bench, "does not say what was executed")
        assert not named(bench, "does not show it")
        adopt(bench)
        await bench.after(120)
        assert bench.lots("eth") == 0
        assert not bench.book.differences
        assert all(bench.desk.instrument_of(order) != ETH_PERP for order in bench.book.orders.open.values())
        assert await bench.enters() == {"btc"}

    on_two(path, play)


def adopt(bench: TwoBench) -> None:
    """Ann has seen what the venue paid."""
    sleeve = bench.book.sleeves[bench.book.names.index("eth")]
    layer = sleeve.position.layers[0]
    body = {"request": 1, "difference": position_of(ETH_PERP), "by": "ann", "reason": "settled", "order": "", "lots": 0}
    body |= {"filled_lots": 0, "sleeve": "eth", "key": layer.key, "side": 1, "lots_before": layer.lots, "lots_after": 0}
    bench.desk.take("adopt", body | {"price": 59_000.0, "fee": 0.1, "atr": None})


def test_a_settlement_that_is_listed_is_booked_and_keeps_the_other_one_out_for_nothing(path: Path) -> None:
    """The venue closes at its settlement and says so; then it does not know the instrument. Its own sleeve alone waits."""

    async def play(bench: TwoBench) -> None:
        await both(bench)
        bench.eth.state = "settling"
        await bench.after(70)
        for held in bench.eth.orders.values():
            held.state = "done" if held.order.slot == PROTECTIVE else held.state
        bench.eth.trade("", "venue1", -1, 100)
        bench.eth.executions[-1] = bench.eth.executions[-1]._replace(forced="delivery")
        await bench.after(60)
        assert bench.lots("eth") == 0
        assert f"{REDUCED}{ETH_PERP}" in bench.book.health
        assert await bench.enters() == {"btc"}
        bench.eth.state = UNKNOWN_THERE
        await bench.after(120)
        assert bench.book.health[OFF_ETH].startswith(GONE)
        assert await bench.enters() == {"btc"}
        await bench.again()
        await bench.after(120)
        assert await bench.enters() == {"btc"}

    on_two(path, play)


@pytest.mark.parametrize("kill", [False, True], ids=["", "killed"])
@pytest.mark.parametrize("state", [SUSPENDED, UNKNOWN_THERE])
def test_one_that_trades_again_comes_back_once_it_is_proved(path: Path, state: str, kill: bool) -> None:
    """A setting of its own and a probe keep it off for as long as they fail, and nothing else is kept off by them."""

    async def play(bench: TwoBench) -> None:
        await bench.start()
        bench.eth.state = state
        await bench.after(70)
        if kill:
            await bench.again()
            await bench.after(60)
        bench.eth.state = TRADES
        bench.faults[ETH_PERP] = "leverage ETH-USDT: 5, wanted 3"
        bench.eth.script["amend"] = ["no"] * 1_000
        await bench.after(130)
        assert await bench.enters() == {"btc"}
        if kill and state == UNKNOWN_THERE:
            assert "stop and start the worker" in bench.book.health[OFF_ETH]
            await bench.again()
            await bench.after(120)
        assert "leverage" in bench.book.health[OFF_ETH]
        bench.faults.clear()
        await bench.after(130)
        assert "probe" in bench.book.health[OFF_ETH] or "amend" in bench.book.health[OFF_ETH]
        assert await bench.enters() == {"btc"}
        bench.eth.script["amend"].clear()
        await bench.after(130)
        assert not bench.book.health
        assert await bench.enters() == {"btc", "eth"}

    on_two(path, play)


@pytest.mark.parametrize("kill", [False, True], ids=["", "killed"])
@pytest.mark.parametrize("state", [SUSPENDED, UNKNOWN_THERE])
@pytest.mark.parametrize("holds", [False, True], ids=["flat", "holds"])
def test_a_halt_flattens_the_rest_and_says_how_it_ended(path: Path, state: str, holds: bool, kill: bool) -> None:
    """KILLED where nothing can be left; else what is left is named, and what the other one had is closed."""

    async def play(bench: TwoBench) -> None:
        await bench.start()
        if holds:
            await bench.enters()
        else:
            await bench.to_close()
        bench.eth.state = state
        if not holds:
            await bench.after(70)
            assert await bench.enters() == {"btc"}
        await bench.after(120)
        if kill:
            await bench.again()
            await bench.after(60)
        bench.halt("drill")
        await bench.after(200)
        assert bench.lots("btc") == 0
        assert bench.venues[BTC_PERP].net == 0
        assert bench.duties.halt.result is not None
        assert bench.duties.halt.result.state == (INCOMPLETE if holds else KILLED), bench.duties.halt.result
        if holds:
            assert all(ETH_PERP in what for what in bench.duties.halt.result.left), bench.duties.halt.result
            assert ("does not list" in str(bench.duties.halt.result.left)) == (state == UNKNOWN_THERE)
            if state == UNKNOWN_THERE:
                adopt(bench)
                await bench.after(120)
                assert bench.duties.halt.result.state == KILLED

    on_two(path, play)


def test_an_entry_that_rests_there_is_withdrawn(path: Path) -> None:
    """And no other one."""

    async def play(bench: TwoBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.close(btc=long(limit=59_940.0), eth=long(limit=59_940.0))
        await bench.after(3)
        entries = {
            name: [o for o in bench.book.orders.open.values() if o.slot == ENTRY and bench.desk.instrument_of(o) == name]
            for name in bench.venues
        }
        assert {name: len(found) for name, found in entries.items()} == {BTC_PERP: 1, ETH_PERP: 1}
        bench.eth.state = SUSPENDED
        await bench.after(70)
        assert [o.id for o in bench.book.orders.open.values() if o.slot == ENTRY] == [entries[BTC_PERP][0].id]
        assert entries[ETH_PERP][0].id in bench.eth.asked_for("cancel")

    on_two(path, play)


def test_an_entry_that_is_about_to_leave_stays_here(path: Path) -> None:
    """The last guard looks for itself."""

    async def play(bench: TwoBench) -> None:
        await bench.start()
        bench.edited = True
        await bench.to_close()
        bench.close(btc=long(), eth=long())
        bench.book.health[OFF_ETH] = "the venue lists it as suspend"  # before the orders' tasks have begun
        await bench.after(3)
        assert (bench.lots("btc"), bench.lots("eth")) == (100, 0)
        ended = [event.body for event in bench.events("order") if event.body.get("sleeve") == "eth"]
        assert all("entries are blocked" in body["why"] for body in ended)

    on_two(path, play)


def test_executions_that_are_missing_there_keep_the_other_one_out_for_nothing(path: Path) -> None:
    """The venue lists none of an entry that has filled, then suspends the instrument: the gate stays open."""

    async def play(bench: TwoBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.eth.script["trades"] = ["silent"] * 100_000
        bench.close(btc=long(), eth=long())
        await bench.after(8)
        assert bench.eth.net == 100
        bench.eth.state, t_ms = SUSPENDED, bench.clock()
        await bench.after(150)
        assert f"executions of {ETH_PERP}" in bench.book.health
        assert not [e for e in bench.events("health") if e.body["what"] == GATE and e.t_recv_ms > t_ms]
        assert await bench.enters() == {"btc"}

    on_two(path, play)


def test_transfers_are_read_by_an_instrument_that_is_listed(path: Path) -> None:
    """The first one is gone: any other one's adapter answers for the account."""

    async def play(bench: TwoBench) -> None:
        await bench.start()
        bench.venues[BTC_PERP].state = UNKNOWN_THERE
        await bench.after(70)
        await bench.again()
        await bench.after(700)
        assert bench.duties.transfers.failures == 0
        assert bench.eth.asked_for("transfers")
        assert not [event for event in bench.events("attach") if event.body["instrument"] == BTC_PERP]

    on_two(path, play)


def test_a_stop_in_doubt_at_an_unknown_instrument_lets_no_layer_leave(path: Path) -> None:
    """Nothing can be placed there, so nothing is tried: its card is what a person gets."""

    async def play(bench: TwoBench) -> None:
        await both(bench)
        bench.eth.state = UNKNOWN_THERE
        await bench.after(70)
        mine = [o for o in bench.book.orders.open.values() if bench.desk.instrument_of(o) == ETH_PERP]
        stop = next(o for o in mine if o.slot == PROTECTIVE)
        bench.desk.note_answer(LiveAnswer(stop.id, UNKNOWN, 0, "no answer"))
        await bench.after(120)
        assert not bench.events("leave")
        assert not named(bench, "protective")
        assert {o.id for o in mine} <= bench.book.orders.open.keys()

    on_two(path, play)


def test_cash_is_compared_without_the_bills_of_what_is_gone(path: Path) -> None:
    """It is the account's: what moves beside the desk, such as a fee of the settlement, is a difference of the whole desk."""

    async def play(bench: TwoBench) -> None:
        await bench.start()
        found = [CASH_HELD]

        async def cash() -> float:
            return found[0]

        bench.cash_of = cash
        bench.eth.state = UNKNOWN_THERE
        await bench.after(70)
        await bench.again()
        await bench.after(120)
        assert not bench.book.entries_blocked
        found[0] -= 5.0
        await bench.after(120)
        assert set(bench.book.differences) == {CASH}
        assert bench.book.entries_blocked

    on_two(path, play)


def test_a_listing_is_looked_at_as_soon_as_executions_are_not_said(path: Path) -> None:
    """The desk is kept out as a whole for seconds, not for the minute between two looks."""

    async def play(bench: TwoBench) -> None:
        await both(bench)
        bench.duties.gate._listed_ms = bench.clock()  # type: ignore[union-attr]  # the next look is a minute away
        bench.eth.state = UNKNOWN_THERE
        await bench.after(30)
        assert OFF_ETH in bench.book.health
        assert not bench.book.entries_blocked

    on_two(path, play)

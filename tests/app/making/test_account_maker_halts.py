"""A maker at an account is halted, or finds what is not its own: everything is pulled, and how it ends is said."""

from pathlib import Path
from typing import Any

import pytest

from engine.errors import Refused
from engine.live.halt import INCOMPLETE, KILLED
from tests.app.making.bench import QUOTING, Bench, play
from tests.fakes.exchange import ledger as log
from tests.fakes.exchange import orders as o


@pytest.mark.parametrize("venue", ["port-okx", "bybit"])
def test_a_halt_cancels_leaves_and_says_how_it_ended(tmp_path: Path, venue: str) -> None:
    """By the latch, in the middle of everything: no order after it but the way out; nothing rests, nothing is held."""
    halted: list[int] = []

    async def script(bench: Bench) -> None:
        bench.begin()
        await bench.after(60)
        while not bench.lots() or len(bench.resting()) < 2:
            await bench.after(0.3)
        halted.append(bench.exchange.clock())
        bench.latch = "by ann"
        await bench.after(30)
        assert (bench.lots(), bench.resting()) == (0, [])

    bench = play(venue, tmp_path, script)
    bench.check()
    book = bench.book()
    assert (book.halted["rule"], book.halted["reason"], book.killed["state"], list(book.killed["left"])) == (
        "latch",
        "by ann",
        KILLED,
        [],
    )
    late = [e.order for e in bench.exchange.ledger if e.kind == log.ACCEPTED and e.t_ms > halted[0] + 150]
    assert late
    assert all(order.reduce_only and order.client[-3] == "X" for order in late)
    assert bench.pages == [f"halt (latch by ann): {KILLED}"]


def test_a_halt_keeps_the_inventory_where_it_was_told_to(tmp_path: Path) -> None:
    """Orders go, lots stay, and the halt has ended."""

    async def script(bench: Bench) -> None:
        bench.begin()
        await bench.after(60)
        while not bench.lots():
            await bench.after(0.3)
        bench.latch = "by ann"
        await bench.after(30)
        assert bench.lots()
        assert not bench.resting()

    bench = play("port-okx", tmp_path, script, flatten=False)
    bench.check()
    assert bench.book().killed["state"] == KILLED
    assert bench.book().inventory == bench.lots()


def test_a_halt_that_cannot_end_says_what_is_left_and_looks_again(tmp_path: Path) -> None:
    """The venue takes no order: ten tries, KILL_INCOMPLETE with the lots. Closed by hand, it is not the journal's."""

    async def script(bench: Bench) -> None:
        bench.begin()
        await bench.after(60)
        while not bench.lots():
            await bench.after(0.3)
        bench.played.venue.faults.on("reject_orders")
        bench.latch = "by ann"
        await bench.after(120)
        assert bench.book().killed["state"] == INCOMPLETE
        assert bench.lots()
        held = bench.lots()
        bench.played.venue.faults.off("reject_orders")
        bench.exchange.place(o.Order("", "BTC", -1 if held > 0 else 1, abs(held), tag="person"))
        await bench.after(30)
        assert bench.book().killed["state"] == INCOMPLETE

    bench = play("port-okx", tmp_path, script)
    assert not bench.wrong
    assert f"{INCOMPLETE}, left: " in bench.pages[0]
    assert "lots" in bench.pages[0]
    assert len(bench.events("stranger")) >= 1


def test_a_strangers_execution_stops_it_and_the_next_start_is_refused(tmp_path: Path) -> None:
    """Pulled, its own part left, paged; it counts nowhere, and the difference keeps the maker off."""

    async def script(bench: Bench) -> None:
        bench.begin()
        await bench.after(40)
        bench.exchange.place(o.Order("", "BTC", 1, 777))
        await bench.after(60)
        assert bench.book().halted["rule"] == "venue"
        assert bench.lots() - bench.book().inventory == 777
        assert not bench.resting()
        await bench.end()
        bench.begin()
        with pytest.raises(Refused, match=f"the account holds {bench.lots()} lots, the maker's journal {bench.book().inventory}"):
            await bench.after(120)

    bench = play("port-bybit", tmp_path, script)
    bench.check()
    assert any("an execution that is not the maker's: " in page for page in bench.pages)
    assert sum(e.body["lots"] * e.body["side"] for e in bench.events("stranger")) == 777


@pytest.mark.parametrize("venue", ["port-okx", "binance"])
def test_a_strangers_order_stops_it_and_is_not_touched(tmp_path: Path, venue: str) -> None:
    """Found by the comparison; the maker's own are pulled, the stranger's stays for a person."""
    strange: list[int] = []

    async def script(bench: Bench) -> None:
        bench.begin()
        await bench.after(40)
        strange.append(bench.exchange.place(o.Order("hand1", "BTC", 1, 50, o.LIMIT, 500_000)).id)
        await bench.after(90)
        assert [order.id for order in bench.resting()] == strange
        await bench.end()
        bench.begin()
        with pytest.raises(Refused, match="1 orders that are not the maker's: buy 50 lots at 50000"):
            await bench.after(60)

    bench = play(venue, tmp_path, script)
    bench.check()
    assert bench.book().halted["reason"].startswith("an order that is not the maker's: buy 50 lots")


@pytest.mark.parametrize("what", ["position", "order"])
def test_an_account_that_is_not_the_makers_alone_is_refused_at_the_first_start(tmp_path: Path, what: str) -> None:
    """Before anything is sent."""

    async def script(bench: Bench) -> None:
        if what == "position":
            bench.exchange.place(o.Order("", "BTC", 1, 10))
        else:
            bench.exchange.place(o.Order("hand1", "BTC", 1, 50, o.LIMIT, 500_000))
        bench.begin()
        with pytest.raises(Refused, match=r"the account (has 1 orders|holds 10 lots)"):
            await bench.after(20)
        assert not bench.doors[0].placed

    play("port-okx", tmp_path, script)


def test_more_than_was_ordered_is_booked_and_stops_it(tmp_path: Path) -> None:
    """A venue that fills twice what was ordered: the account holds it, so the journal does, and everything is pulled."""

    async def script(bench: Bench) -> None:
        bench.begin()
        await bench.after(20)
        while not bench.resting():
            await bench.after(0.2)
        order = bench.resting()[0]
        order.lots *= 3
        bench.exchange._fill(order, order.left, order.price, maker=True)
        await bench.after(60)
        assert bench.book().halted["rule"] == "venue"
        assert (bench.lots(), bench.book().inventory) == (0, 0)

    bench = play("port-okx", tmp_path, script)
    bench.check()
    assert any("more than it had left" in page for page in bench.pages)


@pytest.mark.parametrize(
    ("options", "rule"),
    [({"inventory": 1.0, "inventory_max": 0.01}, "inventory_max"), ({"loss_max": 0.5}, "loss_max")],
)
def test_its_own_guardrails_halt_it(tmp_path: Path, options: dict[str, Any], rule: str) -> None:
    """By what the venue has filled and charged."""

    async def script(bench: Bench) -> None:
        bench.begin()
        for _ in range(600):
            await bench.after(1)
            if bench.book().killed:
                break
        assert (bench.lots(), bench.resting()) == (0, [])

    bench = play("port-okx", tmp_path, script, options=QUOTING._replace(**options))
    bench.check()
    assert (bench.book().halted["rule"], bench.book().killed["state"]) == (rule, KILLED)

"""Money moved in and out of a live account: booked once by its bill, beside the sleeves, whatever the list does."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from engine.book.replay import fold
from engine.book.transfers import explained, transferred
from engine.live.duties import AccountDuties
from engine.live.transfers import BACK_MS, EVERY_S, SILENT_LOOKS
from engine.venues.live_port import VenueTransfer
from tests.fakes.benches import LOOK_S
from tests.fakes.live_desks import BTC_PERP, CASH, LiveBench, long, on_bench

DAY_S = 86_400.0


def with_cash(bench: LiveBench) -> None:
    """The desk compares the venue's cash with its own, too; the venue moves it with each transfer."""

    async def cash() -> float:
        fees = sum(trade.fee for trade in bench.venue.executions)
        traded = sum(trade.side * trade.lots * 0.0001 * trade.price for trade in bench.venue.executions)
        return bench.cash - fees - traded

    bench.duties = AccountDuties(bench.desk, {BTC_PERP: bench.venue}, bench._time, cash, latch_look_s=LOOK_S)
    bench.poll = bench.duties.polls[BTC_PERP]


def move(bench: LiveBench, bill: str, cash: float, kind: str = "", listed: bool = True, ago_ms: int = 0) -> VenueTransfer:
    """The account's cash moves; its bill is listed, or not yet."""
    named = kind or ("deposit" if cash > 0 else "withdrawal")
    transfer = VenueTransfer(bill, named, named.upper(), cash, bench.clock() - ago_ms)
    bench.cash += cash
    if listed:
        bench.venue.moved.append(transfer)
    return transfer


def booked(bench: LiveBench) -> list[tuple[str, float]]:
    """(bill, cash) as journaled."""
    return [(event.body["bill"], event.body["cash"]) for event in bench.events("transfer")]


def test_a_deposit_is_booked_once_and_stops_nothing(path: Path) -> None:
    """It is listed again and again; entries go on; no sleeve, no peak and no limit has it."""

    async def play(bench: LiveBench) -> None:
        with_cash(bench)
        await bench.start()
        before = bench.desk.book.desk
        move(bench, "d1", 25_000.0)
        await bench.after(700)
        assert booked(bench) == [("d1", 25_000.0)]
        assert bench.desk.book.desk == before
        assert [sleeve.ledger.cash for sleeve in bench.desk.book.sleeves] == [CASH / 2] * 2
        await bench.entered()

    bench = on_bench(path, play)
    assert not bench.pages
    assert not bench.events("reconcile", "window")
    assert bench.events("mark")[-1].body["transfers"] == {"deposits": 25_000.0, "withdrawals": 0.0, "unexplained": 0.0}


def test_a_withdrawal_is_no_drawdown(path: Path) -> None:
    """Nine tenths of the account leave: the breaker's reference and its distance stay, the desk trades on."""

    async def play(bench: LiveBench) -> None:
        with_cash(bench)
        bench.cash += 900_000.0
        await bench.start()
        await bench.entered()
        move(bench, "w1", -900_000.0)
        for _ in range(3):
            await bench.to_close()
            bench.close()
        await bench.after(10)
        desk = bench.desk.book.desk
        assert (desk.halted, desk.tripped, desk.peak) == (0, 0, CASH)
        assert abs(desk.equity - CASH) < 10.0

    bench = on_bench(path, play)
    assert booked(bench) == [("w1", -900_000.0)]
    assert not bench.latch
    assert not bench.pages


def test_what_leaves_less_than_the_sleeves_count_on_pages(path: Path) -> None:
    """Their sizes would be those of money that is gone."""

    async def play(bench: LiveBench) -> None:
        with_cash(bench)
        await bench.start()
        move(bench, "w1", -60_000.0)
        await bench.after(900)

    bench = on_bench(path, play)
    assert len(bench.pages) == 1
    assert "60,000.00 left the account, which has 60,000.00 less than its sleeves count on" in bench.pages[0]


@pytest.mark.parametrize("listing", ["twice", "backwards"])
def test_a_list_in_another_order_or_with_repeats_changes_nothing(path: Path, listing: str) -> None:
    """Exactly once each."""

    async def play(bench: LiveBench) -> None:
        with_cash(bench)
        await bench.start()
        for n in range(5):
            move(bench, f"b{n}", 10.0 * (n + 1) * (-1) ** n, ago_ms=(5 - n) * 10)
        bench.venue.moved = bench.venue.moved * 2 if listing == "twice" else bench.venue.moved[::-1]
        await bench.after(700)

    bench = on_bench(path, play)
    assert sorted(booked(bench)) == [("b0", 10.0), ("b1", -20.0), ("b2", 30.0), ("b3", -40.0), ("b4", 50.0)]
    assert transferred(bench.desk.book) == {"deposits": 90.0, "withdrawals": -60.0, "unexplained": 0.0}


def test_a_late_bill_is_a_difference_until_it_is_listed(path: Path) -> None:
    """The cash has moved and no bill says why: entries are withheld; once it does, they go on by themselves."""

    async def play(bench: LiveBench) -> None:
        with_cash(bench)
        await bench.start()
        late = move(bench, "d1", 700.0, listed=False)
        await bench.after(180)
        assert bench.desk.book.differences == {"cash": "the venue's cash has moved by 700.00 beside the desk's"}
        await bench.after(600)
        assert bench.desk.book.entries_blocked
        bench.venue.moved.append(late)
        await bench.after(180)
        assert not bench.desk.book.differences

    bench = on_bench(path, play)
    assert booked(bench) == [("d1", 700.0)]


def test_a_bill_of_an_unknown_type_is_withheld_and_paged(path: Path) -> None:
    """Neither cash in nor out: it is unexplained, and stops entries until a person adopts it."""

    async def play(bench: LiveBench) -> None:
        with_cash(bench)
        await bench.start()
        move(bench, "u1", 12.5, "unknown")
        await bench.after(900)
        assert bench.desk.book.differences == {"cash": "the venue's cash has moved by 12.50 beside the desk's"}
        body = {"request": 0, "difference": "cash", "by": "ann", "reason": "a reward", "order": "", "lots": 0, "filled_lots": 0}
        assert bench.desk.take("adopt", body)["adopted"]
        await bench.after(900)
        assert not bench.desk.book.entries_blocked

    bench = on_bench(path, play)
    assert transferred(bench.desk.book) == {"deposits": 0.0, "withdrawals": 0.0, "unexplained": 12.5}
    assert any("+12.50 by a bill of an unknown type, UNKNOWN" in page for page in bench.pages)


def test_an_unknown_bill_pages_while_a_position_is_open_too(path: Path) -> None:
    """Cash is not compared then; the page does not wait for it."""

    async def play(bench: LiveBench) -> None:
        with_cash(bench)
        await bench.start()
        await bench.entered()
        move(bench, "u1", -3.0, "unknown")
        await bench.after(EVERY_S + 30)

    assert any("unknown type" in page for page in on_bench(path, play).pages)


def test_a_restart_in_the_middle_books_each_bill_once(path: Path) -> None:
    """A kill between two transfers, one while no process runs, one that was listed late and is older than what is booked."""

    async def play(bench: LiveBench) -> None:
        with_cash(bench)
        await bench.start()
        late = move(bench, "b0", 1.0, listed=False)
        move(bench, "b1", 100.0)
        await bench.after(400)
        bench.desk.failed = "killed"
        move(bench, "b2", -50.0)
        await bench.after(400)
        await bench.again()
        bench.venue.moved.insert(0, late)
        await bench.after(700)
        bench.desk.snapshot()  # and one that begins from a snapshot
        await bench.again()
        await bench.after(400)

    bench = on_bench(path, play)
    assert sorted(booked(bench)) == [("b0", 1.0), ("b1", 100.0), ("b2", -50.0)]
    folded = fold(path)
    assert folded is not None
    assert folded.transfers == bench.desk.book.transfers
    assert explained(folded) == 51.0


def test_what_was_moved_before_the_desk_began_is_no_part_of_it(path: Path) -> None:
    """The account had it when its cash was first compared."""

    async def play(bench: LiveBench) -> None:
        with_cash(bench)
        move(bench, "old", 5_000.0, ago_ms=3_600_000)
        await bench.start()
        await bench.after(700)

    bench = on_bench(path, play)
    assert booked(bench) == []
    assert not bench.pages


def test_ids_are_forgotten_only_once_their_bills_are_not_asked_for(path: Path) -> None:
    """A week of deposits: each once, though the list shows all of them for ever; few ids are kept."""

    async def play(bench: LiveBench) -> None:
        async def all_of_them(_since: int) -> Any:
            return bench.venue.moved

        bench.venue.transfers = all_of_them  # type: ignore[method-assign]
        bench.duties.transfers.begin()
        for day in range(8):
            move(bench, f"d{day}", 1.0)
            for _ in range(4):
                await bench.after(DAY_S / 4)
                await bench.duties.transfers.read()

    bench = on_bench(path, play)
    assert len(booked(bench)) == 8
    assert len(bench.desk.book.transfers["bills"]) <= 3
    cursors = [e for e in bench.events("cursor") if e.body["instrument"] == "transfers"]
    assert 5 <= len(cursors) <= 17
    assert bench.clock() - int(cursors[-1].body["cursor"]) >= BACK_MS


def test_bills_that_cannot_be_read_page_after_an_hour(path: Path) -> None:
    """Once; nothing else stops."""

    async def play(bench: LiveBench) -> None:
        transfers = bench.duties.transfers
        transfers.begin()
        bench.venue.script["transfers"] = ["silent"] * (SILENT_LOOKS + 1)
        duty = asyncio.create_task(transfers.run())
        await bench.after((SILENT_LOOKS - 1) * EVERY_S - 60)
        assert not bench.pages
        await bench.after(2 * EVERY_S)
        move(bench, "d1", 5.0)
        await bench.after(3 * EVERY_S)
        duty.cancel()

    bench = on_bench(path, play)
    assert len([page for page in bench.pages if "could not be read for an hour" in page]) == 1
    assert booked(bench) == [("d1", 5.0)]


def test_a_bill_of_a_time_to_come_is_not_believed(path: Path) -> None:
    """A clock or a unit that is wrong: none of that page is booked."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        move(bench, "d1", 5.0, ago_ms=-7_200_000)
        await bench.after(EVERY_S + 10)

    assert booked(on_bench(path, play)) == []


def test_signals_of_the_same_bars_decide_the_same_with_and_without(path: Path, tmp_path: Path) -> None:
    """Sizes, fills, equity and every mark's figures are equal to those of a desk that nothing was moved on."""
    figures = []
    for moved, file in ((True, path), (False, tmp_path / "other.jsonl")):

        async def play(bench: LiveBench, moved: bool = moved) -> None:
            await bench.start()
            for n in range(4):
                await bench.to_close()
                bench.venue.price = 60_000.0 + 100 * n
                bench.close(adds=long(), rests=long(0.5))
                if moved:
                    move(bench, f"m{n}", (-1) ** n * 40_000.0)
                await bench.after(310)

        bench = on_bench(file, play)
        fills = [(e.body["lots"], e.body["price"]) for e in bench.events("fill")]
        book = bench.desk.book
        figures.append((fills, book.desk, [sleeve.ledger for sleeve in book.sleeves], book.recent_r))
        assert len(booked(bench)) == (4 if moved else 0)
    assert figures[0] == figures[1]
    assert figures[0][0]


def test_funding_that_cannot_be_read_for_an_hour_wakes_a_person_once(path: Path) -> None:
    """Executions are read all the while, so that nothing else would say it; flat, nothing is owed."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        bench.venue.script["bills"] = ["silent"] * 100_000
        await bench.after(5_400)
        assert not bench.pages
        await bench.entered()
        await bench.after(7_200)
        assert [page for page in bench.pages if "funding could not be read" in page] == bench.pages
        assert len(bench.pages) == 1

    on_bench(path, play)

"""Paper and account differ in who answers: one tape, an account that fills what the paper venue fills, the same intents."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.core.orders import DONE, REJECTED, VenueOrder
from engine.l2.checks import OpenTape
from engine.making import outside
from engine.making.at_account import AccountMaker
from engine.making.fold import folded
from engine.making.guardrails import HALTS
from engine.making.loop import OPEN_END
from engine.making.paper import PaperJournal
from engine.making.resting import CASH, FEES, HALT, INVENTORY
from engine.making.simulation import begun, loop_of
from engine.store.journal import read, verify
from engine.venues.live_port import VenueTrade
from tests.engine.making.test_simulation import busy_market
from tests.fakes.maker_markets import SECOND
from tests.fakes.paper_makers import FEE, events_of, on_paper, terms_for

MS = 1_000_000
OPTIONS: dict[str, Any] = {"inventory": 0.02, "toxic_flow": 3.0, "pace_ms": 0}
Word = tuple[int, str, dict[str, Any]]  # when it is known, kind, body


class Asked:
    """Requests as they were handed over."""

    def __init__(self) -> None:
        self.placed: list[VenueOrder] = []
        self.cancelled: list[str] = []

    def place(self, order: VenueOrder) -> None:
        """As Requests."""
        self.placed.append(order)

    def cancel(self, id_: str) -> None:
        """As Requests."""
        self.cancelled.append(id_)


def maker_on(opened: OpenTape, path: Path, latch: Any = lambda: "", **options: Any) -> tuple[AccountMaker, Asked]:
    """A maker at an account over a made tape."""
    assert opened.trades is not None
    work = begun(opened.tape, opened.trades, outside.at_account(terms_for(opened, **options)))
    work.at[OPEN_END] = 1
    journal = PaperJournal(path, "test", lambda: 1, again=False)
    start = {"t_ns": int(opened.tape.recv_ns[0]), "scale": list(opened.tape.scale), "code": "m4k3"}
    journal.write([("start", start)], sync=False)
    asked = Asked()
    return AccountMaker(work, opened.tape.scale, journal, loop_of(compiled=False), latch, asked), asked


def words_of(path: Path, response_ms: int = 10) -> Iterator[Word]:
    """What the paper venue said, at the times at which the paper maker knew."""
    for kind, body in events_of(path, "order", "fill"):
        if kind == "fill" or body["state"] in (DONE, REJECTED):
            yield body["t_ns"] + response_ms * MS, kind, body
        elif body["state"] == "working":
            yield body["t_ns"], kind, body


def trade_of(body: dict[str, Any], id_: str, fee: float | None = None, **more: Any) -> VenueTrade:
    """A fill as a venue lists it."""
    side = 1 if body["side"] == "buy" else -1
    billed = body["fee"] if fee is None else fee
    core = (side, body["lots"], body["price"], billed, True, body["t_ns"] // MS)
    return VenueTrade(body["trade"], "v1", id_, *core, **more)


def renamed(id_: str) -> str:
    """A paper maker's order as the account's maker calls it."""
    return f"ndm4k3{id_[6:]}"


def say(maker: AccountMaker, word: Word) -> None:
    """Hand one word of the venue in."""
    now_ns, kind, body = word
    id_ = renamed(body["order"])
    if kind == "fill":
        assert maker.filled(trade_of(body, id_), now_ns) == ""
    elif body["state"] == "working":
        maker.stands(id_, now_ns)
    else:
        maker.over(id_, body["state"], body["why"], now_ns)


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_an_account_that_fills_what_paper_fills_gets_the_same_intents(tmp_path: Path, seed: int) -> None:
    """Each intent and each cancel at its nanosecond, side, price and size; the same inventory and ledger at the end."""
    opened = busy_market(tmp_path, seed=seed)
    paper, account = tmp_path / "paper.jsonl", tmp_path / "account.jsonl"
    run, _ = on_paper(opened, paper, **OPTIONS)
    maker, asked = maker_on(opened, account, **OPTIONS)
    last = int(opened.tape.recv_ns[-1])
    for word in sorted(words_of(paper), key=lambda word: word[0]):
        if word[0] < last:
            say(maker, word)
    maker.advance(last)

    def intents(path: Path) -> list[dict[str, Any]]:
        return [{**body, "order": body["order"][6:]} for _, body in events_of(path, "intent")]

    def cancels(path: Path) -> list[tuple[int, str]]:
        return [(b["t_ns"], b["order"][6:]) for _, b in events_of(path, "order") if b["state"] == "cancelling"]

    assert len(intents(paper)) > 15
    assert len(run.fills) > 5
    assert intents(account) == intents(paper)
    assert [c for c in cancels(paper) if c in cancels(account)] == cancels(paper)
    assert [order.id for order in asked.placed] == [renamed(b["order"]) for _, b in events_of(paper, "intent")]
    assert maker.journal.book == folded(read(account))
    known = [body for t, kind, body in words_of(paper) if kind == "fill" and t < last]
    assert maker.journal.book.fills == len(known)
    assert maker.work.maker.tally[INVENTORY] == maker.journal.book.inventory
    assert verify(account).ok


def resting(tmp_path: Path, **options: Any) -> tuple[AccountMaker, Asked, int]:
    """A maker whose two orders stand, and the time."""
    opened = busy_market(tmp_path)
    maker, asked = maker_on(opened, tmp_path / "making.jsonl", **{**OPTIONS, "toxic_flow": 0.0, **options})
    now = int(opened.tape.recv_ns[0])
    while len(asked.placed) < 2:
        now += 10 * MS
        maker.advance(now)
    for order in asked.placed:
        maker.stands(order.id, now)
    return maker, asked, now


def bought(order: VenueOrder, trade: str, lots: int, **more: Any) -> VenueTrade:
    """An execution of an order at its price."""
    return VenueTrade(trade, "v1", order.id, order.side, lots, order.price, more.pop("fee", 0.1), True, 5, **more)


def test_a_part_is_booked_at_what_the_venue_charges_and_once(tmp_path: Path) -> None:
    """Fee and price are the venue's, in ledger and guardrail; the same execution again is nothing."""
    maker, asked, now = resting(tmp_path)
    buy = next(order for order in asked.placed if order.side > 0)
    for _ in range(3):
        assert maker.filled(bought(buy, "a", 3, fee=0.125), now) == ""
    assert maker.filled(bought(buy, "b", 4, fee=-0.5), now + MS) == ""
    book = maker.journal.book
    assert (book.inventory, book.fills) == (7, 2)
    assert book.sleeve.ledger.fees == pytest.approx(-0.375, abs=1e-12)
    assert maker.work.maker.rates[FEES] == pytest.approx(-0.375, abs=1e-12)
    assert (maker.work.maker.tally[INVENTORY], maker.work.maker.tally[CASH]) == (book.inventory, book.cash_units)
    order = maker.order(buy.id)
    assert order is not None
    assert (order.filled, order.left, order.state) == (7, 3, "partial")


def test_more_than_was_left_is_booked_and_said(tmp_path: Path) -> None:
    """The account holds it, whatever the order had left: inventory is the venue's, and the caller hears what is wrong."""
    maker, asked, now = resting(tmp_path)
    buy = next(order for order in asked.placed if order.side > 0)
    assert maker.filled(bought(buy, "a", 6), now) == ""
    assert "more than it had left" in maker.filled(bought(buy, "b", 6), now)
    assert (maker.journal.book.inventory, maker.work.maker.tally[INVENTORY]) == (12, 12)
    maker.over(buy.id, DONE, "filled", now)
    assert maker._side_of(buy.id) is None
    assert maker.filled(bought(buy, "c", 1), now) != ""
    assert "liquidation" in maker.filled(bought(buy, "d", 5, forced="liquidation")._replace(order="", side=-1), now)
    assert (maker.journal.book.inventory, maker.work.maker.tally[INVENTORY]) == (8, 8)
    assert maker.journal.book == folded(read(tmp_path / "making.jsonl"))


def test_the_latch_is_read_again_once_the_intent_is_on_the_disk(tmp_path: Path) -> None:
    """Set while the intent is being written: it never leaves, and the journal says that it did not."""
    opened, readings = busy_market(tmp_path), []

    def latch() -> str:
        readings.append(1)
        kinds = [kind for kind, _ in events_of(tmp_path / "making.jsonl")]
        return "halted by ann" if "intent" in kinds else ""

    maker, asked = maker_on(opened, tmp_path / "making.jsonl", latch, **OPTIONS)
    maker.advance(int(opened.tape.recv_ns[0]) + SECOND)
    assert not asked.placed
    assert HALTS[int(maker.work.maker.tally[HALT])] == "latch"
    kinds = [(kind, body.get("state")) for kind, body in events_of(tmp_path / "making.jsonl")][1:]
    assert kinds[0] == ("intent", None)
    assert ("sent", None) not in kinds
    assert ("halt", None) in kinds
    assert not maker.journal.book.orders.open
    assert maker.journal.book == folded(read(tmp_path / "making.jsonl"))


def test_a_stop_by_the_venue_pulls_both_and_nothing_follows(tmp_path: Path) -> None:
    """Each order is asked to be cancelled once; the halt has rule and reason."""
    maker, asked, now = resting(tmp_path)
    maker.stop("a stranger's order", now)
    assert sorted(asked.cancelled) == sorted(order.id for order in asked.placed)
    ((_, halted),) = events_of(tmp_path / "making.jsonl", "halt")
    assert (halted["rule"], halted["reason"]) == ("venue", "a stranger's order")
    count = len(asked.placed)
    for order in asked.placed:
        maker.over(order.id, DONE, "cancelled", now + MS)
    maker.advance(now + 20 * SECOND)
    assert len(asked.placed) == count
    out = maker.leaves(maker.journal.book.inventory or 3, now + 20 * SECOND)
    assert (out.side, out.lots, out.price, out.id[:6], out.id[-3:]) == (-1, 3, 0.0, "ndm4k3", "X00")
    assert maker.filled(bought(out, "x", 3)._replace(price=3000.0), now + 21 * SECOND) == ""
    assert maker.journal.book.inventory == -3
    assert FEE > 0

"""Which settlements a maker is due: recorded ones within a tape, and a venue's own as they happen, each once."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from app.making.bills import MakerBills
from app.making.funding import LiveFunding, lots_at, settlements_in
from engine.control.desk_setup import DeskSetup, desk_setup
from engine.errors import BadInput, DataError
from engine.making.fold import folded
from engine.making.funding import HOUR_NS, Settlement
from engine.making.paper import PaperJournal, PaperMaker
from engine.making.resting import FEES, MIDDLE2
from engine.making.simulation import begun, loop_of
from engine.making.stored import JOURNAL
from engine.store.journal import read
from engine.venues.live_port import VenueBill
from tests.engine.making.test_simulation import busy_market
from tests.fakes.maker_markets import SECOND
from tests.fakes.paper_makers import terms_for

EIGHT_MS = 1_700_006_400_000  # 2023-11-15 00:00 UTC
NAME = "binance_BTC-USDT_perp"


def tape_of(begin_s: float, end_s: float, market: str = "perp") -> Any:
    """As much of a tape as is read: seconds around a settlement."""
    times = [EIGHT_MS * 1_000_000 + int(s * 1e9) for s in (begin_s, end_s)]
    return SimpleNamespace(venue="binance", symbol="BTC-USDT", market=market, recv_ns=times)


@pytest.fixture
def setup(tmp_path: Path) -> DeskSetup:
    """Recorded settlements of two days, and a mark at one of them."""
    data = tmp_path / "data"
    data.mkdir()
    eight = 8 * 3_600_000
    ts = [EIGHT_MS + k * eight for k in range(-3, 4)]
    pl.DataFrame({"ts": ts, "rate": [1e-4 * (k + 1) for k in range(7)]}).write_parquet(data / f"{NAME}_funding.parquet")
    price = {name: [60_000.0] for name in ("open", "high", "low", "close")}
    pl.DataFrame({"ts": [EIGHT_MS], **price}).write_parquet(data / f"{NAME}_mark_1h.parquet")
    return desk_setup(tmp_path / "home", {"NIGHTDESK_DATA": str(data)})


def test_a_tape_is_due_what_was_settled_within_it(setup: DeskSetup) -> None:
    """The recorded rate at the recorded mark; nothing between two, on spot, or with none; an assumed rate at the same times."""
    at = EIGHT_MS * 1_000_000
    assert settlements_in(tape_of(-60, 60), "recorded", setup) == (Settlement(at, pytest.approx(4e-4), 60_000.0),)
    assert settlements_in(tape_of(-60, 8 * 3600 + 1), "recorded", setup)[1].mark == 0.0
    assert settlements_in(tape_of(1, 600), "recorded", setup) == ()
    assert settlements_in(tape_of(-60, 60, "spot"), "recorded", setup) == ()
    assert settlements_in(tape_of(-60, 60), "none", setup) == ()
    assert settlements_in(tape_of(-60, 60), "assume=2", setup) == (Settlement(at, pytest.approx(2e-4), 60_000.0),)
    with pytest.raises(BadInput, match="unknown funding"):
        settlements_in(tape_of(-60, 60), "free", setup)


def test_a_settlement_that_is_not_recorded_refuses(setup: DeskSetup, tmp_path: Path) -> None:
    """It is not guessed; a tape between two needs none."""
    with pytest.raises(DataError, match="no funding rates"):
        settlements_in(tape_of(10 * 86_400 - 60, 10 * 86_400 + 60), "recorded", setup)
    bare = desk_setup(tmp_path / "other", {})
    with pytest.raises(DataError, match="no funding rates"):
        settlements_in(tape_of(-60, 60), "recorded", bare)
    assert settlements_in(tape_of(60, 120), "recorded", bare) == ()


def test_at_a_live_book_the_venues_own_rate_is_booked_once(tmp_path: Path) -> None:
    """On what was held at that time, at the middle of then; what the venue does not say is asked again; a start goes on."""
    opened = busy_market(tmp_path)
    assert opened.trades is not None
    path = tmp_path / JOURNAL
    journal = PaperJournal(path, "test", lambda: 1, again=False)
    begin, last = int(opened.tape.recv_ns[0]), int(opened.tape.recv_ns[-1])
    hour = (begin // HOUR_NS + 1) * HOUR_NS
    shift = hour - (begin + 20 * SECOND)
    opened.tape.recv_ns[:] += shift
    opened.trades.recv_ns[:] += shift
    work = begun(opened.tape, opened.trades, terms_for(opened, inventory=0.02, pace_ms=0))
    journal.write([("start", {"t_ns": begin + shift, "scale": list(opened.tape.scale)})], sync=False)
    maker = PaperMaker(work, opened.tape.scale, journal, loop_of(compiled=False), lambda: "")
    now, answers = [begin + shift], [DataError("silent"), {hour // 1_000_000: 0.01}, {hour // 1_000_000: 0.01}]

    async def settlements(_name: str, since_ms: int) -> dict[int, float]:
        assert since_ms > (begin + shift) // 1_000_000
        answer = answers.pop(0)
        if isinstance(answer, DataError):
            raise answer
        return answer

    funding = LiveFunding(SimpleNamespace(settlements=settlements), "X", tmp_path, lambda: now[0])  # type: ignore[arg-type]
    for at in range(begin + shift, last + shift, 3 * SECOND):
        now[0] = at
        funding.advance(maker, at)
    now[0] = last + shift
    with pytest.raises(DataError, match="silent"):
        asyncio.run(funding.look(maker))
    fees = float(work.maker.rates[FEES])
    asyncio.run(funding.look(maker))
    asyncio.run(funding.look(maker))
    (event,) = read(path, {"funding"})
    lots = lots_at(tmp_path, hour)
    assert lots != 0
    assert event.body["lots"] == lots
    assert event.body["cash"] == pytest.approx(-lots * 10.0**-opened.tape.scale.lot_digits * event.body["mark"] * 0.01)
    assert event.body["mark"] != float(opened.tape.scale.price(int(work.maker.tally[MIDDLE2]) / 2.0))
    assert folded(read(path)).sleeve.ledger.funding == event.body["cash"] == pytest.approx(fees - work.maker.rates[FEES])
    journal.close()


def test_bills_that_cannot_be_read_end_no_maker_and_are_read_again(tmp_path: Path) -> None:
    """Whatever the venue sends; then each once, also one that is listed late; one of before the maker began is not its own."""
    journal, asked = PaperJournal(tmp_path / JOURNAL, "test", lambda: 1, again=False), list[int]()
    begun_ms, day_ms = 1_700_000_000_000, 86_400_000
    journal.write([("start", {"t_ns": begun_ms * 1_000_000, "scale": [1, 3, 1]})], sync=False)
    late, last = VenueBill("b1", -1.0, begun_ms + day_ms), VenueBill("b2", 0.25, begun_ms + day_ms + 28_800_000)
    answers: list[Any] = [ValueError("<html>"), [VenueBill("b0", 9.0, begun_ms - 1), last], [late, last]]

    async def bills(since_ms: int) -> list[VenueBill]:
        asked.append(since_ms)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return list(answer)

    found = MakerBills(SimpleNamespace(bills=bills), journal, lambda: last.t_ms * 1_000_000)  # type: ignore[arg-type]
    assert [asyncio.run(found.look()) for _ in range(3)] == [False, True, True]
    assert asked[:2] == [begun_ms, begun_ms]
    assert late.t_ms >= asked[2] > begun_ms
    assert [event.body["bill"] for event in read(tmp_path / JOURNAL, {"funding"})] == ["b2", "b1"]
    assert journal.book.sleeve.ledger.funding == -0.75
    journal.close()

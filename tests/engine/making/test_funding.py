"""Funding of a maker: by hand, the same on paper to the bit whatever kills it, in the guardrails, and once."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from engine.errors import DataError
from engine.l2.checks import OpenTape
from engine.making.fold import folded
from engine.making.funding import Funded, Settlement, due_within
from engine.making.guardrails import H_LOSS
from engine.making.paper import PaperJournal, PaperMaker, funding_said
from engine.making.report import MakerFees, report_of
from engine.making.resting import F_LOTS, F_SIDE, F_WHEN, HALT
from engine.making.simulation import MakingRun, begun, finished, loop_of, simulate
from engine.store.journal import read
from tests.engine.making.test_paper import BUSY, same_run
from tests.engine.making.test_simulation import busy_market
from tests.fakes.maker_markets import SECOND
from tests.fakes.paper_makers import FEE, DyingJournal, Killed, terms_for

MARK, RATE = 3_000.0, 0.01


@pytest.fixture
def opened(tmp_path: Path) -> OpenTape:
    """A tape with fills."""
    return busy_market(tmp_path)


def due_on(opened: OpenTape) -> list[Settlement]:
    """Three within the tape, the first before any fill."""
    begin, end = int(opened.tape.recv_ns[0]), int(opened.tape.recv_ns[-1])
    return [Settlement(begin, RATE, MARK), Settlement((begin + end) // 2, RATE, MARK), Settlement((begin + 3 * end) // 4, -RATE)]


def ran(opened: OpenTape, due: Sequence[Settlement] = (), **options: float) -> MakingRun:
    """The simulation."""
    assert opened.trades is not None
    return simulate(opened.tape, opened.trades, terms_for(opened, **{**BUSY, **options}), due, compiled=False)


def journaled(opened: OpenTape, path: Path, dies_at: int = 0) -> MakingRun:
    """The maker on paper. Raises Killed where it is to die."""
    assert opened.trades is not None
    journal = DyingJournal(path, "test", lambda: 1, again=True)
    journal.dies_at = dies_at
    work = begun(opened.tape, opened.trades, terms_for(opened, **BUSY))
    try:
        journal.write([("start", {"t_ns": int(opened.tape.recv_ns[0]), "scale": list(opened.tape.scale)})], sync=False)
        maker = PaperMaker(work, opened.tape.scale, journal, loop_of(compiled=False), lambda: "", due_on(opened))
        last = int(opened.tape.recv_ns[-1])
        for until in (*range(int(opened.tape.recv_ns[0]), last, 7 * SECOND), last):
            maker.advance(until)
        maker.end("over", maker.figures())
    finally:
        journal.close()
    return finished(work, maker.paid)


def by_hand(run: MakingRun, opened: OpenTape, one: Funded) -> float:
    """What is paid on what was filled up to a settlement's time: a long pays a positive rate."""
    lots = sum(row[F_SIDE] * row[F_LOTS] for row in run.fills.tolist() if row[F_WHEN] <= one.t_ns)
    return float(-lots * 10.0**-opened.tape.scale.lot_digits * one.mark * one.rate)


def test_a_settlement_is_paid_on_what_was_held_at_its_time(opened: OpenTape) -> None:
    """Nothing before a fill; the mark where one is recorded, else the middle; net is less by it, gross is not; no fill moves."""
    run, free = ran(opened, due_on(opened)), ran(opened)
    assert [one.cash for one in run.funding] == pytest.approx([by_hand(run, opened, one) for one in run.funding])
    assert [bool(one.lots) for one in run.funding] == [False, True, True]
    assert run.funding[1].mark == MARK
    assert run.funding[2].mark == pytest.approx(3_000.0, rel=0.01)
    assert run.fills.tobytes() == free.fills.tobytes()
    paid = sum(one.cash for one in run.funding)
    assert abs(paid) > 0.01
    with_it, without = (report_of(opened.tape, one, MakerFees(FEE, 5e-4, 0.0)) for one in (run, free))
    assert with_it["pnl"]["funding"] == pytest.approx(paid)
    assert with_it["pnl"]["net"] - without["pnl"]["net"] == pytest.approx(paid)
    assert with_it["pnl"]["gross"] == pytest.approx(without["pnl"]["gross"])
    assert sum(with_it["windows_net"]) - sum(without["windows_net"]) == pytest.approx(paid)


@pytest.mark.parametrize("kills", [4, pytest.param(9, marks=pytest.mark.long)])
def test_paper_pays_the_same_and_a_kill_costs_nothing(opened: OpenTape, tmp_path: Path, kills: int) -> None:
    """Whatever group of the journal is the last; each settlement is in it once."""
    run = ran(opened, due_on(opened))
    whole = journaled(opened, tmp_path / "whole.jsonl")
    assert same_run(whole, run)
    groups = sum(1 for _ in read(tmp_path / "whole.jsonl"))
    for dies_at in range(2, groups, max(1, groups // kills)):
        path = tmp_path / f"{dies_at}.jsonl"
        with suppress(Killed):  # there are fewer groups than events
            journaled(opened, path, dies_at)
        assert same_run(journaled(opened, path), run)
        assert [e.body for e in read(path)] == [e.body for e in read(tmp_path / "whole.jsonl")]
    book = folded(read(tmp_path / "whole.jsonl"))
    assert book.sleeve.ledger.funding == sum(one.cash for one in run.funding)
    assert len(book.bills) == 3


def test_the_guardrails_count_it(opened: OpenTape) -> None:
    """A settlement that costs more than the loss that is allowed halts the quoting."""
    run = ran(opened, due_on(opened))
    (_, dear, _) = run.funding
    rate = RATE * (1 if dear.cash < 0.0 else -1) * 1_000
    halted = ran(opened, [Settlement(dear.t_ns, rate, MARK)], loss_max=abs(dear.cash) * 500)
    assert halted.tally[HALT] == H_LOSS
    assert ran(opened, loss_max=abs(dear.cash) * 500).tally[HALT] == 0


def test_a_settlement_that_is_journaled_twice_is_no_journal(tmp_path: Path) -> None:
    """A changed journal is found."""
    journal = PaperJournal(tmp_path / "making.jsonl", "test", lambda: 1, again=False)
    said = funding_said("b1", 5, -1.0, 5_000_000)
    journal.write([("start", {"t_ns": 1, "scale": [1, 3, 1]}), said], sync=False)
    with pytest.raises(DataError, match="booked twice"):
        journal.write([said], sync=False)
    journal.close()


@pytest.mark.parametrize(("begin_h", "end_h", "hours", "due"), [(7.9, 8.0, 8, True), (8.1, 15.9, 8, False), (8.1, 9.5, 1, True)])
def test_whether_a_settlement_is_due_is_the_hour_s(begin_h: float, end_h: float, hours: int, due: bool) -> None:
    """Both ends count."""
    assert due_within(int(begin_h * 3600) * SECOND, int(end_h * 3600) * SECOND, hours) is due

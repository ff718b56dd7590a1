"""The maker's own guardrails: each halts the quoting for good, cancels what rests, and says which it was."""

from pathlib import Path

import numpy as np

from engine.making.guardrails import HALTS
from engine.making.resting import ENTRIES, HALT, HALTED_NS, L_CANCEL_SENT, L_OUTCOME, L_SENT, OUTCOMES
from engine.making.simulation import MakingRun
from tests.fakes.book_tapes import START_NS
from tests.fakes.maker_markets import SECOND, opened_market, ran, shifted


def halted(run: MakingRun, rule: str) -> float:
    """When it halted, seconds after the start; nothing was sent after, and every order has ended."""
    assert HALTS[run.tally[HALT]] == rule
    assert (run.orders[:, L_SENT] <= run.tally[HALTED_NS]).all()
    assert (run.orders[:, L_CANCEL_SENT] <= run.tally[HALTED_NS]).all()
    assert {OUTCOMES[k] for k in run.orders[:, L_OUTCOME]} <= {"filled", "cancelled", "rejected"}
    return round(int(run.tally[HALTED_NS] - START_NS) / SECOND, 6)


def test_inventory_beyond_its_guardrail_halts(tmp_path: Path) -> None:
    """The quoter may go to 0.05, the guardrail to 0.01: the second fill halts, once it is known."""
    trades = [(at, 2999.8, 0.001, True) for at in (1.05, 2.05, 3.05)]
    run = ran(opened_market(tmp_path, {}, trades), inventory=0.05, inventory_max=0.01)
    assert halted(run, "inventory_max") == 2.06
    assert len(run.fills) == 2


def test_a_loss_halts(tmp_path: Path) -> None:
    """Bought 0.01 at 2999.9; the market falls by 50: half a unit of loss passes 0.4, and not 0.6."""
    events = {15: shifted(-500)}
    opened = opened_market(tmp_path, events, [(1.05, 2999.8, 0.001, True)])
    assert halted(ran(opened, inventory=0.01, loss_max=0.4), "loss_max") == 1.5
    assert ran(opened, inventory=0.01, loss_max=0.6).tally[HALT] == 0


def test_fees_count_as_loss(tmp_path: Path) -> None:
    """A fee of 100 bps on 30 of notional is 0.3."""
    opened = opened_market(tmp_path, {}, [(1.05, 2999.8, 0.001, True)])
    assert halted(ran(opened, inventory=0.01, loss_max=0.25, fee_frac=0.01), "loss_max") == 1.06
    assert ran(opened, inventory=0.01, loss_max=0.25, fee_frac=0.001).tally[HALT] == 0


def test_a_quote_that_nobody_confirmed_halts(tmp_path: Path) -> None:
    """The feed goes silent and the quoter waits for 10 s until it calls that stale: the guardrail does not wait."""
    opened = opened_market(tmp_path, {}, [], alive=60)
    tape = opened.tape
    late = tape._replace(recv_ns=np.where(np.arange(60) >= 20, tape.recv_ns + 5 * SECOND, tape.recv_ns))
    run = ran(opened._replace(tape=late), stale_ms=10_000, quote_age_max_ms=2_000)
    assert halted(run, "quote_age_max") == 4.0


def test_a_cancel_that_never_arrives_halts(tmp_path: Path) -> None:
    """The market leaves, the cancel and its answer take 2 s: after 1.6 s the order is not under control."""
    opened = opened_market(tmp_path, {10: shifted(40)}, [])
    run = ran(opened, latency_ms=1_500, quote_age_max_ms=1_600, requote_bps=0.1, stale_ms=600_000, response_ms=500)
    assert halted(run, "quote_age_max") == 2.5


def test_too_many_requests_a_second_halt(tmp_path: Path) -> None:
    """The market jumps at each message: with room for 6 requests a second it halts before the seventh; with 40 it does not."""
    events = {n: shifted(15 if n % 2 else -15) for n in range(3, 50)}
    opened = opened_market(tmp_path, events, [])
    run = ran(opened, requote_bps=0.1, pace_ms=0, orders_second_max=6)
    halted(run, "orders_second_max")
    before = np.concatenate([run.orders[:, L_SENT], run.orders[:, L_CANCEL_SENT]])
    assert ((before > 0) & (before < run.tally[HALTED_NS])).sum() <= 6
    assert ran(opened, requote_bps=0.1, pace_ms=0, orders_second_max=40).tally[HALT] == 0


def test_a_pace_keeps_the_quoter_below_that_rate(tmp_path: Path) -> None:
    """A request a side each 500 ms at most: the same market, and no halt."""
    events = {n: shifted(15 if n % 2 else -15) for n in range(3, 50)}
    run = ran(opened_market(tmp_path, events, []), requote_bps=0.1, pace_ms=500, orders_second_max=6)
    assert run.tally[HALT] == 0
    assert run.tally[ENTRIES] > 2

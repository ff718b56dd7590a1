"""A maker on paper: each fill of the simulation to the bit, a kill costs nothing, the latch before a request."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.errors import DataError
from engine.l2.checks import OpenTape, open_tape
from engine.making.account import account_of
from engine.making.fold import folded, number_of, order_id
from engine.making.loop import HALT
from engine.making.resting import F_LOTS, F_NUMBER, F_PRICE, F_SIDE, F_WHEN, L_CANCEL_SENT, L_PRICE, L_SENT, MIDDLE2
from engine.making.simulation import MakingRun
from engine.store.chain import Event
from engine.store.journal import read, verify
from tests.engine.l2.test_book import recorded_tape
from tests.engine.making.test_simulation import busy_market
from tests.fakes.maker_markets import SECOND, opened_market, shifted
from tests.fakes.paper_makers import FEE, Killed, events_of, on_paper, simulated

BUSY: dict[str, Any] = {"inventory": 0.02, "toxic_flow": 3.0, "pace_ms": 0}


def same_run(one: MakingRun, other: MakingRun) -> bool:
    """Every fill, order, count and float."""
    return all(a.tobytes() == b.tobytes() for a, b in zip(one[2:6], other[2:6], strict=True)) and one.funding == other.funding


def check_journal(path: Path, run: MakingRun, opened: OpenTape) -> None:
    """The journal alone has every order and fill of a run, and its ledger to the bit."""
    scale, events = opened.tape.scale, events_of(path)
    fills = [
        (b["t_ns"], 1 if b["side"] == "buy" else -1, b["price_units"], b["lots"], number_of(b["order"]))
        for kind, b in events
        if kind == "fill"
    ]
    assert fills == [tuple(row[k] for k in (F_WHEN, F_SIDE, F_PRICE, F_LOTS, F_NUMBER)) for row in run.fills.tolist()]
    intents = [(b["t_ns"], b["price"]) for kind, b in events if kind == "intent"]
    assert intents == [(row[L_SENT], float(scale.price(row[L_PRICE]))) for row in run.orders.tolist()]
    cancels = sum(kind == "order" and b["state"] == "cancelling" for kind, b in events)
    assert cancels <= int((run.orders[:, L_CANCEL_SENT] > 0).sum())
    book = folded(read(path))
    last = account_of(run, scale, FEE, float(scale.price(int(run.tally[MIDDLE2]) / 2.0)))
    assert book.sleeve.position == last.position
    assert (book.sleeve.ledger.cash, book.sleeve.ledger.fees) == (last.ledger.cash, last.ledger.fees)
    assert book.ended["net"] == last.ledger.equity
    assert verify(path).ok


@pytest.mark.parametrize("slice_ns", [7_000_000, SECOND, 60 * SECOND])
def test_paper_is_the_simulation_whatever_the_slices(tmp_path: Path, slice_ns: int) -> None:
    """The same bits, and the journal has all of it."""
    opened = busy_market(tmp_path)
    run, _ = on_paper(opened, tmp_path / "making.jsonl", slice_ns=slice_ns, **BUSY)
    assert len(run.fills) > 5
    assert same_run(run, simulated(opened, **BUSY))
    check_journal(tmp_path / "making.jsonl", run, opened)


@pytest.mark.parametrize(("market", "half_spread"), [("perp", 0.0), ("perp", 1.0), ("spot", 1.0)])
def test_paper_is_the_simulation_as_recorded(tmp_path: Path, market_data: Path, market: str, half_spread: float) -> None:
    """Fill by fill, order by order, to the bit; compiled."""
    opened = open_tape(recorded_tape(market_data, market))
    options = {"half_spread_bps": half_spread, "compiled": True}
    run, _ = on_paper(opened, tmp_path / "making.jsonl", **options)
    assert len(run.fills) > 20
    assert same_run(run, simulated(opened, **options))
    check_journal(tmp_path / "making.jsonl", run, opened)


def test_an_intent_is_journaled_before_it_is_sent_and_a_fill_after(tmp_path: Path) -> None:
    """Each order: intent, sent, working, and at most its lots filled; nothing of an order before its intent."""
    path = tmp_path / "making.jsonl"
    on_paper(busy_market(tmp_path), path, **BUSY)
    seen: dict[str, list[str]] = {}
    for kind, body in events_of(path):
        if kind == "sent":
            for id_ in body["orders"]:
                seen[id_].append("sent")
        elif kind in ("intent", "order", "fill"):
            seen.setdefault(body["order"], []).append(body.get("state", kind))
    assert len(seen) > 20
    for life in seen.values():
        assert life[:2] == ["intent", "sent"]
        assert life.count("intent") == life.count("sent") == 1
        assert set(life) <= {"intent", "sent", "working", "fill", "cancelling", "done", "rejected"}
        assert "fill" not in life or life.index("working") < life.index("fill")


@pytest.mark.parametrize("every", [9, pytest.param(4, marks=pytest.mark.long)])
@pytest.mark.parametrize("after", [False, True])
def test_a_kill_at_any_group_costs_nothing(tmp_path: Path, after: bool, every: int) -> None:
    """Killed before or after a group was written, started again, and again: event by event as without a kill."""
    opened = busy_market(tmp_path, count=80)
    straight, path = tmp_path / "straight" / "making.jsonl", tmp_path / "killed" / "making.jsonl"
    _, whole = on_paper(opened, straight, **BUSY)
    expected = events_of(straight)
    assert whole.groups > 25
    for dies_at in range(1, whole.groups + 1, every):
        with pytest.raises(Killed):
            on_paper(opened, path, dies_at=dies_at, after=after, **BUSY)
        found = events_of(path)
        assert found == expected[: len(found)]
        assert folded(read(path)) == folded(list(read(straight))[: len(found)])
    on_paper(opened, path, **BUSY)
    assert events_of(path) == expected
    assert verify(path).ok


def test_a_restart_on_another_tape_is_refused(tmp_path: Path) -> None:
    """What the journal has must come again: another market gives other orders."""
    path = tmp_path / "making.jsonl"
    on_paper(busy_market(tmp_path, seed=5), path, **BUSY)
    (tmp_path / "other").mkdir()
    with pytest.raises(DataError, match="choose another --name"):
        on_paper(busy_market(tmp_path / "other", seed=6), path, **BUSY)


class Latch:
    """Open for so many readings, then set."""

    def __init__(self, readings: int) -> None:
        self.left = readings

    def __call__(self) -> str:
        """The reason once it is set."""
        self.left -= 1
        return "" if self.left >= 0 else "halted by ann"


def check_halted(path: Path, run: MakingRun) -> dict[str, Any]:
    """It halted by the latch: no request after it, what rested was cancelled; the halt's body."""
    ((_, body),) = events_of(path, "halt")
    assert (body["rule"], body["reason"]) == ("latch", "halted by ann")
    assert all(b["t_ns"] < body["t_ns"] for _, b in events_of(path, "intent"))
    assert {order.state for order in folded(read(path)).orders.open.values()} == set()
    assert run.tally[HALT] != 0
    found: dict[str, Any] = dict(body)
    return found


@pytest.mark.parametrize("readings", [0, 2, 3, 9])
def test_the_latch_is_read_before_each_request(tmp_path: Path, readings: int) -> None:
    """Set between two decisions: the next order is withheld, never sent, and everything is cancelled; also after a restart."""
    opened, path = busy_market(tmp_path), tmp_path / "making.jsonl"
    run, _ = on_paper(opened, path, latch=Latch(readings), slice_ns=600 * SECOND, **BUSY)
    body = check_halted(path, run)
    assert body["withheld"]
    assert not set(body["withheld"]) & {b["order"] for _, b in events_of(path, "intent")}
    expected = events_of(path)
    if readings:
        again = tmp_path / "again.jsonl"
        with pytest.raises(Killed):
            on_paper(opened, again, latch=Latch(readings), slice_ns=600 * SECOND, dies_at=3, after=True, **BUSY)
        assert events_of(again) == expected[: len(events_of(again))]
    on_paper(opened, path, latch=lambda: "", slice_ns=600 * SECOND, **BUSY)  # released since: it was halted then all the same
    assert events_of(path) == expected


def test_a_latch_that_is_set_while_nothing_is_asked_pulls_what_rests(tmp_path: Path) -> None:
    """At the next look, although no order was due; a restart in other slices comes to the same."""
    opened, path = opened_market(tmp_path, {}, []), tmp_path / "making.jsonl"
    run, _ = on_paper(opened, path, latch=Latch(3), slice_ns=SECOND)
    body = check_halted(path, run)
    assert body["withheld"] == []
    assert set(run.orders[:, L_CANCEL_SENT].tolist()) == {body["t_ns"]}
    expected = events_of(path)
    on_paper(opened, path, slice_ns=300_000_000)
    assert events_of(path) == expected


def test_its_own_guardrail_halts_as_in_the_simulation(tmp_path: Path) -> None:
    """A loss: the same rule at the same time, journaled."""
    opened = opened_market(tmp_path, {15: shifted(-500)}, [(1.05, 2999.8, 0.001, True)])
    options = {"inventory": 0.01, "loss_max": 0.4}
    run, _ = on_paper(opened, tmp_path / "making.jsonl", **options)
    assert same_run(run, simulated(opened, **options))
    ((_, body),) = events_of(tmp_path / "making.jsonl", "halt")
    assert body["rule"] == "loss_max"


def test_a_changed_journal_is_not_folded(tmp_path: Path) -> None:
    """A fill of more than its order has left, a second start, an unknown kind: one line each."""
    path = tmp_path / "making.jsonl"
    on_paper(busy_market(tmp_path, count=100), path, **BUSY)
    events = list(read(path))
    at = next(n for n, event in enumerate(events) if event.kind == "fill")
    body = json.loads(json.dumps(events[at].body)) | {"lots": 10_000}
    for wrong in (events[at]._replace(body=body), events[0], Event("bar", 0, {"t_ns": 0})):
        with pytest.raises(DataError):
            folded([*events[:at], wrong])
    with pytest.raises(DataError, match="not a maker's order"):
        number_of("ndabcd00000001S00")
    assert number_of(order_id(17)) == 17

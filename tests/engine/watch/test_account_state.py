"""An account as its journal has it: what is not well and since when, how long requests took, what a halt has done."""

import os
from pathlib import Path
from typing import Any

from engine.store.chain import Event
from engine.store.journal import Journal
from engine.watch import account_state
from engine.watch.account_state import first_causes, gate_seen, halt_steps, latencies, shut_row, spells
from engine.watch.heartbeat import began_ms
from engine.watch.order_lives import lives_of

T = 1_700_000_000_000
CID, STOP = "ndbtct00000001E00", "ndbtct00000001S00"


def health(what: str, state: str, ms: int) -> Event:
    """A health event."""
    return Event("health", T, {"what": what, "state": state, "why": "because"}, t_recv_ms=T + ms)


def journaled(tmp_path: Path, *events: Event) -> Path:
    """A journal of them."""
    tmp_path.mkdir(exist_ok=True)
    path = tmp_path / "desk.jsonl"
    journal = Journal(path, "test")
    journal.append(list(events))
    journal.close()
    return path


def test_what_is_not_well_leads_and_what_was_says_how_long(tmp_path: Path) -> None:
    """Begun twice counts from the first word after its end; an end without a begin is nothing."""
    found = [health("gate", "begun", 1_000), health("stream okx", "begun", 2_000), health("gate", "over", 5_000)]
    path = journaled(tmp_path, *found, health("gate", "begun", 9_000), health("clock", "over", 9_500))
    assert [(s.what, s.since_ms - T, s.over_ms and s.over_ms - T) for s in spells(path)] == [
        ("gate", 9_000, None),
        ("stream okx", 2_000, None),
        ("gate", 1_000, 5_000),
    ]


def test_what_a_person_let_be_is_over(tmp_path: Path) -> None:
    """Refusals, settings, a clock: the adoption ends them, and no word of the worker. One not taken ends none."""
    taken = [
        Event("adopt", T, {"difference": what, "adopted": done}, t_recv_ms=T + 4_000)
        for what, done in (("refusals of a", True), ("clock", False))
    ]
    path = journaled(tmp_path, health("refusals of a", "begun", 1_000), health("clock", "begun", 2_000), *taken)
    assert [(s.what, s.over_ms and s.over_ms - T) for s in spells(path)] == [("clock", None), ("refusals of a", 4_000)]


def test_what_began_long_ago_and_lasts_is_still_found(tmp_path: Path, monkeypatch: Any) -> None:
    """The end of a journal alone is read, and the mark says what lasts."""
    mark = Event("mark", T, {"blocked": {"gate": "shut"}, "sleeves": {}}, t_recv_ms=T)
    path = journaled(tmp_path, health("gate", "begun", 1_000), *(health("x", "over", 2_000) for _ in range(5)), mark)
    monkeypatch.setattr(account_state, "LOOKED_AT", 2)
    assert [(s.what, s.since_ms - T) for s in spells(path)] == [("gate", 1_000)]


def test_an_instrument_that_is_off_for_long_is_still_not_well(tmp_path: Path, monkeypatch: Any) -> None:
    """It keeps entries off for its own sleeves alone, so the mark has it apart from what keeps them off for all."""
    mark = Event("mark", T, {"off": {"okx:X": "the venue lists it as suspend"}, "sleeves": {}}, t_recv_ms=T)
    path = journaled(tmp_path, health("not traded: okx:X", "begun", 1_000), *(health("x", "over", 2_000) for _ in range(5)), mark)
    monkeypatch.setattr(account_state, "LOOKED_AT", 2)
    assert [(s.what, s.since_ms - T) for s in spells(path)] == [("not traded: okx:X", 1_000)]


def test_what_follows_from_an_instrument_that_is_gone_is_left_out() -> None:
    """No bars, marks or executions of it; what waits for a person stays, and all of a suspended one."""
    gone = {"not traded: okx:X": "the venue does not list it", "reduced by the venue: okx:X": "its settlement"}
    others = {"data bar okx:Y": "no flag", "gate": "the desk was halted", "refusals of flips": "5 in a row"}
    assert first_causes(gone | others | {"data mark okx:X": "no", "venue of okx:X": "silent"}) == gone | others
    suspended = {"not traded: okx:X": "the venue lists it as suspend", "data mark okx:X": "no"}
    assert first_causes(suspended) == suspended


def test_the_row_that_keeps_the_gate_closed_is_of_the_worker_that_runs(tmp_path: Path) -> None:
    """What an earlier process was asked says nothing of this one; an open gate has no such row."""
    account = {"name": "account", "ok": False, "why": "withdrawal: it may withdraw; trading: no answer; fees: no answer"}
    rows = [{"name": "fold", "ok": True, "why": ""}, account, {"name": "code", "ok": None, "why": ""}]
    began = began_ms(os.getpid())
    assert began is not None

    def said(ms: int, *, is_open: bool = False) -> str:
        event = Event("gate", T, {"open": is_open, "rows": rows}, t_recv_ms=began + ms)
        return shut_row(journaled(tmp_path / f"{ms}{is_open}", event), os.getpid())

    assert said(1) == "account: withdrawal: it may withdraw (2 more)"
    assert said(1, is_open=True) == ""
    assert said(-1) == ""
    assert shut_row(journaled(tmp_path / "none"), None) == ""


def test_a_home_without_a_journal_has_neither_gate_nor_spell(tmp_path: Path) -> None:
    """A desk that has not begun."""
    assert gate_seen(tmp_path / "none.jsonl") is None
    assert spells(tmp_path / "none.jsonl") == []


def lived(cid: str, slot: str, *told: tuple[str, int], lots: int = 10) -> list[Event]:
    """Events of an order: (state, ms); `fill`: all of it at 100."""
    about = {"order": cid, "sleeve": "btc", "instrument": "i", "leg": 0, "key": 1, "slot": slot, "side": "sell", "type": "market"}
    events = [Event("intent", T, about | {"price": None, "lots": lots, "quantity": lots * 0.001}, t_recv_ms=T)]
    for state, ms in told:
        if state == "sent":
            events.append(Event("sent", T, {"orders": [cid]}, t_recv_ms=T + ms))
        elif state == "amending":
            body = {"order": cid, "price_before": 1.0, "price": 2.0, "lots": lots}
            events.append(Event("amend", T, body, t_recv_ms=T + ms))
        elif state == "fill":
            fill = {"order": cid, "trade": f"{cid}{ms}", "lots": lots // 2, "price": 100.0 + ms, "fee": 0.1, "liquidity": "taker"}
            events.append(Event("fill", T, fill | {"t_ms": T + ms - 40}, t_recv_ms=T + ms))
        else:
            events.append(Event("order", T, {"order": cid, "state": state, "filled_lots": 0}, t_recv_ms=T + ms))
    return events


def test_each_kind_of_request_is_timed_and_doubt_counts_until_it_ends() -> None:
    """Placed and moved by what the venue answers, an order in doubt by when it was found; executions by both clocks."""
    entry = lived(CID, "entry", ("sent", 0), ("UNKNOWN", 3_000), ("working", 9_000), ("fill", 9_500))
    stop = lived(
        STOP, "protective", ("sent", 10), ("working", 60), ("amending", 1_000), ("working", 1_070), ("cancelling", 5_000)
    )
    found = {one.what: one for one in latencies(lives_of([*entry, *stop]).values())}
    assert (found["placed"].count, found["placed"].worst_ms, found["placed"].slowest) == (2, 9_000, CID)
    assert (found["moved"].count, found["moved"].median_ms) == (1, 70)
    assert (found["executed"].median_ms, found["executed"].count) == (40, 1)
    assert "cancelled" not in found, "asked for and not answered yet"


def test_the_wait_before_an_order_is_sent_again_is_no_latency() -> None:
    """After a refusal the desk waits up to 8 s, with the next order down as sent; how long its cancellation took still counts."""
    first = lived("ndbtct00000001X00", "exit", ("sent", 0), ("rejected", 50))
    again = lived("ndbtct00000001X05", "exit", ("sent", 0), ("working", 8_000), ("cancelling", 8_100), ("done", 8_130))
    found = {one.what: one for one in latencies(lives_of([*first, *again]).values())}
    assert (found["placed"].count, found["placed"].worst_ms, found["cancelled"].worst_ms) == (1, 50, 30)


def test_a_halt_says_what_it_cancelled_and_what_it_closed_at_what_price() -> None:
    """Parts of one order are one line; what ended before the halt is not of it."""
    before = lived("ndbtct00000000E00", "entry", ("sent", 0), ("done", 50))
    entry = lived(CID, "entry", ("sent", 0), ("working", 50), ("cancelling", 1_000), ("done", 1_100))
    exit_ = lived("ndbtct00000001X00", "exit", ("sent", 1_010), ("fill", 1_200), ("fill", 1_300))
    steps = halt_steps(lives_of([*before, *entry, *exit_]).values(), T + 900)
    assert [(s.what, s.order, s.lots, s.price) for s in steps] == [
        ("cancelled", CID, 10, None),
        ("closed", "ndbtct00000001X00", 10, 1_350.0),
    ]
    assert steps[1].quantity == 0.01

"""What a desk's entries that were worked in slices have cost: each parent with its slices, from the journal.

Called by app/views/sleeve_page.py, app/views/event_story.py and the tools. Events become the rows of sim/execution.py, so a
parent of the desk is counted by the same code as one of a backtest; a slice that was refused is one that filled nothing, and its
order's last event says why.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from engine.amounts import price_text
from engine.core.state import ENTRY, SLOTS
from engine.sim.execution import costs_of, costs_text, parents_of
from engine.store.chain import Event
from engine.watch.window import between

ENTERS = "enter"
ENTRY_SLOT = SLOTS[ENTRY]
SHOWN = 20  # parents of one answer, the newest
DECIDED = {
    "n": pl.Int64,
    "sleeve": pl.String,
    "decided_ms": pl.Int64,
    "arrival": pl.Float64,
    "lots": pl.Int64,
    "slices": pl.Int64,
}
FILLED = {"n": pl.Int64, "sleeve": pl.String, "side": pl.Int64, "lots": pl.Int64, "price": pl.Float64}


def worked_entries(path: Path, sleeve: str, since_ms: int, until_ms: int) -> dict[str, Any] | None:
    """The parents in a desk's journal that a sleeve decided after `since_ms`, as far as they had come by `until_ms` (desk time,
    UTC ms): figures over all as in a run's report, the newest SHOWN one by one with their slices, `text`; None where it worked
    none.
    """
    events = [
        e
        for e in between(path, since_ms, until_ms, {"decision", "intent", "order", "fill"})
        if e.body.get("sleeve") == sleeve and (e.kind == "decision" or e.body.get("slot") == ENTRY_SLOT)
    ]
    children = {e.body["order"]: e for e in events if e.kind == "intent" and "slice" in e.body}
    if not children:
        return None
    worked = {e.body["decided_ms"]: e.body for e in children.values()}
    decided = [e for e in events if e.kind == "decision" and e.body["action"] == ENTERS and e.t_event_ms in worked]
    filled = [e for e in events if e.kind == "fill" and e.body.get("order") in children and e.body.get("booked") is not False]
    table = parents_of(_decided(decided, worked), _filled(filled))
    sizes = [e.body["quantity"] / e.body["lots"] for e in children.values()]
    found = costs_of(table, {sleeve: sizes[-1]})
    slices = {ms: _slices(ms, children, events) for ms in table["decided_ms"].to_list()[-SHOWN:]}
    orders = [{**row, "slices": slices[row["decided_ms"]]} for row in table.tail(SHOWN).to_dicts()][::-1]
    return {**found, "orders": orders, "text": f"entries worked in slices: {costs_text(found)}"}


def parent_of(path: Path, event: Event) -> dict[str, Any] | None:
    """The parent of which an entry's fill or order is a part, as far as it had come by then; None for a whole one."""
    decided_ms, sleeve = event.body.get("decided_ms"), event.body.get("sleeve")
    if event.body.get("slot") != ENTRY_SLOT or decided_ms is None or sleeve is None:
        return None
    found = worked_entries(path, sleeve, decided_ms - 1, event.t_event_ms)
    return next((row for row in found["orders"] if row["decided_ms"] == decided_ms), None) if found else None


def parent_text(row: Mapping[str, Any]) -> str:
    """A parent in one line: `parent of 6 slices: 3 done, 1,200 of 2,400 lots at 101.5 against 101.2 at arrival, +29.64 bps`."""
    slices = row["slices_done"] + row["slices_refused"]
    lots = f"{row['lots_filled']:,} of {row['lots']:,} lots at {price_text(row['average'])}"
    cost = f"against {price_text(row['arrival'])} at arrival, {row['cost_bps']:+.2f} bps"
    return f"parent of {slices} slices: {row['slices_done']} done, {lots} {cost}"


def _decided(events: Sequence[Event], worked: Mapping[int, Mapping[str, Any]]) -> pl.DataFrame:
    """Decisions as parents_of reads them."""
    rows = [
        (e.seq, e.body["sleeve"], e.t_event_ms, e.body["price"], e.body["size"]["approved_lots"], worked[e.t_event_ms]["slices"])
        for e in events
    ]
    return pl.DataFrame(rows, DECIDED, orient="row")


def _filled(events: Sequence[Event]) -> pl.DataFrame:
    """Fills as parents_of reads them."""
    rows = [(e.seq, e.body["sleeve"], 1 if e.body["side"] == "buy" else -1, e.body["lots"], e.body["price"]) for e in events]
    return pl.DataFrame(rows, FILLED, orient="row")


def _slices(decided_ms: int, children: Mapping[str, Event], events: Sequence[Event]) -> list[dict[str, Any]]:
    """The children of one parent: number, order, when it was sent, lots asked and filled, and why nothing more filled."""
    mine = {id_: e for id_, e in children.items() if e.body["decided_ms"] == decided_ms}
    lots, why = dict.fromkeys(mine, 0), dict.fromkeys(mine, "")
    for event in events:
        id_ = event.body.get("order")
        if id_ in mine and event.kind == "fill" and event.body.get("booked") is not False:
            lots[id_] += event.body["lots"]
        elif id_ in mine and event.kind == "order" and event.body.get("why"):
            why[id_] = str(event.body["why"])
    return [
        {
            "slice": e.body["slice"],
            "of": e.body["slices"],
            "order": id_,
            "sent_ms": e.t_event_ms,
            "lots": e.body["lots"],
            "filled_lots": lots[id_],
            "why": why[id_],
        }
        for id_, e in mine.items()
    ]

"""The parts of a figure that the turn above showed: `split it`, `what is left without them`, `slippage on those`. Called by
above_kinds.py.

Cells keep their receipts; `calc` makes each sum.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from agents.offline.drafts import reckoned, result_text
from agents.offline.read_back import PlannedCall
from agents.offline.steps import CallResult, Plan, PlannedAnswer, PlanOf, Question
from agents.offline.tables import ranks
from agents.offline.talk import tables_above
from agents.offline.turn_above import ANY, Kinds, ShortSentence, of_above, short
from agents.offline.words import LISTS, says

KINDS = Kinds()
_EVENTS_MAX = 10
ROWS_SUMMED = 8  # an expression of calc is bounded


@KINDS(most=11, of=ANY, table=True)
def without_costs(heard: ShortSentence) -> Any:
    """`what is left without them`: of a P&L or a run what its costs took, added back by `calc`."""
    last, above, said = heard.last, heard.above, heard.found[0]
    of_costs = any(says("above_figures.costs", text) for text in (said, above.question))
    if not (of_costs or "gross" in said or last.name == "attribution"):
        return None
    if last.name == "attribution":
        return _price_alone(heard)
    of_run = heard.table.columns[:2] == ("metric", "value")
    if last.args.get("by") or (ranks(above.question) and not of_run):  # of the one row that was named, and these are all
        return None
    fees_alone = "slippage" not in heard.text and re.search(r"\bfees?|commission", heard.text)
    costs = ("fees",) if fees_alone else ("fees", "slippage")
    refs = _net_and_costs(last, costs)
    return partial(_added_back, refs, " and ".join(costs)) if refs else None


def _price_alone(heard: ShortSentence) -> PlannedAnswer | None:
    """What the price made before slippage, fees and funding, from the table by source."""
    rows = heard.last.rows()
    if not {"price P&L", "change"} <= set(heard.table.columns):
        return None
    whole = next((row for row in rows if "whole desk" in row[heard.table.columns[0]]), rows[-1])
    lead = f"Without slippage, fees and funding {whole['price P&L']} is left, the price P&L; with them it was {whole['change']}."
    return PlannedAnswer(f"{lead}\n\n{result_text(heard.last)}", read_as="the answer above, its price P&L")


def _net_and_costs(last: CallResult, costs: Sequence[str]) -> list[str]:
    """References of a net result and of its costs, of a run or of a split of trips; none where a row of them is not kept."""
    assert last.table is not None  # noqa: S101 - asked before
    columns, rows, found = last.table.columns, last.rows(), list[str]()
    if columns[:2] == ("metric", "value"):
        cells = {row["metric"]: row["value"] for row in rows}
        found = [cells.get(name, "") for name in ("net_profit", *costs)]
    return [cell[1:-1] for cell in found if cell.startswith("{")] if all(found) else []


def _added_back(refs: Sequence[str], names: str, q: Question) -> Plan:  # noqa: ARG001 - a plan takes its question
    (value,) = yield from reckoned("+".join(refs))
    text = f"With {names} added back the net result is {value}. The trips stay the same: nothing was run again without costs."
    return PlannedAnswer(text, read_as=f"the answer above, {names} added back")


@KINDS(most=10, of=("journal_search",), ok=False, table=True)
def of_fills(heard: ShortSentence) -> Any:
    """`slippage on those`, of fills that were listed: each event's own, and their sum."""
    read, columns = heard.read, set(heard.table.columns)
    if not (of_above(read) or short(read, 3)) or not {"event", "kind"} <= columns or read.by:
        return None
    keys = next(keys for form, keys in LISTS["cost_of"].items() if re.search(rf"\b(?:{form})", read.text))
    kept = next(iter(tables_above(heard.above.past, heard.above.facts, heard.above.words)))
    events = [row["event"] for n, row in enumerate(heard.last.rows()) if row["kind"] == "fill" and n in kept.rows]
    if read.place is not None and -len(events) <= read.place < len(events):
        events = [events[read.place]]
    return partial(_summed, events[-_EVENTS_MAX:], keys, len(events)) if events else None


def costs_of(text: str, found: CallResult) -> PlanOf | None:
    """The sum of a cost over the fills of a list, of what a sentence asks for; None where it asks for none."""
    keys = next((keys for form, keys in LISTS["cost_of"].items() if re.search(rf"\b(?:{form})", text)), None)
    events = [row["event"] for row in found.rows() if row.get("kind") == "fill"]
    return None if keys is None or not events else partial(_summed, events[-_EVENTS_MAX:], keys, len(events))


def _summed(events: Sequence[str], keys: Sequence[str], listed: int, q: Question) -> Plan:  # noqa: ARG001 - a plan takes its question
    results = yield [PlannedCall("explain_event", {"event_id": event}) for event in events]
    cells = [{str(row[1]): str(row[2]) for row in r.table.rows} if r.table is not None else {} for r in results]
    refs = [cell[1:-1] for of in cells for key in keys if (cell := of.get(key, "")).startswith("{")]
    name = " and ".join(keys).replace("_", " ").replace("fee", "fees")
    if not refs:
        return PlannedAnswer(f"None of these events has {name}.", read_as=f"{name} of the events above")
    (value,) = yield from reckoned("+".join(refs))
    part = f" (the newest {len(events)} of {listed})" if listed > len(events) else ""
    figures = [", ".join(f"{key.replace('_', ' ')} {of.get(key, 'none')}" for key in keys) for of in cells]
    lines = "\n".join(f"- {event}: {text}" for event, text in zip(events, figures, strict=True))
    return PlannedAnswer(f"Together{part}, {name}: {value}.\n\n{lines}", read_as=f"{name} of the events above")

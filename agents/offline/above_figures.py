"""The parts of a figure that the turn above showed: `split it`, `what is left without them`, `slippage on those`. Called by
above_kinds.py.

Cells keep their receipts; `calc` makes each sum.
"""

import re
from collections.abc import Sequence

from agents.offline.carry import LEAD, Carried
from agents.offline.read_back import PlannedCall
from agents.offline.slots import Slots, words_of
from agents.offline.steps import CallResult, Plan, PlannedAnswer, PlanOf, Question, result_text
from agents.offline.tables import ranks
from agents.offline.turn_above import TurnAbove, of_above, short

_SPLIT = re.compile(
    LEAD + r"(?:me )?(?:split (?:it|that|this|them)(?: up)?|break (?:it|that|this|them) (?:down|up)|itemi[sz]e(?: it| that)?|"
    r"what (?:is|was) (?:it|that|this) made (?:up )?(?:of|from)|what does (?:it|that) consist of|(?:show |"
    r"give )?(?:me )?(?:the )?"
    r"(?:parts|break-?down|details|pieces|components|items)|in parts|which parts)(?: (?:please|up|for me|then|"
    r"of (?:it|that)))*[?.! ]*$"
)
_GROSS = re.compile(
    r"\b(?:before|without|excluding|ignoring|if not for|minus|less|free of|leaving out|take out|"
    r"taking out) (?:any of (?:it|that|them|this|those)|"
    r"(?:(?:all|the|these|those|any|trading|such) )*(?:costs?|fees?|commissions?|slippage)(?:,? (?:and|"
    r"or) (?:the )?(?:costs?|fees?|commissions?|slippage|funding))*|them|those|that|"
    r"it)(?=[?.! ]*$)|\bgross\b"
)
_COSTS = re.compile(r"\b(?:costs?|fees?|commissions?|slippage|funding|charges?)\b")


def parts_of_it(read: Slots, above: TurnAbove) -> Carried | None:
    """`split it`, `what is left without them`: the parts of a P&L, or of a run, that stand in the answer above."""
    last = above.last
    if last is None or last.status != "ok" or last.table is None or not short(read, 11):
        return None
    if _SPLIT.match(read.text) and last.name == "attribution":
        return PlannedAnswer(f"The parts, by source and sleeve:\n\n{result_text(last)}", read_as="the answer above, in its parts")
    if _SPLIT.match(read.text) and last.name in ("pnl", "trips") and last.args.get("by") != "exit":
        kept = {k: v for k, v in last.args.items() if k in ("subject", "sleeve", "side", "since", "until", "outcome")}
        return PlannedCall("trips", {**kept, "by": "exit" if kept.get("sleeve") or last.args.get("by") == "sleeve" else "sleeve"})
    found = _GROSS.search(read.text)
    if found is None or not (
        _COSTS.search(found[0]) or "gross" in found[0] or _COSTS.search(above.question) or last.name == "attribution"
    ):
        return None
    if last.name == "attribution":
        return _price_alone(last)
    if last.name == "pnl" and not last.args.get("sleeve") and above.older is not None and above.older.slots.span.start:
        span = above.older.slots.span
        return f"where did the p&l come from {words_of('span', span)}"
    if last.args.get("by") or ranks(above.question):  # of the one row that was named, and these are all
        return None
    refs = _net_and_costs(last, fees_alone="slippage" not in read.text and bool(re.search(r"\bfees?|commission", read.text)))
    return _added_back(refs) if refs else None


def _price_alone(last: CallResult) -> PlannedAnswer | None:
    """What the price made before slippage, fees and funding, from the table by source."""
    assert last.table is not None  # noqa: S101 - asked before
    if not {"price P&L", "change"} <= set(last.table.columns):
        return None
    price, change = last.table.columns.index("price P&L"), last.table.columns.index("change")
    whole = next((row for row in last.table.rows if "whole desk" in str(row[0])), last.table.rows[-1])
    lead = f"Without slippage, fees and funding {whole[price]} is left, the price P&L; with them it was {whole[change]}."
    return PlannedAnswer(f"{lead}\n\n{result_text(last)}", read_as="the answer above, its price P&L")


def _net_and_costs(last: CallResult, *, fees_alone: bool) -> tuple[list[str], str]:
    """References of a net result and of its costs, of a run or of a split of trips; and their names."""
    assert last.table is not None  # noqa: S101 - asked before
    costs = ("fees",) if fees_alone else ("fees", "slippage")
    if last.table.columns[:2] == ("metric", "value"):
        cells = {str(row[0]): str(row[1]) for row in last.table.rows}
        found = [cells.get(name, "") for name in ("net_profit", *costs)]
        if not all(found):  # of a long table not every row is kept with the thread
            return [], ""
    elif "net" in last.table.columns and last.table.columns[0] != "trip":
        if (last.name == "pnl" and len(last.table.rows) > 1) or len(last.table.rows) > ROWS_SUMMED:
            return [], ""  # days beyond the window that was asked for are listed, too
        at = [last.table.columns.index(name) for name in ("net", *costs) if name in last.table.columns]
        found = [str(row[i]) for row in last.table.rows for i in at]
    else:
        return [], ""
    refs = [cell[1:-1] for cell in found if cell.startswith("{")]
    return (refs, " and ".join(costs)) if refs else ([], "")


def _added_back(of: tuple[list[str], str]) -> PlanOf | None:
    """The net result with its costs added back, by `calc`."""
    refs, names = of
    if not refs:
        return None

    def plan(q: Question) -> Plan:  # noqa: ARG001 - a plan takes its question
        (made,) = yield [PlannedCall("calc", {"expression": "+".join(refs)})]
        value = made.text.rpartition(" = ")[2] if made.status == "ok" else made.text
        return PlannedAnswer(
            f"With {names} added back the net result is {value}. The trips stay the same: nothing was run again without costs.",
            read_as=f"the answer above, {names} added back",
        )

    return plan


_COST_OF = (
    ("slip", ("slippage",)),
    ("fee|commission", ("fee",)),
    ("cost", ("fee", "slippage")),
    ("p&l|profit|make|made|result", ("round_trip_pnl",)),
)
_EVENTS_MAX = 8
ROWS_SUMMED = 8  # an expression of calc is bounded


def of_fills(read: Slots, above: TurnAbove) -> Carried | None:
    """`slippage on those`, of fills that were listed: each event's own, and their sum."""
    last = above.last
    if last is None or last.name != "journal_search" or last.table is None or not short(read, 10):
        return None
    if not (of_above(read) or short(read, 3)):
        return None
    keys = next((keys for form, keys in _COST_OF if re.search(rf"\b(?:{form})", read.text)), ())
    columns = last.table.columns
    if not keys or not {"event", "kind"} <= set(columns) or read.by:
        return None
    rows = [row for row in last.table.rows if row[columns.index("kind")] == "fill"]
    if read.place is not None and -len(rows) <= read.place < len(rows):
        rows = [rows[read.place]]
    return _summed([str(row[columns.index("event")]) for row in rows][-_EVENTS_MAX:], keys, len(rows)) if rows else None


def _summed(events: Sequence[str], keys: Sequence[str], listed: int) -> PlanOf:
    def plan(q: Question) -> Plan:  # noqa: ARG001 - a plan takes its question
        results = yield [PlannedCall("explain_event", {"event_id": event}) for event in events]
        cells = [{str(row[1]): str(row[2]) for row in r.table.rows} if r.table is not None else {} for r in results]
        refs = [cell[1:-1] for of in cells for key in keys if (cell := of.get(key, "")).startswith("{")]
        name = " and ".join(keys).replace("_", " ").replace("fee", "fees")
        if not refs:
            return PlannedAnswer(f"None of these events has {name}.", read_as=f"{name} of the events above")
        (made,) = yield [PlannedCall("calc", {"expression": "+".join(refs)})]
        value = made.text.rpartition(" = ")[2] if made.status == "ok" else made.text
        part = f" (the newest {len(events)} of {listed})" if listed > len(events) else ""
        figures = [", ".join(f"{key.replace('_', ' ')} {of.get(key, 'none')}" for key in keys) for of in cells]
        lines = [f"- {event}: {text}" for event, text in zip(events, figures, strict=True)]
        return PlannedAnswer(f"Together{part}, {name}: {value}.\n\n" + "\n".join(lines), read_as=f"{name} of the events above")

    return plan


KINDS = (parts_of_it, of_fills)

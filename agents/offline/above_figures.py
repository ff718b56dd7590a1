"""The parts of a figure that the turn above showed: `split it`, `what is left without them`, `slippage on those`. Called by
above_kinds.py.

Cells keep their receipts; `calc` makes each sum.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from agents.offline.drafts import reckoned, result_text
from agents.offline.steps import CallResult, Plan, PlannedAnswer, Question
from agents.offline.tables import ranks
from agents.offline.turn_above import ANY, Kinds, ShortSentence
from agents.offline.words import says

KINDS = Kinds()
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

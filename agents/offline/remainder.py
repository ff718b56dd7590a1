"""Figures of all but a part, to which no argument of `trips` narrows. Called by figure_plans.py.

`without sol`, `never hit the stop`: round trips are split by what is left out, and `calc` adds up the rows that are left, so that
each figure keeps its receipt.
"""

from collections.abc import Generator, Sequence
from typing import Any

from agents.offline.calls import made
from agents.offline.drafts import drafted, reckoned, result_text
from agents.offline.fill import arguments
from agents.offline.read_back import PlannedCall
from agents.offline.steps import CallResult, Plan, PlannedAnswer, Question


def wanted(q: Question) -> Plan | None:
    """The plan of a sentence that leaves something out; None for any other."""
    if q.slots.out is not None:
        return _without(q, *q.slots.out)
    return None


def _args(q: Question, left_out: str | None = None, /, **more: Any) -> dict[str, Any]:
    """What the sentence narrows round trips to, without a split, a list or what is left out."""
    return {name: value for name, value in arguments(q).items() if name not in ("by", "best", "worst", left_out)} | more


def _without(q: Question, dimension: str, names: tuple[str, ...]) -> Plan:
    """The round trips without those named."""
    if dimension in ("side", "outcome"):  # there are two of them: the other one is left
        other = {"long": "short", "short": "long", "winners": "losers", "losers": "winners"}[names[0]]
        return (yield from made([PlannedCall("trips", _args(q, **{dimension: other}))]))
    call = PlannedCall("trips", _args(q, dimension, by=dimension))
    (result,) = yield [call]
    table = result.table
    if table is None or result.status != "ok":
        return drafted([call], [result])
    rows = [n for n, row in enumerate(table.rows) if str(row[0]).lower() not in names and str(row[0]) != "open"]
    lead = yield from _together(result, rows, f"Without {' and '.join(names)}")
    draft, whole = _of_rows(call, result, rows, lead), result_text(result, table=False)
    return PlannedAnswer(f"{draft.text}\n\nOf all of them: {whole}", read_as=f"{draft.read_as}, without {' and '.join(names)}")


def _of_rows(call: PlannedCall, result: CallResult, rows: Sequence[int], lead: str) -> PlannedAnswer:
    """Rows of a result after a sentence about them, without the tool's own text, which is about all of them."""
    draft = drafted([call], [result.only(rows)])
    return draft._replace(text=draft.text.replace(result_text(result, table=False), "").strip()).after(lead)


def _together(result: CallResult, rows: list[int], first: str) -> Generator[list[PlannedCall], list[CallResult], str]:
    """A sentence: net P&L and number of the rows, each added up by `calc`."""
    table = result.table
    assert table is not None  # noqa: S101 - asked before
    if not rows:
        return f"{first}: no round trip is left."
    ats = [at for head in ("net", "trips", "wins") for at, name in enumerate(table.columns) if name == head]
    sums = yield from reckoned(*("+".join(str(table.rows[n][at])[1:-1] for n in rows) for at in ats))
    net, trips, wins = (*sums, "")[:3]  # of winners or losers alone no wins are counted
    return f"{first}: net {net} over {trips} round trips{f', {wins} of them won' if wins else ''}."

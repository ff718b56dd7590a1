"""What was behind an event, in the first sentence: of an entry its signal with the values, of an exit what was reached, of a
breaker the losses before it; of a loss what costs and prices took. Called by plans.py, above.py and the plans of figures."""

import re
from collections.abc import Generator, Mapping, Sequence
from functools import partial
from typing import Any

from agents.offline.drafts import drafted, reckoned, window
from agents.offline.read_back import PlannedCall
from agents.offline.steps import CallResult, Plan, PlanOf, Question
from agents.offline.tables import number_of
from engine.clock import DAY_MS, MINUTE_MS, utc
from tools.common.time_words import instant

_EXITS = {"stop": "Its protective stop was hit", "trail": "Its trailing stop was hit", "target": "Its target was reached"}
_EXITS |= {"signal": "Its signal was over", "time": "It had been open as long as it may", "halt": "A halt closed it"}
_ENDED = re.compile(r"round trip ([-+][\d,.]*\d)")
_Said = Generator[list[PlannedCall], list[CallResult], str]


def caused(event: str, *more: PlannedCall) -> PlanOf:
    """One event explained, its cause first."""
    return partial(_caused, [PlannedCall("explain_event", {"event_id": event}), *more])


def _caused(calls: Sequence[PlannedCall], q: Question) -> Plan:
    results = yield list(calls)
    return drafted(calls, results).after((yield from cause_of(results[0], q)))


def cause_of(found: CallResult, q: Question) -> _Said:
    """The cause of what an explanation is of, in a sentence; empty where its kind has none but its own text."""
    cells = {str(row[1]): str(row[2]) for row in found.table.rows} if found.table is not None else {}
    at, sleeve = re.search(r"\b(\d{4}-\d\d-\d\d \d\d:\d\d)Z", found.text), cells.get("sleeve", "")
    if at is None or not sleeve or len({row[0] for row in found.table.rows} if found.table is not None else ()) > 1:
        return ""
    if cells.get("slot") == "entry":
        return (yield from _of_entry(cells, sleeve, q))
    if "breaker" not in cells and "round_trip_pnl" not in cells:
        return ""
    at_ms = instant(at[1].replace(" ", "T"), q.words.desk_ms)
    since, until = (utc(ms).removesuffix("Z").replace(" ", "T") for ms in (at_ms - 3 * DAY_MS, at_ms + MINUTE_MS))
    search = {"kinds": ["fill"], "sleeve": sleeve, "since": since, "until": until, "limit": 20}
    (fills,) = yield [PlannedCall("journal_search", search)]
    rows = [row for row in fills.rows() if "what" in row]
    if "round_trip_pnl" in cells:
        entry = next((row for row in reversed(rows) if "to enter" in row["what"] and row["event"] not in found.evidence), None)
        came_in = f" In by {row_text(entry)}." if entry else ""
        how = _EXITS.get(cells.get("reason", ""), f"It was closed by {cells.get('reason', 'an exit')}")
        return f"{how} at {cells.get('price', 'n/a')}; the round trip made {cells['round_trip_pnl']}.{came_in}"
    ended = [(m[1], row) for row in rows if (m := _ENDED.search(row["what"]))]
    losses = ended[max((n + 1 for n, (made, _) in enumerate(ended) if made[0] == "+"), default=0) :]
    if "streak" not in cells["breaker"] or not losses:
        return f"The {cells['breaker']} breaker of {sleeve} tripped."
    last = ", ".join(f"{made} ({row['desk time'][11:]}, {row['event']})" for made, row in losses[-6:])
    return f"The last {len(losses)} round trips of {sleeve} in a row lost: {last}; the {cells['breaker']} breaker then paused it."


def row_text(row: Mapping[str, str]) -> str:
    """A listed event in brackets."""
    return f"{row['what']} ({row['event']}, {row['desk time']})"


def _of_entry(cells: Mapping[str, str], sleeve: str, q: Question) -> _Said:
    """The signal that an entry followed, with what its decision read."""
    decided = number_of(cells.get("decided_ms"), q.facts)
    if decided is None:
        return ""
    at = utc(int(decided)).removesuffix("Z").replace(" ", "T")
    (found,) = yield [PlannedCall("explain_event", {"sleeve": sleeve, "at": at})]
    rows = found.table.rows if found.table is not None else ()
    event = next((row[0] for row in rows if row[1:] == ("action", "enter")), None)
    own = {str(row[1]): str(row[2]) for row in rows if row[0] == event}
    read = {name.removeprefix("features_").strip("_"): value for name, value in own.items() if name.startswith("features_")}
    read |= {"strength": own["strength"]} if "strength" in own else {}
    said = ", ".join(f"{name} {value}" for name, value in read.items() if "volume" not in name and "range" not in name)
    if event is None:
        return ""
    size = f" Size {own['size_approved_lots']} lots." if "size_approved_lots" in own else ""
    return f"{sleeve} followed its {own.get('signal', '')} signal at the bar of {at.replace('T', ' ')}Z ({event}): {said}.{size}"


def parts(row: Mapping[str, str], facts: Mapping[str, Any]) -> _Said:
    """What costs took and what the price made of a change, in a sentence: which of them was the larger."""
    refs = {name: cell[1:-1] for name, cell in row.items() if cell.startswith("{")}
    if not {"price P&L", "fees", "slippage", "change"} <= refs.keys():
        return ""
    costs, share = yield from reckoned(
        f"{refs['fees']}+{refs['slippage']}", f"share({refs['fees']}+{refs['slippage']}, {refs['change']})"
    )
    fees, price, change = (number_of(f"{{{refs[name]}}}", facts) or 0.0 for name in ("fees", "price P&L", "change"))
    word = "Costs more than prices" if abs(fees) > abs(price) else "Prices more than costs"
    of = f"{costs}, {share} of" if change < 0 else f"{costs} of"
    return f"{word}: fees and slippage took {of} the change in equity ({row['change']}). The price alone made {row['price P&L']}."


def changed(args: Mapping[str, Any], sleeve: str, q: Question) -> Plan:
    """Where a change in equity came from, of the desk or of one sleeve: whether costs or prices made it is said first."""
    call = PlannedCall("attribution", args)
    (result,) = yield [call]
    row = next((row for row in result.rows() if (sleeve or "whole desk") in " ".join(row.values())), {})
    said = yield from parts(row, q.facts)
    return drafted([call], [result]).after(f"{sleeve}: {said} What follows is the whole desk's." if sleeve and said else said)


def costs_measured(q: Question) -> Plan:
    """What costs are of the change in equity, in the window and of the sleeve that is meant."""
    last, sleeve = next(reversed(q.results()), None), q.sleeve()
    args: Mapping[str, Any] = last.args if last is not None else {}
    above = {name: args[name] for name in ("since", "until") if args.get(name)}
    return (yield from changed(window(q.slots.span) or above, sleeve.name if sleeve else str(args.get("sleeve") or ""), q))


def why_of_run(run: str, result: CallResult, q: Question) -> Plan:
    """Why the run above made what it made, then its round trips by how they ended."""
    call = PlannedCall("trips", {"subject": run, "by": "exit"})
    (ends,) = yield [call]
    return drafted([call], [ends]).after((yield from of_a_run(result, ends, q)))


def of_a_run(result: CallResult, ends: CallResult, q: Question) -> _Said:
    """Why a run made what it made: before costs, what these took, and by which exits."""
    cells = {row["metric"]: row["value"] for row in result.rows() if "metric" in row}
    refs = [cells[name][1:-1] for name in ("net_profit", "fees", "slippage") if cells.get(name, "").startswith("{")]
    if len(refs) < 3:
        return ""
    (gross,) = yield from reckoned("+".join(refs))
    by = sorted(((number_of(row["net"], q.facts) or 0.0, row) for row in ends.rows() if "net" in row), key=lambda pair: pair[0])
    exits = "; ".join(f"{row['exit']} {row['net']} over {row['trips']}" for _, row in (by[:1] + by[-1:]))
    net, *costs = (number_of(f"{{{ref}}}", q.facts) or 0.0 for ref in refs)
    before = net + sum(costs)
    word = (
        "Costs took it" if before > 0 else "Costs took most of it" if -before < sum(costs) else "Its trades lost before any cost"
    )
    lead = f"{word}: {gross} before fees ({cells['fees']}) and slippage ({cells['slippage']}), {cells['net_profit']} after them."
    return f"{lead} By exit the worst and the best: {exits}." if exits else lead

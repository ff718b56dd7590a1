"""The parts of a figure that the turn above showed: `split it`, `what is left without them`, `slippage on those`. Called by
above_kinds.py.

Cells keep their receipts; `calc` makes each sum.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from agents.offline.beside import again, duel, two_calls
from agents.offline.dates import NO_SPAN
from agents.offline.drafts import drafted, reckoned, result_text, window
from agents.offline.follow import moved_span
from agents.offline.leftout import EXITS
from agents.offline.measured import ranked_runs, runs_above
from agents.offline.read_back import PlannedCall
from agents.offline.slots import words_of
from agents.offline.steps import CallResult, Plan, PlannedAnswer, PlanOf, Question
from agents.offline.tables import column_of, handle_of, ordered, ranks, rows_named
from agents.offline.talk import figure_meant, key_of, tables_above
from agents.offline.turn_above import ANY, Kinds, ShortSentence, TurnAbove, of_above, short
from agents.offline.words import LISTS, says
from tools.common.split_words import MONEY, SPOKEN, apart

KINDS = Kinds()
ROWS_SUMMED = 8  # an expression of calc is bounded
_EVENTS_MAX = 10


@KINDS(most=11, of=("attribution", "pnl", "trips"), table=True)
def parts_of_it(heard: ShortSentence) -> PlannedAnswer | PlannedCall | None:
    """`split it`: the parts of a P&L that stand in the answer above, or its round trips by sleeve or by exit."""
    last = heard.last
    if last.name == "attribution":
        return PlannedAnswer(f"The parts, by source and sleeve:\n\n{result_text(last)}", read_as="the answer above, in its parts")
    if last.args.get("by") == "exit":
        return None
    kept = heard.kept("subject", "sleeve", "side", "since", "until", "outcome")
    return PlannedCall("trips", {**kept, "by": "exit" if kept.get("sleeve") or last.args.get("by") == "sleeve" else "sleeve"})


@KINDS(most=11, of=ANY, table=True)
def without_costs(heard: ShortSentence) -> Any:
    """`what is left without them`: of a P&L or a run what its costs took, added back by `calc`."""
    last, above, said = heard.last, heard.above, heard.found[0]
    of_costs = any(says("above_figures.costs", text) for text in (said, above.question))
    if not (of_costs or "gross" in said or last.name == "attribution"):
        return None
    if last.name == "attribution":
        return _price_alone(heard)
    if last.name == "pnl" and not last.args.get("sleeve") and above.older is not None and above.older.slots.span.start:
        return f"where did the p&l come from {words_of('span', above.older.slots.span)}"
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
    elif "net" in columns and columns[0] != "trip" and len(rows) <= (1 if last.name == "pnl" else ROWS_SUMMED):
        found = [row[name] for row in rows for name in ("net", *costs) if name in row]  # other days are listed with a P&L, too
    return [cell[1:-1] for cell in found if cell.startswith("{")] if all(found) else []


def _added_back(refs: Sequence[str], names: str, q: Question) -> Plan:  # noqa: ARG001 - a plan takes its question
    (value,) = yield from reckoned("+".join(refs))
    text = f"With {names} added back the net result is {value}. The trips stay the same: nothing was run again without costs."
    return PlannedAnswer(text, read_as=f"the answer above, {names} added back")


@KINDS(most=10, of=("journal_search",), ok=False, table=True)
def of_fills(heard: ShortSentence) -> Any:
    """`slippage on those`, of fills that were listed: each event's own, and their sum."""
    read, columns = heard.read, set(heard.table.columns)
    if ranks(read.text) or not (of_above(read) or short(read, 3)) or not {"event", "kind"} <= columns or read.by:
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


def _two_groups(call: PlannedCall, names: Sequence[str], asked: str, q: Question) -> Plan:
    """Two groups of a split beside each other."""
    (found,) = yield [call]
    rows = [n for n, row in enumerate(found.table.rows) if row[0] in names] if found.table is not None else []
    said = (yield from duel(found.table, q.facts, rows, asked)) if found.table is not None and len(rows) == 2 else ""
    return drafted([call], [found]).after(said)


@KINDS(most=0, of=ANY, ok=False)
def than_other(heard: ShortSentence) -> PlanOf | None:
    """`is that higher than last week`, `better than btc?`: what stands above, of the other too, both figures side by side."""
    last, read = heard.last, heard.read
    ends = [str(last.args.get("exit")), *(EXITS[w.strip("?.,! ")] for w in read.text.split() if w.strip("?.,! ") in EXITS)]
    if last.name == "trips" and last.args.get("exit") and len(set(ends)) == 2:  # `worse than targets?`
        kept = {k: v for k, v in last.args.items() if k not in ("exit", "by")} | {"by": "exit"}
        return partial(_two_groups, PlannedCall("trips", kept), ends[:2], read.text)
    above = heard.above.older.slots.span if heard.above.older is not None else NO_SPAN
    span = moved_span(read, above, heard.above.words.desk_ms) or read.span
    names = read.places.keys() & {"sleeves", "symbols", "side"} or span.start or span.at
    of_sums = last.name in ("trips", "counts", "attribution", "pnl") and not last.args.get("by")
    if not of_sums or not names or len(read.text.split()) > 12:
        return None
    other = {"since": span.start or span.at, "until": span.end} if span.start or span.at else {}
    other |= {"sleeve": read.sleeves[0]} if len(read.sleeves) == 1 else {}
    other |= {"side": read.side} if read.side else {}
    tool, first = last.name, dict(last.args)
    if tool == "pnl":  # days are listed there: of a window that is said, the change
        if "subject" in first or not above.start:
            return None
        first = {**({"sleeve": first["sleeve"]} if "sleeve" in first else {}), **window(above)}
        tool = "trips" if {"sleeve", "side"} & {*first, *other} else "attribution"
    elif tool == "attribution" and {"sleeve", "side"} & other.keys():
        return None
    both = [first, {k: v for k, v in {**first, **other}.items() if v}]
    return partial(two_calls, [PlannedCall(tool, args) for args in both], f"{heard.above.question} {read.text}")


@KINDS(most=10, of=("pnl", "trips", "attribution"))
def rivals(heard: ShortSentence) -> PlanOf | None:
    """`which of the two is better`, after one question was asked of two sleeves or of both sides: their round trips beside each
    other, over the window that both were of."""
    shown = [turn.results[0] for turn in heard.above.past if turn.results][-2:]
    if len(shown) < 2 or shown[0].name != shown[1].name or heard.above.older is None:
        return None
    by = next((name for name in ("sleeve", "side") if len({r.args.get(name) for r in shown} - {None}) == 2), "")
    names = [str(r.args.get(by)) for r in shown]
    kept = {name: shown[1].args[name] for name in {"sleeve", "side"} - {by} if shown[1].args.get(name)}
    call = PlannedCall("trips", {"by": by, **kept, **window(heard.above.older.slots.span)})
    asked = f"{heard.above.question} {heard.text}"

    return partial(_two_groups, call, names, asked) if by else None


@KINDS(most=6, of=("trips",), table=True)
def per_trade(heard: ShortSentence) -> PlanOf | None:
    """`per trade too?`, after two groups were set beside each other: of one round trip each."""
    asked = _question_text(heard.above)
    pair = rows_named(heard.table, asked) if heard.last.args.get("by") else []
    read_as = "the table above, a round trip"
    return partial(again, heard.table, pair, f"{asked} per trade", read_as) if len(pair) == 2 else None


def _question_text(above: TurnAbove) -> str:
    """The question above as it was read, where it was the last turn; else as it was typed."""
    return above.newest.slots.text if above.newest is not None and above.past[-1].last is not None else above.question


@KINDS(most=9, of=ANY)
def gap(heard: ShortSentence) -> PlanOf | PlannedAnswer | str | None:
    """`by how much`, `what is the spread`: between the two that the answer above set beside each other, or its first and last."""
    last, facts, asked = heard.last, heard.above.facts, _question_text(heard.above)
    runs = runs_above(heard.above.past)
    if len(runs) > 1 and (said := ranked_runs(runs, facts, asked)):
        return PlannedAnswer(said, read_as="the runs above")
    if last.name == "performance" and (h := handle_of(last, "hold_return_frac")):
        refs, names = [f"{{{h}.return_frac}}", f"{{{h}.hold_return_frac}}"], ["the desk", "holding"]
        if (run := str(last.args.get("subject") or "")).startswith("r-"):
            names[0] = run
        return _gap_of(refs, names, "return")
    above = next(iter(tables_above(heard.above.past, facts, heard.above.words)), None)
    periods = heard.above.newest.slots.periods if heard.above.newest is not None and last.name == "pnl" else ()
    days = [str(row[0])[:10] for row in above.table.rows] if above is not None else []
    of_two = [n for n, day in enumerate(days) for of in periods if (of.start or "")[:10] <= day < (of.end or "9")[:10]]
    if (
        last.name == "pnl"
        and not (of_two or ranks(asked))
        and heard.above.older is not None
        and says("above_figures.much", heard.text)
    ):
        return f"what was the p&l {words_of('span', heard.above.older.slots.span)}"  # `are we up since friday`
    if above is None or len(base := of_two or above.base) < 2:
        return None
    text = figure_meant(heard.read, above)
    named = [n for n in rows_named(above.table, asked) if n in base]
    two = named if len(named) == 2 else base
    if len(two) > 2 and not says("above_figures.gap", heard.text):  # `by how much`, after the worst of many: how much that was
        return None
    order = ordered(above.table, facts, text, "best", two)
    at = column_of(above.table, text)
    ends = [order[0], order[-1]] if len(order) > 1 else []
    if not ends or not at:
        return None
    chance = apart(above.table.rows[ends[0]], facts) if above.table.columns[at] in MONEY else ""
    verdicts = [row for n in ends for row in [above.table.rows[n][-1]]] if above.table.columns[-1] == "verdict" else []
    told = next((str(one) for one in verdicts if str(one) != "row 0"), "")
    names = [str(above.table.rows[n][key_of(above.table)]) for n in ends]
    return _gap_of([str(above.table.rows[n][at]) for n in ends], names, above.table.columns[at], chance or (told and f"; {told}"))


def _gap_of(refs: Sequence[str], names: Sequence[str], head: str, more: str = "") -> PlanOf | None:
    if not all(ref.startswith("{") for ref in refs):
        return None

    def planned(q: Question) -> Plan:  # noqa: ARG001 - a plan takes its question
        (value,) = yield from reckoned("-".join(ref[1:-1] for ref in refs))
        shown = f"By {value} ({SPOKEN.get(head, head)}): {names[0]} {refs[0]}, {names[-1]} {refs[-1]}{more}."
        return PlannedAnswer(shown, read_as="the answer above")

    return planned

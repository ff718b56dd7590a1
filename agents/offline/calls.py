"""One call of a tool, what is said before its answer, what is asked for when an argument is missing. Called by the plans."""

import re
from collections.abc import Sequence

from agents.offline.drafts import asks_back, drafted, name_list, which_sleeve
from agents.offline.fill import arguments
from agents.offline.read_back import PlannedCall
from agents.offline.steps import CallResult, Plan, Question
from agents.offline.tables import (
    BETTER_LOW,
    Facts,
    by_sign,
    column_of,
    extreme,
    heads_of,
    number_of,
    ordered,
    ranks,
    rows_named,
    rows_of,
)
from agents.offline.ways import NOT_GIVEN, SAY
from agents.offline.words import LISTS, says
from engine.clock import DAY_MS, utc
from tools.common.contract import Table
from tools.common.split_words import of_rows, spread


def not_given(q: Question) -> str:
    """What the sentence asks for that no tool gives; empty where a tool gives it."""
    tool = {"probe": "health"}.get(q.chosen.tool.name, q.chosen.tool.name)
    of = [found for name, found in NOT_GIVEN.items() if name.partition("-")[0] == tool]
    lacks = [found["text"] for found in of if re.search(found["form"], q.slots.text)][:1]
    if not (q.chosen.tool.name in _OF_DAYS and q.slots.span.start and says("choose.today", q.raw.lower()) and q.words.desk_ms):
        return "".join(lacks)
    times = (utc(q.words.desk_ms), utc(q.words.desk_ms - DAY_MS)[:10])
    return " ".join([*([] if q.words.desk_ms % DAY_MS else [SAY["no_bar_yet"].format(*times)]), *lacks])


_OF_DAYS = ("pnl", "trips", "attribution", "journal_search", "counts", "excursions")


def once(q: Question) -> Plan:
    """One call of the entry's tool, after asking for what it requires and the sentence does not name."""
    args, fields, slots = arguments(q), q.chosen.tool.args.model_fields, q.slots
    missing = [name for name, field in fields.items() if field.is_required() and name not in args]
    if missing:
        return asks_back(ask_for(q, missing[0]))
    by_sleeve = "sleeve" in fields and not args.get("symbol") and args.get("by") != "sleeve"
    if len(slots.sleeves) > 1 and slots.symbols and by_sleeve:
        return asks_back(which_sleeve(q))
    return (yield from made([PlannedCall(q.chosen.tool.name, args)], q))


def made(calls: list[PlannedCall], q: Question | None = None) -> Plan:
    """Make the calls; their texts are the answer. Of one table, what the sentence asks of it stands first."""
    results = yield calls
    alike = len({result.name for result in results}) == 1
    leads = [lead(q, result) for result in results[:3]] if q is not None and alike else []
    return drafted(calls, results).after(" ".join(dict.fromkeys(filter(None, leads))))


def lead(q: Question, result: CallResult) -> str:
    """The verdict of a table: which row has the most or the least, or the figures that the sentence names; empty for neither."""
    table, text = result.table, re.sub("|".join(map(re.escape, q.slots.filters)) or "$^", "", q.slots.text)
    if table is None or result.status != "ok":
        return ""
    listed = result.args.get("listed")
    which = listed if listed in ("longest", "shortest") else None if listed else q.slots.which
    if table.columns[0] == "trip" and table.rows and which in ("worst", "best", "longest", "shortest"):
        row = result.rows()[0]
        shown = [row[name] for name in ("trip", "sleeve", "side", "net", "reason") if name in row]
        shown += [f"held {row['held_ms']} from {row['entry_ms']}"] if listed else []
        return f"The {which}: {', '.join(shown)}."
    if table.columns[0] != "trip" and (signed := by_sign(table, q.facts, text)):
        return signed
    rows = rows_of(table, text)
    if rows := [i for i in rows if str(table.rows[i][0]) in text] or rows:
        cells = {str(row[0]): str(row[1]) for row in table.rows}  # a figure of a run with its 95 % interval, where it has one
        ends = {name: [cells.get(f"{name}_{end}") for end in ("low", "high")] for name in cells}
        said = {name: f", 95 % interval {low} to {high}" for name, (low, high) in ends.items() if low and high}
        return "; ".join(f"{table.rows[i][0]} {table.rows[i][1]}{said.get(str(table.rows[i][0]), '')}" for i in rows[:6]) + "."
    of_trips = result.name == "trips" and "trips" in table.columns
    if of_trips and table.columns[0] == "regime" and {str(row[0]) for row in table.rows} == {"none read"}:
        return "Not known: no entry was decided by a model of regimes, so round trips have no regime here."
    named = rows_named(table, text, q.slots.symbols if table.columns[0] == "symbol" else q.slots.sleeves) if of_trips else []
    own = q.raw.lower() if q.past else ""  # `and the average winner`: the text is of the question before
    figures = (
        (figures_of_trips(result, own, named, q.facts) or figures_of_trips(result, text, named, q.facts)) if of_trips else ""
    )
    if figures and result.args.keys() & {"by", "exit"}:
        return figures
    if named:
        of = f"{result.args['sleeve']}: " if "sleeve" in result.args else ""
        return of + of_rows(table, q.facts, named[:3], [i for i in heads_of(table, text) if table.columns[i] != "trips"])
    if figures:
        return figures
    if (q.slots.by or heads_of(table, text)) and (ranks(text) or q.slots.which in ("worst", "best")):
        return extreme(table, q.facts, text, q.slots.which)
    at = column_of(table, text) if of_trips and result.args.get("by") and "streak" not in text else 0
    if at and says("tables.many", text):
        at = table.columns.index("trips")
        each = sorted(table.rows, key=lambda row: -(number_of(row[at], q.facts) or 0.0))[:EACH]
        won = table.columns.index("wins") if "wins" in table.columns and says("figure_plans.of_both", text) else 0
        counts = (f"{row[0]} {row[at]}" + (f" ({row[won]} won)" if won else "") for row in each)
        return f"Round trips: {', '.join(counts)}."
    if at and table.columns[at] != "net":  # of the net the tool's own text says it
        end = None if any(cost in table.columns[at] for cost in BETTER_LOW) else "best"  # who pays the most is first by fees
        return spread(table, q.facts, at, ordered(table, q.facts, text, end))
    return ""


def _interval(table: Table, n: int) -> str:
    """The 95 % interval of a figure of a run, where the table has its ends."""
    ends = [next((row[1] for row in table.rows if row[0] == f"{table.rows[n][0]}_{end}"), "") for end in ("low", "high")]
    return f", 95 % interval {ends[0]} to {ends[1]}" if all(ends) else ""


def figures_of_trips(result: CallResult, text: str, named: Sequence[int] = (), facts: Facts | None = None) -> str:
    """The figures of round trips that a text speaks of; of a split those that its table lacks, a row each, of the rows named."""
    all_of = re.search(r"(?<!over )\{(\w+)\.trips\} round trips", result.text)  # a split names rows before it
    h, table, by = all_of[1] if all_of else "", result.table, result.args.get("by")
    forms = [form for words, form in LISTS["trip_figures"].items() if h and re.search(words, text)]
    forms = [one for one in forms if not ("outcome" in result.args and "win_" in one)]  # of winners alone a hit rate says nothing
    if by and table is not None:
        forms = [one for one in forms if not {*re.findall(r"{h}\.(\w+)", one)} <= {*table.columns}]
        forms = [one for one in forms if by != "exit" or "ended_" not in one]
        of_row = [(str(row[1])[1:].partition(".")[0], row) for row in [table.rows[n] for n in named] or table.rows]
        if forms and (ranks(text) or says("tables.sorts", text)):
            first, low = re.findall(r"{h}\.(\w+)", forms[0])[0], says("tables.low", text) is not None
            of_row.sort(key=lambda one: number_of(f"{{{one[0]}.{first}}}", facts or {}) or 0.0, reverse=not low)
        of_row += [(h, ("in all",))] if len(of_row) > 1 and any("ended_" in one or "open_frac" in one for one in forms) else []
        each = [f"{row[0]}: {', '.join(form.format(h=own) for form in forms)}" for own, row in of_row]
        return f"{'; '.join(each)}." if forms and len(each) <= EACH else ""
    said = "; ".join(form.format(h=h) for form in forms)
    of = "".join(f", of {result.args[name]}" for name in ("sleeve", "outcome", "side") if name in result.args)
    return f"Over {{{h}.trips}} round trips{of}: {said}." if said else ""


EACH = 8  # rows of a split that get a figure of their own


def ask_for(q: Question, name: str) -> str:
    """The question back for a missing argument."""
    if name == "sleeve":
        return which_sleeve(q)
    symbols = name_list(list(q.words.symbols)) if q.words.symbols else "none yet"
    text = SAY.get(f"which_{name}", f"Which {name.replace('_', ' ')}? Name it, and I go on.")
    return text.format(strategies=name_list(list(q.words.strategies)), symbols=symbols)

"""One call of a tool, what is said before its answer, and what is asked for when a required argument is not named. Called by
plans.py and the plans of each kind."""

import re

from agents.offline.fill import arguments
from agents.offline.read_back import PlannedCall
from agents.offline.steps import CallResult, Plan, Question, asks_back, drafted, name_list, which_sleeve
from agents.offline.tables import extreme, heads_of, ranks, rows_of
from agents.offline.ways import NOT_GIVEN
from agents.offline.words import LISTS


def not_given(q: Question) -> str:
    """What the sentence asks for that no tool gives; empty where a tool gives it."""
    found = NOT_GIVEN.get(q.chosen.tool.name)
    return found["text"] if found is not None and re.search(found["form"], q.slots.text) else ""


def once(q: Question) -> Plan:
    """One call of the entry's tool, after asking for what it requires and the sentence does not name."""
    args, fields, slots = arguments(q), q.chosen.tool.args.model_fields, q.slots
    missing = [name for name, field in fields.items() if field.is_required() and name not in args]
    if missing:
        return asks_back(ask_for(q, missing[0]))
    by_sleeve = "sleeve" in fields and not args.get("symbol") and args.get("by") != "sleeve"
    if len(slots.sleeves) > 1 and slots.symbols and by_sleeve:
        return asks_back(which_sleeve(q))
    draft = yield from made([PlannedCall(q.chosen.tool.name, args)], q)
    return draft.after(not_given(q))


def made(calls: list[PlannedCall], q: Question | None = None) -> Plan:
    """Make the calls; their texts are the answer. Of one table, what the sentence asks of it stands first."""
    results = yield calls
    return drafted(calls, results).after(lead(q, results[0]) if q is not None and len(results) == 1 else "")


def lead(q: Question, result: CallResult) -> str:
    """The verdict of a table: which row has the most or the least, or the figures that the sentence names; empty for neither."""
    table, text = result.table, q.slots.text
    if table is None or result.status != "ok":
        return ""
    if table.columns[0] == "trip" and table.rows and (which := q.slots.which) in ("worst", "best"):
        row = result.rows()[0]
        shown = [row[name] for name in ("trip", "sleeve", "side", "net", "reason") if name in row]
        return f"The {which}: {', '.join(shown)}."
    rows = rows_of(table, text)
    if rows := [i for i in rows if str(table.rows[i][0]) in text] or rows:
        return "; ".join(f"{table.rows[i][0]} {table.rows[i][1]}" for i in rows[:6]) + "."
    if (q.slots.by or heads_of(table, text)) and (ranks(text) or q.slots.which in ("worst", "best")):
        return extreme(table, q.facts, text, q.slots.which)
    return ""


def ask_for(q: Question, name: str) -> str:
    """The question back for a missing argument."""
    if name == "sleeve":
        return which_sleeve(q)
    symbols = name_list(list(q.words.symbols)) if q.words.symbols else "none yet"
    text = str(LISTS["ask_for"].get(name, f"Which {name.replace('_', ' ')}? Name it, and I go on."))
    return text.format(strategies=name_list(list(q.words.strategies)), symbols=symbols)

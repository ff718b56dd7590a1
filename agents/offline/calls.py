"""One call of a tool, what stands first of its table, and what is asked for when a required argument is not named. Called by
plans.py and run_plans.py."""

from agents.offline.fill import arguments
from agents.offline.read_back import PlannedCall
from agents.offline.steps import CallResult, Plan, Question, asks_back, drafted, name_list, which_sleeve
from agents.offline.tables import extreme, heads_of, ranks, rows_of


def once(q: Question) -> Plan:
    """One call of the entry's tool, after asking for what it requires and the sentence does not name."""
    assert q.entry is not None  # noqa: S101 - chosen by the caller
    tool = q.entry.tool
    args = arguments(q, tool)
    missing = [name for name, field in tool.args.model_fields.items() if field.is_required() and name not in args]
    if missing:
        return asks_back(ask_for(q, missing[0]))
    if (
        len(q.slots.sleeves) > 1
        and "sleeve" in tool.args.model_fields
        and not args.get("symbol")
        and q.slots.symbols
        and args.get("by") != "sleeve"
    ):
        return asks_back(which_sleeve(q))
    return (yield from made([PlannedCall(tool.name, args)], q))


def made(calls: list[PlannedCall], q: Question | None = None) -> Plan:
    """Make the calls; their texts are the answer. Of one table, what the sentence asks of it stands first."""
    results = yield calls
    first = lead(q, results[0]) if q is not None and len(results) == 1 else ""
    draft = drafted(calls, results)
    return draft._replace(text=f"{first}\n\n{draft.text}") if first else draft


def lead(q: Question, result: CallResult) -> str:
    """The verdict of a table: which row has the most or the least, or the figures that the sentence names; empty for neither."""
    table, text = result.table, q.slots.text
    if table is None or result.status != "ok":
        return ""
    if rows := rows_of(table, text):
        return "; ".join(f"{table.rows[i][0]} {table.rows[i][1]}" for i in rows[:6]) + "."
    if (q.slots.by or heads_of(table, text)) and (ranks(text) or q.slots.which in ("worst", "best")):
        return extreme(table, q.facts, text, q.slots.which)
    return ""


def ask_for(q: Question, name: str) -> str:
    """The question back for a missing argument."""
    if name == "sleeve":
        return which_sleeve(q)
    if name == "strategy":
        return f"Which strategy? Available: {name_list(list(q.words.strategies))}."
    if name == "symbol":
        return f"On which symbol? Bars are available for {name_list(list(q.words.symbols)) if q.words.symbols else 'none yet'}."
    if name == "move_frac":
        return "By how much does the price move? Name it in percent, such as `what if everything drops 10 %`."
    if name == "run_id":
        return "Which run? Name its id; `list the latest runs` shows them."
    if name == "changes":
        return "Which change? Write it as key=value, such as stop_atr=2."
    return f"Which {name.replace('_', ' ')}? Name it, and I go on."

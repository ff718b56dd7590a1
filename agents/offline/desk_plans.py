"""What the desk and its sleeves are now, with what no tool shows named first; counts of what was listed. Called by plans.py."""

import re
from collections.abc import Sequence
from typing import Any

from agents.offline.calls import made, once
from agents.offline.entries import choices_of
from agents.offline.fill import arguments
from agents.offline.follow import points_back
from agents.offline.read_back import PlannedCall
from agents.offline.steps import Plan, Question, asks_back, drafted, name_list, result_text, window
from agents.offline.tables import number_of, only
from agents.offline.words import PATTERNS
from tools.common import render
from tools.common.contract import Table
from tools.common.time_words import instant


def sleeves(q: Question) -> Plan:
    """The sleeves, or one: how it stands; asked for settings, its parameters first."""
    assert q.entry is not None  # noqa: S101 - chosen by the caller
    call = PlannedCall("sleeves", arguments(q, q.entry.tool))
    (result,) = yield [call]
    draft, text = drafted([call], [result]), q.slots.text
    of_settings = _SETTING.search(text) and not re.search(r"\b(?:where|far|distance|version)\b", text)
    if result.data.get("sleeves") and (q.slots.keys or of_settings):
        return draft._replace(text=f"{_settings(q, result.data['sleeves'])}\n\n{result_text(result, table=False)}")
    if re.search(r"\bhow (?:far|close|near)\b|\bdistance\b", text):
        return draft._replace(text=f"No tool gives the distance to a stop; its level is below.\n\n{draft.text}")
    if _HOW_MANY.search(text) and result.table is not None and not q.slots.side:
        held = sum(str(row[2]) != "flat" for row in result.table.rows)
        return draft._replace(text=f"{held} of {len(result.table.rows)} sleeves hold a position.\n\n{draft.text}")
    if re.search(r"\b(?:equity|cash|worth|balance)\b", text) and result.table is not None:
        lines = [line for row in result.table.rows if (line := _account(q, row))]
        return draft._replace(text="\n\n".join([*lines, draft.text]))
    if (
        re.search(r"\b(?:targets?|entry|entered|opened|how long|since when|get in|got in|armed)\b", f"{text} {q.raw}".lower())
        and result.table is not None
    ):
        lines = [line for row in result.table.rows if (line := _position(q, row))]
        return draft._replace(text="\n\n".join([*(lines or ["No position is open there."]), draft.text]))
    return draft


def _position(q: Question, row: Sequence[Any]) -> str:
    """What the facts of a sleeve's row say of its open position: entry, since when, stop, target."""
    handle = str(row[1])[1:-1].partition(".")[0]
    there = [name for name in ("quantity", "entry", "opened", "protective", "target") if f"{handle}.{name}" in q.facts]
    if "entry" not in there:
        return ""
    said = {
        "quantity": "holds {}",
        "entry": "entered at {}",
        "opened": "first at {}",
        "protective": "protective level {}",
        "target": "target {}",
    }
    return f"{row[0]}: {', '.join(said[name].format(f'{{{handle}.{name}}}') for name in there)}."


_HOW_MANY = re.compile(r"\bhow many (?:open )?(?:positions?|sleeves (?:hold|have|are in))\b")


def _account(q: Question, row: Sequence[Any]) -> str:
    """Equity and cash of a sleeve's row, as its facts say them."""
    handle = str(row[1])[1:-1].partition(".")[0]
    there = [name for name in ("equity", "cash") if f"{handle}.{name}" in q.facts]
    return f"{row[0]}: {', '.join(f'{name} {{{handle}.{name}}}' for name in there)}." if there else ""


_SETTING = PATTERNS["plans.setting"]
_SET = PATTERNS["plans.set"]


def _settings(q: Question, listed: Any) -> str:
    """The parameters of sleeves as a table, those that the sentence speaks of alone."""
    asked = set(_SET.findall(q.slots.text))
    keys = list(dict.fromkeys(key for sleeve in listed for key in sleeve["params"]))
    named = [key for key in keys if key in q.slots.keys]
    keys = named or [key for key in keys if key in q.slots.text or asked & set(key.split("_"))] or keys
    rows = tuple(
        (key, *("-" if (value := sleeve["params"].get(key)) is None else str(value) for sleeve in listed)) for key in keys
    )
    return render.markdown_table(Table(("parameter", *(sleeve["name"] for sleeve in listed)), rows))


_DAY_LOSS = re.compile(
    r"\b(?:daily|day|today)(?:'s)? loss\b|\bloss (?:of the day|today|limit)\b|\bdaily limit\b|"
    r"\b(?:lose|losing|drop|down)\b[^.?]{0,40}\b(?:an?|one|any|per|each|the)(?: single| whole)? day\b"
)


def exposure(q: Question) -> Plan:
    """What is held; asked for correlations of sleeves or returns, that there are none first."""
    draft = yield from once(q)
    if "correlat" not in q.slots.text or not re.search(r"\b(?:sleeves?|returns?|p&l|strateg\w+)\b", q.slots.text):
        return draft
    first = (
        "No tool gives correlations of sleeves or of their returns: only those of the instruments held now, where several are."
    )
    return draft._replace(text=f"{first}\n\n{draft.text}")


def desk(q: Question) -> Plan:
    """The desk now; asked for the loss of a day, today's P&L and that limit, which the desk's own figures leave out."""
    if re.search(r"\b(?:my|wall) clock\b|\bbehind\b", q.slots.text):
        draft = yield from once(q)
        note = "The desk's time is that of its last bar, of recorded days; no tool says how far that is from your clock."
        return draft._replace(text=f"{note}\n\n{draft.text}")
    above = next(reversed(q.results()), None)
    of_the_day = above is not None and above.name == "define" and re.search(r"daily|day.loss", str(above.args.get("word", "")))
    if not of_the_day and not _DAY_LOSS.search(q.slots.text):
        return (yield from once(q))
    calls = [PlannedCall("pnl", {"unit": "day", "limit": 1}), PlannedCall("define", {"word": "day_loss_frac_max"})]
    results = yield calls
    first = "No tool gives the distance to a sleeve's daily loss limit as a figure. It is made of today's P&L and the limit."
    draft = drafted(calls, results)
    return draft._replace(text=f"{first}\n\n{draft.text}")


def counts(q: Question) -> Plan:
    """A count; of `them`, what the list or count above was narrowed to, asked back about where that has no count of its own."""
    assert q.entry is not None  # noqa: S101 - chosen by the caller
    args, above = arguments(q, q.entry.tool), next(reversed(q.results()), None)
    if above is not None and above.name in ("journal_search", "counts") and "what" not in args and points_back(q.slots):
        of = above.args.get("kinds") or [above.args.get("what")]
        if len(of) > 1 or of[0] not in (None, *choices_of(q.entry.tool, "what")):
            return asks_back(
                f"The list above is of {name_list(list(of))}, which no tool counts. Name what to count, and since when."
            )
        args |= {"what": of[0]} if of[0] else {}
    return (yield from made([PlannedCall("counts", args)], q))


NO_RESTARTS = "No tool lists restarts: logs/worker.jsonl in the desk's home has each start. Whether the worker runs now is below."


def health(q: Question) -> Plan:
    """What is wrong; asked what to look at, also what waits for a decision."""
    ranked = q.entry is not None and q.entry.asked.kind == "next"
    more = [PlannedCall("proposals", {"state": "pending"}), PlannedCall("desk", {})] if ranked else []
    draft = yield from made([PlannedCall("health", {}), *more])
    if re.search(r"\b(?:re-?start|re-?boot)\w*\b", q.slots.text):
        return draft._replace(text=f"{NO_RESTARTS}\n\n{draft.text}")
    return draft


_ONE_ORDER = re.compile(r"\border\b")


def orders(q: Question) -> Plan:
    """Orders of a window, of the state and kind that the sentence was learned to ask for; of the last few no more than these."""
    assert q.entry is not None  # noqa: S101 - chosen by the caller
    closed = {name: value for name, value in q.slots.closed.items() if name in ("state", "kind")}
    call = PlannedCall("orders", arguments(q, q.entry.tool) | window(q.slots.span) | closed)
    (result,) = yield [call]
    if q.slots.which == "last" and not q.slots.count and result.data.get("newest") and _ONE_ORDER.search(q.slots.text):
        return (yield from made([PlannedCall("orders", {"cid": result.data["newest"][0]})]))  # the last one, not the open ones
    if result.table is None or not q.slots.count or q.slots.count >= len(result.table.rows):
        return drafted([call], [result])
    lead = f"Of these the first {q.slots.count}; open ones come first, then the newest."
    draft = drafted([call], [result._replace(table=only(result.table, range(q.slots.count)))])
    return draft._replace(text=f"{lead}\n\n{draft.text}")


NO_GAPS = "No tool of a chat looks for gaps: `nightdesk data check` does. The series recorded are below."


def data(q: Question) -> Plan:
    """The recorded series; of a window those that reach into it."""
    assert q.entry is not None  # noqa: S101 - chosen by the caller
    call = PlannedCall("list_data", arguments(q, q.entry.tool))
    (result,) = yield [call]
    start, end, table = q.slots.span.start or q.slots.span.at, q.slots.span.end, result.table
    gaps = re.search(r"\b(?:holes?|gaps?|missing|miss(?:ed)?|lost|complete)\b", q.slots.text)
    if table is None or gaps or not (start or end) or not {"first", "last"} <= set(table.columns):
        draft = drafted([call], [result])
        return draft._replace(text=f"{NO_GAPS}\n\n{draft.text}") if gaps else draft
    first, last = (
        [number_of(row[table.columns.index(name)], q.facts) or 0.0 for row in table.rows] for name in ("first", "last")
    )
    low, high = (instant(text, q.words.desk_ms) if text else None for text in (start, end))
    kept = [i for i in range(len(table.rows)) if (high is None or first[i] < high) and (low is None or last[i] >= low)]
    window_text = " ".join(part for part in (f"from {start}" if start else "", f"before {end}" if end else "") if part)
    lead = f"{len(kept)} of the {len(table.rows)} series shown have bars {window_text}."
    draft = drafted([call], [result._replace(table=only(table, kept))])
    return draft._replace(text=f"{lead}\n\n{draft.text}")

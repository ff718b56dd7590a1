"""What the desk and its sleeves are now, with what no tool shows named first; counts of what was listed. Called by plans.py."""

import re
from collections.abc import Sequence
from typing import Any

from agents.offline.calls import made, once
from agents.offline.entries import choices_of
from agents.offline.fill import arguments
from agents.offline.follow import points_back
from agents.offline.read_back import PlannedCall
from agents.offline.steps import Plan, Question, asks_back, drafted, name_list, result_text
from agents.offline.words import PATTERNS
from tools.common import render
from tools.common.contract import Table


def sleeves(q: Question) -> Plan:
    """The sleeves, or one: how it stands; asked for settings, its parameters first."""
    assert q.entry is not None  # noqa: S101 - chosen by the caller
    call = PlannedCall("sleeves", arguments(q, q.entry.tool))
    (result,) = yield [call]
    draft, text = drafted([call], [result]), q.slots.text
    if result.data.get("sleeves") and _SETTING.search(text) and not re.search(r"\b(?:where|far|distance|version)\b", text):
        return draft._replace(text=f"{_settings(q, result.data['sleeves'])}\n\n{result_text(result, table=False)}")
    if re.search(r"\bhow (?:far|close|near)\b|\bdistance\b", text):
        return draft._replace(text=f"No tool gives the distance to a stop; its level is below.\n\n{draft.text}")
    if (
        re.search(r"\b(?:targets?|entry|entered|opened|how long|since when|get in|got in|armed)\b", text)
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


_SETTING = PATTERNS["plans.setting"]
_SET = PATTERNS["plans.set"]


def _settings(q: Question, listed: Any) -> str:
    """The parameters of sleeves as a table, those that the sentence speaks of alone."""
    asked = set(_SET.findall(q.slots.text))
    keys = list(dict.fromkeys(key for sleeve in listed for key in sleeve["params"]))
    keys = [key for key in keys if key in q.slots.text or asked & set(key.split("_"))] or keys
    rows = tuple(
        (key, *("-" if (value := sleeve["params"].get(key)) is None else str(value) for sleeve in listed)) for key in keys
    )
    return render.markdown_table(Table(("parameter", *(sleeve["name"] for sleeve in listed)), rows))


_DAY_LOSS = re.compile(r"\b(?:daily|day|today)(?:'s)? loss\b|\bloss (?:of the day|today|limit)\b|\bdaily limit\b")


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

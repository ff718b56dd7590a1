"""What a short sentence goes on with: the thread's last question, table, event, run. Called by model.py.

`and ETH?`, `and the week before`, `1.5 atr` go on with the question before, whose slots they replace one by one; `the second
one`, `row 3` are a line of the last table that had ids; `why?` is the last event or refusal.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from agents.offline.choose import tokens_of
from agents.offline.dates import TimeSpan
from agents.offline.slots import Slots, read_slots
from agents.offline.steps import CallResult, PastTurn, PlannedCall, result_text
from agents.offline.words import PICKS, STOP, WEAK, Words

_EARLIER = re.compile(
    r"\b(?:the )?(day|week|month|quarter|year) before(?: that)?\b(?! yesterday)"
    r"|\bthe previous (day|week|month|quarter|year)\b|\bbefore that\b"
)
_WHY = re.compile(
    r"^(?:and |but |so |ok )*(?:why|how come|why is that|why not|explain(?: (?:it|that|this))?|what is the reason)[?.! ]*$"
)
_LEAD = re.compile(r"^(?:and|what about|how about|same|now|also|again|with|for|on|in|then|or|but|make it|try|the same)\b")
_NARROW = ("long", "longs", "short", "shorts", "atr", "sleeve", "worst", "best", "only", "just")
_ID = re.compile(r"\b(?:(?:d|p|r|al|prop)-\d[\w-]*|prop-[\w-]+|\d{8}-[\w-]+)\b")


def goes_on(slots: Slots) -> bool:
    """Whether a sentence names nothing but slots, so that it can only go on with the one before."""
    bare = [t for t in tokens_of(slots) if not t.slot and t.word not in STOP and t.word not in WEAK]
    if _EARLIER.search(slots.text) and len(bare) <= 2:
        return True
    named = any(name not in ("strategies",) for name in slots.places) or slots.side
    named = named or (slots.which in ("worst", "best") and not re.search(r"\bwhich\b", slots.text))
    if bare and all(t.word in _NARROW for t in bare):
        bare = []
    return bool(named) and not bare and (bool(_LEAD.match(slots.text)) or len(tokens_of(slots)) <= 4)


def shifted(slots: Slots, older: Slots, words: Words) -> Slots:
    """`older`'s slots with those that the new sentence replaces; `the week before` moves its window back."""
    merged = _with_number(slots, older, words).over(older)
    found = _EARLIER.search(slots.text)
    if found and words.desk_ms is not None:
        unit = next((g for g in found.groups() if g), None)
        start = _time(older.span.start or older.span.at) or datetime.fromtimestamp(words.desk_ms / 1000, UTC)
        end = _time(older.span.end)
        days = {"day": 1, "week": 7, "month": 30, "quarter": 91, "year": 365}
        size = timedelta(days=days[unit]) if unit else (end - start) if end else timedelta(days=7)
        span = TimeSpan((start - size).strftime("%Y-%m-%dT%H:%M"), start.strftime("%Y-%m-%dT%H:%M"))
        merged = replace(merged, span=span)
    if slots.by:  # a split instead of the worst, or the worst instead of a split
        merged = replace(merged, which=slots.which, count=slots.count)
    else:
        merged = replace(merged, which=slots.which or older.which, by=() if slots.which else merged.by)
    return replace(merged, text=older.text, places={**older.places})


def _with_number(slots: Slots, older: Slots, words: Words) -> Slots:
    """A number alone takes the parameter of the question before: the only one with its unit, or the one its words name."""
    if len(slots.unclear) != 1 or not (found := re.match(r"([-+]?\d+(?:\.\d+)?)", slots.unclear[0])):
        return slots
    value = float(found[1])
    number = int(value) if value.is_integer() and "." not in found[1] else value
    unit = "_atr" if "atr" in slots.unclear[0] else "_bars" if "bar" in slots.unclear[0] else ""
    keys = {key for variant in (older.common, *older.variants) for key in variant if key.endswith(unit)}
    if len(keys) == 1:
        return replace(slots, common={keys.pop(): number}, unclear=())
    both = read_slots(f"{older.text.rstrip('.?! ')} to {slots.unclear[0]}", words)
    return replace(slots, common=both.common, unclear=()) if both.common and not both.unclear else slots


def _time(text: str | None) -> datetime | None:
    for form in ("%Y-%m-%dT%H:%M", "%Y-%m-%d"):
        try:
            return datetime.strptime(text or "", form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def asks_why(slots: Slots) -> bool:
    """`why?`, alone."""
    return bool(_WHY.match(slots.text))


def picks_row(slots: Slots) -> bool:
    """`the second one`, `explain row 3`: a line of the last table and nothing else."""
    bare = {t.word for t in tokens_of(slots) if not t.slot and t.word not in STOP}
    chooses = re.search(r"\b(?:go|use|take|pick|choose|adopt|better|best|worse)\b", slots.text)
    return slots.place is not None and bare <= PICKS and not slots.strategies and not chooses


def row_call(place: int, past: Sequence[PastTurn]) -> PlannedCall | str | None:
    """The call that shows a line of the last table with ids; a sentence when the table has no such line; None without a table."""
    for turn in reversed(past):
        for result in reversed(turn.results):
            ids = row_ids(result)
            if not ids:
                continue
            if not -len(ids) <= place < len(ids):
                return f"The last table has {len(ids)} rows: {', '.join(ids[:6])}. Which one?"
            return call_for(ids[place], result)
    return None


def row_ids(result: CallResult) -> list[str]:
    """The ids of a table's rows in order; of a result stored without its table, its evidence."""
    if result.status != "ok":
        return []
    if result.table is not None and result.table.rows:
        if (numbers := _trip_numbers(result)) is not None:
            return numbers
        found = [
            next((m[0] for cell in row if isinstance(cell, str) and (m := _ID.search(cell))), "") for row in result.table.rows
        ]
        return [i for i in found if i]
    return [i for i in result.evidence if _ID.fullmatch(i)]


def _trip_numbers(result: CallResult) -> list[str] | None:
    """Rows of a table of round trips of a run are called by their number."""
    assert result.table is not None  # noqa: S101 - asked before
    at = next((i for i, name in enumerate(result.table.columns) if name in ("trip", "number", "round trip")), None)
    if at is None or not _run_of(result):
        return None
    return [str(row[at]) for row in result.table.rows]


def _run_of(result: CallResult) -> Any:
    return result.args.get("run_id") or result.data.get("run_id")


def call_for(identity: str, of: CallResult) -> PlannedCall:
    """The call that shows one thing by its id."""
    kind = identity.partition("-")[0]
    if identity.isdigit():
        return PlannedCall("round_trip", {"run_id": _run_of(of), "number": int(identity)})
    if kind in ("d", "p"):
        return PlannedCall("explain_event", {"event_id": identity})
    if kind == "r":
        return PlannedCall("run", {"run_id": identity})
    if kind == "al":
        return PlannedCall("alerts", {"alert_id": identity})
    return PlannedCall("proposals", {"proposal_id": identity})


def why_call(past: Sequence[PastTurn]) -> PlannedCall | str | None:
    """What `why?` means: the last refusal again, else the last event; None when nothing can be meant."""
    results = [r for turn in past for r in turn.results]
    if not results:
        return None
    last = results[-1]
    if last.status in ("refused", "failed"):
        return result_text(last)
    events = [i for i in row_ids(last) if re.fullmatch(r"[dp]-\d+", i)]
    return PlannedCall("explain_event", {"event_id": events[-1]}) if events else None


def about_of(past: Sequence[PastTurn]) -> str | None:
    """What the thread was about last: a run, an event, a proposal or the desk."""
    name = next((r.name for turn in reversed(past) for r in reversed(turn.results)), "")
    if name in ("backtest", "compare", "run", "round_trip", "leaks"):
        return "run"
    return {"journal_search": "event", "explain_event": "event", "alerts": "event", "proposals": "proposal"}.get(name)

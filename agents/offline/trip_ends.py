"""How a position or a round trip that the turn above showed was opened and how it ended. Called by above_kinds.py and carry.py.

An exit is never taken from another trip: of an entry it is the next exit of its sleeve; where none is recorded, that is said.
"""

import re
from functools import partial
from typing import Any

from agents.offline.above import trip_meant
from agents.offline.drafts import asks_back
from agents.offline.read_back import PlannedCall
from agents.offline.slots import Slots
from agents.offline.steps import CallResult, Plan, PlannedAnswer, PlanOf, Question
from agents.offline.turn_above import Kinds, ShortSentence
from agents.offline.ways import SAY
from agents.offline.words import says

KINDS = Kinds()


def _is_trips(result: CallResult) -> bool:
    return result.name == "trips" and result.table is not None and result.table.columns[0] == "trip" and bool(result.table.rows)


@KINDS(most=9, back=True)
def reached(heard: ShortSentence) -> PlannedAnswer | None:  # noqa: ARG001 - a kind takes its sentence
    """`mae of that one`: no tool gives the excursions of one trip alone."""
    return asks_back(SAY["of_one_trip"])


_SUMS = ("pnl", "attribution", "performance")
_SHOWN = ("trips", "journal_search", "explain_event", "round_trip")
_STAYS = re.compile(r"\bround trip\b")


@KINDS(most=9, back=True)
def ended(heard: ShortSentence) -> Any:
    """`what took it out`, `how did that end`: the exit of the trip that the turn above showed; said where it showed none."""
    last = heard.above.last
    if "recover" in heard.text:  # of a drawdown: its row says when, or that it has not
        return None
    sums = last is not None and (last.name in _SUMS or (last.name == "trips" and not _is_trips(last)))
    if sums and says("trip_ends.out", heard.text):
        return asks_back(SAY["of_a_sum"])
    if last is None or last.status != "ok" or last.name not in _SHOWN or last.table is None:
        return None
    if last.name == "trips":
        return trip_meant(heard.read, last, heard.above.facts)
    return _of_list(heard.read, last) if last.name == "journal_search" else None


def _of_list(read: Slots, last: CallResult) -> PlannedCall | None:
    """Of fills that were listed: the one meant by its place, the only one, or the newest exit; None for an entry."""
    rows = [row for row in last.rows() if row.get("kind") == "fill"]
    if not rows:
        return None
    row = rows[0] if len(rows) == 1 else next((row for row in reversed(rows) if _STAYS.search(row["what"])), rows[-1])
    if read.place is not None and -len(rows) <= read.place < len(rows):
        row = rows[read.place]
    return PlannedCall("explain_event", {"event_id": row["event"]}) if _STAYS.search(row["what"]) else None


def opened(last: CallResult) -> PlanOf | None:
    """Since when the positions that were shown are held: the last entry of each sleeve that holds one."""
    held_by = [row["sleeve"] for row in last.rows() if not re.fullmatch(r"flat|-|", row.get("position", "")) and "sleeve" in row]
    return partial(_opened, held_by) if held_by else None


def _opened(held_by: list[str], q: Question) -> Plan:  # noqa: ARG001 - a plan takes its question
    search = {"kinds": ["fill"], "since": "30d", "limit": 3}
    results = yield [PlannedCall("journal_search", {**search, "sleeve": one}) for one in held_by[:3]]
    rows = [next((row for row in reversed(r.rows()) if "to enter" in row.get("what", "")), None) for r in results]
    none = "no entry is among its last fills"
    said = [f"{row['desk time']}, {row['what']} ({row['event']})" if row else none for row in rows]
    lines = [f"- {one}: {text}" for one, text in zip(held_by, said, strict=False)]
    return PlannedAnswer("Held since the last entry:\n\n" + "\n".join(lines), read_as="the entries of the positions above")

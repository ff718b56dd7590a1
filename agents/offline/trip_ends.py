"""How a position or a round trip that the turn above showed was opened and how it ended. Called by carry.py.

An exit is never taken from another trip: of an entry it is the next exit of its sleeve; where none is recorded, that is said.
"""

import re
from collections.abc import Mapping

from agents.offline.above import trip_meant
from agents.offline.read_back import PlannedCall
from agents.offline.slots import Slots
from agents.offline.steps import CallResult, Plan, PlannedAnswer, PlanOf, Question, asks_back, drafted, result_text
from agents.offline.tables import only
from agents.offline.turn_above import TurnAbove, of_above, short
from tools.common import render

_ENDED = re.compile(
    r"^(?:(?:and|so|but|ok|okay|then)[ ,]+)*(?:what|how|why|when|where|by what|who)\b.*\b(?:took|take|taken|"
    r"knocked|kicked|threw|shook|"
    r"stopped|closed?|killed|end|ended|exit|exited|finish|finished|turn(?:ed)? out|work(?:ed)? out|(?:get|got|"
    r"go|went|come|came) out)\b"
)
_RESULT = re.compile(
    r"\bhow did (?:it|that|this)(?: one)? (?:go|do|fare)\b|\b(?:did|has) (?:it|that|this)(?: one| trade|"
    r" trip)? (?:win|won|lose|lost|make (?:any )?money|"
    r"pay|work)\b|\bwas (?:it|that|this)(?: one| trade| trip)? a (?:winner|loser|win|loss|good|bad)\b"
)
_OUT = re.compile(r"\b(?:took|take|taken|knocked|kicked|closed?|exit|exited|(?:get|got|go|went|come|came) out)\b")
_SUMS = ("pnl", "attribution", "performance")
_SHOWN = ("trips", "journal_search", "explain_event", "round_trip")
_STAYS = re.compile(r"\bround trip\b")


def ended(read: Slots, above: TurnAbove) -> PlannedCall | PlannedAnswer | PlanOf | None:
    """`what took it out`, `how did that end`: the exit of the trip that the turn above showed; said where it showed none."""
    if not (_ENDED.search(read.text) or _RESULT.search(read.text)) or not of_above(read) or not short(read, 9):
        return None
    if above.found_nothing:
        return _nothing(above)
    last = above.last
    of_sums = last is not None and (last.name in _SUMS or (last.name == "trips" and not _is_trips(last)))
    if of_sums and _OUT.search(read.text):
        return asks_back(
            "What stands above is a sum, of no one trade. Name the trade by its sleeve and time, or ask for the worst trades."
        )
    if last is None or last.status != "ok" or last.name not in _SHOWN or last.table is None:
        return None
    if last.name == "trips":
        return trip_meant(read, last, above.facts)
    if last.name == "explain_event":
        return _of_event(last)
    return _of_list(read, last) if last.name == "journal_search" else None


def _nothing(above: TurnAbove) -> PlannedAnswer | None:
    """That the turn above showed no trip, where it was about trips or events."""
    newest = above.newest
    guesses = [guess.label.ask for guess in newest.maybe[:1]] if newest is not None else []
    of_trades = re.search(
        r"\b(?:trades?|trips?|fills?|losers?|winners?|positions?|entr\w+|exits?)\b", above.past[-1].asked.lower()
    )
    asks = {
        *guesses,
        *(["trips"] if of_trades else []),
        newest.ask if newest is not None else "",
        above.last.name if above.last is not None else "",
    }
    if not any(ask.startswith(_SHOWN) for ask in asks):
        return None
    return asks_back(
        "Nothing was found or looked up for the question above, so it showed no trade that this could be of. "
        "Name the trade by its sleeve and time, or ask for the list first: `the worst trades since monday`."
    )


def _cells(last: CallResult) -> Mapping[str, str]:
    """What an explained event holds, by name; of several events the last one's."""
    assert last.table is not None  # noqa: S101 - asked before
    event = last.table.rows[-1][0] if last.table.rows else ""
    return {str(row[1]): str(row[2]) for row in last.table.rows if row[0] == event} | {"event": str(event)}


def _of_event(last: CallResult) -> PlannedCall | PlanOf | None:
    cells, line = _cells(last), last.text
    if "round_trip_pnl" in cells:
        return PlannedCall("explain_event", {"event_id": cells["event"]})
    at = re.search(r"\b(\d{4}-\d\d-\d\d) (\d\d:\d\d)Z", line)
    entry = cells.get("slot") == "entry" or "to enter" in line
    return exit_after(cells.get("sleeve", ""), f"{at[1]}T{at[2]}", cells["event"]) if entry and at else None


def _of_list(read: Slots, last: CallResult) -> PlannedCall | PlanOf | None:
    """Of fills that were listed: the one meant by its place, the only one, or the newest exit."""
    assert last.table is not None  # noqa: S101 - asked before
    rows = [dict(zip(last.table.columns, map(str, row), strict=False)) for row in last.table.rows]
    rows = [row for row in rows if row.get("kind") == "fill"]
    if not rows:
        return None
    if read.place is not None and -len(rows) <= read.place < len(rows):
        row = rows[read.place]
    else:
        row = rows[0] if len(rows) == 1 else next((row for row in reversed(rows) if _STAYS.search(row["what"])), rows[-1])
    if _STAYS.search(row["what"]):
        return PlannedCall("explain_event", {"event_id": row["event"]})
    at = row["desk time"].removesuffix("Z").replace(" ", "T")
    return exit_after(row["sleeve"], at, row["event"])


def exit_after(sleeve: str, since: str, entry: str) -> PlanOf:
    """The first exit of a sleeve after an entry, explained; or that none is recorded yet."""

    def plan(q: Question) -> Plan:  # noqa: ARG001 - a plan takes its question
        search = PlannedCall("journal_search", {"kinds": ["fill"], "sleeve": sleeve, "since": since})
        (found,) = yield [search]
        rows = [dict(zip(found.table.columns, map(str, row), strict=False)) for row in found.table.rows] if found.table else []
        after = [row for row in rows if row.get("event") != entry and _STAYS.search(row.get("what", ""))]
        if not after:
            text = f"It has not ended: no exit of {sleeve} is recorded after {entry}.\n\n{result_text(found)}"
            return PlannedAnswer(text, read_as=f"the exit after {entry}")
        explain = PlannedCall("explain_event", {"event_id": after[0]["event"]})
        (cause,) = yield [explain]
        return drafted([explain], [cause])

    return plan


def opened(last: CallResult) -> PlanOf | None:
    """Since when the positions that were shown are held: the last entry of each sleeve that holds one."""
    table = last.table
    if table is None or not {"sleeve", "position"} <= set(table.columns):
        return None
    name, position = table.columns.index("sleeve"), table.columns.index("position")
    held_by = [str(row[name]) for row in table.rows if not re.fullmatch(r"flat|-|", str(row[position]))]
    if not held_by:
        return None

    def plan(q: Question) -> Plan:  # noqa: ARG001 - a plan takes its question
        calls = [
            PlannedCall("journal_search", {"kinds": ["fill"], "sleeve": one, "since": "30d", "limit": 3}) for one in held_by[:3]
        ]
        results = yield calls
        entries = [_last_entry(result) for result in results]
        lines = [f"- {one}: {text}" for one, text in zip(held_by, entries, strict=False)]
        return PlannedAnswer("Held since the last entry:\n\n" + "\n".join(lines), read_as="the entries of the positions above")

    return plan


def _last_entry(result: CallResult) -> str:
    rows = [dict(zip(result.table.columns, map(str, row), strict=False)) for row in result.table.rows] if result.table else []
    row = next((row for row in reversed(rows) if "to enter" in row.get("what", "")), None)
    return f"{row['desk time']}, {row['what']} ({row['event']})" if row else "no entry is among its last fills"


_LONG = re.compile(
    r"\b(?:how long (?:did|was|had|were)|how (?:much )?time (?:did|was)|when did (?:we|it) (?:get in|enter|"
    r"open|buy|sell|close|exit)|"
    r"(?:entry|exit) time)\b"
)
_NTH = re.compile(
    r"^(?:(?:and|what about|show)[ ,]+)*(?:me )?the (second|2nd|third|3rd|fourth|4th|fifth|5th)(?:[ -](?:worst|"
    r"best|biggest|largest))?(?: one| trade| trip)?[?.! ]*$"
)
_PLACES = {"second": 1, "2nd": 1, "third": 2, "3rd": 2, "fourth": 3, "4th": 3, "fifth": 4, "5th": 4}


def of_listed_trip(read: Slots, above: TurnAbove) -> PlannedAnswer | None:
    """`how long did it last`, `and the second worst?`, after one of a list of trips was explained: that row of the list."""
    listed = next((r for turn in reversed(above.past[-3:]) for r in turn.results if _is_trips(r)), None)
    if listed is None or listed.table is None or not short(read, 8) or (above.last is not None and _is_trips(above.last)):
        return None
    nth = _NTH.match(read.text)
    if not (nth or (_LONG.search(read.text) and (of_above(read) or " we " in read.text))):
        return None
    place = _PLACES[nth[1]] if nth else read.place or 0
    if not -len(listed.table.rows) <= place < len(listed.table.rows):
        return None
    row = only(listed.table, [place])
    note = f"Row {place + 1} of the list of trips above; the entry and the exit are its times."
    return PlannedAnswer(f"{note}\n\n{render.markdown_table(row)}", read_as=f"row {place + 1} of the trips above")


def _is_trips(result: CallResult) -> bool:
    return result.name == "trips" and result.table is not None and result.table.columns[0] == "trip" and bool(result.table.rows)


_EXTREME = re.compile(r"\b(?:biggest|largest|worst|best|most|smallest)\b|\bhurt\b")
_PNL = re.compile(r"\bround trip (-?[\d,]+(?:\.\d+)?)")


def extreme_fill(read: Slots, above: TurnAbove) -> PlannedCall | PlannedAnswer | None:
    """`which of those was the biggest loss`, of fills that were listed: the exit with that round trip, explained."""
    last = above.last
    if (
        last is None
        or last.name != "journal_search"
        or last.table is None
        or not _EXTREME.search(read.text)
        or not short(read, 10)
    ):
        return None
    if not of_above(read) or not re.search(
        r"\b(?:loss|loser|lost|win|winner|won|made|profit|gain|hurt|trade|one|p&l|worst|best)\b", read.text
    ):
        return None
    rows = [dict(zip(last.table.columns, map(str, row), strict=False)) for row in last.table.rows]
    exits = [(float(m[1].replace(",", "")), row["event"]) for row in rows if (m := _PNL.search(row.get("what", "")))]
    if not exits:
        return PlannedAnswer("None of the events above closed a round trip, so none has a result.", read_as="the events above")
    low = read.which == "worst" or bool(re.search(r"\b(?:loss|loser|lost|hurt|worst)\b", read.text))
    return PlannedCall("explain_event", {"event_id": (min if low else max)(exits)[1]})


KINDS = (of_listed_trip, ended, extreme_fill)

"""What a short sentence goes on with: the thread's last question, table, event, run, proposal, alert. Called by model.py.

`and ETH?`, `and the week before`, `1.5 atr` go on with the question before, whose slots they replace one by one; `the second
one`, `row 3` are a line of the last table; `which had the smallest drawdown` is read from it; `when does it expire`, `is it bad`
ask about the proposal or the alert just shown; `why?` is the last event or refusal.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from agents.offline.account import tokens_of
from agents.offline.dates import TimeSpan
from agents.offline.entries import WORD
from agents.offline.read_back import PlannedCall
from agents.offline.slots import Slots
from agents.offline.steps import CallResult, PastTurn, PlannedAnswer, asks_back, result_text
from agents.offline.tables import Facts, extreme, extreme_row, heads_of, number_of, only, ranks, signed_rows
from agents.offline.words import FIGURE_WORDS, PATTERNS, PICKS, STOP
from engine.clock import utc
from tools.common import render
from tools.common.contract import Table

_WHY = PATTERNS["focus.why"]
_ID = re.compile(r"\b(?:(?:d|p|r|al|prop)-\d[\w-]*|prop-[\w-]+|\d{8}-[\w-]+)\b")


def asks_why(slots: Slots) -> bool:
    """`why?`, alone."""
    return bool(_WHY.match(slots.text))


def picks_row(slots: Slots) -> bool:
    """`the second one`, `explain row 3`: a line of the last table and nothing else."""
    bare = {t.word for t in tokens_of(slots) if not t.slot and t.word not in STOP and t.word not in FIGURE_WORDS}
    chooses = re.search(r"\b(?:go|use|take|pick|choose|adopt|better|worse|propose)\b", slots.text)
    return slots.place is not None and bare <= PICKS and not slots.strategies and not chooses


def last_table(past: Sequence[PastTurn]) -> CallResult | None:
    """The newest result with a table."""
    return next((r for t in reversed(past) for r in reversed(t.results) if r.table is not None and r.table.rows), None)


def row_of(place: int, past: Sequence[PastTurn], facts: Facts) -> PlannedCall | PlannedAnswer:
    """The call that shows a line of the last table, or the line itself where it has no id; a question back without one."""
    for turn in reversed(past):
        for result in reversed(_together(turn.results)):
            ids, table = row_ids(result), result.table
            size = len(ids) or (len(table.rows) if table is not None else 0)
            if not size:
                continue
            if not -size <= place < size:
                return asks_back(f"The last table has {size} rows{': ' + ', '.join(ids[:6]) if ids else ''}. Which one?")
            if ids:
                return call_for(ids[place], result)
            assert table is not None  # noqa: S101 - it has rows
            row = table.rows[place]
            if (at := _exit_of(table, row, facts)) is not None:
                return at
            return PlannedAnswer(
                f"Row {place % size + 1} of the table above, {row[0]}.\n\n{render.markdown_table(only(table, [place % size]))}"
            )
    return asks_back("Nothing is listed in this thread, so I cannot tell which one you mean. Name it by its id.")


def _exit_of(table: Table, row: Sequence[Any], facts: Facts) -> PlannedCall | None:
    """The call that shows a round trip of the desk: its sleeve's fills from entry to exit, with what ended it."""
    cells = dict(zip(table.columns, row, strict=False))
    ends = [number_of(cells.get(name), facts) for name in ("entry_ms", "exit_ms")]
    if "sleeve" not in cells or None in ends:
        return None
    closed = (ends[1] or 0) + 16 * 60_000  # a fill is journaled at the close of its bar
    since, until = (utc(at).removesuffix("Z").replace(" ", "T") for at in (ends[0], closed))
    return PlannedCall("journal_search", {"kinds": ["fill"], "sleeve": cells["sleeve"], "since": since, "until": until})


def _together(results: Sequence[CallResult]) -> list[CallResult]:
    """Results of one tool with tables of one kind as one: the best and the worst are listed one after the other."""
    kept: list[CallResult] = []
    for result in results:
        last = kept[-1] if kept else None
        if (
            last is not None
            and last.name == result.name
            and last.table
            and result.table
            and last.table.columns == result.table.columns
        ):
            kept[-1] = last._replace(table=last.table._replace(rows=last.table.rows + result.table.rows))
        else:
            kept.append(result)
    return kept


def row_ids(result: CallResult) -> list[str]:
    """The ids of a table's rows in order; of a result stored without its table, its evidence."""
    if result.status != "ok":
        return []
    if result.table is None or not result.table.rows:
        return [i for i in result.evidence if _ID.fullmatch(i)]
    if (numbers := _trip_numbers(result)) is not None:
        return numbers
    found = [next((m[0] for cell in row if isinstance(cell, str) and (m := _ID.search(cell))), "") for row in result.table.rows]
    return found if all(found) else []


def _trip_numbers(result: CallResult) -> list[str] | None:
    """Rows of a table of round trips of a run are called by their number."""
    assert result.table is not None  # noqa: S101 - asked before
    at = next((i for i, name in enumerate(result.table.columns) if name in ("trip", "number", "round trip")), None)
    if at is None or not _run_of(result):
        return None
    return [str(row[at]).removeprefix("t") for row in result.table.rows]


def _run_of(result: CallResult) -> Any:
    subject = result.args.get("subject") or result.data.get("subject")
    return result.args.get("run_id") or result.data.get("run_id") or (subject if str(subject).startswith("r-") else None)


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


_OF_THE_DESK = PATTERNS["focus.of_the_desk"]


def why_call(past: Sequence[PastTurn]) -> PlannedCall | PlannedAnswer | None:
    """What `why?` means: the last refusal again, else the last event; None when nothing can be meant."""
    last = next((t.results[-1] for t in reversed(past) if t.results), None)
    if last is None:
        return None
    if last.status in ("refused", "failed"):
        return PlannedAnswer(result_text(last))
    if last.name in _FIGURES:
        return PlannedCall("attribution", {key: last.args[key] for key in ("since", "until") if last.args.get(key)})
    if last.name not in ("journal_search", "alerts"):
        return None
    events = [i for i in row_ids(last) if re.fullmatch(r"[dp]-\d+", i)]
    return PlannedCall("explain_event", {"event_id": events[-1]}) if events else None


_OF_PROPOSAL = PATTERNS["focus.of_proposal"]
_OF_ALERT = PATTERNS["focus.of_alert"]


_GOOD, _LIFE = PATTERNS["focus.good"], PATTERNS["focus.life"]
_LIST = PATTERNS["focus.list"]
_FIGURES = ("pnl", "performance", "trips", "attribution")


def thing_call(slots: Slots, past: Sequence[PastTurn]) -> PlannedCall | None:
    """The call that answers about what was just shown: `when does it expire`, `is it bad`, `fees paid`, `list them`."""
    last = next((t.results[-1] for t in reversed(past) if t.results), None)
    names = [n for n in slots.places if n not in ("everything", "side", "which", "place")]
    if last is None or last.status != "ok" or names or len(tokens_of(slots)) > 9:
        return None
    short = len(tokens_of(slots)) <= 4
    shown = re.search(r"\b(?:it|that|this|its|one)\b", slots.text) or short
    run = _run_of(last) or (last.evidence[0] if last.name == "backtest" and last.evidence else None)
    if _GOOD.search(slots.text) and last.name in (*_FIGURES, "backtest", "run"):
        return PlannedCall("performance", {"subject": run} if run else {})
    if _LIST.search(slots.text) and last.name in ("trips", "journal_search"):
        window = {key: last.args[key] for key in ("since", "until", "sleeve") if last.args.get(key)}
        return PlannedCall(
            "journal_search", last.args if last.name == "journal_search" else {"kinds": ["fill"], **window, "limit": 100}
        )
    if run and re.search(r"\bwhy\b.*\b(?:los[et]\w*|money|bad|down|negative|poor\w*|little|much)\b", slots.text):
        return PlannedCall("trips", {"subject": str(run)})
    life = _LIFE.search(slots.text) and not re.search(r"\bwe\b", slots.text)
    figures = {t.word for t in tokens_of(slots)} & FIGURE_WORDS and not _OF_THE_DESK.search(slots.text)
    about_figures = life or figures
    if run and last.name in ("backtest", "run") and shown and about_figures and (life or not re.search(r"\bwhy\b", slots.text)):
        return PlannedCall("run", {"run_id": str(run)})
    proposals = [i for i in last.evidence if re.match(r"prop-|\d{8}-", i)]
    if last.name.startswith("propos") and len(proposals) == 1 and shown and _OF_PROPOSAL.search(slots.text):
        expires = re.search(r"\bexpir\w+|\bvalid\b", slots.text)  # the list says until when, the card does not
        return PlannedCall("proposals", {"state": "pending"} if expires else {"proposal_id": proposals[0]})
    alerts = [i for i in last.evidence if i.startswith("al-")]
    if last.name == "alerts" and alerts and shown and _OF_ALERT.search(slots.text):
        return PlannedCall("alerts", {"alert_id": alerts[0]})
    return None


JUDGES = PATTERNS["focus.judges"]


def judges_comparison(slots: Slots, past: Sequence[PastTurn]) -> bool:
    """Whether a sentence asks what the comparison just made came to: `which one is best`, `is the difference significant`."""
    last = next((t.results[-1] for t in reversed(past) if t.results), None)
    new = slots.places.keys() & {"params", "span", "symbols", "sleeves", "strategies", "place", "ids"}
    asks = JUDGES.search(slots.text) and not re.search(r"\b(?:propos\w+|submit|suggest|adopt|go with|make|turn)\b", slots.text)
    return last is not None and last.name == "compare" and last.status == "ok" and bool(asks) and not new


_BARE = PATTERNS["focus.bare"]


def same_again(slots: Slots, past: Sequence[PastTurn]) -> PlannedAnswer | None:
    """`since when, by who`, `who?`: what the answer above has already, shown again; None for a sentence that names anything."""
    newest = past[-1].results[-1] if past[-1].results else None
    if newest is None or newest.status != "ok" or slots.places or not _BARE.match(slots.text):
        return None
    return PlannedAnswer(f"What stands above says this, and no more:\n\n{result_text(newest)}", read_as="the answer above")


def read_from_table(slots: Slots, past: Sequence[PastTurn], facts: Facts) -> PlannedCall | PlannedAnswer | None:
    """What a short sentence asks of the table that stands above: `only the losing ones`, `by how much`, `which has the lower
    drawdown`, `what happened on the worst of them`; None when the table does not say, or the sentence names something else."""
    last, text = last_table(past), slots.text
    names = {n for n in slots.places if n not in ("count", "which", "place", "everything", "outcome")}
    if last is None or last.table is None or names or not past or _since(past, last) or len(tokens_of(slots)) > 14:
        return None
    table = last.table
    if sign := _SIGNED.search(text):
        rows = signed_rows(table, facts, losing=sign["red"] is not None)
        if rows is None:
            return None
        lead = f"{len(rows)} of the {len(table.rows)} rows of the table above."
        return PlannedAnswer(
            f"{lead}\n\n{render.markdown_table(only(table, rows))}" if rows else f"None: 0 of {len(table.rows)} rows."
        )
    by_how_much = bool(_BY_HOW_MUCH.match(text))
    asked = past[-1].asked.lower() if by_how_much else text
    if asked is text and not heads_of(table, text):  # the figure that the thread asks about
        earlier = next((turn.asked.lower() for turn in reversed(past[-3:]) if heads_of(table, turn.asked.lower())), "")
        asked = f"{text} {' '.join(word for word in WORD.findall(earlier) if word in FIGURE_WORDS)}".strip()
    points = _POINTS.search(text) or by_how_much
    if (
        not ranks(asked)
        or not points
        or (not by_how_much and not heads_of(table, asked) and slots.which not in ("worst", "best"))
    ):
        return None
    found = extreme_row(table, facts, asked, slots.which)
    if found is None:
        return None
    day = re.match(
        r"\d{4}-\d\d-\d\d", utc(int(ms)) if (ms := number_of(table.rows[found][0], facts)) else str(table.rows[found][0])
    )
    if re.search(r"\bhappened\b", text) and day:
        until = datetime.fromisoformat(day[0]) + timedelta(days=1)
        return PlannedCall("journal_search", {"since": day[0], "until": f"{until:%Y-%m-%d}"})
    return PlannedAnswer(f"{extreme(table, facts, asked, slots.which)} That is of the table above.", read_as="the table above")


def row_span(older: Slots, past: Sequence[PastTurn], facts: Facts) -> TimeSpan | None:
    """The day, week or month that the last answer named as the best or the worst; None when it named none."""
    last = next((t.results[-1] for t in reversed(past) if t.results), None)
    if last is None or last.name != "pnl" or last.table is None or not (ranks(older.text) or older.which in ("worst", "best")):
        return None
    found = extreme_row(last.table, facts, older.text, older.which)
    if found is None:
        return None
    at = number_of(last.table.rows[found][0], facts)
    day = re.match(r"\d{4}-\d\d-\d\d", str(last.table.rows[found][0]) if at is None else utc(int(at)))
    if day is None:
        return None
    size = {"week": 7, "month": 31}.get(str(last.args.get("unit", "day")), 1)
    first = datetime.fromisoformat(day[0])
    end = (first + timedelta(days=size)).replace(day=1) if size == 31 else first + timedelta(days=size)
    return TimeSpan(f"{first:%Y-%m-%d}", f"{end:%Y-%m-%d}")


def _since(past: Sequence[PastTurn], shown: CallResult) -> bool:
    """Whether anything was looked up after it."""
    return next((turn for turn in reversed(past) if turn.results), PastTurn("", ())).results.count(shown) == 0


_SIGNED, _BY_HOW_MUCH, _POINTS = (PATTERNS[f"focus.{name}"] for name in ("signed", "by_how_much", "points"))


def about_of(past: Sequence[PastTurn]) -> str | None:
    """What the thread was about last: a run, an event, a proposal or the desk."""
    name = next((r.name for turn in reversed(past) for r in reversed(turn.results)), "")
    if name in ("backtest", "compare", "run", "round_trip", "leaks", "sweep", "walkforward", "judge", "trials"):
        return "run"
    return {"journal_search": "event", "explain_event": "event", "alerts": "event"}.get(
        name, "proposal" if name.startswith("propos") else None
    )

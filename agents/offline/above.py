"""What a short sentence asks of what stands above: a row of the table, why, which is the worst, how good that is. Called by
understand.py.

`the second one` is a line of the last table; `why?` is the last event or refusal, or where a figure comes from.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from agents.offline.account import tokens_of, weighs, words_left
from agents.offline.drafts import asks_back, drafted, result_text, window
from agents.offline.page_plans import rule_story
from agents.offline.read_back import PlannedCall
from agents.offline.slots import COUNTED, Slots
from agents.offline.steps import CallResult, PastTurn, Plan, PlannedAnswer, PlanOf, Question
from agents.offline.tables import Facts, extreme, extreme_row, heads_of, number_of, only, ranks
from agents.offline.talk import LOOKS_BACK
from agents.offline.ways import SAY
from agents.offline.words import FIGURE_WORDS, LISTS, PATTERNS, says, stem
from engine.clock import utc
from tools.common import render
from tools.common.contract import Table

if TYPE_CHECKING:
    from agents.offline.parts import Part

WHICH_ROW = "Which one? Say `the second one` or `row 3`, or its id."
_FIGURES = ("pnl", "performance", "trips", "attribution", "desk")
FromAbove = PlannedCall | PlannedAnswer | PlanOf


def newest(past: Sequence[PastTurn]) -> CallResult | None:
    """The newest result of the thread."""
    return next((r for turn in reversed(past[-LOOKS_BACK:]) for r in reversed(turn.results) if r.name != "calc"), None)


def last_table(past: Sequence[PastTurn]) -> CallResult | None:
    """The newest result with a table."""
    return next((r for t in reversed(past) for r in reversed(t.results) if r.table is not None and r.table.rows), None)


def _there(place: int | None, rows: Sequence[Any]) -> bool:
    return place is not None and -len(rows) <= place < len(rows)


def row(slots: Slots, past: Sequence[PastTurn], facts: Facts) -> FromAbove:
    """The line of the last table that a sentence picks."""
    if (last := newest(past)) is not None and last.status == "no_data" and past[-1].results:
        return PlannedAnswer(f"There is none: {result_text(last)}", read_as="the answer above")
    words = [t.word for t in tokens_of(slots)]
    number = next((int(w) for w in words if w.isdigit()), None) or next((COUNTED[w] for w in words if w in COUNTED), None)
    place = slots.place if slots.place is not None else -1 if slots.which == "last" else number - 1 if number else None
    table = found.table if (found := last_table(past)) is not None else None
    if place is None and table is not None and len(table.rows) == 1:
        place = 0
    return asks_back(WHICH_ROW) if place is None else row_of(place, past, facts, slots.text)


def row_of(place: int, past: Sequence[PastTurn], facts: Facts, text: str = "") -> FromAbove:
    """The call that shows a line of the last table, or the line itself where it has no id; a question back without one."""
    lists = any(not of_one(result) and row_ids(result) for turn in past[-LOOKS_BACK:] for result in turn.results)
    for result in (result for turn in reversed(past) for result in reversed(together(turn.results))):
        ids, table = row_ids(result), result.table
        rows = ids or (table.rows if table is not None else ())
        if not rows or (lists and of_one(result)):  # `the second one`, after the first was explained: of the list, still
            continue
        if not _there(place, rows):
            return asks_back(f"The last table has {len(rows)} rows{': ' + ', '.join(ids[:6]) if ids else ''}. Which one?")
        if ids:
            return call_for(ids[place], result)
        assert table is not None  # noqa: S101 - it has rows
        if result.name == "counts" and "rule" in table.columns:
            return rule_story(result.rows()[place]["rule"], result)
        if run_shown(result) is None and (at := exit_of(table, table.rows[place], facts)) is not None:
            return story_of(at, text)
        shown = render.markdown_table(only(table, [place]))
        return PlannedAnswer(f"Row {place % len(rows) + 1} of the table above, {table.rows[place][0]}.\n\n{shown}")
    return asks_back("Nothing is listed in this thread, so I cannot tell which one you mean. Name it by its id.")


def of_one(result: CallResult) -> bool:
    """Whether a table says what one thing is: its rows are figures, not things to pick from."""
    return result.table is not None and result.table.columns[0] in ("metric", "event")


def exit_of(table: Table, line: Sequence[Any], facts: Facts) -> PlannedCall | None:
    """The call that shows a round trip of the desk: its sleeve's fills from entry to exit, with what ended it."""
    cells = dict(zip(table.columns, line, strict=False))
    entry, ended = (number_of(cells.get(name), facts) for name in ("entry_ms", "exit_ms"))
    if "sleeve" not in cells or entry is None or ended is None:
        return None
    closed = ended + 16 * 60_000  # a fill is journaled at the close of its bar
    since, until = (utc(int(at)).removesuffix("Z").replace(" ", "T") for at in (entry, closed))
    return PlannedCall("journal_search", {"kinds": ["fill"], "sleeve": cells["sleeve"], "since": since, "until": until})


def trip_meant(slots: Slots, last: CallResult, facts: Facts) -> FromAbove | None:
    """The round trip of the list above that a sentence means: by its place, the only one, or the first, which is the extreme."""
    table = last.table
    if last.name != "trips" or table is None or table.columns[0] != "trip" or not table.rows:
        return None
    place = slots.place if slots.place is not None and _there(slots.place, table.rows) else 0
    at = exit_of(table, table.rows[place], facts)
    return None if at is None else story_of(at, f"{slots.text} why")


def story_of(search: PlannedCall, text: str) -> PlanOf:
    """A round trip of the desk: its fills from entry to exit; asked for a reason, the event that opened or ended it first."""
    return partial(_story, search, text)


def _story(search: PlannedCall, text: str, q: Question) -> Plan:  # noqa: ARG001 - a plan takes its question
    (found,) = yield [search]
    events = [event for event in found.evidence if re.fullmatch(r"d-\d+", event)]
    if not events or not says("above.reason", text):
        return drafted([search], [found])
    explain = PlannedCall("explain_event", {"event_id": events[0] if says("above.entry", text) else events[-1]})
    (cause,) = yield [explain]
    return drafted([explain, search], [cause, found])


def together(results: Sequence[CallResult]) -> list[CallResult]:
    """Results of one tool with tables of one kind as one: the best and the worst are listed one after the other."""
    kept: list[CallResult] = []
    for result in results:
        last = kept[-1] if kept and kept[-1].name == result.name else None
        if last is not None and last.table and result.table and last.table.columns == result.table.columns:
            kept[-1] = last._replace(table=last.table._replace(rows=last.table.rows + result.table.rows))
        else:
            kept.append(result)
    return kept


def row_ids(result: CallResult) -> list[str]:
    """The ids of a table's rows in order; of a result stored without its table, its evidence."""
    if result.status != "ok":
        return []
    if result.table is None or not result.table.rows:
        return [i for i in result.evidence if PATTERNS["above.id"].fullmatch(i)]
    found = [
        next((m[0] for cell in row if isinstance(cell, str) and cell[:1] != "{" and (m := says("above.id", cell))), "")
        for row in result.table.rows
    ]
    return found if all(found) else []


def _run_of(result: CallResult) -> Any:
    subject = result.args.get("subject") or result.data.get("subject")
    return result.args.get("run_id") or result.data.get("run_id") or (subject if str(subject).startswith("r-") else None)


def run_shown(result: CallResult) -> Any:
    """The run that a result is of, or that it made."""
    return _run_of(result) or (result.evidence[0] if result.name == "backtest" and result.evidence else None)


_SHOWS = {"d": ("explain_event", "event_id"), "p": ("explain_event", "event_id"), "r": ("run", "run_id")}
_SHOWS |= {"al": ("alerts", "alert_id"), "orders": ("orders", "cid"), "incidents": ("incidents", "window")}


def call_for(identity: str, of: CallResult) -> PlannedCall:
    """The call that shows one thing by its id."""
    tool, name = _SHOWS.get(identity.partition("-")[0]) or _SHOWS.get(of.name, ("proposals", "proposal_id"))
    return PlannedCall(tool, {name: identity})


def why(slots: Slots, older: "Part | None", newest_turn: "Part | None", past: Sequence[PastTurn], facts: Facts) -> FromAbove:
    """What `why?` means: of a round trip listed what ended it, of a count its rule, the last refusal again, the last event,
    or where the figures come from."""
    last = newest(past)
    call = newest_turn.call if newest_turn is not None else None
    waits = newest_turn is not None and (newest_turn.lost or newest_turn.maybe)
    read = past[-1].results or waits or (isinstance(call, PlannedAnswer) and not call.asked_back)
    if newest_turn is not None and newest_turn.way is not None and newest_turn.way.key in SAY["of_people"].split():
        return PlannedAnswer(SAY["why_not"], read_as="the answer above")
    if last is not None and not read and says("subject.loses", slots.text) and (run := run_shown(last)) is not None:
        return partial(_of_run_above, str(run))
    if last is None or not read:
        return asks_back("Why what? Nothing was looked up for the last answer: name the day, the trade or the event.")
    none_of = [r for r in past[-1].results if r.status == "no_data" and str(r.args.get("state", "-")) in slots.text]
    last = none_of[0] if none_of else last  # `why was it rejected`, of those rejected and those cancelled
    if last.status in ("refused", "failed", "no_data"):
        none = "None was found, so that none has a reason: " if last.status == "no_data" else ""
        return PlannedAnswer(f"{none}{result_text(last)}", read_as="the answer above")
    if (trip := trip_meant(slots, last, facts)) is not None:
        return trip
    if last.name == "counts" and last.table is not None and "rule" in last.table.columns and last.table.rows:
        place = slots.place if slots.place is not None and _there(slots.place, last.rows()) else 0
        return rule_story(last.rows()[place]["rule"], last)
    asked = [of.slots for of in (newest_turn, older) if of is not None]
    of_a_row = any(of.which or of.place is not None or ranks(of.text) for of in asked)  # its window is not kept
    if last.name in _FIGURES and not of_a_row:
        kept = {key: last.args[key] for key in ("since", "until") if last.args.get(key)}
        return PlannedCall("attribution", {**kept, **(window(older.slots.span) if older else {})})
    events = [i for i in row_ids(last) if re.fullmatch(r"[dp]-\d+", i)]
    if last.name == "alerts" and (alerts := last.ids("al-")):
        return call_for(alerts[0], last)
    if last.name in ("journal_search", "alerts") and events:
        return call_for(events[-1], last)
    if (run := run_shown(last)) is not None:
        return PlannedCall("trips", {"subject": str(run), "by": "exit"})
    return asks_back("What stands above says no more of the reason. Name the trade, the event or the day, and I look it up.")


def _of_run_above(run: str, q: Question) -> Plan:  # noqa: ARG001 - a plan takes its question
    """How the round trips of a run ended, named as that of the last run made: what was asked since was not made."""
    results = yield [call := PlannedCall("trips", {"subject": run, "by": "exit"})]
    return drafted([call], results).after(f"Of {run}, the last run made here; what was asked since was not run.")


def of_last(past: Sequence[PastTurn]) -> list[CallResult]:
    """The runs that the last turn showed by their figures."""
    return [r for r in (past[-1].results if past else ()) if r.table is not None and r.table.columns == ("metric", "value")]


def made_runs(past: Sequence[PastTurn]) -> bool:
    """Whether a thread made or showed several runs, the newest one last."""
    made = [r for turn in past for r in turn.results if r.status == "ok" and (r.name == "backtest" or r.args.get("run_id"))]
    return len(made) > 1 and newest(past) is made[-1]


_FIGURE_NAMES = ("drawdown", "sharpe", "return", "fees", "slippage", "funding", "turnover", "exposure", "volatility")
_UNSAID = re.compile(r"\b(?:by whom?|who|since when|how long|how sure)\b")
_NAMED_ONE = re.compile(
    r"\b(?:approved|decided|released|acknowledged|confirmed|applied|noted|made|changed|halted) by \w+|\bactor\b"
)


def no_more(last: CallResult, text: str = "") -> PlannedAnswer:
    """The answer above again, where it has no more to say; asked for a person or a time that it lacks, that it lacks it."""
    asked, shown = _UNSAID.search(text), result_text(last)
    has = {"since when": "above.from_to", "how long": "above.lasts"}.get(asked[0] if asked else "")
    dated = has == "above.from_to" and last.table is not None and last.table.columns[0] in ("day", "week", "month", "desk time")
    found = last.status != "no_data" and (says(has, shown) if has else _NAMED_ONE.search(last.text))
    lacks = not dated and asked is not None and not found
    none = last.status == "no_data" or "No matching events" in last.text
    lead = f"None was found, so the record does not say {asked[0]}" if lacks and none and asked else ""
    less = f"The record does not say {asked[0]}. What was found" if lacks and asked else ""
    shown_words = {stem(word) for word in re.findall(r"[a-z]+", shown.lower())}
    unsaid = [word for word in re.findall(r"[a-z]{3,}", text) if weighs(word) and stem(word) not in shown_words]
    lead = (
        lead
        or less
        or (
            f"What stands above does not say that ({', '.join(unsaid)}). It says"
            if unsaid
            else "What stands above says this, and no more"
        )
    )
    return PlannedAnswer(f"{lead}:\n\n{shown}", read_as="the answer above")


def in_text(slots: Slots, past: Sequence[PastTurn]) -> PlannedAnswer | None:
    """The clause of the answer above that has each word of a short sentence and a figure: `how many folds were positive`."""
    last, same = newest(past[-1:]), LISTS["same_in_text"]
    words = [word for word in words_left(slots) if word not in ("part", "count")]
    forms = [re.compile(rf"\b(?:{stem(word)}|{same.get(word) or same.get(stem(word)) or word})") for word in words]
    if last is None or last.status != "ok" or not forms or (len(forms) < 2 and words[0] not in FIGURE_WORDS):
        return None
    clauses = re.split(r"[;:,.](?= |$)|\n", last.text)
    found = [one.strip() for one in clauses if re.search(r"[\d{]", one) and all(form.search(one.lower()) for form in forms)]
    return PlannedAnswer(f"{found[0][0].upper()}{found[0][1:]}.", read_as="the answer above") if found else None


def nothing_more(slots: Slots, past: Sequence[PastTurn]) -> PlannedAnswer:
    """The answer above once more, or that there is none."""
    if (last := newest(past)) is None:
        return asks_back("Nothing was looked up for the last answer. Name what you want to know it of.")
    return no_more(last, slots.text)


def again(slots: Slots, past: Sequence[PastTurn], facts: Facts) -> PlannedCall | PlannedAnswer | None:
    """`since when?`, `who?`: what the answer above has already, of a proposal or an alert its whole card; None where it has
    nothing of that."""
    last = newest(past)
    if last is None:
        return None
    listed = [i for i in last.evidence if re.match(r"prop-|\d{8}-|al-", i)]
    if len(listed) == 1 and (last.name == "alerts" or last.name.startswith("propos")):
        return call_for(listed[0], last)
    window = (says("above.from_to", last.text) or says("above.lasts", last.text)) if says("above.window", slots.text) else None
    if window is not None:
        return PlannedAnswer(f"From {window[1]} to {window[2]}.", read_as="the window of the answer above")
    return figure(slots, past, facts) or in_text(slots, past)


def figure(slots: Slots, past: Sequence[PastTurn], facts: Facts) -> PlannedCall | PlannedAnswer | None:
    """The row that a short sentence ranks first in the table above, `by how much` again; None where it has none such."""
    last, text = last_table(past), slots.text
    names = {n for n in slots.places if n not in ("count", "which", "place", "everything", "outcome", "by")}
    if last is None or last.table is None or names or _since(past, last):
        return None
    table = last.table
    asked = past[-1].asked.lower() if PATTERNS["above.by_how_much"].match(text) else text
    if slots.by or (not ranks(asked) and slots.which not in ("worst", "best")):
        return None
    lacks = next((t.word for t in tokens_of(slots) if t.word in _FIGURE_NAMES), "")
    if (
        lacks and lacks not in table.columns and not heads_of(table, asked) and table.columns[-1] != "value"
    ):  # `is the drawdown smaller`, over round trips
        return PlannedAnswer(f"The table above has no {lacks}; it has {', '.join(name for name in table.columns if name)}.")
    if extreme_row(table, facts, asked, slots.which) is None:
        return None
    return PlannedAnswer(f"{extreme(table, facts, asked, slots.which)} That is of the table above.", read_as="the table above")


def _since(past: Sequence[PastTurn], shown: CallResult) -> bool:
    """Whether anything was looked up after it."""
    return next((turn for turn in reversed(past) if turn.results), PastTurn("", ())).results.count(shown) == 0

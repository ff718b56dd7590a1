"""What a sentence points at in what stands above: a row, a day, a drawdown, a fold, a trade, an event, a run, a sleeve. Called by
understand.py.

`which sleeve did that`, `how much of that day was eth`, `the third one, what set it off`: the pointing words give way to the name
of the thing, and what is left is read as a question of its own. There is one way to find the thing, whatever table it is in.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import NamedTuple

from agents.offline import table_sums
from agents.offline.above import FromAbove, exit_of, of_one, row_ids, row_of, together
from agents.offline.account import meanings, tokens_of, weighs
from agents.offline.drafts import asks_back, result_text
from agents.offline.read_back import PlannedCall
from agents.offline.slots import Slots, read_slots
from agents.offline.steps import CallResult, PastTurn, PlannedAnswer
from agents.offline.table_answers import name_of
from agents.offline.tables import BETTER_LOW, Facts, number_of, only
from agents.offline.tables_shown import TableAbove
from agents.offline.talk import LOOKS_BACK, TIMES, asked_of, in_focus, key_of, tables_above, words_in
from agents.offline.words import ASKING, FIGURE_WORDS, LIGHT, LISTS, PATTERNS, STOP, Words, says, stem
from engine.clock import utc
from tools.common import render
from tools.common.contract import Table

_POINTER = PATTERNS["subject.pointer"]
_NOUNS: Mapping[str, str] = LISTS["pointed"]  # how the things of a table are called, by the head of its names
_DAYS = {"day": 1, "week": 7}


class Subject(NamedTuple):
    """A thing that stands above, with the words that name it in a question."""

    above: TableAbove
    row: int
    words: str
    is_window: bool = False
    placed: bool = False
    called: bool = False  # by the kind of thing it is


def _window(above: TableAbove, row: Mapping[str, str], facts: Facts) -> str:
    head = above.table.columns[0]
    if head in _DAYS:
        start = row[head][:10]
        return f"from {start} to {date.fromisoformat(start) + timedelta(days=_DAYS[head])}"
    ends = [number_of(row.get(end, ""), facts) for end in ("peak", "trough")] if head == "drawdown" else []
    dated = [utc(int(end))[:10] for end in ends if end is not None] or row[head].split(" to ")
    of = f" of {subject}" if (subject := str(above.result.args.get("subject", ""))).startswith("r-") else ""
    return f"from {dated[0]} to {dated[1]}{of}" if len(dated) == 2 else ""


def _trade(above: TableAbove, row: Mapping[str, str], facts: Facts) -> str:
    cells = tuple(row[head] for head in above.table.columns)
    call = exit_of(above.table, cells, facts)
    if call is None:
        return ""
    return f"of {call.args['sleeve']} from {call.args['since']} to {call.args['until']}"


_NAMED_BY: Mapping[str, Callable[[TableAbove, Mapping[str, str], Facts], str]] = {
    **dict.fromkeys(("day", "week", "drawdown", "test window"), _window),
    "trip": _trade,
    **dict.fromkeys(("sleeve", "exit", "side", "symbol", "run"), lambda above, row, _: f"of {row[above.table.columns[0]]}"),
    **dict.fromkeys(("strategy", "parameter"), lambda above, row, _: f"{row[above.table.columns[0]]}"),
    "configuration": lambda _, row, __: f"of {row['run']}" if row.get("run", "").startswith("r-") else "",
}


_SINGLE = ("day", "week", "drawdown", "test window", "trip", "run", "desk time", "alert", "order", "proposal")


def _name(above: TableAbove, n: int, facts: Facts) -> str:
    """The words that name a row in a question; empty for a row that no tool can be asked about."""
    table = above.table
    head = table.columns[key_of(table)]
    row = dict(zip(table.columns, map(str, table.rows[n]), strict=False))
    if head in _NAMED_BY:
        return _NAMED_BY[head](above, row, facts)
    if not head and (sleeve := row[head].removeprefix("sleeve ")) != row[head]:
        return f"of {sleeve}"
    ids = row_ids(above.result)
    return ids[n] if n < len(ids) else ""


def _pointer(text: str, at: int = 0) -> "re.Match[str] | None":
    """The words of a text that point; `hour of the day` points at none."""
    return _POINTER.search(PATTERNS["tables.of_days"].sub(lambda m: "-" * len(m[0]), text), at)


def _pointing(slots: Slots) -> str:
    """The words of a sentence that point at a thing above; empty for none."""
    lead = says("subject.lead", slots.text)  # `then the worst day`: no time
    placed, pointer = slots.places.get("place", ()), _pointer(slots.text, lead.end() if lead else 0)
    implied = "that" if says("subject.implied", slots.text) else ""
    return slots.text[slice(*placed[0])] if placed else pointer[0] if pointer else implied


def _in_frame(name: str, result: CallResult, *, of_sleeve: bool) -> str:
    """The name with what the answer above was narrowed to beside it: the window of a sleeve, the sleeve of a window."""
    since, until, sleeve = (str(result.args.get(of) or "") for of in ("since", "until", "sleeve"))
    window = f" from {since} to {until}" if until else f" since {since}" if since else ""
    is_window = " from " in f" {name}"
    if name.startswith("of ") and not is_window:
        return f"{name}{window}"
    return f"{name} of {sleeve}" if is_window and sleeve and of_sleeve else name


def _latest(above: TableAbove, facts: Facts) -> int | None:
    """The row with the latest time, whatever the order of the table; None where rows have no times, or one."""
    at = next((i for i, head in enumerate(above.table.columns) if head in TIMES), None)
    cells = [(n, str(above.table.rows[n][at])) for n in above.rows] if at is not None else []
    times = {n: number_of(cell, facts) or cell for n, cell in cells}
    same = len({*map(type, times.values())}) == 1 and len({*times.values()}) > 1
    return max(times, key=lambda n: times[n]) if same else None


def _row(slots: Slots, above: TableAbove, since: Sequence[str], facts: Facts, words: Words, *, called: bool) -> int | None:
    """The one row that a sentence means: by its place or rank, else the one singled out since; the only one where its kind is
    named, and of drawdowns the deepest."""
    own = slots if slots.place is not None else read_slots(_pointing(slots), words)  # ranked by no other figure
    if says("subject.latest", own.text) and slots.place in (None, -1) and (latest := _latest(above, facts)) is not None:
        return latest
    earlier = ["the worst one" if says("asked_again.blames", text.lower()) else text for text in since]
    head = above.table.columns[key_of(above.table)]
    first = read_slots(since[-1], words) if earlier and since[-1] == above.asked and head not in _SINGLE else None
    if first is not None and not (first.by or first.which):
        earlier.pop()  # it asked for no row of such a table
    for asked in (own, *(read_slots(text, words) for text in earlier)):
        found = asked_of(replace(asked, count=None if asked.count == 1 else asked.count), above, facts)
        by_place = asked is slots
        if found.how and len(found.rows) == 1 and (asked is own or len(above.rows) > 1):
            return found.rows[0]
        if by_place:
            return None
    one_of = says("subject.which_one", slots.text)  # `the reversion one`
    forms = {stem(word) for word in one_of[1].split()} if one_of else set[str]()
    meant = [n for n in above.rows if forms and forms <= words_in(above.table.rows[n])]
    if len(meant) == 1:
        return meant[0]
    fall = above.result.name == "performance" and says("measured.fall", above.asked.lower())
    focus = called or fall or above.table.columns[0] == "trip"
    return in_focus(above) if focus and not forms else None


def _joined(tables: Sequence[TableAbove], *, placed: bool) -> Sequence[TableAbove]:
    """The tables; for a row by its place those of one kind as one: the best and the worst are listed one after the other."""
    if not placed or len({of.table.columns for of in tables}) != 1:
        return tables
    rows = tuple(row for of in reversed(tables) for row in of.table.rows)
    every = range(len(rows))
    return [tables[0]._replace(table=tables[0].table._replace(rows=rows), base=every, rows=every, picked=None)]


def subject_of(slots: Slots, past: Sequence[PastTurn], facts: Facts, words: Words) -> Subject | None:
    """The thing above that a sentence points at: of the kind that it names, else the newest that was singled out."""
    pointing = _pointing(slots)
    if not pointing:
        return None
    kinds = {head for head, nouns in _NOUNS.items() if re.search(rf"\b(?:{nouns})s?\b", pointing)}
    since: list[str] = []
    nearest: Subject | None = None
    for n, turn in reversed([*enumerate(past)][-LOOKS_BACK:]):
        since.append(turn.asked)
        if not any(r.name != "calc" for r in turn.results):
            continue
        pointed = n > 0 and _pointer(turn.asked.lower()) is not None
        for above in _joined(tables_above(past[: n + 1], facts, words), placed=slots.place is not None):
            head = above.table.columns[key_of(above.table)]
            if (kinds and head not in kinds) or (slots.place is not None and of_one(above.result)):
                continue
            row = _row(slots, above, since[:-1] if pointed else since, facts, words, called=bool(kinds))
            if row is not None:
                name = _in_frame(_name(above, row, facts), above.result, of_sleeve=not (pointed or slots.sleeves))
                found = Subject(above, row, name, " from " in f" {name}", slots.place is not None, bool(kinds))
                nearest = found if nearest is None or (slots.place is not None and not pointed) else nearest
                break
        if nearest is not None and not (pointed and slots.place is not None):
            return nearest  # `the first one`, after one was looked up: of the list, still
        if not kinds and not pointed:
            break  # `it` is of the answer above, or of what that was looked up for
    return nearest


def about(slots: Slots, past: Sequence[PastTurn], facts: Facts, words: Words) -> FromAbove | str | None:
    """What a sentence asks of the thing above that it points at: what opened or ended it, a cell of its row, or a question of its
    own, with the name of the thing in place of the words that point; None where it points at nothing or asks for nothing more."""
    if (several := _several_meant(slots, past)) is not None:
        return several
    found = None if says("subject.scope", slots.text) else subject_of(slots, past, facts, words)
    if found is None:
        return _no_such_row(slots, past)
    if found.is_window and says("subject.blames", slots.text):
        return f"p&l by sleeve {found.words}"
    if says("table_sums.less", slots.text):
        return table_sums.without(slots, found.above, [found.row], facts)
    placed = "place" in slots.places
    own = re.sub(
        r"\bit is (?=([a-z&]+))", lambda m: "the " if m[1] in FIGURE_WORDS or m[1] == "hit" else m[0], slots.text
    )  # `its`
    text = slots.text.replace(_pointing(slots), " ") if placed else _POINTER.sub(" ", own)
    rest = read_slots(re.sub(r"\s+", " ", text).strip(" ,-:?.!"), words)
    names = rest.places.keys() & ({"span"} if found.is_window else {"sleeves", "symbols", "strategies", "ids", "side"})
    if names or len(tokens_of(slots)) > 16:
        return None
    if says("subject.same", rest.text):
        return None  # the question before, of another thing
    result, table = found.above.result._replace(table=found.above.table), found.above.table
    if result.name == "counts" and "rule" in table.columns and says("subject.explains", rest.text):
        return row_of(found.row, [PastTurn("", (result,))], facts)
    if result.name == "compare" and says("measured.doubts", rest.text):
        return None  # it has a verdict of its own
    if not found.placed and rest.which and says("subject.several", _pointing(slots)):
        return None  # `and the worst of them`
    if says("subject.reason", rest.text) and not of_one(result) and (row_ids(result) or table.columns[0] == "trip"):
        return row_of(found.row, [PastTurn("", (result,))], facts, f"{slots.text} why")
    if "exit_ms" in table.columns and says("table_sums.held", rest.text):
        return table_sums.durations(table, [found.row], facts, found.above.asked)
    if found.words.startswith("of r-") and says("subject.loses", rest.text):
        return PlannedCall("trips", {"subject": found.words.split()[1], "by": "exit"})
    content = [t for t in tokens_of(rest) if t.word not in (*STOP, *LIGHT) or t.word in ASKING]
    if not content or says("subject.bare", rest.text):
        if table.columns[0] in ("strategy", "parameter") and rest.text:
            return f"{rest.text} {found.words}"
        one_of = says("subject.which_one", slots.text)  # `open the reversion one`
        return row_of(found.row, [PastTurn("", (result,))], facts) if one_of and "same" not in rest.text else None
    if (cells := _cells(rest, found, facts)) is not None:
        return cells
    if not found.words and found.placed and table.columns[0] == "trip":
        return row_of(found.row, [PastTurn("", (result,))], facts)  # nothing else is asked in its place
    if not found.words and says("subject.ranked", _pointing(slots)) and says("subject.trades", rest.text):
        shown = render.markdown_table(only(table, [found.row]))
        lead = f"No tool narrows round trips to one {table.columns[key_of(table)]}; what stands above of it is its row."
        return PlannedAnswer(f"{lead}\n\n{shown}", read_as="a row of the table above")
    return f"{rest.text} {found.words}" if found.words else None


def _several_meant(slots: Slots, past: Sequence[PastTurn]) -> PlannedAnswer | None:
    """A question back, where `the btc one` is several of the runs that were just listed."""
    shown, one_of = (past[-1].results if past else ())[-1:], says("subject.which_one", slots.text)
    if not shown or one_of is None or shown[0].name != "run" or shown[0].table is None or slots.place is not None:
        return None
    forms, ids, rows = {stem(word) for word in one_of[1].split()}, row_ids(shown[0]), shown[0].table.rows
    meant = [f"{ids[n]} ({row[1]}, {row[2]} to {row[3]})" for n, row in enumerate(rows) if ids and forms <= words_in(row)]
    return (
        asks_back(f"{len(meant)} of the runs above are {one_of[1]}: {'; '.join(meant)}. Which one?") if len(meant) > 1 else None
    )


def _no_such_row(slots: Slots, past: Sequence[PastTurn]) -> PlannedAnswer | None:
    """A question back, where a sentence means a row that the table above has not."""
    shown = together(past[-1].results)[-1:] if past else []
    if shown and slots.place is not None and "No matching events" in shown[0].text:
        return PlannedAnswer(f"There is none: {result_text(shown[0])}", read_as="the answer above")
    table = shown[0].table if shown else None
    if table is None or not slots.place or not len(table.rows) <= slots.place:
        return None
    size = f"{len(table.rows)} rows" if len(table.rows) > 1 else "one row only"
    return asks_back(f"The table above has {size}: {', '.join(str(row[key_of(table)]) for row in table.rows[:6])}. Which one?")


_OTHERWISE = re.compile(r"\b(?:breakeven|needs?|where|why|how far|how (?:did|do|does)|which other|whom?)\b")
_OF_A_CELL = (
    "left",
    "remaining",
    "picked",
    "used",
    "sit",
    "sits",
    "fall",
    "falls",
    "land",
    "made",
    "based",
    "hit",
)  # verbs beside a figure


def _cells(rest: Slots, found: Subject, facts: Facts) -> FromAbove | None:
    """The cells of the row that a sentence names; of a figure beside them that the table lacks, that it does."""
    table, n = found.above.table, found.row
    rest = replace(rest, places={name: at for name, at in rest.places.items() if name != "side"})
    asked = asked_of(rest, found.above._replace(rows=[n]), facts)
    other = rest.places.keys() & {"span", "sleeves", "symbols", "strategies", "ids", "by", "params"}
    lacks = [word for word in asked.left if word in FIGURE_WORDS]
    lacks += ["interval"] if says("subject.interval", rest.text) and not any("interval" in head for head in table.columns) else []
    left = [word for word in asked.left if word not in (*lacks, *_OF_A_CELL)]
    if (
        not asked.heads
        or other
        or rest.which in ("worst", "best")
        or any(weighs(w) or w in ASKING or meanings(stem(w)) for w in left)
        or _OTHERWISE.search(rest.text)
    ):
        return None
    heads = asked.heads
    if all(table.columns[i] in BETTER_LOW for i in heads) and "net" in table.columns:
        heads = [table.columns.index("net"), *heads]  # a cost beside what was made
    said = ", ".join(f"{table.columns[i]} {table.rows[n][i]}" for i in heads)
    place = f", row {n + 1} of {len(table.rows)}" if found.placed else ""
    none = f" The table above has no {' or '.join(lacks)}." if lacks else ""
    kept = list(dict.fromkeys((key_of(table), *heads)))
    shown = render.markdown_table(Table(tuple(table.columns[i] for i in kept), (tuple(table.rows[n][i] for i in kept),)))
    read_as = f'a row of the table above ("{render.one_line(found.above.asked, 60)}")'
    return PlannedAnswer(f"{name_of(table, n)}{place}: {said}.{none}\n\n{shown}", read_as=read_as)

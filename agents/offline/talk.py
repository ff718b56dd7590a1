"""What a sentence asks of the table above: a column, a row by its name or its place, the most or the second most, a bound,
how many, a sum, a share. Called by above.py and understand.py.

A sentence is the table's where every word of it that carries something is a head, a row's name, a bound or an operation on these;
one word more, and it is not: then it is read as a question of its own. Cells keep their receipts; `calc` makes a sum or a share.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from agents.offline.account import tokens_of
from agents.offline.bounds import bound_column, bound_of
from agents.offline.slots import COUNTED, ORDINALS, Slots, read_slots
from agents.offline.steps import CallResult, PastTurn, Plan, PlannedAnswer, PlanOf, Question, reckoned
from agents.offline.tables import Facts, column_of, forms_of, lowest_wanted, number_of, only, ordered, ranks, signed_rows
from agents.offline.words import HEADS, LIGHT, MARKER, PATTERNS, STOP, Words, stem
from tools.common import render
from tools.common.contract import Table
from tools.exposure import glossary

NONE = "none so far"
ROWS_SUMMED = 20  # an expression of calc is bounded
LOOKS_BACK = 4  # turns: further up nothing is looked for
_LISTS = ("journal_search", "alerts", "run", "proposals", "watches", "trials")  # of things, asked for anew for another name
_KEYED = ("name", "check", "limit", "configuration")
_RANKED, _NOT_OF_A_TABLE = PATTERNS["talk.ranked"], PATTERNS["talk.other"]  # a reason, a condition, advice are none of a table's
_COUNT = re.compile(r"\b(?:how many|count|number of)\b")
_SHARE = re.compile(r"\b(?:shares?|part of|percent of|% of|fraction|proportion|how much of (?:it|that|this|the total))\b")
_SUM = re.compile(r"\b(?:altogether|in total|total|sum|add (?:them|those|it|these|that) up|combined|together|all in all)\b")
PART = PATTERNS["talk.part"]
_WENT = re.compile(r"\bhow much (?:went|goes|was spent|did we spend|is|was|were) (?:to|on|in|for|into)\b")


class TableAbove(NamedTuple):
    """A table that stands above, with the question that it answered."""

    result: CallResult
    table: Table
    asked: str
    later: Sequence[str] = ()  # what was asked since and answered from it, the newest first


class RowsAsked(NamedTuple):
    """What a sentence picks of a table, how that reads, and the words that the table does not explain."""

    rows: Sequence[int]
    heads: Sequence[int]
    how: str
    left: Sequence[str]
    operations: int


def tables_above(past: Sequence[PastTurn]) -> list[TableAbove]:
    """The tables of the newest turn that looked something up, the last one first; a turn that was asked back is passed over."""
    later: list[str] = []
    for turn in reversed(past[-LOOKS_BACK:]):
        later += [] if turn.results else [turn.asked]
        if turn.results:
            with_rows = [r for r in reversed(turn.results) if r.table is not None and r.table.rows and r.status == "ok"]
            return [TableAbove(r, r.table, turn.asked, later) for r in with_rows if r.table is not None]
    return []


def answer_of(slots: Slots, past: Sequence[PastTurn], facts: Facts, words: Words) -> PlannedAnswer | PlanOf | None:
    """What the table above answers of a sentence that it explains wholly; None for any other sentence."""
    if slots.places.keys() & _OWN or len(tokens_of(slots)) > 12 or _NOT_OF_A_TABLE.search(slots.text):
        return None
    one = _ONE.search(slots.text)
    for above in tables_above(past):
        found = asked_of(slots, above, facts)
        if found.left or not found.operations:
            continue
        if not found.heads and (slots.place is not None or above.result.name == "compare"):
            continue  # a thing that is shown by its id; a comparison has a verdict of its own
        every = len(found.rows) == len(above.table.rows) > 1
        if every and (one or (found.heads and above.later and not _EACH.search(slots.text))):
            row = in_focus(above, facts, words)
            if row is None and one:
                continue
            if row is not None:
                found = found._replace(rows=[row], how=str(above.table.rows[row][_key(above.table)]))
        return _answered(slots, above, found, facts)
    return None


_ONE = re.compile(r"\b(?:its?|that one|this one|it is)\b")
_EACH = re.compile(r"\b(?:all|each|every|which|them|those|these|both|others?)\b")


def in_focus(above: TableAbove, facts: Facts, words: Words) -> int | None:
    """The one row that `it` means: the only one, the one that the question above picked, the deepest of drawdowns."""
    if len(above.table.rows) == 1 or above.result.name == "performance":
        return 0
    for asked in (*above.later, above.asked):
        before = asked_of(read_slots(asked, words), above, facts)
        if len(before.rows) == 1:
            return before.rows[0]
    return None


_OF_A_CALL = "span params axes variants timeframe venue lasting funding fills ids handles percent by unit without"
_OWN = frozenset(_OF_A_CALL.split())


def asked_of(slots: Slots, above: TableAbove, facts: Facts) -> RowsAsked:
    """What a sentence asks of a table."""
    table, used, how = above.table, set[str](), list[str]()
    rows, operations = list(range(len(table.rows))), 0
    names = _named_rows(slots, above, used)
    of_figures = table.columns[:2] == ("metric", "value")
    own_part = PART.search(slots.text) or (of_figures and _WENT.search(slots.text))
    if own_part:  # `how much of it went to fees`: of its own P&L, no share in those of all rows
        used |= set(own_part[0].split())
    if names:
        rows, operations = names, operations + 1
        how.append(" and ".join(str(table.rows[n][_key(table)]) for n in names[:4]))
    heads = _heads(slots, table, used)
    operations += bool(heads)
    listed = table.columns[_key(table)] in _ITEMS  # rows are things, not what they were split by
    if own_part and heads and (net := next((i for i, head in enumerate(table.columns) if head in ("net", "change")), None)):
        heads = list(dict.fromkeys((net, *heads)))
    if (sign := PATTERNS["above.signed"].search(slots.text)) and (
        signed := signed_rows(table, facts, losing=sign["red"] is not None)
    ):
        if above.result.name == "trips" and not listed:  # `the winning ones` of a split are other round trips, not its rows
            return RowsAsked(rows, (), "", [sign[0]], 0)
        rows, operations = ([n for n in rows if n in signed] if above.result.name != "trips" else rows), operations + 1
        used |= set(sign[0].split()) if above.result.name != "trips" else set()
    bound = _bounded(slots, table, facts, rows, used) if listed else None
    if bound is not None:
        rows, operations = bound[0], operations + 1
        how.append(bound[1])
    if (listed or slots.count is None) and (ranked := _ranked(slots, table, facts, rows, used)):
        rows, operations = ranked[0], operations + 1
        how.append(ranked[1])
    for pattern in (_COUNT, _SUM, _SHARE):
        if pattern.search(slots.text) and not own_part:
            operations += 1
            used |= {w for m in pattern.finditer(slots.text) for w in m[0].split()}
    if above.result.name == "trips" and re.search(r"\bwhy\b", slots.text):
        heads = []  # the word `stop` is no reason why it lost
    columns = {table.columns[i] for i in heads}
    left = [*_left(slots, used), *(w for w, of in _WHO.items() if re.search(rf"\b{w}\b", slots.text) and not columns & of)]
    left += [*(slots.filters if bound is None else ()), *(["count"] if slots.count is not None and not listed else [])]
    return RowsAsked(rows, heads, ", ".join(how), left, operations)


_MOMENTS = "since until peak trough recovered entry_ms exit_ms made expires first last"
_TIMES = {"desk time", "since (wall time)", *_MOMENTS.split()}
_WHO = {
    "who": {"by", "acknowledged by"},
    "whom": {"by", "acknowledged by"},
    "why": {"why", "reason"},
    "when": _TIMES,
}  # what a question word asks for
_THINGS = "trip day week month drawdown run alert proposal variant variation configuration"
_ITEMS = ("desk time", *_THINGS.split())


def _left(slots: Slots, used: set[str]) -> list[str]:
    """The words that carry something and are neither the table's nor an operation on it."""
    taken = {"which", "place", "count", "filters"} if used else set()
    words = [t for t in tokens_of(slots) if t.word not in used and t.slot not in taken]
    return [
        t.word
        for t in words
        if t.slot or (t.word not in LIGHT and t.word not in STOP and t.word not in MARKER and t.word not in COUNTED)
    ]


def _key(table: Table) -> int:
    """The column that names a row."""
    return next((i for i, head in enumerate(table.columns) if head in _KEYED), 0)


def _named_rows(slots: Slots, above: TableAbove, used: set[str]) -> list[int]:
    """The rows whose name stands in the sentence; none in a list of things, of which another name asks for another list."""
    table, key, tokens = above.table, _key(above.table), tokens_of(slots)
    if above.result.name in _LISTS or table.columns[0] in ("trip", "metric", "") or len(table.rows) < 2:
        return _metric_rows(slots, table, used) if table.columns[:2] == ("metric", "value") else []
    found: list[int] = []
    of_names = slots.places.keys() & {"sleeves", "symbols", "strategies"}
    for n, row in enumerate(table.rows):
        name = str(row[key]).lower()
        parts = {p for p in re.split(r"[^a-z0-9]+", name) if len(p) > 2 and p not in ("usdt", "trend", "the", "perp")} | {name}
        words = {t.word for t in tokens if t.word in parts or stem(t.word) in {stem(p) for p in parts}}
        whole = name in (*slots.sleeves, *slots.strategies, *map(str.lower, slots.symbols))
        if words or (whole and of_names):
            found.append(n)
            used |= words | {t.word for t in tokens if whole and t.slot in ("sleeves", "symbols", "strategies")}
    return found if len(found) < len(table.rows) else []


def _metric_rows(slots: Slots, table: Table, used: set[str]) -> list[int]:
    """Of a table of figures, one a row, those that the sentence speaks of; of a figure of two words the row of both."""
    names = [str(row[0]) for row in table.rows]
    phrase = next((word for word in glossary() if " " in word.strip() and re.search(rf"\b{re.escape(word)}\b", slots.text)), None)
    if phrase is not None:
        own, parts = re.match(r"`(\w+)`", glossary()[phrase]), {*phrase.split()}
        rows = [
            n for n, name in enumerate(names) if (own and name == own[1]) or parts <= set(re.split(r"[^a-z0-9]+", name.lower()))
        ]
        used |= parts if rows else set()
        return rows
    said = [{t.word for t in tokens_of(slots) if t.stem in forms_of(name)} for name in names]
    used |= set[str]().union(*said)
    return [n for n, words in enumerate(said) if words]


_EXACT = ("entries", "made")


def _heads(slots: Slots, table: Table, used: set[str]) -> list[int]:
    """The columns that a sentence asks for."""
    found: list[int] = []
    free = [t for t in tokens_of(slots) if t.word not in used and t.slot in ("", "keys", "rule")]  # a word may be two heads
    for i, head in enumerate(table.columns):
        own = {stem(word) for word in HEADS.get(head.lower(), ())} | ({head.lower()} if len(head) > 1 else set())
        own |= forms_of(head) if head not in (*_EXACT, "what") else set()
        words = {t.word for t in free if t.word in own or (t.stem in own and head not in _EXACT)}
        if words and i != _key(table):
            found.append(i)
            used |= words
    return found


def _bounded(slots: Slots, table: Table, facts: Facts, rows: Sequence[int], used: set[str]) -> tuple[list[int], str] | None:
    """The rows within a bound that the sentence sets: `above 2r`, `under an hour`."""
    bound = bound_of(slots.filters[0]) if len(slots.filters) == 1 else None
    at = bound_column(slots.text, table, bound) if bound is not None else None
    if bound is None or at is None:
        return None
    kept = [n for n in rows if (value := number_of(table.rows[n][at], facts)) is not None and bound.holds(value)]
    used |= set(slots.filters[0].split())
    return kept, f"{table.columns[at]} {slots.filters[0]}"


def _ranked(slots: Slots, table: Table, facts: Facts, rows: Sequence[int], used: set[str]) -> tuple[list[int], str] | None:
    """The row with the most or the least, or the second most; a row by its place."""
    nth = _RANKED.search(slots.text)
    if slots.place is not None and nth is None:
        if not -len(rows) <= slots.place < len(rows):
            return None
        used |= {t.word for t in tokens_of(slots) if t.slot == "place"}
        return [list(rows)[slots.place]], f"row {list(rows)[slots.place] + 1}"
    if len(table.rows) < 2 or not (nth or ranks(slots.text) or slots.which in ("worst", "best")):
        return None
    at, order = column_of(table, slots.text), ordered(table, facts, slots.text, slots.which, rows)
    place = ORDINALS.get(nth[1], 1) if nth else 0
    if place >= len(order):
        return None
    n = (slots.count or 1) if not nth else 1
    picked = order[place : place + n]
    used |= {m[0] for p in ("low", "high", "at_a_loss") for m in PATTERNS[f"tables.{p}"].finditer(slots.text)}
    used |= {t.word for t in tokens_of(slots) if t.slot in ("which", "count")} | ({*nth[0].split()} if nth else set())
    nth_most = ("", "second ", "third ", "fourth ", "fifth ")[place]
    end = "lowest" if lowest_wanted(table.columns[at], slots.text, slots.which) else "highest"
    return picked, f"{nth_most}{end} {table.columns[at]}"


def _answered(slots: Slots, above: TableAbove, found: RowsAsked, facts: Facts) -> PlannedAnswer | PlanOf | None:
    """The rows and columns picked, how many they are, their sum or their share."""
    table, rows, size = above.table, list(found.rows), len(above.table.rows)
    if (_SUM.search(slots.text) or _SHARE.search(slots.text)) and not PART.search(slots.text):
        return _reckoned(slots, above, found, facts)
    if not rows:
        return PlannedAnswer(f"None of the {size} rows of the table above: {found.how}.", read_as=_read(above, found))
    row, at = table.rows[rows[0]], column_of(table, slots.text)
    name = row[_key(table)]
    some = f"{len(rows)} of the {size} rows of the table above"
    if _COUNT.search(slots.text) and not found.heads:
        lead = f"{some}{f': {found.how}' if found.how else ''}."
    elif len(rows) == 1 and at and re.search(r"\b(?:lowest|highest) ", found.how):
        most = found.how.rpartition(", ")[2].removesuffix(f" {table.columns[at]}")
        lead = f"The {most} {table.columns[at]} is that of {name}: {row[at]}. That is of the table above."
    elif len(rows) == 1 and found.heads:
        cells = [f"{table.columns[i]} {NONE if row[i] == '-' else row[i]}" for i in found.heads]
        lead = f"{name}: {', '.join(cells)}."
    elif len(rows) == 1 < size:
        lead = f"{name}{f': {table.columns[at]} {row[at]}' if at else ''}. That is of the table above."
    else:
        lead = f"{some}." if len(rows) < size else "Of the table above:"
    shown = render.markdown_table(_columns(only(table, rows), found.heads, _key(table)))
    return PlannedAnswer(f"{lead}\n\n{shown}", read_as=_read(above, found))


def _read(above: TableAbove, found: RowsAsked) -> str:
    asked = render.one_line(above.asked, 60)
    return f'the table above ("{asked}"){f", {found.how}" if found.how else ""}'


def _columns(table: Table, heads: Sequence[int], key: int) -> Table:
    """The columns asked for beside the row's name; all of them where none is."""
    if not heads:
        return table
    kept = [key, *(i for i in heads if i != key)]
    return Table(tuple(table.columns[i] for i in kept), tuple(tuple(row[i] for i in kept) for row in table.rows))


def _reckoned(slots: Slots, above: TableAbove, found: RowsAsked, facts: Facts) -> PlanOf | None:
    """A sum of the rows picked, or the share of each in all, by `calc`."""
    table, at = above.table, (found.heads[0] if found.heads else column_of(above.table, slots.text))
    summed = [n for n, row in enumerate(table.rows) if at and number_of(row[at], facts) is not None]
    summed = [n for n in summed if "whole desk" not in str(table.rows[n][_key(table)])]
    rows = [n for n in found.rows if n in summed][:ROWS_SUMMED]
    every = summed[:ROWS_SUMMED] if _SHARE.search(slots.text) else []
    return partial(_sums, above, found, at, rows, every) if rows else None


def _sums(above: TableAbove, found: RowsAsked, at: int, rows: list[int], every: list[int], q: Question) -> Plan:  # noqa: ARG001 - a plan takes its question
    """The sum of rows, or of some the share of each in the sum of `every` row."""
    table, key, head = above.table, _key(above.table), above.table.columns[at]
    refs = {n: str(table.rows[n][at])[1:-1] for n in {*rows, *every}}
    if every:
        whole = "+".join(refs[n] for n in every)
        values = yield from reckoned(*(f"share({refs[n]}, {whole})" for n in rows[:4]))
        parts = [f"{table.rows[n][key]} {value}" for n, value in zip(rows[:4], values, strict=True)]
        lead = f"Of the {head} of all {len(every)} rows above: {', '.join(parts)}."
    else:
        (value,) = yield from reckoned("+".join(refs[n] for n in rows))
        lead = f"{head} of {len(rows)} rows of the table above, together: {value}."
    shown = render.markdown_table(_columns(only(table, rows), [at], key))
    return PlannedAnswer(f"{lead}\n\n{shown}", read_as=_read(above, found))

"""What a sentence asks of the table above. Called by table_answers.py and above_kinds.py.

A sentence is the table's where every word of it that carries something is a head, a row's name, a cell or an operation on these;
one word more, and it is not: then it is read as a question of its own. What was kept or picked of a table stays so for the next.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from agents.offline.account import tokens_of
from agents.offline.slots import COUNTED, ORDINALS, Slots, read_slots
from agents.offline.steps import PastTurn
from agents.offline.tables import AT_A_LOSS, COSTS_US, Facts, column_of, forms_of, heads_of, lowest_wanted, ordered, ranks
from agents.offline.tables_shown import OF_RUNS, TableAbove, of_figures, runs_as_table, whole_table
from agents.offline.words import CELLS, FIGURE_WORDS, HEADS, LIGHT, MARKER, PATTERNS, STOP, Words, says, stem
from tools.common.contract import Table
from tools.exposure import glossary

LOOKS_BACK = 4  # turns: further up nothing is looked for
_LISTS = ("journal_search", "alerts", "run", "proposals", "watches", "trials")  # of things, asked for anew for another name
_KEYED = ("name", "check", "limit", "configuration")
_RANKED, _NOT_OF_A_TABLE = PATTERNS["talk.ranked"], PATTERNS["talk.other"]  # a reason, a condition, advice are none of a table's


class RowsAsked(NamedTuple):
    """What a sentence picks of a table, how that reads, and the words that the table does not explain."""

    rows: Sequence[int]
    heads: Sequence[int]
    how: str
    left: Sequence[str]
    operations: int
    keeps: bool = False  # rows by what they are, not by their rank


def tables_above(past: Sequence[PastTurn], facts: Facts, words: Words) -> list[TableAbove]:
    """The tables of the newest turn that looked something up, the last one first, and the runs of the thread as one table; a
    turn that was asked back, or summed up what stood above, is passed over."""
    later: list[str] = []
    for n, turn in reversed(list(enumerate(past))[-LOOKS_BACK:]):
        shown = [r for r in turn.results if r.name != "calc"]
        later += [] if shown else [turn.asked]
        if shown:
            good = [r for r in reversed(shown) if r.table and r.status == "ok"]
            found = [TableAbove(r, whole_table(r, facts), turn.asked, later) for r in good]
            runs = runs_as_table(past[: n + 1], facts) if any(map(of_figures, shown)) else None
            every = [*([TableAbove(shown[-1], runs, turn.asked, later)] if runs else []), *found]
            every = [_narrowed(above, facts, words) for above in every if above.table.rows]
            every = [above for above in every if above.base]
            picked = str(runs.rows[every[0].picked][0]) if runs and every[0].picked is not None else ""
            return sorted(every, key=lambda of: bool(picked) and of.table is not runs and picked not in of.result.evidence)
    return []


def _narrowed(above: TableAbove, facts: Facts, words: Words) -> TableAbove:
    """The table with what the questions since kept of it, and the one row that they, or its own question, picked last."""
    for asked in (above.asked, *reversed(above.later)):
        slots, first = read_slots(asked, words), asked is above.asked
        base = _within(above, slots) if first else above.base
        above = above._replace(base=base, rows=base if first else above.rows)
        found = asked_of(slots, above, facts)
        own = slots.place is None if first else not found.left and not _NOT_OF_A_TABLE.search(slots.text)
        if found.operations and own and found.rows:
            kept = found.rows if found.keeps and not first else above.rows
            above = above._replace(rows=kept, picked=found.rows[0] if len(found.rows) == 1 else above.picked)
    return above


def _within(above: TableAbove, slots: Slots) -> list[int]:
    """The rows of the window that was asked about: a P&L has the days before it, too."""
    rows, span = list(range(len(above.table.rows))), slots.span
    low, high = (span.start or span.at or "")[:10], (span.end or "9999")[:10]
    inside = [n for n in rows if low <= str(above.table.rows[n][0])[:10] < high] if above.result.name == "pnl" else rows
    return inside if inside and str(above.table.rows[0][0])[:1].isdigit() else rows


def in_focus(above: TableAbove) -> int | None:
    """The one row that `it` means: the only one, the one that was picked last, the deepest of drawdowns."""
    return 0 if len(above.table.rows) == 1 or (above.picked is None and above.result.name == "performance") else above.picked


def question_of(slots: Slots, past: Sequence[PastTurn], facts: Facts, words: Words) -> tuple[TableAbove, RowsAsked] | None:
    """The table above that a sentence is wholly of, and what it asks of it; None for any other sentence."""
    if len(tokens_of(slots)) > 12 or _NOT_OF_A_TABLE.search(slots.text) or says("choose.to_stop", slots.text):
        return None
    for above in tables_above(past, facts, words):
        own = above.table.columns[key_of(above.table)]
        explained = {"params"} if bound_said(slots) else set[str]()
        days = {"day"} if own == "weekday" else set[str]()
        if above.table.columns[:2] == OF_RUNS or set(slots.by) <= {*above.table.columns} | days:
            explained |= {"by"}
        others = slots.places.keys() & _OWN - explained
        of_runs = above.table.columns[:2] == OF_RUNS
        if others or (of_runs and not says("talk.several", slots.text)):
            continue
        if says("talk.one_trade", slots.text) and above.table.columns[0] != "trip":
            continue
        found = asked_of(slots, above, facts)
        if not found.operations or found.left:
            continue
        if not (found.heads or found.keeps) and (slots.place is not None or above.result.name == "compare"):
            continue  # a thing that is shown by its id; a comparison has a verdict of its own
        every, one = len(found.rows) == len(above.rows) > 1, says("talk.one", slots.text)
        again = found.heads and (above.later or above.result.name == "performance") and not says("talk.each", slots.text)
        if every and not found.keeps and (one or again):
            row = in_focus(above)
            if row is None and one and not (says("talk.sum", slots.text) or says("talk.share", slots.text)):
                continue
            if row is not None:
                found = found._replace(rows=[row], how=str(above.table.rows[row][key_of(above.table)]))
        return above, found
    return None


_OF_A_CALL = "span params axes variants timeframe venue lasting funding fills ids handles percent by unit without"
_OWN = frozenset(_OF_A_CALL.split())


def asked_of(slots: Slots, above: TableAbove, facts: Facts) -> RowsAsked:
    """What a sentence asks of a table."""
    table, used, how, text = above.table, set[str](), list[str](), slots.text
    rows, operations, keeps = list(above.rows), 0, False
    of_figures = table.columns[:2] == ("metric", "value")
    own_part = says("talk.part", text) or (of_figures and says("talk.went", text))
    if own_part:  # `how much of it went to fees`: of its own P&L, no share in those of all rows
        used |= set(own_part[0].split())
    if names := _named_rows(slots, above, used):
        rows, operations = [n for n in rows if n in names] or names, operations + 1
        how.append(" and ".join(str(table.rows[n][key_of(table)]) for n in names[:4]))
    listed = table.columns[key_of(table)] in _ITEMS  # rows are things, not what they were split by
    other_trips = above.result.name == "trips" and (not listed or PATTERNS["talk.narrows"].match(text) is not None)
    cut = "The table has" in above.result.text and above.result.name != "journal_search"
    part = cut and not above.result.args.get("limit")  # asked for anew, it is whole; a journal is not narrowed by a word
    several = listed and len(rows) > 1 and not other_trips
    of_cells = several and says("talk.of_cells", text) and not (part and not says("talk.count", text))
    cells = _of_cells(slots, table, rows, used) if of_cells else None
    if cells is not None:
        rows, operations, keeps = cells[0], operations + 1, True
        how.append(cells[1])
    heads = _heads(slots, table, used) if table.columns[-1] != "value" else []
    operations += bool(heads)
    used |= {"biggest", "largest", "deepest"} if any("drawdown" in table.columns[i] for i in heads) else set()
    if own_part and heads and (net := next((i for i, head in enumerate(table.columns) if head in ("net", "change")), None)):
        heads = list(dict.fromkeys((net, *heads)))
    if len(rows) > 1 and (sign := says("above.signed", text)) is not None:
        return RowsAsked(rows, (), "", [sign[0]], 0)  # the winners of a list are other round trips
    if (listed or slots.count is None) and (ranked := _ranked(slots, above, facts, rows, used)):
        rows, operations = ranked[0], operations + 1
        how.append(ranked[1])
    for pattern in (PATTERNS[f"talk.{name}"] for name in ("count", "sum", "mean", "share")):
        if pattern.search(text) and not own_part:
            operations += 1
            used |= {w for m in pattern.finditer(text) for w in m[0].split()}
    if above.result.name == "trips" and re.search(r"\bwhy\b", text):
        heads = []  # the word `stop` is no reason why it lost
    if not heads and re.search(r"(?<!since )(?<!from )\bwhen\b", text):
        heads = [i for i, head in enumerate(table.columns) if head in TIMES and i][:1]
        operations += bool(heads)
    columns = {table.columns[i] for i in heads}
    who = {w: of for w, of in _WHO.items() if not (w == "who" and not listed and _ranks(how))}
    left = [*_left(slots, used, table), *(w for w, of in who.items() if re.search(rf"\b{w}\b", text) and not columns & of)]
    left += [*slots.filters, *(["count"] if slots.count is not None and not listed else [])]
    return RowsAsked(rows, heads, ", ".join(how), left, operations, keeps)


_MOMENTS = "since until peak trough recovered entry_ms exit_ms made expires first last"
TIMES = {"desk time", "since (wall time)", *_MOMENTS.split()}
_PERSONS = {"by", "acknowledged by"}
_LONG = {"lasted", "median_hold_ms", "until", "half-life"}
_WHO = {
    "how long": _LONG,
    "who": _PERSONS,
    "whom": _PERSONS,
    "why": {"why", "reason"},
    "when": TIMES,
}  # what a question word asks for
_THINGS = "trip day week month drawdown run alert proposal variant variation configuration parameter pair watch event"
_ITEMS = ("desk time", "test window", *_THINGS.split())


def _left(slots: Slots, used: set[str], table: Table) -> list[str]:
    """The words that carry something and are neither the table's nor an operation on it."""
    taken = {"which", "place", "count", "filters"} if used else set()
    of_runs = "run month year coin symbol week window version value setting" if table.columns[0] in ("metric", "run") else ""
    own = {stem(word) for word in (*table.columns[key_of(table)].split(), *of_runs.split())}
    words = [t for t in tokens_of(slots) if t.word not in used and t.slot not in taken and t.stem not in own]
    return [
        t.word
        for t in words
        if (t.slot and t.slot != "by" and t.word != "all")
        or (t.word not in LIGHT and t.word not in STOP and t.word not in MARKER and t.word not in COUNTED)
    ]


def _ranks(how: Sequence[str]) -> bool:
    return any(word in one for one in how for word in ("lowest", "highest"))


def key_of(table: Table) -> int:
    """The column that names a row."""
    counted = 1 if table.columns[:1] == ("what",) and table.columns[1:2] in (("rule",), ("sleeve",), ("day",)) else 0
    return next((i for i, head in enumerate(table.columns) if head in _KEYED), counted)


def _of_cells(slots: Slots, table: Table, rows: Sequence[int], used: set[str]) -> tuple[list[int], str] | None:
    """The rows that have each word of a sentence in a cell: `which of these were stops`, `only the sells`; none where no cell of
    the table has any."""
    named = _heads(slots, table, set())  # `with a unit of ATR`: a cell of that column
    texts = {n: words_in([table.rows[n][i] for i in named] or table.rows[n]) for n in range(len(table.rows))}
    every, found = set[str]().union(*texts.values()), list[str]()
    for token in tokens_of(slots):
        forms = {token.stem, *CELLS.get(token.stem, ())}
        plain = (
            token.word not in STOP and token.word not in LIGHT and token.word not in used and token.slot not in ("which", "place")
        )
        known = token.stem in CELLS and (
            "side" in table.columns or (token.stem not in ("long", "short") and "what" in table.columns)
        )
        if plain and (forms & every or known):
            rows = [n for n in rows if forms & texts[n]]
            used.add(token.word)
            found.append(token.word)
    return (list(rows), " ".join(found)) if found else None


def words_in(row: Sequence[Any]) -> set[str]:
    """The stems of the words in the cells of a row that are text."""
    return {stem(w) for cell in row if not str(cell).startswith("{") for w in re.findall(r"[a-z]{2,}", str(cell).lower())}


def _named_rows(slots: Slots, above: TableAbove, used: set[str]) -> list[int]:
    """The rows whose name stands in the sentence; none in a list of things, of which another name asks for another list."""
    table, key, tokens = above.table, key_of(above.table), tokens_of(slots)
    if above.result.name in _LISTS or table.columns[0] in ("trip", "metric", "parameter", "event") or len(table.rows) < 2:
        return _metric_rows(slots, table, used) if table.columns[-1] == "value" else []
    found: list[int] = []
    of_names = slots.places.keys() & {"sleeves", "symbols", "strategies"}
    for n, row in enumerate(table.rows):
        name = str(row[key]).lower()
        parts = {
            p for p in re.split(r"[^a-z0-9]+", name) if len(p) > 2 and p not in ("usdt", "trend", "the", "perp", "sleeve")
        } | {name}
        words = {t.word for t in tokens if t.word in parts or stem(t.word) in {stem(p) for p in parts}}
        whole = name in (*slots.sleeves, *slots.strategies, *map(str.lower, slots.symbols))
        if words or (whole and of_names):
            found.append(n)
            used |= words | {t.word for t in tokens if whole and t.slot in ("sleeves", "symbols", "strategies")}
    return found if len(found) < len(table.rows) else []


def _metric_rows(slots: Slots, table: Table, used: set[str]) -> list[int]:
    """Of a table of figures, one a row, those that the sentence speaks of; of a figure of two words the row of both."""
    names = [str(row[-2]) for row in table.rows]
    phrase = next((word for word in glossary() if " " in word.strip() and re.search(rf"\b{re.escape(word)}\b", slots.text)), None)
    if phrase is not None:
        own, parts = re.match(r"`(\w+)`", glossary()[phrase]), {*phrase.split()}
        rows = [
            n for n, name in enumerate(names) if (own and name == own[1]) or parts <= set(re.split(r"[^a-z0-9]+", name.lower()))
        ]
        used |= parts if rows else set()
        return rows
    said = [{t.word for t in tokens_of(slots) if t.stem in forms_of(name)} for name in names]
    every = set[str]().union(*said)
    exact = [n for n, name in enumerate(names) if set(name.split("_")) - {"frac", "ms"} <= every]  # `trades` is no `traded_days`
    if set[str]().union(*(said[n] for n in exact)) == every:
        said = [words if n in exact else set() for n, words in enumerate(said)]
    elif not re.search(r"\b(?:and|or|vs|with)\b|,", slots.text) and every not in said:
        return []  # `the worst trade` is neither `worst_day` nor `trades`
    used |= every
    return [n for n, words in enumerate(said) if words]


_EXACT = ("entries", "made", "traded", "traded_days")


def _heads(slots: Slots, table: Table, used: set[str]) -> list[int]:
    """The columns that a sentence asks for."""
    found: list[int] = []
    us = {m.start() for m in COSTS_US.finditer(slots.text)}  # `cost us the most` is of no column of costs
    free = [
        t
        for t in tokens_of(slots)
        if t.word not in used and t.slot in ("", "keys", "rule", "outcome", "by") and t.start not in us
    ]  # a word may be two heads
    for i, head in enumerate(table.columns):
        own = {stem(word) for word in HEADS.get(head.lower(), ())} | ({head.lower()} if len(head) > 1 else set())
        own |= forms_of(head) if head not in (*_EXACT, "what") else set()
        words = {t.word for t in free if t.word in own or (t.stem in own and head not in _EXACT)}
        if words and i != key_of(table):
            found.append(i)
            used |= words
    return found


def figure_meant(slots: Slots, above: TableAbove) -> str:
    """A sentence with the figure that it is of: its own, or the one that the thread asks about."""
    if heads_of(above.table, slots.text) or AT_A_LOSS.search(slots.text):
        return slots.text
    if "times" in above.table.columns:
        return f"{slots.text} count"
    if "trips" in above.table.columns and says("talk.count", above.asked.lower()):
        return f"{slots.text} how many trades"
    earlier = next((asked.lower() for asked in (*above.later, above.asked) if heads_of(above.table, asked.lower())), "")
    return f"{slots.text} {' '.join(w for w in re.findall(r'[a-z&]+', earlier) if w in FIGURE_WORDS)}".strip()


def bound_said(slots: Slots) -> str:
    """The one bound in a sentence, also where its number might be a parameter's; empty for none."""
    found = slots.filters or [m[0] for m in PATTERNS["slots.beyond"].finditer(slots.text)]
    return found[0] if len(found) == 1 else ""


def _ranked(slots: Slots, above: TableAbove, facts: Facts, rows: Sequence[int], used: set[str]) -> tuple[list[int], str] | None:
    """The row with the most or the least, or the second most; a row by its place."""
    nth, table, said = _RANKED.search(slots.text), above.table, slots.text.replace(bound_said(slots) or "-", "")
    if slots.place is not None and nth is None:
        if not -len(rows) <= slots.place < len(rows):
            return None
        used |= {t.word for t in tokens_of(slots) if t.slot == "place"}
        return [list(rows)[slots.place]], f"row {list(rows)[slots.place] + 1}"
    if not (nth or ranks(said) or slots.which in ("worst", "best")):
        return None
    text = figure_meant(slots, above)
    at, order = column_of(table, text), ordered(table, facts, text, slots.which, rows)
    place = ORDINALS.get(nth[1], 1) if nth else 0
    if place >= len(order):
        return None
    n = (slots.count or 1) if not nth else 1
    picked = order[place : place + n]
    used |= {w for p in ("low", "high", "at_a_loss") for m in PATTERNS[f"tables.{p}"].finditer(slots.text) for w in m[0].split()}
    used |= {t.word for t in tokens_of(slots) if t.slot in ("which", "count")} | ({*nth[0].split()} if nth else set())
    nth_most = ("", "second ", "third ", "fourth ", "fifth ")[place]
    end = "lowest" if lowest_wanted(table.columns[at], text, slots.which) else "highest"
    return picked, f"{nth_most}{end} {table.columns[at]}"

"""Figures of all but a part, the share of a part, what keeps a bound: what no argument of `trips` narrows to. Called by plans.py.

`without sol`, `never hit the stop`, `what share of the loss is btc`, `winners above 2R`, `before fees`: round trips are split by
what is left out or looked at, and `calc` adds up or divides the rows, so that each figure keeps its receipt.
"""

import re
from collections.abc import Generator, Sequence
from typing import Any

from agents.offline.bounds import bound_column, bound_of
from agents.offline.calls import made
from agents.offline.drafts import drafted, reckoned, result_text
from agents.offline.fill import EXTREMES, arguments
from agents.offline.leftout import EXITS, sleeve_words
from agents.offline.read_back import PlannedCall
from agents.offline.slots import COUNTED
from agents.offline.steps import CallResult, Plan, PlannedAnswer, Question
from agents.offline.tables import handle_of, number_of
from agents.offline.words import PATTERNS, says

LISTED_MAX = 20  # what `trips` lists at most
SHARE = PATTERNS["slots.share"]


def wanted(q: Question) -> Plan | None:
    """The plan of a sentence that leaves something out, asks for a share or sets a bound; None for any other."""
    if q.slots.out is not None:
        return _without(q, *q.slots.out)
    if q.slots.without and q.slots.which in ("worst", "best"):
        return _without_the_most(q)
    if SHARE.search(q.slots.text) and (dimension := _dimension(q)):
        return _share(q, *dimension)
    if len(q.slots.filters) == 1 and bound_of(q.slots.filters[0]) is not None:
        return _beyond(q)
    return None


def _args(q: Question, left_out: str | None = None, /, **more: Any) -> dict[str, Any]:
    """What the sentence narrows round trips to, without a split, a list or what is left out."""
    return {name: value for name, value in arguments(q).items() if name not in ("by", "best", "worst", left_out)} | more


def _without(q: Question, dimension: str, names: tuple[str, ...]) -> Plan:
    """The round trips without those named."""
    if dimension in ("side", "outcome"):  # there are two of them: the other one is left
        other = {"long": "short", "short": "long", "winners": "losers", "losers": "winners"}[names[0]]
        return (yield from made([PlannedCall("trips", _args(q, **{dimension: other}))]))
    if q.slots.which in ("worst", "best") and dimension in ("exit", "sleeve"):
        return (yield from _extremes_without(q, dimension, names))
    if dimension == "costs":
        return (yield from _before_costs(q, names))
    call = PlannedCall("trips", _args(q, dimension, by=dimension))
    (result,) = yield [call]
    table = result.table
    if table is None or result.status != "ok":
        return drafted([call], [result])
    rows = [n for n, row in enumerate(table.rows) if str(row[0]).lower() not in names and str(row[0]) != "open"]
    lead = yield from _together(result, rows, f"Without {' and '.join(names)}")
    draft, whole = _of_rows(call, result, rows, lead), result_text(result, table=False)
    return PlannedAnswer(f"{draft.text}\n\nOf all of them: {whole}", read_as=f"{draft.read_as}, without {' and '.join(names)}")


def _without_the_most(q: Question) -> Plan:
    """`without the best three trades`: the net of all less that of these."""
    said = re.search(r"\b(?:best|worst|biggest|largest|top) (\w+)", q.slots.text)
    n = COUNTED.get(said[1]) or int(said[1]) if said and (said[1] in COUNTED or said[1].isdigit()) else q.slots.count
    n = n or (EXTREMES if q.slots.text.rstrip("?.! ").endswith("s") else 1)
    calls = [PlannedCall("trips", _args(q, **{str(q.slots.which): min(n, LISTED_MAX)})), PlannedCall("trips", _args(q))]
    few, every = yield calls
    h, rows = handle_of(every, "net"), few.rows()
    if not h or not rows:
        return drafted(calls, [few, every])
    (left,) = yield from reckoned("-".join([f"{h}.net", *(row["net"][1:-1] for row in rows)]))
    lead = f"Without the {len(rows)} {q.slots.which} round trips: {left}, instead of {{{h}.net}} over {{{h}.trips}}."
    return drafted(calls[:1], [few]).after(lead)._replace(read_as=f"round trips without the {len(rows)} {q.slots.which}")


def _of_rows(call: PlannedCall, result: CallResult, rows: Sequence[int], lead: str) -> PlannedAnswer:
    """Rows of a result after a sentence about them, without the tool's own text, which is about all of them."""
    draft = drafted([call], [result.only(rows)])
    return draft._replace(text=draft.text.replace(result_text(result, table=False), "").strip()).after(lead)


def _extremes_without(q: Question, dimension: str, names: tuple[str, ...]) -> Plan:
    """The worst or the best round trips but those named, of the twenty that are listed."""
    call = PlannedCall("trips", _args(q, dimension, **{str(q.slots.which): LISTED_MAX}))
    (result,) = yield [call]
    table, left = result.table, " and ".join(names)
    if table is None or result.status != "ok":
        return drafted([call], [result])
    at = table.columns.index("reason" if dimension == "exit" else "sleeve")
    rows = [n for n, row in enumerate(table.rows) if str(row[at]) not in names][: q.slots.count or 5]
    draft = _of_rows(call, result, rows, f"Without {left}, of the {len(table.rows)} {q.slots.which} listed:")
    return draft._replace(read_as=f"{draft.read_as}, without {left}")


def _together(result: CallResult, rows: list[int], first: str) -> Generator[list[PlannedCall], list[CallResult], str]:
    """A sentence: net P&L and number of the rows, each added up by `calc`."""
    table = result.table
    assert table is not None  # noqa: S101 - asked before
    if not rows:
        return f"{first}: no round trip is left."
    ats = [at for head in ("net", "trips", "wins") for at, name in enumerate(table.columns) if name == head]
    sums = yield from reckoned(*("+".join(str(table.rows[n][at])[1:-1] for n in rows) for at in ats))
    net, trips, wins = (*sums, "")[:3]  # of winners or losers alone no wins are counted
    return f"{first}: net {net} over {trips} round trips{f', {wins} of them won' if wins else ''}."


def _before_costs(q: Question, names: tuple[str, ...]) -> Plan:
    """Net P&L with fees or slippage added back."""
    call = PlannedCall("trips", _args(q, by="sleeve"))
    (result,) = yield [call]
    table, draft = result.table, drafted([call], [result])
    if table is None or result.status != "ok":
        return draft
    heads = [name for name in " ".join(names).split() if name in table.columns]
    (value,) = yield from reckoned("+".join(row[head][1:-1] for row in result.rows() for head in ("net", *heads)))
    first = f"Without {' and '.join(heads)}, the same round trips: {value}. "
    first += "Fills would be the same; only what they cost is added back."
    return draft.after(first)._replace(read_as=f"{draft.read_as}, {' and '.join(heads)} added back")


_SPLITS = ("exit", "side", "sleeve", "symbol", "weekday", "hour", "month", "version")


def _dimension(q: Question) -> tuple[str, tuple[str, ...]] | None:
    """What a share is of: the split, and the rows named; every row where a split alone is."""
    names, said = sleeve_words(q.words), re.findall(r"[a-z][a-z-]*", q.slots.text)
    own = [names[w] for w in said if w in names]
    if own or q.slots.sleeves:
        return "sleeve", tuple(dict.fromkeys(own or q.slots.sleeves))
    if exits := [EXITS[w] for w in said if w in EXITS]:
        return "exit", tuple(dict.fromkeys(exits))
    if q.slots.side:
        return "side", (q.slots.side,)
    split = "sleeve" if "strategy" in q.slots.by else next((by for by in q.slots.by if by in _SPLITS), None)
    return None if split is None else (split, ())


def _share(q: Question, dimension: str, names: tuple[str, ...]) -> Plan:
    """The share of a part in the net P&L, the fees or the number of round trips of all."""
    call = PlannedCall("trips", _args(q, dimension, by=dimension))
    (result,) = yield [call]
    table, draft, text = result.table, drafted([call], [result]), q.slots.text
    if table is None or result.status != "ok":
        return draft
    head = next((h for h in ("fees", "funding", "slippage") if re.search(rf"\b{h[:-1]}", text)), "net")
    head = "fees" if re.search(r"\bcosts?\b", text) else "trips" if head == "net" and says("remainder.of_number", text) else head
    at = table.columns.index(head)
    every = [row for row in table.rows if str(row[at]).startswith("{") and str(row[0]) != "open"]
    rows = [row for row in every if not names or str(row[0]).lower() in names][:4]
    if not rows:
        return draft
    whole = "+".join(str(row[at])[1:-1] for row in every)
    values = yield from reckoned(*(f"share({str(row[at])[1:-1]}, {whole})" for row in rows))
    shares = ", ".join(f"{row[0]} {value}" for row, value in zip(rows, values, strict=True))
    mixed = " Gains and losses are added up in it, so a share may be above 100 % or negative."
    lead = f"Share of the {head} of all: {shares}.{mixed if head in ('net', 'funding') else ''}"
    return draft.after(lead)._replace(read_as=f"share in the {head} by {dimension}; {draft.read_as}")


def _beyond(q: Question) -> Plan:
    """The round trips that keep a bound, among the best or the worst that are listed."""
    said = q.slots.filters[0]
    bound = bound_of(said)
    assert bound is not None  # noqa: S101 - asked before
    lost = bool(re.search(r"\b(?:los[te]\w*|losers?|losses|down|minus|red)\b", q.slots.text)) and bound.level > 0
    if lost:  # `lost more than 1R` is below -1R
        bound = bound._replace(level=-bound.level, below=not bound.below)
    end = "worst" if bound.below else "best"
    call = PlannedCall("trips", _args(q, **{end: LISTED_MAX}))
    (result,) = yield [call]
    table = result.table
    if table is None or result.status != "ok" or (at := bound_column(q.slots.text, table, bound)) is None:
        return drafted([call], [result])
    values = [number_of(row[at], q.facts) for row in table.rows]
    rows = [n for n, v in enumerate(values) if v is not None and bound.holds(v)]
    least = "At least " if len(table.rows) == len(rows) == LISTED_MAX else ""
    lead = f"{least}{len(rows)} round trips with {table.columns[at]} {said}{' as a loss' if lost else ''}"
    listed = f", among the {len(table.rows)} {end} by net P&L, which are all that is listed."
    draft = _of_rows(call, result, rows, f"{lead}{listed if len(table.rows) == LISTED_MAX else '.'}")
    return draft._replace(read_as=f"{draft.read_as}, {said}")

"""Figures of all but a part, the share of a part, what keeps a bound: what no argument of `trips` narrows to. Called by plans.py.

`without sol`, `never hit the stop`, `what share of the loss is btc`, `winners above 2R`, `before fees`: round trips are split by
what is left out or looked at, and `calc` adds up or divides the rows, so that each figure keeps its receipt.
"""

import re
from typing import Any

from agents.offline.bounds import bound_of
from agents.offline.fill import arguments
from agents.offline.leftout import EXITS, sleeve_words
from agents.offline.read_back import PlannedCall
from agents.offline.steps import CallResult, Plan, PlannedAnswer, Question, drafted, result_text
from agents.offline.tables import number_of, only
from agents.offline.talk import bound_column
from agents.offline.words import PATTERNS

LISTED_MAX = 20  # what `trips` lists at most
SHARE = PATTERNS["slots.share"]


def wanted(q: Question) -> Plan | None:
    """The plan of a sentence that leaves something out, asks for a share or sets a bound; None for any other."""
    if q.slots.out is not None:
        return _without(q, *q.slots.out)
    if SHARE.search(q.slots.text) and (dimension := _dimension(q)):
        return _share(q, *dimension)
    if len(q.slots.filters) == 1 and bound_of(q.slots.filters[0]) is not None:
        return _beyond(q)
    return None


def _args(q: Question, **more: Any) -> dict[str, Any]:
    """What the sentence narrows round trips to, without a split or a list."""
    entry = q.entry
    args = arguments(q, entry.tool) if entry is not None and entry.tool.name == "trips" else {}
    if entry is not None and entry.tool.name != "trips":
        args = {name: value for name, value in arguments(q, entry.tool).items() if name in ("since", "until", "sleeve")}
        span = q.slots.span
        args |= {name: value for name, value in (("since", span.start or span.at), ("until", span.end)) if value}
    return {name: value for name, value in args.items() if name not in ("by", "best", "worst")} | more


def _without(q: Question, dimension: str, names: tuple[str, ...]) -> Plan:
    """The round trips without those named."""
    if dimension in ("side", "outcome"):  # there are two of them: the other one is left
        other = {"long": "short", "short": "long", "winners": "losers", "losers": "winners"}[names[0]]
        call = PlannedCall("trips", _args(q, **{dimension: other}))
        (result,) = yield [call]
        return drafted([call], [result])
    if q.slots.which in ("worst", "best") and dimension in ("exit", "sleeve"):
        return (yield from _extremes_without(q, dimension, names))
    if dimension == "costs":
        return (yield from _before_costs(q, names))
    args = _args(q, by=dimension)
    args.pop({"exit": "exit", "sleeve": "sleeve"}.get(dimension, ""), None)
    call = PlannedCall("trips", args)
    (result,) = yield [call]
    table = result.table
    if table is None or result.status != "ok":
        return drafted([call], [result])
    rows = [n for n, row in enumerate(table.rows) if str(row[0]).lower() not in names and str(row[0]) != "open"]
    lead = yield from _together(result, rows, f"Without {' and '.join(names)}")
    draft = drafted([call], [result._replace(table=only(table, rows))])
    whole = result_text(result, table=False)
    text = f"{lead}\n\n{draft.text.replace(whole, '').strip()}\n\nOf all of them: {whole}"
    return PlannedAnswer(text, read_as=f"{draft.read_as}, without {' and '.join(names)}")


def _extremes_without(q: Question, dimension: str, names: tuple[str, ...]) -> Plan:
    """The worst or the best round trips but those named, of the twenty that are listed."""
    args = _args(q, **{str(q.slots.which): LISTED_MAX})
    args.pop(dimension, None)
    call = PlannedCall("trips", args)
    (result,) = yield [call]
    table = result.table
    if table is None or result.status != "ok":
        return drafted([call], [result])
    at = table.columns.index("reason" if dimension == "exit" else "sleeve")
    rows = [n for n, row in enumerate(table.rows) if str(row[at]) not in names][: q.slots.count or 5]
    draft = drafted([call], [result._replace(table=only(table, rows))])
    lead = f"Without {' and '.join(names)}, of the {len(table.rows)} {q.slots.which} listed:"
    text = f"{lead}\n\n{draft.text.replace(result_text(result, table=False), '').strip()}"
    return PlannedAnswer(text, read_as=f"{draft.read_as}, without {' and '.join(names)}")


def _together(result: CallResult, rows: list[int], first: str) -> Any:
    """A sentence: net P&L and number of the rows, each added up by `calc`."""
    table = result.table
    assert table is not None  # noqa: S101 - asked before
    if not rows:
        return f"{first}: no round trip is left."
    ats = [at for head in ("net", "trips", "wins") for at, name in enumerate(table.columns) if name == head]
    calls = [PlannedCall("calc", {"expression": "+".join(str(table.rows[n][at])[1:-1] for n in rows)}) for at in ats]
    results = yield calls
    net, trips, wins = ([r.text.rpartition(" = ")[2] for r in results] + ["n/a"] * 3)[:3]
    return f"{first}: net {net} over {trips} round trips, {wins} of them won."


def _before_costs(q: Question, names: tuple[str, ...]) -> Plan:
    """Net P&L with fees or slippage added back."""
    call = PlannedCall("trips", _args(q, by="sleeve"))
    (result,) = yield [call]
    table = result.table
    if table is None or result.status != "ok":
        return drafted([call], [result])
    heads = [name for name in " ".join(names).split() if name in table.columns]
    parts = [str(row[table.columns.index(head)])[1:-1] for row in table.rows for head in ("net", *heads)]
    (made,) = yield [PlannedCall("calc", {"expression": "+".join(parts)})]
    value = made.text.rpartition(" = ")[2] if made.status == "ok" else made.text
    draft = drafted([call], [result])
    text = f"Without {' and '.join(heads)}, the same round trips: {value}. "
    text += f"Fills would be the same; only what they cost is added back.\n\n{draft.text}"
    return PlannedAnswer(text, read_as=f"{draft.read_as}, {' and '.join(heads)} added back")


def _dimension(q: Question) -> tuple[str, tuple[str, ...]] | None:
    """What a share is of: the split, and the rows named; every row where a split alone is."""
    names = sleeve_words(q.words)
    own = [names[w] for w in re.findall(r"[a-z][a-z-]*", q.slots.text) if w in names]
    if own or q.slots.sleeves:
        return "sleeve", tuple(dict.fromkeys(own or q.slots.sleeves))
    exits = [EXITS[w] for w in re.findall(r"[a-z][a-z-]*", q.slots.text) if w in EXITS]
    if exits:
        return "exit", tuple(dict.fromkeys(exits))
    if q.slots.side:
        return "side", (q.slots.side,)
    split = next(
        (by for by in q.slots.by if by in ("exit", "side", "sleeve", "symbol", "weekday", "hour", "month", "version")), None
    )
    return ("sleeve", ()) if "strategy" in q.slots.by else None if split is None else (split, ())


def _share(q: Question, dimension: str, names: tuple[str, ...]) -> Plan:
    """The share of a part in the net P&L, the fees or the number of round trips of all."""
    args = _args(q, by=dimension)
    args.pop({"exit": "exit", "sleeve": "sleeve", "side": "side"}.get(dimension, ""), None)
    call = PlannedCall("trips", args)
    (result,) = yield [call]
    table = result.table
    if table is None or result.status != "ok":
        return drafted([call], [result])
    text = q.slots.text
    head = next((h for h in ("fees", "funding", "slippage") if re.search(rf"\b{h[:-1]}", text)), "net")
    head = "fees" if re.search(r"\bcosts?\b", text) else "trips" if head == "net" and _OF_NUMBER.search(text) else head
    at = table.columns.index(head)
    values = {n: number_of(row[at], q.facts) for n, row in enumerate(table.rows)}
    every = [n for n in values if str(table.rows[n][at]).startswith("{") and str(table.rows[n][0]) != "open"]
    rows = [n for n in every if not names or str(table.rows[n][0]).lower() in names][:4]
    if not rows or not every:
        return drafted([call], [result])
    whole = "+".join(str(table.rows[n][at])[1:-1] for n in every)
    made = yield [PlannedCall("calc", {"expression": f"share({str(table.rows[n][at])[1:-1]}, {whole})"}) for n in rows]
    shares = [
        f"{table.rows[n][0]} {r.text.rpartition(' = ')[2] if r.status == 'ok' else r.text}"
        for n, r in zip(rows, made, strict=True)
    ]
    mixed = (
        " Gains and losses are added up in it, so a share may be above 100 % or negative." if head in ("net", "funding") else ""
    )
    draft = drafted([call], [result])
    lead = f"Share of the {head} of all: {', '.join(shares)}.{mixed}"
    return PlannedAnswer(f"{lead}\n\n{draft.text}", read_as=f"share in the {head} by {dimension}; {draft.read_as}")


_OF_NUMBER = re.compile(r"\b(?:of (?:the |our |all )*(?:trades|trips|round trips|exits|positions)|trades (?:were|are|hit|end))\b")


def _beyond(q: Question) -> Plan:
    """The round trips that keep a bound, among the best or the worst that are listed."""
    bound = bound_of(q.slots.filters[0])
    assert bound is not None  # noqa: S101 - asked before
    lost = bool(re.search(r"\b(?:los[te]\w*|losers?|losses|down|minus|red)\b", q.slots.text)) and bound.level > 0
    if lost:  # `lost more than 1R` is below -1R
        bound = bound._replace(level=-bound.level, below=not bound.below)
    call = PlannedCall("trips", _args(q, **{"worst" if bound.below else "best": LISTED_MAX}))
    (result,) = yield [call]
    table = result.table
    if table is None or result.status != "ok" or (at := bound_column(q.slots, table, bound)) is None:
        return drafted([call], [result])
    values = {n: number_of(row[at], q.facts) for n, row in enumerate(table.rows)}
    rows = [n for n, v in values.items() if v is not None and bound.holds(v)]
    end = "worst" if bound.below else "best"
    full = len(table.rows) == LISTED_MAX and len(rows) == LISTED_MAX
    lead = f"{'At least ' if full else ''}{len(rows)} round trips with {table.columns[at]} {q.slots.filters[0]}"
    lead += " as a loss" if lost else ""
    lead += (
        f", among the {len(table.rows)} {end} by net P&L, which are all that is listed." if len(table.rows) == LISTED_MAX else "."
    )
    draft = drafted([call], [result._replace(table=only(table, rows))])
    whole = result_text(result, table=False)
    return PlannedAnswer(f"{lead}\n\n{draft.text.replace(whole, '').strip()}", read_as=f"{draft.read_as}, {q.slots.filters[0]}")

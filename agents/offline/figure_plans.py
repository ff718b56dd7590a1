"""What the desk or a run made, by every tool of figures: where it comes from, return and drawdowns, round trips, P&L by time.
Called by plans.py."""

import re
from collections.abc import Generator
from dataclasses import replace

from agents.offline import remainder
from agents.offline.calls import made, once
from agents.offline.dates import read_span, two_periods
from agents.offline.fill import DESKWARD, EXTREMES, FILLERS, arguments
from agents.offline.follow import RUNS
from agents.offline.read_back import PlannedCall
from agents.offline.slots import words_of
from agents.offline.steps import (
    CallResult,
    PastTurn,
    Plan,
    PlannedAnswer,
    Question,
    asks_back,
    drafted,
    name_list,
    result_text,
    window,
)
from agents.offline.tables import extreme, number_of, only, ranks
from tools.common.time_words import instant


def attribution(q: Question) -> Plan:
    """Where the P&L comes from, in the window named; of one sleeve its row first, since the rest is the whole desk's."""
    call = PlannedCall("attribution", window(q.slots.span))
    (result,) = yield [call]
    draft, table, sleeve = drafted([call], [result]), result.table, q.sleeve()
    if sleeve is None or table is None:
        first = extreme(table, q.facts, q.slots.text, q.slots.which) if table is not None and ranks(q.slots.text) else ""
    else:
        row = next((row for row in table.rows if str(row[0]).endswith(sleeve.name)), None)
        figures = ", ".join(f"{name} {cell}" for name, cell in zip(table.columns[1:], row[1:], strict=False)) if row else ""
        first = f"{sleeve.name} alone: {figures}. What follows is the whole desk's." if figures else ""
    return draft._replace(text=f"{first}\n\n{draft.text}") if first else draft


def _of_run(q: Question) -> Generator[list[PlannedCall], list[CallResult], Question]:
    """The question about the newest stored run, of the strategy named, where it speaks of one that this thread has not made."""
    spoken = re.search(
        r"\b(?:the|that|my|our|last|latest|newest|previous|stored) (?:[\w-]+ ){0,3}?(?:run|back-?test|simulation)\b", q.slots.text
    )
    stored = spoken is not None and re.search(r"\bstored\b", q.slots.text)  # not the one that this thread made last
    if spoken is None or (q.run_id() is not None and not stored):
        return q
    (latest,) = yield [PlannedCall("run", {})]
    rows, named = latest.table.rows if latest.table is not None else (), (*q.slots.strategies, *q.slots.symbols)
    listed = [
        run for run, row in zip(latest.evidence, rows, strict=False) if all(name in " ".join(map(str, row)) for name in named)
    ]
    if not listed:
        return q
    of_run = PastTurn("", (latest._replace(data={}, evidence=tuple(listed[:1])),))
    return replace(q, slots=replace(q.slots, sleeves=()), past=(*q.past, of_run))


_OF_RUNS = re.compile(
    r"\b(?:sortino|calmar|value at risk|var|cvar|expected shortfall|recovery factor|cagr|turnover|psr|autocorrelation|"
    r"buy[- ]and[- ]hold|(?:just|simply) (?:\w+ )?(?:hold|held|holding)|holding(?! times?| periods?))\b"
)


def performance(q: Question) -> Plan:
    """Return, Sharpe and drawdowns of the desk or a run; asked back where a run is meant that there is not."""
    last = next(reversed(q.results()), None)
    if last is not None and last.status != "ok" and last.name in RUNS and not DESKWARD.search(q.slots.text):
        return asks_back(f"The run that this is about was not made. {result_text(last)}")
    if re.search(r"\b(?:out|in)[- ]of?[- ]?sample\b", q.slots.text) and not (last is not None and last.name in RUNS):
        return asks_back(
            "No run with folds stands above. Ask for one: `walk forward trend on BTC for 2025 over stop_atr 2, 3, 4`."
        )
    of_run = yield from _of_run(q)
    named, of_desk = _OF_RUNS.search(q.slots.text), (FILLERS["subject"](of_run) or "desk") == "desk"
    if named and not of_desk and "hold" not in named[0]:
        return (yield from made([PlannedCall("run", {"run_id": of_run.run_id()})], of_run))
    if named and of_desk != ("hold" in named[0]):  # holding the same instruments is set beside the desk alone
        draft = yield from once(of_run)
        where = "the table of a backtest has it" if of_desk else "its report on the page has it, under Runs"
        return draft._replace(text=f"No tool of a chat gives that ({named[0]}) here; {where}. What there is:\n\n{draft.text}")
    if re.search(r"\b(?:runs|backtests)\b", q.slots.text) and of_run.run_id() is None:
        return asks_back(
            "Of which runs? Name one by its id, `list the latest runs` shows them; two: `compare the two stored runs`."
        )
    return (yield from once(of_run))


_EACH_TRIP = re.compile(r"(?:and )?(?:how much )?(?:per|for each) (?:trade|trip|round trip)\b")
NO_COST_OF_EACH = (
    "Of each round trip: the mean of its P&L and R is below. No tool divides fees or slippage by round trips; their sums are."
)


def trips(q: Question) -> Plan:
    """Round trips as once; the best and the worst beside each other where both are asked for."""
    q = yield from _of_run(q)
    assert q.entry is not None  # noqa: S101 - chosen by the caller
    if (asked := remainder.wanted(q)) is not None:
        return (yield from asked)
    args = arguments(q, q.entry.tool)
    if (
        "by" not in args
        and not q.slots.sleeves
        and re.search(r"\b(?:all|each of the|every one of the) (?:three|four|five|sleeves)\b", q.slots.text)
    ):
        args |= {"by": "sleeve"}  # `hit rate, all three`
        return (yield from made([PlannedCall("trips", args)], q))
    if len(q.slots.by) > 1 and q.entry.splits(q.slots.by):
        draft = yield from made([PlannedCall("trips", args | {"by": by}) for by in q.slots.by[:3]])
        return draft._replace(text=f"No tool splits by {name_list(q.slots.by)} at once: each by itself is below.\n\n{draft.text}")
    if _EACH_TRIP.match(q.slots.text):
        draft = yield from once(q)
        return draft._replace(text=f"{NO_COST_OF_EACH}\n\n{draft.text}")
    if q.slots.outcome == "both":
        return (yield from made([PlannedCall("trips", args | {"outcome": kind}) for kind in ("winners", "losers")]))
    if q.slots.which != "both" or q.slots.by:
        return (yield from once(q))
    n = q.slots.count or (1 if re.search(r"\b(?:winner|loser|win|loss|trade)\b", q.slots.text) else EXTREMES)
    return (yield from made([PlannedCall("trips", args | {"best": n}), PlannedCall("trips", args | {"worst": n})]))


NO_EQUITIES = (
    "No tool of a chat lists equity by time: the page draws it. Its change in each is the net below; equity now follows."
)


def pnl(q: Question) -> Plan:
    """P&L by day, week or month; of a window, or of two periods, their rows alone; the best or the worst of them first."""
    assert q.entry is not None  # noqa: S101 - chosen by the caller
    args, text, now = arguments(q, q.entry.tool), q.slots.text, q.words.desk_ms
    pair = two_periods(text, now)
    spans = [read_span(one, now)[0] for one in pair] if pair else [q.slots.span] if q.slots.span.start or q.slots.span.at else []
    starts = [of.start or of.at or "" for of in spans]
    if pair:  # this week against the last one: both are rows of one table
        said = next((unit for unit in ("week", "month", "year") if re.search(rf"\b{unit}\b", text)), "")
        unit = said or ("month" if all(of.endswith("-01") for of in starts) else "day")
        args |= {"unit": "month" if unit == "year" else unit}
    n = args.pop("limit", None) if q.slots.which in ("worst", "best") else None  # the two worst days are not the last two
    if starts and now is not None:
        days = (now - instant(min(starts), now)) // 86_400_000 + 1
        args |= {"limit": max(1, min(60, days if args.get("unit", "day") == "day" else days // 7 + 2))}
    ranked = ranks(text) or q.slots.which in ("worst", "best")
    if ranked and not starts:
        args |= {"limit": 60}  # of all that it shows, not of the last twelve
    call = PlannedCall("pnl", args)
    if re.search(r"\bequity\b", text) and q.slots.by:
        draft = yield from made([call, PlannedCall("desk", {})])
        return draft._replace(text=f"{NO_EQUITIES}\n\n{draft.text}")
    (result,) = yield [call]
    if spans and result.table is not None:
        day = [str(row[0])[:10] for row in result.table.rows]
        rows = [
            i
            for i, of in enumerate(day)
            if any(s[:10] <= of and (not e.end or of < e.end[:10]) for s, e in zip(starts, spans, strict=True))
        ]
        result = result._replace(table=only(result.table, rows))
        if not rows:
            return PlannedAnswer(f"No {args.get('unit', 'day')} of that window is among the last {args.get('limit', 12)}.")
    draft, first = drafted([call], [result]), ""
    if spans:  # rows of the window alone
        rows_of = " and ".join(words_of("span", of) for of in spans)
        draft = draft._replace(read_as=f"P&L of {args.get('sleeve', 'the whole desk')}, by {args.get('unit', 'day')}, {rows_of}")
    if len(spans) == 1 and starts[0][11:16] not in ("", "00:00"):
        first = f"P&L is by whole days here: all of {starts[0][:10]} counts, not from {starts[0][11:16]} on."
    table = result.table
    n = n or (EXTREMES if q.slots.which in ("worst", "best") and not starts else None)
    if n and table is not None and "net" in table.columns:
        nets = [number_of(row[table.columns.index("net")], q.facts) or 0.0 for row in table.rows]
        order = sorted(range(len(nets)), key=lambda i: nets[i], reverse=q.slots.which == "best")
        draft = draft._replace(text=drafted([call], [result._replace(table=only(table, order[:n]))]).text)
    if result.table is not None and ranked:
        first = extreme(result.table, q.facts, text, q.slots.which) or first
    return draft._replace(text=f"{first}\n\n{draft.text}") if first else draft

"""Two things beside each other: which is better, both figures, how far they are apart, and whether that can be told from chance.
Called by calls.py and above_figures.py.
"""

import re
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from agents.offline.dates import TimeSpan
from agents.offline.drafts import drafted, reckoned
from agents.offline.read_back import PlannedCall
from agents.offline.slots import words_of
from agents.offline.steps import CallResult, Plan, PlannedAnswer, Question
from agents.offline.tables import column_of, handle_of, number_of, rows_named
from agents.offline.talk import key_of
from agents.offline.words import LISTS, says
from tools.common.contract import Table
from tools.common.split_words import MONEY, SPOKEN, apart, over

_Said = Generator[list[PlannedCall], list[CallResult], str]
_LESS = ("fees", "slippage", "drawdown", "depth")  # of which less is better


def duel(table: Table, facts: Mapping[str, Any], pair: Sequence[int], text: str) -> _Said:
    """Of two rows the better one, of a loss the worse: both figures of what a text speaks of, what parts them, and chance where
    the tool has it."""
    at = column_of(table, text)
    head, money = table.columns[at], table.columns[at] in MONEY
    less, worse = any(word in head for word in _LESS), money and says("beside.loses", text) is not None
    per_trade = (money or head in ("fees", "slippage")) and "trips" in table.columns and says("beside.per_trade", text)
    trips = table.columns.index("trips") if per_trade else 0
    of = {n: (number_of(table.rows[n][trips], facts) or 1.0) if per_trade else 1.0 for n in pair}
    values = {n: value / of[n] for n in pair if (value := number_of(table.rows[n][at], facts)) is not None}
    order = sorted(values, key=lambda n: values[n], reverse=not (less or worse))[:2]
    if len(order) < 2 or not at:
        return ""
    refs = [str(table.rows[n][at])[1:-1] for n in order]
    cells, a_trade = [f"{{{ref}}}" for ref in refs], ""
    if per_trade:
        counts = [str(table.rows[n][trips])[1:-1] for n in order]
        refs, a_trade = [f"{net}/{n}" for net, n in zip(refs, counts, strict=True)], " a round trip"
        cells = yield from reckoned(*refs)
    (gap,) = yield from reckoned("-".join(refs[::-1] if less or worse else refs))
    names = [str(table.rows[n][key_of(table)]) for n in order]
    lost = values[order[0]] < 0
    more = ("lost more" if lost else "did worse") if worse else "lost less" if lost else "did better"
    if not money:
        word = "lower" if less else "longer" if head == "median_hold_ms" else "higher"
        more = "has more round trips" if head == "trips" else f"has the {word} {SPOKEN.get(head, head)}"
    figures = [f"{cell}{'' if head == 'trips' else over(table, table.rows[n])}" for cell, n in zip(cells, order, strict=True)]
    chance = apart(table.rows[order[0]], facts) if money else ""
    answer = _yes(text, [str(table.rows[n][key_of(table)]) for n in pair], names[0], less=less != worse)
    return f"{answer}{names[0]} {more}{a_trade} than {names[1]}: {figures[0]} against {figures[1]}, {gap} apart{chance}."


def _yes(text: str, named: Sequence[str], first: str, *, less: bool) -> str:
    """`Yes: ` or `No: ` of a question whether one is better than the other; empty for another question."""
    asked = says("beside.whether", text)
    if asked is None:
        return ""
    at = {
        name: found.start() for name in named if (found := re.search(rf"\b{re.escape(name.lower().partition('-')[0][:7])}", text))
    }
    subject = min(at, key=lambda name: at[name], default="")
    good = (says("beside.worse", text) is not None) == less
    return "" if not subject else "Yes: " if (subject == first) == good else "No: "


def split_first(q: Question, result: CallResult) -> _Said:
    """The verdict of a split that a question sets two groups of beside each other; empty for any other."""
    table, text = result.table, q.slots.text
    if table is None or result.status != "ok" or not result.args.get("by"):
        return ""
    pair = rows_named(table, text, q.slots.symbols if table.columns[0] == "symbol" else q.slots.sleeves)
    both = [n for n in range(len(table.rows)) if str(table.rows[n][0]) != "open"]
    if table.columns[0] == "sleeve" and len(q.slots.sleeves) == 2 and len(pair) == 1:  # the other one made no round trip
        (none,) = [name for name in q.slots.sleeves if name not in str(table.rows[pair[0]][0])] or [""]
        net = table.rows[pair[0]][table.columns.index("net")]
        return f"{none} made no round trip in that window; {table.rows[pair[0]][0]} made {net}."
    pair = both if len(both) == 2 and len(pair) < 2 and says("beside.two", text) else pair
    return (yield from duel(table, q.facts, pair, text)) if len(pair) == 2 and says("beside.two", text) else ""


def windows(q: Question, args: Mapping[str, Any]) -> Plan:
    """Two windows of one tool beside each other: the figure that is asked for, the first window less the second."""
    both = [dict(args) | {k: v for k, v in (("since", of.start or of.at), ("until", of.end)) if v} for of in q.slots.periods[:2]]
    return (yield from two_calls([PlannedCall(q.chosen.tool.name, one) for one in both], q.slots.text, q))


def two_calls(calls: Sequence[PlannedCall], text: str, q: Question) -> Plan:
    """Two calls of one tool beside each other, each called by what sets it apart from the other and its window."""
    parts = [[str(call.args.get(name) or "") for name in ("sleeve", "side")] for call in calls]
    apart_by = [[part for part, other in zip(of, parts[1 - n], strict=True) if part != other] for n, of in enumerate(parts)]
    names = [", ".join(filter(None, (*of, span_of(call.args)))) for of, call in zip(apart_by, calls, strict=True)]
    results = yield list(calls)
    return drafted(calls, results).after((yield from two_results(results, names, text, q.facts)))


def again(table: Table, pair: Sequence[int], asked: str, read: str, q: Question) -> Plan:
    """Two groups of the answer above, with whether they can be told apart."""
    return PlannedAnswer((yield from duel(table, q.facts, pair, asked)), read_as=read)


def span_of(args: Mapping[str, Any]) -> str:
    """A window in words."""
    if str(args.get("since", "")).startswith("2009"):
        return f"before {args.get('until', 'now')}"
    since, until = (str(args.get(end, "")).removesuffix("T00:00") for end in ("since", "until"))
    return f"{since or 'the start'} to {until}" if until else f"since {since or 'the start'}"


def two_results(results: Sequence[CallResult], names: Sequence[str], text: str, facts: Mapping[str, Any]) -> _Said:
    """One figure of two results of a tool: both, what parts them, and for a hit rate whether their intervals overlap."""
    name = next((name for form, name in LISTS["beside"].items() if results[0].name == "trips" and re.search(form, text)), "net")
    if results[0].name == "counts":
        name = next((k for k in ("refused", "breaker", "alert") if handle_of(results[0], k)), "")
    name = "change" if results[0].name == "attribution" else name
    refs = [f"{{{h}.{name}}}" if (h := handle_of(r, "trips" if r.name == "trips" else name)) else "" for r in results]
    if results[0].name == "attribution":
        refs = [next((row["change"] for row in r.rows() if "whole desk" in " ".join(row.values())), "") for r in results]
    values = [number_of(ref, facts) for ref in refs]
    if "no_data" in [r.status for r in results]:
        return f"Nothing to set beside it: the desk has no figures for {names[[r.status for r in results].index('no_data')]}."
    if None in values or len(values) < 2:
        return ""
    (gap,) = yield from reckoned("-".join(ref[1:-1] for ref in refs))
    high = (values[0] or 0) > (values[1] or 0)
    more = "the same" if values[0] == values[1] else "more" if high else "less"
    if says("beside.whether", text):
        more = f"{'yes' if high != (says('beside.worse', text) is not None) else 'no'}, {more}"
    head = SPOKEN.get(name, name)
    ends = [[number_of(f"{ref[:-1].partition('.')[0]}.win_{end}}}", facts) or 0.0 for end in ("low", "high")] for ref in refs]
    luck = ""
    if name == "win_frac":
        overlap = ends[0][0] <= ends[1][1] and ends[1][0] <= ends[0][1]
        luck = f"; their 95 % intervals {'overlap, so chance may explain it' if overlap else 'do not overlap'}"
    return f"{head.capitalize()} {refs[0]} ({names[0]}) against {refs[1]} ({names[1]}): {more}, by {gap}{luck}."


def of_periods(q: Question, result: CallResult, spans: Sequence[TimeSpan], pair: Sequence[TimeSpan]) -> _Said:
    """Which of the periods was better, where each has one row; of a pair with one alone, that the other has no figures."""
    nets = [str(row["net"]) for row in result.rows() if "net" in row]
    if len(pair) == 2 and len(nets) == 1:  # the desk has not lived the other one
        day = next(iter(result.rows()[0].values()))[:10]
        at = next(n for n, of in enumerate(pair) if within(day, [of.start or of.at or ""], [of]))
        lived = f"{words_of('span', pair[at])} made {nets[0]}"
        return f"No better or worse can be said: the desk has no figures {words_of('span', pair[1 - at])}; {lived}."
    if len(spans) != len(nets):
        return ""
    first = "; ".join(f"{words_of('span', of)} {net}" for of, net in zip(sorted(spans), nets, strict=True)) + "."
    if len(nets) > 2 or not all(net.startswith("{") for net in nets):
        return first
    (gap,) = yield from reckoned(f"{nets[1][1:-1]}-{nets[0][1:-1]}")
    low = (number_of(nets[1], q.facts) or 0.0) < (number_of(nets[0], q.facts) or 0.0)
    return f"The later one was {'worse' if low else 'better'}, by {gap}: {first}"


def within(day: str, starts: Sequence[str], spans: Sequence[TimeSpan]) -> bool:
    """Whether a day is in one of the windows that begin so."""
    return any(s[:10] <= day and (not of.end or day < of.end[:10]) for s, of in zip(starts, spans, strict=True))

"""Charts of what an answer looked up: P&L by period, round trips by a split, the desk's equity. Called by answer.py.

Turns the tool calls of an answer into specs of drawn.chart. The bars of a split are the facts of the answer itself, with whatever
narrowed it; periods and equity come from the API, as the desk's page has them. Curves of runs are answer.py's own.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from app.ui import charts, drawn, money, parts
from app.ui.figures import is_number, number
from app.ui.page_client import PageClient, Trouble

CHARTS_MAX, BARS_MAX, POINTS = 2, 40, 400
DESK = "desk"


class Found(NamedTuple):
    """A call that can be drawn: tool and arguments."""

    name: str
    args: Mapping[str, Any]


def found_in(answer: Mapping[str, Any]) -> list[Found]:
    """The calls of an answer that have a chart, in order, each once."""
    kept: list[Found] = []
    for call in answer.get("tool_calls") or []:
        one = Found(str(call.get("name")), call.get("args") or {})
        subject = str(one.args.get("subject") or DESK)
        drawable = (one.name in ("pnl", "performance") and subject == DESK) or len(bars(answer, one)) > 1
        if call.get("status") == "ok" and drawable and one not in kept:
            kept.append(one)
    return kept[:CHARTS_MAX]


def is_curve(one: Found) -> bool:
    """Whether the equity of the desk or of a sleeve is drawn."""
    return one.name == "performance" or (one.name == "pnl" and bool(one.args.get("equity")))


def title(one: Found) -> tuple[str, str]:
    """(what a chart shows, of what)."""
    if is_curve(one):
        return "Equity", str(one.args.get("sleeve") or DESK)
    if one.name == "pnl":
        return f"Net P&L by {one.args.get('unit') or 'day'}", f"{one.args.get('sleeve') or DESK}, USDT, UTC"
    return f"Net P&L by {one.args.get('by') or 'exit'}", f"round trips of {one.args.get('subject') or DESK}, USDT"


def show(api: PageClient, answer: Mapping[str, Any], key: str) -> None:
    """Draw them."""
    for n, one in enumerate(found_in(answer)):
        name = f"{key}_{n}"
        try:
            _draw(api, answer, one, name)
        except Trouble as trouble:
            parts.note("▲ No chart.", f"{trouble.what}. {trouble.hint}", "warn")


def _draw(api: PageClient, answer: Mapping[str, Any], one: Found, key: str) -> None:
    if is_curve(one):
        query: dict[str, Any] = {"points": POINTS} | ({"sleeve": one.args["sleeve"]} if one.args.get("sleeve") else {})
        charts.equity([(title(one)[1], api.get("/api/desk/equity", **query))], key=key, height=280)
        return
    parts.head(*title(one))
    if one.name == "pnl":
        unit = str(one.args.get("unit") or "day")
        query = {"unit": unit, "sleeve": one.args.get("sleeve"), "limit": one.args.get("limit") or 12}
        spec = money.spec(api.get("/api/desk/periods", **query)["items"], unit)
    else:
        spec = split(bars(answer, one))
    drawn.chart(spec, key=key, mark=f"{key} {spec['items']}")


def bars(answer: Mapping[str, Any], one: Found) -> list[tuple[str, float]]:
    """(key, net) of a split of round trips, from the answer's facts: `exit stop of desk`, net."""
    if one.name != "trips" or one.args.get("worst") or one.args.get("best"):
        return []
    before, after = f"{one.args.get('by') or 'exit'} ", f" of {one.args.get('subject') or DESK}"
    made = []
    for fact in answer.get("facts") or []:
        subject = str(fact.get("subject"))
        fits = subject.startswith(before) and subject.endswith(after) and fact.get("metric") == "net"
        if fits and is_number(fact.get("value")):
            made.append((subject[len(before) : -len(after)], float(fact["value"])))
    return made[:BARS_MAX]


def split(found: Sequence[tuple[str, float]]) -> dict[str, Any]:
    """Bars of the net, one a key."""
    items = [
        {"name": name, "value": net, "tone": "up" if net > 0 else "down", "text": f"{name}: net {number(net, sign=True)}"}
        for name, net in found
    ]
    return {"kind": "bars", "unit": "money", "label": "Net P&L of round trips", "items": items, "height": 220}

"""The report of a week or a month as Markdown and as one page that opens offline. Called by the command, the tool and the job.

The page draws its charts with the script and the style of a run's report (engine/sim/report.py): same tokens, light, dark and
print, nothing loaded, nothing sent. Words of people are escaped in both.
"""

import re
from collections.abc import Mapping
from typing import Any

from engine.amounts import percent_text
from engine.clock import utc
from engine.sim.report import asset, policy, script_safe_json

DRAW = """
'use strict';
const data = JSON.parse(document.getElementById('series').textContent);
document.querySelectorAll('[data-chart]').forEach((place) => charts.chart(place, data[place.dataset.chart]));
"""
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|#!~])")


def figure_text(figure: Mapping[str, Any]) -> str:
    """A figure as it is read; without a value the reason."""
    value, unit = figure["value"], figure["unit"]
    if value is None:
        return f"not defined: {figure['why'] or 'no data'}"
    if unit == "usd":
        return f"{value:+,.2f}"
    if unit == "frac":
        return percent_text(
            value, 2 if "return" in figure["name"] or "drawdown" in figure["name"] else 1, sign="return" in figure["name"]
        )
    return f"{value:,.0f}" if unit in ("count", "days") else f"{value:+.2f}"


def markdown(body: Mapping[str, Any]) -> str:
    """The report as Markdown."""
    goal = body["goal_met"]
    met = {True: "met", False: "not met", None: "cannot be said"}[goal["met"]]
    lines = [f"# The desk, {body['name']}", "", about_line(body), ""]
    lines += ["## Goals", "", f"- {goal['goal']}: **{met}** ({_text(goal['why'])})"]
    lines += [f"- {_text(g['text'])} ({g['page']})" for g in body["goals"]] or ["- no goals were written for it"]
    for title, name in (("What worked", "worked"), ("What did not", "failed")):
        lines += ["", f"## {title}", "", *([f"- {_text(text)}" for text in body[name]] or ["- nothing that the figures show"])]
    lines += ["", "## Metrics", "", "| figure | value |", "|---|---:|"]
    lines += [f"| {figure['name']} | {figure_text(figure)} |" for figure in body["metrics"]]
    lines += ["", "| sleeve | of the strategy | in incidents | costs | round trips | won |", "|---|---:|---:|---:|---:|---:|"]
    lines += [f"| {' | '.join(cells)} |" for cells in sleeve_cells(body)]
    lines += ["", "## Incidents", "", *([f"- {_text(line)}" for line in incident_lines(body)] or ["- none"])]
    lines += [
        "",
        "## Learning",
        "",
        *([f"- {_text(x['text'])} ({x['page']})" for x in body["lessons"]] or ["- nothing was written down"]),
    ]
    lines += ["", "## Next", "", *([f"- {_text(text)}" for text in body["next"]] or ["- nothing waits for a person"])]
    return "\n".join([*lines, "", f"Receipts: journal events {body['receipt']}.", ""])


def html(body: Mapping[str, Any]) -> str:
    """The report as one page that opens offline."""
    from jinja2 import Environment
    from markupsafe import Markup

    library = asset("charts.js")
    drawn = chart_specs(body)
    goal = body["goal_met"]
    view = dict(body) | {
        "title": f"The desk, {body['name']}",
        "about": about_line(body),
        "verdict": {True: "Goal met.", False: "Goal not met.", None: "Whether the goal is met cannot be said."}[goal["met"]],
        "kind": {True: "", False: "bad", None: "warn"}[goal["met"]],
        "tiles": [{"name": f["name"], "value": figure_text(f), "tone": _tone(f)} for f in body["metrics"][:3]],
        "figures": [(f["name"], figure_text(f)) for f in body["metrics"]],
        "sleeve_rows": sleeve_cells(body),
        "incident_lines": incident_lines(body),
        "charts": list(drawn),
        "with_incidents": any(day["incident"] for day in body["days"]),
        "policy": policy(library, DRAW),
        "style": Markup(asset("report.css") + asset("charts.css")),  # noqa: S704 - our own files
        "library": Markup(library),  # noqa: S704 - our own file; it runs by its hash only
        "draw": Markup(DRAW),  # noqa: S704 - the constant above
        "series": Markup(script_safe_json(drawn)),  # noqa: S704 - JSON in which every `<` is escaped
    }
    return Environment(autoescape=True, trim_blocks=True).from_string(asset("desk_report.html")).render(view)


def chart_specs(body: Mapping[str, Any]) -> dict[str, Any]:
    """What the page draws: money made over the period, with and without incidents, and each day; nothing under two days."""
    days = [day for day in body["days"] if day["net"] is not None]
    if len(days) < 2:
        return {}
    step = (body["until_ms"] - body["from_ms"]) / len(days)
    sums = {"strategies": 0.0, "with incidents": 0.0}
    points: dict[str, list[float]] = {name: [0.0] for name in sums}
    for day in days:
        for name, part in (("strategies", "strategy"), ("with incidents", "net")):
            sums[name] += day[part]
            points[name].append(round(sums[name], 2))
    lines = [{"name": "strategies", "tone": "accent", "dash": "", "y": points["strategies"]}]
    if any(day["incident"] for day in days):
        lines.append({"name": "with incidents", "tone": "series2", "dash": "dashed", "y": points["with incidents"]})
    x = [round(body["from_ms"] + step * n) for n in range(len(days) + 1)]
    items = [
        {
            "name": day["day"][8:],
            "value": day["strategy"],
            "tone": "up" if day["strategy"] > 0 else "down",
            "text": f"{day['day']}: {day['strategy']:+,.2f}".replace("-", "\u2212"),
        }
        for day in days
    ]
    curve = {"kind": "curve", "label": "Money made over the period", "unit": "money", "height": 300, "x": x, "lines": lines}
    return {"curve": curve, "days": {"kind": "bars", "unit": "money", "label": "A day's P&L of the strategies", "items": items}}


def sleeve_cells(body: Mapping[str, Any]) -> list[list[str]]:
    """The table of sleeves as text, with a last row that is the desk's."""
    rows = [
        [
            _text(row["sleeve"]),
            f"{row['strategy']:+,.2f}",
            f"{row['incident']:+,.2f}",
            f"{row['costs']:,.2f}",
            f"{row['trips']}{' (few)' if row['few'] else ''}",
            percent_text(row["won"], 0),
        ]
        for row in body["sleeves"]
    ]
    sums = [sum(row[name] for row in body["sleeves"]) for name in ("strategy", "incident", "costs", "trips")]
    return [*rows, ["the desk", f"{sums[0]:+,.2f}", f"{sums[1]:+,.2f}", f"{sums[2]:,.2f}", f"{sums[3]}", ""]]


def incident_lines(body: Mapping[str, Any]) -> list[str]:
    """Each window in a line."""
    return [
        f"{w['id']}: {w['cause']}; {utc(w['opened_ms'])} to {utc(w['closed_ms']) if w['closed_ms'] else 'now, still open'}; "
        + ("P&L not final while it is open" if w["pnl"] is None else f"P&L {w['pnl']:+,.2f}, apart from every other figure")
        + f" ({w['receipt']})"
        for w in body["incidents"]
    ]


def about_line(body: Mapping[str, Any]) -> str:
    """What the figures are of."""
    first, last = body["versions"]
    versions = f"version {last}" if first == last else f"versions {first} to {last}"
    whole = "" if body["whole"] else "; NOT A WHOLE PERIOD"
    return f"{body['stamp']}, {body['source']} bars, {utc(body['from_ms'])} to {utc(body['until_ms'])}, {versions}{whole}"


def _tone(figure: Mapping[str, Any]) -> str:
    value = figure["value"] or 0.0
    return "pos" if value > 0 else "neg" if value < 0 else ""


def _text(text: object) -> str:
    """Outside words on one line of Markdown: no markup, no link, no image."""
    return _MARKDOWN.sub(r"\\\1", " ".join(str(text).split()))

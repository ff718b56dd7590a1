"""The report of a week or a month for the advisor (READ). Called by the catalog; the figures are engine.watch.desk_report's.

Sentences of people (goals, lessons) are in the answer as data. Nothing is written: the command and the schedule keep files.
"""

from functools import partial
from typing import Literal

from pydantic import Field

from tools.common.contract import Args, Effect, Evidence, Table, ToolContext, ToolResult, asked_as, clean, make_facts, tool

LINES = 12


class ReportArgs(Args):
    """of: a day in it or 2026-05; null: the newest whole one."""

    unit: Literal["week", "month"] = "month"
    of: str | None = Field(None, max_length=10)


@tool(
    "report",
    Effect.READ,
    asked_as("", "monthly report please; the weekly report; report of the month; summarise the month; did we meet our goals?"),
)
def report(ctx: ToolContext, args: ReportArgs) -> ToolResult:
    """The desk's week or month as a page: goals, what worked, what did not, metrics, incidents apart, lessons, next."""
    from engine.watch.desk_report import make_report
    from engine.watch.desk_report_pages import about_line, incident_lines
    from memory.report_words import report_words
    from memory.shelf import Shelf

    words = partial(report_words, Shelf(ctx.home / "memory"), now_ms=ctx.now_ms)
    body = make_report(ctx.home, ctx.engine, args.unit, ctx.now_ms, args.of or "", words)
    evidence = Evidence("event", body["receipt"].rpartition(" ")[2])
    h = ctx.handle("k", f"report {args.unit} {body['name']}")
    figures = {f["name"].replace(" ", "_").replace("&", "n"): f for f in body["metrics"]}
    units = {"days": "count"}
    values = {name: (f["value"], units.get(f["unit"], f["unit"])) for name, f in figures.items() if f["value"] is not None}
    facts = make_facts(h, f"report of {body['name']}", evidence, values)
    lines = [f"Report of {body['name']}: {about_line(body)}."]
    lines.append(f"Goal: {body['goal_met']['goal']}: {_met(body['goal_met']['met'])} ({body['goal_met']['why']}).")
    lines += [f"goal (people): {clean(goal['text'], 200)}" for goal in body["goals"][:LINES]]
    for name, title in (("worked", "worked"), ("failed", "did not work"), ("next", "next")):
        lines += [f"{title}: {clean(text, 200)}" for text in body[name][:LINES]]
    lines += [f"incident {clean(text, 240)}" for text in incident_lines(body)[:LINES]]
    lines += [f"lesson (people, {lesson['page']}): {clean(lesson['text'], 200)}" for lesson in body["lessons"][:LINES]]
    rows = [(name, f"{{{h}.{name}}}" if name in values else f"not defined: {f['why']}") for name, f in figures.items()]
    return ToolResult(
        "ok",
        "\n".join([lines[0], "", *(f"- {line}" for line in lines[1:])]),
        tuple(facts),
        (evidence,),
        Table(("figure", "value"), tuple(rows)),
    )


def _met(met: bool | None) -> str:
    return {True: "met", False: "not met", None: "cannot be said"}[met]

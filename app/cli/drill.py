"""`nightdesk drill`: every guardrail, breaker, exit path and halt of this desk, made to fire on a copy.

Called by app/cli/main.py.
"""

from collections.abc import Mapping
from typing import Any

import typer

from app.cli import out
from app.cli.words import shown

HEADS = {
    "never_fired": "NEVER FIRED: on, everything that should fire it was there, and it did not",
    "fired": "Fired",
    "out_of_reach": "Out of reach of this desk's own numbers; tried as it says",
    "off": "Off",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("drill")(drill)


def drill(
    against: bool = typer.Option(False, "--against-backtest", help="compare what fired since the start with a backtest"),
    time_limit: float = typer.Option(120.0, "--time-limit", min=1, metavar="SECONDS", help="of the backtest"),
    as_json: bool = typer.Option(False, "--json", help="one JSON object on stdout"),
) -> None:
    """Fire every guardrail, breaker, exit path, halt and pause on a copy of this desk: fired, or never fired (exit 1)."""
    from app.home.home import existing_home
    from app.jobs import kinds
    from app.jobs.drill_job import drilled
    from app.jobs.firing_rates import against_backtest

    home = existing_home()
    with out.progress("drill", 1.0) as progress:
        if against:
            with kinds.limited(time_limit, "the backtest of the desk"):
                report = against_backtest(home, progress)
        else:
            report = drilled(home, {}, progress)
    out.emit(report, as_json=as_json, text=lambda: rates_text(report) if against else text_of(report))
    if report["dead" if against else "never_fired"]:
        raise typer.Exit(1)


def rates_text(report: Mapping[str, Any]) -> str:
    """The comparison as people read it."""
    lines = [f"  {'DEAD' if rate['dead'] else '':<5} {shown(rate['text'])}" for rate in report["compared"]]
    skipped = [f"  not compared: {shown(name)}: {shown(why)}" for name, why in report["not_compared"].items()]
    return "\n".join(
        [
            report["verdict"],
            "",
            *lines,
            *skipped,
            "",
            f"Backtest: {report['run_id']}, without the drawdown latch. The watch compares with it from now on.",
        ]
    )


def text_of(report: Mapping[str, Any]) -> str:
    """The report as people read it: the verdict, then what never fired, then the rest by kind."""
    count = {state: len(report[state]) for state in HEADS}
    lines = [report["verdict"]]
    for state, head in HEADS.items():
        if count[state]:
            lines += ["", f"{head} ({count[state]}):", *map(line, report[state])]
    return "\n".join([*lines, "", *report["notes"]])


def line(item: Mapping[str, Any]) -> str:
    """One guard as a line."""
    where = "" if item["where"] == "desk" else f" of {shown(item['where'])}"
    return f"  {item['kind']:<8} {shown(item['name'])}{where}: {shown(item['by'])}"

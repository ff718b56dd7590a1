"""`nightdesk report week | month`: what the desk did, in the shape of a team's monthly page. Called by app/cli/main.py."""

import time

import typer

from app.cli import out
from app.cli.words import shown
from engine.errors import BadInput

UNITS = ("week", "month")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)


def report(
    unit: str = typer.Argument(..., metavar="week|month"),
    of: str = typer.Option("", "--of", help="a day in it, or 2026-05 (default: the newest whole one)"),
    as_html: bool = typer.Option(False, "--html", help="print where the page is, which opens offline"),
    as_markdown: bool = typer.Option(False, "--md", help="print the Markdown (the default)"),
    as_json: bool = typer.Option(False, "--json", help="one JSON object on stdout"),
) -> None:
    """Goals, what worked, what did not, metrics, incidents apart, lessons, next; kept under reports/ as page, Markdown, JSON."""
    from app.home.home import existing_home
    from app.jobs.desk_reports import keep, made
    from engine.watch.desk_report_pages import markdown

    if unit not in UNITS:
        raise BadInput(f"a report is of a week or a month, not {unit[:20]!r}", "nightdesk report month")
    if as_html and as_markdown:
        raise BadInput("one of --html and --md", "without both: Markdown")
    home = existing_home()
    body = made(home, "week" if unit == "week" else "month", round(time.time() * 1000), of)
    paths = {ending: str(path) for ending, path in keep(home, body).items()}
    text = paths["html"] if as_html else "\n".join(shown(line) for line in markdown(body).split("\n"))
    out.emit(body | {"files": paths}, as_json=as_json, text=lambda: text)

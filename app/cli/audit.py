"""`nightdesk audit`: every question of the audit, of each sleeve, with its evidence. Called by app/cli/main.py."""

from collections.abc import Mapping
from typing import Any

import typer

from app.cli import out
from app.cli.words import shown

HEADS = {"fails": "FAILS", "cannot_say": "Cannot say, which is not a pass", "holds": "Holds", "does_not_apply": "Does not apply"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("audit")(audit)


def audit(
    sleeve: str | None = typer.Option(None, "--sleeve", help="one sleeve; default: all"),
    dimension: str | None = typer.Option(None, "--dimension", help="data, training, backtest or live; default: all"),
    points: bool = typer.Option(False, "--points", help="print the table of questions, docs/audit.md, and ask none"),
    as_json: bool = typer.Option(False, "--json", help="one JSON object on stdout"),
) -> None:
    """Audit each sleeve in four dimensions; exit 1 unless every point that applies holds. `cannot say` is not a pass."""
    from app.audit import table
    from app.audit.audit import audit as audited
    from app.audit.audit import passed
    from app.home.home import existing_home
    from app.jobs.queue import now_ms
    from engine.errors import BadInput

    if points:
        typer.echo(table.page(), nl=False)
        return
    if dimension not in (None, *table.DIMENSIONS):
        raise BadInput(f"{dimension!r} is not a dimension", f"one of {', '.join(table.DIMENSIONS)}")
    with out.progress("audit", 1.0) as progress:
        report = audited(existing_home(), now_ms(), sleeve, dimension, progress)
    out.emit(report, as_json=as_json, text=lambda: text_of(report))
    if not passed(report):
        raise typer.Exit(1)


def text_of(report: Mapping[str, Any]) -> str:
    """The verdict, then every point by its state; those that hold by name alone."""
    lines = [shown(str(report["verdict"]))]
    for state, head in HEADS.items():
        mine = [line for line in report["points"] if line["state"] == state]
        if mine:
            lines += ["", f"{head} ({len(mine)}):", *(line_of(line) for line in mine)]
    return "\n".join(lines)


def line_of(line: Mapping[str, Any]) -> str:
    """One point: its name, its sleeve, why, and where it can be seen."""
    evidence = f" [{', '.join(map(shown, line['evidence']))}]" if line["evidence"] else ""
    return f"  {line['name']:<28} {shown(line['sleeve'])}: {shown(line['why'])}{evidence}"

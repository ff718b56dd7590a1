"""`nightdesk models shadow begin | stop | report`: a challenger beside the champion. Called by trained_models.py.

Nothing here changes what the desk trades, nor its journal: a shadow has one of its own.
"""

from collections.abc import Mapping
from typing import Any

import typer

from app.cli import out

MODEL = typer.Argument(..., metavar="NAME@VERSION", help="the challenger: vol-btc@1.2.0")
SLEEVE = typer.Option("", "--sleeve", metavar="NAME", help="whose shadow; needed where it has several")
JSON = typer.Option(False, "--json", help="one JSON object on stdout")


def group() -> typer.Typer:
    """The commands."""
    made = typer.Typer(no_args_is_help=True, help="A challenger beside the champion, journaled apart: begin, stop, report.")
    made.command("begin")(begin)
    made.command("stop")(stop)
    made.command("report")(report)
    return made


def begin(
    model: str = MODEL,
    sleeve: str = typer.Option(..., "--sleeve", metavar="NAME", help="a sleeve that reads another version of the model"),
    as_json: bool = JSON,
) -> None:
    """Record from now on what this version says at the sleeve's closes, beside the version that the sleeve reads."""
    from app.home.home import existing_home
    from app.people.identity import os_user
    from engine.watch import model_shadows

    home = existing_home()
    found = model_shadows.begin(home.engine, home.path, home.catalog, *named(model), sleeve, os_user())
    out.emit(
        model_shadows.as_json(found), as_json=as_json, text=lambda: f"{found.text} is a shadow of {found.sleeve} from now on."
    )


def stop(model: str = MODEL, sleeve: str = SLEEVE, as_json: bool = JSON) -> None:
    """End a shadow. What it has recorded stays."""
    from app.home.home import existing_home
    from app.people.identity import os_user
    from engine.watch import model_shadows

    found = model_shadows.stop(existing_home().path, *named(model), sleeve, f"stopped by {os_user()}")
    out.emit(model_shadows.as_json(found), as_json=as_json, text=lambda: f"{found.text} of {found.sleeve} has ended.")


def report(model: str = MODEL, sleeve: str = SLEEVE, as_json: bool = JSON) -> None:
    """Its loss against the outcomes that are known by now, beside the champion and the baselines; or that it is too early."""
    from app.home.home import existing_home
    from app.jobs.model_shadows import record_all
    from engine.watch import model_shadow_report, model_shadows

    home = existing_home()
    for line in record_all(home):
        out.say(line)
    one = model_shadows.find(home.path, *named(model), sleeve)
    found = model_shadow_report.report_of(home.path, home.catalog, one)
    out.emit(found, as_json=as_json, text=lambda: report_text(found))


def named(model: str) -> tuple[str, str]:
    """(name, version). Raises BadInput."""
    from engine.errors import BadInput

    name, _, version = model.partition("@")
    if not name or not version:
        raise BadInput(f"{model[:60]!r} is not a model with its version", "write vol-btc@1.2.0")
    return name, version


def report_text(found: Mapping[str, Any]) -> str:
    """Verdict first, then a line a side."""
    ended = f", ended: {found['stopped']}" if found["stopped"] else ""
    lines = [
        f"{found['text']}.",
        f"Shadow of {found['sleeve']} from {found['begun']} to {found['last']}{ended}: {found['closes']:,} closes, outcomes of "
        f"{found['known']:,} known, on {found['days']} days.",
    ]
    for row in found["rows"]:
        gap = row["better_by"]
        own = f"{row['name']}: {found['loss']} {_num(row['loss'])} on {row['known']:,} closes"
        if gap is not None:
            span = f"{_num(gap['low'])} to {_num(gap['high'])}"
            own += f"; the challenger's is lower by {_num(gap['value'])} ({span}): {row['verdict']}"
        lines.append(own)
    return "\n".join([*lines, *(f"note: {note}" for note in found["notes"])])


def _num(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"

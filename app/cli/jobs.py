"""`nightdesk jobs ...`: work in processes of its own: list, show, cancel. Called by app/cli/main.py."""

import json
from typing import Any

import typer

from app.cli import out
from app.cli.words import shown
from engine.amounts import percent_text
from engine.clock import utc

JSON = typer.Option(False, "--json")
ID = typer.Argument(..., metavar="ID", help="j-20261120-0a1b2c3d, as `jobs list` shows it")


def register(app: typer.Typer) -> None:
    """Add `jobs`."""
    group = typer.Typer(no_args_is_help=True, help="Work in processes of its own: list, show, cancel.")
    group.command("list")(list_jobs)
    group.command("show")(show)
    group.command("cancel")(cancel)
    app.add_typer(group, name="jobs")


def list_jobs(limit: int = typer.Option(20, min=1, max=500, help="how many"), as_json: bool = JSON) -> None:
    """List jobs, newest first."""
    from sqlmodel import col, select

    from app.home.home import existing_home
    from engine.store.db import read
    from engine.store.tables import Job

    home = existing_home()
    with read(home.engine) as session:
        newest = select(Job.id).order_by(col(Job.created_ms).desc()).limit(limit)
        ids = list(session.exec(newest))
    items = [_item(home, job_id) for job_id in ids]
    out.emit({"items": items}, as_json=as_json, text=lambda: "\n".join(map(line, items)) or "No job has been started here.")


def show(job_id: str = ID, as_json: bool = JSON) -> None:
    """Show a job; of a search what it has found so far."""
    from app.home.home import existing_home

    item = _item(existing_home(), job_id)
    out.emit(item, as_json=as_json, text=lambda: _with_partly(item))


def cancel(job_id: str = ID, as_json: bool = JSON) -> None:
    """Cancel a job: what was being written never becomes a run."""
    from app.home.home import existing_home
    from app.jobs.queue import JobQueue

    home = existing_home()
    JobQueue(home).view(job_id)
    JobQueue(home).cancel(job_id)
    item = _item(home, job_id)
    out.emit(item, as_json=as_json, text=lambda: line(item))


def line(item: dict[str, Any]) -> str:
    """A job as one line."""
    error = item["error"] if item["error"] != item["state"] else ""
    why = f"  {item['run_id'] or ''}  {shown(error or '')}"
    share = f" {percent_text(item['progress'], 0)}" if item["state"] == "running" else ""
    return f"{item['id']}  {utc(item['created_ms'])}  {item['kind']:<9}{item['state']}{share}{why}".rstrip()


def _item(home: Any, job_id: str) -> dict[str, Any]:
    """A job as it is now; BadInput for an unknown id."""
    from app.jobs.queue import JobQueue
    from engine.store.db import read
    from engine.store.tables import Job

    now = JobQueue(home).view(job_id)
    with read(home.engine) as session:
        row = session.get(Job, job_id)
    assert row is not None  # noqa: S101 - it was viewed a line above, and rows are never deleted
    columns = {name: getattr(row, name) for name in ("id", "kind", "person", "created_ms", "started_ms", "ended_ms")}
    found = {"state": now.state, "progress": now.progress, "run_id": now.run_id, "error": now.error}
    return {**columns, **found, "args": json.loads(row.args), "partly": json.loads(row.body).get("partly")}


def _so_far(found: dict[str, Any]) -> Any:
    """What a search has found so far."""
    from rich.table import Table

    table = Table(*(shown(name) for name in found["columns"]), box=None)
    for row in found["rows"]:
        table.add_row(
            *("" if value is None else f"{value:.4g}" if isinstance(value, float) else shown(str(value)) for value in row)
        )
    return table


def _with_partly(item: dict[str, Any]) -> Any:
    """A job, with what it has found where it searches."""
    from rich.console import Group
    from rich.text import Text

    partly = item["partly"]
    return Group(Text(line(item)), Text(shown(partly["text"])), _so_far(partly)) if partly else line(item)

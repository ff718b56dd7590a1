"""`nightdesk jobs ...`: work in processes of its own: list, show, cancel, resume. Called by app/cli/main.py."""

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
    group = typer.Typer(no_args_is_help=True, help="Work in processes of its own: list, show, cancel, resume.")
    group.command("list")(list_jobs)
    group.command("show")(show)
    group.command("cancel")(cancel)
    group.command("resume")(resume)
    app.add_typer(group, name="jobs")


def list_jobs(limit: int = typer.Option(20, min=1, max=500, help="how many"), as_json: bool = JSON) -> None:
    """List jobs, newest first; of a job of several runs how many have ended."""
    from sqlmodel import col, select

    from app.home.home import existing_home
    from engine.store.db import read
    from engine.store.tables import Job

    home = existing_home()
    with read(home.engine) as session:
        newest = select(Job.id).where(col(Job.parent).is_(None)).order_by(col(Job.created_ms).desc()).limit(limit)
        ids = list(session.exec(newest))
    items = [_item(home, job_id) for job_id in ids]
    out.emit({"items": items}, as_json=as_json, text=lambda: "\n".join(map(line, items)) or "No job has been started here.")


def show(job_id: str = ID, as_json: bool = JSON) -> None:
    """Show a job; of several runs each with its progress and its figures so far."""
    from app.home.home import existing_home
    from app.jobs import children

    home = existing_home()
    item = _item(home, job_id)
    rows = children.children_of(home.engine, job_id)
    body = {**item, "runs": children.table_of(rows), "errors": {row.id: row.error for row in rows if row.error}}
    out.emit(body, as_json=as_json, text=lambda: _with_runs(body))


def cancel(job_id: str = ID, as_json: bool = JSON) -> None:
    """Cancel a job and its runs: what has ended stays, what was being written never becomes a run."""
    from app.home.home import existing_home
    from app.jobs.queue import JobQueue

    home = existing_home()
    JobQueue(home).view(job_id)
    JobQueue(home).cancel(job_id)
    item = _item(home, job_id)
    out.emit(item, as_json=as_json, text=lambda: line(item))


def resume(job_id: str = ID, as_json: bool = JSON) -> None:
    """Queue a job of several runs again: the runs that failed or were cancelled; the others stay as they are."""
    from app.home.home import existing_home
    from app.jobs import children
    from app.jobs.queue import JobQueue
    from app.people.identity import os_user

    home = existing_home()
    children.resume(JobQueue(home, os_user()), job_id)
    item = _item(home, job_id)
    out.emit(item, as_json=as_json, text=lambda: line(item))


def line(item: dict[str, Any]) -> str:
    """A job as one line."""
    runs = f"  {item['children']['text']}" if item["children"] else ""
    error = item["error"] if item["error"] != item["state"] else ""
    why = f"  {item['run_id'] or ''}  {shown(error or '')}"
    share = f" {percent_text(item['progress'], 0)}" if item["state"] == "running" else ""
    return f"{item['id']}  {utc(item['created_ms'])}  {item['kind']:<9}{item['state']}{share}{runs}{why}".rstrip()


def _item(home: Any, job_id: str) -> dict[str, Any]:
    """A job as it is now; BadInput for an unknown id."""
    from app.jobs import children
    from app.jobs.queue import RUNS, JobQueue
    from engine.store.db import read
    from engine.store.tables import Job

    now = JobQueue(home).view(job_id)
    with read(home.engine) as session:
        row = session.get(Job, job_id)
    assert row is not None  # noqa: S101 - it was viewed a line above, and rows are never deleted
    counts = children.counts_of(children.children_of(home.engine, job_id)) if row.kind == RUNS else None
    columns = {name: getattr(row, name) for name in ("id", "kind", "parent", "person", "created_ms", "started_ms", "ended_ms")}
    found = {"state": now.state, "progress": now.progress, "run_id": now.run_id, "error": now.error}
    return {**columns, **found, "args": json.loads(row.args), "children": counts, "partly": json.loads(row.body).get("partly")}


def _so_far(found: dict[str, Any]) -> Any:
    """What a search has found so far."""
    from rich.table import Table

    table = Table(*(shown(name) for name in found["columns"]), box=None)
    for row in found["rows"]:
        table.add_row(
            *("" if value is None else f"{value:.4g}" if isinstance(value, float) else shown(str(value)) for value in row)
        )
    return table


def _with_runs(body: dict[str, Any]) -> Any:
    """A job with its runs."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    if body["partly"]:
        return Group(Text(line(body)), Text(shown(body["partly"]["text"])), _so_far(body["partly"]))
    if not body["runs"]["rows"]:
        return line(body)
    table = Table("configuration", "state", "run", "return", "Sharpe", "drawdown", "round trips", box=None)
    for label, state, progress, run_id, *figures in body["runs"]["rows"]:
        total, sharpe, drawdown, trips = figures
        table.add_row(
            shown(label),
            f"{state} {percent_text(progress, 0)}" if state == "running" else state,
            run_id or "",
            "" if total is None else percent_text(total, sign=True),
            "" if sharpe is None else f"{sharpe:.2f}",
            "" if drawdown is None else percent_text(drawdown),
            "" if trips is None else f"{trips:,.0f}",
        )
    errors = [f"{child}: {shown(why)}" for child, why in body["errors"].items()]
    return Group(Text(line(body)), table, *map(Text, errors))

"""`nightdesk runs list | show | compare | name | export`: stored runs. Called by app/cli/main.py.

Turns options into calls of app/views and the run store, and their results into text or JSON.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from app.cli import out
from app.cli.backtest import JSON, show
from engine.amounts import percent_text, ratio_text
from engine.errors import BadInput

if TYPE_CHECKING:
    from engine.store.runs import Runs

RUN = typer.Argument(..., metavar="RUN", help="id of a stored run")
KINDS = {"html": "report.html", "json": "run.json", "csv": "trips.csv", "equity": "equity.csv"}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    runs = typer.Typer(no_args_is_help=True, help="Stored runs.")
    for name, command in (("list", listed), ("show", shown), ("compare", compare), ("name", name_run), ("export", export)):
        runs.command(name)(command)
    app.add_typer(runs, name="runs")


def listed(count: int = typer.Option(20, "--count", help="how many"), as_json: bool = JSON) -> None:
    """List stored runs, newest first."""
    from app.views.run_list import run_lines

    found = run_lines(_store(), count)
    out.emit({"items": found}, as_json=as_json, text=lambda: runs_table(found))


def shown(run_id: str = RUN, as_json: bool = JSON) -> None:
    """Show a stored run as `backtest` printed it."""
    from engine.research.ledger import as_of_now

    store = _store()
    show(as_of_now(store.engine, store.load(run_id)) | {"cached": True}, as_json)


def compare(
    run_id: str = RUN, other: str = typer.Argument(..., help="id of the run to compare it with"), as_json: bool = JSON
) -> None:
    """Compare two stored runs: what differs, the figures of both, and whether they can be told apart."""
    from app.views.run_pair import pair_of

    found = pair_of(_store(), run_id, other)
    out.emit({key: value for key, value in found.items() if key != "curve"}, as_json=as_json, text=lambda: pair_text(found))


def name_run(
    run_id: str = RUN,
    name: str = typer.Argument(..., help="its name, at most 60 characters; empty takes it away"),
    person: str = typer.Option("", "--as", metavar="NAME", help="who you are (default: your OS account)"),
    as_json: bool = JSON,
) -> None:
    """Give a run a name; journaled with who did."""
    from app.home.home import existing_home
    from app.people.approvals import permit
    from app.people.identity import identify, os_user
    from app.people.run_names import give_name

    home, now_ms = existing_home(), time.time_ns() // 1_000_000
    actor = identify(home.path, person or os_user(), "cli")
    permit(home, actor, "work", now_ms)
    kept = give_name(home, run_id, name, actor, now_ms)
    text = f"{run_id} is named {kept}" if kept else f"{run_id} has no name now"
    out.emit({"run_id": run_id, "name": kept}, as_json=as_json, text=lambda: text)


def export(
    run_id: str = RUN,
    kind: str = typer.Option("csv", "--format", help="csv (round trips), equity (CSV), json, html (the report)"),
    to: Path = typer.Option(None, "--to", help="file to write, or a folder; default: the current folder"),
    as_json: bool = JSON,
) -> None:
    """Save a run as a file for other programs; a file that exists is never overwritten."""
    from app.views.run_export import exported

    if kind not in KINDS:
        raise BadInput(f"--format {kind} is unknown", f"available: {', '.join(KINDS)}")
    content = exported(_store(), run_id, KINDS[kind])
    place = to or Path()
    path = place / f"{run_id}-{KINDS[kind]}" if place.is_dir() else place
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise BadInput(f"{path} exists", "name another file with --to") from None
    found = {"run_id": run_id, "path": str(path), "bytes": len(content)}
    out.emit(found, as_json=as_json, text=lambda: f"{path}, {len(content):,} bytes")


def _store() -> "Runs":
    from app.home.home import existing_home
    from engine.store.runs import Runs

    home = existing_home()
    return Runs(home.runs, home.engine)


def runs_table(found: Sequence[Mapping[str, Any]]) -> Any:
    """Stored runs, newest first; then those that stopped before the end of their bars."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    if not found:
        return "no stored runs; try: nightdesk backtest trend --symbol BTC-USDT --timeframe 15m"
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("run", no_wrap=True)  # an id that is cut opens nothing
    for name in ("strategy", "symbol"):
        table.add_column(name)
    for name in ("return", "Sharpe (95 %)", "max drawdown", "trips"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("data")
    for r in found:
        ratio = ratio_text(r["sharpe"], r.get("sharpe_low"), r.get("sharpe_high"))
        cells = (percent_text(r["total_return_frac"], sign=True), ratio, percent_text(r["max_drawdown_frac"]), f"{r['trades']:,}")
        table.add_row(r["id"], r["strategy"], f"{r['symbol'].replace(',', ', ')} {r['timeframe']}", *cells, r["source"])
    stopped = [f"{r['id']}: {life}" for r in found if (life := r.get("life") or "").startswith("stopped")]
    return Group(table, *(Text(line, style="red") for line in ["", *stopped] if stopped))


def pair_text(found: Mapping[str, Any]) -> Any:
    """A comparison: verdict, warnings, what differs, the figures."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("")
    for run in found["runs"]:
        table.add_column(run["name"] or run["id"], justify="right")
    for row in (*found["differs"], *found["figures"]):
        table.add_row(*row)
    lines = [Text(found["verdict"], style="bold"), *(Text(line, style="red") for line in found["warnings"]), Text("")]
    return Group(*lines, table)

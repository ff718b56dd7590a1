"""`nightdesk data sources | fetch`: outside series, what each is worth now, and fetching them. Called by app/cli/data.py.

No database is needed. With no series declared in desk.toml and none named nothing is asked.
"""

from typing import Any

import typer

from app.cli import out
from engine.clock import utc

NOTHING = "nothing was asked: name a series (nightdesk data sources), or declare some under [outside] in desk.toml"


def register(group: typer.Typer) -> None:
    """Add the two commands to the `data` group."""
    group.command("sources")(list_sources)
    group.command("fetch")(fetch_outside)


def list_sources(
    window: int = typer.Option(0, "--window", min=0, max=1_000_000, help="Warn of series with fewer rows than this."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object on stdout."),
) -> None:
    """List every outside series: its sources, its last value, how old it is, and why it does not count if it does not."""
    from app.home.home import data_roots
    from app.home.settings import read_settings
    from app.market_data.outside_fetch import now_wall_ms, sources

    settings = read_settings()
    items = sources(data_roots(settings), settings.home, _entry(), now_wall_ms(), window)
    out.emit({"items": items}, as_json=as_json, text=lambda: _table(items))


def fetch_outside(
    names: list[str] | None = typer.Argument(
        None, metavar="[NAME]...", help="Series or groups (see data sources); default: those of [outside] in desk.toml."
    ),
    symbol: list[str] = typer.Option([], "--symbol", help="BTC-USDT; may be given several times; default: those of [outside]."),
    due: bool = typer.Option(False, "--due", help="Only what should have a new row by now: for a schedule."),
    history: bool = typer.Option(
        False, "--history", help="Old rows count as known when they should have been published, not from today on: to train on."
    ),
    days: int = typer.Option(
        0, "--days", min=0, max=3650, help="Back so far, page by page where a source has pages; 0: 400 rows."
    ),
    as_json: bool = typer.Option(False, "--json", help="One JSON object on stdout."),
) -> None:
    """Fetch outside series into the home. A source that fails stops no other; exits with 1 when one did."""
    from app.home.settings import read_settings
    from app.market_data.outside_fetch import FetchRequest, fetch

    request = FetchRequest(tuple(names or ()), tuple(symbol), due, history, days)
    body = fetch(read_settings().home, _entry(), request)
    out.emit(body, as_json=as_json, text=lambda: _fetched(body, due and bool(_entry().series)))
    failed = [item for item in body["items"] if item["error"]]
    if failed:
        out.say(f"nightdesk: {len(failed)} of {len(body['items'])} not fetched: {failed[0]['error']}")
        raise typer.Exit(1)


def _entry() -> Any:
    """[outside] of this home's desk.toml; the default, which declares nothing, before there is one."""
    from app.home.settings import OutsideEntry, read_desk_toml, read_settings

    path = read_settings().desk_toml
    return read_desk_toml(path).outside if path.exists() else OutsideEntry.model_validate({})


def _fetched(body: dict[str, Any], due: bool) -> str:
    """A fetch as text: one line a series, warnings below it."""
    if not body["items"]:
        return "nothing is due" if due else NOTHING
    lines = []
    for item in body["items"]:
        counts = f"{item['new']} new, {item['revised']} revised, last {utc(item['last_ms'])}"
        lines.append(item["error"] or f"{item['name']}: {counts}")
        lines += [f"  warning  {text}" for text in item["warnings"]]
    return "\n".join(lines + [f"  differ   {found['text']}" for found in body["compared"]])


def _table(items: list[dict[str, Any]]) -> Any:
    """The list as a table."""
    from rich.markup import escape
    from rich.table import Table

    table = Table("series", "unit", "last row", "age", "at most", "counts now", box=None)
    for item in items:
        hours = item["age_hours"]
        age = "-" if hours is None else f"{hours:g} h" if hours >= 0 else f"counts in {-hours:g} h"
        now = f"{item['value']:.6g}" if item["fresh"] and item["value"] is not None else f"no: {item['missing_because']}"
        table.add_row(item["name"], item["unit"], utc(item["last_ms"]), age, f"{item['max_age_hours']:g} h", escape(now))
    warned = [f"{item['name']}: {text}" for item in items for text in item["warnings"]]
    if warned:
        table.caption = escape("\n".join(warned))
    return table

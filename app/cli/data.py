"""`nightdesk data list | check | import | pull | record`: lists market data, checks its quality, imports and fetches more.

Called by app/cli/main.py; `sources` and `fetch` are in data_outside.py. Reads through engine/data/files.py, checks with
engine/data/checks.py, writes only into the home's data folder. It needs no database, so a new machine can inspect its data first.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from app.cli import data_outside, out
from engine.clock import TIMEFRAMES, utc
from engine.errors import BadInput

if TYPE_CHECKING:
    from engine.data.catalog import Catalog

group = typer.Typer(no_args_is_help=True, help="Market data: list, check, import, pull, record; sources and fetch from outside.")
data_outside.register(group)

DATES = typer.Option(None, "--dates", help="dmy or mdy: the order of dates like 03/04/2025.")
DROP_EMPTY = typer.Option(
    False, "--drop-empty", help="Leave out rows that hold a time and no number; they count as missing bars."
)


def register(app: typer.Typer) -> None:
    """Add the `data` group."""
    app.add_typer(group, name="data")


@group.command("list")
def list_data(as_json: bool = typer.Option(False, "--json", help="One JSON object on stdout.")) -> None:
    """List every series in NIGHTDESK_DATA and the home, with its range and source."""
    catalog = _catalog()
    items = [_item(s) for s in catalog.series()]
    body = {
        "items": items,
        "unknown": [{"path": str(p), "why": catalog.why(p)} for p in catalog.unknown()],
        "hidden": [{"path": str(a), "by": str(b)} for a, b in catalog.shadowed()],
        "folders": [{"path": str(folder), "there": folder.is_dir()} for folder, _ in catalog.roots],
    }
    out.emit(body, as_json=as_json, text=lambda: _table(body))
    for path in catalog.damaged():
        out.say(f"{path}: {catalog.why(path)}")
    for a, b in catalog.shadowed():
        out.say(f"{a} is overridden by {b} (same name in the home)")


@group.command("check")
def check_file(
    file: str = typer.Argument(..., help="A file, or the name of one in the data folders."),
    against: str | None = typer.Option(None, "--against", help="A second source of the same instrument."),
    dates: str | None = DATES,
    drop_empty: bool = DROP_EMPTY,
    as_json: bool = typer.Option(False, "--json", help="One JSON object on stdout."),
) -> None:
    """Check data quality without changing anything. Errors exit with 1; warnings (a crash, a short outage) do not."""
    from app.market_data.judging import compare, judge
    from app.market_data.naming import misnamed
    from engine.data.files import ReadOptions, read_any
    from engine.data.issues import as_json as findings_json

    options = ReadOptions(dates=_day_order(dates), drop_empty=drop_empty)
    raw = read_any(named_path(file), options)
    other = read_any(named_path(against), options) if against else None
    found = [*misnamed(raw), *judge(raw), *(compare(raw, other) if other else [])]
    bad = sum(f.severity == "error" for f in found)
    body = {
        "file": str(raw.path),
        "against": str(other.path) if other else None,
        "kind": raw.kind,
        "rows": raw.frame.height,
        "timeframe_ms": raw.timeframe_ms or None,
        "first_ms": raw.frame["ts"].min(),
        "last_ms": raw.frame["ts"].max(),
        "errors": bad,
        "warnings": len(found) - bad,
        "findings": findings_json(found),
        "notes": list(raw.notes),
    }
    out.emit(body, as_json=as_json, text=lambda: _report(body))
    if bad:
        out.say(f"nightdesk: {raw.path.name} has {bad} error{'s' if bad > 1 else ''}")
        raise typer.Exit(1)


@group.command("import")
def import_path(
    paths: list[Path] = typer.Argument(..., help="Files (parquet, feather, csv, json, gz or zip) or folders of them."),
    venue: str | None = typer.Option(None, help="binance, okx, ...; default: from the name."),
    symbol: str | None = typer.Option(None, help="BTC-USDT; default: from the name."),
    market: str | None = typer.Option(None, help="perp or spot; default: from the name."),
    timeframe: str | None = typer.Option(None, help="15m; default: from the name or the spacing of the rows."),
    tag: str | None = typer.Option(None, help="Store it separately from the untagged series."),
    series: str | None = typer.Option(
        None, help="mark for mark prices; oi_1h, vix_1d, ... for other numbers a strategy may read."
    ),
    dates: str | None = DATES,
    drop_empty: bool = DROP_EMPTY,
    replace: bool = typer.Option(False, "--replace", help="Take these files alone; the earlier import is kept aside."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object on stdout."),
) -> None:
    """Check files and, if they have no errors, store them in the home, those of one series joined. Nothing is repaired."""
    from app.market_data.importing import files_under, import_files
    from app.market_data.judging import judge
    from app.market_data.naming import ImportOptions

    wanted = ImportOptions(venue, symbol, market, timeframe, tag, replace, series, _day_order(dates), drop_empty)
    items = import_files([file for path in paths for file in files_under(path)], wanted, judge)
    refused = [item for item in items if not item["imported"]]
    out.emit({"items": items}, as_json=as_json, text=lambda: "\n".join(_imported(item) for item in items))
    if refused:
        out.say(f"nightdesk: {len(refused)} of {len(items)} not imported: {refused[0]['why']}")
        raise typer.Exit(1)


@group.command("pull")
def pull_data(
    venue: str = typer.Option("binance", help="binance, okx or bybit."),
    symbol: str = typer.Option("BTC-USDT", help="BTC-USDT"),
    timeframe: str = typer.Option("15m", help=", ".join(TIMEFRAMES)),
    market: str = typer.Option("perp", help="perp or spot"),
    start: str | None = typer.Option(None, "--from", help="First day; default: one year ago, or the end of the file."),
    end: str | None = typer.Option(None, "--to", help="End day, exclusive; default: now."),
    funding: bool = typer.Option(False, "--funding", help="Also fetch funding rates."),
    marks: bool = typer.Option(False, "--marks", help="Also fetch hourly mark prices."),
    mirror: str = typer.Option(
        "", "--mirror", envvar="NIGHTDESK_MIRROR", help="Another base URL that serves the venue's REST API."
    ),
    as_json: bool = typer.Option(False, "--json", help="One JSON object on stdout."),
) -> None:
    """Fetch public market data. If interrupted, the same command resumes."""
    from app.market_data.pulling import PullRequest, pull

    request = PullRequest(venue, symbol, timeframe, market, start, end, funding, marks, mirror)
    items = pull(request, out.progress)
    out.emit({"items": items}, as_json=as_json, text=lambda: "\n".join(_pulled(item) for item in items))
    bad = [item for item in items if item["errors"]]
    if bad:
        out.say(f"nightdesk: {bad[0]['path']} is stored but has errors: see nightdesk data check")
        raise typer.Exit(1)


@group.command("record")
def record_data(
    venue: str = typer.Option("binance", help="binance, okx or bybit."),
    symbol: list[str] = typer.Option(["BTC-USDT"], "--symbol", help="BTC-USDT; may be given several times."),
    timeframe: list[str] = typer.Option(["15m"], "--timeframe", help=f"{', '.join(TIMEFRAMES)}; may be given several times."),
    market: str = typer.Option("perp", help="perp or spot"),
    corrections: bool = typer.Option(
        False, "--corrections", help="Write later corrections into the series too; a desk on it stops at a changed history."
    ),
    minutes: float | None = typer.Option(None, min=0, help="End after this many minutes; default: at Ctrl-C."),
    mirror: str = typer.Option(
        "", "--mirror", envvar="NIGHTDESK_MIRROR", help="Another base URL that serves the venue's REST API and streams."
    ),
    as_json: bool = typer.Option(False, "--json", help="One JSON object on stdout."),
) -> None:
    """Record live public data: everything received into the home's recordings, closed bars into its series."""
    import asyncio

    from app.home.settings import read_settings
    from app.market_data.recorder import RecordRequest, rate_line, record
    from app.market_data.recorder import until_stopped as stopping

    request = RecordRequest(venue, symbol, timeframe, market, mirror, corrections)
    report = asyncio.run(stopping(lambda stop: record(read_settings().home, request, stop, out.say), minutes))
    out.emit(report, as_json=as_json, text=lambda: "\n".join([rate_line(report), *map(_recorded, report["columns"])]))
    if report["broken"]:
        out.say(f"nightdesk: {report['broken']}")
        raise typer.Exit(1)


def _recorded(item: dict[str, Any]) -> str:
    """One recorded series as text."""
    counts = ", ".join(f"{item[how]:,} {how}" for how in ("closed", "missing", "repaired", "corrected"))
    return f"{item['path']}: {counts}"


def _catalog() -> "Catalog":
    """The data folders of this desk."""
    from app.home.home import data_roots
    from app.home.settings import read_settings
    from engine.data.catalog import Catalog

    return Catalog(data_roots(read_settings()))


def named_path(text: str) -> Path:
    """A path as typed, or the one file of that name in the data folders."""
    path = Path(text).expanduser()
    if path.exists() or "/" in text:
        return path
    found = [p for folder, _ in _catalog().roots if folder.is_dir() for p in folder.rglob(text)]
    if len(found) > 1:
        raise BadInput(f"{text} matches {len(found)} files: {', '.join(map(str, found[:3]))}", "give the full path")
    return found[0] if found else path


def _day_order(dates: str | None) -> str:
    """--dates as given; BadInput for anything but dmy and mdy."""
    if dates not in (None, "dmy", "mdy"):
        raise BadInput(f"--dates {dates} is not an order of day and month", "use dmy or mdy")
    return dates or ""


def _item(s: Any) -> dict[str, Any]:
    """One series of the list."""
    return {
        "venue": s.venue,
        "symbol": s.symbol,
        "market": s.market,
        "series": s.series,
        "tag": s.tag or None,
        "source": s.source,
        "rows": s.rows,
        "first_ms": s.first_ms,
        "last_ms": s.last_ms,
        "path": str(s.path),
    }


def _table(body: dict[str, Any]) -> Any:
    """The list as a table."""
    from rich.table import Table

    if not body["items"]:
        folders = ", ".join(f["path"] for f in body["folders"])
        return f"no market data in {folders}\nset NIGHTDESK_DATA, or: nightdesk data import FILE, nightdesk data pull"
    table = Table("venue", "symbol", "market", "series", "tag", "source", "rows", "from", "to", box=None)
    for i in body["items"]:
        names = (i["venue"], i["symbol"], i["market"], i["series"], i["tag"] or "", i["source"])
        table.add_row(*names, f"{i['rows']:,}", utc(i["first_ms"]), utc(i["last_ms"]))
    if body["unknown"]:
        table.caption = f"and {len(body['unknown'])} files that are not series (see --json)"
    return table


def _report(body: dict[str, Any]) -> str:
    """A check as text: one line per finding, errors first."""
    span = f"{utc(body['first_ms'])} .. {utc(body['last_ms'])}"
    head = f"{body['file']}: {body['rows']:,} rows of {body['kind']}, {span}"
    lines = [f"  note     {note}" for note in body["notes"]]
    for f in sorted(body["findings"], key=lambda f: f["severity"]):
        lines.append(f"  {f['severity']:8} {f['rule']}: {f['text']}")
    return "\n".join([head, *lines] if lines else [head, "  clean"])


def _imported(item: dict[str, Any]) -> str:
    """One import as text."""
    lines = [f"  note     {note}" for note in item["notes"]]
    lines += [f"  {f['severity']:8} {f['rule']}: {f['text']}" for f in item["findings"]]
    head = f"{item['file']} -> {item['path']}" if item["imported"] else f"{item['file']}: not imported: {item['why']}"
    return "\n".join([head, *lines])


def _pulled(item: dict[str, Any]) -> str:
    """One pulled series as text."""
    span = f"{utc(item['first_ms'])} .. {utc(item['last_ms'])}"
    lines = [f"{item['path']}: {item['new']:,} new, {item['rows']:,} rows, {span}"]
    if item["repaired"]:
        lines.append(f"  repaired {item['repaired']:,} rows in holes of what was stored")
    lines += [f"  missing  {utc(m['from_ms'])} .. {utc(m['to_ms'])}: the venue has nothing between" for m in item["missing"][:5]]
    return "\n".join(lines + [f"  {f['severity']:8} {f['rule']}: {f['text']}" for f in item["findings"]])

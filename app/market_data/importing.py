"""Imports one file: checks it and writes a parquet into the home's data folder, or refuses and changes nothing.

Called by `nightdesk data import`. Rows in reverse order are sorted, with a note; any other error refuses the file. The
parquet footer keeps the file's origin, hash and notes.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.errors import BadInput, DeskError

if TYPE_CHECKING:
    from engine.data.files import RawFile
    from engine.data.issues import DataIssue


class ImportOptions(NamedTuple):
    """What the command line says about the file; None takes it from the file's name."""

    venue: str | None
    symbol: str | None
    market: str | None
    timeframe: str | None
    tag: str | None
    replace: bool
    series: str | None = None  # of a file that has neither bars nor marks nor funding: oi_1h, vix_1d


def files_under(path: Path) -> list[Path]:
    """The file itself, or every supported file in a folder. BadInput when the folder has none."""
    from engine.data.files import SUFFIXES

    if not path.is_dir():
        return [path]
    found = sorted(p for p in path.rglob("*") if p.is_file() and p.name.lower().endswith(SUFFIXES))
    if not found:
        raise BadInput(f"{path} contains no market data", f"supported files: {', '.join(SUFFIXES)}")
    return found


def import_file(file: Path, wanted: ImportOptions, judge: Callable[["RawFile"], list["DataIssue"]]) -> dict[str, Any]:
    """Import one file; the outcome as JSON: imported, path, why, findings, notes."""
    item: dict[str, Any] = {"file": str(file), "imported": False, "path": None, "why": None, "findings": [], "notes": []}
    try:
        _import(file, wanted, judge, item)
    except DeskError as error:
        item["why"] = str(error)
    return item


def _import(file: Path, wanted: ImportOptions, judge: Callable[["RawFile"], list["DataIssue"]], item: dict[str, Any]) -> None:
    """Read, name, check, write; fills `item` step by step, so that a refusal still shows its findings."""
    from app.home.home import data_roots
    from app.home.settings import read_settings
    from engine.data.catalog import sha256_of
    from engine.data.files import read_any
    from engine.data.issues import as_json
    from engine.data.writer import file_name, write_series

    raw = read_any(file, (wanted.symbol or "").partition("-")[0])
    item["notes"] = list(raw.notes)
    names = _names(raw, wanted)
    raw, turned = _in_order(raw._replace(timeframe_ms=names[5] or raw.timeframe_ms))
    item["notes"] += turned
    found = judge(raw)
    item["findings"] = as_json(found)
    settings = read_settings()
    target = settings.home / "data" / file_name(*names[:5])
    bad = [f for f in found if f.severity == "error"]
    if bad:
        more = f", and {len(bad) - 1} more" if len(bad) > 1 else ""
        raise BadInput(f"{file.name} has errors: {bad[0].rule}: {bad[0].text}{more}", "nothing was stored")
    if target.exists() and not wanted.replace:
        raise BadInput(f"{target} already exists", "use --replace, or --tag to keep both")
    item["notes"] += [
        f"overrides {other} of the same name"
        for folder, _ in data_roots(settings)[:-1]
        for other in sorted(folder.rglob(target.name))
    ]
    origin = {"file": str(file), "sha256": sha256_of(file), "notes": "; ".join(item["notes"])}
    write_series(target, raw.frame, "recorded", origin)
    item.update(imported=True, path=str(target))


def _names(raw: "RawFile", wanted: ImportOptions) -> tuple[str, str, str, str, str, int]:
    """(venue, symbol, market, series, tag, timeframe) of the new file; BadInput for what neither name nor options give."""
    from engine.clock import timeframe_ms
    from engine.data.catalog import NAME

    if raw.group:
        raise BadInput(f"{raw.path.name} is a table of several coins (column {raw.group})", "split it")
    if raw.kind == "series":
        return _series_names(raw, wanted)
    named = raw.named
    venue, symbol = wanted.venue or named.venue, wanted.symbol or named.symbol
    market = wanted.market or named.market or ("perp" if raw.kind == "funding" else "")
    for key, value, example in (("venue", venue, "binance"), ("symbol", symbol, "BTC-USDT"), ("market", market, "perp")):
        if not value:
            raise BadInput(f"the file name {raw.path.name} does not contain the {key}", f"add --{key} {example}")
    tag = named.tag if wanted.tag is None else wanted.tag
    step = timeframe_ms(wanted.timeframe) if wanted.timeframe else raw.timeframe_ms
    if raw.kind != "funding" and not step:
        raise BadInput(f"{raw.path.name} has no regular timeframe", "add --timeframe 15m")
    series = "funding" if raw.kind == "funding" else ("mark_" if raw.kind == "marks" else "") + _timeframe(step)
    name = "_".join(part for part in (venue, symbol, market, series, tag) if part) + ".parquet"
    if NAME.fullmatch(name) is None:
        raise BadInput(f"{name} is not a valid series name", "venue in lower case, symbol like BTC-USDT, market perp or spot")
    return venue, symbol, market, series, tag, step


def _series_names(raw: "RawFile", wanted: ImportOptions) -> tuple[str, str, str, str, str, int]:
    """The same for other numbers that a strategy may read (open interest, an index): of an instrument, or of a venue alone."""
    from engine.clock import timeframe_ms
    from engine.data.catalog import NAME, PLAIN_NAME

    named = raw.named
    venue, symbol, market = (wanted.venue or named.venue, wanted.symbol or named.symbol, wanted.market or named.market)
    series, tag = wanted.series or named.series, named.tag if wanted.tag is None else wanted.tag
    if not series or not venue:
        what = "is neither bars nor marks nor funding, and its name does not contain the series"
        raise BadInput(
            f"{raw.path.name} {what}", "add --venue yahoo --series vix_1d (with --symbol and --market if it is of one)"
        )
    if bool(symbol) != bool(market):
        raise BadInput(f"{raw.path.name} needs both a symbol and a market, or neither", "add --symbol BTC-USDT --market perp")
    name = "_".join(part for part in (venue, symbol, market, series, tag) if part) + ".parquet"
    if (NAME if symbol else PLAIN_NAME).fullmatch(name) is None:
        raise BadInput(f"{name} is not a valid series name", "a series is a word and its period: oi_1h, vix_1d")
    return venue, symbol, market, series, tag, timeframe_ms(series.rpartition("_")[2])


def _timeframe(step_ms: int) -> str:
    """900000 -> 15m. Raises BadInput for less than whole minutes."""
    from engine.clock import MINUTE_MS, TIMEFRAMES, timeframe_text

    if step_ms % MINUTE_MS:
        raise BadInput(f"{step_ms} ms is not a valid timeframe", f"use {', '.join(TIMEFRAMES)}")
    return timeframe_text(step_ms)


def _in_order(raw: "RawFile") -> tuple["RawFile", list[str]]:
    """Rows in time order, with a note when they were not. Equal times stay, for the check to find."""
    steps = raw.frame["ts"].diff()
    if not (steps < 0).any():
        return raw, []
    note = "rows ran from newest to oldest: reversed" if not (steps > 0).any() else "rows were out of order: sorted by time"
    return raw._replace(frame=raw.frame.sort("ts", maintain_order=True)), [note]

"""Imports files: reads and names each, joins those of one series, checks the whole and stores it in the home, or changes nothing.

Called by `nightdesk data import`. A later file is appended to what is stored; what both have must be equal. A recorded source of
the same series is compared. Rows in reverse order are sorted, with a note; any error refuses. `--replace` keeps the old file
aside. The parquet footer keeps the files' origin, hash and notes.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from app.market_data.joining import AGAINST_FILE, AGAINST_STORED, SourceRows, in_order, joined, twins
from app.market_data.judging import advice, compare
from app.market_data.naming import ImportOptions, SeriesName, series_name
from engine.errors import BadInput, DeskError

if TYPE_CHECKING:
    from engine.data.files import RawFile
    from engine.data.issues import DataIssue

Judge = Callable[["RawFile"], list["DataIssue"]]
COMPARED_MAX = 2  # other sources a series is compared with


class _Incoming(NamedTuple):
    """A file that was read and named, in time order, and what is reported of it."""

    raw: "RawFile"
    item: dict[str, Any]


def files_under(path: Path) -> list[Path]:
    """The file itself, or every supported file in a folder. BadInput when the folder has none."""
    from engine.data.files import SUFFIXES

    if not path.is_dir():
        return [path]
    found = sorted(p for p in path.rglob("*") if p.is_file() and p.name.lower().endswith(SUFFIXES))
    if not found:
        raise BadInput(f"{path} contains no market data", f"supported files: {', '.join(SUFFIXES)}")
    return found


def import_files(files: Sequence[Path], wanted: ImportOptions, judge: Judge) -> list[dict[str, Any]]:
    """Import files, those of one series together; the outcome of each as JSON: imported, path, why, findings, notes.

    Raises BadInput for data folders that are not there.
    """
    from app.home.home import data_roots
    from app.home.settings import read_settings

    settings = read_settings()
    roots = data_roots(settings)
    items: list[dict[str, Any]] = []
    groups: dict[Any, Any] = {}
    for file in files:
        item: dict[str, Any] = {"file": str(file), "imported": False, "path": None, "why": None, "findings": [], "notes": []}
        items.append(item)
        try:
            raw, name = _read(file, wanted, item)
        except DeskError as error:
            item["why"] = str(error)
            continue
        groups.setdefault(name, []).append(_Incoming(raw, item))
    for name, group in groups.items():
        try:
            _store(name, group, wanted, judge, settings.home / "data", roots)
        except DeskError as error:
            for incoming in group:
                incoming.item["why"] = str(error)
    return items


def _read(file: Path, wanted: ImportOptions, item: dict[str, Any]) -> tuple["RawFile", SeriesName]:
    """One file in time order, and its name."""
    from engine.data.files import ReadOptions, read_any

    base = (wanted.symbol or "").partition("-")[0]
    options = ReadOptions(base, wanted.series or "", wanted.dates or "", bool(wanted.drop_empty), wanted.venue or "")
    raw = read_any(file, options)
    item["notes"] = list(raw.notes)
    name, step = series_name(raw, wanted)
    frame, turned = in_order(raw.frame)
    item["notes"] += turned
    return raw._replace(frame=frame, timeframe_ms=step), name


def _store(
    name: SeriesName, group: list[_Incoming], wanted: ImportOptions, judge: Judge, home: Path, roots: list[tuple[Path, str]]
) -> None:
    """Join, check and write one series; fills the items step by step, so that a refusal still shows its findings."""
    from engine.data.checksums import sha256_of
    from engine.data.issues import as_json
    from engine.data.writer import file_name, write_series

    target, item = home / file_name(*name), group[0].item
    group = sorted(group, key=lambda incoming: incoming.raw.frame["ts"][0])
    empty = tuple(t for incoming in group for t in incoming.raw.empty_ms)
    whole = group[0].raw._replace(frame=_joined_files(group), named=_name_parts(name), empty_ms=empty)
    kept = None if wanted.replace else _stored(target)
    before = 0 if kept is None else kept.height
    if kept is not None:
        frame, shared = joined(
            SourceRows("the stored series", kept), SourceRows(group[0].raw.path.name, whole.frame), whole.kind, AGAINST_STORED
        )
        item["notes"].append(
            f"{frame.height - before:,} rows appended to {before:,} stored ones; {shared:,} were there and are equal"
        )
        whole = whole._replace(
            frame=frame, empty_ms=(*empty, *(_gap_times(kept, whole.timeframe_ms) if wanted.drop_empty else ()))
        )
    found = judge(whole)
    found += _compared(whole, name, target, roots, item["notes"]) + _of_another(whole, name, roots)
    item["findings"] = as_json(found)
    bad = [f for f in found if f.severity == "error"]
    if bad:
        more = f", and {len(bad) - 1} more" if len(bad) > 1 else ""
        subject = f"{group[0].raw.path.name} has" if len(group) == 1 else f"{len(group)} files of {target.name} have"
        raise BadInput(f"{subject} errors: {bad[0].rule}: {bad[0].text}{more}", f"nothing was stored; {advice(bad[0])}")
    item["notes"] += [
        f"overrides {path} of the same name" for folder, _ in roots[:-1] for path in sorted(folder.rglob(target.name))
    ]
    aside = _set_aside(target) if wanted.replace and target.exists() else None
    origin = {
        "file": "; ".join(str(incoming.raw.path) for incoming in group),
        "sha256": "; ".join(sha256_of(incoming.raw.path) for incoming in group),
        "notes": "; ".join(note for incoming in group for note in incoming.item["notes"]),
    }
    if kept is None or whole.frame.height > before:
        try:
            write_series(target, whole.frame, "recorded", origin)
        except DeskError:
            if aside is not None:  # the old file is still in its place
                aside.unlink(missing_ok=True)
            raise
    if aside is not None:
        item["notes"].append(f"the old file is kept as {aside.name}")
    for incoming in group:
        incoming.item.update(imported=True, path=str(target))


def _name_parts(name: SeriesName) -> Any:
    """The name under which the whole is compared."""
    from engine.data.files import NameParts

    return NameParts(*name)


def _joined_files(group: list[_Incoming]) -> Any:
    """The rows of every file of one series; a note on each file that brings rows which others have too."""
    whole = SourceRows(group[0].raw.path.name, group[0].raw.frame)
    for incoming in group[1:]:
        raw = incoming.raw
        frame, shared = joined(whole, SourceRows(raw.path.name, raw.frame), raw.kind, AGAINST_FILE)
        if shared:
            incoming.item["notes"].append(f"{shared:,} rows are in {whole.name} too, and equal")
        whole = SourceRows(whole.name, frame)
    if len(group) > 1:
        group[0].item["notes"].append(f"{len(group)} files joined: {whole.frame.height:,} rows")
    return whole.frame


def _stored(target: Path) -> Any:
    """The series as stored, ts in ms; None without a file. BadInput for one that a pull wrote, DataError for a broken one."""
    import polars as pl

    from engine.data.catalog import ORIGIN, readable

    if not target.exists():
        return None
    with readable(target):
        if pl.read_parquet_metadata(target).get(ORIGIN) == "pulled":
            raise BadInput(f"{target} already exists, written by a pull", "use --tag to keep both, or --replace")
        return pl.read_parquet(target).with_columns(pl.col("ts").dt.epoch("ms"))


def _gap_times(stored: Any, step: int) -> list[int]:
    """Times missing in what is stored: they were judged when it was."""
    import numpy as np

    ts = stored["ts"].to_numpy()
    return np.setdiff1d(np.arange(ts[0], ts[-1] + step, step), ts).tolist() if step and ts.size else []


def _set_aside(target: Path) -> Path:
    """Keep the old file under a name that the catalog does not read."""
    if not target.is_file():
        raise BadInput(f"{target} is not a file", "move it away, then import again")
    number = 1
    while (aside := target.with_name(f"{target.name}.{number}.old")).exists():
        number += 1
    try:
        os.link(target, aside)
    except OSError:  # a file system without links
        shutil.copy2(target, aside)
    return aside


def _kind_of(series: str) -> str:
    """bars, mark, funding or another word: only sources of one kind can be compared."""
    return "bars" if series[0].isdigit() else series.partition("_")[0]


def _of_another(whole: "RawFile", name: SeriesName, roots: list[tuple[Path, str]]) -> list["DataIssue"]:
    """A finding when another instrument has the very same bars already: one of the two is under a wrong name."""
    from engine.data.catalog import Catalog
    from engine.data.issues import issue

    if whole.kind != "bars" or name.tag:
        return []
    others = [s for s in Catalog(roots).series() if s[1:4] != name[:3] and (s.series, s.tag) == (name.series, "")]
    for s in (s for s in others if s.source != "synthetic"):
        if twins(whole.frame, s.path):
            text = f"the same bars are stored as {s.path.name}: one of the two has a wrong name"
            return issue("twin", "error", [0], text)
    return []


def _compared(
    whole: "RawFile", name: SeriesName, target: Path, roots: list[tuple[Path, str]], notes: list[str]
) -> list["DataIssue"]:
    """Findings against sources of the same instrument that are there already: the same series, else another timeframe.

    A tagged file is a data set of its own: none is compared with, and for a tagged import the findings are warnings.
    """
    from engine.data.catalog import Catalog
    from engine.data.files import read_any

    if whole.kind == "series":
        return []
    others = [s for s in Catalog(roots).series() if s[1:4] == name[:3] and s.path != target and s.source != "synthetic"]
    others = [s for s in others if _kind_of(s.series) == _kind_of(name.series) and not s.tag]
    exact = [s for s in others if s.series == name.series]
    first, last = int(whole.frame["ts"][0]), int(whole.frame["ts"][-1])
    found: list[DataIssue] = []
    for s in [s for s in (exact or others) if s.first_ms <= last and s.last_ms >= first][:COMPARED_MAX]:
        issues = [f for f in compare(whole, read_any(s.path)) if f.rule != "overlap"]
        notes.append(f"compared with {s.path.name}: {'equal' if not issues else 'it differs'}")
        found += [f._replace(text=f"against {s.path.name}: {f.text}") for f in issues]
    return [f._replace(severity="warning") for f in found] if name.tag else found

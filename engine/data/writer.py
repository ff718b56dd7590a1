"""A frame -> one parquet file of the catalog, written atomically, with its origin in the footer and its checksum beside it.

Called by `nightdesk data import` and `pull` and by data/synthetic.py.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import polars as pl

from engine.data.checksums import digests_of, note_digests, sha256_of
from engine.errors import BadInput

ORIGIN = "nightdesk_source"  # recorded | pulled | synthetic; data/catalog reads it from the footer


def file_name(venue: str, symbol: str, market: str, series: str, tag: str = "") -> str:
    """The catalog's name of a series."""
    return "_".join(part for part in (venue, symbol, market, series, tag) if part) + ".parquet"


def write_series(path: Path, frame: pl.DataFrame, source: str, origin: Mapping[str, str]) -> Path:
    """Write `frame` (ts as Int64 UTC ms) to `path` by a temporary file beside it, synced and then renamed.

    `origin` (file, sha256, url, ...) goes into the footer with the prefix nightdesk_. Raises BadInput when the folder
    cannot be written; then `path` is what it was before.
    """
    import pyarrow.parquet as pq

    stamped = frame.with_columns(pl.col("ts").cast(pl.Datetime("ms")).dt.replace_time_zone("UTC"))
    footer = {ORIGIN: source, **{f"nightdesk_{key}": value for key, value in origin.items()}}
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        table = stamped.to_arrow().replace_schema_metadata(footer)
        with part.open("wb") as file:
            pq.write_table(table, file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        digest = sha256_of(part)
        note_digests(path, *_digests_before(path), digest)  # whichever file is there when this breaks off, it is noted
        part.replace(path)
        with suppress(OSError):  # no room: both stay noted, and the file is one of them
            note_digests(path, digest)
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):  # the folder may be what failed
            part.unlink()
        raise BadInput(f"{path} cannot be written: {error.strerror or error}", "free the disk or check permissions") from error
    return path


def _digests_before(path: Path) -> list[str]:
    """What the file that is to be replaced may hash to: as noted, else as it is now."""
    noted = digests_of(path)
    if noted is None:
        return [sha256_of(path)] if path.is_file() else []
    return noted


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""The checksum beside a stored series: NAME.parquet.sha256, in the layout that `sha256sum -c` reads. Standard library alone.

Written by data/writer.py with each file, checked by data/catalog.py once for each state of a file, before any library parses it:
a flipped bit in a page is another price without a word, one in the footer a panic. A file that came some other way has none.
"""

import hashlib
import os
import re
import stat
from contextlib import suppress
from pathlib import Path

from engine.errors import DataError

SUFFIX = ".sha256"
LINE = re.compile(r"([0-9a-f]{64})  [^\n]+")
READ_MAX = 4_096  # bytes of such a file; it has one line, two while its series is written anew
WAY_OUT = (
    "restore it from a copy, or: nightdesk data import --replace FILE; a pulled one: move it away, then nightdesk data pull; "
    f"put there by hand: delete its {SUFFIX}"
)


def beside(path: Path) -> Path:
    """Where the checksum of a series is."""
    return path.with_name(path.name + SUFFIX)


def note_digests(path: Path, *digests: str) -> None:
    """Write what the file may hash to, whole or not at all: its digest; before it is replaced the old one too. Raises OSError."""
    place = beside(path)
    part = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.writelines(f"{digest}  {path.name}\n" for digest in dict.fromkeys(digests))
            file.flush()
            os.fsync(file.fileno())
        part.replace(place)
    except OSError:
        with suppress(OSError):
            part.unlink()
        raise


def digests_of(path: Path) -> list[str] | None:
    """What the file may hash to; None when nobody noted that, [] when what is noted cannot be read."""
    try:
        with beside(path).open("rb") as file:
            lines = file.read(READ_MAX).decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return None
    except OSError:
        return []
    return [found[1] for line in lines if (found := LINE.fullmatch(line))]


def require_whole(path: Path) -> None:
    """Raise DataError for what is no file, and for one that is not what was stored: before anything parses it."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataError("it is not a file", "move it away")
        noted = digests_of(path)
        if noted is not None and sha256_of(path) not in noted:
            raise DataError(f"it is damaged: it does not match its checksum in {beside(path).name}", WAY_OUT)
    except OSError as error:
        raise DataError(f"it cannot be read ({error.strerror or error})", "check its permissions and the disk") from error


_HASHES: dict[tuple[str, int, int, int, int], str] = {}


def sha256_of(path: Path) -> str:
    """Content hash of a file in hex, cached by the file's state for the life of the process."""
    found = path.stat()
    key = (str(path), found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    if key not in _HASHES:
        with path.open("rb") as file:
            _HASHES[key] = hashlib.file_digest(file, "sha256").hexdigest()
    return _HASHES[key]

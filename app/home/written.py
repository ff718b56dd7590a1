"""Small files of the home, written whole or not at all, and by one process at a time. Apart from the database, which a command
that only writes one need not load. Used by app.home, app.market_data, app.people and app.processes.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.errors import BadInput, Busy


def write_whole(path: Path, text: str, *, durable: bool = True) -> None:
    """Write a file so that it is there whole or not at all; `durable`: also after a crash of the machine.

    Raises OSError that names the file; then it is as it was, and no draft is left.
    """
    draft = path.with_name(f".{path.name}.new")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def alone_in(folder: Path, name: str, busy: str) -> Iterator[None]:
    """One process at a time behind the file `name` of a folder that is made. Raises Busy with `busy`, BadInput for a folder that
    cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / name).open("w")
    except OSError as error:
        raise BadInput(f"{folder} cannot be written: {error.strerror}", "set NIGHTDESK_HOME to a writable folder") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(busy, "wait until it ends") from None
        yield

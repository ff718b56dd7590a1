"""Small files of the home, written whole or not at all. Apart from the database, which a command that only writes one need not
load. Used by app.home, app.people and app.processes."""

import os
from contextlib import suppress
from pathlib import Path


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

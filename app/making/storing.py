"""What is shown of a maker, written whole or not at all. Called by app/making; engine/making/stored.py reads it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.home.written import write_whole
from engine.errors import BadInput
from engine.making.stored import RUN


def store(folder: Path, body: Mapping[str, Any]) -> None:
    """Write what is shown of a maker. Raises BadInput where the folder cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / RUN, json.dumps(body, allow_nan=False) + "\n")
    except OSError as error:
        raise BadInput(f"{folder} cannot be written: {error.strerror}", "free the disk, or check the folder's rights") from error

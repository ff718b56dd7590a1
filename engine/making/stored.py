"""The makers of a home, a folder each: `making/NAME/run.json`, what is shown of it, and `making.jsonl`, its journal if it is on
paper. Called by app/cli, app/making, app/views and tools/making.py; app/making/storing.py writes what is read here.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.errors import BadInput, DataError

FOLDER, RUN, JOURNAL, LOCK = "making", "run.json", "making.jsonl", ".lock"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}")
BYTES_MAX = 4_000_000  # of a run.json; one that is larger was not written here
LISTED_MAX = 200
SHAPE: Mapping[str, Any] = {  # of a run.json
    **dict.fromkeys(("name", "kind", "state", "verdict", "why", "venue", "symbol", "market", "quoter"), str),
    **dict.fromkeys(("figures", "options", "fees_bps", "picture"), dict),
    "halt": (dict, type(None)),
    "written_ms": int,
    "begun_ms": int,
}
SIMULATED, ON_TAPE, ON_BOOK = "simulation on a recorded tape", "paper on a recorded tape", "paper on a live book"
AT_ACCOUNT = {"testnet": "testnet at an account", "live": "live at an account"}  # by the account's mode


def folder_of(home: Path, name: str) -> Path:
    """The folder of a maker. Raises BadInput for a name that is none."""
    if not NAME.fullmatch(name):
        raise BadInput(f"the name {name[:40]!r}", "letters, digits, - and _, at most 80, as in btc-1bps")
    return home / FOLDER / name


def name_for(tape: Path, quoter: str) -> str:
    """What a maker is called that has no other name: its tape and its quoter."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", f"{tape.name.removesuffix('_l2.parquet')}-{quoter}")[:80]


def stored(folder: Path) -> dict[str, Any]:
    """What is shown of a maker. Raises BadInput where there is none, DataError for a file that cannot be read."""
    path = folder / RUN
    try:
        with path.open("rb") as file:
            text = file.read(BYTES_MAX + 1)
        if len(text) > BYTES_MAX:
            raise ValueError(f"more than {BYTES_MAX:,} bytes")
        body = json.loads(text)
        if fault := _fault(body):
            raise ValueError(f"not a maker's run: {fault}")
    except FileNotFoundError:
        raise BadInput(f"no maker {folder.name!r}", "`nightdesk making list` has them") from None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read: {str(error)[:200]}", "remove its folder, or run the maker again") from error
    return dict(body)


def _fault(body: Any) -> str:
    """What of a stored run has another type than was written, "" for nothing."""
    if not isinstance(body, dict):
        return "no object"
    for name, kind in SHAPE.items():
        if not isinstance(body.get(name), kind):
            return name
    figures = body["figures"]
    numbers = [figures.get(name) for name in ("fills", "orders", "inventory", "net", "fees")] + [figures.get("funding", 0.0)]
    return "" if all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers) else "figures"


def listed(home: Path) -> list[dict[str, Any]]:
    """Every maker of a home, the last written first; what cannot be read says so in its state."""
    folders = [path.parent for path in (home / FOLDER).glob(f"*/{RUN}") if NAME.fullmatch(path.parent.name)]
    folders.sort(key=lambda folder: (-(folder / RUN).stat().st_mtime_ns, folder.name))
    found: list[dict[str, Any]] = []
    for folder in folders[:LISTED_MAX]:
        try:
            body = stored(folder)
        except (BadInput, DataError) as error:
            found.append({"name": folder.name, "kind": "unknown", "state": "unreadable", "verdict": "", "why": str(error)})
            continue
        names = (
            "name",
            "kind",
            "state",
            "verdict",
            "why",
            "venue",
            "symbol",
            "market",
            "quoter",
            "written_ms",
            "figures",
            "halt",
            "account",
            "mode",
            "stage",
            "killed",
        )
        found.append({name: body.get(name) for name in names})
    return found

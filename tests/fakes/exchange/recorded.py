"""Fields of a local venue's rows against recorded payloads: every venue's `not_seen.py` is compared with what this finds."""

import json
import tarfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import ccxt

ARCHIVE = "payloads/nautilus_binance_okx_bybit.tar.gz"
# where the payloads of a venue are in it, when not in its own folder alone: Binance's spot has others of the same names
FOLDERS = {"binance": ("/adapters/binance/test_data/futures/", "/http_responses/http_futures_", "/ws_messages/ws_futures_")}
CCXT, MEMORY = "ccxt", "memory"


@cache
def payloads(folder: Path, venue: str) -> dict[str, Any]:
    """Name -> the recorded payload of a venue (okx, binance, bybit). Raises FileNotFoundError without the archive."""
    with tarfile.open(folder / ARCHIVE) as archive:
        folders = FOLDERS.get(venue, (f"/adapters/{venue}/test_data/",))
        own = [name for name in archive.getnames() if f"/adapters/{venue}/" in name and name.endswith(".json")]
        names = [name for name in own if any(folder in name for folder in folders)]
        return {Path(name).stem: json.load(archive.extractfile(name)) for name in names}  # type: ignore[arg-type]


def types_of(rows: list[Any]) -> dict[str, set[str]]:
    """Field -> JSON types; a field of an object inside, or of a list's objects, reads `details.ccy`."""
    found: dict[str, set[str]] = {}
    for row in rows:
        for name, value in row.items() if isinstance(row, dict) else ():
            found.setdefault(name, set()).add(type(value).__name__)
            inner = value if isinstance(value, list) else [value]
            for part, kinds in types_of([item for item in inner if isinstance(item, dict)]).items():
                found.setdefault(f"{name}.{part}", set()).update(kinds)
    return found


@cache
def sources(venue: str) -> list[str]:
    """ccxt's code of a venue."""
    return [(Path(ccxt.__file__).parent / part / f"{venue}.py").read_text(encoding="utf-8") for part in (".", "pro")]


def source_of(name: str, venue: str) -> str:
    """ccxt where its code or its samples of the venue's answers name the field, else memory."""
    texts = sources(venue)
    bare = name.rpartition(".")[2]
    return CCXT if any(f'"{bare}"' in text or f"'{bare}'" in text or f" {bare}:" in text for text in texts) else MEMORY


def not_recorded(rows: Mapping[str, list[Any]], seen: Mapping[str, list[Any]], venue: str) -> dict[str, dict[str, str]]:
    """Endpoint -> source -> fields that no recorded row of it has."""
    found = {}
    for endpoint, listed in rows.items():
        known = types_of(seen.get(endpoint, []))
        missing = [(source_of(name, venue), name) for name in sorted(types_of(listed)) if name not in known]
        if missing:
            sources = sorted({source for source, _ in missing})
            found[endpoint] = {source: " ".join(name for of, name in missing if of == source) for source in sources}
    return found


def other_types(rows: Mapping[str, list[Any]], seen: Mapping[str, list[Any]]) -> list[str]:
    """A line a field whose type is not as recorded: a number that a venue writes as text is text."""
    wrong = []
    for endpoint, listed in seen.items():
        known = types_of(listed)
        for name, kinds in types_of(rows[endpoint]).items():
            if name in known and not kinds <= known[name]:
                wrong.append(f"{endpoint} {name}: {kinds} here, {known[name]} recorded")
    return wrong

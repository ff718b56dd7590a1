"""`nightdesk journal pack | unpack`: the oldest parts of all journals in zstd, and plain again. Called by app/cli/journal.py."""

import time
from collections.abc import Iterable
from typing import Any

import typer

from app.cli import out

JSON = typer.Option(False, "--json", help="one JSON object on stdout")


def register(journal: typer.Typer) -> None:
    """Add the commands."""
    journal.command()(pack)
    journal.command()(unpack)


def pack(
    everything: bool = typer.Option(False, "--all", help="whatever makes a whole part, however young"),
    as_json: bool = JSON,
) -> None:
    """Pack what [retention] of desk.toml calls old: a stopped desk's journals shrink to about a seventh, and every reader finds
    in them what it found before. A start does it by itself."""
    from app.home.home import existing_home
    from app.upkeep.journals import pack_home

    home = existing_home()
    _shown(pack_home(home, time.time_ns() // 1_000_000, all_of_it=everything), "packed", as_json)


def unpack(as_json: bool = JSON) -> None:
    """Make the journals of a stopped desk plain files again. The next start packs what is due, unless `pack_days` is 0."""
    from app.home.home import existing_home
    from app.upkeep.journals import unpack_home

    _shown(unpack_home(existing_home()), "unpacked", as_json)


def _shown(found: Iterable[Any], done: str, as_json: bool) -> None:
    items = [size._asdict() for size in found]
    lines = [
        f"{one['journal']}: {one['parts']} parts {done}; {one['plain_bytes']:,} bytes, {one['disk_bytes']:,} on the disk."
        for one in items
    ]
    out.emit({"items": items}, as_json=as_json, text=lambda: "\n".join(lines) or "Nothing to do: [retention] pack_days is 0.")

"""Writes down what a start uses, for engine.control.started to read. Called by `nightdesk init` and `up`."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy.engine import make_url

from app.home.settings import Settings
from app.home.written import write_whole
from app.processes.children import PORTS
from app.processes.last_machine import here
from engine.control.started import STARTED_FILE, started_of


def note_start(settings: Settings, environ: Mapping[str, str] = os.environ) -> None:
    """Keep what this start used. A database address with a password is not kept: no secret goes into a file of the home.

    Ports are those of the environment alone; without them desk.toml says, also after it was edited.
    """
    noted = {"data": str(settings.data or ""), "database_url": settings.database_url or ""}
    if noted["database_url"] and _holds_secret(noted["database_url"]):
        noted["database_url"] = ""
    noted |= here(settings.home)
    noted |= {name: environ[name] for name in PORTS if environ.get(name, "").isdigit()}
    write_whole(settings.home / STARTED_FILE, json.dumps({key: value for key, value in noted.items() if value}, indent=1) + "\n")


def note_machine(home: Path) -> None:
    """Keep where this start is, and what was kept before."""
    write_whole(home / STARTED_FILE, json.dumps({**started_of(home), **here(home)}, indent=1) + "\n")


def _holds_secret(database_url: str) -> bool:
    """Whether an address carries a password, beside the user or among what follows it."""
    url = make_url(database_url)
    return bool(url.password) or any("pass" in key.lower() for key in url.query)

"""Opens a desk's home, the one folder that holds all its state. Called first by every command and process.

Turns settings into a Home: makes folders, writes desk.toml at the first start, migrates the database - each only if missing,
under a lock, so that whichever command runs first does it. Configuration version 1 is not written here: until the worker's first
start or the first approval desk.toml may be edited, and is only checked.
"""

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from sqlalchemy import Engine

from app.home import desk_template
from app.home.belonging import belonging, keep
from app.home.files import OPEN_LOCK, UNFINISHED
from app.home.reach import linked
from app.home.settings import DeskToml, Settings, read_desk_toml, read_settings
from app.home.written import write_whole
from engine.control import desk_setup
from engine.control.config import configured, is_written
from engine.control.desk_setup import FEED_FILE, DeskSetup, feed_of
from engine.control.halt import keep_spare
from engine.data.catalog import Catalog
from engine.errors import BadInput, Busy
from engine.store.db import migrate, open_db

FOLDERS = ("journal", "data", "runs", "memory", "strategies", "logs")
LOCK_S_MAX = 30.0  # a first start migrates the database; others wait for it


@dataclass(frozen=True)
class Home:
    """An opened home: settings, desk.toml, the database, and the paths of everything in it."""

    settings: Settings
    desk: DeskToml
    engine: Engine
    feed: dict[str, str] = field(default_factory=dict)  # the data found at the first start: venue, source, folder
    id: str = ""  # the one that home.json, database and journal share

    @property
    def path(self) -> Path:
        """The home folder, absolute."""
        return self.settings.home

    @property
    def roots(self) -> list[tuple[Path, str]]:
        """Data folders and their source; the home's own is last and wins where both have a file."""
        return data_roots(self.settings)

    @property
    def setup(self) -> DeskSetup:
        """What a request is resolved against: the same that a notebook of this home has."""
        return DeskSetup(self.path, self.settings.data, self.desk.limits, self.desk.overrides(), self.feed.get("venue", ""))

    @property
    def journal(self) -> Path:
        """Folder of desk.jsonl and people.jsonl."""
        return self.path / "journal"

    @property
    def desk_journal(self) -> Path:
        """The worker's journal."""
        return self.journal / "desk.jsonl"

    @property
    def people_journal(self) -> Path:
        """The journal of questions, tool calls, proposals and decisions."""
        return self.journal / "people.jsonl"

    @property
    def runs(self) -> Path:
        """Folder of the run store."""
        return self.path / "runs"

    @property
    def memory(self) -> Path:
        """Folder of the memory pages."""
        return self.path / "memory"

    @property
    def strategies(self) -> Path:
        """Folder of the user's own strategy files."""
        return self.path / "strategies"

    @cached_property
    def catalog(self) -> Catalog:
        """The market data catalog, read once."""
        return Catalog(self.roots)


def data_roots(settings: Settings) -> list[tuple[Path, str]]:
    """Folders that may hold market data, with the source of their files."""
    return desk_setup.data_roots(settings.home, settings.data)


def existing_home() -> Home:
    """Open the home for a command that only reads: raises BadInput where no desk exists, instead of making one."""
    settings = read_settings()
    if not settings.home.is_dir():
        hint = "set NIGHTDESK_HOME to the desk you mean, or make one: nightdesk init, or nightdesk up"
        raise BadInput(f"no desk exists at {settings.home}", hint)
    return open_home()


def open_home(now_ms: int | None = None) -> Home:
    """Open the home that NIGHTDESK_HOME names, creating what is missing; idempotent.

    `now_ms`: wall time recorded on what is created (default: now). Raises BadInput, one line, for a home that cannot be
    written or an invalid desk.toml; Busy when another process holds the home's lock too long.
    """
    settings = read_settings()
    now = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        keep_private(settings.home)
        with locked(settings.home / OPEN_LOCK):
            if (settings.home / UNFINISHED).exists():
                raise BadInput(f"a restore into {settings.home} broke off", "run it again: nightdesk restore FILE")
            for name in FOLDERS:
                (settings.home / name).mkdir(exist_ok=True)
            return _prepared(settings, now)
    except OSError as error:
        raise _unusable(settings.home, error) from error


def _unusable(home: Path, error: OSError) -> BadInput:
    """Why a home cannot be opened, with the one thing to do: a file in the place of a folder is no matter of rights or room."""
    path = Path(str(error.filename or home))
    if isinstance(error, FileExistsError | NotADirectoryError):
        path = next((folder for folder in (path, *path.parents) if os.path.lexists(folder) and not folder.is_dir()), path)
        what = "a link that leads to no folder" if path.is_symlink() else "a file"
        hint = "set NIGHTDESK_HOME to a folder" if home.is_relative_to(path) else "move it away: Nightdesk makes the folder"
        return BadInput(f"{path} is {what}, and a folder has to be there", hint)
    if isinstance(error, IsADirectoryError):
        return BadInput(f"{path} is a folder, and a file has to be there", "move it away, then try again")
    hint = "free disk space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "set NIGHTDESK_HOME to a writable folder"
    return BadInput(f"the home {home} cannot be written: {error.strerror or error}", hint)


def keep_private(home: Path) -> None:
    """Take the rights of group and others from a folder that existed before: sessions and the database are in it."""
    status = home.stat()
    if status.st_mode & 0o077 and status.st_uid == os.geteuid():
        home.chmod(status.st_mode & 0o700)


def _prepared(settings: Settings, now_ms: int) -> Home:
    """Everything inside the folder: desk.toml and the database. The caller holds the lock."""
    engine = open_db(settings.database())
    id_ = belonging(settings.home, engine)
    feed_file = settings.home / FEED_FILE
    if not settings.desk_toml.exists():
        feed = first_feed(settings)
        write_whole(feed_file, json.dumps(feed, indent=1) + "\n")
        write_whole(settings.desk_toml, desk_template.text_of(feed["venue"], sentence(feed)))
    desk = read_desk_toml(settings.desk_toml)
    desk = linked(desk, settings.ui_port or desk.ui.port)
    migrate(engine)
    if not is_written(engine):
        configured(settings.home)  # what holds until then: a faulty one is said now
    keep(settings.home, engine, id_, now_ms)
    keep_spare(settings.home)
    return Home(settings, desk, engine, feed_of(settings.home), id_.id)


def first_feed(settings: Settings) -> dict[str, str]:
    """The data a new desk trades on: recorded bars if all its series exist, else the synthetic market; then `lacks` names the
    instruments without any, where others have some."""
    catalog = Catalog(data_roots(settings))
    symbols = {start.symbol for start in desk_template.SLEEVES}
    for symbol in sorted(symbols):  # a desk of recorded bars does not become a synthetic one without a word
        catalog.require_undamaged(("binance", symbol, "perp", desk_template.TIMEFRAME, ""))
    found = [
        s
        for s in catalog.series()
        if (s.venue, s.market, s.series, s.tag) == ("binance", "perp", desk_template.TIMEFRAME, "") and s.symbol in symbols
    ]
    lacks = ", ".join(sorted(symbols - {s.symbol for s in found}))
    if not lacks:
        return {"venue": "binance", "source": found[0].source, "folder": str(found[0].path.parent)}
    recorded = any(s.source != "synthetic" for s in catalog.series())
    return {"venue": "synthetic", "source": "synthetic", "folder": "", "lacks": lacks if recorded else ""}


def sentence(feed: dict[str, str]) -> str:
    """The data a new desk runs on, in a sentence."""
    if lacks := feed.get("lacks"):
        bars = f"binance {desk_template.TIMEFRAME} bars of {lacks}"
        return f"The recorded data has no {bars}: this desk trades a SYNTHETIC market. Backtests read what is recorded."
    if feed["source"] == "synthetic":
        return "No bars of its instruments were found at the first start: this desk trades a SYNTHETIC market."
    return f"At the first start {feed['source']} {feed['venue']} bars were found in {feed['folder']}."


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the home's lock; the OS releases it if the process dies."""
    deadline = time.monotonic() + LOCK_S_MAX
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Busy(f"another process is opening {path.parent}", "try again in a moment") from None
                time.sleep(0.01)
        yield

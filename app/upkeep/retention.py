"""How long a home keeps what grows: logs, runs, recordings, what was sent to models. Called by app/cli/upkeep.py, the scheduler.

`plan` turns a home and the wall time into acts, each with its reason; `carry_out` does them. Removed is only what desk.toml gives
an age, and never a run that a proposal, a note, a memory page, a version, the journal of people or a name keeps. Journals are
never removed or cut: what is in them is what happened; journals.py packs them. Standard library and database alone: the
supervisor runs it.
"""

import gzip
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from engine.clock import DAY_MS
from engine.errors import DeskError
from engine.watch.last_upkeep import keep_look

if TYPE_CHECKING:
    from app.home.home import Home

BOOK_DAYS = "*/*/*_[0-9]*_*.parquet"  # of level2: a day of an instrument's messages, trades or events
RUN = re.compile(rb"r-\d{8}-[0-9a-f]{8}(?:-\d+)?")
GROWING = ("worker.jsonl", "page.log", "home.jsonl")  # written on and on: turned over by size
PIECE = 1 << 20
HEAD_BYTES = 120  # within which a journal's line names its kind
OF_CHATS = (b'"kind":"ask"', b'"kind":"tool"', b'"kind":"answer"')  # questions and what they ran: those of old turns keep nothing
GONE = ".gone-"  # in front of a folder that is being removed
ASKED = ".asked-"  # in front of a run, whole, while it is asked whether something names it by now
ACTS = Literal["remove", "compress", "turn over", "put back", "keep"]


class RetentionStep(NamedTuple):
    """What is to become of a file or folder, and why. `bytes`: what it takes now."""

    kind: str  # log | run | recording | maker | report | sent | piece
    path: Path
    act: ACTS
    bytes: int
    why: str


def plan(home: "Home", now_ms: int) -> list[RetentionStep]:
    """Every file and folder that [retention] of desk.toml says something of; old runs that are kept are in it with the reason."""
    return [*_logs(home, now_ms), *_pieces(home, now_ms), *_runs(home, now_ms), *_days(home, now_ms)]


def carry_out(acts: list[RetentionStep], named: Callable[[], Mapping[str, str]] = dict) -> list[RetentionStep]:
    """Do them; those that were done. What cannot be done (a full disk, a right) is left as it is and tried the next time.

    `named`: what keeps a run, as it is when it is called. It is asked once no reader finds the runs any more: a proposal that
    has cited one of them since the plan gets it back. Raises DeskError of it, with nothing removed.
    """
    done, cited = list[RetentionStep](), _cited(acts, named)
    for act in acts:
        if act.act == "keep" or act.path in cited:
            continue
        try:
            {"remove": _remove, "compress": _compress, "turn over": _turn_over, "put back": _put_back}[act.act](act.path)
        except OSError:
            continue
        done.append(act)
    return done


def _cited(acts: list[RetentionStep], named: Callable[[], Mapping[str, str]]) -> set[Path]:
    """Of the runs that are to be removed those that something names by now; the others have a name that no reader looks for."""
    runs = [act.path for act in acts if (act.kind, act.act) == ("run", "remove") and act.path.name.startswith("r-")]
    if not runs:
        return set()
    for path in runs:
        with suppress(OSError):
            path.rename(path.with_name(f"{ASKED}{path.name}"))
    try:
        kept = named()
    except BaseException:
        for path in runs:
            _put_back(path)
        raise
    for path in runs:
        if path.name in kept:
            _put_back(path)
    return {path for path in runs if path.name in kept}


def _put_back(path: Path) -> None:
    """Give a run that was asked about its own name again."""
    name = path.name.removeprefix(ASKED)
    with suppress(FileNotFoundError):
        path.with_name(f"{ASKED}{name}").rename(path.with_name(name))


def _logs(home: "Home", now_ms: int) -> Iterator[RetentionStep]:
    """Logs of jobs, of bugs, and those that were turned over go by age; those that are written to turn over by size."""
    entry = home.desk.retention
    for path in sorted((home.path / "logs").glob("*")):
        size, age = _size(path), _age_days(path, now_ms)
        if path.name in GROWING:
            if size > entry.log_megabytes * 1_000_000:
                yield RetentionStep("log", path, "turn over", size, f"it has more than {entry.log_megabytes:g} MB")
        elif path.is_file() and entry.logs_days and age > entry.logs_days:
            yield RetentionStep("log", path, "remove", size, f"nothing was written to it for {age:.0f} days")


def _pieces(home: "Home", now_ms: int) -> Iterator[RetentionStep]:
    """Unfinished ends of journals that a crash left: packed once they are old, never removed."""
    for path in sorted(home.journal.glob("*.unfinished-*")):
        if path.suffix != ".gz" and (age := _age_days(path, now_ms)) > home.desk.retention.pieces_days:
            yield RetentionStep("piece", path, "compress", _size(path), f"set aside {age:.0f} days ago")


def _runs(home: "Home", now_ms: int) -> Iterator[RetentionStep]:
    """Old runs, each removed or with what keeps it."""
    for path in sorted(home.runs.glob(f"{GONE}*")):
        yield RetentionStep("run", path, "remove", _size(path), "its removal broke off")
    for path in sorted(home.runs.glob(f"{ASKED}*")):
        yield RetentionStep("run", path, "put back", _size(path), "whether something names it was not answered")
    days = home.desk.retention.runs_days
    if not days:
        return
    old = [path for path in sorted(home.runs.glob("r-*")) if _age_days(path / "run.json", now_ms) > days]
    named = names(home, now_ms) if old else {}
    for path in old:
        kept = named.get(path.name, "")
        yield RetentionStep(
            "run", path, "keep" if kept else "remove", _size(path), kept or f"older than {days:g} days, and nothing names it"
        )


def names(home: "Home", now_ms: int) -> dict[str, str]:
    """Run -> what keeps it now."""
    return _named(home, now_ms - home.desk.retention.runs_days * DAY_MS)


def _named(home: "Home", since_ms: float) -> dict[str, str]:
    """Run -> what keeps it. Whatever mentions it counts, whatever became of the mention: a proposal that was rejected, too."""
    from sqlmodel import col, select

    from engine.store import db
    from engine.store.opened import open_journal
    from engine.store.tables import ConfigVersion, InboxNote, Job, Proposal, Run, SleeveVersion, TurnEvent

    found: dict[str, str] = {}

    def note(text: object, by: str) -> None:
        data = text if isinstance(text, bytes) else str(text).encode("utf-8", "replace")
        for run in RUN.findall(data):
            found.setdefault(run.decode(), by)
            found.setdefault(b"-".join(run.split(b"-")[:3]).decode(), by)  # "r-...-4 trades" may be no number of its own

    for path in sorted(home.memory.rglob("*.md")):
        note(path.read_bytes(), f"the memory page {path.relative_to(home.memory)}")
    for path in (home.people_journal, home.journal / "models.jsonl"):
        with suppress(FileNotFoundError), open_journal(path) as file:
            for line in file:
                if not any(kind in line[:HEAD_BYTES] for kind in OF_CHATS):
                    note(line, f"the journal {path.name}")
    with db.read(home.engine) as session:
        for table, by in (
            (Proposal, "a proposal"),
            (InboxNote, "a note"),
            (ConfigVersion, "a version"),
            (SleeveVersion, "a version"),
        ):
            for row in session.exec(select(table)):
                note(row.model_dump_json(), by)
        for job in session.exec(select(Job).where(col(Job.state).in_(["queued", "running"]))):
            note(job.model_dump_json(), "a job that runs")
        for event in session.exec(select(TurnEvent).where(col(TurnEvent.created_ms) >= int(since_ms))):
            note(event.model_dump_json(), "a turn of these days")
        for run in session.exec(select(Run).where(col(Run.body).contains('"name"'))):
            if '"name": null' not in run.body:
                found.setdefault(run.id, "its name")
    return found


def _days(home: "Home", now_ms: int) -> Iterator[RetentionStep]:
    """Recorded days, simulated makers, requests that were sent to models, and reports, by age."""
    entry = home.desk.retention
    simulated = [path for path in (home.path / "making").glob("*") if not (path / "making.jsonl").exists()]
    for kind, folders, days in (
        ("maker", iter(simulated), entry.makers_days),
        ("recording", recorded_days(home.path / "recordings"), entry.recordings_days),
        ("recording", (home.path / "level2").glob(BOOK_DAYS), entry.recordings_days),
        ("sent", (home.path / "turns").glob("*"), entry.sent_days),
    ):
        for path in sorted(folders) if days else ():
            if path.is_dir() and (age := _youngest_days(path, now_ms)) > days:
                yield RetentionStep(kind, path, "remove", _size(path), f"{age:.0f} days old, kept for {days:g}")
    for path in sorted((home.path / "reports").glob("*")) if entry.reports_days else ():
        if path.is_file() and (age := _age_days(path, now_ms)) > entry.reports_days:
            yield RetentionStep("report", path, "remove", _size(path), f"{age:.0f} days old, kept for {entry.reports_days:g}")


def recorded_days(folder: Path) -> list[Path]:
    """The folder of each recorded day, packed (a day an instrument) or not."""
    return [*folder.glob("*/[0-9]*-*-*"), *folder.glob("venue=*/instrument=*/day=*")]


def _age_days(path: Path, now_ms: int) -> float:
    """Since it was written last; 0 for what is gone."""
    try:
        return (now_ms / 1000 - path.stat().st_mtime) / 86_400
    except OSError:
        return 0.0


def _youngest_days(folder: Path, now_ms: int) -> float:
    return min((_age_days(path, now_ms) for path in folder.rglob("*") if path.is_file()), default=_age_days(folder, now_ms))


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    try:
        return path.stat().st_size if path.is_file() else sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    except OSError:
        return 0


def _remove(path: Path) -> None:
    """A folder first gets a name that no reader looks for: half of a run is never seen."""
    asked = path.with_name(f"{ASKED}{path.name}")
    found = asked if asked.exists() else path
    if not found.is_dir():
        found.unlink(missing_ok=True)
        return
    away = path.with_name(f"{GONE}{path.name.removeprefix(GONE)}")
    found.rename(away)
    shutil.rmtree(away)


def _compress(path: Path, target: Path | None = None) -> None:
    """Pack a file beside itself, and remove it once the packed one is on the disk and reads back the same."""
    packed = target or path.with_name(f"{path.name}.gz")
    draft = packed.with_name(f".{packed.name}.new")
    try:
        with path.open("rb") as source, draft.open("wb") as out:
            with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as zipped:
                shutil.copyfileobj(source, zipped, PIECE)
            out.flush()
            os.fsync(out.fileno())
        with path.open("rb") as source, gzip.open(draft) as again:
            while piece := again.read(PIECE):
                if piece != source.read(len(piece)):
                    raise OSError("the packed file reads back differently")
        draft.replace(packed)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    if target is None:
        path.unlink()


def _turn_over(path: Path) -> None:
    """Pack what a log has, then empty it: whoever appends to it goes on at its new end. A line written in between may be lost."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    _compress(path, path.with_name(f"{path.stem}-{stamp}{path.suffix}.gz"))
    os.truncate(path, 0)


def apply_retention(home: "Home", now_ms: int) -> list[RetentionStep]:
    """Plan and carry out, for the schedule: a database that cannot be asked means that nothing is removed."""
    try:
        done = carry_out(plan(home, now_ms), lambda: names(home, now_ms))
    except DeskError:
        done = []
    keep_done(home, now_ms, done)
    return done


def keep_done(home: "Home", now_ms: int, done: list[RetentionStep]) -> None:
    """Keep what this look came to, for the page."""
    keep_look(home.path, now_ms, (step.bytes for step in done if step.act == "remove"))

"""The run store: one folder per run under $NIGHTDESK_HOME/runs and one row in the database.

Called by app/jobs/kinds.py (keep, find a cached run), the explainers, the tools and the command line (read). A folder appears
atomically: it is written under a temporary name and renamed when everything is on disk.

    run.json           the report as JSON: configuration, data, metrics, scenarios, hashes, versions
    rows.parquet       the journal rows of the run, as numbers (core/row_fields.py says what they mean)
    equity.parquet     close_ms, equity, and the equity of the other scenario
    trips.parquet decisions.parquet
    report.html        the page

A run's id is `r-<UTC day it was made>-<first 8 hex digits of its cache key>`: the same run on the same day has the same
id, and when it is repeated without the cache, `-2`, `-3` ... follow.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import BadInput, DataError

if TYPE_CHECKING:  # reading a run's summary must not load polars
    import polars as pl

ID = re.compile(r"r-\d{8}-[0-9a-f]{8}(-\d+)?")
NEW = ".new-"
SUMMARY = ("total_return_frac", "sharpe", "sharpe_low", "sharpe_high", "max_drawdown_frac", "trades")
FRAMES = ("rows", "equity", "trips", "decisions")
TRIES = 1_000


def sha256_of_json(value: Any) -> str:
    """SHA-256 of a JSON value, whatever the order of its keys; raises ValueError for NaN or infinite numbers."""
    import hashlib

    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class Runs:
    """The runs of one home. `engine` is the database, or None when only the folders exist."""

    def __init__(self, folder: Path, engine: Any = None) -> None:
        self.folder, self.engine = Path(folder), engine

    def keep(
        self,
        run: Mapping[str, Any],
        frames: "Mapping[str, pl.DataFrame]",
        page: Callable[[Mapping[str, Any]], str],
        now_ms: int,
    ) -> dict[str, Any]:
        """Store a run; returns its JSON with `run_id` and `folder` added.

        run: the report (plain JSON values, `cache_key` in it); frames: one for each of FRAMES; page: makes the HTML. Raises
        OSError when the disk does not take it; then nothing of it is left.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._sweep()
        run_id, place = self._reserve(f"r-{datetime.fromtimestamp(now_ms / 1000, UTC):%Y%m%d}-{run['cache_key'][:8]}")
        stored = {"run_id": run_id, **run, "created_ms": now_ms, "folder": str(self.folder / run_id)}
        try:
            for name in FRAMES:
                _write_frame(frames[name], place / f"{name}.parquet")
            (place / "report.html").write_bytes(page(stored).encode())
            (place / "run.json").write_text(json.dumps(stored, indent=1, allow_nan=False) + "\n", encoding="utf-8")
            digests = {name: _digest_of(place / name) for name in ("run.json", *(f"{name}.parquet" for name in FRAMES))}
            (place / "pid").unlink()
            _to_disk(place)
            place.rename(self.folder / run_id)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        _sync(self.folder)
        self._row(stored, digests)
        return stored

    def _reserve(self, stem: str) -> tuple[str, Path]:
        """A free id, and the folder to write it in; making that folder is the claim."""
        for n in range(1, TRIES):
            run_id = stem if n == 1 else f"{stem}-{n}"
            place = self.folder / f"{NEW}{run_id}"
            if (self.folder / run_id).exists() or self._has_row(run_id):  # a folder may have been moved away
                continue
            try:
                place.mkdir()
            except FileExistsError:
                continue
            try:
                (place / "pid").write_text(str(os.getpid()))
            except OSError:  # without it nobody could tell that the folder is left over
                shutil.rmtree(place, ignore_errors=True)
                raise
            return run_id, place
        raise DataError(f"{self.folder} holds {TRIES} runs named {stem}", "move old runs away")

    def _has_row(self, run_id: str) -> bool:
        """Whether the database knows a run of that id."""
        if self.engine is None:
            return False
        from engine.store.db import read
        from engine.store.tables import Run

        with read(self.engine) as session:
            return session.get(Run, run_id) is not None

    def _sweep(self) -> None:
        """Remove unfinished folders of processes that no longer run."""
        for place in self.folder.glob(f"{NEW}*"):
            try:
                pid = int((place / "pid").read_text())
            except (OSError, ValueError):
                continue  # being made or being finished at this moment
            if not _alive(pid):
                shutil.rmtree(place, ignore_errors=True)

    def _row(self, run: Mapping[str, Any], digests: Mapping[str, str]) -> None:
        """Write the run's row, which lists and the cache read; with the digests of its files."""
        if self.engine is None:
            return
        from engine.store.db import write
        from engine.store.tables import Run

        symbol = run["symbol"] if run.get("pairs") else run["sleeves"][0]["symbol"]  # of a basket all of its legs
        with write(self.engine) as session:
            session.add(
                Run(
                    id=run["run_id"],
                    created_ms=run["created_ms"],
                    strategy=run["strategy"],
                    symbol=symbol,
                    timeframe=run["timeframe"],
                    cache_key=run["cache_key"],
                    state="done",
                    folder=run["folder"],
                    summary=json.dumps(summary_of(run), allow_nan=False),
                    body=json.dumps({"sha256": digests}),
                )
            )

    def cached(self, cache_key: str) -> dict[str, Any] | None:
        """The newest stored run of this key that can be read, or None: what was damaged is run again."""
        if self.engine is None:
            return None
        from sqlmodel import select

        from engine.store.db import read
        from engine.store.tables import Run

        query = select(Run.id).where(Run.cache_key == cache_key, Run.state == "done").order_by(Run.created_ms.desc())  # type: ignore[attr-defined]  # a column
        with read(self.engine) as session:
            ids = list(session.exec(query))
        for run_id in ids:
            with suppress(BadInput, DataError):
                return self.load(run_id)
        return None

    def latest(self, count: int = 20) -> list[dict[str, Any]]:
        """The newest runs as their rows say, newest first."""
        if self.engine is None:
            return []
        from sqlmodel import select

        from engine.store.db import read
        from engine.store.tables import Run

        with read(self.engine) as session:
            rows = list(session.exec(select(Run).order_by(Run.created_ms.desc()).limit(count)))  # type: ignore[attr-defined]  # a column
            return [
                row.model_dump(exclude={"summary", "body"}) | json.loads(row.summary) | {"name": json.loads(row.body).get("name")}
                for row in rows
            ]

    def give_name(self, run_id: str, name: str) -> None:
        """The name that a person gave a run, kept in its row; empty takes it away. Raises BadInput for an unknown id."""
        from engine.store.db import write
        from engine.store.tables import Run

        self.path(run_id)
        with write(self.engine) as session:
            row = session.get(Run, run_id)
            if row is None:
                raise BadInput(f"run {run_id} has no row in this database", "it was copied here; run it again to list it")
            row.body = json.dumps({**json.loads(row.body), "name": name or None})
            session.add(row)

    def name_of(self, run_id: str) -> str:
        """The name that a person gave a run; empty without one."""
        if self.engine is None:
            return ""
        from engine.store.db import read
        from engine.store.tables import Run

        with read(self.engine) as session:
            row = session.get(Run, run_id)
            return str(json.loads(row.body).get("name") or "") if row else ""

    def load(self, run_id: str) -> dict[str, Any]:
        """A run's JSON. Raises BadInput for an invalid or unknown id, DataError for a damaged folder, and for a file that is not
        what was stored: figures that somebody edited are no evidence.
        """
        path = self.path(run_id) / "run.json"
        self._require_unchanged(run_id, path)
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"run {run_id}: {path} cannot be read ({error})", "run the backtest again") from error
        return {**found, "folder": str(path.parent)}

    def frame(self, run_id: str, name: str) -> "pl.DataFrame":
        """One of the run's frames (FRAMES)."""
        path = self.path(run_id) / f"{name}.parquet"
        self._require_unchanged(run_id, path)
        import polars as pl

        try:
            return pl.read_parquet(path)
        except (OSError, pl.exceptions.PolarsError) as error:
            what = (str(error).splitlines() or ["?"])[0]
            raise DataError(f"run {run_id}: {path} cannot be read ({what})", "run the backtest again") from error

    def require_unchanged(self, run_id: str) -> None:
        """Raise DataError when any file of a run is not what was stored: before it is evidence, or shown as such."""
        for name in ("run.json", *(f"{name}.parquet" for name in FRAMES)):
            self._require_unchanged(run_id, self.path(run_id) / name)

    def _require_unchanged(self, run_id: str, path: Path) -> None:
        """Raise DataError for a file whose digest is not the one in the run's row; runs of before, or copied here, have none."""
        if self.engine is None:
            return
        from engine.store.db import read
        from engine.store.tables import Run

        with read(self.engine) as session:
            row = session.get(Run, run_id)
            noted = (json.loads(row.body).get("sha256") or {}).get(path.name) if row else None
        if noted is not None and path.is_file() and _digest_of(path) != noted:
            raise DataError(f"run {run_id}: {path.name} was changed since it was stored", "run the backtest again")

    def path(self, run_id: str) -> Path:
        """The run's folder; BadInput for an invalid or unknown id."""
        if ID.fullmatch(run_id) is None:
            raise BadInput(
                f"{run_id!r} is not a valid run id", "a run id looks like r-20250314-1a2b3c4d; see nightdesk runs list"
            )
        place = self.folder / run_id
        if not place.is_dir():
            near = sorted(p.name for p in self.folder.glob(f"r-*{run_id[-8:]}*")) if self.folder.is_dir() else []
            hint = f"did you mean {near[-1]}?" if near else "see nightdesk runs list"
            raise BadInput(f"no run {run_id} under {self.folder}", hint)
        return place


def summary_of(run: Mapping[str, Any]) -> dict[str, Any]:
    """What lists show of a run, from its JSON; kept in its row."""
    metrics, data, sleeves = run["metrics"], run["data"], run["sleeves"]
    found = {name: metrics.get(name) for name in SUMMARY} | {"source": data["source"]}
    found |= {"life": life["text"]} if (life := run.get("life")) else {}
    sides = list(dict.fromkeys(str(s.get("side") or "both") for s in sleeves))
    shown = {
        "venue": run.get("venue"),
        "first_ms": data.get("first_ms"),
        "last_ms": data.get("last_ms"),
        "side": sides[0] if len(sides) == 1 else "mixed",
        "fills": run.get("fills"),
        "funding": run.get("funding"),
        "fees": metrics.get("fees"),
        "slippage": metrics.get("slippage"),
        "paid_funding": metrics.get("funding"),
        "optimistic": (run.get("scenarios") or {}).get("optimistic"),
        "params": run.get("params") or {},
    }
    return found | shown


def _digest_of(path: Path) -> str:
    """SHA-256 of a file in hex."""
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_frame(frame: "pl.DataFrame", path: Path) -> None:
    """Write a parquet file; what polars says of a failing disk is an OSError again."""
    from polars.exceptions import PolarsError

    try:
        frame.write_parquet(path, compression="zstd")
    except PolarsError as error:
        if number := re.search(r"\(os error (\d+)\)", str(error)):
            raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
        raise OSError(f"{path.name} cannot be written ({(str(error).splitlines() or ['?'])[0]})") from error


def _alive(pid: int) -> bool:
    """True while a process of that number runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _to_disk(place: Path) -> None:
    """Every file of the folder, and the folder, on disk before it gets its name."""
    for path in place.iterdir():
        _sync(path)
    _sync(place)


def _sync(path: Path) -> None:
    """fsync of a file or a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

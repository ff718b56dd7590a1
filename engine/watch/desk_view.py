"""The desk as one value: last mark, halt latch, worker. Called by the tools, the API with its metrics, and `status`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine

from engine.control import halt
from engine.store.chain import Event
from engine.watch.health import holder
from engine.watch.heartbeat import heartbeat_of
from engine.watch.window import journal_of, mark_at, start_of


@dataclass(frozen=True)
class WorkerState:
    """The trading process at its last heartbeat; a dead one has neither pace nor replay."""

    running: bool
    pid: int | None
    phase: str | None
    note: str
    beat_ms: int | None
    bars_per_second: float | None
    replay_until_ms: int | None


class DeskView(NamedTuple):
    """The desk now. What the last mark says is None, or empty, before the first bar."""

    mark: Event | None
    event: str | None  # id of the mark
    desk_ms: int | None  # close of the last bar it decided on
    source: str | None  # of the bars: recorded | pulled | synthetic
    stamp: str | None  # PAPER or REPLAYED, while a worker runs
    halt: halt.Latch
    worker: WorkerState
    state: str | None
    equity: float | None
    peak: float | None
    drawdown_frac: float | None  # lost since the peak
    gross: float | None
    gross_frac: float | None  # times equity
    breakers: list[str]
    bars: int
    version: int | None
    sleeves: Mapping[str, Mapping[str, Any]]


def desk_view(home: Path, engine: Engine) -> DeskView:
    """Read the desk of a home."""
    path, pid, beat = journal_of(home), holder(home / "journal" / "desk.lock"), heartbeat_of(home)
    mark = mark_at(path)
    get: Callable[[str], Any] = ({} if mark is None else mark.body).get
    now: Mapping[str, Any] = {"phase": "not running"} if pid is None else beat
    pace = (beat.get("wall_ms"), now.get("bars_per_second"), now.get("replay_until_ms"))
    worker = WorkerState(pid is not None, pid or None, now.get("phase"), str(beat.get("note") or ""), *pace)
    equity, peak, gross = get("equity"), get("peak"), get("gross")
    lost = 1 - equity / peak if equity is not None and peak else None
    times = gross / equity if gross is not None and equity is not None and equity > 0.0 else None
    where = (mark, mark and mark.id, mark and mark.t_event_ms, start_of(path).get("source"), now.get("stamp"))
    follows = (list(get("tripped") or ()), get("bars") or 0, get("version"), get("sleeves") or {})
    return DeskView(*where, halt.read(home, engine), worker, get("state"), equity, peak, lost, gross, times, *follows)

"""The desk as one value: last mark, halt latch, worker. Called by the tools, the API with its metrics, and `status`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine

from engine.amounts import percent_text, signed_text
from engine.control import halt
from engine.control.canary import canaries
from engine.store.chain import Event
from engine.watch.canaries import states
from engine.watch.health import worker_pid
from engine.watch.heartbeat import heartbeat_of
from engine.watch.window import journal_of, mark_at, mode_of, start_of


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
    source: str | None  # of the bars: recorded | pulled | synthetic | live
    stamp: str | None  # REPLAYED, PAPER, SHADOW, TESTNET or LIVE, while a worker runs
    mode: str  # paper, or shadow, testnet or live of the account that the desk trades
    halt: halt.Latch
    worker: WorkerState
    state: str | None
    equity: float | None
    peak: float | None  # the highest equity ever, whatever was released since
    drawdown_frac: float | None  # lost since then
    breaker_peak: float | None  # what the drawdown breaker measures from: the peak since the start or the last release
    breaker_drawdown_frac: float | None
    gross: float | None
    gross_frac: float | None  # times equity
    breakers: list[str]
    bars: int
    version: int | None
    sleeves: Mapping[str, Mapping[str, Any]]
    incident: float | None = None  # P&L that was made in incident windows, of the equity; None: none was ever open
    orphan_pnl: float | None = None  # of executions that no order explains, beside the equity
    windows: tuple[str, ...] = ()  # incident windows that are open
    basket: Mapping[str, Any] | None = None  # of a desk that trades one: its money, gross and net, and each pair
    canaries: Mapping[str, str] = {}  # sleeve -> the sentence of its canary, where one runs or waits for a person


def desk_view(home: Path, engine: Engine) -> DeskView:
    """Read the desk of a home."""
    path, pid, beat = journal_of(home), worker_pid(home), heartbeat_of(home)
    mark = mark_at(path)
    get: Callable[..., Any] = ({} if mark is None else mark.body).get
    now: Mapping[str, Any] = {"phase": "not running"} if pid is None else beat
    pace = (beat.get("wall_ms"), now.get("bars_per_second"), now.get("replay_until_ms"))
    worker = WorkerState(pid is not None, pid or None, now.get("phase"), str(beat.get("note") or ""), *pace)
    equity, gross, reference = get("equity"), get("gross"), get("peak")
    peak = get("high_water", reference)
    lost = (peak, drawdown(equity, peak), reference, drawdown(equity, reference))
    times = gross / equity if gross is not None and equity is not None and equity > 0.0 else None
    source, mode = now.get("source") or start_of(path).get("source"), mode_of(path)
    where = (mark, mark and mark.id, mark and mark.t_event_ms, source, now.get("stamp"), mode)
    follows = (list(get("tripped") or ()), get("bars") or 0, get("version"), get("sleeves") or {})
    apart = (get("incident"), get("orphan_pnl"), tuple(get("windows") or ()), get("basket"))
    after: Any = (*apart, states(canaries(engine), home))
    return DeskView(*where, halt.read(home, engine), worker, get("state"), equity, *lost, gross, times, *follows, *after)


def incident_text(view: DeskView) -> str:
    """What of the desk's P&L is of incidents, in words; "" where no window was ever open."""
    if view.incident is None and not view.windows and not view.orphan_pnl:
        return ""
    text = f"in incidents {signed_text((view.incident or 0.0) + (view.orphan_pnl or 0.0))}, apart from the strategies"
    text += f" ({view.orphan_pnl:+,.2f} of it of no sleeve)" if view.orphan_pnl else ""
    return text + (f"; OPEN: {', '.join(view.windows)}, see nightdesk incidents list" if view.windows else "")


def drawdown(equity: float | None, peak: float | None) -> float | None:
    """The share of the peak that is lost; None where either is not known."""
    return 1 - equity / peak if equity is not None and peak else None


def drawdown_text(view: DeskView) -> str:
    """The drawdown in words: from the highest equity ever, and from the breaker's reference where a release has moved it."""
    if view.peak is None or view.drawdown_frac is None:
        return "drawdown unknown"
    text = f"drawdown {percent_text(view.drawdown_frac)} from the peak {view.peak:,.2f}"
    if view.breaker_peak is None or view.breaker_peak >= view.peak or view.breaker_drawdown_frac is None:
        return text
    since = percent_text(view.breaker_drawdown_frac)
    return f"{text}; the breaker measures from {view.breaker_peak:,.2f} since the last release: {since}"


def release_effect(view: DeskView, drawdown_frac_max: float) -> str:
    """What a release changes, for the person who is about to make it; "" before the first bar."""
    if view.equity is None or view.peak is None or view.drawdown_frac is None:
        return ""
    stop = view.equity * (1.0 - drawdown_frac_max)
    lost = percent_text(view.drawdown_frac)
    return (
        f"The desk is {lost} below its highest equity {view.peak:,.2f}. A release lets it trade again and moves the drawdown "
        f"breaker's reference to the equity now, {view.equity:,.2f}: it halts next at {stop:,.2f}, which is "
        f"{percent_text(1 - stop / view.peak)} below the highest equity."
    )

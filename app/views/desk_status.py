"""What the desk is, read from outside: who works, on which bars, and how it stands. Called by `up`, `status` and the API.

Everything comes from the end of the desk journal, the worker's last word about itself, the halt latch and the configuration.
"""

from typing import Any

from app.home.home import Home
from engine.watch.heartbeat import heartbeat_of


def running(home: Home) -> str | None:
    """Who holds the home's worker place, as ` (process 12)`; None when it is free."""
    from engine.watch.health import holder

    pid = holder(home.path / "journal" / "desk.lock")
    return None if pid is None else f" (process {pid})" if pid else ""


def walks_on(home: Home) -> str:
    """The source of the desk's bars, in words."""
    from engine.control.config import active

    config = active(home.engine)[1]
    if all(sleeve.venue == "synthetic" for sleeve in config.sleeves):
        return "a SYNTHETIC market, no real prices"
    found = {
        s.source
        for sleeve in config.sleeves
        for s in home.catalog.series()
        if (s.venue, s.symbol, s.market, s.series) == (sleeve.venue, sleeve.symbol, sleeve.market, sleeve.timeframe)
    }
    names = ", ".join(dict.fromkeys(f"{sleeve.venue} {sleeve.symbol}" for sleeve in config.sleeves))
    return f"{' and '.join(sorted(found)) or 'no'} bars of {names}"


def state_of(home: Home) -> dict[str, Any]:
    """What the journal's last mark, the halt latch and the configuration say."""
    from engine.control import halt
    from engine.control.config import active_version
    from engine.watch.window import journal_of, mark_at, start_of

    path = journal_of(home.path)
    mark, latch, beat = mark_at(path), halt.read(home.path, home.engine), heartbeat_of(home.path)
    alive = running(home) is not None
    body = mark.body if mark is not None else {}
    return {
        "home": home.path,
        "desk_ms": mark.t_event_ms if mark is not None else None,
        "event": mark.id if mark is not None else None,
        "source": start_of(path).get("source"),
        "mode": "paper",
        "worker": {"running": alive, "phase": beat.get("phase") if alive else "not running", "note": beat.get("note", "")},
        "state": body.get("state"),
        "halt": {"halted": latch.halted, "reason": latch.reason, "by": latch.by},
        "equity": body.get("equity"),
        "peak": body.get("peak"),
        "gross": body.get("gross"),
        "breakers": body.get("tripped", []),
        "bars": body.get("bars", 0),
        "version": body.get("version"),
        "active_version": active_version(home.engine),
        "sleeves": body.get("sleeves", {}),
    }

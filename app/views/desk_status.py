"""Who works in a home, and on which bars, in words. Called by `up` and the API. The desk's state: engine/watch/desk_view.py."""

from app.home.home import Home


def running(home: Home) -> str | None:
    """The process that holds the worker lock, as ` (process 12)`; None when none runs."""
    from engine.watch.health import worker_pid

    pid = worker_pid(home.path)
    return None if pid is None else f" (process {pid})" if pid else ""


def walks_on(home: Home) -> str:
    """What the desk trades on, in words."""
    from engine.control.config import active

    config = active(home.engine, home.path).config
    if all(sleeve.venue == "synthetic" for sleeve in config.sleeves):
        return "a SYNTHETIC market, no real prices"
    found = (
        {"live"}
        if home.desk.data.source == "live"
        else {
            s.source
            for sleeve in config.traded
            for s in home.catalog.series()
            if (s.venue, s.symbol, s.market, s.series) == (sleeve.venue, sleeve.symbol, sleeve.market, sleeve.timeframe)
        }
    )
    names = ", ".join(dict.fromkeys(f"{sleeve.venue} {sleeve.symbol}" for sleeve in config.traded))
    return f"{' and '.join(sorted(found)) or 'no'} bars of {names}"

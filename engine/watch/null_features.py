"""Features that have no value at a sleeve's last close, so many that it enters nothing: an alert with their names while it lasts.

Read from the `bar` events of the desk journal by engine.watch.observer; what blocks the entry is engine/live/signal_source.py.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.book.bar_signals import lacking_in, lacking_text
from engine.store.chain import Event
from engine.watch.last_closes import closes_of
from engine.watch.observation import DeskObservation, Finding, data_trouble, instrument_of, is_gone, is_trading, position_text

SHOWN_MAX = 20  # sleeves with an alert of their own
ACTION = "nightdesk data sources says which series count no longer; nightdesk data list from when on there are bars"


def lacking_now(path: Path, mark: Event | None, config: Mapping[str, Any]) -> dict[str, list[str]]:
    """Sleeve -> the features that kept it from entering at the last close of its own timeframe; only those that lack some."""
    found = {name: lacking_in(body, name) for name, body in closes_of(path, mark, config).items()}
    return {name: lacking for name, lacking in found.items() if lacking}


def null_features(desk: DeskObservation) -> Iterator[Finding]:
    """A sleeve that enters nothing because features have no value; not where it is the bar that is missing, or the instrument."""
    if not is_trading(desk) or desk.mark is None:
        return
    places = {name: instrument_of(desk, name) for name in desk.lacking}
    own = {n: lacking for n, lacking in desk.lacking.items() if not (data_trouble(desk, places[n]) or is_gone(desk, places[n]))}
    for sleeve, lacking in sorted(own.items())[:SHOWN_MAX]:
        what = f"{sleeve} enters nothing: {lacking_text(lacking)}; {position_text(desk, sleeve)}"
        numbers = {"missing": len(lacking)}
        yield Finding(f"features:{sleeve}", "features", "warn", what, sleeve, desk.mark.t_recv_ms, ACTION, numbers, desk.mark.id)

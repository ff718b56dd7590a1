"""Where shadows of stored models are journaled, and which run. Called by the supervisor's schedule, which loads no numpy, by
model_shadows.py, the tools and the page.
"""

from pathlib import Path

from engine.clock import DAY_MS
from engine.store.journal import read

KIND = "shadow"


def place_of(home: Path) -> Path:
    """The journal of all shadows."""
    return home / "journal" / "models.jsonl"


def any_runs(home: Path) -> bool:
    """Whether a shadow was begun and not stopped."""
    return bool(running(home))


def running(home: Path) -> dict[str, tuple[str, float]]:
    """`vol-btc@1.3.0` -> the sleeve that it is a shadow of, and how many days of desk time it has recorded."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for event in read(place_of(home), {KIND}):
        key = str(event.body["model"]), str(event.body["sleeve"])
        if event.body["what"] == "begin":
            found[key] = (event.t_event_ms, event.t_event_ms)
        elif event.body["what"] == "stop":
            found.pop(key, None)
        elif key in found:
            found[key] = (found[key][0], event.t_event_ms)
    return {model: (sleeve, (last - begun) / DAY_MS) for (model, sleeve), (begun, last) in found.items()}

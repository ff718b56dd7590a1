"""Where shadows of stored models are journaled, and whether one runs. Called by the supervisor's schedule, which loads no
numpy, and by model_shadows.py.
"""

from pathlib import Path

from engine.store.journal import read

KIND = "shadow"


def place_of(home: Path) -> Path:
    """The journal of all shadows."""
    return home / "journal" / "models.jsonl"


def any_runs(home: Path) -> bool:
    """Whether a shadow was begun and not stopped."""
    running: set[tuple[str, str]] = set()
    for event in read(place_of(home), {KIND}):
        key = str(event.body["sleeve"]), str(event.body["model"])
        if event.body["what"] == "begin":
            running.add(key)
        elif event.body["what"] == "stop":
            running.discard(key)
    return bool(running)

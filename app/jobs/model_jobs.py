"""What a job does with a stored model: its drift, its training anew. Called by app/jobs/queue.py in the job's own process.

The modules that do it load frames and learners, which a page's process does not: they are imported here when a job runs.
"""

from collections.abc import Mapping
from typing import Any

from app.home.home import Home
from app.jobs import kinds


def drift(home: Home, args: Mapping[str, Any], progress: kinds.Progress) -> dict[str, Any]:
    """What a stored model reads now beside what it was trained on: `model`, `days`."""
    from app.jobs import model_drift

    return model_drift.drift(home, str(args["model"]), int(args.get("days") or model_drift.DAYS), progress)


def train(home: Home, args: Mapping[str, Any], progress: kinds.Progress) -> dict[str, Any]:
    """Train a stored model again: `model`, NAME or NAME@VERSION. One that was stopped goes on with its folds when asked again."""
    from app.jobs import training

    found = training.train_again(home, str(args["model"]), progress)
    return {"text": found["text"], "model": f"{found['items'][0]['name']}@{found['items'][0]['version']}"}

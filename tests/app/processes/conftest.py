"""A worker's start in the test's own process: what it refuses needs no process of its own."""

import time
from collections.abc import Callable

import pytest

from app.processes import worker
from app.processes.worker import Pause

POSITIONS = ("nightdesk worker: NOBODY LOOKS AFTER", "nightdesk worker: looks after")


def without_positions(said: str) -> str:
    """What a worker said, but for the positions it takes up or leaves open."""
    return "".join(line for line in said.splitlines(keepends=True) if not line.startswith(POSITIONS))


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """What the process runs, in this one, whose environment and signals stay as they are: (exit code, what it said)."""

    class Unsignalled(Pause):
        def __init__(self) -> None:
            self.stopping = False

        def sleep(self, seconds: float) -> None:
            time.sleep(seconds)

    monkeypatch.setattr(worker, "clean", lambda words: None)
    monkeypatch.setattr(worker, "again", lambda words: pytest.fail("it went on as if nothing were wrong"))
    monkeypatch.setattr(worker, "Pause", Unsignalled)

    def run(*words: str) -> tuple[int, str]:
        return worker.main(list(words)), without_positions(capsys.readouterr().err)

    return run

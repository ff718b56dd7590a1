"""What is said to follow a halt or an approval: only a worker that runs is promised to act, and what stays open is named."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.watch.following import HALT, LATE_MS, VERSION, carried_out
from engine.watch.health import SILENT_MS
from engine.watch.heartbeat import FILE

NOW = 1_760_000_000_000
OPEN = "btc short 0.02 binance:BTC-USDT:perp, stop at 88036.5"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home without a worker; its last heartbeat had an open position."""
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "desk.lock").touch()
    beat(tmp_path, 0)
    return tmp_path


@pytest.fixture
def running(home: Path) -> Iterator[Path]:
    """The same while this process holds its lock, as a worker would."""
    with (home / "journal" / "desk.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield home


def beat(home: Path, age_ms: int, **more: Any) -> None:
    """A heartbeat of that age."""
    body = {"pid": os.getpid(), "wall_ms": NOW - age_ms, "phase": "running", "note": "", "open": [OPEN], **more}
    (home / FILE).write_text(json.dumps(body))


def test_without_a_worker_nothing_is_promised(home: Path) -> None:
    """A halt names the positions that stay open and how to be flat; a new version waits."""
    halted = carried_out(home, NOW, HALT)
    assert halted.startswith("NO WORKER RUNS: until one does (nightdesk up), nothing is cancelled or flattened.")
    assert halted.endswith(f" Open: {OPEN}.")
    assert carried_out(home, NOW, VERSION) == "NO WORKER RUNS: until one does (nightdesk up), the desk runs the version before."


@pytest.mark.parametrize(
    ("age_ms", "expected"),
    [
        (LATE_MS, "The worker cancels entries and flattens at the next open."),
        (LATE_MS + 1, "Its last heartbeat is 5 s old: check nightdesk status."),
        (SILENT_MS + 1, "THE WORKER DOES NOT ANSWER: the worker (process {pid}) hangs: no heartbeat for 30 s. Until it is ended"),
    ],
)
def test_a_silent_worker_is_said_to_be_silent(running: Path, age_ms: int, expected: str) -> None:
    """A stopped process keeps its lock: the age of its heartbeat counts, from the first late one on."""
    beat(running, age_ms)
    assert expected.format(pid=os.getpid()) in carried_out(running, NOW, HALT)
    assert ("nothing is cancelled or flattened" in carried_out(running, NOW, HALT)) == (age_ms > SILENT_MS)


def test_at_the_end_of_the_bars_a_halt_cannot_flatten(running: Path) -> None:
    """It is adopted there, but there is no next open yet."""
    beat(running, 100, phase="waiting")
    assert carried_out(running, NOW, HALT).endswith("It waits for bars: until one comes, positions stay open.")
    assert carried_out(running, NOW, VERSION) == "The worker adopts it within one bar."


def test_a_halt_is_never_kept_from_its_answer(running: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever cannot be read: one sentence, no error."""

    def broken(*_: Any) -> Callable[..., Any]:
        raise ZeroDivisionError

    monkeypatch.setattr("engine.watch.health.worker", broken)
    text = carried_out(running, NOW, HALT)
    assert text == "Whether a worker runs cannot be seen (ZeroDivisionError): look at nightdesk status."

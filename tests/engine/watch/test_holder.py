"""Who holds the worker's lock: seen also when the kernel's list leaves it out for a moment, as it does under load."""

import fcntl
import os
from pathlib import Path

import pytest

from engine.watch import health


def test_a_held_lock_is_seen_although_a_list_left_it_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first looks find nothing, a later one does; a free lock and a missing file belong to nobody."""
    lock, looks, real = tmp_path / "desk.lock", [0], health.lock_list

    def skipping() -> list[str]:
        looks[0] += 1
        return [] if looks[0] < health.LOOKS else real()

    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert health.holder(lock) == os.getpid()
        monkeypatch.setattr(health, "lock_list", skipping)
        assert health.holder(lock) == os.getpid()
    looks[0] = 0
    assert health.holder(lock) is None
    assert looks[0] == health.LOOKS
    assert health.holder(tmp_path / "none") is None

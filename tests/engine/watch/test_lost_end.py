"""A journal that ends before what its worker had reached has lost its end; one that is written meanwhile has not."""

from pathlib import Path

import pytest

from engine.store.chain import Event
from engine.watch import halt_left


@pytest.mark.parametrize(("seen_ms", "lost"), [(900_000, False), (1_800_000, True), (None, False)])
def test_what_the_worker_had_reached_is_compared(seen_ms: int | None, lost: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last mark is of 900 s."""
    monkeypatch.setattr(halt_left, "heartbeat_of", lambda _: {"desk_ms": seen_ms, "bars": 1})
    monkeypatch.setattr(halt_left, "mark_at", lambda _: Event("mark", 900_000, {}))
    assert bool(halt_left.lost_end(Path("home"))) is lost


def test_a_worker_that_goes_on_between_the_two_looks_has_lost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look is a bar later than the one before; a bar is in the journal before it is in the heartbeat."""
    clock = iter(range(0, 9_000_000, 900_000))
    monkeypatch.setattr(halt_left, "heartbeat_of", lambda _: {"desk_ms": next(clock), "bars": 1})
    monkeypatch.setattr(halt_left, "mark_at", lambda _: Event("mark", next(clock), {}))
    assert halt_left.lost_end(Path("home")) == ""


def test_a_desk_that_waits_for_its_first_bar_has_lost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its heartbeat carries where that bar opens, and the journal has no mark yet."""
    monkeypatch.setattr(halt_left, "heartbeat_of", lambda _: {"desk_ms": 900_000, "bars": 0})
    monkeypatch.setattr(halt_left, "mark_at", lambda _: None)
    assert halt_left.lost_end(Path("home")) == ""

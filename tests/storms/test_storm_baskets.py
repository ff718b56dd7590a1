"""Storms over a basket at an account: no pair has one leg for longer than a bar, pairs sum to legs, and each leg to its venue.

Default: six seeds at the port, two hours at OKX. The rest, and a planted bug, is long.
"""

from collections import Counter
from pathlib import Path

import pytest

from tests.storms.basket_bench_storm import stormed
from tests.storms.basket_storm import basket_weathered
from tests.storms.plan import VENUES, basket
from tests.storms.runs import done

FEW, MANY = range(6), range(1_000)
SAFE_MS = 5_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of the desk's journal."""
    return tmp_path / "desk.jsonl"


def met(seeds: range, folder: Path) -> tuple[list[str], Counter[str]]:
    """(what did not hold, what was met) over these seeds."""
    wrong, seen = list[str](), Counter[str]()
    for seed in seeds:
        storm = stormed(seed, folder / f"{seed}.jsonl")
        wrong += storm.wrong
        seen.update(storm.seen)
    return wrong, seen


@pytest.mark.parametrize("seeds", [FEW, pytest.param(MANY, marks=pytest.mark.long)], ids=["few", "many"])
def test_no_leg_is_alone_for_longer_than_a_bar(seeds: range, tmp_path: Path) -> None:
    """Refused, lost, unanswered, partial, late, closed by the venue, killed: at the end everything has left, and agrees."""
    wrong, seen = met(seeds, tmp_path)
    assert not wrong
    assert all(seen[kind] for kind in ("alone", "reduced", "late", "part", "kill", "trips")), seen


@pytest.mark.parametrize("venue", ["okx", *(pytest.param(name, marks=pytest.mark.long) for name in VENUES[1:])])
@pytest.mark.parametrize("bars", [8, pytest.param(96, marks=pytest.mark.long)])
def test_without_faults_nobody_is_woken(venue: str, bars: int, path: Path) -> None:
    """Every leg is covered within five seconds, every execution booked, no pair alone."""
    storm = basket_weathered(venue, path, 1, bars, quiet=0, naked_max_ms=SAFE_MS)
    assert not storm.wrong
    assert not storm.pages
    assert not storm.met["alone"]
    assert storm.met["fill"] > bars


@pytest.mark.long
@pytest.mark.parametrize("name", [basket(venue, seed).name for venue in VENUES for seed in range(4)])
def test_runs_of_the_plan(name: str) -> None:
    """Drawn faults, kills, a halt: no rule is broken."""
    part, venue, seed = name.split("/")
    assert part == "basket"
    assert done(basket(venue, int(seed)))["wrong"] == []


def late_is_lost(plant: pytest.MonkeyPatch) -> None:
    """What an order executes after its bar is nobody's."""
    plant.setattr("engine.book.executions.is_late", lambda *_: False)


@pytest.mark.long
def test_a_planted_bug_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With late executions nobody's, some seed breaks a rule or ends in an error."""
    late_is_lost(monkeypatch)
    assert any(breaks(seed, tmp_path / f"{seed}.jsonl") for seed in range(24))


def breaks(seed: int, path: Path) -> bool:
    """Whether a seed breaks a rule."""
    try:
        return bool(stormed(seed, path).wrong)
    except AssertionError:
        return True

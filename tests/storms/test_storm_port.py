"""Storms over a live account at the port: the laws of tests/storms/test_storm_live.py, many more days for the same work.

Default: a quarter of a day with lists that come doubled, shuffled, late and with holes. The rest is long.
"""

from pathlib import Path

import pytest

from engine.store.journal import journal_hash
from tests.storms.live_storm import weathered
from tests.storms.port_days import MET, VENUES, port_days
from tests.storms.test_storm_live import window

LISTS = ("list_twice", "list_shuffled", "list_gaps", "list_late", "partial_answer", "stale_positions")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of the desk's journal."""
    return tmp_path / "desk.jsonl"


@pytest.mark.parametrize("venue", ["port-okx", *(pytest.param(name, marks=pytest.mark.long) for name in VENUES[1:])])
def test_lists_that_cannot_be_trusted(venue: str, path: Path) -> None:
    """Each execution is booked once and each order of the desk known, whatever the lists leave out, repeat or confuse."""
    storm = weathered(venue, path, 1, 24, [window(kind, 2 + 2 * n, 2) for n, kind in enumerate(LISTS)], 8)
    assert not storm.wrong
    assert {kind for kind, count in storm.played.venue.faults.count.items() if count} >= set(LISTS)


@pytest.mark.long
@pytest.mark.parametrize("venue", VENUES)
def test_without_faults_nobody_is_woken(venue: str, path: Path) -> None:
    """Five days."""
    storm = weathered(venue, path, 1, 480, naked_max_ms=5_000)
    assert not storm.wrong
    assert not storm.pages


@pytest.mark.long
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("kind", MET)
def test_each_fault_at_the_port(kind: str, venue: str, path: Path) -> None:
    """Three windows of it, one of them at half its chances; it acts."""
    storm = weathered(venue, path, 1, 28, [window(kind, 3), window(kind, 7, 3, 0.5), window(kind, 13, 2)])
    assert not storm.wrong
    assert storm.played.venue.faults.count[kind]


@pytest.mark.long
@pytest.mark.parametrize("seed", range(12))
def test_days_at_the_port(seed: int, path: Path) -> None:
    """Two days of two dozen windows, with kills between."""
    assert not port_days(seed, path).wrong


@pytest.mark.long
def test_the_same_seed_is_the_same_journal(path: Path) -> None:
    """Faults and kills included."""
    hashes = []
    for name in ("a", "b"):
        port_days(5, path.with_name(name) / "desk.jsonl", 96)
        hashes.append(journal_hash(path.with_name(name) / "desk.jsonl"))
    assert hashes[0] == hashes[1]

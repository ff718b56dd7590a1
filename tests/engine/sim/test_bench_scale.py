"""`python -m bench scale`: what was measured is kept and not measured again; a long journal is one that a worker starts on."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.home.home import open_home
from bench.scale import journal, kept, packed
from engine.book.replay import fold, groups
from engine.book.snapshot import to_json
from engine.errors import DataError
from engine.store.journal import read, verify
from tests.fakes.papers import advanced, feed_of, furnished, loop_of


def test_a_bench_that_was_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell runs once; a line that a stop tore off is measured again, what comes after it is read; a failed one is not kept."""
    runs: list[Sequence[str]] = []
    answers = ['RESULT {"cpu_s": 1.5}', "", 'RESULT {"cpu_s": 2.5}']

    def run(command: Sequence[str], **_: Any) -> SimpleNamespace:
        runs.append(command)
        return SimpleNamespace(stdout=answers[0], stderr="why")

    monkeypatch.setattr(kept.subprocess, "run", run)
    monkeypatch.setattr(kept, "FIGURES", tmp_path / "figures.jsonl")
    for _ in range(2):
        assert kept.measured("desk", "bars", ["3"]) == {"cpu_s": 1.5}
    assert len(runs) == 1
    kept.FIGURES.write_text(kept.FIGURES.read_text()[:-5])
    for _ in range(2):
        assert kept.measured("desk", "bars", ["3"]) == {"cpu_s": 1.5}
    assert len(runs) == 2
    answers.pop(0)
    with pytest.raises(DataError, match="desk bars 10 did not finish"):
        kept.measured("desk", "bars", ["10"])
    answers.pop(0)
    assert kept.measured("desk", "bars", ["10"]) == {"cpu_s": 2.5}
    kept.measured("journal", "start", ["10"])
    kept.forget("desk")
    assert list(kept.kept()) == ["journal start 10"]


@pytest.mark.parametrize(
    ("sizes", "values", "factor"),
    [([1, 2, 8], [3, 1, 24], 2.0), ([1, 4], [5, 5], 1.0), ([10, 40], [1, 16], 4.0), ([1], [1], None), ([1, 2], [0, 1], None)],
)
def test_growth_is_per_doubling(sizes: list[float], values: list[float], factor: float | None) -> None:
    """From the first figure to the last; none without two sizes."""
    found = kept.per_doubling(sizes, values)
    assert found == (None if factor is None else pytest.approx(factor))


@pytest.mark.slow
def test_a_grown_journal_is_one_that_a_worker_starts_on(own_home: Path, tmp_path: Path) -> None:
    """Its chain verifies, it has one start, and it folds to the book that was lived, from its last snapshot."""
    furnished(own_home)
    home = open_home(0)
    loop = advanced(loop_of(home, feed_of(home)), 100)
    loop.journal.close()
    lived = list(groups(read(home.desk_journal)))
    path = tmp_path / "desk.jsonl"
    head, days = journal.grown(lived, path, 3)
    assert verify(path).ok
    assert days == 4 * 2
    assert head.seq == 4 * sum(map(len, lived)) - 3 * len(lived[0])
    assert sum("start" in event.body for event in read(path, {"config"})) == 1
    (was, now) = (fold(one) for one in (home.desk_journal, path))
    assert was is not None
    assert now is not None
    assert to_json(was) == to_json(now)
    times = [event.t_event_ms for event in read(path, {"bar"})]
    assert times == sorted(times)


def test_the_long_journal_of_lines_is_a_true_chain(own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies of a desk's own lines: numbered on, in order of time, hashed; each figure is there."""
    furnished(own_home)
    home = open_home()
    loop = advanced(loop_of(home, feed_of(home)), 120)
    loop.journal.close()
    (home.journal / "walked").touch()
    monkeypatch.setattr(packed, "walked_home", lambda: own_home)
    monkeypatch.setattr(packed, "place_of", lambda events: tmp_path / events)
    whole = verify(home.desk_journal).rows
    made = packed.make(str(3 * whole))
    path = tmp_path / str(3 * whole) / "journal" / "desk.jsonl"
    assert verify(path).ok
    assert verify(path).rows == made["events"] > 2 * whole * 0.8
    times = [event.t_event_ms for event in read(path) if event.kind != "incident"]
    assert times == sorted(times)
    monkeypatch.setattr(packed, "fold", lambda _: None)  # a desk this young has no snapshot from which its copy folds
    figures = packed.reading(str(3 * whole))
    assert figures["disk_bytes"] == figures["bytes"] == path.stat().st_size

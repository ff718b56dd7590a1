"""A packed day is the same tape: the same rows in the same order, at each moment of packing, and whatever breaks off."""

from pathlib import Path

import polars as pl
import pytest

from engine.errors import DataError
from engine.l2 import packing
from engine.l2.packing import pack_day, pack_days
from engine.l2.tape import BookTape, covered, parts_of, read_tape, span_of
from tests.engine.l2.test_recorder import events_of, play, recorder_in, tape_of
from tests.fakes.book_tapes import START_NS, Maker, made

DAY_MS = 86_400_000


def recorded(root: Path, parts: int = 12) -> Path:
    """A day in so many parts."""
    maker, recorder, n = Maker(61), recorder_in(root), 1
    messages = made(maker, 20 * parts, early=0)
    for k in range(parts):
        n = play(recorder, messages[20 * k : 20 * (k + 1)], n)
        recorder.flush(START_NS, force=True)
    return tape_of(root)


def same(one: BookTape, other: BookTape) -> bool:
    """Every message and level; rows too."""
    return all((a == b).all() for a, b in zip(one[5:], other[5:], strict=True))


def test_a_packed_day_is_the_same_tape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a few parts; a restart goes on behind them."""
    monkeypatch.setattr(packing, "ROWS", 500)
    tape = recorded(tmp_path)
    before = read_tape(tape)
    assert pack_day(tape) > 5
    assert 1 < len(parts_of(tape)) < 7
    assert same(read_tape(tape), before)
    assert pack_day(tape) == 0
    recorder = recorder_in(tmp_path)
    play(recorder, [Maker(62).snapshot()], 5_000)
    recorder.flush(START_NS, force=True)
    assert read_tape(tape).seq.tolist() == [*before.seq.tolist(), len(before.seq) + 1]


def test_a_reader_sees_each_row_once_at_each_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before, between and after the removal of each old part; a pass that is killed there is ended by the next."""
    tape = recorded(tmp_path)
    before = read_tape(tape)
    unlink, seen = Path.unlink, 0

    def dies(self: Path, *, missing_ok: bool = False) -> None:
        nonlocal seen
        assert same(read_tape(tape), before)
        seen += 1
        if seen == 5:
            raise KeyboardInterrupt
        unlink(self, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", dies)
    with pytest.raises(KeyboardInterrupt):
        pack_day(tape)
    assert same(read_tape(tape), before)
    assert pack_day(tape) == 8
    assert [part.name for part in tape.iterdir()] == ["part-000000000001-000000000240.parquet"]
    assert same(read_tape(tape), before)


def test_only_days_that_are_over_are_packed(tmp_path: Path) -> None:
    """Not today, nor yesterday, which a restart may still read."""
    tape = recorded(tmp_path)
    day_ms = START_NS // 1_000_000
    for later in (0, 1):
        assert pack_days(tape.parent, day_ms + later * DAY_MS) == []
    assert pack_days(tape.parent, day_ms + 2 * DAY_MS) == [tape.name]
    assert events_of(tmp_path) == ["resync"]


def test_a_damaged_part_or_a_full_disk_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line; every part is still there, and no draft."""
    tape = recorded(tmp_path)
    names = sorted(part.name for part in tape.iterdir())

    def full(_frame: pl.DataFrame, path: Path, **_options: str) -> None:
        path.write_bytes(b"PAR1 half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(pl.DataFrame, "write_parquet", full)
        with pytest.raises(DataError, match="No space left"):
            pack_day(tape)
    assert sorted(part.name for part in tape.iterdir()) == names
    (tape / names[3]).write_bytes(b"PAR1 no parquet")
    with pytest.raises(DataError, match="cannot be packed"):
        pack_day(tape)
    assert sorted(part.name for part in tape.iterdir()) == names


def test_what_covers_what() -> None:
    """A part is left out where another has all of it, and never where they only touch."""
    names = ["part-1-20", "part-1-60", "part-21-40", "part-41-60", "part-61-80", "part-70-90"]
    paths = [Path(f"{name}.parquet") for name in names]
    assert [path.stem for path in covered(paths)] == ["part-1-20", "part-21-40", "part-41-60"]
    with pytest.raises(DataError, match="not the name of a part"):
        span_of(Path("part-x.parquet"))
    assert covered([Path("part-x.parquet"), Path("part-1-9.parquet")]) == []

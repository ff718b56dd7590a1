"""A recording is what came: over cuts, kills, restarts, days and a disk that refuses; and it is read like any tape."""

from pathlib import Path

import polars as pl
import pytest

from engine.errors import BadInput, DataError
from engine.l2 import recorder as module
from engine.l2.checks import open_tape, sound_tape
from engine.l2.recorder import BookRecorder, BookRecorders
from engine.l2.tape import read_tape
from engine.venues.book_pushes import BookPush, TradePush
from tests.fakes.book_tapes import START_NS, STEP_NS, BookMessage, Maker, made, write_tape

DAY_NS = 86_400_000_000_000


def push_of(message: BookMessage) -> BookPush:
    """A message as a venue pushed it."""
    levels = [(int(side == "a"), price, quantity) for side, price, quantity in message.levels]
    return BookPush("ETH", message.kind == "snapshot", 0, message.first_id, message.last_id, message.prev_id, levels)


def recorder_in(root: Path, asked: list[str] | None = None) -> BookRecorder:
    """A recorder of okx ETH-USDT whose wishes for a snapshot are noted."""
    return BookRecorder(root, "okx", "ETH-USDT", "perp", (asked if asked is not None else []).append)


def play(recorder: BookRecorder, messages: list[BookMessage], begin: int = 1) -> int:
    """Give messages 100 ms apart; the number of the next one."""
    for n, message in enumerate(messages, begin):
        recorder.take(START_NS + n * STEP_NS, push_of(message))
    return begin + len(messages)


def tape_of(root: Path) -> Path:
    """The one tape below a folder."""
    (path,) = root.rglob("*_l2.parquet")
    return path


def events_of(root: Path) -> list[str]:
    """Kinds of the recorded events."""
    return [str(kind) for path in sorted(root.rglob("*_events.parquet/part-*.parquet")) for kind in pl.read_parquet(path)["kind"]]


def test_a_recording_is_the_tape_of_what_came(tmp_path: Path) -> None:
    """Message by message and level by level, in several parts; a message without levels, and trades, too."""
    maker = Maker(31)
    messages = [*made(maker, 60, early=0), maker.delta([]), *(maker.delta() for _ in range(30))]
    recorder = recorder_in(tmp_path / "own")
    for n, message in enumerate(messages, 1):
        recorder.take(START_NS + n * STEP_NS, push_of(message))
        if n % 25 == 0:
            recorder.take(START_NS + n * STEP_NS, TradePush("ETH", 1, 3000.0, 0.5, True))
            recorder.flush(START_NS, force=True)
    recorder.flush(START_NS, force=True)
    mine, theirs = read_tape(tape_of(tmp_path / "own")), read_tape(write_tape(tmp_path, messages))
    for name in ("seq", "kind", "recv_ns", "first_id", "last_id", "prev_id", "start", "side", "price", "lots"):
        assert (getattr(mine, name) == getattr(theirs, name)).all(), name
    opened = sound_tape(tape_of(tmp_path / "own"))
    assert opened.report.figures["deltas"]["applied"] == len(messages) - 1
    assert opened.trades is not None
    assert len(opened.trades.price) == 3
    assert recorder.size()._asdict() | {"parts": 0, "bytes": 0} == {
        "messages": 91, "levels": len(mine.price), "trades": 3, "gaps": 0, "resyncs": 1, "lost": 0, "parts": 0, "bytes": 0,
    }  # fmt: skip


def test_a_gap_asks_for_a_snapshot_once_and_is_closed_by_it(tmp_path: Path) -> None:
    """Everything that came is kept, also what waits; the events say when the book was lost and made anew."""
    maker, asked = Maker(32), list[str]()
    messages = made(maker, 300, early=0)
    maker.delta()
    messages += [maker.delta(), maker.delta(), maker.snapshot(), maker.delta()]
    recorder = recorder_in(tmp_path, asked)
    play(recorder, messages)
    recorder.flush(START_NS, force=True)
    assert asked == ["a message is missing"]
    assert events_of(tmp_path) == ["resync", "gap", "resync"]
    assert recorder.size().messages == len(messages)
    opened = sound_tape(tape_of(tmp_path))
    assert opened.report.figures["deltas"]["waiting"] == 0
    assert [f.rule for f in opened.report.issues] == ["gap"]


@pytest.mark.parametrize("chained", [True, False])
def test_deltas_while_a_snapshot_is_on_its_way_are_no_gap(tmp_path: Path, chained: bool) -> None:
    """Binance answers by REST while deltas go on: the next one follows them, and an answer older than the book is none either."""
    maker, asked = Maker(34, chained=chained), list[str]()
    shot, before = maker.snapshot(), [maker.delta() for _ in range(3)]
    messages = [*before, shot, maker.delta(), maker.delta()]
    shot = maker.snapshot()
    messages += [maker.delta(), maker.delta(), shot, maker.delta()]
    recorder = recorder_in(tmp_path, asked)
    play(recorder, messages)
    recorder.flush(START_NS, force=True)
    assert asked == []
    assert events_of(tmp_path) == ["resync"]
    opened = sound_tape(tape_of(tmp_path))
    assert opened.report.figures["deltas"]["applied"] == 8
    del messages[2]  # a hole among them is one
    recorder = recorder_in(tmp_path / "holed", asked)
    play(recorder, messages)
    assert asked == ["a message is missing"]


@pytest.mark.parametrize("chained", [True, False])
def test_ids_that_begin_anew_ask_for_a_snapshot(tmp_path: Path, chained: bool) -> None:
    """After seconds of nothing but ids that it has had; one message that comes late asks for none."""
    maker, asked = Maker(35, chained=chained), list[str]()
    messages = [maker.snapshot(), *(maker.delta() for _ in range(20))]
    messages += [messages[3], *(maker.delta() for _ in range(60))]
    recorder = recorder_in(tmp_path, asked)
    behind = play(recorder, messages)
    assert asked == []
    maker.last_id = 1
    behind = play(recorder, [maker.delta() for _ in range(110)], behind)
    assert asked == ["ids began anew"]
    play(recorder, [maker.snapshot(), *(maker.delta() for _ in range(60))], behind)
    recorder.flush(START_NS, force=True)
    assert asked == ["ids began anew"]
    assert events_of(tmp_path) == ["resync", "gap", "resync"]


def test_a_hundred_kills_lose_only_what_was_not_written(tmp_path: Path) -> None:
    """A recorder that is gone without a word leaves whole parts; the next one goes on behind them, and the tape is sound."""
    maker, written = Maker(33), 0
    n = 1
    for _ in range(100):
        recorder = recorder_in(tmp_path)
        n = play(recorder, [maker.snapshot(), *(maker.delta() for _ in range(20))], n)
        recorder.flush(START_NS, force=True)
        written += 21
        n = play(recorder, [maker.delta() for _ in range(3)], n)  # in memory when it is killed
    stray = tape_of(tmp_path) / ".part-000000000001-000000000002.parquet.77"
    stray.write_bytes(b"half a part")
    tape = read_tape(tape_of(tmp_path))
    assert len(tape.kind) == written == 2100
    assert tape.seq.tolist() == list(range(1, 2101))
    figures = open_tape(tape_of(tmp_path)).report.figures
    assert (figures["snapshots"], figures["deltas"]["applied"]) == (100, 2000)


@pytest.mark.parametrize("name", ["part-1.parquet", "part-000000000001-000000000020 (copy).parquet", "part-a-b.parquet"])
def test_a_file_of_another_name_stops_no_recording(tmp_path: Path, name: str) -> None:
    """What a person left in the folder is no part, and no number is read of it."""
    maker = Maker(41)
    recorder = recorder_in(tmp_path)
    play(recorder, made(maker, 20, early=0))
    recorder.flush(START_NS, force=True)
    (tape_of(tmp_path) / name).write_bytes(b"left here")
    later = recorder_in(tmp_path)
    play(later, [maker.snapshot(), maker.delta()], 30)
    later.flush(START_NS, force=True)
    assert sorted(path.name for path in tape_of(tmp_path).glob("part-*-0000000000??.parquet"))[-1].startswith(
        "part-000000000021-"
    )


def test_parts_are_due_by_time_and_by_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a minute of recorded time, or a part's levels: memory holds no more than that."""
    maker, recorder = Maker(34), recorder_in(tmp_path)
    play(recorder, made(maker, 50, early=0))
    recorder.flush(START_NS + 20 * 10**9)
    assert recorder.size().parts == 0
    recorder.flush(START_NS + 31 * 10**9)
    assert recorder.size().parts == 2
    assert recorder.waiting == 0
    monkeypatch.setattr(module, "PART_LEVELS", 40)
    most = 0
    for n in range(60, 400):
        play(recorder, [maker.delta()], n)
        most = max(most, recorder.waiting)
        recorder.flush(START_NS + n * STEP_NS)
    assert most < 60
    sound_tape(tape_of(tmp_path))


def test_a_disk_that_refuses_loses_nothing(tmp_path: Path) -> None:
    """It is named, tried again, and written once it takes parts again; what is already there stays."""
    maker, recorder = Maker(35), recorder_in(tmp_path / "root")
    n = play(recorder, made(maker, 30, early=0))
    (tmp_path / "root").write_text("a file where the folder would be")
    recorder.flush(START_NS, force=True)
    assert "cannot be written" in recorder.broken
    play(recorder, [maker.delta() for _ in range(10)], n)
    (tmp_path / "root").unlink()
    recorder.flush(START_NS, force=True)
    assert recorder.broken == ""
    assert sound_tape(tape_of(tmp_path)).report.figures["messages"] == 40


def test_a_part_that_cannot_be_finished_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the writer says of a full disk: no half part is there, and all of it is written later."""
    maker, recorder = Maker(40), recorder_in(tmp_path)
    play(recorder, made(maker, 30, early=0))
    with monkeypatch.context() as patched:

        def full(frame: pl.DataFrame, path: Path, **_options: str) -> None:
            path.write_bytes(b"PAR1 half")
            raise pl.exceptions.ComputeError("No space left on device")

        patched.setattr(pl.DataFrame, "write_parquet", full)
        recorder.flush(START_NS, force=True)
    assert "No space left" in recorder.broken
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    recorder.flush(START_NS, force=True)
    assert recorder.broken == ""
    assert sound_tape(tape_of(tmp_path)).report.figures["messages"] == 30


def test_memory_is_bounded_and_what_is_lost_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk does not keep up: no more is kept, an event says so, and the tape has a gap instead of a wrong book."""
    monkeypatch.setattr(module, "WAITING_LEVELS_MAX", 500)
    maker, asked = Maker(36), list[tuple[str, str]]()
    both = BookRecorders(tmp_path, "okx", "perp", {"ETH": "ETH-USDT"}, lambda symbol, why: asked.append((symbol, why)))
    recorder = both.by_id["ETH"]
    for n, message in enumerate(made(maker, 400, early=0), 1):
        both.take(START_NS + n * STEP_NS, push_of(message))
    assert recorder.waiting < 520
    assert recorder.size().lost > 100
    both.flush(START_NS, force=True)
    for n in range(401, 420):
        both.take(START_NS + n * STEP_NS, push_of(maker.delta()))
    both.take(START_NS + 421 * STEP_NS, push_of(maker.snapshot()))
    both.flush(START_NS, force=True)
    assert events_of(tmp_path) == ["resync", "lost", "resync"]
    figures = open_tape(tape_of(tmp_path)).report.figures
    assert figures["deltas"]["refused"] == 0


def test_a_day_has_a_folder_that_begins_with_its_own_snapshot(tmp_path: Path) -> None:
    """At midnight what came before is written, a snapshot is asked for, and both days are tapes by themselves."""
    maker, asked = Maker(37), list[str]()
    recorder = recorder_in(tmp_path, asked)
    midnight = (START_NS // DAY_NS + 1) * DAY_NS
    for n, message in enumerate(made(maker, 40, early=0)):
        recorder.take(midnight + (n - 40) * STEP_NS, push_of(message))
    for n, message in enumerate([maker.delta(), maker.snapshot(), *(maker.delta() for _ in range(150))]):
        recorder.take(midnight + n * STEP_NS, push_of(message))
    recorder.flush(midnight, force=True)
    first, second = sorted(tmp_path.rglob("*_l2.parquet"))
    assert asked == ["a new day"]
    assert [sound_tape(path).report.figures["messages"] for path in (first, second)] == [40, 152]
    assert events_of(tmp_path) == ["resync", "day", "resync"]
    assert first.name < second.name


def test_a_day_goes_on_while_the_disk_refuses_it(tmp_path: Path) -> None:
    """At midnight nothing of the old day may go into the new folder, nor be lost: the old one goes on until it is written."""
    maker, recorder = Maker(39), recorder_in(tmp_path / "root")
    midnight = (START_NS // DAY_NS + 1) * DAY_NS
    recorder.take(midnight - STEP_NS, push_of(maker.snapshot()))
    (tmp_path / "root").write_text("a file where the folder would be")
    for n in range(5):
        recorder.take(midnight + n * STEP_NS, push_of(maker.delta()))
    assert recorder.broken
    (tmp_path / "root").unlink()
    recorder.take(midnight + 5 * STEP_NS, push_of(maker.snapshot()))
    recorder.take(midnight + 6 * STEP_NS, push_of(maker.delta()))
    recorder.flush(midnight, force=True)
    first, second = sorted(tmp_path.rglob("*_l2.parquet"))
    assert [len(read_tape(path).kind) for path in (first, second)] == [6, 2]
    assert recorder.size().messages == 8


def test_a_clock_that_is_put_back_keeps_the_order(tmp_path: Path) -> None:
    """Rows never go back in time: the tape of such a night is still read."""
    maker = Maker(38)
    both = BookRecorders(tmp_path, "okx", "perp", {"ETH": "ETH-USDT"}, lambda _symbol, _why: None)
    for n, message in enumerate(made(maker, 60, early=0), 1):
        both.take(START_NS + (n if n < 30 else n - 25) * STEP_NS, push_of(message))
    both.take(START_NS, BookPush("BTC", True, 1, 1, 1, -1, [(0, 1.0, 1.0), (1, 2.0, 1.0)]))
    both.flush(START_NS, force=True)
    assert sound_tape(tape_of(tmp_path)).report.figures["messages"] == 60


def test_nothing_to_record_and_nothing_recorded_are_refused(tmp_path: Path) -> None:
    """No instrument; a folder of a tape's name without a part."""
    with pytest.raises(BadInput, match="no instrument"):
        BookRecorders(tmp_path, "okx", "perp", {}, lambda _symbol, _why: None)
    folder = tmp_path / "okx_ETH-USDT_perp_20240808_l2.parquet"
    folder.mkdir()
    with pytest.raises(DataError, match="no part in this folder"):
        read_tape(folder)

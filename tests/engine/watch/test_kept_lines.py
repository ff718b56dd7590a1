"""The kept lines of a long journal: what is read of them is what the journal says, and never anything else."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.clock import DAY_MS, HOUR_MS
from engine.store.journal import Event, Journal
from engine.watch import kept_lines
from engine.watch.kept_lines import DATA, FIELDS, FILE, keep_lines, trading_lines
from engine.watch.window import FAR_MS, JournalLine, journal_of, raw_lines

Step = tuple[int, int]  # hours since the bar before, what happens
VALUES: dict[str, Any] = {
    "sleeve": "a",
    "features": {"sma(40)": 1.0, "model(vol-btc@1.2.0)": -5.5, "regime(r@1.0.0)": 1.0},
    "size": {"approved_lots": 3},
    "sleeves": [],
}


def bodied(kind: str, n: int) -> Event:
    """An event of a kind with every field that is kept, and one that is not."""
    return Event(kind, 0, {name: VALUES.get(name, f"{name} {n}") for name in FIELDS[kind]} | {"other": n})


def grow(home: Path, steps: Sequence[Step], t: int = 0) -> int:
    """Append a group a step: perhaps something that is kept, a bar, then the mark. Returns the last bar's time."""
    journal, kinds = Journal(journal_of(home), "worker"), [*FIELDS]
    for hours, what in steps:
        t += hours * HOUR_MS
        own = [bodied(kinds[what], t)] if what < len(kinds) else []
        journal.append(
            [one._replace(t_event_ms=t) for one in (*own, Event("bar", t, {}), Event("mark", t, {"t": t}))], sync=False
        )
    journal.close()
    return t


def seen(lines: Sequence[JournalLine]) -> list[Any]:
    """What readers read of lines."""
    found = []
    for line in lines:
        event = line.event()
        assert event is not None
        names = FIELDS[line.kind] or event.body
        body = {name: event.body.get(name) for name in names} | {"features": [*(event.body.get("features") or ())]}
        found.append((line.kind, line.t_event_ms, line.seq, event.id, event.t_recv_ms, body))
    return found


def check(home: Path) -> None:
    """Any window of the journal gives the same lines both ways."""
    path = journal_of(home)
    for after_ms, up_to_ms in ((-1, FAR_MS), (DAY_MS, 2 * DAY_MS), (DAY_MS - 1, 3 * DAY_MS + HOUR_MS), (5 * DAY_MS, FAR_MS)):
        for kinds in ({*FIELDS}, {"fill"}, {"config", "decision"}):
            plain = seen([*raw_lines(path, after_ms, up_to_ms, kinds)])
            assert seen([*trading_lines(path, after_ms, up_to_ms, kinds)]) == plain


def journal_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """From which instants the journal itself is read."""
    asked: list[int] = []
    real = kept_lines.raw_lines

    def noted(path: Path, after: int, *more: Any) -> Any:
        if path == journal_of(home):
            asked.append(after)
        return real(path, after, *more)

    with monkeypatch.context() as patch:
        patch.setattr(kept_lines, "raw_lines", noted)
        assert [*trading_lines(journal_of(home), -1, FAR_MS, FIELDS)]
    return asked


steps = st.lists(st.tuples(st.integers(1, 40), st.integers(0, len(FIELDS))), min_size=2, max_size=30)


@settings(max_examples=25, deadline=None)
@given(steps, steps)
def test_they_equal_the_journal(tmp_path_factory: pytest.TempPathFactory, first: list[Step], more: list[Step]) -> None:
    """Any journal; and again after it has grown by hours or days."""
    home = tmp_path_factory.mktemp("home")
    last = grow(home, first)
    keep_lines(home)
    check(home)
    grow(home, more, last)
    check(home)
    keep_lines(home)
    check(home)


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """Ten days of hourly bars with something in each, kept up to the ninth."""
    grow(tmp_path, [(1, n % len(FIELDS)) for n in range(240)])
    keep_lines(tmp_path)
    assert json.loads((tmp_path / FILE).read_text())["until_ms"] == 9 * DAY_MS
    return tmp_path


def test_a_day_that_is_kept_is_not_read_of_the_journal_again(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what came since then is; the next look adds the days that are over, and nothing twice."""
    assert journal_read(desk, monkeypatch) == [9 * DAY_MS]
    before = (desk / DATA).read_bytes()
    grow(desk, [(1, 0)] * 49, 240 * HOUR_MS)
    check(desk)
    keep_lines(desk)
    assert (desk / DATA).read_bytes().startswith(before)
    assert journal_read(desk, monkeypatch) == [12 * DAY_MS]
    check(desk)


def test_reading_writes_nothing(desk: Path) -> None:
    """The files are the supervisor's to write, also where one is missing."""
    (desk / FILE).unlink()
    check(desk)
    assert not (desk / FILE).exists()


def test_what_a_crash_left_behind_the_lines_is_written_over(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines were added, and what they are worth was not: the ones before stay good."""
    with (desk / DATA).open("ab") as file:
        file.write(b'{"seq":9999,"id":"d-9999","kind":"fill","sch')
    check(desk)
    assert journal_read(desk, monkeypatch) == [9 * DAY_MS]
    grow(desk, [(1, 0)] * 49, 240 * HOUR_MS)
    keep_lines(desk)
    check(desk)
    assert journal_read(desk, monkeypatch) == [12 * DAY_MS]


@pytest.mark.parametrize("damage", ["{", "[]", '{"schema": 0}', '{"schema": 1, "until_ms": 9}', ""])
def test_a_damaged_word_about_them_is_not_believed(desk: Path, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal is read whole, and the next look makes the files anew."""
    (desk / FILE).write_text(damage)
    check(desk)
    assert journal_read(desk, monkeypatch) == [-1]
    keep_lines(desk)
    assert journal_read(desk, monkeypatch) == [9 * DAY_MS]


@pytest.mark.parametrize("how", ["a changed digit", "the end lost"])
def test_damaged_lines_are_not_believed(desk: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed number and a lost end alike."""
    text = (desk / DATA).read_bytes()
    (desk / DATA).write_bytes(
        text.replace(b'"approved_lots":3', b'"approved_lots":4', 1) if how == "a changed digit" else text[:-200]
    )
    check(desk)
    assert journal_read(desk, monkeypatch) == [-1]


def test_lines_of_another_journal_are_not_believed(desk: Path, tmp_path: Path) -> None:
    """A desk that began anew with the old files beside it shows its own journal."""
    other = tmp_path / "other"
    grow(other, [(1, (n + 1) % len(FIELDS)) for n in range(240)])
    (other / "cache").mkdir()
    for name in (FILE, DATA):
        (other / name).write_bytes((desk / name).read_bytes())
    check(other)
    keep_lines(other)
    check(other)
    assert (other / DATA).read_bytes() != (desk / DATA).read_bytes()


def test_lines_beyond_the_limit_are_read_of_the_journal(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file does not grow beyond it, and nothing is left out of an answer."""
    size = (desk / DATA).stat().st_size
    monkeypatch.setattr(kept_lines, "BYTES_MAX", size + 1)
    grow(desk, [(1, 0)] * 490, 240 * HOUR_MS)
    keep_lines(desk)
    check(desk)
    assert (desk / DATA).stat().st_size < size + 2000
    assert json.loads((desk / FILE).read_text())["until_ms"] == 9 * DAY_MS


def test_a_journal_with_more_than_has_room_keeps_the_days_that_have(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From nothing, as after a restore of a long journal: whole days up to the limit, the others are read of the journal."""
    size = (desk / DATA).stat().st_size
    for name in (FILE, DATA):
        (desk / name).unlink()
    monkeypatch.setattr(kept_lines, "ROOM", 0)
    monkeypatch.setattr(kept_lines, "BYTES_MAX", size // 2)
    keep_lines(desk)
    check(desk)
    found = json.loads((desk / FILE).read_text())
    assert 0 < found["until_ms"] < 9 * DAY_MS
    assert found["until_ms"] % DAY_MS == 0
    assert size // 4 < found["size"] == (desk / DATA).stat().st_size <= size // 2
    keep_lines(desk)
    assert json.loads((desk / FILE).read_text()) == found


def test_a_home_that_cannot_be_written_costs_time_and_not_the_answer(desk: Path) -> None:
    """No folder for the files: the journal is read."""
    for name in (FILE, DATA):
        (desk / name).unlink()
    (desk / "cache").rmdir()
    (desk / "cache").write_text("in the way")
    keep_lines(desk)
    check(desk)

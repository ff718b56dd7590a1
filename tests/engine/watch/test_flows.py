"""The sums of whole days: the same figures as reading every event, and never those of another journal."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.store.journal import Event, Journal, read
from engine.watch import flows
from engine.watch.flows import DAY_MS, FILE, Flow, between_marks, day_sums, flow_of, refresh_day_sums, sum_by_sleeve
from engine.watch.window import journal_of

HOUR = 3_600_000
Step = tuple[int, int, float]  # hours since the bar before, what happens, an amount


def grow(home: Path, steps: Sequence[Step], t: int = 0) -> int:
    """Append a group a step: perhaps a fill or a payment of a sleeve, then the mark. Returns the last bar's time."""
    journal = Journal(journal_of(home), "worker")
    for hours, what, amount in steps:
        t += hours * HOUR
        sleeve = "ab"[what % 2]
        side = "buy" if what % 4 < 2 else "sell"
        fill = {"sleeve": sleeve, "side": side, "quantity": amount, "price": 101.0, "reference_price": 100.0, "fee": amount / 8}
        bodies: list[tuple[str, dict[str, Any]]] = [("mark", {"t": t})]
        if what < 4:
            bodies.insert(0, ("fill", fill))
        elif what < 6:
            bodies.insert(0, ("funding", {"sleeve": sleeve, "cash_flow": amount}))
        journal.append([Event(kind, t, body) for kind, body in bodies], sync=False)
    journal.close()
    return t


def one_by_one(events: Sequence[Event], start: Event, end: Event) -> Iterator[Flow]:
    """What lies between two marks, of a reading of everything."""
    return (flow_of(event) for event in events if start.seq < event.seq < end.seq)


def alike(a: Sequence[Flow], b: Sequence[Flow]) -> bool:
    """The same sums a sleeve, but for the order of adding."""
    one, other = sorted(sum_by_sleeve(a)), sorted(sum_by_sleeve(b))
    return [f[0] for f in one] == [f[0] for f in other] and all(
        x == pytest.approx(y, abs=1e-9) for f, g in zip(one, other, strict=True) for x, y in zip(f[1:], g[1:], strict=True)
    )


def check(home: Path) -> None:
    """Every pair of a few marks gives the same sums both ways."""
    marks, events = list(read(journal_of(home), {"mark"})), list(read(journal_of(home), flows.KINDS))
    picked = marks[:: max(1, len(marks) // 6)] + marks[-1:]
    for start in picked:
        for end in picked:
            if end.seq > start.seq:
                assert alike(list(between_marks(home, start, end)), list(one_by_one(events, start, end)))


steps = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 7), st.floats(0.125, 50.0, width=32)), min_size=2, max_size=40)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(steps, steps)
def test_they_equal_reading_every_event(tmp_path_factory: pytest.TempPathFactory, first: list[Step], more: list[Step]) -> None:
    """Any journal, any two marks; and again after the journal has grown by hours or days."""
    home = tmp_path_factory.mktemp("home")
    last = grow(home, first)
    check(home)
    refresh_day_sums(home)
    check(home)
    grow(home, more, last)
    check(home)
    refresh_day_sums(home)
    check(home)


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """Ten days of hourly bars with a fill each, summed."""
    grow(tmp_path, [(1, n % 6, 1.0 + n) for n in range(240)])
    refresh_day_sums(tmp_path)
    assert day_sums(tmp_path).until_ms == 9 * DAY_MS  # the day of the last bar may still get events of its last instant
    return tmp_path


def test_a_day_is_summed_once(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the file is not read again; only the days since then are."""
    asked: list[int] = []
    real = flows.between
    monkeypatch.setattr(flows, "between", lambda path, after, *more: asked.append(after) or real(path, after, *more))
    assert len(day_sums(desk).flows) == 9
    assert asked == []
    grow(desk, [(1, 0, 1.0)] * 49, 240 * HOUR)
    refresh_day_sums(desk)
    assert len(day_sums(desk).flows) == 12
    assert asked == [9 * DAY_MS]


def test_asking_writes_nothing(desk: Path) -> None:
    """A tool asks: the file is the supervisor's to write, also where it is missing or old."""
    (desk / FILE).unlink()
    check(desk)
    assert not (desk / FILE).exists()


@pytest.mark.parametrize(
    "damage", ["{", "[]", '{"schema": 0}', '{"schema": 1, "until_ms": 9, "mark": "x", "days": {"a": [[1]]}}', ""]
)
def test_a_damaged_file_is_made_anew(desk: Path, damage: str) -> None:
    """Whatever it holds, the figures are the journal's."""
    (desk / FILE).write_text(damage)
    check(desk)
    refresh_day_sums(desk)
    assert json.loads((desk / FILE).read_text())["until_ms"] == 9 * DAY_MS


def test_sums_of_another_journal_are_not_believed(desk: Path, tmp_path: Path) -> None:
    """A desk that began anew with the old file beside it: the figures are those of its own journal."""
    other = tmp_path / "other"
    grow(other, [(1, (n + 1) % 6, 3.0 + n) for n in range(240)])
    (other / "cache").mkdir()
    (other / FILE).write_bytes((desk / FILE).read_bytes())
    check(other)
    refresh_day_sums(other)
    assert (other / FILE).read_bytes() != (desk / FILE).read_bytes()


def test_a_home_that_cannot_be_written_costs_time_and_not_the_answer(desk: Path) -> None:
    """No folder for the file: every event is read."""
    (desk / FILE).unlink()
    (desk / "cache").rmdir()
    (desk / "cache").write_text("in the way")
    refresh_day_sums(desk)
    check(desk)

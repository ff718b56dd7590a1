"""docs/fail-closed.md: each check before an order, with each fault of its input. No entry leaves; what reduces still does."""

import re
from importlib import import_module
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any, cast

import pytest

from engine.book.snapshot import as_json
from engine.core.state import ENTRY, RULES
from engine.errors import DeskError
from tests.fakes.desks import BAR_MS
from tests.fakes.exchange.virtual import run_virtual
from tests.fakes.faulty_inputs import BENCH_MS, CASES, NextClose, OnBench
from tests.fakes.live_desks import PRICE, LiveBench, Play, live_bar, long

COLUMNS = ("missing", "late", "nan", "raises")
NONE = "not applicable: "


def table() -> dict[str, list[str]]:
    """Check -> its cells: where, the four faults, what follows."""
    page = (Path(__file__).resolve().parents[3] / "docs" / "fail-closed.md").read_text()
    lines = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| check |")]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {row[0]: row[1:] for row in rows}


TABLE = table()
CELLS = [(row, column) for row, cases in CASES.items() for column in cases]


def played(path: Path, play: Play) -> None:
    """A bench whose `adds` holds 300 lots, protected, shortly before the next close; its duties run."""

    async def main(loop: Any) -> None:
        bench = LiveBench(path, loop.clock, loop)
        try:
            await bench.start()
            bench.close(adds=long())
            await bench.after(3)
            assert bench.lots() == 300
            await bench.to_close()
            await play(bench)
        finally:
            await bench.duties.stop()
            bench.journal.close()

    run_virtual(main, BENCH_MS)


def close(bench: LiveBench, brings: NextClose) -> None:
    """The next close, at which `rests` wants to enter."""
    values: list[float | None] = [PRICE, PRICE + 50, PRICE - 50, PRICE, 1e6, 0.0, 0.0]
    for k, value in brings.values.items():
        values[k] = value
    body = live_bar(bench.clock() // BAR_MS * BAR_MS, values, {})
    body["signals"]["rests"] = None if brings.signal is None else as_json(brings.signal)
    bench.desk.close(body, {}, {})


def entries(bench: LiveBench) -> list[str]:
    """Entry orders that have reached the venue."""
    return [id_ for id_ in bench.venue.asked_for("place") if bench.venue.orders[id_].order.slot == ENTRY]


def test_the_table_and_the_cases_have_the_same_cells() -> None:
    """Each cell has a case or says why none applies; what it names is there."""
    assert set(TABLE) == set(CASES)
    for row, (where, *faults, follows) in TABLE.items():
        assert follows
        assert len(faults) == len(COLUMNS), row
        applies = {column for column, cell in zip(COLUMNS, faults, strict=True) if not cell.startswith(NONE)}
        assert applies == set(CASES[row]), row
        assert all(cell.removeprefix(NONE) for cell in faults), row
        for path, names in re.findall(r"`([\w/]+\.py): ([\w., ]+)`", where):
            module: Any = import_module(path.removesuffix(".py").replace("/", "."))
            for name in names.split(", "):
                found = module
                for part in name.split("."):
                    found = getattr(found, part)


@pytest.mark.parametrize(("row", "column"), CELLS)
def test_a_fault_lets_no_entry_out_and_what_reduces_leaves(row: str, column: str, tmp_path: Path) -> None:
    """The cell's fault; then a close at which one sleeve wants to enter and an exit of the other."""
    case = CASES[row][column]
    if not iscoroutinefunction(case):
        assert not case()
        return

    async def play(bench: LiveBench) -> None:
        before, brings = entries(bench), await cast(OnBench, case)(bench)
        close(bench, brings)
        await bench.after(70 if "doubt" in str(brings.refused) else 1)
        assert entries(bench) == before
        if isinstance(brings.refused, int):
            assert bench.desk.book.sleeves[1].guard.refused == brings.refused
            named = re.search("refused as `(.+?)`", TABLE[row][1 + COLUMNS.index(column)])
            assert RULES[brings.refused] == (named[1] if named else "entries paused")
        else:
            assert brings.refused in " ".join(o.why for o in bench.desk.book.orders.ended if o.slot == ENTRY)
        if brings == NextClose("", long()):  # a guard that raises has no name for it
            assert brings.values or any("has failed" in page for page in bench.pages)
        if not bench.desk.book.desk.halted:
            bench.desk.take("leave", {"sleeve": "adds", "why": "test"})
        await bench.after(15)
        assert bench.venue.net == 0

    played(tmp_path / "desk.jsonl", play)


def test_without_a_fault_the_same_close_enters(tmp_path: Path) -> None:
    """Else the cases would prove nothing."""

    async def play(bench: LiveBench) -> None:
        before = entries(bench)
        close(bench, NextClose(""))
        await bench.after(1)
        assert len(entries(bench)) == len(before) + 1

    played(tmp_path / "desk.jsonl", play)


def test_a_desk_that_cannot_write_sends_nothing_and_a_halt_closes_at_the_venue(tmp_path: Path) -> None:
    """Book and journal have parted: no entry, no exit of the book's; the stop stays, and the halt closes what the venue holds."""

    async def play(bench: LiveBench) -> None:
        before = bench.venue.asked_for("place")

        def full(*_: Any, **__: Any) -> None:
            raise OSError("no space left on device")

        bench.desk._write = full  # type: ignore[method-assign]
        with pytest.raises(OSError, match="no space"):
            close(bench, NextClose(""))
        await bench.after(1)
        assert bench.venue.asked_for("place") == before
        with pytest.raises(DeskError, match="accepts nothing more"):
            bench.desk.take("leave", {"sleeve": "adds", "why": "test"})
        assert [x for x in await bench.venue.standing() if x.conditional]
        bench.latch = "a person"
        await bench.after(30)
        assert bench.venue.net == 0

    played(tmp_path / "desk.jsonl", play)

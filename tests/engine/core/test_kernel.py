"""The compiled run's own edges: lengths around a block, too little room for rows, figures that never change, records."""

from math import inf, nan
from typing import Any, NamedTuple

import numpy as np
import pytest

from engine.core import kernel
from engine.core.blocks import BLOCK
from engine.core.compiled import dtype_of, from_record, is_tuple, to_records
from engine.core.kernel import ROW_VIEW, SIGNAL_KINDS, block_records, run_records
from engine.core.memory import Memory, emit, keep_mark, keep_watch, load, store
from engine.core.row_fields import decode
from engine.core.state import (
    FLAT,
    NO_LAYER,
    NO_ORDER,
    Bar,
    Desk,
    Guard,
    Limits,
    Position,
    Row,
    Rules,
    Signal,
    Sleeve,
    start,
    start_desk,
)
from engine.core.step import usable
from tests.fakes.desks import LOOSE, RULES, both_ways, hostile, hostile_rules

CASH = 100_000.0


@pytest.mark.parametrize("bars", [0, 1, 2, 15, 16, 17, 31, 32, 33, 48])
def test_runs_of_every_length_around_a_block_are_the_same_both_ways(bars: int) -> None:
    """A block is sixteen bars; none, one less, one more: rows, equity, sleeves and desk to the last byte."""
    assert BLOCK == 16
    market, signals = hostile(7, bars=48)
    rules, shape = hostile_rules(7), (3, 7)
    cut = market[: bars * shape[0]], tuple(column[: bars * shape[1]] for column in signals)
    plain, compiled = both_ways(*cut, rules, LOOSE, CASH)
    assert plain[0].tobytes() == compiled[0].tobytes()
    assert plain[1].tobytes() == compiled[1].tobytes()
    assert plain[2].tobytes() == compiled[2].tobytes()
    assert repr(plain[3:]) == repr(compiled[3:])


def test_a_run_that_needs_more_rows_than_were_guessed_loses_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is asked for again with what the first attempt counted; the result is that of enough room at once."""
    market, signals = hostile(3, bars=400)
    given = (market, signals, 3, hostile_rules(3), LOOSE, [CASH] * 7)
    rooms: list[int] = []
    real = kernel.compiled_run

    def counted(m: Memory, *more: Any) -> Any:
        rooms.append(len(m.rows))
        return real(m, *more)

    monkeypatch.setattr(kernel, "compiled_run", counted)
    monkeypatch.setattr(kernel, "ROWS_GUESS", 10)
    enough = run_records(*given)
    assert len(rooms) == 1
    monkeypatch.setattr(kernel, "ROWS_GUESS", 0)
    again = run_records(*given)
    assert rooms[1:] == [1_000, len(enough.rows)]
    assert len(enough.rows) > 1_000
    assert (again.journal_hash, again.desk, again.awake) == (enough.journal_hash, enough.desk, enough.awake)
    assert again.equity.tobytes() == enough.equity.tobytes()


def test_a_figure_that_is_the_same_at_every_bar_needs_no_array() -> None:
    """A broadcast scalar leaves the rows of the array of it; so does every second element of a larger array."""
    market, signals = hostile(5, bars=200, instruments=1, sleeves=1)
    rules = [hostile_rules(5)[0]._replace(instrument=0, bars=0)]
    slip = Signal._fields.index("slip_frac")
    whole = [*signals]
    whole[slip] = np.full(200, 2e-4)
    scalar = [*whole]
    scalar[slip] = np.broadcast_to(np.float64(2e-4), 200)
    strided = [np.repeat(column, 2)[::2] for column in whole]
    hashes = {run_records(market, tuple(made), 1, rules, LOOSE, [CASH]).journal_hash for made in (whole, scalar, strided)}
    assert len(hashes) == 1


def test_a_figure_that_all_sleeves_share_is_kept_once() -> None:
    """A scalar stays one where it is the same in all; of two different ones, or beside an array, each sleeve has its own."""
    one, two, own = np.broadcast_to(1.0, 3), np.broadcast_to(2.0, 3), np.arange(3.0)
    assert kernel.side_by_side([one, one]).strides == (0,)
    assert kernel.side_by_side([one, one]).tolist() == [1.0] * 6
    assert kernel.side_by_side([one, two]).tolist() == [1.0, 2.0] * 3
    assert kernel.side_by_side([own, one]).tolist() == [0.0, 1.0, 1.0, 1.0, 2.0, 1.0]


def test_rows_can_be_looked_at_through_their_packed_columns() -> None:
    """Without a copy: sleeve, kind, code, rule, side and layer of the view are those that every reader decodes."""
    market, signals = hostile(9, bars=120)
    found = run_records(market, signals, 3, hostile_rules(9), LOOSE, [CASH] * 7)
    block = found.rows.view(dtype_of(Row))
    assert len(block) > 50
    for seen, record in zip(found.rows, block, strict=True):
        sleeve, fields = decode(from_record(record, Row))
        assert sleeve == seen["sleeve"]
        assert (from_record(record, Row).close_ms, from_record(record, Row).lots) == (seen["close_ms"], seen["lots"])
        if hasattr(fields, "rule"):
            assert fields.rule == seen["rule"]
    assert found.rows.dtype == ROW_VIEW


def test_a_halted_desk_and_one_without_cash_run_to_the_end() -> None:
    """Nothing enters, nothing raises, equity is what it was."""
    market, signals = hostile(4, bars=60)
    halted = run_records(market, signals, 3, hostile_rules(4), LOOSE, [CASH] * 7, 1)
    assert set(halted.equity.tolist()) == {7 * CASH}
    assert halted.desk.halted == 1
    empty = run_records(market, signals, 3, hostile_rules(4), LOOSE, [0.0] * 7)
    assert set(empty.equity.tolist()) == {0.0}
    assert all(sleeve.position.open_layers == 0 for sleeve in (*halted.sleeves, *empty.sleeves))


# ---- records ------------------------------------------------------------------------------------------------------------------

LAYERS = (NO_LAYER._replace(key=2**40, lots=-(2**62), entry=nan, stop=inf), *FLAT.layers[1:])
VALUES: dict[type, list[Any]] = {
    Bar: [Bar(2**62, nan, inf, -inf, 5e-324, -0.0, 1.0, 0.0), Bar(-1, *[0.0] * 7)],
    Sleeve: [start(1.0), start(nan)._replace(position=FLAT._replace(layers=LAYERS, side=-1), order=NO_ORDER._replace(key=9))],
    Desk: [start_desk(-5.0)._replace(tripped=15, minute=-1)],
    Limits: [LOOSE],
    Rules: [RULES],
}


@pytest.mark.parametrize("kind", list(VALUES), ids=lambda kind: kind.__name__)
def test_a_record_holds_a_value_to_the_last_bit(kind: type) -> None:
    """Nested values, tuples of them, NaN, infinities and 64-bit numbers; whole numbers stay whole."""
    values = VALUES[kind]
    back = [from_record(record, kind) for record in to_records(values, kind)]
    assert repr(back) == repr(values)
    assert to_records(values, kind).tobytes() == to_records(back, kind).tobytes()


def test_a_record_has_one_place_for_every_number() -> None:
    """No padding: eight bytes each, so that a block of records can be hashed and compared as bytes."""

    def numbers(kind: Any) -> int:
        if kind in (int, float):
            return 1
        parts = kind.__args__ if is_tuple(kind) else kind.__annotations__.values()
        return sum(numbers(part) for part in parts)

    for kind in (Bar, Sleeve, Desk, Limits, Rules, Row, Signal, Position, Guard):
        assert dtype_of(kind).itemsize == 8 * numbers(kind), kind.__name__
    assert dtype_of(Row).itemsize == ROW_VIEW.itemsize == 72
    assert len(SIGNAL_KINDS) == len(Signal._fields)


class Pair(NamedTuple):
    """Two numbers."""

    n: int
    x: float


def test_lists_are_loaded_and_stored_as_they_are() -> None:
    """The plain form of what the compiled loop does; a sleeve that only marks or holds is stored whole here."""
    items: list[Any] = [Pair(1, 2.0), Pair(3, 4.0)]
    store(items, 1, Pair(5, 6.0))
    assert [load(items, n, Pair) for n in (0, 1)] == [Pair(1, 2.0), Pair(5, 6.0)]
    sleeves: list[Any] = [start(1.0)]
    for keep in (keep_mark, keep_watch):
        keep(sleeves, 0, start(7.0))
        assert sleeves == [start(7.0)]


def test_rows_without_room_are_counted_and_not_written() -> None:
    """Whoever runs knows how many there would have been."""
    row = Row(1, 2, 3, 4, 0.0, 0.0, 0.0, 0.0, 0.0)
    rows: list[Any] = [None, None]
    n = 0
    for k in range(5):
        n = emit(rows, n, row._replace(close_ms=k))
    assert n == 5
    assert [r.close_ms for r in rows] == [0, 1]
    assert emit([], 0, row) == 1


def test_blocks_hold_the_extremes_of_their_bars() -> None:
    """Of sixteen bars the range, the least and the most close, the last time; a settlement or a hole among them shows."""
    market, _ = hostile(11, bars=40 * BLOCK, instruments=2)
    blocks, whole = block_records(market, 2), 0
    assert len(blocks) == 40 * 2
    for n, made in enumerate(blocks):
        first = n // 2 * BLOCK * 2 + n % 2
        bars = [from_record(record, Bar) for record in market[first : first + 2 * BLOCK : 2]]
        odd = any(not usable(bar) or bar.funding_mark > 0.0 for bar in bars)
        assert (made["funding_mark"] != 0.0) == odd
        assert made["close_ms"] == bars[-1].close_ms
        if not odd:
            whole += 1
            closes = [bar.close for bar in bars]
            assert (made["open"], made["close"]) == (min(closes), max(closes))
            assert (made["low"], made["high"]) == (min(bar.low for bar in bars), max(bar.high for bar in bars))
    assert 0 < whole < len(blocks)

"""A day that was recorded once counts once: copies are found by what they say, and quotes that flicker are none."""

from pathlib import Path

import polars as pl
import pytest

from engine.l2.copies import COPIED_MIN, RepeatedTapes
from engine.l2.tape import read_tape
from tests.engine.l2.test_book import recorded_tape
from tests.fakes.book_tapes import Maker, made, write_tape

DAY_NS = 86_400 * 10**9


def test_a_copy_is_found_whatever_its_ids_and_clock(tmp_path: Path) -> None:
    """Also one that begins a few messages later, or follows the first in the same file; another day is none."""
    path = write_tape(tmp_path, made(Maker(5), 400))
    tapes, frame = RepeatedTapes(), pl.read_parquet(path)
    assert tapes.repeated_frac(read_tape(path)) == 0.0
    shifted = frame.with_columns(pl.col("recv_ns") + DAY_NS, pl.col("^.*_id$") + 10**7)
    shifted.filter(pl.col("seq") > 7).write_parquet(path)
    assert tapes.repeated_frac(read_tape(path)) == pytest.approx(1.0)
    pl.concat([frame, shifted.with_columns(pl.col("seq") + 1_000)]).write_parquet(path)
    assert RepeatedTapes().repeated_frac(read_tape(path)) > 0.4
    assert tapes.repeated_frac(read_tape(write_tape(tmp_path, made(Maker(6), 400)))) == 0.0


def test_a_size_that_flickers_is_no_copy(tmp_path: Path) -> None:
    """One level that says five and seven in turn for a minute, between true messages."""
    maker = Maker(5)
    tick = max(maker.sides["b"]) - 3
    flicker = [maker.delta([maker.change("b", tick, 5 + 2 * (n % 2))]) for n in range(600)]
    path = write_tape(tmp_path, [maker.snapshot(), *flicker, *(maker.delta() for _ in range(300))])
    assert RepeatedTapes().repeated_frac(read_tape(path)) < COPIED_MIN / 10


@pytest.mark.parametrize("market", ["perp", "spot"])
def test_recorded_tapes_repeat_nothing(market_data: Path, market: str) -> None:
    """Two markets of one coin at the same minutes."""
    tapes = RepeatedTapes()
    tapes.repeated_frac(read_tape(recorded_tape(market_data, "spot" if market == "perp" else "perp")))
    assert tapes.repeated_frac(read_tape(recorded_tape(market_data, market))) < 0.001

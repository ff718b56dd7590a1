"""Deltas of a thin book that were read as snapshots are refused, whatever share of the book they are; true snapshots are not."""

from pathlib import Path

import polars as pl
import pytest

from engine.l2.checks import open_tape
from tests.fakes.book_tapes import Maker, made, write_tape

DEPTH = 40


def errors_of(path: Path) -> set[str]:
    """The rules that refuse a tape."""
    return {one.rule for one in open_tape(path).report.issues if one.severity == "error"}


def whole_books(folder: Path, levels: int, count: int = 120) -> Path:
    """A tape of snapshots alone, as a channel of so many best levels sends them."""
    maker, messages = Maker(5, depth=DEPTH), []
    for _ in range(count):
        made(maker, 1)
        messages.append(maker.snapshot())
    frame = pl.read_parquet(write_tape(folder, messages))
    path = next(folder.glob("*_l2.parquet"))
    bids, asks = (frame.filter(pl.col("side") == side) for side in "ba")
    best = [
        side.sort("seq", "price", descending=[False, side is bids], maintain_order=True)
        .group_by("seq", maintain_order=True)
        .head(levels)
        for side in (bids, asks)
    ]
    pl.concat(best).select(frame.columns).sort("seq", maintain_order=True).write_parquet(path)
    return path


@pytest.mark.parametrize("levels", [5, DEPTH])
def test_a_channel_of_whole_books_is_sound(tmp_path: Path, levels: int) -> None:
    """Five best or all: the next one has them, too."""
    assert errors_of(whole_books(tmp_path, levels)) == set()


def test_deltas_of_a_thin_book_are_no_snapshots(tmp_path: Path) -> None:
    """Each has more than a twentieth of the book's levels, in order, best first; only that they do not last shows the bug."""
    maker = Maker(5, depth=DEPTH)
    frame = pl.read_parquet(write_tape(tmp_path, [maker.snapshot(), *made(maker, 300)]))
    path = next(tmp_path.glob("*_l2.parquet"))
    assert "deltas_as_snapshots" not in errors_of(path)
    order = pl.when(pl.col("side") == "b").then(-pl.col("price")).otherwise(pl.col("price"))
    two = pl.col("side").n_unique().over("seq") == 2
    bug = frame.filter(pl.col("qty") > 0).filter(two).sort("seq", pl.col("side"), order, descending=[False, True, False])
    bug.with_columns(kind=pl.lit("snapshot"), prev_id=pl.lit(-1, pl.Int64)).write_parquet(path)
    assert "deltas_as_snapshots" in errors_of(path)

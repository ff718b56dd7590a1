"""An hour of a recorder at ten times a busy market's rate: memory stays flat, nothing that came is lost over 100 cuts."""

import gc
import resource
from pathlib import Path

import polars as pl
import pytest

from engine.l2.recorder import BookRecorders
from engine.venues.book_pushes import BookPush
from tests.fakes.book_tapes import START_NS, Maker

MESSAGES = 720_000  # 200 a second for an hour
LEVELS = 34  # of a side; the recorded perpetual has 68 levels a message and 19 messages a second
CUT_EVERY = MESSAGES // 100


def now_kib() -> int:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1024


@pytest.mark.long
def test_an_hour_at_ten_times_a_busy_rate(tmp_path: Path) -> None:
    """Every message that came is in a part, in order; each cut is a gap and a resync; half of the hour takes as much memory."""
    maker = Maker(51, depth=200)
    shot = [(int(side == "a"), price, quantity) for side, price, quantity in maker.snapshot().levels]
    changes = [(side, 3000.0 + (k if side else -k - 1) / 10, k / 1000) for side in (0, 1) for k in range(LEVELS)]
    wanted: list[str] = []
    both = BookRecorders(tmp_path, "okx", "perp", {"ETH": "ETH-USDT"}, lambda symbol, _why: wanted.append(symbol))
    sent, last, memory = 0, 1000, []
    both.take(START_NS, BookPush("ETH", True, 0, last, last, -1, shot))
    for n in range(1, MESSAGES + 1):
        now_ns = START_NS + n * 5_000_000
        if n % CUT_EVERY == 0:
            last += 3  # what the cut took
        both.take(now_ns, BookPush("ETH", False, 0, last + 1, last + 1, last, changes))
        last += 1
        if wanted:
            both.take(now_ns, BookPush("ETH", True, 0, last, last, -1, shot))
            wanted.clear()
        sent += 1
        if n % 200 == 0:
            both.flush(now_ns)
        if n % (MESSAGES // 20) == 0:
            gc.collect()
            memory.append(now_kib())
    both.flush(START_NS, force=True)
    size = both.by_id["ETH"].size()
    assert (size.lost, size.gaps, size.resyncs) == (0, 100, 101)
    assert size.messages == sent + 101
    (folder,) = tmp_path.rglob("*_l2.parquet")
    seqs = pl.scan_parquet(sorted(folder.glob("part-*.parquet"))).select(pl.col("seq").n_unique(), pl.col("seq").max().alias("m"))
    assert seqs.collect().row(0) == (sent + 101, sent + 101)
    assert max(memory[10:]) < max(memory[:10]) + 30_000, memory

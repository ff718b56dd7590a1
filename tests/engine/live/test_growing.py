"""A feed that grows: what was decided stays, what features read is mended, and it is the same as loading all of it."""

from pathlib import Path

import numpy as np
import pytest

from engine.clock import timeframe_ms
from engine.data.catalog import Catalog
from engine.data.timeframes import series_of
from engine.data.writer import file_name, write_series
from engine.errors import BadInput, DataError
from engine.features.reads import Reads
from engine.live.closing import frame_of
from engine.live.growing import GrownFeed, LateBar, begin_live, grown, history

PERP, FOUR = "okx:BTC-USDT:perp", "okx:BTC-USDT:perp@1h"
STEP, START = 900_000, 1_700_006_400_000  # a full hour
Prices = tuple[float, float, float, float, float]


def price(n: int) -> Prices:
    """Of bar n."""
    return 100.0 + n, 101.5 + n, 99.5 + n, 101.0 + n, 5.0 + n


def stored(folder: Path, count: int, hours: int) -> Catalog:
    """So many quarters of an hour, and hours of the same."""
    folder.mkdir(parents=True, exist_ok=True)
    for timeframe, bars in (("15m", count), ("1h", hours)):
        step = timeframe_ms(timeframe)
        frame = frame_of({START + n * step: price(n) for n in range(bars)})
        write_series(folder / file_name("okx", "BTC-USDT", "perp", timeframe), frame, "pulled", {})
    return Catalog([(folder, "pulled")])


def read(catalog: Catalog) -> GrownFeed:
    """The history of both columns."""
    series = series_of(catalog, [PERP, FOUR], "15m")
    return history(catalog, series, STEP, begin_live(series, STEP, 0).first_ms, "none")


def test_a_grown_feed_is_the_one_that_is_loaded_whole(tmp_path: Path) -> None:
    """Bit for bit, both timeframes: four closes behind twelve are sixteen that were loaded."""
    grew, whole = read(stored(tmp_path / "some", 12, 3)), read(stored(tmp_path / "all", 16, 4))
    for n in range(12, 16):
        row = {PERP: [*price(n), 0.0, 0.0]}
        if n == 15:
            row[FOUR] = [*price(3), 0.0, 0.0]
        grew = grown(grew, START + (n + 1) * STEP, row)
    assert grew.source == "live"
    for step in (STEP, 4 * STEP):
        for name in ("close_ms", "open", "high", "low", "close", "volume"):
            a, b = getattr(grew.own[step].whole, name), getattr(whole.own[step].whole, name)
            assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f"), (step, name)
    last = int(whole.span.close_ms[-1])
    assert grew.bars(grew.after(last) - 1) == whole.bars(whole.after(last) - 1)
    assert grew.closes(4 * STEP, last)


def test_a_late_bar_is_history_and_not_what_was_decided(tmp_path: Path) -> None:
    """The row stays null; the frame that features read has the bar from the next close on."""
    feed = read(stored(tmp_path, 12, 3))
    close_ms = START + 13 * STEP
    feed = grown(feed, close_ms, {PERP: [None] * 5 + [0.0, 0.0]})
    late = [LateBar(PERP, START + 12 * STEP, price(12)), LateBar(PERP, START - STEP, price(0))]
    feed = grown(feed, close_ms + STEP, {PERP: [*price(13), 0.0, 0.0]}, late)
    assert feed.bars(feed.after(close_ms) - 1)[PERP] == [None] * 5 + [0.0, 0.0]
    assert feed.own[STEP].whole.close[-2:, 0].tolist() == [price(12)[3], price(13)[3]]
    with pytest.raises(DataError, match="is in the history already"):
        grown(feed, close_ms, {})


def test_closes_that_were_left_out_are_missing(tmp_path: Path) -> None:
    """A gap is NaN on the grid, never a shift."""
    feed = grown(read(stored(tmp_path, 12, 3)), START + 15 * STEP, {PERP: [*price(14), 0.0, 0.0]})
    assert np.diff(feed.span.close_ms).tolist() == [STEP] * (feed.bar_count - 1)
    assert np.isnan(feed.span.close[-3:-1, 0]).all()


def test_a_strategy_that_reads_more_is_refused(tmp_path: Path) -> None:
    """Nothing would let that series grow."""
    stored(tmp_path, 12, 3)
    write_series(tmp_path / file_name("okx", "ETH-USDT", "perp", "15m"), frame_of({START: price(0)}), "pulled", {})
    feed = read(Catalog([(tmp_path, "pulled")]))
    with pytest.raises(BadInput, match=r"reads okx_ETH-USDT_perp_15m\.parquet beside its own bars"):
        feed.covering([Reads("15m", (("eth", "okx:ETH-USDT:perp"),), ())])


def test_an_instrument_that_has_ended_holds_no_other_one_back(tmp_path: Path) -> None:
    """Its bars end, and are missing from there on; the other one's go on to their end. What only lags holds both back."""
    catalog, gone = stored(tmp_path, 400, 100), "okx:ETH-USDT:perp"
    frame = frame_of({START + n * STEP: price(n) for n in range(150)})
    write_series(tmp_path / file_name("okx", "ETH-USDT", "perp", "15m"), frame, "pulled", {})
    catalog = Catalog([(tmp_path, "pulled")])
    series = series_of(catalog, [PERP, gone], "15m")
    seen_ms = START + 140 * STEP
    assert int(history(catalog, series, STEP, seen_ms, "none").span.close_ms[-1]) == START + 150 * STEP
    feed = history(catalog, series, STEP, seen_ms, "none", [gone])
    assert int(feed.span.close_ms[-1]) == START + 400 * STEP
    assert feed.bars(feed.bar_count - 1)[PERP][3] == price(399)[3]
    assert feed.bars(feed.bar_count - 1)[gone][3] is None
    t = feed.after(START + 150 * STEP) - 1
    assert (feed.bars(t)[gone][3], feed.bars(t + 1)[gone][3]) == (price(149)[3], None)

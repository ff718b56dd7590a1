"""One clock for bars, settlements and marks: gaps stay NaN, funding is exact or refused (D4)."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.clock import timeframe_ms
from engine.data.align import FUNDING_HINT, market_of
from engine.data.catalog import Catalog
from engine.data.checks import refusals
from engine.data.gaps import hole_spans
from engine.errors import BadInput, DataError

STEP = 900_000
HOUR = 3_600_000
START = 1_735_689_600_000  # 2025-01-01 00:00
PERP = "okx:BTC-USDT:perp"


def bars(rows: int = 96, start: int = START, skip: tuple[int, ...] = ()) -> pl.DataFrame:
    """A calm day of 15m bars that rise by one a bar."""
    keep = [i for i in range(rows) if i not in skip]
    price = [1000.0 + i for i in keep]
    return pl.DataFrame(
        {
            "ts": [start + STEP * i for i in keep],
            "open": price,
            "high": [p + 2 for p in price],
            "low": [p - 1 for p in price],
            "close": [p + 1 for p in price],
            "volume": [5.0 + i % 3 for i in keep],
        }
    )


def rates(hours: range, rate: float = 1e-4) -> pl.DataFrame:
    """Settlements at START plus so many hours."""
    return pl.DataFrame({"ts": [START + h * HOUR for h in hours], "rate": [rate + h * 1e-6 for h in hours]})


def one(frame: pl.DataFrame, funding: pl.DataFrame | None, policy="recorded", marks: pl.DataFrame | None = None, **span):
    """A market of one instrument."""
    return market_of({PERP: frame}, STEP, {PERP: funding}, {PERP: marks}, policy, **span)


def test_bars_land_on_a_regular_clock_and_a_missing_one_is_nan() -> None:
    """Shapes, order and NaN of a missing bar in all five columns."""
    market = one(bars(skip=(3, 7, 40)), rates(range(0, 25, 8)))
    assert market.close_ms.tolist() == [START + STEP * (i + 1) for i in range(96)]
    assert market.open.shape == (96, 1)
    assert market.open.flags.c_contiguous
    for array in (market.open, market.high, market.low, market.close, market.volume):
        assert np.flatnonzero(np.isnan(array[:, 0])).tolist() == [3, 7, 40]
    assert any("3 bars missing in 3 gaps" in note for note in market.notes)


def test_a_settlement_is_charged_in_the_bar_that_opens_with_it() -> None:
    """Rate and mark stand in the row whose open is the settlement's time, and nowhere else."""
    market = one(bars(), rates(range(0, 25, 8)))
    assert np.flatnonzero(market.funding_mark[:, 0]).tolist() == [0, 32, 64]
    assert market.funding_rate[32, 0] == pytest.approx(1e-4 + 8e-6)
    assert market.funding_rate[33, 0] == 0


def test_the_mark_is_the_recorded_open_else_the_last_close_and_says_which() -> None:
    """D4: recorded mark open at t_f; where there is none, the close before it."""
    marks = pl.DataFrame({"ts": [START + 8 * HOUR], "open": [5000.0]})
    market = one(bars(), rates(range(0, 25, 8)), marks=marks)
    assert market.funding_mark[32, 0] == 5000.0
    assert market.funding_mark[64, 0] == market.close[63, 0]
    assert any("last close for 2 of 3" in note for note in market.notes)


def test_a_settlement_in_a_hole_of_the_bars_is_still_charged() -> None:
    """The position pays whether or not our recording of the bar exists; the last known close stands in."""
    market = one(bars(skip=(30, 31, 32)), rates(range(0, 25, 8)))
    assert market.funding_rate[32, 0] > 0
    assert market.funding_mark[32, 0] == market.close[29, 0]


def test_no_rates_at_all_refuse_and_say_the_way_out() -> None:
    """Never a silent zero."""
    with pytest.raises(DataError, match=r"no funding rates for 2025-01-01 00:00Z .. 2025-01-01 23:45Z") as caught:
        one(bars(), None)
    assert caught.value.hint == FUNDING_HINT


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        ([0, 16, 24], "2025-01-01 00:00Z .. 2025-01-01 16:00Z"),  # one in the middle
        ([-8, 0, 8], "2025-01-01 08:00Z .. 2025-01-01 23:45Z"),  # ends early
        ([16, 24, 32], "2025-01-01 00:00Z .. 2025-01-01 16:00Z"),  # begins late
        ([0, 4, 8, 16, 20], "2025-01-01 08:00Z .. 2025-01-01 16:00Z"),  # one of the 4-hour kind
    ],
)
def test_a_hole_in_the_rates_refuses_with_its_dates(hours: list[int], said: str) -> None:
    """A missing settlement inside the span, at its start or at its end."""
    frame = pl.DataFrame({"ts": [START + h * HOUR for h in hours], "rate": [1e-4] * len(hours)})
    with pytest.raises(DataError, match=said):
        one(bars(), frame)


def test_a_hole_outside_the_span_does_not_matter() -> None:
    """Only what a position could have paid is needed."""
    frame = pl.DataFrame({"ts": [START + h * HOUR for h in (-80, -8, 0, 8, 16, 24, 80)], "rate": [1e-4] * 7})
    assert one(bars(), frame).funding_rate.any()


def test_a_change_of_the_interval_is_no_hole() -> None:
    """Venues go from 8 to 4 hours and back, and from 4 to 1."""
    eight = list(range(0, 80, 8))
    four = list(range(80, 120, 4))
    single = list(range(120, 140))
    ts = np.array([START + h * HOUR for h in [*eight, *four, *single, *range(140, 200, 8)]], dtype=np.int64)
    assert hole_spans(ts) == []


@given(st.integers(0, 60), st.sampled_from([1, 4, 8]))
def test_any_single_missing_settlement_is_found(gone: int, interval: int) -> None:
    """Law: from a regular series, taking one out (not at an end) gives exactly that hole."""
    hours = [h * interval for h in range(64)]
    lost = hours.pop(gone + 1)
    ts = np.array([START + h * HOUR for h in hours], dtype=np.int64)
    assert hole_spans(ts) == [(START + (lost - interval) * HOUR, START + (lost + interval) * HOUR)]


@given(st.sets(st.integers(1, 94), max_size=20))
def test_every_bar_and_every_rate_survives_the_join(gone: set[int]) -> None:
    """Law: what goes in comes out at its own time, and the sum of the rates is kept."""
    frame = bars(skip=tuple(gone))
    assume(not refusals(frame, STEP))  # some random holes are regular, and those are refused rightly
    market = one(frame, rates(range(0, 25, 8)))
    there = ~np.isnan(market.close[:, 0])
    assert (market.close_ms[there] - STEP).tolist() == frame["ts"].to_list()
    assert market.close[there, 0].tolist() == frame["close"].to_list()
    assert market.funding_rate.sum() == pytest.approx(3e-4 + 24e-6)


def test_two_instruments_share_the_clock_and_keep_their_own_spans() -> None:
    """The union of the spans; what one has not yet is NaN, and its funding is only needed where it has bars."""
    late = bars(48, START + 48 * STEP)
    market = market_of(
        {PERP: bars(), "okx:ETH-USDT:perp": late},
        STEP,
        {PERP: rates(range(0, 25, 8)), "okx:ETH-USDT:perp": rates(range(8, 25, 8))},
        {},
    )
    assert market.open.shape == (96, 2)
    assert np.isnan(market.open[:48, 1]).all()
    assert not np.isnan(market.open[48:, 1]).any()
    assert np.flatnonzero(market.funding_mark[:, 1]).tolist() == [64]
    assert any("ETH-USDT" in note and "bars only" in note for note in market.notes)


def test_assumed_and_no_funding_are_said() -> None:
    """Each stands in the notes, which every output shows."""
    assumed = one(bars(), None, ("assume", 2.0))
    assert np.flatnonzero(assumed.funding_mark[:, 0]).tolist() == [0, 32, 64]
    assert assumed.funding_rate[32, 0] == pytest.approx(2e-4)
    assert any("assumed 2 bps" in note for note in assumed.notes)
    none = one(bars(), None, "none")
    assert not none.funding_rate.any()
    assert any("not charged" in note for note in none.notes)


def test_spot_pays_no_funding() -> None:
    """Nothing is refused and the note says why."""
    market = market_of({"okx:BTC-USDT:spot": bars()}, STEP, {}, {})
    assert not market.funding_mark.any()
    assert market.notes == ("okx:BTC-USDT:spot: spot pays no funding",)


def test_a_span_is_cut_and_what_is_not_there_is_said() -> None:
    """from is included, to is not; asking for more than there is leaves a note."""
    market = one(bars(), rates(range(0, 25, 8)), from_ms=START + STEP, to_ms=START + 10 * STEP)
    assert market.close_ms.size == 9
    wide = one(bars(), rates(range(0, 25, 8)), from_ms=START - 10 * STEP, to_ms=START + 500 * STEP)
    assert [note.split(";")[0] for note in wide.notes[:2]] == [
        "requested from 2024-12-31 21:30Z",
        "requested to 2025-01-06 05:00Z",
    ]


def test_reversed_dates_and_an_empty_span_are_one_line() -> None:
    """BadInput for the slip, DataError for the absence."""
    with pytest.raises(BadInput, match="reversed dates"):
        one(bars(), None, "none", from_ms=START + STEP, to_ms=START)
    with pytest.raises(DataError, match="no bars between 2026-01-01"):
        one(bars(), None, "none", from_ms=START + 365 * 24 * HOUR)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (bars().with_columns(high=pl.col("low") - 1), "high is below low"),
        (bars().with_columns(close=pl.lit(float("nan"))), "not a number"),
        (bars().with_columns(ts=pl.col("ts") + 1000), "grid"),
        (pl.concat([bars(), bars(3)]).sort("ts"), "duplicate times"),
        (bars(400, skip=tuple(range(20, 400, 21))), "regular stride"),
    ],
)
def test_dirty_bars_are_refused(frame: pl.DataFrame, said: str) -> None:
    """A backtest on dirt is a lie with decimals."""
    with pytest.raises(DataError, match=said):
        one(frame, None, "none")


def test_an_unclean_funding_frame_is_refused() -> None:
    """Rounding and doubles are settled where the file is read; here they are a mistake."""
    with pytest.raises(DataError, match="off the minute"):
        one(bars(), rates(range(0, 25, 8)).with_columns(ts=pl.col("ts") + 1))


def test_recorded_sol_2025_pays_each_settlement_once(market_data: Path) -> None:
    """467 settlements duplicate times in the file; summed as they are they come to 2.06 times the truth."""
    catalog = Catalog([(market_data, "recorded")])
    name, key = "binance:SOL-USDT:perp", ("binance", "SOL-USDT")
    frame = catalog.bars(catalog.find(*key, "15m"), START, START + 365 * 24 * HOUR)
    market = market_of({name: frame}, STEP, {name: catalog.funding(*key)}, {name: catalog.marks(*key)})
    raw = pl.read_parquet(catalog.find(*key, "funding").path).filter(pl.col("ts").dt.year() == 2025)
    assert int((market.funding_mark > 0).sum()) == 365 * 3
    assert raw["rate"].sum() / market.funding_rate.sum() == pytest.approx(2.06, abs=0.01)
    assert "binance:SOL-USDT:perp: funding at the recorded mark price" in market.notes


def test_recorded_sol_refuses_over_the_hole_of_december_2024(market_data: Path) -> None:
    """The funding has a hole from 2024-12-04 to 12-31: refused with the dates, whatever the bars have."""
    catalog = Catalog([(market_data, "recorded")])
    name, key = "binance:SOL-USDT:perp", ("binance", "SOL-USDT")
    frame = catalog.bars(catalog.find(*key, "1h"), START - 40 * 24 * HOUR)
    with pytest.raises(DataError, match=r"2024-12-04 00:00Z \.\. 2024-12-31 00:00Z"):
        market_of({name: frame}, timeframe_ms("1h"), {name: catalog.funding(*key)}, {})

"""Two sources of one instrument: what differs is named for what it most likely is."""

from pathlib import Path

import polars as pl
import pytest

from engine.data.checks import errors
from engine.data.compare_sources import compare_sources
from engine.data.files import read_any
from engine.data.synthetic import synthetic

STEP = 900_000
START = 1_735_689_600_000
CLEAN = synthetic(["BTC-USDT"], STEP, START, 2000, 5)[0]["BTC-USDT"]


def other_venue(seed: int = 1) -> pl.DataFrame:
    """The same market a little off, as another venue shows it."""
    from numpy.random import default_rng

    random = default_rng(seed)
    noise, share = pl.Series(1 + random.normal(0, 0.0003, CLEAN.height)), pl.Series(random.uniform(0.2, 0.4, CLEAN.height))
    return CLEAN.with_columns(*(pl.col(n) * noise for n in CLEAN.columns[1:5]), volume=pl.col("volume") * share)


def told(found: list) -> dict[str, tuple[int, ...]]:
    """Rule -> rows of the errors."""
    return {f.rule: f.rows for f in errors(found)}


def test_the_same_file_agrees_with_itself() -> None:
    """Nothing to say."""
    assert compare_sources(CLEAN, CLEAN) == []


@pytest.mark.parametrize("late", [STEP, -STEP, 3_600_000, -8 * 3_600_000])
def test_shifted_stamps_are_found_against_another_venue(late: int) -> None:
    """A bar, an hour, a time zone: the closes agree at that lag and not at none."""
    found = compare_sources(CLEAN.with_columns(ts=pl.col("ts") + late), other_venue(), same_market=False)
    (f,) = errors(found)
    assert f.rule == "shifted"
    assert f"{abs(late) // 60_000} minutes {'late' if late > 0 else 'early'}" in f.text


def test_another_price_level_is_an_error() -> None:
    """A testnet, or another coin."""
    off = CLEAN.with_columns(*(pl.col(n) * 0.6 for n in CLEAN.columns[1:5]))
    assert "level" in told(compare_sources(off, CLEAN, same_market=False))


def test_another_venue_is_a_warning_unless_it_claims_to_be_the_same() -> None:
    """Prices some basis points apart: two markets. Under one name: not the market it says."""
    assert told(compare_sources(other_venue(), CLEAN, same_market=False)) == {}
    assert "market" in told(compare_sources(other_venue(), CLEAN, same_market=True))


def test_volume_in_contracts_and_in_quote_units_are_errors() -> None:
    """A constant multiple, and a multiple that follows the price."""
    assert "unit" in told(compare_sources(CLEAN.with_columns(volume=pl.col("volume") * 100), CLEAN))
    assert "unit" in told(compare_sources(CLEAN.with_columns(volume=pl.col("volume") * pl.col("close")), other_venue(), False))


def test_frozen_revised_and_unfinished_bars_are_told_apart() -> None:
    """Less volume inside the other's range was stored too early; anything else is a revision."""
    early = pl.col("ts").is_in([CLEAN["ts"][300], CLEAN["ts"][1999]])
    moved = pl.col("ts") == CLEAN["ts"][900]
    frame = CLEAN.with_columns(
        volume=pl.when(early).then(pl.col("volume") * 0.4).otherwise(pl.col("volume")),
        high=pl.when(moved).then(pl.col("high") * 1.001).otherwise(pl.col("high")),
    )
    assert told(compare_sources(frame, CLEAN)) == {"unfinished": (1999,), "frozen": (300,), "revised": (900,)}


def test_a_spliced_stretch_is_told_with_its_rows() -> None:
    """Equal up to a bar, another market from there on."""
    frame = pl.concat([CLEAN[:1500], other_venue()[1500:]])
    found = told(compare_sources(frame, CLEAN))
    assert found["splice"] == tuple(range(1500, 2000))


def test_bars_that_only_the_other_has_were_lost_here() -> None:
    """A gap that the other source does not have is no outage of the venue."""
    frame = pl.concat([CLEAN[:700], CLEAN[705:]])
    assert told(compare_sources(frame, CLEAN)) == {"gap": (700,)}


def test_a_finer_timeframe_is_added_up_first() -> None:
    """15m against 1h of the same bars agree; a changed quarter of an hour is found at its hour's first row."""
    hour = CLEAN.group_by(pl.col("ts") // 3_600_000 * 3_600_000, maintain_order=True).agg(
        pl.col("open").first(), pl.col("high").max(), pl.col("low").min(), pl.col("close").last(), pl.col("volume").sum()
    )
    assert compare_sources(CLEAN, hour) == []
    assert compare_sources(hour, CLEAN) == []
    frame = CLEAN.with_columns(volume=pl.when(pl.col("ts") == CLEAN["ts"][42]).then(0.1).otherwise(pl.col("volume")))
    assert told(compare_sources(frame, hour)) == {"frozen": (40,)}


def test_files_without_a_common_bar_say_so() -> None:
    """Nothing was compared: that is not agreement."""
    assert "overlap" in told(compare_sources(CLEAN[:900], CLEAN[1000:]))
    assert "overlap" in told(compare_sources(CLEAN[:0], CLEAN))


RECORDED = [
    ("dirty/binance_BTC-USDT_1h_6500-missing", "ohlcv/binance_BTC-USDT_perp_1h", True, "market", 13_998),
    ("dirty/binance_BTC-USDT_perp_15m_frozen-partbars", "ohlcv/binance_BTC-USDT_perp_15m", True, "frozen", 8),
    ("dirty/binance_BTC-USDT_perp_5m_spot-splice", "ohlcv/binance_BTC-USDT_perp_5m", True, "splice", 575),
    ("dirty/bybit-testnet_BTC-USDT_perp_1m", "ohlcv/bybit_BTC-USDT_perp_15m", False, "level", 1),
    ("dirty/bybit_BTC-USDT_15m_pager-off-by-one", "ohlcv/bybit_BTC-USDT_perp_15m", True, "market", 14_385),
    ("dirty/okx_BTC-USDT_perp_1h_volume-in-contracts", "ohlcv/okx_BTC-USDT_perp_15m", True, "unit", 1),
    ("dirty/okx_BTC-USDT_perp_1h_volume-in-contracts", "ohlcv/binance_BTC-USDT_perp_1h", False, "unit", 1),
    ("ohlcv/ftx_BTC-USD_perp_1m", "ohlcv/binance_BTC-USDT_perp_1h", False, "shifted", 1),
    ("ohlcv/ftx_BTC-USD_perp_1m", "ohlcv/binance_BTC-USDT_spot_1h", False, "unit", 1),
]


@pytest.mark.sample(3)
@pytest.mark.parametrize(("file", "other", "same", "rule", "rows"), RECORDED)
def test_recorded_dirt_is_told_by_a_second_source(
    market_data: Path, file: str, other: str, same: bool, rule: str, rows: int
) -> None:
    """Spot passing for perp, frozen bars, a splice, a testnet, contracts, close stamps and dollars: all eight bars of eight."""
    a, b = (read_any(market_data / f"{name}.parquet") for name in (file, other))
    found = told(compare_sources(a.frame, b.frame, same, (a.timeframe_ms, b.timeframe_ms)))
    assert len(found[rule]) == rows


def test_recorded_revisions_are_found_bar_by_bar(market_data: Path) -> None:
    """Of two captures of one bar the older differs from the newest vintage; revisions of a bar are told as such."""
    a = read_any(market_data / "dirty" / "okx_SOL-USDT_perp_15m_revisions.parquet")
    b = read_any(market_data / "ohlcv" / "okx_SOL-USDT_perp_15m.parquet")
    found = told(compare_sources(a.frame, b.frame, True, (STEP, STEP)))
    assert len(found.get("frozen", ())) + len(found.get("revised", ())) == 11


def test_binance_disagrees_with_itself_in_nine_hours(market_data: Path) -> None:
    """15m against 1h of the venue's own archive; the hours are known, the rest is equal."""
    a, b = (read_any(market_data / "ohlcv" / f"binance_BTC-USDT_perp_{tf}.parquet") for tf in ("1h", "15m"))
    found = told(compare_sources(a.frame, b.frame))
    hours = {str(a.frame["ts"].cast(pl.Datetime("ms"))[r])[:13] for rows in found.values() for r in rows}
    assert {"2024-10-28 20", "2024-10-28 21", "2025-01-29 01", "2025-01-29 02"} <= hours
    assert len(hours) <= 10


@pytest.mark.parametrize("pair", [("okx", "binance"), ("bybit", "binance")])
def test_recorded_venues_agree(market_data: Path, pair: tuple[str, str]) -> None:
    """Two clean recordings of BTC 15m from two venues: no error."""
    a, b = (read_any(market_data / "ohlcv" / f"{v}_BTC-USDT_perp_15m.parquet") for v in pair)
    assert errors(compare_sources(a.frame, b.frame, same_market=False)) == []

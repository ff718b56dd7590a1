"""Taker volume on its way from a file to a feature: where it was recorded, and nowhere else."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.data.align import until
from engine.data.catalog import Catalog
from engine.data.loading import load
from engine.data.sources import ReadFiles
from engine.data.writer import write_series
from engine.features.frame import FeatureFrame

STEP = 900_000
START = 1_735_689_600_000  # 2025-01-01 00:00
NAMES = ("okx:BTC-USDT:spot", "okx:ETH-USDT:spot", "okx:SOL-USDT:spot")


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """Three coins, 96 bars: BTC without taker volume; a quarter of ETH's volume, 99 in its first bar; half of SOL's."""
    price = 1000.0 + np.arange(96)
    columns = {"open": price, "high": price + 2, "low": price - 1, "close": price + 1, "volume": 5.0 + np.arange(96) % 3}
    bars = pl.DataFrame({"ts": START + STEP * np.arange(96), **columns})
    first = pl.when(pl.col("ts") == START).then(99.0)
    taken = {"BTC": bars, "ETH": bars.with_columns(taker_buy_volume=first.otherwise(pl.col("volume") / 4))}
    taken["SOL"] = bars.with_columns(taker_buy_volume=pl.col("volume") / 2)
    for coin, frame in taken.items():
        write_series(tmp_path / f"okx_{coin}-USDT_spot_15m.parquet", frame, "pulled", {})
    return Catalog([(tmp_path, "pulled")])


def test_it_is_carried_where_a_file_records_it(catalog: Catalog) -> None:
    """NaN for who does not record it and where it is above the bar's volume, with a note that counts those bars."""
    btc, eth, sol = (catalog.find("okx", f"{coin}-USDT", "15m", "spot") for coin in ("BTC", "ETH", "SOL"))
    loaded = load(catalog, {NAMES[0]: btc, NAMES[1]: eth}, STEP, "none", None, None, None, ReadFiles({NAMES[2]: sol}, {}))
    market = loaded.whole
    volume = market.volume[:, 1]
    assert market.taker_buy_volume is not None
    assert np.isnan(market.taker_buy_volume[:, 0]).all()
    assert np.isnan(market.taker_buy_volume[0, 1])
    assert market.taker_buy_volume[1:, 1] == pytest.approx(volume[1:] / 4)
    assert FeatureFrame.of_market(market, 1).delta()[1:] == pytest.approx(-volume[1:] / 2)
    assert FeatureFrame.of_market(market, 2).delta() == pytest.approx(0.0)
    assert any("ETH-USDT:spot: no taker volume at 1 bars" in note for note in loaded.notes)
    assert until(market, market.close_ms[9]).taker_buy_volume.shape == (10, 3)


def test_files_without_it_cost_nothing(catalog: Catalog) -> None:
    """No column is made where no file has one; one that is only read brings its own."""
    btc, sol = (catalog.find("okx", f"{coin}-USDT", "15m", "spot") for coin in ("BTC", "SOL"))
    assert load(catalog, {NAMES[0]: btc}, STEP, "none", None, None, None).whole.taker_buy_volume is None
    read = load(catalog, {NAMES[0]: btc}, STEP, "none", None, None, None, ReadFiles({NAMES[2]: sol}, {})).whole
    assert np.isnan(FeatureFrame.of_market(read, 0).delta()).all()
    assert FeatureFrame.of_market(read, 1).delta() == pytest.approx(0.0)

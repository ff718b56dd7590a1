"""Columns without names are what their numbers say they are: the order of the prices, volumes, VWAP, trades."""

from pathlib import Path

import polars as pl
import pytest

from engine.errors import DataError
from tests.fakes.made_files import BARS, OHLCV, QUOTE, csv, read, same_bars

NAMED = "x_BTC-USDT_spot_15m.csv"
TURNOVER = QUOTE.round(6).alias("turnover")


@pytest.mark.parametrize(
    "columns",
    [
        ["ts", "open", "close", "high", "low", "volume"],
        ["ts", "low", "high", "open", "close", "volume"],
        ["ts", "volume", "close", "high", "low", "open"],
        ["ts", "open", "close", "high", "low", "volume", TURNOVER],
        ["ts", TURNOVER, "close", "high", "low", "open", "volume", pl.lit("true").alias("closed")],
    ],
    ids=["bitfinex", "coinbase", "gate archive", "kucoin", "gate"],
)
@pytest.mark.parametrize("newest_first", [False, True])
def test_the_order_of_prices_is_the_one_that_no_bar_contradicts(
    tmp_path: Path, columns: list[str | pl.Expr], newest_first: bool
) -> None:
    """Venues that do not write open, high, low, close are read right, whichever row comes first, and a note says so."""
    frame = BARS.reverse() if newest_first else BARS
    found = read(csv(tmp_path / NAMED, frame.select(columns), header=False))
    assert same_bars(found, frame)
    assert any("no bar contradicts itself" in note for note in found.notes)


def test_a_few_faulty_bars_do_not_change_the_order(tmp_path: Path) -> None:
    """The usual order stays, so that the check names the rows."""
    third = pl.int_range(pl.len()) % 3 == 0
    frame = BARS.with_columns(high=pl.when(third).then(pl.col("low") / 2).otherwise("high"))
    found = read(csv(tmp_path / NAMED, frame, header=False))
    assert same_bars(found, frame)


def test_prices_in_no_known_order_ask_for_a_header(tmp_path: Path) -> None:
    """Nothing is guessed."""
    frame = BARS.select("ts", "high", "open", "low", "close", "volume")
    with pytest.raises(DataError, match="in no order of open, high, low and close that fits - add a header"):
        read(csv(tmp_path / NAMED, frame, header=False))


def test_vwap_volume_and_trades_are_told_apart(tmp_path: Path) -> None:
    """As Kraken's API answers; a VWAP outside a bar proves nothing, and is refused."""
    prices = [pl.col(n) for n in OHLCV[:4]]
    middle = ((pl.col("high") + pl.col("low")) / 2).alias("vwap")
    trades = (pl.int_range(pl.len()) + 1).alias("count")
    assert same_bars(read(csv(tmp_path / NAMED, BARS.select("ts", *prices, middle, "volume", trades), header=False)))
    with pytest.raises(DataError, match="add a header"):
        read(csv(tmp_path / NAMED, BARS.select("ts", *prices, middle * 2, "volume", trades), header=False))

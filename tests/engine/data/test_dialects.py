"""What columns mean is decided by name, by the columns beside them and by arithmetic; a contradiction is refused."""

import gzip
import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine.errors import DataError
from tests.fakes.made_files import BARS, HOUR, OHLCV, PRICES, QUOTE, START, STEP, TIME, csv, read, same_bars

# ---------------------------------------------------------------- volume


def okx(**changed: pl.Expr) -> pl.DataFrame:
    """OKX's candles: contracts of 0.01, coins, quote, closed flag."""
    base = {"vol": pl.col("volume") * 100, "volCcy": pl.col("volume"), "volCcyQuote": QUOTE, "confirm": pl.lit(1)}
    return BARS.select("ts", *PRICES, **(base | changed))


def test_of_contracts_and_coins_the_coins_are_the_volume(tmp_path: Path) -> None:
    """vol, volCcy, volCcyQuote: the column that times the price is the quote volume, and a note says so."""
    raw = read(csv(tmp_path / "x.csv", okx()))
    assert same_bars(raw)
    assert "volume is volccy (base units); vol, volccyquote left out" in raw.notes


def test_on_spot_the_same_names_mean_other_things(tmp_path: Path) -> None:
    """OKX spot: vol is in coins and volCcy in quote units; arithmetic decides, not the name."""
    assert same_bars(read(csv(tmp_path / "x.csv", BARS.select("ts", *PRICES, vol="volume", volCcy=QUOTE))))


@pytest.mark.parametrize(
    ("quote", "said"),
    [
        (QUOTE / 100, r"volume x close is (99|100|101)\S* times turnover: contracts, not base units"),
        (QUOTE * 1000, r"volume x close is 0.00(09|1)\S* times turnover: not base units"),
    ],
)
def test_a_volume_that_contradicts_the_turnover_is_refused_with_its_factor(tmp_path: Path, quote: pl.Expr, said: str) -> None:
    """Wherever a quote column is, volume x close must agree with it."""
    with pytest.raises(DataError, match=said):
        read(csv(tmp_path / "x.csv", BARS.with_columns(turnover=quote)))


def test_volume_in_another_unit_from_a_row_on_names_the_row(tmp_path: Path) -> None:
    """Two units in one file beside a quote volume that has one."""
    later = pl.col("ts") >= BARS["ts"][340]
    frame = BARS.with_columns(quote_volume=QUOTE, volume=pl.when(later).then(pl.col("volume") * 1000).otherwise("volume"))
    with pytest.raises(
        DataError, match=r"from row 340 on volume x close is (99\d|1e\+03|100\d)\S* times quote_volume in 60 rows"
    ):
        read(csv(tmp_path / "x.csv", frame))


@pytest.mark.parametrize("contract", [1, 10, 100])
def test_an_inverse_contract_is_refused_in_words(tmp_path: Path, contract: int) -> None:
    """Contracts of so many USD beside coins: the profit is not linear; by name too."""
    value = pl.col("volume") * pl.col("close")
    frame = BARS.select("ts", *PRICES, volume=value / contract, quote_volume="volume")
    with pytest.raises(DataError, match=f"counts contracts of {contract} USD .* an inverse contract"):
        read(csv(tmp_path / "x.csv", frame))
    with pytest.raises(DataError, match="inverse contract"):
        read(csv(tmp_path / "BTCUSD_PERP-15m-2025-01.csv", BARS))


def test_amount_is_base_or_quote_as_the_arithmetic_says(tmp_path: Path) -> None:
    """HTX calls base volume amount, others quote volume; alone it says nothing."""
    assert same_bars(read(csv(tmp_path / "x.csv", BARS.select("ts", *PRICES, vol=QUOTE, amount="volume"))))
    assert same_bars(read(csv(tmp_path / "x.csv", BARS.with_columns(amount=QUOTE))))
    with pytest.raises(DataError, match=r"volume x close is (99|100|101)\S* times amount"):
        read(csv(tmp_path / "x.csv", BARS.with_columns(amount=QUOTE, volume=pl.col("volume") * 100)))
    with pytest.raises(DataError, match=r"quote volume only \(amount\)"):
        read(csv(tmp_path / "x.csv", BARS.rename({"volume": "amount"})))


def test_a_volume_that_follows_the_close_is_refused(tmp_path: Path) -> None:
    """A weighted price in the place of the volume."""
    with pytest.raises(DataError, match="volume follows the close: it is a price"):
        read(csv(tmp_path / "x.csv", BARS.with_columns(volume=(pl.col("open") + pl.col("close")) / 2)))


def test_a_moving_average_of_volume_is_not_a_volume(tmp_path: Path) -> None:
    """TradingView exports `Volume MA` beside `Volume`."""
    frame = BARS.rename({"ts": "time", "volume": "Volume"}).with_columns(pl.lit(5.0).alias("Volume MA"))
    raw = read(csv(tmp_path / "BINANCE_BTCUSDT.P, 15.csv", frame))
    assert same_bars(raw)
    assert tuple(raw.named) == ("binance", "BTC-USDT", "perp", "15m", "")


def test_bars_without_a_volume_are_marks_only_when_someone_says_so(tmp_path: Path) -> None:
    """Prices alone are neither bars nor marks; a name, a folder or --series makes them marks."""
    marks = BARS.select(
        start_at=pl.col("ts") // 1000, symbol=pl.lit("BTCUSD"), period=pl.lit(15), **{n: pl.col(n) for n in PRICES}
    )
    path = csv(tmp_path / "BTCUSD_15_2021.csv", marks)
    assert (read(path).kind, read(path).timeframe_ms, read(path).stated) == ("prices", STEP, "BTCUSD")
    assert read(path, series="mark").kind == "marks"
    folder = tmp_path / "um" / "monthly" / "markPriceKlines" / "BTCUSDT" / "15m"
    folder.mkdir(parents=True)
    raw = read(csv(folder / "BTCUSDT-15m-2025-01.csv", binance(volume=pl.lit(0), quote=pl.lit(0))))
    assert (raw.kind, raw.named.series, raw.named.market) == ("marks", "mark_15m", "perp")


def test_a_volume_of_zero_in_every_row_asks_whether_these_are_marks(tmp_path: Path) -> None:
    """Binance writes its mark klines in the columns of bars."""
    with pytest.raises(DataError, match="volume is 0 in every row: mark or index prices"):
        read(csv(tmp_path / "BTCUSDT-15m-2025-01.csv", binance(volume=pl.lit(0), quote=pl.lit(0))))


# ---------------------------------------------------------------- layouts


def binance(times: int = 1, volume: pl.Expr | None = None, quote: pl.Expr = QUOTE) -> pl.DataFrame:
    """Binance's klines, with its header; `times` 1000 for microseconds."""
    taker = {"taker_buy_volume": pl.col("volume") / 2, "taker_buy_quote_volume": quote / 2, "ignore": pl.lit(0)}
    return BARS.select(
        open_time=pl.col("ts") * times,
        **{n: pl.col(n) for n in PRICES},
        volume=pl.col("volume") if volume is None else volume,
        close_time=(pl.col("ts") + STEP) * times - 1,
        quote_volume=quote,
        count=pl.lit(7),
        **taker,
    )


@pytest.mark.parametrize("times", [1, 1000])
@pytest.mark.parametrize("header", [True, False])
def test_binance_dumps_are_read_with_and_without_header_in_ms_and_us(tmp_path: Path, times: int, header: bool) -> None:
    """Both generations of the public archive, zipped, with the checksum beside it."""
    text = binance(times).write_csv(include_header=header)
    path = tmp_path / "BTCUSDT-15m-2025-01.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("BTCUSDT-15m-2025-01.csv", text)
    (tmp_path / f"{path.name}.CHECKSUM").write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")
    raw = read(path)
    assert same_bars(raw)
    assert raw.notes[0] == f"the file matches {path.name}.CHECKSUM"
    assert tuple(raw.named) == ("", "BTC-USDT", "", "15m", "")


def rows(frame: pl.DataFrame) -> list[list[Any]]:
    """A frame as JSON rows."""
    return [list(row) for row in frame.rows()]


def test_json_lists_of_ccxt_freqtrade_and_the_venues_are_read(tmp_path: Path) -> None:
    """Rows of numbers, alone or inside `data` and `result.list`; packed or not."""
    bars = rows(BARS.select("ts", *OHLCV))
    for n, content in enumerate((bars, {"data": bars}, {"result": {"list": bars}})):
        path = tmp_path / f"{n}.json.gz"
        path.write_bytes(gzip.compress(json.dumps(content).encode()))
        assert same_bars(read(path))
    texts = [[str(cell) for cell in row] for row in rows(okx())]
    (tmp_path / "okx.json").write_text(json.dumps({"code": "0", "data": texts}))
    raw = read(tmp_path / "okx.json")
    assert same_bars(raw)
    assert "column 6 x price is column 7" in raw.notes[0]


def test_funding_of_each_venue_is_read(tmp_path: Path) -> None:
    """Binance's dump, ccxt's and OKX's lists: realised before predicted, relative before absolute."""
    ts = [START + n * 8 * HOUR + n % 3 for n in range(60)]
    dump = pl.DataFrame({"calc_time": ts, "funding_interval_hours": 8, "last_funding_rate": 1e-4})
    raw = read(csv(tmp_path / "BTCUSDT-fundingRate-2025-01.csv", dump))
    assert (raw.kind, tuple(raw.named)) == ("funding", ("", "BTC-USDT", "perp", "funding", ""))
    assert raw.frame.rows()[1] == (ts[1], 1e-4)
    history = [{"info": {}, "symbol": "BTC/USDT:USDT", "fundingRate": 1e-4, "timestamp": t} for t in ts]
    (tmp_path / "a.json").write_text(json.dumps(history))
    assert read(tmp_path / "a.json").frame.equals(raw.frame)
    both = pl.DataFrame({"funding_time": ts, "funding_rate": 9e-4, "real_funding_rate": 1e-4, "relativeFundingRate": 2e-4})
    raw = read(csv(tmp_path / "b.csv", both))
    assert raw.frame["rate"][0] == 2e-4
    assert "the rate is relativefundingrate; funding_rate, real_funding_rate left out" in raw.notes


def test_rates_that_say_percent_are_divided(tmp_path: Path) -> None:
    """A sign in the cells or a word in the name is evidence; the note says it."""
    ts = [START + n * 8 * HOUR for n in range(5)]
    for name, values in (("rate", ["0.0100%"] * 5), ("funding_rate_pct", [0.01] * 5)):
        raw = read(csv(tmp_path / "x.csv", pl.DataFrame({"ts": ts, name: values})))
        assert raw.frame["rate"].to_list() == pytest.approx([1e-4] * 5)
        assert f"rates in {name} are percent: divided by 100" in raw.notes


def test_kraken_hummingbot_yahoo_metatrader_and_kaggle_are_read(tmp_path: Path) -> None:
    """Each by its own columns and name."""
    kraken = BARS.select(pl.col("ts") // 1000, *OHLCV, trades=pl.lit(3))
    raw = read(csv(tmp_path / "XBTUSD_15.csv", kraken, header=False))
    assert (same_bars(raw), tuple(raw.named)) == (True, ("kraken", "BTC-USD", "spot", "15m", ""))
    candles = BARS.select(pl.col("ts").alias("timestamp") / 1000, *OHLCV, quote_asset_volume=QUOTE, n_trades=pl.lit(3))
    raw = read(csv(tmp_path / "candles_binance_perpetual_BTC-USDT_15m.csv", candles))
    assert (same_bars(raw), tuple(raw.named)) == (True, ("binance", "BTC-USDT", "perp", "15m", ""))
    yahoo = BARS.select(Date=TIME.dt.to_string("%Y-%m-%d %H:%M:%S+00:00"), **{n.title(): n for n in PRICES})
    yahoo = yahoo.with_columns(pl.col("Close").alias("Adj Close"), (BARS["volume"] * 1e5).round(0).cast(pl.Int64).alias("Volume"))
    raw = read(csv(tmp_path / "BTC-USD.csv", yahoo))
    assert raw.frame["volume"][0] == round(BARS["volume"][0] * 1e5) / BARS["close"][0]
    assert any("Yahoo's, in USD" in note for note in raw.notes)
    for form in ("%Y.%m.%d %H:%M", "%Y.%m.%d,%H:%M"):
        meta = BARS.select(TIME.dt.to_string(form), *OHLCV).write_csv(include_header=False, quote_style="never")
        (tmp_path / "m.csv").write_text(meta)
        raw = read(tmp_path / "m.csv")
        assert same_bars(raw)
        assert any("MetaTrader's" in note for note in raw.notes)


@pytest.mark.parametrize("width", [3, 5, 7, 8, 9, 13])
def test_a_headless_width_that_nothing_proves_asks_for_a_header(tmp_path: Path, width: int) -> None:
    """Six columns are known; others only where the arithmetic shows base and quote volume."""
    frame = BARS.select("ts", *OHLCV, *(pl.lit(n + 2.5).alias(str(n)) for n in range(7))).select(pl.nth(range(width)))
    for name in ("x.csv", "XBTUSD_15.csv"):  # Kraken's seventh column holds whole numbers
        with pytest.raises(DataError, match=r"has no header.* - add a header"):
            read(csv(tmp_path / name, frame, header=False))


def test_rows_that_say_they_are_not_closed_are_left_out_with_a_count(tmp_path: Path) -> None:
    """confirm is 0 on the bar that still forms."""
    frame = BARS.with_columns(confirm=(pl.col("ts") < BARS["ts"][-2]).cast(pl.Int8))
    raw = read(csv(tmp_path / "x.csv", frame))
    assert same_bars(raw, BARS[:-2])
    assert "2 rows not closed yet (confirm is 0): left out" in raw.notes


def test_intervals_without_a_trade_are_left_out_on_request(tmp_path: Path) -> None:
    """Kaggle's minutes hold NaN in every column: --drop-empty counts them, without it they stay for the check."""
    empty = pl.col("ts") == BARS["ts"][7]
    frame = BARS.with_columns(pl.when(empty).then(float("nan")).otherwise(n).alias(n) for n in OHLCV)
    path = csv(tmp_path / "x.csv", frame.with_columns(vwap=pl.when(empty).then(float("nan")).otherwise("close")))
    assert read(path).frame.height == 400
    raw = read(path, drop_empty=True)
    assert raw.frame.height == 399
    assert any(note.startswith("1 row without a trade left out") for note in raw.notes)

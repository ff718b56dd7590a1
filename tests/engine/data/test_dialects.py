"""What columns mean is decided by name, by the columns beside them and by arithmetic; a contradiction is refused."""

import gzip
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine.data.dialects import containers
from engine.data.dialects.names import symbol_readings
from engine.data.files import RawFile, ReadOptions, name_parts, read_any
from engine.data.synthetic import synthetic
from engine.errors import DataError

STEP = 900_000
START = 1_735_689_600_000  # 2025-01-01
HOUR = 3_600_000
BARS = synthetic(["BTC-USDT"], STEP, START, 400, 5)[0]["BTC-USDT"]
OHLCV = ("open", "high", "low", "close", "volume")
PRICES = OHLCV[:4]
TIME = pl.col("ts").cast(pl.Datetime("ms"))
QUOTE = pl.col("volume") * (pl.col("open") + pl.col("close")) / 2


def csv(path: Path, frame: pl.DataFrame, header: bool = True) -> Path:
    """Write a csv and give its path back."""
    frame.write_csv(path, include_header=header)
    return path


def read(path: Path, **options: Any) -> RawFile:
    """Read with options."""
    return read_any(path, ReadOptions(**options))


def same_bars(raw: RawFile, frame: pl.DataFrame = BARS) -> bool:
    """The same times, prices and volumes to the bit."""
    return raw.kind == "bars" and raw.frame.select("ts", *OHLCV).equals(frame.select("ts", *OHLCV))


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


# ---------------------------------------------------------------- times


def clocked(path: Path, **times: pl.Expr) -> Path:
    """Bars with these time columns."""
    return csv(path, BARS.select(**times, **{n: pl.col(n) for n in OHLCV}))


def test_an_epoch_beats_a_date_without_zone_and_the_note_says_by_how_much(tmp_path: Path) -> None:
    """A local date beside an epoch is local time, whichever comes first."""
    local = TIME.dt.offset_by("-5h").dt.to_string("%Y-%m-%d %H:%M:%S")
    for name in ("unix", "unix_timestamp"):
        for times in ({"date": local, name: pl.col("ts")}, {name: pl.col("ts"), "date": local}):
            raw = read(clocked(tmp_path / "x.csv", **times))
            assert same_bars(raw)
            assert f"date has no time zone and is 5 hours behind {name}: local time, left out" in raw.notes


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ((pl.col("ts") + HOUR), "timestamp and ts disagree by 1 hour"),
        ((TIME + pl.duration(hours=3)).dt.to_string("%Y-%m-%dT%H:%M:%SZ"), "timestamp and ts disagree by 3 hours"),
        ((TIME + pl.duration(days=3)).dt.to_string("%Y-%m-%d %H:%M:%S"), "timestamp and ts disagree by 72 hours"),
        ((TIME + pl.duration(minutes=7)).dt.to_string("%Y-%m-%d %H:%M:%S"), "timestamp and ts disagree by 0.116667 hours"),
    ],
)
def test_two_clocks_that_disagree_refuse_and_say_by_how_much(tmp_path: Path, other: pl.Expr, said: str) -> None:
    """Two epochs, an epoch and a zoned text, or a text that is off by what no time zone is."""
    with pytest.raises(DataError, match=said):
        read(clocked(tmp_path / "x.csv", ts=pl.col("ts"), timestamp=other))


def test_ambiguous_dates_are_refused_until_someone_says_the_order(tmp_path: Path) -> None:
    """3 April or 4 March: --dates decides; a day above 12 proves the order, and contradicts the wrong option."""
    april = BARS[:96].with_columns(ts=pl.col("ts") + (31 + 28 + 31 + 2) * 24 * HOUR)
    day_first = TIME.dt.to_string("%d/%m/%Y %H:%M")
    path = csv(tmp_path / "x.csv", april.select(date=day_first, **{n: pl.col(n) for n in OHLCV}))
    with pytest.raises(DataError, match=r"may be day/month or month/day \('03/04/2025 00:00'\) - add --dates dmy or --dates mdy"):
        read(path)
    assert same_bars(read(path, dates="dmy"), april)
    assert read(path, dates="mdy").frame["ts"][0] == START + (31 + 28 + 3) * 24 * HOUR
    late = BARS[:96].with_columns(ts=pl.col("ts") + 20 * 24 * HOUR)
    for form, order, wrong in (("%d/%m/%Y %H:%M", "day/month/year", "mdy"), ("%m/%d/%Y %I:%M %p", "month/day/year", "dmy")):
        path = csv(tmp_path / "y.csv", late.select(date=TIME.dt.to_string(form), **{n: pl.col(n) for n in OHLCV}))
        raw = read(path)
        assert same_bars(raw, late)
        assert f"dates in date are read as {order}" in raw.notes
        with pytest.raises(DataError, match=f"is not a {wrong} date"):
            read(path, dates=wrong)


@pytest.mark.parametrize(
    ("first", "skipped", "kind"),
    [
        ("2025-03-28", "2025-03-30 02:00", "summer"),
        ("2025-03-07", "2025-03-09 02:00", "summer"),
        ("2025-10-24", "2025-10-26 02:00", "winter"),
    ],
)
def test_local_time_over_a_clock_change_is_refused(tmp_path: Path, first: str, skipped: str, kind: str) -> None:
    """One hour missing or twice at a known switch in a file without zone, in Europe and in the USA; the same in UTC is read."""
    start = pl.Series([first]).str.to_datetime(time_unit="ms").dt.epoch("ms")[0]
    switch = pl.Series([skipped]).str.to_datetime(time_unit="ms").dt.epoch("ms")[0]
    shift = HOUR if kind == "summer" else -HOUR
    edge = switch if kind == "summer" else switch + HOUR
    ts = start + STEP * pl.int_range(400, dtype=pl.Int64)
    local = ts + pl.when(ts >= edge).then(shift).otherwise(0)
    frame = BARS.select(time=local.cast(pl.Datetime("ms")).dt.to_string("%Y-%m-%d %H:%M"), **{n: pl.col(n) for n in OHLCV})
    with pytest.raises(DataError, match=f"{skipped}, the change to {kind} time: this is local time"):
        read(csv(tmp_path / "x.csv", frame))
    zoned = frame.with_columns(time=pl.col("time") + "Z")
    assert read(csv(tmp_path / "x.csv", zoned)).frame.height == 400


def test_a_zone_in_some_rows_only_is_refused_with_the_row(tmp_path: Path) -> None:
    """Two programs wrote it."""
    text = TIME.dt.to_string("%Y-%m-%d %H:%M:%S") + pl.when(pl.col("ts") == BARS["ts"][7]).then(pl.lit("")).otherwise(pl.lit("Z"))
    with pytest.raises(DataError, match="time has a time zone in some rows and none in row 7"):
        read(clocked(tmp_path / "x.csv", time=text))


def test_dates_with_names_of_months_and_blank_lines_at_the_end_are_read(tmp_path: Path) -> None:
    """A comma inside quotes is no column."""
    path = clocked(tmp_path / "x.csv", date=TIME.dt.to_string("%b %d, %Y %H:%M"))
    path.write_text(path.read_text() + "\n\n")
    assert same_bars(read(path))


def test_units_that_change_within_a_file_are_read_row_by_row_with_the_row(tmp_path: Path) -> None:
    """ms and us joined in one file: the note names the row where it changes."""
    mixed = pl.when(pl.col("ts") >= BARS["ts"][250]).then(pl.col("ts") * 1000).otherwise("ts")
    raw = read(clocked(tmp_path / "x.csv", open_time=mixed))
    assert same_bars(raw)
    assert "times in open_time change from epoch ms to us at row 250: read row by row as UTC" in raw.notes
    broken = pl.when(pl.col("ts") == BARS["ts"][250]).then(17).otherwise("ts")
    with pytest.raises(DataError, match=r"is not a time since 1970 \(row 250: 17\)"):
        read(clocked(tmp_path / "y.csv", open_time=broken))


def test_the_year_2038_is_a_year(tmp_path: Path) -> None:
    """Seconds beyond 2^31 are times; the same number wrapped into 32 bits is not."""
    later = BARS.with_columns(ts=pl.col("ts") + 5000 * 24 * HOUR)
    assert same_bars(read(csv(tmp_path / "x.csv", later.with_columns(ts=pl.col("ts") // 1000))), later)
    wrapped = later.with_columns(ts=pl.col("ts") // 1000 - 2**32)
    with pytest.raises(DataError, match="is not a time since 1970"):
        read(csv(tmp_path / "y.csv", wrapped))


def test_close_times_that_contradict_the_step_are_refused(tmp_path: Path) -> None:
    """Close minus open is the length of the bar."""
    with pytest.raises(DataError, match="close_time is 1h after the open, but the rows are 15m apart"):
        read(csv(tmp_path / "x.csv", BARS.with_columns(close_time=pl.col("ts") + HOUR - 1)))


def test_a_header_that_comes_again_is_left_out_with_its_row(tmp_path: Path) -> None:
    """Two files joined by `cat`."""
    text = BARS[:200].write_csv() + BARS[200:].write_csv()
    (tmp_path / "x.csv").write_text(text)
    raw = read(tmp_path / "x.csv")
    assert same_bars(raw)
    assert "the header comes again at row 200: 1 such row left out" in raw.notes


# ---------------------------------------------------------------- containers


def zipped(**files: str) -> bytes:
    """A zip of texts."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return out.getvalue()


def test_archives_that_cannot_be_read_are_one_clear_line(tmp_path: Path) -> None:
    """Empty, of several tables, of none, broken, and a checksum that does not match."""
    text = BARS.write_csv()
    cases = {
        "is an empty zip": zipped(),
        "contains 2 tables": zipped(**{"a.csv": text, "b.csv": text}),
        "contains no csv or json": zipped(**{"readme.md": "x"}),
        "cannot be read": zipped(**{"a.csv": text})[:-40],
    }
    for said, content in cases.items():
        (tmp_path / "x.zip").write_bytes(content)
        with pytest.raises(DataError, match=said) as caught:
            read(tmp_path / "x.zip")
        assert "\n" not in str(caught.value)
    (tmp_path / "x.zip").write_bytes(zipped(**{"a.csv": text}))
    (tmp_path / "x.zip.CHECKSUM").write_text("0" * 64 + "  x.zip\n")
    with pytest.raises(DataError, match=r"does not match x\.zip\.CHECKSUM - the download is damaged"):
        read(tmp_path / "x.zip")


def test_a_bomb_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What unpacks to more than the bound is refused while it unpacks; a parquet by its footer."""
    monkeypatch.setattr(containers, "TEXT_MAX", 2**20)
    bomb = "0" * 2**21
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(bomb.encode()))
    (tmp_path / "x.zip").write_bytes(zipped(**{"a.csv": bomb}))
    monkeypatch.setattr(containers, "ROWS_MAX", 300)
    BARS.write_parquet(tmp_path / "x.parquet")
    BARS.write_ipc(tmp_path / "x.feather")
    csv(tmp_path / "x.csv", BARS)
    for name in ("x.csv.gz", "x.zip", "x.parquet", "x.feather", "x.csv"):
        with pytest.raises(DataError, match="is too large"):
            read(tmp_path / name)


@pytest.mark.parametrize(("name", "how"), [("x.h5", "read_hdf"), ("x.xlsx", "read_excel"), ("x.7z", "unpack it")])
def test_other_programs_formats_say_how_to_convert_them(tmp_path: Path, name: str, how: str) -> None:
    """One line with the call to make."""
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(DataError, match=how):
        read(tmp_path / name)


def test_a_nautilus_catalog_says_how_to_convert_it(tmp_path: Path) -> None:
    """Its prices are binary."""
    frame = pl.DataFrame({n: [b"x"] for n in OHLCV} | {"ts_event": [1], "ts_init": [1]})
    frame.write_parquet(tmp_path / "part-0.parquet")
    with pytest.raises(DataError, match="nautilus catalog - convert it"):
        read(tmp_path / "part-0.parquet")


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("joined", "readings"),
    [
        ("BTCFDUSD", ["BTC-FDUSD"]),
        ("BTCUSDT", ["BTC-USDT"]),
        ("ETHTUSD", ["ETH-TUSD"]),
        ("GTUSD", ["G-TUSD", "GT-USD"]),
        ("XBTUSD", ["BTC-USD"]),
        ("BNBUSD", ["BNB-USD"]),
        ("ARBUSD", ["AR-BUSD", "ARB-USD"]),
        ("BTCBUSD", ["BTC-BUSD"]),
        ("ETHBTC", ["ETH-BTC"]),
        ("USDT", []),
    ],
)
def test_a_joined_symbol_has_each_reading_that_is_possible(joined: str, readings: list[str]) -> None:
    """Known quotes, longest first; where both bases are unknown two readings stay, and none is taken."""
    assert symbol_readings(joined) == readings
    assert name_parts(Path(f"{joined}-15m-2025-01.csv")).symbol == (readings[0] if len(readings) == 1 else "")


RECORDED = {
    "ohlcv/binance_BTC-USDT_perp_15m.parquet": "d806e7f827ff6aa6",
    "dirty/coinbase_BTC-USD_spot_1h_raw.csv.gz": "98f9c78402510164",
    "dirty/okx_BTC-USDT_perp_1h_volume-in-contracts.parquet": "a4005ff38bc3a10f",
    "dirty/bybit-testnet_BTC-USDT_perp_1m.parquet": "06f4340d5290ce4b",
    "mark/okx_BTC-USDT_perp_mark_1h.parquet": "16f226993072cce7",
    "funding/okx_SOL-USDT_perp_funding.parquet": "cb84b8caca2de6ab",
    "derivs/okx_SOL-USDT_perp_taker-volume_1h.parquet": "923f9233f85e48e4",
    "macro/ust-yields_1d.parquet": "9b382275855cd770",
    "onchain/btc_factors_1d.parquet": "ccfad768275c4b7d",
}


def fingerprint(raw: RawFile) -> str:
    """A hash over what was read: kind, timeframe, names, every cell."""
    digest = hashlib.sha256(repr((raw.kind, raw.timeframe_ms, raw.group, tuple(raw.named), raw.frame.columns)).encode())
    for column in raw.frame:
        digest.update(column.cast(pl.Float64).fill_null(-1.5).to_numpy().tobytes())
    return digest.hexdigest()[:16]


@pytest.mark.parametrize(("name", "expected"), RECORDED.items(), ids=list(RECORDED))
def test_recorded_files_are_read_as_they_always_were(market_data: Path, name: str, expected: str) -> None:
    """The reader may learn dialects; what it read before stays the same to the bit."""
    assert fingerprint(read_any(market_data / name)) == expected

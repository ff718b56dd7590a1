"""What a file says beside its prices is weighed: contracts worth dollars, other units, intervals, points between thousands."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine.data.checks import check, check_funding
from engine.data.issues import errors
from engine.data.synthetic import synthetic
from engine.errors import DataError
from tests.fakes.made_files import BARS, HOUR, OHLCV, PRICES, QUOTE, START, STEP, csv, read, same_bars

NAMED = "x_BTC-USDT_perp_15m.csv"
LINES = ["ts,open,high,low,close,volume", *(",".join(str(v) for v in row) for row in BARS.rows())]


def refusal(folder: Path, frame: pl.DataFrame | list[str], name: str = NAMED, **options: Any) -> str:
    """The sentence with which a file is refused."""
    path = folder / name
    if isinstance(frame, pl.DataFrame):
        csv(path, frame)
    else:
        path.write_text("\n".join(frame) + "\n")
    with pytest.raises(DataError) as refused:
        read(path, **options)
    return str(refused.value)


@pytest.mark.parametrize("contract", [1, 10, 100])
def test_contracts_of_one_value_in_dollars_are_an_inverse_contract(tmp_path: Path, contract: int) -> None:
    """Though volume in coins and in quote units agree, as OKX writes them; contracts of a part of a coin are linear."""
    counted = BARS.with_columns(vol=(QUOTE / contract).round(), volCcy="volume", volCcyQuote=QUOTE).drop("volume")
    assert f"vol counts contracts of {contract} USD: an inverse contract" in refusal(tmp_path, counted)
    linear = counted.with_columns(vol=pl.col("volCcy") * 100)
    assert same_bars(read(csv(tmp_path / NAMED, linear)))
    twice = BARS.with_columns(quote_volume=QUOTE, turnover=QUOTE)
    assert same_bars(read(csv(tmp_path / NAMED, twice)))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"volume_24h": pl.col("volume")}, "volume_24h is not known to be the volume of a bar in base units - call it volume"),
        ({"volume_buy": pl.col("volume")}, "volume_buy is not known to be the volume"),
        ({"v": pl.col("volume") * 10_000, "sum": QUOTE}, "v x close is 1e+04 times sum, bar by bar"),
        ({"volume": pl.col("volume"), "marketCap": pl.col("close") * 19e6}, "volume stands beside marketcap: it is of 24 hours"),
        ({"volume": pl.col("volume"), "interval": pl.lit("1h")}, "interval says 1h in every row, but the rows are 15m apart"),
    ],
)
def test_a_column_that_says_otherwise_refuses(tmp_path: Path, columns: dict[str, Any], said: str) -> None:
    """Volume of another span or unit, and bars of another timeframe, are refused in words."""
    assert said in refusal(tmp_path, BARS.select("ts", *PRICES, **columns))


def test_columns_that_agree_are_no_contradiction(tmp_path: Path) -> None:
    """A taker's share, a count of trades, an interval in any spelling, and a plain volume beside an unclear one."""
    more = {"taker_buy_quote": QUOTE / 2, "trades": pl.lit(7), "volume_24h": pl.col("volume") * 96}
    for spelled in ("15m", "M15", "15MINS", "15", "900"):
        assert same_bars(read(csv(tmp_path / NAMED, BARS.with_columns(**more, interval=pl.lit(spelled)))))


def test_columns_that_only_sound_like_a_volume_are_named(tmp_path: Path) -> None:
    """Ticks are no volume: the refusal's note says which columns were left out."""
    found = read(csv(tmp_path / NAMED, BARS.rename({"volume": "tick_volume"})))
    assert found.kind == "prices"
    assert any(note.startswith("tick_volume: not known to be the volume") for note in found.notes)


def test_a_point_that_may_divide_thousands_is_not_guessed(tmp_path: Path) -> None:
    """Between semicolons `95.000` is refused where nothing says what its point is, and read where one number does."""
    whole = [line.replace(",", ";") for line in LINES[:1]]
    whole += [f"{ts};" + ";".join(f"{round(v):,}".replace(",", ".") for v in values[:4]) + ";7" for ts, *values in BARS.rows()]
    assert "may be" in refusal(tmp_path, whole)
    rounded = BARS.with_columns(*(pl.col(n).round() for n in PRICES), volume=pl.lit(1_234_567.0))
    (tmp_path / NAMED).write_text("\n".join(line.removesuffix("7") + "1.234.567" if line[0] == "1" else line for line in whole))
    assert same_bars(read(tmp_path / NAMED), rounded)
    (tmp_path / NAMED).write_text("\n".join(line.replace(",", ";") for line in LINES))
    assert same_bars(read(tmp_path / NAMED))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x1f\x8b\x08\x00rest", "is gzip-packed, not a table of text - add .gz to its name"),
        (b"<!DOCTYPE html>\n<html>a, b</html>", "is a web page, not a table of text - the download has failed"),
        (b"PAR1rest", "is a parquet file, not a table of text - name it .parquet"),
        (b'Date,Open,Close\nJan 05, 2025,"95,1",96\nJan 06, 2025,"96,1",97', "the header has 3 names, the rows have 4 cells"),
    ],
)
def test_content_that_is_not_what_the_name_says_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    """Packed, another program's, a web page, or rows with a comma more than their header."""
    path = tmp_path / NAMED
    path.write_bytes(content)
    with pytest.raises(DataError) as refused:
        read(path)
    assert said in str(refused.value)


@pytest.mark.parametrize("header", [True, False])
def test_a_row_of_too_many_cells_is_named(tmp_path: Path, header: bool) -> None:
    """By its number, after a comment and a header or without one."""
    rows = [*LINES[1:51], f"{LINES[51]},1", *LINES[52:]]
    said = refusal(tmp_path, ["a comment", LINES[0], *rows] if header else rows)
    assert "row 50 has 7 cells, the others 6 - correct the row" in said


def test_times_before_1970_are_refused_in_text_as_in_numbers(tmp_path: Path) -> None:
    """A wrong century in a date is not a bar."""
    early = (pl.col("ts") - 80 * 365 * 24 * HOUR).cast(pl.Datetime("ms")).dt.to_string("%Y-%m-%d %H:%M")
    assert "row 0 of column date is before 1970" in refusal(tmp_path, BARS.select(early.alias("date"), *OHLCV))


def test_yahoos_volume_is_in_dollars_with_and_without_its_adjusted_close(tmp_path: Path) -> None:
    """The venue's name or yfinance's header says so; a share with dividends counts shares, and is refused."""
    money = (pl.col("volume") * 1e6).round().cast(pl.Int64).alias("Volume")
    frame = BARS.select("ts", *PRICES, money)
    wanted = BARS.with_columns(volume=(pl.col("volume") * 1e6).round() / pl.col("close"))
    assert same_bars(read(csv(tmp_path / "yahoo_BTC-USD_spot_15m.csv", frame)), wanted)
    assert same_bars(read(csv(tmp_path / NAMED, frame), venue="yahoo"), wanted)
    assert same_bars(read(csv(tmp_path / NAMED, frame)), BARS.with_columns(volume=(pl.col("volume") * 1e6).round()))
    paid = frame.with_columns((pl.col("close") * 0.97).alias("Adj Close"))
    assert "Adj Close is not the close" in refusal(tmp_path, paid)


def test_heikin_ashi_candles_are_refused(tmp_path: Path) -> None:
    """A chart's averaged candles were never traded; plain ones of any coin pass."""
    bars = synthetic(["ETH-USDT"], STEP, START, 300, 5)[0]["ETH-USDT"]
    closes = [(o + h + low + c) / 4 for _, o, h, low, c, _ in bars.rows()]
    opens = [bars["open"][0]]
    for close in closes[:-1]:
        opens.append((opens[-1] + close) / 2)
    averaged = bars.with_columns(open=pl.Series(opens), close=pl.Series(closes)).with_columns(
        high=pl.max_horizontal("open", "close", "high"), low=pl.min_horizontal("open", "close", "low")
    )
    assert "heikin-ashi" in {f.rule for f in errors(check(averaged, STEP))}
    assert not errors(check(bars, STEP))


def test_times_of_closes_are_called_so() -> None:
    """A second or a millisecond before the grid."""
    for early in (1, 1000):
        found = errors(check(BARS.with_columns(ts=pl.col("ts") + STEP - early), STEP))
        assert "just before it: times of closes?" in found[0].text
    assert "times of closes" not in errors(check(BARS.with_columns(ts=pl.col("ts") + 60_000), STEP))[0].text


def test_a_settlement_of_the_future_is_an_error() -> None:
    """As a bar that has not closed."""
    frame = pl.DataFrame({"ts": [START + n * 8 * HOUR for n in range(40)], "rate": 1e-4})
    last = int(frame["ts"][-1])
    assert [f.rule for f in errors(check_funding(frame, last - 8 * HOUR))] == ["unfinished"]
    assert not check_funding(frame, last)


def test_yahoos_other_columns_say_whose_volume_it_is(tmp_path: Path) -> None:
    """Dividends and splits instead of an adjusted close: volume in USD; where any is paid, it is a share."""
    money = (pl.col("volume") * pl.col("close")).round().cast(pl.Int64)
    frame = BARS.with_columns(money.alias("volume"), pl.lit(0.0).alias("Dividends"), pl.lit(0.0).alias("Stock Splits"))
    raw = read(csv(tmp_path / "BTC-USD.csv", frame), venue="coinbase")
    assert raw.frame["volume"].to_numpy() == pytest.approx(BARS["volume"].to_numpy(), rel=1e-4)
    assert any("beside Dividends is Yahoo's, in USD" in note for note in raw.notes)
    paid = frame.with_columns(pl.when(pl.col("ts") == BARS["ts"][9]).then(0.4).otherwise(0.0).alias("Dividends"))
    with pytest.raises(DataError, match="Dividends are paid: a share or a fund"):
        read(csv(tmp_path / "x.csv", paid))


def test_a_day_and_a_time_of_a_parquet_are_one_time(tmp_path: Path) -> None:
    """Columns of days and of times of day, as databases write them, are read together."""
    time = pl.col("ts").cast(pl.Datetime("ms"))
    BARS.with_columns(date=time.dt.date(), time=time.dt.time()).drop("ts").write_parquet(tmp_path / "x.parquet")
    assert read(tmp_path / "x.parquet").frame["ts"].to_list() == BARS["ts"].to_list()


def test_a_long_cell_is_cut_in_a_message(tmp_path: Path) -> None:
    """A screenful of it would hide what is wrong."""
    rows = BARS.write_csv() + f"1736049600000,{'9' * 900}x,1,1,1,1\n"
    (tmp_path / "x.csv").write_text(rows)
    with pytest.raises(
        DataError, match=r"row 400 of column open is not a number: '9{59}\.\.\. \(901 characters\) - correct"
    ) as caught:
        read(tmp_path / "x.csv")
    assert len(str(caught.value)) < 300

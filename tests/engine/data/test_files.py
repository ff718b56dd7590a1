"""Any file becomes one frame in its own order, or one clear line."""

import gzip
from pathlib import Path

import polars as pl
import pytest

from engine.data.files import NameParts, name_parts, read_any
from engine.data.synthetic import synthetic
from engine.data.writer import write_series
from engine.errors import BadInput, DataError

STEP = 900_000
START = 1_735_689_600_000
CLEAN = synthetic(["BTC-USDT"], STEP, START, 300, 5)[0]["BTC-USDT"]
TIME = pl.col("ts").cast(pl.Datetime("ms"))
OHLCV = ("open", "high", "low", "close", "volume")


def csv(path: Path, **columns: pl.Expr) -> Path:
    """A csv with the given time column and the clean prices."""
    CLEAN.select(**columns, **{n: pl.col(n) for n in OHLCV}).write_csv(path)
    return path


@pytest.mark.parametrize(
    ("column", "expression"),
    [
        ("ts", pl.col("ts")),
        ("time", pl.col("ts") // 1000),
        ("open_time", pl.col("ts") * 1000),
        ("timestamp", pl.col("ts") * 1_000_000),
        ("Date", TIME.dt.to_string("%Y-%m-%dT%H:%M:%SZ")),
        ("date", TIME.dt.to_string("%Y-%m-%d %H:%M:%S+00:00")),
        ("datetime", TIME.dt.to_string("%Y-%m-%d %H:%M:%S")),
        ("Open Time", TIME.dt.to_string("%Y-%m-%d %H:%M:%S%.3f")),
    ],
)
def test_times_of_every_usual_form_are_the_same_times(tmp_path: Path, column: str, expression: pl.Expr) -> None:
    """Epoch s, ms, us, ns; ISO with and without zone; any usual column name."""
    raw = read_any(csv(tmp_path / "x.csv", **{column: expression}))
    assert raw.frame["ts"].to_list() == CLEAN["ts"].to_list()
    assert (raw.kind, raw.timeframe_ms) == ("bars", STEP)
    assert raw.frame.select(OHLCV).equals(CLEAN.select(OHLCV))


def test_a_time_with_an_offset_is_moved_to_utc(tmp_path: Path) -> None:
    """+02:00 is two hours earlier in UTC."""
    path = csv(tmp_path / "x.csv", date=TIME.dt.offset_by("2h").dt.to_string("%Y-%m-%d %H:%M:%S+02:00"))
    assert read_any(path).frame["ts"].to_list() == CLEAN["ts"].to_list()


def test_what_had_to_be_understood_is_said(tmp_path: Path) -> None:
    """Unit of time, absent zone, the choice of a volume column: each is a note."""
    assert read_any(csv(tmp_path / "a.csv", time=pl.col("ts") // 1000)).notes == ("times in time are epoch s, read as UTC",)
    path = tmp_path / "Binance_BTCUSDT_minute.csv"
    CLEAN.select(Unix="ts", **{n.title(): n for n in OHLCV[:4]}).with_columns(
        pl.lit(1.5).alias("Volume BTC"), pl.lit(9e4).alias("Volume USDT")
    ).write_csv(path)
    raw = read_any(path)
    assert raw.frame["volume"][0] == 1.5
    assert "volume is volume_btc (base units)" in raw.notes[0]


def test_a_comment_above_the_header_and_written_hours_are_read(tmp_path: Path) -> None:
    """CryptoDataDownload: a line of advertisement, `2019-10-17 09-AM`, base volume beside quote volume."""
    path = tmp_path / "coinbase_BTC-USD_spot_1h_raw.csv.gz"
    text = "Timestamps are UTC,https://example.org\ndate,symbol,open,high,low,close,volume_btc,volume\n"
    text += "2019-10-17 12-PM,BTCUSD,8000,8010,7990,8005,2.5,20000\n2019-10-17 12-AM,BTCUSD,8000,8010,7990,8005,1.5,12000\n"
    path.write_bytes(gzip.compress(text.encode()))
    raw = read_any(path)
    assert raw.frame["ts"].to_list() == [1_571_313_600_000, 1_571_270_400_000]
    assert raw.frame["volume"].to_list() == [2.5, 1.5]
    assert raw.named == NameParts("coinbase", "BTC-USD", "spot", "1h", "raw")


def test_an_archive_without_header_is_read_by_position(tmp_path: Path) -> None:
    """The venue's own monthly files: twelve columns, no names."""
    path = tmp_path / "BTCUSDT-15m-2025-01.csv"
    closed = {"closes": pl.col("ts") + STEP - 1, "quote": pl.col("volume") * pl.col("close")}
    extra = {n: pl.lit(1) for n in ("c", "d", "e", "f")}
    CLEAN.select("ts", *OHLCV, **closed, **extra).write_csv(path, include_header=False)
    raw = read_any(path)
    assert raw.frame.select(OHLCV).equals(CLEAN.select(OHLCV))
    assert raw.named[:2] == ("", "BTC-USDT")


def test_freqtrade_feather_is_read_with_its_name(tmp_path: Path) -> None:
    """BTC_USDT_USDT-15m-futures.feather in a folder of the venue; funding keeps its rate in `open`."""
    folder = tmp_path / "binance" / "futures"
    folder.mkdir(parents=True)
    CLEAN.select(date=TIME, **{n: pl.col(n) for n in OHLCV}).write_ipc(folder / "BTC_USDT_USDT-15m-futures.feather")
    raw = read_any(folder / "BTC_USDT_USDT-15m-futures.feather")
    assert (raw.kind, raw.named) == ("bars", NameParts("binance", "BTC-USDT", "perp", "15m"))
    CLEAN.select(date=TIME, open=pl.lit(1e-4), high=pl.lit(0.0), low=pl.lit(0.0), close=pl.lit(0.0)).write_ipc(
        folder / "BTC_USDT_USDT-1h-funding_rate.feather"
    )
    funding = read_any(folder / "BTC_USDT_USDT-1h-funding_rate.feather")
    assert (funding.kind, funding.frame["rate"][0]) == ("funding", 1e-4)


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("binance_BTC-USDT_perp_15m.parquet", ("binance", "BTC-USDT", "perp", "15m", "")),
        ("binance_BTC-USDT_1h_6500-missing.parquet", ("binance", "BTC-USDT", "", "1h", "6500-missing")),
        ("okx_SOL-USDT_perp_taker-volume_1h_revisions.parquet", ("okx", "SOL-USDT", "perp", "taker-volume_1h", "revisions")),
        ("okx_BTC-USDT_perp_mark_1h.parquet", ("okx", "BTC-USDT", "perp", "mark_1h", "")),
        ("ETH_USDT-1h.feather", ("", "ETH-USDT", "spot", "1h", "")),
        ("Coinbase_BTCUSD_1h.csv", ("coinbase", "BTC-USD", "", "1h", "")),
        ("whatever.csv", ("", "", "", "", "")),
    ],
)  # fmt: skip
def test_names_say_what_a_file_is(name: str, named: tuple[str, ...]) -> None:
    """Ours, freqtrade's, the archives'; silence stays silence."""
    assert name_parts(Path("/data") / name) == named


def test_a_table_of_several_coins_keeps_its_coin_column(tmp_path: Path) -> None:
    """Long tables are meant; their times repeat by coin."""
    two = pl.concat([pl.DataFrame({"ts": CLEAN["ts"], "rate": 1e-4}).with_columns(coin=pl.lit(c)) for c in ("BTC", "ETH")])
    two.write_parquet(tmp_path / "x.parquet")
    assert read_any(tmp_path / "x.parquet").group == "coin"


def test_rows_stay_in_the_files_order(tmp_path: Path) -> None:
    """Newest first is read newest first: the check must see it."""
    CLEAN.reverse().write_csv(tmp_path / "x.csv")
    assert read_any(tmp_path / "x.csv").frame["ts"][0] == CLEAN["ts"][-1]


BAD = [
    ("x.csv", b"", "is empty"),
    ("x.csv", b"ts,open,high,low,close,volume\n", "no rows"),
    ("x.csv", b"hello\nworld\n", "no columns"),
    ("x.csv", b"\xff\xfe\x00", "is not UTF-8 text"),
    ("x.csv", b"ts,open,high,low,close,volume\n1735689600000,1,2,1,x,3\n", "row 0 of column close is not a number: 'x'"),
    (
        "x.csv",
        b"date,open,high,low,close,volume\n2025-01-01,1,2,1,1,3\nyesterday,1,2,1,1,3\n",
        "row 1 of column date is not a time",
    ),
    ("x.csv", b"ts,open,high,low,close,volume\n12,1,2,1,1,3\n", "not a time since 1970"),
    ("x.csv", b"a,b,c\n1,2,3\n", "no readable time column"),
    ("x.csv", b"ts,name,place\n1735689600000,a,b\n", "no known column"),
    ("x.csv", b"ts,open,high,low,close,quote_volume\n1735689600000,1,2,1,1,3\n", "quote volume only"),
    ("x.csv", b"ts,open,high,low,close,volume_usd\n1735689600000,1,2,1,1,3\n", "in base units"),
    ("x.csv", b"ts,open,Open,high,low,close,volume\n1735689600000,1,1,2,1,1,3\n", "two columns are called open"),
    ("x.parquet", b"hello", "cannot be read"),
    ("x.feather", b"hello", "cannot be read"),
    ("x.csv.gz", gzip.compress(b"a,b\n" * 900)[:-20], "cannot be read"),
    ("x.xls", b"hello", "unsupported file type"),
    ("x.doc", b"hello", "unsupported file type"),
]


@pytest.mark.parametrize(("name", "content", "said"), BAD, ids=[said for _, _, said in BAD])
def test_what_cannot_be_read_is_one_clear_line(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    """Empty, broken, text for numbers, unknown columns: what, where, and never a traceback of a library."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        read_any(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_a_folder_is_told(tmp_path: Path) -> None:
    """The two slips of a path."""
    with pytest.raises(DataError, match="does not exist"):
        read_any(tmp_path / "nope.csv")
    with pytest.raises(DataError, match="a folder"):
        read_any(tmp_path)


def test_strings_in_a_parquet_are_read_as_numbers_and_said(tmp_path: Path) -> None:
    """Numbers stored as text are understood; that is a note, not a silence."""
    CLEAN.with_columns(pl.col("close").cast(pl.String)).write_parquet(tmp_path / "x.parquet")
    raw = read_any(tmp_path / "x.parquet")
    assert raw.notes == ("close held text, read as numbers",)
    assert raw.frame["close"].to_list() == CLEAN["close"].to_list()


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """A folder that cannot be written keeps what was there; nothing half-written stays."""
    path = tmp_path / "a" / "okx_BTC-USDT_perp_15m.parquet"
    write_series(path, CLEAN, "recorded", {"file": "x"})
    before = path.read_bytes()
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(BadInput, match="cannot be written"):
        write_series(blocked / "okx_BTC-USDT_perp_15m.parquet", CLEAN, "recorded", {})
    write_series(path, CLEAN.head(5), "pulled", {})
    assert path.read_bytes() != before
    assert sorted(p.name for p in path.parent.iterdir()) == [path.name, f"{path.name}.sha256"]
    assert pl.read_parquet(path).schema["ts"] == pl.Datetime("ms", "UTC")

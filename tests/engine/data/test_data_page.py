"""docs/data.md holds what the code does: each layout of its table is read, each sentence of the other is what a person sees."""

import gzip
import hashlib
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from app.market_data.importing import import_files
from app.market_data.judging import judge
from app.market_data.naming import ImportOptions
from engine.data.dialects.containers import CONVERT, TEXT_MAX
from engine.data.dialects.tables import ROWS_MAX
from engine.data.files import ReadOptions, read_any
from engine.data.synthetic import synthetic
from engine.errors import DeskError

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "data.md").read_text()
STEP, START, HOUR = 900_000, 1_735_689_600_000, 3_600_000
BARS = synthetic(["BTC-USDT"], STEP, START, 400, 5)[0]["BTC-USDT"]
SETTLED = pl.DataFrame({"ts": [START + n * 8 * HOUR for n in range(40)], "rate": 1e-4})
PRICES, OHLCV = ("open", "high", "low", "close"), ("open", "high", "low", "close", "volume")
TIME = pl.col("ts").cast(pl.Datetime("ms"))
MIDDLE = (pl.col("open") + pl.col("close")) / 2


def table(title: str) -> list[list[str]]:
    """The rows of the table under a heading."""
    part = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("| ") and not line.startswith("| ---")][1:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("| "))] for line in lines]


# what a column of a layout means, in the terms of our bars and settlements
MEANING: dict[str, pl.Expr] = {
    **{n.lower(): pl.col(n) for n in OHLCV},
    **{n: pl.col("ts") for n in ("open_time", "ts", "starttime", "unix", "calc_time", "funding_time", "fundingratetimestamp")},
    **{n: pl.col("ts") // 1000 for n in ("time", "timestamp", "start_at")},
    "date": TIME.dt.to_string("%Y-%m-%d %H:%M:%S"),
    "close_time": pl.col("ts") + STEP - 1,
    **{n: pl.col("volume") * MIDDLE for n in ("quote_volume", "vol_quote", "volccyquote", "turnover", "quote_asset_volume")},
    **{n: pl.col("volume") * MIDDLE for n in ("volume usdt", "volume_(currency)")},
    **{n: pl.col("volume") for n in ("vol_ccy", "volccy", "volume btc", "volume_(btc)")},
    "vol": pl.col("volume") * 100,
    **{n: pl.lit(7) for n in ("count", "n_trades", "tradecount", "trades")},
    **{n: pl.col("volume") / 2 for n in ("taker_buy_volume", "taker_buy_base_volume")},
    **{n: pl.col("volume") * MIDDLE / 2 for n in ("taker_buy_quote_volume",)},
    "confirm": pl.lit(1),
    "ignore": pl.lit(0),
    "volume ma": pl.lit(3.5),
    **dict.fromkeys(("weighted_price", "vwap"), MIDDLE),
    "adj close": pl.col("close"),
    **{n: pl.lit("BTCUSDT") for n in ("symbol", "instrument_name")},
    "funding_interval_hours": pl.lit(8),
    **{n: pl.lit(1e-4) for n in ("last_funding_rate", "fundingrate", "real_funding_rate")},
    "funding_rate": pl.lit(9e-4),
}


KEPT_QUOTES = ("quote_volume", "vol_quote", "volccyquote", "turnover", "quote_asset_volume")


@pytest.mark.parametrize("row", table("Layouts"), ids=lambda row: row[0])
def test_each_layout_of_the_page_is_read(tmp_path: Path, row: list[str]) -> None:
    """Bars written in the columns of the page come back as the same bars; settlements as settlements."""
    name, columns, header = row[1].strip("`"), row[2].strip("`").split(","), "no header" not in row[3]
    source = SETTLED if "funding" in row[0] else BARS
    frame = source.select(MEANING[column.lower()].alias(column) for column in columns)
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if name.endswith(".json"):
        path.write_text(str([list(r) for r in frame.rows()]).replace("'", '"'))
    elif name.endswith((".feather", ".parquet")):
        (frame.write_ipc if name.endswith("r") else frame.write_parquet)(path)
    else:
        frame.write_csv(path, include_header=header)
    raw = read_any(path)
    wanted = source.select("ts", *(["rate"] if source is SETTLED else [n for n in OHLCV if n in raw.frame.columns]))
    if any(column.startswith("taker_buy") for column in columns):
        wanted = wanted.with_columns(taker_buy_volume=MEANING["taker_buy_volume"])
    if "quote_volume" in raw.frame.columns:
        assert raw.frame["quote_volume"].to_numpy() == pytest.approx(BARS.select(MEANING["quote_volume"]).to_series().to_numpy())
    assert ("quote_volume" in raw.frame.columns) == any(column.lower() in KEPT_QUOTES for column in columns)
    assert raw.frame.drop("quote_volume", strict=False).equals(wanted)
    assert raw.kind == {"funding": "funding", "mark prices": "marks"}.get(row[0].split(": ")[-1], "bars")


def zipped(**files: str) -> bytes:
    """A zip of texts."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return out.getvalue()


def written(name: str, content: pl.DataFrame | bytes | str) -> Callable[[Path], Path]:
    """What writes a case's file."""

    def write(folder: Path) -> Path:
        path = folder / name
        if isinstance(content, pl.DataFrame):
            content.write_csv(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def bars(**columns: Any) -> pl.DataFrame:
    """The bars with other columns in the place of some."""
    return BARS.with_columns(**columns)


def dated(form: str, start: int = 0, **columns: pl.Expr) -> pl.DataFrame:
    """The bars with their time as text, without a zone."""
    moved = TIME + pl.duration(milliseconds=start)
    return BARS.select(date=moved.dt.to_string(form), **columns, **{n: pl.col(n) for n in OHLCV})


NAMED = "binance_BTC-USDT_perp_15m.csv"
FAR = pl.col("ts") >= BARS["ts"][300]
SWITCH = START + 88 * 24 * HOUR  # 2025-03-30
BERLIN = pl.when(pl.col("ts") + 87 * 24 * HOUR + 20 * HOUR >= SWITCH + 2 * HOUR).then(HOUR).otherwise(0)
MONEY = pl.col("volume") * pl.col("close")
LATER = 87 * 24 * HOUR + 20 * HOUR
LOCAL = BARS.with_columns(ts=pl.col("ts") + BERLIN).select(
    date=(TIME + pl.duration(milliseconds=LATER)).dt.to_string("%Y-%m-%d %H:%M"), **{n: pl.col(n) for n in OHLCV}
)
UNTRADED = BARS.with_columns(pl.when(pl.col("ts") == BARS["ts"][9]).then(float("nan")).otherwise(n).alias(n) for n in OHLCV)
QUOTE = pl.col("volume") * MIDDLE
POINTS = "ts;open;high;low;close;volume\n" + "\n".join(
    f"{ts};" + ";".join(f"{round(v):,}".replace(",", ".") for v in values[:4]) + ";7" for ts, *values in BARS.rows()
)
PREMIUM = 0.00025 + pl.col("close") / pl.col("close").max() * 1e-7
COPIED = pl.concat([BARS[:200], BARS[20:120].with_columns(ts=pl.col("ts") + 180 * STEP), BARS[300:]])
REFUSED: dict[str, tuple[Callable[[Path], Path], dict[str, Any]]] = {
    "contracts for coins": (written(NAMED, bars(turnover=MONEY / 100)), {}),
    "two units in one file": (
        written(NAMED, bars(turnover=MONEY, volume=pl.when(FAR).then(pl.col("volume") * 1000).otherwise("volume"))),
        {},
    ),
    "an inverse contract": (written(NAMED, BARS.select("ts", *PRICES, volume=MONEY / 100, turnover="volume")), {}),
    "contracts of one value in USD": (
        written(NAMED, BARS.select("ts", *PRICES, vol=(QUOTE / 100).round(), volCcy="volume", volCcyQuote=QUOTE)),
        {},
    ),
    "contracts of OKX alone": (written("okx_BTC-USDT_perp_15m.csv", BARS.rename({"volume": "vol"})), {}),
    "a future that is delivered": (written("BTCUSDT_250328-15m-2025-01.csv", BARS), {"venue": "binance", "symbol": "BTC-USDT"}),
    "a pair as a perpetual": (
        written("x.csv", BARS.with_columns(instrument_name=pl.lit("BTC-USDT"))),
        {"venue": "okx", "symbol": "BTC-USDT", "market": "perp"},
    ),
    "numbers that are no prices": (
        written(
            NAMED,
            bars(open=PREMIUM, high=PREMIUM + 0.0003, low=PREMIUM - 0.00015, close=PREMIUM, volume=pl.lit(0), x=pl.lit(1)),
        ),
        {"series": "mark"},
    ),
    "a broker's bars": (written(NAMED, bars(volume=pl.lit(0), tickvol=pl.lit(900)).rename({"volume": "vol"})), {}),
    "an inverse contract by its name": (written("x.csv", BARS), {"venue": "deribit", "symbol": "BTC-USD", "market": "perp"}),
    "another unit beside the volume": (written(NAMED, BARS.select("ts", *PRICES, v=pl.col("volume") * 10_000, sum=QUOTE)), {}),
    "a volume of another span": (written(NAMED, BARS.rename({"volume": "volume_24h"})), {}),
    "a share with dividends": (written(NAMED, BARS.with_columns((pl.col("close") * 0.97).alias("Adj Close"))), {}),
    "a price for a volume": (written(NAMED, bars(volume=MIDDLE)), {}),
    "quote volume alone": (written(NAMED, BARS.rename({"volume": "turnover"})), {}),
    "no volume, no word of marks": (written(NAMED, BARS.drop("volume")), {}),
    "a volume of zero throughout": (written(NAMED, bars(volume=pl.lit(0))), {}),
    "no header, unknown width": (written(NAMED, bars(x=pl.lit(2.5)).write_csv(include_header=False)), {}),
    "prices in no known order": (
        written(NAMED, BARS.select("ts", "high", "open", "low", "close", "volume").write_csv(include_header=False)),
        {},
    ),
    "a point between thousands": (written(NAMED, POINTS), {}),
    "day or month": (written(NAMED, dated("%d/%m/%Y %H:%M")[192:288]), {}),
    "two clocks": (written(NAMED, bars(timestamp=pl.col("ts") + HOUR)), {}),
    "local time": (written(NAMED, LOCAL), {}),
    "a close time of another timeframe": (written(NAMED, bars(close_time=pl.col("ts") + HOUR - 1)), {}),
    "a name of another timeframe": (written(NAMED, BARS.gather_every(4)), {}),
    "another timeframe in the rows": (written(NAMED, bars(interval=pl.lit("1h"))), {}),
    "bars of over a day": (
        written("x.csv", BARS.with_columns(ts=START + pl.int_range(pl.len()) * 672 * STEP)),
        {"venue": "binance", "symbol": "BTC-USDT", "market": "perp"},
    ),
    "times of closes": (written(NAMED, bars(ts=pl.col("ts") + STEP - 1)), {}),
    "seconds": (
        written("binance_x.csv", bars(ts=START + pl.int_range(pl.len()) * 1000)),
        {"venue": "binance", "symbol": "BTC-USDT", "market": "perp"},
    ),
    "percent for a fraction": (written("binance_BTC-USDT_perp_funding.csv", SETTLED.with_columns(rate=pl.lit(0.01))), {}),
    "a lost settlement": (written("binance_BTC-USDT_perp_funding.csv", pl.concat([SETTLED[:20], SETTLED[21:]])), {}),
    "another coin": (written(NAMED, bars(symbol=pl.lit("ETHUSDT"))), {}),
    "another venue": (written(NAMED, bars(exchange=pl.lit("OKX"))), {}),
    "a name that promises bars": (written(NAMED, BARS.drop("open")), {}),
    "two readings of a symbol": (written("GTUSD-15m-2025-01.csv", BARS), {"venue": "binance", "market": "perp"}),
    "rows without a trade": (written(NAMED, UNTRADED), {}),
    "a copied block": (written(NAMED, COPIED), {}),
    "an answer without bars": (written("x.json", '{"code": -1121, "msg": "Invalid symbol."}'), {}),
    "content of another kind": (written(NAMED, gzip.compress(b"ts,open")), {}),
    "a damaged download": (written("x.zip", zipped(**{"a.csv": "x"})), {}),
    "an empty zip": (written("x.zip", zipped()), {}),
    "a bomb": (written("x.csv.gz", gzip.compress(b"0" * 4096)), {}),
    "another program's format": (written("x.h5", "x"), {}),
}


@pytest.mark.parametrize("row", table("What is refused"), ids=lambda row: row[0])
def test_each_sentence_of_the_page_is_what_a_person_sees(
    tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch, row: list[str]
) -> None:
    """Word for word, with FILE in the place of the path; nothing is stored."""
    write, options = REFUSED[row[0]]
    path = write(tmp_path)
    if row[0] == "a damaged download":
        path.with_name("x.zip.CHECKSUM").write_text(hashlib.sha256(b"other").hexdigest())
    if row[0] == "a bomb":
        monkeypatch.setattr("engine.data.dialects.containers.TEXT_MAX", 0)
    wanted = ImportOptions(**(dict.fromkeys(ImportOptions._fields) | {"replace": False} | options))
    (item,) = import_files([path], wanted, judge)
    seen = (
        str(item["why"])
        .replace(str(path), "FILE")
        .replace(path.name, "FILE")
        .replace("over 0 MiB", f"over {TEXT_MAX // 2**20} MiB")
    )
    assert seen == row[1].strip("`").replace("\\|", "|")
    assert not list(own_home.rglob("*.parquet"))


def test_the_page_has_a_row_for_every_case() -> None:
    """No sentence is tried that the page does not show; formats to convert and bounds are on the page too."""
    assert [row[0] for row in table("What is refused")] == list(REFUSED)
    assert all(suffix in PAGE for suffixes in CONVERT for suffix in suffixes)
    assert f"{TEXT_MAX // 2**20} MiB" in PAGE
    assert f"{ROWS_MAX:,} rows" in PAGE


def test_the_nautilus_hint_is_on_the_page() -> None:
    """The one catalog that is a folder of binary files."""
    assert "nautilus" in PAGE
    with pytest.raises(DeskError):
        read_any(Path("nowhere.h5"), ReadOptions())

"""Archives, bounds, other programs' formats, names of files; and recorded files, read as they always were."""

import gzip
import hashlib
import io
import zipfile
from pathlib import Path

import polars as pl
import pytest

from engine.data.dialects import containers, tables
from engine.data.dialects.names import symbol_readings
from engine.data.files import RawFile, name_parts, read_any
from engine.errors import DataError
from tests.fakes.made_files import BARS, OHLCV, csv, read


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
    monkeypatch.setattr(tables, "ROWS_MAX", 300)
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
    frame = raw.frame.drop("quote_volume", strict=False)  # kept since fills at VWAP, beside what was read before
    digest = hashlib.sha256(repr((raw.kind, raw.timeframe_ms, raw.group, tuple(raw.named), frame.columns)).encode())
    for column in frame:
        digest.update(column.cast(pl.Float64).fill_null(-1.5).to_numpy().tobytes())
    return digest.hexdigest()[:16]


@pytest.mark.parametrize(("name", "expected"), RECORDED.items(), ids=list(RECORDED))
def test_recorded_files_are_read_as_they_always_were(market_data: Path, name: str, expected: str) -> None:
    """The reader may learn dialects; what it read before stays the same to the bit."""
    assert fingerprint(read_any(market_data / name)) == expected

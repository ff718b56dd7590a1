"""The catalog: what is listed, what is found by name, and what is refused when it is read."""

import os
from pathlib import Path

import polars as pl
import pytest

from engine.clock import timeframe_ms
from engine.data import catalog
from engine.data.catalog import Catalog, spelled
from engine.data.checksums import sha256_of
from engine.errors import BadInput, DataError

STEP = 900_000
START = 1_735_689_600_000  # 2025-01-01


def bars(rows: int = 10, start: int = START) -> pl.DataFrame:
    """A few plain bars."""
    ts = [start + STEP * i for i in range(rows)]
    flat = {"open": 100.0, "high": 101.0, "low": 99.0, "close": 100.0, "volume": 5.0}
    return pl.DataFrame({"ts": ts}).with_columns(**{k: pl.lit(v) for k, v in flat.items()})


def put(folder: Path, name: str, frame: pl.DataFrame, as_time: bool = True) -> Path:
    """Write a frame under a name, ts as a UTC time."""
    folder.mkdir(parents=True, exist_ok=True)
    if as_time:
        frame = frame.with_columns(pl.col("ts").cast(pl.Datetime("ms")).dt.replace_time_zone("UTC"))
    frame.write_parquet(folder / name)
    return folder / name


def test_lists_series_of_nested_folders_with_span_and_source(tmp_path: Path) -> None:
    """A well-named file anywhere below the root is a series; its span comes from the footer."""
    put(tmp_path / "a" / "b", "binance_BTC-USDT_perp_15m.parquet", bars(10))
    (s,) = Catalog([(tmp_path, "recorded")]).series()
    assert s[1:6] == ("binance", "BTC-USDT", "perp", "15m", "")
    assert (s.source, s.rows, s.first_ms, s.last_ms) == ("recorded", 10, START, START + 9 * STEP)


def test_a_file_is_read_once_and_again_when_it_was_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recorded folder is looked through at every command and pull: what has not changed is known, what has is never."""
    path = put(tmp_path, "binance_BTC-USDT_perp_15m.parquet", bars(10))
    reads: list[Path] = []
    original = catalog._read_extent
    monkeypatch.setattr(catalog, "_read_extent", lambda path: reads.append(path) or original(path))

    def found() -> list[int]:
        return [s.first_ms for s in Catalog([(tmp_path, "recorded")]).series()]

    assert found() == found() == [START]
    assert reads == [path]
    was = path.stat()
    put(tmp_path / "new", path.name, bars(10, START + STEP)).replace(path)
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert path.stat().st_size == was.st_size  # neither size nor time of change gives it away
    assert found() == [START + STEP]
    path.write_bytes(b"no parquet")
    assert found() == []
    path.unlink()
    assert found() == []


def test_other_names_are_unknown_not_fatal(tmp_path: Path) -> None:
    """Names outside the convention, broken files and empty ones are listed with a reason."""
    put(tmp_path, "binance_multi_perp_funding_x.parquet", bars())
    put(tmp_path, "binance_BTC-USDT_1h_6500-missing.parquet", bars())
    put(tmp_path, "okx_BTC-USDT_perp_1h.parquet", bars(0))
    (tmp_path / "okx_ETH-USDT_perp_1h.parquet").write_text("hello")
    catalog = Catalog([(tmp_path, "recorded")])
    assert catalog.series() == []
    assert len(catalog.unknown()) == 4
    assert "no rows" in catalog.why(tmp_path / "okx_BTC-USDT_perp_1h.parquet")
    assert "cannot be read" in catalog.why(tmp_path / "okx_ETH-USDT_perp_1h.parquet")


def test_a_tagged_file_is_never_taken_for_the_untagged_one(tmp_path: Path) -> None:
    """Dirt lies beside the series under a tag; asking without a tag does not find it."""
    put(tmp_path, "binance_BTC-USDT_perp_15m_frozen-partbars.parquet", bars())
    catalog = Catalog([(tmp_path, "recorded")])
    with pytest.raises(BadInput, match="frozen-partbars"):
        catalog.find("binance", "BTC-USDT", "15m")
    assert catalog.find("binance", "BTC-USDT", "15m", tag="frozen-partbars").rows == 10


def test_a_missing_series_says_what_there_is(tmp_path: Path) -> None:
    """The message names the asked series and the nearest ones."""
    put(tmp_path, "binance_BTC-USDT_perp_1h.parquet", bars())
    with pytest.raises(BadInput, match=r"no data for binance BTC-USDT perp 15m - available: binance BTC-USDT perp 1h"):
        Catalog([(tmp_path, "recorded")]).find("binance", "BTC-USDT", "15m")


def test_a_broken_file_of_the_asked_name_is_named(tmp_path: Path) -> None:
    """Not found because unreadable is another story than not there."""
    (tmp_path / "okx_ETH-USDT_perp_1h.parquet").write_text("hello")
    with pytest.raises(DataError, match=r"okx ETH-USDT perp 1h cannot be read: .*1h\.parquet: it cannot be read"):
        Catalog([(tmp_path, "recorded")]).find("okx", "ETH-USDT", "1h")


def test_no_data_at_all_says_where_it_looked(tmp_path: Path) -> None:
    """An empty desk gets a sentence, not a list of nothing."""
    with pytest.raises(BadInput, match="no market data at all"):
        Catalog([(tmp_path / "nowhere", "recorded")]).find("okx", "ETH-USDT", "1h")


def test_the_later_root_wins_and_says_so(tmp_path: Path) -> None:
    """The same name in the data folder and in the home: the home's is used, the other is reported hidden."""
    old = put(tmp_path / "data", "binance_BTC-USDT_perp_15m.parquet", bars(10))
    new = put(tmp_path / "home", "binance_BTC-USDT_perp_15m.parquet", bars(4))
    catalog = Catalog([(tmp_path / "data", "recorded"), (tmp_path / "home", "pulled")])
    assert catalog.find("binance", "BTC-USDT", "15m").path == new
    assert catalog.shadowed() == [(old, new)]


def test_two_files_of_one_name_in_one_root_are_refused_when_asked_for(tmp_path: Path) -> None:
    """Nobody can know which is meant; other series stay usable."""
    put(tmp_path / "a", "binance_BTC-USDT_perp_15m.parquet", bars())
    put(tmp_path / "b", "binance_BTC-USDT_perp_15m.parquet", bars(3))
    put(tmp_path / "b", "binance_BTC-USDT_perp_1h.parquet", bars(3))
    catalog = Catalog([(tmp_path, "recorded")])
    with pytest.raises(BadInput, match="two files are both"):
        catalog.find("binance", "BTC-USDT", "15m")
    assert catalog.find("binance", "BTC-USDT", "1h").rows == 3


def test_only_the_footer_can_say_that_a_file_was_pulled(tmp_path: Path) -> None:
    """A file copied into the home by hand is recorded data; the synthetic venue is always synthetic."""
    put(tmp_path, "okx_BTC-USDT_perp_15m.parquet", bars())
    put(tmp_path, "synthetic_BTC-USDT_perp_15m.parquet", bars())
    path = put(tmp_path, "okx_ETH-USDT_perp_15m.parquet", bars())
    import pyarrow.parquet as pq

    table = pq.read_table(path).replace_schema_metadata({"nightdesk_source": "pulled"})
    pq.write_table(table, path)
    sources = {(s.venue, s.symbol): s.source for s in Catalog([(tmp_path, "pulled")]).series()}
    assert sources == {
        ("okx", "BTC-USDT"): "recorded",
        ("okx", "ETH-USDT"): "pulled",
        ("synthetic", "BTC-USDT"): "synthetic",
    }


def test_bars_are_cut_by_time_with_the_end_left_out(tmp_path: Path) -> None:
    """from <= ts < to, columns in order, ts as whole ms."""
    put(tmp_path, "okx_BTC-USDT_perp_15m.parquet", bars(10))
    catalog = Catalog([(tmp_path, "recorded")])
    frame = catalog.bars(catalog.find("okx", "BTC-USDT", "15m"), START + 2 * STEP, START + 5 * STEP)
    assert frame["ts"].to_list() == [START + 2 * STEP, START + 3 * STEP, START + 4 * STEP]
    assert frame.columns == ["ts", "open", "high", "low", "close", "volume"]
    assert frame.schema["ts"] == pl.Int64


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (bars().drop("volume"), "no column volume"),
        (bars().with_columns(close=pl.lit("x")), "not numbers"),
        (bars().reverse(), "goes back in time"),
        (pl.concat([bars(3), bars(3)]).sort("ts"), "repeats"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused_with_its_row(tmp_path: Path, frame: pl.DataFrame, said: str) -> None:
    """Missing columns, text, unsorted and doubled rows: DataError, one line."""
    put(tmp_path, "okx_BTC-USDT_perp_15m.parquet", frame)
    catalog = Catalog([(tmp_path, "recorded")])
    with pytest.raises(DataError, match=said):
        catalog.bars(catalog.find("okx", "BTC-USDT", "15m"))


def test_times_in_seconds_are_not_guessed(tmp_path: Path) -> None:
    """An integer ts of another unit makes the file unknown, with the way out."""
    put(tmp_path, "okx_BTC-USDT_perp_15m.parquet", bars().with_columns(ts=pl.col("ts") // 1000), as_time=False)
    catalog = Catalog([(tmp_path, "recorded")])
    assert "not UTC milliseconds" in catalog.why(catalog.unknown()[0])


def test_funding_is_rounded_to_the_minute_and_equal_doubles_collapse(tmp_path: Path) -> None:
    """The venue's jitter of milliseconds and a settlement recorded twice do not count twice."""
    hour = 3_600_000
    frame = pl.DataFrame(
        {"ts": [START, START + 1, START + 8 * hour + 7, START + 16 * hour - 3], "rate": [1e-4, 1e-4, 2e-4, 3e-4]}
    )
    put(tmp_path, "okx_BTC-USDT_perp_funding.parquet", frame)
    found = Catalog([(tmp_path, "recorded")]).funding("okx", "BTC-USDT")
    assert found is not None
    assert found["ts"].to_list() == [START, START + 8 * hour, START + 16 * hour]
    assert found["rate"].to_list() == [1e-4, 2e-4, 3e-4]


def test_doubled_settlements_that_differ_are_refused_with_their_date(tmp_path: Path) -> None:
    """Nobody can say which rate was paid."""
    put(tmp_path, "okx_BTC-USDT_perp_funding.parquet", pl.DataFrame({"ts": [START, START + 1], "rate": [1e-4, 2e-4]}))
    with pytest.raises(DataError, match="two different rates, the first 2025-01-01 00:00"):
        Catalog([(tmp_path, "recorded")]).funding("okx", "BTC-USDT")


def test_no_funding_file_is_none(tmp_path: Path) -> None:
    """Absence is a value here; whether it is allowed is decided where money is counted."""
    assert Catalog([(tmp_path, "recorded")]).funding("okx", "BTC-USDT") is None
    assert Catalog([(tmp_path, "recorded")]).marks("okx", "BTC-USDT") is None


def test_marks_come_from_the_finest_series(tmp_path: Path) -> None:
    """mark_15m beats mark_1h."""
    put(tmp_path, "okx_BTC-USDT_perp_mark_1h.parquet", bars(2))
    put(tmp_path, "okx_BTC-USDT_perp_mark_15m.parquet", bars(7))
    found = Catalog([(tmp_path, "recorded")]).marks("okx", "BTC-USDT")
    assert found is not None
    assert (found.height, found.columns) == (7, ["ts", "open"])


def test_the_hash_follows_the_content(tmp_path: Path) -> None:
    """A rewritten file has another hash in the same process."""
    path = put(tmp_path, "okx_BTC-USDT_perp_15m.parquet", bars(3))
    first = sha256_of(path)
    assert sha256_of(path) == first
    put(tmp_path, "okx_BTC-USDT_perp_15m.parquet", bars(4))
    assert sha256_of(path) != first


@pytest.mark.parametrize("text", ["", "0m", "15", "m", "1.5h", "15M"])
def test_a_timeframe_is_a_number_and_a_unit(text: str) -> None:
    """Anything else is a person's slip."""
    with pytest.raises(BadInput):
        timeframe_ms(text)
    assert timeframe_ms("15m") == STEP


def test_the_recorded_folder_just_works(market_data: Path) -> None:
    """Every series has a span; dirt is tagged, of another venue, or unknown; SOL's funding counts once."""
    catalog = Catalog([(market_data, "recorded")])
    assert len(catalog.series()) > 60
    assert all(s.first_ms < s.last_ms for s in catalog.series())
    assert all(s.tag or s.venue == "bybit-testnet" for s in catalog.series() if s.path.parent.name == "dirty")
    funding = catalog.funding("binance", "SOL-USDT")
    assert funding is not None
    assert funding.height == 2564 - 467
    assert catalog.bars(catalog.find("binance", "BTC-USDT", "15m")).height == 105_216


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("BTCUSDT", "BTC-USDT"),
        ("btc/usdt", "BTC-USDT"),
        ("BTC_USDT:USDT", "BTC-USDT"),
        ("BTC-USDT", ""),
        ("XBTUSD", ""),
        ("", ""),
    ],
)
def test_another_spelling_of_a_symbol_is_named(typed: str, meant: str) -> None:
    """The exchange's spelling is one letter away from ours; nothing is guessed where none or several could be meant."""
    assert spelled(typed, {"BTC-USDT", "ETH-USDT"}) == meant
    assert spelled("BTCUSDT", {"BTC-USDT", "BTCU-SDT"}) == ""

"""Files of one series are joined, compared and stored whole; what contradicts is refused, and nothing stored is ever lost."""

import errno
import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from app.market_data.importing import import_files
from app.market_data.judging import judge
from app.market_data.naming import ImportOptions
from engine.data.catalog import Catalog
from engine.data.synthetic import synthetic
from engine.errors import BadInput
from tests.fakes import recordings

STEP = 900_000
START = 1_735_689_600_000
BARS = synthetic(["BTC-USDT"], STEP, START, 1200, 5)[0]["BTC-USDT"]
PERP = {"venue": "binance", "market": "perp"}


def options(**more: Any) -> ImportOptions:
    """What the command line says; nothing."""
    return ImportOptions(**(dict.fromkeys(ImportOptions._fields) | {"replace": False} | more))


def month(folder: Path, name: str, frame: pl.DataFrame) -> Path:
    """A csv as the archive names it."""
    folder.mkdir(parents=True, exist_ok=True)
    frame.write_csv(folder / name)
    return folder / name


def stored(home: Path, name: str = "binance_BTC-USDT_perp_15m") -> pl.DataFrame:
    """A series of the home, ts in ms."""
    return pl.read_parquet(home / "data" / f"{name}.parquet").with_columns(pl.col("ts").dt.epoch("ms"))


def errors_of(items: list[dict[str, Any]]) -> list[str]:
    """Why each file was not imported."""
    return [item["why"] for item in items if not item["imported"]]


@pytest.mark.parametrize("replace", [False, True])
def test_months_of_one_series_are_joined_in_one_command(tmp_path: Path, own_home: Path, replace: bool) -> None:
    """In any order, with an overlap that is equal; --replace does not overwrite what the same command wrote."""
    parts = [("2025-01", BARS[:500]), ("2025-02", BARS[480:900]), ("2025-03", BARS[900:])]
    files = [month(tmp_path, f"BTCUSDT-15m-{name}.csv", frame) for name, frame in parts]
    items = import_files([files[2], files[0], files[1]], options(**PERP, replace=replace), judge)
    assert errors_of(items) == []
    assert stored(own_home).equals(BARS)
    notes = [note for item in items for note in item["notes"]]
    assert "3 files joined: 1,200 rows" in notes
    assert "20 rows are in BTCUSDT-15m-2025-01.csv too, and equal" in notes


def test_months_that_differ_where_they_overlap_are_refused_with_the_first_row(tmp_path: Path, own_home: Path) -> None:
    """Which one is right is unknown: nothing is stored."""
    wrong = BARS[480:900].with_columns(close=pl.when(pl.col("ts") == BARS["ts"][490]).then(1.0).otherwise("close"))
    files = [month(tmp_path, f"BTCUSDT-15m-2025-0{n}.csv", frame) for n, frame in ((1, BARS[:500]), (2, wrong))]
    whys = errors_of(import_files(files, options(**PERP), judge))
    assert len(whys) == 2
    assert "BTCUSDT-15m-2025-01.csv and BTCUSDT-15m-2025-02.csv differ in 1 of 20 common rows" in whys[0]
    assert "the first 2025-01-06 02:30Z: close" in whys[0]
    assert not list(own_home.rglob("*.parquet"))


def test_a_missing_month_is_a_gap_of_the_whole(tmp_path: Path, own_home: Path) -> None:
    """The join is judged, not its parts; a later import may close the gap only by bringing the rows."""
    files = [month(tmp_path, f"BTCUSDT-15m-2025-0{n}.csv", frame) for n, frame in ((1, BARS[:300]), (3, BARS[900:]))]
    whys = errors_of(import_files(files, options(**PERP), judge))
    assert "2 files of binance_BTC-USDT_perp_15m.parquet have errors: gap: 600 bars missing" in whys[0]
    assert not list(own_home.rglob("*.parquet"))


def test_funding_of_months_is_joined_by_the_minute(tmp_path: Path, own_home: Path) -> None:
    """The same settlement some ms later is the same settlement."""
    rates = pl.DataFrame({"calc_time": [START + n * 28_800_000 for n in range(60)], "last_funding_rate": 1e-4})
    late = rates[28:].with_columns(pl.col("calc_time") + 3)
    files = [month(tmp_path, f"BTCUSDT-fundingRate-2025-0{n}.csv", f) for n, f in ((1, rates[:30]), (2, late))]
    assert errors_of(import_files(files, options(venue="binance"), judge)) == []
    assert stored(own_home, "binance_BTC-USDT_perp_funding").height == 60


def test_a_recorded_source_of_the_same_series_is_compared(
    tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What --against finds, import finds: a shifted hour in mid-file, against the same series or another timeframe."""
    recorded = tmp_path / "recorded"
    recordings.write(recorded, "binance_BTC-USDT_perp_15m", BARS)
    recordings.write(recorded, "binance_BTC-USDT_perp_15m_dirty", recordings.bars(900, seed=9))  # tagged: nobody's measure
    monkeypatch.setenv("NIGHTDESK_DATA", str(recorded))
    moved = BARS.with_columns(ts=pl.col("ts") + pl.when(pl.col("ts") >= BARS["ts"][700]).then(4 * STEP).otherwise(0))
    path = month(tmp_path, "BTCUSDT-15m-2025-01.csv", moved)
    (why,) = errors_of(import_files([path], options(**PERP), judge))
    assert "against binance_BTC-USDT_perp_15m.parquet: " in why
    (item,) = import_files([path], options(**PERP, tag="mine"), judge)
    assert item["imported"]
    assert any("against binance_BTC-USDT_perp_15m.parquet" in f["text"] for f in item["findings"])
    (item,) = import_files([month(tmp_path, "BTCUSDT-15m-2025-02.csv", BARS[:900])], options(**PERP), judge)
    assert "compared with binance_BTC-USDT_perp_15m.parquet: equal" in item["notes"]


def test_intervals_without_a_trade_are_gaps_that_no_pager_made(tmp_path: Path, own_home: Path) -> None:
    """However regular they are: the file itself says so. Without the option the file is refused with its name."""
    empty = pl.int_range(pl.len()) % 37 == 20
    frame = BARS.with_columns(pl.when(empty).then(float("nan")).otherwise(n).alias(n) for n in BARS.columns[1:])
    files = [month(tmp_path, f"BTCUSDT-15m-2025-0{n}.csv", f) for n, f in ((1, frame[:600]), (2, frame[600:]))]
    assert "--drop-empty leaves them out" in errors_of(import_files(files, options(**PERP), judge))[0]
    for file in files:  # one after the other: the second is appended
        (item,) = import_files([file], options(**PERP, drop_empty=True), judge)
        assert item["imported"], item["why"]
    assert [f["rule"] for f in item["findings"] if "without a trade" in f["text"]] == ["gap"]
    assert stored(own_home).height == 1200 - len(range(20, 1200, 37))
    quiet = pl.int_range(pl.len()).is_between(100, 500)
    frame = BARS.with_columns(pl.when(quiet).then(float("nan")).otherwise(n).alias(n) for n in BARS.columns[1:])
    path = month(tmp_path, "ETHUSDT-15m-2025-01.csv", frame)
    assert "the longest 401 bars" in errors_of(import_files([path], options(**PERP, drop_empty=True), judge))[0]


def test_what_a_pull_wrote_is_not_mixed_with_files(tmp_path: Path, own_home: Path) -> None:
    """A pull resumes at its end: its file stays its own."""
    from engine.data.writer import write_series

    write_series(own_home / "data" / "binance_BTC-USDT_perp_15m.parquet", BARS[:300], "pulled", {})
    (why,) = errors_of(import_files([month(tmp_path, "BTCUSDT-15m-2025-01.csv", BARS)], options(**PERP), judge))
    assert "already exists, written by a pull" in why
    assert stored(own_home).height == 300


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("BTCUSD_15_2021.csv", {"venue": "bybit", "market": "perp"}, "no volume: bars need one - if these are mark prices, add"),
        ("GTUSD-15m-2025-01.csv", PERP, "GTUSD may be G-TUSD or GT-USD: add --symbol"),
        ("x.csv", {**PERP, "symbol": f"{'A' * 200}-USDT"}, "is not a valid series name"),
        ("x.csv", {**PERP, "symbol": "ETH-USDT"}, "states BTCUSDT in its rows, not ETH-USDT"),
    ],
)  # fmt: skip
def test_what_would_be_stored_under_a_wrong_name_is_asked_for(
    tmp_path: Path, own_home: Path, name: str, more: dict[str, Any], said: str
) -> None:
    """Marks nobody named, a symbol of two readings or of 200 letters, and another coin's rows."""
    frame = BARS.drop("volume") if "2021" in name else BARS
    frame = frame.with_columns(symbol=pl.lit("BTCUSDT")) if name == "x.csv" and "ETH" in more["symbol"] else frame
    (why,) = errors_of(import_files([month(tmp_path, name, frame)], options(**more), judge))
    assert said in why
    assert not list(own_home.rglob("*.parquet"))


def test_a_funding_file_of_another_coin_is_refused(tmp_path: Path, own_home: Path) -> None:
    """Its rows say the coin."""
    rates = pl.DataFrame({"symbol": "ETHUSDT", "fundingTime": [START + n * 28_800_000 for n in range(9)], "fundingRate": 1e-4})
    (why,) = errors_of(import_files([month(tmp_path, "binance_BTC-USDT_perp_funding.csv", rates)], options(), judge))
    assert "states ETHUSDT in its rows, not BTC-USDT" in why
    (item,) = import_files([month(tmp_path, "rates.csv", rates)], options(venue="binance"), judge)
    assert item["path"].endswith("binance_ETH-USDT_perp_funding.parquet")


def test_funding_is_compared_with_a_recorded_source(tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another coin's rates under this one's name, and rates in percent that are too small to notice."""
    recorded = tmp_path / "recorded"
    rates = [1e-4 + n % 7 * 1e-5 for n in range(60)]
    ts = [START + n * 28_800_000 for n in range(60)]
    recordings.write(recorded, "binance_BTC-USDT_perp_funding", pl.DataFrame({"ts": ts, "rate": rates}))
    monkeypatch.setenv("NIGHTDESK_DATA", str(recorded))
    for other, said in ((rates[::-1], "another coin or venue?"), ([r * 10 for r in rates], "usually 10 times the other's")):
        frame = pl.DataFrame({"ts": [t + 3 for t in ts], "rate": other})
        (why,) = errors_of(import_files([month(tmp_path, "binance_BTC-USDT_perp_funding.csv", frame)], options(), judge))
        assert "against binance_BTC-USDT_perp_funding.parquet: " in why
        assert said in why
    same = month(tmp_path, "binance_BTC-USDT_perp_funding.csv", pl.DataFrame({"ts": ts, "rate": [r + 1e-8 for r in rates]}))
    assert errors_of(import_files([same], options(), judge)) == []


def test_marks_are_stored_as_marks_when_someone_says_so(tmp_path: Path, own_home: Path) -> None:
    """--series mark, with the timeframe of the rows."""
    path = month(tmp_path, "x.csv", BARS.drop("volume"))
    (item,) = import_files([path], options(venue="bybit", symbol="BTC-USDT", market="perp", series="mark"), judge)
    assert (item["why"], Path(item["path"]).name) == (None, "bybit_BTC-USDT_perp_mark_15m.parquet")
    assert Catalog([(own_home / "data", "recorded")]).marks("bybit", "BTC-USDT").height == 1200


def test_one_second_bars_are_named_so(tmp_path: Path, own_home: Path) -> None:
    """Not a hint to call them 15m."""
    frame = BARS.with_columns(ts=START + pl.int_range(pl.len()) * 1000)
    (why,) = errors_of(import_files([month(tmp_path, "x.csv", frame)], options(**PERP, symbol="BTC-USDT"), judge))
    assert "rows are 1 s apart, and the shortest timeframe is 1m - aggregate them to 1m" in why


def test_a_data_folder_that_is_not_there_is_said_once(tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any file is read."""
    monkeypatch.setenv("NIGHTDESK_DATA", str(tmp_path / "nowhere"))
    files = [month(tmp_path, f"BTCUSDT-15m-2025-0{n}.csv", BARS) for n in (1, 2)]
    with pytest.raises(BadInput, match="NIGHTDESK_DATA"):
        import_files(files, options(**PERP), judge)


@pytest.mark.parametrize("replace", [False, True])
def test_an_import_on_a_full_disk_leaves_everything_as_it_was(
    tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch, replace: bool
) -> None:
    """One line with the file and the reason; no copy kept aside, no part of a file; with room the same command goes through."""
    import_files([month(tmp_path, "BTCUSDT-15m-2025-01.csv", BARS[:300])], options(**PERP), judge)
    path = month(tmp_path, "BTCUSDT-15m-2025-02.csv", BARS[:600])
    before = stored(own_home)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", no_room)
        (why,) = errors_of(import_files([path], options(**PERP, replace=replace), judge))
    assert why.endswith("cannot be written: No space left on device - free the disk or check permissions")
    name = "binance_BTC-USDT_perp_15m.parquet"
    assert sorted(p.name for p in (own_home / "data").iterdir()) == [name, f"{name}.sha256"]
    assert stored(own_home).equals(before)
    assert errors_of(import_files([path], options(**PERP, replace=replace), judge)) == []
    assert stored(own_home).height == 600


def no_room(_: int) -> None:
    """fsync of a full disk."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("times", [1, 2, 3])
def test_replacing_keeps_each_old_file(tmp_path: Path, own_home: Path, times: int) -> None:
    """However often: .1.old, .2.old, ..., none of them a series."""
    path = month(tmp_path, "BTCUSDT-15m-2025-01.csv", BARS[:300])
    import_files([path], options(**PERP), judge)
    for _ in range(times):
        import_files([path], options(**PERP, replace=True), judge)
    assert sum(p.name.endswith(".old") for p in (own_home / "data").iterdir()) == times
    assert len(Catalog([(own_home / "data", "recorded")]).series()) == 1


INVERSE = {"symbol": "BTC-USD", "market": "perp"}


@pytest.mark.parametrize(
    ("name", "columns", "more", "said"),
    [
        ("x.csv", {}, {**INVERSE, "venue": "deribit"}, "perpetuals of BTC-USD on deribit are inverse contracts"),
        ("okx_BTC-USD_perp_mark_15m.csv", {"volume": None}, {}, "perpetuals of BTC-USD on okx are inverse contracts"),
        ("okx_BTC-USDT_perp_15m.csv", {"instId": "BTC-USDT"}, {}, "states BTC-USDT in its rows, which OKX calls spot"),
        ("okx_BTC-USDT_spot_15m.csv", {"instId": "BTC-USDT-SWAP"}, {}, "states BTC-USDT-SWAP in its rows, which OKX calls perp"),
        ("bybit_BTC-USDT_perp_15m.csv", {"symbol": "BTCUSDT-28MAR25"}, {}, "is of BTCUSDT-28MAR25, a future with a day of"),
        ("binance_BTC-USDT_perp_15m.csv", {"exchange": "OKX"}, {}, "states OKX in its rows, not binance - check which it is"),
        ("binance_BTC-USDT_perp_15m.csv", {"ticker": "X:ETHUSDT"}, {}, "states X:ETHUSDT in its rows, not BTC-USDT"),
        ("binance_BTC-USDT_perp_15m.csv", {"open": None}, {}, "is named as bars (15m), but lacks one of open, high, low, close"),
        ("binance_BTC-USDT_perp_funding.csv", {"open": None}, {}, "is named funding, but none of its columns is known as a rate"),
    ],
)  # fmt: skip
def test_what_a_file_says_beside_its_prices_is_not_ignored(
    tmp_path: Path, own_home: Path, name: str, columns: dict[str, Any], more: dict[str, Any], said: str
) -> None:
    """An inverse contract by venue and symbol, another venue or coin in every row, and a name that promises other columns."""
    frame = BARS.drop(key for key, value in columns.items() if value is None)
    frame = frame.with_columns(pl.lit(value).alias(key) for key, value in columns.items() if value is not None)
    (why,) = errors_of(import_files([month(tmp_path, name, frame)], options(**more), judge))
    assert said in why
    assert not list(own_home.rglob("*.parquet"))


def test_six_digits_in_a_name_are_a_delivery_on_its_days_alone(tmp_path: Path, own_home: Path) -> None:
    """A month or a day of data in the name of a file is none."""
    more = {"symbol": "BTC-USDT", "venue": "binance", "market": "perp", "timeframe": "15m"}
    for name in ("BTCUSDT_202501.csv", "BTCUSDT_250115.csv", "BTCUSDT-201212.csv"):
        assert errors_of(import_files([month(tmp_path, name, BARS)], options(**more, replace=True), judge)) == []
    (why,) = errors_of(import_files([month(tmp_path, "BTCUSDT_250627.csv", BARS)], options(**more, replace=True), judge))
    assert "is of BTCUSDT_250627, a future with a day of delivery" in why


def test_words_that_say_the_same_in_another_spelling_are_no_contradiction(tmp_path: Path, own_home: Path) -> None:
    """Venues and symbols as programs write them; a linear perpetual in USD."""
    spelled = BARS.with_columns(exchange=pl.lit("BINANCE_PERP"), ticker=pl.lit("BINANCE:BTCUSDT"))
    assert errors_of(import_files([month(tmp_path, "binance_BTC-USDT_perp_15m.csv", spelled)], options(), judge)) == []
    linear = BARS.with_columns(pl.col("volume") * 2)
    items = import_files([month(tmp_path, "x.csv", linear)], options(**INVERSE, venue="hyperliquid"), judge)
    assert errors_of(items) == []


def test_the_same_bars_under_another_name_are_refused(tmp_path: Path, own_home: Path) -> None:
    """A file that was renamed, or imported with the wrong --symbol or --market; --tag stores it all the same."""
    file = month(tmp_path, "x.csv", BARS)
    assert errors_of(import_files([file], options(**PERP, symbol="BTC-USDT"), judge)) == []
    for more in ({**PERP, "symbol": "ETH-USDT"}, {"venue": "binance", "market": "spot", "symbol": "BTC-USDT"}):
        (why,) = errors_of(import_files([file], options(**more), judge))
        assert "twin: the same bars are stored as binance_BTC-USDT_perp_15m.parquet: one of the two has a wrong name" in why
    part = month(tmp_path, "y.csv", BARS[900:].with_columns(pl.col("volume") * 1.5))
    assert errors_of(import_files([part], options(**PERP, symbol="ETH-USDT"), judge)) == []
    assert errors_of(import_files([file], options(**PERP, symbol="SOL-USDT", tag="copy"), judge)) == []


def test_a_refusal_says_what_to_do_about_its_first_finding(tmp_path: Path, own_home: Path) -> None:
    """A gap is got again, bars of over a day are got as daily ones."""
    holes = pl.concat([BARS[:300], BARS[900:]])
    (why,) = errors_of(import_files([month(tmp_path, "a.csv", holes)], options(**PERP, symbol="BTC-USDT"), judge))
    assert why.endswith(
        "nothing was stored; get the missing rows too, take a part without them, or aggregate to a longer timeframe"
    )
    weeks = BARS[:60].with_columns(ts=START + pl.int_range(60) * 672 * STEP)
    (why,) = errors_of(import_files([month(tmp_path, "b.csv", weeks)], options(**PERP, symbol="BTC-USDT"), judge))
    assert why.endswith("bars of 7d: the longest timeframe is 1d - get daily bars")

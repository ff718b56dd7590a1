"""`nightdesk data ...` as a person and as a program meet it: exit codes, one clear line, JSON, nothing half-written."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest
import typer

from app.cli import data, out
from engine.data.catalog import Catalog
from engine.data.synthetic import synthetic, write_synthetic
from engine.errors import DeskError
from tests.engine.venues.okx_loopback import Venue, serving
from tests.fakes.waiting import WAIT_S

ROOT = Path(__file__).resolve().parents[3]
STEP = 900_000
START = 1_735_689_600_000
CLEAN = synthetic(["BTC-USDT"], STEP, START, 600, 5)[0]["BTC-USDT"]


class Said(NamedTuple):
    """What a command left behind."""

    code: int
    json: dict[str, Any]
    text: str
    err: str


@pytest.fixture
def nightdesk(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Run `nightdesk data ARGS` in this process, the way the console entry does."""

    def run(*args: str) -> Said:
        app = typer.Typer()
        data.register(app)
        capsys.readouterr()
        try:
            code = app(["data", *map(str, args)], standalone_mode=False) or 0
        except DeskError as error:
            code = out.fail(error, as_json="--json" in args)
        except typer.Exit as leave:
            code = leave.exit_code
        said = capsys.readouterr()
        return Said(int(code), json.loads(said.out) if "--json" in args and said.out else {}, said.out, said.err)

    return run


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with one clean csv and one with a hole at a stride."""
    folder = tmp_path / "files"
    folder.mkdir()
    CLEAN.write_csv(folder / "okx_BTC-USDT_perp_15m.csv")
    CLEAN.with_row_index("i").filter(pl.col("i") % 50 != 0).drop("i").write_csv(folder / "okx_ETH-USDT_perp_15m.csv")
    return folder


def test_list_says_what_there_is_and_where_it_looked(nightdesk, own_home: Path) -> None:
    """Empty at first; then each series with source and span."""
    assert nightdesk("list", "--json").json["items"] == []
    assert "nightdesk data pull" in nightdesk("list").text
    write_synthetic(own_home / "data" / "synthetic", ["BTC-USDT"], "15m", STEP, START, 50, 1)
    (own_home / "data" / "odd.parquet").write_text("x")
    said = nightdesk("list", "--json")
    assert said.code == 0
    assert [(i["venue"], i["series"], i["source"], i["rows"]) for i in said.json["items"]] == [
        ("synthetic", "15m", "synthetic", 50),
        ("synthetic", "funding", "synthetic", 2),
    ]
    assert said.json["unknown"][0]["path"].endswith("odd.parquet")
    assert "BTC-USDT" in nightdesk("list").text


def test_a_data_folder_that_is_not_there_is_one_line(nightdesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting is named."""
    monkeypatch.setenv("NIGHTDESK_DATA", "/nowhere")
    said = nightdesk("list")
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert "NIGHTDESK_DATA" in said.err


def test_check_of_a_clean_file_is_exit_0(nightdesk, files: Path) -> None:
    """Kind, rows and no error."""
    said = nightdesk("check", files / "okx_BTC-USDT_perp_15m.csv", "--json")
    assert (said.code, said.json["errors"], said.json["kind"], said.json["rows"]) == (0, 0, "bars", 600)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("okx_BTC-USDT_perp_15m.csv", {"symbol": pl.lit("ETHUSDT")}, "states ETHUSDT in its rows, not BTC-USDT"),
        ("okx_BTC-USD_perp_15m.csv", {}, "perpetuals of BTC-USD on okx are inverse contracts"),
        ("okx_BTC-USDT_perp_15m.csv", {"open": None}, "is named as bars (15m), but lacks one of open, high, low, close"),
        ("okx_BTC-USDT_perp_15m.csv", {"volume": None}, "but no volume: bars need one"),
        ("okx_BTC-USDT_perp_funding.csv", {"open": None}, "is named funding, but none of its columns is known as a rate"),
        ("okx_BTC-USDT_perp_funding_daily-mean.csv", {"open": None}, ""),
        ("btc_etf-flow_15m.csv", {"open": None}, ""),
    ],
)
def test_check_does_not_call_clean_what_the_import_refuses(nightdesk, tmp_path: Path, name: str, change: dict, said: str) -> None:
    """A name that its rows contradict is an error of the file; a name of other numbers is none."""
    frame = CLEAN.drop(key for key, value in change.items() if value is None)
    frame.with_columns(**{key: value for key, value in change.items() if value is not None}).write_csv(tmp_path / name)
    found = nightdesk("check", tmp_path / name, "--json")
    assert found.code == bool(said)
    assert [said in f["text"] for f in found.json["findings"] if f["rule"] == "name"] == [True] * bool(said)


def test_check_of_a_dirty_file_is_exit_1_with_rows_and_one_line(nightdesk, files: Path) -> None:
    """The finding in JSON, the reason on stderr."""
    said = nightdesk("check", files / "okx_ETH-USDT_perp_15m.csv", "--json")
    assert said.code == 1
    (finding,) = (f for f in said.json["findings"] if f["severity"] == "error")
    assert (finding["rule"], finding["rows"][:2]) == ("stride", [49, 98])
    assert "has 1 error" in said.err


def test_check_against_a_second_source(nightdesk, files: Path) -> None:
    """Volume in contracts shows only beside another file."""
    CLEAN.with_columns(pl.col("volume") * 100).write_csv(files / "okx_BTC-USDT_perp_15m_contracts.csv")
    assert nightdesk("check", files / "okx_BTC-USDT_perp_15m_contracts.csv").code == 0
    said = nightdesk("check", files / "okx_BTC-USDT_perp_15m_contracts.csv", "--against", files / "okx_BTC-USDT_perp_15m.csv")
    assert said.code == 1
    assert "unit: volume is 100 times" in said.text


def test_check_finds_a_file_of_the_data_folders_by_name(nightdesk, own_home: Path) -> None:
    """No path needed."""
    write_synthetic(own_home / "data", ["BTC-USDT"], "15m", STEP, START, 500, 1)
    assert nightdesk("check", "synthetic_BTC-USDT_perp_15m.parquet").code == 0
    assert nightdesk("check", "synthetic_BTC-USDT_perp_funding.parquet").code == 0


@pytest.mark.parametrize("content", [b"", b"hello", b"ts,open,high,low,close,volume\n1,2,x,4,5,6\n"])
def test_check_of_nonsense_is_one_line(nightdesk, tmp_path: Path, content: bytes) -> None:
    """Empty, no table, text for numbers: exit 1, one line, no traceback."""
    (tmp_path / "x.csv").write_bytes(content)
    said = nightdesk("check", tmp_path / "x.csv", "--json")
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert said.json["error"]["kind"] == "DataError"


def test_check_of_ticks_says_what_can_be_checked(nightdesk, tmp_path: Path) -> None:
    """A book or a tape has no clock."""
    pl.DataFrame({"ts": [START, START + 7, START + 11], "bid": [1.0, 2.0, 3.0]}).write_parquet(tmp_path / "x.parquet")
    assert "no regular timeframe" in nightdesk("check", tmp_path / "x.parquet").err


def test_a_table_of_several_coins_is_checked_coin_by_coin(nightdesk, tmp_path: Path) -> None:
    """Rows are those of the table, the text names the coin."""
    hours = [0, 8, 16, 40, 48, 56]
    parts = [
        pl.DataFrame({"ts": [START + h * 3_600_000 for h in hours], "rate": 1e-4}).with_columns(coin=pl.lit(c)) for c in "AB"
    ]
    pl.concat(parts).write_parquet(tmp_path / "x.parquet")
    said = nightdesk("check", tmp_path / "x.parquet", "--json")
    assert [(f["text"][:2], f["rows"]) for f in said.json["findings"]] == [("A:", [3]), ("B:", [9])]


def test_import_stores_a_clean_file_with_its_origin(nightdesk, files: Path, own_home: Path) -> None:
    """Found by the catalog afterwards as recorded data; the footer keeps file and hash."""
    said = nightdesk("import", files / "okx_BTC-USDT_perp_15m.csv", "--json")
    path = own_home / "data" / "okx_BTC-USDT_perp_15m.parquet"
    assert (said.code, said.json["items"][0]["path"]) == (0, str(path))
    catalog = Catalog([(own_home / "data", "pulled")])
    s = catalog.find("okx", "BTC-USDT", "15m")
    assert (s.source, s.rows) == ("recorded", 600)
    assert catalog.bars(s).equals(CLEAN)
    import pyarrow.parquet as pq

    assert len(pq.read_metadata(path).metadata[b"nightdesk_sha256"]) == 64


def test_import_refuses_dirt_and_stores_nothing(nightdesk, files: Path, own_home: Path) -> None:
    """The finding is shown; the home stays empty."""
    said = nightdesk("import", files / "okx_ETH-USDT_perp_15m.csv")
    assert said.code == 1
    assert "stride" in said.text
    assert "nothing was stored" in said.err
    assert list(own_home.rglob("*.parquet")) == []


def test_import_turns_newest_first_and_says_so(nightdesk, tmp_path: Path) -> None:
    """Sorting is the one thing that is done to rows, and it is announced."""
    CLEAN.reverse().write_csv(tmp_path / "okx_BTC-USDT_perp_15m.csv")
    said = nightdesk("import", tmp_path / "okx_BTC-USDT_perp_15m.csv", "--json")
    assert said.code == 0
    assert "rows ran from newest to oldest: reversed" in said.json["items"][0]["notes"]


def test_a_file_twice_changes_nothing_and_replace_keeps_the_old_one(nightdesk, files: Path, own_home: Path) -> None:
    """What is there stays there."""
    file = files / "okx_BTC-USDT_perp_15m.csv"
    assert nightdesk("import", file).code == 0
    before = (own_home / "data" / "okx_BTC-USDT_perp_15m.parquet").read_bytes()
    again = nightdesk("import", file, file)
    assert (again.code, "0 rows appended to 600 stored ones; 600 were there and are equal" in again.text) == (0, True)
    assert (own_home / "data" / "okx_BTC-USDT_perp_15m.parquet").read_bytes() == before
    assert "kept as okx_BTC-USDT_perp_15m.parquet.1.old" in nightdesk("import", file, "--replace").text
    assert nightdesk("import", file, "--tag", "second").code == 0


def test_import_asks_for_what_the_name_does_not_say(nightdesk, tmp_path: Path, own_home: Path) -> None:
    """The option that is missing is named; with it the file goes in."""
    CLEAN.write_csv(tmp_path / "download.csv")
    assert "--venue binance" in nightdesk("import", tmp_path / "download.csv").err
    assert nightdesk("import", tmp_path / "download.csv", "--venue", "okx", "--symbol", "BTC-USDT", "--market", "spot").code == 0
    assert (own_home / "data" / "okx_BTC-USDT_spot_15m.parquet").exists()
    odd = nightdesk("import", tmp_path / "download.csv", "--venue", "OKX", "--symbol", "BTC/USDT", "--market", "spot")
    assert "is not a valid series name" in odd.err


def test_import_takes_other_numbers_by_the_name_of_their_series(nightdesk, tmp_path: Path, own_home: Path) -> None:
    """An index of a venue and open interest of an instrument: listed, readable by a strategy; without a name, what to add."""
    index, interest = tmp_path / "index.csv", tmp_path / "okx_BTC-USDT_perp_oi_1h.csv"
    days = [START + n * 86_400_000 for n in (0, 1, 4)]
    pl.DataFrame({"ts": days, "close": [20.5, 21.0, None], "available_ms": [t + 90_000_000 for t in days]}).write_csv(index)
    pl.DataFrame({"ts": [START, START + 3_600_000], "oi": [5.0, 6.0]}).write_csv(interest)
    assert "add --venue yahoo --series vix_1d" in nightdesk("import", str(index)).text
    assert nightdesk("import", str(index), "--venue", "yahoo", "--series", "vix_1d", "--json").code == 0
    assert nightdesk("import", str(interest), "--json").code == 0
    items = nightdesk("list", "--json").json["items"]
    assert {(i["venue"], i["symbol"], i["series"]) for i in items} >= {("yahoo", "", "vix_1d"), ("okx", "BTC-USDT", "oi_1h")}
    catalog = Catalog([(own_home / "data", "recorded")])
    rows = catalog.rows(catalog.find("yahoo", "", "vix_1d", ""), "close")
    assert rows["available_ms"].to_list() == [t + 90_000_000 for t in days]


def test_import_of_a_folder_tells_each_file(nightdesk, files: Path) -> None:
    """One good, one refused: both are told, exit 1."""
    said = nightdesk("import", files, "--json")
    assert [item["imported"] for item in said.json["items"]] == [True, False]
    assert said.code == 1


def test_import_says_when_it_hides_recorded_data(nightdesk, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The home's file wins over the data folder's of the same name: said at import and in the list."""
    write_synthetic(tmp_path / "recorded", ["BTC-USDT"], "15m", STEP, START, 9, 1)
    old = tmp_path / "recorded" / "synthetic_BTC-USDT_perp_15m.parquet"
    old.rename(tmp_path / "recorded" / "okx_BTC-USDT_perp_15m.parquet")
    monkeypatch.setenv("NIGHTDESK_DATA", str(tmp_path / "recorded"))
    said = nightdesk("import", files / "okx_BTC-USDT_perp_15m.csv", "--json")
    assert any("hides" in note for note in said.json["items"][0]["notes"])
    assert len(nightdesk("list", "--json").json["hidden"]) == 1


def test_an_unwritable_home_is_one_line(nightdesk, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path and what to do."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NIGHTDESK_HOME", str(tmp_path / "file" / "home"))
    said = nightdesk("import", files / "okx_BTC-USDT_perp_15m.csv")
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert "cannot be written" in said.err
    assert "cannot be written" in nightdesk("pull", "--venue", "okx").err


def test_the_raw_csv_of_a_data_shop_goes_in(nightdesk, market_data: Path, own_home: Path) -> None:
    """Comment line, written hours, newest first, two volumes: understood, said, and in base units."""
    said = nightdesk("import", market_data / "dirty" / "coinbase_BTC-USD_spot_1h_raw.csv.gz", "--json")
    assert said.code == 0
    assert len(said.json["items"][0]["notes"]) == 3
    stored = pl.read_parquet(own_home / "data" / "coinbase_BTC-USD_spot_1h_raw.parquet")
    assert (stored.height, stored["ts"].is_sorted(), stored["volume"][-1]) == (20_111, True, 61.25)


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch):
    """A venue on loopback with 900 bars, and the option that points the pull at it."""
    it = Venue(START, 900)
    monkeypatch.setattr("engine.venues.ccxt_data.WAIT_S", 0.001)
    with serving(it) as url:
        monkeypatch.setenv("NIGHTDESK_MIRROR", url)
        yield it


PULL = ("pull", "--venue", "okx", "--from", "2025-01-01", "--json")


def test_pull_stores_closed_bars_and_funding(nightdesk, venue: Venue, own_home: Path) -> None:
    """Both series, stamped pulled, clean by our own check."""
    said = nightdesk(*PULL, "--funding")
    assert said.code == 0
    assert [(i["series"], i["rows"], i["source"], i["errors"]) for i in said.json["items"]] == [
        ("15m", 899, "pulled", 0),
        ("funding", 29, "pulled", 0),
    ]
    catalog = Catalog([(own_home / "data", "pulled")])
    assert [s.source for s in catalog.series()] == ["pulled", "pulled"]
    assert catalog.funding("okx", "BTC-USDT") is not None


def test_a_cut_pull_keeps_what_it_has_and_goes_on(nightdesk, venue: Venue, own_home: Path) -> None:
    """The venue dies after a page: one line, exit 1, 300 bars stored; the same command then fetches the rest alone."""
    venue.dead_after = 1
    said = nightdesk(*PULL)
    assert said.code == 1
    assert "300 rows up to 2025-01-04 02:45Z are stored" in said.err
    assert said.err.count("\n") == 1
    venue.dead_after = 10**9
    venue.asked.clear()
    said = nightdesk(*PULL)
    assert (said.json["items"][0]["new"], said.json["items"][0]["rows"]) == (599, 899)
    assert sum("candles" in path for path in venue.asked) == 2
    frame = pl.read_parquet(own_home / "data" / "okx_BTC-USDT_perp_15m.parquet")
    assert (frame["ts"].diff().drop_nulls().dt.total_milliseconds() == STEP).all()


@pytest.mark.slow
def test_a_killed_pull_keeps_what_it_saved(own_home: Path) -> None:
    """kill -9 in the 23rd page: the file is whole up to the 20th, and nothing half-written lies beside it."""
    it = Venue(START, 8000)
    it.holds_after = 22
    asked = "'okx', 'BTC-USDT', '15m', 'perp', '2025-01-01', None, False, False, sys.argv[1]"
    code = f"import sys; from app.market_data.pulling import PullRequest, pull; pull(PullRequest({asked}))"
    with serving(it) as url:
        process = subprocess.Popen([sys.executable, "-c", code, url], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
        try:
            assert it.held.wait(WAIT_S)
        finally:
            process.kill()
            process.wait()
            it.let_go.set()
    assert [p.name for p in (own_home / "data").glob("*okx*.parquet")] == ["okx_BTC-USDT_perp_15m.parquet"]
    assert pl.read_parquet(own_home / "data" / "okx_BTC-USDT_perp_15m.parquet").height == 6000


def test_an_earlier_start_is_put_before_what_is_there(nightdesk, venue: Venue) -> None:
    """Asking further back fetches the older part too, without a hole between."""
    assert nightdesk("pull", "--venue", "okx", "--from", "2025-01-05", "--json").json["items"][0]["rows"] == 899 - 4 * 96
    assert nightdesk(*PULL).json["items"][0]["rows"] == 899


def test_a_pull_never_overwrites_a_file_of_another_origin(nightdesk, venue: Venue, files: Path) -> None:
    """What a person imported under that name stays."""
    nightdesk("import", files / "okx_BTC-USDT_perp_15m.csv")
    said = nightdesk(*PULL)
    assert said.code == 1
    assert "was not written by a pull" in said.err


def test_a_hole_of_the_venue_is_told_after_the_pull(nightdesk, venue: Venue) -> None:
    """Stored as the venue has it; the check speaks, here as an error: a month is missing at a stride."""
    for i in range(100, 900, 100):
        del venue.bars[START + i * STEP]
    said = nightdesk(*PULL)
    assert said.code == 1
    assert said.json["items"][0]["findings"][0]["rule"] == "stride"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--symbol", "FOO-USDT"), "has no perp FOO-USDT"),
        (("--timeframe", "7x"), "unknown timeframe"),
        (("--to", "2024-01-01"), "is not after --from"),
        (("--from", "soon"), "not a valid date"),
        (("--market", "option"), "unknown market"),
        (("--market", "spot", "--funding"), "spot has neither funding"),
        (("--venue", "mtgox"), "unknown venue"),
        (("--from", "2030-01-01"), "no closed bar in this range"),
    ],
)
def test_a_slip_in_a_pull_is_one_line(nightdesk, venue: Venue, args: tuple[str, ...], said: str) -> None:
    """What is wrong and what to do; nothing is written."""
    found = nightdesk("pull", "--venue", "okx", "--from", "2025-01-01", *args)
    assert (found.code, found.err.count("\n")) == (1, 1)
    assert said in found.err


def test_without_network_a_pull_is_one_line(nightdesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 1, no traceback."""
    monkeypatch.setattr("engine.venues.ccxt_data.WAIT_S", 0.001)
    said = nightdesk("pull", "--venue", "okx", "--mirror", "http://127.0.0.1:9")
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert "no network: okx" in said.err

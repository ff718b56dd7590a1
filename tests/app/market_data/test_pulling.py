"""A pull against a venue made by hand: whatever interrupts it, the file has no hole, and the next pull goes on at its end."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.market_data import pulling
from app.market_data.importing import files_under, import_files
from app.market_data.joining import in_order
from app.market_data.naming import ImportOptions
from app.market_data.pulling import PullRequest, pull
from engine.clock import utc
from engine.data.catalog import Catalog
from engine.data.writer import write_series
from engine.errors import BadInput, Busy, DataError
from engine.venues import ccxt_data
from tests.fakes import recordings

STEP = 900_000
FIRST = 1_735_689_600_000  # 2025-01-01
COUNT = 260
NOW = FIRST + COUNT * STEP
PAGE = 20


class Venue:
    """A venue with COUNT bars; it breaks off before page number `breaks_at` and lacks the bars in `lacking`."""

    def __init__(self) -> None:
        self.breaks_at: int | None = None
        self.error: BaseException = DataError("okx does not answer", "try again")
        self.lacking: set[int] = set()
        self.pages = 0
        self.asked: list[tuple[int, int]] = []

    def has(self, low: int, high: int) -> list[int]:
        """Opens in [low, high) that the venue has."""
        return [t for t in range(FIRST, NOW, STEP) if low <= t < high and t not in self.lacking]

    def bars(self, _source: Any, _name: str, _tf: str, low: int, high: int, _now: int, price: str = "") -> Iterator[Any]:
        """Pages of PAGE bars, as ccxt_data gives them."""
        self.asked.append((low, high))
        for start in range(low, high, PAGE * STEP):
            if self.breaks_at is not None and self.pages >= self.breaks_at:
                raise self.error
            self.pages += 1
            end = min(start + PAGE * STEP, high)
            ts = self.has(start, end)
            n = [float((t - FIRST) // STEP) for t in ts]
            close = [100.0 + x / 100 for x in n]
            columns = {"open": close, "high": [c + 1 for c in close], "low": [c - 1 for c in close], "close": close}
            frame = pl.DataFrame({"ts": ts, **columns, "volume": [x + 1 for x in n]}, schema=ccxt_data.BARS)
            yield end, frame

    def funding(self, _source: Any, _name: str, low: int, high: int, _now: int) -> Iterator[Any]:
        """One settlement every eight hours."""
        self.asked.append((low, high))
        ts = [t for t in range(FIRST, NOW, 32 * STEP) if low <= t < high]
        yield high, pl.DataFrame({"ts": ts, "rate": [0.0001] * len(ts)}, schema=ccxt_data.RATES)


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch) -> Venue:
    """The venue in place of the network."""
    made = Venue()
    monkeypatch.setattr(ccxt_data, "open_venue", lambda *_: "okx")
    monkeypatch.setattr(ccxt_data, "market_symbol", lambda _source, symbol, _market: symbol)
    monkeypatch.setattr(ccxt_data, "server_ms", lambda _source: NOW)
    monkeypatch.setattr(ccxt_data, "bars", made.bars)
    monkeypatch.setattr(ccxt_data, "funding", made.funding)
    monkeypatch.setattr(pulling, "SAVE_PAGES", 4)
    return made


def request(start: str | None = None, end: str | None = None, **more: Any) -> PullRequest:
    """A pull of 15-minute bars of a perpetual."""
    named = {"venue": "okx", "symbol": "BTC-USDT", "timeframe": "15m", "market": "perp", "start": start, "end": end}
    return PullRequest(**(named | {"funding": False, "marks": False, "mirror": ""} | more))


def stored(home: Path) -> list[int]:
    """The opens on disk; empty without a file."""
    path = home / "data" / "okx_BTC-USDT_perp_15m.parquet"
    return pl.read_parquet(path)["ts"].dt.epoch("ms").to_list() if path.exists() else []


def at(bar: int) -> str:
    """The open of a bar as a person types it, the day or the minute."""
    return utc(FIRST + bar * STEP)[:16].replace(" ", "T")


pulls = st.tuples(
    st.one_of(st.none(), st.integers(0, COUNT - 1)), st.one_of(st.none(), st.integers(1, COUNT)), st.none() | st.integers(0, 12)
)


@pytest.mark.slow
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(pulls, min_size=1, max_size=4), st.sampled_from(["venue", "person", "bug"]))
def test_any_row_of_interrupted_pulls_leaves_no_hole(
    venue: Venue, tmp_path_factory: pytest.TempPathFactory, steps: list[Any], cut: str
) -> None:
    """Any ranges, in any order, broken off at any page: what is stored is each bar from its first to its last, once, in order;
    it never shrinks, and a last whole pull completes it."""
    home = tmp_path_factory.mktemp("pulled")
    venue.error = {"venue": DataError("silent", "later"), "person": KeyboardInterrupt(), "bug": RuntimeError("x")}[cut]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTDESK_HOME", str(home))
        before: list[int] = []
        for first, last, breaks_at in [*steps, (0, None, None)]:
            venue.pages, venue.breaks_at = 0, breaks_at
            with contextlib.suppress(DataError, BadInput, KeyboardInterrupt, RuntimeError):
                pull(request(None if first is None else at(first), None if last is None else at(last)))
            now = stored(home)
            assert now == list(range(now[0], now[-1] + STEP, STEP)) if now else not before
            assert set(before) <= set(now)
            before = now
    assert before[0] == FIRST
    assert before[-1] == NOW - STEP
    assert not list((home / "data").glob("*.part"))


def test_a_pull_asks_only_for_what_it_lacks(venue: Venue, own_home: Path) -> None:
    """A second pull asks from the end on; an earlier start asks only for what is before; a whole one asks for nothing."""
    pull(request(at(100), at(200)))
    venue.asked.clear()
    (item,) = pull(request(None, at(250)))
    assert venue.asked == [(FIRST + 200 * STEP, FIRST + 250 * STEP)]
    assert (item["new"], item["rows"]) == (50, 150)
    venue.asked.clear()
    (item,) = pull(request(at(90), at(250)))
    assert venue.asked == [(FIRST + 90 * STEP, FIRST + 100 * STEP)]
    assert (item["new"], item["rows"], item["first_ms"]) == (10, 160, FIRST + 90 * STEP)
    venue.asked.clear()
    (item,) = pull(request(None, at(250)))
    assert (venue.asked, item["new"]) == ([], 0)


def test_a_later_start_leaves_no_gap_to_what_is_there(venue: Venue, own_home: Path) -> None:
    """What lies between the stored end and the new start is fetched too: a file with a hole would look like an outage."""
    pull(request(at(0), at(50)))
    venue.asked.clear()
    pull(request(at(150), at(200)))
    assert venue.asked == [(FIRST + 50 * STEP, FIRST + 200 * STEP)]
    assert stored(own_home) == [FIRST + n * STEP for n in range(200)]


def test_an_interruption_says_what_is_safe(venue: Venue, own_home: Path) -> None:
    """The error keeps its own words and adds how many rows up to when are stored, or that none is."""
    venue.breaks_at = 0
    with pytest.raises(DataError, match="okx does not answer - nothing stored yet; try again"):
        pull(request("2025-01-01"))
    venue.breaks_at, venue.pages = 5, 0
    with pytest.raises(DataError, match=r"okx does not answer - 100 rows up to .* are stored; try again") as told:
        pull(request("2025-01-01"))
    assert utc(FIRST + 99 * STEP) in told.value.hint


def test_a_hole_of_the_venue_is_told_and_not_filled(venue: Venue, own_home: Path) -> None:
    """The missing bar is an error of the item with its place; the others are as the venue sent them."""
    venue.lacking = {FIRST + 50 * STEP, FIRST + 51 * STEP}
    (item,) = pull(request("2025-01-01"))
    assert item["rows"] == COUNT - 2
    assert item["findings"]
    assert not set(stored(own_home)) & venue.lacking


def test_a_pull_repairs_the_holes_of_what_is_stored(venue: Venue, own_home: Path) -> None:
    """What the venue had not before is fetched and counted; what it has not now is listed and left missing."""
    venue.lacking = {FIRST + n * STEP for n in (50, 51, 52, 120)}
    (item,) = pull(request("2025-01-01", at(200)))
    assert [(m["from_ms"], m["to_ms"]) for m in item["missing"]] == [
        (FIRST + 49 * STEP, FIRST + 53 * STEP),
        (FIRST + 119 * STEP, FIRST + 121 * STEP),
    ]
    venue.lacking = {FIRST + 120 * STEP}
    venue.asked.clear()
    (item,) = pull(request(None, at(210)))
    assert venue.asked == [(FIRST + a * STEP, FIRST + b * STEP) for a, b in ((50, 53), (120, 121), (200, 210))]
    assert (item["repaired"], item["new"], item["rows"]) == (3, 13, 209)
    assert [m["from_ms"] for m in item["missing"]] == [FIRST + 119 * STEP]
    assert stored(own_home) == [FIRST + n * STEP for n in range(210) if n != 120]


def test_bars_funding_and_marks_are_three_series_of_one_pull(venue: Venue, own_home: Path) -> None:
    """Each has its own file, stamped pulled; a mark price has no volume, so none is invented."""
    items = pull(request("2025-01-01", funding=True, marks=True))
    assert [item["series"] for item in items] == ["15m", "funding", "mark_1h"]
    found = {s.series: s for s in Catalog([(own_home / "data", "recorded")]).series()}
    assert {s.source for s in found.values()} == {"pulled"}
    assert "volume" not in pl.read_parquet(found["mark_1h"].path).columns


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"market": "futures"}, "unknown market"),
        ({"market": "spot", "marks": True}, "spot has neither"),
        ({"start": "2025-02", "end": "2025-02"}, "is not after"),
        ({"timeframe": "0m"}, "unknown timeframe"),
        ({"start": "2025-13"}, "2025-13"),
        ({"start": "2026-01"}, "no closed bar"),
    ],
)
def test_a_pull_that_can_give_nothing_makes_no_file(venue: Venue, own_home: Path, more: Any, said: str) -> None:
    """Refused with the reason, before or after asking; no empty series appears in the catalog."""
    with pytest.raises(BadInput, match=said):
        pull(request(**more))
    assert not list((own_home / "data").glob("*.parquet")) if (own_home / "data").exists() else True


def test_two_pulls_of_one_instrument_do_not_write_one_file(venue: Venue, own_home: Path) -> None:
    """The second is told to wait; another instrument, or the same after the first has ended, is not."""
    folder = own_home / "data"
    folder.mkdir(parents=True)
    with (folder / ".okx_BTC-USDT_perp.pull.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Busy, match="another pull of okx BTC-USDT"):
            pull(request("2025-01-01"))
        assert pull(request("2025-01-01", symbol="ETH-USDT"))[0]["rows"] == COUNT
    assert pull(request("2025-01-01"))[0]["rows"] == COUNT


@pytest.mark.parametrize("torn", [b"", b"PAR1", b"PAR1" + b"\x00" * 100 + b"PAR1", b"ts,open\n1,2\n"])
def test_a_torn_file_is_named_and_left_alone(venue: Venue, own_home: Path, torn: bytes) -> None:
    """A pull does not overwrite what it cannot read: a person decides what it is."""
    path = own_home / "data" / "okx_BTC-USDT_perp_15m.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(torn)
    with pytest.raises(DataError, match=r"okx_BTC-USDT_perp_15m\.parquet: it is damaged: it "):
        pull(request("2025-01-01"))
    assert path.read_bytes() == torn
    assert venue.asked == []


def test_a_full_disk_keeps_the_file_as_it_was(venue: Venue, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line with what to do; the rows of before are all there."""
    pull(request("2025-01-01", at(100)))

    def full(*_args: Any) -> Any:
        raise BadInput("the disk is full", "free it")

    monkeypatch.setattr("engine.data.writer.write_series", full)
    with pytest.raises(BadInput, match=r"the disk is full - 100 rows up to"):
        pull(request(None))
    assert len(stored(own_home)) == 100


# ---------------------------------------------------------------------- import


def judge(_raw: Any) -> list[Any]:
    """A check that finds nothing."""
    return []


def import_file(path: Path, wanted: ImportOptions, judge: Any) -> dict[str, Any]:
    """The outcome of one file."""
    return import_files([path], wanted, judge)[0]


def options(**more: Any) -> ImportOptions:
    """What the command line says; nothing."""
    return ImportOptions(**(dict.fromkeys(ImportOptions._fields) | {"replace": False} | more))


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("some.parquet", {}, "does not contain the venue"),
        ("some.parquet", {"venue": "okx"}, "does not contain the symbol"),
        ("some.parquet", {"venue": "okx", "symbol": "BTC-USDT"}, "does not contain the market"),
        ("okx_BTC-USDT_perp_15m.parquet", {"venue": "OKX"}, "not a valid series name"),
        ("okx_BTC-USDT_perp_15m.parquet", {"symbol": "../../x"}, "not a valid series name"),
        ("okx_BTC-USDT_perp_15m.parquet", {"tag": "a/b"}, "not a valid series name"),
        ("okx_BTC-USDT_perp_15m.parquet", {"timeframe": "15x"}, "unknown timeframe"),
    ],
)
def test_what_neither_name_nor_words_say_is_asked_for(own_home: Path, tmp_path: Path, name: str, more: Any, said: str) -> None:
    """The missing part is named with the option that gives it; no name leads out of the data folder; nothing is stored."""
    path = recordings.write(tmp_path / "in", name.removesuffix(".parquet"), recordings.bars(50))
    item = import_file(path, options(**more), judge)
    assert not item["imported"]
    assert said in item["why"]
    assert not list(own_home.rglob("*.parquet"))


def test_rows_in_any_order_are_stored_in_time_order_with_a_note(own_home: Path, tmp_path: Path) -> None:
    """Newest first is reversed, shuffled is sorted, equal times stay for the check to find."""
    frame = recordings.bars(40)
    for n, (turned, note) in enumerate(
        ((frame[::-1], "newest to oldest"), (frame.sample(40, shuffle=True, seed=3), "out of order"))
    ):
        path = recordings.write(tmp_path / str(n), "okx_BTC-USDT_perp_15m", turned)
        item = import_file(path, options(tag=f"t{n}"), judge)
        assert item["imported"], item["why"]
        assert any(note in line for line in item["notes"])
        assert pl.read_parquet(item["path"])["ts"].dt.epoch("ms").to_list() == frame["ts"].to_list()
    again, notes = in_order(pl.concat([frame[:5], frame[4:9]]))
    assert (again.height, notes) == (10, [])


def test_a_later_import_appends_and_another_one_needs_replace(own_home: Path, tmp_path: Path) -> None:
    """What both have must be equal: more rows are appended; other rows are refused with the two ways on, and nothing is lost."""
    one = recordings.write(tmp_path / "1", "okx_BTC-USDT_perp_15m", recordings.bars(60)[:40])
    two = recordings.write(tmp_path / "2", "okx_BTC-USDT_perp_15m", recordings.bars(60)[20:])
    other = recordings.write(tmp_path / "3", "okx_BTC-USDT_perp_15m", recordings.bars(30, seed=2))
    first = import_file(one, options(), judge)
    later = import_file(two, options(), judge)
    assert "20 rows appended to 40 stored ones; 20 were there and are equal" in later["notes"]
    assert pl.read_parquet(first["path"]).height == 60
    assert "0 rows appended to 60 stored ones; 40 were there and are equal" in import_file(two, options(), judge)["notes"]
    refused = import_file(other, options(), judge)
    assert "differ in 30 of 30 common rows, the first 2025-01-01 00:00Z" in refused["why"]
    assert "--replace" in refused["why"]
    assert pl.read_parquet(first["path"]).height == 60
    assert pl.read_parquet(import_file(other, options(tag="mine"), judge)["path"]).height == 30
    before = Path(first["path"]).read_bytes()
    replaced = import_file(other, options(replace=True), judge)
    assert pl.read_parquet(replaced["path"]).height == 30
    assert Path(f"{first['path']}.1.old").read_bytes() == before
    assert Catalog([(own_home / "data", "recorded")]).unknown() == []


def test_a_folder_gives_its_data_files_and_nothing_else(tmp_path: Path) -> None:
    """Sorted, at any depth, by suffix whatever its case; a folder without any is refused."""
    (tmp_path / "a").mkdir()
    for name in ("b.CSV", "a/c.csv.gz", "a.parquet", "readme.md", ".hidden.csv"):
        (tmp_path / name).write_text("")
    assert [p.name for p in files_under(tmp_path) if not p.name.startswith(".")] == ["c.csv.gz", "a.parquet", "b.CSV"]
    assert files_under(tmp_path / "a.parquet") == [tmp_path / "a.parquet"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="contains no market data"):
        files_under(tmp_path / "empty")


def test_what_was_imported_is_never_overwritten_by_a_pull(venue: Venue, own_home: Path) -> None:
    """A file of another origin under the pull's name is refused and kept."""
    path = own_home / "data" / "okx_BTC-USDT_perp_15m.parquet"
    write_series(path, recordings.bars(10), "recorded", {})
    before = path.read_bytes()
    with pytest.raises(BadInput, match="was not written by a pull"):
        pull(request("2025-01-01"))
    assert path.read_bytes() == before

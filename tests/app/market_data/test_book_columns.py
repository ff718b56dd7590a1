"""Columns that a recorder writes as it runs are those of the whole tape, to the bit: over kills, gaps, midnight, finer lots."""

from pathlib import Path
from random import Random

import polars as pl
import pytest

from app.home.written import alone_in
from app.market_data.book_columns import ColumnFollower, add_rows, series_of
from engine.data.catalog import Catalog
from engine.data.checksums import beside as digest_beside
from engine.data.sources import OutsideSeries, asof, observations
from engine.errors import BadInput
from engine.l2.bars import LAG_MS, BookColumns
from engine.l2.checks import open_tape
from engine.l2.recorder import BookRecorder
from engine.venues.book_pushes import BookPush, TradePush
from tests.fakes.book_tapes import BookMessage, Maker

BAR_MS = 60_000
MS_NS = 1_000_000
DAY_MS = 86_400_000
MIDNIGHT_MS = 1_722_038_400_000
STEP_MS = 200


class Desk:
    """A recorder and what follows it on a clock of its own; `killed` makes both anew from what the disk has."""

    def __init__(self, home: Path, begin_ms: int) -> None:
        self.home, self.now_ms, self.recorders, self.lateness = home, begin_ms, 0, list[int]()
        self.killed()

    def killed(self) -> None:
        """Another process: nothing is left of the memory of the one before."""
        self.recorder = BookRecorder(self.home / "level2", "okx", "ETH-USDT", "perp", lambda _why: None)
        self.follower = ColumnFollower(self.home, self.recorder, "1m", lambda: self.now_ms)

    def take(self, push: BookPush | TradePush) -> None:
        """What comes now."""
        self.recorder.take(self.now_ms * MS_NS, push)

    def second(self) -> None:
        """What runs once a second."""
        self.recorder.flush(self.now_ms * MS_NS)
        self.follower.catch_up()

    def rows(self) -> pl.DataFrame:
        """The series."""
        return pl.read_parquet(self.follower.series)


def push_of(message: BookMessage, *, finer: bool = False) -> BookPush:
    """A message as it is pushed; `finer`: its first quantity has another decimal."""
    levels = [(int(side == "a"), price, quantity) for side, price, quantity in message.levels]
    if finer and levels and levels[0][2]:
        levels[0] = (*levels[0][:2], levels[0][2] + 0.0004)
    return BookPush("ETH", message.kind == "snapshot", 0, message.first_id, message.last_id, message.prev_id, levels)


def play(desk: Desk, dice: Random, ticks: int, *, kills: int = 0, gaps: int = 0) -> None:
    """Messages each 200 ms with a trade in two of five, a look a second; kills and gaps at random, each with another length."""
    maker = Maker(51)
    desk.take(push_of(maker.snapshot()))
    at = dict.fromkeys(dice.sample(range(50, ticks), gaps), "gap") | dict.fromkeys(dice.sample(range(50, ticks), kills), "kill")
    closed_at = 0
    for n in range(1, ticks):
        desk.now_ms += STEP_MS
        if n == closed_at:
            desk.take(push_of(maker.snapshot()))
        desk.take(push_of(maker.delta(), finer=n > ticks // 2))
        if dice.random() < 0.4:
            desk.take(TradePush("ETH", desk.now_ms, 3000.0, dice.randint(1, 9000) / 1000, dice.random() < 0.5))
        if n % 5 == 0:
            desk.second()
        match at.get(n):
            case "gap":
                maker.delta()
                closed_at = n + dice.randint(1, 30)
            case "kill":
                desk.now_ms += dice.choice([0, 400, 3_000, 9_000, 80_000])
                desk.killed()
                maker.delta()
                closed_at = n + 1


def whole(home: Path) -> pl.DataFrame:
    """The columns of the finished tapes, read at once."""
    columns, found = BookColumns(BAR_MS), []
    for path in sorted((home / "level2").rglob("*_l2.parquet")):
        opened = open_tape(path)
        columns.next_tape()
        found.append(columns.take(opened.tape, opened.trades))
    return pl.concat(found)


def same(desk: Desk) -> pl.DataFrame:
    """The series, after it was held against the whole tapes, to the bit but for when a row was known."""
    rows, tape = desk.rows(), whole(desk.home)
    mine = rows.with_columns(pl.col("ts").dt.epoch("ms")).drop("available_ms")
    assert mine.equals(tape.drop("available_ms").head(mine.height))
    assert tape.height - mine.height <= 1
    assert (rows["available_ms"] >= rows["published_ms"]).all()
    return rows


@pytest.mark.slow
@pytest.mark.parametrize(("ticks", "kills"), [(4_000, 8), pytest.param(18_000, 100, marks=pytest.mark.long)])
def test_columns_are_those_of_the_whole_tape_after_kills(tmp_path: Path, ticks: int, kills: int) -> None:
    """Over midnight, with gaps in the ids and quantities that become finer; what is missing has no value and is named."""
    desk = Desk(tmp_path, MIDNIGHT_MS - ticks // 2 * STEP_MS)
    play(desk, Random(8), ticks, kills=kills, gaps=kills // 8)
    desk.recorder.flush(desk.now_ms * MS_NS, force=True)
    desk.follower.catch_up()
    rows = same(desk)
    assert len(list((tmp_path / "level2").rglob("*_l2.parquet"))) == 2
    gaps = rows.filter(pl.col("gap") != "")
    assert set(gaps["gap"]) <= {"no usable book", "messages are missing"}
    assert gaps.height >= kills // 4
    assert gaps["imbalance_mean"].null_count() == gaps["taker_flow"].null_count() == gaps.height
    good = rows.filter(pl.col("gap") == "")
    assert good.height > 3
    assert good["imbalance_mean"].null_count() == good["taker_flow"][1:].null_count() == 0  # the first may open before any trade


def test_a_bar_is_written_within_the_lag(tmp_path: Path) -> None:
    """Each is in the series before the time at which it counts as known; one that a dead recorder left is known when it came."""
    desk, seen = Desk(tmp_path, MIDNIGHT_MS + 10_000), dict[int, int]()
    late_ms = 0

    def look() -> None:
        if desk.follower.series.exists():
            for ts in desk.rows()["ts"].dt.epoch("ms"):
                seen.setdefault(ts, desk.now_ms)

    maker = Maker(52)
    desk.take(push_of(maker.snapshot()))
    for n in range(1, 2_000):
        desk.now_ms += STEP_MS
        desk.take(push_of(maker.delta()))
        if n == 1_300:  # killed, and 190 s later there again
            desk.recorder.flush(desk.now_ms * MS_NS, force=True)
            desk.now_ms += 190_000
            desk.killed()
            late_ms = desk.now_ms
            desk.take(push_of(maker.snapshot()))
        if n % 5 == 0:
            desk.second()
            look()
    rows = same(desk)
    known = dict(zip(rows["ts"].dt.epoch("ms"), rows["available_ms"], strict=True))
    assert all(seen[ts] <= known[ts] for ts in known)
    late = [ts for ts, ms in known.items() if ms != ts + BAR_MS + LAG_MS]
    assert late
    assert all(ts + BAR_MS < late_ms <= known[ts] for ts in late)
    assert (rows["published_ms"] - rows["ts"].dt.epoch("ms") == BAR_MS + LAG_MS).all()


@pytest.mark.slow
def test_a_day_without_a_recording_leaves_no_rows(tmp_path: Path) -> None:
    """A recorder that was off for a month: nothing is said of the days between, and the next bars are there."""
    desk = Desk(tmp_path, MIDNIGHT_MS)
    play(desk, Random(1), 1_000)
    desk.recorder.flush(desk.now_ms * MS_NS, force=True)
    desk.follower.catch_up()
    before = desk.rows().height
    desk.now_ms += 30 * DAY_MS
    desk.killed()
    play(desk, Random(2), 1_000)
    rows = same(desk)
    assert 0 < rows.height - before < 5


def test_what_cannot_be_written_waits(tmp_path: Path) -> None:
    """A series that another process writes, or a disk that refuses: named, and written later; nothing is lost."""
    desk = Desk(tmp_path, MIDNIGHT_MS)
    series = desk.follower.series
    with alone_in(series.parent, f".{series.name}.lock", "another writes"):
        play(desk, Random(3), 1_000)
        assert desk.follower.broken == (
            "bars wait: okx_ETH-USDT_perp_book_1m.parquet is being written by another process - wait until it ends"
        )
        assert not series.exists()
    desk.second()
    assert desk.follower.broken == ""
    assert same(desk).height >= 2


def test_a_damaged_part_ends_the_bars_of_its_day_and_not_the_recording(tmp_path: Path) -> None:
    """It is named; recording goes on, and so do the bars of the next day."""
    desk = Desk(tmp_path, MIDNIGHT_MS + DAY_MS - 400_000)
    play(desk, Random(4), 1_500)
    tape = next((tmp_path / "level2").rglob("*_l2.parquet"))
    (tape / "part-000000099998-000000099999.parquet").write_bytes(b"PAR1 no parquet")
    desk.second()
    assert "no bars any more of okx_ETH-USDT_perp_20240727_l2.parquet" in desk.follower.broken
    parts = desk.recorder.size().parts
    desk.now_ms = MIDNIGHT_MS + DAY_MS + 1_000
    play(desk, Random(5), 1_000)
    assert desk.recorder.size().parts > parts
    assert desk.follower.broken == ""
    assert int(desk.rows()["ts"].dt.epoch("ms").max()) >= MIDNIGHT_MS + DAY_MS + BAR_MS  # type: ignore[arg-type]


@pytest.mark.slow
def test_rows_that_are_there_stay(tmp_path: Path) -> None:
    """Made again of the finished tapes, the series has what is new alone, and when a row was known stays."""
    desk = Desk(tmp_path, MIDNIGHT_MS)
    play(desk, Random(6), 1_500)
    desk.now_ms += 100_000
    desk.recorder.flush(desk.now_ms * MS_NS, force=True)
    rows, path = desk.rows(), desk.follower.series
    missing = rows.filter(pl.col("ts") != rows["ts"][1])
    missing.write_parquet(path)
    digest_beside(path).unlink()
    assert add_rows(path, whole(tmp_path)) == 1
    assert desk.rows().drop("available_ms").equals(rows.drop("available_ms"))


@pytest.mark.slow
def test_a_missing_bar_is_missing_to_its_reader(tmp_path: Path) -> None:
    """Through the catalog and the one join, with an age of one bar: nothing is carried over a gap."""
    desk = Desk(tmp_path, MIDNIGHT_MS)
    play(desk, Random(7), 3_000, kills=3)
    rows = desk.rows()
    catalog = Catalog([(tmp_path / "data", "recorded")])
    declared = OutsideSeries("book_1m", "imbalance_mean", max_age_hours=0.02, of="ETH-USDT")
    known = observations(catalog, declared, catalog.find("okx", "ETH-USDT", "book_1m"))
    closes = rows["ts"].dt.epoch("ms").to_numpy() + 2 * BAR_MS
    values, _ = asof(known, closes)
    assert [v == v for v in values] == [gap == "" for gap in rows["gap"]]  # noqa: PLR0124 - NaN is not itself


@pytest.mark.parametrize("timeframe", ["7s", "", "1M"])
def test_a_timeframe_that_is_none_is_refused(tmp_path: Path, timeframe: str) -> None:
    """One line."""
    with pytest.raises(BadInput, match="unknown timeframe"):
        series_of(tmp_path, Path("okx_ETH-USDT_perp_1_l2.parquet"), timeframe)

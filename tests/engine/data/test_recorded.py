"""Recorded days as parquet: rows come back as they came, a day is read without the others, a kill costs and doubles nothing."""

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine.clock import DAY_MS, utc_day
from engine.data import recorded as module
from engine.data.recorded import instrument_in, pack, packed_files, recorded, scan
from engine.data.recording import Recording, path_of
from engine.errors import DataError
from tests.fakes.exchange.stage import HandClock

START = 1_704_067_200_000  # 2024-01-01
HOUR = 3_600_000
BODIES: tuple[Any, ...] = (
    ["okx:BTC-USDT:perp@15m", START, [1.0, 2.0, 0.5, 1.5, 9.0], "closed"],
    {"arg": {"channel": "candle15m", "instId": "ETH-USDT-SWAP"}, "data": [["1", "2"]]},
    {"url": "https://www.okx.com/api/v5/market/candles?instId=BTC-USDT-SWAP&bar=1m", "status": 200, "body": '{"data":[]}'},
    {"event": "pong", "text": "a \n b \u20ac"},
)


def filled(folder: Path, days: int, bodies: tuple[Any, ...] = BODIES, venue: str = "okx") -> int:
    """Rows of so many days, some hours apart, written as a recorder does; the time after them."""
    clock = HandClock(START)
    recording = Recording(folder, venue, clock)
    for _ in range(days * 4):
        for body in bodies:
            recording.keep("ws", body)
            clock.step(1)
        recording.flush(force=True)
        clock.step(6 * HOUR - len(bodies))
    return clock()


def test_packed_rows_come_back_as_they_came(tmp_path: Path) -> None:
    """In their order across instruments, the span cut by its times; the day that goes on stays as it is."""
    end = filled(tmp_path, 3)
    before = list(recorded(tmp_path, "okx"))
    assert pack(tmp_path, "okx", end - HOUR) == ["2024-01-01", "2024-01-02"]
    assert list(recorded(tmp_path, "okx")) == before
    assert sorted(path.name for path in (tmp_path / "okx").iterdir()) == ["2024-01-03"]
    at, to = START + 6 * HOUR + 1, START + DAY_MS + 1
    assert list(recorded(tmp_path, "okx", at, to)) == [row for row in before if at <= row.t_ms < to]
    assert len([row for row in before if at <= row.t_ms < to]) == 12
    assert pack(tmp_path, "okx", end + HOUR) == ["2024-01-03"]
    assert list(recorded(tmp_path, "okx")) == before


def test_a_day_out_of_many_is_read_without_opening_the_others(tmp_path: Path) -> None:
    """Every other file is no parquet any more: whatever opened one would fail. One instrument alone, too."""
    days, end = 40, filled(tmp_path, 40)
    pack(tmp_path, "okx", end + HOUR)
    day = START + 25 * DAY_MS
    wanted = set(packed_files(tmp_path, "okx", (), day, day + DAY_MS))
    everything = set(tmp_path.rglob("*.parquet"))
    assert (len(wanted), len(everything)) == (3, 3 * days)
    for path in everything - wanted:
        path.write_bytes(b"not parquet")
    assert scan(tmp_path, "okx", (), day, day + DAY_MS).collect().height == 16
    assert [row.t_ms - day for row in recorded(tmp_path, "okx", day, day + 2)] == [0, 1]
    lazily = scan(tmp_path).filter(pl.col("day") == utc_day(day), pl.col("instrument") == "ETH-USDT")
    assert lazily.select("t", "body").collect().height == 4
    for path in wanted:
        if "BTC-USDT" not in path.as_posix():
            path.write_bytes(b"not parquet")
    assert scan(tmp_path, "okx", ["BTC-USDT"], day, day + DAY_MS).collect().height == 8
    with pytest.raises(pl.exceptions.PolarsError):
        scan(tmp_path, "okx", (), day, day + DAY_MS).collect()


def test_columns_and_times_are_pushed_into_the_scan(tmp_path: Path) -> None:
    """What is not asked for is not read: the plan has the projection and the filter in the parquet scan itself."""
    pack(tmp_path, "okx", filled(tmp_path, 1) + HOUR)
    plan = scan(tmp_path, "okx", (), START, START + HOUR).select("t").explain()
    assert "PROJECT 1/" in plan
    assert "FILTER" not in plan.partition("Parquet SCAN")[0]
    assert "SELECTION" in plan


@pytest.mark.parametrize("step", ["draft", "name", "away", "gone"])
def test_a_kill_in_a_pack_costs_and_doubles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Wherever it ends: the rows are those that were there, and the next pack makes the same files."""
    end = filled(tmp_path, 1)
    before = list(recorded(tmp_path, "okx"))

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        if step == "draft":
            patched.setattr(module, "_synced", killed)
        elif step == "name":
            names = iter(range(10))
            whole = Path.replace
            patched.setattr(Path, "replace", lambda path, to: whole(path, to) if next(names) < 2 else killed())
        else:
            patched.setattr(*((Path, "rename") if step == "away" else (module.shutil, "rmtree")), killed)
        with pytest.raises(KeyboardInterrupt):
            pack(tmp_path, "okx", end + HOUR)
    assert list(recorded(tmp_path, "okx")) == before
    pack(tmp_path, "okx", end + HOUR)
    assert list(recorded(tmp_path, "okx")) == before
    assert len(list(tmp_path.rglob("*.parquet"))) == 3
    assert not list(tmp_path.rglob("*.part"))
    assert not list((tmp_path / "okx").iterdir())


def test_rows_that_come_late_for_a_packed_day_are_beside_the_others(tmp_path: Path) -> None:
    """A clock that was set back: the next pack of that day replaces nothing."""
    end = filled(tmp_path, 1)
    pack(tmp_path, "okx", end + HOUR)
    filled(tmp_path, 1, ("late",))
    assert len(list(recorded(tmp_path, "okx"))) == 20
    pack(tmp_path, "okx", end + HOUR)
    assert len(list(recorded(tmp_path, "okx"))) == 20
    assert sum(row.body == "late" for row in recorded(tmp_path, "okx")) == 4


def test_a_day_with_a_damaged_line_stays_as_it_is(tmp_path: Path) -> None:
    """It is named; nothing of it is packed and nothing removed."""
    end = filled(tmp_path, 1)
    path = path_of(tmp_path / "okx", START + 6 * HOUR)
    good = path.read_bytes()
    path.write_bytes(good + gzip.compress(b'{"t":1}\n'))
    with pytest.raises(DataError, match=r"06\.jsonl\.gz line 5 is not a row"):
        pack(tmp_path, "okx", end + HOUR)
    assert not list(tmp_path.rglob("*.parquet"))
    path.write_bytes(good)
    assert len(list(recorded(tmp_path, "okx"))) == 16


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (["okx:BTC-USDT:perp", START, 0.0001], "BTC-USDT"),
        ({"topic": "kline.15.ETHUSDT", "data": [{"close": "1"}]}, "ETH-USDT"),
        ({"e": "kline", "s": "SOLUSDC", "k": {"s": "SOLUSDC"}}, "SOL-USDC"),
        ({"url": "https://x/fapi/v1/klines?interval=1m&symbol=BTCUSDT", "body": "[]"}, "BTC-USDT"),
        ({"data": [{"instId": "BTC-USDT-SWAP"}, {"instId": "ETH-USDT-SWAP"}]}, "none"),
        ({"url": "https://x/fapi/v1/time", "body": '{"serverTime":1}'}, "none"),
    ],
)
def test_the_instrument_of_a_row(body: Any, name: str) -> None:
    """Ours, and as each venue spells it; a row on several or on none is of none."""
    assert instrument_in(json.dumps(body, separators=(",", ":")).encode()) == name

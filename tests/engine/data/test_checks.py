"""Dirt detectors for one file: each kind of dirt is found in its rows, and what markets really do is only a warning."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.checks import DataIssue, check, check_funding, check_series, errors, refusals
from engine.data.files import read_any
from engine.data.funding_checks import against_hours
from engine.data.gaps import regular_gaps
from engine.data.synthetic import synthetic

STEP = 900_000
START = 1_735_689_600_000
ROWS = 3000
CLEAN = synthetic(["BTC-USDT"], STEP, START, ROWS, 11)[0]["BTC-USDT"]


def rows_of(found: list[DataIssue], rule: str, severity: str = "error") -> list[int]:
    """Rows of every finding of a rule, in order."""
    return sorted(r for f in found if f.rule == rule and f.severity == severity for r in f.rows)


def edited(row: int, **values: float) -> pl.DataFrame:
    """The clean file with some cells of one row changed; high and low keep the bar whole unless they are named."""
    cells = {n: CLEAN[n].to_list() for n in CLEAN.columns}
    for name, value in values.items():
        cells[name][row] = value
    for r in (row,):
        if "high" not in values:
            cells["high"][r] = max(cells[n][r] for n in ("open", "high", "close"))
        if "low" not in values:
            cells["low"][r] = min(cells[n][r] for n in ("open", "low", "close"))
    return pl.DataFrame(cells)


def test_a_clean_file_has_no_finding() -> None:
    """The synthetic market behaves, so nothing is said."""
    assert [f for f in check(CLEAN, STEP) if f.rule not in ("crash", "wick")] == []


def test_an_empty_file_is_an_error() -> None:
    """Nothing is not clean."""
    assert check(CLEAN.head(0), STEP)[0].rule == "empty"
    assert check_funding(pl.DataFrame({"ts": [], "rate": []}))[0].severity == "error"


@pytest.mark.parametrize(
    ("dirty", "rule", "rows"),
    [
        (lambda f: pl.concat([f[:50], f[60:], f[50:60]]), "unsorted", [2990]),
        (lambda f: f.reverse(), "unsorted", list(range(1, ROWS))),
        (lambda f: pl.concat([f[:101], f[100:]]), "duplicate", [101]),
        (lambda f: pl.concat([f[:2991], f[2991:].with_columns(ts=pl.col("ts") + 7000)]), "shifted", list(range(2991, ROWS))),
        (lambda f: f.with_columns(ts=pl.col("ts") + 60_000), "shifted", list(range(ROWS))),
    ],
)  # fmt: skip
def test_time_that_is_not_a_clock_is_an_error_with_its_rows(
    dirty: Callable[[pl.DataFrame], pl.DataFrame], rule: str, rows: list[int]
) -> None:
    """Unsorted, doubled and shifted stamps."""
    assert rows_of(check(dirty(CLEAN), STEP), rule) == rows


@pytest.mark.parametrize(
    ("cells", "rule"),
    [
        ({"close": float("nan")}, "nan"),
        ({"open": float("inf"), "high": float("inf")}, "nan"),
        ({"volume": float("nan")}, "nan"),
        ({"low": 0.0}, "price"),
        ({"open": -5.0, "low": -5.0}, "price"),
        ({"high": 1.0}, "range"),
        ({"close": 1e6, "high": 9e5}, "range"),
        ({"open": 10.0, "low": 20.0}, "range"),
        ({"volume": -1.0}, "volume"),
        ({"volume": 0.0}, "volume"),
    ],
)
def test_impossible_numbers_are_errors_in_their_row(cells: dict[str, float], rule: str) -> None:
    """NaN, infinite, zero and negative prices; high below low; open or close outside; movement without volume."""
    assert 1234 in rows_of(check(edited(1234, **cells), STEP), rule)


def test_a_null_cell_is_found() -> None:
    """An empty cell is not a number either."""
    frame = CLEAN.with_columns(close=pl.when(pl.col("ts") == CLEAN["ts"][5]).then(None).otherwise(pl.col("close")))
    assert rows_of(check(frame, STEP), "nan") == [5]


@pytest.mark.parametrize("factor", [0.5, 0.93, 1.06, 1.2, 10.0])
@pytest.mark.parametrize("column", ["open", "close", "all"])
def test_a_bad_tick_is_an_error(column: str, factor: float) -> None:
    """A price that leaves and comes back between two trades, small or with a shifted decimal point."""
    names = ("open", "high", "low", "close") if column == "all" else (column,)
    frame = edited(1500, **{n: CLEAN[n][1500] * factor for n in names})
    assert 1500 in rows_of(check(frame, STEP), "spike")


@pytest.mark.parametrize(("column", "factor"), [("high", 1.15), ("low", 0.85), ("low", 0.4)])
def test_a_wick_that_nobody_traded_is_an_error(column: str, factor: float) -> None:
    """The extreme is far out and the volume is what it always is."""
    usual = float(CLEAN["volume"].median())  # type: ignore[arg-type]  # a number
    frame = edited(1500, **{column: CLEAN[column][1500] * factor, "volume": usual})
    assert rows_of(check(frame, STEP), "spike") == [1500]


def test_a_crash_is_a_warning() -> None:
    """The same wick with twenty times the volume is a flash crash; a fall that goes on trading is one too."""
    usual = float(CLEAN["volume"].median())  # type: ignore[arg-type]  # a number
    found = check(edited(1500, low=CLEAN["low"][1500] * 0.85, volume=usual * 20), STEP)
    assert (errors(found), rows_of(found, "wick", "warning")) == ([], [1500])
    factor = pl.when(pl.col("ts") > CLEAN["ts"][1500]).then(0.8).otherwise(1.0)
    fallen = CLEAN.with_columns(pl.col(n) * factor for n in ("open", "high", "low", "close"))
    fallen = fallen.with_columns(
        close=pl.when(pl.col("ts") == CLEAN["ts"][1500]).then(pl.col("close") * 0.8).otherwise(pl.col("close"))
    ).with_columns(low=pl.min_horizontal("low", "close"))
    found = check(fallen, STEP)
    assert (errors(found), 1500 in rows_of(found, "crash", "warning")) == ([], True)


def test_a_lasting_jump_between_two_bars_is_a_warning() -> None:
    """A level that shifts and stays: perhaps another market's bars; not undone, so not a bad tick."""
    factor = pl.when(pl.col("ts") > CLEAN["ts"][1500]).then(1.1).otherwise(1.0)
    found = check(CLEAN.with_columns(pl.col(n) * factor for n in ("open", "high", "low", "close")), STEP)
    assert rows_of(found, "jump", "warning") == [1501]


def test_a_price_that_doubles_between_two_bars_is_an_error() -> None:
    """Another coin, another unit: no market does that between two trades."""
    factor = pl.when(pl.col("ts") > CLEAN["ts"][1500]).then(100.0).otherwise(1.0)
    found = check(CLEAN.with_columns(pl.col(n) * factor for n in ("open", "high", "low", "close")), STEP)
    assert rows_of(found, "jump") == [1501]


def test_swapped_open_and_close_are_an_error() -> None:
    """No bar then opens where the one before it closed."""
    assert rows_of(check(CLEAN.rename({"open": "close", "close": "open"}), STEP), "joint") == [0]


def test_a_spliced_market_with_another_tick_is_an_error() -> None:
    """The price breaks a little and the grid of prices changes at the same bar: two files joined."""
    mask = pl.col("ts") >= CLEAN["ts"][2500]
    spot = [pl.when(mask).then((pl.col(n) * 1.0006 + 0.03).round(2)).otherwise(pl.col(n)) for n in CLEAN.columns[1:5]]
    assert rows_of(check(CLEAN.with_columns(spot), STEP), "splice") == [2500]


def test_a_new_tick_alone_is_a_warning() -> None:
    """Venues change their ticks; nothing breaks when they do."""
    coarse = [
        pl.when(pl.col("ts") >= CLEAN["ts"][2500]).then(pl.col(n).round(0)).otherwise(pl.col(n)) for n in CLEAN.columns[1:5]
    ]
    found = check(CLEAN.with_columns(coarse), STEP)
    assert errors(found) == []
    assert rows_of(found, "tick", "warning") == [2500]


def test_a_short_outage_is_a_warning_and_a_long_hole_an_error() -> None:
    """An hour missing is the venue's; a month missing is ours."""
    hour = pl.concat([CLEAN[:1000], CLEAN[1004:]])
    found = check(hour, STEP)
    assert (errors(found), rows_of(found, "gap", "warning")) == ([], [1000])
    week = pl.concat([CLEAN[:1000], CLEAN[1700:]])
    assert rows_of(check(week, STEP), "gap") == [1000]
    assert refusals(week, STEP) == []  # missing bars are missing: nothing trades there


@pytest.mark.parametrize("stride", [3, 17, 100, 499, 999])
def test_gaps_at_a_regular_stride_are_an_error_however_short(stride: int) -> None:
    """A pager that loses one bar a page, whatever its page."""
    frame = CLEAN.with_row_index("i").filter(pl.col("i") % (stride + 1) != stride).drop("i")
    assert rows_of(check(frame, STEP), "stride")
    assert refusals(frame, STEP)


def test_chunks_on_the_clock_are_a_stride_too() -> None:
    """The first 100 of every 500 bars: regular on the clock."""
    frame = CLEAN.with_row_index("i").filter(pl.col("i") % 500 < 100).drop("i")
    assert rows_of(check(frame, STEP), "stride")


def test_a_pager_hides_among_real_outages() -> None:
    """Irregular outages beside the stride do not excuse it."""
    lost = {*range(400, ROWS, 400), 37, 911, 912, 1333, 2750}
    frame = CLEAN.with_row_index("i").filter(~pl.col("i").is_in(list(lost))).drop("i")
    assert rows_of(check(frame, STEP), "stride")


@settings(max_examples=60)
@given(st.sets(st.integers(1, 40_000), min_size=1, max_size=12))
def test_random_outages_are_hardly_ever_called_regular(places: set[int]) -> None:
    """Gaps at random places have no stride, unless two distances happen to be the same, or a bar apart: a stride may drift."""
    at = np.array(sorted(places))
    apart = np.diff(np.concatenate([[0], at]))
    if apart.size < 2 or np.diff(np.sort(apart)).min() > 1:
        assert regular_gaps(at, at) == ""


def test_zero_volume_is_a_warning_for_minutes_and_an_error_for_days() -> None:
    """An outage kept as flat bars, and a dead feed."""

    def dead(a: int, b: int) -> pl.DataFrame:
        price = CLEAN["close"][a - 1]
        mask = (pl.col("ts") >= CLEAN["ts"][a]) & (pl.col("ts") < CLEAN["ts"][b])
        flat = {n: pl.when(mask).then(price).otherwise(pl.col(n)) for n in CLEAN.columns[1:5]}
        return CLEAN.with_columns(**flat, volume=pl.when(mask).then(0.0).otherwise(pl.col("volume")))

    assert rows_of(check(dead(700, 710), STEP), "zero-volume", "warning") == [700]
    assert rows_of(check(dead(700, 900), STEP), "zero-volume") == [700]


def test_a_feed_that_repeats_its_last_bar_is_an_error() -> None:
    """The same bar, volume and all, again and again."""
    row = CLEAN[1000].drop("ts")
    stuck = pl.concat([row] * 6).with_columns(ts=CLEAN["ts"][1001:1007]).select(CLEAN.columns)
    assert rows_of(check(pl.concat([CLEAN[:1001], stuck, CLEAN[1007:]]), STEP), "stale") == list(range(1001, 1007))


def test_a_bar_that_has_not_closed_is_an_error_and_one_that_looks_so_a_warning() -> None:
    """By the clock where it is given, else by its volume."""
    now = CLEAN["ts"][-1] + STEP // 2
    assert rows_of(check(CLEAN, STEP, now), "unfinished") == [ROWS - 1]
    thin = edited(ROWS - 1, volume=1e-3)
    assert rows_of(check(thin, STEP), "unfinished", "warning") == [ROWS - 1]


def test_volume_in_quote_units_is_an_error() -> None:
    """Volume times price must not exceed what the whole market trades."""
    found = check(CLEAN.with_columns(volume=pl.col("volume") * pl.col("close")), STEP)
    assert rows_of(found, "unit") == [0]


def test_marks_without_volume_are_checked_as_far_as_they_go() -> None:
    """No volume column, no volume rules, and no exception."""
    assert errors(check(CLEAN.drop("volume"), STEP)) == []


def test_rows_are_rows_of_the_file_also_when_it_is_unsorted() -> None:
    """The numbers can be looked up in the file as it is."""
    frame = pl.concat([edited(1500, close=1.0, low=1.0)[1000:2000], CLEAN[:1000], CLEAN[2000:]])
    assert 500 in rows_of(check(frame, STEP), "spike")


def test_a_generic_series_is_checked_for_time_and_empty_values() -> None:
    """Open interest, ratios: no bars, but a clock."""
    frame = pl.DataFrame({"ts": [START, START + STEP, START + STEP], "oi": [1.0, None, 3.0]})
    found = check_series(frame, STEP)
    assert (rows_of(found, "duplicate"), rows_of(found, "nan")) == ([2], [1])


def test_funding_doubles_holes_and_percent_are_told() -> None:
    """Equal doubles are a warning (D4 collapses them), unequal ones and holes are errors, and so is 5 for 0.05."""
    hours = [0, 8, 16, 16, 24, 40, 48, 56]
    frame = pl.DataFrame({"ts": [START + h * 3_600_000 for h in hours], "rate": [1e-4] * 8})
    found = check_funding(frame)
    assert (rows_of(found, "duplicate", "warning"), rows_of(found, "gap")) == ([3], [5])
    twice = frame.with_columns(rate=pl.Series([1e-4, 1e-4, 1e-4, 2e-4, 1e-4, 1e-4, 1e-4, 0.3]))
    found = check_funding(twice)
    assert (rows_of(found, "duplicate"), rows_of(found, "range")) == ([3], [7])


DIRTY_ALONE = {
    "binance_BTC-USDT_1h_6500-missing": "stride",
    "binance_BTC-USDT_perp_5m_spot-splice": "splice",
    "bybit-testnet_BTC-USDT_perp_1m": "stride",
    "bybit_BTC-USDT_15m_pager-off-by-one": "stride",
    "bybit_NEAR-USDT_perp_1m_chunked-holes": "stride",
    "coinbase_BTC-USD_spot_1h_raw": "unsorted",
    "okx_SOL-USDT_perp_15m_revisions": "duplicate",
}
# Files that are no dirt of the folder but have one named oddity that makes them unusable as they are.
ODD = {"binance_SOL-USDT_perp_1h": "gap", "binance_BNB-USDT_perp_1h": "gap", "ftx_BTC-USD_perp_1m": "unit"}
LATER = ("frozen-partbars", "volume-in-contracts")  # need a second source: test_against.py


def judged(path: Path) -> set[str]:
    """The rules of the errors of a recorded file."""
    raw = read_any(path)
    return {f.rule for f in errors(check(raw.frame, raw.timeframe_ms))}


@pytest.mark.parametrize(("name", "rule"), DIRTY_ALONE.items())
def test_recorded_dirt_is_an_error(market_data: Path, name: str, rule: str) -> None:
    """Each file of real dirt that can be told by itself is told, for the right reason."""
    (path,) = (market_data / "dirty").glob(f"{name}.*")
    assert rule in judged(path)


def test_recorded_odd_files_are_errors_by_their_oddity(market_data: Path) -> None:
    """A hole of 26 days; volume in US dollars."""
    assert {n: judged(market_data / "ohlcv" / f"{n}.parquet") for n in ODD} == {n: {r} for n, r in ODD.items()}


SAMPLE = [
    "binance_BTC-USDT_perp_15m",
    "okx_SOL-USDT_perp_5m_2022",
    "bybit_SOL-USDT_perp_15m",
    "binance_XRP-USDT_perp_5m",
    "binance_ETH-USDT_perp_1h",
    "okx_SOL-USDT_perp_1m",
    "binance_BTC-USDT_spot_1h",
]


@pytest.mark.parametrize("name", SAMPLE)
def test_recorded_clean_files_have_no_error(market_data: Path, name: str) -> None:
    """LUNA, FTX, 2025-10-10, March 2020, the first days of a listing, outages: warnings, all of them."""
    assert judged(market_data / "ohlcv" / f"{name}.parquet") == set()


def test_the_great_crash_is_seen_and_is_a_warning(market_data: Path) -> None:
    """2025-10-10 21:15 on XRP: 65 % down and back within a bar, heavily traded."""
    frame = read_any(market_data / "ohlcv" / "binance_XRP-USDT_perp_15m.parquet").frame
    wicks = rows_of(check(frame, STEP), "wick", "warning")
    assert 1_760_130_900_000 in frame["ts"].gather(wicks).to_list()


@pytest.mark.long
def test_every_recorded_file_is_judged_as_it_is(market_data: Path) -> None:
    """The whole sweep: clean ones have no error, odd ones theirs."""
    wrong = {}
    for path in [*sorted((market_data / "ohlcv").iterdir()), *sorted((market_data / "mark").iterdir())]:
        expected = {ODD[path.stem]} if path.stem in ODD else set()
        if judged(path) != expected:
            wrong[path.name] = judged(path)
    assert wrong == {}


HOUR = 3_600_000
EIGHT = np.arange(30, dtype=np.int64) * 8 * HOUR


@pytest.mark.parametrize(
    ("ts", "hours", "words"),
    [
        (EIGHT, 8, ""),
        (np.delete(EIGHT, [7, 8, 9]), 8, ""),  # a hole is another finding's
        (EIGHT, 4, "settlements are 8 h apart at 29 of 29 steps, first after 1970-01-01 00:00Z"),
        (np.concatenate([EIGHT, EIGHT[-1] + EIGHT[1:5] // 2]), 8, "settlements are 4 h apart at 4 of 33 steps"),
        (EIGHT + 2 * HOUR, 8, "30 of 30 settlements are not at a multiple of 8 h, the first 1970-01-01 02:00Z"),
        (EIGHT[:1], 8, ""),
    ],
)
def test_funding_hours_are_held_against_the_files_own_spacing(ts: np.ndarray, hours: int, words: str) -> None:
    """Eight hours believed where the venue settles every four: the windows around settlements would miss half."""
    found = against_hours(ts, hours)
    assert found.startswith(words)
    assert bool(found) is bool(words)

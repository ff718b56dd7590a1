"""Which column holds the times: epochs before dates without a zone, and never a guess of day, month or zone."""

from pathlib import Path

import polars as pl
import pytest

from engine.errors import DataError
from tests.fakes.made_files import BARS, HOUR, OHLCV, START, STEP, TIME, clocked, csv, read, same_bars


def test_an_epoch_beats_a_date_without_zone_and_the_note_says_by_how_much(tmp_path: Path) -> None:
    """A local date beside an epoch is local time, whichever comes first."""
    local = TIME.dt.offset_by("-5h").dt.to_string("%Y-%m-%d %H:%M:%S")
    for name in ("unix", "unix_timestamp"):
        for times in ({"date": local, name: pl.col("ts")}, {name: pl.col("ts"), "date": local}):
            raw = read(clocked(tmp_path / "x.csv", **times))
            assert same_bars(raw)
            assert f"date has no time zone and is 5 hours behind {name}: local time, left out" in raw.notes


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ((pl.col("ts") + HOUR), "timestamp and ts disagree by 1 hour"),
        ((TIME + pl.duration(hours=3)).dt.to_string("%Y-%m-%dT%H:%M:%SZ"), "timestamp and ts disagree by 3 hours"),
        ((TIME + pl.duration(days=3)).dt.to_string("%Y-%m-%d %H:%M:%S"), "timestamp and ts disagree by 72 hours"),
        ((TIME + pl.duration(minutes=7)).dt.to_string("%Y-%m-%d %H:%M:%S"), "timestamp and ts disagree by 0.116667 hours"),
    ],
)
def test_two_clocks_that_disagree_refuse_and_say_by_how_much(tmp_path: Path, other: pl.Expr, said: str) -> None:
    """Two epochs, an epoch and a zoned text, or a text that is off by what no time zone is."""
    with pytest.raises(DataError, match=said):
        read(clocked(tmp_path / "x.csv", ts=pl.col("ts"), timestamp=other))


def test_ambiguous_dates_are_refused_until_someone_says_the_order(tmp_path: Path) -> None:
    """3 April or 4 March: --dates decides; a day above 12 proves the order, and contradicts the wrong option."""
    april = BARS[:96].with_columns(ts=pl.col("ts") + (31 + 28 + 31 + 2) * 24 * HOUR)
    day_first = TIME.dt.to_string("%d/%m/%Y %H:%M")
    path = csv(tmp_path / "x.csv", april.select(date=day_first, **{n: pl.col(n) for n in OHLCV}))
    with pytest.raises(DataError, match=r"may be day/month or month/day \('03/04/2025 00:00'\) - add --dates dmy or --dates mdy"):
        read(path)
    assert same_bars(read(path, dates="dmy"), april)
    assert read(path, dates="mdy").frame["ts"][0] == START + (31 + 28 + 3) * 24 * HOUR
    late = BARS[:96].with_columns(ts=pl.col("ts") + 20 * 24 * HOUR)
    for form, order, wrong in (("%d/%m/%Y %H:%M", "day/month/year", "mdy"), ("%m/%d/%Y %I:%M %p", "month/day/year", "dmy")):
        path = csv(tmp_path / "y.csv", late.select(date=TIME.dt.to_string(form), **{n: pl.col(n) for n in OHLCV}))
        raw = read(path)
        assert same_bars(raw, late)
        assert f"dates in date are read as {order}" in raw.notes
        with pytest.raises(DataError, match=f"is not a {wrong} date"):
            read(path, dates=wrong)


@pytest.mark.parametrize(
    ("first", "skipped", "kind"),
    [
        ("2025-03-28", "2025-03-30 02:00", "summer"),
        ("2025-03-07", "2025-03-09 02:00", "summer"),
        ("2025-10-24", "2025-10-26 02:00", "winter"),
    ],
)
def test_local_time_over_a_clock_change_is_refused(tmp_path: Path, first: str, skipped: str, kind: str) -> None:
    """One hour missing or twice at a known switch in a file without zone, in Europe and in the USA; the same in UTC is read."""
    start = pl.Series([first]).str.to_datetime(time_unit="ms").dt.epoch("ms")[0]
    switch = pl.Series([skipped]).str.to_datetime(time_unit="ms").dt.epoch("ms")[0]
    shift = HOUR if kind == "summer" else -HOUR
    edge = switch if kind == "summer" else switch + HOUR
    ts = start + STEP * pl.int_range(400, dtype=pl.Int64)
    local = ts + pl.when(ts >= edge).then(shift).otherwise(0)
    frame = BARS.select(time=local.cast(pl.Datetime("ms")).dt.to_string("%Y-%m-%d %H:%M"), **{n: pl.col(n) for n in OHLCV})
    with pytest.raises(DataError, match=f"{skipped}, the change to {kind} time: this is local time"):
        read(csv(tmp_path / "x.csv", frame))
    zoned = frame.with_columns(time=pl.col("time") + "Z")
    assert read(csv(tmp_path / "x.csv", zoned)).frame.height == 400


def test_a_zone_in_some_rows_only_is_refused_with_the_row(tmp_path: Path) -> None:
    """Two programs wrote it."""
    text = TIME.dt.to_string("%Y-%m-%d %H:%M:%S") + pl.when(pl.col("ts") == BARS["ts"][7]).then(pl.lit("")).otherwise(pl.lit("Z"))
    with pytest.raises(DataError, match="time has a time zone in some rows and none in row 7"):
        read(clocked(tmp_path / "x.csv", time=text))


def test_dates_with_names_of_months_and_blank_lines_at_the_end_are_read(tmp_path: Path) -> None:
    """A comma inside quotes is no column."""
    path = clocked(tmp_path / "x.csv", date=TIME.dt.to_string("%b %d, %Y %H:%M"))
    path.write_text(path.read_text() + "\n\n")
    assert same_bars(read(path))


def test_units_that_change_within_a_file_are_read_row_by_row_with_the_row(tmp_path: Path) -> None:
    """ms and us joined in one file: the note names the row where it changes."""
    mixed = pl.when(pl.col("ts") >= BARS["ts"][250]).then(pl.col("ts") * 1000).otherwise("ts")
    raw = read(clocked(tmp_path / "x.csv", open_time=mixed))
    assert same_bars(raw)
    assert "times in open_time change from epoch ms to us at row 250: read row by row as UTC" in raw.notes
    broken = pl.when(pl.col("ts") == BARS["ts"][250]).then(17).otherwise("ts")
    with pytest.raises(DataError, match=r"is not a time since 1970 \(row 250: 17\)"):
        read(clocked(tmp_path / "y.csv", open_time=broken))


def test_the_year_2038_is_a_year(tmp_path: Path) -> None:
    """Seconds beyond 2^31 are times; the same number wrapped into 32 bits is not."""
    later = BARS.with_columns(ts=pl.col("ts") + 5000 * 24 * HOUR)
    assert same_bars(read(csv(tmp_path / "x.csv", later.with_columns(ts=pl.col("ts") // 1000))), later)
    wrapped = later.with_columns(ts=pl.col("ts") // 1000 - 2**32)
    with pytest.raises(DataError, match="is not a time since 1970"):
        read(csv(tmp_path / "y.csv", wrapped))


def test_close_times_that_contradict_the_step_are_refused(tmp_path: Path) -> None:
    """Close minus open is the length of the bar."""
    with pytest.raises(DataError, match="close_time is 1h after the open, but the rows are 15m apart"):
        read(csv(tmp_path / "x.csv", BARS.with_columns(close_time=pl.col("ts") + HOUR - 1)))


def test_a_header_that_comes_again_is_left_out_with_its_row(tmp_path: Path) -> None:
    """Two files joined by `cat`."""
    text = BARS[:200].write_csv() + BARS[200:].write_csv()
    (tmp_path / "x.csv").write_text(text)
    raw = read(tmp_path / "x.csv")
    assert same_bars(raw)
    assert "the header comes again at row 200: 1 such row left out" in raw.notes

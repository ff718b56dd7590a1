"""Which column holds the open times, and what they are in UTC ms: epochs of any unit row by row, zoned text, dates without zone.

Called by data/files.py. An epoch or a zoned time beats one without a zone; two sure clocks that disagree refuse. Day and month
are never guessed, and a clock without a zone that changes to summer time is local time: refused.
"""

import re
from typing import NamedTuple

import numpy as np
import polars as pl

from engine.clock import DAY_MS, HOUR_MS, MINUTE_MS, timeframe_text, utc
from engine.data.dialects.columns import CLOSE_TIMES, OPEN_TIMES, shown
from engine.errors import DataError

UNITS = {"s": 1e9, "ms": 1e12, "us": 1e15, "ns": 1e18}  # the magnitude of an epoch of this century in each unit
PER_MS = {"s": 1e-3, "ms": 1, "us": 1000, "ns": 1_000_000}
CLOCK = (
    r"(?:[T ]+(\d{1,2})(?::(\d{2})(?::(\d{2})(?:[.,](\d+))?)?)?)?(?:[ -]?([AaPp][Mm]))?"
    r"\s*(Z|(?:UTC|GMT)?[+-]\d{2}(?::?\d{2})?|UTC|GMT)?$"
)
YEAR_FIRST = r"^(\d{4})[-./](\d{1,2})[-./](\d{1,2})" + CLOCK
YEAR_LAST = r"^(\d{1,2})[-./](\d{1,2})[-./](\d{4})" + CLOCK
MONTH_NAMES = ("%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d-%b-%Y", "%b %d, %Y %H:%M", "%d %b %Y %H:%M")
WORDS = {
    ("s", "sec", "secs", "second", "seconds"): 1000,
    ("m", "min", "mins", "minute", "minutes"): MINUTE_MS,
    ("h", "hour", "hours", "hrs"): HOUR_MS,
    ("d", "day", "days"): DAY_MS,
}
SLACK_MS = 1000  # two columns of one clock may be cut to different units
ZONE_MS = 14 * HOUR_MS  # the widest offset of a time zone


class Clock(NamedTuple):
    """One column read as times. `sure`: an epoch, or with a zone; `daily`: days without a time of day."""

    name: str
    ms: pl.Series
    sure: bool
    daily: bool
    notes: tuple[str, ...]


def open_times(table: pl.DataFrame, where: str, dates: str, notes: list[str]) -> pl.Series:
    """The open times as Int64 UTC ms. Raises DataError for no clock, two that disagree, ambiguous dates, and local time."""
    table = _joined_day_and_time(table)
    clocks: list[Clock] = []
    put_off: DataError | None = None
    for name in (n for n in OPEN_TIMES if n in table.columns):
        try:
            clock = _clock(table[name], name, where, dates)
        except DataError as error:  # fatal only when nothing surer is there
            put_off = put_off or error
            continue
        if clock is not None:
            clocks.append(clock)
    if not any(c.sure for c in clocks) and put_off is not None:
        raise put_off
    if not clocks:
        if any(n in table.columns for n in CLOSE_TIMES):
            raise DataError(f"{where} has times of closes only", "give the open times in a column ts (UTC ms)")
        raise DataError(f"{where} has no readable time column; its columns: {', '.join(table.columns)}", "name it ts (UTC ms)")
    chosen = next((c for c in clocks if c.sure), clocks[0])
    if (chosen.ms < 0).any():
        row = int((chosen.ms < 0).arg_true()[0])
        raise DataError(f"{where}: row {row} of column {chosen.name} is before 1970", "leave out the rows before")
    for other in clocks:
        if other is not chosen:
            notes += _compared(chosen, other, where)
    notes += chosen.notes
    if not chosen.sure and (text := local_switch(chosen.ms.to_numpy())):
        raise DataError(f"{where}: {chosen.name} has no time zone and {text}: this is local time", "export it in UTC")
    return chosen.ms.alias("ts")


def _joined_day_and_time(table: pl.DataFrame) -> pl.DataFrame:
    """A column of days and one of times of day become one column, as MetaTrader writes them."""
    if table.schema.get("date") == pl.Date and table.schema.get("time") == pl.Time:
        return table.with_columns(date=pl.col("date").dt.combine(pl.col("time"))).drop("time")
    if not {"date", "time"} <= set(table.columns) or table.schema["date"] != pl.String or table.schema["time"] != pl.String:
        return table
    if not table["time"].str.contains(r"^\s*\d{1,2}:\d{2}").all() or table["date"].str.contains(":").any():
        return table
    return table.with_columns(date=table["date"].str.strip_chars() + " " + table["time"].str.strip_chars()).drop("time")


def _clock(column: pl.Series, name: str, where: str, dates: str) -> Clock | None:
    """One column as times; None for a column that is not a time. Raises DataError with the first row that is not one."""
    if isinstance(column.dtype, pl.Datetime):
        ms = column.cast(pl.Datetime("ms", column.dtype.time_zone)).to_physical()
        return Clock(name, _all_times(ms, column, name, where), column.dtype.time_zone is not None, False, ())
    if column.dtype == pl.Date:
        return Clock(name, _all_times(column.cast(pl.Datetime("ms")).to_physical(), column, name, where), False, True, ())
    if column.dtype == pl.String:
        text = column.str.strip_chars()
        number = text.cast(pl.Float64, strict=False)
        if number.null_count() > text.null_count() + 0.5 * column.len():
            return _text_clock(text, name, where, dates)
        _all_times(number, text, name, where)
        whole = text.cast(pl.Int64, strict=False)
        column = whole if whole.null_count() == number.null_count() else number
    return _epochs(column, name, where) if column.dtype.is_numeric() else None


def _epochs(column: pl.Series, name: str, where: str) -> Clock:
    """Numbers as epochs, the unit of each row by its magnitude."""
    value = column.cast(pl.Float64)
    _all_times(value, column, name, where)
    size = value.to_numpy()
    unit = np.full(size.size, "", dtype="U2")
    for one, magnitude in UNITS.items():
        unit[(size >= magnitude * 0.9) & (size < magnitude * 4.2)] = one
    bad = np.flatnonzero(unit == "")
    if bad.size:
        row = int(bad[0])
        raise DataError(f"{where}: column {name} is not a time since 1970 (row {row}: {column[row]})", "give UTC milliseconds")
    units = sorted(set(unit.tolist()), key=list(UNITS).index)
    if column.dtype.is_integer():
        exact = column.cast(pl.Int64)
        ms = pl.select(_unit_case(pl.lit(exact), unit, integers=True)).to_series()
    else:
        ms = pl.select(_unit_case(pl.lit(value), unit, integers=False)).to_series()
    said = () if units == ["ms"] else (f"times in {name} are epoch {units[0]}, read as UTC",)
    if len(units) > 1:
        row = int(np.flatnonzero(unit[1:] != unit[:-1])[0]) + 1
        said = (f"times in {name} change from epoch {unit[row - 1]} to {unit[row]} at row {row}: read row by row as UTC",)
    return Clock(name, ms.cast(pl.Int64), True, False, said)


def _unit_case(value: pl.Expr, unit: np.ndarray, integers: bool) -> pl.Expr:
    """Each value in ms by its own unit."""
    units = pl.lit(pl.Series(unit))
    case: pl.Expr = value if integers else value.round()
    for one, per in PER_MS.items():
        if one == "ms" or one not in unit:
            continue
        exact = (value * 1000 if one == "s" else value // round(per)) if integers else (value / per).round()
        case = pl.when(units == one).then(exact).otherwise(case)
    return case


def _text_clock(text: pl.Series, name: str, where: str, dates: str) -> Clock:
    """Dates as text: with their zone, or read as UTC with a note."""
    filled = text.fill_null("")
    first = filled.str.extract_groups(YEAR_FIRST)
    fields = first.struct.unnest()
    order, said = "ymd", list[str]()
    if fields.to_series(0).null_count() > 0.5 * text.len():
        fields = filled.str.extract_groups(YEAR_LAST).struct.unnest()
        order = _day_order(fields, text, name, where, dates, said) if fields.to_series(0).null_count() <= 0.5 * text.len() else ""
    if not order:
        ms, zoned, daily = _month_names(text), False, True
    else:
        ms, zoned, daily = _from_fields(fields, order)
        zone = fields.to_series(8).is_not_null()
        if zone.any() and not zoned:
            row = int((~zone).arg_true()[0])
            raise DataError(f"{where}: {name} has a time zone in some rows and none in row {row}", "export it in UTC")
    ms = _all_times(ms, text, name, where)
    if not zoned and not name.endswith("utc") and name != "gmt_time":
        said.append(f"times in {name} have no time zone, read as UTC")
    if text[0] is not None and "." in str(text[0])[:8] and order == "ymd":
        said.append(
            "dates with dots are MetaTrader's, whose clock is its server's (Bybit's archive was seen at UTC+3): compare it"
        )
    return Clock(name, ms, zoned or name.endswith("utc") or name == "gmt_time", daily, tuple(said))


def _day_order(fields: pl.DataFrame, text: pl.Series, name: str, where: str, dates: str, notes: list[str]) -> str:
    """dmy or mdy, from --dates or from numbers above 12. Raises DataError when both are possible."""
    a, b = (fields.to_series(n).cast(pl.Int64) for n in (0, 1))
    proved = {order for order, day in (("dmy", a), ("mdy", b)) if (day > 12).any()}
    if len(proved) == 2:
        row = int(((b > 12) if a.drop_nulls().len() and (a[0] or 0) > 12 else (a > 12)).arg_true()[0])
        raise DataError(f"{where}: {name} mixes day/month and month/day (row {row}: {text[row]!r})", "write dates as 2025-04-03")
    if dates:
        if proved and proved != {dates}:
            row = int(((a if dates == "mdy" else b) > 12).arg_true()[0])
            raise DataError(f"{where}: {text[row]!r} in row {row} is not a {dates} date", f"use --dates {proved.pop()}")
        notes.append(f"dates in {name} are read as {dates}, as --dates says")
        return dates
    if not proved and "." in str(text.drop_nulls()[0]):
        proved = {"dmy"}  # with dots the day comes first wherever dots are used
    if not proved and not (a == b).all():
        what = f"{where}: dates in {name} may be day/month or month/day ({text[0]!r})"
        raise DataError(what, "add --dates dmy or --dates mdy")
    order = proved.pop() if proved else "dmy"
    notes.append(f"dates in {name} are read as {'day/month/year' if order == 'dmy' else 'month/day/year'}")
    return order


def _from_fields(fields: pl.DataFrame, order: str) -> tuple[pl.Series, bool, bool]:
    """(UTC ms, null where unreadable; all have a zone; none has a time of day) of the groups of a date pattern."""
    part = {letter: pl.col(fields.columns[n]) for n, letter in enumerate(order)}
    hour, minute, second, fraction, half, zone = (pl.col(n) for n in fields.columns[3:9])
    day = pl.concat_str(part["y"], part["m"].str.zfill(2), part["d"].str.zfill(2), separator="-")
    date = day.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("ms")).dt.epoch("ms")
    h = _unwritten_is_zero(hour)
    evening = half.str.to_lowercase() == "pm"
    h = pl.when(half.is_null()).then(h).otherwise(h % 12 + pl.when(evening).then(12).otherwise(0))
    m, s = _unwritten_is_zero(minute), _unwritten_is_zero(second)
    f = (("0." + fraction.fill_null("0")).cast(pl.Float64) * 1000).floor().cast(pl.Int64)
    offset = _unwritten_is_zero(zone.str.extract(r"([+-]\d{2})", 1))
    minutes = _unwritten_is_zero(zone.str.extract(r"[+-]\d{2}:?(\d{2})$", 1))
    negative = zone.str.contains("-").fill_null(value=False)
    shift = (offset * 60 + pl.when(negative).then(-minutes).otherwise(minutes)) * MINUTE_MS
    possible = (h < 24) & (m < 60) & (s < 60)
    out = fields.select(
        ms=pl.when(possible).then(date + h * HOUR_MS + m * MINUTE_MS + s * 1000 + f - shift),
        zoned=zone.is_not_null(),
        timed=hour.is_not_null(),
    )
    return out["ms"], bool(out["zoned"].all()), not bool(out["timed"].any())


def _unwritten_is_zero(part: pl.Expr) -> pl.Expr:
    """A part of a time of day as a number: `2025-01-01` is midnight."""
    return pl.coalesce(part.cast(pl.Int64), pl.lit(0))


def _month_names(text: pl.Series) -> pl.Series:
    """`Jan 31, 2025` and its like; null where unreadable."""
    best = pl.Series(text.name, [None] * text.len(), dtype=pl.Int64)
    for form in MONTH_NAMES:
        if "%H" in form:
            ms = text.str.to_datetime(form, time_unit="ms", strict=False).to_physical()
        else:
            ms = text.str.to_date(form, strict=False).cast(pl.Datetime("ms")).to_physical()
        best = ms if ms.null_count() < best.null_count() else best
    return best


def _all_times(ms: pl.Series, column: pl.Series, name: str, where: str) -> pl.Series:
    """`ms` when every row has a time; else DataError with the first row that has none."""
    if ms.null_count():
        row = int(ms.is_null().arg_true()[0])
        raise DataError(f"{where}: row {row} of column {name} is not a time: {shown(column[row])}", "correct the row")
    return ms.cast(pl.Int64) if ms.dtype.is_integer() else ms


def _compared(chosen: Clock, other: Clock, where: str) -> list[str]:
    """Notes on a second clock. Raises DataError when it disagrees, unless it is the same clock without its zone."""
    apart = (other.ms - chosen.ms).to_numpy()
    if other.daily and not chosen.daily:
        apart = np.where(np.abs(apart + DAY_MS // 2) <= DAY_MS // 2 + ZONE_MS, 0, apart)
    if (np.abs(apart) < SLACK_MS).all():
        return []
    row = int(np.argmax(np.abs(apart)))
    size = abs(int(apart[row])) / HOUR_MS
    hours = f"{size:g} hour{'' if size == 1 else 's'}"
    quarter = np.rint(apart / (15 * MINUTE_MS)) * 15 * MINUTE_MS
    zone = (np.abs(apart - quarter) < SLACK_MS).all() and np.abs(apart).max() <= ZONE_MS and np.ptp(quarter) <= HOUR_MS
    if other.sure or not zone:
        raise DataError(f"{where}: {other.name} and {chosen.name} disagree by {hours} (row {row})", "keep the right one as ts")
    side = "behind" if apart[row] < 0 else "ahead of"
    return [f"{other.name} has no time zone and is {hours} {side} {chosen.name}: local time, left out"]


def check_closes(table: pl.DataFrame, ts: pl.Series, where: str) -> None:
    """Close time minus open time must be the step of the rows. Raises DataError with both."""
    name = next((n for n in CLOSE_TIMES if n in table.columns), "")
    step = usual_step(ts)
    if not name or not step:
        return
    clock = _clock(table[name], name, where, "")
    if clock is None:
        return
    length = (-((ts - clock.ms) // 1000) * 1000).to_numpy()  # 899,999 ms is 15m
    values, counts = np.unique(length, return_counts=True)
    usual = int(values[np.argmax(counts)])
    if usual != step:
        what = f"{name} is {timeframe_text(usual)} after the open, but the rows are {timeframe_text(step)} apart"
        raise DataError(f"{where}: {what}", "bars of two timeframes, or a wrong column: get the file again")


def intervals(text: str) -> tuple[int, ...]:
    """What `15m`, `M15`, `15MINS`, `1HOUR`, `60` or `900` may mean, in ms; a bare number has three readings, a word none."""
    found = re.fullmatch(r"(?:[mhdMHD](\d{1,6})|(\d{1,6})\s*([a-zA-Z]*))", text)
    if not found:
        return ()
    if found[1]:
        return (int(found[1]) * {"m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}[text[0].lower()],)
    number, word = int(found[2]), found[3].lower()
    if not word:
        return number * MINUTE_MS, number * 1000, number * HOUR_MS
    unit = next((ms for words, ms in WORDS.items() if word in words), 0)
    return (number * unit,) if unit else ()


def usual_step(ts: pl.Series) -> int:
    """The distance of most neighbours in ms; 0 when no distance is usual."""
    steps = np.diff(np.unique(ts.to_numpy()))
    if not steps.size:
        return 0
    values, counts = np.unique(steps, return_counts=True)
    best = int(np.argmax(counts))
    return int(values[best]) if counts[best] > 0.5 * steps.size else 0


def local_switch(ts: np.ndarray) -> str:
    """What of a clock without a zone shows the change to or from summer time; "" when nothing does."""
    times, counts = np.unique(ts, return_counts=True)
    step = usual_step(pl.Series(times))
    if not 0 < step <= HOUR_MS:
        return ""
    for at in times[:-1][np.diff(times) == step + HOUR_MS] + step:
        if _is_switch(int(at), ((3, 2), (3, -1), (9, -1), (10, 1))):
            return f"skips one hour at {utc(int(at))[:-1]}, the change to summer time"
    twice = times[counts > 1]
    if (
        twice.size == HOUR_MS // step
        and twice[-1] - twice[0] < HOUR_MS
        and _is_switch(int(twice[0]), ((10, -1), (11, 1), (4, 1)))
    ):
        return f"repeats the hour {utc(int(twice[0]))[:-1]}, the change to winter time"
    return ""


def _is_switch(at: int, sundays: tuple[tuple[int, int], ...]) -> bool:
    """Whether a local time is in the first four hours of one of these Sundays: (month, which; -1 is the last)."""
    day = np.datetime64(at // DAY_MS, "D")
    if at % DAY_MS >= 4 * HOUR_MS or (at // DAY_MS + 4) % 7:
        return False
    month = int(str(day)[5:7])
    nth = (int(str(day)[8:10]) - 1) // 7 + 1
    last = int(str(day + np.timedelta64(7, "D"))[5:7]) != month
    return any(month == m and (last if n == -1 else nth == n) for m, n in sundays)

"""Outside series: joined as of when they were known, never before; what is too old is missing."""

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.clock import HOUR_MS, MINUTE_MS
from engine.data.catalog import Catalog
from engine.data.sources import Observations, OutsideSeries, asof, observations, why_missing
from engine.errors import BadInput, DataError
from tests.fakes.recordings import FIRST_MS, write

OI = OutsideSeries("oi_1h", "oi", 3, 5, "binance:BTC-USDT:perp")


def stored(folder: Path, name: str, **columns: list) -> Catalog:
    """A catalog with one file of these columns; `hours` become times."""
    hours = columns.pop("hours")
    frame = pl.DataFrame({"ts": [FIRST_MS + round(h * HOUR_MS) for h in hours], **columns})
    write(folder, name, frame)
    return Catalog([(folder, "recorded")])


def joined(catalog: Catalog, declared: OutsideSeries, hours: list[float]) -> list[float | None]:
    """The values at closes so many hours after the first row's time; None where missing."""
    venue, _, rest = declared.of.partition(":")
    symbol, _, market = rest.partition(":")
    known = observations(catalog, declared, catalog.find(venue, symbol, declared.series, market))
    values, available = asof(known, np.array([FIRST_MS + round(h * HOUR_MS) for h in hours], np.int64))
    assert [math.isnan(x) for x in values] == [at == 0 for at in available]
    return [None if math.isnan(x) else float(x) for x in values]


def test_a_row_of_a_period_is_known_at_its_end_and_the_lag_after(tmp_path: Path) -> None:
    """The 00:00 row of 1h counts from 01:05 on, and for three hours."""
    catalog = stored(tmp_path, "binance_BTC-USDT_perp_oi_1h", hours=[0, 1], oi=[10.0, 11.0])
    hours = [0, 1, 1 + 4 / 60, 1 + 5 / 60, 2, 2 + 5 / 60, 5 + 5 / 60, 5 + 6 / 60]
    assert joined(catalog, OI, hours) == [None, None, None, 10.0, 10.0, 11.0, 11.0, None]


def test_a_settlement_is_known_at_its_time(tmp_path: Path) -> None:
    """Funding has no period: at 08:00 its 08:00 rate is known, and the doubled, late stamps of a recording are one."""
    catalog = stored(tmp_path, "binance_BTC-USDT_perp_funding", hours=[0, 8 + 1e-6, 8], rate=[0.1, 0.2, 0.2])
    funding = OutsideSeries("funding", "rate", 9, 0, "binance:BTC-USDT:perp")
    assert joined(catalog, funding, [0, 7.9, 8, 17, 17.1]) == [0.1, 0.1, 0.2, 0.2, None]


def test_an_empty_row_is_no_observation(tmp_path: Path) -> None:
    """A weekend without a value keeps the last one until it is too old; nothing is filled beyond that."""
    catalog = stored(tmp_path, "yahoo_vix_1h", hours=[0, 1, 2, 3, 4], close=[5.0, None, float("nan"), None, 6.0])
    vix = OutsideSeries("vix_1h", "close", 2, 0, "yahoo")
    assert joined(catalog, vix, [1, 2, 3, 3.5, 4.9, 5]) == [5.0, 5.0, 5.0, None, None, 6.0]


def test_a_file_that_says_when_its_rows_were_known_is_believed(tmp_path: Path) -> None:
    """Revisions count from their own time; a late revision of an older period does not replace the newer one."""
    when = [FIRST_MS + round(h * HOUR_MS) for h in (1, 2.5, 2, 3)]
    catalog = stored(tmp_path, "okx_BTC-USDT_perp_lsr_1h", hours=[0, 0, 1, 2], ratio=[1.0, 1.5, 2.0, 3.0], available_ms=when)
    declared = OutsideSeries("lsr_1h", "ratio", 10, 0, "okx:BTC-USDT:perp")
    assert joined(catalog, declared, [0.9, 1, 2, 2.5, 3]) == [None, 1.0, 2.0, 2.0, 3.0]


def test_what_cannot_be_read_says_what_the_file_has(tmp_path: Path) -> None:
    """A missing column, times that repeat, an unknown series."""
    catalog = stored(tmp_path, "binance_BTC-USDT_perp_oi_1h", hours=[0, 0], oi=[10.0, 11.0])
    with pytest.raises(DataError, match="has no column usd; its columns: ts, oi"):
        joined(catalog, OI._replace(column="usd"), [1])
    with pytest.raises(DataError, match=r"row 1 .* repeats"):
        joined(catalog, OI, [1])
    with pytest.raises(BadInput, match=r"no data for binance BTC-USDT perp lsr_1h - available: binance BTC-USDT perp oi_1h"):
        joined(catalog, OI._replace(series="lsr_1h"), [1])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 500), st.floats(-9, 9)), max_size=30), st.integers(1, 120), st.integers(0, 500))
def test_the_join_is_its_definition_and_no_later_row_changes_it(rows: list[tuple[int, float]], age: int, cut: int) -> None:
    """At each close: the last row known by then, if young enough; rows known after a close change nothing at it."""
    times = sorted({t * MINUTE_MS: value for t, value in rows}.items())
    known = Observations(np.array([t for t, _ in times], np.int64), np.array([x for _, x in times]), age * MINUTE_MS, None)
    closes = np.arange(0, 520, 7, dtype=np.int64) * MINUTE_MS
    values, available = asof(known, closes)
    for close, value, at in zip(closes.tolist(), values.tolist(), available.tolist(), strict=True):
        last = [(t, x) for t, x in times if t <= close]
        wanted = last[-1] if last and close - last[-1][0] <= age * MINUTE_MS else (0, math.nan)
        assert at == wanted[0] <= close
        assert value == wanted[1] or (math.isnan(value) and math.isnan(wanted[1]))
    early = known.available_ms <= cut * MINUTE_MS
    other = np.concatenate((known.values[early], -1.0 - known.values[~early]))
    again = asof(known._replace(values=other), closes)[0]
    seen = closes <= cut * MINUTE_MS
    assert np.array_equal(values[seen], again[seen], equal_nan=True)


def test_what_was_received_late_ages_from_its_publication(tmp_path: Path) -> None:
    """Published at 1 h and received at 3 h, it counts until 4 h; the next, received after its three hours, never does."""
    times = {"published_ms": [1, 2, 9], "available_ms": [3, 6, 9]}
    columns = {name: [FIRST_MS + h * HOUR_MS for h in hours] for name, hours in times.items()}
    catalog = stored(tmp_path, "binance_BTC-USDT_perp_oi_1h", hours=[0, 1, 8], oi=[10.0, 11.0, 12.0], **columns)
    declared = OI._replace(lag_minutes=0)
    assert joined(catalog, declared, [2.9, 3, 4, 4.1, 6, 7, 9, 12, 12.1]) == [
        None,
        10.0,
        10.0,
        None,
        None,
        None,
        12.0,
        12.0,
        None,
    ]


def test_why_a_value_is_missing_is_said(tmp_path: Path) -> None:
    """Nothing at all, nothing yet, or too old: the three reasons; where there is a value there is none."""
    catalog = stored(tmp_path, "binance_BTC-USDT_perp_oi_1h", hours=[0, 1], oi=[10.0, 11.0])
    known = observations(catalog, OI, catalog.find("binance", "BTC-USDT", "oi_1h"))
    why = [why_missing(known, FIRST_MS + h * HOUR_MS) for h in (1, 3, 6)]
    assert why == [
        "nothing was known before 2025-01-01 01:05Z",
        "",
        "the last value was known at 2025-01-01 02:05Z and is older than 3 h",
    ]
    empty = Observations(np.array([], np.int64), np.array([]), HOUR_MS, None)
    assert why_missing(empty, FIRST_MS) == "nothing was received yet"

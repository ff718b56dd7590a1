"""What a file shows by itself: a copied month, a volume in another unit, bars carried forward, a skipped hour."""

import numpy as np
import polars as pl
import pytest

from engine.data.checks import check, check_funding, errors
from engine.data.gaps import hole_spans
from engine.data.issues import DataIssue
from engine.data.synthetic import synthetic

STEP = 900_000
START = 1_735_689_600_000
HOUR = 3_600_000
BARS = synthetic(["BTC-USDT"], STEP, START, 2400, 11)[0]["BTC-USDT"]
PRICES = ("open", "high", "low", "close")


def found(frame: pl.DataFrame, rule: str, severity: str = "error", step: int = STEP) -> list[DataIssue]:
    """The issues of one rule."""
    return [f for f in check(frame, step) if (f.rule, f.severity) == (rule, severity)]


def changed(first: int, last: int, **columns: pl.Expr) -> pl.DataFrame:
    """The bars with some columns changed in rows first..last (excluded)."""
    here = (pl.col("ts") >= BARS["ts"][first]) & (pl.col("ts") < (BARS["ts"][last] if last < BARS.height else 2**62))
    return BARS.with_columns(pl.when(here).then(value).otherwise(name).alias(name) for name, value in columns.items())


def test_a_copied_month_is_found_with_its_rows() -> None:
    """January's bars in February's place."""
    frame = pl.concat([BARS[:1000], BARS[24:1000].with_columns(ts=pl.col("ts") + 976 * STEP), BARS[1976:]])
    (issue,) = found(frame, "copied")
    assert (issue.rows[0], issue.rows[-1]) == (1000, 1975)
    assert "976 bars repeat the bars 976 rows earlier" in issue.text


@pytest.mark.parametrize("factor", [1000.0, 100.0, 0.001])
@pytest.mark.parametrize("row", [40, 200, 1444, 2200, 2360])
def test_a_volume_in_another_unit_from_a_row_on_is_found_at_the_row(factor: float, row: int) -> None:
    """x 1000 from a row on; back to the old unit later is found too."""
    issues = found(changed(row, BARS.height, volume=pl.col("volume") * factor), "unit")
    (issue,) = (f for f in issues if "another unit joined on" in f.text)
    assert abs(issue.rows[0] - row) <= 2


def test_volume_that_grows_as_markets_do_is_not_another_unit() -> None:
    """A thousandfold over some days, and a burst of a hundred times for an hour."""
    for bars in (150, 1000):
        growth = np.exp(np.clip((np.arange(BARS.height) - 1000) / bars, 0, 1) * np.log(1000))
        assert found(BARS.with_columns(volume=pl.col("volume") * growth / 1000), "unit") == []
    assert found(changed(1400, 1404, volume=pl.col("volume") * 100), "unit") == []


@pytest.mark.parametrize("volume", [pl.lit(7.0), pl.col("volume")])
def test_bars_carried_forward_are_found(volume: pl.Expr) -> None:
    """400 bars with the last close in every price, with one volume or many."""
    close = BARS["close"][999]
    frame = changed(1000, 1400, **{n: pl.lit(close) for n in PRICES}, volume=volume)
    assert len(found(frame, "stale")[0].rows) >= 399


def test_a_skipped_hour_where_the_price_goes_on_is_said() -> None:
    """Times shifted by an hour in mid-file: a warning, for an outage may look so."""
    frame = BARS.with_columns(ts=pl.col("ts") + pl.when(pl.col("ts") >= BARS["ts"][1400]).then(HOUR).otherwise(0))
    (issue,) = found(frame, "shifted", "warning")
    assert issue.rows == (1400,)
    assert "1 h missing, and the price goes on" in issue.text


def test_many_broken_joints_do_not_make_breaks_usual() -> None:
    """The threshold comes from the bars, not from the defects: one break in thirty is still found."""
    broken = pl.col("ts").is_in(BARS["ts"].gather(list(range(30, 2400, 30))).implode())
    move = pl.when(broken).then(1.0015).otherwise(1.0)
    frame = BARS.with_columns(open=pl.col("open") * move)
    frame = frame.with_columns(high=pl.max_horizontal("high", "open"), low=pl.min_horizontal("low", "open"))
    rows = {r for f in check(frame, STEP) if f.rule == "joint" for r in f.rows}
    assert len(rows & set(range(30, 2400, 30))) > 40


@pytest.mark.parametrize(("every", "said"), [(4, "claims 15m, but its rows are 1h apart"), (96, "its rows are 1d apart")])
def test_bars_of_another_timeframe_are_named_so(every: int, said: str) -> None:
    """Hourly bars under a 15m name are not a pager's mistake."""
    issues = errors(check(BARS.gather_every(every), STEP))
    assert [f.rule for f in issues if f.rule in ("timeframe", "stride", "gap", "shifted")] == ["timeframe"]
    assert said in issues[0].text


def test_rows_without_any_number_name_the_option_that_leaves_them_out() -> None:
    """Intervals without a trade, as Kaggle's minutes have them."""
    frame = changed(50, 53, **dict.fromkeys((*PRICES, "volume"), pl.lit(float("nan"))))
    (issue,) = found(frame, "nan")
    assert issue.rows == (50, 51, 52)
    assert "--drop-empty" in issue.text


def test_negative_volume_is_an_error() -> None:
    """No market trades less than nothing."""
    assert [f.rows for f in found(changed(50, 51, volume=-pl.col("volume")), "volume")] == [(50,)]


def settled(hours: list[int]) -> pl.DataFrame:
    """Settlements that many hours apart, in turn."""
    ts = START + HOUR * np.cumsum([0, *hours])
    return pl.DataFrame({"ts": ts, "rate": np.full(ts.size, 1e-4)})


@pytest.mark.parametrize("scale", [1.0, 100.0, 10_000.0])
@pytest.mark.parametrize("hours", [8, 1])
def test_rates_in_percent_are_refused_by_their_usual_size(scale: float, hours: int) -> None:
    """0.01 for 0.0001: below the bound of a single rate, above what any market has as its usual one; by the interval too."""
    rate = np.tile([1.0e-4, 1.1e-4, -0.5e-4, 1.2e-4], 20) * scale * hours / 8
    frame = settled([hours] * 79).with_columns(rate=pl.Series(rate))
    said = [f.text for f in errors(check_funding(frame))]
    assert ("percent for a fraction" in said[0]) if scale > 1 else said == []


@pytest.mark.parametrize(
    ("hours", "holes"),
    [
        ([8] * 9 + [4] * 9 + [1] * 9, 0),
        ([8] * 9 + [4] * 9 + [5] + [1] * 9, 1),
        ([8] * 9 + [12] + [8] * 9, 1),
        ([4] * 9 + [3] + [1] * 9, 1),
        ([2] * 9 + [4] + [2] * 9, 1),
        ([8] * 9 + [2] * 9, 0),
    ],
)
def test_a_settlement_lost_at_a_change_of_the_interval_is_a_gap(hours: list[int], holes: int) -> None:
    """Venues settle every 1, 2, 4 or 8 hours: five hours are four and a lost one."""
    assert len(hole_spans(settled(hours)["ts"].to_numpy())) == holes
    assert len([f for f in check_funding(settled(hours)) if f.rule == "gap"]) == (1 if holes else 0)

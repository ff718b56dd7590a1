"""Breakdowns of round trips: groups sum to the whole, and drawdowns, months and excursions are those of a hand-made curve."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.clock import DAY_MS, HOUR_MS
from engine.errors import BadInput
from engine.sim.breakdown import (
    KEYS,
    drawdowns,
    durations,
    excursions,
    extremes,
    farthest,
    groups_apart,
    months,
    r_histogram,
    rate_interval,
    reach,
    split,
)

START = 1_741_046_400_000  # 2025-03-04 00:00 UTC, a Tuesday
trip = st.fixed_dictionaries(
    {
        "sleeve": st.sampled_from(["a", "b"]),
        "instrument": st.sampled_from(["x", "y"]),
        "side": st.sampled_from(["long", "short"]),
        "reason": st.sampled_from(["stop", "trail", "target", "open"]),
        "entry_ms": st.integers(0, 90 * 24).map(lambda h: START + h * HOUR_MS),
        "net": st.floats(-100, 100),
        "version": st.integers(1, 12),
        "state": st.sampled_from([None, -1.0, 0.0, 1.0]),
        "predicted": st.sampled_from([None, -6.0, -5.5, -5.0, 1.0]),
        "predicted_by": st.just("vol-btc@1.2.0"),
    }
)


def frame(rows: list[dict]) -> pl.DataFrame:
    """A trips frame of these rows; one that is not open ends three hours later."""
    full = [
        {
            "trip": f"t{n}",
            "layers": 1,
            "units": 1.0,
            "exit_ms": None if row["reason"] == "open" else row["entry_ms"] + 3 * HOUR_MS,
            "bars": None if row["reason"] == "open" else 4,
            "entry_price": 100.0,
            "fees": 1.0,
            "funding": -0.5,
            "slippage": 0.25,
            "r": None if row["reason"] == "open" else row["net"] / 50,
            "risk": 50.0,
            **row,
        }
        for n, row in enumerate(rows, 1)
    ]
    read = {"state": pl.Float64, "predicted": pl.Float64, "predicted_by": pl.String}
    kinds = {"exit_ms": pl.Int64, "bars": pl.Int64, "r": pl.Float64}
    return pl.DataFrame(full, schema_overrides=kinds | {name: kind for name, kind in read.items() if name in full[0]})


@settings(max_examples=15)
@given(st.lists(trip, min_size=1, max_size=30))
def test_every_split_sums_to_the_whole(rows: list[dict]) -> None:
    """Trips, wins and money of the groups are those of the frame, whatever they are split by."""
    found = frame(rows)
    closed = found.filter(pl.col("exit_ms").is_not_null())
    for by in KEYS:
        groups = split(found, by)
        assert groups["trips"].sum() == len(rows)
        assert groups["wins"].sum() == (closed["net"] > 0).sum()
        assert groups["net"].sum() == pytest.approx(found["net"].sum(), abs=1e-6)
        assert groups["fees"].sum() == pytest.approx(len(rows))
    assert sum(group.count for group in r_histogram(found)) == closed.height
    worst = extremes(found, 3, worst=True)["net"].to_list()
    assert worst == sorted(closed["net"].to_list())[:3]


def test_groups_stand_in_the_order_of_a_reader() -> None:
    """Weekdays from Monday, versions by number, money worst first; an unknown word names the choices."""
    rows = [{"sleeve": "a", "instrument": "x", "side": "long", "reason": "stop", "net": float(n)} for n in range(3)]
    for row, day, version in zip(rows, (6, 0, 4), (10, 2, 1), strict=True):
        row |= {"entry_ms": START + (day - 1) * DAY_MS + 5 * HOUR_MS, "version": version}
    found = frame(rows)
    assert split(found, "weekday")["key"].to_list() == ["Monday", "Friday", "Sunday"]
    assert split(found, "version")["key"].to_list() == ["v1", "v2", "v10"]
    assert split(found, "hour")["key"].to_list() == ["05"]
    assert durations(found)["median"] == 3 * HOUR_MS
    with pytest.raises(BadInput, match="moon"):
        split(found, "moon")
    with pytest.raises(BadInput, match="no version"):
        split(found.drop("version"), "version")


def test_drawdowns_and_months_of_a_curve() -> None:
    """The deepest fall first, one that has not recovered without a date; a month's return is from the close before it."""
    close_ms = START + DAY_MS * np.array([0, 1, 2, 3, 4, 40])
    falls = drawdowns(close_ms, np.array([100.0, 90.0, 95.0, 110.0, 55.0, 60.0]), 5)
    assert [(f.depth_frac, f.depth) for f in falls] == [(0.5, 55.0), (pytest.approx(0.1), 10.0)]
    assert falls[0].recovered_ms is None
    assert (falls[1].peak_ms, falls[1].trough_ms, falls[1].recovered_ms) == tuple(close_ms[[0, 1, 3]])
    assert drawdowns(close_ms[:0], np.empty(0), 5) == []
    returns = months(close_ms, np.array([100.0, 90.0, 95.0, 110.0, 55.0, 60.0]))
    assert returns == [(2025, 3, pytest.approx(-0.45)), (2025, 4, pytest.approx(60 / 55 - 1))]
    midnight = START + DAY_MS * np.array([0, 28])  # the close of 31 March is the first instant of April
    assert [month for _, month, _ in months(midnight[1:], np.array([100.0]))] == [3]


def test_excursions_in_parts_of_the_entry_and_in_r() -> None:
    """Against counts positive; a run that was stored without them is one line with what to do."""
    rows = [{"sleeve": "a", "instrument": "x", "reason": "stop", "net": -5.0, "entry_ms": START, "version": 1}]
    found = frame([row | {"side": "long"} for row in rows])
    notional = found["entry_price"][0] * found["units"][0]
    (row,) = excursions(found.with_columns(mae=pl.lit(-3.0), mfe=pl.lit(4.0)))
    assert (row["mae_frac"], row["mfe_frac"]) == (pytest.approx(3 / notional), pytest.approx(4 / notional))
    assert (row["mae_r"], row["mfe_r"]) == (pytest.approx(3 / 50), pytest.approx(4 / 50))
    with pytest.raises(BadInput, match="no excursions"):
        excursions(found)


def test_how_far_trips_went_is_grouped_and_the_farthest_are_listed() -> None:
    """All, winners, losers (nothing won is lost) and each way out; an open trip and one without a measure are in none of them."""
    base = {"sleeve": "a", "instrument": "x", "side": "long", "entry_ms": START, "version": 1}
    made = [("stop", -5.0), ("target", 9.0), ("stop", 0.0), ("target", 3.0), ("open", 7.0)]
    found = frame([base | {"reason": reason, "net": net} for reason, net in made])
    assert found["exit_ms"].null_count() == 1
    measured = found.with_columns(mae=pl.Series([-3.0, -1.0, None, -2.0, -99.0]), mfe=pl.Series([4.0, 10.0, None, 6.0, 99.0]))
    rows = {row["key"]: row for row in reach(measured).to_dicts()}
    assert {key: row["trips"] for key, row in rows.items()} == {"all": 3, "winners": 2, "losers": 1, "stop": 1, "target": 2}
    assert [rows["all"][name] for name in ("mae_median", "mae_mean", "mae_worst", "mfe_median", "mfe_best")] == [2, 2, 3, 6, 10]
    assert rows["losers"]["mfe_best"] == 4.0
    assert rows["all"]["mae_worst_r"] == pytest.approx(3 / 50)
    assert farthest(measured, 2)["mae"].to_list() == [3.0, 2.0]
    assert reach(measured.head(0)).is_empty()
    with pytest.raises(BadInput, match="no excursions"):
        reach(found)


def test_trips_are_split_by_what_a_model_had_said_at_their_entry() -> None:
    """Regimes by name; thirds of each model's own predictions, equal ones together; entries without a model apart."""
    base = {"sleeve": "a", "instrument": "x", "side": "long", "reason": "stop", "entry_ms": START, "version": 1}
    said = [
        (-1.0, "v@1", -6.0),
        (0.0, "v@1", -5.0),
        (1.0, "v@1", -4.0),
        (1.0, "v@1", -4.0),
        (None, "w@1", 3.0),
        (None, None, None),
    ]
    rows = [{**base, "net": float(n), "state": s, "predicted_by": by, "predicted": p} for n, (s, by, p) in enumerate(said)]
    groups = {row["key"]: (row["trips"], row["net"]) for row in split(frame(rows), "regime").to_dicts()}
    assert groups == {"bear": (1, 0.0), "sideways": (1, 1.0), "bull": (2, 5.0), "none read": (2, 9.0)}
    thirds = {row["key"]: row["trips"] for row in split(frame(rows), "prediction").to_dicts()}
    assert thirds == {"lowest third of v@1": 2, "middle third of v@1": 2, "lowest third of w@1": 1, "none read": 1}


def test_a_group_is_apart_where_chance_does_not_explain_it() -> None:
    """Twelve losers of a Tuesday night against twenty even trips are; the same difference of five trips is not judged."""
    base = {"sleeve": "a", "instrument": "x", "side": "long", "reason": "stop", "version": 1}
    night = [{**base, "entry_ms": START + n * 60_000, "net": -50.0 - n % 2} for n in range(12)]
    later = [{**base, "entry_ms": START + 4 * DAY_MS + 9 * HOUR_MS + n * 60_000, "net": 1.0 - n % 3} for n in range(20)]
    found = groups_apart(frame([*night, *later]), "daypart")
    assert found["00-06 night"].high is not None
    assert found["00-06 night"].high < 0 < (found["06-12 morning"].low or 0.0)
    assert found["00-06 night"].mean == pytest.approx(-50.5 - sum(1.0 - n % 3 for n in range(20)) / 20)
    few = groups_apart(frame([*night[:5], *later]), "weekend")
    assert (few["weekdays"].low, few["weekend"].low) == (None, None)
    assert {row["key"]: row["trips"] for row in split(frame([*night, *later]), "weekend").to_dicts()} == {
        "weekdays": 12,
        "weekend": 20,
    }


def test_seven_groups_of_one_distribution_are_not_apart() -> None:
    """The level is shared out: of many splits of noise, far fewer than a third have a group that differs."""
    base = {"sleeve": "a", "instrument": "x", "side": "long", "reason": "stop", "version": 1}
    random, seen = np.random.default_rng(3), 0
    for _ in range(40):
        rows = [{**base, "entry_ms": START + n * DAY_MS, "net": float(net)} for n, net in enumerate(random.normal(0, 10, 140))]
        seen += any(
            one.low is not None and one.low * (one.high or 0.0) > 0 for one in groups_apart(frame(rows), "weekday").values()
        )
    assert seen <= 6  # 30 % of forty are twelve, which seven tests at 95 % each would give


def test_the_interval_of_a_hit_rate_is_wilsons() -> None:
    """67 of 201: 27.18 % to 40.11 %, as statsmodels has it; none without a trip."""
    assert rate_interval(67, 201) == (pytest.approx(0.271828, abs=1e-5), pytest.approx(0.401090, abs=1e-5))
    assert rate_interval(0, 0) == (None, None)

"""Drift of inputs: PSI and KS by hand, effective rows, few false alarms on slow features, and what is too little to judge."""

import json
from typing import Any

import numpy as np
import pytest

from engine.data.sources import OutsideSeries
from engine.errors import DataError
from engine.features.reads import Reads
from engine.models.distribution import (
    POINTS,
    TrainedDistribution,
    as_json,
    column_distribution,
    correlation_time,
    distribution_of,
)
from engine.models.input_drift import ColumnDrift, compare, drifts, judged, psi, verdict

THEN, NOW = 5_760, 2_880  # 60 and 30 days of 15m


def slow(seed: int, count: int, phi: float) -> np.ndarray:
    """An autocorrelated column of unit variance."""
    from scipy.signal import lfilter

    noise = np.random.default_rng(seed).normal(size=count + 2_000)
    return lfilter([np.sqrt(1.0 - phi * phi)], [1.0, -phi], noise)[2_000:]


def one(then: np.ndarray, now: np.ndarray) -> ColumnDrift:
    """A single column, judged."""
    return drifts(["x"], [column_distribution(then)], now[:, None])[0]


@pytest.mark.parametrize(
    ("expected", "observed", "value"),
    [
        ([0.5, 0.5], [0.5, 0.5], 0.0),
        ([0.5, 0.5], [0.6, 0.4], 0.040547),  # 0.1 ln 1.2 - 0.1 ln 0.8
        ([0.5, 0.5], [1.0, 0.0], 4.604319),  # 0.5 ln 2 - 0.4999 ln 0.0002: an empty bin counts as 1e-4
        ([0.25] * 4, [0.1, 0.2, 0.3, 0.4], 0.228218),
    ],
)
def test_psi_by_hand(expected: list[float], observed: list[float], value: float) -> None:
    """Worked out on paper."""
    assert psi(expected, observed) == pytest.approx(value, abs=1e-6)


def test_psi_of_a_shifted_normal_is_that_of_its_deciles() -> None:
    """Ten bins of the training's quantiles, the outer ones open."""
    from scipy.stats import norm  # here as it loads slowly: at the head each process of a run would load it to collect

    normal = np.random.default_rng(1).permutation(norm.ppf((np.arange(20_000) + 0.5) / 20_000))
    found = one(normal, normal[::-1] + 0.5)
    edges = norm.ppf(np.arange(1, 10) / 10)
    shares = np.diff(np.concatenate([[0.0], norm.cdf(edges - 0.5), [1.0]]))
    assert found.psi == pytest.approx(psi([0.1] * 10, shares), abs=0.001)
    assert found.state == "drifting"  # 0.24


def test_ks_is_scipys_within_the_stored_points() -> None:
    """Of independent rows its p is, too; what is stored are 201 points of 5,000."""
    from scipy.stats import ks_2samp

    rng = np.random.default_rng(5)
    then, now = rng.normal(size=5_000), rng.normal(0.0, 1.0, 3_000)
    exact = ks_2samp(then, now, method="asymp")
    found = compare("x", column_distribution(then)._replace(effective=5_000.0), now)
    assert found.ks == pytest.approx(exact.statistic, abs=1.0 / POINTS)
    assert 0.05 < exact.pvalue < 0.95
    assert found.p == pytest.approx(exact.pvalue, abs=0.1)


@pytest.mark.parametrize(("phi", "time"), [(0.0, 1.0), (0.9, 19.0), (0.98, 99.0)])
def test_the_correlation_time_is_that_of_the_process(phi: float, time: float) -> None:
    """(1 + phi) / (1 - phi) of an AR(1)."""
    assert correlation_time(slow(3, 200_000, phi)) == pytest.approx(time, rel=0.15)
    assert correlation_time(np.full(500, 2.0)) == 1.0


def test_returns_are_as_slow_as_their_volatility() -> None:
    """No return follows another, and a calm week after a wild one is not hundreds of independent rows."""
    size = np.exp(slow(11, THEN, 0.99))
    returns = np.random.default_rng(12).normal(size=THEN) * size
    assert correlation_time(returns) > 20.0


@pytest.mark.slow
def test_slow_features_that_have_not_moved_are_not_called_moved() -> None:
    """24 columns of one process in ten months: counted by rows they are a third different, counted by effective rows none."""
    moved, naive = 0, 0
    for seed in range(10):
        columns = [slow(1_000 * seed + n, THEN + NOW, 0.98) for n in range(24)]
        then = [column_distribution(column[:THEN]) for column in columns]
        now = np.column_stack([column[THEN:] for column in columns])
        names = [str(n) for n in range(24)]
        moved += sum(row.state in ("moved", "drifting") for row in drifts(names, then, now))
        by_rows = [part._replace(effective=float(THEN)) for part in then]
        naive += sum(row.state in ("moved", "drifting") for row in drifts(names, by_rows, now))
    assert naive > 60
    assert moved <= 3


def test_what_has_moved_is_called_so() -> None:
    """A shift, another scale, a frozen value; beside them one that is as it was."""
    then, now = slow(4, THEN, 0.9), slow(5, NOW, 0.9)
    cases = {"same": now, "shifted": now + 1.0, "scaled": now * 3.0, "frozen": np.full(NOW, 0.3)}
    trained = column_distribution(then)
    found = drifts(list(cases), [trained] * 4, np.column_stack(list(cases.values())))
    assert {row.name: row.state for row in found} == {"same": "steady", "shifted": "moved", "scaled": "moved", "frozen": "moved"}
    said = verdict(found, found[0])
    assert said.startswith("3 of 4 features have moved: ")
    assert "same" not in said
    assert said.endswith("Predictions have not moved (PSI 0.04).") or "Predictions have not moved" in said


def test_a_feature_that_is_missing_now_has_moved() -> None:
    """The commonest of silent faults; one that was as often missing in training has not."""
    then, now = slow(6, THEN, 0.5), slow(7, NOW, 0.5)
    gone, part = np.full(NOW, np.nan), np.where(np.arange(NOW) % 10 == 0, np.nan, now)
    trained = column_distribution(then)
    assert drifts(["a", "b"], [trained] * 2, np.column_stack([gone, part]))[0].text == (
        "a (missing in 100 % of the bars, 0 % in training)"
    )
    assert one(then, part).state == "moved"
    assert one(np.where(np.arange(THEN) % 10 == 0, np.nan, then), part).state == "steady"
    nothing = one(np.full(THEN, np.nan), gone)
    assert (nothing.state, nothing.psi) == ("too_little", None)


def test_too_little_to_tell_is_said() -> None:
    """Under 200 rows; and a week-long swing seen for a month, whatever its PSI."""
    then, now = slow(8, THEN, 0.9), slow(9, NOW, 0.9)
    assert one(then, now[:199]).state == "too_little"
    assert one(then[:199], now).state == "too_little"
    wave = np.sin(np.arange(THEN + NOW) * 2.0 * np.pi / 4_000)
    found = one(wave[:THEN], wave[THEN:])
    assert found.psi is not None
    assert found.psi > 0.1
    assert found.state == "too_little"
    assert verdict([found], found).startswith("Too little to judge: none of 1 features has enough independent bars")


def test_a_constant_and_a_feature_of_few_values() -> None:
    """A constant that takes another value has moved, on either side; hours of the day have their bins."""
    assert one(np.full(THEN, 50.0), np.full(NOW, 50.0)).state == "steady"
    for other in (49.0, 51.0):
        assert one(np.full(THEN, 50.0), np.full(NOW, other)).state == "moved"
    hours = np.arange(THEN) // 4 % 24 / 1.0
    assert one(hours, hours[:NOW]).psi == pytest.approx(0.0, abs=1e-3)
    assert len(column_distribution(np.arange(THEN) % 2 / 1.0).edges) == 2


def test_false_alarms_are_kept_down_over_all_features() -> None:
    """Benjamini and Hochberg's own example of three: adjusted by rank, none below its own p."""
    blank = ColumnDrift("x", "steady", 0.3, 0.1, 0.0, None, 0.01, 500, 500, 500.0, 500.0, 0.0, 0.0)
    found = judged([blank._replace(p=p) for p in (0.01, 0.04, 0.03)] + [blank._replace(p=None, psi=None)])
    assert [row.q for row in found] == [pytest.approx(0.03), pytest.approx(0.04), pytest.approx(0.04), None]


def stored() -> dict[str, Any]:
    """A distribution as the artifact holds it."""
    reads = Reads("15m", (("ETH-USDT", "binance:ETH-USDT:perp"),), (("funding", OutsideSeries("funding", "rate", 9.0)),))
    column = column_distribution(np.random.default_rng(1).normal(size=600))
    empty = column_distribution(np.full(600, np.nan))
    return json.loads(json.dumps(as_json(TrainedDistribution(reads, (column, empty), column, 1, 2))))  # type: ignore[no-any-return]


def test_a_stored_distribution_is_read_back_whole() -> None:
    """What features read, too: without it the columns could not be made again."""
    found = distribution_of(stored(), 2, "the model")
    assert json.loads(json.dumps(as_json(found))) == stored()
    assert found.reads.series[0][1].max_age_hours == 9.0


@pytest.mark.parametrize(
    "change",
    [
        {"version": 9},
        {"features": []},
        {"features": [{"rows": 1}] * 2},
        {"reads": {}},
        {"reads": {"timeframe": "15m", "instruments": [], "series": {"a": {"path": 1}}}},
        {"predictions": {"edges": [3.0, 1.0]}},
        {"predictions": {"points": [1.0]}},
        {"predictions": {"shares": [float("nan")] * 10}},
        {"first_ms": None},
    ],
)
def test_one_that_is_none_is_one_line(change: dict[str, Any]) -> None:
    """By whoever wrote it: the digest only says that it is what was written."""
    good = stored()
    change = {key: good[key] | value if key == "predictions" else value for key, value in change.items()}
    with pytest.raises(DataError, match="the model") as raised:
        distribution_of(good | change, 2, "the model")
    assert "\n" not in str(raised.value)

"""Limits err as rarely as they say where nothing changes, hold with few round trips, and still find what is planted."""

import numpy as np
import polars as pl
import pytest

from engine.clock import DAY_MS
from engine.control.canary import CanaryPlan
from engine.control.canary_limits import LEVEL, RunTrips, drawn, fall, running_mean, wait_limit
from engine.control.canary_terms import numbers_of

BAR = 900_000
TRIPS = 10
PLAN = CanaryPlan(1.0, TRIPS, None)


def market(seed: int, trips: int, wait_bars: float = 40.0, paid_bps: float = 2.0, loss: float = 1.0) -> RunTrips:
    """So many round trips of one strategy: waits like a Poisson process's, a trip of 8 bars that makes or loses half a percent in
    the end, slippage with a long tail, and one refusal in four trips.
    """
    rng = np.random.default_rng(seed)
    waits = np.maximum(rng.exponential(wait_bars, trips), 1).astype(np.int64)
    entry = np.cumsum(waits + 8) * BAR
    closes = np.arange(int(entry[-1] // BAR) + 12) * BAR
    step = np.zeros(len(closes))
    for at in entry // BAR:
        step[at + 1 : at + 9] = rng.normal(0.0, 0.002, 8)
    curve = np.cumprod(1.0 + np.where(step < 0, loss * step, step))
    paid = paid_bps * rng.lognormal(0.0, 0.5, trips)
    return RunTrips(entry, entry + 8 * BAR, paid, np.sort(rng.choice(closes, trips // 4)), closes, 10_000.0 * curve)


class OneRun:
    """A store of the one run."""

    def __init__(self, run: RunTrips) -> None:
        self.run = run

    def frame(self, run_id: str, name: str) -> pl.DataFrame:
        """Its frames."""
        run = self.run
        if name == "trips":
            units, paid = np.ones(len(run.entry_ms)), run.slippage_bps * 0.01
            columns = {"units": units, "entry_price": 100 * units, "slippage": paid}
            return pl.DataFrame({"entry_ms": run.entry_ms, "exit_ms": run.exit_ms, **columns})
        if name == "equity":
            return pl.DataFrame({"close_ms": run.close_ms, "equity": run.equity})
        return pl.DataFrame({"close_ms": run.refused_ms, "refused_by": ["gross_frac_max"] * len(run.refused_ms)})


def passed(run: RunTrips, watched: RunTrips) -> set[str]:
    """Which numbers of a card with that run as evidence a watch of ten trips passes."""
    terms = numbers_of(OneRun(run), "r", PLAN, BAR, 1.0)  # type: ignore[arg-type]
    entry, end = watched.entry_ms[:TRIPS], watched.exit_ms[TRIPS - 1]
    waits = np.append(entry[0], watched.waits_ms[: TRIPS - 1])
    within = int((np.searchsorted(entry, entry + DAY_MS) - np.arange(TRIPS)).max())
    found = {
        "rejections": (watched.refused_ms <= end).sum() > terms["refused_max"],
        "slippage": running_mean(watched.slippage_bps[:TRIPS], terms["slippage_trips"]) > terms["slippage_bps_max"],
        "drawdown": fall(watched.equity[watched.close_ms <= end]) > terms["drawdown_frac_max"],
        "too few": waits.max() > terms["quiet_bars_max"] * BAR,
        "too many": within > terms["day_entries_max"],
    }
    return {name for name, is_so in found.items() if is_so}


@pytest.mark.parametrize("trips", [20, pytest.param(60, marks=pytest.mark.slow)])  # the fewer, the wider the limits have to be
def test_nothing_changed_is_seldom_a_breach(trips: int) -> None:
    """Of 100 cards with so few round trips of evidence, each watched over ten of the same kind: at most one in twenty."""
    hits = [passed(market(seed, trips), market(1_000 + seed, 12)) for seed in range(100)]
    assert sum(map(bool, hits)) <= 5


@pytest.mark.parametrize(
    ("planted", "kind", "least"),
    [({"paid_bps": 8.0}, "slippage", 39), ({"loss": 4.0}, "drawdown", 38), ({"wait_bars": 2_000.0}, "too few", 39)],
)
def test_what_is_planted_is_found(planted: dict[str, float], kind: str, least: int) -> None:
    """Four times the slippage, losses four times as deep, an entry in a month: in nearly every watch of 40, on 40 trips."""
    hits = [kind in passed(market(seed, 40), market(1_000 + seed, 12, **planted)) for seed in range(40)]
    assert sum(hits) >= least


def test_a_limit_of_waits_is_wider_for_fewer_trips_and_never_longer_than_the_run() -> None:
    """One watch in 200 waits longer: ten exponential waits with a mean that is known to a third of itself, or nearly exactly."""
    exact = np.log(TRIPS / LEVEL)
    many, few = (np.median([wait_limit(market(s, n), TRIPS) / BAR / 40 for s in range(40)]) for n in (2_000, 20))
    assert many == pytest.approx(exact, rel=0.05)
    assert few > 1.2 * exact
    three = market(1, 3)
    assert wait_limit(three, TRIPS) <= three.exit_ms[-1] - three.entry_ms[0]


def test_the_same_run_has_the_same_numbers() -> None:
    """On each machine and day: a card that is approved later has those that were shown; each trip is drawn alike."""
    first, second = (numbers_of(OneRun(market(3, 40)), "r", PLAN, BAR, 1.0) for _ in range(2))  # type: ignore[arg-type]
    assert first == second
    watches = drawn(20, TRIPS)
    assert np.bincount(watches[:, -1], minlength=20).min() > 0.8 * len(watches) / 20
    different = np.mean([len(set(row)) for row in watches[:2_000]])
    assert different == pytest.approx(20 * (1 - 19 / 29), rel=0.02)  # of ten from an urn of 20, each put back with a copy

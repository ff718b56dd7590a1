"""Feasibility says no where it is no, finds an edge that was planted, and does not take chance or a short tape for one."""

from pathlib import Path

import numpy as np
import pytest

from engine.errors import BadInput
from engine.l2.checks import sound_tape
from engine.l2.feasibility import DAY_MS, Edge, Feasibility, cell_of, feasibility, independent, returns_of
from engine.l2.features import FeatureColumn, computed, one_after_another
from engine.l2.moments import Moments, joined, moments_of
from tests.engine.l2.test_book import recorded_tape
from tests.fakes.book_tapes import STEP_NS, Maker, rows_of, write_rows

EVERY_MS = 60_000
HORIZONS = (60, 300)


def random_market(days: float, seed: int = 1, edge_bps: float = 0.0) -> tuple[Moments, list[FeatureColumn]]:
    """Rows a minute of a random market and six features of noise; with `edge_bps` the first one knows the next minute's drift."""
    random = np.random.default_rng(seed)
    count = int(days * DAY_MS / EVERY_MS)
    features = random.normal(size=(6, count))
    drift = np.concatenate([[0.0], np.sign(features[0][:-1]) * edge_bps * (np.abs(features[0][:-1]) > 1.2)])
    middle = 600_000 * np.exp(np.cumsum(random.normal(0.0, 5.0, count) + drift) / 1e4)
    nothing = np.full(count, np.nan)
    when = np.arange(count, dtype=np.int64) * EVERY_MS * 1_000_000 + 1_722_000_000_000_000_000
    flat = np.ones(count)
    moments = Moments(when, np.ones(count, np.int64), middle - 0.5, middle + 0.5, *[flat] * 4, *[nothing] * 5, flat, flat)
    columns = [FeatureColumn(f"feature {k}", "", "", values) for k, values in enumerate(features)]
    return moments, columns


def judged(days: float, edge_bps: float = 0.0, seed: int = 1, floor_bps: float = 4.0) -> Feasibility:
    """A random market's answer."""
    moments, columns = random_market(days, seed, edge_bps)
    return feasibility(moments, columns, EVERY_MS, floor_bps, HORIZONS)


def test_a_planted_edge_is_found() -> None:
    """Ten days, 12 bps for the strongest moments: yes, by the planted feature and at its minute; it is what adds."""
    found = judged(10, edge_bps=12.0)
    clear = {(cell.feature, cell.horizon_s) for cell in found.cells if cell.clears}
    assert found.verdict == "yes"
    assert ("feature 0", 60) in clear
    assert {name for name, _ in clear} == {"feature 0"}
    adds = {item["without"]: item["adds_bps"] for item in found.ablation}
    assert max(adds, key=lambda name: adds[name]) == "feature 0"
    assert adds["feature 0"] > 5.0


def test_an_edge_on_a_short_tape_is_not_a_yes() -> None:
    """The same edge on three days: not enough tape, whatever the figures say."""
    found = judged(3, edge_bps=12.0)
    assert found.verdict == "not enough tape"
    assert "at least 7 days" in found.why


@pytest.mark.sample(1)
@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 6))])
def test_a_random_market_is_a_no(seed: int) -> None:
    """Whatever the floor: by chance some cell looks good, and chance is what it is held against."""
    for floor in (4.0, 0.1):
        found = judged(8, seed=seed, floor_bps=floor)
        assert found.verdict == "no", found.why
        assert found.oracle[0].outside.bps > 4.0


@pytest.mark.parametrize("market", ["perp", "spot"])
def test_the_recorded_tape_is_a_no(market_data: Path, market: str) -> None:
    """0 of all cells clear two maker fees, and chance reaches as far as the best of them; the method itself finds the outcome."""
    opened = sound_tape(recorded_tape(market_data, market))
    moments = moments_of(opened.tape, opened.report.replayed, opened.trades, 100)
    found = feasibility(moments, computed(moments), 100, 4.0)
    assert found.verdict == "no"
    assert not [cell for cell in (*found.cells, *found.together) if cell.clears]
    assert all(cell.outside.bps > 0 for cell in found.oracle)
    best = max(cell.outside.bps for cell in found.cells if cell.outside.bps is not None)
    assert best < found.chance[-1]
    assert [h["mean_absolute_bps"] < 4.0 for h in found.substrate["horizons"][:3]] == [True] * 3


@pytest.mark.slow
def test_an_edge_of_one_half_is_not_an_edge() -> None:
    """Planted in the first half alone: it looks fine inside and is nothing outside."""
    moments, columns = random_market(10, edge_bps=12.0)
    other, noise = random_market(10, seed=2)
    half = len(moments.when_ns) // 2
    scale = moments.bid[half] / other.bid[half]
    bid, ask = (np.concatenate([a[:half], b[half:] * scale]) for a, b in ((moments.bid, other.bid), (moments.ask, other.ask)))
    mixed = [
        FeatureColumn(a.name, "", "", np.concatenate([a.values[:half], b.values[half:]]))
        for a, b in zip(columns, noise, strict=True)
    ]
    found = feasibility(moments._replace(bid=bid, ask=ask), mixed, EVERY_MS, 4.0, HORIZONS)
    planted = next(cell for cell in found.cells if (cell.feature, cell.horizon_s) == ("feature 0", 60))
    assert planted.inside.bps > 8.0
    assert abs(planted.outside.bps) < 2.0
    assert found.verdict == "no"


def test_missing_rows_and_dead_features_are_said(tmp_path: Path) -> None:
    """The audit of what the figures are based on: how much is usable, which features are constant; none of it stops the rest."""
    moments, columns = random_market(8)
    bid = moments.bid.copy()
    bid[2000:4000] = np.nan
    part = np.where(np.isfinite(bid), 1, 0)
    dead = [*columns, FeatureColumn("dead", "", "", np.ones(len(bid))), FeatureColumn("none", "", "", np.full(len(bid), np.nan))]
    found = feasibility(moments._replace(bid=bid, part=part), dead, EVERY_MS, 4.0, HORIZONS)
    ground = found.substrate
    assert ground["usable_frac"] == pytest.approx(1 - 2000 / len(bid))
    assert [f["name"] for f in ground["features"] if f["constant"]] == ["dead", "none"]
    assert all("no training interval meets its test" in h["audit"] for h in ground["horizons"])
    assert [cell.outside.bps for cell in found.cells if cell.feature in {"dead", "none"}] == [None] * 4


def test_days_are_judged_as_one(tmp_path: Path) -> None:
    """Two recordings of one instrument, another number of decimals in each: no outcome across what is missing."""
    maker, tapes = Maker(61), []
    for n, first in enumerate((0, 9000)):
        messages = [maker.snapshot(), *(maker.delta() for _ in range(99))]
        rows = [row | {"recv_ns": row["recv_ns"] + first * STEP_NS} for row in rows_of(messages)]
        rows[0]["qty"] += 0.00001 * n
        opened = sound_tape(write_rows(tmp_path, rows, f"okx_ETH-USDT_perp_{n}_l2.parquet"))
        moments = moments_of(opened.tape, opened.report.replayed, None, 100)
        tapes.append((moments, opened.tape.scale, computed(moments)))
    both = joined([(moments, scale) for moments, scale, _ in tapes])
    columns = one_after_another([found for *_, found in tapes])
    assert (np.diff(both.when_ns) > 0).all()
    assert both.part.tolist() == [1] * 100 + [2] * 100
    assert 2990 < both.bid.min() <= both.ask.max() < 3010
    assert [len(column.values) for column in columns] == [200] * len(columns)
    y = returns_of(both, 100, 1.0)
    assert np.isfinite(y).tolist() == [n % 100 < 90 for n in range(200)]
    with pytest.raises(BadInput, match="two tapes of the same time"):
        joined([tapes[1][:2], tapes[0][:2]])


CELLS = [  # outside bps, independent moments, folds -> clears 4 bps
    (5.0, 30, (5.0, 5.0, 5.0, 5.0, None), True),
    (5.0, 29, (5.0, 5.0, 5.0, 5.0, 5.0), False),
    (5.0, 30, (5.0, 5.0, 5.0, 4.0, 4.0), False),
    (4.0, 90, (5.0, 5.0, 5.0, 5.0, 5.0), False),
    (None, 0, (5.0, 5.0, 5.0, 5.0, 5.0), False),
]


@pytest.mark.parametrize(("bps", "count", "folds", "clears"), CELLS)
def test_a_cell_clears_outside_in_four_folds_and_on_enough_moments(
    bps: float | None, count: int, folds: tuple[float | None, ...], clears: bool
) -> None:
    """One of the three alone is a story: three lucky folds, a handful of moments, a mean at the floor."""
    edges = [Edge(fold, 10, 10) for fold in folds]
    assert cell_of("f", 1.0, Edge(9.0, 99, 99), Edge(bps, 99, count), edges, 4.0).clears is clears


def test_moments_of_one_move_count_once() -> None:
    """A hundred moments within a horizon are one: edges on few moves apart clear nothing."""
    assert independent(np.arange(100) * 100, 10.0) == 1
    assert independent(np.arange(100) * 100, 1.0) == 10
    assert independent(np.zeros(0, np.int64), 1.0) == 0


@pytest.mark.parametrize(
    ("floor", "horizons"),
    [
        (0.0, (60,)),
        (float("nan"), (60,)),
        (4.0, ()),
        (4.0, (61,)),
        (4.0, (60, 60)),
        (4.0, (1e6,)),
        (4.0, (float("nan"),)),
        (-4.0, (60,)),
    ],
)
def test_terms_that_are_none_are_refused(floor: float, horizons: tuple[float, ...]) -> None:
    """A floor or horizons that are none; NaN is none."""
    moments, columns = random_market(1)
    with pytest.raises(BadInput):
        feasibility(moments, columns, EVERY_MS, floor, horizons)


def test_a_tape_of_a_minute_is_refused() -> None:
    """Nothing can be chosen and judged on it."""
    moments, columns = random_market(40 / 1440)
    with pytest.raises(BadInput, match="not enough tape"):
        feasibility(moments, columns, EVERY_MS, 4.0, HORIZONS)

"""Heads on orders' outcomes find what is planted, say no to labels without a reason, and read nothing that came later."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from engine.errors import BadInput, DataError
from engine.l2 import heads
from engine.l2.features import computed
from engine.l2.heads import (
    HEADS,
    JudgedHead,
    OrderRows,
    folds_of,
    joined_rows,
    judge,
    order_rows,
    prefix_check,
    taken,
    verdict_of,
)
from engine.l2.outcomes import RestingOrders
from engine.models.folds import audit_rows

EVERY_MS = 1_000
KNOWN_MS = 15_000
START_MS = 1_722_000_000_000
YES = "yes", "1 of 60 cells clear"


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the rounds: what is planted here is found by them."""
    monkeypatch.setattr(heads, "SETTINGS", {**heads.SETTINGS, "rounds": 20, "learning_rate": 0.25})


def orders(moments: int = 2_000, seed: int = 1, edge_bps: float = 0.0, begin_ms: int = START_MS) -> OrderRows:
    """Two orders a second of a random market with four features; with `edge_bps` the second says how the filled ones end."""
    dice = np.random.default_rng(seed)
    count = 2 * moments
    columns = dice.normal(size=(count, 4))
    columns[dice.random((count, 4)) < 0.02] = np.nan
    drift = edge_bps * np.sign(np.where(np.isnan(columns[:, 1]), 0.0, columns[:, 1])) * (np.abs(columns[:, 1]) > 0.8)
    move = dice.normal(-0.5, 2.0, count) + drift
    filled = (dice.random(count) < np.where(columns[:, 0] > 0.0, 0.9, 0.5)).astype(np.float64)
    move[filled == 0.0] = np.nan
    placed = begin_ms + np.repeat(np.arange(moments, dtype=np.int64), 2) * EVERY_MS
    labels = {"filled": filled, "adverse": np.where(np.isnan(move), np.nan, move < 0.0), "edge": move}
    return OrderRows(("imbalance", "momentum", "depth", "spread"), columns, placed, placed + KNOWN_MS, labels)


def all_heads(rows: OrderRows, **options: Any) -> tuple[dict[str, JudgedHead], list[dict[str, Any]]]:
    """Every head, and what the edge earns beyond 4 bps."""
    folds, _ = folds_of(rows, EVERY_MS, 5_000)
    found = {name: judge(name, rows, folds, None, **options) for name in HEADS}
    return found, taken(rows, found["edge"], 4.0)


def gate(head: JudgedHead, name: str) -> bool:
    """Whether a head passed."""
    return {one.name: one.passed for one in head.found}[name]


@pytest.mark.slow
def test_a_planted_edge_is_found() -> None:
    """12 bps in the features: beyond constant and one feature, in each fold, by the planted column, and it pays."""
    found, paid = all_heads(orders(edge_bps=12.0))
    edge = found["edge"]
    assert edge.test.value > 0.7
    assert edge.better["constant"].low > 0.5
    assert edge.better["one feature"].low > 0.0
    assert all(row["test"] > 0.5 for row in edge.folds)
    assert edge.importance["features"][0]["feature"] == "momentum"
    adds = {row["without"]: row["adds"] for row in edge.ablation}
    assert max(adds, key=lambda name: adds[name]) == "momentum"
    assert all(one["net_bps"] > 3.0 and one["orders"] > 20 for one in paid)
    assert found["adverse"].test.value > 0.3
    assert found["filled"].better["constant"].low > 0.05
    assert all(head.oracle.value > 0.9 for head in found.values())
    assert all(not head.shuffled.low > 0.0 for head in found.values())


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, pytest.param(4, marks=pytest.mark.long)])
def test_random_labels_are_a_no(seed: int) -> None:
    """Nothing in the features: no head passes its baselines, and the verdict is no though the tape were feasible."""
    rows = orders(seed=seed)
    dice = np.random.default_rng(seed)
    rows = rows._replace(labels=rows.labels | {"filled": (dice.random(len(rows.placed_ms)) < 0.7).astype(np.float64)})
    found, paid = all_heads(rows, ablate=False)
    for head in found.values():
        assert head.test.value < 0.02
        assert not gate(head, "baseline")
        assert head.oracle.value > 0.9
    verdict, why = verdict_of(list(found.values()), paid, YES)
    assert verdict == "no"
    assert "gates failed: filled (" in why


def test_feasibility_outranks_a_good_fit() -> None:
    """Heads with every gate passed do not make a yes of a tape that has no edge above its fees, or too few days."""
    found, paid = all_heads(orders(edge_bps=12.0), ablate=False)
    clean = [head._replace(found=tuple(one._replace(passed=True) for one in head.found)) for head in found.values()]
    assert verdict_of(clean, paid, YES)[0] == "yes"
    for word in ("no", "not enough tape"):
        assert verdict_of(clean, paid, (word, "0 of 60 cells"))[0] == word
    assert verdict_of(clean, [one | {"net_bps": -1.0} for one in paid], YES)[0] == "no"
    assert verdict_of([*clean[:2], clean[2]._replace(found=found["edge"].found)], paid, YES)[0] == "no"  # leaks: not run
    deaf = [clean[0]._replace(oracle=clean[0].oracle._replace(value=0.2)), *clean[1:]]
    assert verdict_of(deaf, paid, YES) == ("not enough tape", "the outcome itself among the columns is not found by filled")
    fooled = [clean[0]._replace(shuffled=clean[0].shuffled._replace(low=0.1)), *clean[1:]]
    assert verdict_of(fooled, paid, YES)[0] == "no"


def test_no_label_reaches_into_a_test() -> None:
    """Five folds with an embargo, both orders of a moment in the same one; hours between two tapes join nothing."""
    first = orders(1_500)
    rows = joined_rows([first, orders(1_500, seed=2, begin_ms=START_MS + 30_000_000)])
    folds, audit = folds_of(rows, EVERY_MS, 5_000)
    assert len(folds) == 5
    assert audit.startswith("5 folds: no training interval meets its test")
    for fold in folds:
        begin_ms = int(rows.placed_ms[fold.test[0]])
        assert int(rows.known_ms[fold.train].max()) < begin_ms
        assert int(rows.placed_ms[fold.train].max()) + 5_000 <= begin_ms
        assert set(fold.train // 2) & set(fold.test // 2) == set()
        assert (fold.test[::2] % 2 == 0).all()
    leaky = [folds[0]._replace(train=np.concatenate([folds[0].train, folds[0].test[:2] - 4]))]
    with pytest.raises(DataError):
        audit_rows(leaky, rows.placed_ms, rows.known_ms)


@pytest.mark.parametrize(("moments", "words"), [(60, "too short"), (0, "0 orders")])
def test_too_few_orders_are_refused(moments: int, words: str) -> None:
    """One line."""
    with pytest.raises(BadInput, match=words):
        folds_of(joined_rows([orders(moments)]), EVERY_MS, 5_000)


def test_a_column_that_knows_the_future_is_found() -> None:
    """Rows made again from a cut tape: equal where nothing looks ahead; a column, and a label of a fit, that do are named."""
    rows = orders()
    folds, _ = folds_of(rows, EVERY_MS, 5_000)
    cut = 3_500
    cut_ms = int(rows.placed_ms[cut - 1])

    def until(labels: Mapping[str, np.ndarray]) -> OrderRows:
        short = {name: np.where(rows.known_ms[:cut] > cut_ms, np.nan, values[:cut]) for name, values in labels.items()}
        return OrderRows(rows.names, rows.columns[:cut].copy(), rows.placed_ms[:cut], rows.known_ms[:cut], short)

    clean = prefix_check(rows, until(rows.labels), folds, cut_ms)
    assert clean.clean, clean.text
    assert clean.text.endswith("4 columns, 3 models compared)")
    ahead = until(rows.labels)
    ahead.columns[100, 2] += 1e-9
    assert prefix_check(rows, ahead, folds, cut_ms).leaks[0].what == "column depth"
    relabelled = until({**rows.labels, "edge": rows.labels["edge"] * 1.5})
    assert "model edge" in [leak.what for leak in prefix_check(rows, relabelled, folds, cut_ms).leaks]


def test_a_sell_sees_the_book_from_its_side() -> None:
    """Signed features turn, others do not; an order counts as known at the end of its life, however early it was filled."""
    from tests.engine.l2.test_feasibility import random_market

    moments, _ = random_market(0.02)
    moments = moments._replace(bid_lots=moments.bid_lots * 3.0)
    usable = moments.part > 0
    columns = computed(moments)
    count = 2 * int(usable.sum())
    nothing = np.full((count, 1), np.nan)
    laid = np.repeat(moments.when_ns, 2)
    given = RestingOrders(laid, np.tile([1, -1], count // 2), laid, np.ones(count), np.ones(count), laid + 10**9, *[nothing] * 3)
    rows = order_rows(columns, usable, given, 0, KNOWN_MS)
    at = {name: k for k, name in enumerate(rows.names)}
    assert rows.columns[0, at["imbalance"]] == 0.5
    assert rows.columns[1, at["imbalance"]] == -0.5
    assert rows.columns[0, at["spread"]] == rows.columns[1, at["spread"]]
    assert (rows.known_ms - rows.placed_ms == KNOWN_MS).all()

"""Thirty variants that never beat their parent are proposed to be stopped; one that did, or too few, are not."""

import pytest
from sqlalchemy import Engine

from engine.store import trials
from engine.store.research_tables import Trial
from engine.watch.pruning import VARIANTS_MIN, prunings


def tried(setting: str, n: int, sharpe: float | None, params: str = "") -> Trial:
    """A trial."""
    figures = {"total_return_frac": 0.0, "max_drawdown_frac": 0.0, "trips": 40, "days": 0, "daily_from_ms": 0}
    return Trial(
        id=f"{setting}-{n}",
        hypothesis="trend on BTC-USDT perp",
        number=0,
        strategy="trend",
        setting=setting,
        cache_key="k",
        source="sweep",
        params=params or f'{{"stop_atr": {n}}}',
        first_ms=0,
        last_ms=1,
        sharpe=sharpe,
        created_ms=n,
        **figures,
    )


def search(sqlite: Engine, parent: float | None, variants: list[float | None], setting: str = "s") -> None:
    """A parent and its variants in the ledger."""
    trials.keep(sqlite, [tried(setting, n, ratio) for n, ratio in enumerate([parent, *variants])])


def test_variants_that_never_beat_their_parent_are_proposed_to_be_stopped(sqlite: Engine) -> None:
    """With how many, and both ratios."""
    search(sqlite, 0.8, [0.8 - n / 100 for n in range(VARIANTS_MIN)])
    (found,) = prunings(sqlite)
    assert (found.variants, found.parent, found.parent_sharpe, found.best_sharpe) == (VARIANTS_MIN, "s-0", 0.8, 0.8)
    assert "30 variants of trend on BTC-USDT perp never beat their parent" in found.text
    assert "stop varying it" in found.text


def test_a_parent_that_makes_nothing_is_proposed_to_be_retired(sqlite: Engine) -> None:
    """None of them made money, the parent neither."""
    search(sqlite, -0.2, [-0.5] * VARIANTS_MIN)
    assert "retire it" in prunings(sqlite)[0].text


@pytest.mark.parametrize(
    ("parent", "variants"),
    [(0.8, [0.1] * (VARIANTS_MIN - 1) + [0.81]), (0.8, [0.1] * (VARIANTS_MIN - 1)), (None, [0.1] * VARIANTS_MIN)],
)
def test_one_that_did_better_or_too_few_are_left_alone(
    sqlite: Engine, parent: float | None, variants: list[float | None]
) -> None:
    """Nor is a parent without a ratio a bar that a variant with one fails."""
    search(sqlite, parent, variants)
    assert prunings(sqlite) == []


def test_searches_of_other_settings_are_not_summed(sqlite: Engine) -> None:
    """Twenty on one span and twenty on another are two searches of twenty."""
    for setting in ("s", "t"):
        search(sqlite, 0.8, [0.1] * 20, setting)
    assert prunings(sqlite) == []


def test_variants_without_a_ratio_beat_nothing(sqlite: Engine) -> None:
    """Too few days for one: they count as tried."""
    search(sqlite, 0.8, [None] * VARIANTS_MIN)
    assert prunings(sqlite)[0].best_sharpe is None

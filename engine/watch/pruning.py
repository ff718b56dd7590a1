"""Lines of search that never beat what they came from, from the trial ledger: proposals to stop them. Called by the report and
`strategies history`.

The parent of a setting (same strategy, data, span and costs) is the trial that was run first: a sweep begins with the parameters
that it varies, a person with the live ones. A proposal stops a search or names a sleeve to retire; it changes nothing itself.
"""

from typing import NamedTuple

from sqlalchemy import Engine

from engine.store import trials
from engine.store.research_tables import Trial

VARIANTS_MIN = 30
HYPOTHESES_READ = 200


class Pruned(NamedTuple):
    """A search that can stop: `variants` were tried beside the parent and the best of them did no better. Ratios a year."""

    hypothesis: str
    variants: int
    parent: str  # id of its trial
    parent_sharpe: float | None
    best_sharpe: float | None  # of the variants
    text: str


def prunings(engine: Engine, least: int = VARIANTS_MIN) -> list[Pruned]:
    """Searches of at least `least` variants of which none beat its parent, the largest first."""
    found = list[Pruned]()
    for hypothesis in trials.hypotheses(engine, HYPOTHESES_READ):
        if hypothesis.trials <= least:
            continue
        by_setting: dict[str, list[Trial]] = {}
        for row in trials.of_hypothesis(engine, hypothesis.name):
            if "walkforward" not in trials.params_of(row):
                by_setting.setdefault(row.setting, []).append(row)
        found += [one for rows in by_setting.values() if (one := _judged(hypothesis.name, rows, least))]
    return sorted(found, key=lambda one: (-one.variants, one.hypothesis))


def _judged(name: str, rows: list[Trial], least: int) -> Pruned | None:
    """A setting's verdict; None where there are too few, or one did better."""
    parent, *variants = rows
    if len(variants) < least:
        return None
    ratios = [row.sharpe for row in variants if row.sharpe is not None]
    best = max(ratios, default=None)
    if best is not None and (parent.sharpe is None or best > parent.sharpe):
        return None
    figures = f"{_ratio(parent.sharpe)} of the parent, {_ratio(best)} of the best variant"
    advice = (
        "stop varying it" if parent.sharpe is not None and parent.sharpe > 0 else "retire it: the parent makes nothing either"
    )
    text = f"{len(variants)} variants of {name} never beat their parent (Sharpe {figures}): {advice}"
    return Pruned(name, len(variants), parent.id, parent.sharpe, best, text)


def _ratio(value: float | None) -> str:
    return "undefined" if value is None else f"{value:+.2f}"

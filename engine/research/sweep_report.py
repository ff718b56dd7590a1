"""What a sweep came to, as JSON: the best variations, a heat map, and how much of the best one is luck.

Called by app/jobs/research.py. The verdict is about the search, not about the strategy: a best of a thousand has to beat what the
best of a thousand without skill would show.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Engine

from engine.amounts import figure_text, percent_text
from engine.clock import utc_day
from engine.research.grid import Variations
from engine.research.ledger import TrialLedger, TrialPlace, matrix_of, place_of, tried_with
from engine.research.overfit import BLOCKS, CELLS_MAX, Overfit, best_of_luck, pbo
from engine.research.plateau import SCORE_MIN, Plateau, plateau_of
from engine.research.sweep import Tried, heat, ranked
from engine.sim.leaks import leaks_of
from engine.store import trials
from engine.store.tables import Trial

SHOWN = 20
ERRORS_SHOWN = 10
DEFLATED_MIN = 0.95  # probability that the best is not luck
PBO_MAX = 0.5  # above it the winner of one half is below the middle of the other more often than not
FIGURES = ("sharpe", "total_return_frac", "max_drawdown_frac", "trips", "plateau", "trial")


class SweepResult(NamedTuple):
    """A finished sweep."""

    sweep_id: str
    ledger: TrialLedger
    space: Variations
    search: str
    tried: Sequence[tuple[Tried, Trial | None]]
    new: int  # trials that the ledger did not have
    leaks: Sequence[Mapping[str, Any]]
    notes: Sequence[str]  # on the symbols (research/universe.py)


def report(engine: Engine, found: SweepResult) -> dict[str, Any]:
    """The result of a sweep (all fields are always there; what is undefined is null)."""
    rows = {one.variation.values: row for one, row in found.tried if row is not None}
    order = ranked([one for one, _ in found.tried])
    good = [one for one in order if one.figures is not None]
    failed = [one for one in order if one.figures is None]
    # as it is by now: its family may have been joined with another's
    first = trials.by_id(engine, rows[good[0].variation.values].id) if good else None
    best = place_of(engine, first) if first is not None else None
    overfit = overfit_of([rows[one.variation.values] for one in good])
    total = len(tried_with(engine, found.ledger.hypothesis.name))
    luck = best_of_luck([one.figures.sharpe for one in good if one.figures], max(total, len(good), 1)) if good else None
    ratios = {one.variation.values: one.figures.sharpe for one in good if one.figures is not None}
    keys = found.space.keys
    return {
        "sweep": found.sweep_id,
        "hypothesis": found.ledger.hypothesis.name,
        **about(found.ledger),
        "search": found.search,
        "varied": {key: list(values) for key, values in zip(keys, found.space.axes, strict=True)},
        "variations": len(found.tried),
        "new_trials": found.new,
        "failed": [{"params": values_of(keys, one), "error": one.error} for one in failed[:ERRORS_SHOWN]],
        "failed_count": len(failed),
        "refused": found.space.refused,
        "refused_why": found.space.why or None,
        "columns": [*keys, *FIGURES],
        "rows": [line(one, rows[one.variation.values], ratios, keys) for one in good[:SHOWN]],
        "heat": heat(keys, found.space.axes, ratios) if len(keys) > 1 and ratios else None,
        "best": best_of(keys, good[0], best) if good and best else None,
        "luck_sharpe": None if luck is None else luck.value,
        "pbo": overfit.value,
        "pbo_reason": overfit.reason or None,
        "leaks": leaks_of([dict(leak) for leak in found.leaks]),
        "notes": list(found.notes),
        "verdict": verdict(good, best, overfit, None if luck is None else luck.value),
    }


def about(ledger: TrialLedger) -> dict[str, Any]:
    """What was swept, on which bars."""
    planned = ledger.plans[0]
    symbols = [s.spec.symbol for one in ledger.plans for s in one.sleeves]
    spec = planned.sleeves[0].spec
    sources = sorted({series.source for one in ledger.plans for series in one.series.values()})
    span = {"first_ms": ledger.first_ms, "last_ms": ledger.last_ms, "source": "+".join(sources)}
    asked = {"fills": planned.request.fills, "funding": planned.request.funding, "side": spec.side}
    return {"strategy": spec.strategy, "symbols": symbols, "venue": spec.venue, "timeframe": planned.clock, **span, **asked}


def overfit_of(rows: Sequence[Trial]) -> Overfit:
    """PBO of a search over the days that all of its trials have."""
    if len(rows) < 2:
        return Overfit(None, 0, None, "fewer than 2 trials")
    if len(rows) * max(row.days for row in rows) > CELLS_MAX:
        return Overfit(None, 0, None, f"{len(rows):,} variations are too many for days as many as these")
    return pbo(matrix_of(rows), BLOCKS)


def values_of(keys: Sequence[str], one: Tried) -> dict[str, Any]:
    """The varied parameters of a variation."""
    return dict(zip(keys, one.variation.values, strict=True))


def line(one: Tried, row: Trial, ratios: Mapping[tuple[Any, ...], float | None], keys: Sequence[str]) -> list[Any]:
    """A variation's row of the table."""
    figures = one.figures
    assert figures is not None  # noqa: S101 - only what ran has a line
    alike = [(dict(zip(keys, values, strict=True)), ratio) for values, ratio in ratios.items()]
    score = plateau_of(values_of(keys, one), figures.sharpe, alike).score
    return [
        *one.variation.values,
        figures.sharpe,
        figures.total_return_frac,
        figures.max_drawdown_frac,
        figures.trips,
        score,
        row.number,
    ]


def best_of(keys: Sequence[str], one: Tried, place: TrialPlace) -> dict[str, Any]:
    """The best variation with its place in the ledger."""
    figures = one.figures
    assert figures is not None  # noqa: S101 - the best one ran
    own = {name: getattr(figures, name) for name in ("sharpe", "total_return_frac", "max_drawdown_frac", "trips")}
    return {"params": values_of(keys, one), **own, "trial": place.as_json()}


def verdict(good: Sequence[Tried], best: TrialPlace | None, overfit: Overfit, luck: float | None) -> str:
    """One sentence: does the search show anything beyond luck?"""
    if best is None or not good:
        return "Nothing ran: every variation failed."
    if best.sharpe is None:
        return "Nothing to say: no variation has a Sharpe ratio (too few days, or no trades)."
    chance, plateau = best.deflated_sharpe, best.plateau.word
    shown = f"the best Sharpe is {best.sharpe:+.2f}"
    if best.sharpe <= 0:
        return f"Nothing is there: {shown}, of {len(good):,} variations none is above 0."
    expected = "" if luck is None else f"; the best of {best.trials:,} trials without skill is expected at {luck:+.2f}"
    held = "" if overfit.value is None else f"; PBO {overfit.value:.2f}"
    if chance is None:
        return f"Cannot be distinguished from luck ({best.reason}): {shown}{expected}{held}."
    failing = failures(chance, overfit.value, best.plateau)
    word = failing[0][0] if failing else "Beyond luck on these bars"
    figures = f"{word}: {shown}, deflated Sharpe {figure_text(chance, 2, DEFLATED_MIN)}{expected}{held}; plateau {plateau}."
    return " ".join([figures, *(why for _, why in failing)] if failing else [figures, "Walk it forward."])


def failures(chance: float, overfit: float | None, plateau: Plateau) -> list[tuple[str, str]]:
    """The checks that the best variation fails, the worst first: (what that makes it, a sentence that says why)."""
    found = []
    if not chance >= DEFLATED_MIN:
        found.append(("Not beyond luck", f"A deflated Sharpe of at least {DEFLATED_MIN} is needed."))
    if overfit is not None and not overfit < PBO_MAX:
        often = "as often as not" if overfit == PBO_MAX else "more often than not"
        found.append(("Overfit", f"The best of one half of the days is in the lower half on the other {often} (PBO)."))
    if plateau.score is None:
        found.append(("Not confirmed by its neighbours", f"Whether they do as well is unknown: {plateau.reason}."))
    elif plateau.word != "yes":
        share = (
            f"they reach {percent_text(plateau.score, 0)} of its Sharpe ratio on average, {percent_text(SCORE_MIN, 0)} is needed"
        )
        found.append(("A lonely peak", f"Its neighbours do not do nearly as well: {share}."))
    return found


def luck_of(best: Mapping[str, Any]) -> list[str]:
    """Of a trial's place as JSON: whether it is beyond luck, in some words, and a sentence for each check that it fails."""
    if best["deflated_sharpe"] is None:
        return ["Not known whether it is luck", f"The deflated ratio is undefined: {best['reason']}."]
    plateau = Plateau(best["plateau_score"], 0, best["plateau_reason"])
    failing = failures(best["deflated_sharpe"], None, plateau)
    return [failing[0][0], *(why for _, why in failing)] if failing else ["Beyond luck"]


def span_text(found: Mapping[str, Any]) -> str:
    """`2025-01-01 to 2025-12-31`."""
    return f"{utc_day(found['first_ms'])} to {utc_day(found['last_ms'])}"

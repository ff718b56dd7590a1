"""Is there an edge above the fees in a tape at all? Asked before any model is trained, and answered with no where it is no.

Called by app/cli/l2.py. For each feature and horizon the sign and the threshold are chosen on earlier rows and judged on
later ones, over two halves and over five folds; beside it what a perfect sign would earn, what features of another time earn
by the same method, what all features together earn and what each adds, and what the figures are based on.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from engine.errors import BadInput
from engine.l2.features import FeatureColumn
from engine.l2.moments import Moments
from engine.l2.tape import Floats, Ints
from engine.models.folds import PurgedFold, audit_rows, walk_forward

DAY_MS = 86_400_000
HORIZONS_S = (1, 5, 10, 30)
STRONGEST = 0.10  # share of moments that a rule trades: where the feature is farthest from its median
FOLDS = 5
FOLDS_ABOVE = 4  # of them that must be above the fees
INDEPENDENT_MIN = 30  # moments that do not overlap, or a mean is a story
DAYS_MIN = 7.0  # of tape before a yes
SPAN_S_MIN = 60.0
ROWS_TRAIN_MIN = 50
SHIFTS = 9  # other times that features are taken from, to see what chance gives
RIDGE = 1e-3  # of all features together: columns that are nearly the same may not blow it up


class Edge(NamedTuple):
    """What a rule earned, bps a moment, before fees; None where it had no moment."""

    bps: float | None
    moments: int
    independent: int  # moments at least one horizon apart


class Cell(NamedTuple):
    """One feature at one horizon."""

    feature: str
    horizon_s: float
    inside: Edge  # in the half that chose the rule
    outside: Edge  # in the half after it
    folds: list[Edge]
    clears: bool  # above the floor outside, and in FOLDS_ABOVE of the folds


class Split(NamedTuple):
    """The two geometries of one horizon, over the rows whose outcome is known."""

    rows: Ints
    halves: list[PurgedFold]
    folds: list[PurgedFold]
    audit: str


def returns_of(moments: Moments, every_ms: int, horizon_s: float) -> Floats:
    """The middle's move over a horizon from each row on, bps; NaN where either end has no usable book, or no row."""
    steps, out = round(horizon_s * 1000 / every_ms), np.full(len(moments.when_ns), np.nan)
    middle, when = (moments.bid + moments.ask) / 2.0, moments.when_ns
    if 0 < steps < len(middle):
        there = when[steps:] - when[:-steps] == steps * every_ms * 1_000_000  # else the rows between two tapes are missing
        out[:-steps] = np.where(there, (middle[steps:] / middle[:-steps] - 1.0) * 1e4, np.nan)
    return out


def split_of(known: "np.ndarray", every_ms: int, horizon_s: float) -> Split:
    """Two halves and FOLDS folds of the rows whose outcome is known, purged by the horizon and audited (models/folds.py).

    By recorded time: hours between two tapes take none, and no outcome reaches over them. Raises BadInput for a tape that is too
    short.
    """
    rows = np.flatnonzero(known)
    close = rows.astype(np.int64) * every_ms
    if len(rows) < ROWS_TRAIN_MIN or close[-1] - close[0] < SPAN_S_MIN * 1000:
        raise BadInput(f"not enough tape for a horizon of {horizon_s:g} s", f"at least {SPAN_S_MIN:g} s of usable book beyond it")
    known_ms = close + int(horizon_s * 1000)
    span = int(close[-1] - close[0]) + int(np.diff(close).min())
    found = []
    for parts in (2, FOLDS + 1):
        days = span // parts / DAY_MS
        found.append(walk_forward(close, known_ms, train_days=days, test_days=days, step_days=days))
    return Split(rows, found[0], found[1], audit_rows(found[1], close, known_ms))


def rule_of(values: Floats, returns: Floats) -> tuple[float, float, float] | None:
    """(median, sign, threshold) chosen on these rows: which side of the median goes with a rise, and how far out to trade."""
    good = np.isfinite(values) & np.isfinite(returns)
    x, y = values[good], returns[good]
    if len(x) < ROWS_TRAIN_MIN or x.min() == x.max() or y.min() == y.max():
        return None
    middle = float(np.median(x))
    sign = 1.0 if float(np.mean((x - x.mean()) * (y - y.mean()))) >= 0.0 else -1.0
    return middle, sign, float(np.quantile(np.abs(x - middle), 1.0 - STRONGEST))


def edge_of(rule: tuple[float, float, float] | None, values: Floats, returns: Floats, when_ms: Ints, horizon_s: float) -> Edge:
    """What the rule earned on these rows."""
    if rule is None:
        return Edge(None, 0, 0)
    middle, sign, threshold = rule
    away = values - middle
    chosen = np.isfinite(values) & np.isfinite(returns) & (np.abs(away) >= threshold) & (away != 0.0)
    if not chosen.any():
        return Edge(None, 0, 0)
    earned = np.sign(away[chosen]) * sign * returns[chosen]
    return Edge(float(earned.mean()), int(chosen.sum()), independent(when_ms[chosen], horizon_s))


def independent(when_ms: Ints, horizon_s: float) -> int:
    """How many of these times are at least a horizon apart, taken greedily from the first."""
    count, after = 0, -1
    while (at := int(np.searchsorted(when_ms, after))) < len(when_ms):
        count, after = count + 1, int(when_ms[at]) + int(horizon_s * 1000)
    return count


def judged(name: str, values: Floats, returns: Floats, when_ms: Ints, split: Split, horizon_s: float, floor_bps: float) -> Cell:
    """One cell: rules chosen on training rows, earned on test rows."""
    x, y, t = values[split.rows], returns[split.rows], when_ms[split.rows]

    def judge(fold: PurgedFold, rows: Ints) -> Edge:
        return edge_of(rule_of(x[fold.train], y[fold.train]), x[rows], y[rows], t[rows], horizon_s)

    half = split.halves[0]
    edges = [judge(fold, fold.test) for fold in split.folds[:FOLDS]]
    return cell_of(name, horizon_s, judge(half, half.train), judge(half, half.test), edges, floor_bps)


def cell_of(name: str, horizon_s: float, inside: Edge, outside: Edge, folds: list[Edge], floor_bps: float) -> Cell:
    """A cell with its verdict."""
    above = sum(edge.bps is not None and edge.bps > floor_bps for edge in folds)
    enough = outside.independent >= INDEPENDENT_MIN
    clears = outside.bps is not None and outside.bps > floor_bps and above >= FOLDS_ABOVE and enough
    return Cell(name, horizon_s, inside, outside, folds, clears)


def together(columns: Sequence[FeatureColumn], returns: Floats, split: Split, fold: PurgedFold) -> Floats:
    """All features as one: a ridge regression on the fold's training rows, its prediction for every row of the split.

    A missing value is the training mean, so that a row is not lost for one feature; columns that do not vary are left out.
    """
    x = np.stack([column.values[split.rows] for column in columns], axis=1)
    y = returns[split.rows]
    train = x[fold.train]
    seen = np.isfinite(train).sum(axis=0) >= ROWS_TRAIN_MIN
    if not seen.any():
        return np.full(len(y), np.nan)
    x, train = x[:, seen], train[:, seen]
    mean, deviation = np.nanmean(train, axis=0), np.nanstd(train, axis=0)
    x, mean, deviation = x[:, deviation > 0], mean[deviation > 0], deviation[deviation > 0]
    scaled = np.where(np.isfinite(x), (x - mean) / deviation, 0.0)
    inner, outcome = scaled[fold.train], y[fold.train] - y[fold.train].mean()
    weights = np.linalg.solve(inner.T @ inner + RIDGE * len(inner) * np.eye(inner.shape[1]), inner.T @ outcome)
    return np.asarray(scaled @ weights)


def combined(
    columns: Sequence[FeatureColumn], returns: Floats, when_ms: Ints, split: Split, horizon_s: float, floor_bps: float
) -> Cell:
    """All features together as one cell; each fold fits its own regression."""
    y, t = returns[split.rows], when_ms[split.rows]

    def judge(fold: PurgedFold, *sets: Ints) -> list[Edge]:
        x = together(columns, returns, split, fold)
        rule = rule_of(x[fold.train], y[fold.train])
        return [edge_of(rule, x[rows], y[rows], t[rows], horizon_s) for rows in sets]

    half = split.halves[0]
    inside, outside = judge(half, half.train, half.test)
    return cell_of("all together", horizon_s, inside, outside, [judge(f, f.test)[0] for f in split.folds[:FOLDS]], floor_bps)


def ablation(
    columns: Sequence[FeatureColumn], returns: Floats, when_ms: Ints, split: Split, horizon_s: float, floor_bps: float
) -> list[dict[str, Any]]:
    """What all features together earn outside without each of them, beside what they earn with it."""
    full = combined(columns, returns, when_ms, split, horizon_s, floor_bps).outside.bps
    found = []
    for k, column in enumerate(columns):
        rest = [*columns[:k], *columns[k + 1 :]]
        bps = combined(rest, returns, when_ms, split, horizon_s, floor_bps).outside.bps
        adds = None if bps is None or full is None else full - bps
        found.append({"without": column.name, "out_bps": bps, "adds_bps": adds})
    return found


def by_chance(
    columns: Sequence[FeatureColumn], returns: dict[float, Floats], splits: dict[float, Split], when_ms: Ints
) -> list[float]:
    """What the best cell earns outside when every feature is of another time of the tape: SHIFTS bests, ascending.

    So many cells are tried that one of them looks good by chance; an edge that does not beat these is that one.
    """
    found = []
    for shift in range(1, SHIFTS + 1):
        best = -np.inf
        for h, split in splits.items():
            half, by = split.halves[0], len(split.rows) * shift // (SHIFTS + 1)
            y, t = returns[h][split.rows], when_ms[split.rows]
            for column in columns:
                x = np.roll(column.values[split.rows], by)
                rule = rule_of(x[half.train], y[half.train])
                bps = edge_of(rule, x[half.test], y[half.test], t[half.test], h).bps
                best = best if bps is None else max(best, bps)
        found.append(best)
    return sorted(x for x in found if np.isfinite(x))


class Feasibility(NamedTuple):
    """The whole answer."""

    verdict: str  # yes, no, not enough tape
    why: str
    floor_bps: float
    cells: list[Cell]
    together: list[Cell]
    oracle: list[Cell]  # the outcome itself as a feature, which the method must find
    chance: list[float]  # by_chance
    ablation: list[dict[str, Any]]  # at the horizon where all together earn most outside
    ablation_s: float
    substrate: dict[str, Any]


def feasibility(
    moments: Moments, columns: Sequence[FeatureColumn], every_ms: int, floor_bps: float, horizons_s: Sequence[float] = HORIZONS_S
) -> Feasibility:
    """Judge every feature at every horizon. Raises BadInput for a tape too short for them, and for terms that are none."""
    require_terms(every_ms, floor_bps, horizons_s)
    when_ms = moments.when_ns // 1_000_000
    returns = {h: returns_of(moments, every_ms, h) for h in horizons_s}
    splits = {h: split_of(np.isfinite(y), every_ms, h) for h, y in returns.items()}
    cells = [
        judged(column.name, column.values, returns[h], when_ms, splits[h], h, floor_bps) for column in columns for h in horizons_s
    ]
    both = [combined(columns, returns[h], when_ms, splits[h], h, floor_bps) for h in horizons_s]
    oracle = [judged("oracle", y, y, when_ms, splits[h], h, floor_bps) for h, y in returns.items()]
    chance = by_chance(columns, returns, splits, when_ms)
    most = max(both, key=lambda cell: -np.inf if cell.outside.bps is None else cell.outside.bps).horizon_s
    without = ablation(columns, returns[most], when_ms, splits[most], most, floor_bps)
    ground = substrate(moments, columns, returns, splits, every_ms)
    verdict, why = verdict_of([*cells, *both], oracle, chance, ground, floor_bps)
    return Feasibility(verdict, why, floor_bps, cells, both, oracle, chance, without, most, ground)


def require_terms(every_ms: int, floor_bps: float, horizons_s: Sequence[float]) -> None:
    """Raises BadInput for a floor or horizons that are none."""
    if not 0.0 < floor_bps <= 1000.0:
        raise BadInput(f"a floor of {floor_bps:g} bps", "what both sides cost: above 0, at most 1,000")
    if not 1 <= len(horizons_s) <= 20 or len(set(horizons_s)) != len(horizons_s):
        raise BadInput(f"{len(horizons_s)} horizons", "1 to 20, each once")
    for h in horizons_s:
        if not every_ms / 1000 <= h <= 3600 or abs(h * 1000 / every_ms - round(h * 1000 / every_ms)) > 1e-9:
            raise BadInput(f"a horizon of {h:g} s", f"a multiple of {every_ms} ms, at most an hour")


def verdict_of(
    cells: Sequence[Cell], oracle: Sequence[Cell], chance: Sequence[float], ground: dict[str, Any], floor_bps: float
) -> tuple[str, str]:
    """(verdict, one sentence). A method that does not find the outcome itself says neither yes nor no."""
    deaf = [cell.horizon_s for cell in oracle if cell.outside.bps is None or cell.outside.bps <= 0.0]
    if deaf:
        return "not enough tape", f"the method does not find the outcome itself at {', '.join(f'{h:g} s' for h in deaf)}"
    clear = [cell for cell in cells if cell.clears]
    if not clear:
        best = max(cells, key=lambda cell: -np.inf if cell.outside.bps is None else cell.outside.bps)
        high = (
            "none had a moment"
            if best.outside.bps is None
            else f"the best is {best.outside.bps:+.2f} ({best.feature}, {best.horizon_s:g} s)"
        )
        rule = f"outside and in {FOLDS_ABOVE} of {FOLDS} folds"
        return "no", f"0 of {len(cells)} cells of feature and horizon clear {floor_bps:g} bps {rule}; {high}"
    text = f"{len(clear)} of {len(cells)} cells clear {floor_bps:g} bps"
    best_bps = max(cell.outside.bps for cell in clear if cell.outside.bps is not None)
    if not chance or best_bps <= chance[-1]:
        return "no", f"{text}, the best with {best_bps:+.2f}; features of another time reach {max(chance, default=np.nan):+.2f}"
    if ground["days"] < DAYS_MIN:
        return "not enough tape", f"{text}, on {ground['days']:.3g} days: at least {DAYS_MIN:g} days count"
    return "yes", f"{text}: {', '.join(f'{cell.feature} at {cell.horizon_s:g} s' for cell in clear[:5])}"


def substrate(
    moments: Moments, columns: Sequence[FeatureColumn], returns: dict[float, Floats], splits: dict[float, Split], every_ms: int
) -> dict[str, Any]:
    """What the figures are based on: how much tape, how much of it is usable, features that say nothing, how far prices move."""
    usable = moments.part > 0
    span_ms = float(len(moments.when_ns) * every_ms)
    features = []
    for column in columns:
        good = column.values[np.isfinite(column.values)]
        constant = not len(good) or bool(good.min() == good.max())
        features.append({"name": column.name, "missing_frac": 1.0 - len(good) / max(len(column.values), 1), "constant": constant})
    horizons = []
    for h, y in returns.items():
        good = y[np.isfinite(y)]
        mean = float(np.abs(good).mean())
        horizons.append(
            {
                "horizon_s": h,
                "sd_bps": float(good.std()),
                "mean_absolute_bps": mean,  # what a perfect sign earns that trades every moment
                "independent": independent(moments.when_ns[np.isfinite(y)] // 1_000_000, h),
                "audit": splits[h].audit,
            }
        )
    return {
        "rows": len(moments.when_ns),
        "days": span_ms / DAY_MS,
        "usable_frac": float(usable.mean()) if len(usable) else 0.0,
        "resyncs": max(int(moments.part.max(initial=0)) - 1, 0),
        "trades": bool(np.isfinite(moments.trades).any()),
        "features": features,
        "horizons": horizons,
    }

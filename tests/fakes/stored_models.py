"""Small stored models, made by hand without a learner: trees of one split, and a regime; each fit says something else."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.clock import DAY_MS, timeframe_ms
from engine.features import manifest
from engine.models import artifact, gates
from engine.models.artifact import Artifact, ModelDraft, ModelFit
from engine.models.gates import Gate
from engine.models.regime import RegimeModel, observed_features
from tests.fakes.papers import FROM_MS

FEATURES = ("returns(4)", "realised_vol(16)")
BTC = "synthetic:BTC-USDT:perp"
DAYS = (20, 30, 35, 36)  # of the market of papers.py, at whose end each fit begins to answer: the desk begins on day 33


def tree(low: float, high: float, threshold: float = 0.0, column: int = 0) -> dict[str, Any]:
    """A dump of one split."""
    split = {"split_feature": column, "threshold": threshold, "decision_type": "<=", "default_left": True, "missing_type": "NaN"}
    node = split | {"left_child": {"leaf_value": low}, "right_child": {"leaf_value": high}}
    top = {"objective": "regression", "max_feature_idx": 1, "num_class": 1, "num_tree_per_iteration": 1, "average_output": False}
    return top | {"tree_info": [{"num_cat": 0, "tree_structure": node}]}


def states(shift: float = 0.0) -> RegimeModel:
    """Three states that a day of the synthetic market moves between."""
    one, zero = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)), (0.0, 0.0, 0.0)
    moves = ((0.96, 0.03, 0.01), (0.02, 0.96, 0.02), (0.01, 0.03, 0.96))
    means = ((-1.0, shift, -0.3), (shift, -0.2, 0.0), (1.0, 0.1, 0.3 + shift))
    return RegimeModel((0.0, -6.0, 0.0), (0.02, 0.6, 0.01), (0.3, 0.4, 0.3), moves, means, (one, one, one), zero, 4, True)


def metrics_of(*failed: str, of_regimes: bool = False, value: float = 0.45) -> dict[str, Any]:
    """What a model was worth, as the trainer writes it, with these gates red."""
    names = gates.OF_REGIMES if of_regimes else gates.OF_PREDICTIONS
    judged = gates.as_json([Gate(name, name not in failed, f"{name} by hand") for name in names])
    if of_regimes:
        return judged
    spread = {"median": value - 0.03, "worst": 0.1, "best": 0.7, "rows": 2_880}
    test = {"value": value, "low": value - 0.03, "high": value + 0.03, **spread}
    better = {**test, "value": 0.02, "low": 0.01, "high": 0.03}
    har = {**test, "value": value - 0.02, "better_by": better}
    rows = [
        [1, "2024-11-21 00:00", "2024-11-26 00:00", 1_900, 480, value + 0.05, value, value - 0.02],
        [2, "2024-11-26 00:00", "2024-12-01 00:00", 1_900, 480, value + 0.05, value, value - 0.02],
    ]
    columns = ["fold", "test_from", "test_to", "train_rows", "test_rows", "training", "test", "baseline"]
    figures = {"figure": "R2", "test": test, "training": value + 0.05, "baselines": {"HAR": har}, "hardest_baseline": "HAR"}
    return {**figures, "folds": {"columns": columns, "rows": rows}, **judged}


def store(
    root: Path,
    name: str = "vol-btc",
    version: str = "1.0.0",
    *,
    of_regimes: bool = False,
    instrument: str = BTC,
    timeframe: str = "15m",
    features: Sequence[str] = FEATURES,
    days: Sequence[float] = DAYS,
    metrics: Mapping[str, Any] | None = None,
    **config: Any,
) -> Artifact:
    """A model whose fits begin to answer at the end of these days of the market; its gates have passed unless `metrics` say
    otherwise."""
    texts = observed_features(timeframe_ms(timeframe)) if of_regimes else tuple(features)
    fits = []
    for number, day in enumerate(days):
        from_ms = FROM_MS + round(day * DAY_MS)
        made = {"trees": None, "regime": states(0.1 * number)} if of_regimes else {"trees": tree(-0.5 - number, 1.0 + number)}
        fits.append(ModelFit(from_ms - 3_600_000, from_ms, **made))
    label = {"name": "regime"} if of_regimes else {"name": "log_vol_4", "unit": "log of a fraction a bar"}
    about = manifest.manifest_of(list(texts), timeframe, FROM_MS)
    worth = metrics_of(of_regimes=of_regimes) if metrics is None else metrics
    draft = ModelDraft(label, timeframe, instrument, {"name": "by hand"}, about, fits, config, {}, worth, "by hand\n")
    return artifact.write(root, name, version, draft)

"""Small stored models, made by hand without a learner: trees of one split, and a regime; each fit says something else."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.clock import DAY_MS, timeframe_ms
from engine.features import manifest
from engine.models import artifact
from engine.models.artifact import Artifact, ModelDraft, ModelFit
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
    **config: Any,
) -> Artifact:
    """A model whose fits begin to answer at the end of these days of the market."""
    texts = observed_features(timeframe_ms(timeframe)) if of_regimes else tuple(features)
    fits = []
    for number, day in enumerate(days):
        from_ms = FROM_MS + round(day * DAY_MS)
        made = {"trees": None, "regime": states(0.1 * number)} if of_regimes else {"trees": tree(-0.5 - number, 1.0 + number)}
        fits.append(ModelFit(from_ms - 3_600_000, from_ms, **made))
    label = {"name": "regime"} if of_regimes else {"name": "log_vol_4", "unit": "log of a fraction a bar"}
    about = manifest.manifest_of(list(texts), timeframe, FROM_MS)
    draft = ModelDraft(label, timeframe, instrument, {"name": "by hand"}, about, fits, config, {}, {}, "by hand\n")
    return artifact.write(root, name, version, draft)

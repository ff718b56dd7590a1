"""A stored model trained again: its own setting on the bars that there are now, as its next version.

Called by app/jobs/training.py. Features, label, folds, learner, search and what is read beside the bars are those of the stored
version. The training begins where that one began and ends with the last bar; the version that was there stays as it is.
"""

from collections.abc import Mapping
from typing import Any

from engine.clock import timeframe_ms
from engine.errors import DataError
from engine.features.reads import Reads
from engine.models.artifact import Artifact
from engine.models.distribution import distribution_of
from engine.models.portfolio import aliased
from engine.models.recipe import TrainRecipe
from engine.models.regime import observed_features
from engine.models.side_trades import THRESHOLD
from engine.models.train_config import REGIME, TrainUnit


def unit_again(model: Artifact) -> TrainUnit:
    """The unit that makes the next version. Raises DataError for a version that was stored without what it reads."""
    about, where = model.about, f"{model.name}@{model.version}"
    label, config = about["label"], about["config"]
    instrument, timeframe = str(about["instrument"]), str(about["timeframe"])
    learner: Mapping[str, Any] = about["learner"]
    if model.is_regime:
        texts: tuple[str, ...] = observed_features(timeframe_ms(timeframe))
        settings, kind = dict[str, Any](), dict[str, str]()
        reads = Reads(timeframe, (), ())
    elif model.distribution is None:
        what = f"{where} was trained before what a model reads was stored with it: it cannot be trained again by its name"
        raise DataError(what, "nightdesk models train CONFIG.toml")
    else:
        texts = tuple(entry.call for entry in model.features.features)
        settings = {name: value for name, value in learner.items() if name not in ("name", "objective")}
        kind = {"learner": str(learner["name"])}
        reads = distribution_of(model.distribution, len(texts), f"the model {where}").reads
    shares, beside = aliased(label.get("portfolio", {}), instrument)
    target = REGIME if model.is_regime else str(label["name"])
    recipe = TrainRecipe(texts, target, settings, config["search"], config["days"], config["from_ms"], shares, **kind)
    threshold = float(config.get("threshold", THRESHOLD))
    ends = (config["from_ms"], None)
    return TrainUnit(model.name, "", instrument, timeframe, recipe, reads, *ends, str(config["learner"]), threshold, beside)

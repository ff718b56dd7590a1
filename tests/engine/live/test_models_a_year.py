"""A year of 15m bars through the live path: what a strategy process answers of a model is the history's column, to the bit."""

import time
from pathlib import Path

import numpy as np
import pytest

from engine.core.state import DAY_MS
from engine.features.frame import FeatureFrame
from engine.features.predicted import FrameModel
from engine.models.column import ModelColumn
from engine.strategies.isolated.bars import pack_frame
from engine.strategies.isolated.process import StrategyProcess
from engine.strategies.params import StrategyParams
from tests.engine.models.test_baselines import bars
from tests.fakes.papers import FROM_MS
from tests.fakes.stored_models import store

TEXT = '''"""Own."""
import numpy as np
from engine.strategies.base import SignalFrame, StrategyParams

NAME = "own"
FEATURES = ()
MODELS = ("vol-btc", "states")
Params = StrategyParams


def signals(f, p):
    f.model("vol-btc"), f.regime("states"), f.regime("states", "bull")
    return SignalFrame(np.zeros(len(f), np.int8), np.zeros(len(f)))
'''


def with_models(count: int, root: Path) -> FeatureFrame:
    """Bars with a model of trees and one of states, a fit every five days."""
    plain = bars(count)
    moved = (int(plain.close_ms[0]) - plain.timeframe_ms - FROM_MS) / DAY_MS
    days = [moved + day for day in np.arange(5.0, count / 96, 5.0)]
    models = {
        "vol-btc": FrameModel(ModelColumn(store(root / "trees", days=days))),
        "states": FrameModel(ModelColumn(store(root / "states", "states", days=days, of_regimes=True))),
    }
    columns = {name: getattr(plain, name) for name in ("open", "high", "low", "close", "volume")}
    return FeatureFrame(plain.close_ms, **columns, timeframe_ms=plain.timeframe_ms, models=models)


def answers(frame: FeatureFrame, ends: list[int], block: int) -> dict[str, np.ndarray]:
    """What a process says of each column at the last bars of prefixes; it is sent each model once, the bars as they grow."""
    process, out = StrategyProcess(), dict[str, np.ndarray]()
    try:
        process.begun(time.monotonic() + 120)
        for model in frame.stored.values():
            process.give(model.columns.model)
        for start in range(0, len(ends), block):
            own = ends[start : start + block]
            about, arrays = pack_frame(frame.prefix(own[-1] + 1))
            params = StrategyParams().model_dump()
            load = {"do": "load", "key": "k", "name": "own", "text": TEXT, "file": "own.py", "params": params, "first": 0}
            process.ask(load | {"frame": about}, arrays)
            for t in own:
                process.ask({"do": "bars", "key": "k", "tag": f"{t}", "t": t, "until": t + 1}, key=f"{t}", answers=1)
            for t in own:
                said = process.answer(f"{t}", time.monotonic() + 300)
                assert "wrong" not in said, said
                for label, value in said["read"].items():
                    out.setdefault(label, np.full(len(frame), np.nan))[t] = np.nan if value is None else value
    finally:
        process.close()
    return out


def check_live_is_history(frame: FeatureFrame, ends: list[int], block: int) -> None:
    """Assert that each answer has the bits of the whole column there."""
    found = answers(frame, ends, block)
    f = frame.reader()
    f.model("vol-btc"), f.regime("states"), f.regime("states", "bull")
    assert set(found) == set(f.used)
    for label, values in f.used.items():
        same = (found[label][ends].view(np.int64) == values[ends].view(np.int64)) | (
            np.isnan(found[label][ends]) & np.isnan(values[ends])
        )
        assert same.all(), (label, ends[int(np.argmin(same))])
        assert np.isfinite(values[ends]).any(), label


def test_some_hundred_bars_are_the_history(tmp_path: Path) -> None:
    """Three hundred closes in a row over changes of fits, the bars sent anew every sixty."""
    check_live_is_history(with_models(1_800, tmp_path), list(range(1_400, 1_700)), 60)


@pytest.mark.long
def test_a_year_of_bars_is_the_history(tmp_path: Path) -> None:
    """All 35,040, each answered from a prefix that ends there."""
    check_live_is_history(with_models(35_040, tmp_path), list(range(35_040)), 480)

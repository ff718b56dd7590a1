"""A FeatureFrame as raw arrays and back: the desk sends its bars to a strategy process, which so reads no file. Models are sent
once and named here (engine/models/packed.py).

Called by engine.live.signal_source (packs) and serve.py (unpacks). Both ends are this program on this machine: native order.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.data.sources import Observations
from engine.features.frame import FeatureFrame
from engine.features.predicted import FrameModel, StoredColumns


def pack_frame(frame: FeatureFrame) -> tuple[dict[str, Any], list[bytes]]:
    """(what the arrays are, the arrays): the clock, the columns, those of each other instrument, two of each outside series, and
    the same beside for each model.
    """
    arrays = [frame.close_ms.tobytes(), *_columns(frame)]
    about = {"timeframe_ms": frame.timeframe_ms, "own": frame.recorded, **_beside(*frame.beside, arrays)}
    models = [[name, m.columns.key, _beside(m.others, m.outside, arrays)] for name, m in frame.stored.items()]
    return about | {"models": models}, arrays


def unpack_frame(about: dict[str, Any], arrays: Sequence[bytes], models: Mapping[str, StoredColumns] = {}) -> FeatureFrame:
    """The frame that was packed; `models` by their keys."""
    rest = iter(arrays)
    close_ms, step = np.frombuffer(next(rest), np.int64), int(about["timeframe_ms"])

    def columns(recorded: Sequence[str]) -> dict[str, Any]:
        return {name: np.frombuffer(next(rest), np.float64) for name in recorded}

    def beside(read: Mapping[str, Any]) -> tuple[dict[str, FeatureFrame], dict[str, Observations]]:
        others = {name: FeatureFrame(close_ms, **columns(own), timeframe_ms=step) for name, own in read["others"]}
        outside = {
            name: Observations(np.frombuffer(next(rest), np.int64), np.frombuffer(next(rest), np.float64), age_ms, until_ms)
            for name, (age_ms, until_ms) in read["outside"].items()
        }
        return others, outside

    own = columns(about["own"])
    others, outside = beside(about)
    read = {name: FrameModel(models[key], *beside(more)) for name, key, more in about["models"]}
    return FeatureFrame(close_ms, **own, timeframe_ms=step, others=others, outside=outside, models=read)


def _beside(others: Mapping[str, Any], outside: Mapping[str, Observations], arrays: list[bytes]) -> dict[str, Any]:
    """What is read beside the bars, appended to `arrays`."""
    for other in others.values():
        arrays += _columns(other)
    for series in outside.values():
        arrays += [series.available_ms.tobytes(), series.values.tobytes()]
    return {
        "others": [[name, other.recorded] for name, other in others.items()],
        "outside": {name: [series.max_age_ms, series.until_ms] for name, series in outside.items()},
    }


def _columns(frame: FeatureFrame) -> list[bytes]:
    return [getattr(frame, name).tobytes() for name in frame.recorded]

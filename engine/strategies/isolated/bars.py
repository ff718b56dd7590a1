"""A FeatureFrame as raw arrays and back: the desk sends its bars to a strategy process, which so reads no file.

Called by engine.live.signal_source (packs) and serve.py (unpacks). Both ends are this program on this machine: native order.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.data.sources import Observations
from engine.features.frame import FeatureFrame


def pack_frame(frame: FeatureFrame) -> tuple[dict[str, Any], list[bytes]]:
    """(what the arrays are, the arrays): the clock, the columns, those of each other instrument, two of each outside series."""
    arrays = [frame.close_ms.tobytes(), *_columns(frame)]
    for other in frame._others.values():
        arrays += _columns(other)
    for series in frame._outside.values():
        arrays += [series.available_ms.tobytes(), series.values.tobytes()]
    outside = {name: [series.max_age_ms, series.until_ms] for name, series in frame._outside.items()}
    columns = [frame.recorded, *(other.recorded for other in frame._others.values())]
    return {"timeframe_ms": frame.timeframe_ms, "others": list(frame._others), "outside": outside, "columns": columns}, arrays


def unpack_frame(about: dict[str, Any], arrays: Sequence[bytes]) -> FeatureFrame:
    """The frame that was packed."""
    rest, recorded = iter(arrays), iter(about["columns"])
    close_ms, step = np.frombuffer(next(rest), np.int64), int(about["timeframe_ms"])

    def columns() -> dict[str, Any]:
        return {name: np.frombuffer(next(rest), np.float64) for name in next(recorded)}

    own = columns()
    others = {name: FeatureFrame(close_ms, **columns(), timeframe_ms=step) for name in about["others"]}
    outside = {
        name: Observations(np.frombuffer(next(rest), np.int64), np.frombuffer(next(rest), np.float64), age_ms, until_ms)
        for name, (age_ms, until_ms) in about["outside"].items()
    }
    return FeatureFrame(close_ms, **own, timeframe_ms=step, others=others, outside=outside)


def _columns(frame: FeatureFrame) -> list[bytes]:
    return [getattr(frame, name).tobytes() for name in frame.recorded]

"""The frame that a strategy process receives is the desk's."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from engine.features.predicted import FrameModel
from engine.models.column import ModelColumn
from engine.models.packed import pack_model, unpack_model
from engine.strategies.isolated.bars import pack_frame, unpack_frame
from engine.strategies.isolated.process import StrategyProcess
from tests.engine.features.feature_calls import CALLS, bars, bits, value
from tests.fakes import stored_models


def test_a_strategy_process_reads_the_frame_of_the_desk() -> None:
    """Packed and unpacked: the same bits of every feature, of other instruments and of taker volume."""
    frame = bars(1, 300, 0.01)
    about, arrays = pack_frame(frame)
    received = unpack_frame(json.loads(json.dumps(about)), arrays)
    for name, args in CALLS:
        assert bits(value(received, name, args)) == bits(value(frame, name, args)), (name, args)
    other, sent = frame.of("XRP-USDT"), received.of("XRP-USDT")
    assert bits(sent.cumulative_delta(24)) == bits(other.cumulative_delta(24))


def test_what_was_not_recorded_is_not_sent() -> None:
    """A frame without taker volume stays one: five columns, and no delta."""
    frame = bars(1, 50, 0.0)
    frame._taker_buy = None
    about, arrays = pack_frame(frame)
    assert len(arrays) == 1 + 5 + 2 * 6 + 2 * len(frame._outside)
    received = unpack_frame(about, arrays)
    assert np.isnan(received.delta()).all()
    assert np.isfinite(received.of("SOL-USDT").delta()).all()


def test_two_versions_of_one_content_are_two_models(tmp_path: Path) -> None:
    """A version that was trained again on the same bars: each sleeve's journal names its own, in a process that has both."""
    made = [stored_models.store(tmp_path, "vol-btc", version) for version in ("1.0.0", "1.0.1")]
    assert made[0].sha256 == made[1].sha256
    process, sent = StrategyProcess.__new__(StrategyProcess), list[Any]()
    process._given, process.ask = set(), lambda request, arrays: sent.append((request, arrays))  # type: ignore[method-assign]
    for model in (*made, *made):
        process.give(model)
    assert [request["model"]["version"] for request, _ in sent] == ["1.0.0", "1.0.1"]
    received = {model.key: ModelColumn(unpack_model(*pack_model(model))) for model in made}
    for model in made:
        frame = bars(1, 50, 0.0)
        frame._models = {"vol-btc": FrameModel(ModelColumn(model))}
        read = unpack_frame(*pack_frame(frame), received)
        assert read.stored["vol-btc"].columns.label("") == f"model(vol-btc@{model.version})"

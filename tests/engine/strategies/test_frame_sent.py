"""The frame that a strategy process receives is the desk's."""

import json

import numpy as np

from engine.strategies.isolated.bars import pack_frame, unpack_frame
from tests.engine.features.feature_calls import CALLS, bars, bits, value


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

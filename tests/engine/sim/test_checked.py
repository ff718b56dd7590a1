"""Bars and features of a plan's sleeves: what several of them read is there once."""

from pathlib import Path

from engine.data.catalog import Catalog
from engine.sim.backtest import load, signals_in_span
from engine.sim.checked import frames_of
from engine.sim.request import Request, SleeveRequest, plan
from tests.fakes import recordings


def test_sleeves_that_read_the_same_bars_share_what_is_computed_on_them(tmp_path: Path) -> None:
    """One frame for two sleeves of an instrument, another for a third; the signals are those of a frame of its own."""
    specs = [SleeveRequest(*x) for x in (("trend", "BTC-USDT"), ("trend", "ETH-USDT"), ("reversion", "ETH-USDT"))]
    planned = plan(Request(tuple(specs)), Catalog([(recordings.record(tmp_path), "recorded")]))
    loaded = load(planned)
    frames = frames_of(planned.sleeves, loaded)
    assert frames[1] is frames[2]
    assert frames[0] is not frames[1]
    for sleeve, frame in zip(planned.sleeves, frames, strict=True):
        shared, own = signals_in_span(sleeve, loaded, frame=frame), signals_in_span(sleeve, loaded)
        assert list(shared.used) == list(own.used)
        assert all(a.tobytes() == b.tobytes() for a, b in zip(shared[:-1], own[:-1], strict=True))

"""What a sleeve hears from its strategy: a person's own never sees a later bar, and its faults silence it, told once."""

from collections.abc import Iterator

import pytest

from app.home.home import Home
from engine.control.config import active, validated
from engine.live import config_event, signal_source
from engine.live.loop import Loop
from engine.store.journal import read
from engine.strategies.base import load_strategy
from engine.strategies.signals import signals_of
from tests.fakes.papers import WALL_MS, advanced, feed_of, loop_of, signal_at
from tests.fakes.versions import put_in_force

OWN = '''"""A person's own."""
import numpy as np
from engine.strategies.base import SignalFrame, StrategyParams

NAME = "own"
FEATURES = ("sma",)


class Params(StrategyParams):
    """None of its own."""


def signals(f, p):
    """{about}"""
    {code}
    return SignalFrame(direction.astype(np.int8), np.abs(direction) * 0.5)
'''
LEAKS = "direction = np.sign(np.append(f.close[1:], f.close[-1]) - f.close)"
RAISES = "direction = np.ones(len(f)) * (1 / (len(f) % 7) > 0)"
ENDLESS = "while True: pass"
PLAIN = "direction = np.sign(f.close - f.sma(20)); direction[np.isnan(direction)] = 0"


def with_own(home: Home, code: str) -> Home:
    """The home with a person's strategy under its first sleeve."""
    (home.strategies / "own.py").write_text(OWN.format(about="Signals.", code=code))
    config = active(home.engine, home.path)[1]
    sleeve = config.sleeves[0].model_copy(update={"strategy": "own", "params": {}})
    put_in_force(home.engine, home.path, validated(config.with_sleeve(sleeve), home.strategies), WALL_MS)
    return home


@pytest.fixture
def loops() -> Iterator[list[Loop]]:
    """Loops whose journals are closed at the end."""
    opened: list[Loop] = []
    yield opened
    for loop in opened:
        loop.signals.keep([])
        loop.journal.close()


def heard(loop: Loop) -> list:
    """The first sleeve's journaled side at each bar; None where it has no signal."""
    signals = [e.body["signals"]["btc-trend"] for e in read(loop.journal.path, {"bar"})]
    return [None if signal is None else signal[0] for signal in signals]


def silences(loop: Loop) -> list[str]:
    """Why the first sleeve had no signal, at each bar without one."""
    bars = [e.body for e in read(loop.journal.path, {"bar"})]
    return [body["silent"]["btc-trend"] for body in bars if body["signals"]["btc-trend"] is None]


def test_a_strategy_that_looks_ahead_sees_nothing_to_look_at(home: Home, loops: list[Loop]) -> None:
    """Its last bar is the last there is, though the desk has the next ones on disk."""
    loop = loop_of(with_own(home, LEAKS), feed_of(home))
    loops.append(loop)
    assert set(heard(advanced(loop, 30))) == {0}


def test_a_persons_strategy_is_heard_and_its_features_are_journaled(home: Home, loops: list[Loop]) -> None:
    """A clean one trades like a shipped one."""
    loop = loop_of(with_own(home, PLAIN), feed_of(home))
    loops.append(loop)
    advanced(loop, 40)
    assert set(heard(loop)) == {-1, 1}
    mine = [e.body for e in read(loop.journal.path, {"decision"}) if e.body["sleeve"] == "btc-trend"]
    assert all("sma(20)" in body["features"] for body in mine)


def test_a_strategy_that_raises_is_silent_for_that_bar_and_told_once(home: Home, loops: list[Loop]) -> None:
    """No signal at every seventh bar, one incident for each time it begins to fail; the desk goes on."""
    loop = loop_of(with_own(home, RAISES), feed_of(home))
    loops.append(loop)
    advanced(loop, 21)
    assert heard(loop).count(None) == 3
    assert all(why.startswith("raised: ") for why in silences(loop))
    told = [e.body["what"] for e in read(loop.journal.path, {"incident"})]
    assert len(told) == 3
    assert all("ZeroDivisionError" in text or "division" in text for text in told)


def test_a_strategy_that_never_ends_is_cut_off(home: Home, loops: list[Loop], monkeypatch: pytest.MonkeyPatch) -> None:
    """The other sleeves get their bar."""
    monkeypatch.setattr(signal_source, "OWN_S", 0.5)
    loop = loop_of(with_own(home, ENDLESS), feed_of(home))
    loops.append(loop)
    advanced(loop, 2)
    assert heard(loop) == [None, None]
    assert all(why.startswith("late: ") for why in silences(loop))
    others = [e.body["signals"]["eth-trend"] for e in read(loop.journal.path, {"bar"})]
    assert None not in others


LIMITED = """direction = np.sign(f.close - f.sma(20)); direction[np.isnan(direction)] = 0
    return SignalFrame(direction.astype(np.int8), np.abs(direction) * 0.5, None, 0.5, True, 4)"""


def test_a_persons_limit_entry_reaches_the_desk_as_a_backtest_has_it(home: Home, loops: list[Loop]) -> None:
    """Limit, post-only and life of every close are those that the whole history gives; the intents say limit."""
    loop = loop_of(with_own(home, LIMITED), feed_of(home))
    loops.append(loop)
    spec, feed = loop.book.specs[0], loop.feed
    code = config_event.code_of(spec, home.strategies)
    whole = signals_of(load_strategy("own", home.strategies), code.params, feed.frame(code.instrument), code.costs, code.side)
    for t in range(40):
        (reading,) = loop.signals.readings([spec], feed, t, live=False)
        assert repr(reading.signal) == repr(signal_at(whole, feed.first + t))
    advanced(loop, 80)
    mine = [e.body for e in read(loop.journal.path, {"intent"}) if e.body["sleeve"] == "btc-trend" and e.body["slot"] == "entry"]
    assert {(b["type"], b["post_only"], b["good_for_bars"]) for b in mine} == {("limit", True, 4)}
    fills = [e.body for e in read(loop.journal.path, {"fill"}) if e.body["sleeve"] == "btc-trend" and e.body["slot"] == "entry"]
    assert {b["liquidity"] for b in fills} == {"maker"}

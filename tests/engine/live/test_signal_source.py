"""What a sleeve hears from its strategy: a person's own never sees a later bar, and its faults silence it, told once."""

import math
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from app.home.home import Home
from engine.control.config import active, validated
from engine.live import config_event, signal_source
from engine.live.loop import Loop
from engine.live.signal_source import features_of, own_signal
from engine.store.journal import read
from engine.strategies.base import load_strategy
from engine.strategies.isolated.wire import Nonsense
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
STUCK = "import time\n    while True: time.sleep(0.01)"  # HOSTILE has one that takes a whole core
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


LIMITED = """direction = np.sign(f.close - f.sma(20)); direction[np.isnan(direction)] = 0
    return SignalFrame(direction.astype(np.int8), np.abs(direction) * 0.5, None, 0.5, True, 4)"""


@pytest.mark.slow
def test_a_persons_limit_entry_reaches_the_desk_as_a_backtest_has_it(home: Home, loops: list[Loop]) -> None:
    """Limit, post-only and life of every close are those that the whole history gives; the intents say limit."""
    loop = loop_of(with_own(home, LIMITED), feed_of(home))
    loops.append(loop)
    spec, feed = loop.book.specs[0], loop.feed
    code = config_event.code_of(spec, home.strategies)
    whole = signals_of(
        load_strategy("own", home.strategies), code.params, feed.frame(code.instrument, code.reads), code.costs, code.side
    )
    for t in range(40):
        (reading,) = loop.signals.readings([spec], feed, t, live=False)
        assert repr(reading.signal) == repr(signal_at(whole, feed.clock.first + t))
    advanced(loop, 80)
    mine = [e.body for e in read(loop.journal.path, {"intent"}) if e.body["sleeve"] == "btc-trend" and e.body["slot"] == "entry"]
    assert {(b["type"], b["post_only"], b["good_for_bars"]) for b in mine} == {("limit", True, 4)}
    fills = [e.body for e in read(loop.journal.path, {"fill"}) if e.body["sleeve"] == "btc-trend" and e.body["slot"] == "entry"]
    assert {b["liquidity"] for b in fills} == {"maker"}


HOSTILE = {
    "os._exit(3)": "crashed: its process ended with exit code 3",
    "while True: pass": "late: no answer in time",
    'open(f"/proc/{os.getppid()}/environ").read()': "PermissionError",
    'socket.create_connection(("1.1.1.1", 53), 3)': "raised: ",
    "x = bytearray(10_000_000_000)": "MemoryError",
    "sys.stdout.write('x' * 100_000); os.write(1, b'y' * 100)": "",
}


BY_IMPORT = (
    "PermissionError",
    "raised: ",
    "MemoryError",
)  # shown at import in test_isolated.py; here they are long


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    "code", [pytest.param(code, marks=pytest.mark.long) if why in BY_IMPORT else code for code, why in HOSTILE.items()]
)
def test_what_a_strategy_does_costs_its_own_signal_alone(
    home: Home, loops: list[Loop], monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """In signals(): the bar says why there is no signal, the other sleeves have theirs, this process never runs the file."""
    if HOSTILE[code].startswith("late"):  # nothing else is to be late, also on a busy machine
        monkeypatch.setattr(signal_source, "OWN_S", 0.5)
    sys.modules.pop("strategy_own", None)
    loop = loop_of(with_own(home, f"import os, socket, sys\n    {code}\n    {PLAIN}"), feed_of(home))
    loops.append(loop)
    advanced(loop, 2)
    bars = [e.body for e in read(loop.journal.path, {"bar"})]
    assert all(body["signals"]["eth-trend"] is not None and body["signals"]["sol-reversion"] is not None for body in bars)
    why = HOSTILE[code]
    assert [why in text for text in silences(loop)] == ([True, True] if why else [])
    assert "strategy_own" not in sys.modules


@pytest.mark.slow
def test_a_journal_with_silent_bars_folds_without_strategy_code(home: Home, loops: list[Loop]) -> None:
    """Replay takes null as the core takes what cannot be computed; it imports no strategy and no feature."""
    loop = loop_of(with_own(home, RAISES), feed_of(home))
    loops.append(loop)
    advanced(loop, 9)
    assert silences(loop)
    code = (
        "import sys; from pathlib import Path; from engine.book.replay import fold; book = fold(Path(sys.argv[1]), whole=True); "
        "print(book.count, [m for m in sys.modules if m.startswith(('engine.strategies', 'engine.features', 'strategy_'))])"
    )
    words = [sys.executable, "-P", "-c", code, str(loop.journal.path)]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "9 []\n"


@pytest.mark.slow
def test_a_bar_that_closes_now_is_not_waited_for(home: Home, loops: list[Loop], monkeypatch: pytest.MonkeyPatch) -> None:
    """All sleeves together have LIVE_S; a stuck strategy is silent, and what was computed in time is there."""
    monkeypatch.setattr(signal_source, "LIVE_S", 1.0)
    feed = feed_of(home)
    loop = loop_of(with_own(home, f"import time\n    while len(f) > {feed.clock.first + 1}: time.sleep(0.01)\n    {PLAIN}"), feed)
    loops.append(loop)
    advanced(loop, 1)  # starts the processes
    assert heard(loop) != [None]
    t = feed.after(loop.book.close_ms)
    began = time.monotonic()
    found = loop.signals.readings(loop.book.specs, loop.feed, t, live=True)
    assert time.monotonic() - began < signal_source.OWN_S
    assert found[0].wrong.startswith("late: ")
    assert not found[1].wrong


@pytest.mark.slow
def test_a_strategy_that_keeps_failing_is_asked_less_and_less(
    home: Home, loops: list[Loop], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replay with a stuck strategy goes on: after faults in a row it rests for 1, 2, ... bars."""
    monkeypatch.setattr(signal_source, "OWN_S", 0.3)
    loop = loop_of(with_own(home, STUCK), feed_of(home))
    loops.append(loop)
    advanced(loop, 4)
    assert heard(loop) == [None] * 4
    source = next(source for _, source in loop.signals._kept if not source.code.shipped)
    assert source._own_process is not None
    assert source._own_process.faults == 3  # at bars 1, 2, 4


GOOD = {"side": 1, "strength": 0.5, "limit": 0.0, "post_only": 0, "good_for": 1}
GOOD |= {"stop": 0.0, "target": 0.0, "leave": 0, "hold": 0, "size_frac": 0.0, "reverse": 0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"side": 2},
        {"side": True},
        {"side": "1"},
        {"strength": 1.5},
        {"strength": "0.5"},
        {"limit": [1]},
        {"post_only": 2},
        {"good_for": 0},
        {"good_for": 10**9},
        {"stop": -1.0},
        {"target": "120"},
        {"leave": 4},
        {"leave": True},
        {"hold": -1},
        {"hold": 2.0},
        {"size_frac": -0.1},
        {"size_frac": 1e300},
        {"reverse": 2},
        {"reverse": True},
    ],
)
def test_an_answer_out_of_bounds_is_nonsense(wrong: dict) -> None:
    """Types and bounds of each number; null is a strength or a limit that is not known."""
    assert own_signal(GOOD).side == 1
    assert math.isnan(own_signal({**GOOD, "strength": None}).strength)
    with pytest.raises(Nonsense):
        own_signal({**GOOD, **wrong})
    with pytest.raises(Nonsense):
        features_of({"a": "b"})

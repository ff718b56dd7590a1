"""A person's strategy file costs nothing but its own signal: it is read in a process that holds nothing, under a limit."""

import re
import sys
import time
from pathlib import Path

import pytest

from engine.errors import BadInput, StrategyError
from engine.strategies.base import code_sha256, load_strategy, params_table, parse_params
from engine.strategies.isolated import described
from engine.strategies.isolated.described import from_memory, read_strategy
from engine.strategies.isolated.process import ProcessFault, StrategyProcess
from engine.strategies.isolated.wire import Nonsense, encode_answer, take_answers
from tests.fakes import descriptions

TEXT = '''"""Mine."""
import os, socket, sys
from typing import Literal, Self
import numpy as np
from pydantic import model_validator
from engine.strategies.base import OutsideSeries, SignalFrame, StrategyParams, choice, knob
{top}
NAME = "own"
FEATURES = ("sma",)
INSTRUMENTS = ("ETH-USDT",)
SERIES = {{"funding": OutsideSeries("funding", "rate", max_age_hours=9)}}


class Params(StrategyParams):
    """Parameters."""

    n: int = knob(20, 2, 50, "bars", "up", "window", zero="off")
    way: Literal["up", "down"] = choice("up", "neutral", "which way")
    stop_atr: float = knob(3.0, 1.0, 5.0, "ATR", "up", "stop")
{checks}

def signals(f, p):
    """Nothing."""
    return SignalFrame(np.zeros(len(f), np.int8), np.zeros(len(f)))
'''
CHECKS = '''
    @model_validator(mode="after")
    def even(self) -> Self:
        """The window is even."""
        {code}
        if self.n % 2:
            raise ValueError("n must be even")
        return self
'''


@pytest.fixture(autouse=True)
def asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file here is asked by a process, also one that says what another said."""
    monkeypatch.setattr(described, "_ask", descriptions.ask)


def own_file(folder: Path, top: str = "", checks: str = "") -> Path:
    """The file `own.py`, with code at its top and checks in its Params."""
    path = folder / "own.py"
    path.write_text(TEXT.format(top=top, checks=checks))
    return folder


def test_a_file_describes_itself_as_it_is(tmp_path: Path) -> None:
    """Parameters, bounds, risk, what it reads and the digest of its code: as loading it gives them. Its code is not there."""
    own_file(tmp_path)
    sys.modules.pop("strategy_own", None)
    seen = read_strategy("own", tmp_path)
    assert "strategy_own" not in sys.modules
    assert not hasattr(seen, "signals")
    real = load_strategy("own", tmp_path)
    assert params_table(seen) == params_table(real)
    assert (seen.FEATURES, seen.INSTRUMENTS, seen.SERIES) == (real.FEATURES, real.INSTRUMENTS, real.SERIES)
    assert code_sha256(seen) == code_sha256(real)
    assert seen.__doc__ == real.__doc__
    assert parse_params(seen, {"n": "7"}).model_dump() == parse_params(real, {"n": "7"}).model_dump()
    with pytest.raises(BadInput, match="n = 51 is out of bounds"):
        parse_params(seen, {"n": 51})


@pytest.mark.slow
def test_a_files_own_checks_hold(tmp_path: Path) -> None:
    """A validator of its Params refuses as it does when the file is run, and only there."""
    own_file(tmp_path, checks=CHECKS.format(code="pass"))
    seen = read_strategy("own", tmp_path)
    assert parse_params(seen, {"n": 8}).n == 8
    with pytest.raises(BadInput, match="n must be even"):
        parse_params(seen, {"n": 7})


HOSTILE = {
    "it ends its process": ("os._exit(3)", "crashed: its process ended with exit code 3"),
    "it never ends": ("while True: pass", "late: no answer in time"),
    "it raises": ('raise RuntimeError("no\\nmore")', "RuntimeError: no"),
    "it looks for keys": (
        'raise RuntimeError(sorted(k for k in os.environ if "KEY" in k or "NIGHTDESK" in k))',
        r"RuntimeError: \[\]",
    ),
    "it looks into the desk": ('open(f"/proc/{os.getppid()}/environ").read()', "PermissionError"),
    "it opens a socket": ('socket.create_connection(("1.1.1.1", 53), 3)', "OSError|unreachable"),
    "it writes 10 GB": ('open("/tmp/nightdesk-big", "wb").write(b"x" * 1_000_000)', "OSError|PermissionError"),
    "it takes 10 GB": ("x = bytearray(10_000_000_000)", "MemoryError"),
    "it answers for the process": (
        "[os.write(n, b'\\x05\\0\\0\\0hello') for n in range(3, 9) if n != 3]",
        "crashed|nonsense|OSError",
    ),
}


@pytest.mark.sample(3)
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_is_one_clear_line(tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its import: exit, loop, environment, socket, disk, memory, forged answers. StrategyError, and soon."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    code, said = HOSTILE[what]
    if said.startswith("late"):  # the others are to answer, also on a busy machine
        monkeypatch.setattr(described, "LIMIT_S", 0.5)
    own_file(tmp_path, top=code)
    began = time.monotonic()
    with pytest.raises(StrategyError, match=said) as error:
        read_strategy("own", tmp_path)
    assert "sk-secret" not in str(error.value)
    assert "\n" not in str(error.value)
    assert time.monotonic() - began < 30.0


@pytest.mark.parametrize(("code", "said"), [("os._exit(3)", "crashed"), ("while self.n == 8: pass", "late")])
def test_hostile_checks_of_parameters_are_one_clear_line(
    tmp_path: Path, code: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same in its Params: when it is described, or when values are checked."""
    own_file(tmp_path, checks=CHECKS.format(code=code))
    seen = read_strategy("own", tmp_path) if said == "late" else None  # at the defaults it answers
    if said == "late":
        monkeypatch.setattr(described, "LIMIT_S", 0.5)
    with pytest.raises(StrategyError, match=said):
        parse_params(seen or read_strategy("own", tmp_path), {"n": 8})


def outcome(folder: Path) -> str:
    """The name of the strategy, or why it cannot be read."""
    try:
        return str(read_strategy("own", folder).NAME)
    except StrategyError as error:
        return str(error)


def test_what_it_prints_goes_nowhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither into its answers nor onto our screen."""
    own_file(tmp_path, top='print("x" * 100_000); print("y", file=sys.stderr)')
    assert outcome(tmp_path) == "own"
    assert capfd.readouterr() == ("", "")


def test_a_child_that_it_forks_is_an_error_of_its_own(tmp_path: Path) -> None:
    """Refused; where the kernel lets root fork all the same, two answers to one question are nonsense or the second is unread."""
    own_file(tmp_path, top="os.fork()")
    assert re.search("^own$|BlockingIOError|nonsense|crashed", outcome(tmp_path))


def test_nothing_is_started_inside_a_transaction(tmp_path: Path) -> None:
    """What was read before is known; a file that changed since refuses, at once."""
    own_file(tmp_path)
    read_strategy("own", tmp_path)
    with from_memory():
        assert read_strategy("own", tmp_path).NAME == "own"
        own_file(tmp_path, top="while True: pass")
        with pytest.raises(StrategyError, match="changed just now"):
            read_strategy("own", tmp_path)


def test_answers_are_bounded_and_objects() -> None:
    """Too long, not JSON, not an object: nonsense. A part of an answer waits for its rest."""
    whole = encode_answer({"key": "a", "x": float("nan")})
    buffer = bytearray(whole + whole[:5])
    assert take_answers(buffer) == [{"key": "a", "x": None}]
    assert buffer == whole[:5]
    for bad in (b"\xff\xff\xff\x7f", b"\x02\0\0\0{[", b"\x02\0\0\0[]"):
        with pytest.raises(Nonsense):
            take_answers(bytearray(bad))


def test_a_process_that_was_killed_says_so() -> None:
    """Its fault names the signal, and closing it twice is no fault."""
    process = StrategyProcess()
    process.begun(time.monotonic() + 30.0)
    process.close()
    process.close()
    with pytest.raises((ProcessFault, ValueError)):
        process.answer("x", time.monotonic() + 1.0)


THREADS = """
from engine.features.spread import vol, vol_ratio
from engine.features.ta import ta
def threads():
    return len(os.listdir("/proc/self/task"))
before, bars = threads(), 1.0 + np.sin(np.arange(5_000.0)) ** 2
vol.compute(bars, 900_000), vol_ratio.compute(bars, bars, bars, 900_000, 14), ta().SMA(bars, 20)
if threads() != before:
    raise RuntimeError(f"{threads()} threads, {before} before")
"""


def test_features_start_no_thread(tmp_path: Path) -> None:
    """Every thread is there before the limit on children, which refuses one to any user but root."""
    own_file(tmp_path, top=THREADS)
    assert read_strategy("own", tmp_path).NAME == "own"

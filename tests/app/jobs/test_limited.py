"""The limit around a strategy's work: its alarm, its words, its crash."""

import signal
import subprocess
import sys
from typing import Any

import pytest

from app.jobs import kinds
from engine.errors import StrategyError
from tests.fakes.waiting import WAIT_S


def test_a_limit_that_was_kept_leaves_no_alarm_behind() -> None:
    """Neither the timer nor the handler of before is changed for what comes after."""
    before = signal.getsignal(signal.SIGALRM)
    with kinds.limited(30.0, "x"):
        pass
    with pytest.raises(KeyError), kinds.limited(30.0, "x"):
        raise KeyError("its own error passes through")
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_what_a_strategy_prints_is_not_the_command_s_result(capsys: pytest.CaptureFixture[str]) -> None:
    """It goes to stderr; after the work stdout is stdout again."""
    with kinds.limited(30.0, "x"):
        print("hello 10200")
    print("result")
    assert capsys.readouterr() == ("result\n", "hello 10200\n")


@pytest.mark.slow
def test_a_crash_in_native_code_says_where() -> None:
    """Not only an exit code: the line that did it."""
    code = "from app.jobs import kinds\nimport ctypes\nwith kinds.limited(30.0, 'x'):\n    ctypes.string_at(0)\n"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGSEGV
    assert "Segmentation fault" in ended.stderr
    assert 'File "<string>", line 4' in ended.stderr


def test_a_machine_that_stalls_while_late_work_is_left_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The alarm rings once more before it is taken back: one error comes out, and nothing rings afterwards."""
    taken_back = signal.setitimer

    def stalls(which: int, seconds: float, again: float = 0.0) -> Any:
        if seconds == 0.0:
            signal.raise_signal(signal.SIGALRM)
        return taken_back(which, seconds, again)

    monkeypatch.setattr(kinds.signal, "setitimer", stalls)
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(StrategyError, match="did not end within"), kinds.limited(WAIT_S, "the work"):
        signal.raise_signal(signal.SIGALRM)
    assert (signal.getitimer(signal.ITIMER_REAL), signal.getsignal(signal.SIGALRM)) == ((0.0, 0.0), before)

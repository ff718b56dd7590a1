"""The parent of several API processes: how many there are, and what it does with one that dies, hangs or cannot serve."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from app.processes import children
from app.processes.api_processes import ApiProcesses
from app.processes.pulse import HANG_S, START_S


class Living:
    """A process that lives until it is killed."""

    def __init__(self) -> None:
        self.code: int | None = None

    def poll(self) -> int | None:
        """Its exit code."""
        return self.code

    def kill(self) -> None:
        """It ends."""
        self.code = -9


def toml(home: Path, words: str) -> None:
    """Words for the section [api] of a home's desk.toml."""
    home.mkdir(exist_ok=True)
    (home / "desk.toml").write_text(f"[api]\n{words}\n")


@pytest.fixture
def two(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Two processes on a clock of the test's, started and beating."""
    toml(own_home, "processes = 2")
    made: Any = ApiProcesses(own_home, 0, 8420)
    made.now, made.starts = 1_000.0, 0
    monkeypatch.setattr(time, "monotonic", lambda: made.now)
    for member in made.members:

        def start(child: Any = member.child) -> None:
            child.process, child.began, made.starts = Living(), made.now, made.starts + 1

        member.child.start = start
    return made


def looked(two: Any, seconds: float, *beating: int) -> list[bool]:
    """What the parent makes of it some time later, when these have beaten."""
    two.now += seconds
    for n in beating:
        os.write(two.members[n].child.fds[1], b".")
    return [two.attend(member) for member in two.members]


def test_how_many_there_are_is_said_in_desk_toml(own_home: Path) -> None:
    """One by default and for what is no number; the command line is that of the parent only where there are several."""
    assert (children.api_count(own_home), children.api_command(own_home)) == (1, children.one_api_command())
    for words, count in (("processes = 3", 3), ("processes = 0", 1), ('processes = "many"', 1), ("processes = 99", 1)):
        toml(own_home, words)
        assert children.api_count(own_home) == count
    toml(own_home, "processes = 3\nhost = '::1'\nport = 9001")
    assert children.api_command(own_home)[-1] == "app.processes.api_processes"
    assert children.api_address(own_home, {}) == ("::1", 9001)
    assert children.api_address(own_home, {"NIGHTDESK_API_PORT": "9002"}) == ("::1", 9002)
    assert children.api_address(own_home, {"NIGHTDESK_LISTEN": "0.0.0.0"}) == ("0.0.0.0", 9001)


def test_one_that_hangs_is_killed_and_started_again(two: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The one that beats is left alone; the other is named, with how long it was silent."""
    assert looked(two, 0) == [True, True]
    looked(two, 1, 0, 1)
    looked(two, HANG_S + 1, 0)
    assert [member.child.process.code for member in two.members] == [None, -9]
    looked(two, 1, 0)
    looked(two, 5, 0)
    assert two.starts == 3
    assert f"API process 2 was killed by signal 9: it did not serve for {HANG_S + 1:.0f} s" in capsys.readouterr().out


def test_one_that_loads_its_libraries_has_longer(two: Any) -> None:
    """Before its first beat it may take as long as an API alone."""
    looked(two, 0)
    looked(two, START_S - 1)
    assert [member.child.process.code for member in two.members] == [None, None]
    looked(two, 2, 0, 1)
    assert [member.child.process.code for member in two.members] == [None, None]


def test_when_the_first_cannot_serve_the_parent_ends(two: Any) -> None:
    """Bad settings end it at once, as they end an API alone; once one has served, a death is only a death."""
    looked(two, 0)
    two.members[0].child.process.code = 1
    assert looked(two, 1) == [False, True]
    looked(two, 1)
    looked(two, 1, 1)
    two.members[0].child.process.code = 1
    assert looked(two, 1) == [True, True]

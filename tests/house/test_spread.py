"""How a run is spread: each test is run once, a process stays in its folder, and nothing that went wrong is left unsaid."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from xdist.remote import Producer

from tests.spread import ByFolder, InFewWords, mark_samples

OUTCOMES = """
import pytest

@pytest.fixture
def broken():
    yield
    raise RuntimeError("at its end")

def test_passes(): pass
def test_fails(): assert 0
def test_is_skipped(): pytest.skip("why")
def test_passes_and_breaks(broken): pass
@pytest.mark.skip
def test_never(): pass
@pytest.fixture
def no_beginning():
    raise RuntimeError("at its beginning")
def test_never_begins(no_beginning): pass
"""


class Process:
    """One that runs its tests when it is asked to."""

    def __init__(self) -> None:
        self.gateway = SimpleNamespace(id="p")
        self.sent: list[int] = []
        self.shutting_down = False

    def send_runtest_some(self, indices: list[int]) -> None:
        """Its next tests."""
        self.sent += indices

    def shutdown(self) -> None:
        """No more come."""
        self.shutting_down = True


def spread(files: dict[str, int], count: int) -> list[list[str]]:
    """The files of each of `count` processes that run a test each in turns; every test is run once, and all processes end."""
    tests = [f"{file}::test_{n}" for file, number in files.items() for n in range(number)]
    config: Any = SimpleNamespace(getvalue=lambda _: ["popen"] * count, option=SimpleNamespace(loadscopereorder=False))
    schedule, processes = ByFolder(config, Producer("test", enabled=False)), [Process() for _ in range(count)]
    for process in processes:
        schedule.add_node(process)  # type: ignore[arg-type]
    for process in processes:
        schedule.add_node_collection(process, tests)  # type: ignore[arg-type]
    schedule.schedule()
    ran: list[list[str]] = [[] for _ in processes]
    while any(process.sent for process in processes):
        for process, own in zip(processes, ran, strict=True):
            if process.sent:
                place = process.sent.pop(0)
                own.append(tests[place])
                schedule.mark_test_complete(process, place)  # type: ignore[arg-type]
    assert Counter(test for own in ran for test in own) == Counter(tests)
    assert schedule.tests_finished
    assert all(process.shutting_down for process in processes)
    return [list(dict.fromkeys(test.split("::")[0] for test in own)) for own in ran]


def test_a_process_stays_in_its_folder_to_the_end() -> None:
    """Then it takes one that nobody has."""
    files = {"a/test_1.py": 4, "a/test_2.py": 3, "b/test_1.py": 5, "b/test_2.py": 3, "b/test_3.py": 3, "c/test_1.py": 6}
    assert spread(files, 2) == [["a/test_1.py", "a/test_2.py", "c/test_1.py"], ["b/test_1.py", "b/test_2.py", "b/test_3.py"]]


def test_where_all_folders_are_taken_the_fullest_is_shared() -> None:
    """Two files wait in `b` and five in `c` when the first process has done its own."""
    files = {"a/test_1.py": 3, **{f"b/test_{n}.py": 9 for n in range(3)}, **{f"c/test_{n}.py": 9 for n in range(6)}}
    assert {file[0] for file in spread(files, 3)[0][:3]} == {"a", "c"}


def test_what_went_wrong_is_reported_whenever_it_did(tmp_path: Path) -> None:
    """Of a test its call; its beginning and its end where they failed or were left out, and no more."""
    (tmp_path / "test_outcomes.py").write_text(OUTCOMES)
    seen: list[tuple[str, str, str]] = []

    class Kept:
        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            """Note it."""
            seen.append((report.nodeid.rpartition("::")[2], report.when or "", report.outcome))

    without = [
        word for name in ("cacheprovider", "terminal", "capture", "faulthandler", "logging") for word in ("-p", f"no:{name}")
    ]
    pytest.main([str(tmp_path), "-c", "/dev/null", "--rootdir", str(tmp_path), *without], plugins=[InFewWords(), Kept()])
    assert seen == [
        ("test_passes", "call", "passed"),
        ("test_fails", "call", "failed"),
        ("test_is_skipped", "call", "skipped"),
        ("test_passes_and_breaks", "call", "passed"),
        ("test_passes_and_breaks", "teardown", "failed"),
        ("test_never", "setup", "skipped"),
        ("test_never_begins", "setup", "failed"),
    ]


@pytest.mark.parametrize(("count", "cases", "stay"), [(1, 3, [2]), (3, 10, [0, 4, 9]), (3, 2, [0, 1]), (4, 4, [0, 1, 2, 3])])
def test_a_sample_keeps_its_ends_and_no_long_case(count: int, cases: int, stay: list[int]) -> None:
    """What it leaves out is slow; a long case is none of those it is drawn from."""
    slow = []

    def item(n: int, *, long: bool) -> Any:
        marks = {"sample": SimpleNamespace(args=(count,)), **({"long": True} if long else {})}
        return SimpleNamespace(nodeid=f"test_it[{n}]", get_closest_marker=marks.get, add_marker=lambda _: slow.append(n))

    mark_samples([item(n, long=n >= cases) for n in range(cases + 3)])
    assert [n for n in range(cases) if n not in slow] == stay
    assert max(slow, default=0) < cases

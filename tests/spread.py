"""How a run of several processes is spread: whole files, and a process stays in a folder, whose libraries and homes it has made.

xdist gives the next file to whoever is done first: every process loads every library, and processes that wait for others wait at
the same time. It looks for each test in the list of all, counts at each end of a test all that a process ever had, and sends five
messages of a test where two say the same: 25 s of CPU with 14,000 tests.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import pytest
from _pytest import fixtures
from _pytest.runner import runtestprotocol
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

SLOW_S = 0.05  # what is set up or taken down for longer is reported, for --durations


class ByFolder(LoadFileScheduling):
    """Files as they were collected: the next one of a process's own folder, else of one that nobody has, else of the fullest."""

    @cached_property
    def places(self) -> dict[str, int]:
        """Where each test is in the list that every process has collected."""
        return {nodeid: place for place, nodeid in enumerate(self.collection or ())}

    @cached_property
    def folders(self) -> dict[WorkerController, str]:
        """The folder that each process is in."""
        return {}

    def _assign_work_unit(self, node: WorkerController) -> None:
        """The next file for a process; files that it has done are forgotten."""
        own = self.assigned_work[node]
        for file in [file for file, tests in own.items() if all(tests.values())]:
            del own[file]
        file = self._next_file(node)
        own[file] = tests = self.workqueue.pop(file)
        node.send_runtest_some([self.places[nodeid] for nodeid, done in tests.items() if not done])

    def _next_file(self, node: WorkerController) -> str:
        waiting: dict[str, list[str]] = {}  # folder -> files
        for file in self.workqueue:
            waiting.setdefault(file.rpartition("/")[0], []).append(file)
        folder = self.folders.get(node)
        if folder not in waiting:
            free = [one for one in waiting if one not in self.folders.values()]
            folder = free[0] if free else max(waiting, key=lambda one: len(waiting[one]))
        self.folders[node] = folder
        return waiting[folder][0]


class InFewWords:
    """One of several processes reports of a test its call, and what failed or took long beside it."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        """As pytest runs it."""
        for report in runtestprotocol(item, log=False, nextitem=nextitem):
            if report.when == "call" or not report.passed or report.duration > SLOW_S:
                item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True


names_of = fixtures.getfuncargnames


def argnames(function: Callable[..., Any], *, name: str = "", cls: type | None = None) -> tuple[str, ...]:
    """As pytest's, which makes the fixture `request` anew for each that asks for it, and looks each time what that takes."""
    return () if name == "request" else names_of(function, name=name, cls=cls)


def mark_samples(items: Sequence[pytest.Item]) -> None:
    """Of the cases of a test marked `sample(n)` all but n are slow; first and last stay, long ones are left as they are."""
    families: dict[tuple[str, int], list[pytest.Item]] = {}
    for item in items:
        if (sample := item.get_closest_marker("sample")) and not item.get_closest_marker("long"):
            families.setdefault((item.nodeid.partition("[")[0], *sample.args), []).append(item)
    for (_, count), cases in families.items():
        last = len(cases) - 1
        stay = {round(n * last / (count - 1)) for n in range(count)} if count > 1 else {last}
        for n, item in enumerate(cases):
            if n not in stay:
                item.add_marker("slow")

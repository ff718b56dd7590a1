"""How a run of several processes is spread: whole files, as xdist does it, without its searches through all tests.

xdist looks for each test in the list of all of them and counts at each end of a test all that a process has ever had; and of each
test five messages go from process to process where three say the same. With 14,000 tests that was 25 s of CPU.
"""

from functools import cached_property

import pytest
from _pytest.runner import runtestprotocol
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

SLOW_S = 0.05  # what is set up or taken down for longer is reported, for --durations


class ByFile(LoadFileScheduling):
    """Files in the order in which they were collected, the next one for whoever is done first."""

    @cached_property
    def places(self) -> dict[str, int]:
        """Where each test is in the list that every process has collected."""
        return {nodeid: place for place, nodeid in enumerate(self.collection or ())}

    def _assign_work_unit(self, node: WorkerController) -> None:
        """The next file for a process; files that it has done are forgotten."""
        own = self.assigned_work[node]
        for file in [file for file, tests in own.items() if all(tests.values())]:
            del own[file]
        file, tests = self.workqueue.popitem(last=False)
        own[file] = tests
        node.send_runtest_some([self.places[nodeid] for nodeid, done in tests.items() if not done])


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

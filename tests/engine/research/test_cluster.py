"""A sweep on a real Dask cluster: a scheduler and workers in processes of their own, one of them killed in the middle."""

import signal
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from engine import cluster
from engine.errors import BadInput
from engine.research import search, sweep_tasks
from engine.store.db import migrate, open_db
from tests.engine.research.conftest import Planner
from tests.fakes.dask_clusters import DaskCluster
from tests.fakes.waiting import WAIT_S

ASKED = {"strategy": "trend", "symbols": ["BTC-USDT"], "vary": {"fast_bars": "5:50:5", "stop_atr": "0.5:5:0.5"}}


@pytest.mark.long
def test_a_worker_killed_in_a_sweep_loses_nothing(
    dask: DaskCluster, make: Planner, ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every variation is there once, with the figures of a sweep in this process."""
    first, _ = dask.worker(), dask.worker()
    dask.wait_for(2)
    monkeypatch.setenv(cluster.NAME, dask.url)
    real, ended = sweep_tasks.run_all, list[Any]()

    def killing(*args: Any) -> Iterator[Any]:
        for tried in real(*args):
            ended.append(tried)
            if len(ended) == 20:
                first.send_signal(signal.SIGKILL)
            yield tried

    monkeypatch.setattr(sweep_tasks, "run_all", killing)
    found = search.sweep(make, ledger, None, ASKED)
    assert first.wait(WAIT_S) != 0
    assert (found["variations"], found["new_trials"], found["failed_count"]) == (100, 100, 0)
    monkeypatch.delenv(cluster.NAME)
    assert search.sweep(make, ledger, None, ASKED)["new_trials"] == 0  # the ledger has all of them
    other = open_db(f"sqlite:///{dask.folder / 'other.db'}")
    migrate(other)
    local = search.sweep(make, other, None, ASKED)
    own = [columns_without_number(found) for found in (found, local)]
    assert own[0] == own[1]
    assert local["heat"] == found["heat"]


def columns_without_number(found: dict[str, Any]) -> list[list[Any]]:
    """The rows without the trial's number: variations end in any order on a cluster."""
    at = found["columns"].index("trial")
    return [row[:at] for row in found["rows"]]


@pytest.mark.parametrize("address", ["127.0.0.1:8786", "http://127.0.0.1:8786", "tcp://127.0.0.1", "tcp://"])
def test_an_address_that_is_none_is_one_line(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """tcp://host:port."""
    monkeypatch.setenv(cluster.NAME, address)
    with pytest.raises(BadInput, match="not a scheduler's address"):
        cluster.address()


def test_a_scheduler_that_does_not_answer_is_one_line(make: Planner, ledger: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within seconds, with what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: a connection is refused
        monkeypatch.setenv(cluster.NAME, f"tcp://127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setattr(cluster, "CONNECT_S", 0.5)
        with pytest.raises(BadInput, match="no Dask scheduler answers"):
            search.sweep(make, ledger, None, ASKED)

"""A real Dask cluster on loopback: a scheduler and workers in processes of their own."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.fakes.waiting import WAIT_S

REPOSITORY = Path(__file__).resolve().parents[2]


class DaskCluster:
    """A scheduler on a loopback port, and workers."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder, self.processes = folder, list[subprocess.Popen[bytes]]()
        self.url = f"tcp://127.0.0.1:{self.port}"
        self.start("scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard")

    def start(self, what: str, *words: str) -> subprocess.Popen[bytes]:
        """A program of Dask's own."""
        program = [sys.executable, "-m", f"distributed.cli.dask_{what}", *words]
        with (self.folder / f"{what}-{len(self.processes)}.log").open("wb") as log:
            path = {**os.environ, "PYTHONPATH": str(REPOSITORY), "DASK_TEMPORARY_DIRECTORY": str(self.folder)}
            self.processes.append(subprocess.Popen(program, stdout=log, stderr=log, cwd=self.folder, env=path))
        return self.processes[-1]

    def worker(self) -> subprocess.Popen[bytes]:
        """One more worker with one thread; it ends with its process: no nanny starts it again."""
        return self.start("worker", self.url, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")

    def wait_for(self, workers: int) -> None:
        """Until so many workers are known to the scheduler."""
        from distributed import Client

        until = time.monotonic() + WAIT_S
        with Client(self.url, timeout=WAIT_S, set_as_default=False) as client:
            while len(client.scheduler_info(n_workers=-1)["workers"]) < workers:
                assert time.monotonic() < until, "the workers did not start"
                time.sleep(0.1)

    def end(self) -> None:
        """Kill everything."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait(WAIT_S)

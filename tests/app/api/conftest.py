"""An API of a synthetic home on a real socket, and a session in it."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from app.api.context import Address
from app.api.factory import create
from app.home.home import Home, open_home
from app.processes.connections import BOUNDS
from tests.fakes.waiting import WAIT_S, free_port, until


class Served:
    """An API that runs in a thread; `restart` is what a new process would find."""

    def __init__(self, home: Home) -> None:
        self.home, self.port = home, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """Listen, and wait until it answers."""
        self.door = create(self.home, Address(port=self.port, page_port=self.port + 1))
        self.desk = self.door.desk
        config = uvicorn.Config(self.door, "127.0.0.1", self.port, log_level="warning", timeout_graceful_shutdown=1, **BOUNDS)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        until(lambda: self.server.started, "the API did not start")

    def stop(self) -> None:
        """Stop listening."""
        self.server.should_exit = True
        self.thread.join(WAIT_S)

    def client(self, name: str = "ann", scope: Any = "all", **more: Any) -> httpx.Client:
        """A client with a session of its own."""
        secret, _ = self.desk.sessions.open(name, scope, time.time_ns() // 1_000_000)
        headers = {"authorization": f"Bearer {secret}", **more.pop("headers", {})}
        return httpx.Client(base_url=self.url, headers=headers, timeout=WAIT_S, **more)


@pytest.fixture
def home(own_home: Path) -> Home:
    """A new synthetic desk that has not begun."""
    return open_home()


@pytest.fixture
def served(home: Home) -> Iterator[Served]:
    """The API of that desk."""
    served = Served(home)
    yield served
    served.stop()


@pytest.fixture
def api(served: Served) -> Iterator[httpx.Client]:
    """A session in it."""
    with served.client() as client:
        yield client

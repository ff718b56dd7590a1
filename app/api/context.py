"""The shared state of an API process: the opened home, its sessions, its running turns. Made by app.api.factory.

`ApiContext` is stored on the application; routes ask for `At` (the context), `Who` (the session), `Channel` and `Deciding`.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request

from app.home.current import CurrentHome
from app.home.home import Home
from app.people.identity import Actor
from app.people.sessions import Session, Sessions
from engine.errors import BadInput


class NotFound(BadInput):
    """An unknown id."""


@dataclass
class Address:
    """Where the API and the page listen. `names`: the Host headers that are accepted, without a port."""

    host: str = "127.0.0.1"
    port: int = 8420
    page_port: int = 8421
    names: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")

    @property
    def page(self) -> str:
        """Where the browser goes after login; the host stays the one that the cookie was set for."""
        return f"http://{{host}}:{self.page_port}/"


@dataclass
class ApiContext:
    """One home behind one API process."""

    opened: Home
    address: Address = field(default_factory=Address)
    running: Any = None  # app.api.running.RunningTurns, set by the factory
    meters: Any = None  # app.api.metrics.Meters, set by the factory

    def __post_init__(self) -> None:
        self.sessions = Sessions(self.opened.path)
        self._current = CurrentHome(self.opened)

    @property
    def home(self) -> Home:
        """The home; its catalog is read again after a file was added to the home's data."""
        return self._current.home

    @property
    def path(self) -> Path:
        """The home folder."""
        return self.opened.path

    @property
    def engine(self) -> Any:
        """The database."""
        return self.opened.engine


def now_ms() -> int:
    """The machine's time."""
    return time.time_ns() // 1_000_000


async def at(request: Request) -> ApiContext:
    """The context of this API. Async, because sync dependencies wait for a thread."""
    return request.app.state.desk  # type: ignore[no-any-return]  # set by the factory


async def who(request: Request) -> Session:
    """The session that app.api.access accepted."""
    return request.scope["nightdesk.session"]  # type: ignore[no-any-return]  # set by app.api.access


async def channel(request: Request) -> str:
    """The request's channel: page (cookie) or api (bearer token)."""
    return str(request.scope["nightdesk.channel"])


def deciding(request: Request) -> Actor:
    """The person who decides. Raises Denied when the session may not; reads people.toml."""
    desk: ApiContext = request.app.state.desk
    return desk.sessions.actor(request.scope["nightdesk.session"], request.scope["nightdesk.channel"])


At = Annotated[ApiContext, Depends(at)]
Who = Annotated[Session, Depends(who)]
Channel = Annotated[str, Depends(channel)]
Deciding = Annotated[Actor, Depends(deciding)]

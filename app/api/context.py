"""The shared state of an API process: the opened home, its sessions, its running turns. Made by app.api.factory.

`ApiContext` is stored on the application; routes ask for `At` (the context), `Who` (the session), `Channel` and `Deciding`.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool

from app.home.current import CurrentHome
from app.home.home import Home
from app.people.authority import ACTS, DECIDE, MAYBE_HALT, ROUTES, require
from app.people.identity import Actor
from app.people.sessions import Denied, Session, Sessions
from engine.errors import BadInput

SAFE = ("GET", "HEAD")  # methods that change nothing


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
    under_way: Any = None  # app.api.under_way.UnderWay, set by the factory

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


async def allowed(request: Request) -> None:
    """Compare a request that is no read with its row of app.people.authority. Raises Denied; a route without a row is refused.

    What everyone may do reads nothing here: a halt waits for no thread and no file. What a proposal takes beyond an operator,
    and whether a text is a halt, its route looks up.
    """
    if request.method in SAFE:
        return
    path = request.scope["route"].path
    act = ROUTES.get((request.method, path), "")
    if act == MAYBE_HALT or (act in ACTS and ACTS[act].least == "viewer"):
        return
    if not act:
        raise Denied(f"{request.method} {path} has no row in the table of acts", "this is our bug: it is refused until it has")
    await run_in_threadpool(permitted, request, "tighten" if act == DECIDE else act)


def permitted(request: Request, act: str) -> None:
    """Raise Denied when the person of this session may not do `act`."""
    desk: ApiContext = request.app.state.desk
    require(desk.path, deciding(request), act)


At = Annotated[ApiContext, Depends(at)]
Who = Annotated[Session, Depends(who)]
Channel = Annotated[str, Depends(channel)]
Deciding = Annotated[Actor, Depends(deciding)]

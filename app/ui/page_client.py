"""The API client of this browser's person: sends the login cookie, turns every refusal into a Trouble.

Created by streamlit_app.py at every run and passed to every page; app.client does the HTTP, and writes the latch file when the
API does not answer. `nightdesk ui` puts the API's address into the environment.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import streamlit as st

from app.client import ApiError, Client, api_url, cookie_of, json_of
from app.ui.safe import words

READ_S = 5.0  # timeout of a read: a HALT clicked meanwhile waits as long
SILENT_S = 1.5  # after a read timed out, other reads fail at once for this long
KEPT = "figures_kept"  # in the session: the last figures, by address
OF_API = "see /api/"  # how a hint begins that names a route
FRESH_S = 1.0  # what several parts of a page show is read once per page, not once per part
WAITED_S = 15.0  # of waiting for the API that do not age them: a drawing that a slow API draws out is one page too


class Trouble(Exception):
    """A failed request: text, hint, HTTP status; `down` when the API did not answer."""

    def __init__(self, what: str, hint: str = "", status: int = 0) -> None:
        super().__init__(what)
        self.what, self.hint, self.status = what, hint, status

    @property
    def down(self) -> bool:
        """Whether the API did not answer."""
        return self.status == 0

    def markdown(self) -> str:
        """For a label."""
        return words(self.what, 400) + (f" – {words(self.hint, 300)}" if self.hint else "")


@contextmanager
def apart() -> Iterator[None]:
    """A part that fails alone: its refusal stands in its place, and what follows is drawn. A silent API is the view's."""
    try:
        yield
    except Trouble as trouble:
        if trouble.down:
            raise
        st.warning(trouble.markdown(), icon=":material/cloud_off:")


class PageClient:
    """The routes of app/api, as this browser's person."""

    def __init__(self, client: Client, *, known: bool) -> None:
        self.client, self.known = client, known
        self.session: Mapping[str, Any] = {}  # whose browser this is, and what they may not do (rights.py)
        self.silent = False  # a last answer stood in for one of now
        self._soon: dict[tuple[Any, ...], tuple[float, float, Any]] = {}  # when asked, waited until then, answer
        self._waited_s = 0.0  # for the API, so far

    def get(self, path: str, **query: Any) -> Any:
        """GET; empty query parameters are left out."""
        return self._call("GET", path, query={k: v for k, v in query.items() if v not in (None, "")})

    def sent(self, path: str, **query: Any) -> tuple[Any, bytes]:
        """GET; the answer, and its text as it came: what only passes through the page is not written anew."""
        found: tuple[Any, bytes] = self._call("GET", path, query=query, text=True)
        return found

    def soon(self, path: str, **query: Any) -> Any:
        """GET; an answer of the last FRESH_S stands, unless something was written since. It is shared: change a copy of it.
        The first WAITED_S of waiting for the API since then do not count."""
        key, now, waited = (path, *sorted(query.items())), time.monotonic(), self._waited_s
        self._soon = {k: v for k, v in self._soon.items() if now - v[0] - min(waited - v[1], WAITED_S) <= FRESH_S}
        if key not in self._soon:
            self._soon[key] = (now, waited, self.get(path, **query))
        return self._soon[key][2]

    def as_of(self, event: Any, path: str, **query: Any) -> Any:
        """GET of figures that change only with the desk's newest mark, `event`: asked once for each."""
        kept, key = self._kept(path, query)
        if event is not None and kept.get(key, (None,))[0] == event:
            return kept[key][1]
        return self._or_last(path, query, event, self.get)  # what was read before this mark is not of it

    def last(self, path: str, **query: Any) -> Any:
        """GET; while the API is silent the last answer stands, if there was one: the head says of when it is."""
        return self._or_last(path, query, None, self.soon)

    def _or_last(self, path: str, query: Mapping[str, Any], event: Any, read: Callable[..., Any]) -> Any:
        kept, key = self._kept(path, query)
        try:
            kept[key] = (event, read(path, **query))
        except Trouble as trouble:
            if not trouble.down or key not in kept:
                raise
            self.silent = True
        return kept[key][1]

    def _kept(self, path: str, query: Mapping[str, Any]) -> tuple[dict[Any, Any], tuple[Any, ...]]:
        """The session's figures, and the place of one of them."""
        kept: dict[Any, Any] = st.session_state.setdefault(KEPT, {})
        return kept, (path, *sorted(query.items()))

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """POST."""
        return self._call("POST", path, body=dict(body or {}))

    def delete(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """DELETE."""
        return self._call("DELETE", path, body=dict(body or {}))

    def desk(self, *, fresh: bool = False) -> dict[str, Any]:
        """/api/desk, requested once per drawing of the page."""
        if fresh:
            self._soon.clear()
        found: dict[str, Any] = self.soon("/api/desk")
        return found

    def halt(self, reason: str, name: str) -> dict[str, Any]:
        """Latch the halt: through the API, or by file when it does not answer in time (`by_file`)."""
        try:
            return self.client.halt(reason, name)
        except ApiError as error:
            raise Trouble(error.what, error.hint, error.status) from error

    def browser_url(self, path: str) -> str:
        """An API path as this browser reaches it: the page's host, the API's port."""
        here, there = urlsplit(str(st.context.url or "")), urlsplit(self.client.url)
        host = here.hostname or there.hostname or "127.0.0.1"
        shown = f"[{host}]" if ":" in host else host
        return f"{there.scheme}://{shown}:{there.port}{path}"

    def _call(
        self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None, *, text: bool = False
    ) -> Any:
        reading, began = method == "GET", time.monotonic()
        if not reading:
            self._soon.clear()
        if reading and time.monotonic() < _SILENT.get(self.client.url, 0.0):
            raise Trouble(f"the API at {self.client.url} does not answer", "start the desk: nightdesk up")
        try:
            wait_s = READ_S if reading else None
            if not text:
                return self.client.call(method, path, body, wait_s=wait_s, **(query or {}))
            answer = self.client.request(method, path, body, wait_s=wait_s, **(query or {}))
            return json_of(answer), answer.content
        except ApiError as error:
            if error.down:
                _SILENT[self.client.url] = time.monotonic() + SILENT_S
            hint = "" if error.hint.startswith(OF_API) else error.hint  # for programs: nobody types a path of the API here
            raise Trouble(error.what, hint, error.status) from error
        finally:
            self._waited_s += time.monotonic() - began


_SILENT: dict[str, float] = {}  # by API address: until when reads fail at once, for all tabs of this page


@st.cache_resource(max_entries=20, show_spinner=False)
def _client(url: str, session: str) -> Client:
    """One set of connections per session, whatever the number of browser tabs."""
    return Client(url, session)


def open_client() -> PageClient:
    """The client for this browser's cookie; `known` when it has one."""
    url = api_url().rstrip("/")
    session = str(st.context.cookies.get(cookie_of(url)) or "")
    return PageClient(_client(url, session), known=bool(session))

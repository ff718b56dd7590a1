"""The API for the person of this browser: the login cookie goes along, every refusal comes back as one Trouble.

Called by streamlit_app.py at every run and handed to every page; app.client speaks HTTP and writes the latch file when
the API does not answer. `nightdesk ui` says in the environment where the API is.
"""

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import streamlit as st

from app.client import ApiError, Client, api_url, cookie_of
from app.ui.safe import words

READ_S = 5.0  # how long a reading of the page waits: a HALT that is clicked meanwhile waits as long
SILENT_S = 1.5  # after nobody answered: other readings do not wait for the same silence
FRESH_S = 1.0  # the desk is read once for a page, not once for each part of it


class Trouble(Exception):
    """What did not work, in words; `down` when nobody answered, else the HTTP status."""

    def __init__(self, what: str, hint: str = "", status: int = 0) -> None:
        super().__init__(what)
        self.what, self.hint, self.status = what, hint, status

    @property
    def down(self) -> bool:
        """Nobody answered."""
        return self.status == 0

    def markdown(self) -> str:
        """For a label."""
        return words(self.what, 400) + (f" – {words(self.hint, 300)}" if self.hint else "")


class PageClient:
    """The routes of app/api, as this browser's person."""

    def __init__(self, client: Client, *, known: bool) -> None:
        self.client, self.known = client, known
        self._desk: dict[str, Any] = {}
        self._desk_at = 0.0

    def get(self, path: str, **query: Any) -> Any:
        """Read; parameters that are None or empty are left out."""
        return self._call("GET", path, query={k: v for k, v in query.items() if v not in (None, "")})

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask for something."""
        return self._call("POST", path, body=dict(body or {}))

    def delete(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """End something: the halt, the session."""
        return self._call("DELETE", path, body=dict(body or {}))

    def desk(self, *, fresh: bool = False) -> dict[str, Any]:
        """/api/desk; within one drawing of the page it is asked for once."""
        if fresh or not self._desk or time.monotonic() - self._desk_at > FRESH_S:
            self._desk, self._desk_at = self.get("/api/desk"), time.monotonic()
        return self._desk

    def halt(self, reason: str, name: str) -> dict[str, Any]:
        """Latch the halt: through the API, or by file when it does not answer in time (`by_file`)."""
        try:
            return self.client.halt(reason, name)
        except ApiError as error:
            raise Trouble(error.what, error.hint, error.status) from error

    def browser_url(self, path: str) -> str:
        """Where this browser itself finds a path of the API: the same host as the page's, the API's port."""
        here, there = urlsplit(str(st.context.url or "")), urlsplit(self.client.url)
        host = here.hostname or there.hostname or "127.0.0.1"
        shown = f"[{host}]" if ":" in host else host
        return f"{there.scheme}://{shown}:{there.port}{path}"

    def _call(self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None) -> Any:
        reading = method == "GET"
        if reading and time.monotonic() < _SILENT.get(self.client.url, 0.0):
            raise Trouble(f"the API at {self.client.url} does not answer", "start the desk: nightdesk up")
        try:
            return self.client.call(method, path, body, wait_s=READ_S if reading else None, **(query or {}))
        except ApiError as error:
            if error.down:
                _SILENT[self.client.url] = time.monotonic() + SILENT_S
            raise Trouble(error.what, error.hint, error.status) from error


_SILENT: dict[str, float] = {}  # until when nobody is asked again, by address: for all tabs of this page


@st.cache_resource(max_entries=20, show_spinner=False)
def _client(url: str, session: str) -> Client:
    """One set of connections a session, whatever number of browser tabs."""
    return Client(url, session)


def open_client() -> PageClient:
    """The client for this browser's cookie; `known` when it has one."""
    url = api_url().rstrip("/")
    session = str(st.context.cookies.get(cookie_of(url)) or "")
    return PageClient(_client(url, session), known=bool(session))

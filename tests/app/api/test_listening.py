"""Where the API listens: loopback, an address of desk.toml for registered people, a container whose host publishes it."""

from pathlib import Path
from typing import Any

import pytest
import uvicorn

from app.api.__main__ import serve
from app.api.factory import create
from app.home.home import open_home
from engine.errors import BadInput
from tests.fakes.waiting import free_port


@pytest.fixture
def served(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The options of each server that would have been started; the home has its desk.toml and a free port."""
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(uvicorn, "run", lambda app, **options: seen.append(options | {"app": app}))
    monkeypatch.setenv("NIGHTDESK_API_PORT", str(free_port()))
    open_home()
    return seen


def test_it_listens_on_loopback(served: list[dict[str, Any]]) -> None:
    """Without a word about it."""
    serve(open_home())
    assert served[0]["host"] == "127.0.0.1"


def test_another_host_wants_registered_people(own_home: Path, served: list[dict[str, Any]]) -> None:
    """An address of desk.toml that others reach is refused while any name would do."""
    (own_home / "desk.toml").open("a").write('[api]\nhost = "0.0.0.0"\n')
    with pytest.raises(BadInput, match=r"people\.toml is empty"):
        serve(open_home())
    assert not served


def test_a_containers_address_is_listened_on_for_the_same_names(
    served: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its ports are published on loopback; a browser's Host is still one of this machine's."""
    seen: list[Any] = []
    monkeypatch.setattr("app.api.factory.create", lambda home, address: seen.append(address) or create(home, address))
    monkeypatch.setenv("NIGHTDESK_LISTEN", "0.0.0.0")
    serve(open_home())
    assert served[0]["host"] == "0.0.0.0"
    assert set(seen[0].names) == {"127.0.0.1", "localhost", "[::1]"}


def test_a_word_that_is_no_address_is_refused(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that names the variable."""
    monkeypatch.setenv("NIGHTDESK_LISTEN", "everywhere")
    with pytest.raises(BadInput, match="NIGHTDESK_LISTEN='everywhere'"):
        open_home()

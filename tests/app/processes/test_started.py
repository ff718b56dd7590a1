"""What a home remembers of its last start, so that a second terminal needs NIGHTDESK_HOME alone."""

import json
from pathlib import Path

import pytest

from app.client import api_url
from app.home.settings import read_settings
from app.processes.children import ports
from app.processes.started import note_start
from engine.control.desk_setup import desk_setup
from engine.control.started import STARTED_FILE
from engine.errors import BadInput

VARIABLES = ("NIGHTDESK_DATA", "NIGHTDESK_DATABASE_URL", "NIGHTDESK_API_PORT", "NIGHTDESK_UI_PORT")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that NIGHTDESK_HOME names, and a data folder beside it."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "data").mkdir()
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("NIGHTDESK_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def started(home: Path, monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    """A start in a terminal that sets these variables; the next terminal does not."""
    with monkeypatch.context() as terminal:
        for name, value in variables.items():
            terminal.setenv(f"NIGHTDESK_{name}", value)
        note_start(read_settings())


def test_a_second_terminal_needs_the_home_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data folder, database and ports of the start hold in a shell that sets none of them."""
    data, database = str(home.parent / "data"), f"sqlite:///{home.parent}/other.db"
    started(home, monkeypatch, DATA=data, DATABASE_URL=database, API_PORT="9100", UI_PORT="9101")
    settings = read_settings()
    assert (str(settings.data), settings.database()) == (data, database)
    assert str(desk_setup().data) == data
    assert ports(home) == (9100, 9101)
    assert api_url() == "http://127.0.0.1:9100"


def test_the_environment_goes_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this terminal sets outranks the last start, and a start without ports goes back to desk.toml's."""
    started(home, monkeypatch, DATA=str(home.parent / "data"), API_PORT="9100")
    monkeypatch.setenv("NIGHTDESK_DATA", str(home))
    monkeypatch.setenv("NIGHTDESK_API_PORT", "9200")
    assert (read_settings().data, ports(home)[0]) == (home, 9200)
    monkeypatch.delenv("NIGHTDESK_API_PORT")
    (home / "desk.toml").write_text("[api]\nport = 9300\n")
    assert ports(home)[0] == 9100
    note_start(read_settings())
    assert ports(home)[0] == 9300


def test_a_start_without_variables_keeps_the_data_of_the_one_before(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The desk goes on with its data when it is started again from another shell."""
    started(home, monkeypatch, DATA=str(home.parent / "data"))
    note_start(read_settings())
    assert read_settings().data == home.parent / "data"


@pytest.mark.parametrize("rest", ["ann:hunter2@127.0.0.1/desk", "127.0.0.1/desk?password=hunter2", "/desk?sslpassword=x"])
def test_a_password_is_not_remembered(home: Path, monkeypatch: pytest.MonkeyPatch, rest: str) -> None:
    """No secret goes into a file of the home, wherever in the address it is."""
    started(home, monkeypatch, DATABASE_URL=f"postgresql://{rest}")
    assert set(json.loads((home / STARTED_FILE).read_text())) == {"machine", "boot", "home"}


def test_data_that_went_away_is_named_with_what_to_do(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of the last start that is missing now is one clear line, not a desk without data."""
    started(home, monkeypatch, DATA=str(home.parent / "data"))
    (home.parent / "data").rmdir()
    with pytest.raises(BadInput, match="last start is not a folder") as refused:
        read_settings()
    assert STARTED_FILE in refused.value.hint


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"data": ""}', "\udcff"])
def test_a_damaged_note_is_no_note(home: Path, content: str) -> None:
    """The file is a convenience: unreadable, it changes nothing."""
    (home / STARTED_FILE).write_bytes(content.encode("utf-8", "surrogateescape"))
    assert (read_settings().data, ports(home)) == (None, (8420, 8421))

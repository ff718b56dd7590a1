"""Adding, renewing and removing people: nothing half done, and what a removed person held ends with the entry."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import main
from app.home.home import Home, open_home
from app.people import register
from app.people.approvals import record
from app.people.identity import Actor, add_person, identify, read_people
from app.people.sessions import Sessions
from engine.errors import BadInput, Refused
from memory import decisions
from memory.shelf import Shelf
from tests.fakes.tried_changes import NOW


@pytest.fixture
def home(own_home: Path) -> Home:
    """A new desk."""
    return open_home(NOW)


def test_the_only_admin_who_asks_for_less_keeps_their_token(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused before anything is written: a new token that nobody was shown would lock everybody out for good."""
    token = add_person(home.path, "ann", "open sesame")
    monkeypatch.setenv("NIGHTDESK_TOKEN", token)
    before = read_people(home.path)
    with pytest.raises(Refused, match="ann is the only admin"):
        register.add(home, "ann", "", "viewer", "ann", NOW)
    assert read_people(home.path) == before
    assert identify(home.path, "ann", "cli").name == "ann"


def test_a_renewal_with_a_role_is_one_write(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """An admin renews another's token and gives a role; the journal says both."""
    monkeypatch.setenv("NIGHTDESK_TOKEN", add_person(home.path, "ann"))
    add_person(home.path, "bob")
    token, held = register.add(home, "bob", "", "approver", "ann", NOW)
    assert (held, read_people(home.path)["bob"].role) == ("approver", "approver")
    assert identify(home.path, "bob", "cli", token).name == "bob"


@pytest.mark.parametrize("name", ["Ann", "ANN", "ann.", "ann-", "ann "])
def test_a_name_that_reads_like_another_s_is_refused(home: Home, name: str) -> None:
    """On a card nobody could say which of the two has approved; the person's own name is a renewal."""
    add_person(home.path, "ann")
    with pytest.raises(BadInput, match="reads like ann"):
        add_person(home.path, name)
    add_person(home.path, "anna")
    add_person(home.path, "ann")
    assert list(read_people(home.path)) == ["ann", "anna"]


def test_sessions_of_a_removed_person_are_closed(home: Home) -> None:
    """Neither their page nor their token reads the desk any longer; everybody else's go on."""
    for name in ("ann", "bob"):
        add_person(home.path, name)
    sessions = Sessions(home.path)
    of_bob, of_ann = (sessions.open(name, "all", NOW)[0] for name in ("bob", "ann"))
    reader = sessions.open("bob", "read", NOW)[0]
    code = sessions.login_code(NOW, "bob")
    register.remove(home, "bob", Actor("ann", "session", "tester", "cli"), NOW)
    assert [sessions.find(secret, NOW) is None for secret in (of_bob, reader, of_ann)] == [True, True, False]
    with pytest.raises(Refused, match="used or expired"):
        sessions.redeem(code, NOW)


def test_what_was_typed_in_a_name_is_no_act_of_that_person(home: Home) -> None:
    """Anybody may halt as `bob`: the list counted it, and bob's page showed it, as if bob had."""
    for name in ("ann", "bob"):
        add_person(home.path, name)
    for n, assurance in enumerate(("claimed", "claimed", "session", "telegram")):
        record(home, "halt", {"reason": "x", "actor": Actor("bob", assurance, "tester", "cli").as_json()}, NOW + n)  # type: ignore[arg-type]
    bob = next(row for row in register.people_rows(home) if row["name"] == "bob")
    assert (bob["acts"], bob["claimed"], bob["last_ms"]) == (2, 2, NOW + 3)
    assert [register.is_claimed(event.body) for event in register.story_of(home, "bob")] == [True, True, False, False]
    main.load_groups()
    listed, shown = (CliRunner().invoke(main.app, ["people", *words]).stdout for words in (["list"], ["show", "bob"]))
    assert "2 in this name without proof" in listed
    assert shown.count("CLAIMED: not proven") == 2
    decisions.write_decisions(Shelf(home.memory), home.people_journal)
    page = next((home.memory / "decisions").glob("*.md")).read_text()
    assert (page.count("bob (claimed) halted"), page.count("bob halted")) == (2, 2)

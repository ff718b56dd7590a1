"""Names: believed while nobody is listed, proven by token afterwards, and a broken list lets nobody in."""

import hashlib
from pathlib import Path

import pytest

from app.people.identity import add_person, by_slack, fits, hashed, identify, link_slack, passphrase_needed, read_people
from engine.errors import BadInput, Refused


def test_a_name_is_a_claim_while_nobody_is_listed(tmp_path: Path) -> None:
    """And recorded as such, with the account it came from."""
    actor = identify(tmp_path, " ann ", "cli")
    assert (actor.name, actor.assurance, actor.channel) == ("ann", "claimed", "cli")
    assert actor.os_user
    assert not passphrase_needed(tmp_path)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "\x1b[31m", "x" * 61, "-rf", "\u202eann", 'a"b'])
def test_what_is_no_name_is_told(tmp_path: Path, name: str) -> None:
    """No control characters, no quotes, not empty, not a page long."""
    with pytest.raises(BadInput, match="is not a valid name"):
        identify(tmp_path, name, "cli")
    with pytest.raises(BadInput, match="is not a valid name"):
        add_person(tmp_path, name)


def test_once_listed_a_name_needs_its_own_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another's token, none, and an unlisted name are refused alike."""
    anns, bobs = add_person(tmp_path, "ann"), add_person(tmp_path, "bob")
    assert identify(tmp_path, "ann", "cli", anns).assurance == "session"
    for name, token in (("ann", bobs), ("ann", ""), ("ann", None), ("eve", anns), ("eve", "")):
        with pytest.raises(Refused, match="was not recognised"):
            identify(tmp_path, name, "cli", token)
    monkeypatch.setenv("NIGHTDESK_TOKEN", bobs)
    assert identify(tmp_path, "bob", "cli").name == "bob"


def test_no_word_is_kept_in_the_file(tmp_path: Path) -> None:
    """Hashes only, readable by its owner alone."""
    token = add_person(tmp_path, "ann", "open sesame")
    text = (tmp_path / "people.toml").read_text()
    assert token not in text
    assert "sesame" not in text
    assert (tmp_path / "people.toml").stat().st_mode & 0o077 == 0


def test_a_guess_of_a_stolen_list_costs_sixteen_megabytes(costly_passphrases: None) -> None:
    """scrypt with N = 2^14 and r = 8, whatever cheaper ones the other tests take."""
    _, salt, found = hashed("open sesame").split("$")
    assert hashlib.scrypt(b"open sesame", salt=bytes.fromhex(salt), n=2**14, r=8, p=1, dklen=32).hex() == found


@pytest.mark.parametrize("text", ["[ann]\n", "[ann\n", "ann = 1\n", '[ann]\ntoken = ""\n', '[ann]\ntoken = "plain"\n'])
def test_a_broken_list_lets_nobody_in(tmp_path: Path, text: str) -> None:
    """It must not turn back into a desk that believes any name."""
    (tmp_path / "people.toml").write_text(text)
    with pytest.raises(BadInput, match=r"people\.toml"):
        identify(tmp_path, "ann", "cli", "plain")


def test_an_unreadable_list_lets_nobody_in(tmp_path: Path) -> None:
    """A folder in its place, too."""
    (tmp_path / "people.toml").mkdir()
    with pytest.raises(BadInput, match="is invalid"):
        read_people(tmp_path)


@pytest.mark.parametrize("left", [None, "", "# nobody\n"])
def test_a_list_that_was_emptied_lets_nobody_in(tmp_path: Path, left: str | None) -> None:
    """Deleted, emptied by hand or by a full disk: names are no claims again, nobody is added, and the line says the repair."""
    token = add_person(tmp_path, "ann", "open sesame")
    kept = (tmp_path / "people.toml").read_text()
    (tmp_path / "people.toml").unlink() if left is None else (tmp_path / "people.toml").write_text(left)
    for act in (
        lambda: identify(tmp_path, "ann", "cli", token),
        lambda: add_person(tmp_path, "eve"),
        lambda: by_slack(tmp_path, "T01", "U01"),
    ):
        with pytest.raises(BadInput, match=r"people were registered \(ann\).*restore it from a backup") as told:
            act()
        assert "\n" not in str(told.value)
    with pytest.raises(BadInput, match="nobody can decide"):
        passphrase_needed(tmp_path)
    (tmp_path / "people.toml").write_text(kept)
    assert identify(tmp_path, "ann", "cli", token).assurance == "session"
    (tmp_path / "people.toml").unlink()
    (tmp_path / ".people-registered").unlink()
    assert identify(tmp_path, "eve", "cli").assurance == "claimed"


def test_a_list_from_before_the_record_is_noted_when_a_name_is_proven(tmp_path: Path) -> None:
    """The first proven decision makes the record, and later names are added to it."""
    token = add_person(tmp_path, "ann")
    (tmp_path / ".people-registered").unlink()
    identify(tmp_path, "ann", "cli", token)
    add_person(tmp_path, "bob")
    assert (tmp_path / ".people-registered").read_text() == "ann\nbob\n"


def test_equal_words_have_different_hashes() -> None:
    """Each has a salt of its own."""
    one, other = hashed("word"), hashed("word")
    assert one != other
    assert fits("word", one)
    assert fits("word", other)
    assert not fits("wrd", one)
    assert not fits("", hashed(""))


def test_a_slack_account_is_one_listed_person(tmp_path: Path) -> None:
    """Team and user together name a person; another team's same user, a second owner and an unlisted name do not."""
    token = add_person(tmp_path, "ann")
    add_person(tmp_path, "bob")
    link_slack(tmp_path, "ann", "T0DESK", "U0ANN")
    found = by_slack(tmp_path, "T0DESK", "U0ANN")
    assert found is not None
    assert (found.name, found.assurance, found.channel) == ("ann", "slack", "slack")
    assert by_slack(tmp_path, "T0ELSE", "U0ANN") is None
    assert by_slack(tmp_path, "", "") is None
    for name, team, user in (("bob", "T0DESK", "U0ANN"), ("eve", "T0DESK", "U0EVE"), ("bob", "x", "U0BOB"), ("bob", "T0/", "U0")):
        with pytest.raises(BadInput):
            link_slack(tmp_path, name, team, user)
    assert identify(tmp_path, "ann", "cli", token).name == "ann"
    add_person(tmp_path, "ann")
    assert by_slack(tmp_path, "T0DESK", "U0ANN") is not None


def test_two_people_with_one_slack_account_let_nobody_in(tmp_path: Path) -> None:
    """A list edited by hand may not make it unclear who clicked."""
    add_person(tmp_path, "ann")
    add_person(tmp_path, "bob")
    link_slack(tmp_path, "ann", "T0DESK", "U0ANN")
    path = tmp_path / "people.toml"
    path.write_text(path.read_text() + 'slack = "T0DESK/U0ANN"\n')
    with pytest.raises(BadInput, match="share one Slack account"):
        by_slack(tmp_path, "T0DESK", "U0ANN")

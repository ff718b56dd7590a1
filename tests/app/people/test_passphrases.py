"""Passphrases cannot be guessed in a row: growing waits, over processes and channels, for one person alone, never for a halt."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from app.home.home import Home, open_home
from app.people import approvals, passphrases
from app.people.identity import Actor, add_person, read_people
from engine.control import halt
from engine.errors import Refused
from engine.store.journal import read
from tests.fakes.waiting import WAIT_S

NOW = 1_800_000_000_000
WORD = "open sesame"
MINUTE = 60_000


def actor(name: str, channel: str = "cli") -> Actor:
    """A person who has proven the name."""
    return Actor(name, "session", "tester", channel)


@pytest.fixture
def home(own_home: Path) -> Home:
    """A desk with two people, halted."""
    home = open_home(NOW)
    for name in ("ann", "bob"):
        add_person(home.path, name, WORD, role="approver")  # the first is admin whatever is asked for
    halt.set(home.path, "stop", {"name": "ann"}, NOW, home.engine)
    return home


def release(home: Home, name: str, word: str, at_ms: int, channel: str = "cli") -> Any:
    """Try to release a healthy desk."""
    return approvals.release(home, actor(name, channel), "mended", list, at_ms, word)


def wrong(home: Home, name: str, times: int, at_ms: int = NOW, channel: str = "cli") -> None:
    """Wrong passphrases that are looked at."""
    for _ in range(times):
        with pytest.raises(Refused, match="wrong passphrase"):
            release(home, name, "xyzzy plugh", at_ms, channel)


def test_the_sixth_try_waits_and_a_right_one_after_the_wait_clears_it(home: Home) -> None:
    """Five are looked at, whatever the channel; then even the right one is not, until the time that is named."""
    for channel in ("cli", "page", "api", "page", "cli"):
        wrong(home, "ann", 1, channel=channel)
    with pytest.raises(Refused, match=r"5 wrong passphrases in a row for ann.*at 2027-01-15 08:00:30Z, in 30 s; halting"):
        release(home, "ann", WORD, NOW + 1)
    assert halt.read(home.path, home.engine).halted
    assert release(home, "ann", WORD, NOW + 30_000).reason == "stop"
    halt.set(home.path, "again", {"name": "ann"}, NOW + 31_000, home.engine)
    wrong(home, "ann", 5, NOW + 32_000)  # counted from the start


def test_the_wait_doubles_up_to_an_hour(home: Home) -> None:
    """Each wrong one after a wait makes the next wait longer; trying while it lasts does not."""
    assert [passphrases.wait_ms(n) for n in (4, 5, 6, 7, 11, 12, 40, 4_000_000)] == [
        0,
        30_000,
        60_000,
        120_000,
        1_920_000,
        3_600_000,
        3_600_000,
        3_600_000,
    ]
    wrong(home, "ann", 5)
    for _ in range(20):
        with pytest.raises(Refused, match="was not checked"):
            release(home, "ann", "xyzzy plugh", NOW + 29_999)
    wrong(home, "ann", 1, NOW + 30_000)
    with pytest.raises(Refused, match="in 60 s"):
        release(home, "ann", WORD, NOW + 30_000)


def test_one_persons_failures_lock_nobody_else(home: Home) -> None:
    """Bob releases while Ann waits."""
    wrong(home, "ann", 5)
    assert release(home, "bob", WORD, NOW + 1).reason == "stop"
    with pytest.raises(Refused, match="was not checked"):
        passphrases.require_free(home.engine, "ann", NOW + 1)
    passphrases.require_free(home.engine, "bob", NOW + 1)


def test_halting_is_never_locked(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one who waits may stop the desk at any time."""
    from typer.testing import CliRunner

    from app.cli import main

    wrong(home, "ann", 5)
    main.load_groups()
    assert CliRunner().invoke(main.app, ["halt", "--reason", "fire", "--as", "ann"]).exit_code == 0
    assert "fire" in (home.path / "HALT").read_text()


def test_at_the_terminal_nobody_types_what_is_not_looked_at(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command refuses before it asks, with the time; that attempt is journaled too."""
    import time

    from typer.testing import CliRunner

    from app.cli import main

    wrong(home, "ann", 5, time.time_ns() // 1_000_000)
    monkeypatch.setenv("NIGHTDESK_TOKEN", add_person(home.path, "ann", WORD))
    main.load_groups()
    done = CliRunner().invoke(main.app, ["release", "--reason", "mended", "--as", "ann"], input=f"{WORD}\n")
    assert isinstance(done.exception, Refused)
    assert "was not checked" in str(done.exception)
    assert "passphrase:" not in done.output
    assert len(list(read(home.people_journal, {"passphrase"}))) == 6
    assert halt.read(home.path, home.engine).halted


def test_another_process_knows(home: Home) -> None:
    """The count lies in the database: a process that was just started does not look at the sixth either."""
    wrong(home, "ann", 5)
    code = (
        "from app.home.home import open_home; from app.people.passphrases import prove\n"
        "from app.people.identity import read_people\n"
        f"home = open_home(); prove(home.engine, 'ann', read_people(home.path)['ann'], {WORD!r}, {NOW + 5})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=WAIT_S)
    assert "Refused: 5 wrong passphrases in a row for ann" in done.stderr


def test_a_hundred_at_once_are_looked_at_five_times(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A try is counted before its word is looked at: guessing in parallel gains nothing."""
    looked: list[str] = []
    monkeypatch.setattr(passphrases, "fits", lambda word, _stored: looked.append(word) or False)
    entry = read_people(home.path)["ann"]

    def guess() -> None:
        with pytest.raises(Refused):
            passphrases.prove(home.engine, "ann", entry, "xyzzy plugh", NOW)

    threads = [threading.Thread(target=guess) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(looked) == 5


def test_every_refused_try_is_journaled_without_its_word(home: Home) -> None:
    """Who, where, why; the wrong word and the right one stand nowhere, in no file of the home."""
    wrong(home, "ann", 5, channel="page")
    with pytest.raises(Refused, match="was not checked"):
        release(home, "ann", WORD, NOW + 1, "api")
    with pytest.raises(Refused, match="a passphrase is needed"):
        release(home, "bob", "", NOW + 2)
    found = list(read(home.people_journal, {"passphrase"}))
    assert [e.body["outcome"] for e in found] == ["refused"] * 7
    assert [e.body["actor"]["channel"] for e in found] == ["page"] * 5 + ["api", "cli"]
    assert "was not checked" in found[5].body["reason"]
    kept = b"".join(path.read_bytes() for path in home.path.rglob("*") if path.is_file())
    assert b"xyzzy plugh" not in kept
    assert WORD.encode() not in kept


def test_a_missing_passphrase_is_no_guess(home: Home) -> None:
    """None typed, or none set, locks nobody."""
    for _ in range(9):
        with pytest.raises(Refused, match="a passphrase is needed"):
            release(home, "ann", "", NOW)
    add_person(home.path, "carl", role="approver")
    for name, why in (("carl", "has no passphrase"), ("eve", "eve is a viewer and may not release")):
        with pytest.raises(Refused, match=why):
            release(home, name, WORD, NOW)
    assert release(home, "ann", WORD, NOW).reason == "stop"


def test_a_day_later_it_is_forgotten(home: Home) -> None:
    """Four wrong ones yesterday do not count against today's."""
    wrong(home, "ann", 4)
    wrong(home, "ann", 4, NOW + 25 * 60 * MINUTE)
    assert release(home, "ann", WORD, NOW + 25 * 60 * MINUTE).reason == "stop"


def test_a_clock_put_back_locks_nobody_for_years(home: Home) -> None:
    """Wrong ones made under a clock that was far ahead hold at most an hour under the right one."""
    wrong(home, "ann", 5, NOW + 400 * 86_400_000)
    with pytest.raises(Refused, match="in 3600 s"):
        release(home, "ann", WORD, NOW)
    assert release(home, "ann", WORD, NOW + 60 * MINUTE).reason == "stop"


def test_tokens_and_login_codes_are_too_long_to_be_guessed(home: Home) -> None:
    """They are not counted because they need not be: at least 192 bits from the system's randomness, a new one each time."""
    from app.people.sessions import Sessions

    sessions = Sessions(home.path)
    made = [add_person(home.path, f"p{n}") for n in range(3)] + [sessions.login_code(NOW) for _ in range(3)]
    made += [sessions.open("ann", "all", NOW)[0]]
    assert len(set(made)) == len(made)
    assert min(len(secret) * 6 for secret in made) >= 192  # urlsafe base64: six bits a character

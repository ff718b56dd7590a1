"""Who decides: a claimed name, or one proven by the person's token. Called by app.people.approvals and the command line.

The home's people.toml holds a salted hash of each person's token and passphrase, never the secrets. While it has no entries,
`--as NAME` is accepted and recorded as a claim. A second file lists the names that were ever registered: a people.toml that
was emptied by hand or by a full disk, or is gone, lets nobody in.
"""

import getpass
import hashlib
import hmac
import os
import re
import secrets
import tomllib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

from app.home.written import write_whole
from engine.errors import BadInput, Refused

FILE = "people.toml"
REGISTERED = ".people-registered"  # the names that people.toml has had, one a line
TOKEN_VARIABLE = "NIGHTDESK_TOKEN"  # noqa: S105 - the name of a variable, not a token
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@-]{0,59}")
NAME_HINT = "use letters, digits, space, . _ @ -"
SLACK = re.compile(r"[TE][A-Z0-9]{2,30}/[UW][A-Z0-9]{2,30}")
HASH = re.compile(r"scrypt\$([0-9a-f]{32})\$([0-9a-f]{64})")
REASON_MAX = 1_000  # characters of why a person decided


class Actor(NamedTuple):
    """The named person behind a decision, and how the name was established."""

    name: str
    assurance: Literal["claimed", "session", "slack", "card"]  # card: what it does is what a card said that a person approved
    os_user: str
    channel: str  # cli | page | api | slack | canary

    def as_json(self) -> dict[str, str]:
        """For rows and journals."""
        return self._asdict()


class Person(NamedTuple):
    """An entry of people.toml."""

    token: str  # scrypt$salt$hash
    passphrase: str  # the same, or empty: none was set
    slack: str = ""  # "TEAM/USER" ids of Slack, or empty: cannot decide there


def reason_given(words: str) -> str:
    """A person's reason as it is kept, without what a database or a journal cannot hold. BadInput for more than REASON_MAX."""
    reason = words.encode("utf-8", "replace").decode().replace("\0", "?").strip()
    if len(reason) > REASON_MAX:
        raise BadInput(f"the reason has {len(reason):,} characters", f"shorten it to {REASON_MAX:,}")
    return reason


def identify(home: Path, name: str, channel: str, token: str | None = None) -> Actor:
    """The actor called `name`. Raises BadInput for an invalid name, Refused when the token is not the one in people.toml.

    `token`: the token the person gave; None reads NIGHTDESK_TOKEN.
    """
    bare = name.strip()
    if NAME.fullmatch(bare) is None:
        raise BadInput(f"{name[:60]!r} is not a valid name", f"{NAME_HINT}; name yourself with --as NAME")
    people = read_people(home)
    if not people:
        return Actor(bare, "claimed", os_user(), channel)
    entry = people.get(bare)
    given = os.environ.get(TOKEN_VARIABLE, "") if token is None else token
    if entry is None or not fits(given, entry.token):
        raise Refused(f"{bare} was not recognised", f"set {TOKEN_VARIABLE} to the token issued for this name")
    with suppress(OSError):  # of a home from before this record; a full disk refuses no proven name
        _register(home, people)
    return Actor(bare, "session", os_user(), channel)


def passphrase_needed(home: Path) -> bool:
    """Whether a release needs a passphrase: once people.toml has entries."""
    return bool(read_people(home))


def read_people(home: Path) -> dict[str, Person]:
    """The entries of people.toml by name; none where nobody was ever registered. Raises BadInput for an invalid or lost file.

    Such a file lets nobody in: it must not turn a desk with listed people back into one that accepts any name.
    """
    people = _entries(home / FILE)
    if not people and (names := registered(home)):
        what = f"{home / FILE} has no entries, but people were registered ({', '.join(names)}): nobody can decide"
        raise BadInput(what, f"restore it from a backup; to begin without registered people, delete {home / REGISTERED}")
    return people


def registered(home: Path) -> list[str]:
    """The names that people.toml has had, as far as the record tells. Raises BadInput for a record that cannot be read."""
    try:
        return (home / REGISTERED).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{home / REGISTERED} cannot be read ({error})", "fix or restore it; until then nobody can decide"
        ) from error


def _register(home: Path, people: Iterable[str]) -> None:
    """Add names to the record. Raises OSError."""
    names = registered(home)
    if added := [name for name in people if name not in names]:
        write_whole(home / REGISTERED, "".join(f"{name}\n" for name in [*names, *added]))


def _entries(path: Path) -> dict[str, Person]:
    """What the file says. Raises BadInput for an invalid one."""
    try:
        text = path.read_text(encoding="utf-8")
        entries = tomllib.loads(text)
        fields = {name: (entry["token"], entry.get("passphrase", ""), entry.get("slack", "")) for name, entry in entries.items()}
        people = {name: Person(*map(str, values)) for name, values in fields.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadInput(f"{path} is invalid ({error})", "fix or restore it; until then nobody can decide") from error
    for name, person in people.items():
        if not HASH.fullmatch(person.token) or not (person.passphrase == "" or HASH.fullmatch(person.passphrase)):
            raise BadInput(f"{path}: the token hash of {name} is invalid", "issue a new one: nightdesk people add NAME")
        if person.slack and not SLACK.fullmatch(person.slack):
            raise BadInput(f"{path}: the Slack ids of {name} are invalid", "slack = TEAM/USER, as T0123ABCD/U0123ABCD")
    accounts = [person.slack for person in people.values() if person.slack]
    if len(accounts) != len(set(accounts)):
        raise BadInput(f"{path}: two people share one Slack account", "give each person their own Slack ids")
    return people


def add_person(home: Path, name: str, passphrase: str = "") -> str:
    """Add an entry for `name`, or replace its token; returns the token, which is stored nowhere."""
    if NAME.fullmatch(name) is None:
        raise BadInput(f"{name[:60]!r} is not a valid name", NAME_HINT)
    token = secrets.token_urlsafe(24)
    people = read_people(home)
    slack = people[name].slack if name in people else ""
    _write(home, people | {name: Person(hashed(token), hashed(passphrase) if passphrase else "", slack)})
    return token


def link_slack(home: Path, name: str, team: str, user: str) -> None:
    """Let the Slack account `team`/`user` decide as `name`, who must be in people.toml. Raises BadInput."""
    people, account = read_people(home), f"{team}/{user}"
    if name not in people:
        raise BadInput(f"{name[:60]!r} is not in {FILE}", "add the person first: nightdesk people add NAME")
    if not SLACK.fullmatch(account):
        raise BadInput(f"{account[:80]!r} is not a valid Slack account", "team ids begin with T or E, user ids with U or W")
    for other, person in people.items():
        if person.slack == account and other != name:
            raise BadInput(f"that Slack account already belongs to {other}", "link each account to one person")
    _write(home, people | {name: people[name]._replace(slack=account)})


def by_slack(home: Path, team: str, user: str) -> Actor | None:
    """The person linked to a Slack account; None when nobody is. The caller has verified that the request is Slack's."""
    for name, person in read_people(home).items():
        if person.slack and person.slack == f"{team}/{user}":
            return Actor(name, "slack", os_user(), "slack")
    return None


def _write(home: Path, people: dict[str, Person]) -> None:
    """Replace the file atomically, then note its names: what fails in between leaves a file that asks for tokens."""
    lines = ["# Who may decide. Made by `nightdesk people add`; holds hashes, no tokens.\n"]
    for name, person in people.items():
        slack = f'slack = "{person.slack}"\n' if person.slack else ""
        lines.append(f'\n["{name}"]\ntoken = "{person.token}"\npassphrase = "{person.passphrase}"\n{slack}')
    (home / f".{FILE}.new").touch(mode=0o600)  # the draft that becomes the file
    write_whole(home / FILE, "".join(lines))
    _register(home, people)


def hashed(word: str) -> str:
    """A secret's storable hash: scrypt (RFC 7914) with its own salt."""
    salt = secrets.token_bytes(16)
    return f"scrypt${salt.hex()}${_scrypt(word, salt)}"


def fits(word: str, stored: str) -> bool:
    """Whether `word` matches the stored hash, in constant time."""
    found = HASH.fullmatch(stored)
    return bool(word) and found is not None and hmac.compare_digest(_scrypt(word, bytes.fromhex(found[1])), found[2])


def _scrypt(word: str, salt: bytes) -> str:
    return hashlib.scrypt(word.encode("utf-8"), salt=salt, n=2**14, r=8, p=1, dklen=32).hex()


def os_user() -> str:
    """The OS account this process runs under."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"

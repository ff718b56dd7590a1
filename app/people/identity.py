"""Who decides: a claimed name, or one proven by the person's token. Called by app.people.approvals and the command line.

The home's people.toml holds a salted hash of each person's token and passphrase, never the secrets. While it has no entries,
`--as NAME` is accepted and recorded as a claim. A second file lists the names that were ever registered: a people.toml that
was emptied by hand or by a full disk, or is gone, lets nobody in.
"""

import fcntl
import getpass
import hashlib
import hmac
import os
import re
import secrets
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from app.home.written import write_whole
from app.people.spans import fault_of
from engine.errors import BadInput, Refused

FILE = "people.toml"
REGISTERED = ".people-registered"  # the names that people.toml has had, one a line
TOKEN_VARIABLE = "NIGHTDESK_TOKEN"  # noqa: S105 - the name of a variable, not a token
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@-]{0,59}")
NAME_HINT = "use letters, digits, space, . _ @ -"
SLACK = re.compile(r"[TE][A-Z0-9]{2,30}/[UW][A-Z0-9]{2,30}")
HASH = re.compile(r"scrypt\$([0-9a-f]{32})\$([0-9a-f]{64})")
REASON_MAX = 1_000  # characters of why a person decided
TWO_PEOPLE = "two_people"  # the file's own setting: two people approve what loosens a live sleeve
TELEGRAM = re.compile(r"[1-9][0-9]{0,15}")  # a user's id there, never the name, which its owner can change
Role = Literal["viewer", "operator", "approver", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "operator", "approver", "admin")  # what they may do: app/people/authority.py


class Actor(NamedTuple):
    """The named person behind a decision, and how the name was established."""

    name: str
    assurance: Literal["claimed", "session", "slack", "telegram", "card"]  # card: what a person approved said that it does this
    os_user: str
    channel: str  # cli | page | api | slack | telegram | canary

    def as_json(self) -> dict[str, str]:
        """For rows and journals."""
        return self._asdict()


class Person(NamedTuple):
    """An entry of people.toml."""

    token: str  # scrypt$salt$hash
    passphrase: str  # the same, or empty: none was set
    slack: str = ""  # "TEAM/USER" ids of Slack, or empty: cannot decide there
    role: Role = "viewer"
    telegram: str = ""  # user id of Telegram, or empty
    on_call: int = 0  # their place in the rota, from 1; 0: not on call. The rest is read by app/people/on_call.py
    reach: str = ""  # the way of desk.toml that reaches them
    shift: str = ""  # 22:00-06:00 of their own clock, or empty: at all hours
    quiet: str = ""  # the same, of hours in which only pages come
    timezone: str = ""  # Europe/Berlin; empty: UTC


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


def two_people(home: Path) -> bool:
    """Whether two people must approve what loosens a live sleeve. Raises BadInput for an invalid file."""
    return bool(read_people(home)) and _contents(home / FILE)[1]


def _entries(path: Path) -> dict[str, Person]:
    """The people of the file. Raises BadInput for an invalid one."""
    return _contents(path)[0]


def _contents(path: Path) -> tuple[dict[str, Person], bool]:
    """(people, whether two must approve) as the file says. Raises BadInput for an invalid one."""
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        both = entries.pop(TWO_PEOPLE, False)
        if not isinstance(both, bool):
            raise TypeError(f"{TWO_PEOPLE} is true or false")
        # a file from before there were roles has none: its people could do everything, and still can
        unsaid = "viewer" if any("role" in entry for entry in entries.values()) else "admin"
        people = {name: _person(entry, unsaid) for name, entry in entries.items()}
    except FileNotFoundError:
        return {}, False
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadInput(f"{path} is invalid ({error})", "fix or restore it; until then nobody can decide") from error
    for name, person in people.items():
        if not HASH.fullmatch(person.token) or not (person.passphrase == "" or HASH.fullmatch(person.passphrase)):
            raise BadInput(f"{path}: the token hash of {name} is invalid", "issue a new one: nightdesk people add NAME")
        if person.role not in ROLES:
            raise BadInput(f"{path}: {name} has the unknown role {person.role[:40]!r}", f"roles: {', '.join(ROLES)}")
        if person.slack and not SLACK.fullmatch(person.slack):
            raise BadInput(f"{path}: the Slack ids of {name} are invalid", "slack = TEAM/USER, as T0123ABCD/U0123ABCD")
        if person.telegram and not TELEGRAM.fullmatch(person.telegram):
            raise BadInput(f"{path}: the Telegram id of {name} is invalid", 'telegram = "123456789", the number of the account')
        if fault := fault_of(*call_fields(person)):
            raise BadInput(f"{path}: {name}: {fault}", "nightdesk people on-call sets it")
    orders = [person.on_call for person in people.values() if person.on_call]
    if len(orders) != len(set(orders)):
        raise BadInput(f"{path}: two people have the same place in the rota", "give each their own: on_call = 1, 2, ...")
    for word, accounts in (("Slack", [p.slack for p in people.values()]), ("Telegram", [p.telegram for p in people.values()])):
        linked = [account for account in accounts if account]
        if len(linked) != len(set(linked)):
            raise BadInput(f"{path}: two people share one {word} account", f"give each person their own {word} ids")
    return people, both


def _person(entry: Mapping[str, Any], unsaid: str) -> Person:
    """An entry of the file, unchecked."""
    words = (entry["token"], entry.get("passphrase", ""), entry.get("slack", ""), entry.get("role", unsaid))
    place = entry.get("on_call", 0)
    if type(place) is not int:
        raise TypeError("on_call is a number: 1, 2, ...")
    more = {name: str(entry.get(name, "")) for name in ("telegram", "reach", "shift", "quiet", "timezone")}
    token, passphrase, slack, role = map(str, words)
    return Person(token, passphrase, slack, cast("Role", role), on_call=place, **more)  # the role is checked later


def add_person(home: Path, name: str, passphrase: str = "", role: Role | None = None) -> str:
    """Add an entry for `name`, or replace its token; returns the token, which is stored nowhere.

    The first person is admin, whatever was asked for: someone must be able to add the next. Later ones are viewers unless
    `role` says otherwise; one who is there already keeps theirs unless it does. Raises Refused, with nothing written, where
    that would leave no admin.
    """
    if NAME.fullmatch(name) is None:
        raise BadInput(f"{name[:60]!r} is not a valid name", NAME_HINT)
    token = secrets.token_urlsafe(24)
    with _alone(home):
        people = read_people(home)
        _require_own(people, name)
        before = people.get(name) or Person("", "", role="viewer" if people else "admin")
        held = role if role is not None and people else before.role
        made = before._replace(token=hashed(token), passphrase=hashed(passphrase) if passphrase else "", role=held)
        _keep_an_admin(people | {name: made}, name)
        _write(home, people | {name: made})
    return token


def _require_own(people: Iterable[str], name: str) -> None:
    """Refuse a name that reads like another person's: `Ann` beside `ann`, two spaces for one. Raises BadInput."""
    like = next((other for other in people if other != name and _read_as(other) == _read_as(name)), None)
    if like is not None:
        raise BadInput(f"{name} reads like {like}, who is registered", "take a name that nobody confuses with it")


def _read_as(name: str) -> str:
    return " ".join(name.casefold().split()).rstrip("._-@ ")


def set_role(home: Path, name: str, role: Role) -> Role:
    """Give a person a role; the one they had. Raises BadInput for an unknown person, Refused for the last admin."""
    if role not in ROLES:
        raise BadInput(f"unknown role {role[:40]!r}", f"roles: {', '.join(ROLES)}")
    with _alone(home):
        people = read_people(home)
        before = _listed(people, name).role
        _keep_an_admin(people | {name: people[name]._replace(role=role)}, name)
        _write(home, people | {name: people[name]._replace(role=role)})
    return before


def remove_person(home: Path, name: str) -> Role:
    """Take a person off the list; the role they had. Raises BadInput for an unknown person, Refused for the last admin."""
    with _alone(home):
        people = read_people(home)
        before = _listed(people, name).role
        left = {other: person for other, person in people.items() if other != name}
        _keep_an_admin(left, name)
        _write(home, left)
    return before


def set_on_call(home: Path, name: str, **fields: Any) -> Person:
    """Change a person's place in the rota, their way, shift, quiet hours or time zone; the person before. Raises BadInput."""
    with _alone(home):
        people = read_people(home)
        before = _listed(people, name)
        after = before._replace(**fields)
        if fault := fault_of(*call_fields(after)):
            raise BadInput(fault, "see nightdesk people on-call --help")
        taken = [other for other, person in people.items() if person.on_call == after.on_call and other != name]
        if after.on_call and taken:
            what = f"place {after.on_call} of the rota is {taken[0]}'s"
            raise BadInput(what, "choose another --order, or move that person first")
        _write(home, people | {name: after})
    return before


def set_two_people(home: Path, *, both: bool) -> None:
    """Ask for two people, or for one again. Raises BadInput where nobody is registered."""
    with _alone(home):
        people = read_people(home)
        if not people:
            raise BadInput("nobody is registered: one name could say it is two", "add people first: nightdesk people add NAME")
        _write(home, people, both=both)


def link_account(home: Path, name: str, where: Literal["slack", "telegram"], account: str) -> None:
    """Let an account of Slack ("TEAM/USER") or Telegram (the user's id) decide as `name`. Raises BadInput."""
    word, form = ("Slack", SLACK) if where == "slack" else ("Telegram", TELEGRAM)
    with _alone(home):
        people = read_people(home)
        _listed(people, name)
        if not form.fullmatch(account):
            hint = "team ids begin with T or E, user ids with U or W" if where == "slack" else "the number of the account"
            raise BadInput(f"{account[:80]!r} is not a valid {word} account", hint)
        for other, person in people.items():
            if getattr(person, where) == account and other != name:
                raise BadInput(f"that {word} account already belongs to {other}", "link each account to one person")
        _write(
            home,
            people
            | {name: people[name]._replace(slack=account) if where == "slack" else people[name]._replace(telegram=account)},
        )


def link_slack(home: Path, name: str, team: str, user: str) -> None:
    """Let the Slack account `team`/`user` decide as `name`, who must be in people.toml. Raises BadInput."""
    link_account(home, name, "slack", f"{team}/{user}")


def by_account(home: Path, where: Literal["slack", "telegram"], account: str) -> Actor | None:
    """The person linked to an account; None when nobody is. The caller has verified that the request is of that account."""
    for name, person in read_people(home).items():
        if account and getattr(person, where) == account:
            return Actor(name, where, os_user(), where)
    return None


def by_slack(home: Path, team: str, user: str) -> Actor | None:
    """The person linked to a Slack account; None when nobody is. The caller has verified that the request is Slack's."""
    return by_account(home, "slack", f"{team}/{user}")


def _listed(people: Mapping[str, Person], name: str) -> Person:
    if name not in people:
        raise BadInput(f"{name[:60]!r} is not in {FILE}", "add the person first: nightdesk people add NAME")
    return people[name]


def _keep_an_admin(people: Mapping[str, Person], name: str) -> None:
    if not any(person.role == "admin" for person in people.values()):
        raise Refused(f"{name} is the only admin: nobody could add or change people", "make another person admin first")


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One process at a time reads and replaces the file."""
    with (home / f".{FILE}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(home: Path, people: Mapping[str, Person], *, both: bool | None = None) -> None:
    """Replace the file atomically, then note its names: what fails in between leaves a file that asks for tokens."""
    both = _contents(home / FILE)[1] if both is None else both
    lines = ["# Who may decide. Made by `nightdesk people`; holds hashes, no tokens.\n"]
    lines += [f"{TWO_PEOPLE} = true  # to approve what loosens a live sleeve\n"] if both else []
    for name, person in people.items():
        fields = {key: value for key, value in person._asdict().items() if value or key == "passphrase"}
        lines.append(f'\n["{name}"]\n' + "".join(f"{key} = {toml(value)}\n" for key, value in fields.items()))
    (home / f".{FILE}.new").touch(mode=0o600)  # the draft that becomes the file
    write_whole(home / FILE, "".join(lines))
    _register(home, people)


def call_fields(person: Person) -> tuple[int, str, str, str, str]:
    """What says when and how a person on call is reached."""
    return person.on_call, person.reach, person.shift, person.quiet, person.timezone


def toml(value: str | int) -> str:
    """A value of the file."""
    return str(value) if isinstance(value, int) else f'"{value}"'


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

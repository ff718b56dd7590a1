"""API authentication: one-time login links, sessions, tokens. Called by app.api, `nightdesk login` and `nightdesk up`.

Only its owner holds a secret (cookie or bearer token); under sessions/ the home keeps one file per secret (mode 0600), named
by its SHA-256, with owner and expiry. A login code is such a file too, and using it removes it: of two requests with one code,
one succeeds. Nothing is kept in memory, so sessions survive a restart of the API.
"""

import json
import os
import secrets
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, NamedTuple

from app.home.files import LINK
from app.people.identity import NAME, NAME_HINT, Actor, Person, fits, os_user, read_people
from engine.clock import HOUR_MS
from engine.errors import BadInput, Refused

FOLDER = "sessions"
LOGIN_MS = 12 * HOUR_MS
SESSION_MS = 14 * 24 * HOUR_MS
Scope = Literal["all", "read"]


class Denied(Refused):
    """Not authorised, whatever the desk's state."""


class NoSession(Refused):
    """Not logged in."""


class Session(NamedTuple):
    """An open session. `proof` ties it to the token hash that people.toml had when its person proved the name."""

    key: str  # SHA-256 of the secret, and the name of its file
    name: str
    scope: Scope
    created_ms: int
    expires_ms: int
    proof: str = ""


def cookie_name(port: int) -> str:
    """Cookies are not separated by port, and two desks on one machine must not share one."""
    return f"nightdesk_{port}"


class Sessions:
    """The sessions of one home."""

    def __init__(self, home: Path) -> None:
        self.home, self.folder = home, home / FOLDER

    def login_code(self, now_ms: int, name: str = "", scope: Scope = "all") -> str:
        """A new one-time login code for `name` (default: the OS account)."""
        self._sweep(now_ms)
        return self._write("login", {"name": name or os_user(), "scope": scope, "expires_ms": now_ms + LOGIN_MS})

    def redeem(self, code: str, now_ms: int) -> tuple[str, Session]:
        """Exchange a one-time code for a session; returns (secret, session). Raises NoSession for a used or expired code."""
        path = self._path("login", code)
        entry = _entry(path)
        try:
            path.unlink()  # the only place where a code is used
        except OSError:
            entry = {}
        if not entry or entry["expires_ms"] <= now_ms:
            raise NoSession("this login link is used or expired", "`nightdesk login` prints a new one")
        _remove_link(self.home, code)
        return self.open(entry["name"], entry["scope"], now_ms)

    def open(self, name: str, scope: Scope, now_ms: int, lifetime_ms: int = SESSION_MS) -> tuple[str, Session]:
        """Open a session; returns (secret, session)."""
        self._sweep(now_ms)
        body: dict[str, Any] = {
            "name": name,
            "scope": scope,
            "created_ms": now_ms,
            "expires_ms": now_ms + lifetime_ms,
            "proof": "",
        }
        secret = self._write("session", body)
        return secret, Session(_key(secret), **body)

    def find(self, secret: str, now_ms: int) -> Session | None:
        """The session of a secret; None if unknown or expired. Reads one small file."""
        entry = _entry(self._path("session", secret)) if 20 <= len(secret) <= 100 and secret.isascii() else {}
        if not entry or entry["expires_ms"] <= now_ms:
            return None
        return Session(_key(secret), entry["name"], entry["scope"], entry["created_ms"], entry["expires_ms"], entry["proof"])

    def rename(self, session: Session, name: str, token: str = "") -> Session:
        """The session under another person's name. Raises BadInput for an invalid name, Denied for a wrong token."""
        bare = name.strip()
        if NAME.fullmatch(bare) is None:
            raise BadInput(f"{name[:60]!r} is not a valid name", NAME_HINT)
        people, proof = read_people(self.home), ""
        if people:
            entry = people.get(bare)
            if entry is None or not fits(token, entry.token):
                raise Denied(f"{bare} was not recognised", "enter the token that `nightdesk people add` printed for this name")
            proof = proof_of(entry)
        changed = session._replace(name=bare, proof=proof)
        self._store(self.folder / f"session-{session.key}", {k: v for k, v in changed._asdict().items() if k != "key"})
        return changed

    def close(self, session: Session) -> None:
        """End a session."""
        (self.folder / f"session-{session.key}").unlink(missing_ok=True)

    def close_all_of(self, name: str) -> None:
        """End every session of a name, read-only tokens and unused login codes too."""
        for path in self.folder.glob("[ls]*-*") if self.folder.is_dir() else ():
            if _entry(path).get("name") == name:
                path.unlink(missing_ok=True)

    def actor(self, session: Session, channel: str) -> Actor:
        """The person who decides in this session. Denied for a read-only token, or for an unproven name once people.toml has
        entries."""
        if session.scope != "all":
            raise Denied("this token is read-only", "log in to decide: nightdesk login")
        if self.unproven(session):
            raise Denied(f"{session.name} is not verified in this session", "enter your name and token")
        return Actor(session.name, "session" if session.proof else "claimed", os_user(), channel)

    def unproven(self, session: Session) -> bool:
        """Whether people.toml has entries and none of them (still) proves this session's name."""
        people = read_people(self.home)
        entry = people.get(session.name)
        return bool(people) and (entry is None or session.proof != proof_of(entry))

    def _path(self, kind: str, secret: str) -> Path:
        return self.folder / f"{kind}-{_key(secret)}"

    def _write(self, kind: str, body: dict[str, Any]) -> str:
        secret = secrets.token_urlsafe(32)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self._store(self._path(kind, secret), body)
        return secret

    def _store(self, path: Path, body: dict[str, Any]) -> None:
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        write_private(draft, json.dumps(body))
        draft.replace(path)

    def _sweep(self, now_ms: int) -> None:
        """Remove expired files."""
        for path in self.folder.glob("[ls]*-*") if self.folder.is_dir() else ():  # not what is being written: .session-...
            if (_entry(path) or {"expires_ms": 0})["expires_ms"] <= now_ms:
                path.unlink(missing_ok=True)


def proof_of(entry: Person) -> str:
    """A session's proof of identity: derived from the person's token, so a new token invalidates it."""
    return sha256(entry.token.encode()).hexdigest()


def write_link(home: Path, url: str) -> Path:
    """Store the printed login link in the home; returns the file."""
    path = home / LINK
    path.unlink(missing_ok=True)
    write_private(path, url + "\n")
    return path


def write_private(path: Path, text: str) -> None:
    """Write a new file with mode 0600."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def _remove_link(home: Path, code: str) -> None:
    """Remove the stored link once its code is used."""
    path = home / LINK
    try:
        if code in path.read_text(encoding="utf-8"):
            path.unlink()
    except OSError:
        return


def _key(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def _entry(path: Path) -> dict[str, Any]:
    """The content of a session file; empty when missing or not ours."""
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return entry if isinstance(entry, dict) and isinstance(entry.get("expires_ms"), int) else {}

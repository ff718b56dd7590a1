"""The keys of a venue's account: read from the environment, the system's keyring or a file, by the worker's processes alone.

Called by app.processes.account_claims, account_start and account_check (an import contract). A key is never in a message, and
`repr` does not print one.
"""

import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from engine.errors import BadInput
from engine.redaction import redacted

PARTS = ("key", "secret", "passphrase")
PART_MAX = 5_000  # letters of one; an RSA secret has some 1,700
FILE_MAX = 20_000  # bytes
HIDDEN_MIN = 6  # shorter texts would take letters out of ordinary words


class KeySource(NamedTuple):
    """Where an account's keys are: one of the three. `account` is its name in messages."""

    account: str
    needs_passphrase: bool
    variables: tuple[str, str, str] = ("", "", "")  # of key, secret, passphrase
    keyring: str = ""
    file: str = ""


class VenueKeys:
    """Key, secret and passphrase (empty where the venue has none)."""

    __slots__ = PARTS

    def __init__(self, key: str, secret: str, passphrase: str = "") -> None:
        self.key, self.secret, self.passphrase = key, secret, passphrase

    def __repr__(self) -> str:
        return "VenueKeys(hidden)"

    def without(self, text: str) -> str:
        """`text` without them and without what else looks like a key."""
        for value in (self.key, self.secret, self.passphrase):
            if len(value) >= HIDDEN_MIN:
                text = text.replace(value, "[secret]")
        return redacted(text)


def read_keys(source: KeySource, home: Path, environment: Mapping[str, str] = os.environ) -> VenueKeys:
    """The keys of an account. Raises BadInput, which names where they were looked for and nothing of what was there."""
    if source.keyring:
        found, where = _from_keyring(source), f"the keyring's entry nightdesk-{source.keyring}"
    elif source.file:
        found, where = _from_file(source, home), f"the file {source.file}"
    else:
        found = {part: environment.get(name, "") for part, name in zip(PARTS, source.variables, strict=True)}
        where = "the environment"
    wanted = PARTS if source.needs_passphrase else PARTS[:2]
    names = dict(zip(PARTS, source.variables, strict=True)) if where == "the environment" else {part: part for part in PARTS}
    if lacking := [names[part] for part in wanted if not found.get(part)]:
        hint = "export it in the shell that starts nightdesk" if where == "the environment" else "see docs/accounts.md"
        raise BadInput(f"account {source.account}: {where} has no {' and no '.join(lacking)}", hint)
    for part in wanted:
        if fault := _fault_in(found[part], part):
            raise BadInput(f"account {source.account}: the {part} in {where} {fault}", "copy it again from the venue's page")
    return VenueKeys(*(found.get(part, "") if part in wanted else "" for part in PARTS))


def _fault_in(value: str, part: str) -> str:
    """What no key looks like; it ends up in a header, where a line end would begin another. A passphrase may have spaces."""
    if len(value) > PART_MAX:
        return f"has {len(value):,} letters, at most {PART_MAX:,} are read"
    lines = part == "secret" and value.startswith("-----BEGIN")  # an RSA or Ed25519 secret in PEM
    if not all(" " <= letter <= "~" or (lines and letter == "\n") for letter in value):
        return "has letters that no key has (a line end, an accent)"
    return "begins or ends with a space" if value != value.strip() and not lines else ""


def _from_keyring(source: KeySource) -> dict[str, str]:
    """What the system's keyring holds. Raises BadInput where the library or the keyring is not there."""
    try:
        import keyring
    except ImportError:
        what = f"account {source.account}: the library keyring is not installed"
        raise BadInput(what, "pip install 'keyring>=25,<26', or use key_env or key_file") from None
    try:
        return {part: keyring.get_password(f"nightdesk-{source.keyring}", part) or "" for part in PARTS}
    except Exception as error:
        what = f"account {source.account}: the keyring does not answer ({type(error).__name__})"
        raise BadInput(what, "unlock it, or use key_env or key_file") from error


def _from_file(source: KeySource, home: Path) -> dict[str, str]:
    """What the file holds. It is the user's own, read by nobody else, outside the home. Raises BadInput."""
    path, name = Path(source.file).expanduser(), f"account {source.account}: key_file {source.file}"
    try:
        if not path.is_absolute() or path.resolve().is_relative_to(home.resolve()):
            raise BadInput(
                f"{name} is inside the home, or relative", "keep it elsewhere: backups and exports take the home along"
            )
        with open(path, "rb", opener=lambda file, flags: os.open(file, flags | os.O_NONBLOCK)) as file:  # a pipe would wait
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > FILE_MAX:
                raise BadInput(f"{name} is not a file of at most {FILE_MAX:,} bytes", "see docs/accounts.md")
            if status.st_uid != os.geteuid() or status.st_mode & 0o077:
                raise BadInput(f"{name} can be read by others than you", f"chmod 600 {source.file}, and own it")
            text = file.read(FILE_MAX).decode()
        found = tomllib.loads(text)
    except OSError as error:
        raise BadInput(f"{name} cannot be read: {error.strerror}", "check the path") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):  # their messages may repeat what is in it
        raise BadInput(f"{name} is not TOML", 'three lines: key = "...", secret = "...", passphrase = "..."') from None
    return {part: found[part] for part in PARTS if isinstance(found.get(part), str)}

"""Which home uses which venue key: two desks on one account would undo each other's orders, so the second one does not start.

Called by the worker at its start. The marks are files in `$XDG_STATE_HOME/nightdesk/claims` (by default ~/.local/state), where
every home of this user sees them: a lock that ends with its process, named by a hash of the key. No key can be read from it: the
name is a keyed BLAKE2b of venue and API key (the public half; the secret is not part of it), whose own key is a random file
beside it. Other users and other machines are not seen.
"""

import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from app.home.accounts import AccountEntry
from app.home.home import Home
from engine.errors import BadInput, Busy
from engine.venues.account_keys import KeySource, VenueKeys, read_keys

SALT_BYTES = 32
NOTE_MAX = 2_000  # bytes of a claim
HELD: list[IO[str]] = []  # the locks of this process


def key_source(name: str, account: AccountEntry) -> KeySource:
    """Where the keys of an account are."""
    return KeySource(name, account.venue == "okx", account.variables, account.keyring, account.key_file)


def claims_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder that all homes of this user share; made where it is missing."""
    state = environment.get("XDG_STATE_HOME", "")
    base = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    folder = base / "nightdesk" / "claims"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def claim_keys(home: Home, note: Callable[[str], None], environment: Mapping[str, str] = os.environ, maker: str = "") -> None:
    """Claim the keys of all accounts for as long as this process lives; `note` gets a line for each that cannot be read.

    Those of makers (making = true) are left to their makers; `maker`: such an account, claimed alone.

    Raises Busy, which names the other home, where one uses a key already, and BadInput for two accounts with one key.
    """
    names: dict[str, str] = {}
    for name, account in home.desk.accounts.items():
        if name != maker and (account.making or maker):
            continue
        if account.mode in ("paper", "shadow"):  # shadow sends nothing: it may watch an account that another home trades
            continue
        try:
            keys = read_keys(key_source(name, account), home.path, environment)
        except BadInput as error:  # a desk that trades this account says so itself; a paper desk goes on
            note(str(error))
            continue
        mark = mark_of(account.venue, keys, claims_folder(environment))
        if other := names.get(mark.name):
            raise BadInput(f"accounts {other} and {name} have one key", "give each a key of its own sub-account")
        names[mark.name] = name
        HELD.append(locked(mark, name, home.path))


def mark_of(venue: str, keys: VenueKeys, folder: Path) -> Path:
    """The file that says who uses these keys."""
    digest = hashlib.blake2b(f"{venue}\n{keys.key}".encode(), key=salt_of(folder), digest_size=20)
    return folder / f"{digest.hexdigest()}.json"


def salt_of(folder: Path) -> bytes:
    """The random key of this user's marks; whoever comes first makes it."""
    path = folder / "salt"
    fresh = folder / f"salt.{os.getpid()}"
    if not path.exists():
        fresh.touch(mode=0o600)
        fresh.write_bytes(secrets.token_bytes(SALT_BYTES))
        with suppress(FileExistsError):
            os.link(fresh, path)  # whole or not at all, and never over another's
        fresh.unlink()
    salt = path.read_bytes()
    if len(salt) != SALT_BYTES:
        raise BadInput(f"{path} is damaged", "stop every desk of this user, and delete it")
    return salt


def locked(mark: Path, account: str, home: Path) -> IO[str]:
    """The mark, locked by this process and saying whose it is. Raises Busy where another process holds it."""
    file = os.fdopen(os.open(mark, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        text = file.read(NOTE_MAX)
        file.close()
        hint = "stop that one, or give this home a key of another sub-account: two desks on one account undo each other's orders"
        raise Busy(f"the key of account {account} is in use by the desk {used_by(text)}", hint) from None
    file.truncate()
    file.write(json.dumps({"home": str(home), "pid": os.getpid()}))
    file.flush()
    return file


def used_by(text: str) -> str:
    """Home and process of a claim, in words."""
    try:
        found = json.loads(text)
        return f"{found['home']} (process {found['pid']})"
    except (ValueError, KeyError, TypeError):
        return "of another home"

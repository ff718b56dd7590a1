"""Passphrase lockout: after five failures in a row a person waits, longer each time. Called by app.people.approvals.

Failures are counted in the database per name, across processes, channels and restarts. An attempt is counted before the
passphrase is checked, so a hundred parallel attempts gain nothing. Only releasing and loosening ask for a passphrase; halting
never does, so it is never locked. Tokens, sessions and login codes are not counted: with at least 192 random bits they cannot
be guessed.
"""

from sqlalchemy import Engine

from app.people.identity import Person, fits
from engine.clock import utc
from engine.errors import Refused
from engine.store import db
from engine.store.tables import FailedPassphrase

FREE = 5  # failures in a row before the first wait
WAIT_MS, WAIT_MS_MAX = 30_000, 3_600_000  # the first wait; doubles up to an hour
FORGOTTEN_MS = 86_400_000  # after a day without a failure the count restarts


def wait_ms(count: int) -> int:
    """The wait before the next attempt after `count` failures in a row."""
    return 0 if count < FREE else min(WAIT_MS << min(count - FREE, 20), WAIT_MS_MAX)


def require_free(engine: Engine, name: str, now_ms: int) -> None:
    """Raise Refused when `name` is locked out. Changes nothing."""
    with db.read(engine) as session:
        row = session.get(FailedPassphrase, name)
        if row is not None and _left(row, now_ms) > 0:
            raise _locked(row, now_ms)


def prove(engine: Engine, name: str, entry: Person | None, word: str, now_ms: int) -> None:
    """Return if `word` is the passphrase of `entry`, the person `name`. `now_ms`: wall time.

    Raises Refused for a wrong passphrase; during a lockout, with the time of the next attempt; and when the person has none or
    gave none (not counted as a failure).
    """
    if entry is None or not entry.passphrase:
        raise Refused(f"{name} has no passphrase", f"set one: nightdesk people add {name!r} --passphrase")
    if not word:
        raise Refused("a passphrase is needed", "enter the one set for your name with `nightdesk people add --passphrase`")
    count = _counted(engine, name, now_ms)
    if fits(word, entry.passphrase):
        with db.write(engine) as session:
            if (row := session.get(FailedPassphrase, name)) is not None:
                session.delete(row)
        return
    left = FREE - count
    again = f"try again; {left} left before a wait" if left > 0 else f"next attempt at {utc(now_ms + wait_ms(count))}"
    raise Refused("wrong passphrase", again)


def _counted(engine: Engine, name: str, now_ms: int) -> int:
    """Count this attempt as a failure until it proves right; returns the failures in a row. Refused during a lockout."""
    with db.write(engine) as session:
        row = session.get(FailedPassphrase, name) or FailedPassphrase(name=name, count=0, last_ms=now_ms, until_ms=0)
        locked = _locked(row, now_ms) if _left(row, now_ms) > 0 else None
        if locked is None:
            row.count = 1 if now_ms - row.last_ms > FORGOTTEN_MS else row.count + 1
            row.last_ms, row.until_ms = now_ms, now_ms + wait_ms(row.count)
        elif row.until_ms - now_ms > WAIT_MS_MAX:  # the clock was set back: cap the wait
            row.last_ms, row.until_ms = now_ms, now_ms + WAIT_MS_MAX
        count = row.count
        session.add(row)
    if locked is not None:
        raise locked
    return count


def _left(row: FailedPassphrase, now_ms: int) -> int:
    """Time left in this person's lockout."""
    return min(row.until_ms - now_ms, WAIT_MS_MAX)


def _locked(row: FailedPassphrase, now_ms: int) -> Refused:
    left = _left(row, now_ms)
    when = f"next attempt at {utc(now_ms + left)}, in {-(-left // 1000)} s; halting is never locked"
    return Refused(f"{row.count} wrong passphrases in a row for {row.name}: this one was not checked", when)

"""How often a passphrase may be guessed: after five wrong ones in a row a person waits, ever longer. Called by
app.people.approvals.

Counted in the database for each name, so it holds across processes, channels and restarts. A try is counted before the word is
looked at: of a hundred at once only as many are looked at as one after the other. Only what releases or loosens asks for a
passphrase; halting never does, so it is never locked. Tokens, sessions and login codes are not counted: they are made by
`secrets` with 192 bits and more, and cannot be guessed.
"""

from sqlalchemy import Engine

from app.people.identity import Person, fits
from engine.clock import utc
from engine.errors import Refused
from engine.store import db
from engine.store.tables import FailedPassphrase

FREE = 5  # wrong ones in a row before the first wait
WAIT_MS, WAIT_MS_MAX = 30_000, 3_600_000  # the first wait; it doubles up to an hour
FORGOTTEN_MS = 86_400_000  # a day without a wrong one: counted from the start


def wait_ms(count: int) -> int:
    """How long the next try waits after `count` wrong ones in a row."""
    return 0 if count < FREE else min(WAIT_MS << min(count - FREE, 20), WAIT_MS_MAX)


def require_free(engine: Engine, name: str, now_ms: int) -> None:
    """Raise Refused when a passphrase of `name` would not be looked at now. Changes nothing."""
    with db.read(engine) as session:
        row = session.get(FailedPassphrase, name)
        if row is not None and _left(row, now_ms) > 0:
            raise _locked(row, now_ms)


def prove(engine: Engine, name: str, entry: Person | None, word: str, now_ms: int) -> None:
    """Return when `word` is the passphrase of `entry`, the person `name`. `now_ms`: wall time.

    Raises Refused while the person waits, naming when it may be tried again; for a wrong one; and for a person who has none or
    gave none (which is no guess and is not counted).
    """
    if entry is None or not entry.passphrase:
        raise Refused(f"{name} has no passphrase", f"give one: nightdesk people add {name!r} --passphrase")
    if not word:
        raise Refused("a passphrase is needed", "type the one that `nightdesk people add` was given for your name")
    count = _counted(engine, name, now_ms)
    if fits(word, entry.passphrase):
        with db.write(engine) as session:
            if (row := session.get(FailedPassphrase, name)) is not None:
                session.delete(row)
        return
    left = FREE - count
    again = f"try again; {left} more and you wait" if left > 0 else f"next try at {utc(now_ms + wait_ms(count))}"
    raise Refused("the passphrase is not right", again)


def _counted(engine: Engine, name: str, now_ms: int) -> int:
    """Count this try as a wrong one, until it has proven right; how many in a row that makes. Refused while the person waits."""
    with db.write(engine) as session:
        row = session.get(FailedPassphrase, name) or FailedPassphrase(name=name, count=0, last_ms=now_ms, until_ms=0)
        locked = _locked(row, now_ms) if _left(row, now_ms) > 0 else None
        if locked is None:
            row.count = 1 if now_ms - row.last_ms > FORGOTTEN_MS else row.count + 1
            row.last_ms, row.until_ms = now_ms, now_ms + wait_ms(row.count)
        elif row.until_ms - now_ms > WAIT_MS_MAX:  # the clock was put back: nobody waits for the time it showed
            row.last_ms, row.until_ms = now_ms, now_ms + WAIT_MS_MAX
        count = row.count
        session.add(row)
    if locked is not None:
        raise locked
    return count


def _left(row: FailedPassphrase, now_ms: int) -> int:
    """How long this person waits still."""
    return min(row.until_ms - now_ms, WAIT_MS_MAX)


def _locked(row: FailedPassphrase, now_ms: int) -> Refused:
    left = _left(row, now_ms)
    when = f"it may be tried again at {utc(now_ms + left)}, in {-(-left // 1000)} s; halting is never locked"
    return Refused(f"{row.count} wrong passphrases of {row.name} in a row: this one was not looked at", when)

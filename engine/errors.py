"""Every error Nightdesk raises on purpose. One `except DeskError` at an entry point turns any of them into one clear line.

    DeskError                     what, where and what to do; never a traceback for a person
    ├── BadInput                  invalid input: unknown name, out of bounds, reversed dates
    ├── DataError                 a file or a feed is broken, dirty, missing, or changed since it was read
    ├── StrategyError             a strategy raised, returned the wrong length, NaN or infinite values, or never ended
    ├── Refused                   a rule of the desk refuses: authority, stale or expired proposal, latch, limit
    ├── Busy                      held by another process: a second worker, a locked home (recoverable)
    └── JournalBroken             a hash chain that does not verify, or an unreadable record

Expected outcomes (no data, refused by a guardrail) are values, not exceptions. A programmer's error is an
assert that halts.
"""


class DeskError(Exception):
    """Something a person can act on: `hint` says what to do, `recoverable` that a retry may help."""

    recoverable = False

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what if not hint else f"{what} - {hint}")
        self.what, self.hint = what, hint


class BadInput(DeskError):
    """Invalid input from a person or a model."""


class DataError(DeskError):
    """A file or a feed is broken, dirty, missing, or changed since it was read."""


class StrategyError(DeskError):
    """A strategy broke its contract."""


class Refused(DeskError):
    """A rule of the desk refuses."""


class Busy(DeskError):
    """Held by another process or thread."""

    recoverable = True


class JournalBroken(DeskError):
    """A journal that does not verify."""

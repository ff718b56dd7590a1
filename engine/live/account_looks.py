"""Rights and modes of an account that change while its desk runs: the rows of a start that are about them, asked again.

Called by engine.live.gate while it is open. What two looks have found closes the gate, whose row `account` pages, and holds again
once the account is as wanted.
"""

from collections.abc import Awaitable, Callable, Sequence

from engine.live.desk import LiveDesk

EVERY_MS = 300_000  # some questions for each instrument: a venue's limit does not feel them
REFUSED_MS = 60_000  # sooner where an order was refused for such a reason
AGAIN_MS = 10_000  # before the second look: one odd answer closes nothing

Changes = Callable[[], Awaitable[Sequence[str]]]  # what is not as wanted, in words; nothing where the venue gave no answer


class AccountLooks:
    """Of one account. `ask` None: nobody looks."""

    def __init__(self, desk: LiveDesk, ask: Changes | None) -> None:
        self.desk, self._ask = desk, ask
        self._looked_ms, self._found = desk.now_ms(), False

    def begin(self) -> None:
        """The whole check has held just now."""
        self._looked_ms, self._found = self.desk.now_ms(), False

    async def changed(self) -> str:
        """What has changed by two looks in a row; "" for nothing, and while no look is due."""
        now, wait_ms = self.desk.now_ms(), AGAIN_MS if self._found else EVERY_MS
        if self.desk.turned_away.of_account_ms > self._looked_ms:
            wait_ms = min(wait_ms, REFUSED_MS)
        if self._ask is None or now - self._looked_ms < wait_ms:
            return ""
        self._looked_ms = now
        try:
            found = "; ".join(await self._ask())
        except Exception:  # noqa: BLE001 - a check that has failed says nothing of the account
            return ""
        before, self._found = self._found, bool(found)
        return f"the account is not as it was: {found}" if before and found else ""

"""A halt of a maker at its account, to its end: everything cancelled, then what it holds is left at the market, reduce-only.

Called by app/making/account.py once the maker has halted: by the latch, a guardrail, or what the venue said. It asks by clients
of its own, so that no question queues. It ends in KILLED or KILL_INCOMPLETE as a desk's does (engine/live/halt.py), in the
journal; an incomplete one is looked at again each ten seconds, tried no further, and says KILLED once nothing is left.
"""

import asyncio
from collections.abc import Callable, Sequence

from app.making.executions import MakerExecutions
from app.making.requests import MakerRequests
from engine.errors import DeskError
from engine.live.halt import AGAIN_S, BACKOFF_S, INCOMPLETE, KILLED, TRIES_MAX, HaltResult, as_order
from engine.live.lost_stops import LIFE_MS
from engine.making.at_account import AccountMaker
from engine.making.fold import is_own
from engine.venues.live_port import LiveVenue, StandingOrder

LOOK_S = 0.5


class HaltingMaker:
    """The end of one halt. `venue`: the instrument by clients of its own."""

    def __init__(
        self,
        venue: LiveVenue,
        maker: AccountMaker,
        executions: MakerExecutions,
        requests: MakerRequests,
        page: Callable[[str], None],
        *,
        flatten: bool,
    ) -> None:
        self.venue, self.maker, self.executions, self.requests = venue, maker, executions, requests
        self.page, self.flatten = page, flatten
        self.result: HaltResult | None = None

    async def run(self) -> None:
        """Wait for the halt, then follow it to its end."""
        while not self.maker.journal.book.halted:
            await asyncio.sleep(LOOK_S / 10)
        tries = 0
        while True:
            left = await self._try(tries)
            if not left or (tries := tries + 1) >= TRIES_MAX:
                break
            await asyncio.sleep(BACKOFF_S[min(tries - 1, len(BACKOFF_S) - 1)])
        self._ended(left)
        while left:
            await asyncio.sleep(AGAIN_S)
            if not (left := await self._left()):
                self._ended(left)

    def _ended(self, left: Sequence[str]) -> None:
        """Journal how it has ended, and page."""
        self.result = HaltResult(INCOMPLETE if left else KILLED, tuple(left))
        self.maker.note("killed", self.executions.now_ns(), state=self.result.state, left=list(left))
        halted = self.maker.journal.book.halted
        why = f"{halted.get('rule', '')} {halted.get('reason', '')}".strip()
        self.page(f"halt ({why}): {self.result.state}" + (f", left: {'; '.join(left)}" if left else ""))

    async def _try(self, tries: int) -> list[str]:
        """Cancel, wait until every order has ended, leave, look; what is left."""
        try:
            await self._cancel()
            await self._until_ended(tries)
            lots = await self._own_lots()
            if lots and self.flatten and not self.requests.open:
                self.requests.place(self.maker.leaves(lots, self.executions.now_ns()))
                await self._until_ended(tries)
        except DeskError as error:
            return [error.what]
        return await self._left()

    async def _cancel(self) -> None:
        """Whatever the venue has under the maker's name, also what the journal thinks has ended. Raises DataError."""
        held = await self._standing()
        for one in held:
            self.requests.cancel(one.order)
        await asyncio.gather(*(self.venue.cancel(as_order(one)) for one in held if one.order not in self.requests.open))

    async def _until_ended(self, tries: int) -> None:
        """Until the venue has said that every order has ended, and its executions are booked; as long as a request lives."""
        until = asyncio.get_running_loop().time() + (LIFE_MS / 1000 if tries < TRIES_MAX // 2 else LOOK_S)
        while self.requests.open and asyncio.get_running_loop().time() < until:
            self.executions.wake()
            await asyncio.sleep(LOOK_S / 5)

    async def _standing(self) -> list[StandingOrder]:
        return [held for held in await self.venue.standing() if is_own(self.maker.journal.book, held.order)]

    async def _own_lots(self) -> int:
        """The lots of the account that are the maker's; a stranger's are not traded. Raises DataError."""
        await self.executions.look()
        held, ours = (await self.venue.position()).lots, self.maker.journal.book.inventory
        return 0 if held * ours <= 0 else min(abs(held), abs(ours)) * (1 if held > 0 else -1)

    async def _left(self) -> list[str]:
        """What is there, a line each; what cannot be asked is there."""
        try:
            read, standing, held = await self.executions.look(), await self._standing(), (await self.venue.position()).lots
        except DeskError as error:
            return [f"the venue does not say: {error.what}"[:200]]
        inventory, found = self.maker.journal.book.inventory, []
        if not read:
            found.append(f"executions are not read: {self.executions.why_not}"[:200])
        if standing:
            found.append(f"{len(standing)} orders stand")
        if waiting := list(self.requests.open):
            found.append(f"{waiting[0]} is in doubt")
        if held != inventory:
            found.append(f"the account holds {held} lots, the maker's journal {inventory}")
        elif inventory and self.flatten:
            found.append(f"{inventory} lots")
        return found

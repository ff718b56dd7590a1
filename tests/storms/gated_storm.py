"""A storm whose desk has the gate of engine.live.gate, and a person who consents to what it asks for; killed once, at a bar."""

import asyncio
from pathlib import Path
from typing import Any

from engine.live.gate import CONSENT, AccountGate, GateParts
from engine.store.chain import Event
from engine.store.journal import Journal
from engine.venues.account import reader_of
from tests.fakes.live_desks import BTC_PERP
from tests.storms.live_storm import LiveStorm


class GatedStorm(LiveStorm):
    """The desk of a storm behind its gate."""

    restart_at, bars = 6, 0

    def _made(self, book: Any) -> None:
        super()._made(book)
        exchange, client = self.exchange, self.played.client

        def heard(id_: str) -> int | None:
            there = exchange.by_client(id_) or exchange.algo_by_client(id_)
            return exchange.now if there is not None else None

        async def faults() -> list[str]:
            return []

        reader = reader_of(self.at.name.lower(), client)
        instruments = {BTC_PERP: self.at.adapter(client).instrument}
        parts = GateParts(reader, faults, instruments, self.path, self.people, lambda: {"engine": "one"}, heard)
        self.duties.gate = AccountGate(self.desk, self.duties.reconcile, parts)

    @property
    def people(self) -> Path:
        """The journal of consents."""
        return self.path.with_name("people.jsonl")

    def consent(self) -> bool:
        """A person says yes to what the gate waits for; whether it did."""
        gate = self.duties.gate
        key = next((row.consent for row in gate.rows.values() if row.consent), "") if gate else ""
        if key:
            journal = Journal(self.people, "test")
            journal.append([Event(CONSENT, self.clock(), {"consent": key, "actor": {"name": "ann"}})])
            journal.close()
        return bool(key)

    def person(self) -> None:
        """Looks as before, and pays for a round trip each time that one is asked for."""
        super().person()
        self.met["consent"] += self.consent()
        self.bars += 1
        if self.bars == self.restart_at:
            self.acts.append(asyncio.get_running_loop().create_task(self.killed()))

"""The gate before entries: a table of checks in order, and nothing enters until each of them holds.

A duty of engine.live.desk, closed at every start, by a halt, and by an incident of the fill path; exits and stops do not ask it.
A row that fails is tried again with growing waits for as long as it fails; it pages once and names its runbook. Two rows may wait
for a person: other code under an open position, and the round trip after an incident of the fill path, which costs money. What a
person has consented to is read from the people journal, by a key that fits one fault or one attempt alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from engine.book.book import flat, is_about
from engine.errors import DeskError
from engine.live.account_looks import AccountLooks, Changes
from engine.live.desk import LiveDesk
from engine.live.gate_code import changed_since, last_opened, with_money
from engine.live.listed import AccountListings
from engine.live.probe import AccountProbe, Heard
from engine.live.probe_result import ProbeResult, probe_of, summary
from engine.live.reconcile import READINGS, START, AccountReconcile
from engine.live.wakes import woken
from engine.redaction import redacted
from engine.store.chain import Event
from engine.store.lookback import last
from engine.store.opened import size_of
from engine.venues.account_facts import AccountReader
from engine.venues.instruments import Instrument
from engine.venues.outcome import words_of

GATE = "gate"  # in the book's health while it is closed
RUNBOOK = "docs/runbooks/gate-closed.md"
WAITS_S = (2.0, 3.0, 5.0, 10.0, 15.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0)  # before the next try of a row; the last one goes on
CONSENT_LOOK_S = 5.0
PAGE_MS = 90_000  # that a row has failed for before it pages: an order that a killed process has sent is in doubt for 35 s
FRESH_MS = 600_000  # that a row which held counts while others are tried
LISTED_MS = 60_000  # between two looks at how the venue lists its instruments, while the gate is open
CONSENT, PROBE_REQUEST = "consent", "probe_request"  # kinds of the people journal
CODE_OF_MONEY = "the code of {} is not the one that was let trade with money"
CONSENT_COMMAND = "nightdesk live consent --as NAME"


class GateAnswer(NamedTuple):
    """What a check found: why it does not hold, "" when it does; `consent`: the key of what a person may consent to."""

    why: str = ""
    consent: str = ""


class GateCheck(NamedTuple):
    """One row of the table."""

    name: str
    ask: Callable[[], Awaitable[GateAnswer]]


class GateRow(NamedTuple):
    """How a row stands. `ok` None: not asked yet."""

    name: str
    ok: bool | None = None
    why: str = ""
    tries: int = 0  # in a row that failed
    consent: str = ""
    at_ms: int = 0


class GateParts(NamedTuple):
    """What the gate needs of the account. `reader`: the account's settings and listings by a client of its own."""

    reader: AccountReader
    faults: Callable[[], Awaitable[Sequence[str]]]  # of the account, as engine.venues.account.faults_at_start says them
    instruments: Mapping[str, Instrument]  # by the desk's name
    journal: Path  # of the desk
    people: Path  # journal
    code: Callable[[], Mapping[str, str]]  # what runs now: `code_under`
    heard: Heard | None = None  # of the private stream
    stream_must: bool = True  # an order that only REST has shown is not enough
    changes: Changes | None = None  # of `faults`, those of rights and modes alone, while the desk trades


class AccountGate:
    """The gate of one account. `begin` closes it, `run` opens it again."""

    def __init__(self, desk: LiveDesk, reconcile: AccountReconcile, parts: GateParts) -> None:
        self.desk, self.reconcile, self.parts = desk, reconcile, parts
        self.checks = [
            GateCheck("fold", self._fold),
            GateCheck("account", self._account),
            GateCheck("code", self._code),
            GateCheck("steps", self._steps),
            GateCheck("reconcile", self._compared),
            GateCheck("probe", self._probe),
            GateCheck("round_trip", self._round_trip),
        ]
        self.rows = {check.name: GateRow(check.name) for check in self.checks}
        self._passed: Mapping[str, Any] = last_opened(parts.journal).get("code", {})
        self._paged: set[str] = set()
        self._failing: dict[str, int] = {}  # row -> since when
        self._shut = ""  # why it has to close again
        self._last_trip = ""  # what was wrong with it
        self.steps: dict[str, str] = {}  # instrument -> what the venue counted in when this process first asked
        self.listings = AccountListings(desk, parts.reader)
        self.looks = AccountLooks(desk, parts.changes)
        self._listed_ms = 0
        request = last(parts.people, (PROBE_REQUEST,))  # one from before this process is not made now
        self._requested, self._people_size = (request.seq if request is not None else 0), 0
        self._something = asyncio.Event()
        desk.watches.append(self._noticed)

    def _noticed(self, kind: str, body: Mapping[str, Any]) -> None:
        """A halt, an incident of the fill path, or a version with another code: what follows must not be taken for well."""
        if kind == "halt" and body["state"] == "halted":
            self._shut = "the desk was halted"
        elif is_fill_path(kind, body) and not is_about(self.desk.book.off, str(body["what"]), self.desk.book):
            self._shut = f"an incident of the fill path: {body['what']}"
        elif kind == "config" and (changed := with_money(self.desk.book, changed_since(self._passed, self.parts.code()))):
            self._shut = CODE_OF_MONEY.format(", ".join(changed))
        if self._shut:
            self._something.set()

    def begin(self, why: str = "the checks of a start are not through yet") -> None:
        """Close: every row is asked again."""
        self.rows = {name: GateRow(name) for name in self.rows}
        self._shut = ""
        if GATE not in self.desk.book.health and not self.desk.failed:
            self.desk.take("health", {"what": GATE, "state": "begun", "why": why})

    async def run(self) -> None:
        """Try until it is open, close it again when something says so."""
        while not self.desk.failed:
            if self._shut:
                self.begin(self._shut)
            is_open = GATE not in self.desk.book.health or await self.once()
            if is_open or self.desk.latched():  # what is delisted under a halt would keep it from its end
                await self._look_at_listings()
            if is_open:
                self._shut = (await self.looks.changed())[:300] or self._shut
                await self._asked_for()
            if not self._shut:
                await woken(self._something, CONSENT_LOOK_S if is_open else self._wait_s())

    async def _asked_for(self) -> None:
        """A person wants to see a probe now. One that fails closes the gate, which then tries by itself."""
        size = size_of(self.parts.people)
        if size == self._people_size or self.desk.latched():
            return
        self._people_size = size
        event = last(self.parts.people, (PROBE_REQUEST,))
        if event is None or event.seq <= self._requested:
            return
        self._requested = event.seq
        found = [await (await self._probe_of(name)).far() for name in self.listings.on]
        if event.body.get("round_trip") and not summary(found):
            found += [await (await self._probe_of(name)).round_trip() for name in self.listings.on]
        if why := self._judged(found).why:
            self._shut = f"a probe that a person asked for failed: {why}"[:300]

    def _wait_s(self) -> float:
        """Before the next try: longer each time that the same row fails; what waits for a person is looked at often."""
        failing = [row for row in self.rows.values() if row.ok is False]
        if self.desk.latched() or not failing:
            return WAITS_S[0]
        return CONSENT_LOOK_S if failing[0].consent else WAITS_S[min(failing[0].tries, len(WAITS_S)) - 1]

    async def once(self) -> bool:
        """One pass down the table, to the first row that does not hold. True when all hold: then the gate is open."""
        if self.desk.latched():
            return False
        waiting = next((row.consent for row in self.rows.values() if row.consent), "")
        if waiting and not self._consented(waiting):
            return False
        for check in self.checks:
            if self._is_fresh(self.rows[check.name]):
                continue
            answer = await self._answer(check)
            self._note(check.name, answer)
            if answer.why:
                return False
        if self._shut or self.desk.latched() or not all(map(self._is_fresh, self.rows.values())):
            return False
        self._journal(opened=True)
        self.looks.begin()
        self.desk.take("health", {"what": GATE, "state": "over", "why": ""})
        return True

    def _is_fresh(self, row: GateRow) -> bool:
        return row.ok is True and self.desk.now_ms() - row.at_ms <= FRESH_MS

    @staticmethod
    async def _answer(check: GateCheck) -> GateAnswer:
        """A check that fails in another way than it should does not hold."""
        try:
            return await check.ask()
        except DeskError as error:
            return GateAnswer(error.what)
        except Exception as error:  # noqa: BLE001 - whatever it is, the row does not hold, and the line says why
            return GateAnswer(redacted(f"{type(error).__name__}: {words_of(error)}")[:200])

    def _note(self, name: str, answer: GateAnswer) -> None:
        """Keep how a row stands; journal it when that is news, page once for as long as it fails."""
        before, why = self.rows[name], answer.why[:300]
        tries = before.tries + 1 if why else 0
        self.rows[name] = GateRow(name, not why, why, tries, answer.consent, self.desk.now_ms())
        if self.desk.failed:
            return
        if (before.ok is False or why) and (before.why, before.consent) != (why, answer.consent):
            self._journal(opened=False)
        if not why:
            self._paged.discard(name)
            self._failing.pop(name, None)
            return
        for_ms = self.desk.now_ms() - self._failing.setdefault(name, self.desk.now_ms())
        if name not in self._paged and (answer.consent or for_ms >= PAGE_MS):
            self._paged.add(name)
            self.desk.incident(f"the gate stays closed, no entries: {name}: {why}; {RUNBOOK}"[:400], row=name)

    def _journal(self, *, opened: bool) -> None:
        body: dict[str, Any] = {"open": opened, "rows": [row_json(row) for row in self.rows.values()]}
        body |= {"off": off} if (off := self.desk.book.off) else {}  # instruments that no row is about
        if opened:
            self._passed = body["code"] = dict(self.parts.code())
            body["steps"] = dict(self.steps)
        self.desk.note("gate", body)

    def _consented(self, key: str) -> str:
        """Who has consented to it; "" for nobody."""
        event = last(self.parts.people, (CONSENT,), lambda e: e.body.get("consent") == key)
        return "" if event is None else str(event.body.get("actor", {}).get("name") or "")

    # ---- rows ---------------------------------------------------------------------------------------------------------------

    async def _fold(self) -> GateAnswer:
        """The journal folded to this book, or there would be no desk; it must still take events."""
        return GateAnswer(self.desk.failed)

    async def _account(self) -> GateAnswer:
        """The rows of `nightdesk account check` that must hold, without those of instruments that are off (live_start.py)."""
        for name in self.desk.venues:
            await self.listings.listing_of(name)
        return GateAnswer("; ".join(await self.parts.faults()))

    async def _code(self) -> GateAnswer:
        """Another code may read a position otherwise, and what trades with money is what people let: a person looks first."""
        book, now = self.desk.book, dict(self.parts.code())
        changed, held = changed_since(self._passed, now), not all(map(flat, book.sleeves))
        if not held and not with_money(book, changed):
            return GateAnswer()
        key = f"code {now.get('engine', '')} {'-'.join(now.get(name, '')[:8] for name in changed)}"
        if not changed or self._consented(key):
            return GateAnswer()
        what = "a position is open and the code of {} is not the one that opened it" if held else CODE_OF_MONEY
        return GateAnswer(f"{what.format(', '.join(changed))}; a person who has looked consents: {CONSENT_COMMAND}", key)

    async def _steps(self) -> GateAnswer:
        """An order of a process that still counts in what the venue has left behind is an order of another size."""
        for name in self.desk.venues:
            if (answer := await self._steps_of(name)).why and name not in self.desk.book.off:
                return answer
        return GateAnswer()

    async def _steps_of(self, name: str) -> GateAnswer:
        """Why an instrument that trades is counted otherwise than when this process first asked; one that does not is off."""
        listing = await self.listings.listing_of(name)
        if listing is None or listing.steps == self.steps.setdefault(name, listing.steps):
            return GateAnswer()
        what = f"the venue counts {name} in {listing.steps} by now, this process in {self.steps[name]}"
        return GateAnswer(f"{what}: compare the position there, then stop and start the worker")

    async def _look_at_listings(self) -> None:
        """While it is open: an instrument that is suspended is off, one that is counted otherwise since a maintenance closes it,
        and one that trades again comes back once it is proved. At once where a venue does not say what was executed.
        """
        now, health = self.desk.now_ms(), self.desk.book.health
        if now - self._listed_ms < LISTED_MS and not any(f"venue of {name}" in health for name in self.listings.on):
            return
        self._listed_ms = now
        with suppress(Exception):  # a venue that does not answer is seen by whoever reads executions
            self._shut = (await self._steps()).why or self._shut
        for name in [name for name in self.desk.book.off if self.listings.trades.get(name)]:
            await self._come_back(name)

    async def _come_back(self, name: str) -> None:
        """The rows that hold for the desk have to hold for an instrument that trades again; until then it stays off."""
        self.listings.proving = name
        try:
            for ask in (lambda: self._steps_of(name), self._account, self._compared_again, self._far_again):
                answer = await self._answer(GateCheck(name, ask))
                if self._shut or self.desk.latched() or not self.listings.trades.get(name):
                    return
                if answer.why:
                    self.listings.says(name, answer.why)
                    return
            self.listings.back(name)
        finally:
            self.listings.proving = ""

    async def _compared_again(self) -> GateAnswer:
        self.reconcile.soon()
        waits = self.desk.book.waits_for(name := self.listings.proving)
        equal = self.reconcile.equal.get(name, 0) >= READINGS
        return GateAnswer("; ".join(waits) or ("" if equal else "venue and book have not been compared twice yet"))

    async def _far_again(self) -> GateAnswer:
        return self._judged([await (await self._probe_of(self.listings.proving)).far()])

    async def _compared(self) -> GateAnswer:
        """Twice equal, everything that was found settled."""
        book, equal, off = self.desk.book, self.reconcile.equal, self.desk.book.off
        if found := [text for what, text in book.differences.items() if not is_about(off, what, book)]:
            return GateAnswer("; ".join(found))
        if any(orphan["lots"] for name, orphan in book.orphans.items() if name not in off):
            return GateAnswer("lots that no order explains are still open")
        if START in book.health or any(equal.get(name, 0) < READINGS for name in self.listings.on):
            self.reconcile.soon()
            return GateAnswer("venue and book have not been compared twice yet")
        return GateAnswer()

    async def _probe(self) -> GateAnswer:
        """A far order and a far stop on each instrument."""
        return self._judged([await (await self._probe_of(name)).far() for name in self.listings.on])

    def _judged(self, results: Sequence[ProbeResult]) -> GateAnswer:
        """What probes come to; a stream that was not listened to is no stream."""
        why = summary(results)
        if not why and self.parts.stream_must and self.parts.heard is None:
            why = "no private stream is open: an order was seen by REST alone"
        return GateAnswer(why)

    async def _probe_of(self, name: str) -> AccountProbe:
        """A probe of an instrument at the venue's price of now. Raises DeskError where the venue does not list it."""
        desk, listing = self.desk, await self.listings.listing_of(name)
        if listing is None or not listing.price > 0.0:
            raise DeskError(f"{name} is not traded now", "look at the venue's page of the instrument")
        of = probe_of(name, self.parts.instruments[name], listing)
        return AccountProbe(desk.venues[name], of, desk.now_ms, self._probe_says, self.parts.heard, desk.latched, desk.probing)

    def _probe_says(self, body: Mapping[str, Any]) -> None:
        """Journal what a probe does before it does it."""
        if "order" in body:
            self.desk.probed.append(body["order"])
        self.desk.note("probe", body)

    async def _round_trip(self) -> GateAnswer:
        """After an incident of the fill path: fills are heard and billed again, by one that a person pays for."""
        book, off = self.desk.book, self.desk.book.off
        incident = last(
            self.parts.journal,
            ("health",),
            lambda e: is_fill_path(e.kind, e.body) and not is_about(off, str(e.body["what"]), book),
        )
        unproven = [name for name in self.listings.on if incident and not ended_well(self.parts.journal, name, incident)]
        if incident is None or not unproven:
            return GateAnswer()
        began = last(
            self.parts.journal, ("probe",), lambda e: (e.body.get("what"), e.body.get("kind")) == ("begun", "round_trip")
        )
        attempt = max(incident.seq, began.seq if began is not None else 0)
        key = f"round trip after {attempt}"
        if not self._consented(key):
            what = f"the fill path had an incident ({incident.body['what']}): a round trip of least size has to prove it"
            return GateAnswer(f"{what}; it costs money, so a person consents: {CONSENT_COMMAND}{self._last_trip}", key)
        found = [await (await self._probe_of(name)).round_trip() for name in unproven]
        answer = self._judged(found)
        self._last_trip = f"; the last one: {answer.why}" if answer.why else ""
        if not answer.why:  # book and venue are compared again: money has moved
            self.reconcile.equal.clear()
            self.rows["reconcile"] = GateRow("reconcile")
            self.reconcile.soon()
        return answer


def is_fill_path(kind: str, body: Mapping[str, Any]) -> bool:
    """Whether a health event begins an incident of the fill path: fills that are missing, or that no order explains."""
    what = str(body.get("what", ""))
    begins = kind == "health" and body.get("state") == "begun"
    return begins and (what.startswith(("executions", "unexplained in ")) or what.endswith("leaves out executions"))


def ended_well(journal: Path, instrument: str, since: Event) -> bool:
    """Whether the last round trip of an instrument came after an event, and ended well."""
    which = ("ended", "round_trip", instrument)
    found = last(journal, ("probe",), lambda e: tuple(e.body.get(name) for name in ("what", "kind", "instrument")) == which)
    return found is not None and found.seq > since.seq and bool(found.body["ok"])


def row_json(row: GateRow) -> dict[str, Any]:
    """A row for the journal and `--json`."""
    return {"name": row.name, "ok": row.ok, "why": row.why, "tries": row.tries, "consent": row.consent}

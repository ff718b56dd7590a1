"""Bugs of the duties of a live account: what is sent, asked, compared, halted, and when nothing may enter."""

import asyncio
from typing import Any

from engine.core.orders import DONE, ENDED, REJECTED, STANDING, UNKNOWN
from engine.core.state import ENTRY, EXIT_SLOT
from engine.errors import DataError
from engine.live import desk, duties, gate, halt, health, last_guards, reconcile, streams
from engine.live.announced import Announced
from engine.live.desk import LiveDesk
from engine.live.gate import AccountGate, GateAnswer
from engine.live.halt import AccountHalt
from engine.live.health import AccountHealth
from engine.live.lost_stops import LostStops
from engine.live.poll import AccountPoll
from engine.live.probe_result import summary
from engine.live.reconcile import AccountReconcile
from engine.store.lookback import last
from engine.venues.live_port import VenuePosition
from engine.venues.outcome import NOT_TAKEN
from tests.planted.planting import Instead, Plant, everywhere, nothing, nothing_later


def _hears(plant: Plant, change: Any) -> None:
    """The desk hears what `change` makes of (kind, order, answer)."""
    heard = LiveDesk._heard
    plant.setattr(LiveDesk, "_heard", lambda self, kind, order, said: heard(self, kind, order, change(kind, order, said)))


def exit_without_an_answer_is_sent_anew(plant: Plant) -> None:
    """An exit that timed out counts as refused: the plan places the next attempt, under another id."""

    def refused(kind: str, order: Any, said: Any) -> Any:
        lost = kind == "intent" and order.slot == EXIT_SLOT and said.state == UNKNOWN and said.outcome != NOT_TAKEN
        return said._replace(state=REJECTED) if lost else said

    _hears(plant, refused)


def cancel_without_an_answer_is_an_end(plant: Plant) -> None:
    """That a cancellation was sent is taken for the order's end."""
    _hears(
        plant,
        lambda kind, _, said: said._replace(state=DONE) if kind in ("order", "cancel") and said.state not in ENDED else said,
    )


def left_behind_is_left(plant: Plant) -> None:
    """The twin of it: an order that the book has ended and the venue holds stays there."""

    async def fine(*_: Any) -> bool:
        return True

    plant.setattr(AccountReconcile, "_left_behind", fine)


def turned_away_entry_goes_out_again(plant: Plant) -> None:
    """An entry that the venue has not taken is sent again, whatever the market does meanwhile."""
    heard = LiveDesk._heard

    def again(self: Any, kind: str, order: Any, said: Any) -> None:
        if kind == "intent" and order.slot == ENTRY and said.outcome == NOT_TAKEN:
            self.to_resend.add(order.id)
        else:
            heard(self, kind, order, said)

    plant.setattr(LiveDesk, "_heard", again)


def latch_is_read_once(plant: Plant) -> None:
    """Not again before the hand-over: a halt while an entry waits does not stop it."""
    guarded = last_guards.guarded

    async def once(at: Any, order: Any, until: float) -> str:
        why = at.latched()
        return f"the desk is halted: {why}" if why else await guarded(Instead(at, latched=lambda: ""), order, until)

    plant.setattr(last_guards, "guarded", once)


def book_does_not_hear_of_a_halt(plant: Plant) -> None:
    """The twin of it: the book's own halt."""
    plant.setattr(AccountHalt, "_halt_book", lambda *_: True)


def old_entry_leaves(plant: Plant) -> None:
    """The age of a decision is not looked at where the order leaves."""
    plant.setattr(last_guards, "FRESH_BARS", 1e9)


def entry_leaves_beside_a_doubt(plant: Plant) -> None:
    """An order that nobody can say anything of delays no entry."""
    guarded = last_guards.guarded

    async def sure(at: Any, order: Any, until: float) -> str:
        return await guarded(Instead(at, doubts=lambda *_: []), order, until)

    plant.setattr(last_guards, "guarded", sure)


def not_found_counts_at_once(plant: Plant) -> None:
    """The life of a request is not waited for."""
    plant.setattr(desk, "LIFE_MS", 0)


def unread_executions_do_not_count(plant: Plant) -> None:
    """The twin of it: executions that may be missing."""
    plant.setattr(AccountPoll, "unread", lambda _: False)


def each_waits_for_the_other(plant: Plant) -> None:
    """Found by a storm at the port: an order that never was waits for an execution, which waits for the order."""
    not_there = LiveDesk._not_there

    def never(self: Any, asked: Any, answer: Any) -> bool:
        return not_there(self, asked, answer) and not self.unread(self.instrument_of(asked))

    plant.setattr(LiveDesk, "_not_there", never)


def exit_does_not_ask_its_stop(plant: Plant) -> None:
    """Reduce-only looks at the account alone: the exit of a layer whose stop has fired closes another's lots."""
    plant.setattr(desk, "ask_stops", nothing_later)


def written_after_it_was_sent(plant: Plant) -> None:
    """The journal is written when there is time."""
    write = LiveDesk._write

    def later(self: Any, groups: Any) -> None:
        asyncio.get_running_loop().call_later(0.05, lambda: self.failed or write(self, groups))

    plant.setattr(LiveDesk, "_write", later)


def not_on_the_disk(plant: Plant) -> None:
    """The journal is written and not synced."""
    record = desk.record
    plant.setattr(desk, "record", lambda *given, **_: record(*given, sync=False))


def breaker_does_not_latch(plant: Plant) -> None:
    """The book trips and nothing is halted for people."""
    close = LiveDesk.close

    def quiet(self: Any, *given: Any) -> None:
        latch, self.latch = self.latch, nothing
        try:
            close(self, *given)
        finally:
            self.latch = latch

    plant.setattr(LiveDesk, "close", quiet)


def cancel_forgives_refusals(plant: Plant) -> None:
    """Any word of an order begins the count of refusals anew."""
    count = AccountHealth._count_refusals

    def forgiving(self: Any, body: Any) -> None:
        if body["state"] in ("cancelling", DONE):
            self.refused.pop(body.get("sleeve"), None)
        count(self, body)

    plant.setattr(AccountHealth, "_count_refusals", forgiving)


def parents_are_not_asked(plant: Plant) -> None:
    """An execution without a name is nobody's after ten seconds, whoever has not answered."""

    async def sure(*_: Any) -> bool:
        return True

    plant.setattr(AccountPoll, "_all_answer", sure)


def orphan_is_closed_by_any_order(plant: Plant) -> None:
    """What closes an orphan could open a position."""
    plant.setattr(halt, "EXIT_SLOT", ENTRY)


def orphan_is_tried_for_ever(plant: Plant) -> None:
    """No bound on closing what cannot be closed."""
    plant.setattr(halt, "TRIES_MAX", 10**6)


def halt_tries_once(plant: Plant) -> None:
    """The first refusal ends a halt."""
    plant.setattr(halt, "TRIES_MAX", 1)


def halt_stops_at_a_refused_cancel(plant: Plant) -> None:
    """A cancellation that is refused keeps the position open."""
    tried = AccountHalt._try

    async def gives_up(self: Any, name: str) -> str:
        standing = await self._own_orders(name)
        found = await asyncio.gather(*(self.venues[name].cancel(halt.as_order(held)) for held in standing))
        if any(answer.state not in ENDED for answer in found):
            return "a cancellation was refused"
        return await tried(self, name)

    plant.setattr(AccountHalt, "_try", gives_up)


def halt_closes_what_is_not_ours(plant: Plant) -> None:
    """All lots of the account are taken for the desk's."""
    plant.setattr(AccountHalt, "_own_part", lambda _self, _name, lots: lots)


def flip_is_not_noticed(plant: Plant) -> None:
    """A position of the other side is a difference like any other."""
    position = AccountReconcile._position

    def quiet(self: Any, name: str, lots: int) -> bool:
        latch, self.desk.latch = self.desk.latch, nothing
        try:
            return position(self, name, lots)
        finally:
            self.desk.latch = latch

    plant.setattr(AccountReconcile, "_position", quiet)


def one_reading_is_enough(plant: Plant) -> None:
    """Neither an agreement nor a difference is looked at twice."""
    for module in (reconcile, gate):
        plant.setattr(module, "READINGS", 1)


def compared_while_it_moves(plant: Plant) -> None:
    """The position of now against the book of a moment ago."""
    plant.setattr(AccountReconcile, "_state", lambda *_: ())


def doubts_explain_nothing(plant: Plant) -> None:
    """The twin of it: what a fill has just set in motion is in doubt, and nothing is compared meanwhile."""
    instrument = AccountReconcile._instrument

    async def compared(self: Any, name: str) -> bool:
        real = self.desk
        self.desk = Instead(real, doubts=lambda *_: [])
        try:
            return await instrument(self, name)
        finally:
            self.desk = real

    plant.setattr(AccountReconcile, "_instrument", compared)


def no_answer_is_flat(plant: Plant) -> None:
    """A question about the position that fails reads as nothing held."""
    instrument = AccountReconcile._instrument

    def blind(venue: Any) -> Any:
        async def position() -> Any:
            try:
                return await venue.position()
            except DataError:
                return VenuePosition(0, None, isolated=True, leverage=None, liquidation=None)

        return Instead(venue, position=position)

    async def compared(self: Any, name: str) -> bool:
        real = self.desk
        self.desk = Instead(real, venues={at: blind(venue) for at, venue in real.venues.items()})
        try:
            return await instrument(self, name)
        finally:
            self.desk = real

    plant.setattr(AccountReconcile, "_instrument", compared)


def cash_is_not_compared(plant: Plant) -> None:
    """Money that moves beside the desk is not seen."""

    async def agrees(*_: Any) -> bool:
        return True

    plant.setattr(AccountReconcile, "_compare_cash", agrees)


def start_compares_nothing(plant: Plant) -> None:
    """Entries are not withheld until venue and book agree."""
    take = LiveDesk.take
    plant.setattr(
        LiveDesk, "take", lambda self, kind, body: body if body.get("what") == reconcile.START else take(self, kind, body)
    )


def silence_is_not_noticed(plant: Plant) -> None:
    """A stream may say nothing for a day."""
    for module in (health, streams):
        plant.setattr(module, "SILENT_MS", 86_400_000)


def unannounced_is_well(plant: Plant) -> None:
    """Executions that the stream leaves out do not make it a bad one."""
    plant.setattr(streams.AccountStreams, "_unannounced", nothing)


def clock_may_differ(plant: Plant) -> None:
    """The venue's clock is not compared."""
    for name in ("CLOCK_BLOCKS_MS", "CLOCK_PAUSES_MS"):
        plant.setattr(health, name, 10**12)


def asked_without_a_pause(plant: Plant) -> None:
    """A venue that does not answer is asked again at once, for ever."""
    wait_s = AccountPoll._wait_s
    plant.setattr(AccountPoll, "_wait_s", lambda self: 0.0 if self.failures else wait_s(self))


def probe_without_a_stream_counts(plant: Plant) -> None:
    """An order that only REST has shown opens the gate."""
    plant.setattr(AccountGate, "_judged", lambda _, results: GateAnswer(summary(results)))


def gate_does_not_hear_of_incidents(plant: Plant) -> None:
    """It went on, so it is well."""
    everywhere(plant, gate.is_fill_path, lambda *_: False)


def consent_counts_twice(plant: Plant) -> None:
    """Any consent of a person stands for every later one."""

    def ever(self: Any, _key: str) -> str:
        event = last(self.parts.people, (gate.CONSENT,))
        return "" if event is None else str(event.body.get("actor", {}).get("name") or "")

    plant.setattr(AccountGate, "_consented", ever)


def first_size_is_any_size(plant: Plant) -> None:
    """The last guard of the least size with money."""
    plant.setattr(last_guards, "too_large", lambda *_: "")


def stream_is_not_believed(plant: Plant) -> None:
    """A question that does not find an order counts, whatever the stream has said of it; an exit waits for nothing."""
    plant.setattr(Announced, "is_named", lambda *_: False)


def start_leaves_the_stop_of_an_entry(plant: Plant) -> None:
    """The stop that the process before may not have sent waits until something says that its entry has filled."""
    plant.setattr(duties, "way_of", lambda *_: "with")


def lost_stop_stays_lost(plant: Plant) -> None:
    """A stop that was acknowledged and is not there waits for the life of a request."""
    plant.setattr(LostStops, "note", nothing)


def acknowledged_in_vain_counts(plant: Plant) -> None:
    """Each acknowledgement of a stop that is lost begins the timers anew."""
    plant.setattr(AccountHealth, "_covers", lambda _, order: order.state in STANDING or order.reported > order.filled)


def stop_sent_twice_is_cancelled_at_once(plant: Plant) -> None:
    """Its first request may still arrive, under an id that is free again."""
    plant.setattr(LostStops, "late_ms", lambda *_: 0)


def any_stop_covers_its_layer(plant: Plant) -> None:
    """However few lots it has."""
    layers = AccountHealth._layers
    plant.setattr(AccountHealth, "_layers", lambda self: (dict.fromkeys(layers(self)[0], 1), layers(self)[1]))


def stop_outlives_what_it_covered(plant: Plant) -> None:
    """The attached stop of lots that were flattened before they were booked stays at the venue, and may open a position."""
    plant.setattr(health, "withdraw_spent", nothing)


def last_stop_is_cancelled(plant: Plant) -> None:
    """A stop that comes back is an order left behind, whatever else covers its layer."""
    plant.setattr(reconcile, "covers_alone", lambda *_: False)


def bare_again_and_again(plant: Plant) -> None:
    """A venue that takes entries and no stops gets an entry a bar."""
    plant.setattr(health, "NAKED_AGAIN_MS", -1)

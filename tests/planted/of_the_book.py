"""Bugs of the book and the core: what an execution, a report, an amendment or a restart makes of the desk's own state."""

from typing import Any

from engine.book import adoption, attached, order_events, replay, transitions
from engine.core import exits, orders, plan
from engine.core.orders import DONE, ENDED, WORKING
from engine.live import poll
from tests.planted.planting import Plant, everywhere


def execution_is_booked_again(plant: Plant) -> None:
    """`on_fill` does not look whether it knows the trade."""
    on_fill = transitions.REPORTED["fill"]

    def forgetful(book: Any, body: Any) -> Any:
        trades = {trade: t_ms for trade, t_ms in book.orders.trades.items() if trade != body["trade"]}
        book.orders = book.orders._replace(trades=trades)
        return on_fill(book, body)

    plant.setitem(transitions.REPORTED, "fill", forgetful)  # type: ignore[arg-type]


def poll_books_what_is_booked(plant: Plant) -> None:
    """The twin of it: the poll hands over what it has read before."""
    plant.setattr(poll.AccountPoll, "_is_booked", lambda *_: False)


def stop_keeps_its_first_size(plant: Plant) -> None:
    """Only the level of a protective order follows its layer."""
    everywhere(plant, plan.differs, lambda held, want: held.price != want.price)


def late_word_opens_an_ended_order(plant: Plant) -> None:
    """A push from before its end makes an order work again."""
    moved = orders.moved
    everywhere(plant, moved, lambda state, heard: WORKING if (state, heard) == (DONE, WORKING) else moved(state, heard))


def part_is_the_whole(plant: Plant) -> None:
    """An order is done with its first execution."""
    executed = orders.executed

    def done(book: Any, id_: str, lots: int) -> Any:
        after = executed(book, id_, lots)
        order = orders.find(after, id_)
        return after if order is None or order.state in ENDED else orders.put(after, order._replace(state=DONE))

    everywhere(plant, executed, done)


def doubt_is_no_exposure(plant: Plant) -> None:
    """Entries that may still fill are not counted."""
    everywhere(plant, orders.doubtful_notional, lambda *_: 0.0)


def ids_begin_anew_after_a_restart(plant: Plant) -> None:
    """Attempts are not remembered by the fold that a start makes."""
    fold = replay.fold

    def forgetful(path: Any, **more: Any) -> Any:
        book = fold(path, **more)
        if book is not None and not more:
            book.orders = book.orders._replace(attempts={})
        return book

    everywhere(plant, fold, forgetful)


def funding_is_booked_again(plant: Plant) -> None:
    """A settlement is booked however often it is billed."""
    on_bill = transitions.REPORTED["funding"]

    def forgetful(book: Any, body: Any) -> Any:
        trades = {trade: t_ms for trade, t_ms in book.orders.trades.items() if trade != body["bill"]}
        book.orders = book.orders._replace(trades=trades)
        return on_bill(book, body)

    plant.setitem(transitions.REPORTED, "funding", forgetful)  # type: ignore[arg-type]


def poll_bills_again(plant: Plant) -> None:
    """The twin of it: every look reads the settlements of eight hours, and does not know those of before."""
    bills = poll.AccountPoll.bills

    async def forgetful(self: Any) -> None:
        cursors, orders_now = self.desk.book.cursors, self.desk.book.orders
        key = f"bills of {self.instrument}"
        if key in cursors:
            self.desk.book.cursors = {**cursors, key: str(int(cursors[key]) - 8 * 3_600_000)}
            self.desk.book.orders = orders_now._replace(trades={})
        await bills(self)

    plant.setattr(poll.AccountPoll, "bills", forgetful)


def trail_loosens_the_stop(plant: Plant) -> None:
    """The trail is the level of the protective order, also where the stop is tighter."""

    def loose(position: Any, layer: Any) -> tuple[int, float]:
        return (exits.TRAIL, position.trail) if position.trail > 0.0 else (exits.STOP, layer.stop)

    everywhere(plant, exits.protective, loose)


def adopted_whatever_is_held_by_now(plant: Plant) -> None:
    """What a person was shown need not be so any longer."""
    refusal = adoption.refusal

    def lenient(book: Any, body: Any) -> str:
        why = refusal(book, body)
        return "" if " lots by now, not " in why else why

    plant.setattr(adoption, "refusal", lenient)


def resting_entries_never_end(plant: Plant) -> None:
    """An entry that has rested its time stays at the venue."""
    plant.setitem(transitions.REPORTED, "lapse", lambda _, body: (body, []))  # type: ignore[arg-type]


def tried_for_ever(plant: Plant) -> None:
    """The published 228: no bound on orders of one kind for one layer."""
    for module in (plan, order_events):
        plant.setattr(module, "ATTEMPTS_MAX", 10**6)


def given_up_for_good(plant: Plant) -> None:
    """A layer whose orders were all in vain is left to a person."""
    plant.setattr(order_events, "ATTEMPTS_LAST", 0)


def moved_for_ever(plant: Plant) -> None:
    """No bound on amendments that the venue refuses."""
    plant.setattr(order_events, "_immovable", lambda _: frozenset())


def attached_stop_sleeps_on(plant: Plant) -> None:
    """The stop that came with an entry is not taken for there once the entry has ended."""
    everywhere(plant, attached.woken, lambda *_: [])


def plans_against_a_doubt(plant: Plant) -> None:
    """What the venue has not answered for is amended and cancelled all the same."""
    plant.setattr(orders.VenueOrder, "in_doubt", property(lambda order: order.state in ENDED))

"""A named person adopts what a maker's account holds otherwise than its journal: a stranger traded there.

Called by app/cli/making_adopt.py. No process of the maker runs, so what adopts writes its journal, under its lock; the next start
compares with the account, and refuses where the person was wrong. Works with every model down; no agent reaches it.
"""

import time
from typing import Any, NamedTuple

from app.home.home import Home
from app.home.written import alone_in
from app.making.paper import code_hash
from app.people.approvals import permit, prove_person, record
from app.people.identity import Actor, reason_given
from app.people.makers import journal_of
from engine.errors import BadInput, Refused
from engine.making.fold import PaperBook, adopted_said, after, scale_of
from engine.making.paper import PaperJournal
from engine.making.simulation import EXACT
from engine.making.stored import AT_ACCOUNT, JOURNAL, LOCK, folder_of
from engine.store.chain import Event
from engine.store.journal import read

SHOWN_MAX = 20


class HeldAtVenue(NamedTuple):
    """What a person has found at the venue."""

    inventory: float  # base units, negative when short
    price: float | None = None  # at which the difference was traded; None: of the strangers' executions, where they are all of it
    fee: float | None = None  # that was paid for it, quote currency


class MakerDifference(NamedTuple):
    """What an adoption will do."""

    maker: str
    inventory_before: float
    inventory_after: float
    price: float
    fee: float
    net_before: float  # cash of the ledger, quote currency
    net_after: float
    body: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """For `--json`: without the event's body."""
        return {key: value for key, value in self._asdict().items() if key != "body"} | {"reason": self.body["reason"]}


def book_of(home: Home, name: str) -> PaperBook:
    """The journal of a maker at an account. Raises BadInput for another one, Refused for one that is not whole."""
    book = journal_of(home.path, name)
    if book.begun.get("kind") not in AT_ACCOUNT.values():
        raise BadInput(f"the maker {name} is {book.begun.get('kind')}: nobody else trades there", "nothing to adopt")
    return book


def strangers_of(home: Home, name: str) -> list[dict[str, Any]]:
    """Executions that no order of the maker explains and no adoption has taken up, the newest SHOWN_MAX of them."""
    found: list[dict[str, Any]] = []
    for event in read(folder_of(home.path, name) / JOURNAL, {"stranger", "adopt"}):
        found = [] if event.kind == "adopt" else [*found, dict(event.body)]
    return [body for body in found if body.get("what") == "execution"][-SHOWN_MAX:]


def previewed(home: Home, name: str, held: HeldAtVenue, reason: str, actor: Actor) -> MakerDifference:
    """What adopting will do, worked out on the journal's fold. Raises BadInput for what is no amount or no price of it."""
    book, words = book_of(home, name), reason_given(reason)
    if not words:
        raise Refused("an adoption needs a reason", "--reason WHY: what you found at the venue")
    scale = scale_of(book)
    lots = held.inventory * 10.0**scale.lot_digits
    if not (abs(lots) <= EXACT and abs(lots - round(lots)) <= 1e-6 * max(1.0, abs(lots))):
        raise BadInput(f"--inventory {held.inventory:g} is not whole lots", f"one lot is {10.0**-scale.lot_digits:g}")
    moved = round(lots) - book.inventory
    if not moved:
        raise BadInput(f"the journal of {name} holds {held.inventory:g} already", "nothing to adopt: nightdesk making live")
    price = _price_of(strangers_of(home, name), moved) if held.price is None else held.price
    if price is None or held.fee is None:
        raise BadInput("the price or the fee of what changed is not known", "--price P --fee F, as the venue shows them")
    if not (0.0 < price * 10.0**scale.price_digits < EXACT and abs(held.fee) <= price * abs(moved) * 10.0**-scale.lot_digits):
        raise BadInput(f"a price of {price:g} and a fee of {held.fee:g}", "as the venue shows them, quote currency")
    said = adopted_said(book, round(lots), price, held.fee, {"by": actor.name, "reason": words}, time.time_ns())
    later = after(book, Event(said[0], said[1]["t_ns"] // 1_000_000, said[1]))
    units = (book.inventory * 10.0**-scale.lot_digits, held.inventory)
    cash = (book.sleeve.ledger.cash, later.sleeve.ledger.cash)
    return MakerDifference(name, *units, price, held.fee, *cash, said[1])


def _price_of(strangers: list[dict[str, Any]], moved: int) -> float | None:
    """The mean price of what strangers traded, where it is all on one side and the whole difference."""
    sides = {one["side"] for one in strangers}
    lots = sum(one["lots"] for one in strangers)
    if len(sides) != 1 or lots * sides.pop() != moved:
        return None
    return float(sum(one["lots"] * one["price"] for one in strangers) / lots)


def adopt(home: Home, name: str, seen: MakerDifference, actor: Actor, now_ms: int, passphrase: str | None = None) -> None:
    """Journal it, by a person who has seen what it does. Raises Refused for a wrong passphrase or a journal that has moved since,
    Denied for a role that may not, Busy while the maker's process runs.
    """
    permit(home, actor, "adopt", now_ms)
    prove_person(home, actor, passphrase, now_ms, "adopt")
    folder = folder_of(home.path, name)
    with alone_in(folder, LOCK, f"the maker {name!r} is running: stop it, then adopt"):
        journal = PaperJournal(folder / JOURNAL, code_hash(), lambda: now_ms, again=False)
        try:
            if journal.book.inventory != seen.body["lots_before"]:
                raise Refused(f"the journal of {name} has moved since it was shown", "look again")
            record(home, "adopt", {"actor": actor.as_json(), "adopts": {"maker": name, **seen.body}}, now_ms)
            journal.write([("adopt", seen.body)], sync=True)
        finally:
            journal.close()

"""Laws of orders that a journal can be checked for by itself, beside the fold: no entry while halted or while anything is not
well, no id or trade twice, no execution without an intent, a bound on refusals, no order declared nonexistent too soon.

Read by tests/storms after every run. The fold proves that a journal follows from its own leading events; these laws ask whether
what follows was allowed. Nothing here calls the book: a law that shares the guard's code would share its bugs.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from engine.book.attached_laws import AttachedLaws
from engine.store.chain import Event

OFF = "not traded: "  # how what is not well begins where it is an instrument that the venue does not trade
REFUSED_MAX = 5  # in a row, of one sleeve
LIFE_MS = 30_000  # the shortest time after which a request can no longer arrive, of the venue with the longest


class OrderLaws:
    """Reads events in their order; `broken` says what is wrong, a line each."""

    def __init__(self) -> None:
        self.broken: list[str] = []
        self._sent: dict[str, int] = {}  # order -> when it was journaled as sent
        self._intents: set[str] = set()
        self._trades: set[str] = set()
        self._ill: set[str] = set()
        self._differs: set[str] = set()
        self._refused: dict[str, int] = {}
        self._at: dict[str, str] = {}  # sleeve -> its instrument
        self._halted = False
        self._attached = AttachedLaws(self._wrong)

    def read(self, events: Iterable[Event]) -> list[str]:
        """All of them."""
        for event in events:
            if (law := getattr(self, f"_on_{event.kind}", None)) is not None:
                law(event.body, event)
            self._attached.read(event)
        return self.broken

    def _wrong(self, law: str, event: Event, what: str) -> None:
        self.broken.append(f"{law} at {event.id}: {what}")

    def _on_intent(self, body: Mapping[str, Any], event: Event) -> None:
        if body["order"] in self._intents:
            self._wrong("I3", event, f"{body['order']} is ordered twice")
        self._intents.add(body["order"])
        if body["reduce_only"] or not body.get("enters", True):  # of a leg of a basket that ends pairs alone
            return
        if self._halted:
            self._wrong("I1", event, f"{body['order']} enters while the desk is halted")
        if against := self._against(body):
            self._wrong("I7", event, f"{body['order']} enters although {against}")
        if self._refused.get(body["sleeve"], 0) >= REFUSED_MAX:
            self._wrong("I9", event, f"{body['order']} enters after {self._refused[body['sleeve']]} refusals in a row")

    def _on_config(self, body: Mapping[str, Any], _event: Event) -> None:
        if "sleeves" in body:  # else a sleeve's state has changed
            self._at = {sleeve["name"]: sleeve["instrument"] for sleeve in body["sleeves"]}

    def _against(self, body: Mapping[str, Any]) -> list[str]:
        """What speaks against an entry: all that is not well or differs, but for what is of another instrument that is off."""
        off = {what.removeprefix(OFF) for what in self._ill if what.startswith(OFF)} - {body.get("instrument", "")}
        of = {what: self._at.get(what.removeprefix("refusals of "), what) for what in self._ill | self._differs}
        return sorted(what for what, about in of.items() if not any(name in about for name in off))

    def _on_sent(self, body: Mapping[str, Any], event: Event) -> None:
        for id_ in body["orders"]:
            if id_ not in self._intents:
                self._wrong("I13", event, f"{id_} was sent without an intent")
            self._sent[id_] = event.t_recv_ms

    def _on_order(self, body: Mapping[str, Any], event: Event) -> None:
        why, state, name = str(body.get("why", "")), body["state"], body.get("sleeve", "")
        if why.startswith("never existed") and event.t_recv_ms - self._sent.get(body["order"], 0) < LIFE_MS:
            self._wrong(
                "I4",
                event,
                f"{body['order']} is declared nonexistent {event.t_recv_ms - self._sent[body['order']]} ms after it left",
            )
        if state == "rejected" and not why.startswith("never"):
            self._refused[name] = self._refused.get(name, 0) + 1
        elif state in ("working", "partial"):
            self._refused[name] = 0

    def _on_fill(self, body: Mapping[str, Any], event: Event) -> None:
        if not body.get("booked", True) or "trade" not in body:  # what follows an adoption, or what the venue closed, has none
            return
        if body["trade"] in self._trades:
            self._wrong("I5", event, f"trade {body['trade']} is booked twice")
        self._trades.add(body["trade"])
        if body["order"] not in self._intents:
            self._wrong("I13", event, f"trade {body['trade']} is of {body['order']}, which no intent names")

    def _on_health(self, body: Mapping[str, Any], _event: Event) -> None:
        (self._ill.discard if body["state"] == "over" else self._ill.add)(body["what"])
        if body["state"] == "over" and body["what"].startswith("refusals of "):
            self._refused[body["what"].removeprefix("refusals of ")] = 0

    def _on_reconcile(self, body: Mapping[str, Any], _event: Event) -> None:
        self._differs |= set(body["differs"])
        self._differs -= set(body.get("agrees", ()))

    def _on_adopt(self, body: Mapping[str, Any], _event: Event) -> None:
        if body.get("adopted"):
            self._differs.discard(body["difference"])
            self._ill.discard(body["difference"])
            self._refused[body["difference"].removeprefix("refusals of ")] = 0

    def _on_halt(self, body: Mapping[str, Any], _event: Event) -> None:
        self._halted = body["state"] == "halted"

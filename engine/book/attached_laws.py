"""Laws of attached stops that a journal can be checked for by itself: an entry never leaves without its stop, the stop never ends
before another order covers its layer, both never stay for long, and a layer never gives up more lots than it has taken.

Part of engine.book.order_laws, read by tests/storms after every run. Nothing here calls the book.
"""

from collections.abc import Callable, Mapping
from typing import Any

from engine.core.orders import FLATTENS
from engine.store.chain import Event

WORKS = ("working", "partial")
BARS_MAX = 2  # at whose closes an attached stop may still be there beside the order that has taken its place

Layer = tuple[str, int]  # sleeve, key
Wrong = Callable[[str, Event, str], None]


class AttachedLaws:
    """Hears of every event in its order; `wrong` takes (law, event, what)."""

    def __init__(self, wrong: Wrong) -> None:
        self._wrong = wrong
        self._instruments: set[str] = set()  # whose entries bring a stop along
        self._stop_of: dict[str, str] = {}  # entry -> its attached stop
        self._of: dict[str, tuple[Layer, str]] = {}  # order -> its layer and slot
        self._lots: dict[str, int] = {}
        self._state: dict[str, str] = {}
        self._said: dict[str, int] = {}  # lots that the venue says an order has filled
        self._booked: dict[str, int] = {}  # lots of an order's executions
        self._held: dict[Layer, int] = {}
        self._sent: set[str] = set()
        self._moving: set[str] = set()  # orders with an amendment that was not answered yet
        self._beside: dict[str, int] = {}  # attached stop -> closes at which it was there beside the layer's own
        self._adopted = False  # a person has moved layers: their lots are no longer counted here

    def read(self, event: Event) -> None:
        """One event."""
        if (law := getattr(self, f"_on_{event.kind}", None)) is not None:
            law(event.body, event)

    def _on_attach(self, body: Mapping[str, Any], _event: Event) -> None:
        (self._instruments.add if body["how"] else self._instruments.discard)(body["instrument"])

    def _on_intent(self, body: Mapping[str, Any], _event: Event) -> None:
        id_ = body["order"]
        leg = "basket" in body  # it has one layer, whatever its orders are called, and its lots have a side
        self._of[id_] = ((body.get("sleeve", ""), -1 if leg else body.get("key", 0)), body.get("slot", ""))
        self._lots[id_] = body.get("lots", self._lots.get(id_, 0))
        if "attached_to" in body:
            self._stop_of[body["attached_to"]] = id_
        elif body.get("slot") == "entry" and body.get("instrument") in self._instruments:
            turns = leg and self._held.get(self._of[id_][0], 0) * (1 if body["side"] == "buy" else -1) < 0
            if not turns:  # a stop of the new side would close nothing yet
                self._stop_of.setdefault(id_, "")

    def _on_sent(self, body: Mapping[str, Any], event: Event) -> None:
        self._sent |= set(body["orders"])
        for id_ in body["orders"]:
            if self._stop_of.get(id_) == "":
                self._wrong("I12", event, f"{id_} leaves without a stop")

    def _on_amend(self, body: Mapping[str, Any], _event: Event) -> None:
        self._moving.add(body["order"])

    def _on_order(self, body: Mapping[str, Any], event: Event) -> None:
        id_ = body["order"]
        self._moving.discard(id_)
        self._state[id_] = body["state"]
        self._lots[id_] = body.get("lots", self._lots.get(id_, 0))
        self._said[id_] = max(self._said.get(id_, 0), body.get("filled_lots", 0))
        if body["state"] == "cancelling" and id_ in self._stop_of.values() and not self._said[id_]:
            self._ends(id_, event)

    def _ends(self, stop: str, event: Event) -> None:
        """An attached stop is cancelled: does another order cover its layer, and is everything of its entry booked, or gone by an
        exit of what is not?
        """
        layer, entry = self._of[stop][0], next(entry for entry, its in self._stop_of.items() if its == stop)
        if self._adopted:
            return
        if self._held.get(layer, 0) and not (self._covering(layer, stop) or self._leaves(layer)):
            self._wrong("I12", event, f"{stop} ends while {abs(self._held[layer])} lots have no other order")
        gone = sum(said for id_, said in self._said.items() if id_[-3:-2] == FLATTENS and self._of[id_][0] == layer)
        if self._said.get(entry, 0) - gone > self._booked.get(entry, 0):
            self._wrong("I12", event, f"{stop} ends while lots of {entry} are not booked")

    def _covering(self, layer: Layer, but: str) -> bool:
        """Whether an exit works for a layer, or protective orders for all of its lots."""
        mine = [id_ for id_, (its, _) in self._of.items() if its == layer and id_ != but and self._state.get(id_) in WORKS]
        lots = sum(self._lots[id_] - self._booked.get(id_, 0) for id_ in mine if self._of[id_][1] == "protective")
        return lots >= abs(self._held.get(layer, 0)) or any(self._of[id_][1] == "exit" for id_ in mine)

    def _leaves(self, layer: Layer) -> bool:
        """Whether an exit of a layer has executed in part before its request was answered: the venue has taken it."""
        exits = [id_ for id_, (its, slot) in self._of.items() if its == layer and slot == "exit" and id_ not in self._state]
        return any(0 < self._booked.get(id_, 0) < self._lots[id_] for id_ in exits)

    def _on_fill(self, body: Mapping[str, Any], event: Event) -> None:
        if not body.get("booked", True):
            return
        if body["order"] not in self._of:  # what the venue executed on its own
            if "basket" in body:
                self._on_leg(body, event, str(body["slot"]))
            return
        id_, layer = body["order"], self._of[body["order"]][0]
        self._booked[id_] = self._booked.get(id_, 0) + body.get("lots", 0)
        self._said[id_] = max(self._said.get(id_, 0), self._booked[id_])  # a list of executions says it, too, and first at times
        if self._state.get(id_) == "UNKNOWN":  # what has executed in part was taken
            self._state[id_] = "partial"
        if "basket" in body:  # a leg has one net order, which may turn it over: its lots are counted with their side
            self._on_leg(body, event, self._of[id_][1])
            return
        self._held[layer] = self._held.get(layer, 0) + body.get("lots", 0) * (1 if self._of[id_][1] == "entry" else -1)
        if self._held[layer] < 0 and not self._adopted:
            self._wrong("I6", event, f"layer {layer} has given up {-self._held[layer]} lots more than it has taken")

    def _on_leg(self, body: Mapping[str, Any], event: Event, slot: str) -> None:
        """An execution of a basket's leg: what is not an entry makes it smaller and does not turn it."""
        leg = (str(body["sleeve"]), -1)
        before = self._held.get(leg, 0)
        after = self._held[leg] = before + body["lots"] * (1 if body["side"] == "buy" else -1)
        if slot != "entry" and not abs(after) < abs(before) and not self._adopted:
            self._wrong("I6", event, f"{body['order']} leaves {after} lots of {leg[0]}, which had {before}")
        if after * before < 0 and slot != "entry" and not self._adopted:
            self._wrong("I6", event, f"{body['order']} turns {leg[0]} over, which an entry alone may do")

    def _on_bar(self, _body: Mapping[str, Any], event: Event) -> None:
        for entry, stop in self._stop_of.items():
            if not stop or self._state.get(stop) in ("cancelling", "done", "rejected") or self._said.get(stop, 0):
                continue
            if stop in self._moving:  # asked about, not cancelled, while nobody knows how it stands; doubt has its own law
                continue
            whole = self._booked.get(entry, 0) >= max(self._said.get(entry, 0), self._lots[entry])
            ended = self._state.get(entry) in ("done", "rejected") and self._booked.get(entry, 0) >= self._said.get(entry, 0)
            never = stop not in self._sent and not self._said.get(entry, 0)  # it came with an entry that has filled nothing
            if never or not (whole or ended):
                continue
            layer = self._of[stop][0]
            if self._held.get(layer, 0) and not self._covering(layer, stop):
                continue
            self._beside[stop] = self._beside.get(stop, 0) + 1
            if self._beside[stop] == BARS_MAX + 1:
                self._wrong("I12", event, f"{stop} is still there, and nothing is left for it to cover")

    def _on_adopt(self, _body: Mapping[str, Any], _event: Event) -> None:
        self._adopted = True

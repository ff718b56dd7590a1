"""The watch of a basket's change: the measures of engine.watch.canaries, of round trips of pairs and of their one equity.

Called by app.processes.canary_watch, which takes the fold of either kind from here. A desk that trades a basket journals its
legs: what each pair has of an execution is in the `parts` of `fill` and `cross` events. No numpy.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from engine.clock import utc
from engine.control.canary import OF_A_FIT, OF_THE_DESK, CanaryRun
from engine.store.chain import Event
from engine.store.lookback import last
from engine.watch.canaries import CanaryFold, began, held_at


class OpenPair(NamedTuple):
    """A round trip of a pair that is open: lots of each leg with their side; money in quote units."""

    lots: Mapping[str, int]
    notional: float = 0.0  # of all that opened it
    slipped: float = 0.0


class BasketFold(CanaryFold):
    """The same of a basket. `lot_sizes`: of each leg by its name; `before`: pair -> its round trip when the change began, which
    is not the change's own.
    """

    excused = OF_THE_DESK + OF_A_FIT

    def __init__(self, run: CanaryRun, began: Event, lot_sizes: Mapping[str, float], before: Mapping[str, int]) -> None:
        super().__init__(run, began)
        self.names = frozenset(lot_sizes)
        self._lot_sizes, self._over = lot_sizes, dict(before)
        self._open: dict[tuple[str, int], OpenPair] = {}

    def _own(self, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
        basket = body.get("basket")
        if basket is None or basket.get("name") != self.run.sleeve:
            return None
        self._held = sum(pair["side"] != "flat" for pair in basket["pairs"])
        if self._held:
            self.quiet_ms = 0
        return {"equity": basket["equity"], "paused": any(leg.get("paused") for leg in body["sleeves"].values())}

    def _fill(self, event: Event) -> None:
        body = event.body
        price, reference = body.get("price"), body.get("reference_price", body.get("price"))
        if not all(isinstance(x, int | float) and math.isfinite(x) and x > 0.0 for x in (price, reference)):
            self.faults.append(f"a fill at {utc(event.t_event_ms)} has no price")
            return
        price, slip = float(body["price"]), float(body["price"]) - float(reference or 0.0)
        for part in body.get("parts", ()):
            self._part(event.t_event_ms, str(body["sleeve"]), part, price, slip)

    def _part(self, at_ms: int, leg: str, part: Mapping[str, Any], price: float, slip: float) -> None:
        """What one pair has of an execution."""
        key = pair, number = str(part["pair"]), int(part["pair_key"])
        if number <= self._over.get(pair, -1) or not (part["opens"] or key in self._open):
            return  # it was in when the change began, or its round trip is over
        if key not in self._open:
            self._entered(at_ms)
        units, side = int(part["lots"]) * self._lot_sizes[leg], 1 if part["side"] == "buy" else -1
        own = self._open.get(key, OpenPair({}))
        lots = {**own.lots, leg: own.lots.get(leg, 0) + side * int(part["lots"])}
        own = OpenPair(lots, own.notional + units * price * bool(part["opens"]), own.slipped + side * units * slip)
        self._open[key] = own
        if not any(lots.values()):
            del self._open[key]
            self._over[pair] = number
            self.trips += 1
            self.slippages.append(own.slipped / own.notional * 1e4)


def fold_of(path: Path, run: CanaryRun) -> CanaryFold | None:
    """The measures of a watch that begins, of a sleeve or of a basket; None while the desk has not adopted its version."""
    event = began(path, run)
    if event is None:
        return None
    if lot_sizes := legs_of(path, run.sleeve):
        return BasketFold(run, event, lot_sizes, pairs_in(path, event))
    return CanaryFold(run, event, held_at(path, run, event))


def legs_of(path: Path, sleeve: str) -> dict[str, float]:
    """Leg -> base units of its lot, by the last configuration; {} for a sleeve of one instrument."""
    event = last(path, ("config",), lambda one: "sleeves" in one.body)
    found = [] if event is None else [one for one in event.body["sleeves"] if one.get("basket") == sleeve]
    return {str(one["name"]): float(one["rules"]["lot_size"]) for one in found}


def pairs_in(path: Path, began: Event) -> dict[str, int]:
    """Pair -> its round trip, of those that were in when a change began."""
    mark = last(path, ("mark",), lambda one: one.seq < began.seq)
    pairs = [] if mark is None else mark.body.get("basket", {}).get("pairs", [])
    return {str(pair["pair"]): int(pair["pair_key"]) for pair in pairs if "pair_key" in pair}

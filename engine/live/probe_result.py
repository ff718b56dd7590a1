"""What a probe is of, and what it found. Made by engine.live.probe, for engine.live.gate and app.processes.account_probe."""

from collections.abc import Sequence
from math import ceil
from typing import Any, NamedTuple

from engine.venues.account_facts import VenueListing
from engine.venues.instruments import Instrument

OK, FAILED, UNTRIED = "ok", "failed", "not tried"
SPARE_FRAC = 0.05  # above least notional, for a price that moves before the order arrives


class ProbeLeg(NamedTuple):
    """One step: `ms` that it took; None where it was not tried."""

    name: str
    result: str  # ok, failed, not tried
    ms: int | None
    why: str = ""


class ProbeResult(NamedTuple):
    """What a probe found. `left`: what it could not take away again, a line each. `cost`: quote units that a round trip took."""

    instrument: str
    kind: str  # far, round_trip
    legs: tuple[ProbeLeg, ...]
    left: tuple[str, ...] = ()
    cost: float = 0.0

    @property
    def ok(self) -> bool:
        """Its first order was taken, no leg has failed and nothing is left."""
        return not self.left and bool(self.legs) and self.legs[0].result == OK and not self.failures

    @property
    def failures(self) -> list[str]:
        """What went wrong, or kept it from beginning, a line each."""
        kept = [leg for leg in self.legs[:1] if leg.result == UNTRIED]
        return [
            *(f"{leg.name}: {leg.why}" for leg in kept),
            *(f"{leg.name}: {leg.why}" for leg in self.legs if leg.result == FAILED),
            *self.left,
        ]

    def as_json(self) -> dict[str, Any]:
        """For `--json` and the journal."""
        legs = [leg._asdict() for leg in self.legs]
        return {**self._asdict(), "legs": legs, "left": list(self.left), "ok": self.ok}


class ProbeOf(NamedTuple):
    """What is probed. Sizes in base units, prices and notional in quote units."""

    instrument: str  # the desk's name: okx:BTC-USDT:perp
    price: float  # of now
    least_qty: float
    least_notional: float
    lot_size: float
    tick: float

    def lots(self, price: float) -> int:
        """The fewest lots that the venue takes at a price."""
        return max(1, ceil(max(self.least_qty, self.least_notional / price) / self.lot_size - 1e-9))

    def on_tick(self, price: float) -> float:
        """The nearest price that can be ordered."""
        return round(round(price / self.tick) * self.tick, 10)


def probe_of(name: str, instrument: Instrument, listing: VenueListing) -> ProbeOf:
    """What is probed, by the desk's figures and the venue's: the larger of both counts."""
    least = max(instrument.least_qty, listing.least_qty), max(instrument.least_notional, listing.least_notional)
    return ProbeOf(name, listing.price, *least, instrument.lot_size, instrument.tick)


def round_trip_cost(of: ProbeOf, taker_frac: float, half_spread_frac: float) -> tuple[float, float]:
    """(quote units in the market, quote units that a round trip is expected to cost)."""
    notional = of.lots(of.price / (1.0 + SPARE_FRAC)) * of.lot_size * of.price
    return notional, 2.0 * notional * (taker_frac + half_spread_frac)


def summary(results: Sequence[ProbeResult]) -> str:
    """What went wrong in all of them; "" for nothing."""
    return "; ".join(f"{result.instrument} {line}" for result in results for line in result.failures)

"""The desk as it stands: the state that a journal folds to. Everything in it is a value.

Read by engine.book.transitions (which moves it), events, replay and the live loop; snapshot.py writes it down and back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from engine.core.orders import NO_ORDERS, OrderBook
from engine.core.state import Bar, Desk, Limits, Rules, Sleeve


class Spec(NamedTuple):
    """What governs one sleeve: a sleeve of a `config` event."""

    version: int
    rules: Rules
    paused: bool
    source: Mapping[str, Any]  # the sleeve as the config event holds it


@dataclass
class Book:
    """Everything the worker must know to go on; snapshot.py writes it down and reads it back, bit for bit."""

    start: dict[str, Any]  # of the first config event: instruments, timeframe_ms, anchor_ms, first_ms, ...
    version: int
    config: dict[str, Any]  # limits and sleeves of the last config event
    limits: Limits
    specs: list[Spec]
    waiting: list[Spec | None]  # of a newer version, until the sleeve is flat
    sleeves: list[Sleeve]
    desk: Desk
    recent_r: list[float]
    bars: list[Bar]  # the last one of each instrument
    features: dict[str, str] = field(default_factory=dict)  # hash of the last feature row of each sleeve
    close_ms: int = 0  # desk time; before the first bar its open
    count: int = 0  # bars so far
    ambiguous: int = 0  # ambiguous bars so far
    tripped_ms: int = 0  # desk time of the drawdown breaker, while it stands
    halt: dict[str, Any] = field(default_factory=dict)  # reason and by, while halted
    orders: OrderBook = NO_ORDERS  # the desk's own at its venue
    health: dict[str, str] = field(default_factory=dict)  # what is not well -> why; no entries meanwhile
    differences: dict[str, str] = field(default_factory=dict)  # what the venue has and the book has not; until a person decides

    @cached_property
    def names(self) -> list[str]:
        """The sleeves in the order in which they decide; they are fixed for the life of a home."""
        return [spec.source["name"] for spec in self.specs]

    @cached_property
    def instruments(self) -> list[str]:
        """Their instruments, as the bars come."""
        return list(self.start["instruments"])

    @property
    def entries_blocked(self) -> bool:
        """Whether no sleeve may enter: something is not well, or differs from the venue."""
        return bool(self.health or self.differences)

    @property
    def state(self) -> str:
        """running, flattening (halted, positions or orders still there) or halted."""
        if self.desk.halted == 0:
            return "running"
        return "halted" if all(flat(sleeve) for sleeve in self.sleeves) else "flattening"

    def latest(self, s: int) -> Spec:
        """The newest version's say about sleeve s, in force or waiting."""
        return self.waiting[s] or self.specs[s]


def flat(sleeve: Sleeve) -> bool:
    """No position, no order, none in doubt: the moment at which a sleeve changes its configuration."""
    return sleeve.position.open_layers == 0 and sleeve.order.side == 0 and sleeve.in_doubt == 0.0

"""The desk as it stands: the state that a journal folds to, and its way into a snapshot and back.

Read by engine.book.transitions (which moves it), told, fold and the live loop. Everything in it is a value; a snapshot gives
the same bits again.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from engine.core.state import Bar, Desk, Limits, Rules, Sleeve


class Spec(NamedTuple):
    """What governs one sleeve: a sleeve of a `config` event."""

    version: int
    rules: Rules
    paused: bool
    source: Mapping[str, Any]  # the sleeve as the config event holds it


@dataclass
class Book:
    """Everything the worker must know to go on; `plain_of` turns it into a snapshot, `of_plain` back, bit for bit."""

    start: dict[str, Any]  # of the first config event: instruments, timeframe_ms, anchor_ms, first_ms, ...
    version: int
    config: dict[str, Any]  # limits and sleeves of the last config event
    limits: Limits
    specs: list[Spec]
    waiting: list[Spec | None]  # of a newer version, until the sleeve is flat
    sleeves: list[Sleeve]
    desk: Desk
    ring: list[float]
    lifted: list[int]  # pause of its own that a paused sleeve had
    bars: list[Bar]  # the last one of each instrument
    features: dict[str, str] = field(default_factory=dict)  # hash of the last feature row of each sleeve
    close_ms: int = 0  # desk time; before the first bar its open
    count: int = 0  # bars so far
    unclear: int = 0  # ambiguous bars so far
    tripped_ms: int = 0  # desk time of the drawdown breaker, while it stands
    halt: dict[str, Any] = field(default_factory=dict)  # reason and by, while halted

    @property
    def names(self) -> list[str]:
        """The sleeves in the order in which they decide."""
        return [spec.source["name"] for spec in self.specs]

    @property
    def instruments(self) -> list[str]:
        """Their instruments, as the bars come."""
        return list(self.start["instruments"])

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
    """No position and no order: the moment at which a sleeve changes its configuration."""
    return sleeve.position.open_layers == 0 and sleeve.order.side == 0


# ---- Book <-> JSON -----------------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """A NamedTuple, list or number as JSON that `restored` turns back to the same bits; NaN is null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None if math.isnan(value) else str(value)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


@cache
def _hints(kind: Any) -> tuple[Any, ...]:
    return tuple(get_type_hints(kind).values())


def restored(kind: Any, data: Any) -> Any:
    """The value of type `kind` (int, float, a NamedTuple of such, a tuple of those) that `plain` has written.

    A NamedTuple may be written as a list, or as an object by its field names.
    """
    if kind is float:
        return math.nan if data is None else float(data)
    if kind is int:
        return int(data)
    if get_origin(kind) is tuple:
        return tuple(restored(part, item) for part, item in zip(get_args(kind), data, strict=True))
    items = [data[name] for name in kind._fields] if isinstance(data, Mapping) else data
    return kind(*(restored(part, item) for part, item in zip(_hints(kind), items, strict=True)))


def plain_of(book: Book) -> dict[str, Any]:
    """The whole book as a snapshot's body."""
    return {
        "start": book.start,
        "version": book.version,
        "config": book.config,
        "specs": [[spec.version, spec.source] for spec in book.specs],
        "waiting": [spec and [spec.version, spec.source] for spec in book.waiting],
        "sleeves": plain(book.sleeves),
        "desk": plain(book.desk),
        "ring": plain(book.ring),
        "lifted": book.lifted,
        "bars": plain(book.bars),
        "features": book.features,
        "close_ms": book.close_ms,
        "count": book.count,
        "unclear": book.unclear,
        "tripped_ms": book.tripped_ms,
        "halt": book.halt,
    }


def of_plain(body: Mapping[str, Any]) -> Book:
    """The book that a snapshot holds."""
    return Book(
        start=dict(body["start"]),
        version=body["version"],
        config=dict(body["config"]),
        limits=restored(Limits, body["config"]["limits"]),
        specs=[_spec(item) for item in body["specs"]],
        waiting=[item and _spec(item) for item in body["waiting"]],
        sleeves=[restored(Sleeve, item) for item in body["sleeves"]],
        desk=restored(Desk, body["desk"]),
        ring=[restored(float, item) for item in body["ring"]],
        lifted=list(body["lifted"]),
        bars=[restored(Bar, item) for item in body["bars"]],
        **{name: body[name] for name in ("features", "close_ms", "count", "unclear", "tripped_ms", "halt")},
    )


def _spec(item: Sequence[Any]) -> Spec:
    version, source = item
    return Spec(version, restored(Rules, source["rules"]), bool(source["paused"]), dict(source))

"""Features of the book: the same `Feature` as a bar's, over rows of moments.py instead of bars. Each is defined here, once.

Called by app/cli/l2.py and feasibility.py through `computed`. A feature reads one unbroken part of the tape, its value at a
row depends on rows up to it alone, bit for bit, at every 100 ms and after each message alike: sums are of whole lots, so no
anchor changes them. Why they are not in engine/features/catalog.py: docs/decisions, level 2.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from engine.errors import BadInput
from engine.features.feature import BASE, BPS, FRACTION, ROUND, Array, Feature, empty, feature, label, unbroken_runs
from engine.l2.moments import Moments
from engine.l2.tape import Ints

A_SECOND = "a second"
MS_NS = 1_000_000


def first_row(_timeframe_ms: int, *_args: int) -> int:
    """Windows are times, not rows: which rows a window reaches before is left NaN by the feature itself."""
    return 0


def window_start(when_ns: Ints, window_ms: int) -> Ints:
    """For each row, the last one that is at least the window older; -1 where the part is not that old."""
    return np.searchsorted(when_ns, when_ns - window_ms * MS_NS, side="right") - 1


def gained(total: Array, when_ns: Ints, window_ms: int) -> Array:
    """What a running total gained in the window; NaN before the part is that old."""
    start = window_start(when_ns, window_ms)
    return np.where(start >= 0, total - total[start], np.nan)


def ratio(above: Array, below: Array) -> Array:
    """A quotient, NaN where nothing is below."""
    out = empty(len(above))
    return np.divide(above, below, out=out, where=below > 0.0)


@feature(("bid", "ask"), first_row, BPS)
def spread(bid: Array, ask: Array) -> Array:
    """Best ask less best bid over the middle."""
    return (ask - bid) / ((ask + bid) / 2.0) * 1e4


@feature(("bid_lots", "ask_lots"), first_row, ROUND)
def imbalance(bid_lots: Array, ask_lots: Array) -> Array:
    """Lots at the best bid less those at the best ask, over both."""
    return (bid_lots - ask_lots) / (bid_lots + ask_lots)


@feature(("bid_near", "ask_near"), first_row, ROUND)
def depth_imbalance(bid_near: Array, ask_near: Array) -> Array:
    """Imbalance of the ten best levels of each side; NaN where a side has fewer."""
    return (bid_near - ask_near) / (bid_near + ask_near)


@feature(("bid_near", "ask_near", "lots_a_unit"), first_row, BASE)
def depth(bid_near: Array, ask_near: Array, lots_a_unit: Array) -> Array:
    """What the ten best levels of both sides offer."""
    return (bid_near + ask_near) / lots_a_unit


@feature(("bid_lots", "ask_lots", "bid_near", "ask_near"), first_row, FRACTION)
def queue(bid_lots: Array, ask_lots: Array, bid_near: Array, ask_near: Array) -> Array:
    """Share of the ten best levels that waits in the two best queues."""
    return (bid_lots + ask_lots) / (bid_near + ask_near)


@feature(("bid", "ask", "bid_lots", "ask_lots"), first_row, BPS)
def microprice(bid: Array, ask: Array, bid_lots: Array, ask_lots: Array) -> Array:
    """Best prices weighed by the other side's lots, less the middle."""
    middle = (bid + ask) / 2.0
    return ((ask * bid_lots + bid * ask_lots) / (bid_lots + ask_lots) - middle) / middle * 1e4


@feature(("when_ns", "pressure", "lots_a_unit"), first_row, BASE)
def order_flow(when_ns: Ints, pressure: Array, lots_a_unit: Array, window_ms: int = 1000) -> Array:
    """Order flow imbalance at the best quotes over a time (Cont, Kukanov, Stoikov 2014), each message counted."""
    return gained(pressure, when_ns, window_ms) / lots_a_unit


@feature(("when_ns", "bought", "sold", "lots_a_unit"), first_row, BASE)
def flow(when_ns: Ints, bought: Array, sold: Array, lots_a_unit: Array, window_ms: int = 1000) -> Array:
    """What takers bought less what they sold over a time."""
    return (gained(bought, when_ns, window_ms) - gained(sold, when_ns, window_ms)) / lots_a_unit


@feature(("when_ns", "bought", "sold"), first_row, ROUND)
def flow_ratio(when_ns: Ints, bought: Array, sold: Array, window_ms: int = 5000) -> Array:
    """Flow over all that traded in that time; NaN where nothing did."""
    buys, sells = gained(bought, when_ns, window_ms), gained(sold, when_ns, window_ms)
    return ratio(buys - sells, buys + sells)


@feature(("when_ns", "messages"), first_row, A_SECOND)
def intensity(when_ns: Ints, messages: Array, window_ms: int = 1000) -> Array:
    """Messages of the book a second, over a time."""
    return gained(messages, when_ns, window_ms) / (window_ms / 1000.0)


@feature(("when_ns", "trades"), first_row, A_SECOND)
def trade_intensity(when_ns: Ints, trades: Array, window_ms: int = 1000) -> Array:
    """Trades a second, over a time."""
    return gained(trades, when_ns, window_ms) / (window_ms / 1000.0)


@feature(("when_ns", "bid", "ask"), first_row, BPS)
def momentum(when_ns: Ints, bid: Array, ask: Array, window_ms: int = 5000) -> Array:
    """How far the middle moved over a time."""
    middle = (bid + ask) / 2.0
    start = window_start(when_ns, window_ms)
    return np.where(start >= 0, (middle / middle[start] - 1.0) * 1e4, np.nan)


FEATURES: tuple[Feature, ...] = (
    spread, imbalance, depth_imbalance, depth, queue, microprice, order_flow, flow, flow_ratio, intensity,
    trade_intensity, momentum,
)  # fmt: skip
CALLS: tuple[tuple[Feature, tuple[int, ...]], ...] = (
    *((one, ()) for one in (spread, imbalance, depth_imbalance, depth, queue, microprice)),
    *((one, (ms,)) for one in (order_flow, flow) for ms in (1000, 5000)),
    (flow_ratio, (5000,)), (intensity, (1000,)), (trade_intensity, (1000,)), (momentum, (5000,)),
)  # fmt: skip


class FeatureColumn(NamedTuple):
    """One feature over all rows: its name with arguments, unit, meaning and values."""

    name: str
    unit: str
    about: str
    values: Array


def computed(moments: Moments, calls: tuple[tuple[Feature, tuple[Any, ...]], ...] = CALLS) -> list[FeatureColumn]:
    """Each call over each unbroken part; NaN where the book is not usable or a window reaches before its part.

    Raises BadInput for arguments that a feature refuses.
    """
    return [FeatureColumn(label(one, args), one.unit, one.about, values) for one, args, values in _values(moments, calls)]


def _values(m: Moments, calls: tuple[tuple[Feature, tuple[Any, ...]], ...]) -> Iterator[tuple[Feature, tuple[Any, ...], Array]]:
    parts = m.part
    for one, args in calls:
        try:
            bound = one.bind(args, {})
        except (TypeError, ValueError) as error:
            raise BadInput(f"{one.name}: {error}", f"{one.name}{one.signature}") from error
        columns = {name: getattr(m, name) for name in one.inputs}
        usable = [np.isfinite(values) for name, values in columns.items() if name != "when_ns"]
        out = empty(len(parts))
        for start, end in unbroken_runs([parts > 0, *usable]):
            cuts = [start, *(np.flatnonzero(np.diff(parts[start:end])) + start + 1).tolist(), end]
            for a, b in pairwise(cuts):
                out[a:b] = one.compute(*(columns[name][a:b] for name in one.inputs), *bound)
        yield one, args, out


def one_after_another(tapes: Sequence[Sequence[FeatureColumn]]) -> list[FeatureColumn]:
    """The columns of tapes that follow each other, each as one."""
    return [same[0]._replace(values=np.concatenate([one.values for one in same])) for same in zip(*tapes, strict=True)]

"""Where the protective and the target order of every layer of a stored run were, bar by bar, by the core's own functions.

Called by app/views/candles.py for a chart. A run keeps what was decided and filled; where a trail stood in between is worked out
again from its fills and its bars by `on_fill` and `follow`, which moved it in the run.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from engine.core import state
from engine.core.exits import follow, protective
from engine.core.ledger import on_fill
from engine.core.row_fields import DecisionRow, FillRow
from engine.features.frame import FeatureFrame
from engine.sim import trips as reading

SLOTS = ("protective", "target")
FIELDS = ("slot", "reason", "side", "layer", "maker", "lots", "price", "fee", "reference_price")


class LevelStep(NamedTuple):
    """From `ms` on the order of a layer is at `price`; null: from then on it is not there."""

    key: int  # of the layer
    slot: str  # one of SLOTS
    ms: int
    price: float | None


def level_steps(rows: pl.DataFrame, number: int, rules: state.Rules, frame: FeatureFrame, atr_bars: int) -> list[LevelStep]:
    """The steps of sleeve `number`, in the order of time. rows: the run's; frame: the sleeve's own bars, from the anchor on."""
    own = rows.filter(pl.col("sleeve") == number)
    entering = reading.field(DecisionRow, "action").is_in([state.ENTER, state.ADD])
    decided = reading.only(own, DecisionRow).filter(entering).select("n", pl.col("close_ms").alias("decided_ms"))
    fills = reading.only(own, FillRow).select("n", "close_ms", *(reading.field(FillRow, name) for name in FIELDS))
    by_close: dict[int, list[Mapping[str, float]]] = {}
    for fill in fills.join_asof(decided, on="n", check_sortedness=False).to_dicts():
        by_close.setdefault(int(fill["close_ms"]), []).append(fill)
    atr = dict(zip(frame.close_ms.tolist(), frame.reader().atr(atr_bars).tolist(), strict=True))
    return list(_moved(_positions(by_close, atr, rules, frame)))


def _positions(
    by_close: Mapping[int, list[Mapping[str, float]]],
    atr: Mapping[int, float],
    rules: state.Rules,
    frame: FeatureFrame,
) -> Iterator[tuple[int, state.Position]]:
    """(since when, position) after each fill and after each close that an open position has seen.

    An entry counts from the open of its bar, an exit from its close.
    """
    sleeve, step = state.start(1.0), frame.timeframe_ms
    columns = (frame.open, frame.high, frame.low, frame.close, frame.volume)
    closes, bars = frame.close_ms.tolist(), list(zip(*(column.tolist() for column in columns), strict=True))
    first = int(np.searchsorted(frame.close_ms, min(by_close, default=0)))
    for close_ms, bar in zip(closes[first:], bars[first:], strict=True):
        fills = by_close.get(close_ms, ())
        if not fills and sleeve.position.open_layers == 0:
            continue
        for fill in fills:
            sleeve = _filled(sleeve, rules, fill, atr.get(int(fill["decided_ms"] or 0), np.nan))
            yield close_ms - (step if fill["slot"] == state.ENTRY else 0), sleeve.position
        if sleeve.position.open_layers > 0 and bar[3] == bar[3]:  # NaN differs from itself: a missing bar
            position = follow(sleeve.position, rules, state.Bar._make((close_ms, *bar, 0.0, 0.0)))
            if position != sleeve.position:
                sleeve = sleeve._replace(position=position)
                yield close_ms, position


def _filled(sleeve: state.Sleeve, rules: state.Rules, row: Mapping[str, float], atr: float) -> state.Sleeve:
    """The sleeve after a fill as its row says. An entry comes with an order of its lots; layers are numbered as they open."""
    whole = {name: int(row[name]) for name in ("slot", "layer", "lots", "maker", "reason")}
    opens = whole["layer"] >= sleeve.position.open_layers
    key = sleeve.entries + 1 if opens else sleeve.position.layers[whole["layer"]].key
    price: dict[str, Any] = {"price": row["price"], "fee": row["fee"], "reference_price": row["reference_price"]}
    fill = state.Fill(leg=0, pair=0, key=key, t_ms=int(row["close_ms"]), **whole, **price)
    if fill.slot == state.ENTRY:
        order = state.Order(key, int(row["side"]), fill.lots, 0.0, 0.0, 0.0, atr, 0, 0.0, 0, 1)
        sleeve = sleeve._replace(order=order, entries=sleeve.entries + int(opens))
    return on_fill(sleeve, rules, fill)


def _moved(positions: Iterable[tuple[int, state.Position]]) -> Iterator[LevelStep]:
    """What differs from one position to the next: a level that is new, has moved, or is gone."""
    before: dict[tuple[int, str], float] = {}
    for ms, position in positions:
        now: dict[tuple[int, str], float] = {}
        for layer in position.layers[: position.open_layers]:
            levels = protective(position, layer)[1], layer.target
            now |= {(layer.key, slot): level for slot, level in zip(SLOTS, levels, strict=True) if level > 0.0}
        yield from (LevelStep(*place, ms, None) for place in before if place not in now)
        yield from (LevelStep(*place, ms, level) for place, level in now.items() if before.get(place) != level)
        before = now

"""What a run of many instruments reads is in memory once: bars as the core's records, signals side by side as its loop reads.

Called by sim/backtest.py. Features and reports read the same memory through strided views: every value has the bits that it had.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.data.align import RECORDED, Market
from engine.data.loading import BAR_COLUMNS, CHARGED_COLUMNS, LoadedBars
from engine.data.timeframes import DeskBars
from engine.strategies.signals import Signals


def bars_once(loaded: DeskBars) -> tuple[DeskBars, np.ndarray | None]:
    """The same bars, those that are traded a view of those that features read; of several instruments both are views of the
    core's records of the span, which are returned too. As they were where the desk has bars of several timeframes.
    """
    if len(loaded.own) > 1 or not _same(next(iter(loaded.own.values()))):
        return loaded, None
    loaded = _cut(loaded, loaded.span)  # the second copy goes before a third is made
    ((step, own),) = loaded.own.items()
    if len(own.span.instruments) == 1 or own.whole.instruments != own.span.instruments:
        return loaded, None
    whole, records = _as_records(own.whole, own.span, slice(own.first, own.first + len(own.span.close_ms)))
    table = records.reshape(-1, len(own.span.instruments))
    charged: dict[str, Any] = {name: table[name] for name in CHARGED_COLUMNS}
    return _cut(loaded._replace(own={step: own._replace(whole=whole)}), own.span._replace(**charged)), records


def _cut(loaded: DeskBars, span: Market) -> DeskBars:
    """The bars with a span whose columns are views of the history's."""
    ((step, own),) = loaded.own.items()
    rows, count = slice(own.first, own.first + len(span.close_ms)), len(span.instruments)
    named = [*BAR_COLUMNS, *(name for name in RECORDED if getattr(span, name) is not None)]
    views: dict[str, Any] = {name: getattr(own.whole, name)[rows, :count] for name in named}
    traded = span._replace(**views)
    return loaded._replace(span=traded, own={step: own._replace(span=traded)})


def _same(own: LoadedBars) -> bool:
    """Whether the traded bars are those of the history, bit by bit."""
    span, count = slice(own.first, own.first + len(own.span.close_ms)), len(own.span.instruments)

    def is_cut(name: str) -> bool:
        traded, read = getattr(own.span, name), getattr(own.whole, name)
        if traded is None:
            return True
        return read is not None and np.array_equal(traded.view(np.int64), np.ascontiguousarray(read[span, :count]).view(np.int64))

    return own.whole.instruments[:count] == own.span.instruments and all(map(is_cut, (*BAR_COLUMNS, *RECORDED)))


def _as_records(whole: Market, span: Market, cut: slice) -> tuple[Market, np.ndarray]:
    """(the history as views of its records, the records of the span, with what it is charged)."""
    from engine.core.kernel import bar_records

    table = bar_records(whole).reshape(-1, len(whole.instruments))
    for name in CHARGED_COLUMNS:
        table[name][cut] = getattr(span, name)
    views: dict[str, Any] = {name: table[name] for name in BAR_COLUMNS}
    return whole._replace(**views), table[cut].reshape(-1)


def columns_once(signals: list[Signals]) -> tuple[np.ndarray, ...]:
    """kernel.signal_columns, while each Signals of the list becomes views of them, field by field: no field is there twice for
    longer than it takes to copy it. A feature that is a field goes with it.
    """
    from engine.core.kernel import side_by_side

    columns, count, moved = list[np.ndarray](), len(signals), dict[Any, np.ndarray]()
    for name in Signals._fields[:-1]:
        column = side_by_side([getattr(one, name) for one in signals])
        columns.append(column)
        if count > 1 and column.strides != (0,):
            for n, one in enumerate(signals):
                moved[_place(getattr(one, name))] = column[n::count]
                used = {label: moved.get(_place(values), values) for label, values in one.used.items()}
                changed: dict[str, Any] = {name: column[n::count], "used": used}
                signals[n] = one._replace(**changed)
            moved.clear()
    return tuple(columns)


def _place(values: np.ndarray) -> Sequence[Any]:
    """Where an array lies: two with the same are one."""
    return values.__array_interface__["data"][0], values.shape, values.strides, values.dtype.str

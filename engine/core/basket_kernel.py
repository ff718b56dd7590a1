"""basket_run.run compiled, and as the plain Python that the tests hold it to. Beside kernel.py, whose registration it uses.

Called by sim/basket.py and the tests. Inputs as arrays -> rows, curves, ledgers.
"""

import hashlib
import inspect
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np
from blake3 import blake3
from numba.extending import register_jitable

from . import basket, basket_open, basket_run
from .basket import NO_LEG_ORDER, Basket, BasketMemory, LegOrder, PairBook, SpreadTerms, no_pair
from .compiled import dtype_of, from_record, named_by, numba_type, shorter, to_records
from .kernel import ROW_VIEW, column, register, sources_digest
from .state import TRIPS_KEPT, Bar, Desk, Limits, Row, Rules, Sleeve, start, start_desk

SOURCES = basket, basket_open, basket_run
OPTIONS = {"_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
RUN = numba.njit(inline="always")(basket_run.run)  # of this module: in a closure it would be part of the cache's key, ever new
ROWS_GUESS = 1_000


class BasketInputs(NamedTuple):
    """What a basket trades on: n bars of k legs and p pairs, flat, leg or pair fastest; as BasketMemory has them."""

    bars: np.ndarray  # kernel.bar_records
    hedge: np.ndarray
    intercept: np.ndarray
    deviation: np.ndarray
    logs: np.ndarray
    slip: np.ndarray
    impact: np.ndarray
    range_times: np.ndarray
    volume_times: np.ndarray
    ends: np.ndarray  # int64 (k,)


class BasketResult(NamedTuple):
    """What a run leaves behind."""

    rows: np.ndarray  # ROW_VIEW
    equity: np.ndarray  # at each close, (n,)
    values: np.ndarray  # what each pair has made by each close, (n, p)
    book: Basket
    legs: list[Sleeve]
    pairs: list[PairBook]
    desk: Desk
    journal_hash: str


@cache
def dispatcher() -> Callable[..., Any]:
    """The compiled run, loaded from numba's cache when neither basket nor core has changed since."""
    register()
    for module in SOURCES:
        for function in vars(module).values():
            if inspect.isfunction(function) and function.__module__ == module.__name__ and function is not basket_run.run:
                register_jitable(**OPTIONS)(function)
    return cached_entry(digest_of_sources())


def digest_of_sources() -> str:
    """A digest of every file that the run is made of."""
    text = "".join(inspect.getsource(module) for module in SOURCES)
    return hashlib.sha256((sources_digest() + text).encode()).hexdigest()


def cached_entry(digest: str) -> Callable[..., Any]:
    """basket_run.run with the digest of its sources in the key of numba's cache, as kernel.cached_entry."""

    def entry(m, terms, book, desk, limits, equity, values):  # type: ignore[no-untyped-def]
        _ = digest
        return RUN(m, terms, book, desk, limits, equity, values)

    options = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}
    try:
        return numba.njit(signature_of(), **options)(named_by(entry, digest))  # type: ignore[no-any-return]
    except numba.core.errors.TypingError as error:
        raise TypeError(shorter(str(error))) from None


def signature_of() -> tuple[Any, ...]:
    """The argument types of basket_run.run."""
    floats, whole = column(numba.float64), column(numba.int64)
    records = [column(Bar), column(Sleeve), column(Rules), column(PairBook), column(LegOrder)]
    arrays = [*[floats] * 8, whole, *[floats] * 4, whole, whole, column(Row)]
    m = numba.types.NamedTuple([*records, *arrays], BasketMemory)
    values = [numba_type(kind) for kind in (SpreadTerms, Basket, Desk, Limits)]
    return (m, *values, floats, floats)


def run_basket(
    given: BasketInputs,
    rules: Sequence[Rules],
    pairs: Sequence[tuple[int, int]],
    terms: SpreadTerms,
    limits: Limits,
    cash: float,
    *,
    plain: bool = False,
) -> BasketResult:
    """A basket over all bars. rules: one a leg; pairs: (a, b), legs by number; cash: quote units. `plain`: not compiled: the same
    bytes, slowly.
    """
    k, count = len(rules), len(pairs)
    length, room = len(given.bars) // k, ROWS_GUESS
    book = Basket(float(cash), start(float(cash)).ledger, start(float(cash)).guard, 0)
    while True:
        equity, values, rows = np.empty(length), np.empty(length * count), np.zeros(room, dtype_of(Row))
        state = [start(0.0)] * k, list(rules), [no_pair(a, b) for a, b in pairs], [NO_LEG_ORDER] * k
        columns = [np.ascontiguousarray(column, np.float64) for column in given[1:9]]
        scratch = [np.zeros(TRIPS_KEPT), *(np.zeros(k) for _ in range(3))]
        scratch += [np.zeros(count, np.int64) for _ in range(2)]
        if plain:
            listed = [column.tolist() for column in (*columns, given.ends, *scratch)]
            out = [from_record(row, Row) for row in rows]
            m = BasketMemory([from_record(bar, Bar) for bar in given.bars], *state, *listed, out)
            end, desk, n = basket_run.run(m, terms, book, start_desk(float(cash)), limits, equity, values)
            rows, legs, ended = to_records(out, Row), list(m.legs), list(m.pairs)
        else:
            kinds = zip(state, (Sleeve, Rules, PairBook, LegOrder), strict=True)
            records = [to_records(found, kind) for found, kind in kinds]
            m = BasketMemory(given.bars, *records, *columns, np.ascontiguousarray(given.ends, np.int64), *scratch, rows)
            end, desk, n = dispatcher()(m, terms, book, start_desk(float(cash)), limits, equity, values)
            legs, ended = [from_record(x, Sleeve) for x in m.legs], [from_record(x, PairBook) for x in m.pairs]
        if n <= room:
            break
        room = n
    digest = blake3(rows[:n].view(np.uint8)).hexdigest()
    return BasketResult(rows[:n].view(ROW_VIEW), equity, values.reshape(length, count), end, legs, ended, desk, digest)


if __name__ == "__main__":
    dispatcher()  # compiled once, so that no user waits

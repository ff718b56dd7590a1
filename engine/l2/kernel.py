"""loop.replay_messages compiled. The one file of this room that knows numba, as engine/core/kernel.py is of the core.

Called by replay.py alone. Compiling happens at the first replay, or by `python -m engine.l2.kernel` at set-up.
"""

import hashlib
import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np
from numba.extending import register_jitable

from engine.l2 import book, loop
from engine.l2.book import DepthBook, empty_book
from engine.l2.loop import Messages, ReplayRows

# inlined and without reference counts, as in engine/core/kernel.py: counting six arrays a call took three quarters of a replay
OPTIONS = {"forceinline": True, "_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
COMPILED = (
    book.place_of, book.compact, book.forget_farthest, book.insert_page, book.set_level, book.find_best, book.clear, book.best_of,
    book.near_lots, book.fault_of, book.unsync, book.remember, book.take_snapshot, book.place_in_chain, book.take_delta,
    loop.write_near, loop.delta_at, loop.snapshot_at,
)  # fmt: skip
RUN = numba.njit(inline="always")(loop.replay_messages)


@cache
def register() -> None:
    """Tell numba about the book's functions, once a process; they stay the plain Python they are."""
    for function in COMPILED:
        register_jitable(**OPTIONS)(function)


def sources_digest() -> str:
    """A digest of the files that are compiled."""
    return hashlib.sha256("".join(inspect.getsource(module) for module in (book, loop)).encode()).hexdigest()


def cached_entry(digest: str) -> Callable[..., Any]:
    """The loop for numba's cache, which watches this file only: as a closure cell `digest` becomes part of the cache's key."""

    def entry(depth, rule, m, out, begin, end, waiting, part):  # type: ignore[no-untyped-def]
        _ = digest
        return RUN(depth, rule, m, out, begin, end, waiting, part)

    return numba.njit(signature_of(), cache=True, nogil=True, error_model="numpy", _nrt=False)(entry)  # type: ignore[no-any-return]


def signature_of() -> tuple[Any, ...]:
    """The argument types of the loop: one signature, so that set-up compiles what every replay loads."""
    ints, codes, table = numba.int64[::1], numba.int8[::1], numba.int64[:, ::1]
    depth = numba.types.NamedTuple([table, table, table, numba.int64[:, :, ::1], table, ints], DepthBook)
    messages = numba.types.NamedTuple([codes, ints, ints, ints, ints, ints, codes, ints, ints], Messages)
    written = numba.types.NamedTuple([codes, codes, ints, table], ReplayRows)
    whole = numba.int64
    return (depth, whole, messages, written, whole, whole, whole, whole)


@cache
def dispatcher() -> Callable[..., Any]:
    """The compiled loop, loaded from numba's cache when book.py and loop.py have not changed since."""
    register()
    return cached_entry(sources_digest())


def warm_up() -> None:
    """Compile, on no message at all."""
    none, codes = np.zeros(0, np.int64), np.zeros(0, np.int8)
    messages = Messages(codes, none, none, none, none, np.zeros(1, np.int64), codes, none, none)
    dispatcher()(
        empty_book(), 0, messages, ReplayRows(codes.copy(), codes.copy(), none.copy(), np.zeros((0, 8), np.int64)), 0, 0, 0, 0
    )


if __name__ == "__main__":
    warm_up()

"""loop.replay_messages compiled. The one file of this room that knows numba, as engine/core/kernel.py is of the core.

Called by replay.py alone. Compiling happens at the first replay, or by `python -m engine.l2.kernel` at set-up.
"""

import hashlib
import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import numba
from numba.extending import register_jitable

from engine.l2 import book, loop
from engine.l2.book import DepthBook
from engine.l2.loop import Messages, ReplayRows

# inlined and without reference counts, as in engine/core/kernel.py: counting six arrays a call took three quarters of a replay
OPTIONS = {"forceinline": True, "_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
COMPILED = (
    book.place_of, book.compact, book.forget_farthest, book.insert_page, book.set_level, book.find_best, book.clear, book.best_of,
    book.near_lots, book.fault_of, book.unsync, book.remember, book.in_reach, book.is_older, book.take_snapshot,
    book.place_in_chain, book.take_delta, loop.write_near, loop.delta_at, loop.snapshot_at,
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
    """The loop for numba's cache, which watches this file only: as a closure cell `digest` becomes part of the cache's key.

    It takes plain tuples: a cache whose key names one of our classes cannot even be opened once that class has another name.
    """

    def entry(depth, rule, m, out, begin, end, waiting, part):  # type: ignore[no-untyped-def]
        _ = digest
        book = DepthBook(depth[0], depth[1], depth[2], depth[3], depth[4], depth[5])
        messages = Messages(m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[8])
        return RUN(book, rule, messages, ReplayRows(out[0], out[1], out[2], out[3]), begin, end, waiting, part)

    return numba.njit(signature_of(), cache=True, nogil=True, error_model="numpy", _nrt=False)(entry)  # type: ignore[no-any-return]


def signature_of() -> tuple[Any, ...]:
    """The argument types of the entry: one signature, so that set-up compiles what every replay loads."""
    ints, codes, table = numba.int64[::1], numba.int8[::1], numba.int64[:, ::1]
    depth = numba.types.Tuple([table, table, table, numba.int64[:, :, ::1], table, ints])
    messages = numba.types.Tuple([codes, ints, ints, ints, ints, ints, codes, ints, ints])
    whole = numba.int64
    return (depth, whole, messages, numba.types.Tuple([codes, codes, ints, table]), whole, whole, whole, whole)


@cache
def dispatcher() -> Callable[..., Any]:
    """The compiled loop, loaded from numba's cache when book.py and loop.py have not changed since."""
    register()
    return cached_entry(sources_digest())


def compiled_replay(
    book: DepthBook, rule: int, m: Messages, out: ReplayRows, begin: int, end: int, waiting: int, part: int
) -> tuple[int, int]:
    """loop.replay_messages, compiled."""
    return dispatcher()(tuple(book), rule, tuple(m), tuple(out), begin, end, waiting, part)  # type: ignore[no-any-return]


def warm_up() -> None:
    """Compile, or load what was compiled."""
    dispatcher()


if __name__ == "__main__":
    warm_up()

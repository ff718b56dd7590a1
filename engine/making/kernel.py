"""loop.run_making compiled, with the book of engine/l2 inside it. The one file of this room that knows numba.

Called by simulation.py alone. Compiling happens at the first simulation, or by `python -m engine.making.kernel` at set-up.
"""

import hashlib
import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import numba
from numba.extending import register_jitable

from engine.l2 import kernel as l2_kernel
from engine.l2 import loop as l2_loop
from engine.l2.book import DepthBook
from engine.l2.loop import Messages, ReplayRows
from engine.l2.tape import Ints
from engine.making import guardrails, loop, quotes, resting
from engine.making.quotes import MakingTerms
from engine.making.resting import MakerState, MakerTrades

COMPILED = (
    l2_loop.replay_messages,
    quotes.spread_of, quotes.desired, quotes.moved_away,
    resting.usable, resting.lots_at, resting.crosses, resting.cancelling, resting.end, resting.stand, resting.arrive,
    resting.fill, resting.on_trade, resting.on_level, resting.on_book, resting.cancel_arrives,
    guardrails.worth, guardrails.breached, guardrails.too_fast, guardrails.count_send, guardrails.send_cancel, guardrails.halt,
    loop.next_event, loop.pass_time, loop.on_middle, loop.on_message, loop.see_fill, loop.net_flow, loop.send_entry,
    loop.pullable, loop.meets, loop.towards, loop.decide, loop.happen,
)  # fmt: skip
RUN = numba.njit(inline="always")(loop.run_making)


@cache
def register() -> None:
    """Tell numba about the functions of both rooms, once a process; they stay the plain Python they are."""
    l2_kernel.register()
    for function in COMPILED:
        register_jitable(**l2_kernel.OPTIONS)(function)


def sources_digest() -> str:
    """A digest of the files that are compiled."""
    own = "".join(inspect.getsource(module) for module in (quotes, resting, guardrails, loop))
    return hashlib.sha256((l2_kernel.sources_digest() + own).encode()).hexdigest()


def cached_entry(digest: str) -> Callable[..., Any]:
    """The loop for numba's cache, keyed by the digest; plain tuples, as in engine/l2/kernel.py."""

    def entry(depth, rule, m, out, t, w, a, at):  # type: ignore[no-untyped-def]
        _ = digest
        book = DepthBook(depth[0], depth[1], depth[2], depth[3], depth[4], depth[5])
        messages = Messages(m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[8])
        rows = ReplayRows(out[0], out[1], out[2], out[3])
        trades = MakerTrades(t[0], t[1], t[2], t[3], t[4])
        terms = MakingTerms(
            w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8], w[9], w[10],
            w[11], w[12], w[13], w[14], w[15], w[16], w[17], w[18], w[19], w[20], w[21], w[22],
        )  # fmt: skip
        RUN(book, rule, messages, rows, trades, terms, MakerState(a[0], a[1], a[2], a[3], a[4], a[5], a[6]), at)

    return numba.njit(signature_of(), cache=True, nogil=True, error_model="numpy", _nrt=False)(entry)  # type: ignore[no-any-return]


def signature_of() -> tuple[Any, ...]:
    """The argument types of the entry: one signature, so that set-up compiles what every simulation loads."""
    ints, codes, table = numba.int64[::1], numba.int8[::1], numba.int64[:, ::1]
    reals, whole, real = numba.float64[::1], numba.int64, numba.float64
    depth = numba.types.Tuple([table, table, table, numba.int64[:, :, ::1], table, ints])
    messages = numba.types.Tuple([codes, ints, ints, ints, ints, ints, codes, ints, ints])
    rows = numba.types.Tuple([codes, codes, ints, table])
    trades = numba.types.Tuple([ints, ints, ints, codes, ints])
    terms = numba.types.Tuple([real if kind is float else whole for kind in MakingTerms.__annotations__.values()])
    maker = numba.types.Tuple([table, reals, ints, reals, ints, table, table])
    return (depth, whole, messages, rows, trades, terms, maker, ints)


@cache
def dispatcher() -> Callable[..., Any]:
    """The compiled loop, loaded from numba's cache when no source has changed since."""
    register()
    return cached_entry(sources_digest())


def compiled_making(
    book: DepthBook,
    rule: int,
    m: Messages,
    rows: ReplayRows,
    trades: MakerTrades,
    terms: MakingTerms,
    maker: MakerState,
    at: Ints,
) -> None:
    """loop.run_making, compiled."""
    dispatcher()(tuple(book), rule, tuple(m), tuple(rows), tuple(trades), tuple(terms), tuple(maker), at)


def warm_up() -> None:
    """Compile, or load what was compiled."""
    dispatcher()


if __name__ == "__main__":
    warm_up()

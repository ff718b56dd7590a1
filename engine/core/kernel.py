"""run(): every bar of a market through desk.desk_bar, compiled. With compiled.py the only file that knows numba.

Called by sim/ (backtests, sweeps) and by the tests, which also call `run` itself, the same text as plain Python, on lists. The
core's functions are registered with numba here and nowhere else; they stay the plain Python they are.
`python -m engine.core.kernel` compiles once, so that set-up pays for it and no user waits.
"""

import hashlib
import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numba
import numpy as np
from blake3 import blake3
from numba.extending import register_jitable

from . import compiled, desk, exits, fills, guardrails, ledger, rows, sizing, state, step
from .compiled import dtype_of, from_record, numba_type, shorter, to_records
from .desk import desk_bar
from .state import TRIPS_KEPT, Bar, Desk, Limits, Row, Rules, Signal, Sleeve, start, start_desk

OPTIONS = {"forceinline": True, "_nrt": False}
SOURCES = (compiled, desk, exits, fills, guardrails, ledger, rows, sizing, state, step)
ROW_VIEW = np.dtype(
    [
        ("close_ms", "i8"),
        ("sleeve", "i2"),
        ("kind", "i1"),
        ("code", "i1"),
        ("rule", "i1"),
        ("side", "i1"),
        ("layer", "i1"),
        ("binding", "i1"),
        ("lots", "i8"),
        *((name, "f8") for name in ("price", "fee", "equity", "a", "b")),
    ]
)
ROWS_GUESS = 2  # rows a bar and sleeve that memory is asked for first; untouched pages cost nothing


class Result(NamedTuple):
    """What a run leaves behind."""

    rows: np.ndarray  # ROW_VIEW
    equity: np.ndarray  # desk equity at each close, (bars,)
    sleeves: list[Sleeve]
    desk: Desk
    ambiguous: int  # bars of a sleeve whose fills differ between the pessimistic and the optimistic reading
    journal_hash: str  # BLAKE3 of the block of rows: SHA-256 would cost as much as the run itself


def run(
    bars: Any,
    signals: Any,
    sleeves: Any,
    rules: Any,
    book: Desk,
    limits: Limits,
    ring: Any,
    gross: Any,
    sides: Any,
    left: Any,
    out: Any,
    equity: Any,
    quick: int,
) -> tuple[Desk, int, int]:
    """(desk, rows written, ambiguous bars) after all bars; the arguments are those of desk_bar, `equity` one a bar."""
    n, unclear = 0, 0
    for t in range(len(equity)):
        book, n, more = desk_bar(bars, signals, sleeves, rules, book, limits, ring, gross, sides, left, out, n, t, quick)
        unclear += more
        equity[t] = book.equity
    return book, n, unclear


def register() -> None:
    """Tell numba about the core's functions."""
    register_jitable(**OPTIONS)(run)
    for module in SOURCES[1:]:
        for function in vars(module).values():
            own = inspect.isfunction(function) and function.__module__ == module.__name__
            if own and function not in (desk.load, desk.store, desk.keep_mark, desk.keep_watch):
                register_jitable(**OPTIONS)(function)


def sources_digest() -> str:
    """A digest of every file that run() is made of; part of the run cache's key too."""
    texts = [inspect.getsource(module) for module in SOURCES] + [inspect.getsource(run)]
    return hashlib.sha256("".join(texts).encode()).hexdigest()


def cached_entry(digest: str) -> Callable[..., Any]:
    """run() for numba's cache, which watches this file only: as a closure cell `digest` becomes part of the cache's key.

    Without it an edit of exits.py would go on running yesterday's code.
    """

    def entry(bars, signals, sleeves, rules, book, limits, ring, gross, sides, left, out, equity, quick):  # type: ignore[no-untyped-def]
        _ = digest
        return run(bars, signals, sleeves, rules, book, limits, ring, gross, sides, left, out, equity, quick)

    options = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}
    try:
        return numba.njit(signature_of(), **options)(entry)  # type: ignore[no-any-return]
    except numba.core.errors.TypingError as error:  # told in a few lines, not in numba's hundred
        raise TypeError(shorter(str(error))) from None


def signature_of() -> tuple[Any, ...]:
    """The argument types of run(). One signature for all runs, so that set-up compiles what every run loads.

    Signal arrays may be strided: a figure that is the same at every bar is one number seen everywhere.
    """
    column, records = (lambda kind: numba.types.Array(kind, 1, "C")), (lambda kind: numba.typeof(np.empty(0, dtype_of(kind))))
    strided = [numba.types.Array(k, 1, "A", readonly=True) for k in (numba.int8, *[numba.float64] * 5)]
    floats, whole = column(numba.float64), column(numba.int64)
    loop = (records(Bar), numba.types.Tuple(strided), records(Sleeve), records(Rules), numba_type(Desk), numba_type(Limits))
    return (*loop, floats, floats, whole, floats, records(Row), floats, numba.int64)


register()
dispatcher = cached_entry(sources_digest())


def compiled_run(*args: Any) -> tuple[Desk, int, int]:
    """run() on record arrays, compiled; `signals` as signal_columns gives them."""
    return dispatcher(*args)  # type: ignore[no-any-return]


def bar_records(market: Any) -> np.ndarray:
    """A market (data/align.Market) as Bar records, flat, instrument fastest."""
    out = np.empty((len(market.close_ms), len(market.instruments)), dtype_of(Bar))
    out["close_ms"] = market.close_ms[:, None]
    for name in ("open", "high", "low", "close", "volume", "funding_rate", "funding_mark"):
        out[name] = getattr(market, name)
    return out.reshape(-1)


def signal_columns(signals: Sequence[Any]) -> tuple[np.ndarray, ...]:
    """One Signals (strategies/signals.py) a sleeve -> one flat array a field of Signal, sleeve fastest; of one sleeve its own."""
    if len(signals) == 1:
        return tuple(getattr(signals[0], name) for name in Signal._fields)
    return tuple(np.column_stack([getattr(signal, name) for signal in signals]).reshape(-1) for name in Signal._fields)


def run_desk(
    market: Any,
    signals: Sequence[Any],
    rules: Sequence[Rules],
    limits: Limits,
    cash: Sequence[float],
    halted: int = 0,
    bars: np.ndarray | None = None,
) -> Result:
    """Every sleeve over every bar of the market.

    market: data/align.Market of n bars; signals, rules, cash: one a sleeve, signals of length n; bars: bar_records(market) if the
    caller has them. Prices and money in quote units.
    """
    assert len(signals) == len(rules) == len(cash)
    assert all(len(x.side) == len(market.close_ms) for x in signals)
    return run_records(
        bar_records(market) if bars is None else bars,
        signal_columns(signals),
        len(market.instruments),
        rules,
        limits,
        cash,
        halted,
    )


def run_records(
    bars: np.ndarray,
    signals: tuple[np.ndarray, ...],
    instruments: int,
    rules: Sequence[Rules],
    limits: Limits,
    cash: Sequence[float],
    halted: int = 0,
) -> Result:
    """run_desk on what the compiled loop reads: bar_records and signal_columns."""
    count, length = len(rules), len(bars) // instruments
    room = ROWS_GUESS * length * count + 1_000
    while True:
        sleeves = to_records([start(float(money)) for money in cash], Sleeve)
        book = start_desk(float(sum(cash)))._replace(halted=halted)
        out, equity = np.empty(room, dtype_of(Row)), np.empty(length)
        scratch = (np.zeros(instruments), np.zeros(instruments, np.int64), np.zeros(instruments))
        ring, rule_records = np.zeros(count * TRIPS_KEPT), to_records(rules, Rules)
        end, n, unclear = compiled_run(bars, signals, sleeves, rule_records, book, limits, ring, *scratch, out, equity, 1)
        if n <= room:
            break
        room = n
    block = out[:n]
    digest = blake3(block.view(np.uint8)).hexdigest()
    held = [from_record(record, Sleeve) for record in sleeves]
    return Result(block.view(ROW_VIEW), equity, held, end, unclear, digest)


def warm_up() -> None:
    """Compile for the types that run_records passes, on no bars at all."""
    none = np.zeros(0, dtype_of(Bar)), tuple(np.zeros(0, np.int8 if k == 0 else np.float64) for k in range(6))
    run_records(*none, 1, [Rules(*(kind(0) for kind in Rules.__annotations__.values()))], Limits(1.0, 1.0, 1.0, 1), [1.0])


if __name__ == "__main__":
    warm_up()

"""leap.run compiled: every bar of a market as machine code. With compiled.py and basket_kernel.py the only files that know numba.

Called by sim/ (backtests, sweeps), the benchmark and the tests. The core's functions are registered with numba here and nowhere
else; they stay the plain Python they are. Compiling happens at the first run, or by `python -m engine.core.kernel`, so that
set-up pays for it and no user waits.
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

from . import (
    asleep,
    blocks,
    booking,
    compiled,
    desk,
    exits,
    falls,
    fills,
    guardrails,
    leap,
    ledger,
    liquidation,
    memory,
    rows,
    sim_venue,
    sizing,
    slices,
    state,
    step,
    windows,
)
from .blocks import BLOCK
from .compiled import dtype_of, from_record, named_by, numba_type, shorter, to_records
from .memory import Memory
from .state import TRIPS_KEPT, Bar, Desk, Ledger, Limits, Row, Rules, Signal, Sleeve, start, start_desk

# only compiled code calls them: a wrapper that takes a Sleeve apart field by field costs more to compile than what it wraps
OPTIONS = {"forceinline": True, "_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
SOURCES = (
    compiled, asleep, blocks, booking, desk, exits, falls, fills, guardrails, leap, ledger, liquidation, memory, rows,
    sim_venue, sizing, slices, state, step, windows,
)  # fmt: skip
OVERLOADED = (memory.load, memory.store, memory.keep_mark, memory.keep_watch)
RUN = numba.njit(inline="always")(leap.run)  # all of the code: compiled for itself and again within entry it would cost twice
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
        ("ref", "i8"),
        ("lots", "i8"),
        *((name, "f8") for name in ("price", "fee", "equity", "a", "b")),
    ]
)
FLOAT = numba.float64
SIGNAL_KINDS = (
    numba.int8, *[FLOAT] * 6, numba.int8, numba.int64, *[FLOAT] * 4, numba.int8, numba.int64, FLOAT, numba.int8,
)  # fmt: skip  # Signal's fields, as signal_columns has them
OWN_EXITS = [Signal._fields.index(name) for name in ("stop", "target", "leave", "reverse")]  # may act at a close of a position
FEW = 16  # bars of a run for each close that is wanted: with fewer all are written
NO_BARS = np.empty(0, np.int64)
ROWS_GUESS = 1  # rows a bar and sleeve that memory is asked for first; untouched pages cost nothing


class Result(NamedTuple):
    """What a run leaves behind."""

    rows: np.ndarray  # ROW_VIEW
    equity: np.ndarray  # desk equity at each close, (bars,)
    sleeves: list[Sleeve]
    desk: Desk
    ambiguous: int  # bars of a sleeve whose fills differ between the pessimistic and the optimistic reading
    awake: int  # bars of a sleeve that could do more than mark it
    journal_hash: str  # BLAKE3 of the block of rows: SHA-256 would cost as much as the run itself


@cache
def register() -> None:
    """Tell numba about the core's functions, once a process."""
    for module in SOURCES[1:]:
        for function in vars(module).values():
            own = inspect.isfunction(function) and function.__module__ == module.__name__
            if own and function not in (*OVERLOADED, leap.run):
                register_jitable(**OPTIONS)(function)


@cache
def sources_digest() -> str:
    """A digest of every file that run() is made of; part of the run cache's key too."""
    return hashlib.sha256("".join(inspect.getsource(module) for module in SOURCES).encode()).hexdigest()


def cached_entry(digest: str) -> Callable[..., Any]:
    """leap.run for numba's cache, which watches this file only: as a closure cell `digest` becomes part of the cache's key.

    Without it an edit of exits.py would go on running yesterday's code.
    """

    def entry(m, signals, blocks, book, limits, equity, daily, since, wakes, guides, leaps):  # type: ignore[no-untyped-def]
        _ = digest
        return RUN(m, signals, blocks, book, limits, equity, daily, since, wakes, guides, leaps)

    options = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}
    try:
        return numba.njit(signature_of(), **options)(named_by(entry, digest))  # type: ignore[no-any-return]
    except numba.core.errors.TypingError as error:  # in a few lines, not in numba's hundred
        raise TypeError(shorter(str(error))) from None


def column(kind: Any) -> numba.types.Type:
    """The type of a contiguous array of numbers, or of records of a NamedTuple."""
    return numba.types.Array(kind, 1, "C") if isinstance(kind, numba.types.Type) else numba.typeof(np.empty(0, dtype_of(kind)))


def signature_of() -> tuple[Any, ...]:
    """The argument types of run(). One signature for all runs, so that set-up compiles what every run loads.

    Signal arrays may be strided: a figure that is the same at every bar is a broadcast scalar.
    """
    floats, whole = column(numba.float64), column(numba.int64)
    strided = [numba.types.Array(k, 1, "A", readonly=True) for k in SIGNAL_KINDS]
    owned = [
        column(Bar), column(Sleeve), column(Rules), floats, floats, whole, floats, floats, floats, column(Row),
        floats, floats, floats, whole, whole, floats, floats,
    ]  # fmt: skip  # Memory's fields
    desk_types = (numba_type(Desk), numba_type(Limits))
    m = numba.types.NamedTuple(owned, Memory)
    return (m, numba.types.Tuple(strided), column(Bar), *desk_types, floats, floats, whole, whole, whole, numba.int64)


@cache
def dispatcher() -> Callable[..., Any]:
    """The compiled run, loaded from numba's cache when the core has not changed since."""
    register()
    return cached_entry(sources_digest())


@cache
def folder() -> Callable[..., Any]:
    """blocks.fold_blocks compiled."""
    register()
    return numba.njit(cache=True, error_model="numpy", _nrt=False)(folding(sources_digest()))  # type: ignore[no-any-return]


def folding(digest: str) -> Callable[..., Any]:
    """fold_blocks with the digest in its cache key."""
    fold = blocks.fold_blocks

    def entry(bars, blocks, instruments):  # type: ignore[no-untyped-def]
        _ = digest
        return fold(bars, blocks, instruments)

    return entry


def compiled_run(*args: Any) -> tuple[Desk, int, int, int]:
    """leap.run on record arrays, compiled; `signals` as signal_columns gives them."""
    return dispatcher()(*args)  # type: ignore[no-any-return]


def bar_records(market: Any) -> np.ndarray:
    """A market (data/align.Market) as Bar records, flat, instrument fastest."""
    out = np.empty((len(market.close_ms), len(market.instruments)), dtype_of(Bar))
    out["close_ms"] = market.close_ms[:, None]
    for name in ("open", "high", "low", "close", "volume", "funding_rate", "funding_mark"):
        out[name] = getattr(market, name)
    return out.reshape(-1)


def block_records(bars: np.ndarray, instruments: int) -> np.ndarray:
    """bar_records -> their blocks of BLOCK bars, flat, instrument fastest."""
    blocks = np.zeros(len(bars) // instruments // BLOCK * instruments, dtype_of(Bar))
    folder()(bars, blocks, instruments)
    return blocks


def signal_columns(signals: Sequence[Any]) -> tuple[np.ndarray, ...]:
    """One Signals (strategies/signals.py) a sleeve -> one flat array a field of Signal, sleeve fastest; of one sleeve its own."""
    return tuple(side_by_side([getattr(signal, name) for signal in signals]) for name in Signal._fields)


def side_by_side(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays of one length as one, their elements in turn; a figure that is the same in all at every bar stays a scalar."""
    first = columns[0]
    if len(columns) == 1:
        return first
    if (
        len(first)
        and all(column.strides == (0,) for column in columns)
        and len({column[:1].tobytes() for column in columns}) == 1
    ):
        return np.broadcast_to(first[0], len(columns) * len(first))
    return np.column_stack(columns).reshape(-1)


def called(signals: tuple[np.ndarray, ...]) -> np.ndarray:
    """The bars at which the signal of the one sleeve has a side, ascending."""
    return np.flatnonzero(signals[0] != 0)  # booleans: 1.5 ns a bar less than int8


def guided(signals: tuple[np.ndarray, ...], count: int) -> np.ndarray:
    """1 for each of `count` sleeves whose strategy says levels or exits at some bar, which a sleeve must not sleep through."""
    columns = [column[:count] if column.strides == (0,) else column for column in (signals[k] for k in OWN_EXITS)]
    return np.array([any((column[s::count] != 0).any() for column in columns) for s in range(count)], np.int64)


def run_desk(
    market: Any,
    signals: Sequence[Any],
    rules: Sequence[Rules],
    limits: Limits,
    cash: Sequence[float],
    halted: int = 0,
    daily: np.ndarray | None = None,
) -> Result:
    """Every sleeve over every bar of the market.

    market: data/align.Market of n bars; signals, rules, cash: one a sleeve, signals of length n. Prices and money in quote units.
    daily: as `run_records` takes it.
    """
    assert len(signals) == len(rules) == len(cash)
    assert all(len(x.side) == len(market.close_ms) for x in signals)
    return run_records(
        bar_records(market), signal_columns(signals), len(market.instruments), rules, limits, cash, halted, None, daily
    )


def run_records(
    bars: np.ndarray,
    signals: tuple[np.ndarray, ...],
    instruments: int,
    rules: Sequence[Rules],
    limits: Limits,
    cash: Sequence[float],
    halted: int = 0,
    blocks: np.ndarray | None = None,
    daily: np.ndarray | None = None,
    vwap: np.ndarray | None = None,
    schedules: np.ndarray | None = None,
) -> Result:
    """run_desk on what the compiled loop reads: bar_records, signal_columns, and block_records if the caller has them.

    daily: correlations of instruments, (UTC days of the run, instruments, instruments); none: they are not known.
    vwap: of each bar, (bars, instruments), NaN where not known: what market orders fill at; none: at the open.
    schedules: of each sleeve that works its entries in slices, (sleeves, slices.WIDTH); none: nobody does.
    """
    count, length = len(rules), len(bars) // instruments
    priced = np.empty(0) if vwap is None else np.ascontiguousarray(vwap, np.float64).reshape(-1)
    assert len(priced) in (0, len(bars))
    sliced = np.empty(0) if schedules is None else np.ascontiguousarray(schedules, np.float64).reshape(-1)
    assert len(sliced) in (0, count * slices.WIDTH)
    blocks = block_records(bars, instruments) if blocks is None else blocks
    daily = np.empty(0) if daily is None else np.ascontiguousarray(daily, np.float64).reshape(-1)
    guides = guided(signals, count)
    room = ROWS_GUESS * length * count + 1_000
    while True:
        sleeves = to_records([start(float(money)) for money in cash], Sleeve)
        book = start_desk(float(sum(cash)))._replace(halted=halted)
        out, equity = np.empty(room, dtype_of(Row)), np.empty(length)
        scratch = np.zeros(instruments), np.zeros(instruments, np.int64), np.zeros(instruments), np.zeros(count)
        unknown = np.full(instruments * instruments, np.nan)
        trips, given = (
            np.zeros(count * TRIPS_KEPT),
            (priced, sliced, np.empty(0), NO_BARS, NO_BARS, np.empty(0), np.full(2, np.nan)),
        )
        m = Memory(bars, sleeves, to_records(rules, Rules), trips, *scratch, unknown, out, *given)
        asleep = np.zeros(count, np.int64), np.zeros(count, np.int64)
        end, n, ambiguous, awake = compiled_run(m, signals, blocks, book, limits, equity, daily, *asleep, guides, 1)
        if n <= room:
            break
        room = n
    block = out[:n]
    digest = blake3(block.view(np.uint8)).hexdigest()
    held = [from_record(record, Sleeve) for record in sleeves]
    return Result(block.view(ROW_VIEW), equity, held, end, ambiguous, awake, digest)


def rules_record(rules: Rules) -> np.ndarray:
    """One sleeve's rules as SleeveRuns.run reads them, made once for many runs."""
    return to_records([rules], Rules)


class Carried(NamedTuple):
    """A sleeve and its desk after some bars, from which later bars can go on."""

    record: np.ndarray  # the sleeve, as a record
    recent_r: np.ndarray  # R of its last round trips
    desk: Desk

    def own_record(self) -> np.ndarray:
        """A copy of the record, as bytes: numpy copies nested fields one by one, 40 times as slowly."""
        return np.frombuffer(bytearray(self.record.tobytes()), self.record.dtype)

    @property
    def sleeve(self) -> Sleeve:
        """All of the sleeve's state."""
        return from_record(self.record[0], Sleeve)  # type: ignore[no-any-return]

    @property
    def ledger(self) -> Ledger:
        """What the sleeve owns."""
        return from_record(self.record[0]["ledger"], Ledger)  # type: ignore[no-any-return]


class Outcome(NamedTuple):
    """What one of many variations leaves behind."""

    equity: np.ndarray  # desk equity at the bars asked for
    fall_frac: float  # the deepest fall of equity from a peak, at any close
    after: Carried
    ambiguous: int
    rows: np.ndarray  # ROW_VIEW; none unless asked for


class SleeveRuns:
    """One sleeve over the same bars under one Rules after another.

    Bars, blocks and scratch memory are made once. `run` leaves what run_records would, bit for bit.
    """

    def __init__(self, bars: np.ndarray, blocks: np.ndarray, instruments: int, limits: Limits, cash: float) -> None:
        self.bars, self.blocks, self.instruments, self.limits, self.cash = bars, blocks, instruments, limits, float(cash)
        self._equity = np.empty(len(bars) // instruments)  # of the last run: at each close, or at those it was awake or asked for
        self._more = np.empty(0), np.empty(0), np.ascontiguousarray(bars["close"])
        self._all = NO_BARS, NO_BARS, np.empty(0)  # every close is wanted
        floats, whole, unknown = np.zeros(instruments), np.zeros(instruments, np.int64), np.full(instruments**2, np.nan)
        self._scratch = floats, whole, floats.copy(), np.zeros(1), unknown  # set anew at every bar, or never written
        self._start = Carried(to_records([start(self.cash)], Sleeve), np.zeros(TRIPS_KEPT), start_desk(self.cash))

    def run(
        self,
        signals: tuple[np.ndarray, ...],
        guides: np.ndarray,
        rules: np.ndarray,
        at: np.ndarray,
        begin: Carried | None = None,
        room: int = 0,
        calls: np.ndarray | None = None,
    ) -> Outcome:
        """One variation; `signals` as signal_columns gives them, `guides` as guided, `rules` as rules_record; `at`: the bars
        whose equity is wanted, ascending (-1: one before the first, whose equity is any).

        begin: what earlier bars left; `room`: rows that memory is asked for first, 0: no rows; `calls`: `called` of the signals,
        if the caller has it.
        """
        first, few, wanted = begin or self._start, len(at) * FEW < len(self._equity), self._all
        if few:
            wanted = at, called(signals) if calls is None else calls, np.array([first.desk.equity, 0.0, 0.0])
        while True:
            sleeves, recent, rows = first.own_record(), first.recent_r.copy(), np.empty(room, dtype_of(Row))
            m = Memory(self.bars, sleeves, rules, recent, *self._scratch, rows, *self._more, *wanted, self._more[0])
            asleep = np.zeros(1, np.int64), np.zeros(1, np.int64)
            rest = self._equity, self._more[0], *asleep, guides, 1
            end, n, ambiguous, _ = compiled_run(m, signals, self.blocks, first.desk, self.limits, *rest)
            if room == 0 or n <= room:
                break
            room = n
        fall = float(m.fall[1]) if few else deepest_fall(self._equity, first.desk.equity)[0]
        return Outcome(self._equity[at], fall, Carried(sleeves, recent, end), ambiguous, rows[: min(n, room)].view(ROW_VIEW))


@cache
def falling() -> Callable[..., Any]:
    """falls.deepest_fall compiled."""
    register()
    return numba.njit(cache=True, nogil=True, error_model="numpy", _nrt=False)(falls.deepest_fall)  # type: ignore[no-any-return]


def deepest_fall(equity: np.ndarray, cash: float) -> tuple[float, float]:
    """The deepest fall of a curve from its highest point so far, `cash` before it: (fraction of that point, money)."""
    return falling()(equity, cash)  # type: ignore[no-any-return]


def warm_up() -> None:
    """Compile for the types that run_records passes, on no bars at all."""
    none = np.zeros(0, dtype_of(Bar)), tuple(np.zeros(0, kind.name) for kind in SIGNAL_KINDS)
    needed = {name: kind(0) for name, kind in Rules.__annotations__.items() if name not in Rules._field_defaults}
    run_records(*none, 1, [Rules(**needed)], Limits(1.0, 1.0, 1.0, 1), [1.0])
    deepest_fall(np.empty(0), 1.0)


if __name__ == "__main__":
    warm_up()

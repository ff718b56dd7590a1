"""A market for a simulated maker: a made tape with a fixed level size, what happens to it, and a run on it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from engine.l2.checks import OpenTape, open_tape
from engine.making.resting import F_HOW, F_LOTS, F_PRICE, F_SIDE, F_WHEN, HOW
from engine.making.simulation import MakingOptions, MakingRun, simulate, terms_of
from tests.fakes.book_tapes import START_NS, STEP_NS, BookMessage, Maker, write_tape, write_trades

SECOND = 1_000_000_000
LEVEL = 1000  # lots at each price: 1.0
Changed = Callable[[Maker], BookMessage]
JOINING = {"half_spread_bps": 0.0, "latency_ms": 20, "response_ms": 10}  # bid 2999.9, ask 3000.0, as the market begins


def level(side: str, tick: int, lots: int) -> Changed:
    """A message that sets one level."""
    return lambda maker: maker.delta([maker.change(side, tick, lots)])


def shifted(ticks: int) -> Changed:
    """A message after which both sides are so many ticks away."""

    def message(maker: Maker) -> BookMessage:
        changes = []
        for side in "ba":
            levels = dict(maker.sides[side])
            changes += [maker.change(side, tick, 0) for tick in levels if tick + ticks not in levels]
            changes += [maker.change(side, tick + ticks, LEVEL) for tick in levels]
        return maker.delta(changes)

    return message


def opened_market(
    folder: Path, events: dict[int, Changed], trades: Sequence[tuple[float, float, float, bool]], alive: int = 60
) -> OpenTape:
    """A message each 100 ms, `events` by its number (the first is 1); trades: (seconds, price, quantity, taker sold)."""
    maker = Maker(1, depth=12)
    for side in "ba":
        maker.sides[side] = dict.fromkeys(maker.sides[side], LEVEL)
    messages = [maker.snapshot()]
    messages += [events[n](maker) if n in events else maker.delta([]) for n in range(2, alive + 1)]
    path = write_tape(folder, messages)
    sent = [(int(at * SECOND), price, quantity, sold) for at, price, quantity, sold in trades]
    write_trades(folder, [*sent, (alive * STEP_NS + 1, 1e3, 0.001, True)])
    return open_tape(path)


def ran(opened: OpenTape, *, fee_frac: float = 0.0, compiled: bool = False, **options: Any) -> MakingRun:
    """A run with these options; plain unless compiled, so that a change of the loop is seen at once."""
    assert opened.trades is not None
    terms = terms_of(opened.tape.scale, MakingOptions(**{**JOINING, **options}), fee_frac)
    return simulate(opened.tape, opened.trades, terms, compiled=compiled)


def fills_of(run: MakingRun) -> list[tuple[float, int, int, int, str]]:
    """(seconds after the tape's start, side, price units, lots, how) of each fill."""
    return [
        (round((row[F_WHEN] - START_NS) / SECOND, 6), row[F_SIDE], row[F_PRICE], row[F_LOTS], HOW[row[F_HOW]])
        for row in run.fills.tolist()
    ]

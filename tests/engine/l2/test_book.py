"""The rebuilt book is the venue's: against a dict, against recorded best quotes, compiled as plain; two types, a chain of ids."""

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.l2.book import (
    APPLIED,
    CROSSED,
    DEPTH_CHANGED,
    DUPLICATE,
    FOREIGN,
    FRESH,
    GAP,
    LAST_ID,
    LATE,
    NEAR,
    NEXT,
    NOTHING,
    OLD,
    ONE_SIDED,
    PAGE,
    PAGES_MAX,
    PREVIOUS,
    REFUSED,
    SYNCED,
    WAITING,
    DepthDelta,
    DepthSnapshot,
    best_of,
    empty_book,
    near_lots,
    place_in_chain,
    set_level,
    take_delta,
    take_snapshot,
)
from engine.l2.checks import open_tape
from engine.l2.kernel import COMPILED
from engine.l2.loop import ASKS, ASKS_LOTS, BIDS, BIDS_LOTS, BUFFER, LOST, ORDER, PART
from engine.l2.replay import levels_of, replay
from engine.l2.tape import read_tape
from tests.fakes.book_tapes import BookMessage, Maker, made, write_tape

TAPES = {"perp": (629, 6547, 4), "spot": (564, 3449, 2)}  # shared ids, deltas applied, deltas before the snapshot


def recorded_tape(market_data: Path, market: str) -> Path:
    """One of the two recorded tapes."""
    path = market_data / "l2" / f"binance_BTC-USDT_{market}_20240808T2354_l2.parquet"
    if not path.is_file():
        pytest.skip(f"no recorded tape: {path}")
    return path


def arrays(levels: list[tuple[int, int, int]]) -> tuple[Any, ...]:
    """(side, price, lots) of each level as the three arrays of a message."""
    table = np.array(levels, np.int64).reshape(-1, 3)
    return table[:, 0].astype(np.int8), table[:, 1].copy(), table[:, 2].copy()


def snapshot(identity: int, levels: list[tuple[int, int, int]], at_ns: int = 0) -> DepthSnapshot:
    """A snapshot of these levels."""
    return DepthSnapshot(at_ns, identity, *arrays(levels))


def delta(first: int, last: int, previous: int, levels: list[tuple[int, int, int]] | None = None) -> DepthDelta:
    """A delta of these levels."""
    return DepthDelta(0, first, last, previous, *arrays(levels or []))


@pytest.mark.parametrize("market", TAPES)
def test_the_recorded_book_is_the_venues_own(market_data: Path, market: str) -> None:
    """At every update id that the venue's best quotes share, price and quantity of both sides are equal; nothing is crossed."""
    figures = open_tape(recorded_tape(market_data, market)).report.figures
    shared, applied, old = TAPES[market]
    assert (figures["shared_ids"], figures["equal"]) == (shared, shared)
    assert (figures["deltas"]["applied"], figures["deltas"]["old"]) == (applied, old)
    assert sum(figures["deltas"].values()) == applied + old


@pytest.mark.parametrize("market", TAPES)
def test_compiled_and_plain_are_equal_on_the_recorded_tape(market_data: Path, market: str) -> None:
    """Every column of every message, on the first 150 of each tape."""
    tape = read_tape(recorded_tape(market_data, market))
    part = tape._replace(**{name: getattr(tape, name)[:150] for name in ("kind", "recv_ns", "first_id", "last_id", "prev_id")})
    compiled, plain = replay(part), replay(part, compiled=False)
    for one, other in zip((*compiled.written, *compiled.last), (*plain.written, *plain.last), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("chained", [True, False], ids=["previous id", "next id"])
@pytest.mark.parametrize("seed", range(6))
def test_the_book_equals_a_dict_after_every_message(tmp_path: Path, seed: int, chained: bool) -> None:
    """Random levels at, near and far from the best, snapshots in between: best quotes and all levels; compiled as plain."""
    maker = Maker(seed, chained=chained)
    messages = made(maker, 150)
    for _ in range(3):
        messages += [maker.snapshot(), *(maker.delta() for _ in range(30))]
    tape = read_tape(write_tape(tmp_path, messages))
    found, plain = replay(tape), replay(tape, compiled=False)
    near = found.written.near[:, [BIDS, BIDS_LOTS, ASKS, ASKS_LOTS]]
    scale = tape.scale
    for message, row, became in zip(messages, near, found.written.became, strict=True):
        if became == APPLIED and message.last_id >= messages[3].last_id:
            shown = scale.price(row[0]), scale.quantity(row[1]), scale.price(row[2]), scale.quantity(row[3])
            assert tuple(map(float, shown)) == message.best
    assert all(np.array_equal(a, b) for a, b in zip((*found.written, *found.last), (*plain.written, *plain.last), strict=True))
    for side, name in enumerate("ba"):
        levels = levels_of(found.last, side, 10_000)
        truth = {tick: lots for tick, lots in maker.sides[name].items() if lots}
        assert {round(float(scale.price(p)) * 10): round(float(scale.quantity(q)) * 1000) for p, q in levels} == truth
        assert [p for p, _ in levels] == sorted((p for p, _ in levels), reverse=name == "b")


def test_a_snapshot_cannot_be_taken_for_a_delta() -> None:
    """Neither has the other's ids: whoever mixes them up fails at once, in plain Python as in compiled code."""
    book = empty_book()
    with pytest.raises(AttributeError, match="snapshot_id"):
        take_snapshot(book, delta(1, 2, 0, [(0, 10, 1), (1, 11, 1)]))  # type: ignore[arg-type]
    take_snapshot(book, snapshot(5, [(0, 10, 1), (1, 11, 1)]))
    with pytest.raises(AttributeError, match="_id"):
        take_delta(book, NEXT, snapshot(6, [(0, 10, 2)]))  # type: ignore[arg-type]


CHAIN = [  # rule, fresh, last id, (first, last, previous) -> became, from the venues' pages
    (PREVIOUS, 1, 100, (90, 99, 80), OLD),  # Binance perp: u < lastUpdateId is dropped
    (PREVIOUS, 1, 100, (95, 105, 94), APPLIED),  # U <= lastUpdateId <= u
    (PREVIOUS, 1, 100, (100, 100, 99), APPLIED),
    (PREVIOUS, 1, 100, (103, 105, 102), REFUSED),  # does not span it
    (PREVIOUS, 1, 100, (107, 107, 100), APPLIED),  # OKX: its prevSeqId is the snapshot's
    (PREVIOUS, 0, 100, (107, 109, 100), APPLIED),
    (PREVIOUS, 0, 100, (107, 109, 106), REFUSED),
    (PREVIOUS, 0, 100, (95, 100, 94), DUPLICATE),
    (PREVIOUS, 0, 100, (90, 95, 89), LATE),
    (PREVIOUS, 0, 100, (7, 7, 100), APPLIED),  # OKX after maintenance: a smaller id that continues this one
    (NEXT, 1, 100, (90, 100, -1), OLD),  # Binance spot: u <= lastUpdateId is dropped
    (NEXT, 1, 100, (95, 105, -1), APPLIED),
    (NEXT, 1, 100, (101, 101, -1), APPLIED),  # Bybit
    (NEXT, 1, 100, (102, 105, -1), REFUSED),
    (NEXT, 0, 100, (101, 105, -1), APPLIED),
    (NEXT, 0, 100, (102, 105, -1), REFUSED),
    (NEXT, 0, 100, (98, 100, -1), DUPLICATE),
    (NEXT, 0, 100, (90, 95, -1), LATE),
]


@pytest.mark.parametrize(("rule", "fresh", "last", "ids", "became"), CHAIN)
def test_ids_follow_the_venues_rules(rule: int, fresh: int, last: int, ids: tuple[int, int, int], became: int) -> None:
    """What each venue's page says of a first and of a later delta."""
    book = empty_book()
    book.chain[FRESH], book.chain[LAST_ID] = fresh, last
    assert place_in_chain(book.chain, rule, *ids) == became


def test_a_gap_stops_the_book_until_a_snapshot(tmp_path: Path) -> None:
    """Nothing is applied behind a missing message; the next snapshot begins another part, with what it does not have yet."""
    maker = Maker(3)
    messages = made(maker, 60)
    lost = messages.pop(40)
    messages += [maker.snapshot(), *(maker.delta() for _ in range(5))]
    written = replay(read_tape(write_tape(tmp_path, messages))).written
    assert (written.fault == GAP).tolist() == [n == 40 for n in range(len(messages))]
    assert lost.kind == "delta"
    assert (written.became[4:40] == APPLIED).all()
    assert (written.near[59 - 1, PART], written.near[-1, PART]) == (2, 2)
    assert tuple(map(float, written.near[-1, [BIDS, ASKS]] / 10)) == (messages[-1].best[0], messages[-1].best[2])
    alone = replay(read_tape(write_tape(tmp_path, messages[:59]))).written
    assert (alone.became[40:] == WAITING).all()
    assert not alone.near[40:, :LOST].any()
    assert np.flatnonzero(alone.near[:, LOST]).tolist() == [40]


def test_deltas_before_a_snapshot_count_from_the_snapshot_on(tmp_path: Path) -> None:
    """A delta newer than a snapshot that arrives after it is applied behind it, and was not known before."""
    maker = Maker(5)
    shot = maker.snapshot()
    after = [maker.delta() for _ in range(4)]
    messages = [*after[:3], shot, after[3]]
    tape = read_tape(write_tape(tmp_path, messages))
    written = replay(tape).written
    assert (written.became == APPLIED).all()
    assert (written.known_ns[:4] == tape.recv_ns[3]).all()
    assert written.near[:, ORDER].tolist() == [2, 3, 4, 1, 5]
    assert written.near[4, BIDS] / 10 == after[3].best[0]


def test_memory_for_a_late_snapshot_is_bounded(tmp_path: Path) -> None:
    """Of deltas that wait for it only the last BUFFER are kept: a snapshot older than those is a gap, not a wrong book."""
    maker = Maker(6, depth=5)
    shot = maker.snapshot()
    tick = max(maker.sides["b"])
    many = [maker.delta([maker.change("b", tick, 1 + n % 7)]) for n in range(BUFFER + 10)]
    written = replay(read_tape(write_tape(tmp_path, [*many, shot, maker.delta()]))).written
    assert (written.became == WAITING).sum() == len(many) + 1
    assert (written.fault == GAP).tolist() == [False] * (len(many) + 1) + [True]


def test_ids_may_begin_anew_behind_a_cut(tmp_path: Path) -> None:
    """Bybit counts from 1 after a restart of its service: what waits by the old numbers is given up, and the new ones go on."""
    maker = Maker(7, chained=False)
    messages = [maker.snapshot(), *(maker.delta() for _ in range(20))]
    maker.delta()
    messages += [maker.delta(), maker.delta()]  # behind a gap, and waiting
    maker.last_id = 1
    messages += [maker.snapshot(), *(maker.delta() for _ in range(20))]
    tape = read_tape(write_tape(tmp_path, messages))
    written, plain = replay(tape).written, replay(tape, compiled=False).written
    assert (written.became == WAITING).tolist() == [n in (21, 22) for n in range(len(messages))]
    assert (written.fault == GAP).sum() == 1
    assert written.near[-1, BIDS] / 10 == messages[-1].best[0]
    assert all(np.array_equal(one, other) for one, other in zip(written, plain, strict=True))


@pytest.mark.parametrize("chained", [True, False])
def test_a_snapshot_older_than_the_book_changes_nothing(tmp_path: Path, chained: bool) -> None:
    """A REST answer that took longer than two deltas: no gap, and the best quotes stay the venue's; compiled as plain."""
    maker = Maker(8, chained=chained)
    messages = [maker.snapshot(), *(maker.delta() for _ in range(20))]
    shot = maker.snapshot()
    messages += [maker.delta(), maker.delta(), shot, *(maker.delta() for _ in range(20))]
    tape = read_tape(write_tape(tmp_path, messages))
    written, plain = replay(tape).written, replay(tape, compiled=False).written
    assert (written.became == OLD).nonzero()[0].tolist() == [23]
    assert not written.fault.any()
    assert [float(x) for x in written.near[-1, [BIDS, ASKS]] / 10] == [messages[-1].best[0], messages[-1].best[2]]
    assert all(np.array_equal(one, other) for one, other in zip(written, plain, strict=True))
    twice = replay(read_tape(write_tape(tmp_path, [messages[0], *messages[1:4], messages[0], *messages[4:10]]))).written
    assert not twice.fault.any()
    far = Maker(4, middle=2000.0).snapshot()._replace(last_id=shot.last_id)
    assert FOREIGN in replay(read_tape(write_tape(tmp_path, [*messages[:23], far, *messages[24:]]))).written.fault


BOOK = [(0, 1000, 5), (0, 999, 7), (1, 1001, 3), (1, 1002, 4)]


def test_a_crossed_book_is_not_used() -> None:
    """A bid at the best ask: refused, and everything after it waits."""
    book = empty_book()
    assert take_snapshot(book, snapshot(1, BOOK)) == NOTHING
    assert take_delta(book, NEXT, delta(2, 2, -1, [(0, 1001, 1)])) == (REFUSED, CROSSED)
    assert book.chain[SYNCED] == 0
    assert take_delta(book, NEXT, delta(3, 3, -1, [(0, 1001, 0)])) == (WAITING, NOTHING)
    assert take_snapshot(book, snapshot(9, [(0, 1002, 1), (1, 1001, 1)])) == CROSSED
    assert book.chain[SYNCED] == 0


def test_a_one_sided_book_has_no_best_price_and_goes_on() -> None:
    """By a delta a side may empty and fill again; a snapshot without a side is refused."""
    book = empty_book()
    take_snapshot(book, snapshot(1, [(0, 1000, 5), (1, 1001, 3)]))
    assert take_delta(book, NEXT, delta(2, 2, -1, [(1, 1001, 0)])) == (APPLIED, ONE_SIDED)
    assert take_delta(book, NEXT, delta(3, 3, -1, [(1, 1003, 2)])) == (APPLIED, NOTHING)
    assert (best_of(book, 0), best_of(book, 1)) == ((1000, 5), (1003, 2))
    assert take_snapshot(book, snapshot(9, [(0, 1000, 5)])) == ONE_SIDED
    assert book.chain[SYNCED] == 0


def test_a_snapshot_of_another_instrument_is_refused() -> None:
    """5 % from a book of the last minute; later than that a market may have moved so far. What follows it is taken again."""
    far = [(0, 1100, 5), (0, 1099, 7), (1, 1101, 3), (1, 1102, 4)]
    book = empty_book()
    take_snapshot(book, snapshot(1, BOOK))
    assert take_snapshot(book, snapshot(2, far, at_ns=59_000_000_000)) == FOREIGN
    assert (book.chain[SYNCED], take_snapshot(book, snapshot(3, BOOK, at_ns=59_500_000_000))) == (0, NOTHING)
    assert take_snapshot(book, snapshot(4, far, at_ns=130_000_000_000)) == NOTHING


def test_a_changed_depth_is_noticed() -> None:
    """Half the levels of the snapshot before; the book is used all the same."""
    book = empty_book()
    levels = [(side, 1000 + k if side else 999 - k, 1) for side in (0, 1) for k in range(20)]
    take_snapshot(book, snapshot(1, levels))
    assert take_snapshot(book, snapshot(2, [x for x in levels if 994 < x[1] < 1005])) == DEPTH_CHANGED
    assert book.chain[SYNCED] == 1
    assert near_lots(book, 0) == -1


@pytest.mark.sample(1)
@pytest.mark.parametrize("side", [0, 1])
def test_a_full_side_gives_up_its_farthest_levels(side: int) -> None:
    """More pages than there is room for: empty ones go first, then the farthest; the best and what is near it stay exact."""
    book = empty_book()
    prices = [10_000_000 + k * PAGE * (1 if side else -1) for k in range(PAGES_MAX + 20)]
    for price in prices:
        set_level(book, side, price, 3)
    assert (int(book.sizes[side, 0]), int(book.sizes[side, 1])) == (PAGES_MAX, PAGES_MAX)
    assert best_of(book, side) == (prices[0], 3)
    for price in prices[5:40]:
        set_level(book, side, price, 0)
    better = prices[0] + (-PAGE if side else PAGE)
    set_level(book, side, better, 9)
    assert best_of(book, side) == (better, 9)
    assert int(book.sizes[side, 1]) == PAGES_MAX - 34
    assert near_lots(book, side) == 9 + 3 * (NEAR - 1)
    beyond = [prices[0] + (-PAGE if side else PAGE) * k for k in range(2, 60)]
    for price in beyond:
        set_level(book, side, price, 1)
    assert sorted(book.slot[side].tolist()) == list(range(PAGES_MAX))
    assert [p for p, _ in levels_of(book, side, 60)][:59] == [*reversed(beyond), better]
    held = sum(int(book.live[side, slot]) for slot in islice(book.slot[side], int(book.sizes[side, 0])))
    assert held == int(book.sizes[side, 1]) == int((book.lots[side] > 0).sum())


def test_every_function_of_the_book_is_compiled() -> None:
    """What book.py defines and replay uses is registered: a new function is not left to fail at a user's first replay."""
    from engine.l2 import book, loop

    own = [
        f
        for module in (book, loop)
        for f in vars(module).values()
        if callable(f) and getattr(f, "__module__", "") == module.__name__ and not isinstance(f, type)
    ]
    assert set(own) - set(COMPILED) == {empty_book, loop.replay_messages}


def test_messages_without_levels_are_messages(tmp_path: Path) -> None:
    """OKX sends them to say that nothing changed: they count, carry the chain on and change nothing."""
    maker = Maker(8)
    messages = made(maker, 10)
    idle = BookMessage("delta", maker.last_id, maker.last_id, maker.last_id, [], maker.best())
    messages += [idle, maker.delta()]
    written = replay(read_tape(write_tape(tmp_path, messages))).written
    assert written.became[-2:].tolist() == [APPLIED, APPLIED]
    assert np.array_equal(written.near[-2, :6], written.near[-3, :6])

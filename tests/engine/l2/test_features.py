"""Features of the book mean what they say, at every 100 ms and after each message, and no value depends on what comes later."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from engine.errors import BadInput
from engine.l2.checks import OpenTape, open_tape, sound_tape
from engine.l2.features import CALLS, FEATURES, computed, imbalance, order_flow
from engine.l2.moments import EVENTS, STALE_NS, moments_of
from engine.l2.replay import replay
from engine.l2.tape import DELTA, BookTape, TapeTrades
from tests.engine.l2.test_book import recorded_tape
from tests.fakes.book_tapes import START_NS, STEP_NS, BookMessage, Maker, made, write_tape, write_trades

Truth = list[tuple[int, tuple[float, float, float, float], float, float]]  # time, best, lots of the ten best


def written(folder: Path, count: int = 120) -> tuple[OpenTape, Truth]:
    """A tape with trades at odd times, and the venue's own quotes and depth after each message from the snapshot on."""
    maker, messages, truth = Maker(9), [], []
    for n in range(1, count + 1):
        message = maker.snapshot() if n == 1 else maker.delta()
        messages.append(message)
        deep = [sum(maker.sides[s][t] for t in sorted(maker.sides[s], reverse=s == "b")[:10]) / 1000 for s in "ba"]
        truth.append((START_NS + n * STEP_NS, message.best, deep[0], deep[1]))
    path = write_tape(folder, messages)
    write_trades(folder, [(k * 37_000_000, 3000.0, (1 + k % 5) / 1000, k % 3 == 0) for k in range(5, count * 2)])
    return sound_tape(path), truth


def by_hand(truth: Truth, trades: TapeTrades, now: int) -> dict[str, float]:
    """Every feature at a time, from the truth alone and by loops."""
    seen = [row for row in truth if row[0] <= now]
    (bid, bid_size, ask, ask_size), deep_bid, deep_ask = seen[-1][1:]
    middle = (bid + ask) / 2
    found = {
        "spread": (ask - bid) / middle * 1e4,
        "imbalance": (bid_size - ask_size) / (bid_size + ask_size),
        "depth_imbalance": (deep_bid - deep_ask) / (deep_bid + deep_ask),
        "depth": deep_bid + deep_ask,
        "queue": (bid_size + ask_size) / (deep_bid + deep_ask),
        "microprice": ((ask * bid_size + bid * ask_size) / (bid_size + ask_size) / middle - 1) * 1e4,
    }
    for ms in (1000, 5000):
        then = now - ms * 1_000_000
        pressure, rows = 0.0, [row for row in truth if row[0] <= now]
        for (_, before, _, _), (at, after, _, _) in pairwise(rows):
            if at > then:
                pressure += after[1] * (after[0] >= before[0]) - before[1] * (after[0] <= before[0])
                pressure -= after[3] * (after[2] <= before[2]) - before[3] * (after[2] >= before[2])
        inside = (trades.recv_ns > then) & (trades.recv_ns <= now)
        sides = [float(trades.lots[inside & (trades.taker == side)].sum()) / 1000 for side in (1, -1)]
        found |= {f"order_flow({ms})": pressure, f"flow({ms})": sides[0] - sides[1]}
        found[f"flow_ratio({ms})"] = (sides[0] - sides[1]) / sum(sides) if sum(sides) else np.nan
        found[f"trade_intensity({ms})"] = inside.sum() / (ms / 1000)
        found[f"intensity({ms})"] = sum(then < row[0] <= now for row in truth) / (ms / 1000)
        old = [row for row in truth if row[0] <= then]
        found[f"momentum({ms})"] = (middle / ((old[-1][1][0] + old[-1][1][2]) / 2) - 1) * 1e4 if old else np.nan
    return found


@pytest.mark.parametrize("every", [100, EVENTS], ids=["100 ms", "events"])
def test_features_are_their_definitions(tmp_path: Path, every: int) -> None:
    """Each feature at each row, against loops over the messages and trades received by then."""
    opened, truth = written(tmp_path)
    assert opened.trades is not None
    moments = moments_of(opened.tape, opened.report.replayed, opened.trades, every)
    columns = {c.name: c.values for c in computed(moments)}
    assert len(moments.when_ns) == 120
    for row in range(55, 120, 7):
        expected = by_hand(truth, opened.trades, int(moments.when_ns[row]))
        for name, values in columns.items():
            assert values[row] == pytest.approx(expected[name], nan_ok=True, rel=1e-9, abs=1e-9), (name, row)


def cut(tape: BookTape, count: int) -> BookTape:
    """The first `count` messages of a tape, with the scale that the whole of it has."""
    names = ("row", "seq", "kind", "recv_ns", "exch_ms", "first_id", "last_id", "prev_id")
    return tape._replace(**{name: getattr(tape, name)[:count] for name in names})


@pytest.mark.parametrize("every", [100, EVENTS], ids=["100 ms", "events"])
@pytest.mark.parametrize("market", ["perp", "spot"])
def test_what_comes_later_changes_no_value(market_data: Path, market: str, every: int) -> None:
    """Law 2 on the recorded tapes: features of any prefix are those of the whole tape, bit for bit, missing ones too."""
    opened = open_tape(recorded_tape(market_data, market))
    whole = moments_of(opened.tape, opened.report.replayed, opened.trades, every)
    full = computed(whole)
    for count in np.random.default_rng(7).integers(200, len(opened.tape.kind), 8).tolist():
        part = cut(opened.tape, count)
        moments = moments_of(part, replay(part), opened.trades, every)
        rows = len(moments.when_ns)
        assert np.array_equal(moments.when_ns, whole.when_ns[:rows])
        for column, longer in zip(computed(moments), full, strict=True):
            assert column.values.tobytes() == longer.values[:rows].tobytes(), (column.name, count)


def test_where_a_tape_begins_changes_no_value(tmp_path: Path) -> None:
    """The same messages behind a later snapshot: once a window is full, values are the same bits."""
    maker = Maker(9)
    early = [maker.snapshot(), *(maker.delta() for _ in range(60))]
    shot = maker.snapshot()
    later = [maker.delta() for _ in range(80)]
    trades = [(k * 37_000_000, 3000.0, (1 + k % 5) / 1000, k % 3 == 0) for k in range(5, 300)]
    frames = []
    for messages, first in (([*early, shot, *later], 0), ([shot, *later], 61)):
        path = write_tape(tmp_path, messages)
        write_trades(tmp_path, [(at - first * STEP_NS, *rest) for at, *rest in trades if at >= first * STEP_NS])
        opened = sound_tape(path)
        moments = moments_of(opened.tape, opened.report.replayed, opened.trades, EVENTS)
        frames.append([c.values[-25:] for c in computed(moments)])
    for (_, args), one, other in zip(CALLS, *frames, strict=True):
        assert args == () or args[0] in (1000, 5000)
        assert one.tobytes() == other.tobytes()


def test_a_lost_book_has_no_features_until_its_windows_are_full_again(tmp_path: Path) -> None:
    """Between a gap and the next snapshot every value is missing; a window over the loss is missing, too."""
    maker = Maker(11)
    messages = [maker.snapshot(), *(maker.delta() for _ in range(40))]
    maker.delta()
    messages += [*(maker.delta() for _ in range(10)), maker.snapshot(), *(maker.delta() for _ in range(30))]
    opened = open_tape(write_tape(tmp_path, messages))
    moments = moments_of(opened.tape, opened.report.replayed, None, 100)
    now, window = (c.values for c in computed(moments, ((imbalance, ()), (order_flow, (1000,)))))
    assert np.isfinite(now).tolist() == [n < 41 or n >= 51 for n in range(len(now))]
    assert np.isfinite(window).tolist() == [10 <= n < 41 or n >= 61 for n in range(len(now))]
    assert set(moments.part[41:51]) == {0}
    assert moments.part[-1] == 2


def test_a_silent_book_is_not_the_venues(tmp_path: Path) -> None:
    """After five seconds without a message there is no value: the line may be dead."""
    maker = Maker(12)
    opened = open_tape(write_tape(tmp_path, [maker.snapshot(), maker.delta(), maker.delta()], step_ns=8_000_000_000))
    moments = moments_of(opened.tape, opened.report.replayed, None, 1000)
    age = np.array([(when - START_NS) % 8_000_000_000 for when in moments.when_ns])
    assert ((moments.part > 0) == (age <= STALE_NS)).all()


def test_without_trades_what_needs_them_is_missing(tmp_path: Path) -> None:
    """Not zero: nobody recorded whether anything traded. Fewer than ten levels: no depth."""
    maker = Maker(13, depth=6)
    tick = max(maker.sides["b"])
    still = [maker.delta([maker.change("b", tick, n)]) for n in range(1, 80)]
    opened = sound_tape(write_tape(tmp_path, [maker.snapshot(), *still]))
    moments = moments_of(opened.tape, opened.report.replayed, None, 100)
    missing = {c.name for c in computed(moments) if not np.isfinite(c.values).any()}
    assert missing == {
        "depth", "depth_imbalance", "queue", "flow(1000)", "flow(5000)", "flow_ratio(5000)", "trade_intensity(1000)",
    }  # fmt: skip


def test_bad_terms_are_refused(tmp_path: Path) -> None:
    """A step that is none, a window that is none: one line that says what is possible."""
    opened = sound_tape(write_tape(tmp_path, made(Maker(2), 20)))
    with pytest.raises(BadInput, match="at least 10 ms"):
        moments_of(opened.tape, opened.report.replayed, None, 3)
    moments = moments_of(opened.tape, opened.report.replayed, None, EVENTS)
    for window in (0, -5, 10**9, 1.5, "1s"):
        with pytest.raises(BadInput, match="order_flow"):
            computed(moments, ((order_flow, (window,)),))


def test_every_feature_is_shown() -> None:
    """A feature that no call computes would be in no file and no figure; each says what it is."""
    assert {one.name for one, _ in CALLS} == {one.name for one in FEATURES}
    assert all(one.about and one.unit for one in FEATURES)


def test_buffered_deltas_are_known_at_their_snapshot(tmp_path: Path) -> None:
    """Rows never say more than had been received: a delta before its snapshot shows from the snapshot on."""
    maker = Maker(5)
    shot = maker.snapshot()
    after: list[BookMessage] = [maker.delta() for _ in range(3)]
    opened = open_tape(write_tape(tmp_path, [*after, shot]))
    moments = moments_of(opened.tape, opened.report.replayed, None, EVENTS)
    assert (moments.when_ns == opened.tape.recv_ns[3]).all()
    assert moments.bid[-1] / 10 == after[-1].best[0]
    assert (opened.tape.kind == DELTA).sum() == 3

"""Law 3, one door for orders: nothing enters past engine.core.guardrails.review, what cannot be computed refuses, exits pass."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from app.home.home import open_home
from engine.core import basket_run, state, step
from engine.core.guardrails import Around, review
from engine.core.rows import unpack
from engine.core.state import DAY_MS, NO_SIZE, Bar, Limits, Signal, start, start_desk
from engine.store.journal import read
from tests.fakes.baskets import hostile as basket
from tests.fakes.desks import BAR_MS, LOOSE, RULES, hostile, hostile_rules, run_lists
from tests.fakes.papers import WALL_MS, advanced, feed_of, furnished, loop_of

NAN, INF = float("nan"), float("inf")
NOW = 20_000 * DAY_MS + 12 * 3_600_000
PASSES = {  # an entry of notional 100 on a desk of 10,000 that nothing refuses
    "sleeve": start(10_000.0),
    "desk": start_desk(10_000.0),
    "rules": RULES,
    "limits": Limits(0.15, 3.0, 1.8, 10, 20, 3.0, 2.5, 0.005, 12.0, 0.0, 50.0),
    "close_ms": NOW,
    "close": 100.0,
    "price": 100.0,
    "signal": Signal(1, 1.0, 1.0, 0.5, 1e-4, 0.0, 0.0, 0, 1, 1.0, 1.0),
    "size": NO_SIZE._replace(lots=1_000, wanted=1.0),
    "stop_distance": 1.0,
    "target_distance": 2.0,
    "around": Around(0.0, 0, 0.0, 0.0, 0.0),
}


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to every float inside nested NamedTuples and tuples."""
    if isinstance(value, float):
        yield path
    elif isinstance(value, tuple):
        names = getattr(value, "_fields", range(len(value)))
        for name, part in zip(names, value, strict=True):
            yield from leaves(part, (*path, name))


def put(value: Any, path: tuple[Any, ...], new: float) -> Any:
    """The same nested value with another float at `path`."""
    if not path:
        return new
    name, *rest = path
    if hasattr(value, "_fields"):
        return value._replace(**{name: put(getattr(value, name), tuple(rest), new)})
    return tuple(put(part, tuple(rest), new) if k == name else part for k, part in enumerate(value))


FLOATS = [(name, *path) for name, value in PASSES.items() for path in leaves(value)]
READ = {  # what review reads of money and rates; the list may grow, never shrink
    ("price",),
    ("stop_distance",),
    ("size", "wanted"),
    ("around", "gross"),
    ("around", "family"),
    ("around", "square"),
    ("around", "cross"),
    ("signal", "strength"),
    ("signal", "slip_frac"),
    ("signal", "range_times"),
    ("signal", "volume_times"),
    ("desk", "equity"),
    ("desk", "gross"),
    ("sleeve", "ledger", "equity"),
    ("sleeve", "ledger", "notional"),
    ("limits", "gross_frac_max"),
    ("limits", "instrument_frac_max"),
    ("limits", "family_frac_max"),
    ("rules", "leverage_max"),
    ("rules", "maintenance_frac"),
    ("rules", "lot_size"),
}


def reviewed(path: tuple[Any, ...], value: float) -> int:
    """The rule that refuses the ordinary entry with one float replaced."""
    name, *rest = path
    return review(**{**PASSES, name: put(PASSES[name], tuple(rest), value)})


def test_a_nan_in_any_float_that_counts_refuses() -> None:
    """Every float of every argument: NaN is refused, or no value of it at all is; and what must count does count."""
    assert review(**PASSES) == state.R_NONE
    refusing = {path for path in FLOATS if reviewed(path, NAN) != state.R_NONE}
    assert refusing >= READ
    for path in set(FLOATS) - refusing:
        others = {reviewed(path, value) for value in (0.0, -1.0, 1e-300, 1e300, INF, -INF)}
        assert others == {state.R_NONE}, f"{path} counts, but not as NaN"


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(READ)), st.sampled_from([NAN, 0.0, 1.0, 99.0, 1e6, -5.0, INF]), max_size=4))
def test_whatever_passes_is_within_every_limit(changed: dict[tuple[str, ...], float]) -> None:
    """Any mix of odd numbers: an entry that passes is computable and within the caps, worked out here a second time."""
    given_ = dict(PASSES)
    for path, value in changed.items():
        given_[path[0]] = put(given_[path[0]], path[1:], value)
    if review(**given_) != state.R_NONE:
        return
    sleeve, desk, limits, rules = (given_[name] for name in ("sleeve", "desk", "limits", "rules"))
    notional = given_["price"] * given_["size"].lots * rules.lot_size
    assert given_["price"] > 0
    assert given_["stop_distance"] > 0
    assert desk.gross + notional <= limits.gross_frac_max * desk.equity * (1 + 1e-12)
    around, signal = given_["around"], given_["signal"]
    assert around.gross + notional <= limits.instrument_frac_max * desk.equity * (1 + 1e-12)
    assert around.family + notional <= limits.family_frac_max * desk.equity * (1 + 1e-12)
    assert around.square + 2 * notional * around.cross + notional**2 <= (limits.correlated_frac_max * desk.equity) ** 2 * (
        1 + 1e-9
    )
    assert signal.strength > 0
    assert 0 <= signal.range_times <= limits.range_times_max
    assert 0 <= signal.volume_times <= limits.volume_times_max
    assert 2 * signal.slip_frac <= limits.spread_frac_max
    assert sleeve.ledger.notional + notional <= rules.leverage_max * sleeve.ledger.equity * (1 + 1e-12)


def run_hostile(seed: int) -> list[state.Row]:
    """The journal rows of a hostile desk in plain Python: the functions that the kernel compiles and the worker calls."""
    bars, signals = hostile(seed, bars=200)
    listed = [Signal(*row) for row in zip(*(column.tolist() for column in signals), strict=True)]
    return run_lists([Bar(*row) for row in bars.tolist()], listed, hostile_rules(seed), LOOSE, 100_000.0)[0]


def decided(rows: list[state.Row], *codes: int) -> int:
    """How many decisions of these codes."""
    return sum(1 for row in rows if unpack(row.tag)[1] == state.K_DECISION and unpack(row.tag)[2] in codes)


@pytest.mark.parametrize("seed", range(6))
def test_each_entry_is_one_passed_review_and_with_the_door_shut_nothing_enters(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many entries as reviews that passed; a review that refuses leaves no order and no fill, whatever the feed does."""
    rules = []

    def recorded(*args: Any) -> int:
        rules.append(review(*args))
        return rules[-1]

    monkeypatch.setattr(step, "review", recorded)
    assert decided(run_hostile(seed), state.ENTER, state.ADD) == rules.count(state.R_NONE) > 0
    monkeypatch.setattr(step, "review", lambda *_: state.R_HALT)
    rows = run_hostile(seed)
    assert {unpack(row.tag)[1] for row in rows} <= {state.K_DECISION, state.K_SIZE, state.K_CAPS}
    assert decided(rows, state.ENTER, state.ADD) == 0


def test_on_paper_too_nothing_reaches_the_venue_past_the_door(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's loop with the door shut: refusals in the journal, no intent, nothing asked of the venue."""
    monkeypatch.setattr(step, "review", lambda *_: state.R_HALT)
    furnished(own_home)
    home = open_home(WALL_MS)
    loop = advanced(loop_of(home, feed_of(home)), 300)
    loop.journal.close()
    assert not loop.venue.requests
    assert not list(read(home.desk_journal, {"intent"}))
    assert [e for e in read(home.desk_journal, {"decision"}) if e.body["action"] == "refused"]


def test_there_is_one_door_and_one_maker_of_orders() -> None:
    """review is called where an entry is decided, a sleeve's or a basket's; an order is made there, and of what a leg of a
    basket fills. The book's only shows what a venue still has of one; the simulated market maker's is of a fill that has been,
    for the ledger alone: no venue is reachable from there."""
    found: dict[str, set[str]] = {"review": set(), "Order": set()}
    root = Path(engine.__file__).parent
    for path in root.rglob("*.py"):
        text = path.read_text()
        for function in ast.walk(ast.parse(text)) if any(name in text for name in found) else ():
            if isinstance(function, ast.FunctionDef):
                calls = [node for node in ast.walk(function) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
                for name in {call.func.id for call in calls if isinstance(call.func, ast.Name)} & set(found):
                    found[name].add(f"{path.relative_to(root).as_posix()}:{function.name}")
    assert found["review"] == {"core/step.py:enter", "core/basket_run.py:reviewed"}
    made = {"core/step.py:enter", "core/basket.py:leg_after", "book/executions.py:_with_order", "making/account.py:booked_fill"}
    assert found["Order"] == made


@pytest.mark.parametrize("seed", [0, 6, 14])
def test_each_pair_of_a_basket_passes_two_reviews_and_with_the_door_shut_nothing_fills(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One for each leg of every entry; a review that refuses leaves refusals alone."""
    rules = []

    def recorded(*args: Any) -> int:
        rules.append(review(*args))
        return rules[-1]

    monkeypatch.setattr(basket_run, "review", recorded)
    entries = basket(seed).run().book.entries
    assert 0 < 2 * entries <= rules.count(state.R_NONE)
    monkeypatch.setattr(basket_run, "review", lambda *_: state.R_HALT)
    shut = basket(seed).run()
    assert set(shut.rows["kind"]) == {state.K_DECISION}
    assert shut.book.entries == 0


def bar(t: int, *prices: float) -> Bar:
    """Bar t with plenty of volume."""
    return Bar(1_735_689_600_000 + (t + 1) * BAR_MS, *prices, 1e6, 0.0, 0.0)


FAR_MS = 4_000_000_000_000
GUARDS = {"block_until_ms": FAR_MS, "pause_until_ms": FAR_MS, "paused": 1, "streak": 99, "day_entries": 999}
DESKS = {"halted": 1, "tripped": state.DESK_DRAWDOWN, "gross": 1e12, "equity": NAN, "minute_orders": 999}
SHUT = (Limits(0.0, 0.0, 0.0, 0), Limits(NAN, NAN, NAN, 0), LOOSE)


@settings(max_examples=60, deadline=None)
@given(
    st.sets(st.sampled_from(sorted(GUARDS))),
    st.sets(st.sampled_from(sorted(DESKS))),
    st.sampled_from(SHUT),
    st.sampled_from([1, -1]),
    st.sampled_from(["stop", "target"]),
)
def test_nothing_here_refuses_an_exit(guards: set[str], desks: set[str], limits: Limits, side: int, way: str) -> None:
    """Any breaker, latch, pause or impossible limit: a stop or target that is touched leaves in full, and nothing enters."""
    rules = RULES._replace(
        lot_size=1.0, tick=0.0, fixed_lots=10, vol_target=0.0, trail_atr=0.0, fade_below=0.0, participation_max=1.0,
        leverage_max=10.0, notional_frac_max=10.0, layers_max=1,
    )  # fmt: skip
    enters = Signal(side, 1.0, 2.0, 0.5, 0.001, 0.0, 0.0, 0, 1)
    flat = (100.0, 101.0, 99.0, 100.0)
    _, sleeves, desk, _ = run_lists([bar(0, *flat), bar(1, *flat)], [enters] * 2, [rules], LOOSE, 10_000.0)
    assert sleeves[0].position.open_layers == 1
    sleeve = sleeves[0]._replace(guard=sleeves[0].guard._replace(**{name: GUARDS[name] for name in guards}))
    desk = desk._replace(**{name: DESKS[name] for name in desks})
    up = side if way == "target" else -side
    gone = (100.0, 140.0, 100.0, 140.0) if up > 0 else (100.0, 100.0, 60.0, 60.0)
    rows, sleeves, _, _ = run_lists([bar(2, *gone), bar(3, *flat)], [enters] * 2, [rules], limits, 0.0, 0, [sleeve], desk)
    exits = [row for row in rows if unpack(row.tag)[1] == state.K_FILL]
    assert [(unpack(row.tag)[3], row.lots) for row in exits][:1] == [(state.STOP if way == "stop" else state.TARGET, 10)]
    if guards & {"block_until_ms", "pause_until_ms", "paused"} or desks & {"halted", "tripped"}:
        assert len(exits) == 1, "it entered again while it was barred"

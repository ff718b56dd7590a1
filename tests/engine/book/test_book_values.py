"""The book's values: numbers to JSON and back to the same bits, who is flat, how far a stage is reached, what a mark says."""

import json
from itertools import product
from math import copysign, inf, isnan, nan
from typing import Any

import pytest

from engine.book.bar_signals import NO_SIGNAL, signal_in, signal_of
from engine.book.bodies import finite
from engine.book.book import Book, Spec, flat, stage_of
from engine.book.events import features_hash, mark
from engine.book.quiet_close import sentence
from engine.book.snapshot import LATER, as_json, from_json, restored, to_json
from engine.book.transitions import bar_of, begin, on_config, on_halted, set_pauses
from engine.core.orders import ENDED, STATES, VenueOrder
from engine.core.state import (
    DAY_MS,
    ENTRY,
    FLAT,
    NO_LAYER,
    NO_ORDER,
    STOP,
    Bar,
    Guard,
    Layer,
    Limits,
    Order,
    Rules,
    Signal,
    Sleeve,
    start,
)
from engine.store.chain import same_body
from tests.fakes.desks import RULES
from tests.fakes.order_desks import as_object

T0 = 1_735_689_600_000
LIMITS = Limits(0.15, 3.0, 1.8, 10)


def source(name: str, **changed: Any) -> dict[str, Any]:
    """A sleeve of a config event."""
    return {"name": name, "instrument": "i", "paused": False, "cash": 1_000.0, "version": 1, "rules": as_object(RULES), **changed}


def config(*sleeves: dict[str, Any], version: int = 1, **more: Any) -> dict[str, Any]:
    """A config event's body."""
    return {"version": version, "limits": LIMITS._asdict(), "sleeves": list(sleeves or (source("btc"), source("sol"))), **more}


def made(*sleeves: dict[str, Any]) -> Book:
    """The book of a new desk of one instrument."""
    start_ = {"instruments": ["i"], "own_bars": [], "timeframe_ms": 900_000, "first_ms": T0}
    return begin(config(*sleeves, start=start_))[0]


def holding(sleeve: Sleeve) -> Sleeve:
    """The sleeve with a long layer."""
    layer = NO_LAYER._replace(key=1, lots=5, entry=100.0, stop=95.0)
    return sleeve._replace(position=FLAT._replace(side=1, open_layers=1, layers=(layer, *FLAT.layers[1:])))


ORDER = NO_ORDER._replace(key=2, side=1, lots=5, notional=500.0)
VENUE_ORDER = VenueOrder("x", 0, ENTRY, 2, 1, 5, 0.0, 0, 1, 500.0, 2.0, T0)

# ---- numbers --------------------------------------------------------------------------------------------------------------

FLOATS = [0.0, -0.0, 0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -1e22, 2.0**53 + 2, nan, inf, -inf]


@pytest.mark.parametrize("value", FLOATS, ids=repr)
def test_a_float_survives_a_snapshot_to_the_last_bit(value: float) -> None:
    """Through JSON text: signed zero, the smallest, the largest, and what JSON has no word for."""
    back = restored(float, json.loads(json.dumps(as_json(value), allow_nan=False)))
    assert isnan(back) if isnan(value) else (back, copysign(1, back)) == (value, copysign(1, value))


@pytest.mark.parametrize("value", FLOATS, ids=repr)
def test_a_sleeve_with_that_number_everywhere_survives_too(value: float) -> None:
    """Nested tuples keep their shape; whole numbers stay whole."""
    layer = Layer(7, 2**53 + 1, value, value, value, STOP)
    sleeve = start(value)._replace(position=FLAT._replace(open_layers=1, trail=value, layers=(layer, *FLAT.layers[1:])))
    back = restored(Sleeve, json.loads(json.dumps(as_json(sleeve))))
    assert repr(back) == repr(sleeve)
    assert type(back.position.layers[0].lots) is int


def test_a_value_is_read_from_a_list_or_from_an_object_and_from_nothing_shorter() -> None:
    """Rules are journaled by name, sleeves by place; a field that is missing is an error, never a default."""
    assert restored(Limits, LIMITS._asdict()) == restored(Limits, list(LIMITS)) == LIMITS
    with pytest.raises(KeyError):
        restored(Limits, {k: v for k, v in LIMITS._asdict().items() if k != "gross_frac_max"})
    for short in (list(LIMITS)[:-1], [*LIMITS, 1]):
        with pytest.raises(ValueError, match="argument"):
            restored(Limits, short)


@pytest.mark.parametrize("value", FLOATS, ids=repr)
def test_people_see_a_finite_number_or_null(value: float) -> None:
    """A mark has no NaN and no infinity."""
    assert finite(value) == (value if abs(value) < inf else None)


def test_a_bars_missing_numbers_are_missing_in_the_core() -> None:
    """Null is NaN, never zero; whole numbers of JSON become floats."""
    found = bar_of(5, [100, None, 99.5, 100, None, 0, 0])
    assert repr(found) == repr(Bar(5, 100.0, nan, 99.5, 100.0, nan, 0.0, 0.0))
    assert all(type(value) is float for value in found[1:])


def test_a_signal_that_did_not_come_wants_nothing_and_knows_nothing() -> None:
    """No side, no strength: exits go on, fade does not see a decay."""
    assert signal_of(None) == NO_SIGNAL
    assert NO_SIGNAL.side == 0
    assert isnan(NO_SIGNAL.strength)
    written = as_json(Signal(-1, 0.5, nan, 0.4, 0.0, 0.0, 0.0, 0, 1))
    assert signal_of(written).side == -1
    assert isnan(signal_of(written).atr)


@pytest.mark.parametrize(
    ("bar", "found"),
    [
        ({"signals": {"btc": [1, 0.5, 2.0]}}, (1, 0.5, "")),
        ({"signals": {"btc": [0, None]}}, (0, None, "")),
        ({"signals": {"btc": None}, "silent": {"btc": "late"}}, (None, None, "late")),
        ({"signals": {"btc": [0, 0.0]}, "lacking": {"btc": ["a", "b", "c"]}}, (0, 0.0, "3 features have no value: a, b, c")),
        ({"signals": {}}, (None, None, "")),
        ({}, (None, None, "")),
    ],
)
def test_what_people_are_told_of_a_signal(bar: dict[str, Any], found: tuple[Any, ...]) -> None:
    """Side and strength, or why there is none."""
    assert signal_in(bar, "btc") == found


def test_a_feature_row_has_one_hash_whatever_its_order() -> None:
    """And another one for any other value, a missing one included."""
    rows = [
        {"sma(5)": 1.5, "rsi(2)": None},
        {"sma(5)": 1.5, "rsi(2)": 0.0},
        {"sma(5)": 1.5},
        {"sma(5)": 1.5000000000000002, "rsi(2)": None},
    ]
    assert len({features_hash(row) for row in rows}) == len(rows)
    assert features_hash(dict(reversed(rows[0].items()))) == features_hash(rows[0])


# ---- the book ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("held", "ordered", "doubt"), list(product((False, True), repeat=3)))
def test_flat_is_nothing_held_ordered_or_in_doubt(held: bool, ordered: bool, doubt: bool) -> None:
    """Any of the three keeps a sleeve on its configuration, and a halted desk flattening."""
    sleeve = holding(start(1.0)) if held else start(1.0)
    sleeve = sleeve._replace(order=ORDER if ordered else NO_ORDER, in_doubt=1.0 if doubt else 0.0)
    assert flat(sleeve) is not (held or ordered or doubt)
    book = made()
    book.sleeves[1] = sleeve
    assert book.state == "running"
    book.desk = book.desk._replace(halted=1)
    assert book.state == ("flattening" if held or ordered or doubt else "halted")


@pytest.mark.parametrize(
    ("stage", "sleeve", "orders", "reached"),
    [
        ("paper", "held", {}, "paper"),
        ("live", "held", {}, "live"),
        ("retired", "held", {}, "winding_down"),
        ("draft", "ordered", {}, "winding_down"),
        ("retired", "flat", {}, "retired"),
        ("retired", "doubt", {}, "settling"),
        ("retired", "flat", {"x": VENUE_ORDER}, "settling"),
        ("retired", "flat", {"x": VENUE_ORDER._replace(sleeve=1)}, "retired"),
    ],
)
def test_how_far_a_sleeve_has_come_to_its_stage(stage: str, sleeve: str, orders: Any, reached: str) -> None:
    """Out of trading it winds down, then waits for what the venue has not said; another sleeve's orders keep nobody."""
    book, fresh = made(source("btc", stage=stage), source("sol")), start(1_000.0)
    kinds = {"held": holding(fresh), "ordered": fresh._replace(order=ORDER), "flat": fresh, "doubt": fresh._replace(in_doubt=2.0)}
    book.sleeves[0] = kinds[sleeve]
    book.orders = book.orders._replace(open=orders)
    assert book.stage_reached(0) == reached
    body = mark(book)[1]["sleeves"]["btc"]
    assert body.get("stage", "paper") == stage
    assert body.get("stage_reached", stage) == reached


@pytest.mark.parametrize(
    ("sleeve", "rests"),
    [({"paused": False}, False), ({"paused": True}, True), ({"paused": False, "stage": "draft"}, True),
     ({"paused": False, "stage": "retired"}, True), ({"paused": False, "stage": "paper"}, False),
     ({"paused": True, "stage": "paper"}, True), ({"paused": True, "resumes_ms": 1_001}, True),
     ({"paused": True, "resumes_ms": 1_000}, False), ({"paused": True, "resumes_ms": 1_000, "stage": "draft"}, True)],
)  # fmt: skip
def test_who_enters_nothing(sleeve: dict[str, Any], rests: bool) -> None:
    """Paused by a person whose end has not come, or its stage rests; a journal from before stages means paper."""
    assert Spec(1, made().specs[0].rules, sleeve).enters_nothing(1_000) is rests
    assert stage_of({}) == "paper"


@pytest.mark.parametrize(
    ("change", "paused"),
    [
        ({}, [0, 0]),
        ({"health": {"feed": "late"}}, [1, 1]),
        ({"differences": {"i": "2 lots too many"}}, [1, 1]),
    ],
)
def test_what_is_not_well_pauses_every_sleeve_and_only_while_it_lasts(change: dict[str, Any], paused: list[int]) -> None:
    """The pause is set and taken back; each sleeve's own doubt is its own."""
    book = made()
    for name, value in change.items():
        setattr(book, name, value)
    set_pauses(book)
    assert [s.guard.paused for s in book.sleeves] == paused
    book.health, book.differences = {}, {}
    book.sleeves[1] = book.sleeves[1]._replace(in_doubt=1.0)
    set_pauses(book)
    assert [s.guard.paused for s in book.sleeves] == [0, 1]


def test_a_new_version_governs_who_is_flat_and_waits_for_who_is_not() -> None:
    """An open position keeps what it was opened under; unless its person approved the change for it too."""
    for to_open, governs in (([], [1, 2]), (["btc"], [2, 2])):
        book = made()
        book.sleeves[0] = holding(book.sleeves[0])
        book.features = {"btc": "f" * 32, "sol": "f" * 32}
        rules = as_object(RULES._replace(stop_atr=3.0))
        sleeves = [source(name, version=2, rules=rules) for name in ("btc", "sol")]
        following = on_config(book, config(*sleeves, version=2, to_open=to_open))
        assert [spec.version for spec in book.specs] == governs
        assert [spec is not None for spec in book.waiting] == [version == 1 for version in governs]
        assert ("sol" in book.features, "btc" in book.features) == (False, governs[0] == 1)
        assert [kind for kind, _ in following].count("mark") == 1
        assert mark(book)[1]["sleeves"]["btc"].get("waiting_version") == (2 if governs[0] == 1 else None)


def test_going_back_before_a_version_governed_lets_nothing_wait() -> None:
    """Version 2 waits, version 3 equals version 1: the sleeve is where it was."""
    book = made()
    book.sleeves[0] = holding(book.sleeves[0])
    changed = source("btc", version=2, rules=as_object(RULES._replace(stop_atr=3.0)))
    on_config(book, config(changed, source("sol"), version=2))
    assert book.waiting[0] is not None
    on_config(book, config(source("btc"), source("sol"), version=3))
    assert (book.waiting[0], book.specs[0].version, book.version) == (None, 1, 3)


def test_other_sleeves_than_the_homes_are_never_followed() -> None:
    """Their number and order are fixed: the fold would mix their cash."""
    for names in (["sol", "btc"], ["btc"], ["btc", "sol", "eth"]):
        with pytest.raises(AssertionError, match="fixed for the life of a home"):
            on_config(made(), config(*(source(name) for name in names)))


def test_a_release_measures_the_drawdown_from_here() -> None:
    """Else the desk would halt again at its next bar; what was tripped is over."""
    book = made()
    book.desk = book.desk._replace(equity=800.0, peak=2_000.0, halted=1, tripped=8)
    book.halt, book.tripped_ms = {"reason": "x", "by": "guardrail"}, T0
    following = on_halted(book, {"state": "released", "reason": "looked", "by": "ann"})
    assert (book.desk.peak, book.desk.halted, book.desk.tripped, book.halt, book.tripped_ms) == (800.0, 0, 0, {}, 0)
    assert [kind for kind, _ in following] == ["mark"]


def test_a_halt_cancels_entries_and_marks_what_is_held_to_leave() -> None:
    """Both sleeves; the one that is flat has no decision of it, the halt says who and why."""
    book = made()
    book.sleeves[0] = holding(book.sleeves[0])
    book.sleeves[1] = book.sleeves[1]._replace(order=ORDER)
    following = on_halted(book, {"state": "halted", "reason": "odd", "by": "ann"})
    decided = [body for kind, body in following if kind == "decision"]
    assert [(body["sleeve"], body["action"]) for body in decided] == [("btc", "exit")]
    assert book.sleeves[1].order == NO_ORDER
    assert book.sleeves[0].position.layers[0].exit_pending != 0
    assert mark(book)[1]["halt"] == {"reason": "odd", "by": "ann"}


def test_a_mark_shows_the_guards_counts_of_its_own_day_alone() -> None:
    """A sleeve that has not been marked today has no entries of today and no first equity, whatever it had yesterday."""
    book = made()
    guard = Guard(T0 // DAY_MS, 950.0, 4, 2, 0, 0, 0, 0, 0)
    book.sleeves[0] = book.sleeves[0]._replace(guard=guard)
    for close_ms, entries, equity in ((T0 + 1, 4, 950.0), (T0 + DAY_MS, 4, 950.0), (T0 + DAY_MS + 1, 0, None)):
        book.close_ms = close_ms
        body = mark(book)[1]["sleeves"]["btc"]["guard"]
        assert (body["day_entries"], body["day_equity"], body["streak"]) == (entries, equity, 2)


@pytest.mark.parametrize("ms", [-1, 0, 1])
def test_a_block_or_pause_is_shown_until_its_millisecond(ms: int) -> None:
    """At the close at which it ends entries go again, and the mark says nothing of it."""
    book = made()
    book.close_ms = T0
    book.sleeves[0] = book.sleeves[0]._replace(
        guard=book.sleeves[0].guard._replace(block_until_ms=T0 + ms, pause_until_ms=T0 + ms)
    )
    body = mark(book)[1]["sleeves"]["btc"]
    assert ("blocked_until_ms" in body, "paused_until_ms" in body) == (ms > 0, ms > 0)


def test_a_snapshot_is_the_book_and_a_copy_shares_nothing_that_moves() -> None:
    """Read back it says the same, also with orders, a waiting version and things that are not well."""
    book = made()
    book.sleeves[0] = holding(book.sleeves[0])
    book.sleeves[1] = book.sleeves[1]._replace(ledger=book.sleeves[1].ledger._replace(equity=nan))
    book.waiting[0] = Spec(
        2, RULES._replace(tick=0.5), source("btc", version=2, paused=True, rules=as_object(RULES._replace(tick=0.5)))
    )
    ended = VENUE_ORDER._replace(id="y", state=next(state for state in STATES if state in ENDED))
    book.orders = book.orders._replace(open={"x": VENUE_ORDER}, ended=(ended,), trades={"t": T0}, attempts={"x": 2})
    book.health, book.differences = {"feed": "late"}, {"i": "one too many"}
    text = json.dumps(to_json(book), allow_nan=False)
    copy = from_json(json.loads(text))
    assert same_body(to_json(copy), to_json(book))
    assert (copy.orders.open["x"], copy.orders.ended, copy.waiting[0].rules.tick) == (VENUE_ORDER, (ended,), 0.5)
    copy.health["more"] = "x"
    copy.sleeves[0] = start(0.0)
    assert json.dumps(to_json(book), allow_nan=False) == text


@pytest.mark.parametrize(
    ("refused", "held", "rests", "side", "text"),
    [
        (
            ("leverage_max", T0),
            ("long", 1.0),
            None,
            1,
            "no trade: still refused by leverage_max, since 2025-01-01 00:00Z; long signal",
        ),
        (None, ("long", 0.5), ("long", 3), -1, "held long 0.5, nothing to change; short signal"),
        (None, None, ("short", 1_000), None, "no trade: the short entry order of 1,000 lots rests; signal not known"),
        (None, None, None, 7, "no trade: signal not known, no position, nothing refused"),
    ],
)
def test_a_quiet_close_says_the_first_that_is_true(refused: Any, held: Any, rests: Any, side: int | None, text: str) -> None:
    """A refusal before a position, a position before an order, an order before nothing."""
    assert sentence(refused, held, rests, "", side) == text


def test_orders_of_the_core_have_no_place_for_an_id() -> None:
    """A price, a life in bars, a key: what the venue calls it is the book's business."""
    assert not {"id", "state"} & set(Order._fields)


# what the first journals of format 4 have of a sleeve's rules: a field that is added must be in LATER, or their homes do not open
_FORMAT_4 = """
add_atr arm_atr arm_frac bar_ms bars day_entries_max day_loss_frac_max fade_below family fixed_lots funding_ms
instrument kelly_part layers_max least_lots least_notional leverage_max liquidation_fee_frac lot_size
maintenance_frac maker_frac mode notional_frac_max participation_max pause_ms risk_floor_frac risk_limit_frac
risk_max_frac risk_start_frac shorts stop_atr stop_frac streak_max taker_frac target_atr target_frac tick
tiers trail_atr trail_frac vol_target
"""
RULES_OF_FORMAT_4 = _FORMAT_4.split()


def test_rules_of_older_journals_of_this_format_are_read() -> None:
    """A field that came later has what held before it; one that never was written is still an error."""
    older = {name: value for name, value in RULES._asdict().items() if name in RULES_OF_FORMAT_4}
    assert restored(Rules, older) == RULES._replace(size_part=1.0)
    assert set(Rules._fields) - set(RULES_OF_FORMAT_4) == set(LATER[Rules])
    for name in RULES_OF_FORMAT_4:
        with pytest.raises(KeyError, match=name):
            restored(Rules, {key: value for key, value in older.items() if key != name})

"""A person adopts a difference: the book holds what the venue holds, the ledger says how, and nothing else can do it."""

from typing import Any

import pytest

from engine.book.adoption import lots_of
from engine.book.order_events import EventBody, order_id
from engine.book.snapshot import from_json, to_json
from engine.book.transitions import step
from engine.core.orders import DONE, WORKING
from engine.core.state import ENTRY, NONE, PROTECTIVE, TARGET_SLOT
from tests.engine.book.test_late_reports import NAME, Desk, asked
from tests.fakes.order_desks import LOT

KEEP = {"request": 1, "difference": "odd", "by": "ann", "reason": "seen at the venue", "order": "x1", "lots": 6, "filled_lots": 0}
MOVE = KEEP | {"sleeve": NAME, "key": 1, "side": 1, "lots_before": 10, "lots_after": 4, "price": 99.0, "fee": 0.5, "atr": 2.0}


@pytest.fixture
def desk() -> Desk:
    """Long ten lots, protected; then a trade of an order that nobody knows."""
    made = Desk()
    made.long()
    made.told("fill", odd())
    assert list(made.book.differences) == ["odd"]
    return made


def odd() -> dict[str, Any]:
    """That trade."""
    body = {"trade": "odd", "order": "x1", "lots": 6, "price": 99.0, "fee": 0.5, "liquidity": "taker"}
    return body | {"reference_price": 99.0, "t_ms": 0}


def adopted(desk: Desk, body: dict[str, Any]) -> tuple[dict[str, Any], list[EventBody]]:
    """The event as it is journaled, and what follows."""
    led, following = step(desk.book, "adopt", body, {}, {})
    return dict(led), following


def test_kept_nothing_moves_and_entries_go_on(desk: Desk) -> None:
    """The trade was somebody else's: cash, layers and orders are as before, and it may be reported again."""
    before = to_json(desk.book)
    led, following = adopted(desk, KEEP)
    assert (led["adopted"], asked(following), [kind for kind, _ in following]) == (True, [], ["mark"])
    assert "differs" not in following[-1][1]
    after = to_json(desk.book)
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {"differences", "adopted", "orders", "sleeves"}  # what the trade's order has filled; the pause is over
    assert [sleeve[:3] + sleeve[4:] for sleeve in after["sleeves"]] == [s[:3] + s[4:] for s in before["sleeves"]]
    assert desk.told("fill", odd()) == []
    assert [kind for kind, _ in desk.bar(1, 103.0)].count("intent") == 1


def test_a_smaller_position_is_realised_and_its_orders_follow(desk: Desk) -> None:
    """Six of ten lots are gone at 99: their loss and fee are cash, stop and target cover four, which stay."""
    cash = desk.book.sleeves[0].ledger.cash
    led, following = adopted(desk, MOVE)
    assert led["adopted"]
    assert desk.layers == [(1, 4, NONE)]
    assert desk.book.sleeves[0].ledger.cash == pytest.approx(cash + 6 * LOT * (99.0 - 100.0) - 0.5)
    (fill,) = [body for kind, body in following if kind == "fill"]
    assert (fill["slot"], fill["reason"], fill["lots"], fill["side"], fill["order"]) == ("exit", "adopted", 6, "sell", "x1")
    assert {body["lots"] for kind, body in following if kind == "amend"} == {4}
    assert [order for kind, order in asked(following) if kind != "amend"] == []
    assert following[-1][1]["sleeves"][NAME]["position"]["lots"] == 4


def test_a_position_that_is_gone_is_a_round_trip(desk: Desk) -> None:
    """Nothing is left at the venue: the layer ends, its stop and target are cancelled, the trip counts."""
    led, following = adopted(desk, MOVE | {"lots_after": 0})
    assert led["adopted"]
    assert not desk.layers
    assert desk.book.sleeves[0].ledger.trips == 1
    assert {order for kind, order in asked(following) if kind == "order"} == {
        order_id(NAME, 1, PROTECTIVE),
        order_id(NAME, 1, TARGET_SLOT),
    }


def test_a_larger_position_is_covered(desk: Desk) -> None:
    """Six lots more at 99: one layer of sixteen at their average, its stop amended to sixteen."""
    led, following = adopted(desk, MOVE | {"lots_after": 16})
    assert led["adopted"]
    layer = desk.book.sleeves[0].position.layers[0]
    assert (layer.key, layer.lots, layer.entry) == (1, 16, pytest.approx((10 * 100.0 + 6 * 99.0) / 16))
    assert {body["lots"] for kind, body in following if kind == "amend"} == {16}
    assert desk.book.sleeves[0].order.side == 0


def test_a_new_position_gets_a_stop_and_a_number_of_its_own() -> None:
    """The sleeve is flat, the venue holds a short: a layer opens under the next number, and its stop is placed."""
    desk = Desk()
    desk.bar(0)
    desk.told("fill", odd())
    body = MOVE | {"side": -1, "lots_before": 0, "lots_after": 6}
    led, following = adopted(desk, body)
    assert led["adopted"]
    assert (desk.layers, desk.book.sleeves[0].position.side, desk.book.sleeves[0].entries) == ([(1, 6, NONE)], -1, 1)
    placed = [body for kind, body in following if kind == "intent" and body["slot"] == "protective"]
    assert [(order["order"], order["side"], order["lots"]) for order in placed] == [(order_id(NAME, 1, PROTECTIVE), "buy", 6)]
    assert placed[0]["price"] > 99.0
    desk.order(PROTECTIVE, WORKING)
    desk.fill(PROTECTIVE, 6, price=103.0)
    desk.bar(1)
    assert desk.book.sleeves[0].order.key == 2


@pytest.mark.parametrize("lots_after", [0, 4, 16])
def test_the_mark_that_follows_values_what_was_adopted(desk: Desk, lots_after: int) -> None:
    """At the last close: notional and equity of sleeve and desk are those that the same close gives with no other change."""
    _, following = adopted(desk, MOVE | {"lots_after": lots_after})
    kind, marked = following[-1]
    sleeve, close = desk.book.sleeves[0], desk.book.bars[0].close
    gain = sum(layer.lots * (close - layer.entry) for layer in sleeve.position.layers[: sleeve.position.open_layers])
    assert kind == "mark"
    assert marked["sleeves"][NAME]["equity"] == pytest.approx(sleeve.ledger.cash + LOT * gain)
    assert marked["equity"] == pytest.approx(sum(one["equity"] for one in marked["sleeves"].values()), rel=1e-12)
    assert marked["gross"] == pytest.approx(lots_after * LOT * close)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"difference": "other"}, "do not differ in other"),
        ({"sleeve": "nobody"}, "unknown sleeve"),
        ({"lots_before": 9}, "has 10 lots by now, not 9"),
        ({"key": 2, "lots_before": 10}, "has 0 lots by now"),
        ({"side": -1}, "on the other side"),
        ({"side": 0}, "on the other side"),
        ({"lots_after": -1}, "below zero"),
        ({"price": None}, "not a number"),
        ({"price": 0.0}, "not a number"),
        ({"price": float("nan")}, "not a number"),
        ({"fee": None}, "not a number"),
        ({"fee": float("inf")}, "not a number"),
        ({"lots_after": "4"}, "missing or is not a number"),
        ({"lots": None}, "missing or is not a number"),
        ({"key": True}, "missing or is not a number"),
        ({"lots_after": 16, "atr": None}, "distance of its stop"),
        ({"key": 7, "lots_before": 0, "lots_after": 5}, "no room for a layer 7"),
    ],
)
def test_what_does_not_fit_changes_nothing(desk: Desk, changes: dict[str, Any], why: str) -> None:
    """It is journaled with its reason; the difference stays, and with it the block on entries."""
    before = to_json(desk.book)
    led, following = adopted(desk, MOVE | changes)
    assert (led["adopted"], following) == (False, [])
    assert why in led["why"]
    assert to_json(desk.book) == before
    assert desk.book.entries_blocked


@pytest.mark.parametrize(
    "missing", ["difference", "by", "order", "filled_lots", "sleeve", "lots_before", "lots_after", "price", "atr"]
)
def test_a_part_that_is_missing_refuses(desk: Desk, missing: str) -> None:
    """A row that was edited stops nobody: the worker journals it with its reason and goes on."""
    led, following = adopted(desk, {name: value for name, value in MOVE.items() if name != missing})
    assert (led["adopted"], led["why"], following) == (False, "a part of it is missing or is not a number", [])


def test_an_order_that_waited_for_the_trade_waits_no_longer() -> None:
    """Stop and target both filled, the layer held one of them: adopted, the target is over and nothing is in doubt."""
    desk = Desk()
    desk.long(3)
    desk.order(ENTRY, DONE, 3)
    desk.fill(PROTECTIVE, 3)
    desk.order(TARGET_SLOT, DONE, 3)
    desk.fill(TARGET_SLOT, 3, trade="odd", price=108.0)
    waiting = order_id(NAME, 1, TARGET_SLOT)
    assert waiting in desk.book.orders.open
    led, _ = adopted(desk, KEEP | {"order": waiting, "lots": 3})
    assert led["adopted"]
    assert not desk.book.orders.open


def test_an_order_that_was_adopted_is_known_as_far_as_it_had_filled() -> None:
    """A person knows of the order: it may stand there and be reported; one lot more than then is a difference again."""
    desk = Desk()
    report = {"order": "x1", "state": WORKING, "filled_lots": 2, "why": ""}
    desk.told("order", report)
    led, _ = adopted(desk, KEEP | {"difference": "x1", "lots": 0, "filled_lots": 2})
    assert led["adopted"]
    desk.book = from_json(to_json(desk.book))
    assert desk.told("order", report) == []
    assert not desk.book.entries_blocked
    desk.told("order", report | {"filled_lots": 3})
    assert list(desk.book.differences) == ["x1"]


def test_a_trade_that_was_adopted_is_known_of_its_old_order(desk: Desk) -> None:
    """The lots of the trade count as known of an order that ended long ago."""
    adopted(desk, KEEP | {"order": order_id(NAME, 0)})
    assert desk.book.orders.filled == {order_id(NAME, 0): 6}


def test_lots_of_a_layer_that_is_not_open(desk: Desk) -> None:
    """None."""
    assert (lots_of(desk.book.sleeves[0], 1), lots_of(desk.book.sleeves[0], 2)) == (10, 0)

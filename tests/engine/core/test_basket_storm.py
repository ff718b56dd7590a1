"""Random baskets, checked after every event and at every close: what pairs have is what legs have, to the cent, and no leg is
without its mate for longer than the bars let it."""

import inspect
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from engine.core import basket_kernel, basket_open, basket_run
from engine.core.basket import Basket, BasketMemory, LegOrder, PairBook, asked_on, due_on, lots_on
from engine.core.ledger import open_lots
from engine.core.sizing import whole_lots
from engine.core.state import BY_SIGNAL, DELISTED, HALT, K_FILL, NONE, PAIR, REFERENCE, STOP
from engine.core.step import usable
from tests.fakes.baskets import hostile

CENT = 0.01
PROBES = (50.0, 100.0, 130.0, 80.0, 210.0)  # any prices: lots and cash must agree, not one valuation


class Before(NamedTuple):
    """A basket when its orders for a bar were fixed."""

    pairs: list[PairBook]
    orders: list[LegOrder]

    def cut(self, leg: int) -> bool:
        """Whether the venue's least order has kept a part of what pairs ask for from being ordered."""
        order = self.orders[leg]
        return order.side * order.lots != sum(asked_on(pair, leg) for pair in self.pairs)


class Watch:
    """Follows a plain run through its events."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events, self.naked, self.cuts = 0, dict[int, int](), 0
        self.entered = dict[int, tuple[int, int]]()
        for module, name in (
            (basket_open, "book_leg"),
            (basket_open, "paid"),
            (basket_open, "closed"),
            (basket_open, "stopped"),
        ):
            monkeypatch.setattr(module, name, self.after(getattr(module, name)))
        monkeypatch.setattr(basket_run, "settle", self.settled(basket_open.settle))
        monkeypatch.setattr(basket_run, "decide", self.decided(basket_run.decide))

    def after(self, step: Any) -> Any:
        def stepped(m: BasketMemory, book: Basket, *args: Any) -> Any:
            found = step(m, book, *args)
            self.events += 1
            sums_hold(m, found[0])
            return found

        return stepped

    def settled(self, step: Any) -> Any:
        def stepped(m: BasketMemory, book: Basket, t: int, n: int) -> Any:
            was = Before(list(m.pairs), list(m.orders))
            found = step(m, book, t, n)
            for p, pair in enumerate(m.pairs):
                self.close(m, p, pair, t, was)
            return found

        return stepped

    def decided(self, step: Any) -> Any:
        def stepped(m: BasketMemory, *args: Any) -> Any:
            found = step(m, *args)
            for p, pair in enumerate(m.pairs):
                if pair.entering:
                    self.entered[p] = pair.want_a, pair.want_b
            return found

        return stepped

    def close(self, m: BasketMemory, p: int, pair: PairBook, t: int, was: Before) -> None:
        """A pair after the bar: hedged as it was entered, or on its way out in full."""
        assert pair.entering == 0
        before = was.pairs[p]
        lone = (pair.lots_a == 0) != (pair.lots_b == 0)
        for leg in (pair.a, pair.b):
            due, lots = due_on(pair, leg), lots_on(pair, leg)
            assert due == 0 or (due * lots < 0 and abs(due) <= abs(lots)), "what is due only reduces"
            assert not (lone and lots) or due == -lots, "a lone leg is due in full"
            if lone and lots and before.lots_a * before.lots_b == 0 and lots_on(before, leg) != 0:  # alone for more than a bar
                assert asked_on(before, leg) == -lots_on(before, leg), "a leg alone is ordered whole"
                assert not could_leave(m, leg, t, lots, was), f"bar {t}: pair {p} had a lone leg, the bar would have taken it"
        if pair.leaving == NONE and pair.side != 0 and pair.want_a == pair.lots_a and pair.want_b == pair.lots_b:
            full_a, full_b = self.entered[p]
            assert abs(pair.lots_a * full_b - pair.lots_b * full_a) <= max(abs(full_a), abs(full_b)), "within a lot of its hedge"


def could_leave(m: BasketMemory, leg: int, t: int, lots: int, was: Before) -> bool:
    """Whether bar t let so many lots of a leg through beside everything that it did trade."""
    bar, rules = m.bars[t * len(m.legs) + leg], m.rules[leg]
    if not usable(bar) or was.cut(leg):
        return False
    return rules.mode == REFERENCE or whole_lots(rules.participation_max * bar.volume - m.taken[leg], rules.lot_size) >= abs(lots)


def sums_hold(m: BasketMemory, book: Basket) -> None:
    """Lots, money, fees, funding and slippage of the pairs are those of the legs and of the basket."""
    worth, owned = 0.0, 0.0
    for leg, sleeve in enumerate(m.legs):
        lots = sleeve.position.side * open_lots(sleeve.position)
        assert sum(lots_on(pair, leg) for pair in m.pairs) == lots
        assert sleeve.position.open_layers <= 1
        gain = PROBES[leg] - sleeve.position.layers[0].entry if lots else 0.0
        worth += sleeve.ledger.cash + lots * m.rules[leg].lot_size * gain
    for pair in m.pairs:
        owned += pair.cash + sum(lots_on(pair, leg) * m.rules[leg].lot_size * PROBES[leg] for leg in (pair.a, pair.b))
    assert owned == pytest.approx(worth, abs=CENT)
    assert book.ledger.cash - book.base == pytest.approx(sum(sleeve.ledger.cash for sleeve in m.legs), abs=CENT)
    for name in ("fees", "funding", "slippage"):
        of_pairs = sum(getattr(pair, name) for pair in m.pairs)
        assert of_pairs == pytest.approx(sum(getattr(sleeve.ledger, name) for sleeve in m.legs), abs=CENT), name
        assert of_pairs == pytest.approx(getattr(book.ledger, name), abs=CENT), name


def storm(seeds: range, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """(events, round trips) of all seeds; every check on the way."""
    watch, trips = Watch(monkeypatch), 0
    for seed in seeds:
        case = hostile(seed)
        found = case.run()
        trips += found.book.ledger.trips
        assert found.equity - case.cash == pytest.approx(found.values.sum(axis=1), abs=CENT), seed
    return watch.events, trips


def test_ten_baskets_sum_and_leave_no_leg_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Partial fills, missing bars, legs that stop, end or are liquidated."""
    events, trips = storm(range(10), monkeypatch)
    assert events > 4_000
    assert trips > 100


@pytest.mark.long
def test_a_thousand_baskets_sum_and_leave_no_leg_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same of a hundred times as many."""
    events, trips = storm(range(1_000, 2_000), monkeypatch)
    assert events > 400_000
    assert trips > 10_000


def test_compiled_is_plain_bit_by_bit() -> None:
    """Rows, curves, ledgers and state, with every way out that a basket has among them."""
    reasons = set[int]()
    for seed in range(3_000, 3_020):
        case = hostile(seed)
        plain, fast = case.run(), case.run(plain=False)
        assert plain.rows.tobytes() == fast.rows.tobytes(), seed
        assert plain.equity.tobytes() == fast.equity.tobytes(), seed
        assert plain.values.tobytes() == fast.values.tobytes(), seed
        assert (plain.book, plain.legs, plain.pairs, plain.desk) == (fast.book, fast.legs, fast.pairs, fast.desk), seed
        reasons |= set(plain.rows["rule"][plain.rows["kind"] == K_FILL].tolist())
    assert reasons >= {NONE, STOP, HALT, BY_SIGNAL, PAIR, DELISTED}


@pytest.mark.parametrize("edited", basket_kernel.SOURCES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_an_edit_of_a_basket_asks_for_other_code(edited: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more character in one file, or another core: the compiled run lies under another key of the cache."""
    before, getsource = basket_kernel.digest_of_sources(), inspect.getsource
    monkeypatch.setattr(inspect, "getsource", lambda module: getsource(module) + "#" * (module is edited))
    assert basket_kernel.digest_of_sources() != before
    monkeypatch.undo()
    assert basket_kernel.digest_of_sources() == before
    monkeypatch.setattr(basket_kernel, "sources_digest", lambda: "of another core")
    assert basket_kernel.digest_of_sources() != before

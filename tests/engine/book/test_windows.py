"""Incident windows: what a sleeve makes inside one is not its strategy's, to the last bit, and nothing else of the desk moves."""

from typing import Any

import pytest

from engine.book.book import Book
from engine.book.incident_money import incidents_of, parted, parted_sleeve, window_money
from engine.book.snapshot import from_json, to_json
from engine.book.transitions import begin, step
from engine.book.windows import CAUSES_MAX, due, scope_of
from engine.store.chain import encode_body
from tests.engine.book.test_adoption import odd
from tests.engine.book.test_late_reports import NAME, Desk
from tests.engine.book.test_order_storms import Storm
from tests.fakes.order_desks import LOT, config_body

OPEN = {"what": "open", "cause": "a drill", "by": "ann"}
CLOSE = {"what": "close", "cause": "it was a drill", "by": "ann"}
EXACT = 1e-9


def opened(book: Book, instrument: str = "", **more: Any) -> str:
    """A window by ann, over one instrument or the desk; its id."""
    led, following = step(book, "window", OPEN | scope_of(book, instrument) | more, {}, {})
    assert (led["taken"], [kind for kind, _ in following]) == (True, ["mark"])
    return str(led["window"])


def closed(book: Book, window: str) -> dict[str, Any]:
    """The event that closes it."""
    return dict(step(book, "window", CLOSE | {"window": window}, {}, {})[0])


def taken_up(book: Book, *groups: Any) -> list[dict[str, Any]]:
    """What is due, taken as live/record.py does."""
    return [dict(step(book, "window", body, {}, {})[0]) for body in due(book, groups)]


# ---- money -------------------------------------------------------------------------------------------------------------------


class Counted(Storm):
    """A storm with windows opened and closed at random, and a second count of whose each change of equity is."""

    def __init__(self, seed: int) -> None:
        self.inside, self.outside, self.equity = dict[str, float](), dict[str, float](), dict[str, float]()
        self.covers, self.made = dict[str, list[str]](), 0.0
        super().__init__(seed)
        self.equity = {name: self.worth(s) for s, name in enumerate(self.book.names)}

    def worth(self, s: int) -> float:
        """Cash and what is held at the last close, summed layer by layer."""
        sleeve, close = self.book.sleeves[s], self.book.bars[self.book.specs[s].rules.instrument].close
        position = sleeve.position
        held = ((layer.lots, layer.entry) for layer in position.layers[: position.open_layers])
        return sleeve.ledger.cash + sum(position.side * lots * LOT * (close - entry) for lots, entry in held)

    def event(self, kind: str, body: dict[str, Any]) -> None:
        """As the storm's; then every change of equity is whoever's it is by the windows that were open."""
        super().event(kind, body)
        for s, name in enumerate(self.book.names):
            made, self.equity[name] = self.worth(s) - self.equity[name], self.worth(s)
            part = self.inside if any(name in covered for covered in self.covers.values()) else self.outside
            part[name] = part.get(name, 0.0) + made

    def toss(self) -> None:
        """Perhaps a window opens or closes."""
        if self.dice.random() < 0.15:
            some = self.dice.sample(self.book.names, self.dice.randint(1, len(self.book.names)))
            window = f"w{incidents_of(self.book)['count'] + 1}"
            self.event("window", OPEN | {"sleeves": some, "instruments": []})
            self.covers[window] = some
        elif self.covers and self.dice.random() < 0.15:
            window = self.dice.choice(list(self.covers))
            self.made += window_money(self.book, window)["pnl"]
            self.event("window", CLOSE | {"window": window})
            del self.covers[window]


def counted(seed: int) -> Counted:
    """The storm, blown out."""
    storm = Counted(seed)
    for _ in range(60):
        storm.toss()
        storm.once()
    return storm


@pytest.mark.parametrize("seed", range(12))
def test_inside_and_outside_are_the_whole(seed: int) -> None:
    """Under fills, amendments, refusals, halts and windows in each other: both parts are as counted change by change, and the
    windows' own figures come to the inside."""
    storm = counted(seed)
    book, found = storm.book, dict[str, Any]()
    for s, name in enumerate(book.names):
        found[name] = parted_sleeve(book, s)
        assert found[name].incident == pytest.approx(storm.inside.get(name, 0.0), abs=EXACT)
        assert found[name].strategy == pytest.approx(storm.outside.get(name, 0.0), abs=EXACT)
        assert found[name].whole == pytest.approx(storm.equity[name] - book.specs[s].source["cash"], abs=EXACT)
    still = sum(window_money(book, window)["pnl"] for window in storm.covers)
    assert storm.made + still == pytest.approx(sum(part.incident for part in found.values()), abs=EXACT)


def test_the_storms_have_windows_with_money_in_them() -> None:
    """Else the property above would hold of nothing."""
    storms = [counted(seed) for seed in range(12)]
    assert sum(incidents_of(storm.book)["count"] for storm in storms) > 50
    assert sum(any(abs(made) > 0.005 for made in storm.inside.values()) for storm in storms) >= 6
    assert sum(any(abs(made) > 0.005 for made in storm.outside.values()) for storm in storms) >= 6


def test_a_window_moves_nothing_but_whose_money_it_is() -> None:
    """Two desks, the same bars, one with a window over half of them: every decision, order and equity is equal."""
    with_one, without = Desk(), Desk()
    for desk in (with_one, without):
        desk.long()
    window = opened(with_one.book)
    for desk in (with_one, without):
        desk.bar(1, 103.0)
    closed(with_one.book, window)
    said = [desk.bar(0, 99.0) for desk in (with_one, without)]
    assert [kind for kind, _ in said[0]] == [kind for kind, _ in said[1]]
    assert [body for kind, body in said[0] if kind != "mark"] == [body for kind, body in said[1] if kind != "mark"]
    a, b = (to_json(desk.book) for desk in (with_one, without))
    assert {key for key in a if a[key] != b.get(key)} == {"incidents"}


def test_the_published_month() -> None:
    """+42.43 in all, +113.00 of it while a fill pipeline was broken: the strategies lost 70.57, and the mark says so."""
    book, _ = begin(config_body())

    def paid(cash: float, n: int) -> None:
        """A result of one sleeve, by the way that cash comes into a ledger without a market."""
        bill = {"bill": f"b{n}", "sleeve": NAME, "mark": 100.0, "rate": 0.0, "cash_flow": cash, "t_ms": n}
        step(book, "funding", bill, {}, {})

    paid(-31.27, 1)
    window = opened(book)
    paid(113.0, 2)
    shut = closed(book, window)
    paid(-39.30, 3)
    found = parted(book)
    assert (shut["taken"], round(shut["money"]["pnl"], 2)) == (True, 113.00)
    assert [round(value, 2) for value in found] == [42.43, 113.00, -70.57]
    mark = step(book, "reconcile", {"differs": {}}, {}, {})[1][-1][1]
    assert round(mark["incident"], 2) == round(mark["sleeves"][NAME]["incident"], 2) == 113.00


def test_orphans_are_never_a_strategys() -> None:
    """Ten lots that no order explains, bought at 100 and sold at 104: their cash less fees is the window's, which the fold keeps;
    the sleeve that trades the instrument has made nothing."""
    desk = Desk()
    desk.bar(0, 100.0)
    name = desk.book.instruments[0]
    orphan = {
        "what": "found",
        "trade": "o1",
        "order": "nd",
        "instrument": name,
        "side": 1,
        "lots": 10,
        "price": 100.0,
        "fee": 0.1,
    }
    led, following = step(desk.book, "orphan", orphan | {"t_ms": 0}, {}, {})
    (body,) = taken_up(desk.book, ("orphan", led, following))
    assert (body["cause"], body["instruments"], body["by"]) == (f"orphans of {name}", [name], "detector")
    assert taken_up(desk.book) == []
    refused = closed(desk.book, body["window"])
    assert (refused["taken"], f"10 lots of {name}" in refused["why"]) == (False, True)
    desk.bar(0, 102.0)
    assert window_money(desk.book, body["window"])["pnl"] == pytest.approx(10 * LOT * 2.0 - 0.1)
    step(desk.book, "orphan", orphan | {"what": "fill", "trade": "o2", "side": -1, "price": 104.0, "t_ms": 0}, {}, {})
    made = 10 * LOT * 4.0 - 0.2
    shut = closed(desk.book, body["window"])
    assert (shut["money"]["orphans"], shut["money"]["pnl"]) == (pytest.approx(made), pytest.approx(made))
    assert parted(desk.book) == pytest.approx((made, made, 0.0))
    assert taken_up(desk.book) == []  # what a closed window has taken opens no other


# ---- what opens and closes one -------------------------------------------------------------------------------------------------


@pytest.fixture
def desk() -> Desk:
    """Long ten lots, protected."""
    made = Desk()
    made.long()
    return made


def test_a_strangers_trade_opens_one_which_closes_behind_it(desk: Desk) -> None:
    """It covers the instrument that the report names, joins once, and cannot be closed before a person has adopted the trade."""
    name = desk.book.instruments[0]
    led, following = step(desk.book, "fill", odd() | {"instrument": name}, {}, {})
    (body,) = taken_up(desk.book, ("fill", led, following))
    assert (body["what"], body["cause"], body["instruments"]) == ("open", "odd", [name])
    assert taken_up(desk.book, ("fill", led, following)) == []
    assert "odd" in closed(desk.book, body["window"])["why"]
    keep = {"request": 1, "difference": "odd", "by": "ann", "reason": "seen", "order": "x1", "lots": 6, "filled_lots": 0}
    step(desk.book, "adopt", keep, {}, {})
    assert closed(desk.book, body["window"])["taken"]


def test_what_a_window_covers_joins_it(desk: Desk) -> None:
    """A position that differs while the desk has a window is one cause more of it, not a second window."""
    window = opened(desk.book)
    name = desk.book.instruments[0]
    step(desk.book, "reconcile", {"differs": {f"position of {name}": "3 lots, the desk 10"}}, {}, {})
    (body,) = taken_up(desk.book)
    assert (body["what"], body["window"]) == ("joins", window)
    assert incidents_of(desk.book)["open"][window]["causes"] == ["a drill", f"position of {name}"]


def test_a_wider_one_takes_over_what_a_narrow_one_leaves(desk: Desk) -> None:
    """Two windows over one sleeve: the first one has its money while it is open, then the second."""
    one = opened(desk.book, desk.book.instruments[0])
    step(desk.book, "health", {"what": "executions", "state": "begun", "why": "missing"}, {}, {})
    (two,) = taken_up(desk.book)
    assert two["what"] == "open"
    desk.bar(0, 103.0)
    assert window_money(desk.book, two["window"])["pnl"] == pytest.approx(0.0)
    first = closed(desk.book, one)["money"]["pnl"]
    assert first > 0.0
    desk.bar(0, 104.0)
    assert window_money(desk.book, two["window"])["pnl"] > 0.0
    assert parted(desk.book).incident == pytest.approx(first + window_money(desk.book, two["window"])["pnl"])


def test_what_moves_no_money_opens_none(desk: Desk) -> None:
    """A stranger's resting order, a silent stream, a halt that ended."""
    name = desk.book.instruments[0]
    step(desk.book, "reconcile", {"differs": {f"{name} order 77": "not of this desk"}}, {}, {})
    step(desk.book, "health", {"what": "stream", "state": "begun", "why": "silent"}, {}, {})
    assert taken_up(desk.book, ("incident", {"what": "halt: KILLED", "state": "KILLED"}, [])) == []
    (left,) = taken_up(desk.book, ("incident", {"what": "halt", "state": "KILL_INCOMPLETE"}, []))
    assert (left["cause"], left["sleeves"]) == ("halt incomplete", desk.book.names)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"what": "open"},
        OPEN | {"sleeves": [], "instruments": []},
        OPEN | {"sleeves": ["nobody"], "instruments": []},
        OPEN | {"sleeves": NAME, "instruments": []},
        OPEN | {"sleeves": [NAME], "instruments": [], "cause": " "},
        OPEN | {"sleeves": [NAME], "instruments": [], "cause": "x" * 301},
        OPEN | {"sleeves": [NAME], "instruments": [], "by": ""},
        CLOSE | {"window": "w1"},
        CLOSE | {"window": None},
        {"what": "joins", "window": "w1", "cause": "x"},
        {"what": "erase", "cause": "x", "by": "ann", "window": "w1"},
    ],
)
def test_a_body_that_does_not_fit_is_refused_and_moves_nothing(desk: Desk, body: dict[str, Any]) -> None:
    """Rows of a database may have been edited."""
    before = encode_body(to_json(desk.book))
    led, following = step(desk.book, "window", body, {}, {})
    assert (led["taken"], following, bool(led["why"])) == (False, [], True)
    assert encode_body(to_json(desk.book)) == before


def test_causes_and_windows_are_bounded(desk: Desk) -> None:
    """A flood of differences makes one window with so many causes, and no error."""
    opened(desk.book)
    differs = {f"trade {n}": "odd" for n in range(3 * CAUSES_MAX)}
    step(desk.book, "reconcile", {"differs": differs}, {}, {})
    taken_up(desk.book)
    assert len(incidents_of(desk.book)["open"]["w1"]["causes"]) == CAUSES_MAX
    for _ in range(60):
        step(desk.book, "window", OPEN | scope_of(desk.book), {}, {})
    assert len(incidents_of(desk.book)["open"]) == 50


def test_a_snapshot_keeps_windows_to_the_bit(desk: Desk) -> None:
    """And a desk without any has no word of them in it."""
    assert "incidents" not in to_json(Desk().book)
    opened(desk.book)
    desk.bar(0, 101.37)
    again = from_json(to_json(desk.book))
    assert encode_body(to_json(again)) == encode_body(to_json(desk.book))
    assert parted(again) == parted(desk.book)

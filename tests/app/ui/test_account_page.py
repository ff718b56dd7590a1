"""The page of an account: orders' lives as lines with times, what is not well, what a person is asked for; a halt's progress."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.ui import figures, halt, orders, venue_account
from engine.book import bodies
from tests.app.ui.fake_accounts import CID, account, order, states
from tests.app.ui.fake_api import ROUTES, Fake
from tests.app.ui.fake_shapes import NOW_MS, desk, sleeve
from tests.app.ui.looking import page, texts_of

NO_DIFFERENCE: dict[str, Any] = {"differences": [], "orphans": [], "blocked": {}}


@pytest.fixture
def at_account(fake: Fake) -> Iterator[Fake]:
    """A desk that trades an account, with one order."""
    fake.desk |= {"mode": "testnet", "stamp": "TESTNET", "source": "live"}
    differs = {"differences": [], "orphans": [], "entries_blocked": True, "blocked": {"gate": "shut"}, "windows": []}
    found = {
        ("GET", "/api/account"): lambda f, q, b: account(),
        ("GET", "/api/orders"): lambda f, q, b: {"items": [order()]},
        ("GET", f"/api/orders/{CID}"): lambda f, q, b: order(),
        ("GET", "/api/reconcile"): lambda f, q, b: differs,
        ("GET", "/api/incidents"): lambda f, q, b: {"items": [], "total": 0, "pnl": None},
    }
    before = dict(ROUTES)
    ROUTES.update(found)
    yield fake
    ROUTES.clear()
    ROUTES.update(before)


def test_a_life_is_a_line_of_states_with_how_long_each_took() -> None:
    """The first state has its time, each other how long after the one before; what happened at once says nothing."""
    steps = orders.track(order()["states"], wall=True, now_ms=NOW_MS)
    assert [step.word for step in steps] == ["intended", "sent", "working", "partial"]
    assert [step.at for step in steps][1:] == ["", "+104 ms", "+524 ms"]
    assert steps[0].at.endswith(".000Z")


def test_a_stop_that_follows_the_price_is_one_step_and_a_move_without_an_answer_is_seen() -> None:
    """Three moves that the venue took are one; the fourth, that it has not answered, is not hidden."""
    moves = [("amending", 1_000), ("working", 1_100), ("amending", 2_000), ("working", 2_100), ("amending", 90_000)]
    life = states(("intended", 0), ("sent", 0), ("working", 50), *moves)
    assert [name for name, _, _ in orders.joined(life)] == ["intended", "sent", "working", "working", "amending"]
    words = [(step.word, step.at) for step in orders.track(life, wall=True, now_ms=NOW_MS)]
    assert words[-2:] == [("moved 2 times", "+2.0 s"), ("amending", "+1 min 27 s")]


def test_doubt_and_refusal_are_loud_and_a_long_life_is_cut_in_its_middle() -> None:
    """What a person has to see has a sign and a colour, and the end of a life is always there."""
    life = states(
        *((name, n) for n, name in enumerate(("intended", "sent", "UNKNOWN", "working", "UNKNOWN", "working", "partial")))
    )
    steps = orders.track([*life, *states(("rejected", 9_000))], wall=True, now_ms=NOW_MS)
    assert len(steps) == orders.STEPS_MAX + 1
    assert steps[2].word == "2 more"
    assert (steps[-1].sign, steps[-1].look) == ("✕", "neg")
    assert any(step.look == "wrn" for step in steps)


def test_the_page_says_what_is_not_well_and_what_a_person_is_asked_for(at_account: Fake) -> None:
    """Gate, stream, poll, probe, order, execution, latency; text from outside is text."""
    seen = texts_of(page(tab="desk", view="account"))
    wanted = ["Account main", "withheld", "the code of engine is another &lt;b&gt;", "nightdesk live consent --as NAME"]
    wanted += ["silent for 20.0 s", "3 looks in a row failed", "1 unexplained", "limit on stream", "RED", "1 min 1 s"]
    wanted += ["btc-trend entry", "buy 0.001", "0.0004 of 0.001", "128 ms", "58,000.5", "42 s ago", "−12 ms"]
    for words in wanted:
        assert words in seen, words
    assert "no sleeve enters; open positions keep their stops" not in seen, "what the page says itself is not said twice"


@pytest.mark.parametrize(
    ("halted", "found", "spells", "value", "why"),
    [
        (False, {}, [], "may enter", ""),
        (False, {"blocked": {"start": "not compared"}}, [], "withheld", "start"),
        (False, {}, [{"what": "stream okx", "over_ms": None}, {"what": "old", "over_ms": 1}], "withheld", "stream okx"),
        (False, {}, [{"what": "venue of okx:B-U:perp", "over_ms": None}], "withheld", "venue of B-U perp (okx)"),
        (False, {}, [{"what": "a", "over_ms": None}, {"what": "b", "over_ms": None}], "withheld", "for 2 reasons, below"),
        (False, {"differences": [{"what": "cash"}]}, [{"what": "gate", "over_ms": None}], "withheld", "desk and venue differ"),
        (False, {"orphans": [{"lots": 1}]}, [], "withheld", "desk and venue differ"),
        (True, {"differences": [{"what": "cash"}]}, [], "withheld", "halted"),
    ],
)
def test_the_first_tiles_never_say_that_all_is_well_while_something_withholds_entries(
    halted: bool, found: dict[str, Any], spells: list[dict[str, Any]], value: str, why: str
) -> None:
    """A difference, an orphan, what is blocked, a halt: each shows, and nothing `agrees` while something differs."""
    answer = {"differences": [], "orphans": [], "blocked": {}} | found
    held = account() | {"spells": spells, "gate": None}
    shown = venue_account.tiles(held, {"halt": {"halted": halted}, "now_ms": NOW_MS}, [], answer)
    entries = next(tile for tile in shown if tile["name"] == "Entries")
    assert (entries["value"], entries["note"]) == (value, why)
    differ = bool(answer["differences"] or answer["orphans"])
    compared = next(tile for tile in shown if tile["name"].startswith("Desk and venue"))
    assert (compared["value"], compared["name"].endswith("agreed")) == (("differ", False) if differ else ("42 s ago", True))


def test_an_instrument_that_is_off_withholds_its_own_entries_alone() -> None:
    """The others may enter, and the tile says which may not."""
    spells = [{"what": "not traded: okx:B-U:perp", "over_ms": None}]
    shown = venue_account.tiles(account() | {"spells": spells, "gate": None}, {"now_ms": NOW_MS}, [], NO_DIFFERENCE)
    entries = next(tile for tile in shown if tile["name"] == "Entries")
    assert (entries["value"], entries["note"], entries["tone"]) == ("may enter", "not B-U perp (okx)", "wrn")


@pytest.mark.parametrize(("age_s", "tone"), [(42, ""), (149, ""), (151, "wrn")])
def test_an_agreement_of_long_ago_says_nothing_of_now(age_s: int, tone: str) -> None:
    """They are compared each minute: after two that found none it is amber."""
    held = account() | {"spells": [], "gate": None}
    held["pulse"] = held["pulse"] | {"compared_ms": NOW_MS - age_s * 1000}
    shown = venue_account.tiles(held, {"now_ms": NOW_MS}, [], NO_DIFFERENCE)
    compared = next(tile for tile in shown if tile["name"] == "Desk and venue agreed")
    assert (compared.get("tone", ""), compared["note"].endswith(", and not since")) == (tone, bool(tone))


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"worker": {"running": False}}, "no worker runs"),
        ({"checks": [{"name": "worker", "state": "bad"}]}, "the worker is silent"),
        ({"checks": [{"name": "worker", "state": "warning"}]}, ""),
    ],
)
def test_nothing_may_enter_without_a_worker(more: dict[str, Any], why: str) -> None:
    """The account may be well as it was last read: who would enter is not there."""
    answer = {"differences": [], "orphans": [], "blocked": {}}
    shown = venue_account.tiles(account() | {"spells": [], "gate": None}, {"now_ms": NOW_MS, **more}, [], answer)
    assert next(tile["note"] for tile in shown if tile["name"] == "Entries") == why


@pytest.mark.parametrize("unwell", [True, False])
def test_an_open_gate_claims_nothing_of_what_went_wrong_since(at_account: Fake, unwell: bool) -> None:
    """With an expired key its rows are of the hour in which it opened; each row that holds says what of."""
    held = account()
    spells = [held["spells"][0] | {"what": "venue of okx:BTC-USDT:perp"}] if unwell else [held["spells"][1]]
    names = ("fold", "account", "code", "steps", "reconcile", "probe", "round_trip")
    rows = [{"name": name, "ok": True, "why": "", "tries": 0, "consent": ""} for name in names]
    ROUTES["GET", "/api/account"] = lambda f, q, b: held | {"spells": spells, "gate": held["gate"] | {"open": True, "rows": rows}}
    seen = texts_of(page(tab="desk", view="account"))
    assert ("rows as of then; what is not well now is above" in seen, "open since" in seen) == (unwell, not unwell)
    assert all(words in seen for words in (*venue_account.GATE.values(), "counts in the lots and ticks"))
    assert set(names) == venue_account.GATE.keys()


def test_a_paper_desk_says_that_there_is_no_account(fake: Fake) -> None:
    """Its orders are of a simulated venue; nothing is claimed of a gate, a stream or a probe."""
    seen = texts_of(page(tab="desk", view="account"))
    assert "This desk trades no account" in seen
    assert not [words for words in ("Gate", "Probe", "Stream and polls", "may enter") if words in seen]


def test_a_desk_in_shadow_shows_no_gate_and_says_that_nothing_is_sent(at_account: Fake) -> None:
    """Why nothing enters is said; what an account alone has (gate, stream, probe, latency) is not claimed."""
    assert figures.SIMULATED == bodies.SIMULATED
    assert figures.OFF == bodies.OFF
    ROUTES[("GET", "/api/account")] = lambda f, q, b: account() | {"mode": "shadow", "gate": None, "pulse": None, "probes": []}
    seen = texts_of(page(tab="desk", view="account"))
    for words in ("In shadow of account main", "nothing is sent to it", "gate, since", "btc-trend entry"):
        assert words in seen, words
    assert not [words for words in ("has not asked it yet", "Stream and polls", "may enter") if words in seen]


def test_a_sleeves_orders_are_shown_alone_and_the_way_back_is_named(at_account: Fake) -> None:
    """From the sleeve's page: no other sleeve's order in between."""
    asked = list[str]()
    ROUTES["GET", "/api/orders"] = lambda f, q, b: asked.append(q.get("sleeve", "")) or {"items": [order()]}
    made = page(tab="desk", view="account", sleeve="btc-trend")
    assert asked == ["btc-trend"]
    back = next(button for button in made.button if button.key == "orders_all")
    assert back.label == "Orders of btc-trend alone: show all"
    back.click().run()
    assert asked[-1] == ""


def test_an_order_has_a_page_of_its_own_that_leads_to_the_operator(at_account: Fake) -> None:
    """Every state with its event; the question names the order's last event."""
    made = page(tab="desk", view="account", order=CID)
    seen = texts_of(made)
    for words in (
        "btc-trend, entry order",
        "0.0004 of 0.001 filled",
        "the venue calls it 77",
        "d-4",
        "Ask the operator about it",
    ):
        assert words in seen, words
    next(button for button in made.button if button.key == "order_ask").click().run()
    assert [body["text"] for _, path, body in at_account.asked if path == "/api/turns"] == ["explain d-4"]
    assert [body["role"] for _, path, body in at_account.asked if path == "/api/turns"] == ["operator"]


def test_a_halt_says_what_it_cancelled_and_closed_and_what_is_left(fake: Fake) -> None:
    """Not only that it was latched; and what a halt does at an account is not what it does on paper."""
    fake.desk["halt"] |= {"halted": True, "reason": "odd", "by": "vera", "since_ms": NOW_MS}
    step = {
        "what": "cancelled",
        "sleeve": "btc-trend",
        "slot": "entry",
        "side": "buy",
        "lots": 6,
        "quantity": 0.0006,
        "price": None,
        "order": CID,
    }
    steps = [
        step | {"at_ms": NOW_MS},
        step | {"slot": "protective", "side": "sell", "at_ms": NOW_MS},
        step | {"what": "closed", "slot": "exit", "side": "sell", "price": 58_000.0, "at_ms": NOW_MS},
    ]
    fake.halt_progress = {"state": "KILL_INCOMPLETE", "left": ["okx:BTC-USDT:perp: 4 lots, 1 orders"], "steps": steps}
    seen = texts_of(page(tab="desk"))
    assert "btc-trend stop, sell" in seen, "as in every other list"
    assert "2 orders cancelled, 1 exit has filled. Left: BTC-USDT perp (okx): 4 lots, 1 orders." in seen
    assert "at the next open" in seen
    assert seen.count("booked when it closes: 21 Sep 14:28:20Z desk time.") == 1
    fake.desk["mode"] = "testnet"
    makers = [{"name": "btc-1bps", "stopped": True}, {"name": "<b>eth", "stopped": False}]
    fake.halt_progress = {"state": "KILLED", "left": [], "steps": steps, "makers": makers}
    seen = texts_of(page(tab="proposals"))
    assert "maker btc-1bps:</b> stopped" in seen
    assert "maker &lt;b&gt;eth:</b> has not stopped yet" in seen
    assert "closed at the venue at once" in seen
    assert "nothing is left" in seen
    assert "booked when it closes" not in seen


@pytest.mark.parametrize(
    ("worker", "keeps"),
    [
        ({"running": True, "phase": "running"}, ""),
        ({"running": True, "phase": "waiting"}, " The worker waits for that bar: they stay open until it is there."),
        ({"running": False, "phase": "not running"}, " No worker runs: they stay open until one does."),
    ],
)
def test_an_incomplete_halt_on_paper_says_what_it_waits_for_and_until_when(worker: dict[str, Any], keeps: str) -> None:
    """The next bar, by the fastest sleeve, and what keeps it from coming."""
    sleeves = [sleeve("btc-trend") | {"timeframe": "1h"}, sleeve("eth-trend")]
    text = halt.waits_for(desk() | {"worker": worker}, sleeves)
    assert text == f"They leave at the open of the next bar, booked when it closes: 21 Sep 14:28:20Z desk time.{keeps}"
    assert halt.waits_for(desk() | {"desk_ms": None}, sleeves) == ""


def test_what_waits_for_a_person_has_its_command_once(at_account: Fake) -> None:
    """The worker's words end with it, too."""
    held = account()
    row = next(row for row in held["gate"]["rows"] if row["consent"])
    row["why"] = "it costs money, so a person consents: nightdesk live consent --as NAME"
    ROUTES["GET", "/api/account"] = lambda f, q, b: held
    note = texts_of(page(tab="desk", view="account")).partition("Waits for a person:")[2][:300]
    assert note.count("nightdesk live consent --as NAME") == 1


@pytest.mark.parametrize(("count", "cut"), [(3, False), (200, True)])
def test_a_list_that_is_cut_claims_nothing_of_what_it_leaves_out(at_account: Fake, count: int, cut: bool) -> None:
    """A night of refused stops fills it: the executions of the evening are older, and not none."""
    refused = [order(state="rejected", open=False, fills=[], filled_lots=0) for _ in range(count)]
    ROUTES["GET", "/api/orders"] = lambda f, q, b: {"items": refused}
    text = texts_of(page(tab="desk", view="account"))
    assert ("No execution of the newest 200 orders." in text, "200 ended of the newest 200;" in text) == (cut, cut)
    assert ("No execution in the last seven days" in text) is not cut


@pytest.mark.parametrize(
    ("steps", "why", "shown"),
    [
        ((("working", 0), ("done", 1)), "CANCELED", "ended at the venue, this desk did not ask for it"),
        ((("working", 0), ("done", 1)), "Deactivated EC_PerCancelRequest", "ended at the venue, this desk did not ask for it"),
        ((("working", 0), ("cancelling", 1), ("done", 2)), "Cancelled", ""),
        ((("working", 0), ("done", 1)), "FILLED", ""),
    ],
)
def test_an_order_that_somebody_else_ended_says_so(
    at_account: Fake, steps: tuple[tuple[str, int], ...], why: str, shown: str
) -> None:
    """A stop cut by hand at the venue is put back at once: the life of the one that was cut says that it was not the desk."""
    ROUTES["GET", f"/api/orders/{CID}"] = lambda f, q, b: order(states=states(*steps, why=why), state="done", open=False)
    text = texts_of(page(tab="desk", view="account", order=CID))
    assert (f"{why}: ended at the venue" in text) is bool(shown)
    assert shown in text


def test_prices_in_a_states_reason_are_written_as_prices() -> None:
    """Not as the machine holds them; ids, lots and short prices stay."""
    why = {"why": "from 2506.9500000000003 to 2474.63, 256 lots at 2474.7597674865533 of nd1.2345"}
    assert orders._why(why) == "from 2,506.95 to 2474.63, 256 lots at 2,474.76 of nd1.2345"

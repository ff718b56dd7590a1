"""Entries worked in slices on paper: children through the order life, halts and gaps between them, and the backtest's numbers."""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from app.api.models_sleeve import SleevePage
from app.cli.stories import desk_text
from app.home.home import Home, open_home
from app.views.desk_trip import desk_trip
from app.views.event_story import story
from app.views.sleeve_page import sleeve_page
from engine.book.order_events import act
from engine.book.replay import after, batches, fold, groups
from engine.book.snapshot import to_json
from engine.book.working import child_lots
from engine.control import halt
from engine.control.config import SleeveConfig, active, validated
from engine.core.orders import NO_ORDERS
from engine.core.state import ENTRY, FLAT, PROTECTIVE
from engine.errors import BadInput
from engine.live.loop import Loop
from engine.sim.backtest import Backtest
from engine.store.journal import verify
from engine.venues.paper import LEAST, PaperVenue
from engine.watch.desk_parents import parent_of, worked_entries
from tests.engine.parity.test_paper_is_the_backtest import check_nothing
from tests.fakes.papers import BAR_MS, WALL_MS, advanced, advanced_until, span
from tests.fakes.parity_desks import comparison, rewritten
from tests.fakes.versions import put_in_force
from tests.fakes.worked_desks import (
    OWN_MS,
    as_traded,
    backtest_of,
    backtested,
    changed,
    events,
    worked_home,
    worked_loop,
    working_parent,
)
from tools.catalog import call
from tools.common.contract import ToolContext

BARS = 3 * 96
SLEEVE = "btc-trend"


class Lived:
    """A desk that worked its entries for three days, and the backtest of the same days."""

    def __init__(self, home: Home, loop: Loop, run: Backtest) -> None:
        self.home, self.loop, self.run = home, loop, run


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    """Three sleeves, twap:6; nobody writes into it."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("worked") / "home"
        patch.setenv("NIGHTDESK_HOME", str(folder))
        home = worked_home(folder)
        loop = advanced(worked_loop(home), BARS)
        loop.journal.close()
        yield Lived(home, loop, backtest_of(home, BARS))


def check_is_its_backtest(loop: Loop, run: Backtest) -> None:
    """Fills, decisions and equity, bit for bit; and something was worked."""
    desk, wanted = as_traded(loop), backtested(run)
    for what, rows in wanted.items():
        assert desk[what] == rows, what
    assert run.parents["slices_done"].max() > 1


# ---- the backtest's numbers -----------------------------------------------------------------------------------------------


def test_three_days_trade_as_their_backtest(lived: Lived) -> None:
    """Every price, fee, size and the equity of every close of the clock; the journal folds to the same desk."""
    check_is_its_backtest(lived.loop, lived.run)
    assert verify(lived.loop.journal.path).ok
    assert to_json(fold(lived.loop.journal.path, whole=True)) == to_json(lived.loop.book)


@pytest.mark.slow
def test_parity_has_nothing_to_say(lived: Lived) -> None:
    """0.00 in every class, from the beginning and from a later day."""
    check_nothing(comparison(lived.home))
    check_nothing(comparison(lived.home, span().first_ms + 2 * 86_400_000))


def test_cost_against_arrival_is_the_backtests(lived: Lived) -> None:
    """Each parent of the journal, with its slices, against the run's; an event's own parent, as far as it had come."""
    for name in ("btc-trend", "eth-trend", "sol-reversion"):
        found = worked_entries(lived.home.desk_journal, name, 0, lived.loop.book.close_ms)
        table = lived.run.parents.filter(pl.col("sleeve") == name)
        assert found is not None
        rows = [{k: v for k, v in row.items() if k != "slices"} for row in found["orders"]][::-1]
        assert rows == table.to_dicts()
        assert (found["parents"], found["slices_done"]) == (len(table), table["slices_done"].sum())
        for row in found["orders"]:
            assert sum(part["filled_lots"] for part in row["slices"]) == row["lots_filled"] <= row["lots"]
            assert sum(part["filled_lots"] > 0 for part in row["slices"]) == row["slices_done"]
        json.dumps(found, allow_nan=False)
    fill = next(e for e in events(lived.loop, "fill") if e.body["slot"] == "entry" and e.body["order"].endswith("E01"))
    parent = parent_of(lived.home.desk_journal, fill)
    assert parent is not None
    assert (parent["decided_ms"], parent["slices_done"]) == (fill.body["decided_ms"], 2)


def test_explain_page_and_tool_show_the_parent_with_its_slices(lived: Lived) -> None:
    """Behind a fill: the decision, the intents of its slices so far, arrival, average and cost; the page has the whole parent."""
    path = lived.loop.journal.path
    fill = next(e for e in events(lived.loop, "fill") if e.body["slot"] == "entry" and e.body["order"].endswith("E02"))
    found = story(path, fill)
    assert [e["body"]["slice"] for e in found["before"] if e["kind"] == "intent"] == [1, 2, 3]
    assert found["before"][0]["kind"] == "decision"
    assert found["parent"]["slices_done"] == 3
    text = desk_text(found)
    assert "slice: 3" in text
    assert f"{found['parent']['cost_bps']:+.2f} bps" in text
    page = SleevePage(**sleeve_page(lived.home, fill.body["sleeve"]))
    assert page.execution == "twap:6"
    assert page.worked is not None
    assert [part.slice for part in page.worked.orders[-1].slices][:3] == [1, 2, 3]
    parts: Any = (lived.home.engine, lived.home.path, lived.home.catalog, None, lambda *_: "p-1")
    ctx = ToolContext(*parts, "operator", "t", "u", "ann", lived.loop.book.close_ms, WALL_MS)
    facts = {f.metric: f.value for f in call(ctx, "explain_event", {"event_id": fill.id}).facts if f.subject.startswith("parent")}
    assert (facts["cost_bps"], facts["slices_done"]) == (found["parent"]["cost_bps"], 3)
    trip = next(t for n in range(1, 9) if (t := desk_trip(lived.home.path, f"t{n}"))["trip"]["sleeve"] == fill.body["sleeve"])
    assert [step["decision"]["close_ms"] for step in trip["entries"]] == [trip["entries"][0]["decision"]["close_ms"]] * len(
        trip["entries"]
    )
    assert len(trip["entries"]) == page.worked.orders[-1].slices_done


def test_a_venue_without_a_price_for_so_little_refuses_the_slice(own_home: Path) -> None:
    """A small sleeve: the venue's least order is checked at the price of the slice; what it refuses is due with the next one."""
    home = worked_home(own_home, "twap:10", cash=60.0, participation_max=1.0)
    loop = advanced(worked_loop(home), 96)
    run = backtest_of(home, 96)
    loop.journal.close()
    check_is_its_backtest(loop, run)
    refused = [e for e in events(loop, "order") if e.body.get("why") == LEAST]
    assert refused
    parents = worked_entries(home.desk_journal, refused[0].body["sleeve"], 0, loop.book.close_ms)
    assert parents is not None
    assert any(part["why"] == LEAST and part["filled_lots"] == 0 for row in parents["orders"] for part in row["slices"])


@pytest.mark.slow
def test_missing_bars_are_slices_that_wait(own_home: Path) -> None:
    """Bars of the clock that were never recorded, the last one of an own bar among them: the backtest's fills all the same."""
    home = worked_home(
        own_home, participation_max=0.001, stop_atr=3.0, target_atr=4.0
    )  # no parent is done when its last bar is missing
    first = span().first_ms
    gone = [first + BAR_MS * n for n in (19, 31, 38, 63, 72)]
    for symbol in ("BTC-USDT", "ETH-USDT", "SOL-USDT"):
        rewritten(home, f"synthetic_{symbol}_perp_15m.parquet", lambda frame: frame.filter(~pl.col("ts").is_in(gone)))
    home = open_home(WALL_MS)
    loop = advanced(worked_loop(home), BARS)
    run = backtest_of(home, BARS)
    loop.journal.close()
    check_is_its_backtest(loop, run)
    assert any(e.body.get("why") == "there was no bar to fill on" for e in events(loop, "order"))


def test_the_drawdown_breaker_ends_a_parent_between_two_slices(own_home: Path) -> None:
    """The desk trips inside a bar that is worked: no further slice, and the rest is the backtest's."""
    home = worked_home(own_home, "twap:10", stop_atr=2.0, notional_frac_max=1.5)
    text = home.settings.desk_toml.read_text()
    assert "drawdown_frac_max = 0.15" in text
    home.settings.desk_toml.write_text(text.replace("drawdown_frac_max = 0.15", "drawdown_frac_max = 0.0004"))
    home = open_home(WALL_MS)
    loop = advanced_until(worked_loop(home), lambda book: book.desk.halted == 1)
    assert working_parent(loop.book), "another number: it has to trip while an entry is worked"
    sent = len(entries_of(loop))
    advanced(loop, 40)
    loop.journal.close()
    assert len(entries_of(loop)) == sent
    check_is_its_backtest(loop, backtest_of(home, loop.book.count))


def test_an_entry_that_outlived_its_bar_ends_at_the_next_one(own_home: Path) -> None:
    """Its last bar of the clock was missing and nothing has filled: no child is due, and the next own close begins anew."""
    loop = advanced_until(worked_loop(worked_home(own_home)), lambda book: book.sleeves[0].order.side != 0)
    book, loop.venue = loop.book, PaperVenue()
    order = book.sleeves[0].order._replace(decided_ms=book.sleeves[0].order.decided_ms - OWN_MS)
    book.sleeves[0], book.orders = book.sleeves[0]._replace(order=order, position=FLAT), NO_ORDERS
    assert child_lots(book, 0) == 0
    advanced(loop, 15)
    assert book.sleeves[0].order.key == order.key
    assert not [o for o in book.orders.open.values() if (o.sleeve, o.slot) == (0, ENTRY)], "nothing is ordered past its bar"
    advanced(loop, 1)
    assert book.sleeves[0].order.key != order.key
    loop.journal.close()


def test_a_desk_that_has_tripped_wants_no_child(own_home: Path) -> None:
    """Whatever tripped it, and before anybody has looked at the latch: what is due is not asked for, what works is taken back."""
    loop = advanced_until(worked_loop(worked_home(own_home)), lambda book: any(child_lots(book, s) for s in range(3)))
    loop.journal.close()
    book = loop.book
    s = next(n for n in range(3) if child_lots(book, n))
    assert [o.slot for o in book.orders.open.values() if o.sleeve == s] == [ENTRY]
    book.desk = book.desk._replace(halted=1)
    assert child_lots(book, s) == 0
    asked = [(kind, body.get("state")) for kind, body in act(book, [s], opens=True)]
    assert asked == [("order", "cancelling")]
    book.orders = NO_ORDERS
    assert act(book, [s], opens=True) == []


def entries_of(loop: Loop) -> list[Any]:
    """Intents of entry orders."""
    return [e for e in events(loop, "intent") if e.body["slot"] == "entry"]


# ---- the order life -------------------------------------------------------------------------------------------------------


def test_children_live_the_life_of_an_order_one_at_a_time(lived: Lived) -> None:
    """Intent, sent, answer, fill, end; numbered; never two of a parent at once, never more than the parent together."""
    approved = {(e.body["sleeve"], e.t_event_ms): e.body["size"]["approved_lots"] for e in events(lived.loop, "decision")
                if e.body["action"] == "enter"}  # fmt: skip
    of_parent, filled, kinds = defaultdict[tuple[str, int], list[int]](list), defaultdict[tuple[str, int], int](int), set[str]()
    standing, asked = set[tuple[str, int]](), dict[str, int]()
    for event in events(lived.loop, "intent", "order", "fill"):
        body = event.body
        if body.get("slot") != "entry":
            continue
        parent = (body["sleeve"], body["decided_ms"])
        kinds |= {f"{event.kind} {body.get('state', '')}".strip()}
        if event.kind == "intent":
            assert parent not in standing
            standing.add(parent)
            asked[body["order"]] = body["lots"]
            of_parent[parent].append(body["slice"])
            assert (body["slices"], body["type"], body["parent_lots"]) == (6, "market", approved[parent] - filled[parent])
            assert body["lots"] <= body["parent_lots"]
        elif event.kind == "fill":
            filled[parent] += body["lots"]
            assert filled[parent] <= approved[parent]
            if body["lots"] == asked[body["order"]]:  # the whole of its order: nothing more is reported
                standing.discard(parent)
        elif body["state"] in ("done", "rejected"):
            standing.discard(parent)
    assert kinds >= {"intent", "order working", "order done", "fill"}
    assert len(of_parent) > 10
    assert all(numbers == sorted(set(numbers)) and numbers[-1] <= 6 for numbers in of_parent.values())
    assert max(len(numbers) for numbers in of_parent.values()) == 6


def test_the_protective_order_covers_exactly_what_is_filled(lived: Lived) -> None:
    """At every mark, between any two slices: one protective order a layer, of its lots, at its level."""
    path, book, seen, parts = lived.loop.journal.path, None, 0, set[int]()
    for batch in batches(events(lived.loop)):
        for group in groups(batch):
            book = after(book, group, path)
        assert book is not None
        for s, sleeve in enumerate(book.sleeves):
            layers = sleeve.position.layers[: sleeve.position.open_layers]
            assert layers or batch[-1].kind != "mark" or sleeve.ledger.equity == sleeve.ledger.cash, (
                "one that has left is worth that"
            )
            stops = {o.key: o for o in book.orders.open.values() if (o.sleeve, o.slot) == (s, PROTECTIVE)}
            if any(order.in_doubt for order in book.orders.open.values()):
                continue  # within a batch's hand-over
            assert {layer.key: layer.lots for layer in layers if not layer.exit_pending} == {
                key: order.left for key, order in stops.items() if not any(la.key == key and la.exit_pending for la in layers)
            }
            seen += len(layers)
            parts |= {layer.lots for layer in layers if sleeve.order.side}
    assert seen > 100
    assert len(parts) > 20, "layers were seen between two slices"


def test_a_halt_between_two_slices_ends_the_parent(own_home: Path) -> None:
    """No further slice, also after a restart; what filled is protected until it leaves at the clock's next open, and a release
    begins anew. Parity knows the halt and nothing else.
    """
    home = worked_home(own_home)
    loop = advanced_until(worked_loop(home), working_parent)
    halt.set(home.path, "a test", {"name": "ann"}, WALL_MS, home.engine)
    loop.poll_controls()
    sent = len(entries_of(loop))
    assert not [o for o in loop.venue.orders.values() if o.slot == ENTRY]
    assert not working_parent(loop.book)
    loop.journal.close()
    loop = advanced(worked_loop(home, fold(home.desk_journal)), 1)
    assert loop.book.state == "halted"
    fills = [e.body for e in events(loop, "fill") if e.t_event_ms == loop.book.close_ms]
    assert {(body["slot"], body["reason"]) for body in fills} == {("exit", "halt")}
    assert len({body["sleeve"] for body in fills}) == 3
    advanced(loop, 40)
    assert len(entries_of(loop)) == sent
    halt.release(home.path, home.engine, halt.read(home.path, home.engine), {"name": "bob"}, "all clear", WALL_MS)
    advanced_until(loop, working_parent)
    advanced(loop, 20)
    loop.journal.close()
    found = comparison(home)
    assert found.unexplained_usd == 0.0
    assert found.cents("halted") == sum(share.desk - share.replay for share in found.shares) != 0


def test_a_halt_between_journal_and_hand_over_keeps_the_child_here(own_home: Path) -> None:
    """The child is journaled, then somebody halts: it never reaches the venue, and the parent is over."""
    home = worked_home(own_home)
    loop = advanced_until(worked_loop(home), working_parent)
    advanced_until(loop, lambda book: any(o.slot == ENTRY for o in book.orders.open.values()))
    loop.journal.close()
    left = fold(home.desk_journal)
    assert left is not None
    halt.set(home.path, "a test", {"name": "ann"}, WALL_MS, home.engine)
    loop = worked_loop(home, left)
    assert not [o for o in loop.book.orders.open.values() if o.slot == ENTRY]
    advanced(loop, 2)
    assert loop.book.state == "halted"
    loop.journal.close()


# ---- what cannot be worked, and changes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"execution": "pov:6"}, "write twap:6"),
        ({"execution": "twap:4"}, "5 to 10"),
        ({"execution": "twap:6", "timeframe": "1m"}, "use a longer timeframe"),
        ({"execution": "twap:6", "params": {"layers_max": 2}}, "positions of one layer"),
        ({"execution": "twap:6", "params": {"entry": "limit"}}, "works market entries"),
    ],
)
def test_what_cannot_be_worked_is_refused_in_words(home: Home, change: dict[str, Any], words: str) -> None:
    """The sleeve, what, and what to do; with the checks of `backtest --execution`."""
    config = active(home.engine, home.path).config
    sleeve = SleeveConfig.model_validate(config.sleeves[0].model_dump() | {"timeframe": "4h"} | change)
    with pytest.raises(BadInput) as caught:
        validated(config.with_sleeve(sleeve))
    assert words in str(caught.value)
    assert SLEEVE in str(caught.value)


def test_a_home_keeps_its_clock_and_a_schedule_is_a_setting(own_home: Path) -> None:
    """Turned off, entries go whole from the next flat sleeve on, on the same clock; turned on again they are worked. A sleeve on
    the clock's own timeframe cannot: the desk says so and stays on what it had.
    """
    home = worked_home(own_home, others=True)
    loop = advanced_until(worked_loop(home), working_parent)
    config = active(home.engine, home.path).config
    put_in_force(home.engine, home.path, validated(config.with_sleeve(changed(config.sleeve(SLEEVE), None))), WALL_MS)
    loop.poll_controls()
    assert [e.body["state"] for e in events(loop, "config") if e.body.get("sleeve") == SLEEVE] == ["waits"]
    advanced(loop, 4 * 16)
    whole = [e.body for e in entries_of(loop) if e.body["sleeve"] == SLEEVE][-1]
    assert "slice" not in whole
    quick = config.sleeve("eth-trend").model_copy(update={"execution": "twap:6"})
    put_in_force(home.engine, home.path, validated(config.with_sleeve(quick)), WALL_MS)
    before = loop.book.version
    loop.poll_controls()
    assert loop.book.version == before
    assert "this home walks 15m bars for its life" in events(loop, "incident")[-1].body["what"]
    put_in_force(home.engine, home.path, validated(config), WALL_MS)
    advanced(loop, 4 * 16)
    loop.journal.close()
    assert [e.body for e in entries_of(loop) if e.body["sleeve"] == SLEEVE][-1]["slices"] == 6
    check_nothing(comparison(home))

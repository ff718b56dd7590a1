"""A home with a basket: its paper days are its backtest's, from files to the journal; what people set moves all of its pairs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.home.accounts import AccountEntry, faults_of_trading
from app.home.home import Home, open_home
from engine.book.book import Book
from engine.book.replay import fold
from engine.book.snapshot import to_json
from engine.clock import HOUR_MS
from engine.control import halt
from engine.control.config import active, validated
from engine.core.state import HALT
from engine.data.timeframes import series_of
from engine.errors import BadInput
from engine.live import config_event
from engine.live.basket_bar import BasketBars
from engine.live.feed import begin_at, load
from engine.live.loop import Loop
from engine.sim.basket import simulate
from engine.sim.request import plan
from engine.sim.resolve import backtest_request
from engine.store.journal import read
from tests.fakes import papers
from tests.fakes.basket_desks import LEGS, PARAMS, basket_home, rewritten
from tests.fakes.papers import BAR_MS, WALL_MS, advanced, advanced_until, feed_of, loop_of, reconfigured, span

EAGER = {"enter": 0.8, "step_days": 0.25}


@pytest.fixture
def desk(own_home: Path) -> Iterator[tuple[Home, Loop]]:
    """A home with a basket, and its loop before the first bar."""
    home = basket_home(own_home, **EAGER)
    loop = loop_of(home, feed_of(home))
    yield home, loop
    loop.journal.close()


def is_in(book: Book) -> bool:
    """Some pair has lots."""
    return any(pair.lots_a or pair.lots_b for pair in pairs(book))


def pairs(book: Book) -> list:
    """The pairs of a desk."""
    assert book.basket is not None
    return book.basket.pairs


def entries(book: Book) -> int:
    """How many entries its basket has made."""
    assert book.basket is not None
    return book.basket.whole.entries


def test_paper_days_are_the_backtest(desk: tuple[Home, Loop]) -> None:
    """Equity at every close and what every pair has of every fill: the command's backtest of the same files."""
    home, loop = desk
    bars = 300
    advanced(loop, bars)
    given = {"strategy": "pairs", "symbol": ",".join(LEGS), "venue": "synthetic", "timeframe": "15m", "cash": 100_000.0}
    where = {"params": {**PARAMS, **EAGER}, "start": span().first_ms, "end": span().first_ms + bars * BAR_MS}
    asked = backtest_request(home.setup, home.catalog, given | where)
    run = simulate(plan(asked, home.catalog, home.strategies, home.setup.overrides, {}))
    marks = [event.body["equity"] for event in read(home.desk_journal, {"mark"})]
    assert marks[1:] == run.equity["equity"].to_list()
    fills = run.rows.filter(run.rows["kind"] == 4)
    told = [
        (event.t_event_ms, part["lots"], event.body["price"], part["fee"])
        for event in read(home.desk_journal, {"fill", "cross"})
        for part in event.body["parts"]
    ]
    assert told == list(zip(*(fills[name].to_list() for name in ("close_ms", "lots", "price", "fee")), strict=True))
    assert len(told) > 40


@pytest.mark.long
def test_recorded_hours_are_the_backtest(own_home: Path, market_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two thousand recorded hours, ten pairs, the strategy's own settings."""
    monkeypatch.setenv("NIGHTDESK_DATA", str(market_data))
    open_home(WALL_MS)
    coins, bars = (*LEGS, "XRP-USDT", "BNB-USDT"), 2_000
    home = rewritten(own_home, legs=coins, venue="binance", timeframe="1h", only={})
    series = series_of(home.catalog, config_event.columns(active(home.engine, home.path).config), "1h")
    begins = begin_at(series, HOUR_MS, 90)
    feed = load(home.catalog, series, HOUR_MS, begins, "recorded")
    monkeypatch.setattr(papers, "span", lambda: begins)
    loop = advanced(loop_of(home, feed), bars)
    loop.journal.close()
    where = {"start": begins.first_ms, "end": begins.first_ms + bars * HOUR_MS}
    given = {"strategy": "pairs", "symbol": ",".join(coins), "venue": "binance", "timeframe": "1h", "cash": 100_000.0}
    asked = backtest_request(home.setup, home.catalog, given | where)
    run = simulate(plan(asked, home.catalog, home.strategies, home.setup.overrides, {}))
    marks = [event.body["equity"] for event in read(home.desk_journal, {"mark"})]
    assert marks[1:] == run.equity["equity"].to_list()
    assert loop.book.basket is not None
    assert loop.book.basket.whole.ledger.trips > 20


def test_a_fold_of_the_whole_journal_is_the_desk(desk: tuple[Home, Loop]) -> None:
    """From its first event, and from its last snapshot."""
    home, loop = desk
    advanced(loop, 200)
    for whole in (True, False):
        found = fold(home.desk_journal, whole=whole)
        assert found is not None
        assert to_json(found) == to_json(loop.book)
    assert "snapshot" in {event.kind for event in read(home.desk_journal)}


def test_a_halt_takes_every_pair_out_and_a_release_lets_them_in(desk: tuple[Home, Loop]) -> None:
    """At the next open, for the reason halt; nothing enters meanwhile."""
    home, loop = desk
    advanced_until(loop, is_in)
    halt.set(home.path, "a drill", {"name": "kim"}, WALL_MS, home.engine)
    loop.poll_controls()
    assert all(pair.leaving == HALT for pair in pairs(loop.book) if pair.side)
    assert loop.book.state == "flattening"
    made = entries(loop.book)
    advanced_until(loop, lambda book: book.state == "halted", 30)
    assert not is_in(loop.book)
    advanced(loop, 60)
    assert entries(loop.book) == made
    last = [event.body for event in read(home.desk_journal, {"fill"})][-1]
    assert (last["slot"], last["reason"]) == ("exit", "halt")
    assert {part["reason"] for part in last["parts"]} == {"halt"}
    halt.release(home.path, home.engine, halt.read(home.path, home.engine), {"name": "bob"}, "all clear", WALL_MS)
    advanced_until(loop, is_in)
    assert loop.book.state == "running"


def test_a_halt_forgets_an_entry_that_has_not_traded(desk: tuple[Home, Loop]) -> None:
    """Its orders are cancelled at once, and no pair has it."""
    home, loop = desk
    advanced_until(loop, lambda book: any(pair.entering for pair in pairs(book)) and not is_in(book))
    halt.set(home.path, "a drill", {"name": "kim"}, WALL_MS, home.engine)
    loop.poll_controls()
    assert not any(pair.side for pair in pairs(loop.book))
    assert loop.book.state == "halted"
    assert not loop.book.orders.open
    fills = len(list(read(home.desk_journal, {"fill"})))
    advanced(loop, 5)
    assert len(list(read(home.desk_journal, {"fill"}))) == fills


def test_a_halt_between_journal_and_venue_keeps_the_entry_here(own_home: Path) -> None:
    """No order of an entry leaves after a halt, whenever it comes."""
    home = basket_home(own_home, **EAGER)
    loop = loop_of(home, feed_of(home))
    hand_over = loop._hand_over

    def halted_first(following: list) -> None:
        if any(kind == "intent" and body.get("enters") for kind, body in following):
            halt.set(home.path, "at the last moment", {"name": "ann"}, WALL_MS, home.engine)
        hand_over(following)

    loop._hand_over = halted_first  # type: ignore[method-assign]
    advanced_until(loop, lambda book: book.desk.halted)
    assert not loop.book.orders.open
    assert loop.venue.requests == []
    loop.journal.close()


@pytest.mark.parametrize("change", [{"paused": True}, {"stage": "retired"}], ids=["paused", "retired"])
def test_a_basket_that_is_paused_or_retired_enters_no_pair(desk: tuple[Home, Loop], change: dict) -> None:
    """What is in leaves as it would; the legs of one that is retired wind down until all pairs are out."""
    home, loop = desk
    advanced_until(loop, is_in)
    reconfigured(home, "pairs", **change)
    loop.poll_controls()
    made = entries(loop.book)
    if "stage" in change:
        assert loop.book.stage_reached(0) == "winding_down"
    advanced_until(loop, lambda book: not is_in(book))
    advanced(loop, 40)
    assert entries(loop.book) == made
    assert not loop.book.orders.open
    if "stage" in change:
        assert loop.book.stage_reached(0) == "retired"
    refused = [e.body["refused_by"] for e in read(home.desk_journal, {"decision"}) if e.body["action"] == "refused"]
    assert "entries paused" in refused


def test_a_basket_that_is_retired_withdraws_what_has_not_traded(desk: tuple[Home, Loop]) -> None:
    """Its entry orders are cancelled at once, as a sleeve's are."""
    home, loop = desk
    advanced_until(loop, lambda book: any(pair.entering for pair in pairs(book)) and not is_in(book))
    assert loop.book.orders.open
    reconfigured(home, "pairs", stage="retired")
    loop.poll_controls()
    assert not any(pair.side for pair in pairs(loop.book))
    assert not loop.book.orders.open
    assert loop.book.stage_reached(0) == "retired"


def test_bars_that_come_one_by_one_say_what_all_of_them_say(desk: tuple[Home, Loop]) -> None:
    """Log closes and fits of a close are the same bits from a feed that ends there and from one that goes on."""
    home, loop = desk
    whole = BasketBars(home.strategies)
    for t in (0, 40, 100, 333):
        feed = loop.feed._until(int(loop.feed.span.close_ms[t]))
        assert feed.bar_count == t + 1
        alone = BasketBars(home.strategies).body(loop.book, feed, t, growing=True)
        assert alone == whole.body(loop.book, loop.feed, t, growing=False)
        assert all(number is not None for fit in alone["fits"] for number in fit)


def test_a_pair_that_is_in_keeps_its_levels_under_a_new_version(desk: tuple[Home, Loop]) -> None:
    """The next entry of each has the new ones; what a person approved for open positions, too, moves those that are in."""
    home, loop = desk
    advanced_until(loop, is_in)
    kept = [p for p, pair in enumerate(pairs(loop.book)) if pair.side]
    version = reconfigured(home, "pairs", stop=5.0)
    loop.poll_controls()
    assert loop.book.version == version
    assert {pairs(loop.book)[p].stop for p in kept} == {PARAMS["stop"]}
    advanced_until(loop, lambda book: any(pair.stop == 5.0 for pair in pairs(book)))
    loop.take("config", loop.book.config | {"to_open": ["pairs"]})
    assert {pair.stop for pair in pairs(loop.book) if pair.side} == {5.0}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('[[sleeves]]\nname = "trend"\nstrategy = "trend"\nvenue = "synthetic"\nsymbol = "BTC-USDT"\n', "a home of its own"),
        ('side = "long"\n', "leave side out"),
        ('execution = "twap:3"\n', "leave execution out"),
        ('leg_of = "pairs"\n', "written by nobody"),
    ],
)
def test_what_a_basket_cannot_be_is_refused_in_one_line(own_home: Path, more: str, said: str) -> None:
    """Beside another sleeve, on one side, in slices, with an account."""
    with pytest.raises(BadInput) as refused:
        active_of(basket_home(own_home, more))
    assert said in f"{refused.value} {refused.value.hint}"


def active_of(home: Home) -> object:
    """The configuration in force."""
    return active(home.engine, home.path)


@pytest.mark.parametrize(
    "change", [{"account": "main"}, *({"stage": name} for name in ("shadow", "testnet", "live_small", "live"))]
)
def test_a_basket_goes_through_the_stages_as_any_sleeve(own_home: Path, change: dict) -> None:
    """In shadow and at an account, by its sleeve and by the desk's."""
    config = active(basket_home(own_home).engine, own_home).config
    validated(config.with_sleeve(config.sleeve("pairs").model_copy(update=change)))
    for mode in ("shadow", "testnet", "live"):
        entry = AccountEntry.model_construct(mode=mode, venue="synthetic")
        assert ("sleeves", 0, "legs") not in dict(faults_of_trading("main", {"main": entry}, False, config.sleeves))

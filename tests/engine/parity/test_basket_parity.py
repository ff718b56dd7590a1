"""A basket's days are its backtest to the cent; what goes another way is found again in its class."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from app.home.home import Home, open_home
from engine.book.basket_moves import leg_enters
from engine.book.bodies import OFF
from engine.control import halt
from engine.core.orders import VenueOrder
from engine.live.basket_bar import without_off
from engine.live.loop import Loop
from engine.parity.comparison import Comparison
from engine.parity.desk_drift import desk_drift
from engine.parity.desk_parity import desk_parity, report_of
from engine.parity.tape import tape_of
from engine.venues.shadow import ShadowVenue
from engine.watch.desk_trips import desk_trips
from tests.engine.parity.test_planted_causes import check_class
from tests.fakes.basket_desks import basket_home
from tests.fakes.papers import BAR_MS, DAY_MS, WALL_MS, advanced, feed_of, loop_of, reconfigured
from tests.fakes.parity_desks import comparison, rewritten

BARS = 200
EAGER = {"enter": 0.8, "step_days": 0.25}


def lived(folder: Path, go: Callable[[Home, Loop], None] = lambda _home, _loop: None, before: int = 60) -> Home:
    """A home with a basket that has lived BARS bars; `go` is given home and loop after the first of them."""
    home = basket_home(folder, **EAGER)
    loop = advanced(loop_of(home, feed_of(home)), before)
    go(home, loop)
    advanced(loop, BARS - before)
    loop.journal.close()
    return open_home(WALL_MS)


def test_a_paper_basket_is_its_backtest_to_the_cent(own_home: Path) -> None:
    """All of its trips, with no cause asked for; from a midnight as from its beginning; and so says the report."""
    home = lived(own_home)
    found = comparison(home)
    trips = desk_trips(home.path)
    assert [pair.desk["trip"] for pair in found.pairs if pair.desk] == trips["trip"].to_list()
    assert len(found.pairs) == len(trips) > 5
    assert not any(pair.differs for pair in found.pairs)
    (share,) = found.shares
    assert (share.sleeve, share.difference, set(share.classes.values())) == ("pairs", 0, {0})
    assert share.desk == round(100 * (tape_of(home.path).equity["pairs"] - 100_000.0))
    first = tape_of(home.path)
    later = comparison(home, first.start_ms + DAY_MS)
    assert later.bars < found.bars
    assert later.difference == 0
    assert not any(pair.differs for pair in later.pairs)
    report = report_of(found)
    assert (report["unexplained_usd"], report["difference_usd"], report["pairs"]) == (0.0, 0.0, len(trips))


def test_the_command_and_the_drift_of_a_basket(own_home: Path) -> None:
    """As JSON, of the basket by its name; a leg is no sleeve that could be compared alone."""
    home = lived(own_home)
    report = desk_parity(home.setup, home.engine, home.catalog, None, "pairs", lambda _done: None, WALL_MS)
    assert [one["sleeve"] for one in report["sleeves"]] == ["pairs"]
    assert report["pairs"] > 5
    with pytest.raises(Exception, match="no sleeve 'pairs-btc-usdt'"):
        desk_parity(home.setup, home.engine, home.catalog, None, "pairs-btc-usdt", lambda _done: None, WALL_MS)
    drift = desk_drift(home.setup, home.engine, home.catalog, None, None, [], lambda _done: None)
    (pair,) = drift["pairs"]
    assert (pair["sleeve"], pair["one"], pair["other"], pair["difference_usd"]) == ("pairs", "paper", "backtest", 0.0)
    assert pair["worse"]["verdict"] == "the same"


def paused(home: Home, loop: Loop) -> None:
    """A day without entries by a person's pause."""
    reconfigured(home, "pairs", paused=True)
    loop.poll_controls()
    advanced(loop, 96)
    reconfigured(home, "pairs", paused=False)
    loop.poll_controls()


def halted(home: Home, loop: Loop) -> None:
    """A halt, released half a day later."""
    halt.set(home.path, "a drill", {"name": "kim"}, WALL_MS, home.engine)
    loop.poll_controls()
    advanced(loop, 48)
    halt.release(home.path, home.engine, halt.read(home.path, home.engine), {"name": "bob"}, "all clear", WALL_MS)
    loop.poll_controls()


def unwell(_home: Home, loop: Loop) -> None:
    """A day in which something outside was not well."""
    loop.take("health", {"what": "stream", "state": "begun", "why": "silent"})
    advanced(loop, 96)
    loop.take("health", {"what": "stream", "state": "over", "why": ""})


def untraded(_home: Home, loop: Loop) -> None:
    """A day in which a venue did not trade a leg: at an account its pairs have no fit then."""
    body, book = loop.basket_bars.body, loop.book
    assert book is not None

    def without(*about: Any, **named: Any) -> Any:
        return without_off(book, {"basket": body(*about, **named)})["basket"]

    what = f"{OFF}{book.specs[1].source['instrument']}"
    loop.take("health", {"what": what, "state": "begun", "why": "suspend"})
    loop.basket_bars.body = without  # type: ignore[method-assign]
    advanced(loop, 96)
    loop.basket_bars.body = body  # type: ignore[method-assign]
    loop.take("health", {"what": what, "state": "over", "why": ""})


STATES = [(paused, "paused"), (halted, "halted"), (unwell, "blocked"), (untraded, "blocked")]


@pytest.mark.sample(1)
@pytest.mark.parametrize(("go", "name"), STATES)
def test_what_people_and_the_venue_did_is_their_class(own_home: Path, go: Callable[..., None], name: str) -> None:
    """All but a tenth of the difference, and nothing is unexplained."""
    check_class(comparison(lived(own_home, go)), name)


def test_what_has_changed_since_is_its_class(own_home: Path) -> None:
    """Fees of desk.toml, a settlement, and a close that moves the fits of later days."""
    home = lived(own_home)
    text = home.settings.desk_toml.read_text()
    dearer = "".join(f'[instruments."synthetic:{coin}-USDT:perp"]\ntaker_frac = 0.001\n' for coin in ("BTC", "ETH", "SOL"))
    home.settings.desk_toml.write_text(text + dearer)
    check_class(comparison(open_home(WALL_MS)), "fee")
    home.settings.desk_toml.write_text(text)
    start_ms = tape_of(home.path).start_ms
    late = pl.when(pl.col("ts") >= start_ms).then(pl.col("rate") + 0.002).otherwise("rate").alias("rate")
    rewritten(home, "*ETH-USDT_perp_funding.parquet", lambda frame: frame.with_columns(late))
    check_class(comparison(open_home(WALL_MS)), "funding")


@pytest.mark.slow
def test_a_bar_that_was_corrected_moves_its_pairs_alone(own_home: Path) -> None:
    """The venue's file has another close where a pair is in: class data."""
    home = lived(own_home)
    start_ms = tape_of(home.path).start_ms + 80 * BAR_MS

    def corrected(frame: pl.DataFrame) -> pl.DataFrame:
        moved = pl.when(pl.col("ts").is_between(start_ms, start_ms + 8 * BAR_MS)).then(pl.col("close") * 1.02)
        close = moved.otherwise("close")
        return frame.with_columns(close.alias("close"), pl.max_horizontal("high", close).alias("high"))

    rewritten(home, "*BTC-USDT_perp_15m.parquet", corrected)
    check_class(comparison(open_home(WALL_MS)), "data")


@pytest.mark.slow
def test_another_fit_than_its_code_gives_is_a_feature(own_home: Path) -> None:
    """What the worker decided by is journaled: other hedge ratios are found, and are nobody's fault of pricing."""

    def skewed(_home: Home, loop: Loop) -> None:
        own = loop.basket_bars.body

        def body(*given: Any, **more: Any) -> dict[str, Any]:
            found = own(*given, **more)
            fits = [[hedge, None if inside is None else inside + 0.004, dev] for hedge, inside, dev in found["fits"]]
            return found | {"fits": fits}

        loop.basket_bars.body = body  # type: ignore[method-assign]

    check_class(comparison(lived(own_home, skewed)), "feature")


@pytest.mark.slow
def test_legs_that_were_refused_are_missed(own_home: Path) -> None:
    """The account would not have taken some entries: what the backtest made with them is named, and nothing is unexplained."""

    def refusing(_home: Home, loop: Loop) -> None:
        count = [0]

        def refuses(order: VenueOrder) -> str:
            count[0] += leg_enters(loop.book, order.sleeve)
            return "no margin" if leg_enters(loop.book, order.sleeve) and count[0] % 4 == 0 else ""

        loop.venue = ShadowVenue(loop.book.orders.open.values(), refuses, lambda _order, _why: None)

    found: Comparison = comparison(lived(own_home, refusing))
    assert found.difference != 0
    assert sum(share.classes["missed"] != 0 for share in found.shares)
    for share in found.shares:
        assert sum(share.classes.values()) == share.difference

"""A paper desk with a basket as people see it: sums of legs and pairs, status, page, trips, explanations, and one line of refusal
where a figure of one instrument would be wrong."""

from typing import Any

import pytest

from app.api.models_sleeve import SleevePage
from app.audit.audit import audit
from app.cli.basket_text import basket_lines
from app.cli.journal import close_of_desk
from app.home.home import Home, open_home
from app.views.event_story import story
from app.views.sleeve_page import sleeve_page
from engine.book.order_laws import OrderLaws
from engine.core.state import RULES
from engine.store.journal import read
from engine.watch.desk_view import desk_view
from engine.watch.identity import identity
from engine.watch.quiet_closes import closes_of
from engine.watch.shock import shock, shocks
from engine.watch.stress import worst_days
from tests.app.api.conftest import Served
from tests.fakes.basket_desks import LEGS, basket_home
from tests.fakes.papers import WALL_MS, advanced, advanced_until, feed_of, loop_of
from tools.common.event_text import event_line

CENT = 0.01
LEG_NAMES = [f"pairs-{leg.lower()}" for leg in LEGS]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A home that has lived two days and holds a pair."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("basket") / "home"
        patch.setenv("NIGHTDESK_HOME", str(folder))
        home = basket_home(folder, enter=0.8, step_days=0.25)
        loop = advanced(loop_of(home, feed_of(home)), 190)
        advanced_until(loop, lambda book: any(pair.lots_a for pair in book.basket.pairs))
        loop.journal.close()
        yield open_home(WALL_MS)


def mark_of(home: Home) -> dict[str, Any]:
    """The last mark."""
    return list(read(home.desk_journal, {"mark"}))[-1].body


def test_legs_and_pairs_sum_to_the_basket(lived: Home) -> None:
    """Each leg is shown with its part of the cash; what pairs have made is what the desk has."""
    mark = mark_of(lived)
    basket = mark["basket"]
    assert sum(leg["equity"] for leg in mark["sleeves"].values()) == pytest.approx(mark["equity"], abs=CENT)
    assert sum(pair["pnl"] for pair in basket["pairs"]) == pytest.approx(mark["equity"] - 100_000.0, abs=CENT)
    for name in ("fees", "funding"):
        assert sum(leg[name] for leg in mark["sleeves"].values()) == pytest.approx(basket[name], abs=CENT)
    held = sum(leg["position"]["notional"] for leg in mark["sleeves"].values() if "position" in leg)
    assert held == pytest.approx(basket["gross"]) == pytest.approx(mark["gross"])
    first = next(e.body for e in read(lived.desk_journal, {"mark"}) if e.body["bars"] == mark["bars"] // 96 * 96)
    lost = 1.0 - mark["equity"] / first["equity"]
    for leg in mark["sleeves"].values():
        assert 1.0 - leg["equity"] / leg["guard"]["day_equity"] == pytest.approx(lost, abs=1e-3), "the basket's loss of the day"
    whole = identity(lived.path)
    assert whole is not None
    assert whole.holds


def test_the_routes_of_the_page_know_each_leg(lived: Home) -> None:
    """Figures, candles, trips and curve of every leg; the basket itself has no page."""
    served = Served(lived)
    try:
        with served.client() as client:
            assert [(one["name"], one["leg_of"]) for one in client.get("/api/sleeves").json()["items"]] == [
                (name, "pairs") for name in LEG_NAMES
            ]
            for name in LEG_NAMES:
                for path in (
                    "sleeves/{}",
                    "sleeves/{}/trips",
                    "desk/candles?sleeve={}",
                    "desk/equity?sleeve={}",
                    "desk/lately?sleeve={}",
                ):
                    assert client.get(f"/api/{path.format(name)}").status_code == 200, path
            assert client.get("/api/sleeves/pairs").status_code == 404
    finally:
        served.stop()


def test_status_says_each_pair(lived: Home) -> None:
    """Name, side, spread, what it has made, what it risks."""
    view = desk_view(lived.path, lived.engine)
    assert list(view.sleeves) == LEG_NAMES
    lines = basket_lines(view.basket)
    assert len(lines) == 4
    inside = next(line for line in lines[1:] if " flat " not in line)
    assert "spread " in inside
    assert "risk " in inside


def test_the_page_of_a_leg_has_the_pairs_of_its_basket(lived: Home) -> None:
    """What a person changes there is the basket; a leg has no liquidation of its own."""
    for name in LEG_NAMES:
        page = sleeve_page(lived, name)
        assert SleevePage(**page).basket is not None, "as the API gives it"
        assert (page["configured"], page["version"], page["strategy"]) == ("pairs", 1, "pairs")
        there = {pair["pair"] for pair in page["basket"]["pairs"]}
        assert there == {"BTC-USDT ETH-USDT", "BTC-USDT SOL-USDT", "ETH-USDT SOL-USDT"}
        assert page["position"] is None or page["position"]["liquidation"]["price"] is None


def test_an_exit_is_explained_by_its_pair_its_spread_and_why(lived: Home) -> None:
    """The fill names the pair, the decision before it the deviation and the reason."""
    left = next(e for e in read(lived.desk_journal, {"fill"}) if any("reason" in part for part in e.body["parts"]))
    part = next(part for part in left.body["parts"] if "reason" in part)
    assert f"{part['pair']} {part['side']}" in event_line(left)
    assert part["reason"] in event_line(left)
    before = [e for e in story(lived.desk_journal, left)["before"] if e["kind"] == "decision"]
    decided = next(e["body"] for e in before if e["body"]["pair"] == part["pair"])
    assert (decided["action"], decided["reason"]) == ("exit", part["reason"])
    assert decided["z"] is not None


def test_the_laws_of_orders_hold(lived: Home) -> None:
    """Those that a journal can be checked for by itself."""
    assert OrderLaws().read(read(lived.desk_journal)) == []


def test_the_law_sees_a_leg_that_leaves_more_than_it_has(lived: Home) -> None:
    """As many lots as are there, and one more."""
    events = list(read(lived.desk_journal))
    at = next(n for n, e in enumerate(events) if e.kind == "fill" and e.body["slot"] == "exit")
    more = events[at]._replace(body={**events[at].body, "lots": 10 * events[at].body["lots"]})
    assert any(line.startswith("I6") for line in OrderLaws().read([*events[:at], more]))


def test_an_audit_asks_of_each_leg(lived: Home) -> None:
    """By the version of the basket, which all of them run."""
    found = {line["name"]: line for line in audit(lived, WALL_MS, LEG_NAMES[0])["points"]}
    assert found["live.version"]["state"] == "holds"
    assert found["live.parameters"]["state"] == "holds"


def test_a_move_of_prices_and_the_worst_days_are_the_baskets(lived: Home) -> None:
    """Leg by leg, with the pairs' orders and stops: long and short legs make up for most of a common move."""
    mark = mark_of(lived)
    found = shock(lived.path, -0.1)
    assert found is not None
    assert found.before == pytest.approx(mark["equity"])
    assert [one.sleeve for one in found.sleeves] == LEG_NAMES
    held = sum(leg["position"]["notional"] for leg in mark["sleeves"].values() if "position" in leg)
    assert held > 0.0
    assert abs(found.after - found.before) < 0.06 * held, "a tenth of it, were all of it on one side"
    assert [one.move_frac for one in shocks(lived.path, 0.1)] == [-0.1, -0.1, 0.1, 0.1]
    days = worst_days(lived.path, lived.catalog, 3)
    assert days is not None
    assert days.before == pytest.approx(mark["equity"])
    assert 0 < len(days.days) <= 3
    assert [day.lowest for day in days.days] == sorted(day.lowest for day in days.days)


def test_why_a_leg_did_not_trade_names_its_pairs(lived: Home) -> None:
    """The spread below its entry, the fit that is missing, the pair that is in: not that there was no signal."""
    marks = list(read(lived.desk_journal, {"mark"}))
    name, symbol = LEG_NAMES[1], LEGS[1]
    seen = set[str]()
    for mark in marks[40::30]:
        found = close_of_desk(lived.desk_journal, name, mark.t_event_ms)
        assert "no signal" not in found["text"]
        for pair in mark.body["basket"]["pairs"]:
            assert (pair["pair"] in found["text"]) == (symbol in pair["pair"].split())
        seen |= {word for word in ("below the entry at 0.8", "refused by", "long", "short") if word in found["text"]}
    assert {"below the entry at 0.8", "long", "short"} & seen
    counts = closes_of(lived.desk_journal, name, -1, marks[-1].t_event_ms)
    assert sum(one.closes for one in counts) == len({mark.t_event_ms for mark in marks[1:]})
    kinds = {one.what for one in counts}
    assert "no signal" not in kinds
    assert {"in a pair", "spread below entry"} <= kinds
    assert {one.what for one in counts if one.blocked} <= set(RULES)

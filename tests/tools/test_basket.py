"""What the assistant's tools show of a basket: pairs with spread, hedge ratio, legs and P&L, its ledger, and why a leg traded
nothing.
"""

import re
from typing import Any

import pytest

from app.home.home import open_home
from engine.store.journal import read
from tests.fakes.basket_desks import LEGS, basket_home
from tests.fakes.papers import WALL_MS, advanced, advanced_until, feed_of, loop_of
from tools.catalog import call

LEG = "pairs-eth-usdt"


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A home whose basket is in a pair."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("basket") / "home"
        patch.setenv("NIGHTDESK_HOME", str(folder))
        home = basket_home(folder, enter=0.8, step_days=0.25)
        loop = advanced(loop_of(home, feed_of(home)), 150)
        advanced_until(loop, lambda book: any(pair.lots_a for pair in book.basket.pairs))
        loop.journal.close()
        yield open_home(WALL_MS)


@pytest.fixture
def ctx(lived: Any, make_ctx: Any) -> Any:
    """An operator who asks about it."""
    mark = list(read(lived.desk_journal, {"mark"}))[-1]
    return make_ctx("operator", desk_ms=mark.t_event_ms, home=lived.path, engine=lived.engine, catalog=lived.catalog)


def resolves(ctx: Any, result: Any) -> None:
    """Every reference of text and table is a fact."""
    for ref in re.findall(r"\{(\w+\.\w+)\}", result.text + str(result.table)):
        assert ref in ctx.facts, ref


def body_of(lived: Any) -> dict[str, Any]:
    """The last mark."""
    return list(read(lived.desk_journal, {"mark"}))[-1].body


@pytest.mark.parametrize("tool", ["desk", "sleeves"])
def test_a_row_is_a_pair_and_the_ledger_is_the_baskets(ctx: Any, lived: Any, tool: str) -> None:
    """Hedge ratio, spread, legs with their lots, what it made; net legs with their stops are in the sentence."""
    result, mark = call(ctx, tool, {}), body_of(lived)
    resolves(ctx, result)
    assert [row[0] for row in result.table.rows] == [pair["pair"] for pair in mark["basket"]["pairs"]]
    inside = next(n for n, pair in enumerate(mark["basket"]["pairs"]) if pair.get("lots"))
    row, pair = result.table.rows[inside], mark["basket"]["pairs"][inside]
    for place, key in ((2, "z"), (3, "hedge"), (5, "pnl"), (7, "risk")):
        assert ctx.facts[row[place].strip("{}")].value == pair[key]
    assert all(f"{leg} {lots:+,}" in row[4] for leg, lots in pair["lots"].items())
    for name in ("equity", "cash", "fees", "funding"):
        assert ctx.facts[f"b1.{name}"].value == mark["basket"][name]
    for name, leg in mark["sleeves"].items():
        assert (f"{name} {leg['position']['side']}" if "position" in leg else f"{name} flat") in result.text


def test_a_leg_shows_the_pairs_that_have_it(ctx: Any) -> None:
    """Two of three."""
    rows = call(ctx, "sleeves", {"sleeve": LEG}).table.rows
    assert [row[0] for row in rows] == [f"{LEGS[0]} {LEGS[1]}", f"{LEGS[1]} {LEGS[2]}"]


def test_why_a_leg_did_not_trade(ctx: Any, lived: Any) -> None:
    """Its pairs, each with its reason, and the decisions about them at that close."""
    seen = 0
    for mark in list(read(lived.desk_journal, {"mark"}))[30::25]:
        result = call(ctx, "explain_event", {"sleeve": LEG, "at": str(mark.t_event_ms)})
        assert result.status == "ok", result.text
        assert "no signal" not in result.text
        assert f"{LEGS[0]} {LEGS[1]}: " in result.text
        assert f"{LEGS[0]} {LEGS[2]}: " not in result.text
        seen += "below the entry at 0.8" in result.text
        resolves(ctx, result)
    assert seen


def test_trips_are_those_of_pairs(ctx: Any) -> None:
    """By leg, and by pair."""
    of_leg = call(ctx, "trips", {"sleeve": LEG})
    assert of_leg.status == "ok", of_leg.text
    assert {row[0] for row in of_leg.table.rows if "-" in row[0]} <= {f"{LEGS[0]} {LEGS[1]}", f"{LEGS[1]} {LEGS[2]}"}

"""How exposure adds up: the same numbers as the guardrails' own, and a verdict on two positions that is theirs to check."""

from math import nan
from types import SimpleNamespace
from typing import Any

import pytest

from app.api.figures import exposure_of_desk
from app.home.home import Home, open_home
from engine.book.events import mark
from engine.control.limits import limits_of
from engine.watch.concentration import desk_exposure, exposure_of
from tests.fakes.papers import WALL_MS, advanced_until, feed_of, furnished, loop_of
from tests.fakes.papers import holding as holds
from tools.catalog import call


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A desk that holds something: its home and its book."""
    path = furnished(tmp_path_factory.mktemp("concentration"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTDESK_HOME", str(path))
        home: Home = open_home(WALL_MS)
        loop = advanced_until(loop_of(home, feed_of(home)), holds)
        loop.journal.sync()
        loop.journal.close()
        yield home, loop.book


def test_it_is_counted_as_the_guardrail_counts_it(desk: Any) -> None:
    """Gross and correlated exposure are the mark's, each grouping sums to the whole, and it is None before the first bar."""
    home, book = desk
    found, body = desk_exposure(home.path), mark(book)[1]
    assert found is not None
    assert (found.gross, found.correlated, found.equity) == (body["gross"], body["correlated"], body["equity"])
    for shares in (found.sleeves, found.instruments, found.strategies):
        assert sum(share.exposure for share in shares) == pytest.approx(found.gross)
    assert {share.name for share in found.sleeves} == set(book.names)
    assert found.alike_frac == pytest.approx(found.correlated / found.gross)
    assert desk_exposure(home.path / "nowhere") is None
    at: Any = SimpleNamespace(path=home.path)
    route = exposure_of_desk(at, None).model_dump()
    assert (route["gross"], route["limits"]["correlated_frac_max"]) == (found.gross, limits_of(home.path).correlated_frac_max)
    assert [share["name"] for share in route["sleeves"]] == book.names


def test_a_sleeve_that_turns_over_holds_both_sides(desk: Any) -> None:
    """Between the close of a reversal and the next open: it holds one side and has ordered the other."""
    _, book = desk
    s = next(s for s, sleeve in enumerate(book.sleeves) if sleeve.position.open_layers)
    before = book.sleeves[s]
    order = before.order._replace(side=-before.position.side, lots=1, notional=100.0)
    book.sleeves[s] = before._replace(order=order)
    try:
        found = {share.name: share.side for share in exposure_of(book, "d-1", 0).sleeves}
    finally:
        book.sleeves[s] = before
    assert found[book.names[s]] == "mixed"


@pytest.mark.parametrize(
    ("sides", "correlation", "reads"),
    [((1, 1), 0.9, "same bet"), ((-1, -1), 0.7, "same bet"), ((1, -1), 0.9, "hedge"), ((1, -1), -0.9, "same bet"),
     ((1, 1), 0.69, "apart"), ((1, 1), nan, "not known"), ((1, 0), 0.9, "not held")],
)  # fmt: skip
def test_two_positions_are_one_bet_when_they_move_together(
    desk: Any, sides: tuple[int, int], correlation: float, reads: str
) -> None:
    """The same side of what moves together, or opposite sides of what moves apart; unknown is never a verdict."""
    _, book = desk
    kept = list(book.sleeves), list(book.correlations)
    width = len(book.columns)
    for s, side in enumerate((*sides, 0)):
        sleeve, amount = kept[0][s], 1_000.0 * abs(side)
        position = sleeve.position._replace(side=side, open_layers=abs(side))
        order = sleeve.order._replace(side=0, notional=0.0)
        book.sleeves[s] = sleeve._replace(position=position, order=order, ledger=sleeve.ledger._replace(notional=amount))
    book.correlations[1] = book.correlations[width] = correlation
    found = exposure_of(book, "d-1", 0)
    book.sleeves[:], book.correlations[:] = kept
    pair = next(p for p in found.pairs if {p.one, p.other} == set(book.instruments[:2]))
    assert pair.reads == reads
    if reads == "not known":
        assert found.correlated == pytest.approx(2_000.0), "what is not known counts as the worst"


def test_the_tool_says_it_in_a_sentence(desk: Any, make_ctx: Any) -> None:
    """Verdict first, limits beside; a desk that never ran says so."""
    home, book = desk
    ctx = make_ctx("advisor", home=home.path, engine=home.engine, desk_ms=book.close_ms)
    result = call(ctx, "exposure", {})
    gross = next(f for f in result.facts if f.metric == "gross")
    assert (result.status, gross.value) == ("ok", mark(book)[1]["gross"])
    assert any(row[0] == "pair" for row in result.table.rows)
    assert call(make_ctx("advisor"), "exposure", {}).status == "no_data"

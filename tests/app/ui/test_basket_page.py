"""A basket's run on the page and in its report: what each pair and leg made, its trips by leg, and no chart that has nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.ui import runs, trip_panel
from app.ui.trip_panel import reasons
from engine.sim import report
from engine.sim.basket_trips import LegPart, PairTrip, trips_frame
from tests.app.ui import fake_api, fake_market
from tests.app.ui.fake_api import Fake
from tests.app.ui.looking import page, texts_of
from tests.app.ui.test_page_runs import drawn
from tests.engine.sim.test_report import START, run_of

COINS = ("BTC-USDT", "ETH-USDT", "SOL-USDT")
HOUR_MS = 3_600_000
PAIRS = [(0, 1), (0, 2), (1, 2)]
MADE = {"gross": 2.0, "slippage": 0.5, "fees": 1.0, "funding": -0.25, "net": 0.25}


def basket_run() -> dict[str, Any]:
    """A run's JSON with what a basket adds."""
    of: dict[str, Any] = run_of()  # type: ignore[no-untyped-call]  # as its own tests have it
    sleeves = [of["sleeves"][0] | {"name": f"pairs {coin}", "strategy": "pairs", "symbol": coin} for coin in COINS]
    pairs = [
        {"name": f"{COINS[a]} {COINS[b]}", **MADE, "net": 0.25 + n, "legs": [{"symbol": COINS[leg], **MADE} for leg in (a, b)]}
        for n, (a, b) in enumerate(PAIRS)
    ]
    about = {"strategy": "pairs", "venue": "binance", "symbol": ",".join(COINS), "symbols": list(COINS)}
    return of | about | {"sleeves": sleeves, "pairs": pairs, "legs": [{"symbol": coin, **MADE} for coin in COINS]}


def of_pairs(count: int = 6) -> Any:
    """Round trips of three pairs in turn."""
    part = LegPart(10, 100.0, 101.0, 2.0, 0.5, 1.0, -0.25)
    table = [
        PairTrip(n % 3, 1, START + n * HOUR_MS, START + (n + 2) * HOUR_MS, "signal", 20.0, n, n + 1, (part, part))
        for n in range(count)
    ]
    return trips_frame(table, COINS, [f"binance:{coin}:perp" for coin in COINS], PAIRS, HOUR_MS)


def shown(trips: Any) -> dict[str, Any]:
    """Its figures, as the API gives them."""
    close_ms, equity = START + HOUR_MS * np.arange(1, 97), 10_000 - np.arange(96.0)
    return report.figures(basket_run(), close_ms, {"pessimistic": equity}, trips, report_breakers(), equity)


def report_breakers() -> Any:
    """None tripped."""
    from engine.sim import trips as reading

    return reading.breakers(reading.no_rows(), [])


def test_the_page_shows_pairs_legs_and_the_trips_of_the_chosen_leg(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Best pair first, its legs under it; the list holds the pairs that have the leg whose candles are drawn."""
    monkeypatch.setattr(fake_api, "run_figures", lambda _about: shown(of_pairs()))
    fake.runs[0] |= {key: value for key, value in basket_run().items() if key not in ("run_id", "data")}
    at = page(tab="runs", run="r-1")
    text = texts_of(at)
    assert text.index("What each pair made") < text.index("ETH-USDT SOL-USDT") < text.index("BTC-USDT SOL-USDT")
    assert "By pair" in text
    assert "4 of BTC-USDT, of 6 in all" in text
    assert f"pairs on binance {', '.join(COINS)}" in text
    (listed,) = [data for data in drawn(at) if data["kind"] == "table"]
    heads = [column[0] for column in listed["spec"]["columns"]]
    assert {"pair", "entry a", "exit b"} <= set(heads)
    assert {"units", "MAE, R"}.isdisjoint(heads)
    assert len(listed["spec"]["rows"]) == 4, "of the first leg, which two of three pairs have"
    assert all("BTC-USDT" in row[heads.index("pair")] for row in listed["spec"]["rows"])


def test_a_pair_is_explained_by_its_legs() -> None:
    """Prices and net of each, no units; what is open says so."""
    trip = of_pairs(1).row(0, named=True)
    facts = dict(trip_panel._facts(trip, None))
    assert facts["BTC-USDT"] == "100.00 to 101.00 · +0.25"
    assert {"units", "out", "in"} & set(facts) == {"out", "in"}
    assert dict(trip_panel._facts(trip | {"exit_ms": None, "exit_a": None}, None))["out"] == "still open"
    one = {"side": "long", "layers": 1, "entry_price": 5.0, "exit_price": 6.0, "units": 2.5, "entry_ms": START, "exit_ms": START}
    assert dict(trip_panel._facts(one, None))["units"] == "2.5"


def test_a_list_names_a_basket_by_all_of_its_coins() -> None:
    """As it names one instrument."""
    assert runs._name({"strategy": "pairs", "symbol": ",".join(COINS)}) == "pairs BTC+ETH+SOL"
    assert runs._name({"strategy": "trend", "symbol": "BTC-USDT"}) == "trend BTC"


@pytest.mark.parametrize("count", [0, 6])
def test_a_report_lists_its_trips_also_where_a_chart_has_nothing_to_draw(chromium: Any, tmp_path: Path, count: int) -> None:
    """In a browser, without an error: excursions are not kept of pairs, and a run may have no trip at all."""
    close_ms, equity = START + HOUR_MS * np.arange(1, 97), 10_000 - np.arange(96.0)
    made = report.page(basket_run(), close_ms, {"pessimistic": equity}, of_pairs(count), report_breakers(), equity)
    path = tmp_path / "report.html"
    path.write_text(made, encoding="utf-8")
    tab, wrong = chromium.new_page(), list[str]()
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.goto(path.as_uri())
    tab.locator("#trips .count").wait_for()
    assert (wrong, tab.locator("#trips .count").inner_text()) == ([], f"{count} in all")
    assert tab.locator("[data-chart=curve] svg, [data-chart=curve] canvas").count() > 0
    tab.close()


def leg_page(name: str, evil: str) -> dict[str, Any]:
    """A leg's page as the API gives it: one pair that leaves, one that is refused."""
    out: dict[str, Any] = {"hedge": None, "open_pnl": None, "risk": None, "lots": {}, "entering": False, "leaving": None}
    inside = {"hedge": 1.25, "open_pnl": -3.5, "risk": 40.0, "lots": {name: 12, "pairs-eth": -15}, "leaving": "stop"}
    pairs = [
        {**out, "pair": "BTC-USDT ETH-USDT", "side": "long", "z": -3.1, "pnl": 12.25, "refused_by": None, **inside},
        {**out, "pair": "BTC-USDT SOL-USDT", "side": "flat", "z": None, "pnl": 0.0, "refused_by": evil or "gross_frac_max"},
    ]
    basket = {"name": "pairs", "equity": 100_000.0, "gross": 4_000.0, "net": -120.0, "trips": 7, "pairs": pairs}
    return fake_market.sleeve_page(name, evil) | {"configured": "pairs", "basket": basket}


def test_an_entry_without_a_decision_says_so() -> None:
    """One that a person adopted is nobody's: it had no signal of no strength at no time. A pair's says its spread."""
    of_pair = {"side": 1, "strength": 1.0}
    decided = {"signal": of_pair, "close_ms": START, "features": {"spread_z": -2.25, "hedge": 1.5}}
    lines = reasons({"entries": [{"fill": {"slot": "entry"}, "decision": None}, {"decision": decided}]}, "")
    assert lines[0] == "In: no decision of this sleeve is behind it."
    assert "spread_z −2.25, hedge 1.5" in lines[2]


def test_a_leg_shows_the_pairs_of_its_basket(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Side, spread, hedge, lots, what each has made and why it leaves or was refused; a change is one of the basket."""
    monkeypatch.setattr(fake_api, "sleeve_page", leg_page)
    at = page(tab="sleeves", sleeve="btc-trend")
    text = texts_of(at)
    for words in ("Pairs of the basket pairs", "−3.10", "1.250", "btc-trend +12, pairs-eth −15", "leaves: stop"):
        assert words in text, words
    assert "▲ refused: gross_frac_max" in text
    assert "equity 100,000.00" in text
    assert "no price reaches it" not in text  # one margin for all legs
    assert any(str(one.key).endswith("_pairs") for one in (*at.radio, *at.text_input)), "a pause is of the basket"


def test_the_list_of_sleeves_shows_the_pairs(fake: Fake) -> None:
    """Under the legs, as the last mark has them: a flat pair has no lots and no risk."""
    flat = {"pair": "BTC-USDT ETH-USDT", "side": "flat", "z": 0.4, "hedge": 1.1, "pnl": -3.0}
    basket = {"name": "pairs", "equity": 99.0, "cash": 90.0, "gross": 0.0, "net": 0.0, "trips": 2, "pairs": [flat]}
    fake.basket = basket
    text = texts_of(page(tab="sleeves"))
    assert "Pairs of the basket pairs" in text
    assert "+0.40" in text
    assert "cash 90.00" in text

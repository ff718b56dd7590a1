"""What a strategy reads beside its own bars is the same on paper as in a backtest, bit for bit."""

from collections.abc import Iterator

import polars as pl
import pytest

from app.home.home import Home
from engine.data.synthetic import write_synthetic
from engine.errors import BadInput, StrategyError
from engine.live.loop import Loop
from engine.sim.backtest import simulate
from engine.sim.request import Request, SleeveRequest, plan
from engine.store.journal import read
from engine.strategies.base import load_strategy
from tests.fakes.own_strategies import SLEEVE, backtest_of, own_strategy, paper_is_the_backtest, with_own
from tests.fakes.papers import BAR_MS, FROM_MS, WARM_DAYS, advanced, feed_of, loop_of

BARS = 3 * 96
FILTERED = """above = f.at("4h").close > f.at("4h").ema(12)
    direction = np.where(above & (f.close > f.sma(8)), 1, 0) - np.where(~above & (f.close < f.sma(8)), 1, 0)"""


@pytest.fixture
def loops() -> Iterator[list[Loop]]:
    """Loops whose journals are closed at the end."""
    opened: list[Loop] = []
    yield opened
    for loop in opened:
        loop.journal.close()


def test_a_4h_filter_on_15m_bars_trades_on_paper_as_in_the_backtest(home: Home, loops: list[Loop]) -> None:
    """Every decision, fill and close's equity of three days; the 4h values read are journaled by their label."""
    with_own(home, FILTERED)
    loops.append(loop_of(home, feed_of(home)))
    loop = advanced(loops[0], BARS)
    run = backtest_of(home, BARS)
    paper_is_the_backtest(loop, run)
    decided = [e.body["features"] for e in read(loop.journal.path, {"decision"}) if e.body["sleeve"] == SLEEVE]
    assert all({"4h.close", "4h.ema(12)", "sma(8)"} <= set(features) for features in decided)
    assert run.report["leaks"]["clean"], run.report["leaks"]


def shortened(home: Home, symbol: str, drop: slice) -> None:
    """Take bars out of a synthetic instrument's file."""
    path = next((home.path / "data").rglob(f"synthetic_{symbol}_perp_15m.parquet"))
    frame = pl.read_parquet(path)
    gone = frame["ts"][drop]
    frame.filter(~pl.col("ts").is_in(gone.implode())).write_parquet(path)
    home.__dict__.pop("catalog", None)


LEADS = """other = f.of("XRP-USDT")
    direction = np.sign(other.close - other.sma(8)) * np.where(np.isfinite(other.at("1h").ema(5)), 1, 0)
    direction[np.isnan(direction)] = 0"""
XRP = 'INSTRUMENTS = ("XRP-USDT",)'


def with_xrp(home: Home) -> Home:
    """The home with a fourth instrument that no sleeve trades; some of its bars are missing."""
    write_synthetic(home.path / "data" / "synthetic", ("XRP-USDT",), "15m", BAR_MS, FROM_MS, 60 * 96, 3)
    first = WARM_DAYS * 96
    shortened(home, "XRP-USDT", slice(first + 50, first + 57))
    return home


def test_another_instrument_is_read_on_paper_as_in_the_backtest(home: Home, loops: list[Loop]) -> None:
    """An instrument that no sleeve trades, with a hole: equal decisions, fills and equity; its source is named in both."""
    with_own(with_xrp(home), LEADS, XRP)
    loops.append(loop_of(home, feed_of(home)))
    loop = advanced(loops[0], BARS)
    run = backtest_of(home, BARS)
    paper_is_the_backtest(loop, run)
    assert run.report["leaks"]["clean"], run.report["leaks"]
    name = "synthetic:XRP-USDT:perp"
    assert run.report["data"]["reads"] == {name: {"file": "synthetic_XRP-USDT_perp_15m.parquet", "source": "synthetic"}}
    assert "synthetic_XRP-USDT_perp_15m.parquet" in run.report["data"]["files"]
    assert name not in run.report["data"]["instruments"]
    note = f"reads {name}: synthetic, synthetic_XRP-USDT_perp_15m.parquet; 7 bars missing in this range"
    assert note in run.report["notes"]
    assert note in loop.feed.notes
    config = [e.body for e in read(loop.journal.path, {"config"})][-1]
    assert {s["name"]: s["reads"] for s in config["sleeves"]} == {SLEEVE: [name], "eth-trend": [], "sol-reversion": []}


def test_a_bar_that_the_other_instrument_lacks_gives_no_signal(home: Home, loops: list[Loop]) -> None:
    """Missing there is unknown here: no direction at those closes."""
    with_own(with_xrp(home), LEADS, XRP)
    loops.append(loop_of(home, feed_of(home)))
    loop = advanced(loops[0], 110)
    sides = [e.body["signals"][SLEEVE][0] for e in read(loop.journal.path, {"bar"})]
    assert not any(sides[50:57])
    assert any(sides[:50])
    assert any(sides[86:])


def test_a_desk_waits_for_the_bars_that_its_strategies_read(home: Home, loops: list[Loop]) -> None:
    """The feed ends where the other instrument ends: a value is never missing only because a file came late."""
    with_xrp(home)
    shortened(home, "XRP-USDT", slice(-500, None))
    with_own(home, LEADS, XRP)
    whole = feed_of(home)
    loops.append(loop_of(home, whole))
    assert loops[0].feed.span.close_ms[-1] == whole.span.close_ms[-1] - 500 * BAR_MS


def test_a_version_that_reads_an_unknown_instrument_is_not_followed(home: Home, loops: list[Loop]) -> None:
    """Refused when the version is read, with one incident; the version before stays in force and trades on."""
    loops.append(loop_of(home, feed_of(home)))
    loop = advanced(loops[0], 2)
    with_own(home, 'direction = np.sign(f.of("DOGE-USDT").close)', 'INSTRUMENTS = ("DOGE-USDT",)')
    advanced(loop, 3)
    assert loop.book.version == 1
    (incident,) = [e.body["what"] for e in read(loop.journal.path, {"incident"})]
    assert "the strategy reads synthetic:DOGE-USDT:perp: no data for synthetic DOGE-USDT perp 15m" in incident


def test_a_version_that_reads_a_new_instrument_is_followed_at_once(home: Home, loops: list[Loop]) -> None:
    """Its bars are loaded when the version is adopted, between two bars."""
    loops.append(loop_of(with_xrp(home), feed_of(home)))
    loop = advanced(loops[0], 2)
    with_own(home, LEADS, XRP)
    advanced(loop, 3)
    assert loop.book.version == 2
    assert loop.troubles == {}
    assert "synthetic:XRP-USDT:perp" in loop.feed.whole.instruments


def test_a_backtest_of_an_unknown_instrument_is_refused_before_any_bar(home: Home) -> None:
    """The plan names what is missing and what the catalog has."""
    own_strategy(home.strategies, 'direction = np.sign(f.of("okx:BTC-USDT:perp").close)', 'INSTRUMENTS = ("okx:BTC-USDT:perp",)')
    request = Request((SleeveRequest("own", "BTC-USDT", "synthetic"),))
    with pytest.raises(BadInput, match="the strategy reads okx:BTC-USDT:perp: no data for okx BTC-USDT perp 15m"):
        plan(request, home.catalog, home.strategies)


def test_what_is_not_declared_cannot_be_read(home: Home) -> None:
    """One line that says what to add to the strategy."""
    own_strategy(home.strategies, 'direction = np.sign(f.of("ETH-USDT").close)')
    request = Request((SleeveRequest("own", "BTC-USDT", "synthetic"),), funding="none")
    with pytest.raises(StrategyError, match="it reads ETH-USDT, which INSTRUMENTS does not list"):
        simulate(plan(request, home.catalog, home.strategies))


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ('INSTRUMENTS = "ETH-USDT"', "INSTRUMENTS is not a tuple of names"),
        ('INSTRUMENTS = ("eth",)', "INSTRUMENTS names 'eth', not an instrument"),
    ],
)
def test_a_declaration_that_means_nothing_is_refused_with_the_file(home: Home, declared: str, words: str) -> None:
    """When the strategy is loaded."""
    own_strategy(home.strategies, "direction = np.sign(f.close)", declared)
    with pytest.raises(StrategyError, match=words):
        load_strategy("own", home.strategies)

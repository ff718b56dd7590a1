"""What a strategy reads beside its own bars is the same on paper as in a backtest, bit for bit."""

import numpy as np
import polars as pl
import pytest

from app.home.home import Home
from engine.clock import HOUR_MS
from engine.data.checksums import beside
from engine.data.sources import Observations
from engine.data.synthetic import write_synthetic
from engine.data.timeframes import series_of
from engine.errors import BadInput, StrategyError
from engine.live.feed import load, settled_until, unchanged
from engine.live.loop import Loop
from engine.sim.backtest import simulate
from engine.sim.request import Request, SleeveRequest, plan
from engine.store.journal import read
from engine.strategies.base import load_strategy
from tests.fakes.own_strategies import SLEEVE, backtest_of, check_paper_is_the_backtest, own_strategy, with_own
from tests.fakes.papers import BAR_MS, FROM_MS, WARM_DAYS, advanced, feed_of, loop_of, span
from tests.fakes.recordings import write

BARS = 2 * 96
FILTERED = """above = f.at("4h").close > f.at("4h").ema(12)
    direction = np.where(above & (f.close > f.sma(8)), 1, 0) - np.where(~above & (f.close < f.sma(8)), 1, 0)"""


@pytest.mark.slow
def test_a_4h_filter_on_15m_bars_trades_on_paper_as_in_the_backtest(home: Home, loops: list[Loop]) -> None:
    """Every decision, fill and close's equity of two days; the 4h values read are journaled by their label."""
    with_own(home, FILTERED)
    loops.append(loop_of(home, feed_of(home)))
    loop = advanced(loops[0], BARS)
    run = backtest_of(home, BARS)
    check_paper_is_the_backtest(loop, run)
    decided = [e.body["features"] for e in read(loop.journal.path, {"decision"}) if e.body["sleeve"] == SLEEVE]
    assert all({"4h.close", "4h.ema(12)", "sma(8)"} <= set(features) for features in decided)
    assert run.report["leaks"]["clean"], run.report["leaks"]


def shortened(home: Home, symbol: str, drop: slice) -> None:
    """Take bars out of a synthetic instrument's file."""
    path = next((home.path / "data").rglob(f"synthetic_{symbol}_perp_15m.parquet"))
    frame = pl.read_parquet(path)
    gone = frame["ts"][drop]
    frame.filter(~pl.col("ts").is_in(gone.implode())).write_parquet(path)
    beside(path).unlink(missing_ok=True)  # another file on purpose, not a damaged one
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


@pytest.mark.slow
def test_another_instrument_is_read_on_paper_as_in_the_backtest(home: Home, loops: list[Loop]) -> None:
    """An instrument that no sleeve trades, with a hole: equal decisions, fills and equity; its source is named in both."""
    with_own(with_xrp(home), LEADS, XRP)
    loops.append(loop_of(home, feed_of(home)))
    loop = advanced(loops[0], BARS)
    run = backtest_of(home, BARS)
    check_paper_is_the_backtest(loop, run)
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
    assert (loop.troubles, loop.following.refused) == ({}, "")
    assert "synthetic:XRP-USDT:perp" in loop.feed.clock.whole.instruments


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


CARRY = """rate, oi = f.series("funding"), f.series("oi")
    up, crowded = f.close > f.sma(8), oi > 50
    direction = np.where(up & crowded & (rate < 1e-3), 1, 0) - np.where(~up & ~crowded, 1, 0)"""
SERIES = """SERIES = {
    "funding": OutsideSeries("funding", "rate", max_age_hours=9),
    "oi": OutsideSeries("oi_1h", "oi", max_age_hours=2, lag_minutes=10, of="ETH-USDT"),
}"""


def with_open_interest(home: Home) -> Home:
    """The home with hourly open interest of ETH that stops for half a day in the first day of the desk."""
    hours = np.arange(60 * 24)
    frame = pl.DataFrame({"ts": FROM_MS + hours * 3_600_000, "oi": 50.0 + 40.0 * np.sin(hours / 5.0)})
    gone = (hours >= WARM_DAYS * 24 + 6) & (hours < WARM_DAYS * 24 + 18)
    write(home.path / "data", "synthetic_ETH-USDT_perp_oi_1h", frame.filter(~pl.Series(gone)))
    home.__dict__.pop("catalog", None)
    return home


def test_outside_series_are_read_on_paper_as_in_the_backtest(home: Home, loops: list[Loop]) -> None:
    """Funding and open interest as of each close: equal decisions, fills and equity; stale is no signal; sources are named."""
    with_own(with_open_interest(home), CARRY, SERIES)
    loops.append(loop_of(home, feed_of(home)))
    loop = advanced(loops[0], BARS)
    run = backtest_of(home, BARS)
    check_paper_is_the_backtest(loop, run)
    assert run.report["leaks"]["clean"], run.report["leaks"]
    assert set(run.report["data"]["reads"]) == {"synthetic:BTC-USDT:perp funding.rate", "synthetic:ETH-USDT:perp oi_1h.oi"}
    sides = [e.body["signals"][SLEEVE][0] for e in read(loop.journal.path, {"bar"})]
    stale = slice(4 * (6 + 2) + 1, 4 * (18 + 1))  # the row of 05:00, known at 06:10, is too old from 08:10 to the next at 19:10
    assert not any(sides[stale])
    assert any(sides[: stale.start])
    assert any(sides[stale.stop :])
    (note,) = [n for n in run.report["notes"] if "oi_1h" in n]
    assert note.startswith("reads synthetic:ETH-USDT:perp oi_1h.oi: synthetic, synthetic_ETH-USDT_perp_oi_1h.parquet")
    assert note.endswith("at most 2 h old; missing at 44 of 192 closes")


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ('SERIES = ("funding",)', "SERIES is not a table of OutsideSeries"),
        ('SERIES = {"x": OutsideSeries("oi", "oi", 1)}', "SERIES 'x': unknown series 'oi'"),
        ('SERIES = {"x": OutsideSeries("oi_1h", "oi", 0)}', "max_age_hours = 0 is out of bounds"),
        ('SERIES = {"x": OutsideSeries("oi_1h", "oi", 1, -5)}', "lag_minutes = -5 is out of bounds"),
        ('SERIES = {"x": OutsideSeries("oi_1h", "oi", 1, of="B/C")}', "of = 'B/C' is not an instrument or a venue"),
    ],
)
def test_a_series_that_cannot_be_joined_is_refused_with_the_file(home: Home, declared: str, words: str) -> None:
    """When the strategy is loaded: every series has a period and an age."""
    own_strategy(home.strategies, "direction = np.sign(f.close)", declared)
    with pytest.raises(StrategyError, match=words):
        load_strategy("own", home.strategies)


def test_a_series_that_is_not_declared_or_not_there_is_refused(home: Home) -> None:
    """Not declared: what to add. Not in the catalog: refused when the backtest is planned."""
    request = Request((SleeveRequest("own", "BTC-USDT", "synthetic"),), funding="none")
    own_strategy(home.strategies, 'direction = np.sign(f.series("funding"))')
    with pytest.raises(StrategyError, match="it reads the series funding, which SERIES does not list"):
        simulate(plan(request, home.catalog, home.strategies))
    own_strategy(home.strategies, 'direction = np.sign(f.series("oi"))', SERIES)
    with pytest.raises(BadInput, match=r"the strategy reads synthetic:ETH-USDT:perp oi_1h\.oi: no data for"):
        plan(request, home.catalog, home.strategies)


def test_paper_waits_for_a_settlement_that_is_read_but_not_for_one_that_stopped_long_ago() -> None:
    """Settlements come in a rhythm: a file that is late ends the feed; one that ended long ago is stale, and the desk goes on."""
    known = Observations(np.array([0, 8]) * HOUR_MS, np.zeros(2), 9 * HOUR_MS, 16 * HOUR_MS)
    assert settled_until(known, 15 * HOUR_MS) == 15 * HOUR_MS
    assert settled_until(known, 20 * HOUR_MS) == 16 * HOUR_MS - 1
    assert settled_until(known, 26 * HOUR_MS) == 26 * HOUR_MS
    assert settled_until(known._replace(until_ms=None), 20 * HOUR_MS) == 20 * HOUR_MS


@pytest.mark.slow
def test_a_desk_that_reads_its_bars_anew_goes_on_as_the_backtest_does(home: Home, loops: list[Loop]) -> None:
    """Read anew each half day from shortly before the last bar, as when files grow: the same decisions, fills and equity."""
    with_own(
        with_open_interest(with_xrp(home)), f"{LEADS}\n    direction *= np.where(f.series('oi') > 0, 1, 0)", f"{XRP}\n{SERIES}"
    )
    loops.append(loop_of(home, feed_of(home)))
    loop, files = loops[0], series_of(home.catalog, loops[0].book.instruments, "15m")
    for _ in range(0, BARS, 48):
        advanced(loop, 48)
        anew = load(home.catalog, files, BAR_MS, span(), "recorded", loop.book.close_ms)
        unchanged(anew, loop.book)
        loop.use_feed(anew)
    check_paper_is_the_backtest(loop, backtest_of(home, BARS))


def test_a_feed_read_anew_holds_the_same_bars_however_old_the_desk_is(home: Home) -> None:
    """From a week before the last bar on, with the charge of every settlement as the whole feed has it."""
    files = series_of(home.catalog, ["synthetic:BTC-USDT:perp"], "15m")
    whole = load(home.catalog, files, BAR_MS, span(), "recorded")
    seen = int(whole.span.close_ms[1_500])
    anew = load(home.catalog, files, BAR_MS, span(), "recorded", seen)
    assert anew.span.close_ms[0] == seen - 7 * 86_400_000
    for back in range(600):
        close = seen - back * BAR_MS
        assert anew.bars(anew.after(close) - 1) == whole.bars(whole.after(close) - 1)

"""Bars and signals of a run are in memory once, and no bit of a result is another for it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from engine.core.kernel import bar_records, signal_columns
from engine.data.align import Market
from engine.data.catalog import Catalog
from engine.data.loading import BAR_COLUMNS
from engine.data.synthetic import write_synthetic
from engine.sim import backtest
from engine.sim.checked import frames_of
from engine.sim.held_once import bars_once, columns_once
from engine.sim.request import Plan, Request, SleeveRequest, plan
from engine.strategies.signals import Signals

BAR, FROM = 900_000, 1_704_067_200_000
SYMBOLS = ("BTC-USDT", "ETH-USDT", "SOL-USDT")
LATER = FROM + 40 * 86_400_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ninety days of three coins."""
    path = tmp_path_factory.mktemp("bars")
    write_synthetic(path, list(SYMBOLS), "15m", BAR, FROM, 90 * 96, 4)
    return path


def planned(folder: Path, symbols: Sequence[str] = SYMBOLS, from_ms: int | None = LATER, **more: str) -> Plan:
    """A `trend` a symbol and a `reversion` on the first, from a later day on, so that features read bars before."""
    asked = [SleeveRequest("trend", name, venue="synthetic", cash=20_000.0, **more) for name in symbols]
    asked.append(SleeveRequest("reversion", symbols[0], venue="synthetic", name="back"))
    catalog = Catalog([(folder, "synthetic")])
    return plan(Request(tuple(asked), "15m", from_ms, None, "pessimistic", "assume=1"), catalog)


def columns_of(market: Market) -> list[np.ndarray]:
    """What a market has of its bars."""
    return [getattr(market, name) for name in (*BAR_COLUMNS, "funding_rate", "funding_mark")]


@pytest.mark.parametrize(("symbols", "from_ms"), [(SYMBOLS, LATER), (SYMBOLS, None), (SYMBOLS[:1], LATER)])
def test_no_bit_of_a_run_changes(
    folder: Path, symbols: Sequence[str], from_ms: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows, equity, trips, decisions with their features, report: as with every copy made."""
    wanted = planned(folder, symbols, from_ms)
    found = backtest.simulate(wanted)
    monkeypatch.setattr(backtest, "bars_once", lambda loaded: (loaded, None))
    monkeypatch.setattr(backtest, "columns_once", signal_columns)
    apart = backtest.simulate(wanted)
    assert found.round_trips.height > 20
    assert found.journal_hash == apart.journal_hash
    for name, frame in found.frames().items():
        assert frame.equals(apart.frames()[name]), name
    timing = ("elapsed_s", "bars_per_s")
    assert {k: v for k, v in found.report.items() if k not in timing} == {
        k: v for k, v in apart.report.items() if k not in timing
    }


def test_bars_are_there_once(folder: Path) -> None:
    """History and span are views of one table of records, equal to what was loaded; settlements are in the span alone."""
    apart = backtest.load(planned(folder))
    loaded, records = bars_once(backtest.load(planned(folder)))
    own = loaded.own[BAR]
    assert records is not None
    assert records.tobytes() == bar_records(apart.span).tobytes()
    for column, before in zip(columns_of(loaded.span), columns_of(apart.span), strict=True):
        assert np.shares_memory(column, records)
        assert np.array_equal(column, before, equal_nan=True)
    for name in BAR_COLUMNS:
        column = getattr(own.whole, name)
        assert np.shares_memory(column, records)
        assert np.array_equal(column, getattr(apart.own[BAR].whole, name), equal_nan=True)
    assert own.first > 0
    assert loaded.span.funding_rate.any()
    assert not own.whole.funding_rate.any()


def test_one_instrument_and_several_timeframes(folder: Path) -> None:
    """Of one instrument the columns stay contiguous, cut from the history; where bars of another timeframe are beside them,
    nothing is changed.
    """
    loaded, records = bars_once(backtest.load(planned(folder, SYMBOLS[:1])))
    assert records is None
    assert np.shares_memory(loaded.span.close, loaded.own[BAR].whole.close)
    assert loaded.span.close.flags.c_contiguous
    write_synthetic(folder, [SYMBOLS[0]], "1h", 3_600_000, FROM, 90 * 24, 4)
    asked = (
        SleeveRequest("trend", SYMBOLS[1], venue="synthetic"),
        SleeveRequest("trend", SYMBOLS[0], venue="synthetic", timeframe="1h"),
    )
    mixed = backtest.load(plan(Request(asked, "15m", LATER, None, funding="none"), Catalog([(folder, "synthetic")])))
    assert bars_once(mixed) == (mixed, None)


def test_bars_that_are_not_the_historys_are_left(folder: Path) -> None:
    """One bit that differs: the span is what is traded, and stays as it was loaded."""
    loaded = backtest.load(planned(folder))
    close = loaded.span.close.copy()
    close[5, 1] = np.nextafter(close[5, 1], np.inf)
    own = loaded.own[BAR]._replace(span=loaded.span._replace(close=close))
    other = loaded._replace(span=own.span, own={BAR: own})
    assert bars_once(other)[0].span.close is close


def test_signals_are_there_once(folder: Path) -> None:
    """Each sleeve's are views of the columns that the core reads, and so is a feature that is a field."""
    wanted = planned(folder)
    loaded = backtest.load(wanted)
    frames = zip(wanted.sleeves, frames_of(wanted.sleeves, loaded), strict=True)
    signals: list[Signals] = [backtest.signals_in_span(sleeve, loaded, frame=frame) for sleeve, frame in frames]
    before, expected = list(signals), signal_columns(signals)
    columns = columns_once(signals)
    assert [column.tobytes() for column in columns] == [column.tobytes() for column in expected]
    for name, column in zip(Signals._fields, columns, strict=False):
        for now, then in zip(signals, before, strict=True):
            assert np.array_equal(getattr(now, name), getattr(then, name), equal_nan=True)
            assert column.strides == (0,) or np.shares_memory(getattr(now, name), column)
    atr = columns[Signals._fields.index("atr")]
    assert np.shares_memory(signals[0].used["atr(14)"], atr)
    assert all(now.used.keys() == then.used.keys() for now, then in zip(signals, before, strict=True))

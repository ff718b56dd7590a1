"""What there is: series of the catalog, strategies with their parameters; a person's file is read, never run."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine.clock import HOUR_MS
from engine.data.catalog import Catalog
from engine.store.journal import Event, Journal
from engine.watch.window import journal_of
from tools.catalog import call


@pytest.fixture
def ctx(make_ctx: Any, tmp_path: Path) -> Any:
    """A catalog with one series."""
    folder = tmp_path / "data"
    folder.mkdir()
    ts = [1_700_000_100_000 + n * 900_000 for n in range(10)]
    frame = pl.DataFrame({"ts": ts} | {name: [1.0] * 10 for name in ("open", "high", "low", "close", "volume")})
    frame.write_parquet(folder / "binance_BTC-USDT_perp_15m.parquet")
    return make_ctx("advisor", catalog=Catalog([(folder, "recorded")]))


def test_series_are_listed_with_source_and_span(ctx: Any) -> None:
    """Rows, span and source of what there is; a filter that matches nothing says so."""
    result = call(ctx, "list_data", {"symbol": "btc-usdt"})
    assert result.table.rows[0][:6] == ("binance", "BTC-USDT", "perp", "15m", "-", "recorded")
    assert ctx.facts["s1.rows"].value == 10
    assert call(ctx, "list_data", {"symbol": "DOGE-USDT"}).status == "no_data"


def test_strategies_and_their_parameters(ctx: Any) -> None:
    """Shipped strategies with defaults as facts; an unknown name gets the list."""
    assert "trend" in call(ctx, "list_strategies", {}).text
    result = call(ctx, "list_strategies", {"strategy": "trend"})
    assert "stop_atr" in [row[0] for row in result.table.rows]
    assert ctx.facts["p1.stop_atr"].value == 2.0
    assert next(row for row in result.table.rows if row[0] == "entry")[1:5] == ("market", None, None, "market or limit")
    unknown = call(ctx, "list_strategies", {"strategy": "tend"})
    assert unknown.status == "failed"
    assert "trend" in unknown.text


def test_a_persons_strategy_is_not_run_by_listing_it(ctx: Any) -> None:
    """A file that would raise, or worse, is listed by its docstring."""
    folder = ctx.home / "strategies"
    folder.mkdir(parents=True)
    (folder / "mine.py").write_text('"""Mine: buys at noon."""\nraise SystemExit("it was run")\n')
    (folder / "broken.py").write_text("def (:\n")
    table = call(ctx, "list_strategies", {}).table
    assert ("mine", "your own", "Mine: buys at noon.") in table.rows
    assert "buys at noon" in call(ctx, "list_strategies", {"strategy": "mine"}).text
    assert any(row[0] == "broken" and "cannot be read" in row[2] for row in table.rows)


BTC = "binance:BTC-USDT:perp"
NOON = 1_777_723_200_000  # 2026-05-02 12:00


@pytest.fixture
def lived(make_ctx: Any, tmp_path: Path) -> Any:
    """A desk that saw two hours of bars, and one fill."""
    ctx = make_ctx("advisor", catalog=Catalog([(tmp_path / "data", "recorded")]), desk_ms=NOON)
    path = journal_of(ctx.home)
    path.parent.mkdir(exist_ok=True)
    journal = Journal(path, "worker")
    sleeves = [{"name": "btc-trend", "instrument": BTC}]
    journal.append([Event("config", NOON - 2 * HOUR_MS, {"start": {}, "sleeves": sleeves})])
    for n in range(3):
        close_ms, prices = NOON + (n - 2) * HOUR_MS, [100.0 + n, 101.0 + n, 99.0 + n, 100.0 + n, 5.0]
        bodies: dict[str, Any] = {"bar": {"bars": {BTC: prices}}, "fill": {"sleeve": "btc-trend"}, "halt": {"by": "ann"}}
        journal.append([Event(kind, close_ms, body) for kind, body in bodies.items()])
    journal.close()
    return ctx


@pytest.mark.parametrize(
    ("args", "close"),
    [({"event_id": "d-6"}, 101.0), ({"sleeve": "btc-trend"}, 102.0), ({"sleeve": "btc-trend", "at": "2026-05-02 10:30"}, 100.0)],
)
def test_the_context_of_an_event_or_an_instant(lived: Any, args: dict[str, Any], close: float) -> None:
    """Of a fill by its id, of a sleeve now, and then; numbers are facts, and what is not known is said."""
    result = call(lived, "market_context", args)
    print(result)
    assert (result.status, lived.facts["k1.market_close"].value) == ("ok", close)
    assert "Not known, wholly or in part: " in result.text
    assert result.table.rows[0][:3] == ("market", "close", "{k1.market_close}")
    assert ("macro", "macro", "not known", "", "nothing of it is stored: nightdesk data fetch macro") in result.table.rows


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"event_id": "d-99"}, "no event 'd-99'"),
        ({"event_id": "d-4"}, "halt d-4 names no sleeve"),
        ({"sleeve": "eth"}, "unknown sleeve 'eth'"),
        ({}, "nothing is named"),
        ({"sleeve": "btc-trend", "at": "2026-05-02 13:00"}, "has not reached 2026-05-02 13:00Z"),
    ],
)
def test_a_moment_that_is_none_is_refused(lived: Any, args: dict[str, Any], words: str) -> None:
    """Nothing is answered of another moment than the one that was asked about."""
    result = call(lived, "market_context", args)
    assert result.status != "ok"
    assert words in result.text

"""What there is: series of the catalog, strategies with their parameters; a person's file is read, never run."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine.data.catalog import Catalog
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

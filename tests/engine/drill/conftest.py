"""What the tests of the drill share: small desks, and copies of them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.control.config import DeskConfig, SleeveConfig, validated
from engine.control.limits import HardLimits
from engine.drill.copied import Copies, DeskParts, copies_of

START = (("btc-trend", "trend", "BTC-USDT"), ("eth-trend", "trend", "ETH-USDT"), ("sol-reversion", "reversion", "SOL-USDT"))
Make = Callable[..., DeskParts]


def sleeve(name: str, strategy: str = "trend", symbol: str = "BTC-USDT", **more: Any) -> SleeveConfig:
    """A sleeve of 10,000 on binance perpetuals, 15m, unless said otherwise."""
    usual = {"venue": "binance", "market": "perp", "timeframe": "15m", "cash": 10_000.0}
    return SleeveConfig.model_validate({"name": name, "strategy": strategy, "symbol": symbol, **usual, **more})


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Makes a desk: sleeves (default: those of a new desk) and limits that differ from the defaults."""
    folder: Path = tmp_path_factory.mktemp("no-strategies")

    def make(*sleeves: SleeveConfig, **limits: Any) -> DeskParts:
        config = validated(DeskConfig(sleeves=sleeves or tuple(sleeve(*s) for s in START)), folder)
        return DeskParts(config, HardLimits(**limits), {}, folder)

    return make


@pytest.fixture
def copies(parts: Make) -> Iterator[Copies]:
    """Copies of a new desk."""
    with copies_of(parts()) as made:
        yield made

"""The vocabulary of the default desk, for questions that need no home."""

from datetime import UTC, datetime

import pytest

from agents.offline.words import Param, SleeveName, Words
from engine.strategies.base import BASKETS, OURS, load_strategy, params_table

DESK_MS = int(datetime(2025, 12, 2, 5, 15, tzinfo=UTC).timestamp() * 1000)


@pytest.fixture(scope="session")
def words() -> Words:
    """Shipped strategies, the default sleeves, desk time 2025-12-02 05:15Z."""
    known = {
        name: tuple(
            Param(row["key"], row["unit"] or "", row["default"], row["low"], row["high"], row["choices"])
            for row in params_table(load_strategy(name))
        )
        for name in OURS
    }
    strategies = {name: found for name, found in known.items() if name not in BASKETS}  # as a chat has them
    baskets = {name: known[name] for name in BASKETS}
    sleeves = tuple(
        SleeveName(name, strategy, symbol, "15m", "binance", {"stop_atr": 2.0, "target_atr": 4.0, "leverage_max": 3.0})
        for name, strategy, symbol in (
            ("btc-trend", "trend", "BTC-USDT"),
            ("eth-trend", "trend", "ETH-USDT"),
            ("sol-reversion", "reversion", "SOL-USDT"),
        )
    )
    coins = ("BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT")
    return Words(strategies, sleeves, coins, ("binance", "okx", "bybit"), DESK_MS, baskets=baskets)

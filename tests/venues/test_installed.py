"""A ccxt that lacks the venue, or cannot be loaded: one line that says so, and nothing is asked."""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import pytest

from engine.errors import BadInput
from engine.venues.account_client import AccountAddress, connect
from engine.venues.account_keys import VenueKeys
from engine.venues.candles import open_candles
from engine.venues.ccxt_data import open_venue

OPENED: dict[str, Callable[[], Any]] = {
    "data pull": lambda: open_venue("okx", "perp"),
    "live bars": lambda: asyncio.run(open_candles("okx", "perp")),
    "account": lambda: connect(AccountAddress("okx", "live"), VenueKeys("key", "secret", "words")),
}


@pytest.mark.parametrize("name", OPENED)
def test_a_ccxt_without_the_venue_is_one_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version than the locked one."""
    import ccxt.pro

    for module in (ccxt, ccxt.pro):
        monkeypatch.delattr(module, "okx")
    with pytest.raises(BadInput, match="the installed ccxt has no okx") as refused:
        OPENED[name]()
    assert "make setup" in str(refused.value)


@pytest.mark.parametrize("name", OPENED)
def test_a_ccxt_that_cannot_be_loaded_is_one_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a library of its own is missing."""
    for module in ("ccxt", "ccxt.pro"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BadInput, match="the installed ccxt cannot be loaded: ModuleNotFoundError"):
        OPENED[name]()

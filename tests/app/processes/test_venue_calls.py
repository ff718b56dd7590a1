"""A ccxt that loads and lacks one call: said in a line before anything is sent; the names are those that the code calls."""

import re
from pathlib import Path
from types import SimpleNamespace

import ccxt.pro
import pytest

from app.processes.venue_calls import CALLS, with_calls
from engine.errors import BadInput
from engine.venues import account_client

CALL = re.compile(r"\b(?:fapi)?(?:private|public)(?:v3)?_(?:get|post|put|delete)_[a-z0-9_]*[a-z0-9]\b")
OF = {"okx": "", "bybit": "_v5_", "binance": "fapi"}  # what its names have


def test_the_names_are_those_that_the_venues_code_calls() -> None:
    """None too few: what is not in the table is missed when it is needed."""
    source = "".join(path.read_text() for path in Path(account_client.__file__).parent.glob("*.py"))
    called = set(CALL.findall(source))
    assert called == {name for names in CALLS.values() for name in names}
    for venue in ("bybit", "binance"):
        assert all(OF[venue] in name for name in CALLS[venue])


@pytest.mark.parametrize("venue", list(CALLS))
def test_the_locked_ccxt_has_all_and_one_that_lacks_some_is_named(venue: str) -> None:
    """By the first, and how many more."""
    client = getattr(ccxt.pro, account_client.CLASSES[venue])()
    assert with_calls(venue, client) is client
    have = dict.fromkeys(CALLS[venue])
    have.pop(CALLS[venue][-1])
    with pytest.raises(BadInput, match=f"the installed ccxt's {venue} has no {CALLS[venue][-1]} - install the locked version"):
        with_calls(venue, SimpleNamespace(**have))
    with pytest.raises(BadInput, match=f"has no {CALLS[venue][0]} and {len(CALLS[venue]) - 1} more calls"):
        with_calls(venue, SimpleNamespace())

"""The tool `predictions`: at how many closes a model that a sleeve reads had no value, and why, from the journal's bars."""

from typing import Any

import pytest

from engine.clock import HOUR_MS
from engine.control.config import DeskConfig, SleeveConfig, validated, write_first
from engine.store.journal import Event, Journal
from engine.watch.window import journal_of
from tests.fakes.stored_models import store
from tools.catalog import call

LABEL, WHY = "model(vol-btc-usdt@1.0.0)", "no fit of it had ended by then"


@pytest.fixture
def desk(make_ctx: Any, db: Any) -> Any:
    """A sleeve that reads a model, one that reads none; ten closes, at the first four the model had no value."""
    home = make_ctx().home
    store(home / "models", "vol-btc-usdt", instrument="binance:BTC-USDT:perp")
    reads = SleeveConfig(name="btc-vol", strategy="volscaled", venue="binance", symbol="BTC-USDT")
    other = SleeveConfig(name="eth-trend", strategy="trend", venue="binance", symbol="ETH-USDT")
    write_first(db, validated(DeskConfig(sleeves=(reads, other)), home / "strategies"), 0, "test")
    journal = Journal(journal_of(home), "worker")
    for n in range(1, 11):
        nulls = {"nulls": {"btc-vol": {LABEL: WHY}}} if n < 5 else {}
        signals = {"btc-vol": [0], "eth-trend": [0]}
        journal.append([Event("bar", n * HOUR_MS, {"signals": signals, **nulls}), Event("mark", n * HOUR_MS, {"sleeves": {}})])
    journal.close()
    return lambda role="operator": make_ctx(role, desk_ms=10 * HOUR_MS)


def test_nulls_are_counted_with_their_reason(desk: Any) -> None:
    """Of the sleeve that reads it alone; the last close has a value."""
    result = call(desk(), "predictions", {"sleeve": None, "since": None, "until": None})
    assert result.status == "ok", result.text
    ((sleeve, model, now, null, closes, why),) = result.table.rows
    assert (sleeve, model, now, why) == ("btc-vol", "vol-btc-usdt@1.0.0", "a value", WHY)
    values = {f"{{{fact.ref}}}": fact.value for fact in result.facts}
    assert (values[null], values[closes]) == (4, 10)


def test_a_window_ends_where_it_is_asked_to(desk: Any) -> None:
    """Up to the third hour every close is without a value."""
    result = call(desk(), "predictions", {"sleeve": "btc-vol", "since": "1970-01-01", "until": "1970-01-01T03:00"})
    assert "has no value at its last close" in result.text, result.text


@pytest.mark.parametrize(
    ("args", "status", "what"),
    [
        ({"sleeve": "eth-trend"}, "no_data", "eth-trend reads no stored model"),
        ({"sleeve": "sol"}, "failed", "no sleeve 'sol'"),
        ({"sleeve": None, "since": "1969-01-01", "until": "1969-01-02"}, "no_data", "no bar was processed"),
    ],
)
def test_what_is_not_there_is_named(desk: Any, args: Any, status: str, what: str) -> None:
    """In one line."""
    result = call(desk("advisor"), "predictions", {"since": None, "until": None, **args})
    assert (result.status, what in result.text) == (status, True), result.text

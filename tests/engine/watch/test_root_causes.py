"""What a breaker follows from: the losses that it counted, and no earlier one of the same sleeve."""

from pathlib import Path
from typing import Any

import pytest

from engine.clock import DAY_MS, HOUR_MS
from engine.store.chain import Event
from engine.store.journal import Journal
from engine.watch.root_causes import chain_of, signs_of

DAY = 20_000 * DAY_MS


def fill(hour: float, pnl: float, sleeve: str = "btc-trend") -> Event:
    """A round trip that ends."""
    return Event("fill", DAY + int(hour * HOUR_MS), {"sleeve": sleeve, "reason": "stop", "round_trip_pnl": pnl, "price": 1.0})


def breaker(hour: float, name: str) -> Event:
    """A breaker of the same sleeve."""
    return Event("breaker", DAY + int(hour * HOUR_MS), {"sleeve": "btc-trend", "breaker": name})


def first_hour(path: Path, *events: Event) -> float | None:
    """When the first cause was, in hours of the day; None where the breaker itself is the first."""
    config: dict[str, Any] = {"sleeves": [{"name": name, "instrument": f"binance:{name}"} for name in ("btc-trend", "eth-trend")]}
    journal = Journal(path, "test")
    journal.append([Event("config", DAY - 2 * DAY_MS, config), *events])
    journal.close()
    chain = chain_of(signs_of(path, DAY - 2 * DAY_MS))
    assert chain is not None
    return (chain.first.t_ms - DAY) / HOUR_MS if len(chain.links) > 1 else None


@pytest.mark.parametrize(
    ("name", "events", "cause"),
    [
        ("loss streak", [fill(9, -1), fill(12, 5), fill(16, -1), fill(20, -1), fill(22, -1)], 16),
        ("loss streak", [fill(9, -1), fill(12, 5, "eth-trend"), fill(22, -1)], 9),
        ("loss streak", [fill(16, -1), fill(17, -1, "eth-trend"), fill(22, 0)], None),
        ("daily loss", [fill(-3, -1), fill(9, -1), fill(12, 5), fill(22, -9)], 9),
        ("entry frequency", [fill(9, -1), fill(22, -1)], None),
    ],
)
def test_a_breaker_follows_from_the_losses_that_it_counted(
    tmp_path: Path, name: str, events: list[Event], cause: float | None
) -> None:
    """A streak begins behind its sleeve's last win, a day's loss at midnight UTC; entries that come too often lose nothing."""
    assert first_hour(tmp_path / "desk.jsonl", *events, breaker(22, name)) == cause

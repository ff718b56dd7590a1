"""Each fault of the local OKX, seen to act through real ccxt: what the client sees, and what is true at the exchange."""

from typing import Any

import ccxt
import pytest

from tests.fakes.exchange.faults import KINDS, Faults, Window, drawn
from tests.fakes.exchange.okx import scenarios, stream_scenarios
from tests.fakes.exchange.okx.played import SYMBOL, Played, under_virtual_clock
from tests.fakes.exchange.okx.scenarios import MINUTE, buy, rest_at
from tests.fakes.exchange.stage import START_MS

SCENARIOS = scenarios.SCENARIOS | stream_scenarios.SCENARIOS


def test_every_kind_has_a_scenario() -> None:
    """A new kind is shown, or this is red."""
    assert SCENARIOS.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_acts_and_is_counted(kind: str) -> None:
    """Seen by the client, true at the exchange, counted by the venue."""

    async def script(played: Played) -> None:
        await played.client.load_markets()
        played.venue.faults.on(kind)
        await SCENARIOS[kind](played)

    _, venue = under_virtual_clock(script)
    assert venue.faults.count[kind] >= 1
    assert [other for other, count in venue.faults.count.items() if count and other != kind] == []


def test_a_plan_is_its_seed() -> None:
    """The same seed draws the same windows; another one does not; a printed plan is the plan."""
    plan = drawn(7, START_MS, 86_400_000, 20)
    assert plan == drawn(7, START_MS, 86_400_000, 20)
    assert plan != drawn(8, START_MS, 86_400_000, 20)
    assert eval(repr(plan), {"Window": Window}) == plan  # noqa: S307 - the text is our own
    assert len({window.kind for seed in range(20) for window in drawn(seed, 0, 1, 20)}) == len(KINDS)
    with pytest.raises(ValueError, match="unknown faults"):
        Faults(lambda: 0, [Window("typo", 0, 1)])


def test_a_seeded_run_of_all_faults_is_repeatable() -> None:
    """A careless client under every fault: the same ledger, the same count of faults, twice; another seed gives another."""

    def run(seed: int) -> tuple[list[Any], dict[str, int]]:
        async def script(played: Played) -> None:
            await played.client.load_markets()
            played.venue.faults = Faults(played.venue.exchange.clock, drawn(seed, START_MS, 8 * 3_600_000, 40), seed)
            for number in range(60):
                try:
                    await (buy(played, f"ndE{number}", 0.1) if number % 3 else rest_at(played, 59_000, f"ndL{number}"))
                    await played.client.fetch_my_trades(SYMBOL)
                except ccxt.BaseError:
                    continue
                finally:
                    await played.wait(8 * MINUTE)

        _, venue = under_virtual_clock(script, seed=seed)
        return [event.row for event in venue.exchange.ledger], dict(venue.faults.count)

    first = run(3)
    assert first == run(3)
    assert first[0] != run(4)[0]
    assert sum(count > 0 for count in first[1].values()) >= 8

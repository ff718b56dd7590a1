"""A machine whose clock is wrong: an account's requests are signed by the venue's, so that stops move and positions close."""

import asyncio
from typing import Any

import pytest

from engine.core.orders import WORKING
from engine.venues.account_client import CLOSE_MS, SLOW_MS, corrected_clock
from tests.fakes.exchange.adapted import ADAPTED, ENTER, STOP
from tests.fakes.exchange.played import Played


@pytest.mark.parametrize("venue", ADAPTED)
def test_what_is_signed_by_a_wrong_clock_is_taken_once_the_venues_clock_was_asked(venue: str) -> None:
    """Forty seconds: refused before, placed after; and again by our own clock once both agree."""

    async def late(played: Played, adapter: Any) -> list[str]:
        await adapter.place(ENTER)
        clock = corrected_clock(played.client, [played.client])
        played.venue.faults.on("clock_skew")
        said = [(await adapter.place(STOP)).state]
        await clock()
        said.append((await adapter.place(STOP)).state)
        played.venue.faults.off("clock_skew")
        await clock()
        assert played.client.options["timeDifference"] == 0
        return [*said, (await adapter.amend(STOP, 58_500.0, 300)).state]

    refused, *taken = ADAPTED[venue].run(late)
    assert refused != WORKING
    assert taken == [WORKING, WORKING]


class SlowClient:
    """A venue that is an hour ahead, and an answer that takes its time."""

    def __init__(self, takes_ms: int, ahead_ms: int) -> None:
        self.takes_ms, self.ahead_ms, self.now, self.options = takes_ms, ahead_ms, 1_700_000_000_000, {"timeDifference": 7}

    def milliseconds(self) -> int:
        """Our clock."""
        return self.now

    async def fetch_time(self) -> int:
        """The venue's, in the middle of the answer."""
        self.now += self.takes_ms
        return self.now - self.takes_ms // 2 + self.ahead_ms


@pytest.mark.parametrize(
    ("takes_ms", "ahead_ms", "signs"),
    [
        (20, 3_600_000, -3_600_000),
        (20, -5_000, 5_000),
        (20, CLOSE_MS // 2, 0),  # near enough: as if there were no correction
        (SLOW_MS + 2, 9_000, 7),  # it says no moment: as before
        (-60_000, 9_000, 7),  # our clock was set meanwhile
    ],
)
def test_a_slow_answer_says_no_moment(takes_ms: int, ahead_ms: int, signs: int) -> None:
    """And clocks that agree are left as they are."""
    client = SlowClient(takes_ms, ahead_ms)
    asyncio.run(corrected_clock(client, [client])())
    assert client.options["timeDifference"] == signs

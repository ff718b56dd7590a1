"""The venue's clock beside ours, as a live feed says it: a clock that was set right keeps no entries off for long."""

import pytest

from engine.live.data_health import changes
from tests.fakes.live_feeds import LiveRun, live


@pytest.mark.parametrize("venue", ["okx", "binance", "bybit"])
def test_a_clock_that_was_set_right_is_seen_within_seconds(venue: str) -> None:
    """And one that is off by another offset, with that one; a jitter of it is no news."""

    async def script(run: LiveRun) -> None:
        what, moved = f"clock {venue}", [0]
        source = run.feed._sources[venue]
        ask = source.server_ms

        async def server_ms() -> int:
            return await ask() + moved[0]

        source.server_ms = server_ms  # type: ignore[method-assign]
        moved[0] = 40_000
        await run.minutes(2)
        said = run.feed.troubles[what]
        assert said.startswith(("39", "40"))
        moved[0] = 40_300
        await run.played.wait(30_000)
        assert run.feed.troubles[what] == said
        moved[0] = -3_000
        await run.played.wait(15_000)
        assert run.feed.troubles[what].startswith(("-29", "-30"))
        moved[0] = 0
        await run.played.wait(15_000)
        assert what not in run.feed.troubles

    live(venue, script)


@pytest.mark.parametrize(
    ("before", "now", "states"),
    [
        ({}, {"clock okx": "40000 ms"}, ["begun"]),
        ({"data clock okx": "40000 ms"}, {"clock okx": "40000 ms"}, []),
        ({"data clock okx": "40000 ms"}, {"clock okx": "-3000 ms"}, ["begun"]),
        ({"data rest okx": "502"}, {"rest okx": "503"}, []),
        ({"data clock okx": "40000 ms", "gate": "x"}, {}, ["over"]),
    ],
)
def test_a_trouble_is_journaled_again_where_a_clock_is_off_by_something_else(
    before: dict[str, str], now: dict[str, str], states: list[str]
) -> None:
    """Other reasons change from one question to the next."""
    assert [body["state"] for body in changes(before, now)] == states

"""Funding and marks of a live feed at the three local venues: announced, settled once, charged at the bar that opens there."""

import asyncio

import pytest

from engine.live.funding_feed import FundingFeed
from tests.fakes.exchange.adapted import ADAPTED
from tests.fakes.exchange.market import FUNDING_MS, MINUTE_MS
from tests.fakes.live_feeds import SYMBOLS, LiveRun, live

BTC = SYMBOLS["BTC"]
FUNDED = [pytest.param(v, marks=[] if v == "okx" else pytest.mark.long) for v in ADAPTED]


def following(run: LiveRun) -> FundingFeed:
    """Funding and marks of a run's feed."""
    source = run.feed._sources[next(iter(run.feed.columns.values())).venue]
    funding = FundingFeed(run.feed, source, run.played.venue.exchange.clock, run.feed._sleep)
    run.played.tasks.append(asyncio.create_task(funding.run()))
    return funding


@pytest.mark.parametrize("venue", FUNDED)
def test_a_settlement_is_charged_at_the_bar_that_opens_there(venue: str) -> None:
    """Its rate and mark in that bar alone; the rate and its time are known before, the mark by stream."""

    async def script(run: LiveRun) -> None:
        funding, settled, clock = following(run), [], run.played.venue.exchange.clock
        funding.on_settlement = lambda *one: settled.append(one)
        await run.played.wait(15 * MINUTE_MS)
        due = (clock() // FUNDING_MS + 1) * FUNDING_MS
        assert (funding.funding[BTC].rate, funding.funding[BTC].next_ms) == (0.0001, due)
        await run.played.wait(due - clock() + 20 * MINUTE_MS)
        charged = {run.feed.close_ms(t) - 900_000: run.feed.bars(t)[f"{venue}:BTC-USDT:perp"] for t in range(run.feed.bar_count)}
        assert [open_ms for open_ms, row in charged.items() if row[5]] == [due]
        assert charged[due][5] == 0.0001
        assert charged[due][6] == pytest.approx(charged[due][0], rel=1e-3)
        assert settled == [(BTC, due, 0.0001)]
        t_ms, price = funding.mark(BTC) or (0, 0.0)
        assert clock() - t_ms <= MINUTE_MS
        assert price == pytest.approx(charged[due][3], rel=0.01)

    live(venue, script, "BTC 15m")


@pytest.mark.long
def test_a_bar_whose_settlement_is_not_known_is_not_decided_on() -> None:
    """REST lists bars but the settlement is not there: a charge of zero would be false."""

    async def script(run: LiveRun) -> None:
        funding, clock = following(run), run.played.venue.exchange.clock
        await run.played.wait(15 * MINUTE_MS)
        due = (clock() // FUNDING_MS + 1) * FUNDING_MS
        funding._source.settlements = none_yet  # type: ignore[method-assign]
        await run.played.wait(due - clock() + 20 * MINUTE_MS)
        t = run.feed.after(due + 900_000) - 1
        assert run.feed.bars(t)["okx:BTC-USDT:perp"][0] is None
        assert any("the settlement of" in note.text for note in run.notes)
        assert funding.charge("okx:BTC-USDT:perp", due - 900_000) == (0.0, 0.0)

    live("okx", script, "BTC 15m")


async def none_yet(_symbol: str, _since_ms: int) -> dict[int, float]:
    """No settlement is listed."""
    return {}


def test_the_mark_is_asked_for_while_a_position_is_open() -> None:
    """By REST each 30 s, whatever the stream does; not without a position."""

    async def script(run: LiveRun) -> None:
        funding = following(run)

        def count() -> int:
            return sum("mark-price" in path for _, path, _ in run.played.venue.calls)

        await run.minutes(2)
        assert count() == 0
        funding.is_open = lambda _symbol: True
        run.faults.on("ws_mute", 3 * MINUTE_MS)
        await run.minutes(3)
        assert count() in (5, 6)
        t_ms, _ = funding.mark(BTC) or (0, 0.0)
        assert run.played.venue.exchange.clock() - t_ms <= 30_000

    live("okx", script)


def test_a_funding_time_that_is_past_is_asked_for_at_leisure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A venue that is late with it, or behind this machine's clock: it was asked again as each answer came."""
    asked: list[str] = []

    async def late(symbol: str) -> tuple[float, int]:
        asked.append(symbol)
        await asyncio.sleep(0.02)
        return 0.0001, 1

    async def script(run: LiveRun) -> None:
        monkeypatch.setattr(run.feed._sources["okx"], "funding", late)
        following(run)
        await run.minutes(2)

    live("okx", script)
    assert 10 <= len(asked) <= 14

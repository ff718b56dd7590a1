"""A paper desk on live data: closes as they come, holes, corrections, restarts, and what a person sees of it."""

from itertools import pairwise
from pathlib import Path

import pytest

from app.processes.live_worker import trouble_text
from engine.watch.heartbeat import heartbeat_of
from tests.fakes.live_homes import LiveHome, lived

MINUTE_MS = 60_000
PERP = "okx:BTC-USDT:perp"


def test_a_close_is_walked_as_it_comes(own_home: Path) -> None:
    """Within three seconds, in the journal and in the heartbeat, which say PAPER and live."""

    async def script(home: LiveHome) -> None:
        await home.played.wait(12 * MINUTE_MS)
        home.start()
        await home.until(lambda: home.events("bar"), 5)
        (bar,) = home.events("bar")
        assert (bar.body["stamp"], bar.t_recv_ms - bar.body["close_ms"] <= 3_000) == ("PAPER", True)
        assert bar.body["bars"][PERP][3]
        await home.stop()
        beat = heartbeat_of(home.path)
        assert (beat["stamp"], beat["mode"], beat["source"], beat["bars"]) == ("PAPER", "paper", "live", 1)

    lived(own_home, "okx", script)


@pytest.mark.parametrize(
    ("troubles", "line"),
    [
        ({}, ""),
        ({"data clock okx": "2000 ms from ours"}, "clock okx: 2000 ms from ours"),
        ({"gate": "probe: not run yet"}, "probe: not run yet"),
        ({"data rest okx": "okx asks for rest"}, "okx asks for rest"),
        (
            {f"data bar {PERP}": "no flag", "data bar okx:ETH-USDT:perp": "no flag", "halt": "x"},
            f"bar {PERP}, bar okx:ETH-USDT:perp: no flag; x",
        ),
        (
            {f"not traded: {PERP}": "the venue does not list it", f"data bar {PERP}": "no flag", f"data mark {PERP}": "x" * 200},
            f"not traded: {PERP}: the venue does not list it",
        ),
    ],
)
def test_the_note_says_whose_trouble_it_is(troubles: dict[str, str], line: str) -> None:
    """Where the reason does not name it; a reason that several have comes once."""
    assert trouble_text(troubles) == line


@pytest.mark.long
def test_it_replays_then_walks_closes_as_they_come(own_home: Path) -> None:
    """Half of the history is replayed; then each close within three seconds, filled at the next bar, stamped PAPER."""

    async def script(home: LiveHome) -> None:
        home.start()
        await home.minutes(31)
        beat = heartbeat_of(home.path)
        assert (beat["phase"], beat["stamp"], beat["mode"], beat["source"]) == ("running", "PAPER", "paper", "live")
        bars = home.events("bar")
        stamps = [event.body["stamp"] for event in bars]
        assert stamps == sorted(stamps, reverse=True)  # REPLAYED, then PAPER
        assert stamps.count("PAPER") >= 2
        assert all(b.body["close_ms"] - a.body["close_ms"] == 900_000 for a, b in pairwise(bars))
        assert all(event.t_recv_ms - event.body["close_ms"] <= 3_000 for event in bars if event.body["stamp"] == "PAPER")
        assert home.events("fill")
        assert home.events("config")[0].body["start"]["source"] == "live"
        await home.stop()
        seen = home.book.close_ms
        home.start()
        await home.minutes(16)
        assert home.book.close_ms > seen

    lived(own_home, "okx", script, replay_days=1)


@pytest.mark.long
def test_a_missing_bar_is_null_and_a_correction_is_an_event(own_home: Path) -> None:
    """A stream that is silent over a close: the row is null with its reason, entries are off, and the next close is well. A bar
    that REST lists with other numbers later is noted, and the desk goes on, now and at its next start."""

    async def script(home: LiveHome) -> None:
        home.start()
        await home.minutes(1)
        feed = home.worker.data.feed  # type: ignore[union-attr]
        home.played.venue.faults.on("wrong_candle", 15 * MINUTE_MS)
        await home.until(lambda: home.events("bar"), 20)
        row = home.events("bar")[-1].body
        assert row["bars"][PERP][:5] == [None] * 5
        assert any(event.body["what"] == f"data bar {PERP}" and event.body["why"] for event in home.events("health"))
        await home.until(lambda: len(home.events("bar")) == 2, 20)
        await home.minutes(0.1)
        assert home.events("bar")[-1].body["bars"][PERP][3] is not None
        assert home.book.health == {}
        last = max(feed.bars_of[PERP].known)
        for note in feed.bars_of[PERP].read({last: (1.0, 2.0, 0.5, 1.5, 3.0)}, home.clock()):
            feed.on_note(note)
            feed.on_bar(PERP, note.open_ms, feed.bars_of[PERP].known[note.open_ms], "corrected")
        await home.minutes(0.1)
        noted = [event.body for event in home.events("health") if event.body["what"] == f"correction of {PERP}"]
        assert len(noted) == 1
        assert "REST now lists (1.0, 2.0, 0.5, 1.5, 3.0)" in noted[0]["why"]
        assert home.book.health == {}
        await home.stop()
        home.start()
        await home.minutes(16)
        assert len(home.events("bar")) >= 3

    lived(own_home, "okx", script)

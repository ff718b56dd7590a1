"""The published incident's restart: executions stop being listed, a person restarts with the fault still there. The desk must not
go on by itself, whatever else looks well.
"""

from pathlib import Path
from typing import Any

import pytest

from engine.book.bodies import OFF
from engine.live.gate import GATE
from engine.store.journal import read
from tests.fakes.desks import BAR_MS
from tests.fakes.exchange.adapted import ADAPTED
from tests.fakes.exchange.faults import Window
from tests.fakes.exchange.stage import START_MS
from tests.storms.gated_storm import GatedStorm
from tests.storms.live_storm import exchange_of

FIRST_MS = START_MS // BAR_MS * BAR_MS
VENUES = ["okx", "binance", "bybit"]


def stormy(venue: str, path: Path, bars: int, plan: list[Window], **more: Any) -> GatedStorm:
    """A run; in its last bars the faults have stopped."""

    async def script(played: Any) -> GatedStorm:
        played.venue.faults.plan.extend(plan)
        storm = GatedStorm(ADAPTED[venue], played, path, 3, **more)
        await storm.run(bars, more.get("quiet", 6))
        return storm

    found: GatedStorm = ADAPTED[venue].played.under_virtual_clock(script, exchange_of(3, bars), 0.02, 3)[0]
    return found


def entries_since(path: Path, t_ms: int) -> list[str]:
    """Entry orders that were meant to leave after a time."""
    return [e.body["order"] for e in read(path, {"intent"}) if e.body["slot"] == "entry" and e.t_recv_ms > t_ms]


@pytest.mark.long
@pytest.mark.parametrize("venue", VENUES)
def test_a_desk_with_a_gate_trades_and_wakes_nobody(venue: str, tmp_path: Path) -> None:
    """Without faults it opens within the first bar."""
    storm = stormy(venue, tmp_path / "desk.jsonl", 10, [])
    assert not storm.wrong, storm.wrong
    assert not storm.pages
    assert storm.met["fill"] > 4
    assert GATE not in storm.desk.book.health


@pytest.mark.slow
@pytest.mark.parametrize("venue", ["okx", *(pytest.param(name, marks=pytest.mark.long) for name in VENUES[1:])])
def test_the_incidents_restart_with_the_fault_still_there(venue: str, tmp_path: Path) -> None:
    """Fills are said and not listed, for hours. It is killed and started again, and a person pays for a round trip each time that
    the gate asks: the trip is red, and no entry leaves. Only when fills are listed again does a consented trip open it.
    """
    path = tmp_path / "desk.jsonl"
    begins = FIRST_MS + 3 * BAR_MS
    plan = [Window("drop_fills_rest", begins - 3_000, begins + 9 * BAR_MS)]
    storm = stormy(venue, path, 24, plan, quiet=12)
    assert not storm.wrong, storm.wrong
    trips = [e for e in read(path, {"probe"}) if e.body.get("kind") == "round_trip" and e.body["what"] == "ended"]
    assert [trip.body["ok"] for trip in trips][:1] == [False]
    assert trips[-1].body["ok"]
    opened = [e.t_recv_ms for e in read(path, {"gate"}) if e.body["open"]]
    shut_ms = next(e.t_recv_ms for e in read(path, {"health"}) if e.body["what"] == "executions")
    between = [t for t in opened if t > shut_ms]
    assert between
    assert between[0] > begins + 9 * BAR_MS - 3_000
    assert not [e for e in read(path, {"orphan"}) if e.body["what"] == "close"]  # what is listed late is closed already
    entries = entries_since(path, shut_ms)
    assert entries
    assert not set(entries) - set(entries_since(path, between[0]))


class DelistedStorm(GatedStorm):
    """The venue takes the instrument away for nine bars, with whatever is open there; killed meanwhile."""

    restart_at, how = 8, ""

    def person(self) -> None:
        """As before; and the venue does what it does."""
        super().person()
        away = getattr(self.played.venue, self.how)
        if self.bars == 5:
            away.update(self.played.venue.instruments)
        if self.bars == 14:
            away.clear()


@pytest.mark.sample(1)
@pytest.mark.parametrize("how", ["suspended", "unknown"])
@pytest.mark.parametrize("venue", ["okx", *(pytest.param(name, marks=pytest.mark.long) for name in VENUES[1:])])
def test_an_instrument_that_is_taken_away_and_comes_back(venue: str, how: str, tmp_path: Path) -> None:
    """Nothing enters meanwhile, by either process; each of them wakes a person once. Then it is proved, and the desk goes on."""
    path = tmp_path / "desk.jsonl"

    async def script(played: Any) -> DelistedStorm:
        storm = DelistedStorm(ADAPTED[venue], played, path, 3)
        storm.how = how
        await storm.run(24, 6)
        return storm

    storm = ADAPTED[venue].played.under_virtual_clock(script, exchange_of(3, 24), 0.02, 3)[0]
    assert not storm.wrong, storm.wrong
    off = [e for e in read(path, {"health"}) if e.body["what"].startswith(OFF)]
    begun, over = next(e.t_recv_ms for e in off), off[-1]
    assert over.body["state"] == "over"
    left = [e for e in read(path, {"intent"}) if e.body["slot"] == "entry"]
    assert not [e.body["order"] for e in left if begun < e.t_recv_ms < over.t_recv_ms]
    assert [e.body["order"] for e in left if e.t_recv_ms > over.t_recv_ms]
    assert [text for _, text in storm.pages if "is not traded" not in text] == []
    assert len(storm.pages) == 2, storm.pages
    assert not storm.desk.book.health

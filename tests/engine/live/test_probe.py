"""A probe against the three local venues through real ccxt: every leg by itself, each broken by a fault of the venue."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import pytest

from engine.live.probe import AccountProbe
from engine.live.probe_result import FAILED, OK, UNTRIED, ProbeOf, ProbeResult
from engine.venues.live_port import LiveAnswer
from tests.fakes.exchange import ledger as log
from tests.fakes.exchange.adapted import ADAPTED, order
from tests.fakes.exchange.played import Played
from tests.fakes.exchange.virtual import run_virtual
from tests.fakes.live_desks import PortVenue

VENUES = list(ADAPTED)
OF = ProbeOf("okx:BTC-USDT:perp", 60_000.0, 0.001, 20.0, 0.0001, 0.1)
FAR = [f"{kind} {leg}" for kind in ("limit", "stop") for leg in ("placed", "on rest", "on stream", "amended", "cancelled")]
TRIP = [f"{way} {leg}" for way in ("entry", "exit") for leg in ("placed", "filled on rest", "on stream")]
Play = Callable[[Played, Any, AccountProbe], Coroutine[Any, Any, ProbeResult]]


class Probed:
    """What a test looks at afterwards."""

    def __init__(self) -> None:
        self.notes: list[Mapping[str, Any]] = []
        self.barred = ""
        self.deaf = False
        self.exchange: Any = None


def probed(venue: str, play: Play, at: Probed | None = None, price: float = 60_000.0) -> tuple[ProbeResult, Probed]:
    """Play it; at the end nothing of the probe stands or is held."""
    at = at or Probed()

    async def script(played: Played, adapter: Any) -> ProbeResult:
        at.exchange = exchange = played.venue.exchange
        await played.client.load_markets()

        def heard(id_: str) -> int | None:
            there = exchange.by_client(id_) or exchange.algo_by_client(id_)
            return exchange.now if there is not None and not at.deaf else None

        of = OF._replace(price=price)
        return await play(played, adapter, AccountProbe(adapter, of, exchange.clock, at.notes.append, heard, lambda: at.barred))

    return ADAPTED[venue].run(script), at


async def far(_played: Played, _adapter: Any, probe: AccountProbe) -> ProbeResult:
    """The whole of it, without a fault."""
    return await probe.far()


def stands(at: Probed) -> list[Any]:
    """What the venue still holds."""
    return [*at.exchange.open_orders(), *at.exchange.open_algos()]


def by_name(result: ProbeResult) -> dict[str, str]:
    """Leg -> result."""
    return {leg.name: leg.result for leg in result.legs}


@pytest.mark.parametrize("venue", VENUES)
def test_far_orders_are_placed_seen_moved_and_gone(venue: str) -> None:
    """All ten legs; nothing is filled, nothing is left, and each order was journaled before it went out."""
    result, at = probed(venue, far)
    assert by_name(result) == dict.fromkeys(FAR, OK), result.legs
    assert result.ok
    assert not stands(at)
    placed = [e for e in at.exchange.ledger if e.kind in (log.ACCEPTED, log.ALGO_ACCEPTED)]
    names = {(e.order or e.algo).client.partition("-")[0] for e in placed}
    assert names == {note["order"] for note in at.notes if note["what"] == "sent"}
    assert not [e for e in at.exchange.ledger if e.kind == log.FILL]
    assert [note["what"] for note in at.notes] == ["begun", "sent", "sent", "ended"]


@pytest.mark.parametrize("venue", VENUES)
def test_a_round_trip_is_billed_and_leaves_nothing(venue: str) -> None:
    """Least size in and out, seen where fills are billed and where they are announced; its cost is two fees and the spread."""

    async def play(_played: Played, _adapter: Any, probe: AccountProbe) -> ProbeResult:
        return await probe.round_trip()

    result, at = probed(venue, play)
    assert by_name(result) == dict.fromkeys([*TRIP, "position as before"], OK), result.legs
    assert at.exchange.account.position("BTC").lots == 0
    paid = sum(e.bill.cash for e in at.exchange.ledger if e.kind == log.FILL and e.bill) / 10**12
    assert result.cost == pytest.approx(-paid, abs=1e-6)
    assert 0.0 < result.cost < 1.0


BROKEN = {
    "reject_orders": "limit placed",
    "timeout_before": "limit placed",
    "timeout_after": "limit placed",
    "late": "limit placed",
    "lost_order": "limit on rest",
    "reject_amends": "limit amended",
    "read_timeout": "limit on rest",
    "http_5xx": "limit placed",
    "maintenance": "limit placed",
}


@pytest.mark.parametrize("venue", [VENUES[0], *(pytest.param(name, marks=pytest.mark.long) for name in VENUES[1:])])
@pytest.mark.parametrize("kind", BROKEN)
def test_each_fault_turns_its_leg_red_and_nothing_stays(kind: str, venue: str) -> None:
    """Ten seconds of it, from the start; the probe is over when the orders are gone."""

    async def play(played: Played, _adapter: Any, probe: AccountProbe) -> ProbeResult:
        played.venue.faults.on(kind, 12_000)
        return await probe.far()

    result, at = probed(venue, play)
    assert not result.ok
    asks_first = venue == "binance" and kind == "read_timeout"  # it asks for an entry's id before it places it
    assert by_name(result)["limit placed" if asks_first else BROKEN[kind]] == FAILED, result.legs
    assert not stands(at)
    assert not result.left


@pytest.mark.parametrize("venue", VENUES)
def test_an_order_that_cannot_be_cancelled_is_named(venue: str) -> None:
    """Bounded; it says what to cancel by hand."""

    async def play(played: Played, _adapter: Any, probe: AccountProbe) -> ProbeResult:
        played.venue.faults.on("reject_cancels")
        return await probe.far()

    result, at = probed(venue, play)
    assert not result.ok
    assert {leg.name for leg in result.legs if leg.result == FAILED} >= {"limit cancelled", "stop cancelled"}
    left = {order.client.partition("-")[0] for order in stands(at)}
    assert len(result.left) == 2
    assert all(any(id_ in line for line in result.left) for id_ in left)


def test_a_stream_that_is_deaf_is_red_and_one_that_is_missing_is_not_tried() -> None:
    """Seen by REST alone is not seen on both."""
    at = Probed()
    at.deaf = True
    result, _ = probed("okx", far, at)
    assert by_name(result)["limit on stream"] == by_name(result)["stop on stream"] == FAILED

    async def without(_played: Played, _adapter: Any, probe: AccountProbe) -> ProbeResult:
        probe.heard = None
        return await probe.far()

    result, _ = probed("okx", without)
    assert by_name(result)["limit on stream"] == UNTRIED
    assert result.ok


def test_nothing_is_sent_while_the_desk_is_halted() -> None:
    """The latch is looked at before each order."""
    at = Probed()
    at.barred = "halted"
    result, _ = probed("okx", far, at)
    assert not [e for e in at.exchange.ledger if e.kind in (log.ACCEPTED, log.ALGO_ACCEPTED)]
    assert by_name(result)["limit placed"] == UNTRIED
    assert not result.ok
    assert result.failures == ["limit placed: halted"]


def test_a_latch_that_is_set_while_an_order_is_journaled_stops_it() -> None:
    """It is looked at between the disk and the venue, too."""
    at = Probed()

    class Latching(list[Mapping[str, Any]]):
        def append(self, note: Mapping[str, Any]) -> None:
            super().append(note)
            at.barred = "halted" if note["what"] == "sent" else at.barred

    at.notes = Latching()
    result, _ = probed("okx", far, at)
    assert not result.ok
    assert not [e for e in at.exchange.ledger if e.kind in (log.ACCEPTED, log.ALGO_ACCEPTED)]


def on_port(prepare: Callable[[PortVenue], None]) -> tuple[ProbeResult, PortVenue]:
    """A far probe of a venue at the port that does something else in one call."""
    venue = PortVenue()

    async def main(loop: Any) -> ProbeResult:
        venue.clock = loop.clock
        prepare(venue)
        return await AccountProbe(venue, OF, loop.clock, lambda _: None).far()

    found: ProbeResult = run_virtual(main, 1_700_000_000_000)
    return found, venue


def test_an_order_that_arrives_late_is_waited_for_and_cancelled() -> None:
    """No answer, and not known when it is first asked for: it may still come, for as long as its request may be on its way."""

    def late(venue: PortVenue) -> None:
        place = venue.place

        async def arrives(order: Any) -> Any:
            loop = asyncio.get_running_loop()
            loop.call_later(9.0, lambda: tasks.append(loop.create_task(place(order))))
            return LiveAnswer(order.id, "UNKNOWN", 0, "no answer")

        venue.place = arrives  # type: ignore[method-assign]

    tasks: list[Any] = []
    result, venue = on_port(late)
    assert not result.ok
    assert len(venue.orders) == 2
    assert {held.state for held in venue.orders.values()} == {"done"}


def test_an_order_that_is_not_in_the_list_of_open_orders_is_red() -> None:
    """Found by its id is not enough: what is not listed is not cancelled by a start."""

    def unlisted(venue: PortVenue) -> None:
        async def nothing() -> list[Any]:
            return []

        venue.standing = nothing  # type: ignore[method-assign]

    result, _ = on_port(unlisted)
    assert by_name(result)["limit on rest"] == FAILED


def test_executions_that_are_not_listed_turn_the_round_trip_red() -> None:
    """The published incident: the order says filled, the list says nothing. What was bought is sold all the same."""

    async def play(played: Played, _adapter: Any, probe: AccountProbe) -> ProbeResult:
        played.venue.faults.on("drop_fills_rest")
        return await probe.round_trip()

    result, at = probed("okx", play)
    assert by_name(result)["entry filled on rest"] == FAILED
    assert not result.ok
    assert at.exchange.account.position("BTC").lots == 0


@pytest.mark.parametrize("side", [1, -1])
def test_a_round_trip_beside_a_position_leaves_the_position(side: int) -> None:
    """It goes in where the position is, so that reduce-only can take it out again."""

    async def play(_played: Played, adapter: Any, probe: AccountProbe) -> ProbeResult:
        await adapter.place(order("ndE1", side=side, lots=500))
        return await probe.round_trip()

    result, at = probed("okx", play)
    assert result.ok, result.legs
    assert at.exchange.account.position("BTC").lots == side * 500


def test_a_far_order_never_takes() -> None:
    """With a price that is read wrong, what would cross is ended by the venue, and the probe is red."""
    result, at = probed("okx", far, price=90_000.0)
    assert by_name(result)["limit on rest"] == FAILED
    assert not [e for e in at.exchange.ledger if e.kind == log.FILL]


def test_a_far_order_that_fills_is_closed_and_red() -> None:
    """The market fell by a third within a second: what was bought is sold, reduce-only, and said."""
    venue, notes = PortVenue(), list[Mapping[str, Any]]()

    async def main(loop: Any) -> ProbeResult:
        venue.clock = loop.clock
        probe = AccountProbe(venue, OF, loop.clock, notes.append)
        amend = venue.amend

        async def fills(order: Any, price: float, lots: int) -> Any:
            if order.slot == 0:
                venue.execute(order.id, lots)
            return await amend(order, price, lots)

        venue.amend = fills  # type: ignore[method-assign]
        return await probe.far()

    result: ProbeResult = run_virtual(main, 1_700_000_000_000)
    assert "have filled" in next(leg.why for leg in result.legs if leg.name == "limit cancelled")
    assert not result.ok
    assert venue.net == 0


@pytest.mark.parametrize(("code", "found"), [("-2022", UNTRIED), ("51169", UNTRIED), ("-2019", FAILED)])
def test_a_venue_that_takes_no_stop_while_flat_has_answered(code: str, found: str) -> None:
    """That refusal alone is no failure; it proves nothing about stops either."""
    venue = PortVenue()

    async def main(loop: Any) -> ProbeResult:
        venue.clock, place = loop.clock, venue.place

        async def refuses(order: Any) -> Any:
            answer = await place(order)
            if order.slot == 1:
                del venue.orders[order.id]
                return answer._replace(state="rejected", why=f"okx says: no ({code})")
            return answer

        venue.place = refuses  # type: ignore[method-assign]
        return await AccountProbe(venue, OF, loop.clock, lambda _: None).far()

    result: ProbeResult = run_virtual(main, 1_700_000_000_000)
    assert by_name(result)["stop placed"] == found
    assert result.ok is (found == UNTRIED)

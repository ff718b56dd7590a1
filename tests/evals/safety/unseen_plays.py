"""Ten more incidents of S6, written after the table of causes was finished: no kind, delay or rule was changed for them.

Their first figure is the fair one; docs/safety-suites.md states it.
"""

from engine.book.order_events import order_id
from tests.evals.safety import incident_plays as plays
from tests.evals.safety import venue_faults as faults
from tests.evals.safety.incident_plays import Incident, is_differing, is_health, is_kind, is_order, played, written
from tests.fakes.live_desks import LiveBench, long


async def away_and_the_stop_lost(bench: LiveBench) -> None:
    """The venue says nothing for minutes; the stop of the entry before it is lost on its way."""
    await bench.start()
    bench.venue.script["trades"] = ["silent"] * 60
    await bench.after(120)
    bench.venue.script["trades"].clear()
    await bench.after(60)
    await faults.stop_lost(bench)


async def closed_by_the_venue(bench: LiveBench) -> None:
    """Long by the book, flat at the venue."""
    await bench.start()
    await bench.entered()
    bench.venue.net = 0
    await bench.after(130)


async def stop_and_exit_rejected(bench: LiveBench) -> None:
    """Neither the stop nor the exit is taken."""
    await bench.start()
    await bench.to_close()
    bench.venue.script["place"] = ["ok", *["rejected"] * 60]
    bench.close(adds=long())
    await bench.after(120)


async def silent_stream_then_orphan(bench: LiveBench) -> None:
    """Two troubles; the second one is the worse and has nothing to do with the first."""
    await faults.stream_goes_silent(bench)
    bench.venue.trade(order_id("adds", 99), "v9", 1, 40)
    await bench.after(70)


async def a_person_halts(bench: LiveBench) -> None:
    """Nothing was wrong."""
    await bench.start()
    await bench.entered()
    bench.halt("a person halts")
    await bench.after(30)


async def stop_cannot_be_asked(bench: LiveBench) -> None:
    """A stop fired; its child has no name, and the stop does not answer."""
    await bench.start()
    await bench.entered()
    stop = next(id_ for id_, held in bench.venue.orders.items() if held.order.slot == 1)
    bench.venue.script["ask"] = ["silent"] * 60
    bench.venue.execute(stop, 300, 59_700.0, named=False)
    await bench.after(45)


async def halted_with_a_strangers_trade(bench: LiveBench) -> None:
    """A stranger's trade flips the account; the halt cannot end equal."""
    await bench.start()
    await bench.entered()
    bench.venue.trade("stranger", "v9", -1, 600)
    await bench.after(150)


STOP_REFUSED = ("order", plays.STOP | {"state": "rejected", "why": "price off tick"})
UNSEEN: tuple[Incident, ...] = (
    played("away, later a lost stop", "F3", away_and_the_stop_lost, is_order("UNKNOWN", "protective"), "protective-missing"),
    played("closed by the venue", "ADL", closed_by_the_venue, is_differing("position"), "reconcile-difference", "liquidation"),
    played("stop and exit rejected", "F8", stop_and_exit_rejected, is_order("rejected", "protective"), "protective-missing"),
    played("silent stream, then an orphan", "F4", silent_stream_then_orphan, is_kind("orphan"), "orphan"),
    played("a person halts", "F7", a_person_halts, is_kind("halt"), "halted"),
    played("a stop that cannot be asked", "F6", stop_cannot_be_asked, is_health("unexplained"), "unknown-order"),
    played(
        "halted by a trade of a stranger",
        "F6",
        halted_with_a_strangers_trade,
        lambda e: e.kind == "fill" and not e.body.get("sleeve"),
        "unknown-order",
    ),
    written(
        "tick changed, stops rejected",
        "F8",
        [
            ("config", plays.CHANGED),
            STOP_REFUSED,
            ("leave", {"sleeve": plays.S, "why": "layer 1 had no protective order for 15 s"}),
        ],
        lambda e: e.kind == "config" and e.body["version"] == 2,
        "canary-rolled-back",
        "protective-missing",
    ),
    written(
        "losses in a row",
        "F10",
        [("fill", plays.LOST), ("fill", plays.LOST), ("breaker", plays.STREAK)],
        lambda e: e.kind == "fill",
        "drawdown",
        "breaker-tripped",
    ),
    written(
        "torn end, then an order in doubt",
        "F4",
        [("incident", plays.TORN), ("order", plays.STOP | {"slot": "entry", "state": "UNKNOWN", "why": "no answer"})],
        lambda e: e.kind == "incident",
        "worker-down",
    ),
)

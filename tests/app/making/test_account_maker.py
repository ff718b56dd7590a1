"""A maker at an account of the three local venues: what it holds is what the venue says, whatever venue, stream and process do.

The bench looks at each event of the venue's ledger: never two orders on a side, none that could take, none that no journal has.
"""

import asyncio
import json
from pathlib import Path

import pytest

from engine.errors import Refused
from engine.live.halt import KILLED
from engine.making.guardrails import worth
from engine.making.stored import folder_of, stored
from tests.app.making.bench import QUOTING, Bench, Killed, play
from tests.fakes.exchange import ledger as log
from tests.fakes.exchange import orders as o
from tests.fakes.exchange.market import FUNDING_MS, PICO

VENUES = ("okx", "binance", "bybit")
STRICT = QUOTING._replace(quote_age_max_ms=5_000)


def states(bench: Bench, *names: str) -> list[str]:
    """States that orders were journaled in."""
    return [e.body["state"] for e in bench.events("order") if e.body["state"] in names]


def lags_ms(bench: Bench, since_ms: int = 0) -> list[int]:
    """How long after its execution each fill was journaled."""
    return [e.body["t_ns"] // 1_000_000 - e.body["t_ms"] for e in bench.events("fill") if e.body["t_ms"] >= since_ms]


@pytest.mark.parametrize("venue", VENUES)
def test_it_quotes_both_sides_and_books_what_the_venue_fills(tmp_path: Path, venue: str) -> None:
    """Moved by cancel and new order, filled in part and whole; money, fees, inventory are the venue's; what is shown says so."""

    async def script(bench: Bench) -> None:
        bench.begin()
        await bench.after(90)
        assert {order.side for order in bench.resting()} <= {1, -1}
        await bench.end()
        assert not bench.resting()

    bench = play(venue, tmp_path, script)
    bench.check()
    assert not bench.events("halt", "killed")  # a stop is none: inventory stays
    fills = bench.events("fill")
    assert len(fills) > 30
    assert {e.body["side"] for e in fills} == {"buy", "sell"}
    assert {e.body["liquidity"] for e in fills} == {"maker"}
    assert any(e.body["lots"] < 100 for e in fills)
    assert len(states(bench, "cancelling")) > 10
    assert max(lags_ms(bench)) < 1_000  # the stream wakes what reads by REST: it looks by itself every two seconds alone
    body = stored(folder_of(tmp_path, "m"))
    assert (body["kind"], body["account"], body["mode"], body["stage"]) == ("testnet at an account", "mm", "testnet", "testnet")
    assert body["figures"]["fills"] == len(fills)
    assert round(body["figures"]["inventory"] * 10_000) == bench.lots()


@pytest.mark.parametrize("venue", VENUES)
def test_an_order_that_would_take_is_rejected_and_the_maker_goes_on(tmp_path: Path, venue: str) -> None:
    """The maker's book is three ticks above the venue's: its bids would take. None does, and later ones rest again."""

    async def script(bench: Bench) -> None:
        bench.shift = 3
        bench.begin()
        await bench.after(30)
        bench.shift = 0
        await bench.after(60)

    bench = play(venue, tmp_path, script)
    bench.check()
    ended = [e for e in bench.exchange.ledger if e.kind == log.ENDED and e.why == "post_only"]
    assert len(ended) + len(states(bench, "rejected")) > 3  # Binance refuses it, the others take and end it
    assert len(bench.fills()) > 5
    assert not bench.events("halt")


@pytest.mark.sample(4)
@pytest.mark.parametrize("kind", ["timeout_after", "timeout_before", "late", "lost_order"])
@pytest.mark.parametrize("venue", [f"port-{venue}" for venue in VENUES])
def test_what_is_not_answered_is_asked_about_and_never_sent_again(tmp_path: Path, venue: str, kind: str) -> None:
    """Each order is handed over once; a side waits until the venue has said what became of its order."""

    async def script(bench: Bench) -> None:
        bench.begin()
        await bench.after(20)
        bench.played.venue.faults.on(kind, 60_000, 0.3)
        await bench.after(120)
        assert bench.task is not None
        assert not bench.task.done()

    bench = play(venue, tmp_path, script)
    bench.check()
    assert bench.played.venue.faults.count[kind] > 1
    placed = bench.doors[0].placed
    assert len(placed) == len(set(placed)) > 30
    assert not bench.events("halt")  # quote_age_max_ms is a minute here
    assert max(e.t_event_ms for e in bench.events("fill")) > bench.exchange.clock() - 60_000


@pytest.mark.sample(3)
@pytest.mark.parametrize("kind", ["timeout_after", "read_timeout", "reject_orders", "drop_fills_rest", "rest_late"])
@pytest.mark.parametrize(
    "venue", ["binance", pytest.param("okx", marks=pytest.mark.long), pytest.param("bybit", marks=pytest.mark.long)]
)
def test_a_venue_that_does_not_answer_ends_the_quoting(tmp_path: Path, venue: str, kind: str) -> None:
    """After quote_age_max_ms, or ten refusals: all is pulled and left once the venue answers again; the next start is equal."""

    async def script(bench: Bench) -> None:
        bench.begin()
        await bench.after(30)
        bench.played.venue.faults.on(kind, 20_000)
        await bench.after(60)
        assert bench.book().halted
        assert bench.book().killed["state"] == KILLED
        assert (bench.lots(), bench.resting()) == (0, [])
        await bench.end()
        bench.begin()
        await bench.after(30)

    bench = play(venue, tmp_path, script, options=STRICT)
    bench.check()
    assert any(page.startswith("halt (") and KILLED in page for page in bench.pages)
    assert len(bench.events("session")) == 2


@pytest.mark.sample(3)
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("kind", ["ws_mute", "ws_cut", "drop_fills", "ws_reorder"])
def test_a_dead_stream_delays_and_loses_nothing(tmp_path: Path, venue: str, kind: str) -> None:
    """Executions are read by REST meanwhile, twice a second once the stream is known to be dead; each fill once."""
    begun: list[int] = []

    async def script(bench: Bench) -> None:
        bench.begin()
        await bench.after(20)
        begun.append(bench.exchange.clock())
        bench.played.venue.faults.on(kind, 40_000)
        await bench.after(80)

    bench = play(venue, tmp_path, script)
    bench.check()
    assert bench.played.venue.faults.count[kind]
    assert max(lags_ms(bench)) < 2_600
    if kind == "ws_cut":
        assert max(lags_ms(bench, begun[0] + 1_000)) < 1_200
    assert not bench.events("halt")


def lived(bench: Bench) -> bool:
    """Whether the process that has ended was killed; anything else is the test's."""
    assert bench.task is not None
    error = bench.task.exception()
    if error is not None and not isinstance(error, Killed):
        raise error
    return isinstance(error, Killed)


async def killed_at_every_write(bench: Bench, span_ms: int, step: int = 1) -> int:
    """Processes that die at their first group of events, their second, and so on, before and after it is written; how many."""
    until, lives = bench.exchange.clock() + span_ms, 0
    while bench.exchange.clock() < until:
        lives += 1
        bench.begin(dies_at=1 + (lives - 1) * step // 2, after=bool(lives % 2))
        assert bench.task is not None
        while not bench.task.done() and bench.exchange.clock() < until + 60_000:
            await asyncio.sleep(0.05)
        if not bench.task.done():
            await bench.end()
        else:
            lived(bench)
    return lives


@pytest.mark.parametrize(
    ("venue", "span_ms", "step"),
    [
        ("port-okx", 600_000, 2),
        *(pytest.param(f"port-{venue}", 3_600_000, 2, marks=pytest.mark.long) for venue in VENUES),
    ],
)
def test_a_kill_at_any_write_costs_nothing(tmp_path: Path, venue: str, span_ms: int, step: int) -> None:
    """The next process cancels what rests, books what was filled, and is equal to the account before it quotes."""
    lives: list[int] = []

    async def script(bench: Bench) -> None:
        lives.append(await killed_at_every_write(bench, span_ms, step))
        bench.begin()
        await bench.after(90)

    bench = play(venue, tmp_path, script)
    bench.check()
    assert lives[0] > 30
    assert len(bench.events("compared")) > lives[0] // 2
    assert len(bench.fills()) > 50
    assert not bench.pages


@pytest.mark.parametrize("span_ms", [450_000, pytest.param(900_000, marks=pytest.mark.long)])
def test_kills_while_the_venue_does_not_answer(tmp_path: Path, span_ms: int) -> None:
    """An order that arrives after its process has died is found by the next one, which waits for what may still come."""

    async def script(bench: Bench) -> None:
        for kind, chance in (("timeout_after", 0.1), ("late", 0.1), ("timeout_before", 0.1), ("read_timeout", 0.05)):
            bench.played.venue.faults.on(kind, span_ms - 60_000, chance)
        await killed_at_every_write(bench, span_ms, 3)
        bench.begin()
        await bench.after(120)

    bench = play("port-binance", tmp_path, script)
    bench.check()
    assert bench.played.venue.faults.count["late"] > 3


def test_an_order_that_was_decided_long_ago_is_not_sent(tmp_path: Path) -> None:
    """The process was held up: what it decided on old messages never leaves, and it quotes on by the new ones."""

    async def script(bench: Bench) -> None:
        bench.begin()
        await bench.after(20)
        life = bench.life
        assert life is not None
        assert life.maker is not None
        requests, before = life.maker.requests, len(bench.doors[0].placed)
        placed = requests.place
        requests.place = lambda order: placed(order._replace(decided_ms=order.decided_ms - 1_500))  # type: ignore[method-assign]
        await bench.after(20)
        assert len(bench.doors[0].placed) == before
        requests.place = placed  # type: ignore[method-assign]
        await bench.after(20)
        assert len(bench.doors[0].placed) > before

    bench = play("port-okx", tmp_path, script)
    bench.check()
    assert any("decided too long ago" in e.body.get("why", "") for e in bench.events("order"))


@pytest.mark.parametrize(("size", "starts"), [(0.0002, True), (0.01, False)])
def test_the_first_stage_with_money_quotes_the_least(tmp_path: Path, size: float, starts: bool) -> None:
    """A quote above what the venue takes at least is refused before anything is sent."""

    async def script(bench: Bench) -> None:
        bench.begin()
        if starts:
            await bench.after(20)
            assert bench.doors[0].placed
            return
        with pytest.raises(Refused, match=r"a quote is the least that the venue takes, 0.0002"):
            await bench.after(20)
        assert not bench.doors[0].placed

    play("port-okx", tmp_path, script, options=QUOTING._replace(size=size), least=lambda _price: 2)


@pytest.mark.parametrize("kind", ["timeout_after", "late"])
def test_an_order_that_is_still_wanted_is_asked_about_alone(tmp_path: Path, kind: str) -> None:
    """Its quote has not moved, so that nothing cancels it: handed over once, found where it rests, and filled there."""

    async def script(bench: Bench) -> None:
        bench.played.venue.faults.on(kind, 30_000)
        bench.begin()
        await bench.after(90)

    bench = play("port-okx", tmp_path, script, options=QUOTING._replace(requote_bps=100.0))
    bench.check()
    placed = bench.doors[0].placed
    assert len(placed) == len(set(placed)) > 1
    assert bench.fills()


def test_a_venue_that_is_silent_ends_the_quoting_also_while_nothing_has_to_move(tmp_path: Path) -> None:
    """No quote is too old, since each is where it should be; what was filled is not known all the same."""

    async def script(bench: Bench) -> None:
        bench.begin()
        await bench.after(20)
        bench.played.venue.faults.on("read_timeout", 20_000)
        await bench.after(60)
        assert bench.book().halted["rule"] == "venue"
        assert (bench.lots(), bench.resting()) == (0, [])

    bench = play("port-okx", tmp_path, script, options=STRICT._replace(requote_bps=100.0, inventory=0.01))
    bench.check()
    assert any("the venue has not said for 5." in page for page in bench.pages)


def test_a_stop_cancels_and_touches_no_inventory(tmp_path: Path) -> None:
    """A stop is no halt: its orders are cancelled until they have ended, and the inventory is not touched."""

    async def script(bench: Bench) -> None:
        bench.begin()
        await bench.after(30)
        while not bench.lots() or not bench.resting():
            await bench.after(0.3)
        assert bench.life is not None
        assert bench.life.maker is not None
        bench.life.maker.close(bench.session.now_ns())
        await bench.after(10)  # a stop that takes long: whatever else runs meanwhile has time enough
        assert bench.lots()
        assert not bench.resting()
        await bench.end()

    bench = play("port-okx", tmp_path, script)
    bench.check()
    assert not bench.events("killed", "halt")
    assert all(e.body["post_only"] for e in bench.events("intent"))


def test_an_order_under_the_makers_name_that_had_ended_is_cancelled_at_a_start(tmp_path: Path) -> None:
    """It arrived long after its process and its request were given up."""

    async def script(bench: Bench) -> None:
        bench.begin()
        await bench.after(30)
        await bench.end()
        id_ = bench.events("intent")[0].body["order"]
        bench.exchange.place(o.Order(id_, "BTC", 1, 50, o.POST_ONLY, 500_000))
        bench.begin()
        await bench.after(2)
        assert bench.exchange.by_client(id_).state == o.CANCELED  # type: ignore[union-attr]
        await bench.after(30)

    bench = play("port-binance", tmp_path, script)
    bench.check()
    assert len(bench.events("session")) == 2


def test_a_second_session_goes_on_and_other_terms_are_refused(tmp_path: Path) -> None:
    """Money, inventory and order names go on; nothing is asked twice."""

    async def script(bench: Bench) -> None:
        for _ in range(3):
            bench.begin()
            await bench.after(30)
            await bench.end()

    bench = play("port-okx", tmp_path, script)
    bench.check()
    orders = [e.body["order"] for e in bench.events("intent")]
    assert len(orders) == len(set(orders)) > 50
    assert [e.kind for e in bench.events("start", "session", "end")] == ["start", *["session", "end"] * 3]
    assert json.loads((tmp_path / "making" / "m" / "run.json").read_text())["state"] == "stopped"


@pytest.mark.parametrize("venue", [f"port-{venue}" for venue in VENUES])
def test_funding_is_booked_as_the_venue_bills_it_once(tmp_path: Path, venue: str) -> None:
    """The ledger has the bill to the cent within minutes, the guardrails count it, and no start books it again."""
    apart: list[float] = []

    async def script(bench: Bench) -> None:
        await asyncio.sleep((FUNDING_MS - bench.exchange.now % FUNDING_MS) / 1000 - 90)
        bench.exchange.markets["BTC"].rate_e8 = 3_000_000
        bench.begin()
        while not bench.events("funding"):
            await bench.after(5)
            assert not 180_000 < bench.exchange.now % FUNDING_MS < FUNDING_MS / 2
        assert bench.life is not None
        maker = bench.life.maker
        assert maker is not None
        apart.append(maker.figures()["net"] - worth(maker.work.maker, maker.work.terms))
        for _ in range(2):
            await bench.end()
            bench.begin()
            await bench.after(70)

    bench = play(venue, tmp_path, script, options=QUOTING._replace(requote_bps=5.0))  # fewer orders; the bill is as large
    bench.check()
    (billed,) = (event.bill for event in bench.exchange.ledger if event.kind == log.FUNDING)
    assert len(bench.events("funding")) == 1
    assert abs(billed.cash / PICO) > 1.0
    assert bench.book().sleeve.ledger.funding == pytest.approx(billed.cash / PICO)
    assert apart[0] == pytest.approx(0.0, abs=1e-6)
    assert stored(folder_of(tmp_path, "m"))["figures"]["funding"] == pytest.approx(billed.cash / PICO)

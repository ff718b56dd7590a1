"""The gate: nothing enters before each row holds; what fails stays stopped, pages once, and may wait for a person."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.book.bodies import OFF
from engine.live.gate import CONSENT, GATE, PROBE_REQUEST, AccountGate, GateParts
from engine.store.chain import Event
from engine.store.journal import Journal
from engine.venues.account_facts import VenueListing
from engine.venues.instruments import instrument_of
from tests.engine.live.test_live_stages import restaged, staged
from tests.fakes.exchange.adapted import order
from tests.fakes.live_desks import BTC_PERP, PRICE, LiveBench, long, on_bench


class Listings:
    """What the gate asks an account about."""

    async def listing(self, _symbol: str) -> VenueListing:
        """BTC."""
        return VenueListing(True, "live", 0.0001, 5.0, PRICE)


class Gated:
    """What a test scripts of the gate's parts."""

    def __init__(self, bench: LiveBench) -> None:
        self.bench, self.faults, self.code = bench, list[str](), {"engine": "one", "adds": "a"}
        self.people = bench.path.with_name("people.jsonl")
        self.named: dict[str, int] = {}
        self.deaf = False

    def parts(self) -> GateParts:
        """For a gate."""
        bench = self.bench

        async def faults() -> list[str]:
            return self.faults

        def heard(id_: str) -> int | None:
            return bench.clock() if not self.deaf and id_ in bench.venue.orders else None

        reader: Any = Listings()
        instruments = {BTC_PERP: instrument_of("okx", "BTC-USDT")}
        return GateParts(reader, faults, instruments, bench.path, self.people, lambda: self.code, heard)

    def gate(self) -> AccountGate:
        """Give the bench one."""
        made = AccountGate(self.bench.desk, self.bench.duties.reconcile, self.parts())
        self.bench.duties.gate = made
        self.bench.duties.halt.look_s = 10.0
        return made

    def consent(self, key: str) -> None:
        """A person says yes."""
        journal = Journal(self.people, "test")
        journal.append([Event(CONSENT, self.bench.clock(), {"consent": key, "actor": {"name": "ann"}})])
        journal.close()

    def row(self, name: str) -> Mapping[str, Any]:
        """As last journaled."""
        return next(row for row in self.bench.events("gate")[-1].body["rows"] if row["name"] == name)


async def to_entry(bench: LiveBench) -> list[str]:
    """A signal at the next close; entry orders that came to the venue."""
    await bench.to_close()
    bench.close(adds=long())
    await bench.after(5)
    return [id_ for id_ in bench.venue.asked_for("place") if "pr0b" not in id_ and id_[14] == "E"]


def test_it_opens_when_every_row_holds_and_then_the_desk_enters(path: Path) -> None:
    """Nobody is woken; far orders came and went; the journal says under which code."""

    async def play(bench: LiveBench) -> None:
        gated = Gated(bench)
        gated.gate()
        await bench.duties.start()
        assert GATE in bench.desk.book.health
        await bench.after(60)
        assert not bench.desk.book.health
        assert bench.events("gate")[-1].body["open"]
        assert bench.events("gate")[-1].body["code"] == gated.code
        assert await to_entry(bench)

    bench = on_bench(path, play)
    assert not bench.pages
    assert [e.body["what"] for e in bench.events("probe")] == ["begun", "sent", "sent", "ended"]


BREAKS: dict[str, Any] = {
    "account": lambda gated: gated.faults.append("withdrawal: it may withdraw, wanted no right to"),
    "reconcile": lambda gated: setattr(gated.bench.venue, "net", 25),
    "probe": lambda gated: gated.bench.venue.script["amend"].extend(["no"] * 1_000),
}


@pytest.mark.parametrize("row", BREAKS)
def test_a_row_that_fails_stays_stopped_pages_once_and_is_tried_ever_more_seldom(row: str, path: Path) -> None:
    """Two hours of it: no entry, one page that names the runbook; when it is mended, the gate opens by itself."""

    async def play(bench: LiveBench) -> None:
        gated = Gated(bench)
        gate = gated.gate()
        BREAKS[row](gated)
        await bench.duties.start()
        await bench.after(7_200)
        assert not await to_entry(bench)
        assert gate.rows[row].ok is False
        assert 8 < gate.rows[row].tries < 30
        assert [page for page in bench.pages if f"the gate stays closed, no entries: {row}:" in page and "gate-closed" in page]
        assert sum("the gate stays closed" in page for page in bench.pages) == 1
        gated.faults.clear()
        bench.venue.net = 0
        bench.venue.script["amend"].clear()
        await bench.after(1_300)
        assert not bench.desk.book.health
        assert await to_entry(bench)

    on_bench(path, play)


def test_an_order_that_the_stream_does_not_name_keeps_it_closed(path: Path) -> None:
    """REST alone is not both channels; neither is no stream at all."""

    async def play(bench: LiveBench) -> None:
        gated = Gated(bench)
        gate = gated.gate()
        gated.deaf = True
        await bench.duties.start()
        await bench.after(120)
        assert "stream" in gate.rows["probe"].why
        gate.parts = gate.parts._replace(heard=None)
        await bench.after(600)
        assert "no private stream" in gate.rows["probe"].why
        assert GATE in bench.desk.book.health

    on_bench(path, play)


def test_other_code_under_an_open_position_waits_for_a_person(path: Path) -> None:
    """Flat, new code goes on by itself; with a position a named person looks first, at exactly that code, restart or not."""

    async def play(bench: LiveBench) -> None:
        gated = Gated(bench)
        gated.gate()
        await bench.duties.start()
        await bench.after(60)
        await bench.entered()
        for _ in range(2):
            gated.code = {"engine": "two", "adds": "a"}
            bench.duties.gate = None
            await restarted(bench, gated)
            await bench.after(300)
            assert "code of engine" in gated.row("code")["why"]
            assert GATE in bench.desk.book.health
        key = gated.row("code")["consent"]
        gated.code = {"engine": "three", "adds": "a"}
        gated.consent(key)
        await bench.after(120)
        assert GATE in bench.desk.book.health
        gated.consent(gated.row("code")["consent"])
        await bench.after(120)
        assert not bench.desk.book.health

    on_bench(path, play)


@pytest.mark.parametrize("stage", ["live", "paper"])
def test_a_strategy_that_changed_under_a_stage_with_money_waits_for_a_person(
    stage: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flat, and by the version of a running desk or by a start: what was let trade with money was other code. Engine code goes on
    by itself, as a sleeve does that trades none.
    """
    staged(monkeypatch, stage)

    async def play(bench: LiveBench) -> None:
        gated = Gated(bench)
        gated.gate()
        await bench.duties.start()
        await bench.after(60)
        assert not bench.desk.book.health
        gated.code = {"engine": "two", "adds": "b"}
        restaged(bench, stage)
        await bench.after(60)
        assert (GATE in bench.desk.book.health) is (stage == "live")
        bench.duties.gate = None
        await restarted(bench, gated)
        await bench.after(120)
        assert (GATE in bench.desk.book.health) is (stage == "live")
        if stage == "live":
            assert not await to_entry(bench)
            assert gated.row("code")["why"].startswith("the code of adds, engine is not the one that was let trade with money")
            gated.consent(gated.row("code")["consent"])
            await bench.after(120)
            assert not bench.desk.book.health

    on_bench(path, play)


async def restarted(bench: LiveBench, gated: Gated) -> None:
    """Another process begins from the journal, with a gate of its own."""
    made = bench.made

    def with_gate(book: Any) -> None:
        made(book)
        gated.gate()

    bench.made = with_gate  # type: ignore[method-assign]
    await bench.again()
    bench.made = made  # type: ignore[method-assign]


def test_a_halt_closes_it_and_a_release_goes_through_it_again(path: Path) -> None:
    """Health is not taken for granted because it was good before the halt."""

    async def play(bench: LiveBench) -> None:
        gated = Gated(bench)
        gated.gate()
        await bench.duties.start()
        await bench.after(60)
        bench.halt("a person")
        await bench.after(120)
        assert GATE in bench.desk.book.health
        before = len(bench.events("probe"))
        await bench.after(1_200)
        assert len(bench.events("probe")) == before  # nothing is sent while halted
        bench.latch = ""
        bench.desk.take("halt", {"state": "released", "reason": "looked", "by": "ann"})
        gated.faults.append("key: deleted")
        await bench.after(60)
        assert not await to_entry(bench)
        gated.faults.clear()
        await bench.after(600)
        assert not bench.desk.book.health

    on_bench(path, play)


def test_what_a_killed_probe_has_left_is_cancelled_and_one_under_way_is_left_alone(path: Path) -> None:
    """Its ids are known: never foreign, and nobody's only when nobody is probing."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        id_ = "ndpr0b12345678E01"
        bench.desk.probing.add(id_)
        await bench.venue.place(order(id_, price=40_000.0))
        await bench.after(130)
        assert not bench.venue.asked_for("cancel")
        assert not bench.desk.book.differences
        bench.desk.probing.clear()
        await bench.after(130)
        assert bench.venue.asked_for("cancel") == [id_]

    bench = on_bench(path, play)
    assert any(id_ in page for page in bench.pages for id_ in ["ndpr0b12345678E01"])


def test_an_incident_of_the_fill_path_needs_a_round_trip_that_a_person_pays_for(path: Path) -> None:
    """While the desk runs and after a restart: closed, until a round trip is billed and heard; one consent is one attempt."""

    async def play(bench: LiveBench) -> None:
        gated = Gated(bench)
        gated.gate()
        await bench.duties.start()
        await bench.after(60)
        bench.duties.health.begin("unexplained in x", "a test")
        bench.duties.health.end("unexplained in x")
        await bench.after(60)
        assert gated.row("round_trip")["consent"]
        await restarted(bench, gated)
        await bench.after(600)
        assert GATE in bench.desk.book.health
        first = gated.row("round_trip")["consent"]
        bench.venue.script["trades"] = ["silent"] * 40  # the list is away while the round trip runs
        gated.consent(first)
        await bench.after(200)
        bench.venue.script["trades"].clear()
        await bench.after(300)
        assert GATE in bench.desk.book.health
        second = gated.row("round_trip")["consent"]
        assert second != first
        gated.consent(second)
        await bench.after(200)
        assert not bench.desk.book.health, gated.row("round_trip")
        assert bench.venue.net == 0
        assert not bench.desk.book.orphans[BTC_PERP]["lots"]

    on_bench(path, play)


def asked(gated: Gated, **body: Any) -> None:
    """A person asks for a probe."""
    journal = Journal(gated.people, "test")
    journal.append([Event(PROBE_REQUEST, gated.bench.clock(), {"actor": {"name": "ann"}, "round_trip": False, **body})])
    journal.close()


def test_a_person_asks_for_a_probe_and_a_red_one_closes_the_gate(path: Path) -> None:
    """Made once each, by the worker; one that was asked for before the start is not made now."""

    async def play(bench: LiveBench) -> None:
        gated = Gated(bench)
        asked(gated)
        gated.gate()
        await bench.duties.start()
        await bench.after(60)
        assert len(bench.events("probe")) == 4
        asked(gated, round_trip=True)
        await bench.after(60)
        kinds = [e.body["kind"] for e in bench.events("probe") if e.body["what"] == "ended"]
        assert kinds == ["far", "far", "round_trip"]
        assert not bench.desk.book.health
        bench.venue.script["amend"] = ["no"] * 100
        asked(gated)
        await bench.after(60)
        assert "gate" in bench.desk.book.health
        assert not await to_entry(bench)

    on_bench(path, play)


@pytest.mark.parametrize("how", ["steps", "suspended"])
def test_an_instrument_that_is_counted_or_listed_otherwise_closes_it(path: Path, how: str) -> None:
    """After a maintenance a contract is ten times what it was: each order would be. Closed within a minute, and it stays so. One
    that is suspended is off, which needs no gate (test_delisted.py).
    """

    async def play(bench: LiveBench) -> None:
        gated, now = Gated(bench), {"steps": "contracts of 0.01", "state": "live"}

        class Changing:
            async def listing(self, _symbol: str) -> VenueListing:
                return VenueListing(now["state"] == "live", now["state"], 0.0001, 5.0, PRICE, now["steps"])

        reader: Any = Changing()
        parts = gated.parts()._replace(reader=reader)
        bench.duties.gate = AccountGate(bench.desk, bench.duties.reconcile, parts)
        await bench.duties.start()
        await bench.after(60)
        assert not bench.desk.book.health
        now.update({"steps": "contracts of 0.1"} if how == "steps" else {"state": "suspend"})
        await bench.after(70)
        assert (GATE if how == "steps" else f"{OFF}{BTC_PERP}") in bench.desk.book.health
        assert not await to_entry(bench)
        words = "this process in contracts of 0.01" if how == "steps" else "is not traded: the venue lists it as suspend"
        assert any(words in page for page in bench.pages)
        now.update({"steps": "contracts of 0.01", "state": "live"})
        await bench.after(1_300)
        assert not bench.desk.book.health

    on_bench(path, play)

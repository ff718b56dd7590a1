"""What the tools and views say of a desk that traded, against its journal read from end to end by the test itself."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.home.home import Home, open_home
from app.views import desk_status
from app.views.event_story import event_json
from engine.clock import utc
from engine.store.chain import Event
from engine.store.journal import Journal, read
from tests.fakes.papers import WALL_MS, advanced, feed_of, furnished, loop_of, reconfigured
from tools import desk, journal
from tools.common import event_text
from tools.common.contract import Args, Tool, ToolContext, ToolResult, clean
from tools.common.event_text import event_line, flat_values, is_routine

HOUR_MS = 3_600_000
BARS = 240


class Walked(NamedTuple):
    """A desk of three days with everything its journal holds."""

    home: Home
    events: list[Event]

    def of(self, *kinds: str) -> list[Event]:
        """The events of these kinds, in order."""
        return [e for e in self.events if e.kind in kinds]

    def within(self, low: int, high: int) -> list[Event]:
        """The events of (low, high], as bars close: one that closes at midnight is of the day that ends."""
        return [e for e in self.events if low < e.t_event_ms <= high]

    def ask(self, tool: Tool, **args: Any) -> tuple[ToolResult, dict[str, Any]]:
        """What a tool answers, and its facts by metric (of one handle) or reference."""
        last = self.of("mark")[-1].t_event_ms
        parts = (self.home.engine, self.home.path, self.home.catalog, None, lambda _kind, _body: "p-1")
        ctx = ToolContext(*parts, "operator", "t", "u", "ann", last, WALL_MS)  # type: ignore[arg-type]  # no jobs are needed
        kind: type[Args] = tool.args
        result = tool.run(ctx, kind(**args))
        return result, {f.ref: f.value for f in result.facts} | {f.metric: f.value for f in result.facts}


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walked]:
    """The desk, walked once and only read here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTDESK_HOME", str(furnished(tmp_path_factory.mktemp("walked") / "home")))
        made = open_home(WALL_MS)
        loop = advanced(loop_of(made, feed_of(made)), BARS)
        reconfigured(made, "btc-trend", paused=True)
        advanced(loop, BARS // 3).journal.close()
    yield Walked(made, list(read(made.desk_journal)))
    made.engine.dispose()


def windows(walked: Walked) -> list[tuple[int, int]]:
    """Windows of every length that begin and end on, just before and just after bars, fills and the desk's ends."""
    first, last = walked.of("mark")[0].t_event_ms, walked.of("mark")[-1].t_event_ms
    fills = [e.t_event_ms for e in walked.of("fill")]
    edges = sorted({first, first + 1, fills[0] - 1, fills[0], fills[len(fills) // 2], fills[-1], fills[-1] + 1, last})
    return [(a, b) for n, a in enumerate(edges) for b in edges[n + 1 :: 2]]


def test_the_desk_walked_enough_to_be_worth_reading(walked: Walked) -> None:
    """Fills of entries and exits, refusals and funding: what the other tests compare is there."""
    assert len({e.body["sleeve"] for e in walked.of("fill")}) >= 2
    assert {e.body["slot"] == "entry" for e in walked.of("fill")} == {True, False}
    assert walked.of("funding")
    assert sum(e.body["action"] == "refused" for e in walked.of("decision")) > 3
    assert {e.body["version"] for e in walked.of("config")} == {1, 2}


def test_the_desks_figures_are_those_of_its_last_mark(walked: Walked) -> None:
    """Equity, peak, drawdown, exposure, bars, version and open positions, each from the journal's own last line."""
    mark = walked.of("mark")[-1]
    body = mark.body
    result, facts = walked.ask(desk.desk)
    assert facts["d1.equity"] == body["equity"]
    assert facts["peak"] == body["peak"] == max(e.body["equity"] for e in walked.of("mark"))
    assert facts["drawdown_frac"] == pytest.approx(1 - body["equity"] / body["peak"])
    assert facts["gross_frac"] == pytest.approx(body["gross"] / body["equity"])
    assert facts["d1.bars"] == body["bars"] == len(walked.of("bar"))
    assert facts["open_positions"] == sum("position" in sleeve for sleeve in body["sleeves"].values())
    assert facts["desk_time"] == mark.t_event_ms
    assert result.evidence[0].id == mark.id
    assert body["equity"] == pytest.approx(sum(sleeve["equity"] for sleeve in body["sleeves"].values()), abs=1e-6)


def test_each_sleeve_is_what_its_fills_and_payments_made_of_it(walked: Walked) -> None:
    """Fees, slippage and funding of the sleeves' table, summed over the whole journal by hand; round trips counted."""
    _, facts = walked.ask(desk.sleeves)
    for n, name in enumerate(walked.of("mark")[-1].body["sleeves"], start=1):
        own = [e.body for e in walked.events if e.body.get("sleeve") == name]
        fills = [b for b in own if "liquidity" in b]
        assert facts[f"l{n}.fees"] == pytest.approx(math.fsum(b["fee"] for b in fills), abs=1e-6), name
        assert facts[f"l{n}.slippage"] == pytest.approx(math.fsum(b["slippage"] for b in fills), abs=1e-6), name
        assert facts[f"l{n}.funding"] == pytest.approx(math.fsum(b.get("cash_flow", 0.0) for b in own), abs=1e-6), name
        assert facts[f"l{n}.trips"] == sum(b.get("round_trip_pnl") is not None for b in fills), name


def test_a_search_counts_what_is_in_the_window_and_nothing_else(walked: Walked) -> None:
    """Every kind over windows that begin and end on, before and after events, against a count of the whole journal."""
    for low, high in windows(walked):
        result, facts = walked.ask(journal.journal_search, since=str(low), until=str(high), limit=100)
        inside = walked.within(low, high)
        refused = [e for e in inside if e.kind == "decision" and e.body["action"] == "refused"]
        fills = [e for e in inside if e.kind == "fill"]
        assert facts.get("fills", 0) == len(fills)
        assert facts.get("refuseds", 0) == len(refused)
        assert facts.get("configs", 0) == sum(e.kind == "config" for e in inside)
        closed = [e.body["round_trip_pnl"] for e in fills if e.body.get("round_trip_pnl") is not None]
        assert facts["round_trips_closed"] == len(closed)
        assert facts["round_trip_pnl"] == (pytest.approx(math.fsum(closed)) if closed else None)
        marks = [e for e in walked.of("mark") if e.t_event_ms <= low], [e for e in walked.of("mark") if e.t_event_ms <= high]
        if all(marks):
            assert facts["equity_change"] == pytest.approx(marks[1][-1].body["equity"] - marks[0][-1].body["equity"])
        assert {e.id for e in fills} >= {id_ for id_ in result.data["events"] if id_ in {e.id for e in walked.of("fill")}}


def test_a_search_of_one_sleeve_and_one_word_agrees_with_filtering_by_hand(walked: Walked) -> None:
    """Only the sleeve's own events; a word is looked for in the whole event, whatever its case."""
    low, high = walked.of("mark")[0].t_event_ms, walked.of("mark")[-1].t_event_ms
    for sleeve in walked.of("mark")[-1].body["sleeves"]:
        own = [e for e in walked.of("fill") if e.body["sleeve"] == sleeve]
        kinds = ["fill"]
        _, facts = walked.ask(journal.journal_search, since=str(low), until=str(high), sleeve=sleeve, kinds=kinds)
        assert facts["fills"] == len(own)
        sold = [e for e in own if e.body["side"] == "sell"]
        _, facts = walked.ask(journal.journal_search, since=str(low), until=str(high), sleeve=sleeve, kinds=kinds, text="'SELL'")
        assert facts["fills"] == len(sold)


def test_the_limit_keeps_the_important_and_the_order_of_time(walked: Walked) -> None:
    """With room for a few, fills go before refusals; what is shown is in the order of the journal."""
    low, high = walked.of("mark")[0].t_event_ms, walked.of("mark")[-1].t_event_ms
    for limit in (1, 3, 10, 100):
        result, _ = walked.ask(journal.journal_search, since=str(low), until=str(high), limit=limit)
        shown = [next(e for e in walked.events if e.id == id_) for id_ in result.data["events"]]
        assert len(shown) <= limit
        assert [e.seq for e in shown] == sorted(e.seq for e in shown)
        kinds = [e.kind for e in shown]
        if "decision" in kinds:
            assert kinds.count("fill") == len(walked.of("fill"))


def test_money_of_any_window_is_fees_slippage_funding_and_price(walked: Walked) -> None:
    """Each part to the cent from the fills and payments between the two marks; nothing is unexplained."""
    for low, high in windows(walked)[::3]:
        result, _ = walked.ask(desk.attribution, since=str(low), until=str(high))
        inside = [e for e in walked.within(low, high) if e.kind in ("fill", "funding")]
        first = walked.of("mark")[0]
        inside = [e for e in inside if e.seq > first.seq]
        if result.status == "no_data":
            assert not [e for e in walked.within(low, high) if e.kind == "mark" and e.seq > first.seq]
            continue
        whole = result.data["cents"][-1]
        assert whole["unexplained"] == 0
        assert whole["fees"] == pytest.approx(-100 * math.fsum(e.body.get("fee", 0.0) for e in inside), abs=2)
        assert whole["slippage"] == pytest.approx(-100 * math.fsum(e.body.get("slippage", 0.0) for e in inside), abs=2)
        assert whole["funding"] == pytest.approx(100 * math.fsum(e.body.get("cash_flow", 0.0) for e in inside), abs=2)
        parts = ("price", "slippage", "fees", "funding", "unexplained")
        assert sum(whole[part] for part in parts) == whole["change"]
        for part in (*parts, "change"):
            assert sum(share[part] for share in result.data["cents"][:-1]) == whole[part]


def test_every_bar_close_of_every_sleeve_has_an_explanation(walked: Walked) -> None:
    """Any instant of the walk: the events of that close, or a sentence that nothing was done; never another bar's."""
    marks = walked.of("mark")
    names = list(marks[-1].body["sleeves"])
    for mark in marks[5::17]:
        for sleeve in names:
            result, _ = walked.ask(journal.explain_event, sleeve=sleeve, at=str(mark.t_event_ms))
            assert result.status == "ok"
            of_bar = [e for e in walked.events if e.t_event_ms == mark.t_event_ms and e.body.get("sleeve") == sleeve]
            own = [e.id for e in of_bar if not is_routine(e)]
            if own:
                assert result.data["events"] == own
            else:
                assert utc(mark.t_event_ms) in result.text
                assert (mark.body["sleeves"][sleeve]["guard"]["refused_by"] or sleeve) in result.text
            # an instant inside the bar means the bar that closes after it
            inside, _ = walked.ask(journal.explain_event, sleeve=sleeve, at=str(mark.t_event_ms - HOUR_MS // 60))
            assert inside.text == result.text


def test_every_event_has_one_clean_line_and_all_its_numbers(walked: Walked) -> None:
    """No kind that this desk writes falls back to a list of fields; every number of a body is a fact with a unit."""
    for event in walked.events[:: max(1, len(walked.events) // 400)]:
        line = event_line(event)
        assert line
        assert line.isprintable()
        assert len(line) <= 240
        assert line != clean(event_text._first_values(event.body), event_text.TOLD_MAX), event.kind
        numbers = {k for k, v in event.body.items() if isinstance(v, int | float) and not isinstance(v, bool)}
        named = {"".join(c if c.isalnum() else "_" for c in key) for key in numbers}
        assert named <= set(flat_values(event.body))


def test_an_explained_fill_states_the_numbers_of_the_journal(walked: Walked) -> None:
    """Price, fee and slippage are facts of that event, equal to the last digit, and the text refers to them."""
    for fill in walked.of("fill")[:: max(1, len(walked.of("fill")) // 12)]:
        result, facts = walked.ask(journal.explain_event, event_id=fill.id)
        assert [facts[f"e1.{name}"] for name in ("price", "fee", "slippage")] == [
            fill.body[name] for name in ("price", "fee", "slippage")
        ]
        assert result.data["bodies"] == [json.loads(json.dumps(fill.body))]
        assert "{e1.fee}" in result.text
        assert {f.evidence.id for f in result.facts} == {fill.id}


def test_an_event_for_people_has_its_body_whole(walked: Walked) -> None:
    """Number, id, kind, time, body and who wrote it, as the journal holds them."""
    for event in walked.events[::200]:
        shown = event_json(event)
        assert (shown["seq"], shown["id"], shown["body"]) == (event.seq, event.id, event.body)
        assert shown["writer"] == "worker"


def test_who_works_in_a_home_is_read_from_the_lock(walked: Walked, tmp_path: Path) -> None:
    """Nobody, then this process; the words name the process and vanish with it."""
    assert desk_status.running(walked.home) is None
    held = Journal(walked.home.path / "journal" / "desk.jsonl", "worker")
    try:
        assert str(desk_status.running(walked.home)).startswith(" (process ")
    finally:
        held.close()
    assert desk_status.running(walked.home) is None


def test_what_the_desk_trades_on_is_said_in_words(walked: Walked) -> None:
    """A synthetic market is called so, with a warning that its prices are none."""
    assert desk_status.walks_on(walked.home) == "a SYNTHETIC market, no real prices"

"""What the desk is, what happened, where the money went, and whether anything is wrong - each answer on an event."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from app.cli.desk import sleeve_lines
from engine.control import halt
from engine.control.config import DeskConfig, SleeveConfig, validated, write_first
from engine.store.chain import Event
from engine.store.journal import Journal
from engine.watch.health import checks, holder
from tests.tools.desk_journal import BAR, BEGIN, DAY, END, START, bar, mark, write_desk
from tools.catalog import call


@pytest.fixture
def ctx(make_ctx: Any, db: Any) -> Any:
    """A desk that has walked two days."""
    sleeve = SleeveConfig(name="trend-btc", strategy="trend", venue="binance", symbol="BTC-USDT")
    write_first(db, validated(DeskConfig(sleeves=(sleeve,))), 0, "test")
    made = make_ctx("operator", desk_ms=END)
    write_desk(made.home)
    return made


def resolves(ctx: Any, result: Any) -> None:
    """Every reference of text and table is a fact."""
    for ref in re.findall(r"\{(\w+\.\w+)\}", result.text + str(result.table)):
        assert ref in ctx.facts, ref


def test_the_desk_now(ctx: Any) -> None:
    """Equity, drawdown against its limit, version and the event it stands on."""
    result = call(ctx, "desk", {})
    assert result.status == "ok"
    assert ctx.facts["d1.equity"].value == 994.59
    assert ctx.facts["d1.drawdown_frac"].value == pytest.approx(1 - 994.59 / 1010)
    assert ctx.facts["d1.drawdown_frac_max"].value == 0.15
    assert "REPLAYED, recorded bars" in result.text
    assert result.evidence[0].id in result.text
    resolves(ctx, result)


def test_the_sleeves_with_parameters_and_position(ctx: Any, db: Any) -> None:
    """Configuration in force and state; an unknown sleeve gets the list."""
    result = call(ctx, "sleeves", {"sleeve": "trend-btc"})
    assert ctx.facts["p1.stop_atr"].value == 2.0
    assert ctx.facts["l1.equity"].value == 994.59
    assert "trend on binance BTC-USDT 15m" in result.text
    resolves(ctx, result)
    assert "trend-btc" in call(ctx, "sleeves", {"sleeve": "x"}).text


@pytest.mark.parametrize(("state", "loud"), [("working", False), ("rejected", True)])
def test_the_sleeves_say_which_stop_does_not_work(db: Any, make_ctx: Any, state: str, loud: bool) -> None:
    """The wanted level alone would read as one that guards the position; so would that of `nightdesk status`."""
    sleeve = SleeveConfig(name="trend-btc", strategy="trend", venue="binance", symbol="BTC-USDT")
    write_first(db, validated(DeskConfig(sleeves=(sleeve,))), 0, "test")
    last = mark(1000.0, 1.0, 95.0, layer={"protective_state": state})
    made = make_ctx("operator", desk_ms=END)
    write_desk(made.home, last=last)
    result = call(made, "sleeves", {"sleeve": "trend-btc"})
    assert (f"NOT WORKING ({state})" in str(result.table)) is loud
    lines = sleeve_lines("trend-btc", {"stage": "paper"} | last["sleeves"]["trend-btc"])
    assert (f"stop at 95.00 NOT WORKING ({state})" in "\n".join(lines)) is loud


def test_the_status_says_where_a_stop_is_that_the_venue_refuses_to_move() -> None:
    """The wanted level alone would read as where it is; lots that it does not cover have no stop."""
    last = mark(1000.0, 1.0, 95.0, layer={"protective_state": "working", "lots": 20, "stop_at": 93.0, "stop_lots": 12})
    lines = "\n".join(sleeve_lines("trend-btc", {"stage": "paper"} | last["sleeves"]["trend-btc"]))
    assert "stop at 95.00 NOT MOVED: at the venue it is at 93.00 for 12 of 20 lots" in lines


def test_each_layer_has_its_stop_in_the_table(db: Any, make_ctx: Any) -> None:
    """The first layer's stop works and the second's does not: the first alone would read as all is well."""
    sleeve = SleeveConfig(name="trend-btc", strategy="trend", venue="binance", symbol="BTC-USDT")
    write_first(db, validated(DeskConfig(sleeves=(sleeve,))), 0, "test")
    last = mark(1000.0, 1.0, 95.0)
    layers = last["sleeves"]["trend-btc"]["position"]["layers"]
    layers.append(layers[0] | {"protective": 97.5, "protective_kind": "trail", "protective_state": "rejected"})
    made = make_ctx("operator", desk_ms=END)
    write_desk(made.home, last=last)
    result = call(made, "sleeves", {"sleeve": "trend-btc"})
    assert "{l1.protective} (stop); {l1.protective_2} (trail) NOT WORKING (rejected)" in str(result.table)
    assert (made.facts["l1.protective"].value, made.facts["l1.protective_2"].value) == (95.0, 97.5)
    resolves(made, result)


def test_what_happened_since_yesterday(ctx: Any) -> None:
    """The telling events with their ids, in desk time; the day before is not in it."""
    result = call(ctx, "journal_search", {"since": "2025-03-05"})
    kinds = [row[2] for row in result.table.rows]
    assert kinds == ["fill", "breaker", "refused", "config", "config"]
    assert "loss streak" in result.text
    assert "entries paused" in result.text
    assert re.search(r"\(d-\d+, 2025-03-05", result.text)
    assert ctx.facts["j1.fills"].value == 1
    assert ctx.facts["j1.round_trip_pnl"].value == -5.41
    resolves(ctx, result)


def test_bars_that_their_venue_corrected_are_named(ctx: Any) -> None:
    """They change nothing that was decided, and a person who asks what happened hears of them."""
    assert "Corrected" not in call(ctx, "journal_search", {"since": "2025-03-04"}).text
    journal = Journal(ctx.home / "journal" / "desk.jsonl", "worker")
    for price in (99.0, 98.0):
        why = f"binance:BTC-USDT:perp 2025-03-04 00:15Z: corrected: it was (100.0), REST now lists ({price})"
        body = {"what": "correction of binance:BTC-USDT:perp", "state": "over", "why": why}
        journal.append([Event("health", START + BAR, body)], sync=False)
    journal.close()
    result = call(ctx, "journal_search", {"since": "2025-03-04"})
    assert "Corrected by their venue after they were decided on: {j" in result.text
    assert "REST now lists (98.0)" in result.text
    assert [fact.value for fact in result.facts if fact.ref.endswith("corrections")] == [2]
    resolves(ctx, result)
    assert "Corrected" not in call(ctx, "journal_search", {"since": "2025-03-04", "kinds": ["fill"]}).text


def test_search_by_kind_sleeve_and_word(ctx: Any) -> None:
    """Filters narrow; what is not there is said."""
    both = call(ctx, "journal_search", {"since": "2025-03-04", "kinds": ["fill"]})
    assert len(both.table.rows) == 2
    assert call(ctx, "journal_search", {"since": "2025-03-04", "text": "loss streak"}).data["counts"] == {"breaker": 1}
    assert "No matching events" in call(ctx, "journal_search", {"since": "2025-03-04", "sleeve": "trend-eth"}).text
    cut = call(ctx, "journal_search", {"since": "2025-03-04", "limit": 1})
    assert len(cut.table.rows) == 1
    assert "The table has 1 of " in cut.text
    assert "The table has" not in both.text
    assert call(ctx, "journal_search", {"since": "2025-03-05", "until": "2025-03-04"}).status == "failed"


def test_an_event_is_explained_with_its_numbers(ctx: Any) -> None:
    """A fill with its costs, a decision with size, caps and features - each number a fact."""
    fill = next(row[1] for row in call(ctx, "journal_search", {"since": "2025-03-04", "kinds": ["fill"]}).table.rows)
    result = call(ctx, "explain_event", {"event_id": fill})
    assert "buy 1 at 100.20 to enter" in result.text
    assert ctx.facts["e1.slippage"].value == pytest.approx(0.2)
    resolves(ctx, result)
    result = call(ctx, "explain_event", {"sleeve": "trend-btc", "at": "2025-03-04T00:15"})
    assert "enter on signal long" in result.text
    assert {f.metric for f in result.facts} >= {"size_approved_lots", "caps_risk", "features_sma_40_"}
    resolves(ctx, result)


def test_a_close_at_which_only_a_stop_moved_is_a_quiet_one(make_ctx: Any) -> None:
    """A trail that was amended and confirmed is no decision; and a strategy that was late has a reason."""
    made = make_ctx("operator", desk_ms=END)
    order = {"sleeve": "trend-btc", "slot": "protective", "order": "nd1S00", "lots": 10, "filled_lots": 0}
    moved = {**order, "price": 96.0, "price_before": 95.0}
    late = {**bar(), "signals": {"trend-btc": None}, "silent": {"trend-btc": "late: no answer in time"}}
    journal = Journal(made.home / "journal" / "desk.jsonl", "worker")
    journal.append([Event("config", START, BEGIN), Event("mark", START, mark(1000.0, 0.0, 100.0))])
    journal.append([Event("bar", END, late), Event("amend", END, moved), Event("mark", END, mark(999.9, 1.0, 104.0))])
    journal.append([Event("order", END, {**order, "state": "working", "price": 96.0})])
    journal.close()
    said = call(made, "explain_event", {"sleeve": "trend-btc", "at": "2025-03-06"}).text
    assert "held long 1, nothing to change; signal not known" in said
    assert "its strategy gave none: late: no answer in time" in said


def test_a_bar_without_a_decision_is_explained(ctx: Any) -> None:
    """Nothing happened is an answer; an unknown event or a time to come is not invented."""
    quiet = call(ctx, "explain_event", {"sleeve": "trend-btc", "at": "2025-03-06"})
    assert "its last fill before: 2025-03-0" in quiet.text or "Within an hour of it: " in quiet.text
    assert "no trade: " in quiet.text
    assert "no position, nothing refused" in quiet.text
    assert call(ctx, "explain_event", {"event_id": "d-9999"}).status == "no_data"
    assert call(ctx, "explain_event", {"sleeve": "trend-btc", "at": "2026-01-01"}).status == "no_data"
    assert "trend-btc" in call(ctx, "explain_event", {"sleeve": "nobody", "at": "2025-03-05"}).text
    assert call(ctx, "explain_event", {}).status == "failed"


def test_where_the_money_went_to_the_cent(make_ctx: Any, ctx: Any) -> None:
    """Price, slippage, fees and funding sum to the change of equity, for all and for a window."""
    advisor = make_ctx("advisor", desk_ms=END)
    result = call(advisor, "attribution", {})
    whole = result.data["cents"][-1]
    assert whole == {
        "sleeve": "desk",
        "price": -500,
        "slippage": -30,
        "fees": -10,
        "funding": -1,
        "incident": 0,
        "manual": 0,
        "unexplained": 0,
        "change": -541,
    }
    assert "sum to the change" in result.text
    resolves(advisor, result)
    second = call(make_ctx("advisor", desk_ms=END), "attribution", {"since": "2025-03-05"})
    assert second.data["cents"][-1]["change"] == round((994.59 - 1003.74) * 100)
    assert (
        call(make_ctx("advisor", desk_ms=END), "attribution", {"since": "2025-03-05T12:00", "until": "2025-03-05T13:00"}).status
        == "no_data"
    )


def test_a_journal_that_lost_a_fill_is_noticed(make_ctx: Any, db: Any) -> None:
    """Equity that no event explains is called unexplained, never hidden in price P&L."""
    ctx = make_ctx("advisor", desk_ms=END)
    write_desk(ctx.home, last=mark(990.00, 0.0, 95.0))
    result = call(ctx, "attribution", {})
    assert result.data["cents"][-1]["unexplained"] == -459
    assert "UNEXPLAINED" in result.text


def test_a_desk_that_never_ran_says_so(make_ctx: Any, db: Any) -> None:
    """No figure is made up before the first bar."""
    for role, name in (("operator", "desk"), ("operator", "journal_search"), ("advisor", "attribution")):
        assert call(make_ctx(role), name, {}).status == "no_data"
    assert call(make_ctx("operator"), "health", {}).data["wrong"]


def test_health_names_what_is_wrong(ctx: Any, db: Any, make_ctx: Any) -> None:
    """No worker and a halt are named first, with what they mean; desk time is said."""
    halt.set(ctx.home, "feed looks odd", {"name": "mara"}, 1, db)
    result = call(ctx, "health", {})
    assert result.text.startswith("Something is wrong: halt: the desk is HALTED by mara: feed looks odd")
    assert {"halt", "worker"} <= set(result.data["wrong"])
    assert "2025-03-06 00:00Z" in result.text
    resolves(ctx, result)


def test_a_running_worker_is_seen_without_touching_its_lock(ctx: Any) -> None:
    """The lock's holder is found; looking takes nothing away from it."""
    assert holder(ctx.home / "journal" / "desk.lock") is None
    journal = Journal(ctx.home / "journal" / "desk.jsonl", "worker")
    assert holder(ctx.home / "journal" / "desk.lock") == os.getpid()
    assert "worker" not in call(ctx, "health", {}).data["wrong"]
    beat = ctx.home / "worker.json"
    beat.write_text(json.dumps({"wall_ms": ctx.now_ms - 1000, "phase": "waiting", "note": "the bars end here"}))
    assert "waiting: the bars end here" in str(call(ctx, "health", {}).table)
    beat.write_text(json.dumps({"wall_ms": ctx.now_ms - 40_000, "phase": "running"}))
    assert "no heartbeat for 40 s" in call(ctx, "health", {}).text
    beat.write_text("not json")
    assert "worker" in call(ctx, "health", {}).data["wrong"]
    journal.close()


@pytest.mark.parametrize(
    ("last", "bars", "name", "state", "word"),
    [
        (mark(1000.0, 1.0, 95.0, layer={"protective_state": "rejected"}), None, "protective orders", "bad", "without a working"),
        (mark(1000.0, 1.0, 95.0), None, "protective orders", "ok", "1 open layer, with"),
        (mark(994.59, 0.0, 95.0, tripped=["desk drawdown"]), None, "breakers", "bad", "desk drawdown"),
        (mark(994.59, 0.0, 95.0, paused=True), None, "sleeves", "warning", "paused by a person"),
        (mark(994.59, 0.0, 95.0, blocked_until_ms=END + 1), None, "sleeves", "warning", "daily loss"),
        (None, [None, None], "bars", "warning", "no price for 3 bars"),
        (None, [95.0, None], "bars", "ok", "complete"),
    ],
)
def test_each_check_turns(tmp_path: Path, db: Any, last: Any, bars: Any, name: str, state: str, word: str) -> None:
    """Each thing that can be wrong turns its own line."""
    write_desk(tmp_path, last=last, bars=bars)
    found = next(check for check in checks(tmp_path, db, 0) if check.name == name)
    assert (found.state, word in found.text) == (state, True), found


def test_the_probe_verifies_both_journals(ctx: Any) -> None:
    """A journal that was edited fails the probe, which says where."""
    path = ctx.home / "journal" / "desk.jsonl"
    assert "journals" not in call(ctx, "probe", {}).data["wrong"]
    path.write_bytes(path.read_bytes().replace(b'"price":100.2', b'"price":100.1', 1))
    result = call(ctx, "probe", {})
    assert "journals" in result.data["wrong"]
    assert "does not verify" in result.text


def test_what_cannot_be_looked_at_is_not_healthy(ctx: Any, tmp_path: Path) -> None:
    """An unreadable end of the journal is unknown, which counts as wrong."""
    path = ctx.home / "journal" / "desk.jsonl"
    path.write_bytes(path.read_bytes()[:-30] + b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n")
    assert "journals" in call(ctx, "health", {}).data["wrong"]


def test_people_are_in_the_window_that_reaches_to_now(ctx: Any, make_ctx: Any, db: Any) -> None:
    """A decision of a person shows beside the desk's events, by wall time."""
    ctx.record("approve", {"proposal": "prop-1", "actor": {"name": "mara"}})
    result = call(ctx, "journal_search", {"since": "24h"})
    assert any("mara" in str(row) and "wall time" in row[0] for row in result.table.rows)
    assert START + DAY < END

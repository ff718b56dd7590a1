"""Questions about figures: run and desk are asked alike, every number is a fact, and a shock is what the core does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from app.home.home import open_home
from app.wiring import Wiring
from engine.control.limits import HardLimits
from engine.core.ledger import open_lots
from engine.watch.desk_trips import desk_trips
from tests.fakes.papers import WALL_MS, advanced_until, feed_of, furnished, loop_of
from tests.tools.desk_journal import END, write_desk, write_incident
from tests.tools.stored_runs import keep_run
from tools import trip_facts
from tools.catalog import call
from tools.runs import store


@pytest.fixture
def ctx(make_ctx: Any) -> Any:
    """A context on the hand-made desk of two days."""
    made = make_ctx("advisor", desk_ms=END)
    write_desk(made.home)
    return made


def values(result: Any, subject: str) -> dict[str, Any]:
    """The facts about a subject."""
    return {fact.metric: fact.value for fact in result.facts if fact.subject == subject}


def test_run_and_desk_are_asked_alike(ctx: Any) -> None:
    """The same arguments split a run's trips and the desk's; groups sum to the whole; each answer cites its source."""
    args = {"sleeves": [{"strategy": "trend", "symbol": "BTC-USDT"}]}
    run_id = keep_run(ctx.home / "runs", ctx.engine, args, [0.01, -0.0095] * 20)
    by_run = call(ctx, "trips", {"subject": run_id, "by": "side"})
    assert values(by_run, f"side long of {run_id}")["net"] == pytest.approx(9.25)
    assert values(by_run, f"round trips of {run_id}")["net"] == pytest.approx(9.25 - 20.85)
    assert by_run.evidence[0] == ("run", run_id)
    desk = call(ctx, "trips", {"by": "exit"})
    assert values(desk, "exit stop of desk")["net"] == pytest.approx(-5.41)
    assert desk.evidence[0].kind == "event"
    assert call(ctx, "trips", {"subject": run_id, "exit": "target"}).table.rows[0][0] == "target"
    worst = call(ctx, "trips", {"subject": run_id, "worst": 1})
    assert worst.table.rows[0][0] == "t2"
    assert call(ctx, "trips", {"side": "short"}).status == "no_data"
    lost = values(call(ctx, "trips", {"subject": run_id, "outcome": "losers"}), f"round trips of {run_id}")
    assert (lost["net"], lost["mean_net"], lost["loss_streak"], lost["win_streak"]) == (
        pytest.approx(-20.85), pytest.approx(-20.85), 1, 0
    )  # fmt: skip
    losers = call(ctx, "trips", {"subject": run_id, "outcome": "losers", "by": "side"})
    assert "hit rate" not in losers.text  # it would be 0 %
    assert "win_frac" not in losers.table.columns
    both = values(call(ctx, "trips", {"subject": run_id}), f"round trips of {run_id}")
    assert both["profit_factor"] == pytest.approx(9.25 / 20.85)
    assert "available: trend-btc" in call(ctx, "trips", {"sleeve": "nobody"}).text
    assert store(ctx).frame(run_id, "trips").height == 2
    found = values(call(ctx, "performance", {"subject": run_id}), f"performance of {run_id}")
    assert found["sharpe_low"] < found["sharpe"] < found["sharpe_high"]
    assert found["days_needed"] > found["whole_days"]


def test_a_run_has_what_holding_would_have_returned(ctx: Any) -> None:
    """Of the cash it began with; a run that was stored without it has no such figure, and no guess."""
    folder, args = ctx.home / "runs", {"sleeves": [{"strategy": "trend", "symbol": "BTC-USDT"}]}
    without = call(ctx, "performance", {"subject": keep_run(folder, ctx.engine, args, [0.01] * 20)})
    assert "Holding" not in without.text
    run_id = keep_run(folder, ctx.engine, args, [0.02] * 20, hold=[12_500.0] * 20)
    result = call(ctx, "performance", {"subject": run_id})
    assert values(result, f"performance of {run_id}")["hold_return_frac"] == pytest.approx(0.25)
    assert "Holding the same instruments" in result.text


@pytest.mark.parametrize("tool", ["trips", "excursions"])
def test_round_trips_of_an_incident_are_no_strategy_s(ctx: Any, tool: str) -> None:
    """A trip that made 39.90 while a window was open is in no count, hit rate, R or excursion; that it is left out is said."""
    before = call(ctx, tool, {})
    write_incident(ctx.home)
    after = call(ctx, tool, {})
    assert after.table.rows == before.table.rows
    assert {f.metric: f.value for f in after.facts if f.metric != "in_incidents"} == {f.metric: f.value for f in before.facts}
    assert [fact.value for fact in after.facts if fact.metric == "in_incidents"] == [1]
    assert "open in an incident window" in after.text
    assert "incident" not in before.text
    won = call(ctx, tool, {"exit": "target"})
    assert (won.status, "open in an incident window" in won.text) == ("no_data", True)


def test_pnl_is_the_change_between_marks(ctx: Any) -> None:
    """Days of the hand-made desk, and what it made lately, to the cent; a short desk has no interval, with the reason."""
    result = call(ctx, "pnl", {"unit": "day"})
    assert values(result, "day from 2025-03-04 00:00Z of the desk")["net"] == pytest.approx(3.74)
    assert values(result, "P&L of the desk")["start"] == pytest.approx(-5.41)
    result = call(ctx, "performance", {})
    assert values(result, "performance of desk")["return_frac"] == pytest.approx(-0.00541)
    assert "fewer than 30" in result.text


def test_a_word_is_defined_by_its_declaration(ctx: Any) -> None:
    """A parameter and a limit; a word nobody declared names what is near."""
    assert "desk drawdown since start or release" in call(ctx, "define", {"word": "drawdown_frac_max"}).text
    assert call(ctx, "define", {"word": "stop atr"}).table.rows[0][0] == "strategy trend"
    assert "stop_atr" in call(ctx, "define", {"word": "stop_art"}).text


def test_all_guardrails_are_listed_with_their_values(ctx: Any) -> None:
    """Each hard limit of the desk with what it does, from the declarations."""
    listed = call(ctx, "define", {"word": "guardrails"}).table
    rows = {row[0]: row[1:] for row in listed.rows}
    assert rows["day_loss_frac_max"] == ("0.03", "a sleeve's loss in a UTC day: no entries for 24 h")
    assert len(rows) == len(HardLimits.model_fields)


def test_a_word_of_the_desk_or_of_the_field_is_read_from_the_glossary(ctx: Any) -> None:
    """`layers`, and what other programs call it; a metric too."""
    assert call(ctx, "define", {"word": "layers"}).text.startswith("layers: one entry of a position")
    assert call(ctx, "define", {"word": "take profit"}).text == call(ctx, "define", {"word": "target"}).text.replace(
        "target", "take profit", 1
    )
    assert "standard deviation" in call(ctx, "define", {"word": "Sharpe"}).text


@pytest.fixture
def holding(own_home: Path) -> Iterator[Any]:
    """A real desk that holds a position; its loop goes on."""
    furnished(own_home)
    home = open_home(WALL_MS)
    loop = advanced_until(loop_of(home, feed_of(home)), lambda book: any(s.position.open_layers for s in book.sleeves))
    loop.journal.sync()
    yield home, loop
    loop.journal.close()


def test_a_shock_is_what_the_core_does(holding: Any) -> None:
    """A fall through a stop leaves at the stop, a gap at the open; the loss is the sleeve's own arithmetic."""
    home, loop = holding
    wiring = Wiring(home, "mara", "cli", None)
    ctx = wiring.context(role="operator", thread="t", turn="u", person="mara", desk_ms=wiring.desk_ms(), now_ms=WALL_MS)
    book = loop.book
    s = next(n for n, sleeve in enumerate(book.sleeves) if sleeve.position.open_layers)
    sleeve, rules, name = book.sleeves[s], book.specs[s].rules, book.names[s]
    units = open_lots(sleeve.position) * rules.lot_size * sleeve.position.side
    close, move = book.bars[rules.bars].close, -0.3 * sleeve.position.side
    found = values(call(ctx, "what_if", {"move_frac": move, "gap": True}), f"sleeve {name} after the move")
    assert found["left"] == 0.0
    assert found["change"] <= units * close * move
    assert found["change"] == pytest.approx(units * close * move, rel=0.02)
    through = call(ctx, "what_if", {"move_frac": move})
    stop = sleeve.position.layers[0].stop
    assert values(through, f"sleeve {name} after the move")["change"] == pytest.approx(units * (stop - close), rel=0.2)
    assert "stop" in next(row for row in through.table.rows if row[0] == name)[-1]
    assert call(ctx, "what_if", {"move_frac": 0.0}).status == "failed"
    assert "available" in call(ctx, "what_if", {"move_frac": 0.1, "symbol": "XRP-USDT"}).text
    worst = call(ctx, "worst_days", {"worst": 2})
    assert worst.status == "ok", worst.text
    assert len(worst.table.rows) == 2
    falls = [fact.value for fact in worst.facts if fact.metric == "fall"]
    assert falls == sorted(falls)
    assert falls[0] < 0.0
    assert desk_trips(home.path)["exit_ms"].null_count() >= 1


def test_each_group_has_the_figures_that_its_row_lacks(ctx: Any) -> None:
    """Streaks with their dates, what a win and a loss make, what was made before fees; groups sum to the whole."""
    args = {"sleeves": [{"strategy": "trend", "symbol": "BTC-USDT"}]}
    run_id = keep_run(ctx.home / "runs", ctx.engine, args, [0.01, -0.0095] * 20)
    result = call(ctx, "trips", {"subject": run_id, "by": "side"})
    whole, own = values(result, f"round trips of {run_id}"), values(result, f"side long of {run_id}")
    assert own["gross"] == pytest.approx(own["net"] + own["fees"])
    assert (own["win_streak"], own["loss_streak"], own["loss_streak_from"]) == (1, 0, None)
    assert whole["breakeven_frac"] == pytest.approx(20.85 / (9.25 + 20.85))
    assert (whole["mean_win"], whole["mean_loss"]) == (pytest.approx(9.25), pytest.approx(-20.85))
    assert whole["payoff"] == pytest.approx(9.25 / 20.85)
    assert whole["median_net"] == pytest.approx((9.25 - 20.85) / 2)
    assert whole["costs_bps"] == pytest.approx(whole["fees_bps"] + whole["slippage_bps"])


def test_two_open_at_once_count_once_and_a_window_cuts_them() -> None:
    """An open one lasts to the end of the window."""
    columns = {"entry_ms": [0, 5, 20], "exit_ms": [10, 12, None]}
    open_ms, share = (trip_facts.in_position(pl.DataFrame(columns), (2, 30))[name][0] for name in ("open_ms", "open_frac"))
    assert (open_ms, share) == (20, 20 / 28)


def test_a_curve_ends_below_its_peak_or_at_it() -> None:
    """How far, and since when."""
    found = trip_facts.below_peak(np.array([1, 2, 3]), np.array([100.0, 120.0, 90.0]))
    assert (found["below"][0], found["below_frac"][0], found["peak"][0]) == (30.0, 0.25, 2)
    assert trip_facts.below_peak(np.array([1, 2]), np.array([1.0, 2.0]))["below"][0] == 0.0


@pytest.mark.parametrize(("held", "kept"), [("<1m", 0), (">1m", 2), ("<400d", 2)])
def test_round_trips_are_narrowed_by_their_length(ctx: Any, held: str, kept: int) -> None:
    """A length that is none is refused, not left out."""
    args = {"sleeves": [{"strategy": "trend", "symbol": "BTC-USDT"}]}
    run_id = keep_run(ctx.home / "runs", ctx.engine, args, [0.01, -0.0095] * 20)
    found = call(ctx, "trips", {"subject": run_id, "held": held, "listed": "longest"})
    assert (0 if found.table is None else len(found.table.rows)) == kept
    assert "not a length of time" in call(ctx, "trips", {"subject": run_id, "held": "a while"}).text


@pytest.mark.parametrize("by", ["time", "size", "slippage", "fee"])
def test_fills_are_listed_with_what_each_cost(ctx: Any, by: str) -> None:
    """The first row is the largest of what is asked, and its sum is of the rows shown."""
    found = call(ctx, "journal_search", {"fills_by": by, "since": "2009-01-01", "limit": 1})
    every = call(ctx, "journal_search", {"fills_by": by, "since": "2009-01-01", "limit": 50})
    (first,) = found.table.rows
    assert first[1] == every.table.rows[0][1]
    size = {fact.ref: fact.value for fact in every.facts}
    sums = [size[row[4][1:-1]] for row in every.table.rows]
    assert next(f.value for f in every.facts if f.subject == "these fills" and f.metric == "size") == pytest.approx(sum(sums))


def test_an_order_of_fills_is_of_fills_alone(ctx: Any) -> None:
    """Asked for refusals by size, nothing is shown in their place."""
    found = call(ctx, "journal_search", {"fills_by": "size", "kinds": ["refused"], "since": "2009-01-01"})
    assert found.status == "refused"
    assert "leave kinds out, or name fill alone" in found.text

"""A stored run and its trial find each other, whatever ran since and wherever a process died."""

import json
from dataclasses import replace

from sqlalchemy import Engine

from engine.research import overfit, sweep_report
from engine.research.ledger import THEN, as_of_now, link_run, note_run, place_of, place_of_run
from engine.sim.backtest import simulate
from engine.store import trials
from engine.store.db import write
from engine.store.tables import Run, Trial
from tests.engine.research.conftest import Planner

ASKED = {"strategy": "trend", "symbol": "BTC-USDT", "end": "2025-01-06"}


def stored(engine: Engine, run_id: str, body: str = "{}") -> None:
    """A run's row, as the run store writes it."""
    with write(engine) as session:
        row = Run(id=run_id, created_ms=1, strategy="trend", symbol="BTC-USDT", timeframe="15m", cache_key=run_id, body=body)
        session.add(row)


def test_a_run_keeps_its_place_when_a_later_one_replaces_its_figures(make: Planner, ledger: Engine) -> None:
    """After an update of data or code, and of a run that was made anew; a name that a person gave stays."""
    run = simulate(make(ASKED))
    for n, run_id in enumerate(("r-20250101-00000001", "r-20250102-00000002")):
        row = note_run(ledger, replace(run, plan=run.plan._replace(files={"bars": str(n)})), "command", n)
        stored(ledger, run_id, json.dumps({"name": "first idea"}))
        trials.set_run(ledger, row.id, run_id)
    places = [place_of_run(ledger, run_id) for run_id in ("r-20250101-00000001", "r-20250102-00000002")]
    assert [place and (place.number, place.trials) for place in places] == [(1, 1), (1, 1)]
    with write(ledger) as session:
        noted = session.get(Run, "r-20250101-00000001")
        assert noted is not None
        assert json.loads(noted.body)["name"] == "first idea"


def test_a_run_whose_process_died_before_it_was_joined_is_joined_later(make: Planner, ledger: Engine) -> None:
    """Its trial was counted first; the next question for the same run finds the two."""
    run = simulate(make(ASKED))
    note_run(ledger, run, "command", 1)
    stored(ledger, "r-20250101-00000001")
    assert place_of_run(ledger, "r-20250101-00000001") is None
    link_run(ledger, run.plan, {**run.report, "run_id": "r-20250101-00000001"})
    found = place_of_run(ledger, "r-20250101-00000001")
    assert found is not None
    assert found.number == 1


def test_a_search_too_large_for_pbo_still_has_a_result() -> None:
    """Nothing that large is made, and the reason is given."""
    rows = [Trial(days=overfit.CELLS_MAX // 2 + 1)] * 2
    assert sweep_report.overfit_of(rows).reason.startswith("2 variations are too many")


def test_a_stored_run_is_shown_with_its_place_now(make: Planner, ledger: Engine) -> None:
    """It was the only variant when it was made; after another trial both places are said, the newer first."""
    run = simulate(make(ASKED))
    row = note_run(ledger, run, "command", 1)
    stored(ledger, "r-20250101-00000001")
    trials.set_run(ledger, row.id, "r-20250101-00000001")
    place = place_of(ledger, row)
    kept = {"run_id": "r-20250101-00000001", "notes": ["first", f"{THEN}{place.text}", "last"], "trial": place.as_json()}
    assert as_of_now(ledger, kept) == kept
    note_run(ledger, simulate(make({**ASKED, "params": {"stop_atr": 3}})), "command", 2)
    shown = as_of_now(ledger, kept)
    assert shown["trial"]["trials"] == 2
    assert shown["notes"][1].startswith("now variant 1 of 2 of the hypothesis trend on BTC-USDT perp; deflated Sharpe ")
    assert "; when it was run the only variant so far of the hypothesis trend on BTC-USDT perp; " in shown["notes"][1]
    assert (shown["notes"][0], shown["notes"][2]) == ("first", "last")

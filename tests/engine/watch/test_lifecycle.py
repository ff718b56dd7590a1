"""Lives of sleeves from a hand-written journal: each stage with who, why and what it made; wound down before retired; kept."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from engine.clock import DAY_MS
from engine.store import db
from engine.store.journal import Event, Journal
from engine.store.tables import SleeveVersion
from engine.watch.lifecycle import lives
from engine.watch.window import journal_of

D0 = 20_000 * DAY_MS
RULES = {"lot_size": 0.001, "bar_ms": 900_000}


def sleeve(name: str, stage: str, version: int) -> dict[str, Any]:
    """A sleeve of a config event."""
    about = {"name": name, "strategy": "trend", "instrument": "binance:BTC-USDT:perp", "rules": RULES, "cash": 1_000.0}
    return about | {"version": version, "stage": stage}


def config(t: int, *sleeves: dict[str, Any]) -> Event:
    """A configuration is adopted."""
    return Event("config", t, {"start": {"source": "recorded", "timeframe_ms": 900_000}, "sleeves": list(sleeves)})


def mark(t: int, **sleeves: dict[str, Any]) -> Event:
    """A mark."""
    return Event("mark", t, {"equity": sum(s["equity"] for s in sleeves.values()), "version": 1, "sleeves": sleeves})


def held(equity: float, **more: Any) -> dict[str, Any]:
    """A sleeve of a mark that holds something."""
    return {"equity": equity, "position": {"side": "long", "quantity": 1.0, "notional": 100.0}, **more}


@pytest.fixture
def home(tmp_path: Path, sqlite: Engine) -> Path:
    """`a` goes from paper to retired while it holds something and is flat a day later; `b` leaves the desk; `c` stays."""
    journal = Journal(journal_of(tmp_path), "worker")
    b, c = sleeve("b", "paper", 1), sleeve("c", "paper", 1)
    flat = {"equity": 1_000.0}
    retired = config(D0 + 10 * DAY_MS, sleeve("a", "retired", 2), b, c)
    groups = [
        [config(D0, sleeve("a", "paper", 1), b, c), mark(D0, a=flat, b=flat, c=flat)],
        [mark(D0 + 10 * DAY_MS - 1, a=held(1_080.0, incident=113.0), b=flat, c=flat)],
        [retired, mark(D0 + 10 * DAY_MS, a=held(1_080.0, incident=113.0, stage_reached="winding_down"), b=flat, c=flat)],
        [mark(D0 + 11 * DAY_MS, a={"equity": 1_075.0, "incident": 113.0}, b=flat, c=flat)],
        [config(D0 + 12 * DAY_MS, sleeve("a", "retired", 2), c), mark(D0 + 12 * DAY_MS, a={"equity": 1_075.0}, c=flat)],
    ]
    for group in groups:
        journal.append(group, sync=False)
    journal.close()
    with db.write(sqlite) as session:
        made = '{"name": "mara", "channel": "cli"}'
        session.add(
            SleeveVersion(sleeve="a", version=2, sha256="x", body="{}", created_ms=1, made_by=made, reason="loses to costs")
        )
    return tmp_path


def test_each_stage_has_who_why_and_what_it_made_without_incidents(home: Path, sqlite: Engine) -> None:
    """Ten days of paper: +80 in all, 113 of it of an incident, so -33 of the strategy; then retired by name with the reason."""
    (a, _, _) = lives(home, sqlite)
    paper, retired = a.stages
    assert (paper.stage, paper.days, paper.net, paper.strategy_net) == ("paper", pytest.approx(10), 80.0, -33.0)
    assert (retired.stage, retired.by, retired.reason, retired.version) == ("retired", "mara", "loses to costs", 2)
    assert retired.flat_ms == D0 + 11 * DAY_MS


def test_a_past_sleeve_is_kept_and_said_to_be_gone(home: Path, sqlite: Engine) -> None:
    """It is listed with what it made, beside those that are there."""
    assert [(life.sleeve, life.state) for life in lives(home, sqlite)] == [("a", "retired"), ("b", "gone"), ("c", "paper")]


def test_a_retired_sleeve_that_holds_something_is_winding_down(tmp_path: Path, sqlite: Engine) -> None:
    """Retired is said only once it is flat, and its settling is over."""
    journal = Journal(journal_of(tmp_path), "worker")
    journal.append([config(D0, sleeve("a", "paper", 1)), mark(D0, a=held(1_000.0))], sync=False)
    begins = D0 + DAY_MS
    journal.append([config(begins, sleeve("a", "retired", 2)), mark(begins, a=held(1_000.0, stage_reached="winding_down"))])
    states = []
    for n, body in enumerate((held(999.0), {"equity": 998.0, "stage_reached": "settling"}, {"equity": 998.0}), 1):
        journal.append([mark(begins + n, a=body)])
        states.append(lives(tmp_path, sqlite)[0].state)
    journal.close()
    assert states == ["winding down", "winding down", "retired"]


def test_without_a_journal_nobody_has_lived(tmp_path: Path, sqlite: Engine) -> None:
    """An empty list."""
    assert lives(tmp_path, sqlite) == []

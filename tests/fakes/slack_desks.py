"""A home whose desk.toml names the local Slack server, with people and proposals in it."""

import json
import time
from pathlib import Path
from typing import Any

from app.home.home import Home, open_home
from app.people.identity import add_person, link_slack
from app.slack.sink import Slack, connect
from engine.control import proposals
from engine.control.config import active
from engine.store.tables import Proposal
from tests.fakes.slack_server import TEAM, SlackServer

ANN, BOB, EVE = "U0ANN", "U0BOB", "U0EVE"  # eve is listed nowhere


def now_ms() -> int:
    """Wall time."""
    return time.time_ns() // 1_000_000


def slack_home(path: Path, server: SlackServer, more: str = "") -> Home:
    """The home, with ann and bob listed."""
    open_home()
    with (path / "desk.toml").open("a", encoding="utf-8") as file:
        file.write(server.settings() + more)
    for name, user in (("ann", ANN), ("bob", BOB)):
        add_person(path, name, role="operator")
        link_slack(path, name, TEAM, user)
    return open_home()


def connected(home: Home, server: SlackServer) -> Slack:
    """Its Slack."""
    found = connect(home, server.environment())
    assert found is not None
    return found


def proposed(home: Home, sleeve: str = "btc-trend", rationale: str = "calm down", **changes: Any) -> Proposal:
    """A pending proposal: a pause (tightens) unless changes are given."""
    config, evidence = active(home.engine, home.path)[1].sleeve(sleeve), []
    for n, (role, params) in enumerate((("base", {}), ("changed", changes))):
        run_id = f"r-20231114-{n:08x}"
        (home.runs / run_id).mkdir(exist_ok=True)
        ran = {"strategy": config.strategy, "symbol": config.symbol, "params": {**config.params, **params}}
        run = {"run_id": run_id, "sleeves": [ran], "data": {}, "code_hash": "c", "metrics": {"sharpe": 1.5, "trades": 12}}
        (home.runs / run_id / "run.json").write_text(json.dumps(run))
        evidence += [{"role": role, "run_id": run_id}] if changes else []
    who = {"role": "operator", "thread": "t-1", "person": "ann"}
    more = {"sleeve": sleeve, "rationale": rationale, "evidence": evidence, "requester": who, "now_ms": now_ms()}
    return proposals.create(home.engine, home.path, changes=changes or {"paused": True}, **more)


def value_of(row: Proposal) -> str:
    """What the card's buttons carry."""
    return f"{row.id} {row.diff_sha256}"

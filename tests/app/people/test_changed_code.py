"""A strategy whose code changed has no card: the desk notes it, watches it against a run of that code, and pauses on a breach."""

import json
from pathlib import Path

import pytest

from app.home.home import Home, open_home
from app.people import approvals
from app.processes.canary_watch import CODE_AGAIN_MS, CanaryWatch
from app.views.proposal_card import card
from engine.clock import DAY_MS
from engine.control import proposals
from engine.control.config import active, with_defaults, write_first
from engine.errors import BadInput
from engine.store import db
from engine.store.chain import Event
from engine.store.journal import Journal, read
from engine.store.tables import Run
from engine.strategies import trend
from engine.watch.canaries import states
from tests.app.people.test_canaries import paged
from tests.app.people.test_watched_changes import LOST, now_of
from tests.fakes.tried_changes import BEGAN, NOW, SLEEVE, TriedDesk, evidence, the_canary

OLD, NEW = "a" * 64, "b" * 64


@pytest.fixture
def home(own_home: Path) -> Home:
    """A new synthetic desk whose worker has started once."""
    found = open_home(NOW)
    write_first(found.engine, active(found.engine, found.path).config, NOW, "the first start")
    return found


def configured(home: Home, digest: str, at_ms: int = BEGAN) -> None:
    """The desk takes a configuration whose trend sleeve has this code; no version moves."""
    sleeve = {"name": SLEEVE, "version": 1, "strategy_sha256": digest}
    journal = Journal(home.desk_journal, "worker")
    try:
        body = {"version": 1, "sha256": digest, "sleeves": [sleeve]}
        journal.append([Event("config", at_ms, body, t_recv_ms=NOW)])
    finally:
        journal.close()


def ran(home: Home, digest: str) -> str:
    """A stored run of the sleeve as it is, with this code."""
    found = evidence(home, {})[0]["run_id"]
    folder = home.runs / found
    sleeve = with_defaults(active(home.engine, home.path).config.sleeve(SLEEVE), trend.Params)
    place = {name: getattr(sleeve, name) for name in ("strategy", "symbol", "venue", "market", "side", "timeframe")}
    body = {"run_id": found, "sleeves": [place | {"params": dict(sleeve.params)}], "code": {"strategy trend": digest}, "data": {}}
    (folder / "run.json").write_text(json.dumps(body))
    with db.write(home.engine) as session:
        session.add(Run(id=found, cache_key="k", created_ms=NOW, strategy="trend", symbol="BTC-USDT", timeframe="15m"))
    return str(found)


def changed(home: Home) -> TriedDesk:
    """A desk that was started anew on another code."""
    configured(home, OLD)
    configured(home, NEW)
    return TriedDesk(home, 1)


def looked(home: Home, at_ms: int = NOW + 10) -> CanaryWatch:
    """A watch that has looked once."""
    found = CanaryWatch(home, lambda: at_ms)
    found.look()
    return found


def test_a_change_of_code_is_noted_watched_and_pauses(home: Home) -> None:
    """Once, with its run, and a breach pauses: no code puts a file back."""
    run_id, desk = ran(home, NEW), changed(home)
    desk.closes(1)
    watch = looked(home)
    row = proposals.get(home.engine, "prop-1")
    (change,) = json.loads(row.diff)["changes"]
    assert (row.kind, row.state, row.direction) == ("code", "applied", "unknown")
    assert (change["key"], change["old"], change["value"]) == ("strategy_code", "a" * 12, "b" * 12)
    assert (the_canary(home).terms["against"], the_canary(home).state) == (run_id, "running")
    desk.closes(1)
    assert watch.look() == looked(home).look() == []
    assert [one.id for one in proposals.list_proposals(home.engine, NOW)] == ["prop-1"]
    desk.closes(1, equity=LOST)
    assert [run.sleeve for run in watch.look()] == [SLEEVE]
    assert now_of(home).paused
    assert "paused by prop-2, as prop-1 said" in paged(home)[0]
    noted, paused = read(home.people_journal, {"decision"})
    assert (noted.body["proposal"], noted.body["actor"]["name"]) == ("prop-1", "[canary] of desk.toml")
    assert paused.body["actor"]["name"] == "canary of prop-1, approved by [canary] of desk.toml"
    assert looked(home).look() == []
    assert [one.id for one in proposals.list_proposals(home.engine, NOW)] == ["prop-2", "prop-1"]


def test_its_card_says_what_it_is_and_no_version_goes_back_to_it(home: Home) -> None:
    """In force for as long as the desk runs that code; a rollback would only end the pause of a breach."""
    ran(home, NEW)
    changed(home).closes(1)
    looked(home)
    shown = card(home, proposals.get(home.engine, "prop-1"), NOW + 20)
    rows = {row["label"]: row["cells"] for row in shown["rows"]}
    assert rows["code of the strategy"][:2] == ("a" * 12, "b" * 12)
    assert rows["open positions"] == ("take the change at once",)
    assert rows["on a breach"] == ("is paused, and a person decides: no code puts a file back",)
    assert shown["runs_now"]["outcome"] == "runs"
    configured(home, OLD)
    assert card(home, proposals.get(home.engine, "prop-1"), NOW + 20)["runs_now"]["outcome"] == "replaced"
    with pytest.raises(BadInput, match="no version goes back to it"):
        approvals.rollback_shown(home, "prop-1", NOW + 20)


def test_without_a_run_of_that_code_the_status_says_what_to_do(home: Home) -> None:
    """A run of the code before is none; once one is stored it is watched."""
    desk, clock = changed(home), [NOW + 10]
    desk.closes(1)
    ran(home, OLD)
    watch = CanaryWatch(home, lambda: clock[0])
    watch.look()
    said = states([], home.path)[SLEEVE]
    assert "NOT WATCHED: its code has changed, no stored run of it: nightdesk backtest trend --symbol BTC-USDT" in said
    with db.write(home.engine) as session:
        session.delete(session.get(Run, "r-20231114-00000000"))
    ran(home, NEW)
    watch.look()
    assert proposals.list_proposals(home.engine, NOW) == []  # looked for each minute, not at each check
    clock[0] += CODE_AGAIN_MS
    watch.look()
    assert the_canary(home).state == "running"
    assert "NOT WATCHED" not in str(states([the_canary(home)], home.path))


@pytest.mark.parametrize("how", ["the same code", "long ago", "switched off"])
def test_what_is_not_to_be_watched_is_not(home: Home, how: str) -> None:
    """The code that ran before, a change that is days old when the watch begins, and a desk that says none."""
    ran(home, NEW)
    configured(home, NEW if how == "the same code" else OLD)
    configured(home, NEW)
    TriedDesk(home, 1).closes(1)
    if how == "switched off":
        text = home.path.joinpath("desk.toml").read_text() + '\n[canary]\nplan = "none"\n'
        home.path.joinpath("desk.toml").write_text(text)
        home = open_home(NOW)
    looked(home, NOW + (2 * DAY_MS if how == "long ago" else 10))
    assert proposals.list_proposals(home.engine, NOW) == []


def test_code_that_changes_while_the_watch_runs_is_seen(home: Home) -> None:
    """A worker that was started anew, at the same desk time as its last mark."""
    ran(home, NEW)
    configured(home, OLD)
    desk = TriedDesk(home, 1).closes(1)
    watch = looked(home)
    assert proposals.list_proposals(home.engine, NOW) == []
    configured(home, NEW, desk.now_ms)
    watch.look()
    assert the_canary(home).state == "running"

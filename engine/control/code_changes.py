"""A strategy whose code is another than before: no card was approved, so the change is noted by the desk itself, and watched.

Called by app.processes.canary_watch. Turns the last `config` events of the desk journal and the stored runs into an applied row
of kind `code`, whose terms say what is watched and that a breach pauses the sleeve; a file is put back by a person alone.
"""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine
from sqlmodel import select

from engine.control.canary import IN_FORCE, CanaryPlan
from engine.control.config import DeskVersion, SleeveConfig, active, canonical_json, sha256_of_text, with_defaults
from engine.control.draft import CODE_KEY, CODE_SHOWN
from engine.control.proposals import count, evidence_fault
from engine.errors import DeskError
from engine.store import db
from engine.store.chain import Event
from engine.store.lookback import last
from engine.store.runs import Runs
from engine.store.tables import Proposal, ProposalPart

KIND = "code"
RUNS_MAX = 50  # newest stored runs that are looked through
BACK = 8  # configurations that are looked through for the code before
BY = {"name": "[canary] of desk.toml", "assurance": "setting", "os_user": "", "channel": "canary"}


class CodeChange(NamedTuple):
    """A sleeve whose strategy's code changed, and the event with which the desk took it."""

    sleeve: str
    version: int
    old_sha256: str
    new_sha256: str
    event: Event


def code_changes(path: Path) -> list[CodeChange]:
    """Sleeves of the desk's last configuration whose code is another than in the one before that had another."""
    events: list[Event] = []

    def enough(event: Event) -> bool:
        events.extend([event] if "sha256" in event.body else [])
        return len(events) > BACK

    last(path, ("config",), enough)  # one look from the end
    if not events:
        return []
    wanted, found = _configured(events[0]), list[CodeChange]()
    for event, before in pairwise(events):
        for name, one in _configured(before).items():
            mine = wanted.get(name)
            if mine is not None and one["strategy_sha256"] != mine["strategy_sha256"]:
                digests = one["strategy_sha256"], mine["strategy_sha256"]
                found.append(CodeChange(name, int(mine.get("version", 0)), *digests, event))
                del wanted[name]
    return found


def _configured(event: Event) -> dict[str, Mapping[str, Any]]:
    """The sleeves of a configuration as people name them; a basket is one of its legs, which have the same code."""
    return {str(one.get("basket") or one["name"]): one for one in event.body["sleeves"]}


def run_in_force(engine: Engine, home: Path, sleeve: SleeveConfig, code_sha256: str) -> str:
    """The newest stored run of a sleeve's configuration with this code of its strategy; "" without one."""
    from engine.strategies.isolated.described import read_strategy  # brings numpy, which a supervisor need not hold

    own = with_defaults(sleeve, read_strategy(sleeve.strategy, home / "strategies").Params)
    place = {"venue": own.venue, "market": own.market, "timeframe": own.timeframe, "side": own.side}
    runs = Runs(home / "runs", engine)
    for row in runs.latest(RUNS_MAX):
        try:
            run = runs.load(row["id"])
        except DeskError:
            continue
        same = all((run.get("sleeves") or [{}])[0].get(key) == value for key, value in place.items())
        if same and run.get("code", {}).get(f"strategy {own.strategy}") == code_sha256 and not evidence_fault(run, own):
            return str(run["run_id"])
    return ""


def code_in_force(home: Path, sleeve: SleeveConfig) -> str:
    """Digest of the code of a sleeve's strategy as it is now."""
    from engine.strategies.base import code_sha256  # brings numpy
    from engine.strategies.isolated.described import read_strategy

    return str(code_sha256(read_strategy(sleeve.strategy, home / "strategies")))


def noted(engine: Engine, change: CodeChange) -> bool:
    """Whether a change of code has its row, or the sleeve has another version since."""
    with db.read(engine) as session:
        mine = select(Proposal.diff).where(Proposal.kind == KIND, Proposal.sleeve == change.sleeve)
        return any(f'"{change.event.id}"' in diff for diff in session.exec(mine).all())


def note_code(engine: Engine, home: Path, change: CodeChange, plan: CanaryPlan, now_ms: int) -> str:
    """Write the row of a change of code; why it is not watched, or "" once it is. `now_ms`: wall time."""
    from engine.control.canary_terms import measured  # brings numpy

    desk = active(engine, home)
    sleeve = desk.config.sleeve(change.sleeve)
    if desk.sleeves[change.sleeve] != change.version:
        return f"version {desk.sleeves[change.sleeve]} came into force since"
    run_id = run_in_force(engine, home, sleeve, change.new_sha256)
    if not run_id:
        symbols = ",".join(sleeve.legs or (sleeve.symbol,))
        return f"no stored run of it: nightdesk backtest {sleeve.strategy} --symbol {symbols} --timeframe {sleeve.timeframe}"
    try:
        terms = measured(plan, run_id, sleeve, home) | {"error": None, "way": "pause", "why": "code"}
    except DeskError as error:
        return error.what
    row = _row(desk, change, terms, run_id, now_ms)
    with db.write(engine) as session:
        db.take_turn(session)
        row.id = f"prop-{count(session) + 1}"
        session.add(row)
        session.flush()
        session.add(
            ProposalPart(
                proposal_id=row.id,
                sleeve=change.sleeve,
                from_version=change.version,
                from_sha256=desk.digest(change.sleeve),
                to_version=change.version,
                pending=False,
            )
        )
    return ""


def _row(desk: DeskVersion, change: CodeChange, terms: Mapping[str, Any], run_id: str, now_ms: int) -> Proposal:
    values = {"old": change.old_sha256[:CODE_SHOWN], "value": change.new_sha256[:CODE_SHOWN]}
    diff = canonical_json(
        {
            "kind": KIND,
            "sleeve": change.sleeve,
            "from_versions": {change.sleeve: change.version},
            "changes": [{"key": CODE_KEY, **values, "low": None, "high": None, "unit": ""}],
            "event": change.event.id,
            "canary": terms,
        }
    )
    why = "no code knows what a change of code does to risk"
    return Proposal(
        id="",
        kind=KIND,
        sleeve=change.sleeve,
        base_version=desk.version,
        diff=diff,
        diff_sha256=sha256_of_text(diff),
        direction="unknown",
        exposure=canonical_json({"keys": {CODE_KEY: "unknown"}, "why": why}),
        rationale=f"the desk took another code of its strategy with {change.event.id}; nobody proposed it",
        evidence=canonical_json([{"role": IN_FORCE, "run_id": run_id}]),
        requester=canonical_json({"role": "desk", "thread": "", "person": ""}),
        created_ms=now_ms,
        expires_ms=now_ms,
        state="applied",
        decided_by=canonical_json(BY),
        decided_ms=now_ms,
        applied_version=desk.version,
    )

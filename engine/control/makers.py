"""A market maker's steps from paper to money: proposals of their own kind, and the step in force.

Called by app/people/makers.py and app/processes/maker.py; engine.control.apply puts a step in force, for app.people.approvals
alone. A maker is no sleeve: no configuration of the desk changes. A step says everything that a maker runs by: account,
instrument, terms, the tapes that it was judged on. `nightdesk making live` asks for the step in force and takes no terms.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import Engine
from sqlmodel import select

from engine.clock import DAY_MS
from engine.control.config import active, canonical_json, sha256_of_text
from engine.control.proposals import RATIONALE_MAX, store
from engine.control.stages import rises
from engine.errors import BadInput, Refused
from engine.store import db
from engine.store.tables import Proposal

KIND = "maker"
NONE: Mapping[str, Any] = MappingProxyType({})
PAPER = "paper"
STEPS: Mapping[str, tuple[str, str]] = {  # stage -> (the stage before it, the mode of its account)
    "testnet": (PAPER, "testnet"),
    "live_small": ("testnet", "live"),
    "live": ("live_small", "live"),
}


class MakerStep(NamedTuple):
    """A maker's stage, and what it was approved with; a maker without any is on paper."""

    stage: str
    proposal: str = ""
    terms: Mapping[str, Any] = NONE
    tapes: Mapping[str, Any] = NONE  # folder, sha256, ground
    after: str = ""  # the maker whose journal was the evidence


def sleeve_of(name: str) -> str:
    """What a maker is called among the sleeves of proposals; no sleeve has a space in its name."""
    return f"{KIND} {name}"


def name_of(sleeve: str) -> str:
    """The maker of a proposal."""
    return sleeve.removeprefix(f"{KIND} ")


def step_in(row: Proposal) -> MakerStep:
    """The step that a proposal asks for."""
    diff = json.loads(row.diff)
    return MakerStep(str(diff["changes"][0]["value"]), row.id, diff["terms"], diff["tapes"], str(diff["after"]))


def step_of(engine: Engine, name: str) -> MakerStep:
    """The step in force: of the last proposal that a person approved."""
    return steps(engine).get(name, MakerStep(PAPER))


def steps(engine: Engine) -> dict[str, MakerStep]:
    """Maker -> the step in force, of all that ever left paper. Of a maker one step waits at a time, so the last number counts,
    whatever a clock says.
    """
    with db.read(engine) as session:
        rows = session.exec(select(Proposal).where(Proposal.kind == KIND, Proposal.state == "applied")).all()
        return {name_of(row.sleeve): step_in(row) for row in sorted(rows, key=lambda row: int(row.id.rpartition("-")[2]))}


def require_next(name: str, old: str, new: str) -> None:
    """Raises BadInput for what is no step: up by one, or down to paper."""
    if new == PAPER and old != PAPER:
        return
    if new not in STEPS:
        raise BadInput(f"the maker {name} cannot come to {new[:40]!r}", f"{', '.join(STEPS)}; or down: {PAPER}")
    if old not in (PAPER, new) and STEPS[new][0] != old:
        raise Refused(f"the maker {name} is at {old}: the step before {new} is {STEPS[new][0]}", "one step after the other")


def propose(engine: Engine, home: Path, name: str, step: MakerStep, asks: Mapping[str, Any], now_ms: int) -> Proposal:
    """Store a pending step; what it takes is looked at when a person decides. asks: requester, rationale, evidence.

    Raises BadInput or Refused for what is no step, or changes nothing.
    """
    old = step_of(engine, name).stage
    require_next(name, old, step.stage)
    if old == step.stage:
        raise Refused(f"the maker {name} is at {old}", "another maker needs another NAME")
    label = "loosens" if rises(old, step.stage) else "tightens"
    change = {"key": "stage", "old": old, "value": step.stage, "low": None, "high": None, "unit": ""}
    parts = {"terms": dict(step.terms), "tapes": dict(step.tapes), "after": step.after}
    sleeve, evidence = sleeve_of(name), list(asks.get("evidence", ()))
    diff = canonical_json({"kind": KIND, "sleeve": sleeve, "changes": [change | {"choices": [PAPER, *STEPS]}], **parts})
    desk = active(engine, home)
    row = Proposal(
        id="",
        kind=KIND,
        sleeve=sleeve,
        base_version=desk.version,
        diff=diff,
        diff_sha256=sha256_of_text(diff),
        direction=label,
        exposure=canonical_json({"keys": {"stage": label}, "why": why_of(old, step)}),
        rationale=str(asks.get("rationale", ""))[:RATIONALE_MAX],
        evidence=canonical_json(evidence),
        requester=canonical_json(dict(asks["requester"])),
        created_ms=now_ms,
        expires_ms=now_ms + DAY_MS,
    )
    return store(engine, row, desk, [], now_ms)


def why_of(old: str, step: MakerStep) -> str:
    """The direction of a step in words."""
    if step.stage == PAPER:
        return "it does not start at an account any more"
    money = "play money" if step.stage == "testnet" else "real money"
    return f"from {old} to orders at the account {step.terms.get('account', '')}, with {money}"

"""What runs now in place of what a decided proposal asked for: it itself, what it was rolled back to, or what replaced it.

Called by app.views.proposal_card for every card that is no longer pending. Turns a proposal's row and the versions in force into
one value with its sentence, so that no old card looks as if its change still ran.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from engine.control.agreement import version_of, version_run
from engine.control.config import DeskVersion, active, with_defaults
from engine.control.draft import CODE_KEY, CODE_SHOWN, key_text, value_text
from engine.control.makers import KIND as MAKER
from engine.control.makers import name_of, step_of
from engine.control.proposals import changes_by_sleeve, parts_of
from engine.errors import DeskError
from engine.store import db
from engine.store.tables import Proposal, ProposalPart, SleeveVersion

Outcome = Literal["runs", "rolled back", "replaced", "not applied"]
SHOWN_MAX = 6  # values in the sentence


class RunsNow(NamedTuple):
    """The desk's version in force, and what it makes of the proposal: `runs` when every value that it set is in force.

    The text says so when the desk itself still runs another: its worker has not adopted the one in force.
    """

    version: int
    outcome: Outcome
    text: str


def runs_now(engine: Engine, home: Path, row: Proposal) -> RunsNow | None:
    """What runs now, of a decided proposal; None while it is pending: its own card shows that."""
    if row.state == "pending":
        return None
    if row.kind == MAKER:
        return _maker_now(engine, row)
    try:
        desk = active(engine, home)
    except DeskError as error:
        return RunsNow(0, "not applied" if row.applied_version is None else "replaced", f"what runs now is not known: {error}")
    parts = parts_of(engine, row.id)
    changes = changes_by_sleeve([part.sleeve for part in parts], json.loads(row.diff).get("changes") or [])
    there = [(name, c) for name, own in changes.items() if name in desk.sleeves for c in own]
    with db.read(engine) as session:
        values = [_value_now(session, home, desk, parts, name, c) for name, c in there]
        same = all(now == c["value"] for now, (_, c) in zip(values, there, strict=True))
        kept = same and len(there) == sum(map(len, changes.values())) and (bool(there) or desk.version == row.applied_version)
        outcome = _outcome(session, row, parts, kept=kept)
    many = len(parts) > 1
    named = [
        f"{f'{name}.' if many else ''}{key_text(c['key'])} {_shown(value_text(c['key'], now))}"
        for now, (name, c) in zip(values, there, strict=True)
    ]
    more = f" and {len(named) - SHOWN_MAX} more" if len(named) > SHOWN_MAX else ""
    listed = f": {', '.join(named[:SHOWN_MAX])}{more}" if named else ""
    run = version_run(home)
    behind = run is not None and run != desk.version
    late = f"; NOT ADOPTED: the desk runs version {run}" if behind else ""
    return RunsNow(
        desk.version, outcome, f"{_became(row, outcome, desk.version, 'is in force' if behind else 'runs now')}{listed}{late}"
    )


def _maker_now(engine: Engine, row: Proposal) -> RunsNow:
    """Of a market maker's step: whether it is the one in force."""
    now = step_of(engine, name_of(row.sleeve))
    if row.applied_version is None:
        return RunsNow(0, "not applied", f"never applied; {row.sleeve} is at {now.stage}")
    kept = now.proposal == row.id
    more = "" if kept else f", replaced by {now.proposal}"
    return RunsNow(row.applied_version, "runs" if kept else "replaced", f"approved{more}; {row.sleeve} is at {now.stage}")


def _became(row: Proposal, outcome: Outcome, version: int, now: str) -> str:
    """`applied as version 3, rolled back; version 4 runs now`."""
    if outcome == "runs" and version == row.applied_version:
        return f"applied as version {version}, which {now}"
    ends = {"runs": "in force still", "rolled back": "rolled back", "replaced": "replaced since", "not applied": ""}[outcome]
    first = f"applied as version {row.applied_version}, {ends}" if row.applied_version is not None else "never applied"
    return f"{first}; version {version} {now}"


def _outcome(session: Session, row: Proposal, parts: Sequence[ProposalPart], *, kept: bool) -> Outcome:
    """What became of it: of a change that no longer runs, whether a rollback took one of its sleeves behind it."""
    if row.applied_version is None:
        return "not applied"
    if kept:
        return "runs"
    for part in parts:
        own = (col(SleeveVersion.sleeve) == part.sleeve, col(SleeveVersion.version) > (part.to_version or 0))
        behind = select(SleeveVersion.version).where(*own, col(SleeveVersion.rollback_of) <= part.from_version).limit(1)
        if session.exec(behind).first() is not None:
            return "rolled back"
    return "replaced"


def _value_now(
    session: Session, home: Path, desk: DeskVersion, parts: Sequence[ProposalPart], name: str, change: Mapping[str, Any]
) -> Any:
    """The value of a changed key in the configuration in force."""
    sleeve, key = desk.config.sleeve(name), str(change["key"])
    if key == CODE_KEY:
        return _code_now(home, name)
    if key in sleeve.params:
        return sleeve.params[key]
    if key in type(sleeve).model_fields:
        return getattr(sleeve, key)
    for part in parts:  # the sleeve does not spell it out: the default, which a version of the diff may not spell out either
        for number, value in ((part.from_version, change["old"]), (part.to_version, change["value"])):
            found = session.get(SleeveVersion, (name, number)) if part.sleeve == name and number else None
            if found is not None and key not in json.loads(found.body).get("params", {}):
                return value
    from engine.strategies.isolated.described import read_strategy  # brings numpy, which a supervisor need not hold

    return with_defaults(sleeve, read_strategy(sleeve.strategy, home / "strategies").Params).params.get(key)


def _code_now(home: Path, name: str) -> str:
    """The beginning of the digest of a sleeve's code, as the desk took it last."""
    event = version_of(home / "journal" / "desk.jsonl")
    sleeves = () if event is None else event.body["sleeves"]
    return next((str(one["strategy_sha256"])[:CODE_SHOWN] for one in sleeves if one["name"] == name), "")


def _shown(value: Any) -> str:
    """A value as a card shows it."""
    return f"{value:,.6g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)

"""Rollbacks as proposals: back to a version of the desk, or of a sleeve; and what a canary's breach goes back to.

Called by app.people.approvals and the API, which store one that waits for a person or apply it; recomputed in
engine.control.apply. Turns a goal into a pending row with its diff and direction against what runs.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from engine.clock import DAY_MS
from engine.control.canary import IN_FORCE, CanaryPlan
from engine.control.config import (
    DeskVersion,
    SleeveConfig,
    active,
    canonical_json,
    sha256_of_text,
    sleeve_text,
    sleeve_version,
    version_of,
)
from engine.control.draft import Draft
from engine.control.model_pins import require_models
from engine.control.proposals import desk_diff, merged, restored, store
from engine.control.watched import kept, watch_of
from engine.errors import DeskError, Refused
from engine.store import db
from engine.store.tables import Proposal


def create_rollback(
    engine: Engine,
    home: Path,
    back_to: int | Mapping[str, int],
    *,
    requester: Mapping[str, Any],
    now_ms: int,
    confirms: bool = False,
    shown_sha256: str = "",
    keeps: Sequence[str] = (),
    rationale: str = "",
    plan: CanaryPlan | None = None,
) -> Proposal:
    """Store a pending proposal to go back: the whole desk to one of its versions, or each named sleeve to one of its own.

    What it comes to is a new version with the old text. Raises BadInput or Refused. `confirms`: also when it equals the one in
    force, because the desk does not follow that one (engine.control.agreement). `shown_sha256`: refused when its diff is not the
    one that the person was shown. `keeps`: fields that stay as they are (watched.KEPT), of sleeves that go back by themselves.
    `plan`: how it is watched, where a stored run has the configuration and the code that it goes back to.
    """
    desk = active(engine, home)
    row, changed = rollback_against(
        engine, home, desk, back_to, requester=requester, now_ms=now_ms, confirms=confirms, keeps=keeps, plan=plan
    )
    row.rationale = rationale or row.rationale
    if shown_sha256 and row.diff_sha256 != shown_sha256:
        raise Refused("the rollback is not what was shown: another version is in force now", "look at it again, then decide")
    return store(engine, row, desk, changed, now_ms)


def rollback_against(
    engine: Engine,
    home: Path,
    desk: DeskVersion,
    back_to: int | Mapping[str, int],
    *,
    requester: Mapping[str, Any],
    now_ms: int,
    confirms: bool = False,
    keeps: Sequence[str] = (),
    plan: CanaryPlan | None = None,
) -> tuple[Proposal, list[str]]:
    """The same without storing it: the row as it would be, its diff and direction against what runs, and the sleeves it moves."""
    then, numbers = target_of(engine, home, desk, back_to, keeps)
    whole = isinstance(back_to, int)
    goal = back_to_text(back_to)
    changed = [name for name in desk.sleeves if desk.bodies[name] != then.bodies.get(name)]
    if not changed and not (whole and confirms):
        raise Refused(f"the configuration in force (version {desk.version}) already equals {goal}")
    require_models(then.config.sleeves, home / "strategies")
    found = desk_diff(desk.config, then.config, home)
    name, changes, label, exposure = merged({s: found[s] for s in changed or desk.sleeves}, whole=whole)
    diff = canonical_json(
        {
            "kind": "rollback",
            "sleeve": name,
            "from_versions": {s: desk.sleeves[s] for s in changed},
            "changes": changes,
            "back_to": {s: numbers[s] for s in changed},
            **({"rollback_of": back_to} if whole else {}),
            **({"keeps": list(keeps)} if keeps else {}),
            **({} if plan is None else _watch(engine, home, plan, (desk, then), {s: found[s] for s in changed})),
        }
    )
    row = Proposal(
        id="",
        kind="rollback",
        sleeve=name,
        base_version=desk.version,
        diff=diff,
        diff_sha256=sha256_of_text(diff),
        direction=label,
        exposure=canonical_json(exposure),
        rationale=f"back to {goal}",
        requester=canonical_json(dict(requester)),
        created_ms=now_ms,
        expires_ms=now_ms + DAY_MS,
        rollback_of=back_to if isinstance(back_to, int) else None,
    )
    return row, changed


def _watch(
    engine: Engine, home: Path, plan: CanaryPlan, versions: tuple[DeskVersion, DeskVersion], moves: Mapping[str, Any]
) -> dict[str, Any]:
    """What the diff says of its watch (watched.watch_of): each sleeve's newest stored run of what it goes back to, with the code
    that runs now. A breach pauses: neither version is one that a person trusts.
    """
    from engine.control.code_changes import code_in_force, run_in_force  # reads strategies, which brings numpy

    drafts, runs = dict[str, Draft](), dict[str, list[dict[str, Any]]]()
    for name, (changes, moved) in moves.items():
        old, new = (version.config.sleeve(name) for version in versions)
        drafts[name] = Draft(
            versions[0].version, versions[0].sleeves[name], versions[0].digest(name), old, new, changes, moved, {}
        )
        with suppress(DeskError):  # whatever cannot be read is not watched, and holds no rollback up
            run_id = run_in_force(engine, home, new, code_in_force(home, new))
            runs[name] = [{"role": IN_FORCE, "run_id": run_id}] if run_id else []
    return watch_of(plan, drafts, runs, home, why="rollback")


def back_to_text(back_to: int | Mapping[str, int]) -> str:
    """`version 3` of the desk, or `btc-trend version 1`."""
    return f"version {back_to}" if isinstance(back_to, int) else ", ".join(f"{s} version {n}" for s, n in back_to.items())


def target_of(
    engine: Engine, home: Path, desk: DeskVersion, back_to: int | Mapping[str, int], keeps: Sequence[str] = ()
) -> tuple[DeskVersion, dict[str, int]]:
    """What a rollback goes back to: the desk as it would be, and the version of each sleeve that is named."""
    if isinstance(back_to, int):
        then = version_of(engine, back_to, home)
        if list(then.sleeves) != list(desk.sleeves):
            raise Refused("the two versions do not have the same sleeves", "propose the changes sleeve by sleeve")
        return then, then.sleeves
    with db.read(engine) as session:
        for name in back_to:
            desk.config.sleeve(name)  # BadInput with the list of names
        bodies = {name: sleeve_version(session, name, number) for name, number in back_to.items()}
    if keeps:
        bodies = {name: with_kept(body, desk.config.sleeve(name), keeps) for name, body in bodies.items()}
    return restored(desk, bodies), dict(back_to)


def with_kept(body: str, now: SleeveConfig, keeps: Sequence[str]) -> str:
    """The text of a sleeve's version with some fields as they are now (watched.kept)."""
    return sleeve_text(kept(SleeveConfig.model_validate_json(body), now, keeps))

"""What of a proposed change is watched once it is applied, and what a breach does: decided when the proposal is stored.

Called by engine.control.proposals, which puts the answer into the diff that a person approves, by apply and app.people.canaries,
which ask again what going back would be. A change that nothing can be measured of carries the reason in place of terms.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.amounts import percent_text
from engine.book.bodies import RESTING
from engine.control.canary import WITHOUT_CANARY, CanaryPlan, smaller_part, way_of
from engine.control.config import SleeveConfig, with_defaults
from engine.control.direction import direction
from engine.control.draft import Draft
from engine.control.limits import limits_of
from engine.control.stages import rises
from engine.errors import DeskError, Refused

Changes = Mapping[str, Any] | Sequence[Mapping[str, Any]]
KEPT = ("paused", "resumes_ms", "size_part")  # what a canary's way back leaves as it is: it raises no size and ends no pause
PAUSE = frozenset({"paused", "resumes_ms"})


def at_part(changes: Mapping[str, Changes], plan: CanaryPlan, *, apply_to_open: bool) -> Mapping[str, Changes]:
    """The changes at the plan's part of the size; at the whole size as they are. Refused for what has no part: several sleeves,
    open positions, a pause or a stage, which are steps of their own.
    """
    if plan.is_whole:
        return changes
    if len(changes) > 1 or apply_to_open:
        raise Refused("a canary is of one sleeve, from its next entry on", "propose without a canary, or one sleeve")
    ((sleeve, wanted),) = changes.items()
    pairs = [(str(k), v) for k, v in wanted.items()] if isinstance(wanted, Mapping) else [(c["key"], c["value"]) for c in wanted]
    if own := sorted(WITHOUT_CANARY & {key for key, _ in pairs}):
        raise Refused(f"a change of {', '.join(own)} has no canary", "propose it alone")
    return {sleeve: [*({"key": k, "value": v} for k, v in pairs), {"key": "size_part", "value": plan.part}]}


def watch_of(
    plan: CanaryPlan | None,
    drafts: Mapping[str, Draft],
    evidence: Mapping[str, Sequence[Mapping[str, Any]]],
    home: Path,
    why: str = "",
) -> dict[str, Any]:
    """What a diff says of its watch: `canary` (of several sleeves `{"sleeves": {name: terms}}`), `unwatched` (sleeve -> why); {}
    without a plan. `why` (WHY_PAUSE): a breach pauses, whatever going back would be. Raises Refused where a person has asked for
    what cannot be measured.
    """
    if plan is None:
        return {}
    found, without = dict[str, Any](), dict[str, str]()
    for sleeve, made in drafts.items():
        nothing = _nothing_to_watch(made) if plan.is_whole else ""
        try:
            if nothing:
                raise Refused(nothing)
            found[sleeve] = _terms(plan, made, evidence.get(sleeve, ()), home, why)
        except DeskError as error:
            if not plan.is_whole or not (plan.shortens or nothing):
                raise
            without[sleeve] = error.what
    one = found.get(next(iter(drafts))) if len(drafts) == 1 else {"sleeves": found}
    return ({"canary": one} if found else {}) | ({"unwatched": without} if without else {})


def _nothing_to_watch(made: Draft) -> str:
    """Why a change has nothing that could be breached; "" where it has."""
    keys = {change["key"] for change in made.changes}
    if made.new.stage in RESTING or (made.new.paused and made.new.resumes_ms is None):
        return "it enters nothing from then on"
    if keys <= PAUSE and made.new.paused:
        return "it is a pause"
    if keys <= {"size_part", "stage"} and not rises(made.old.stage, made.new.stage) and made.direction.label == "tightens":
        return "it only takes away size or a stage"
    return ""


def _terms(plan: CanaryPlan, made: Draft, evidence: Sequence[Mapping[str, Any]], home: Path, why: str = "") -> dict[str, Any]:
    """What the card says of one sleeve's canary."""
    from engine.control.canary_terms import terms_of  # brings numpy, which a supervisor need not hold

    if not plan.is_whole and made.old.size_part is not None and plan.part > made.old.size_part:
        raise Refused(
            f"{made.old.name} trades at {percent_text(made.old.size_part, 0)} of its size: a canary takes at most that",
            "a smaller part",
        )
    if not plan.is_whole and made.new.stage == "live_small":
        raise Refused("a sleeve in live_small trades the least that there is: it has no part", "propose without a canary")
    why = "resume" if {change["key"] for change in made.changes} <= PAUSE else why
    way = {"way": "pause", "why": why} if why else {"way": way_back(made.new, made.old, home)}
    return terms_of(plan, made, evidence, home) | way


def way_back(now: SleeveConfig, before: SleeveConfig, home: Path) -> str:
    """What a breach does: `back` where going back, with the pause of now and the smaller part of the size, does not loosen; else
    `pause`.
    """
    from engine.strategies.isolated.described import read_strategy  # brings numpy, which a supervisor need not hold

    params = read_strategy(now.strategy, home / "strategies").Params
    one, other = (with_defaults(sleeve, params) for sleeve in (now, kept(before, now)))
    return "pause" if one == other else way_of(direction(one, other, params, limits_of(home)))


def kept(before: SleeveConfig, now: SleeveConfig, fields: Sequence[str] = KEPT) -> SleeveConfig:
    """What a way back puts in force: the version before, with the pause of now and no larger part of the size."""
    same: dict[str, Any] = {name: getattr(now, name) for name in fields if name in PAUSE}
    if "size_part" in fields:
        same["size_part"] = smaller_part(now.size_part, before.size_part)
    return SleeveConfig.model_validate(before.model_dump() | same)

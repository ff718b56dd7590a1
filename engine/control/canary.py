"""A canary: an applied change is watched until it is over, at a part of the sleeve's size or at the whole, and a stated breach
takes it back.

Its terms are part of the diff that a person approves (`diff["canary"]`); engine.control.canary_terms takes their numbers from the
card's own evidence. Nothing else says that one runs: the proposal's row and the versions of the sleeve do. Read by proposals,
apply, cards, engine.watch.canaries and app.people.canaries; light, for a supervisor loads it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Engine
from sqlmodel import Session, col, select, update

from engine.amounts import percent_text
from engine.control.config import SleeveConfig
from engine.control.direction import Direction
from engine.errors import BadInput
from engine.store import db
from engine.store.tables import ActiveSleeve, Proposal, ProposalPart, SleeveVersion

PART, TRIPS = 0.25, 10  # of the size, and round trips, where nobody says another
TRIPS_MIN, TRIPS_MAX = 3, 200
BARS_MIN, BARS_MAX = 100, 50_000
PART_MIN, PART_MAX = 0.05, 0.9
WITHOUT_CANARY = frozenset(
    {"paused", "resumes_ms", "stage", "size_part"}
)  # keys whose change has none: each is a step of its own
STANDARD, NONE = "25% for 10 trips", "none"
WATCHED = "100% for 10 trips"  # what every applied change has where desk.toml says nothing
WHOLE = 1.0  # a part that leaves the size as it is: the change is watched, nothing else
IN_FORCE = "in force"  # role of the one run that is evidence of a step which changes no parameter
PAUSES = "is paused, and a person decides: "
WHY_PAUSE = {
    "pause": "going back would loosen",
    "resume": "it was paused before",
    "code": "no code puts a file back",
    "rollback": "it was a way back itself",
}
RUNNING, BREACHED, OVER, LEFT = "running", "breached", "over", "left"
OF_THE_DESK = (  # refusals that say nothing of a change: they are of the desk's state
    "desk is halted",
    "desk drawdown breaker",
    "daily loss breaker",
    "entries paused",
    "no_entry window",
    "another sleeve holds the other side",
)
OF_A_FIT = ("size rounds down to no lot", "below the venue's least order")  # of a pair: of how small a leg its fit makes
_PLAN = re.compile(r"(\d{1,3}(?:\.\d{1,2})?) ?%(?: for)? (\d{1,6}) (trips|bars)")


class CanaryPlan(NamedTuple):
    """What is asked for: the part of the size, and how many round trips or own bars; one of the two is None. `shortens`: nobody
    asked for so many, half of those of the evidence are enough; at the whole size too few are a sentence on the card, no refusal.
    """

    part: float
    trips: int | None
    bars: int | None
    shortens: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether the change trades at the size that it has anyway, and is only watched."""
        return self.part == WHOLE


class CanaryRun(NamedTuple):
    """An applied proposal with a canary, its latest of the sleeve. `versions`: of the sleeve, those that are this canary's: the
    card's own, and those that only paused or resumed it. `alone`: no other sleeve of the card is watched."""

    proposal: str
    sleeve: str
    from_version: int
    to_version: int
    versions: tuple[int, ...]
    in_force: bool  # the sleeve's version in force is one of them
    version_now: int
    terms: Mapping[str, Any]
    approved_by: str
    applied_ms: int
    state: str  # running | breached | over | left
    found: Mapping[str, Any]  # what the watch has noted: breach, action, ended
    alone: bool = True

    @property
    def key(self) -> str:
        """What it is called where several of a card are kept apart: `prop-3`, `prop-3 eth-trend`."""
        return self.proposal if self.alone else f"{self.proposal} {self.sleeve}"

    @property
    def is_whole(self) -> bool:
        """As a plan's."""
        return bool(self.terms["part"] == WHOLE)


def standard() -> CanaryPlan:
    """What a promoted model has where nobody says another."""
    return CanaryPlan(PART, TRIPS, None, shortens=True)


def default_plan(text: str) -> CanaryPlan | None:
    """What desk.toml says of every change. Watched at its whole size, one with too little evidence is approved all the same."""
    plan = plan_of(text)
    return plan._replace(shortens=True) if plan is not None and plan.is_whole else plan


def plan_for(asked: str | None, desk: str, *, has_part: bool) -> CanaryPlan | None:
    """A proposal's own plan, else the desk's; where a change can have no part (`has_part`), it is watched at its whole size."""
    if asked is not None:
        return plan_of(asked)
    plan = default_plan(desk)
    return plan if plan is None or has_part or plan.is_whole else plan._replace(part=WHOLE, shortens=True)


def plan_of(text: str | None) -> CanaryPlan | None:
    """`25% for 10 trips`, `100% for 500 bars`; None for none. Raises BadInput for anything else, or out of bounds."""
    words = " ".join((text or NONE).lower().split())
    if words in (NONE, "no", "off"):
        return None
    found = _PLAN.fullmatch(words)
    if found is None:
        raise BadInput(f"canary = {words[:40]!r} is not a canary", f"write {STANDARD!r}, '10% for 500 bars' or 'none'")
    part, count, unit = float(found[1]) / 100.0, int(found[2]), found[3]
    low, high = (TRIPS_MIN, TRIPS_MAX) if unit == "trips" else (BARS_MIN, BARS_MAX)
    if not (PART_MIN <= part <= PART_MAX or part == WHOLE) or not low <= count <= high:
        bounds = f"{percent_text(PART_MIN, 0)} to {percent_text(PART_MAX, 0)} of the size, or 100%, {low:,} to {high:,} {unit}"
        raise BadInput(f"canary = {words!r} is out of bounds", bounds)
    return CanaryPlan(part, count if unit == "trips" else None, count if unit == "bars" else None)


def terms_by_sleeve(diff: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Sleeve -> the terms of its canary in a stored diff; of a card of one sleeve they are the diff's own."""
    terms = diff.get("canary")
    if not isinstance(terms, Mapping):
        return {}
    return dict(terms["sleeves"]) if "sleeves" in terms else {str(diff.get("sleeve", "")): terms}


def plan_in(diff: Mapping[str, Any]) -> CanaryPlan | None:
    """The plan of a stored proposal's diff."""
    terms = next(iter(terms_by_sleeve(diff).values()), None)
    if terms is None:
        return default_plan(WATCHED) if "unwatched" in diff else None
    part = float(terms["part"])
    return CanaryPlan(part, terms["trips"], terms["bars"], shortens=part == WHOLE)


def goes_back(moves: Direction) -> bool:
    """Whether what a breach goes back to may be put in force without a person: by code it tightens or is neutral. Of a model,
    whose direction no code can say, the version before is one that ran: then every figure has to be no worse, and nothing else
    unknown (decision 0083-canary.md).
    """
    if moves.label in ("tightens", "neutral"):
        return True
    doubtful = {key for key, label in moves.keys.items() if label not in ("tightens", "neutral")}
    figures = zip(moves.before, moves.after, strict=True)
    return (
        doubtful == {"models"}
        and moves.keys["models"] == "unknown"
        and all((was is None) == (will is None) and (was is None or will is None or will <= was) for was, will in figures)
    )


def way_of(moves: Direction) -> str:
    """What a breach does, by the direction of going back: `back` or `pause`."""
    return "back" if goes_back(moves) else "pause"


def smaller_part(one: float | None, other: float | None) -> float | None:
    """The smaller of two parts of a size; None: the whole of it."""
    least = min(WHOLE if one is None else one, WHOLE if other is None else other)
    return None if least == WHOLE else least


def size_text(terms: Mapping[str, Any], before: str = " at ") -> str:
    """` at 25 % of the size`; nothing where a change has its own."""
    return "" if terms["part"] == WHOLE else f"{before}{100 * terms['part']:g} % of the size"


def length_text(terms: Mapping[str, Any]) -> str:
    """`10 trips` or `500 bars`."""
    return f"{terms['trips']} trips" if terms["trips"] is not None else f"{terms['bars']:,} bars"


def terms_rows(terms: Mapping[str, Any], back_to: int) -> list[tuple[str, str]]:
    """(label, sentence) of a card: the part, how long, what ends it, and what happens then. `back_to`: the version before."""
    worst, part, least = terms["worst"], f"{100 * terms['part']:g} %", terms["slippage_trips"]
    slipped = f"the mean of all, of {least} at least" if "level" in terms else f"over {least} in a row"
    first = ("canary", f"{part} of the size until {length_text(terms)} are over; full size is another proposal")
    if terms["part"] == WHOLE:
        first = ("watched", f"until {length_text(terms)} are over, against run {terms['against']}")
    rows = [
        first,
        ("breach: rejections", f"more than {terms['refused_max']} entries refused or rejected (evidence {worst['refused']})"),
        (
            "breach: slippage",
            f"above {terms['slippage_bps_max']:.2f} bps a round trip, {slipped} (evidence {worst['slippage_bps']:.2f})",
        ),
        (
            "breach: drawdown",
            f"above {100 * terms['drawdown_frac_max']:.2f} % of the sleeve's equity"
            f" (evidence {100 * worst['drawdown_frac']:.2f} % at the whole size)",
        ),
        ("breach: too few", f"flat and no entry in {terms['quiet_bars_max']:,} bars (evidence {worst['quiet_bars']:,})"),
        ("breach: too many", f"more than {terms['day_entries_max']} entries in 24 h (evidence {worst['day_entries']})"),
    ]
    if (error := terms["error"]) is not None:
        rows.append(("breach: predictions", error_text(error)))
    rows.append(("breach: no data", "what one of these needs is missing, or the journal has a gap"))
    if "level" in terms:
        rows.append(("by chance", f"each is passed in one watch of {round(1 / terms['level'])}, by {terms['seen']} round trips"))
    rows.append(("on a breach", way_text(terms, back_to)))
    return rows


def watch_rows(diff: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """What a card says of its watch: the terms of each sleeve, and why another one has none."""
    before = {str(part["sleeve"]): int(part["from_version"]) for part in parts}
    found = terms_by_sleeve(diff)
    rows = []
    for sleeve, terms in found.items():
        front = f"{sleeve}: " if len(before) > 1 else ""
        rows += [(f"{front}{label}", text) for label, text in terms_rows(terms, before.get(sleeve, 0))]
    for sleeve, why in (diff.get("unwatched") or {}).items():
        rows.append((f"{sleeve}: not watched" if len(before) > 1 else "not watched", why))
    if len(found) > 1:
        rows.append(("each by itself", "a breach of one sleeve takes back that one; the others go on"))
    return rows


def watch_text(diff: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> str:
    """The same in a chat: of a change at its own size what is watched and what a breach does, the numbers are on its card."""
    whole = all(terms["part"] == WHOLE for terms in terms_by_sleeve(diff).values())
    rows = [row for row in watch_rows(diff, parts) if not whole or "breach: " not in row[0]]
    return " ".join(f"{label[:1].upper()}{label[1:]}: {text}." for label, text in rows)


def way_text(terms: Mapping[str, Any], back_to: int) -> str:
    """What a breach does, in words."""
    if terms["way"] == "back":
        return f"goes back by itself to version {back_to}{size_text(terms, ', at ')}"
    return f"{PAUSES}{WHY_PAUSE[terms.get('why', 'pause')]}"


def error_text(error: Mapping[str, Any]) -> str:
    """The breach of a model's predictions in words."""
    whence = "stated: the two were judged on different rows" if error["worst"] is None else f"evidence {error['worst']:.3f}"
    return (
        f"mean squared error above {error['ratio_max']:.3f} times that of {error['model']}@{error['champion']}, after"
        f" {error['closes']:,} closes ({whence})"
    )


# ---- which canaries there are ---------------------------------------------------------------------------------------------


def canaries(engine: Engine) -> list[CanaryRun]:
    """The latest canary of each sleeve that has had one, by sleeve."""
    with_terms = (col(Proposal.state) == "applied", col(Proposal.diff).contains('"canary":{'))
    latest: dict[str, CanaryRun] = {}
    with db.read(engine) as session:
        in_order = (col(Proposal.applied_version), col(Proposal.decided_ms))
        for row in session.exec(select(Proposal).where(*with_terms).order_by(*in_order)).all():
            found = terms_by_sleeve(json.loads(row.diff))
            for sleeve, terms in found.items():
                part = session.get(ProposalPart, (row.id, sleeve))
                if part is not None and part.to_version is not None:
                    latest[sleeve] = _run(session, row, part, terms, alone=len(found) == 1)
    return [latest[name] for name in sorted(latest)]


def canary_of(engine: Engine, proposal_id: str, sleeve: str = "") -> CanaryRun:
    """The canary of a proposal, of a `sleeve` of it where several are watched. Raises BadInput when it has none, was never
    applied, or a later one of the sleeve replaced it.
    """
    bare = proposal_id.strip()
    wanted = f"prop-{bare}" if bare.isdigit() else bare
    found = [one for one in canaries(engine) if one.proposal == wanted and sleeve in ("", one.sleeve)]
    if not found:
        raise BadInput(f"{wanted[:40]} has no canary that a sleeve trades", "see `nightdesk canary list`")
    if len(found) > 1:
        names = ", ".join(one.sleeve for one in found)
        raise BadInput(f"{wanted} is watched on several sleeves", f"name one with --sleeve: {names}")
    return found[0]


def _run(session: Session, row: Proposal, part: ProposalPart, terms: Mapping[str, Any], *, alone: bool) -> CanaryRun:
    active = session.get(ActiveSleeve, part.sleeve)
    now = 0 if active is None else active.version
    mine = _versions(session, part.sleeve, part.to_version or 0)
    found = json.loads(row.body).get(_noted_as(part.sleeve, alone=alone)) or {}
    state = str(found.get("state") or (RUNNING if now in mine else LEFT))
    return CanaryRun(
        row.id,
        part.sleeve,
        part.from_version,
        part.to_version or 0,
        mine,
        now in mine,
        now,
        terms,
        str(json.loads(row.decided_by or "{}").get("name") or "unknown"),
        row.decided_ms or 0,
        LEFT if state == RUNNING and now not in mine else state,
        found,
        alone,
    )


def _noted_as(sleeve: str, *, alone: bool) -> str:
    """The key of a proposal's body that a canary is noted under."""
    return "canary" if alone else f"canary {sleeve}"


def _versions(session: Session, sleeve: str, first: int) -> tuple[int, ...]:
    """The versions of a sleeve from `first` on that differ from it in a pause alone, up to the first that differs in more."""
    mine = select(SleeveVersion).where(SleeveVersion.sleeve == sleeve, col(SleeveVersion.version) >= first)
    rows = session.exec(mine.order_by(col(SleeveVersion.version))).all()
    found: list[int] = []
    for row in rows:
        if _without_pause(row.body) != _without_pause(rows[0].body):
            break
        found.append(row.version)
    return tuple(found)


def _without_pause(body: str) -> SleeveConfig:
    return SleeveConfig.model_validate(json.loads(body) | {"paused": False, "resumes_ms": None})


def size_before(engine: Engine, run: CanaryRun) -> float | None:
    """The part of the size that the sleeve had before its canary; None: the whole of it.

    Where that is only the part of an earlier canary, which nobody has decided about since, the one before that counts: two
    canaries in a row would leave the sleeve at their part for good.
    """
    with db.read(engine) as session:
        every = select(SleeveVersion).where(SleeveVersion.sleeve == run.sleeve)
        parts = {row.version: SleeveConfig.model_validate_json(row.body).size_part for row in session.exec(every).all()}
        made = select(Proposal, ProposalPart).where(Proposal.state == "applied", ProposalPart.proposal_id == Proposal.id)
        mine = made.where(ProposalPart.sleeve == run.sleeve, col(Proposal.diff).contains('"canary":{'))
        earlier = [
            (part.from_version, part.to_version, terms["part"])
            for row, part in session.exec(mine).all()
            if part.to_version is not None and (terms := terms_by_sleeve(json.loads(row.diff)).get(run.sleeve)) is not None
        ]
    before = run.from_version
    for start, first, part in sorted(earlier, reverse=True):
        if first <= before and all(parts[version] == part for version in range(first, before + 1) if version in parts):
            before = start
    return parts.get(before)


def note(engine: Engine, run: CanaryRun, **values: Any) -> bool:
    """Add to what is noted of a canary; False when another process has noted something since `run` was read: then nothing is."""
    with db.write(engine) as session:
        db.take_turn(session)
        row = session.get(Proposal, run.proposal)
        body = {} if row is None else json.loads(row.body)
        key = _noted_as(run.sleeve, alone=run.alone)
        if row is None or (body.get(key) or {}) != run.found:
            return False
        new = json.dumps({**body, key: {**run.found, **values}}, sort_keys=True)
        same = (col(Proposal.id) == row.id, col(Proposal.body) == row.body)
        return bool(session.exec(update(Proposal).where(*same).values(body=new)).rowcount == 1)

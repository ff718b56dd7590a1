"""Changes that a person may approve: proposals (READ), propose_config, propose_tightening (PROPOSE).

Called by the catalog. Turns a requested change into its evidence (a run of the live configuration and one of the changed sleeve)
and passes both to engine.control.proposals, which creates the row or refuses; nothing here can apply one.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from engine.clock import utc
from engine.control.canary import WITHOUT_CANARY, CanaryPlan, plan_for
from engine.errors import BadInput, Refused
from engine.redaction import redacted
from engine.sim import bootstrap, versus
from engine.sim.life import beyond, beyond_text, favours, life_of
from engine.sim.stamps import stamps
from tools import runs
from tools.common.contract import (
    Args,
    Effect,
    Evidence,
    Fact,
    Table,
    ToolContext,
    ToolResult,
    asked_as,
    clean,
    make_facts,
    no_data,
    tool,
)
from tools.compare import gap_facts
from tools.proposal_texts import card, diff_text, reads
from tools.setups import ParamChange, label_of, live_setup, lived_span, runs_of, values_of

PAIRS_AT_ONCE = 4  # runs of two sleeves: as many jobs as may be open
Pair = Sequence[dict[str, Any]]  # the run of the configuration in force and the one of the changed sleeve


class ProposalsArgs(Args):
    """One proposal by id, or those in a state; null: the latest."""

    proposal_id: str | None = Field(None, max_length=80)
    state: Literal["pending", "applied", "rejected", "expired", "stale", "superseded"] | None = None


class SleeveChange(Args):
    """Another sleeve that the proposal changes together with the first: all of it is applied, or none."""

    sleeve: str = Field(max_length=60)
    changes: list[ParamChange] = Field(min_length=1, max_length=30)


class ProposeConfigArgs(Args):
    """`changes` of the sleeve's live configuration (a parameter, `paused`, or `stage`: draft, paper, retired); `also`: further
    sleeves; `rationale` for the person; `start`, `end`: of its evidence, else up to the desk's time."""

    sleeve: str = Field(max_length=60)
    changes: list[ParamChange] = Field(min_length=1, max_length=30)
    rationale: str = Field(max_length=1000)
    start: str | None = Field(None, max_length=40)
    end: str | None = Field(None, max_length=40)
    apply_to_open: bool | None = None
    also: list[SleeveChange] | None = Field(None, max_length=8)
    canary: SkipJsonSchema[str | None] = Field(None, max_length=40)  # 25% for 10 trips; not shown to models: no token is left


class ProposeTighteningArgs(Args):
    """`changes` that lower risk; `also`: further sleeves; `rationale` for the person."""

    sleeve: str = Field(max_length=60)
    changes: list[ParamChange] = Field(min_length=1, max_length=30)
    rationale: str = Field(max_length=1000)
    apply_to_open: bool | None = None
    also: list[SleeveChange] | None = Field(None, max_length=8)


@tool(
    "proposals",
    Effect.READ,
    asked_as(
        "",
        "which proposals are pending?; is anything waiting for my approval?; show me proposal 3; anything to approve?; "
        "list all proposals; status of prop-1; which proposals are open; what is prop-2 about?; are there proposals I "
        "need to decide on?; show the last proposal; do I have to approve something?; what's waiting for me?; has my "
        "proposal been approved?; which proposals were rejected?; what did the developer propose?; show all rejected "
        "proposals; when does the proposal expire?; what got rejected?",
    ),
)
def proposals(ctx: ToolContext, args: ProposalsArgs) -> ToolResult:
    """Read proposals: diff, direction, evidence, state, expiry."""
    from engine.control.proposals import get, list_proposals, view

    if args.proposal_id:
        return card(ctx, view(ctx.engine, get(ctx.engine, args.proposal_id)))
    found = [view(ctx.engine, row) for row in list_proposals(ctx.engine, ctx.now_ms, args.state, limit=20)]
    if not found:
        return no_data(f"no {args.state or ''} proposals".replace("  ", " "))
    rows = tuple(
        (p["id"], p["sleeve"], diff_text(p), p["direction"], p["state"], utc(p["created_ms"]), utc(p["expires_ms"]))
        for p in found
    )
    columns = ("proposal", "sleeve", "change", "direction", "state", "made", "expires")
    counts: dict[str, tuple[int, str]] = {}
    for p in found:
        counts[p["state"]] = (counts.get(p["state"], (0, ""))[0] + 1, "count")
    facts = make_facts(ctx.handle("q", "all"), "proposals", Evidence("desk", "proposals"), dict(counts))
    evidence = tuple(Evidence("proposal", p["id"]) for p in found)
    text = f"{len(found)} proposals, the newest first; {sum(p['state'] == 'pending' for p in found)} pending."
    data = {"proposals": [p["id"] for p in found], "pending": [p["id"] for p in found if p["state"] == "pending"]}
    return ToolResult("ok", text, facts, evidence, Table(columns, rows), data)


@tool(
    "propose_config",
    Effect.PROPOSE,
    asked_as(
        "",
        "propose stop_atr=3 for the BTC trend sleeve; set the target of eth-trend to 5 ATR; raise fast to 60 on the BTC "
        "sleeve; propose the better one for the BTC trend sleeve; propose the second one; widen the stop on SOL to 3 ATR; "
        "go with the second one; suggest the winner as a change; submit the better variant as a proposal for btc; turn "
        "the winner into a proposal; make a proposal out of the best variant; i'd like the eth target at 5 atr; change "
        "the fast average of btc-trend to 30; lower the risk of sol by half; retire sol-reversion; propose that one",
    ),
)
def propose_config(ctx: ToolContext, args: ProposeConfigArgs) -> ToolResult:
    """Propose a change to a sleeve's configuration. Runs the evidence (live and changed configuration on the same bars
    and costs) and creates a proposal that a person approves or rejects. Must be the last call of a turn."""
    span = lived_span(ctx, args.start, args.end)
    has_part = not (args.also or args.apply_to_open or any(change.key in WITHOUT_CANARY for change in args.changes))
    canary = plan_for(args.canary, ctx.canary, has_part=has_part)
    return propose_change(ctx, _wanted(args), args.rationale, span, to_open=bool(args.apply_to_open), canary=canary)


@tool(
    "propose_tightening",
    Effect.PROPOSE,
    asked_as(
        "",
        "reduce the leverage of btc-trend to 2; tighten the ETH sleeve: at most 1 layer; lower risk_max_frac of "
        "sol-reversion to 1 %; make the SOL sleeve safer; scale down the risk of sol-reversion; cut the leverage on the "
        "SOL sleeve to 1.5; tighten it to 1.5 atr; halve the risk of sol; cut risk on sol in half; make btc less "
        "aggressive; bring the stop of btc closer, 1.5 atr",
    ),
)
def propose_tightening(ctx: ToolContext, args: ProposeTighteningArgs) -> ToolResult:
    """Propose a change that lowers risk; refused when the computed direction is anything but tightens. Must be the last
    call of a turn."""
    from engine.control.draft import draft

    wanted = _wanted(args)
    for sleeve, changes in wanted.items():
        made = draft(ctx.engine, ctx.home, sleeve, changes, apply_to_open=bool(args.apply_to_open))
        if made.direction.label != "tightens":
            what = f"this change {reads(made.direction.label)}, so it does not count as a tightening: {made.direction.why}"
            raise Refused(what, "the developer may propose it with propose_config")
    canary = plan_for(None, ctx.canary, has_part=False)  # it lowers risk itself: at its own size, and watched
    return propose_change(
        ctx, wanted, args.rationale, lived_span(ctx, None, None), to_open=bool(args.apply_to_open), canary=canary
    )


def _wanted(args: Any) -> dict[str, dict[str, Any]]:
    """Sleeve -> its changes. Raises BadInput for a sleeve that is named twice."""
    found = {args.sleeve: values_of(args.changes)}
    for other in args.also or ():
        if other.sleeve in found:
            raise BadInput(f"{clean(other.sleeve, 60)} is named twice", "give all changes of a sleeve together")
        found[other.sleeve] = values_of(other.changes)
    return found


def propose_change(
    ctx: ToolContext,
    wanted: Mapping[str, Mapping[str, Any]],
    rationale: str,
    span: tuple[int | None, int | None],
    *,
    to_open: bool = False,
    canary: CanaryPlan | None = None,
) -> ToolResult:
    """Check the change, run what evidence is missing, store the proposal; `canary`: the part of the size that it begins at."""
    from engine.control.draft import draft

    drafts = {s: draft(ctx.engine, ctx.home, s, changes, apply_to_open=to_open) for s, changes in wanted.items()}
    labels = {s: label_of({c["key"]: c["value"] for c in made.changes}) for s, made in drafts.items()}
    setups = []
    for sleeve, made in drafts.items():
        base = live_setup(made.old, made.from_version)
        changed = base.having(labels[sleeve], made.new.params).reading(made.new.models)
        setups += [base, changed._replace(execution=made.new.execution or "")]
    made_runs: list[dict[str, Any]] = []
    for n in range(0, len(setups), PAIRS_AT_ONCE):
        done = runs_of(ctx, setups[n : n + PAIRS_AT_ONCE], span, {})
        if done.instead:
            lacks = "The evidence cannot be made." if done.instead.status == "failed" else "The evidence is not ready yet."
            return done.instead._replace(text=f"{lacks} {done.instead.text}")
        made_runs += done.runs
    evidence: dict[str, list[dict[str, Any]]] = {}
    facts: tuple[Fact, ...] = ()
    for n, (sleeve, made) in enumerate(drafts.items()):
        pair = made_runs[2 * n : 2 * n + 2]
        leaky = next(
            (run for run in pair if run.get("leaks") and run["leaks"].get("looks_ahead", not run["leaks"]["clean"])), None
        )
        if stamped := [text for run in pair for text in stamps(run)]:
            raise Refused(f"not evidence: {clean(stamped[0], 200)}")
        if leaky is not None:
            why = clean(leaky["leaks"].get("text", ""), 160)
            raise Refused(f"{made.old.strategy} looks ahead ({why}): its runs are not evidence")
        gap, more = _gap(ctx, pair, labels[sleeve])
        evidence[sleeve], facts = _evidence(ctx, pair, gap, made.new.params), facts + more
    result = store_proposal(ctx, wanted, rationale, evidence, apply_to_open=to_open, canary=canary)
    return result._replace(facts=(*result.facts, *facts))


def _gap(ctx: ToolContext, pair: Pair, label: str) -> tuple[bootstrap.Difference, tuple[Fact, ...]]:
    """The changed run's difference from the base, and the facts of both runs."""
    base, changed = pair
    gap = versus.gap(runs.store(ctx), base, changed)
    x = ctx.handle("x", f"{base['run_id']}|{changed['run_id']}")
    facts = runs.facts_of(ctx, base, f"{runs.subject_of(base)}, live configuration")
    facts += runs.facts_of(ctx, changed, f"{runs.subject_of(changed)}, {label}")
    return gap, facts + gap_facts(x, f"{label} against the live configuration", changed["run_id"], gap)


def _evidence(ctx: ToolContext, pair: Pair, gap: bootstrap.Difference, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the card shows: both runs with their figures and how long they traded, the verdict on the difference, and warnings."""
    from engine.control.evidence import reward_text

    found: list[dict[str, Any]] = []
    for role, run in zip(("base", "changed"), pair, strict=True):
        figures = {name: run["metrics"].get(name) for name in ("total_return_frac", "sharpe", "max_drawdown_frac", "trades")}
        data = run["data"]
        place = {"source": data["source"], "first_ms": data["first_ms"], "last_ms": data["last_ms"]}
        found.append({"role": role, "run_id": run["run_id"], **figures, **place, "life": life_of(run).text})
    told = gap.verdict in ("better", "worse")
    text = f"{gap.verdict} than the live configuration" if told else gap.verdict
    text += f": {gap.why}" if gap.why else ""
    numbers = {"difference_frac": gap.mean, "low_frac": gap.low, "high_frac": gap.high, "level": gap.level, "days": gap.days}
    more = {"verdict": gap.verdict, "caveat": favours(pair[0], pair[1])}
    found.append({"role": "comparison", "text": text, "told_apart": told, **more, **numbers})
    found += [{"role": "beyond", "text": text} for text in [_beyond(ctx, pair)] if text]
    opened = {run["leaks"]["text"]: None for run in pair if run.get("leaks") and not run["leaks"]["clean"]}
    found += [{"role": "warning", "text": f"the strategy {clean(text, 300)}"} for text in opened]
    found += [{"role": "warning", "text": text} for text in [reward_text(params)] if text]
    return found


def _beyond(ctx: ToolContext, pair: Pair) -> str:
    """What the evidence includes that the desk has not lived when it is proposed; empty when it lived all of it."""
    if ctx.desk_ms is None:
        return "the desk has not started yet: it has lived none of these days"
    text = beyond_text(max(beyond(run, ctx.desk_ms) for run in pair))
    return f"{text} (desk time {utc(ctx.desk_ms)})" if text else ""


def store_proposal(
    ctx: ToolContext,
    wanted: Mapping[str, Mapping[str, Any]],
    rationale: str,
    evidence: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    apply_to_open: bool,
    canary: CanaryPlan | None = None,
) -> ToolResult:
    """Create the row and return its card."""
    from engine.control.proposals import create_spanning, view

    row = create_spanning(
        ctx.engine,
        ctx.home,
        changes=wanted,
        evidence=evidence,
        rationale=redacted(clean(rationale, 1000)),
        requester={
            "role": "person" if ctx.model == "none" else ctx.role,
            "thread": ctx.thread,
            "turn": ctx.turn,
            "person": clean(ctx.person, 80),
            "model": ctx.model,
        },
        now_ms=ctx.now_ms,
        apply_to_open=apply_to_open,
        canary=canary,
    )
    ctx.record("proposal", {"proposal": row.id, "diff_sha256": row.diff_sha256, "direction": row.direction})
    return card(ctx, view(ctx.engine, row))

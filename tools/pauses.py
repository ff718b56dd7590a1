"""Pauses: which sleeves take no entries, why and until when (pauses, READ); propose_pause (PROPOSE). Called by the catalog.

Turns the desk's last mark, its breaker events and the versions of a sleeve into one row for each reason; a pause asked for
becomes a proposal, with an end of desk time where one is named.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from engine.book.bodies import waits_for_person
from engine.book.quiet_close import pause_text, shut_text
from engine.clock import utc
from engine.control.config import DeskVersion
from engine.errors import Refused
from engine.store.chain import Event
from tools.common.contract import (
    Args,
    Effect,
    Evidence,
    Fact,
    Table,
    ToolContext,
    ToolResult,
    Value,
    asked_as,
    clean,
    make_facts,
    no_data,
    tool,
)
from tools.common.time_words import NEVER_RAN, ahead
from tools.desk import SleevesArgs, last_mark
from tools.proposals import store_proposal

ITSELF = "the desk, by itself"  # by whom: it goes on once that is well again
Reason = tuple[str, int | None, int | None, str]  # why, since, until (desk time; None: not by itself), by whom


class ProposePauseArgs(Args):
    """The sleeve to pause and why; `ends`: for how long or until when in desk time (24h, monday 06:00Z), null: until a person
    resumes; `also`: further sleeves to pause."""

    sleeve: str = Field(max_length=60)
    rationale: str = Field(max_length=1000)
    ends: str | None = Field(None, max_length=60)
    also: list[str] | None = Field(None, max_length=300)


@tool(
    "pauses",
    Effect.READ,
    asked_as(
        "",
        "why is btc-trend paused and until when?; which sleeves are paused?; until when is the ETH sleeve paused?; who "
        "paused btc-trend?; when does the SOL sleeve resume?; why does btc-trend take no entries?; when does the pause "
        "end?; is eth allowed to trade?; when can btc trade again?; any sleeve in cooldown?; why did btc stop trading?; "
        "how long until sol may trade?; who put btc-trend on pause?; is the pause of btc over?; what is holding btc-trend "
        "back?; how long is btc-trend paused for?",
    ),
)
def pauses(ctx: ToolContext, args: SleevesArgs) -> ToolResult:
    """Which sleeves take no entries now: paused by people, by a breaker, a no_entry window or their stage; since when, until
    when, by whom and why."""
    from engine.control.config import active

    mark, now = last_mark(ctx), active(ctx.engine, ctx.home)
    if args.sleeve:
        now.config.sleeve(args.sleeve)  # BadInput with the list of names
    if mark is None:
        return no_data(NEVER_RAN)
    evidence = Evidence("event", mark.id)
    blocked = [
        (f"{clean(what, 60)}: {clean(why, 120)}", None, None, "the desk" if _is_persons(mark, what) else ITSELF)
        for what, why in mark.body.get("blocked", {}).items()
    ]
    if mark.body["state"] != "running":
        halted = mark.body.get("halt") or {}
        blocked.append((f"the desk is halted: {clean(halted.get('reason', ''), 120)}", None, None, _name(halted.get("by"))))
    facts: list[Fact] = []
    rows, lines = [], []
    for name, state in mark.body["sleeves"].items():
        if args.sleeve not in (None, name):
            continue
        found = [*blocked, *_reasons(ctx, name, state, now)]
        for n, (why, since, until, by) in enumerate(found):
            h = ctx.handle("w", f"{name} {why} {until}")
            values: dict[str, tuple[Value, str]] = {"since": (since, "ms"), "until": (until, "ms")}
            facts += make_facts(
                h, f"pause of {name}", evidence, {key: pair for key, pair in values.items() if pair[0] is not None}
            )
            ends = f"{{{h}.until}}" if until is not None else "that is over" if by == ITSELF else "a person ends it"
            cells = (f"{{{h}.since}}" if since is not None else "-", ends)
            rows.append((name, why, *cells, by))
            if n == 0:
                lines.append(f"{name}: {why}, until {ends}")
    if not rows:
        which = args.sleeve or "every sleeve"
        text = f"Not paused: {which} may enter, as of desk time {utc(mark.t_event_ms)}."
        text += "" if args.sleeve else " No breaker and no halt is in force."
        return ToolResult("ok", text, (), (evidence,), None, {"paused": []})
    text = f"No entries now, as of desk time {utc(mark.t_event_ms)}. {'; '.join(lines)}."
    text += "" if blocked else " No breaker of the desk and no halt is in force."
    table = Table(("sleeve", "why", "since", "until", "by"), tuple(rows))
    return ToolResult("ok", text, tuple(facts), (evidence,), table, {"paused": sorted({row[0] for row in rows})})


def _is_persons(mark: Event, what: str) -> bool:
    """Whether something that blocks entries is over by a person's word alone; else the desk sees itself when it is."""
    return what in mark.body.get("differs", {}) or waits_for_person(what)


def _reasons(ctx: ToolContext, name: str, state: Mapping[str, Any], now: DeskVersion) -> Iterator[Reason]:
    """Why a sleeve of a mark takes no entries; nothing when it may."""
    from engine.control.pauses import pause_origin

    config = now.config.sleeve(name)
    if state.get("paused") or config.paused_at(ctx.desk_ms):
        origin = pause_origin(ctx.engine, name, now.sleeves[name])
        why, by = pause_text({"paused": True}) + ("" if state.get("paused") else ", from the worker's next bar on"), "-"
        if origin is not None:
            why += f" (version {origin.version}" + (f", {origin.proposal_id}" if origin.proposal_id else "") + ")"
            why, by = f"{why}: {clean(origin.why, 200)}" if origin.why else why, clean(origin.by, 60)
        yield why, None, state.get("resumes_ms") or config.resumes_ms, by
    for key, breakers in (("paused_until_ms", ("loss streak", "entry frequency")), ("blocked_until_ms", ("daily loss",))):
        if state.get(key):
            tripped = _tripped(ctx, name, breakers)
            which = tripped.body["breaker"] if tripped is not None else " or ".join(breakers)
            yield f"{which} breaker", tripped and tripped.t_event_ms, state[key], "guardrail"
    if until := state.get("shut_until_ms"):
        yield shut_text(until), None, until if until > 0 else None, "desk.toml"
    if state.get("stage"):
        yield f"its stage is {state.get('stage_reached') or state['stage']}", None, None, "a version"


def _tripped(ctx: ToolContext, sleeve: str, breakers: tuple[str, ...]) -> Event | None:
    """The last time one of these breakers of a sleeve tripped."""
    from engine.store.lookback import last
    from engine.watch.window import journal_of

    return last(journal_of(ctx.home), ("breaker",), lambda e: e.body["sleeve"] == sleeve and e.body["breaker"] in breakers)


def _name(by: Any) -> str:
    return clean(by.get("name", "unknown") if isinstance(by, Mapping) else by or "unknown", 60)


@tool(
    "propose_pause",
    Effect.PROPOSE,
    asked_as(
        "",
        "pause the SOL sleeve; stop entries on btc-trend; take the ETH sleeve offline; stop trading ETH for now; disable "
        "the SOL sleeve; put btc-trend on hold; hold off trading on BTC; stop the btc sleeve; pause eth-trend, it keeps "
        "losing; stop the ETH sleeve from trading; pause btc-trend for 24 hours; pause the eth sleeve until monday "
        "06:00z; please pause everything until tomorrow 08:00; stop taking new btc trades for the weekend; give eth a "
        "break for 6 hours; pause sol for 12 hours; pause all sleeves",
    ),
)
def propose_pause(ctx: ToolContext, args: ProposePauseArgs) -> ToolResult:
    """Propose to pause a sleeve's entries, until a person resumes or until a time. Must be the last call of a turn."""
    from engine.control.draft import draft

    end = ahead(args.ends, ctx.desk_ms)
    pause = {"paused": True} if end is None else {"paused": True, "resumes_ms": end}
    names = dict.fromkeys([args.sleeve, *(args.also or [])])
    for name in names:
        made = draft(ctx.engine, ctx.home, name, pause)
        if made.direction.label == "loosens":
            until = f"until {utc(made.old.resumes_ms)}" if made.old.resumes_ms else "until a person resumes it"
            hint = "ending a pause earlier is for the developer to propose: --role developer"
            raise Refused(f"{made.old.name} is paused {until} already: this would end its pause earlier", hint)
    return store_proposal(ctx, dict.fromkeys(names, pause), args.rationale, {}, apply_to_open=False)

"""Reads both journals: journal_search and explain_event. Called by the catalog.

A window is in desk time. People's actions are journaled in wall time, so they are shown only for windows that reach up to now,
over the same length of wall time, with their own time beside them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, model_validator

from engine.clock import HOUR_MS, utc
from engine.errors import BadInput
from engine.store.chain import Event
from tools.causes import cause_text, caused
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
from tools.common.event_text import event_line, flat_values, is_routine, people_event_line, reason_text, words_of
from tools.common.ids import find_event
from tools.common.refusal_runs import RefusalRun, fits, search
from tools.common.time_words import NEVER_RAN, instant, window, window_text
from tools.fill_costs import Order, ranked

Kind = Literal["fill", "refused", "breaker", "halt", "config", "funding", "incident", "proposal", "decision", "tool"]
MATTERS = ("incident", "halt", "breaker", "config", "fill", "refused")  # most important first
PEOPLE = ("proposal", "approve", "reject", "release", "decision", "halt")
DESK_KINDS = ("fill", "decision", "breaker", "halt", "config", "funding", "incident", "order")
OF_AN_ORDER = ("intent", "order", "amend")  # events that say nothing without the order's life
ONCE = "one that lasts counts once"  # the engine journals a refusal when its rule or signal changes, not at each bar
SINGULAR = {
    "refused": f"refusal of an entry ({ONCE})",
    "breaker": "breaker tripped",
    "halt": "halt or release",
    "config": "configuration event",
}
SINGULAR |= {"funding": "funding payment"}
PLURAL = {
    "fill": "fills",
    "refused": f"refusals of an entry ({ONCE})",
    "breaker": "breakers tripped",
    "halt": "halts or releases",
}
PLURAL |= {"config": "configuration events", "incident": "incidents", "decision": "decisions", "funding": "funding payments"}


class SearchArgs(Args):
    """`since` null: yesterday; kinds null: the important ones; text: a word in it; fills_by: fills with costs."""

    since: str | None = Field(None, max_length=40)
    until: str | None = Field(None, max_length=40)
    kinds: list[Kind] | None = Field(None, max_length=10)
    sleeve: str | None = Field(None, max_length=60)
    text: str | None = Field(None, max_length=80)
    limit: int = Field(20, ge=1, le=100)
    fills_by: Order | None = None

    @model_validator(mode="after")
    def of_fills(self) -> "SearchArgs":
        """Only fills have an order by cost."""
        if self.fills_by and self.kinds not in (None, ["fill"]):
            raise ValueError("fills_by puts fills in order: leave kinds out, or name fill alone")
        return self


class ExplainArgs(Args):
    """An event's id such as d-123; or a sleeve and an instant of desk time."""

    event_id: str | None = Field(None, max_length=40)
    sleeve: str | None = Field(None, max_length=60)
    at: str | None = Field(None, max_length=40)


@tool(
    "journal_search",
    Effect.READ,
    asked_as(
        "",
        "what happened since yesterday?; what did I miss overnight?; summarize the last 24 hours; catch me up; show me "
        "the fills of yesterday; what did the desk do today?; how was the night?; give me a recap of last night; any "
        "breakers tripped since yesterday?; show me every event between 10:00 and 12:00 today; anything interesting "
        "overnight?; bring me up to speed; what's been going on since yesterday?; report on the last 24h; walk me through "
        "yesterday; what has the desk been up to since Friday?; tell me everything that happened in the last 12 hours; "
        "did anything happen while I was away?; quick summary of the night please; what did the operator do last night?; "
        "what did eth-trend do between 02:00 and 06:00?; show me everything sol did since friday; what was the last thing "
        "the desk did?; last breaker; when did the last breaker trip?; list all operator actions; what did people do "
        "since monday?; did we buy anything today?; what happened at 03:00?; events of btc today; did the desk do "
        "anything?; has a breaker ever tripped?; which breakers tripped this month?; give me last night's log; did sol do "
        "anything in the last 4 hours?",
    ),
    asked_as(
        "refused",
        "why was it refused?; which entries were blocked today; which orders did the guardrails block yesterday?; list "
        "the refusals of today; why was the order on ETH rejected?; how many orders got rejected this week; what got "
        "blocked and why; why are entries being refused; were any orders refused since monday?; what was "
        "refused yesterday?; anything refused on btc today?; show the refusals of eth",
    ),
    asked_as(
        "config",
        "what changed in the configuration since monday?; when was the new version adopted?; has the configuration "
        "changed recently?; which version is live and since when; who approved the last change?; which configuration "
        "versions were there?; what changed since last week?; when was the configuration last changed?; who changed the "
        "stop and when?; did anyone touch the config this month?; has anyone changed the risk limits?; which parameters "
        "were changed?; who approved the last configuration change and when?",
    ),
    asked_as(
        "halt",
        "is the desk halted?; why are we halted; are we halted?; why did the desk halt?; is there a halt in force?; is "
        "the halt on and who set it?; who pulled the halt?; when was the last halt?",
    ),
)
def journal_search(ctx: ToolContext, args: SearchArgs) -> ToolResult:
    """What happened in a window of desk time, with event ids."""
    from engine.watch.window import first_mark, journal_of, mark_at

    if ctx.desk_ms is None:
        return no_data(NEVER_RAN)
    low, high = window(args.since, args.until, ctx.desk_ms, "yesterday")
    path = journal_of(ctx.home)
    wanted: Sequence[str] = ("fill",) if args.fills_by else args.kinds or MATTERS
    found = search(path, (low, high), DESK_KINDS, wanted, args.sleeve, args.text)
    if args.fills_by and found:
        label = f"fills {low} {high} {args.sleeve} {args.text}"
        text, listed, costs, events = ranked(ctx, label, [one.first for one in found], args.fills_by, args.limit)
        data = {"from_ms": low, "to_ms": high, "counts": {"fill": len(found)}, "events": [e.id for e in events]}
        return ToolResult("ok", text, tuple(costs), tuple(Evidence("event", e.id) for e in events), listed, data)
    people, begun, asked_from = people_events(ctx, args, low, high), first_mark(path), low
    low = low if begun is None else max(low, begun.t_event_ms)  # `since 2009` is since the desk began
    counts = Counter[str]()
    for stretch in found:
        counts[stretch.kind] += stretch.count
    handle = ctx.handle("j", f"{low} {high} {args.sleeve} {args.text} {','.join(wanted)}")
    values: dict[str, tuple[Value, str]] = {f"{kind}s": (counts[kind], "count") for kind in wanted}
    values |= {"from": (low, "ms"), "to": (min(high, ctx.desk_ms), "ms")}
    before, after = mark_at(path, low), mark_at(path, high)
    if before and after and not args.sleeve:
        values["equity_change"] = (after.body["equity"] - before.body["equity"], "usd")
    pnls = [stretch.first.body.get("round_trip_pnl") for stretch in found if stretch.kind == "fill"]
    closed = [pnl for pnl in pnls if pnl is not None]
    corrected = [] if args.kinds or args.sleeve else corrections(path, asked_from, high)
    values |= {"corrections": (len(corrected), "count")} if corrected else {}
    values |= {"round_trips_closed": (len(closed), "count"), "round_trip_pnl": (sum(closed) if closed else None, "usd")}
    facts = make_facts(
        handle,
        "what happened" + (f" to {args.sleeve}" if args.sleeve else ""),
        Evidence("desk", "journal"),
        values,
        window_text(low, min(high, ctx.desk_ms)),
    )
    shown = chosen(found, args.limit)
    rows = [
        (utc(s.first.t_event_ms), s.first.id, s.kind, clean(s.first.body.get("sleeve") or "desk", 60), s.line()) for s in shown
    ]
    rows += [(f"{utc(e.t_event_ms)} wall time", e.id, e.kind, "-", people_event_line(e)) for e in people[-args.limit :]]
    text = sentence(handle, counts, found, len(closed), "equity_change" in values)
    if len(shown) < len(found):
        text += f" The table has {len(shown)} of {len(found)} rows, the important kinds first: a shorter window shows the others."
    if corrected:
        text += f" Corrected by their venue after they were decided on: {{{handle}.corrections}} bars, the last: "
        text += f"{clean(corrected[-1].body['why'], 240)} ({corrected[-1].id})."
    if people:
        text += f" Actions by people meanwhile: {len(people)} (wall time)."
    evidence = tuple(Evidence("event", e.id) for e in (*(s.first for s in shown), *corrected[-1:], *people[-args.limit :]))
    table = Table(("desk time", "event", "kind", "sleeve", "what"), tuple(rows)) if rows else None
    data = {"from_ms": low, "to_ms": high, "counts": dict(counts), "events": [s.first.id for s in shown]}
    result = ToolResult("ok", text, facts, evidence, table, data)
    return result if args.kinds or args.sleeve or args.text else caused(result, cause_text(ctx, asked_from, high))


def corrections(path: Any, low: int, high: int) -> list[Event]:
    """Bars that a venue's REST lists with other numbers since, oldest first."""
    from engine.watch.window import between

    return [e for e in between(path, low, high, {"health"}) if str(e.body.get("what", "")).startswith("correction of ")]


def chosen(found: Sequence[RefusalRun], limit: int) -> list[RefusalRun]:
    """At most `limit` of them, important kinds first, in time order."""
    rank = {kind: n for n, kind in enumerate(MATTERS)}
    best = sorted(found, key=lambda s: (rank.get(s.kind, len(rank)), -s.first.seq))[:limit]
    return sorted(best, key=lambda s: s.first.seq)


def sentence(handle: str, counts: Mapping[str, int], found: Sequence[RefusalRun], closed: int, equity: bool) -> str:
    """The window in words; important events with their ids."""
    span = f"{{{handle}.from}} to {{{handle}.to}} of desk time"
    lines = [f"From {span}, equity changed by {{{handle}.equity_change}}." if equity else f"Journal from {span}."]
    if not found:
        return f"{lines[0]} No matching events."
    told_kinds = (
        f"{{{handle}.{kind}s}} {SINGULAR.get(kind, kind) if n == 1 else PLURAL.get(kind, kind)}" for kind, n in counts.items()
    )
    lines.append("; ".join(told_kinds) + ".")
    for kind in ("incident", "halt", "breaker", "config"):
        events = [stretch.first for stretch in found if stretch.kind == kind][-4:]
        lines += [f"{event_line(e)} ({e.id}, {utc(e.t_event_ms)})." for e in events]
    rules = Counter[str]()
    for stretch in found:
        if stretch.kind == "refused":
            rules[str(stretch.first.body.get("refused_by", "?"))] += stretch.count
    if rules:
        lines.append("Refused by: " + ", ".join(clean(rule, 60) for rule, _ in rules.most_common(4)) + ".")
    if closed:
        lines.append(f"{{{handle}.round_trips_closed}} round trips closed for {{{handle}.round_trip_pnl}}.")
    return " ".join(lines)


def people_events(ctx: ToolContext, args: SearchArgs, low: int, high: int) -> list[Event]:
    """People's actions in a window that reaches up to now, shifted to wall time; none for an earlier window."""
    from engine.store.journal import tail

    kinds = [kind for kind in args.kinds or PEOPLE if kind not in ("fill", "refused", "breaker", "config", "funding", "incident")]
    if args.kinds and {"proposal", "decision"} & set(args.kinds):
        kinds += ["approve", "reject", "release"]
    if args.sleeve or ctx.desk_ms is None or high <= ctx.desk_ms or not kinds:
        return []
    late = ctx.now_ms - ctx.desk_ms
    recent = tail(ctx.home / "journal" / "people.jsonl", 2000, kinds)
    return [e for e in recent if low + late < e.t_event_ms and fits(e, args.sleeve, args.text)]


@tool(
    "explain_event",
    Effect.READ,
    asked_as(
        "",
        "explain d-123; why did the btc sleeve buy at 2025-11-12 14:15?; what was event d-42 about?; why did we go short "
        "ETH yesterday at 14:00?; what triggered the last exit on BTC?; explain the last fill; explain the last trade on "
        "BTC; why did we exit btc at the last trade; tell me about d-77; what was the reason for the exit on ETH?; why "
        "did eth-trend sell at 10:15?; why did we close the ETH position yesterday at 14:00; give me the story behind "
        "d-88; what made eth-trend go short at 09:00?; what does d-300 mean; explain the last exit; why did we lose on "
        "the last sol trade?; why did we buy eth today?; what was the last exit of btc?; when was the last trade on sol?; "
        "when did eth enter?; when was the position opened?",
    ),
    asked_as(
        "idle",
        "why did the BTC sleeve not trade at 2025-11-12 14:15?; why no entry on ETH yesterday at 10:00?; why has "
        "sol-reversion been idle?; why is nothing happening on SOL?; why is the btc sleeve not trading; why couldn't "
        "btc-trend enter?; btc-trend did nothing at 14:15 on 12 november, why?; btc has been flat all day, why no entry?; "
        "why haven't we traded ETH today?; why was there no trade on ETH on 2025-11-30 at 10:00?; why is sol-reversion "
        "doing nothing; how come the SOL sleeve has been idle since monday?; why did the bot not buy eth yesterday?; why "
        "did btc-trend skip the signal?; why did eth stay out of the market yesterday?; why is there no position in btc?",
    ),
)
def explain_event(ctx: ToolContext, args: ExplainArgs) -> ToolResult:
    """Explain one journal event, or what a sleeve did at an instant and why: signal, features, caps, the rule that
    refused, costs."""
    from engine.watch.window import journal_of

    if args.event_id:
        event = find_event(ctx, args.event_id)
        if event is None:
            return no_data(f"unknown event {clean(args.event_id, 40)}")
        told = explanation_of(ctx, [event])
        return with_order(ctx, event, told) if event.kind in OF_AN_ORDER else told
    if not (args.sleeve and args.at):
        raise BadInput("explain_event needs an event id, or a sleeve and an instant", "use event_id=d-123, or sleeve=... at=...")
    return at_instant(ctx, journal_of(ctx.home), args.sleeve, instant(args.at, ctx.desk_ms))


def with_order(ctx: ToolContext, event: Event, told: ToolResult) -> ToolResult:
    """The explanation of an order's event, with the order's whole life and the next check."""
    from engine.watch.order_lives import life_of
    from engine.watch.window import journal_of
    from tools.incidents import order_story

    life = life_of(journal_of(ctx.home), str(event.body.get("order") or ""))
    if life is None:
        return told
    story = order_story(ctx, life)
    facts = list({fact.ref: fact for fact in (*told.facts, *story.facts)}.values())
    evidence = tuple(dict.fromkeys((*told.evidence, *story.evidence)))
    data = {**(told.data or {}), **(story.data or {})}
    return told._replace(text=f"{told.text} {story.text}", facts=tuple(facts), evidence=evidence, table=story.table, data=data)


def at_instant(ctx: ToolContext, path: Any, sleeve: str, ms: int) -> ToolResult:
    """What a sleeve did at the bar that closed at `ms`, or was open then."""
    from engine.book.bar_signals import signal_in
    from engine.book.quiet_close import quiet_mark
    from engine.watch.pair_reasons import is_of_leg, leg_text, symbol_of
    from engine.watch.window import FAR_MS, between, mark_at, own_close

    mark = next(between(path, ms - 1, FAR_MS, {"mark"}), None) or mark_at(path)
    if mark is None:
        return no_data(NEVER_RAN)
    if sleeve not in mark.body["sleeves"]:
        raise BadInput(f"unknown sleeve {sleeve!r}", f"available: {', '.join(mark.body['sleeves'])}")
    if mark.t_event_ms < ms:
        return no_data(f"the desk has not reached {utc(ms)} yet: desk time is {utc(mark.t_event_ms)}")
    bar = own_close(path, sleeve, ms)
    if bar is None:
        return no_data(f"no bar of {sleeve} has closed since {utc(ms)}: desk time is {utc(ctx.desk_ms or mark.t_event_ms)}")
    of_bar = list(between(path, bar.t_event_ms - 1, bar.t_event_ms))
    mark = next((e for e in of_bar if e.kind == "mark"), mark)
    symbol = symbol_of(path, sleeve) if "basket" in mark.body else ""
    own = [e for e in of_bar if is_of_leg(e, sleeve, symbol) and not is_routine(e)]
    if symbol:
        text = f"At {utc(mark.t_event_ms)} {sleeve}: {clean(leg_text(path, mark, sleeve, symbol), 900)} (event {mark.id})."
        told = explanation_of(ctx, own) if own else ToolResult("ok", "", evidence=(), data={"events": []})
        events = [mark.id, *(told.data or {}).get("events", ())]
        evidence = (Evidence("event", mark.id), *told.evidence)
        return told._replace(text=f"{text} {told.text}".strip(), evidence=evidence, data={**(told.data or {}), "events": events})
    if own:
        return explanation_of(ctx, own)
    body = mark.body["sleeves"][sleeve]
    side, _, silent = signal_in(bar.body, sleeve)
    why = f"; its strategy gave none: {silent}" if silent else ""
    text = f"At {utc(mark.t_event_ms)} {sleeve}: {quiet_mark(body, side)}{clean(why, 240)} (event {mark.id})."
    text += f" {near(path, sleeve, mark.t_event_ms)}"
    began_ms = body["guard"]["refused_ms"]
    began = [] if began_ms is None else list(between(path, began_ms - 1, began_ms, {"decision"}))
    began = [e for e in began if e.body.get("sleeve") == sleeve]
    if began:
        told = explanation_of(ctx, began)
        return told._replace(text=f"{text} It began so: {told.text}")
    return ToolResult("ok", text, evidence=(Evidence("event", mark.id),), data={"events": [mark.id]})


def near(path: Any, sleeve: str, ms: int) -> str:
    """What a sleeve had refused, tripped or filled within an hour of an instant; else its last fill before it."""
    from engine.store.lookback import last

    found = search(path, (ms - HOUR_MS, ms + HOUR_MS), DESK_KINDS, ("refused", "breaker", "fill"), sleeve, None)
    each = "; ".join(f"{utc(one.first.t_event_ms)} {one.line()} ({one.first.id})" for one in found[:4])
    if each:
        return f"Within an hour of it: {each}."
    fill = last(path, ("fill",), lambda e: e.body.get("sleeve") == sleeve and e.t_event_ms <= ms)
    of_it = f"; its last fill before: {utc(fill.t_event_ms)}, {event_line(fill)} ({fill.id})" if fill is not None else ""
    return f"Nothing of it was refused, tripped or filled within an hour{of_it}."


def parent_facts(ctx: ToolContext, e: Event) -> tuple[Fact, ...]:
    """Of a fill that is a slice of an entry: average and arrival price of its parent, cost against arrival, slices, as far as it
    had come; none of any other event.
    """
    if e.kind != "fill" or e.body.get("slot") != "entry":
        return ()
    from engine.watch.desk_parents import parent_of
    from engine.watch.window import journal_of

    row = parent_of(journal_of(ctx.home), e)
    if row is None:
        return ()
    values: dict[str, tuple[Value, str]] = {name: (row[name], "price") for name in ("average", "arrival")}
    values |= {"cost_bps": (row["cost_bps"], "bps")}
    values |= {name: (row[name], "count") for name in ("slices_done", "slices_refused", "lots_filled", "lots")}
    return make_facts(ctx.handle("p", f"parent {e.id}"), f"parent of {e.id}", Evidence("event", e.id), values)


def explanation_of(ctx: ToolContext, events: Sequence[Event]) -> ToolResult:
    """Events in words, with every number in them as a fact."""
    facts: list[Fact] = []
    lines, rows = [], []
    for e in events:
        handle = ctx.handle("e", e.id)
        values = flat_values(e.body)
        made = make_facts(handle, f"{e.kind} {e.id}", Evidence("event", e.id), {"at": (e.t_event_ms, "ms")} | values)
        facts += made
        line = people_event_line(e) if e.id.startswith("p-") else event_line(e)
        more = parent_facts(ctx, e)
        facts += more
        worked = f"; a slice of an entry at {{{more[0].ref}}} against {{{more[1].ref}}} at arrival" if more else ""
        lines.append(f"{e.id}, {utc(e.t_event_ms)}: {line}{reason_text(e, handle)}{worked}.")
        rows += [(e.id, fact.metric, f"{{{fact.ref}}}") for fact in made]
        rows += [(e.id, key, clean(value, 120)) for key, value in words_of(e).items()]
    evidence = tuple(Evidence("event", e.id) for e in events)
    data = {
        "events": [e.id for e in events],
        "bodies": [dict(e.body) for e in events if e.id.startswith("d-") and e.kind != "snapshot"],
    }
    return ToolResult("ok", " ".join(lines), tuple(facts), evidence, Table(("event", "what", "value"), tuple(rows[:80])), data)

"""The state of the desk: desk, sleeves, health, probe, attribution. Called by the catalog.

All of it is read from the desk journal's marks (the last event of every group), so an answer cites its event.
"""

from typing import Any

from pydantic import Field

from engine.book.quiet_close import pause_text
from engine.clock import DAY_MS, utc
from engine.control.config import SleeveConfig
from engine.store.chain import Event
from tools.basket import basket_text
from tools.causes import cause_text, caused
from tools.common.contract import (
    Args,
    Effect,
    Evidence,
    Fact,
    NoArgs,
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
from tools.common.time_words import NEVER_RAN, window, window_text
from tools.sleeve_tables import state_table

APART = ("incident", "manual")  # parts of an attribution that are shown where there are any


class SleevesArgs(Args):
    """One sleeve by name; null: all of them."""

    sleeve: str | None = Field(None, max_length=60)


class WindowArgs(Args):
    """A window of desk time, `until` exclusive: yesterday, today, 24h, 7d, 2025-03-04; null: all so far."""

    since: str | None = Field(None, max_length=40)
    until: str | None = Field(None, max_length=40)


@tool(
    "desk",
    Effect.READ,
    asked_as(
        "",
        "what is our equity?; how is the desk doing?; how much money do we have?; show me the desk; "
        "what is the account worth?; how much equity do we have; what is the desk time?; how far behind is the desk "
        "time?",
    ),
    asked_as(
        "limits",
        "how close are we to our limits?; how leveraged are we; what's our drawdown; how much room is left until the "
        "daily loss limit?; how far is the drawdown breaker?; how risky is the book right now; how much risk are we "
        "running?; are we in danger of hitting the drawdown halt?; how much can we still lose before the halt?; what are "
        "the guardrails?; how much headroom is left?; how near are we to the drawdown halt?; what's our leverage across "
        "everything?",
    ),
)
def desk(ctx: ToolContext, args: NoArgs) -> ToolResult:  # noqa: ARG001 - every tool takes the same two arguments
    """The desk now: desk time, equity, drawdown, exposure, positions, limits, halt, configuration version, source."""
    from engine.control.limits import limits_of
    from engine.watch.desk_view import desk_view

    view, hard = desk_view(ctx.home, ctx.engine), limits_of(ctx.home)
    mark = view.mark
    if mark is None:
        return no_data(NEVER_RAN)
    values: dict[str, tuple[Value, str]] = {
        "desk_time": (mark.t_event_ms, "ms"),
        "equity": (view.equity, "usd"),
        "peak": (view.peak, "usd"),
        "drawdown_frac": (view.drawdown_frac, "frac"),
        "breaker_peak": (view.breaker_peak, "usd"),
        "breaker_drawdown_frac": (view.breaker_drawdown_frac, "frac"),
        "drawdown_frac_max": (hard.drawdown_frac_max, "frac"),
        "gross": (view.gross, "usd"),
        "gross_frac": (view.gross_frac, "ratio"),
        "gross_frac_max": (hard.gross_frac_max, "ratio"),
        "bars": (view.bars, "bars"),
        "version": (view.version, "count"),
        "open_positions": (sum("position" in s for s in view.sleeves.values()), "count"),
    }
    facts = make_facts(ctx.handle("d", "desk"), "desk", Evidence("event", mark.id), values)
    h = facts[0].ref.partition(".")[0]
    state = f"HALTED ({clean(view.halt.reason, 120)}), {view.state}" if view.halt.halted else view.state
    released = view.peak is not None and view.breaker_peak is not None and view.breaker_peak < view.peak
    reference = f", {{{h}.breaker_drawdown_frac}} below the breaker's reference since the last release" if released else ""
    text = (
        f"Desk time {{{h}.desk_time}}{data_stamp(ctx, mark)}. The desk is {state}: equity {{{h}.equity}}, {{{h}.drawdown_frac}} "
        f"below its peak{reference} (halt at {{{h}.drawdown_frac_max}}), exposure {{{h}.gross_frac}} times equity (limit "
        f"{{{h}.gross_frac_max}}), {{{h}.open_positions}} open positions, configuration version {{{h}.version}} ({mark.id})."
    )
    text += "".join(f" On {name}, {clean(canary, 300)}." for name, canary in view.canaries.items())
    if view.breakers:
        text += f" Tripped: {', '.join(view.breakers)}."
    seen, said = shadow(ctx, mark) if view.mode == "shadow" else ((), "")
    table, more = state_table(ctx, mark)
    of_basket, its = basket_text(ctx, mark)
    text, more = text + of_basket, more + its
    data = {"state": view.state, "halted": view.halt.halted, "stamp": mark.body.get("stamp"), "desk_ms": view.desk_ms}
    return ToolResult("ok", text + said, facts + seen + more, (Evidence("event", mark.id),), table, data)


def shadow(ctx: ToolContext, mark: Event) -> tuple[tuple[Fact, ...], str]:
    """Of a desk in shadow of an account: that nothing leaves it, and of all sleeves what did not."""
    from engine.watch.shadow_costs import shadow_costs
    from engine.watch.window import journal_of

    rows, said = list(shadow_costs(journal_of(ctx.home)).values()), " In SHADOW: no order leaves this desk, fills are simulated"
    compared = sum(row.compared for row in rows)
    if not compared:
        return (), f"{said}."
    values: dict[str, tuple[Value, str]] = {
        "orders_unsent": (sum(row.orders for row in rows), "count"),
        "compared": (compared, "count"),
        "slippage_counted": (sum((row.assumed_bps or 0.0) * row.compared for row in rows) / compared, "bps"),
        "slippage_of_book": (sum((row.book_bps or 0.0) * row.compared for row in rows) / compared, "bps"),
    }
    facts = make_facts(ctx.handle("s", "shadow"), "shadow", Evidence("event", mark.id), values)
    h = facts[0].ref.partition(".")[0]
    said += f"; of {{{h}.orders_unsent}} orders {{{h}.compared}} at the market were compared with the venue's book: it would have"
    return facts, f"{said} cost {{{h}.slippage_of_book}} on average, the fill model counts {{{h}.slippage_counted}}."


def last_mark(ctx: ToolContext) -> Event | None:
    """The latest mark in the desk journal."""
    from engine.watch.window import journal_of, mark_at

    return mark_at(journal_of(ctx.home))


def data_stamp(ctx: ToolContext, mark: Event) -> str:
    """The data the desk trades on: ` (REPLAYED, recorded bars)`."""
    from engine.watch.window import journal_of, start_of

    source = start_of(journal_of(ctx.home)).get("source")
    found = [clean(mark.body["stamp"], 40)] if mark.body.get("stamp") else []
    found += [f"{clean(source, 40)} bars"] if source else []
    return f" ({', '.join(found)})" if found else ""


def _state(sleeve: SleeveConfig, desk_ms: int | None) -> str:
    """What the configuration says of a pause that holds, of another stage than paper, of an execution schedule."""
    pause = pause_text({"paused": sleeve.paused_at(desk_ms), "resumes_ms": sleeve.resumes_ms})
    more = (
        sleeve.stage != "paper" and f"stage {sleeve.stage}",
        sleeve.execution and f"execution {sleeve.execution}",
        sleeve.models and f"models {sleeve.models}",
        sleeve.size_part and f"at {100 * sleeve.size_part:g} % of its size",
    )
    return "".join(f", {text}" for text in (pause, *more) if text)


@tool(
    "sleeves",
    Effect.READ,
    asked_as(
        "",
        "what positions are open?; are we long or short BTC right now?; what are we holding; are we in the market?; where "
        "are the stops; how big is the BTC position; which sleeves are open; is the BTC sleeve long?; what do we hold "
        "right now?; which sleeve is closest to its stop?; what's the size of the eth short?; how big is the eth position?; "
        "is the eth position protected?; are any trades open?; did we leave anything open?; how much cash is there",
    ),
    asked_as(
        "settings",
        "what is the live configuration?; which stop does btc-trend use now?; which sleeves are there?; what's running "
        "right now?; show the parameters of the BTC trend sleeve; list the sleeves and their parameters; what stop is the "
        "ETH sleeve using?; which stop distance does sol use?; what is max leverage set to?; what risk does btc-trend "
        "take per trade?; what's the current version?",
    ),
)
def sleeves(ctx: ToolContext, args: SleevesArgs) -> ToolResult:
    """The sleeves: strategy, instrument, parameters, position, equity, pauses."""
    from engine.control.config import active

    now = active(ctx.engine, ctx.home)
    version, chosen = now.version, [now.config.traded_sleeve(args.sleeve)] if args.sleeve else list(now.config.traded)
    about = "; ".join(
        f"{s.name}: {s.strategy} on {s.venue} {s.symbol} {s.timeframe}, side {s.side}{_state(s, ctx.desk_ms)}, version "
        f"{now.sleeves[s.leg_of or s.name]}"
        for s in chosen
    )
    facts: tuple[Fact, ...] = ()
    in_force = Evidence("config", f"v{version}")
    for s in chosen:
        values = {k: (v, "ratio") for k, v in s.params.items() if isinstance(v, int | float) and not isinstance(v, bool)}
        facts += make_facts(ctx.handle("p", f"{s.name} v{version}"), f"parameters of {s.name}", in_force, values)
    mark = last_mark(ctx)
    data = {"version": version, "sleeve_versions": now.sleeves, "sleeves": [s.model_dump(mode="json") for s in chosen]}
    text = f"Configuration version {version}. {about}."
    if mark is None:
        return ToolResult("ok", f"{text} No bar has been processed yet.", facts, (in_force,), None, data)
    leg = None if args.sleeve == mark.body.get("basket", {}).get("name") else args.sleeve
    table, more = state_table(ctx, mark, leg)
    of_basket, its = basket_text(ctx, mark)
    evidence = (in_force, Evidence("event", mark.id))
    return ToolResult("ok", f"{text} Desk time {utc(mark.t_event_ms)}.{of_basket}", facts + more + its, evidence, table, data)


@tool(
    "health",
    Effect.READ,
    asked_as(
        "",
        "is anything wrong?; is everything ok?; any problems?; is the worker still running?; is the data fresh?; is the "
        "desk ok; all good?; system status; did the feed go stale?; should I be worried?; everything fine?; health check "
        "please; did the worker restart; are all systems go?; is the desk running fine?; are bars coming in on "
        "time?; how old is the data?; any open orders hanging around?; is the worker alive?; did the feed drop?; is "
        "everything up and running?; is something broken?; is anything on fire?; is the exchange reachable?; are "
        "protective orders in place for everything?; are we connected?; any positions unprotected?",
    ),
    asked_as(
        "next",
        "what should I look at first?; what needs my attention?; what do you recommend?; where should I focus?; what are "
        "the next steps; what would you do next?; what would you advise; any recommendations?; what should I worry "
        "about?; can I go to bed?; anything I should know before I hand over?; what would you change?; what is urgent?",
    ),
    asked_as("handover", "handover please; hand over to the next shift; write the shift summary; end of shift notes"),
)
def health(ctx: ToolContext, args: NoArgs) -> ToolResult:  # noqa: ARG001 - every tool takes the same two arguments
    """Is anything wrong: worker, stale bars, halt, breakers, journals, disk."""
    from engine.watch.health import checks
    from engine.watch.heartbeat import heartbeat_of

    found, beat = _checks_result(ctx, checks(ctx.home, ctx.engine, ctx.now_ms), "h"), heartbeat_of(ctx.home).get("wall_ms")
    if isinstance(beat, int):
        values: dict[str, tuple[Value, str]] = {"beat": (beat, "ms"), "silent": (max(0, ctx.now_ms - beat), "duration_ms")}
        facts = make_facts(h := ctx.handle("h", "heartbeat"), "the worker's heartbeat", Evidence("desk", "health"), values)
        text = f"{found.text} The worker's last heartbeat: {{{h}.beat}} (wall time), {{{h}.silent}} ago."
        found = found._replace(facts=found.facts + facts, text=text)
    return caused(found, cause_text(ctx))


@tool(
    "probe",
    Effect.COMPUTE,
    asked_as(
        "",
        "can the halt be released safely?; is it safe to resume?; verify the journals; is everything ok to release the "
        "halt?; is the journal ok; is the journal intact?; has anyone tampered with the journal?",
    ),
)
def probe(ctx: ToolContext, args: NoArgs) -> ToolResult:  # noqa: ARG001 - every tool takes the same two arguments
    """Run the release checks of a halt: both journals verified from end to end, state rebuilt from them, worker alive."""
    from engine.watch.health import checks, journal_fold, run_check

    found = checks(ctx.home, ctx.engine, ctx.now_ms, full=True)
    return _checks_result(ctx, [*found, run_check("fold", lambda: journal_fold(ctx.home))], "h")


def _checks_result(ctx: ToolContext, found: Any, letter: str) -> ToolResult:
    """Checks as a result, failures first."""
    order = {"bad": 0, "unknown": 1, "warning": 2, "ok": 3}
    found = sorted(found, key=lambda check: order[check.state])
    wrong = [check for check in found if check.state in ("bad", "unknown")]
    warned = [check for check in found if check.state == "warning"]
    counts: dict[str, tuple[Value, str]] = {"wrong": (len(wrong), "count"), "warnings": (len(warned), "count")}
    counts["desk_time"] = (ctx.desk_ms, "ms")
    handle = ctx.handle(letter, "health")
    facts = make_facts(handle, "health of the desk", Evidence("desk", "health"), counts)
    told = [f"{check.name}: {clean(check.text, 200)}" for check in (*wrong, *warned)]
    head = (
        f"Something is wrong: {'; '.join(told)}."
        if wrong
        else f"Nothing is broken, with warnings: {'; '.join(told)}."
        if warned
        else "Nothing is wrong."
    )
    evidence = tuple(Evidence("event", check.event) for check in found if check.event)
    rows = tuple((check.name, check.state, clean(check.text, 200), check.event or "-") for check in found)
    text = f"{head} Desk time {utc(ctx.desk_ms)}."
    data = {"wrong": [check.name for check in wrong], "warnings": [check.name for check in warned]}
    return ToolResult("ok", text, facts, tuple(dict.fromkeys(evidence)), Table(("what", "state", "found", "event"), rows), data)


@tool(
    "attribution",
    Effect.COMPUTE,
    asked_as(
        "",
        "where does the P&L come from?; why did we lose money since monday?; where did "
        "the money go; why are we down this week?; why is equity falling?; what's driving our returns; break down the "
        "profit of the last week; p and l breakdown please; what contributed most to the loss?; explain the P&L; "
        "what's dragging us down?; where are we bleeding?; how much did btc lose?; "
        "why did we lose money yesterday?",
    ),
    asked_as(
        "costs",
        "how much do costs eat?; what did we pay in fees this month?; how bad is slippage; how much funding did we pay?; "
        "how much of the pnl is funding; is funding hurting us; what do we pay the exchange?; how expensive is our "
        "trading?; did we receive or pay funding; share of fees in the p&l; how much of our profit is lost to trading "
        "costs; are costs too high?; what is the effect of funding on the p&l; gross vs net; is slippage a problem?; how "
        "much goes to fees?; are costs eating the edge?; total fees so far; what were the fees this week?; what did "
        "slippage cost us?; sum of funding since november 15",
    ),
    asked_as(
        "sleeves",
        "how is each sleeve doing?; how did the sleeves perform last week?; p&l per sleeve; which sleeve is the worst?; "
        "rank the sleeves by p&l; compare the sleeves; which sleeve earns the least?; is btc-trend better than "
        "eth-trend?; who is losing the money, btc-trend or eth-trend?; break the performance down by sleeve; is btc-trend "
        "worth keeping after costs?; should we stop eth-trend?; should we keep the SOL sleeve?; is it worth running SOL?; "
        "which sleeve lost the most?; which of the bots should I trust?; worst sleeve; is sol worse than btc?; did btc "
        "make more than eth?; is sol worth the trouble?; did eth make more than btc last week?",
    ),
)
def attribution(ctx: ToolContext, args: WindowArgs) -> ToolResult:
    """Where the P&L comes from: by sleeve, split into price P&L, fees, funding and slippage, summing to the change in
    equity to the cent."""
    from engine.watch.attribution import PARTS, pnl_of_window
    from engine.watch.window import first_mark, journal_of

    first = first_mark(journal_of(ctx.home))
    if first is None or ctx.desk_ms is None:
        return no_data(NEVER_RAN)
    low, high = window(args.since or str(first.t_event_ms), args.until, ctx.desk_ms, "")
    span = pnl_of_window(ctx.home, low, high)
    if span is None:
        return no_data(f"no bar was processed between {utc(low)} and {utc(high)}")
    made, evidence = span.attribution, (Evidence("event", span.start.id), Evidence("event", span.end.id))
    apart = tuple(part for part in APART if getattr(made.desk, part))
    facts: list[Fact] = []
    rows = []
    for share in (*made.shares, made.desk):
        name = "whole desk" if share is made.desk else f"sleeve {share.sleeve}"
        h = ctx.handle("a", f"{name} {span.start.id} {span.end.id}")
        values: dict[str, tuple[Value, str]] = {
            f"{part}_pnl" if part == "price" else part: (getattr(share, part) / 100, "usd")
            for part in PARTS
            if part not in APART or getattr(made.desk, part)
        }
        values["change"] = (share.change / 100, "usd")
        if share is made.desk:
            values |= {"equity_before": (span.start.body["equity"], "usd"), "equity_after": (span.end.body["equity"], "usd")}
            values |= {"fills": (span.fills, "count"), "from": (span.start.t_event_ms, "ms"), "to": (span.end.t_event_ms, "ms")}
        facts += make_facts(h, f"P&L of {name}", Evidence("event", span.end.id), values, window_text(low, min(high, ctx.desk_ms)))
        columns = ("price_pnl", "slippage", "fees", "funding", *apart, "unexplained", "change")
        rows.append((name, *(f"{{{h}.{column}}}" for column in columns)))
    d = h  # the desk's is the last one
    text = (
        f"From {{{d}.from}} to {{{d}.to}} of desk time{data_stamp(ctx, span.end)} equity changed by {{{d}.change}}: "
        f"price P&L {{{d}.price_pnl}}, slippage {{{d}.slippage}}, fees {{{d}.fees}}, funding {{{d}.funding}}, over {{{d}.fills}} "
        f"fills (events {span.start.id} to {span.end.id}). "
    )
    if span.incident:
        facts += make_facts(d, "P&L of whole desk", evidence[1], {"in_incidents": (span.incident / 100, "usd")})
        text += f"Of the change {{{d}.in_incidents}} was made in incident windows: no strategy's, and in none of these parts. "
    odd = any(share.unexplained for share in made.shares)
    follows = "matches no fill and no payment: check the journal."
    text += f"UNEXPLAINED: {{{d}.unexplained}} of it {follows}" if odd else "The parts sum to the change to the cent."
    table = Table(("", "price P&L", "slippage", "fees", "funding", *apart, "unexplained", "change"), tuple(rows))
    data = {
        "from_ms": span.start.t_event_ms,
        "to_ms": span.end.t_event_ms,
        "cents": [share._asdict() for share in (*made.shares, made.desk)],
    }
    cause = cause_text(ctx, min(high, ctx.desk_ms) - DAY_MS, high)  # what made it may have been before the window
    return caused(ToolResult("ok", text, tuple(facts), evidence, table, data), cause)

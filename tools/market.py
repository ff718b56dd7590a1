"""The available data and strategies: list_data, list_strategies. Called by the catalog."""

import ast
from pathlib import Path
from typing import Any

from pydantic import Field

from engine.clock import TIMEFRAMES, timeframe_ms, utc
from engine.errors import BadInput
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

ROWS_MAX = 40
HOLES_MAX = 8  # series of one symbol whose missing bars are said in a sentence
UNITS = {"price": "price", "frac": "frac"}  # of readings; what is outside has its own


class ListDataArgs(Args):
    """Filters; null: everything."""

    venue: str | None = Field(None, max_length=20)
    symbol: str | None = Field(None, max_length=30)
    series: str | None = Field(None, max_length=20)


class ContextArgs(Args):
    """An event of the desk such as d-123; or a sleeve and an instant of desk time (null: now)."""

    event_id: str | None = Field(None, max_length=40)
    sleeve: str | None = Field(None, max_length=60)
    at: str | None = Field(None, max_length=40)


class ListStrategiesArgs(Args):
    """One strategy by name, with its parameters; null: all, without parameters."""

    strategy: str | None = Field(None, max_length=60)


@tool(
    "list_data",
    Effect.READ,
    asked_as(
        "",
        "what data do we have?; how far back do the BTC bars go; which symbols can I test on?; do we have 1m candles for "
        "solana?; from when on do we have ETH bars?; list the recorded series; how much history of SOL is there?; which "
        "timeframes are available for SOL?; what market data is available?; which data sets can you use?; do you have ETH "
        "data for 2024?; have we got okx data?; is there funding history for eth?; since when do we have sol bars?; when "
        "does the data end?; which coins are recorded?",
    ),
)
def list_data(ctx: ToolContext, args: ListDataArgs) -> ToolResult:
    """The available bars and other series: venue, symbol, timeframe, range; recorded, pulled or synthetic."""
    found = [s for s in ctx.catalog.series() if _wanted(s, args)]
    if not found:
        return no_data(f"no series of {_filter_text(args)}; {len(ctx.catalog.series())} series in all (nightdesk data list)")
    facts: list[Fact] = []
    rows, holes = [], []
    for s in found[:ROWS_MAX]:
        name = " ".join(part for part in (s.venue, s.symbol, s.market, s.series, s.tag) if part)
        handle = ctx.handle("s", name)
        evidence = Evidence("data", s.path.name)
        values = {"rows": (s.rows, "count"), "first": (s.first_ms, "ms"), "last": (s.last_ms, "ms")}
        if s.series in TIMEFRAMES:  # by their number: a bar opens every so often
            missing = (s.last_ms - s.first_ms) // timeframe_ms(s.series) + 1 - s.rows
            facts += make_facts(handle, name, evidence, {"missing": (missing, "count")})
            holes.append(f"{name} {{{handle}.missing}} ({{{handle}.first}} to {{{handle}.last}})")
        facts += make_facts(handle, name, evidence, values)
        rows.append((s.venue, s.symbol, s.market, s.series, s.tag or "-", s.source, *(f"{{{handle}.{m}}}" for m in values)))
    columns = ("venue", "symbol", "market", "series", "tag", "source", "rows", "first", "last")
    more = "" if len(found) <= ROWS_MAX else f" The first {ROWS_MAX} are shown; name a venue, symbol or series."
    text = f"{len(found)} series of {_filter_text(args)}.{more}"
    if holes and args.symbol:
        text = f"Bars missing between the first and the last: {'; '.join(holes[:HOLES_MAX])}. {text}"
    data = {"count": len(found), "sources": sorted({s.source for s in found})}
    return ToolResult("ok", text, tuple(facts), table=Table(columns, tuple(rows)), data=data)


@tool(
    "market_context",
    Effect.READ,
    asked_as(
        "",
        "what was the market doing when that stop hit?; how was the market at the last exit of btc?; what surrounded d-123?; "
        "describe the market around the last trade on eth; what were the conditions when we entered eth?",
    ),
)
def market_context(ctx: ToolContext, args: ContextArgs) -> ToolResult:
    """The market, funding and outside series (positioning, macro, on-chain, sentiment) around an event or an instant, each as it
    was known then; what was not says why. It explains nothing by itself: what moved together did not cause each other."""
    from engine.watch.market_context import context_line
    from engine.watch.market_context import market_context as readings
    from engine.watch.window import journal_of

    instrument, at_ms, about = _moment(ctx, args)
    found = readings(journal_of(ctx.home), ctx.catalog, instrument, at_ms)
    handle = ctx.handle("k", f"{instrument} {at_ms}")
    named = {f"{one.group}_{one.name}".replace(" ", "_").replace("-", "_"): one for one in found}
    values = {name: (one.value, UNITS.get(one.unit, "ratio")) for name, one in named.items() if one.value is not None}
    facts = make_facts(handle, f"context of {instrument} at {utc(at_ms)}", Evidence("desk", "journal"), values)
    rows = tuple(
        (
            one.group,
            one.name,
            f"{{{handle}.{name}}}" if one.value is not None else "not known",
            one.unit,
            clean(_since_or_why(one), 200),
        )
        for name, one in named.items()
    )
    known = [clean(context_line(one), 160) for one in found if one.value is not None]
    lacking = ", ".join(dict.fromkeys(one.group for one in found if one.value is None))
    text = f"{about}: {len(known)} readings were known at {utc(at_ms)} of desk time." + (
        f" Not known, wholly or in part: {lacking}." if lacking else ""
    )
    data = {"readings": [one._asdict() for one in found], "instrument": instrument, "at_ms": at_ms}
    return ToolResult("ok", text, tuple(facts), table=Table(("group", "what", "value", "unit", "known"), rows), data=data)


def _since_or_why(one: Any) -> str:
    return utc(one.known_ms) if one.known_ms is not None else one.why


def _moment(ctx: ToolContext, args: ContextArgs) -> tuple[str, int, str]:
    """(instrument, desk time, what it is about). Raises BadInput for an event of no instrument and for an unknown sleeve."""
    from engine.watch.market_context import instruments_of
    from engine.watch.window import journal_of
    from tools.common.ids import find_event
    from tools.common.time_words import NEVER_RAN, instant

    if ctx.desk_ms is None:
        raise BadInput(NEVER_RAN, "start it: nightdesk up")
    traded = instruments_of(journal_of(ctx.home))
    sleeve, at_ms, about = args.sleeve, instant(args.at, ctx.desk_ms) if args.at else ctx.desk_ms, str(args.sleeve)
    if args.event_id:
        event = find_event(ctx, args.event_id)
        if event is None or not event.id.startswith("d-"):
            raise BadInput(f"no event {clean(args.event_id, 40)!r} of the desk", "search for one: journal_search")
        sleeve, at_ms, about = str(event.body.get("sleeve") or ""), event.t_event_ms, f"{event.kind} {event.id}"
        if instrument := event.body.get("instrument"):
            return str(instrument), at_ms, about
    if sleeve not in traded:
        unknown = f"unknown sleeve {clean(sleeve, 60)!r}" if sleeve else "nothing is named"
        what = f"{about} names no sleeve" if args.event_id else unknown
        raise BadInput(what, f"give a sleeve and a time; sleeves: {', '.join(traded)}")
    if at_ms > ctx.desk_ms:
        raise BadInput(f"the desk has not reached {utc(at_ms)} yet", f"desk time is {utc(ctx.desk_ms)}")
    return traded[sleeve], at_ms, about


def _wanted(series: Any, args: ListDataArgs) -> bool:
    pairs = ((args.venue, series.venue), (args.symbol, series.symbol), (args.series, series.series))
    return all(wanted is None or wanted.lower() == has.lower() for wanted, has in pairs)


def _filter_text(args: ListDataArgs) -> str:
    return " ".join(part for part in (args.venue, args.symbol, args.series) if part) or "any kind"


@tool(
    "list_strategies",
    Effect.READ,
    asked_as(
        "",
        "which strategies are there?; what parameters does trend have?; what does the trend strategy do?; what knobs can "
        "I turn on reversion?; what's the default stop of trend?; tell me about the trend strategy; what strategies do we "
        "have and which parameters can I touch?; what can I tune on the trend strategy?; what are the bounds of stop_atr "
        "in reversion?; explain what band_atr does; what does reversion do exactly?; which strategies ship with this?; "
        "how does reversion decide when to enter?; default leverage of trend; what's the idea "
        "behind trend?; when does trend enter?; which parameters can I change in reversion?; "
        "what are my strategies?",
    ),
)
def list_strategies(ctx: ToolContext, args: ListStrategiesArgs) -> ToolResult:
    """The available strategies, shipped and the person's own; with a name, its parameters, defaults, bounds and units."""
    from engine.strategies.base import OURS

    own = own_strategies(ctx.home)
    if args.strategy is None:
        from engine.strategies.base import load_strategy

        about = {name: ("shipped", (load_strategy(name).__doc__ or "").strip().splitlines()[0]) for name in OURS}
        about |= {name: ("your own", text) for name, text in own.items()}
        rows = tuple((name, kind, clean(text, 160)) for name, (kind, text) in about.items())
        return ToolResult("ok", f"Strategies: {', '.join(about)}.", table=Table(("strategy", "kind", "about"), rows))
    if args.strategy in OURS:
        return _parameters(ctx, args.strategy)
    if args.strategy in own:
        text = f"{args.strategy} is your own: {own[args.strategy] or 'it has no docstring'}. Only a backtest runs it."
        return ToolResult("ok", clean(text, 400))
    raise BadInput(f"unknown strategy {args.strategy!r}", f"available: {', '.join([*OURS, *own])}")


def strategy_lines(home: Path) -> list[tuple[str, bool, str]]:
    """(name, whether it comes with Nightdesk, first line of its docstring) of every strategy, the shipped ones first."""
    from engine.strategies.base import OURS, load_strategy

    shipped = [(name, True, first_line(load_strategy(name).__doc__)) for name in OURS]
    return [*shipped, *((name, False, first_line(about)) for name, about in own_strategies(home).items())]


def first_line(text: str | None) -> str:
    """What a docstring says first."""
    return next(iter((text or "").strip().splitlines()), "")


def own_strategies(home: Path) -> dict[str, str]:
    """A person's strategy files by name, with the first line of their docstring. They are parsed here, never run."""
    found = {}
    for path in sorted((home / "strategies").glob("*.py")):
        if path.stem.startswith("_"):
            continue
        try:
            about = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        except (SyntaxError, ValueError, OSError, RecursionError):
            about = "(the file cannot be read as Python)"
        found[clean(path.stem, 60)] = first_line(about)
    return found


def _parameters(ctx: ToolContext, name: str) -> ToolResult:
    """The parameter table of a shipped strategy, its defaults as facts."""
    from engine.strategies.base import load_strategy, params_table

    module = load_strategy(name)
    table = params_table(module)
    handle = ctx.handle("p", name)
    values = {row["key"]: (row["default"], "ratio") for row in table if isinstance(row["default"], int | float)}
    facts = make_facts(handle, f"defaults of {name}", Evidence("desk", f"strategy {name}"), values)
    units = [row["unit"] or " or ".join(row["choices"]) for row in table]
    rows = tuple(
        (row["key"], row["default"], row["low"], row["high"], unit, row["about"]) for row, unit in zip(table, units, strict=True)
    )
    text = f"{name}: {' '.join((module.__doc__ or '').split())}"
    return ToolResult("ok", text, facts, table=Table(("parameter", "default", "low", "high", "unit", "about"), rows))

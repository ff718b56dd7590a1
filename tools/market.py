"""The available data and strategies: list_data, list_strategies. Called by the catalog."""

import ast
from pathlib import Path
from typing import Any

from pydantic import Field

from engine.errors import BadInput
from tools.common.contract import (
    Args,
    Effect,
    Evidence,
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


class ListDataArgs(Args):
    """Filters; null: everything."""

    venue: str | None = Field(None, max_length=20)
    symbol: str | None = Field(None, max_length=30)
    series: str | None = Field(None, max_length=20)


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
    rows, facts = [], []
    for s in found[:ROWS_MAX]:
        name = " ".join(part for part in (s.venue, s.symbol, s.market, s.series, s.tag) if part)
        handle = ctx.handle("s", name)
        evidence = Evidence("data", s.path.name)
        values = {"rows": (s.rows, "count"), "first": (s.first_ms, "ms"), "last": (s.last_ms, "ms")}
        facts += make_facts(handle, name, evidence, values)
        rows.append((s.venue, s.symbol, s.market, s.series, s.tag or "-", s.source, *(f"{{{handle}.{m}}}" for m in values)))
    columns = ("venue", "symbol", "market", "series", "tag", "source", "rows", "first", "last")
    more = "" if len(found) <= ROWS_MAX else f" The first {ROWS_MAX} are shown; name a venue, symbol or series."
    text = f"{len(found)} series of {_filter_text(args)}.{more}"
    data = {"count": len(found), "sources": sorted({s.source for s in found})}
    return ToolResult("ok", text, tuple(facts), table=Table(columns, tuple(rows)), data=data)


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
        "how does reversion decide when to enter?; allowed range of fast_bars; default leverage of trend; what's the idea "
        "behind trend?; range allowed for stop_atr; when does trend enter?; which parameters can I change in reversion?; "
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

"""How exposure adds up, what a sudden move or a bad day would do, what a word means. For the catalog.

READ: exposure is engine.watch.concentration, counted by the guardrails' own functions; what_if is engine.watch.shock, the core
itself on a constructed bar, and worst_days engine.watch.stress, the core on recorded days; define reads the declarations of the
code and the glossary, no second text.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any, Literal

from pydantic import Field

from engine.clock import utc
from engine.watch.concentration import ExposurePair
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
from tools.common.time_words import NEVER_RAN
from tools.shipped import GLOSSARY

PAIRS_MAX = 15


class WhatIfArgs(Args):
    """move_frac: -0.1 is down a tenth; symbol (BTC-USDT) alone, or null: all. gap: it opens there, and stops fill there."""

    move_frac: float = Field(ge=-0.95, le=0.95)
    symbol: str | None = Field(None, max_length=30)
    gap: bool = False


class WorstDaysArgs(Args):
    """So many of them."""

    worst: int = Field(5, ge=1, le=20)


class ExposureArgs(Args):
    """by: only this grouping of symbol, strategy and sleeve; null: all of them."""

    by: Literal["symbol", "strategy", "sleeve"] | None = None


class WordArgs(Args):
    """A parameter or hard limit, as it is written: stop_atr, drawdown_frac_max."""

    word: str = Field(max_length=60)


@tool(
    "what_if",
    Effect.READ,
    asked_as(
        "",
        "what happens if everything drops 10 %?; what if btc gaps down 5 %?; how much would we lose if eth crashed 20%?; "
        "what if everything falls 15% overnight?; and if btc drops 5 %?; what would a 10 % rally do to us?; what's the "
        "worst case if everything drops 20%?; stress the book with minus ten percent",
    ),
)
def what_if(ctx: ToolContext, args: WhatIfArgs) -> ToolResult:
    """What one bar with a sudden price move would do to the desk as it stands: stops, targets, liquidation and the drawdown
    breaker through the core itself. Nothing is changed."""
    from engine.watch.shock import shock
    from engine.watch.window import journal_of, mark_at

    found, mark = shock(ctx.home, args.move_frac, args.symbol, gap=args.gap), mark_at(journal_of(ctx.home))
    if found is None or mark is None:
        return no_data(NEVER_RAN)
    evidence = Evidence("event", mark.id)
    h = ctx.handle("x", f"{mark.id} {args.model_dump_json()}")
    values: dict[str, tuple[Value, str]] = {"before": (found.before, "usd"), "after": (found.after, "usd")}
    change_frac = found.after / found.before - 1.0 if found.before > 0.0 else None
    values |= {"change": (found.after - found.before, "usd"), "change_frac": (change_frac, "frac")}
    values |= {"drawdown_frac": (found.drawdown_frac, "frac"), "move_frac": (args.move_frac, "frac")}
    facts: list[Fact] = list(make_facts(h, "the desk after the move", evidence, values))
    rows = []
    for one in found.sleeves:
        own = ctx.handle("x", f"{mark.id} {args.model_dump_json()} {one.sleeve}")
        kept: dict[str, tuple[Value, str]] = {"change": (one.after - one.before, "usd"), "held": (one.held, "base")}
        kept["left"] = (one.left, "base")
        facts += make_facts(own, f"sleeve {one.sleeve} after the move", evidence, kept)
        rows.append((one.sleeve, *(f"{{{own}.{name}}}" for name in ("held", "left", "change")), ", ".join(one.exits) or "-"))
    how = "opening there, so that stops fill there" if args.gap else "trading through every level, so that stops fill at theirs"
    text = (
        f"If {args.symbol or 'every instrument'} moved by {{{h}.move_frac}} in one bar, {how}: equity {{{h}.before}} becomes "
        f"{{{h}.after}} ({{{h}.change}}, {{{h}.change_frac}}), {{{h}.drawdown_frac}} below the breaker's reference. "
    )
    text += "The drawdown breaker would halt the desk." if found.halts else "The drawdown breaker would not trip."
    text += " Positions, stops and waiting orders as they stand at the last bar; slippage by the desk's own model."
    table = Table(("sleeve", "held", "left", "change", "exits"), tuple(rows))
    return ToolResult("ok", text, tuple(facts), (evidence,), table, {"halts": found.halts})


@tool(
    "worst_days",
    Effect.READ,
    asked_as(
        "",
        "replay the worst recorded days over our positions; stress test the book with the worst days; what would the worst "
        "day in the data do to us?; how would we have survived the worst days?; run the 5 worst days of the recordings on "
        "the desk as it stands",
    ),
)
def worst_days(ctx: ToolContext, args: WorstDaysArgs) -> ToolResult:
    """The worst recorded days, played over the desk as it stands."""
    from engine.watch import stress

    found = stress.worst_days(ctx.home, ctx.catalog, args.worst)
    if found is None:
        return no_data(NEVER_RAN)
    evidence = Evidence("event", found.event)
    if not found.held:
        return ToolResult("ok", "Nothing is held: no recorded day moves the desk as it stands.", (), (evidence,))
    if not found.days:
        return no_data("no whole day is recorded of all the desk's instruments (nightdesk data list)")
    facts, rows = list[Fact](), []
    for day in found.days:
        h = ctx.handle("x", f"{found.event} worst {day.day_ms}")
        values: dict[str, tuple[Value, str]] = {"lowest": (day.lowest, "usd"), "after": (day.after, "usd")}
        values |= {"change": (day.after - found.before, "usd"), "fall": (day.lowest - found.before, "usd")}
        values["fall_frac"] = (day.lowest / found.before - 1.0 if found.before > 0.0 else None, "frac")
        values |= {f"move_{n}": (move, "frac") for n, (_, move) in enumerate(day.moves)}
        facts += make_facts(h, f"the desk on {utc(day.day_ms)[:10]}", evidence, values)
        moves = ", ".join(f"{_coin(name)} {{{h}.move_{n}}}" for n, (name, _) in enumerate(day.moves))
        exits = ", ".join(f"{sleeve} {reason}" for sleeve, reason in day.exits) or "-"
        rows.append((utc(day.day_ms)[:10], moves, f"{{{h}.fall}}", f"{{{h}.change}}", exits, "yes" if day.halts else "no"))
    first, own = found.days[0], ctx.handle("x", f"{found.event} worst {found.days[0].day_ms}")
    of, begin = ctx.handle("x", f"{found.event} worst days"), found.before
    facts += make_facts(of, "the desk before", evidence, {"equity": (begin, "usd"), "days": (found.looked_at, "count")})
    text = (
        f"The worst of {{{of}.days}} recorded days is {utc(first.day_ms)[:10]}: equity {{{of}.equity}} would fall to "
        f"{{{own}.lowest}} ({{{own}.fall}}, {{{own}.fall_frac}}) and end at {{{own}.after}}. "
    )
    halts = [utc(day.day_ms)[:10] for day in found.days if day.halts]
    text += (
        f"The drawdown breaker would halt the desk on {', '.join(halts)}." if halts else "The drawdown breaker would not trip."
    )
    text += (
        f" Recorded bars of {utc(found.from_ms)[:10]} to {utc(found.to_ms)[:10]} at today's prices, positions and stops as they "
        "stand; strategies say nothing, funding is left out."
    )
    text += f" Days before the desk's first are left out: {clean(found.left_out, 300)}." if found.left_out else ""
    table = Table(("day", "moves", "fall", "change at its end", "exits", "halts"), tuple(rows))
    return ToolResult("ok", text, tuple(facts), (evidence,), table, {"halts": bool(halts)})


@tool(
    "exposure",
    Effect.READ,
    asked_as(
        "",
        "are we doubling the bet?; how correlated are our positions?; how concentrated is the desk?; what is our exposure "
        "by strategy?; is it all the same bet?; exposure by instrument; are we diversified?; "
        "are btc and eth basically the same trade?; are btc and eth moving together?; is the book too "
        "concentrated?; how much of the book is in eth?; what's our net exposure?; how is the money allocated?; "
        "what is our exposure?",
    ),
)
def exposure(ctx: ToolContext, args: ExposureArgs) -> ToolResult:
    """How the desk's exposure adds up: by instrument and strategy against the limits, correlations of the day between
    instruments, and whether positions are the same bet."""
    from engine.control.limits import limits_of
    from engine.watch.concentration import desk_exposure

    found, hard = desk_exposure(ctx.home), limits_of(ctx.home)
    if found is None:
        return no_data(NEVER_RAN)
    evidence = Evidence("event", found.event)
    h = ctx.handle("x", f"{found.event} exposure")
    values: dict[str, tuple[Value, str]] = {"gross": (found.gross, "usd"), "correlated": (found.correlated, "usd")}
    times = found.equity if found.equity > 0.0 else None
    for name in ("gross", "correlated"):
        values[f"{name}_times"] = (times and getattr(found, name) / times, "ratio")
        values[f"{name}_times_max"] = (getattr(hard, f"{name}_frac_max"), "ratio")
    net = sum(share.exposure if share.side == "long" else -share.exposure for share in found.instruments)
    values |= {"alike_frac": (found.alike_frac, "frac"), "equity": (found.equity, "usd"), "net": (net, "usd")}
    sides = {side: sum(one.exposure for one in found.instruments if one.side == side) for side in ("long", "short")}
    values |= {side: (amount, "usd") for side, amount in sides.items()}
    for name, amount in (("gross", found.gross), ("net", net), ("idle", max(0.0, found.equity - found.gross))):
        values[f"{name}_share"] = (times and amount / times, "frac")
    facts: list[Fact] = list(make_facts(h, "exposure of the desk", evidence, values))
    rows: list[tuple[Value, ...]] = []
    most = {"symbol": hard.instrument_frac_max, "strategy": hard.family_frac_max, "sleeve": None}
    for kind, shares in (("symbol", found.instruments), ("strategy", found.strategies), ("sleeve", found.sleeves)):
        for share in shares if args.by in (None, kind) else ():
            own = ctx.handle("x", f"{found.event} {kind} {share.name}")
            kept: dict[str, tuple[Value, str]] = {"exposure": (share.exposure, "usd"), "times": (share.equity_frac, "ratio")}
            kept["times_max"] = (most[kind], "ratio")
            facts += make_facts(own, f"exposure of {kind} {share.name}", evidence, kept)
            limit = f"{{{own}.times_max}}" if most[kind] is not None else "-"
            rows.append((kind, share.name, share.side, f"{{{own}.exposure}}", f"{{{own}.times}}", limit))
    for n, pair in enumerate(found.pairs[:PAIRS_MAX]):
        own = ctx.handle("x", f"{found.event} pair {n}")
        facts += make_facts(own, f"{pair.one} and {pair.other}", evidence, {"correlation": (pair.correlation, "ratio")})
        rows.append(("pair", f"{pair.one} with {pair.other}", pair.reads, "-", f"{{{own}.correlation}}", "-"))
    text = f"{_same_bets(found.pairs)} Exposure {{{h}.gross}}, {{{h}.gross_times}} times equity (limit {{{h}.gross_times_max}})"
    if found.alike_frac is not None:
        text += (
            f"; weighted by the correlations of the day {{{h}.correlated_times}} times (limit {{{h}.correlated_times_max}}), "
            f"{{{h}.alike_frac}} of the plain sum: 100 % is one single bet"
        )
    text += f". Orders that may still fill count. Desk time {utc(found.desk_ms)} ({found.event})."
    table = Table(("of", "name", "side", "exposure", "times equity or correlation", "limit"), tuple(rows))
    return ToolResult(
        "ok", text, tuple(facts), (evidence,), table, {"same_bet": [p.reads for p in found.pairs].count("same bet")}
    )


def _same_bets(pairs: Sequence[ExposurePair]) -> str:
    """The verdict: which positions are one bet."""
    alike = [f"{_coin(p.one)} and {_coin(p.other)}" for p in pairs if p.reads == "same bet"]
    if alike:
        return f"Yes, the same bet: {', '.join(alike[:3])}{' and more' if len(alike) > 3 else ''}."
    held = [p for p in pairs if p.reads != "not held"]
    if not held:
        return "No: at most one instrument is held."
    unknown = sum(p.reads == "not known" for p in held)
    return f"Not known for {unknown} of {len(held)} pairs that are held." if unknown else "No two positions are the same bet."


def _coin(instrument: str) -> str:
    return instrument.split(":")[1] if ":" in instrument else instrument


@tool(
    "define",
    Effect.READ,
    asked_as(
        "",
        "what does stop_atr mean?; what is slippage?; difference between target and trail; what counts as a round trip?; "
        "how strict is the loss streak breaker?; what does fade mean?; how does the daily loss limit work?",
    ),
)
def define(ctx: ToolContext, args: WordArgs) -> ToolResult:
    """What a word means: a strategy parameter or a hard limit with its bounds and default, from the declarations of the code;
    else a word of the desk or a metric, from the glossary."""
    found = declared(ctx)
    key = args.word.strip().lower().replace(" ", "_").replace("-", "_")
    if key in ("guardrails", "limits", "hard_limits"):
        return _all_limits(found)
    if key not in found:
        words = glossary()
        said = key.replace("_", " ")
        meaning = words.get(said) or words.get(said.removesuffix("s"))
        if meaning:
            return ToolResult("ok", f"{said}: {meaning}.", (), (Evidence("page", "docs/glossary.md"),))
        near = get_close_matches(key, [*found, *words], 3)
        return no_data(
            f"{args.word!r} is neither a declared parameter or limit nor in the glossary; near it: {', '.join(near) or 'nothing'}"
        )
    rows = tuple((place, *(entry[name] for name in ("about", "default", "bounds"))) for place, entry in found[key].items())
    may = [
        f"{about}; {bounds}, {default} by default" if bounds[:1].isdigit() else str(about) for _, about, default, bounds in rows
    ]
    text = f"{key}: " + "; or ".join(dict.fromkeys(may)) + "."
    used, facts = _used(ctx, key)
    table = Table(("of", "meaning", "default", "bounds"), rows)
    return ToolResult("ok", f"{text}{used}", facts, (Evidence("config", "declarations"),), table)


def _used(ctx: ToolContext, key: str) -> tuple[str, tuple[Fact, ...]]:
    """How much of a hard limit is used now, of the desk or of each sleeve, the nearest first; nothing of a parameter."""
    from engine.control.config import active
    from engine.control.limits import limits_of
    from engine.errors import DeskError
    from engine.watch.limit_usage import limit_usage
    from engine.watch.tripped import tripped_events
    from engine.watch.window import journal_of, mark_at

    path, hard = journal_of(ctx.home), limits_of(ctx.home)
    mark = mark_at(path) if key in USED_AS else None
    if mark is None:
        return "", ()
    try:
        traded = active(ctx.engine, ctx.home).config.traded
    except DeskError:  # a word means what it means on a desk that cannot be read, too
        return "", ()
    usages = limit_usage(mark.body, hard, traded, tripped_events(path, mark, hard.pause_hours))
    near = sorted((u for u in usages if USED_AS[key] in u.name and u.value is not None), key=lambda u: -(u.used_frac or 0.0))[:12]
    facts: list[Fact] = []
    said = []
    for one in near:
        h = ctx.handle("u", one.name)
        values: dict[str, tuple[Value, str]] = {"used": (one.value, one.unit), "limit": (one.limit, one.unit)}
        values |= {"until": (one.until_ms, "ms")} if one.until_ms is not None else {}
        facts += make_facts(h, one.name, Evidence("event", mark.id), values)
        ends = f", entries shut until {{{h}.until}}" if one.until_ms is not None else ""
        said.append(f"{one.name} {{{h}.used}} of {{{h}.limit}}{ends}")
    return (f" Used now, the nearest first: {'; '.join(said)}." if said else ""), tuple(facts)


USED_AS = {  # hard limit -> what its use is called (engine/watch/limit_usage.py)
    "streak_max": "losses in a row",
    "day_loss_frac_max": "loss of the day",
    "day_entries_max": "entries of the day",
    "drawdown_frac_max": "drawdown since release",
    "gross_frac_max": "gross exposure",
    "correlated_frac_max": "correlated exposure",
    "positions_max": "open positions",
    "instrument_frac_max": "exposure in ",
    "family_frac_max": "exposure by ",
    "leverage_max": ": leverage",
}


def _all_limits(found: dict[str, dict[str, dict[str, Any]]]) -> ToolResult:
    """Every hard limit of the desk with its value and what it does."""
    hard = {key: of["hard limit"] for key, of in found.items() if "hard limit" in of}
    rows = tuple((key, entry["default"].removesuffix(" (desk.toml)"), str(entry["about"])) for key, entry in hard.items())
    text = f"{len(rows)} hard limits, from desk.toml: each entry order is checked against them before it goes out."
    return ToolResult("ok", text, (), (Evidence("config", "declarations"),), Table(("limit", "value", "what it does"), rows))


@cache
def glossary() -> dict[str, str]:
    """Word -> what it is: the tables of docs/glossary.md, by the desk's word and the field's."""
    found: dict[str, str] = {}
    cells = (
        [line.strip("| ").split(" | ") for line in GLOSSARY.read_text(encoding="utf-8").splitlines()] if GLOSSARY.exists() else []
    )
    for at in (1, 0):  # the desk's own word wins
        for row in cells:
            if len(row) == 3 and row[0] != "word":
                found |= {word.strip().lower().replace("-", " "): row[2].strip() for word in row[at].split(",")}
    return found


def declared(ctx: ToolContext) -> dict[str, dict[str, dict[str, Any]]]:
    """Word -> place -> what its declaration says: parameters of shipped strategies, and the desk's hard limits."""
    from engine.control.limits import limits_of
    from engine.strategies.base import SHIPPED, load_strategy, params_table

    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name in SHIPPED:
        for entry in params_table(load_strategy(name)):
            bounds = f"{entry.get('low')} to {entry.get('high')} {entry.get('unit') or ''}".strip()
            told = {"about": entry["about"], "default": str(entry["default"]), "bounds": bounds}
            found.setdefault(entry["key"], {})[f"strategy {name}"] = told
    hard = limits_of(ctx.home)
    for name, field in type(hard).model_fields.items():
        about = {
            "about": field.description,
            "default": f"{getattr(hard, name)} (desk.toml)",
            "bounds": "hard limit: no proposal moves it",
        }
        found.setdefault(name, {})["hard limit"] = about
    return found

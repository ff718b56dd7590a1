"""What a sudden move would do, and what a word means: what_if, define (READ). Called by the catalog.

what_if is engine.watch.shock, the core itself on a constructed bar; define reads the declarations of the code, no second text.
"""

from difflib import get_close_matches
from typing import Any

from pydantic import Field

from tools.common.contract import (
    Args,
    Asked,
    Effect,
    Evidence,
    Fact,
    Table,
    ToolContext,
    ToolResult,
    Value,
    make_facts,
    no_data,
    tool,
)
from tools.common.time_words import NEVER_RAN


class WhatIfArgs(Args):
    """move_frac: -0.1 is down a tenth; symbol (BTC-USDT) alone, or null: all. gap: it opens there, and stops fill there."""

    move_frac: float = Field(ge=-0.95, le=0.95)
    symbol: str | None = Field(None, max_length=30)
    gap: bool = False


class WordArgs(Args):
    """A parameter or hard limit, as it is written: stop_atr, drawdown_frac_max."""

    word: str = Field(max_length=60)


@tool(
    "what_if",
    Effect.READ,
    Asked(
        "desk",
        "compute",
        ("crash", "shock", "gap", "10 % move", "drop", "rally"),
        ("drop", "fall", "crash", "rise", "gap"),
        ("what happens if everything drops 10 %?", "what if btc gaps down 5 %?"),
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
    "define",
    Effect.READ,
    Asked(
        "setting",
        "explain",
        ("parameter", "limit", "guardrail", "meaning"),
        ("mean", "define", "is"),
        ("what does stop_atr mean?",),
    ),
)
def define(ctx: ToolContext, args: WordArgs) -> ToolResult:
    """What a strategy parameter or a hard limit means, with its bounds and default, from the declarations of the code."""
    found = _declared(ctx)
    key = args.word.strip().lower().replace(" ", "_").replace("-", "_")
    if key not in found:
        near = get_close_matches(key, found, 3)
        return no_data(f"{args.word!r} is not a declared parameter or limit; near it: {', '.join(near) or 'nothing'}")
    rows = tuple((place, *(entry[name] for name in ("about", "default", "bounds"))) for place, entry in found[key].items())
    text = f"{key}: " + "; ".join(dict.fromkeys(str(row[1]) for row in rows)) + "."
    return ToolResult("ok", text, (), (Evidence("config", "declarations"),), Table(("of", "meaning", "default", "bounds"), rows))


def _declared(ctx: ToolContext) -> dict[str, dict[str, dict[str, Any]]]:
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

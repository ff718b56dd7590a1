"""Market making: a maker's fills by speed, adverse selection, inventory, money, halt (making, READ). Called by the catalog.

It reads what `nightdesk making` has kept of simulations and of makers on paper and at accounts. The answer says what may leave
paper, and of one at an account which, with which money, at which stage.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from engine.errors import BadInput, DataError
from engine.making.stored import folder_of, listed, stored
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

NONE_YET = "no maker is kept yet: nightdesk making backtest TAPE --keep NAME simulates one, nightdesk making paper TAPE runs one"
HORIZON_S = 10
NAMED_MAX = 8


class MakingArgs(Args):
    """`maker`: its name; null for the last one."""

    maker: str | None = Field(None, max_length=80)


@tool(
    "making",
    Effect.READ,
    asked_as(
        "",
        "how is the market maker doing?; show the market making; adverse selection of the market maker; "
        "why is the market maker not live?; what did the market maker earn?; inventory of the market maker",
    ),
)
def making(ctx: ToolContext, args: MakingArgs) -> ToolResult:
    """A market maker: fills by speed, adverse selection, inventory, P&L, halt, its account and stage or why it is not live."""
    found = listed(ctx.home)
    if not found:
        return no_data(NONE_YET)
    name = args.maker or str(found[0]["name"])
    others = ", ".join(clean(one["name"], 80) for one in found[:NAMED_MAX])
    try:
        body = stored(folder_of(ctx.home, name))
    except (BadInput, DataError) as error:
        return no_data(f"{clean(error.what, 200)}; kept are {others}")
    evidence = Evidence("data", f"making/{body['name']}/run.json")
    h = ctx.handle("m", f"maker {body['name']} {body['written_ms']}")
    facts = make_facts(h, f"maker {clean(body['name'], 80)}", evidence, _values(body))
    more, table = _by_speed(ctx, body, evidence)
    return ToolResult("ok", _text(h, body, others), (*facts, *more), (evidence,), table)


def _values(body: Mapping[str, Any]) -> dict[str, tuple[Any, str]]:
    """Figures of the whole; what needs the whole tape only where it is there."""
    figures, pnl = body["figures"], body.get("pnl") or {}
    values: dict[str, tuple[Any, str]] = {
        "fills": (figures["fills"], "count"),
        "orders": (figures["orders"], "count"),
        "inventory": (figures["inventory"], "base"),
        "net": (figures["net"], "usd"),
        "fees": (figures["fees"], "usd"),
        "funding": (figures.get("funding", 0.0), "usd"),
    }
    shown = ("gross", "spread_captured", "moves", "with_rebate", "net_closed")
    values |= {key: (pnl[key], "usd") for key in shown if isinstance(pnl.get(key), int | float)}
    if body["halt"]:
        values["halted_after"] = (int(float(body["halt"]["at_s"]) * 1000), "duration_ms")
    return values


def _by_speed(ctx: ToolContext, body: Mapping[str, Any], evidence: Evidence) -> tuple[tuple[Fact, ...], Table | None]:
    """Fills by how long their order had rested, with the market's move HORIZON_S later; counts alone before the tape is over."""
    after = next((one for one in body.get("after_fills") or () if one["horizon_s"] == HORIZON_S), None)
    if after is None:
        return (), None
    facts: list[Fact] = []
    rows = []
    for one in after["classes"]:
        name = f"{one['from_s']:g} to {one['to_s']:g} s"
        g = ctx.handle("m", f"maker {body['name']} {body['written_ms']} {name}")
        values = {"fills": (one["orders"], "count"), "move": (one["move_bps"], "bps"), "against": (one["adverse_frac"], "frac")}
        facts += make_facts(g, f"fills of {clean(body['name'], 80)} after {name}", evidence, values)
        empty = not one["orders"]
        rows.append((name, f"{{{g}.fills}}", "-" if empty else f"{{{g}.move}}", "-" if empty else f"{{{g}.against}}"))
    heads = ("the order had rested", "fills", f"market {HORIZON_S} s later, in favour", "share against")
    return tuple(facts), Table(heads, tuple(rows))


def _text(h: str, body: Mapping[str, Any], others: str) -> str:
    """Verdict, money, halt, and its account and stage, or why it is not live."""
    about = f"{body['kind']}, {body['quoter']} on {body['venue']} {body['symbol']} {body['market']}, {body['state']}"
    if body.get("account"):
        money = "REAL MONEY" if body.get("mode") == "live" else "PLAY MONEY"
        about += f"; account {body['account']}, {money}, stage {body.get('stage')}"
    from engine.making.stages import conditions

    text = f"{clean(body['verdict'], 60)}: {clean(body['name'], 80)} ({clean(about, 160)}). "
    text += f"{{{h}.fills}} fills of {{{h}.orders}} orders, net {{{h}.net}} after fees of {{{h}.fees}}"
    text += f" and funding of {{{h}.funding}}, inventory {{{h}.inventory}}. "
    if body.get("pnl"):
        text += f"Without fees {{{h}.gross}}: spread captured {{{h}.spread_captured}}, moves since {{{h}.moves}}; "
        text += f"with a rebate {{{h}.with_rebate}}, the rest closed {{{h}.net_closed}}. "
    if body["halt"]:
        text += f"Halted by {clean(body['halt']['rule'], 40)} after {{{h}.halted_after}}. "
    if killed := body.get("killed"):
        left = "; ".join(map(str, killed.get("left") or ())) or "nothing"
        text += f"The halt ended in {clean(str(killed.get('state')), 40)}, left: {clean(left, 200)}. "
    return f"{text}{'' if body.get('account') else f'{conditions()} '}Kept: {others}."

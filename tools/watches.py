"""Levels that people want to hear about: watches (READ), propose_watch (PROPOSE). Called by the catalog.

A role only asks: a row that waits for a person, who confirms it with a click or with `nightdesk watches confirm`.
"""

from typing import Literal

from pydantic import Field

from engine.clock import utc
from engine.control.watches import WatchWish
from engine.errors import BadInput
from engine.store.tables import LevelWatch
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

UNITS = {"price": "price", "day_pnl": "usd", "equity": "usd"}


class ProposeWatchArgs(Args):
    """`metric` price (subject: a symbol), day_pnl (P&L of the UTC day) or equity (subject: a sleeve, or desk); of day_pnl a loss
    is negative: below -200."""

    metric: Literal["price", "day_pnl", "equity"]
    subject: str = Field("desk", max_length=60)
    beyond: Literal["below", "above"]
    level: float = 0.0
    move_frac: float = Field(0.0, gt=-1.0, description="-0.03: 3 % below now")


@tool(
    "watches",
    Effect.READ,
    asked_as(
        "",
        "which watches are there?; list the watches; what are we watching?; show my price alerts; which watches do i have "
        "running?",
    ),
)
def watches(ctx: ToolContext, args: NoArgs) -> ToolResult:  # noqa: ARG001 - every tool takes the same two arguments
    """Levels that people watch (price, P&L of the day, equity): where each stands, which are passed, which wait for a person."""
    from engine.control.watches import listed

    rows = listed(ctx.engine, ctx.now_ms)
    if not rows:
        return no_data("no level is watched; to ask for one: tell me when BTC falls below 80000")
    table, facts = _table(ctx, rows)
    waits = sum(row.state == "asked" for row in rows)
    text = f"{len(rows) - waits} watches in force, {waits} waiting for a person to confirm (nightdesk watches confirm ID)."
    if ctx.desk_ms is not None:
        text += f" Values of desk time {utc(ctx.desk_ms)}."
    return ToolResult("ok", text, facts, tuple(Evidence("watch", row.id) for row in rows), table)


def _table(ctx: ToolContext, rows: list[LevelWatch]) -> tuple[Table, tuple[Fact, ...]]:
    """A row a watch, its level and value as facts."""
    from engine.control.watches import text_of
    from engine.watch.levels import alerted, is_passed, watched
    from engine.watch.window import journal_of, mark_at

    path = journal_of(ctx.home)
    levels = {one.id: one for one in watched(path, mark_at(path), rows, alerted(ctx.engine))}
    facts: list[Fact] = []
    cells: list[tuple[Value, ...]] = []
    for row in rows:
        h, now = ctx.handle("w", row.id), levels.get(row.id)
        unit = UNITS.get(row.metric, "ratio")
        values: dict[str, tuple[Value, str]] = {"level": (row.level, unit), "value": (now and now.value, unit)}
        facts += make_facts(h, f"watch {row.id}", Evidence("watch", row.id), values)
        passed = row.state == "active" and now is not None and is_passed(now)
        state = "passed" if passed else "in force" if row.state == "active" else "waits for a person"
        cells.append((row.id, clean(text_of(row), 120), f"{{{h}.value}}", state))
    return Table(("watch", "level", "now", "state"), tuple(cells)), tuple(facts)


def _from_close(ctx: ToolContext, wish: WatchWish, move_frac: float) -> float:
    """A level so far from an instrument's last close, to five digits. Raises BadInput for what has no close."""
    from engine.watch.levels import watched
    from engine.watch.window import journal_of, mark_at

    if wish.metric != "price":
        raise BadInput(f"move_frac is of a price, not of {wish.metric}", "name its level")
    path = journal_of(ctx.home)
    (now,) = watched(path, mark_at(path), [LevelWatch(id="", **wish._asdict(), state="asked", asked_by="", asked_ms=0)]) or (
        None,
    )
    if now is None or now.value is None:
        raise BadInput(f"{wish.subject} has no close yet", "name the level itself")
    return float(f"{now.value * (1.0 + move_frac):.5g}")


@tool(
    "propose_watch",
    Effect.PROPOSE,
    asked_as(
        "",
        "tell me when btc falls below 80000; alert me if the desk loses more than 300 today; warn me when eth goes above "
        "4000; wake me if btc-trend is down 200 today; set a price alert on sol at 120; let me know if eth drops under "
        "2500; watch btc above 120k; ping me if sol drops below 120; let me know when the desk is down 200 today; notify "
        "me when eth hits 4000; ping me if btc trades under 80k; wake me if btc drops 3 pct",
    ),
)
def propose_watch(ctx: ToolContext, args: ProposeWatchArgs) -> ToolResult:
    """Ask for an alert at a level of a price, of the day's P&L or of equity; a person confirms it. Must be the last call of a
    turn."""
    from engine.control.watches import ask, text_of, wish_of

    if not args.move_frac and "level" not in args.model_fields_set:
        raise BadInput("a watch needs its level", "level: a number; move_frac: of a price, from its last close")
    about = args.metric, args.subject, args.beyond
    wish = wish_of(ctx.engine, ctx.home, *about, 1.0 if args.move_frac else args.level)
    if args.move_frac:
        if args.level:
            raise BadInput("a watch has a level or a move, not both", "leave out one of level and move_frac")
        wish = wish_of(ctx.engine, ctx.home, *about, _from_close(ctx, wish, args.move_frac))
    by = {"role": ctx.role, "thread": ctx.thread, "turn": ctx.turn, "person": clean(ctx.person, 80), "model": ctx.model}
    row = ask(ctx.engine, wish, by, ctx.now_ms)
    ctx.record("watch", {"watch": row.id, "act": "ask", "what": wish.text(), **by})
    table, facts = _table(ctx, [row])
    h = facts[0].ref.partition(".")[0]
    text = (
        f"Asked for, not in force yet: {row.id}, {clean(text_of(row), 120)}; now {{{h}.value}}. A person confirms it on "
        f"the page under its alerts, or with nightdesk watches confirm {row.id}."
    )
    return ToolResult("ok", text, facts, (Evidence("watch", row.id),), table, {"watch": row.id})

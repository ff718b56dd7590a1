"""Sleeves at the desk's last mark as a table: one row each, or of a basket a row a pair. Called by tools/desk.py."""

from collections.abc import Mapping
from typing import Any

from engine.book.quiet_close import pause_text, shut_text
from engine.clock import utc
from engine.store.chain import Event
from tools.basket import pair_table
from tools.common.contract import Evidence, Fact, Table, ToolContext, Value, make_facts

MONEY = ("equity", "cash", "fees", "funding", "slippage")


def state_table(ctx: ToolContext, mark: Event, only: str | None = None) -> tuple[Table, tuple[Fact, ...]]:
    """One row a sleeve, or of a basket a row a pair, of those that have the leg `only`; figures as facts."""
    if "basket" not in mark.body:
        return sleeve_table(ctx, mark, only)
    from engine.watch.pair_reasons import symbol_of
    from engine.watch.window import journal_of

    return pair_table(ctx, mark, symbol_of(journal_of(ctx.home), only) if only else "")


def sleeve_table(ctx: ToolContext, mark: Event, only: str | None = None) -> tuple[Table, tuple[Fact, ...]]:
    """One row per sleeve, with its figures as facts of the handle l1, l2, ..."""
    from engine.watch.health import bare_text

    facts: list[Fact] = []
    rows = []
    for name, s in mark.body["sleeves"].items():
        if only not in (None, name):
            continue
        h = ctx.handle("l", name)
        position = s.get("position")
        values: dict[str, tuple[Value, str]] = {key: (s[key], "usd") for key in MONEY}
        values |= {"trips": (s["trips"], "count"), "version": (s["version"], "count")}
        if position:
            values |= {"quantity": (position["quantity"], "base"), "notional": (position["notional"], "usd")}
            values |= {"opened": (position["opened_ms"], "ms"), "unrealised": (s["equity"] - s["cash"], "usd")}
        layers = {"" if n == 1 else f"_{n}": layer for n, layer in enumerate(position["layers"] if position else [], 1)}
        for n, layer in layers.items():
            values |= {f"{key}{n}": (layer[key], "price") for key in ("entry", "protective", "target")}
        facts += make_facts(h, f"sleeve {name}", Evidence("event", mark.id), values)
        held = f"{position['side']} {{{h}.quantity}}" if position else "flat"
        levels = [f"{{{h}.protective{n}}} ({layer['protective_kind']}){bare_text(layer)}" for n, layer in layers.items()]
        figures = (f"{{{h}.equity}}", held, "; ".join(levels) or "-", f"{{{h}.trips}}", f"{{{h}.version}}")
        rows.append((name, *figures, entries(s)))
    columns = ("sleeve", "equity", "position", "protective level", "round trips", "version", "entries")
    return Table(columns, tuple(rows)), tuple(facts)


def entries(sleeve: Mapping[str, Any]) -> str:
    """Whether the sleeve may enter now, and which version is waiting."""
    if sleeve.get("paused"):
        found = pause_text(sleeve)
    elif sleeve.get("stage"):
        found = f"none: {sleeve.get('stage_reached') or sleeve['stage']}"
    elif until := sleeve.get("blocked_until_ms") or sleeve.get("paused_until_ms"):
        found = f"paused until {utc(until)}"
    elif until := sleeve.get("shut_until_ms"):
        found = shut_text(until)
    else:
        found = "allowed"
    return found + (f"; version {sleeve['waiting_version']} waits until flat" if sleeve.get("waiting_version") else "")

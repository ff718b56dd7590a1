"""Fills by their size, slippage or fee, or the newest, each with what it cost. Called by tools/journal.py."""

from collections.abc import Sequence
from typing import Literal

from engine.clock import utc
from engine.store.chain import Event
from tools.common.contract import Evidence, Fact, Table, ToolContext, Value, clean, make_facts

Order = Literal["time", "size", "slippage", "fee"]


def ranked(ctx: ToolContext, label: str, fills: Sequence[Event], by: Order, n: int) -> tuple[str, Table, list[Fact], list[Event]]:
    """The first n of the fills by what is asked, and what they and all of them cost."""
    most = {"size": _size, "slippage": lambda e: e.body["slippage"], "fee": lambda e: e.body["fee"]}
    chosen = sorted(fills, key=most[by], reverse=True)[:n] if by in most else list(reversed(fills))[:n]
    facts: list[Fact] = []
    rows = []
    for e in chosen:
        h = ctx.handle("e", f"fill {e.id}")
        facts += make_facts(h, f"fill {e.id}", Evidence("event", e.id), _costs([e]) | {"price": (e.body["price"], "price")})
        what = f"{e.body['side']} {e.body['quantity']:.10g} at {{{h}.price}}, {clean(e.body.get('slot', ''), 20)}"
        cells = (f"{{{h}.{name}}}" for name in ("size", "slippage", "slippage_bps", "fee"))
        rows.append((utc(e.t_event_ms), e.id, clean(e.body.get("sleeve", ""), 60), what, *cells))
    h = ctx.handle("j", f"{label} {by} {n}")
    facts += make_facts(h, "these fills", Evidence("desk", "journal"), _costs(chosen) | {"count": (len(chosen), "count")})
    order = f"the largest {by} first" if by in most else "the newest first"
    text = f"{{{h}.count}} fill{'s' if len(chosen) != 1 else ''}, {order}: "
    text += f"{{{h}.size}} traded, slippage {{{h}.slippage}} ({{{h}.slippage_bps}}), fees {{{h}.fee}}."
    when, _, sleeve, what, size, slipped, bps, _ = rows[0]
    first = f" The first: {when}, {sleeve} {what}, {size}, slippage {slipped} ({bps})."
    heads = ("desk time", "event", "sleeve", "what", "size", "slippage", "slippage_bps", "fee")
    return text + first, Table(heads, tuple(rows)), facts, chosen


def _size(e: Event) -> float:
    return float(e.body["price"] * e.body["quantity"])


def _costs(fills: Sequence[Event]) -> dict[str, tuple[Value, str]]:
    """The money traded by fills, their slippage in money and in bps of it, their fees."""
    size = sum(map(_size, fills))
    slippage, fee = (float(sum(e.body[name] for e in fills)) for name in ("slippage", "fee"))
    bps = slippage / size * 1e4 if size else None
    return {"size": (size, "usd"), "slippage": (slippage, "usd"), "slippage_bps": (bps, "bps"), "fee": (fee, "usd")}

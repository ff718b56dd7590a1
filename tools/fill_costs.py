"""Fills by their size, slippage or fee, or the newest, each with what it cost. Called by tools/journal.py."""

from collections.abc import Sequence
from statistics import median
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
    every, worst = ctx.handle("j", f"{label} all"), max(fills, key=_bps)
    whole: dict[str, tuple[Value, str]] = {"median_bps": (median(map(_bps, fills)), "bps"), "worst_bps": (_bps(worst), "bps")}
    facts += make_facts(every, "all fills", Evidence("desk", "journal"), _costs(fills) | whole | {"fills": (len(fills), "count")})
    when, _, sleeve, what, size, slipped, bps, _ = rows[0]
    order = f"the largest {by} first" if by in most else "the newest first"
    first = f"The {f'largest {by}' if by in most else 'newest'}: {when}, {sleeve} {what}, {size}, slippage {slipped} ({bps})."
    whole_text = (
        f"Of {{{every}.fills}} fills the worst was off by {{{every}.worst_bps}}, the median one by {{{every}.median_bps}}, all "
    )
    whole_text += f"by {{{every}.slippage_bps}} of the {{{every}.size}} traded ({{{every}.slippage}}), fees {{{every}.fee}}."
    text = f"{whole_text} {first}" if by == "slippage" else f"{first} {whole_text}"
    text += f" The {{{h}.count}} listed, {order}: {{{h}.size}} traded, slippage {{{h}.slippage}} ({{{h}.slippage_bps}}), fees "
    text += f"{{{h}.fee}}."
    heads = ("desk time", "event", "sleeve", "what", "size", "slippage", "slippage_bps", "fee")
    return text, Table(heads, tuple(rows)), facts, chosen


def _bps(e: Event) -> float:
    return float(e.body["slippage"]) / _size(e) * 1e4 if _size(e) else 0.0


def _size(e: Event) -> float:
    return float(e.body["price"] * e.body["quantity"])


def _costs(fills: Sequence[Event]) -> dict[str, tuple[Value, str]]:
    """The money traded by fills, their slippage in money and in bps of it, their fees."""
    size = sum(map(_size, fills))
    slippage, fee = (float(sum(e.body[name] for e in fills)) for name in ("slippage", "fee"))
    bps = slippage / size * 1e4 if size else None
    return {"size": (size, "usd"), "slippage": (slippage, "usd"), "slippage_bps": (bps, "bps"), "fee": (fee, "usd")}

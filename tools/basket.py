"""A basket in the answers about desk and sleeves: its ledger, and each pair with its spread, hedge ratio, legs and P&L.

Called by tools/desk.py. Read from the desk's last mark, whose event is the receipt of every figure.
"""

from collections.abc import Mapping
from typing import Any

from engine.store.chain import Event
from tools.common.contract import Evidence, Fact, Table, ToolContext, Value, clean, make_facts

COLUMNS = ("pair", "side", "spread, deviations", "hedge ratio", "legs, lots", "made", "open", "at risk", "now")
LEDGER = {"equity": "usd", "cash": "usd", "fees": "usd", "funding": "usd", "gross": "usd", "net": "usd", "trips": "count"}
FIGURES = {"z": "ratio", "hedge": "ratio", "pnl": "usd", "open_pnl": "usd", "risk": "usd"}


def basket_text(ctx: ToolContext, mark: Event) -> tuple[str, tuple[Fact, ...]]:
    """The basket's ledger in a sentence, and its facts; nothing of a desk without one."""
    found = mark.body.get("basket")
    if found is None:
        return "", ()
    values: dict[str, tuple[Value, str]] = {name: (found[name], unit) for name, unit in LEDGER.items()}
    facts = make_facts(ctx.handle("b", found["name"]), f"basket {found['name']}", Evidence("event", mark.id), values)
    h = facts[0].ref.partition(".")[0]
    inside = sum(pair["side"] != "flat" for pair in found["pairs"])
    text = (
        f" The basket {clean(found['name'], 40)} has {{{h}.equity}} ({{{h}.cash}} cash), gross {{{h}.gross}}, net {{{h}.net}}: "
    )
    text += f"{inside} of {len(found['pairs'])} pairs are in, {{{h}.trips}} round trips of pairs, fees {{{h}.fees}}, funding "
    return f"{text}{{{h}.funding}}. Legs, net: {legs_text(mark)}.", facts


def legs_text(mark: Event) -> str:
    """What each leg holds net, and where its wide stop is: `pairs-btc-usdt short 0.012 with its stop at 77,442.7`."""
    from engine.watch.health import bare_text

    found = []
    for name, sleeve in mark.body["sleeves"].items():
        position = sleeve.get("position")
        if position is None:
            found.append(f"{name} flat")
            continue
        layer = position["layers"][0]
        stop = f"with its stop at {layer['protective']:,.6g}{bare_text(layer)}"
        found.append(f"{name} {position['side']} {position['quantity']:g} {stop}")
    return "; ".join(found)


def pair_table(ctx: ToolContext, mark: Event, symbol: str = "") -> tuple[Table, tuple[Fact, ...]]:
    """One row a pair, its figures as facts; of those alone that have the leg `symbol`."""
    facts: list[Fact] = []
    rows = []
    for pair in mark.body["basket"]["pairs"]:
        name = str(pair["pair"])
        if symbol and symbol not in name.split():
            continue
        h = ctx.handle("x", name)
        facts += make_facts(
            h, f"pair {name}", Evidence("event", mark.id), {key: (pair.get(key), unit) for key, unit in FIGURES.items()}
        )
        shown = {key: f"{{{h}.{key}}}" if pair.get(key) is not None else "-" for key in FIGURES}
        legs = ", ".join(f"{leg} {lots:+,}" for leg, lots in (pair.get("lots") or {}).items()) or "-"
        rows.append(
            (name, pair["side"], shown["z"], shown["hedge"], legs, shown["pnl"], shown["open_pnl"], shown["risk"], _now(pair))
        )
    return Table(COLUMNS, tuple(rows)), tuple(facts)


def _now(pair: Mapping[str, Any]) -> str:
    """What it is about to do, or which rule keeps it out."""
    if pair.get("entering"):
        return "enters at the next open"
    if pair.get("leaving"):
        return f"leaves: {pair['leaving']}"
    return f"refused: {pair['refused_by']}" if pair.get("refused_by") else "-"

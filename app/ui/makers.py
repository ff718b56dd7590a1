"""Market making on the page: a line a maker below the runs, and each as a page. Called by runs.py.

Quotes against the book, inventory, P&L with and without rebate, fills by how long their order had rested (fast ones apart:
they are the adverse ones), halts. Simulated, on paper or at an account: the page says which, and with which money.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui import clocks, drawn, links, parts
from app.ui.figures import NONE, count, is_number, number, percent, price, to_minute, tone
from app.ui.page_client import PageClient, Trouble
from app.ui.parts import Linked
from app.ui.safe import typeset

SHOWN_MAX = 12
FILLS_MAX = 24
FAST_S = 1.0  # fills whose order had rested for less are reported apart
HORIZONS = 4
SIGNS = {"bad": "■", "warn": "▲", "calm": "●"}
LIVE = "No order of it leaves: seven recorded days and an edge above the fees in four of five windows come first."
MONEY = {"live": "REAL MONEY", "testnet": "PLAY MONEY"}
Maker = Mapping[str, Any]


def listed(api: PageClient) -> None:
    """A line a maker; nothing before the first."""
    items = api.get("/api/makers")["items"]
    if not items:
        return
    with st.container(key="panel_makers"):
        at = [item for item in items if item["account"]]
        parts.head("Market making", f"{count(len(items))} kept; {f'{count(len(at))} at an account' if at else 'none is live'}")
        heads = ("maker", "what it is", "what it came to", "fills", "net", "written, UTC")
        parts.table(heads, list(map(_row, items[:SHOWN_MAX])), left=(0, 1, 2), wrap=(0, 1, 2), thin=(1, 3, 5))
        if (more := len(items) - SHOWN_MAX) > 0:
            parts.soft(f"and {count(more)} more: nightdesk making list")


def _row(item: Maker) -> Sequence[parts.Cell]:
    kind, text = verdict_of(item)
    look = {"bad": "neg", "warn": "wrn"}.get(kind, "")
    about = (typeset(f"{item['kind']}{account_of(item)}, {item['state']}"), "wrn" if item["account"] else "mut")
    to = Linked(str(item["name"]), {"tab": "runs", "maker": str(item["name"])})
    return (
        to,
        about,
        (f"{SIGNS[kind]} {text}", look),
        count(item["fills"]),
        _money(item["net"]),
        (to_minute(item["written_ms"], clocks.wall_ms()), "mut"),
    )


def account_of(item: Maker) -> str:
    """` mm, PLAY MONEY, stage testnet`; nothing of one that sends nothing."""
    return f" {item['account']}, {MONEY.get(item['mode'], item['mode'])}, stage {item['stage']}" if item["account"] else ""


def verdict_of(item: Maker) -> tuple[str, str]:
    """(look, text): what loses or cannot be read is bad, a halt a warning, an edge calm."""
    halted = f", halted by {item['halted_by']}" if item["halted_by"] else ""
    if str(item["verdict"]).startswith("No edge") or item["state"] == "unreadable":
        return "bad", typeset(str(item["verdict"] or "It cannot be read")) + halted
    return "warn" if halted else "calm", typeset(str(item["verdict"])) + halted


def show(api: PageClient, name: str) -> None:
    """The page of one."""
    links.press("All runs and makers", {"tab": "runs"}, key="all_makers", icon=":material/arrow_back:", look="tertiary")
    try:
        found = api.get(f"/api/makers/{name}")
    except Trouble as trouble:
        st.error(trouble.markdown())
        return
    market = f"{found['venue']} {found['symbol']} {found['market']}"
    about = [{"text": str(found["kind"]).upper(), "loud": True}, {"text": found["state"]}, {"text": market}]
    parts.title(
        name, [*about, {"text": f"quoter {found['quoter']}"}, *({"text": found["file"]} for _ in range(bool(found["file"])))]
    )
    kind, verdict = verdict_of(found)
    parts.note(f"{SIGNS[kind]} {verdict}.", str(found["why"]), kind)
    if found["account"]:
        parts.note(
            f"▲ {MONEY.get(found['mode'], found['mode'])}:", f"account {found['account']}, stage {found['stage']}.", "warn"
        )
    if found["ended"]:
        left = f"left: {'; '.join(found['left'])}" if found["left"] else "nothing is left"
        kind, sign = ("warn", "▲") if found["left"] else ("calm", "●")
        parts.note(f"{sign} The halt ended in {found['ended'].replace('_', ' ')}:", f"{left}.", kind)
    if found["halt"]:
        parts.note(
            f"▲ Halted by {found['halt']['rule']} after {number(found['halt']['at_s'], 1)} s.", _reason(found["halt"]), "warn"
        )
    parts.tiles(_tiles(found))
    _drawn(name, found)
    _by_speed(found)
    _last(found)
    if not found["account"]:
        parts.soft(f"{LIVE} nightdesk making stage says what is missing.")


def _reason(halt: Maker) -> str:
    return str(halt["reason"]) or "Everything was cancelled, and nothing more was sent."


def _after(found: Maker) -> str:
    """What is off the net."""
    funding = found.get("funding")
    return f"after fees of {number(found['fees'])}" + (f", funding {number(funding, sign=True)}" if funding else "")


def _tiles(found: Maker) -> list[dict[str, str]]:
    """Money first, then what was filled."""
    pnl, fees = found["pnl"] or {}, found["fees_bps"]
    net = pnl.get("net_closed", found["net"])
    shown = [("net, rest closed" if pnl else "net", net, _after(found))]
    if pnl:
        shown += [
            ("without fees", pnl["gross"], f"spread {number(pnl['spread_captured'], sign=True)}"),
            ("moves since", pnl["moves"], "what the middle did"),
            ("with a rebate", pnl["with_rebate"], f"of {number(fees.get('rebate', 0.0), 1)} bps, instead of the fee"),
        ]
    tiles = [{"name": name, "value": _signed(value), "note": typeset(note), "tone": tone(value)} for name, value, note in shown]
    base = str(found["symbol"]).partition("-")[0]
    fast = sum(c["fills"] for c in found["by_speed"] if c["to_s"] is not None and c["to_s"] <= FAST_S)
    tiles += [
        {"name": "fills", "value": count(found["fills"]), "note": f"of {count(found['orders'])} orders; {count(fast)} fast"},
        {"name": "inventory", "value": number(found["inventory"], 3, sign=True), "note": f"{base} at the end"},
    ]
    return tiles


def _drawn(name: str, found: Maker) -> None:
    """Three charts over one time: quotes against the book, inventory, money."""
    points = found["points"]
    if not points["t_s"]:
        return
    begun = found["begun_ms"] or 0
    x = [begun + round(t * 1000) for t in points["t_s"]]
    dots = [
        {"x": begun + round(f["t_s"] * 1000), "y": f["price"], "tone": "up" if f["side"] == "buy" else "down hollow"}
        for f in found["last_fills"]
    ]
    quotes = [
        _line("own bid", "accent", points["own_bid"]),
        _line("own ask", "series2", points["own_ask"]),
        _line("best bid", "edge", points["bid"]),
        _line("best ask", "edge", points["ask"]),
    ]
    money = [
        _line("after fees", "accent", points["net"]),
        _line("without fees", "hold", points["gross"]),
        _line("with rebate", "series2", points["with_rebate"]),
    ]
    charts: tuple[tuple[str, str, list[dict[str, Any]], str, int, list[dict[str, Any]]], ...] = (
        ("Quotes against the book", "the last fills: filled a buy, hollow a sell", quotes, "price", 300, dots),
        ("Inventory", "base units", [_line("inventory", "accent", points["inventory"])], "base", 160, []),
        ("P&L", "inventory at the middle", money, "price", 220, []),
    )
    for n, (head, sub, lines, unit, height, marked) in enumerate(charts):
        with st.container(key=f"panel_maker_{n}"):
            parts.head(head, sub, legend=lines if len(lines) > 1 else ())
            spec = {"kind": "curve", "unit": unit, "label": head, "height": height, "x": x, "lines": lines, "dots": marked}
            drawn.chart(spec, key=f"maker_{n}_{name}", mark=f"{name} {n} {found['written_ms']} {len(x)}")


def _line(name: str, look: str, values: Sequence[float | None]) -> dict[str, Any]:
    return {"name": name, "tone": look, "dash": "", "y": list(values)}


def _by_speed(found: Maker) -> None:
    """What the market did after fills, by how long their order had rested; the fast class first and apart."""
    with st.container(key="panel_maker_speed"):
        parts.head("Adverse selection", "move in favour of the fill, bps, by how long its order had rested")
        if not found["after_fills"]:
            parts.table(("rested", "fills"), [(_class_of(c), count(c["fills"])) for c in found["by_speed"]])
            parts.soft("What the market did after them is computed when the tape is over, or of a live book's recorded tape.")
            return
        horizons = found["after_fills"][:HORIZONS]
        heads = ("rested", "fills", *(f"after {h['horizon_s']:g} s" for h in horizons), "against, 10 s")
        rows = [_speed_row(horizons, n, found["by_speed"]) for n in range(len(horizons[0]["classes"]))]
        parts.table(heads, rows, thin=(2, len(heads) - 1))
        fast = [h["classes"][0]["move_bps"] for h in horizons]
        if any(is_number(value) and value < 0.0 for value in fast):
            parts.soft("▲ fast: filled within a second, because the market came to the quote. These are the adverse ones.")


def _speed_row(horizons: Sequence[Maker], n: int, counts: Sequence[Maker]) -> Sequence[parts.Cell]:
    classes = [h["classes"][n] for h in horizons]
    moves = [(number(c["move_bps"], sign=True), tone(c["move_bps"])) for c in classes]
    ten = next((h["classes"][n] for h in horizons if h["horizon_s"] == 10), classes[-1])
    fills = next((c["fills"] for c in counts if c["from_s"] == classes[0]["from_s"]), classes[0]["orders"])
    return (_class_of(classes[0]), count(fills), *moves, percent(ten["adverse_frac"], 0))


def _class_of(one: Maker) -> str:
    fast = one["to_s"] is not None and one["to_s"] <= FAST_S
    upto = f"{one['from_s']:g} to {one['to_s']:g} s" if one["to_s"] is not None else f"over {one['from_s']:g} s"
    return f"▲ fast, {upto}" if fast else upto


def _last(found: Maker) -> None:
    """The last fills, the newest first."""
    if not found["last_fills"]:
        return
    with st.container(key="panel_maker_fills"):
        parts.head(
            "Last fills", "seconds after the begin; filled by the queue, a trade through the price, or the book crossing it"
        )
        rows = [_fill(f) for f in reversed(found["last_fills"][-FILLS_MAX:])]
        parts.table(("at, s", "side", "price", "size", "rested", "by"), rows, left=(1, 5), thin=(5,))


def _fill(f: Maker) -> Sequence[parts.Cell]:
    fast = f["rested_s"] < FAST_S
    rested = (f"{'▲ ' if fast else ''}{number(f['rested_s'], 1)} s", "wrn" if fast else "")
    side = (str(f["side"]), "pos" if f["side"] == "buy" else "neg")
    return number(f["t_s"], 1), side, price(f["price"]), number(f["quantity"], 4), rested, (str(f["by"]), "mut")


def _money(value: Any) -> parts.Cell:
    return (_signed(value), tone(value))


def _signed(value: Any) -> str:
    return number(value, sign=True) if is_number(value) else NONE

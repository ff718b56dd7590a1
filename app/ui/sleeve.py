"""One sleeve: its state and figures, what waits or is wrong, candles with its trips (market.py), its equity, why it did not
trade, its settings and how a person proposes to change them (sleeve_settings.py). Called by sleeves.py.
"""

import re
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st

from app.ui import clocks, drawn, links, market, parts, sleeve_settings, urgent
from app.ui.figures import SIMULATED, count, counted, in_r, number, of_strategy, percent, price, short, since, tone
from app.ui.market import MarketPart
from app.ui.page_client import PageClient, Trouble
from app.ui.parts import Linked
from app.ui.safe import typeset

EVERY_S = 5
AGAIN_S = 20.0
DRAWN = "sleeve_drawn"  # in the session: when the page was drawn as a whole
BREACHED = "BREACHED"  # in a canary's sentence
PROPOSAL = re.compile(r"\bprop-\d{1,9}\b")
STRETCHES = (("today", "Today, UTC"), ("d7", "7 days"), ("d30", "30 days"), ("start", "Since start"))


def show(api: PageClient, session: Mapping[str, Any], item: Mapping[str, Any], state: str | tuple[str, str]) -> None:
    """The page of a sleeve; `item`: its line in the list, `state`: in a few words."""
    st.session_state[DRAWN] = time.monotonic()
    name = str(item["name"])
    page = api.last(f"/api/sleeves/{name}")
    words, look = (state, "") if isinstance(state, str) else state
    runs = page["runs_version"]
    waits = "" if runs in (None, page["version"]) else f", the worker still runs {runs}"
    venue, symbol, kind = str(page["instrument"]).split(":")
    about: list[dict[str, Any]] = [{"text": f"{page['strategy']} on {symbol} {kind}, {venue}, {page['timeframe']}"}]
    about.append({"text": f"version {page['version']}{waits}", "loud": bool(waits)})
    parts.title(name, [*about, {"text": words, "loud": look == "wrn"}])
    acts, above, figures = (st.container(), st.container(), st.container())  # filled after the candles, which take longest
    clock, where = page["desk_ms"], {"tab": "sleeves", "sleeve": name}
    if clock is None:
        parts.soft("The desk has not decided a bar yet. Next: nightdesk up")
    else:
        of = MarketPart(f"desk_{name}", "/api/desk/candles", "/api/desk/trips", {"sleeve": name}, where, clock)
        market.show(api, of, partial(_trips, api, name, clock))
    with acts, st.container(horizontal=True, gap="small", vertical_alignment="center"):
        links.press("All sleeves", {"tab": "sleeves"}, key="all_sleeves", icon=":material/arrow_back:", look="tertiary")
        its = {"tab": "desk", "view": "account", "sleeve": name}
        links.press("Its orders", its, key="its_orders", icon=":material/receipt_long:", look="tertiary")
        st.button(
            "Ask about it", key="ask_about", icon=":material/chat:", type="tertiary", on_click=links.ask_about, args=(name,)
        )
        if session:
            sleeve_settings.acts(api, {**item, "name": sleeve_settings.configured(page)}, page)
    with figures:
        _figures(api, name, clock, drawn_open=bool(page.get("position")))
    if clock is not None:
        show_basket(page.get("basket"))
        _results(api, item, page)
        _drift(page)
        _worked(page)
    sleeve_settings.show(api, session, page)
    with above:
        if item.get("canary"):
            _canary(str(item["canary"]))
        _alerts(api, name)
        sleeve_settings.waiting(api, session, sleeve_settings.configured(page))


def _trips(api: PageClient, name: str, clock_ms: int) -> tuple[Mapping[str, Any], str]:
    """The table of its trips, and what it says."""
    table = api.as_of(clock_ms, f"/api/sleeves/{name}/trips")
    note = f"{len(table['rows']):,} on the desk, the newest first; a row shows its trip in the chart"
    note += "; out: the open of its bar" if api.last("/api/desk").get("mode") in SIMULATED else ""
    return {**table, "file": f"trips-{name}"}, note


def _canary(text: str) -> None:
    """What is on trial, how far, and the card that says when it goes back."""
    found = PROPOSAL.search(text)
    to = Linked("Its card", {"tab": "proposals", "proposal": found[0]}) if found else None
    parts.note("◐ A change on trial:", f"{typeset(text)}.", "warn" if BREACHED in text else "calm", to=to)


def _alerts(api: PageClient, name: str) -> None:
    """The open alerts that name this sleeve, the loudest first, without the page that the strip above has; of notes, which ask
    for nothing, how many."""
    where, notes = {"tab": "desk", "view": "alerts"}, 0
    items = api.last("/api/alerts", open="true", limit=100)["items"]
    above = next((page.get("id") for page in urgent.asking(items, api.last("/api/desk"))), "")
    for item in sorted(items, key=urgent.rank):
        words = f"{item.get('place') or ''} {item.get('what') or ''}"
        named = name in words.replace(",", " ").replace(":", " ").replace("(", " ").replace(")", " ").split()
        if not named or item.get("id") == above:
            continue
        if item.get("severity") == "note":
            notes += 1
            continue
        kind = {"page": "bad"}.get(str(item.get("severity")), "warn")
        began = f"Since {since(item.get('since_ms'), api.last('/api/desk').get('now_ms'))} (wall clock)."
        to_do = typeset(str(item.get("action") or "see the alert").replace("`", "").rstrip("."))
        sign = urgent.SIGNS.get(str(item.get("severity")), ("○", ""))[0]
        parts.note(f"{sign} {urgent.named(item)}", f"{began} To do: {to_do}.", kind, to=Linked("The alert", where))
    if notes:
        line = parts.Line("○", f"{counted(notes, 'note')} on it:", "nobody has to act.", "mut", Linked("read", where))
        parts.listed([line])


@st.fragment(run_every=EVERY_S)
def _figures(api: PageClient, name: str, drawn_ms: int | None, *, drawn_open: bool) -> None:
    """The strip of figures; refreshes itself, and the whole page when it is outlived; its chart is of `drawn_ms`."""
    try:
        page, lately = api.last(f"/api/sleeves/{name}"), api.last("/api/desk/lately", sleeve=name)
    except Trouble as trouble:  # a fragment must handle its own errors
        parts.note("▲ No new figures.", trouble.what, "warn")
        return
    drawn_for = time.monotonic() - st.session_state.get(DRAWN, 0.0)
    if outlived(page, drawn_ms, drawn_for, drawn_open=drawn_open):
        st.rerun()
    held = _position(page.get("position"), of_basket=bool(page.get("basket")))
    parts.tiles([*held, *(_stretch(lately.get(key), label) for key, label in STRETCHES)])


def outlived(page: Mapping[str, Any], drawn_ms: int | None, drawn_for_s: float, *, drawn_open: bool) -> bool:
    """Whether the whole page is drawn again: at most every AGAIN_S, but at once when a position was opened or closed, since
    title, chart and figures would contradict each other."""
    turned = bool(page.get("position")) != drawn_open
    return page["desk_ms"] != drawn_ms and (turned or drawn_for_s > AGAIN_S)


def _position(held: Mapping[str, Any] | None, *, of_basket: bool) -> list[dict[str, str]]:
    """The open position, and how far away what would end it is."""
    if not held:
        return [{"name": "Position", "value": "flat", "note": "no open position", "tone": ""}]
    size = f"{in_r(held['r'])} · {held['side']} from {price(held['entry'])}"
    times = f" · {number(held['leverage'])}x" if held.get("leverage") is not None else ""
    notional = f"{number(held['quantity'], 6).rstrip('0').rstrip('.')}{times}"
    gained = {"name": "Unrealised, USDT", "value": number(held["unrealised"], sign=True)}
    levels = [_level(name, held[key]) for name, key in (("To the stop", "stop"), ("To the target", "target"))]
    away = held["liquidation"]
    none = "one margin for all legs" if of_basket else "no price reaches it"
    far = _level("To liquidation", away) if away.get("price") else {"name": "Liquidation", "value": "–", "note": none}
    return [
        gained | {"note": size, "tone": tone(held["unrealised"])},
        {"name": "Notional, leverage", "value": number(held["notional"], 0), "note": notional, "tone": ""},
        *levels,
        far | {"tone": ""},
    ]


def _level(name: str, level: Mapping[str, Any]) -> dict[str, str]:
    """A level as a tile: how far from the mark, and its price."""
    if level.get("uncovered"):  # a wanted price is no stop: nothing at the venue ends the position there
        wanted = f"wanted at {price(level['price'])}" if level.get("price") is not None else "none is known"
        return {"name": name, "value": "no order", "note": wanted, "tone": "neg"}
    if level.get("price") is None:
        return {"name": name, "value": "–", "note": level.get("kind") or "none", "tone": ""}
    kind = f"{level['kind']} " if level.get("kind") else ""
    return {"name": name, "value": percent(level["away_frac"], sign=True), "note": f"{kind}{price(level['price'])}", "tone": ""}


def _stretch(found: Mapping[str, Any] | None, name: str) -> dict[str, str]:
    """Net P&L of a stretch as a tile."""
    if not found:
        return {"name": name, "value": "–", "note": "", "tone": ""}
    trips = f"{count(found['trips'])} trip{'' if found['trips'] == 1 else 's'}"
    r = f"{in_r(found['r'])} · " if found.get("r") is not None else ""
    apart = f" · {number(found['incident'], sign=True)} in incidents" if found.get("incident") else ""
    made = of_strategy(found)
    return {"name": name, "value": number(made, sign=True), "note": f"{r}{trips}{apart}", "tone": tone(made)}


def _results(api: PageClient, item: Mapping[str, Any], page: Mapping[str, Any]) -> None:
    """Equity of the sleeve, and what it did at each close lately."""
    left, right = st.columns([1.7, 1], gap="small")
    curve = api.last("/api/desk/equity", sleeve=item["name"], points=400)
    with left.container(key="panel_sleeve_equity", height="stretch"):
        parts.head("Return of the sleeve, drawdown below", f"from {number(item['cash_start'], 0)} USDT")
        if len(curve["close_ms"]) > 1:
            drawn.chart(_curve(curve, item["cash_start"]), key=f"curve_{item['name']}", mark=str(page["desk_ms"]))
        else:
            parts.soft("One close so far.")
    with right.container(key="panel_sleeve_closes", height="stretch"):
        total = sum(row["closes"] for row in page["closes"])
        parts.head("Why it did not trade", f"{count(page['closes_ms'] / 86_400_000)} days, {total:,} closes")
        parts.table(("at its closes", "closes", "share"), [_close(row, total) for row in page["closes"]])
        blocked = any(row["blocked"] for row in page["closes"])
        parts.soft("Amber: the signal was there, and a rule refused the entry." if blocked else "")


def show_basket(basket: Mapping[str, Any] | None) -> None:
    """The pairs of a basket: what each is in, where its spread is, its legs, what it has made and why it leaves; its ledger."""
    if not basket:
        return
    with st.container(key="panel_sleeve_basket"):
        about = (
            f"gross {number(basket['gross'], 0)}, net {number(basket['net'], 0, sign=True)} USDT, {count(basket['trips'])} trips"
        )
        parts.head(f"Pairs of the basket {basket['name']}", about)
        ledger = ((name, basket.get(name)) for name in ("equity", "cash", "fees", "funding"))
        parts.soft("; ".join(f"{name} {number(value)}" for name, value in ledger if value is not None))
        heads = ("pair", "side", "spread, deviations", "hedge", "lots", "made", "open", "at risk", "now")
        parts.table(heads, [_pair(row) for row in basket["pairs"]], left=(0, 1, 8), thin=(3, 4), wrap=(4, 8))


def _pair(row: Mapping[str, Any]) -> Sequence[parts.Cell]:
    """One pair."""
    lots = ", ".join(f"{leg} {number(held, 0, sign=True)}" for leg, held in (row.get("lots") or {}).items())
    now = "enters at the next open" if row.get("entering") else f"leaves: {row['leaving']}" if row.get("leaving") else ""
    refused = f"▲ refused: {row['refused_by']}" if row.get("refused_by") else ""
    figures = (number(row["z"], sign=True), number(row["hedge"], 3), lots or "–")
    money = [(number(row.get(key), sign=True), tone(row.get(key))) for key in ("pnl", "open_pnl")]
    return (
        row["pair"],
        row["side"],
        *figures,
        *money,
        number(row.get("risk")),
        (now or refused, "wrn" if refused and not now else ""),
    )


def _drift(page: Mapping[str, Any]) -> None:
    """What the sleeve made beside its backtest, and beside other homes that trade it, as last compared."""
    rows = page.get("drift") or []
    if not rows:
        return
    with st.container(key="panel_sleeve_drift"):
        parts.head("Drift", f"{short(rows[0]['from_ms'], clocks.desk_ms())} to {short(rows[0]['to_ms'], clocks.desk_ms())}, USDT")
        parts.table(
            ("between", "difference", "by cause", "verdict"), [_drift_row(row) for row in rows], left=(0, 2, 3), wrap=(2, 3)
        )


def _drift_row(row: Mapping[str, Any]) -> Sequence[parts.Cell]:
    causes = ", ".join(f"{cause} {number(usd, sign=True)}" for cause, usd in row["causes"].items()) or "none"
    usd, verdict = row["difference_usd"], row["verdict"]
    verdict += f" since {short(row['since_ms'], clocks.desk_ms())}" if row.get("since_ms") is not None else ""
    verdict += f", about {count(row['needed'])} trips to know" if row.get("needed") and row["verdict"] == "not known yet" else ""
    loud = row["verdict"] == "worse"
    sides = f"{row['one']} and {row['other']}"
    return (sides, (number(usd, sign=True), tone(usd)), causes, (f"▲ {verdict}" if loud else verdict, "wrn" if loud else ""))


def _worked(page: Mapping[str, Any]) -> None:
    """Entries that were worked in slices: cost against arrival, and the slices of the newest one."""
    found = page.get("worked")
    if not found and not page.get("execution"):
        return
    with st.container(key="panel_sleeve_worked"):
        how = page.get("execution") or "no schedule now"
        parts.head("Entries worked in slices", f"{how}, {count(page['closes_ms'] / 86_400_000)} days")
        if not found or not found["orders"]:
            parts.soft("None has filled yet.")
            return
        cost = "–" if found["cost_bps"] is None else f"{number(found['cost_bps'], sign=True)} bps"
        parts.soft(f"{count(found['parents'])} entries, {cost} against arrival, {count(found['slices_refused'])} slices refused")
        columns = ("decided", "side", "arrival", "average", "cost, bps", "slices done", "lots filled")
        parts.table(columns, [_parent(row) for row in found["orders"]])
        newest = found["orders"][0]
        parts.head("Slices of the newest", short(newest["decided_ms"], clocks.desk_ms()))
        parts.table(("slice", "sent", "lots", "filled", "ended by", "order"), [_slice(part) for part in newest["slices"]])


def _parent(row: Mapping[str, Any]) -> Sequence[parts.Cell]:
    side, all_ = "long" if row["side"] > 0 else "short", row["slices_done"] + row["slices_refused"]
    prices = price(row["arrival"]), price(row["average"]), number(row["cost_bps"], sign=True)
    lots = f"{count(row['lots_filled'])} of {count(row['lots'])}"
    return (short(row["decided_ms"], clocks.desk_ms()), side, *prices, f"{row['slices_done']} of {all_}", lots)


def _slice(part: Mapping[str, Any]) -> Sequence[parts.Cell]:
    number_of = f"{part['slice']} of {part['of']}"
    ended = part["why"] or ("filled" if part["filled_lots"] >= part["lots"] else "at work")
    return (
        number_of,
        short(part["sent_ms"], clocks.wall_ms()),
        count(part["lots"]),
        count(part["filled_lots"]),
        ended,
        part["order"],
    )


def _close(row: Mapping[str, Any], total: int) -> Sequence[parts.Cell]:
    words = f"▲ refused: {row['what']}" if row["blocked"] else row["what"]
    return ((words, "wrn" if row["blocked"] else ""), count(row["closes"]), percent(row["closes"] / total if total else None, 0))


def _curve(curve: Mapping[str, Any], cash: float) -> dict[str, Any]:
    """The sleeve's equity as a chart of its return."""
    line = {
        "name": "this sleeve",
        "tone": "accent",
        "dash": "",
        "y": [e / cash - 1 if e is not None else None for e in curve.get("strategy") or curve["equity"]],
    }
    fall = [None if d is None else -d for d in curve["drawdown_frac"]]
    label = "Return of this sleeve, drawdown below"
    more: dict[str, Any] = {"marks": [], "stopped": None, "height": 300}
    return {"kind": "curve", "label": label, "unit": "percent", "x": curve["close_ms"], "lines": [line], "fall": fall, **more}

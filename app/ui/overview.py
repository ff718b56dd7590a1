"""The desk at a glance: figures, equity against holding, what needs a person, guardrails, positions, sleeves, shared exposure,
P&L by period.

Called by desk.py; refreshes itself. What depends on the newest mark alone is asked for once a mark (PageClient.as_of).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui import drawn, exposure, incidents, links, money, parts, shadow, sleeves, urgent
from app.ui.figures import (
    NONE,
    SIMULATED,
    counted,
    in_r,
    is_number,
    length,
    number,
    of_strategy,
    percent,
    price,
    pure,
    short,
    tone,
)
from app.ui.page_client import PageClient, Trouble, apart

EVERY_S = 5
DAY_MS = 86_400_000
ALERTS = {"tab": "desk", "view": "alerts"}
RANGES = {"1M": 30, "3M": 91, "1Y": 365, "All": 0}  # days back from the desk's time; 0: from its start
POINTS = 400
HEIGHT = 390  # of the chart: what is open begins above the fold of 900 pixels
NEAR = 0.1  # of the way from entry to stop: with less of it left, the distance is amber
TRIPS_MAX, CLOSED_MAX = 200, 6  # newest round trips that are searched for the open ones; closed ones that are listed


@st.fragment(run_every=EVERY_S)
def show(api: PageClient) -> None:
    """All of it; the words of a silent API are in the head."""
    try:
        _draw(api)
    except Trouble as trouble:  # a fragment must handle its own errors
        if not trouble.down:
            st.warning(trouble.markdown(), icon=":material/cloud_off:")


def _draw(api: PageClient) -> None:
    desk, items = api.last("/api/desk"), api.last("/api/sleeves")["items"]
    event = desk.get("event")
    made: sleeves.Lately = {}
    hold: Mapping[str, Any] = {}
    with apart():
        made = sleeves.lately(api, desk)
    with apart():
        hold = api.as_of(event, "/api/desk/benchmark", points=POINTS // 2)
    bare = any(map(sleeves.bare, items))
    if bare:  # a position that nothing guards comes before every figure
        with st.container(key="panel_positions"), apart():
            positions(api, desk, items)
    parts.tiles(tiles(desk, made, hold))
    if parts.phone():  # what is open and who loses comes before the curve
        _first(api, desk, items, made, bare=bare)
        with st.container(key="panel_equity"), apart():
            _equity(api, desk, hold)
    else:
        left, right = st.columns([2, 1], gap="small")
        with left.container(key="panel_equity", height="stretch"), apart():
            _equity(api, desk, hold)
        with right.container(key="panel_urgent", height="stretch"), apart():
            urgent.show(api, desk)
        if not bare:
            with st.container(key="panel_positions"), apart():
                positions(api, desk, items)
        _differences(api, desk)
    left, right = st.columns([1.4, 1], gap="small")
    if not parts.phone():
        with left.container(key="panel_desk_sleeves"), apart():
            _sleeves(api, desk, items, made)
    with left.container(key="panel_money", height="stretch"), apart():
        money.show(api, desk)
    with right.container(key="panel_exposure"), apart():
        exposure.show(api, desk, items)
    with right.container(key="panel_lately", height="stretch"), apart():
        parts.head("Latest round trips", "USDT, net of costs")
        _closed(_trips(api, desk), desk.get("desk_ms"))


def _differences(api: PageClient, desk: Mapping[str, Any]) -> None:
    """Of the venue, and of what is traded in shadow."""
    with apart():
        incidents.show(api, desk)
    with apart():
        shadow.show(api, desk)


def _first(
    api: PageClient, desk: Mapping[str, Any], items: Sequence[Mapping[str, Any]], made: sleeves.Lately, *, bare: bool
) -> None:
    """What a phone shows above the curve: what needs a person, what is open, which sleeve loses, how near the limits are."""
    with st.container(key="panel_urgent"), apart():
        urgent.needed(api, desk)
    if not bare:
        with st.container(key="panel_positions"), apart():
            positions(api, desk, items)
    with st.container(key="panel_desk_sleeves"), apart():
        _sleeves(api, desk, items, made)
    with st.container(key="panel_limits"), apart():
        urgent.limits(desk)
    _differences(api, desk)


def _sleeves(api: PageClient, desk: Mapping[str, Any], items: Sequence[Mapping[str, Any]], made: sleeves.Lately) -> None:
    parts.head("Sleeves", f"USDT, net of costs; {_version(desk)}")
    sleeves.table(items, made, desk, {} if parts.phone() else sleeves.curves(api, desk, items))


def tiles(desk: Mapping[str, Any], made: sleeves.Lately, hold: Mapping[str, Any]) -> list[dict[str, str]]:
    """Equity, P&L of the four stretches, drawdown with the breaker's reference, exposure."""
    peak, limits = desk.get("peak"), desk.get("limits") or {}
    found = [{"name": "Equity, USDT", "value": number(desk.get("equity")), "note": f"highest {number(peak)}"}]
    own = made.get(None) or {}
    for name, key in (("Today, UTC", "today"), ("7 days", "d7"), ("30 days", "d30"), ("Since start", "start")):
        one = own.get(key) or {}
        trips = f"{counted(one['trips'], 'trip')} closed" if is_number(one.get("trips")) else ""
        notes = [f"{in_r(one['r'])}, {trips}" if is_number(one.get("r")) else trips]
        if key == "start" and (held := holding(hold)) is not None:
            notes = [f"holding {number(held, 0, sign=True)}"]
        apart = f"{number(one.get('net'), sign=True)} with incidents"
        notes += [apart] if one.get("incident") else []
        net = of_strategy(one)  # what incident windows made is apart, here as in each list
        note = " · ".join(filter(None, notes))
        found.append({"name": name, "value": number(net, sign=True), "note": note, "tone": tone(net)})
    lost = desk.get("drawdown_frac")
    fell = {
        "name": "Drawdown, from highest",
        "value": percent(lost),
        "note": _breaker(desk, limits),
    }
    gross = f"{number(desk.get('gross'), 0)} of at most {pure(limits.get('gross_frac_max'))}× equity"
    exposed = {"name": "Exposure", "value": percent(desk.get("gross_frac"), 1), "note": gross}
    return [*found, fell, exposed]


def holding(hold: Mapping[str, Any]) -> float | None:
    """What holding the desk's instruments made since the start, in money."""
    values = [value for value in hold.get("equity") or [] if is_number(value)]
    back = hold.get("return_frac")
    if not values or not is_number(back) or back <= -1:
        return None
    return float(values[-1] - values[-1] / (1 + back))


def _breaker(desk: Mapping[str, Any], limits: Mapping[str, Any]) -> str:
    """Where the breaker halts, and from which peak it measures when a release has moved that."""
    most, reference = percent(limits.get("drawdown_frac_max"), 0), desk.get("breaker_peak")
    if not is_number(reference) or reference == desk.get("peak"):
        return f"desk halts at {most}"
    return f"breaker {percent(desk.get('breaker_drawdown_frac') or 0.0)} from {number(reference, 0)}, halts at {most}"


def _equity(api: PageClient, desk: Mapping[str, Any], hold: Mapping[str, Any]) -> None:
    """The desk's equity and drawdown against holding, over a range that ends at the desk's time."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        legend = [{"name": "desk", "tone": "accent", "dash": ""}, {"name": "hold the same", "tone": "hold", "dash": "dotted"}]
        parts.head("Equity, USDT; drawdown below", legend=legend)
        chosen = st.segmented_control("Range", RANGES, default="All", key="range", required=True, label_visibility="collapsed")
    days, now = RANGES.get(str(chosen), 0), desk.get("desk_ms")
    since = int(now - days * DAY_MS) if days and is_number(now) else 0
    curve = api.as_of(desk.get("event"), "/api/desk/equity", points=POINTS, since_ms=since)
    if not curve["close_ms"]:
        parts.soft("No bar is decided yet: the curve begins with the first.")
        return
    drawn.chart(spec(curve, hold, since), key="desk_equity", mark=f"{desk.get('event')} {chosen}")
    parts.soft(f"Hold: {hold['assumptions']}." if hold.get("assumptions") else "")


def spec(curve: Mapping[str, Any], hold: Mapping[str, Any], since_ms: int) -> dict[str, Any]:
    """The chart: equity, holding as far as the curve goes, drawdown below."""
    begun, until = max(since_ms, curve["close_ms"][0]), curve["close_ms"][-1]
    held = [(x, y) for x, y in zip(hold.get("close_ms") or [], hold.get("equity") or [], strict=True) if begun <= x <= until]
    lines: list[dict[str, Any]] = [{"name": "desk", "tone": "accent", "y": curve["equity"]}]
    if held:
        lines.append({"name": "hold", "tone": "hold", "dash": "dotted", "x": [x for x, _ in held], "y": [y for _, y in held]})
    fall = [-value if is_number(value) else None for value in curve["drawdown_frac"]]
    made = {
        "kind": "curve",
        "unit": "equity",
        "label": "Equity of the desk against holding, drawdown below",
        "height": 350 if parts.phone() else HEIGHT,
    }
    return made | {"x": curve["close_ms"], "lines": lines, "fall": fall}


def _instrument(s: Mapping[str, Any]) -> str:
    return f"{s['venue']}:{s['symbol']}:{s['market']}"


def gone(found: Mapping[str, Any]) -> set[str]:
    """Instruments of which the venue holds nothing and the desk something. `found`: /api/reconcile."""
    return {str(one["instrument"]) for one in found["differences"] if (one.get("card") or {}).get("venue_lots") == 0}


def positions(api: PageClient, desk: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> None:
    """Every open layer between its stop and its target; what is unprotected first."""
    held = sorted((s for s in items if s.get("position")), key=lambda s: not sleeves.bare(s))
    gained = [s["unrealised"] for s in held if is_number(s.get("unrealised"))]
    made = f"; {number(sum(gained), sign=True)} unrealised" if gained else ""
    parts.head("Open positions", f"{len(held)} of {len(items)} sleeves; USDT{made}")
    away = gone(api.last("/api/reconcile")) if desk.get("mode") not in SIMULATED else set()
    bare = [s for s in held if sleeves.bare(s)]
    if names := [str(s["name"]) for s in bare if _instrument(s) not in away]:
        rest = f"for {', '.join(names)}: place a stop at the venue by hand, or HALT."
        parts.note("■ No protective order works", rest, "bad", to=parts.Linked("what to do", ALERTS))
    if names := [str(s["name"]) for s in held if _instrument(s) in away]:
        rest = (
            f"{', '.join(names)}: it needs no stop, and its P&L here is of the desk's book alone. Adopt it, under Desk and venue."
        )
        parts.note("■ The venue holds nothing of", rest, "bad", to=parts.Linked("what to do", ALERTS))
    if not held:
        parts.soft("Flat: no open position.")
        return
    risks = {trip["sleeve"]: trip.get("risk") for trip in _trips(api, desk) if trip.get("reason") == "open"}
    simulated = desk.get("mode") in SIMULATED
    rows = [row for s in held for row in layer_rows(s, risks.get(s["name"]), desk.get("desk_ms"), simulated=simulated)]
    heads = ("sleeve", "side", "size", "notional", "entry", "mark", "unrealised", "R", "stop · entry · mark · target")
    parts.table(
        (*heads, "protective, away", "target, away", "open for"), rows, left=(0, 1), thin=(2, 3, 4, 5, 8, 10, 11), wrap=(9,)
    )


def _trips(api: PageClient, desk: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The newest round trips, newest entry first."""
    items: Sequence[Mapping[str, Any]] = api.as_of(desk.get("event"), "/api/desk/trips", limit=TRIPS_MAX)["items"]
    return items


def _closed(trips: Sequence[Mapping[str, Any]], now_ms: Any) -> None:
    """The last few that are over, each with the event that closed it, at that event's time."""
    over = sorted((trip for trip in trips if is_number(trip.get("closed_ms"))), key=lambda trip: -trip["closed_ms"])[:CLOSED_MAX]
    if not over:
        parts.soft("No round trip is closed yet.")
        return
    rows: list[Sequence[parts.Cell]] = [
        (
            parts.Linked(short(trip["closed_ms"], now_ms), links.place("event", str(trip.get("exit_event"))) or {}),
            str(trip.get("sleeve")),
            str(trip.get("side")),
            str(trip.get("reason")),
            (number(trip.get("net"), sign=True), tone(trip.get("net"))),
            (in_r(trip.get("r")), tone(trip.get("r"))),
        )
        for trip in over
    ]
    parts.table(("closed", "sleeve", "side", "by", "net", "R"), rows, left=(0, 1, 2, 3), thin=(2,))


def _version(desk: Mapping[str, Any]) -> str:
    """The configuration that runs, and the one that waits; before the first bar none does."""
    if not is_number(desk.get("version")):
        return "no configuration runs yet"
    waits = "" if desk.get("active_version") == desk.get("version") else f", v{pure(desk.get('active_version'))} waits"
    return f"configuration v{pure(desk.get('version'))}{waits}"


def layer_rows(s: Mapping[str, Any], risk: Any, now_ms: Any, *, simulated: bool = False) -> list[Sequence[parts.Cell]]:
    """A position's layers; its P&L, in money and in R, stands in the first.

    A simulated layer that leaves at the next open has no levels: its exit has taken the place of its stop and target.
    """
    position = s["position"]
    lots, side = position.get("lots"), str(position.get("side") or "")
    mark, gained = s.get("mark"), s.get("unrealised")
    r = gained / risk if is_number(gained) and is_number(risk) and risk > 0 else None
    rows: list[Sequence[parts.Cell]] = []
    for n, layer in enumerate(position.get("layers") or []):
        share = abs(layer["lots"] / lots) if lots and layer.get("lots") else None
        size, notional = (
            abs(position[k]) * share if share is not None and is_number(position.get(k)) else None
            for k in ("quantity", "notional")
        )
        leaves = simulated and bool(layer.get("due"))
        entry = layer.get("entry")
        stop, target = (None, None) if leaves else (layer.get("protective"), layer.get("target"))
        first = ((number(gained, sign=True), tone(gained)), (in_r(r), tone(r))) if n == 0 else ("", "")
        opened = position.get("opened_ms")
        lasts = length((now_ms - opened) / 1000) if is_number(now_ms) and is_number(opened) else NONE
        rows.append(
            (
                sleeves.linked(s),
                side,
                pure(size),
                number(notional, 0),
                price(entry),
                price(mark),
                *first,
                _ladder(stop, entry, mark, target) if layer.get("covered") else "",  # a stop that is wanted is none
                f"leaves next open: {layer['due']}" if leaves else _protected(layer, mark),
                f"{price(target)} {_away(mark, target)}" if is_number(target) else NONE,
                lasts if n == 0 else "",
            )
        )
    return rows


def _protected(layer: Mapping[str, Any], mark: float | None) -> parts.Cell:
    """The protective level and how far it is; red when its order does not work, amber when the mark has nearly reached it."""
    entry, stop = layer.get("entry"), layer.get("protective")
    shown = f"{price(stop)} {_away(mark, stop)}{_order(layer)}"
    if not layer.get("covered"):
        wanted = f", wanted {price(stop)}" if is_number(stop) else ""
        return f"■ {layer.get('exit_state') or layer.get('protective_state') or 'no order'}{wanted}", "neg"
    known = is_number(entry) and is_number(stop) and is_number(mark)
    near = known and abs(mark - stop) <= NEAR * abs(entry - stop)  # type: ignore[operator]
    return (f"▲ {shown}", "wrn") if near else shown


def _ladder(stop: Any, entry: Any, mark: Any, target: Any) -> parts.Cell:
    if not (is_number(stop) and is_number(entry) and is_number(mark)):
        return ""
    named = (("stop", stop), ("entry", entry), ("mark", mark), ("target", target))
    about = ", ".join(f"{name} {price(value)}" for name, value in named if is_number(value))
    return parts.Ladder(stop, entry, mark, target if is_number(target) else None, about)


def _order(layer: Mapping[str, Any]) -> str:
    """How the protective order stands where it is not simply working, and what else ends the layer."""
    kind, standing = str(layer.get("protective_kind") or ""), str(layer.get("protective_state") or "")
    text = f" {kind}" if kind else ""
    text += f", {standing}" if standing not in ("working", "") else ""
    if layer.get("due"):
        text += f"; leaves by {layer['due']}, exit {layer.get('exit_state') or 'unknown'}"
    if layer.get("dust"):
        text += f"; dust: the venue takes no order below {layer['dust']} lots"
    if "stop_at" in layer:
        text += f"; venue refuses to move it from {layer['stop_at']} ({layer.get('stop_lots')} lots)"
    return text


def _away(mark: float | None, level: Any) -> str:
    """How far the level is from the mark."""
    return percent((level - mark) / mark, sign=True) if mark and is_number(level) else ""

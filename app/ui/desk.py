"""The desk tab: its state now. Called by streamlit_app.py; its other views: journal.py, runs.py, alerts.py, handover.py.

Sleeves, positions with their protective orders, equity and drawdown, guardrail usage, breakers.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui import alerts, charts, handover, journal, links
from app.ui.figures import NONE, count, figure, is_number, number, percent, price, pure, when
from app.ui.page_client import PageClient, Trouble
from app.ui.safe import chart, words

TITLES = {"overview": "Overview", "journal": "Journal", "alerts": "Alerts", "handover": "Handover"}
EVERY_S = 5
GUARDS = 9  # guardrails shown: those closest to their limits
NEAR = 0.8  # share of a limit from which a bar is red


def show(api: PageClient, session: Mapping[str, Any]) -> None:
    """The view in the URL."""
    st.session_state["view"] = links.view()
    st.segmented_control(
        "View",
        links.VIEWS,
        key="view",
        format_func=TITLES.__getitem__,
        required=True,
        label_visibility="collapsed",
        on_change=_turn_to,
    )
    if links.view() == "alerts":
        alerts.show(api, session)
        return
    views = {"overview": overview, "journal": journal.show, "handover": handover.show}
    views[links.view()](api)


def _turn_to() -> None:
    links.go({"tab": "desk", "view": st.session_state["view"]})


@st.fragment(run_every=EVERY_S)
def overview(api: PageClient) -> None:
    """The desk at a glance; refreshes itself."""
    try:
        desk, sleeves = api.desk(fresh=True), api.get("/api/sleeves")["items"]
        equity = api.get("/api/desk/equity", points=500)
    except Trouble as trouble:  # a fragment must handle its own errors
        st.warning(trouble.markdown(), icon=":material/cloud_off:")
        return
    _figures(desk)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown("**Equity and drawdown**")
        charts.equity([("desk", equity)], key="desk_equity", height=300)
    with right:
        st.markdown("**Guardrails: how much of each limit is used**")
        _guards(desk.get("guards") or [])
    st.markdown("**Positions and their protective orders**")
    _positions(sleeves)
    st.markdown("**Sleeves**")
    st.markdown(sleeve_table(sleeves))


def _figures(desk: Mapping[str, Any]) -> None:
    """Four figures and the tripped breakers."""
    halts = percent((desk.get("limits") or {}).get("drawdown_frac_max"))
    breaker = f"{percent(desk.get('breaker_drawdown_frac'))} below {number(desk.get('breaker_peak'))}"
    peak = (
        f"below {number(desk.get('peak'))}, the highest equity ever. The breaker halts at {halts} below the peak since the start "
    )
    peak += f"or the last release; now {breaker}"
    figures = (
        ("Equity, USDT", number(desk.get("equity")), "all sleeves, marked at the last close"),
        ("Drawdown", percent(desk.get("drawdown_frac")), peak),
        ("Gross exposure", percent(desk.get("gross_frac"), 1), "open and working notional, of equity"),
        ("Version", pure(desk.get("version")), f"of the configuration; active: {pure(desk.get('active_version'))}"),
    )
    with st.container(horizontal=True, key="figures"):
        for label, value, about in figures:
            st.metric(label, value, help=about)
    for breaker in desk.get("breakers") or []:
        st.error(f"Breaker tripped: {words(breaker, 200)}", icon=":material/bolt:")
    if desk.get("state") not in (None, "running"):
        st.warning(f"The desk is {words(desk['state'], 60)}.")


def _guards(guards: Sequence[Mapping[str, Any]]) -> None:
    """One bar per limit; 100 % is the limit."""
    import plotly.graph_objects as go

    measured = [g for g in guards if is_number(g.get("used_frac"))]
    if not measured:
        st.caption("No limit has been measured yet.")
        return
    measured = sorted(measured, key=lambda g: float(g["used_frac"]))
    less, measured = measured[:-GUARDS], measured[-GUARDS:]
    used = [min(1.0, max(0.0, float(g["used_frac"]))) for g in measured]
    colors = ["#d9655f" if u >= NEAR else "#e8c547" if u >= 0.5 else "#5aa9e6" for u in used]
    drawn = go.Figure(go.Bar(x=used, y=list(range(len(measured))), orientation="h", marker={"color": colors}, hoverinfo="skip"))
    for n, g in enumerate(measured):
        label = f"{chart(g.get('name')).replace('_', ' ')}: {_short(g, 'value')} of {_short(g, 'limit')}"
        drawn.add_annotation(x=0, y=n, yshift=15, text=label, xanchor="left", showarrow=False)
    drawn.update_xaxes(range=[0, 1], tickformat=".0%", tickvals=[0, 0.5, NEAR, 1])
    drawn.update_yaxes(visible=False, range=[-0.6, len(measured) - 0.2])
    drawn.update_layout(height=50 + 38 * len(measured), margin={"l": 8, "r": 20, "t": 4, "b": 8}, bargap=0.72)
    st.plotly_chart(drawn, key="guards", config=charts.CONFIG, width="stretch")
    if less:
        st.caption(f"{len(less)} more limits, each at {percent(less[-1]['used_frac'], 0)} or less")
    unknown = [str(g.get("name")) for g in guards if not is_number(g.get("used_frac"))]
    if unknown:
        st.caption(f"Not measured yet: {words(', '.join(unknown), 300)}")


def _short(guard: Mapping[str, Any], key: str) -> str:
    """A guardrail's number, rounded."""
    value, unit = guard.get(key), str(guard.get("unit"))
    if not is_number(value):
        return NONE
    return figure(value, unit) if unit in ("frac", "usd", "count", "bars") else f"{value:,.3g}"


def _positions(sleeves: Sequence[Mapping[str, Any]]) -> None:
    """Every open layer with its protective order; unprotected ones are flagged first."""
    rows = [row for sleeve in sleeves for row in _layers(sleeve)]
    bare = [s["name"] for s in sleeves for layer in (s.get("position") or {}).get("layers") or [] if not layer.get("protective")]
    if bare:
        st.error(f"No protective order known for {words(', '.join(dict.fromkeys(bare)), 200)}", icon=":material/shield:")
    if not rows:
        st.caption("Flat: no open position.")
        return
    head = ["| sleeve | side | size | entry | protective | away | target | open since |", "|---|---|---|---|---|---|---|---|"]
    st.markdown("\n".join([*head, *rows]))


def _layers(sleeve: Mapping[str, Any]) -> list[str]:
    position = sleeve.get("position") or {}
    lots, mark = position.get("lots"), None
    if position.get("notional") and position.get("quantity"):
        mark = abs(position["notional"] / position["quantity"])
    rows = []
    for layer in position.get("layers") or []:
        share = abs(layer["lots"] / lots) if lots and layer.get("lots") else None
        size = position["quantity"] * share if share is not None and position.get("quantity") is not None else None
        kind = f"{layer.get('protective_kind') or ''} {layer.get('protective_state') or ''}".strip()
        if layer.get("due"):
            kind += f"; leaves by {layer['due']}, exit {layer.get('exit_state') or 'unknown'}"
        if "stop_at" in layer:
            kind += f"; venue refuses to move it from {layer['stop_at']} ({layer.get('stop_lots')} lots)"
        cells = [
            words(sleeve["name"], 60),
            words(position.get("side"), 10),
            words(pure(abs(size)) if size is not None else NONE),
            words(price(layer.get("entry"))),
            f"**{words(price(layer.get('protective')))}** {words(kind, 80)}",
            words(_away(mark, layer.get("protective"))),
            words(price(layer.get("target"))),
            words(when(position.get("opened_ms"))),
        ]
        rows.append("| " + " | ".join(cells) + " |")
    return rows


def _away(mark: float | None, level: Any) -> str:
    """Distance from the last mark to the protective level."""
    return percent(abs(mark - level) / mark) if mark and is_number(level) else NONE


def sleeve_table(sleeves: Sequence[Mapping[str, Any]]) -> str:
    """One line per sleeve: what it runs, its result, its state."""
    head = ["| sleeve | runs | equity | P&L | round trips | costs | version | state |", "|---|---|---|---|---|---|---|---|"]
    return "\n".join([*head, *(_sleeve(s) for s in sleeves)]) if sleeves else "No sleeve is configured."


def _sleeve(s: Mapping[str, Any]) -> str:
    gained = s["equity"] - s["cash_start"] if is_number(s.get("equity")) and is_number(s.get("cash_start")) else None
    costs = [s.get(name) for name in ("fees", "slippage")]
    spent = sum(abs(c) for c in costs if is_number(c)) if any(is_number(c) for c in costs) else None
    waiting = f" (v{s['waiting_version']} waits)" if s.get("waiting_version") else ""
    cells = [
        f"**{words(s.get('name'), 60)}**",
        words(f"{s.get('strategy')} on {s.get('venue')} {s.get('symbol')} {s.get('timeframe')}", 100),
        words(number(s.get("equity"))),
        words(number(gained, sign=True)),
        words(count(s.get("trips"))),
        words(number(spent)),
        words(f"{'v' + str(s['version']) if s.get('version') else NONE}{waiting}"),
        words(state_of(s), 120),
    ]
    return "| " + " | ".join(cells) + " |"


def state_of(s: Mapping[str, Any]) -> str:
    """A sleeve's state in a few words."""
    position, order = s.get("position") or {}, s.get("order") or {}
    stage = str(s.get("stage_reached") or s.get("stage") or "paper")
    parts = ["" if stage == "paper" else stage.replace("_", " "), "paused by a person" if s.get("paused") else ""]
    parts += [f"no entries until {when(s['blocked_until_ms'])}" if s.get("blocked_until_ms") else ""]
    parts += [f"pause until {when(s['paused_until_ms'])}" if s.get("paused_until_ms") else ""]
    if until := s.get("shut_until_ms"):
        parts.append(f"no_entry window until {when(until)}" if until > 0 else "no_entry never opens")
    parts += [str(position.get("side") or "flat"), f"{order.get('side')} order pending" if order else ""]
    return ", ".join(part for part in parts if part)

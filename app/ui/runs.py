"""Stored runs: list, one run with curve and report, one round trip. Called by app.ui.desk."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.ui import charts, jobs, links
from app.ui.figures import count, day, is_number, money, number, percent, ratio, when
from app.ui.page_client import PageClient, Trouble
from app.ui.safe import words

NOTES_MAX = 6
METRICS = (
    ("return", "total_return_frac", percent),
    ("Sharpe", "sharpe", ratio),
    ("drawdown", "max_drawdown_frac", percent),
    ("round trips", "trades", count),
    ("win rate", "win_rate", percent),
    ("fees", "fees", money),
    ("funding", "funding", money),
    ("Sortino", "sortino", ratio),
    ("Calmar", "calmar", ratio),
    ("exposure", "exposure_frac", percent),
    ("turnover", "turnover", ratio),
)


def show(api: PageClient) -> None:
    """The run in the URL, or the list with the running jobs."""
    run = links.at("run")
    if run:
        st.button(
            "All runs", icon=":material/arrow_back:", type="tertiary", on_click=links.go, args=({"tab": "desk", "view": "runs"},)
        )
        _one(api, run)
        return
    jobs.live(api, api.get("/api/jobs", live="true", limit=20)["items"])
    items = api.get("/api/runs", limit=50)["items"]
    if not items:
        st.caption("No stored runs yet. Ask the developer for a backtest.")
        return
    head = [
        "| run | made | strategy | instrument | bars | return | Sharpe | drawdown | round trips | days |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    st.markdown("\n".join([*head, *(_row(r) for r in items)]))


def _row(r: Mapping[str, Any]) -> str:
    cells = [
        f"[{words(r['id'], 40)}]({links.href('run', str(r['id']))})",
        words(when(r.get("created_ms"))),
        words(r.get("strategy"), 60),
        words(f"{r.get('symbol')} {r.get('timeframe')}", 60),
        words(r.get("source") or "–", 20),
        words(percent(r.get("total_return_frac"))),
        words(ratio(r.get("sharpe"))),
        words(percent(r.get("max_drawdown_frac"))),
        words(count(r.get("trades"))),
        words(r.get("life") or "–", 160),
    ]
    return "| " + " | ".join(cells) + " |"


def _one(api: PageClient, ident: str) -> None:
    """Metrics, both fill scenarios, the curve, the full report."""
    try:
        run = api.get(f"/api/runs/{ident}")
        curve = api.get(f"/api/runs/{ident}/equity", points=1000)
    except Trouble as trouble:
        st.error(trouble.markdown())
        return
    data = run.get("data") or {}
    st.subheader(words(f"{run.get('strategy')} on {run.get('symbol') or ''} {run.get('timeframe') or ''}", 100), anchor=False)
    span = f"{day(data.get('first_ms'))} to {day(data.get('last_ms'))}, {count(data.get('bars'))} in total"
    st.caption(words(f"{ident} · {data.get('source')} bars, {span}", 200))
    life = run.get("life") or {}
    st.caption(words(life.get("text"), 300))
    beyond = [life["beyond"]] if life.get("beyond") else []
    for note in [*beyond, *(run.get("notes") or [])[:NOTES_MAX]]:
        st.warning(words(note, 400))
    _scenarios(run.get("scenarios") or {})
    metrics = run.get("metrics") or {}
    _trip(api, ident, int(metrics.get("trades") or 0))
    left, right = st.columns([3, 1], gap="large")
    with left:
        charts.equity([(ident, curve)], key=f"run_{ident}", height=380)
    with right:
        st.markdown(_metrics(metrics))
    st.link_button("Whole report", api.browser_url(f"/api/runs/{ident}/report"), icon=":material/description:")
    with st.expander("Parameters, hashes"):
        st.json({k: run.get(k) for k in ("params", "config_hash", "journal_hash", "data", "breakers")}, expanded=1)


def _scenarios(scenarios: Mapping[str, Any]) -> None:
    """The return under both fill scenarios."""
    both = f"pessimistic {percent(scenarios.get('pessimistic'))}, optimistic {percent(scenarios.get('optimistic'))}"
    st.markdown(words(f"Return under both fill scenarios: {both}; {count(scenarios.get('ambiguous_bars'))} ambiguous bars", 200))


def _metrics(metrics: Mapping[str, Any]) -> str:
    rows = [f"| {label} | {words(form(metrics.get(key)))} |" for label, key, form in METRICS]
    return "\n".join(["| figure | value |", "|---|---|", *rows])


def _trip(api: PageClient, run: str, trips: int) -> None:
    """The round trip in the URL, and an input to choose one."""
    trip = links.at("trip")
    number_of = int(trip[1:]) if trip[1:].isdigit() else None
    if trips > 0:
        chosen = st.number_input(
            "Round trip", 1, max(trips, number_of or 1), number_of, placeholder="number", key=f"trip_{run}", width=160
        )
        if chosen and chosen != number_of:
            links.go({"tab": "desk", "view": "runs", "run": run, "trip": f"t{chosen}"})
            st.rerun()
    if not trip:
        return
    try:
        answer = api.get(f"/api/runs/{run}/trips/{trip}")
    except Trouble as trouble:
        st.error(trouble.markdown())
        return
    with st.container(border=True):
        st.markdown(f"**Round trip {words(trip)}**: {words(answer.get('text'), 1000)}")
        found = answer.get("trip") or {}
        costs = found.get("costs") or {}
        about = {
            k: v for k, v in (found.get("trip") or {}).items() if k not in costs and k not in ("trip", "layers", "lots", "sleeve")
        }
        st.markdown(_scalars("what", about))
        st.markdown(_scalars("money, USDT", costs))
        with st.expander("All decisions, sizes, caps and fills"):
            st.json(found, expanded=2)


def _scalars(name: str, part: Any) -> str:
    """The scalar values of a part of a round trip, as a table of one row."""
    values = (
        {k: v for k, v in part.items() if not isinstance(v, dict | list) and v is not None} if isinstance(part, Mapping) else {}
    )
    if not values:
        return ""
    forms = [when(v) if k.endswith("_ms") else number(v) if is_number(v) else str(v) for k, v in values.items()]
    head = " | ".join(words(k.removesuffix("_ms").replace("_", " "), 40) for k in values)
    return f"**{name}**\n\n| {head} |\n{'|---' * len(values)}|\n| {' | '.join(words(form, 60) for form in forms)} |"

"""The form that starts a backtest: strategy, instrument, span, costs, parameters with their bounds. Called by runs.py and run.py.

Turns what a person chose into one POST /api/runs; jobs.py draws progress and outcome. Only what differs from a
strategy's defaults is sent.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui import jobs, links, param_field, rights
from app.ui.figures import day
from app.ui.page_client import PageClient, Trouble
from app.ui.safe import words

BEGUN = "backtest_begun"
LEGS_MAX = 12  # of a basket
FIRST = "BTC-USDT perp, "  # offered first where there are bars of it
ORDER = ("1m", "5m", "15m", "1h", "4h", "1d")
Params = dict[str, Any]


def show(api: PageClient) -> None:
    """The form, folded; below it the backtest that was started from it."""
    with st.expander("New backtest", icon=":material/add:"):
        strategies, series = api.get("/api/strategies")["items"], _bars(api.get("/api/data")["items"])
        if not series:
            st.caption("No bars yet: pull some on the first page, or `nightdesk data import FILE`.")
            return
        _form(api, strategies, series)
    if begun():
        jobs.follow(api, begun())


def begun() -> str:
    """The job of the backtest that was last started from the form; empty for none."""
    return str(st.session_state.get(BEGUN) or "")


def _bars(items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The plain bar series among the data."""
    return [dict(item) for item in items if item.get("series") in ORDER and not item.get("tag")]


def _form(api: PageClient, strategies: Sequence[Mapping[str, Any]], series: Sequence[Mapping[str, Any]]) -> None:
    left, middle, right = st.columns([1, 1.4, 1], gap="small")
    name = left.selectbox("Strategy", [s["name"] for s in strategies], key="bt_strategy")
    try:
        chosen = api.get(f"/api/strategies/{name}")
    except Trouble as trouble:  # a person's file that cannot be read says so, and only a name is lost
        st.error(trouble.markdown())
        return
    basket = bool(chosen.get("basket"))
    picked = _picked(middle, series, basket=basket)
    several = [s for s in series if _instrument(s) in picked]
    clocks = sorted({s["series"] for s in several if _on_all(several, picked, s["series"])}, key=ORDER.index)
    if not clocks or len(picked) < 1 + basket:
        st.caption("Choose two instruments or more of one venue and market, with bars of one timeframe.")
        return
    timeframe = right.selectbox("Timeframe", clocks, index=clocks.index("15m") if "15m" in clocks else 0, key="bt_clock")
    legs = [next(s for s in several if _instrument(s) == name and s["series"] == timeframe) for name in picked]
    first_ms, last_ms = max(s["first_ms"] for s in legs), min(s["last_ms"] for s in legs)
    st.caption(words(f"{chosen['about']} · {legs[0]['source']} bars from {day(first_ms)} to {day(last_ms)}", 400))
    one, two, three, four = st.columns(4, gap="small")
    start = one.text_input("From, UTC", placeholder="2025, 2025-03 or 2025-03-04", max_chars=40, key="bt_from")
    end = two.text_input("Until, exclusive", placeholder="the last bar", max_chars=40, key="bt_until")
    side = three.selectbox("Side", ("both",) if basket else ("both", "long", "short"), key="bt_side")
    fills = four.selectbox(
        "Fills",
        ("pessimistic", "optimistic") if basket else ("pessimistic", "optimistic", "vwap"),
        key="bt_fills",
        help="how a bar that could fill two ways is read; vwap: pessimistic, with market orders at the bar's average price",
    )
    params = _params(chosen)
    body = {"strategy": name, "symbol": ",".join(s["symbol"] for s in legs), "timeframe": timeframe}
    body |= {"venue": legs[0]["venue"], "market": legs[0]["market"]}
    more: dict[str, Any] = {"start": start.strip() or None, "end": end.strip() or None, "side": side, "fills": fills}
    more["changes"] = [{"key": key, "value": value} for key, value in (params or {}).items()]
    changed = ", ".join(f"{key} {value}" for key, value in (params or {}).items())
    st.caption(words(f"Changed: {changed}" if changed else "All parameters at their defaults."))
    look: dict[str, Any] = {"type": "primary", "icon": ":material/play_arrow:"}
    if rights.button(api, "Run the backtest", key="bt_run", disabled=params is None, **look):
        _begin(api, {**body, **more})


def _picked(place: Any, series: Sequence[Mapping[str, Any]], *, basket: bool) -> list[str]:
    """The instruments that were chosen: one, or of a basket several of one venue and market."""
    names = sorted({_instrument(s) for s in series})
    first = next((n for n, one in enumerate(names) if one.startswith(FIRST)), 0)
    if not basket:
        return [place.selectbox("Instrument", names, index=first, key="bt_instrument")]
    same = [name for name in names if _place_of(name) == _place_of(names[first])]
    usual = [names[first], *(name for name in same if name != names[first])][:2]
    return list(place.multiselect("Instruments", names, default=usual, key="bt_instruments", max_selections=LEGS_MAX))


def _on_all(series: Sequence[Mapping[str, Any]], picked: Sequence[str], timeframe: str) -> bool:
    """Whether these instruments can be run together on a timeframe: bars of each, at one venue and market."""
    there = {_instrument(s) for s in series if s["series"] == timeframe}
    return there == set(picked) and len({_place_of(name) for name in picked}) == 1


def _place_of(instrument: str) -> str:
    """Venue and market, as `_instrument` writes them."""
    return instrument.partition(" ")[2]


def _instrument(series: Mapping[str, Any]) -> str:
    return f"{series['symbol']} {series['market']}, {series['venue']}"


def _params(chosen: Mapping[str, Any]) -> Params | None:
    """What was set to something else than its default; None while one of them is not allowed."""
    found: Params = {}
    with st.popover("Parameters", icon=":material/tune:"):
        for row in chosen["params"]:
            value = param_field.field(row, row["default"], f"bt_{chosen['name']}_{row['key']}", "default")
            if value != row["default"]:
                found[row["key"]] = value
    return None if None in found.values() else found


def again(api: PageClient, run: Mapping[str, Any]) -> None:
    """A button that runs a stored run of one sleeve again, from its first bar to the last whole day of the desk."""
    about = "The same strategy, parameters, costs and first day, under the desk's limits."
    label, ident = "Run it again to the desk's time", str(run["run_id"])
    if rights.button(api, label, key=f"again_{ident}", icon=":material/update:", type="tertiary", help=about):
        _begin(api, repeated(run, api.desk().get("desk_ms")))


def repeated(run: Mapping[str, Any], desk_ms: Any) -> dict[str, Any]:
    """The request that a stored run came from, ending with the desk's last whole day."""
    sleeve, names = run["sleeves"][0], ("strategy", "symbol", "venue", "market", "side", "cash")
    kept = {name: sleeve[name] for name in names} | {name: run[name] for name in ("timeframe", "fills", "funding")}
    changes = [{"key": key, "value": value} for key, value in sleeve["params"].items()]
    return {**kept, "start": day(run["data"]["first_ms"]), "end": day(desk_ms), "changes": changes}


def _begin(api: PageClient, body: Mapping[str, Any]) -> None:
    """Start the job; a run that is stored already is opened at once."""
    try:
        job = api.post("/api/runs", body)
    except Trouble as trouble:
        st.error(trouble.markdown())
        return
    if job["state"] == "done" and job.get("run_id"):
        st.session_state.pop(BEGUN, None)
        links.go({"tab": "runs", "run": job["run_id"]})
    else:
        st.session_state[BEGUN] = str(job["id"])
        links.go({"tab": "runs"})  # where its progress is
    st.rerun()

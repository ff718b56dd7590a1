"""One stored run: verdict, figures, equity against holding, months, candles with its trips (market.py), exits, the report.

Called by app/ui/runs.py. The figures come from the API as the report shows them (/api/runs/{id}/figures); here they get the
page's look. All text of a run is outside text: it is escaped on its way into HTML.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui import drawn, links, market, parts, rights, run_form
from app.ui.market import MarketPart
from app.ui.page_client import PageClient, Trouble
from app.ui.safe import words

KEPT = "run_figures"
TRIAL = "as of this run "  # of a note on its place among its trials when it was made; the head has the place it has now
EXPORTS = (
    ("Report, HTML", "report.html"),
    ("Round trips, CSV", "trips.csv"),
    ("Equity of each bar, CSV", "equity.csv"),
    ("Everything, JSON", "run.json"),
)


def show(api: PageClient, ident: str) -> None:
    """The run in the URL."""
    try:
        run, found = api.get(f"/api/runs/{ident}"), figures(api, ident)
    except Trouble as trouble:
        st.error(trouble.markdown())
        return
    _head(api, run, found, ident)
    parts.tiles(found["tiles"])
    left, right = st.columns([1.7, 1], gap="small")
    with left.container(key="panel_run_curve", height="stretch"):
        parts.head("Return, drawdown below", legend=found["legend"])
        drawn.chart(found["drawn"]["curve"], key=f"curve_{ident}", mark=ident)
        parts.soft(found["hold_note"])
    with right.container(key="panel_run_months", height="stretch"):
        parts.head("Months")
        parts.table(("", "run", "hold", "trips", "won"), [_month(row) for row in found["months"]], total=True, scroll=True)
    _pairs(found)
    _market(api, run, found, ident)
    _distributions(found, ident)
    _breakdowns(found, ident)
    _below(found)


def figures(api: PageClient, ident: str) -> dict[str, Any]:
    """The run's figures; a stored run never changes, so a session asks once for each of its last few."""
    kept = st.session_state.setdefault(KEPT, {})
    if ident not in kept:
        kept[ident] = api.get(f"/api/runs/{ident}/figures")
        while len(kept) > 4:
            kept.pop(next(iter(kept)))
    return dict(kept[ident])


def _head(api: PageClient, run: Mapping[str, Any], found: Mapping[str, Any], ident: str) -> None:
    """Name, span, source, and what must be read before any figure."""
    name = str(run.get("name") or "")
    parts.title(name or found["heading"], [*([{"text": found["heading"]}] if name else []), *found["about"]], ident)
    for verdict in found["verdicts"]:
        parts.note(verdict["strong"], verdict["text"], verdict["kind"])
    if beyond := (run.get("life") or {}).get("beyond"):
        parts.note(f"▲ {beyond[:1].upper()}{beyond[1:]}.", "", "warn")
    if behind := (run.get("life") or {}).get("behind"):
        parts.note(
            f"▲ {behind[:1].upper()}{behind[1:]}:", "what the desk has lived since is not in it. Next: run it again.", "warn"
        )
    tried = str((run.get("trial") or {}).get("text") or "")
    parts.soft(f"{tried[:1].upper()}{tried[1:]}." if tried else "")
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        links.press("All runs", {"tab": "runs"}, key="all_runs", icon=":material/arrow_back:", look="tertiary")
        st.link_button("Report", api.browser_url(f"/api/runs/{ident}/report"), icon=":material/description:", type="tertiary")
        with st.popover("Export", icon=":material/download:", type="tertiary"):
            for label, name in EXPORTS:
                st.link_button(label, api.browser_url(f"/api/runs/{ident}/export/{name}"), type="tertiary")
        with st.popover("Name", icon=":material/edit:", type="tertiary"):
            _name(api, ident, name)
        if (run.get("life") or {}).get("behind") and len(run["sleeves"]) == 1:
            run_form.again(api, run)


def _name(api: PageClient, ident: str, name: str) -> None:
    """A form that gives the run a name."""
    with st.form(f"name_{ident}", border=False):
        text = st.text_input("Name of this run", name, max_chars=60, placeholder="e.g. wide stop, before the fix")
        if rights.submit(api, "Keep", key=f"keep_{ident}"):
            try:
                api.post(f"/api/runs/{ident}/name", {"name": text})
            except Trouble as trouble:
                st.error(trouble.markdown())
                return
            st.rerun()


def _pairs(found: Mapping[str, Any]) -> None:
    """Of a basket what each pair made, and each of its legs."""
    if not found.get("pairs"):
        return
    with st.container(key="panel_run_pairs"):
        parts.head("What each pair made", "by leg, quote currency")
        rows = [(row["name"], row["leg"], *row["money"][:-1], (row["money"][-1], row["tone"])) for row in found["pairs"]]
        parts.table(("", "leg", "gross", "slippage", "fees", "funding", "net"), rows, left=(0, 1), thin=(3, 5), scroll=True)


def _month(row: Mapping[str, Any]) -> Sequence[parts.Cell]:
    return (row["name"], (row["run"], row["tone"]), (row["hold"], "mut"), row["trips"], row["won"])


def _distributions(found: Mapping[str, Any], ident: str) -> None:
    """Trips by result, excursions, and the way from gross to net."""
    left, middle, right = st.columns(3, gap="small")
    with left.container(key="panel_run_result", height="stretch"):
        parts.head("Trips by result", "in R")
        drawn.chart(found["drawn"].get("result"), key=f"result_{ident}", mark=ident)
        if "result" not in found["drawn"]:
            parts.soft("No closed trip with a stop.")
    with middle.container(key="panel_run_dots", height="stretch"):
        parts.head("Against and for", found["dots_note"])
        if picked := drawn.chart(found["drawn"].get("dots"), key=f"dots_{ident}", mark=ident, picks=True):
            links.go({"tab": "runs", "run": ident, "trip": picked})
            st.rerun()
    with right.container(key="panel_run_costs", height="stretch"):
        parts.head("Costs", "from gross to net")
        drawn.chart(found["drawn"].get("costs"), key=f"costs_{ident}", mark=ident)
        parts.soft("Quote currency; open positions at their mark.")


def _breakdowns(found: Mapping[str, Any], ident: str) -> None:
    """By exit path and side, by weekday and hour, by sleeve."""
    heads = ("", "trips", "won", "mean R", "median time", "net")
    splits = list(found["splits"])
    for pair in (splits[n : n + 2] for n in range(0, len(splits), 2)):
        for column, split in zip(st.columns(2, gap="small"), pair, strict=False):
            with column.container(key=f"panel_run_{split['by']}", height="stretch"):
                parts.head(split["title"])
                rows = [_split(row) for row in split["rows"]]
                if spec := found["drawn"].get(split["by"]):
                    drawn.chart(spec, key=f"{split['by']}_{ident}", mark=ident)
                    with st.expander("Table"):
                        parts.table(heads, rows)
                else:
                    parts.table(heads, rows)


def _split(row: Mapping[str, Any]) -> Sequence[parts.Cell]:
    return (row["name"], row["trips"], row["won"], (row["mean_r"], row["r_tone"]), row["hold"], (row["net"], row["tone"]))


def _market(api: PageClient, run: Mapping[str, Any], found: Mapping[str, Any], ident: str) -> None:
    """Candles of a sleeve of the run, the chosen trip beside them, all trips below."""
    names, table = [str(sleeve["name"]) for sleeve in run["sleeves"]], found["drawn"]["trips"]
    name, note = names[0], str(found["trips_note"])
    if len(names) > 1:
        name = st.segmented_control(
            "Candles of", names, default=name, required=True, key=f"candles_of_{ident}", format_func=words
        )
        heads = [column[0] for column in table["columns"]]
        legs = dict(zip(names, run.get("symbols") or (), strict=False))  # of a basket: its trips are of pairs
        if (head := "pair" if legs else "sleeve") in heads:  # left out where all trips are of one
            at = heads.index(head)
            own = [row for row in table["rows"] if (legs[name] in str(row[at]).split() if legs else row[at] == name)]
            table = {**table, "rows": own}
            note = f"{len(own):,} of {legs.get(name) or name}, of {note[:1].lower()}{note[1:]}"
    end = int(run["data"]["last_ms"])
    where = {"tab": "runs", "run": ident}
    of = MarketPart(f"{ident}_{name}", f"/api/runs/{ident}/candles", f"/api/runs/{ident}/trips", {"sleeve": name}, where, end)
    market.show(api, of, lambda: (table, note))


def _below(found: Mapping[str, Any]) -> None:
    """Drawdowns, further figures, breakers, notes; parameters and hashes folded."""
    left, right = st.columns(2, gap="small")
    with left.container(key="panel_run_falls", height="stretch"):
        parts.head("Deepest drawdowns")
        if found["falls"]:
            parts.table(("depth", "money", "peak", "lowest", "back at it", "took"), found["falls"], left=(2, 3, 4))
        else:
            parts.soft("The equity never fell.")
    with right.container(key="panel_run_more", height="stretch"):
        parts.head("More figures")
        parts.pairs([(name, value) for name, value in found["more"]])
    with st.container(key="panel_run_notes"):
        parts.head("Breakers and notes")
        if found["breakers"]:
            parts.table(
                ("", "times", "when"), [(b["name"], b["times"], b["note"]) for b in found["breakers"]], left=(0, 2), wrap=(2,)
            )
        for text in found["warnings"]:
            if not text.startswith(TRIAL):
                parts.note("", text, "calm")
        if found["undefined"]:
            parts.pairs([(f"{name} is not defined", why) for name, why in found["undefined"].items()])
    with st.expander("Parameters, data and hashes"):
        one, two = st.columns(2, gap="small")
        with one:
            parts.pairs([(str(k), str(v)) for k, v in found["config"]])
        with two:
            parts.pairs([(str(k), str(v)) for k, v in found["proof"]])

"""Searches, walk-forwards, judgements, parity checks and drills: a list below the runs, and each as a page. Called by runs.py.

The API says what each came to (app/views/research.py); here its verdict, figures, heat map and tables are painted. One that runs
shows its progress and becomes its result.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui import clocks, jobs, links, parts
from app.ui.figures import NONE, count, figure, in_r, is_number, number, percent, to_minute, tone
from app.ui.page_client import PageClient, Trouble
from app.ui.parts import Linked
from app.ui.safe import typeset

LISTED_MAX, SHOWN_MAX = 20, 24  # lines of the list; rows of a table that does not scroll
SIGNS = {"bad": "■", "warn": "▲", "calm": "●"}
LOOKS = {"bad": "neg", "warn": "wrn"}
MINUTE_MS = 60_000
LIVE = ("queued", "running")
SPARE = (
    "train from",
    "train to",
    "test to",
    "Sharpe, train",
    "plateau",
    "variant",
    "why it is checked",
)  # columns that a phone leaves out


def listed(api: PageClient) -> None:
    """The newest ones, a line each; nothing before the first."""
    items = api.get("/api/research", limit=LISTED_MAX)["items"]
    with st.container(key="panel_research"):
        parts.head("Research", f"{len(items)} newest" if items else "sweeps, walk-forwards, judgements, parity, drills")
        if not items:
            parts.soft("Nothing yet. Ask the developer: sweep stop_atr from 1 to 4 on BTC; is trend on BTC worth paper?")
            return
        rows = [(_opened(item), _verdict_of(item), (to_minute(item["created_ms"], clocks.wall_ms()), "mut")) for item in items]
        parts.table(("", "what it came to", "made, UTC"), rows, left=(0, 1), wrap=(0, 1), thin=(2,))


def _opened(item: Mapping[str, Any]) -> Linked:
    return Linked(str(item["title"]), {"tab": "runs", "job": str(item["id"])})


def _verdict_of(item: Mapping[str, Any]) -> parts.Cell:
    """Its verdict with its sign, or how far it is."""
    if item["state"] in LIVE:
        return (f"◐ {item['state']}, {percent(item['progress'], 0)}", "")
    text = typeset(str(item["verdict"] or item["state"]))
    return (f"{SIGNS[item['look']]} {text}", LOOKS.get(str(item["look"]), ""))


def show(api: PageClient, ident: str) -> None:
    """The page of one."""
    links.press("All runs and research", {"tab": "runs"}, key="all_research", icon=":material/arrow_back:", look="tertiary")
    try:
        found = api.get(f"/api/research/{ident}")
    except Trouble as trouble:
        st.error(trouble.markdown())
        return
    source = str(found["source"] or "")
    about: list[dict[str, Any]] = [
        {"text": f"{source.upper() if source == 'synthetic' else source} bars", "loud": source == "synthetic"}
    ]
    parts.title(found["title"], [*(about if source else []), *({"text": text} for text in found["about"] if text)], ident)
    if found["state"] in LIVE:
        jobs.follow(api, ident)
        return
    verdict = typeset(found["verdict"] or f"It was {found['state']}; no result is stored.")
    parts.note(f"{SIGNS[found['look']]} {verdict}", "", found["look"])
    _ways(found)
    if found["tiles"]:
        parts.tiles([_tile(one) for one in found["tiles"]])
    if found["heat"]:
        _heat(found["heat"])
    for n, table in enumerate(found["tables"]):
        with st.container(key=f"panel_research_{n}"):
            parts.head(table["name"], table["sub"])
            _table(table)
    for line in found["notes"]:
        parts.soft(typeset(line))


def _ways(found: Mapping[str, Any]) -> None:
    """To the run that it stored, and to the chat that asked for it."""
    with st.container(horizontal=True, gap="small"):
        if found["run_id"]:
            links.press(
                "Its run",
                {"tab": "runs", "run": found["run_id"]},
                key="research_run",
                icon=":material/monitoring:",
                look="tertiary",
            )
        if found["thread"]:
            where = {"tab": "chat", "thread": found["thread"]}
            links.press("The chat that asked", where, key="research_chat", icon=":material/forum:", look="tertiary")


def _tile(one: Mapping[str, Any]) -> dict[str, str]:
    unit, value = str(one["unit"]), one["value"]
    shown = (
        percent(value, sign=one["signed"])
        if unit == "frac"
        else number(value, sign=one["signed"])
        if unit in ("usd", "ratio")
        else count(value)
    )
    return {
        "name": one["name"],
        "value": shown,
        "note": typeset(one["note"]),
        "tone": tone(value, 4 if unit == "frac" else 2) if one["signed"] else "",
    }


def _table(table: Mapping[str, Any]) -> None:
    """Its rows in their units; text to the left, long text over several lines."""
    heads, units = [c[0] for c in table["columns"]], [c[1] for c in table["columns"]]
    rows = [[_cell(value, unit) for value, unit in zip(row, units, strict=True)] for row in table["rows"]]
    texts = [n for n, unit in enumerate(units) if unit == "text"]
    long = [n for n in texts if any(len(_text_of(row[n])) > 36 for row in rows)]
    thin = [*(long[1:] if len(heads) > 4 else ()), *(n for n, head in enumerate(heads) if head in SPARE)]
    parts.table(heads, rows, left=texts, wrap=long, thin=thin, scroll=len(rows) > SHOWN_MAX)


def _text_of(cell: parts.Cell) -> str:
    return cell if isinstance(cell, str) else str(cell[0])


def _cell(value: Any, unit: str) -> parts.Cell:
    """A value in its unit; what has a unit of its own says it."""
    if isinstance(value, Mapping):
        return _cell(value.get("value"), str(value.get("unit")))
    if value is None:
        return NONE
    if not is_number(value):
        text = typeset(str(value))
        return (text, "neg" if text.startswith("■") else "wrn" if text.startswith("▲") else "mut" if text.startswith("–") else "")
    if unit == "pnl":
        return (number(value, sign=True), tone(value))
    forms = {"ratio": number(value), "bps": f"{number(value)} bps", "R": in_r(value)}
    return forms.get(unit) or figure(value, unit)


def _heat(heat: Mapping[str, Any]) -> None:
    """The best Sharpe ratio of each pair of values; the shade is between the lowest and the highest, the figure says it too."""
    ratios = [ratio for row in heat["sharpe"] for ratio in row if is_number(ratio)]
    with st.container(key="panel_research_heat"):
        parts.head(
            f"Sharpe by {heat['rows']} (down) and {heat['columns']} (across)",
            "the best of each pair; a plateau is worth more than a peak",
        )
        if not ratios:
            parts.soft("No variation has a Sharpe ratio.")
            return
        shades = [[shade(ratio, min(ratios), max(ratios)) for ratio in row] for row in heat["sharpe"]]
        parts.heat([str(v) for v in heat["column_values"]], [str(v) for v in heat["row_values"]], _ratios(heat["sharpe"]), shades)


def _ratios(rows: Sequence[Sequence[Any]]) -> list[list[str]]:
    return [[number(ratio) for ratio in row] for row in rows]


def shade(ratio: Any, low: float, high: float) -> float:
    """How strong a cell's colour is: -1 the lowest below zero, 1 the highest above it, 0 for none."""
    most = max(abs(low), abs(high))
    return float(ratio) / most if is_number(ratio) and most else 0.0

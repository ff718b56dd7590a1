"""Stored runs: the list and the running jobs; or the run in the URL. Called by streamlit_app.py.

The list is a table that sorts and filters in the browser; each run is named by a person or by what differs from the others.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui import audit, clocks, drawn, inputs, jobs, links, makers, parts, research, run, run_compare, run_form
from app.ui.figures import NONE, year_of
from app.ui.page_client import PageClient

LISTED_MAX = 200
TRADED = re.compile(r"traded ((?:all )?[\d,]+(?: of [\d,]+)? days)")
COLUMNS = (
    ("run", "text", False),
    ("strategy", "text", True),
    ("instrument", "text", True),
    ("side", "text", True),
    ("span", "text", True),
    ("return", "percent", False),
    ("Sharpe (95 %)", "interval", False),
    ("drawdown", "share", False),
    ("trips", "count", False),
    ("costs, quote", "cost", False),
    ("traded", "text", False),
    ("made, UTC", "ms", False),
)
PHONE = ("run", "return", "Sharpe (95 %)", "traded")  # columns that a narrow screen keeps


def show(api: PageClient) -> None:
    """The run in the URL, or the list with the running jobs."""
    if ident := links.at("run"):
        run_compare.show(api, ident, links.at("with")) if links.at("with") else run.show(api, ident)
        return
    if job := links.at("job"):
        research.show(api, job)
        return
    if maker := links.at("maker"):
        makers.show(api, maker)
        return
    run_form.show(api)
    running = api.get("/api/jobs", live="true", limit=20)["items"]
    jobs.live(api, [job for job in running if job["id"] != run_form.begun()])
    items = api.get("/api/runs", limit=LISTED_MAX)["items"]
    if not items:
        parts.soft("No stored runs yet. Ask the developer for a backtest, or: nightdesk backtest trend --symbol BTC-USDT")
        research.listed(api)
        makers.listed(api)
        inputs.show(api)
        audit.show(api)
        return
    parts.title("Runs", [{"text": f"{len(items)} stored" if len(items) < LISTED_MAX else f"the newest {LISTED_MAX}"}])
    spec = {
        "columns": [[*c, c[0] not in PHONE] for c in COLUMNS],
        "rows": [_row(line) for line in items],
        "ids": [line["id"] for line in items],
        "hint": "filter, e.g. trend or 2025-03",
        "year": year_of(clocks.wall_ms()),
    }
    with st.container(key="panel_run_list"):
        if picked := drawn.long_table(spec, key="runs_list", mark=_mark(items), pairs=True):
            links.go({"tab": "runs", **dict(zip(("run", "with"), picked.split(" "), strict=False))})
            st.rerun()
    research.listed(api)
    makers.listed(api)
    inputs.show(api)
    audit.show(api)


def _mark(items: Sequence[Mapping[str, Any]]) -> str:
    """Changes when the list does."""
    return "|".join(f"{line['id']}:{line.get('name') or ''}" for line in items)


def _row(line: Mapping[str, Any]) -> list[Any]:
    """A run as the values of COLUMNS."""
    fees, slippage = line.get("fees"), line.get("slippage")
    paid = None if fees is None or slippage is None else fees + slippage - (line.get("paid_funding") or 0.0)
    instrument = f"{_symbol(line)} {line.get('timeframe')}" + (f", {line['venue']}" if line.get("venue") else "")
    return [
        _name(line),
        line.get("strategy"),
        instrument,
        line.get("side") or NONE,
        line.get("span") or NONE,
        line.get("total_return_frac"),
        [line.get(name) for name in ("sharpe", "sharpe_low", "sharpe_high")],
        line.get("max_drawdown_frac"),
        line.get("trades"),
        paid,
        _life(str(line.get("life") or "")),
        line.get("created_ms"),
    ]


def _symbol(line: Mapping[str, Any]) -> str:
    """`BTC-USDT`; of a basket its coins, `BTC+ETH-USDT`, where one quote is common to all."""
    legs = [leg.partition("-") for leg in str(line.get("symbol")).split(",")]
    if len({quote for _, _, quote in legs}) > 1:
        return ", ".join("".join(leg) for leg in legs)
    return "+".join(base for base, _, _ in legs) + "".join(legs[0][1:])


def _name(line: Mapping[str, Any]) -> str:
    """What a person called it, or what it is and in what it differs from the others."""
    bare = f"{line.get('strategy')} {_symbol(line).partition('-')[0]}"
    name = str(line.get("name") or (f"{bare}, {line['label']}" if line.get("label") else bare))
    return (
        f"{name} (SYNTHETIC)" if line.get("source") == "synthetic" else name
    )  # also where the screen has no room for its column


def _life(life: str) -> str:
    """`▲ 345 of 365 days` of a run that ended early; `all 365 days`."""
    found = TRADED.search(life)
    if not found:
        return NONE
    early = life.startswith("stopped") or "stopped by" in life
    return ("▲ " if early else "") + found[1]

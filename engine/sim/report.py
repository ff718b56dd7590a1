"""A run as one page that opens offline: figures, equity and drawdown, round trips, configuration, data stamp.

Called by store/runs.py's callers when a run is kept. Turns the run's JSON, its equity and its round trips into HTML.
Text from people and strategy files is escaped; the page's policy runs exactly the two scripts written here (by
their hashes), loads nothing and sends nothing. Serve it under `Content-Security-Policy: sandbox allow-scripts` as well:
a page cannot sandbox itself.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from engine.clock import utc
from engine.sim.leaks import verdict
from engine.sim.life import life_of
from engine.sim.metrics import Floats, Times
from engine.sim.trips import COSTS, attribution

POINTS_MAX = 4_000  # of a curve on the page; each bucket keeps its lowest and its highest bar
TRIPS_MAX = 25

DRAW = """
'use strict';
const s = JSON.parse(document.getElementById('series').textContent);
const line = (name, x, y, color, more) => Object.assign({name, x, y, type: 'scatter', mode: 'lines',
  line: {color, width: 1.3}, hovertemplate: '%{y:,.2f}<extra>' + name + '</extra>'}, more);
const traces = s.curves.map((c, i) => line(c.name, c.x, c.y, i ? '#9aa5b5' : '#1f5fbf', {}));
const stop = s.stopped === null ? {} : {
  shapes: [{type: 'line', x0: s.stopped, x1: s.stopped, yref: 'paper', y0: 0, y1: 1,
    line: {color: '#b3261e', width: 1, dash: 'dot'}}],
  annotations: [{x: s.stopped, yref: 'paper', y: 1, yanchor: 'bottom', showarrow: false, text: 'stopped',
    font: {color: '#b3261e', size: 11}}]};
traces.push(line('drawdown', s.fall.x, s.fall.y, '#b3261e', {yaxis: 'y2', fill: 'tozeroy',
  fillcolor: 'rgba(179,38,30,.12)', showlegend: false, hovertemplate: '%{y:.1%}<extra>drawdown</extra>'}));
const axis = {gridcolor: '#e8ebf0', zeroline: false, linecolor: '#c9d0da', tickfont: {color: '#5c6678'}};
Plotly.newPlot('chart', traces, {...stop, margin: {l: 68, r: 12, t: 8, b: 32}, hovermode: 'x unified', dragmode: 'zoom',
  paper_bgcolor: '#fff', plot_bgcolor: '#fff', font: {family: 'system-ui, sans-serif', size: 12},
  legend: {orientation: 'h', x: 0, y: 1.08}, showlegend: s.curves.length > 1,
  xaxis: {...axis, type: 'date', anchor: 'y2'}, yaxis: {...axis, domain: [.34, 1], title: {text: s.quote}},
  yaxis2: {...axis, domain: [0, .27], tickformat: '.0%', title: {text: 'drawdown'}}},
  {displaylogo: false, responsive: true});
"""


def page(
    run: Mapping[str, Any],
    close_ms: Times,
    curves: Mapping[str, Floats],
    trips: pl.DataFrame,
    breakers: pl.DataFrame,
) -> str:
    """The HTML of a run. run: its JSON (DESIGN 9); curves: name -> (n,) equity, the run's own first; trips, breakers: all."""
    from jinja2 import Environment
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    plotly = get_plotlyjs()
    view = page_texts(run, trips, breakers)
    view |= {
        "policy": policy(plotly, DRAW),
        "plotly": Markup(plotly),  # noqa: S704 - the library's own file; it runs by its hash only
        "draw": Markup(DRAW),  # noqa: S704 - the constant above
        "series": Markup(script_safe_json(series(close_ms, curves, float(run["cash"]), life_of(run).stopped_ms))),  # noqa: S704 - numbers and our own names, `<` escaped
    }
    template = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    return Environment(autoescape=True, trim_blocks=True).from_string(template).render(view)


def policy(*scripts: str) -> str:
    """A content security policy under which only these inline scripts run and nothing is fetched, sent or framed."""
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
    kept = "img-src data: blob:; base-uri 'none'; form-action 'none'"
    return f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; {kept}"


def script_safe_json(value: Any) -> str:
    """JSON that cannot end the script element around it."""
    return json.dumps(value, allow_nan=False).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def series(close_ms: Times, curves: Mapping[str, Floats], cash: float, stopped_ms: int | None = None) -> dict[str, Any]:
    """What the chart draws: each curve and the first one's drawdown, thinned to POINTS_MAX, and where the run stopped trading."""
    first = next(iter(curves.values()))
    peak = np.maximum.accumulate(np.concatenate(([cash], first)))[1:]
    drawn = [{"name": name, **downsample(close_ms, values, 2)} for name, values in curves.items()]
    return {"curves": drawn, "fall": downsample(close_ms, (first - peak) / peak, 5), "quote": "equity", "stopped": stopped_ms}


def downsample(x: Times, y: Floats, digits: int) -> dict[str, list[float]]:
    """At most POINTS_MAX points: of each bucket its lowest and highest, so no peak and no fall is lost; and the last."""
    at = np.arange(len(y))
    if len(y) > POINTS_MAX:
        edges = np.linspace(0, len(y), POINTS_MAX // 2 + 1).astype(int)
        low = [int(a + np.argmin(y[a:b])) for a, b in pairwise(edges)]
        high = [int(a + np.argmax(y[a:b])) for a, b in pairwise(edges)]
        at = np.unique([*low, *high, len(y) - 1])
    return {"x": x[at].tolist(), "y": np.round(y[at], digits).tolist()}


def page_texts(run: Mapping[str, Any], trips: pl.DataFrame, breakers: pl.DataFrame) -> dict[str, Any]:
    """Every text of the page but the scripts."""
    data, sleeves = run["data"], run["sleeves"]
    heading = " + ".join(
        f"{s['strategy']} on {s['venue']} {s['symbol']} {s.get('timeframe') or run['timeframe']}" for s in sleeves[:3]
    )
    more = f" and {len(sleeves) - 3} more" if len(sleeves) > 3 else ""
    return {
        "title": f"{heading}{more} - {run['run_id']}",
        "heading": heading + more,
        "run_id": run["run_id"],
        "span": f"{utc(data['first_ms'])} to {utc(data['last_ms'])}, {data['bars']:,} bars",
        "stamps": stamps(run),
        "warnings": run["notes"],
        "tiles": tiles(run),
        "money": cost_rows(trips),
        "quote": "Quote currency",
        "breakers": breaker_rows(breakers),
        "undefined": run["metrics"]["undefined"],
        **trip_table(trips),
        "config": config(run),
        "proof": proof(run),
    }


def stamps(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Labels for the source of the bars, the fill mode and the funding; `loud` marks the unusual ones."""
    source = run["data"]["source"].upper()
    found = [{"text": f"{source} data", "loud": source == "SYNTHETIC"}, {"text": f"fills {run['fills']}", "loud": False}]
    found.append({"text": f"funding {run['funding']}", "loud": run["funding"] != "recorded"})
    if (life := life_of(run)).text:
        found.append({"text": life.text, "loud": bool(life.ends)})
    if run.get("raw_signal"):
        found.append({"text": run["raw_signal"]["text"], "loud": True})
    if line := verdict(run["leaks"]):
        found.append({"text": f"{line}: {run['leaks']['text']}", "loud": True})
    return found


def tiles(run: Mapping[str, Any]) -> list[dict[str, str]]:
    """The key figures."""
    m, s = run["metrics"], run["scenarios"]
    spread = f"optimistic {percent(s['optimistic'])}, {s['ambiguous_bars']:,} ambiguous bars"
    reach = f"95 %: {number(m['sharpe_low'])} to {number(m['sharpe_high'])}" if m["sharpe_low"] is not None else ""
    tile = [
        ("Return", percent(m["total_return_frac"]), spread, tone(m["total_return_frac"])),
        ("Sharpe", number(m["sharpe"]), reach, ""),
        ("Sortino", number(m["sortino"]), "", ""),
        ("Calmar", number(m["calmar"]), "", ""),
        ("Max drawdown", percent(m["max_drawdown_frac"]), f"{number(m['max_drawdown'])} at its worst", ""),
        ("Recovery factor", number(m["recovery_factor"]), "", ""),
        ("Round trips", f"{m['trades']:,}", f"{m['open_trades']} still open", ""),
        ("Win rate", percent(m["win_rate"]), "net of all costs", ""),
        ("Exposure", percent(m["exposure_frac"]), "of the bars", ""),
        ("Turnover", number(m["turnover"]), "times equity a year", ""),
        ("Fees", number(m["fees"]), f"slippage {number(m['slippage'])}", ""),
        ("Funding", number(m["funding"]), "received minus paid", ""),
    ]
    return [dict(zip(("name", "value", "note", "tone"), line, strict=True)) for line in tile]


def percent(value: float | None) -> str:
    """A fraction in percent; a dash when there is none."""
    return "-" if value is None else f"{value * 100:+.2f} %" if value < 0 else f"{value * 100:.2f} %"


def number(value: float | None) -> str:
    """Two digits and thousands separators; a dash when there is none."""
    return "-" if value is None else f"{value:,.2f}"


def tone(value: float | None) -> str:
    """The colour class of a result."""
    return "" if not value else "good" if value > 0 else "bad"


def cost_rows(trips: pl.DataFrame) -> list[dict[str, str]]:
    """Costs and result of each sleeve, and of all when there are several."""
    parts = attribution(trips)
    if len(parts) > 1:
        total = {name: sum(p[name] for p in parts) for name in ("trips", *COSTS)}
        parts.append({"sleeve": "all", **total})
    return [
        {"sleeve": p["sleeve"], "trips": f"{p['trips']:,}", "tone": tone(p["net"])} | {c: number(p[c]) for c in COSTS}
        for p in parts
    ]


def breaker_rows(breakers: pl.DataFrame) -> list[dict[str, str]]:
    """Each kind of breaker with how often it tripped, and when first and last."""
    found = breakers.group_by("sleeve", "breaker", maintain_order=True).agg(
        pl.len(), pl.col("close_ms").min().alias("first"), pl.col("close_ms").max().alias("last")
    )
    return [
        {
            "name": f"{row['breaker']} ({row['sleeve']})",
            "times": f"{row['len']}x",
            "note": utc(row["first"]) + (f" .. {utc(row['last'])}" if row["len"] > 1 else ""),
        }
        for row in found.to_dicts()
    ]


TRIP_COLUMNS = (
    ("id", "trip", str, False),
    ("sleeve", "sleeve", str, False),
    ("side", "side", str, False),
    ("layers", "layers", str, True),
    ("entry (UTC)", "entry_ms", utc, False),
    ("bars", "bars", str, True),
    ("units", "units", "{:g}".format, True),
    ("entry", "entry_price", number, True),
    ("exit", "exit_price", number, True),
    ("gross", "gross", number, True),
    ("slippage", "slippage", number, True),
    ("fees", "fees", number, True),
    ("funding", "funding", number, True),
    ("net", "net", number, True),
    ("R", "r", number, True),
    ("closed by", "reason", str, False),
)


def trip_table(trips: pl.DataFrame) -> dict[str, Any]:
    """The last round trips as cells, and a sentence on how many there are."""
    shown = trips.tail(TRIPS_MAX).to_dicts()
    cells = [
        [("-" if row[key] is None else form(row[key]), (title, numeric)) for title, key, form, numeric in TRIP_COLUMNS]
        for row in reversed(shown)
    ]
    note = f"{len(trips):,} in all, the newest first."
    if len(trips) > TRIPS_MAX:
        note = f"The newest {TRIPS_MAX} of {len(trips):,}; all of them are in trips.parquet beside this page."
    return {"trips": cells, "trips_note": note, "trip_columns": [(t, numeric) for t, _, _, numeric in TRIP_COLUMNS]}


def config(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every parameter of every sleeve."""
    found = [("cash", number(run["cash"])), ("fills", run["fills"]), ("funding", run["funding"])]
    for sleeve in run["sleeves"]:
        prefix = f"{sleeve['name']}." if len(run["sleeves"]) > 1 else ""
        found += [(f"{prefix}{key}", f"{value}") for key, value in sleeve["params"].items()]
    return found


def proof(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What it takes to repeat and check the run."""
    data = run["data"]
    rows: Sequence[tuple[str, str]] = [
        ("source", data["source"]),
        *(("file", name) for name in data["files"]),
        ("data sha256", data["sha256"]),
        ("journal hash", run["journal_hash"]),
        ("config hash", run["config_hash"]),
        ("code hash", run["code_hash"]),
        ("versions", ", ".join(f"{k} {v}" for k, v in run["versions"].items())),
        ("again", f"nightdesk rerun {run['run_id']}"),
        ("explain a trip", f"nightdesk journal explain {run['run_id']}/t1"),
    ]
    return list(rows)

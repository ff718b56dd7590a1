"""A run as one page that opens offline: verdict, figures, equity against holding, months, round trips, configuration, hashes.

Called by sim/backtest.py when a run is kept, and by app/views/run_figures.py for the page. Turns the run's JSON, its curves and
its round trips into HTML, or into the same as JSON (`figures`). The texts and tables come from report_parts.py; the charts are
drawn in the browser by page/charts.js, in light, dark and print. Text from people and strategy files is escaped; its policy runs
exactly the two scripts written here (by their hashes), loads nothing and sends nothing. Serve it under
`Content-Security-Policy: sandbox allow-scripts` as well: a page cannot sandbox itself.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from engine.sim import report_drawn as drawing
from engine.sim import report_parts as parts
from engine.sim.life import life_of
from engine.sim.metrics import Floats, Times

ASSETS = Path(__file__).with_name("page")
POINTS_MAX = 2_000  # of a curve on the page; each bucket keeps its lowest and its highest bar
TONES = {
    "run": ("accent", ""),
    "optimistic": ("series2", "dashed"),
    "pessimistic": ("series2", "dashed"),
    "hold": ("hold", "dotted"),
}
DRAW = """
'use strict';
const data = JSON.parse(document.getElementById('series').textContent);
document.querySelectorAll('[data-chart]').forEach((place) => {
  if (data[place.dataset.chart]) charts.chart(place, data[place.dataset.chart]);  // what has nothing to draw is left out
});
table.show(document.getElementById('trips'), data.trips);
"""


def page(
    run: Mapping[str, Any],
    close_ms: Times,
    curves: Mapping[str, Floats],
    trips: pl.DataFrame,
    breakers: pl.DataFrame,
    hold: Floats | None = None,
) -> str:
    """The HTML of a run. run: its JSON (DESIGN 9); curves: name -> (n,) equity, the run's own first; trips, breakers: all;
    hold: (n,) equity of who held the same instruments."""
    from jinja2 import Environment
    from markupsafe import Markup

    library = asset("charts.js") + asset("table.js")
    view = figures(run, close_ms, curves, trips, breakers, hold)
    drawn = view.pop("drawn")
    view |= {
        "policy": policy(library, DRAW),
        "style": Markup(asset("report.css") + asset("charts.css")),  # noqa: S704 - our own files
        "library": Markup(library),  # noqa: S704 - our own files; they run by their hash only
        "draw": Markup(DRAW),  # noqa: S704 - the constant above
        "series": Markup(script_safe_json(drawn)),  # noqa: S704 - JSON in which every `<` is escaped
    }
    return Environment(autoescape=True, trim_blocks=True).from_string(asset("report.html")).render(view)


def figures(
    run: Mapping[str, Any],
    close_ms: Times,
    curves: Mapping[str, Floats],
    trips: pl.DataFrame,
    breakers: pl.DataFrame,
    hold: Floats | None = None,
) -> dict[str, Any]:
    """What the report shows, as JSON: its texts and tables, and in `drawn` what its charts and its list of trips draw."""
    curve = curve_spec(run, close_ms, curves, hold)
    drawn = {"curve": curve, **drawing.chart_specs(trips), "trips": drawing.trip_list(trips)}
    legend = [{"name": line["name"], "tone": line["tone"], "dash": line["dash"]} for line in curve["lines"]]
    return parts.texts(run, close_ms, next(iter(curves.values())), trips, breakers, hold) | {"legend": legend, "drawn": drawn}


@cache
def asset(name: str) -> str:
    """A file of the page."""
    return (ASSETS / name).read_text(encoding="utf-8")


def policy(*scripts: str) -> str:
    """A content security policy under which only these inline scripts run and nothing is fetched, sent or framed."""
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
    kept = "img-src data: blob:; base-uri 'none'; form-action 'none'"
    return f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; {kept}"


def script_safe_json(value: Any) -> str:
    """JSON that cannot end the script element around it."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def curve_spec(run: Mapping[str, Any], close_ms: Times, curves: Mapping[str, Floats], hold: Floats | None) -> dict[str, Any]:
    """What the chart of the equity draws: returns of each curve, the first one's drawdown, and where the run stopped trading."""
    own, *others = curves.items()
    cash, stop, at = float(run["cash"]), life_of(run), thin(own[1])
    named = [("run", own[1]), *others, *([] if hold is None else [("hold", hold)])]
    lines = []
    for name, values in named:
        tone, dash = TONES.get(name, TONES["optimistic"])
        label = parts.hold_name(run) if name == "hold" else "this run" if name == "run" else f"{name} fills"
        lines.append({"name": label, "tone": tone, "dash": dash, "y": rounded(values[at] / cash - 1.0)})
    peak = np.maximum.accumulate(np.concatenate(([cash], own[1])))[1:]
    marks = [] if stop.stopped_ms is None else [{"x": stop.stopped_ms, "text": parts.ended_by(stop.stopped_by)}]
    return {
        "kind": "curve",
        "label": "Return of this run and of holding, drawdown below",
        "unit": "percent",
        "height": 420,
        "x": close_ms[at].tolist(),
        "lines": lines,
        "fall": rounded(own[1][at] / peak[at] - 1.0),
        "marks": marks,
        "stopped": stop.stopped_ms,
    }


def rounded(values: Floats) -> list[float | None]:
    """To a tenth of a basis point; null for what is not a number."""
    return [float(v) if np.isfinite(v) else None for v in np.round(values, 5)]


def thin(y: Floats) -> np.ndarray:
    """Which points a chart draws, at most POINTS_MAX: the lowest and highest of each bucket, so that no peak and no fall is lost,
    the first and the last."""
    if len(y) <= POINTS_MAX:
        return np.arange(len(y))
    edges = np.linspace(0, len(y), POINTS_MAX // 2).astype(int)
    low = [int(a + np.argmin(y[a:b])) for a, b in pairwise(edges)]
    high = [int(a + np.argmax(y[a:b])) for a, b in pairwise(edges)]
    return np.unique([0, *low, *high, len(y) - 1])

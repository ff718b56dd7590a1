"""Charts and long tables as small components of our own, drawn by the report's scripts. Called by app/ui/run.py and runs.py.

Turns a spec of engine/sim/report_drawn.py (it came over HTTP) into SVG and DOM in the browser, without a library: a chart stands
there at the first drawing of a page. Every text of a spec is set as text. A click on a trip comes back as its id.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from app.ui import links

SCRIPTS = Path(__file__).resolve().parents[2] / "engine" / "sim" / "page"  # read as files: pages import nothing of the engine
MOUNT = """
export default function ({data, parentElement, setTriggerValue}) {
  const root = parentElement, drawn = root.querySelector('.drawn');
  if (root.mark === data.mark) return root.undo;
  root.mark = data.mark;
  const pick = data.picks ? (name) => setTriggerValue('picked', name) : null;
  root.undo = data.kind === 'table' ? table.show(drawn, data.spec, pick) : charts.chart(drawn, data.spec, pick);
}
"""
BASE = """
:host { display: block; font-family: inherit; }
.drawn { font: 14px/20px "Source Sans", "Source Sans 3", system-ui, sans-serif; color: var(--text); }
"""


def _text(name: str) -> str:
    return (SCRIPTS / name).read_text(encoding="utf-8")


DRAWN = st.components.v2.component(
    "nightdesk_drawn",
    html='<div class="drawn"></div>',
    css=BASE + _text("charts.css"),
    js=_text("charts.js") + _text("table.js") + MOUNT,
)


def chart(spec: Mapping[str, Any] | None, *, key: str, mark: str, picks: bool = False) -> str | None:
    """Draw a chart; the id of the trip that was clicked just now. `mark`: equal marks are not drawn again."""
    return None if spec is None else _mount("chart", spec, key, mark, picks=picks)


def long_table(spec: Mapping[str, Any], *, key: str, mark: str, picks: bool = True) -> str | None:
    """The table that sorts and filters; the id of the row that was clicked just now."""
    return _mount("table", spec, key, mark, picks=picks)


def _mount(kind: str, spec: Mapping[str, Any], key: str, mark: str, *, picks: bool) -> str | None:
    data = {"kind": kind, "spec": dict(spec), "mark": mark, "picks": picks}
    found = DRAWN(key=key, data=data, on_picked_change=_nothing)
    name = str(getattr(found, "picked", None) or "")
    return name if links.ID.fullmatch(name) else None


def _nothing() -> None:
    """A trigger needs a callback to be kept."""

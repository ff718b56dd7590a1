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
const CHOSEN = 'nightdesk-candles-chosen';
function choose(drawn, spec, id) {
  spec.chosen = id;
  table.choose(drawn, id);
}
export default function ({data: [data], parentElement, setTriggerValue}) {
  const root = parentElement, drawn = root.querySelector('.drawn');
  if (root.mark === data.mark) return root.undo;
  root.mark = data.mark;
  if (root.followed) document.removeEventListener(CHOSEN, root.followed);
  const follow = (event) => { if (event.detail.name === data.follows) choose(drawn, data.spec, event.detail.chosen); };
  root.followed = data.follows ? follow : null;
  if (root.followed) {
    data.spec.chosen = (window.nightdeskChosen || {})[data.follows];
    document.addEventListener(CHOSEN, root.followed);
  }
  const pick = data.picks ? (name) => setTriggerValue('picked', name) : null;
  const both = data.pairs ? (one, other) => setTriggerValue('picked', `${one} ${other}`) : null;
  root.undo = data.kind === 'table' ? table.show(drawn, data.spec, pick, both) : charts.chart(drawn, data.spec, pick);
}
"""
BASE = """
:host { display: block; font-family: inherit; }
.drawn { font: 14px/20px "Source Sans", "Source Sans 3", system-ui, sans-serif; color: var(--text); }
.drawn .picks { flex-wrap: wrap; } .drawn .picks input { width: 12.5rem; max-width: 100%; } /* its hint is read whole */
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


def long_table(
    spec: Mapping[str, Any], *, key: str, mark: str, picks: bool = True, pairs: bool = False, follows: str = ""
) -> str | None:
    """The table that sorts and filters; the id of the row that was clicked just now, or with `pairs` two ids of ticked rows,
    with a space between. `follows`: a candle chart, whose chosen trip is marked here too."""
    return _mount("table", spec, key, mark, picks=picks, pairs=pairs, follows=follows)


def _mount(
    kind: str, spec: Mapping[str, Any], key: str, mark: str, *, picks: bool, pairs: bool = False, follows: str = ""
) -> str | None:
    data = {"kind": kind, "spec": dict(spec), "mark": mark, "picks": picks, "pairs": pairs, "follows": follows}
    # in a list: of a dict Streamlit asks pandas, for which it imports it, whether each value is a table (0.7 s, 80 MB)
    found = DRAWN(key=key, data=[data], on_picked_change=_nothing)
    return ids_in(str(getattr(found, "picked", None) or ""), 1 + pairs)


def ids_in(text: str, most: int) -> str | None:
    """The text if it is one id, or up to `most` with single spaces between; what else the browser may send is None."""
    names = text.split(" ")
    return text if len(names) <= most and all(links.ID.fullmatch(name) for name in names) else None


def _nothing() -> None:
    """A trigger needs a callback to be kept."""

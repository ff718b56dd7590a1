"""Two runs side by side: verdict, what differs, the figures of both, their curves. Called by app/ui/runs.py.

The comparison comes from the API (/api/runs/compare), the same that `nightdesk runs compare` prints.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui import drawn, links, parts
from app.ui.page_client import PageClient, Trouble

COMMON = "What both have in common"
IN_LINE = 12  # settings of a paragraph


def show(api: PageClient, one: str, other: str) -> None:
    """The comparison of the two runs in the URL."""
    try:
        found = api.get("/api/runs/compare", one=one, other=other)
    except Trouble as trouble:
        st.error(trouble.markdown())
        links.press("All runs", {"tab": "runs"}, key="all_runs", icon=":material/arrow_back:", look="tertiary")
        return
    heads = [_head(run) for run in found["runs"]]
    sources = sorted({str(run["source"]) for run in found["runs"]})
    about = [{"text": f"{source} data", "loud": source == "synthetic"} for source in sources]
    parts.title(f"{heads[0]} against {heads[1]}", about)
    parts.note(found["verdict"], "", "calm" if found["word"] not in ("better", "worse") else "warn")
    for line in found["warnings"]:
        parts.note("", line, "warn")
    _ways(found)
    places = [st.container(), st.container()] if parts.phone() else st.columns([1, 1.2], gap="small")
    for place, draw in zip(places, (_curve, _table) if parts.phone() else (_table, _curve), strict=True):
        draw(place, found, heads)


def _table(place: Any, found: Mapping[str, Any], heads: Sequence[str]) -> None:
    """What differs, and the figures of both."""
    with place.container(key="panel_run_pair", height="stretch"):
        parts.head("What differs" if found["differs"] else "Same settings")
        names = ("", f"first: {heads[0][:24]}", f"second: {heads[1][:24]}")
        parts.table(names, [*found["differs"], *found["figures"]], wrap=(0, 1, 2))  # a phone has both runs without scrolling


def _curve(place: Any, found: Mapping[str, Any], _: Sequence[str]) -> None:
    """Both curves, before the table on a phone; below them what both have in common."""
    with place.container(key="panel_run_pair_curve", height="stretch"):
        legend = [] if found["curve"] is None else found["curve"]["lines"]
        parts.head("Return since the first common day", legend=[{**line, "dash": ""} for line in legend])
        if found["curve"] is None:
            parts.soft("They have no two days in common.")
        one, other = (str(run["id"]) for run in found["runs"])
        drawn.chart(found["curve"], key=f"pair_{one}_{other}", mark=f"{one} {other}")
        if found["same"]:
            if not parts.phone():
                parts.head(COMMON)
            with st.expander(COMMON) if parts.phone() else st.container():  # on a phone what differs is next
                same = [f"{key} {value}" for key, value in found["same"]]
                for n in range(0, len(same), IN_LINE):
                    parts.soft(" · ".join(same[n : n + IN_LINE]))


def _head(run: Mapping[str, Any]) -> str:
    """What a run is called here: its name, else in what it differs, else its id."""
    return str(run["name"] or run["label"] or run["id"])


def _ways(found: Mapping[str, Any]) -> None:
    """To the list, to each run, and the other way round."""
    one, other = (str(run["id"]) for run in found["runs"])
    with st.container(horizontal=True, gap="small"):
        links.press("All runs", {"tab": "runs"}, key="all_runs", icon=":material/arrow_back:", look="tertiary")
        links.press("First run", {"tab": "runs", "run": one}, key="first_run", look="tertiary")
        links.press("Second run", {"tab": "runs", "run": other}, key="second_run", look="tertiary")
        links.press(
            "Swap", {"tab": "runs", "run": other, "with": one}, key="swap_runs", icon=":material/swap_horiz:", look="tertiary"
        )

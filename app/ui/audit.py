"""The last audit of the sleeves: what fails first, then what nobody can say and what would tell. Called by runs.py.

Nothing is drawn before the first audit; what holds is counted, not listed. Points of several sleeves stand in one row.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui import clocks, links, parts
from app.ui.figures import NONE, count, to_minute
from app.ui.page_client import PageClient
from app.ui.safe import typeset

SHOWN_MAX = 60
LISTED_MAX = 6  # points, sleeves and events that a row names
DIMENSIONS = ("live", "backtest", "training", "data")
STATES = {"fails": "fail", "cannot_say": "cannot be said", "holds": "hold", "does_not_apply": "do not apply"}
Point = Mapping[str, Any]


def show(api: PageClient) -> None:
    """The verdict, how many points of each dimension stand how, what fails, and folded what cannot be said."""
    last = api.get("/api/audit")
    if last["wall_ms"] is None:
        return
    items = last["items"]
    fails, unsaid = ([line for line in items if line["state"] == state] for state in ("fails", "cannot_say"))
    with st.container(key="panel_audit"):
        parts.head("Audit", f"asked {to_minute(last['wall_ms'], clocks.wall_ms())} (wall clock); nightdesk audit asks again")
        sign, kind = ("■", "bad") if fails else ("▲", "warn") if unsaid else ("●", "calm")
        verdict = f"{count(len(fails))} of {count(len(items))} points fail, {count(len(unsaid))} cannot be said."
        parts.note(f"{sign} {verdict}", "What cannot be said is not a pass." if unsaid else "", kind)
        rows = [(name, *(_counted(items, name, state) for state in STATES)) for name in DIMENSIONS]
        parts.table(("dimension", *STATES.values()), rows)
        if fails:
            heads_of_fails = ("what fails", "sleeves", "found", "seen in")
            found = list(map(_failed, grouped(fails, "name")))[:SHOWN_MAX]
            parts.table(heads_of_fails, found, left=(0, 1, 2, 3), wrap=(0, 1, 2), thin=(1, 3))
        if unsaid:
            with st.expander(f"{len(unsaid)} cannot be said: what would tell"):
                heads = ("what is missing", "points", "sleeves")
                parts.table(heads, list(map(_unsaid, grouped(unsaid, "why")))[:SHOWN_MAX], left=(0, 1, 2), wrap=(0, 1), thin=(2,))


def _counted(items: Iterable[Point], dimension: str, state: str) -> parts.Cell:
    found = sum(line["dimension"] == dimension and line["state"] == state for line in items)
    look = {"fails": "neg", "cannot_say": "wrn"}.get(state, "") if found else "mut"
    return count(found), look


def grouped(lines: Iterable[Point], key: str) -> list[list[Point]]:
    """Points that have a name, or a reason, in common; the largest group first."""
    found: dict[str, list[Point]] = {}
    for line in lines:
        found.setdefault(str(line[key]), []).append(line)
    return sorted(found.values(), key=len, reverse=True)


def _failed(lines: Sequence[Point]) -> Sequence[parts.Cell]:
    """One point, the sleeves in which it fails, and what was found in each."""
    whys = list(dict.fromkeys(str(line["why"]) for line in lines))
    sleeves = _few(line["sleeve"] for line in lines)
    found = "; ".join(f"{line['sleeve']}: {line['why']}" for line in lines) if len(whys) > 1 else f"{sleeves}: {whys[0]}"
    seen = list(dict.fromkeys(str(one) for line in lines for one in line["evidence"]))
    first = seen[0] if seen else ""
    where = links.place("run" if first.startswith("r-") else "event", first) if first else None
    more = f" and {len(seen) - 1} more" if len(seen) > 1 else ""
    to: parts.Cell = parts.Linked(f"{first}{more}", where) if where else first or NONE
    return typeset(f"■ {lines[0]['question']}"), sleeves, typeset(found), to


def _unsaid(lines: Sequence[Point]) -> Sequence[parts.Cell]:
    return typeset(str(lines[0]["why"]) or NONE), _few(line["name"] for line in lines), _few(line["sleeve"] for line in lines)


def _few(names: Iterable[Any]) -> str:
    """The first few of them, each once."""
    found = list(dict.fromkeys(map(str, names)))
    more = len(found) - LISTED_MAX
    return ", ".join(found[:LISTED_MAX]) + (f" and {more} more" if more > 0 else "")

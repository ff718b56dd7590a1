"""Makers of the desk as the page and the roles see them: what is stored of each, bounded, nothing computed but what is shown.

Called by app/api/makers.py. What runs at an account says which, with which money, and by which step.
"""

from pathlib import Path
from typing import Any

from engine.making.stored import folder_of, listed, stored

OPTIONS_MAX = 40
LEFT_MAX = 20
WINDOWS_MAX = 20


def maker_lines(home: Path) -> list[dict[str, Any]]:
    """A line a maker, the last written first."""
    return [_line(body) for body in listed(home)]


def _line(body: dict[str, Any]) -> dict[str, Any]:
    figures, halt, killed = body.get("figures") or {}, body.get("halt") or {}, body.get("killed") or {}
    about = {name: str(body.get(name) or "") for name in ("name", "kind", "state", "verdict", "why")}
    about |= {name: str(body.get(name) or "") for name in ("venue", "symbol", "market", "quoter")}
    counted = {name: figures.get(name) for name in ("fills", "orders", "inventory", "net", "fees", "funding")}
    about |= {name: str(body.get(name) or "") for name in ("account", "mode", "stage")}
    left = [str(line)[:200] for line in killed.get("left") or ()][:LEFT_MAX]
    ended = {"ended": str(killed.get("state") or ""), "left": left}  # how a halt at an account has
    return about | counted | ended | {"halted_by": str(halt.get("rule") or ""), "written_ms": body.get("written_ms")}


def maker_view(home: Path, name: str) -> dict[str, Any]:
    """One maker. Raises BadInput for one that does not exist, DataError for one that cannot be read."""
    body = stored(folder_of(home, name))
    picture = body.get("picture") or {}
    more = {key: body.get(key) for key in ("file", "begun_ms", "span_s", "fees_bps", "halt", "pnl", "activity")}
    return (
        _line(body)
        | more
        | {
            "options": dict(list((body.get("options") or {}).items())[:OPTIONS_MAX]),
            "windows_net": list(body.get("windows_net") or ())[:WINDOWS_MAX],
            "after_fills": body.get("after_fills") or [],
            "by_speed": picture.get("by_speed") or [],
            "points": picture.get("points") or {},
            "last_fills": picture.get("fills") or [],
        }
    )

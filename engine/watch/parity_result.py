"""The last comparison of the desk with its backtest, kept for the watch; above 1 % unexplained it is an alert.

Written by engine/parity/desk_parity.py, and by app/jobs/daily_parity.py where the daily one could not be made; read by
engine.watch.observer. A file of the home, derived: without it nothing is claimed.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.clock import utc_day
from engine.watch.observation import DeskObservation, Finding

FILE = "cache/parity.json"
SCHEMA = 1
BYTES_MAX = 65_536
WHY_MAX = 300
UNEXPLAINED_FRAC_MAX = 0.01  # of what the round trips moved, without sign
ACTION = "nightdesk parity lists the round trips; until it is understood, no backtest is evidence for this desk"


def keep_result(home: Path, result: Mapping[str, Any], now_ms: int) -> None:
    """Keep a comparison, or {"failed": why}; a disk that has no room for it keeps the one before."""
    path = home / FILE
    draft = path.with_name(f"{path.name}.{now_ms:x}.draft")
    with suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        draft.write_text(json.dumps({"schema": SCHEMA, "wall_ms": now_ms, **result}, allow_nan=False), encoding="utf-8")
        draft.replace(path)


def last_result(home: Path) -> Mapping[str, Any]:
    """The comparison that was kept last; empty without one, or where it cannot be read."""
    with suppress(OSError, ValueError), (home / FILE).open("rb") as file:
        found = json.loads(file.read(BYTES_MAX))
        if isinstance(found, dict) and found.get("schema") == SCHEMA:
            return found
    return {}


def parity(desk: DeskObservation) -> Iterator[Finding]:
    """The desk differs from its backtest by more than anything explains, or the two could not be compared."""
    last = desk.parity
    if not last:
        return
    since = int(last["wall_ms"])
    if "failed" in last:
        what = f"The desk could not be compared with its backtest: {str(last['failed'])[:WHY_MAX]}"
        yield Finding("parity", "parity", "warn", what, "desk", since, "run nightdesk parity and follow what it says")
        return
    usd, gross, frac = float(last["unexplained_usd"]), float(last["gross_usd"]), last["unexplained_frac"]
    if usd <= UNEXPLAINED_FRAC_MAX * gross:
        return
    days = f"{utc_day(last['from_ms'])} to {utc_day(last['to_ms'])}"
    share = "" if frac is None else f", {frac:.1%} of what its round trips moved"
    what = f"Desk and backtest differ by {usd:,.2f} that nothing explains{share} ({days})"
    numbers = {"unexplained_usd": usd, "gross_usd": gross, "unexplained_frac": frac, "difference_usd": last["difference_usd"]}
    yield Finding("parity", "parity", "warn", what, "desk", since, ACTION, numbers)

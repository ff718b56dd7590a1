"""The last comparison of the desk with its backtest, kept for the watch; above 1 % unexplained it is an alert.

Written by engine/parity/desk_parity.py, and by app/jobs/daily_parity.py where the daily one could not be made; read by
engine.watch.observer. A file of the home, derived: without it nothing is claimed.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.amounts import percent_text
from engine.clock import utc_day
from engine.watch import derived
from engine.watch.observation import DeskObservation, Finding

FILE = "cache/parity.json"
WHY_MAX = 300
SLEEVES_MAX = 50
UNEXPLAINED_FRAC_MAX = 0.01  # of what the round trips moved, without sign
DRIFT_FRAC_MAX = 0.05  # the same of what a sleeve differs from its backtest by, explained or not
DRIFT_USD_MIN = 1.0
DRIFT_ACTION = "nightdesk drift lists the causes and the round trips; the first cause is where to look"
ACTION = "nightdesk parity lists the round trips; until it is understood, no backtest is evidence for this desk"


def keep_result(home: Path, result: Mapping[str, Any], now_ms: int) -> None:
    """Keep a comparison, or {"failed": why}; a disk that has no room for it keeps the one before."""
    with suppress(OSError):
        derived.keep(home / FILE, {"wall_ms": now_ms, **result})


def last_result(home: Path) -> Mapping[str, Any]:
    """The comparison that was kept last; empty without one, or where it cannot be read."""
    return derived.kept(home / FILE)


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
    share = "" if frac is None else f", {percent_text(frac, 1)} of what its round trips moved"
    what = f"Desk and backtest differ by {usd:,.2f} that nothing explains{share} ({days})"
    numbers = {"unexplained_usd": usd, "gross_usd": gross, "unexplained_frac": frac, "difference_usd": last["difference_usd"]}
    yield Finding("parity", "parity", "warn", what, "desk", since, ACTION, numbers)


def desk_drift(desk: DeskObservation) -> Iterator[Finding]:
    """Two sides of a sleeve that differ by more than DRIFT_FRAC_MAX of what their round trips moved, or of which one is worse
    than the other says: the cause first.
    """
    last = desk.parity
    for row in last.get("drift", ())[:SLEEVES_MAX]:
        usd, gross, stats = float(row["difference_usd"]), float(row["gross_usd"]), row["worse"]
        is_worse = stats["verdict"] == "worse"
        if row["first_cause"] is None or not (is_worse or abs(usd) > max(DRIFT_USD_MIN, DRIFT_FRAC_MAX * gross)):
            continue
        span = last.get("drift_days", last)
        days = f"{utc_day(span['from_ms'])} to {utc_day(span['to_ms'])}"
        cause, sleeve = str(row["first_cause"]), str(row["sleeve"])
        sides = f"{row['one']} and {row['other']} of {sleeve}"
        what = f"{cause.capitalize()} makes {row['causes'][cause]:+,.2f} of {usd:+,.2f} between {sides} ({days})"
        if is_worse:
            what += f"; it is worse by {-stats['mean']:,.2f} a round trip, {-stats['high']:,.2f} to {-stats['low']:,.2f}"
            what += f", since {utc_day(stats['since_ms'])}" if stats["since_ms"] is not None else ""
        numbers = {"difference_usd": usd, "gross_usd": gross, "cause_usd": row["causes"][cause]}
        place = f"desk_drift:{sleeve}:{row['one']}:{row['other']}"
        yield Finding(place, "desk_drift", "warn", what, sleeve, int(last["wall_ms"]), DRIFT_ACTION, numbers)

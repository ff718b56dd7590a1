"""The phase of a desk, computed: `validate` until a month of intended execution made money, then `grow` while the last month did.

Called by `nightdesk status`, the API and the tool `phase`. Intended execution is what the strategies made outside of incident
windows and of people's adoptions: price P&L less slippage, fees and funding (attribution.py). A windfall of an incident is shown
beside it and never counts; replayed bars are no execution. A phase opens nothing: whoever raises a stage sees it and decides.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from engine.clock import DAY_MS, utc_day
from engine.store.chain import Event
from engine.watch.attribution import pnl_of_window
from engine.watch.incidents import windows_of
from engine.watch.window import journal_of, mark_at

DAYS = 30  # of a month, whole UTC days of desk time
INTENDED = ("price", "slippage", "fees", "funding")


class Criterion(NamedTuple):
    """One thing that the next phase takes; `met` None: it cannot be computed yet, which is not met."""

    name: str
    met: bool | None
    text: str


class Phase(NamedTuple):
    """Where a desk is, and why. Money in quote units, of the last DAYS whole days; None before they are whole."""

    phase: str  # validate | grow
    from_ms: int | None
    until_ms: int | None
    days: int  # whole days of execution in a row, up to DAYS
    intended: float | None
    incident: float | None
    manual: float | None
    criteria: tuple[Criterion, ...]

    def text(self) -> str:
        """In a sentence."""
        lacking = [one.text for one in self.criteria if not one.met]
        if not lacking:
            return f"Growth phase: {self.criteria[1].text}."
        return f"Validation phase: {'; '.join(lacking)}."


def phase_of(home: Path) -> Phase | None:
    """Of the desk as its last whole day has it; None before the first bar."""
    path = journal_of(home)
    last = mark_at(path)
    if last is None:
        return None
    until = last.t_event_ms // DAY_MS * DAY_MS
    days = _days_executed(path, until)
    enough = Criterion("month", days >= DAYS, f"{days} of {DAYS} full days traded in a row")
    if days < DAYS:
        unknown = Criterion("intended", None, f"its P&L is judged after {DAYS}, and replayed days do not count")
        return Phase("validate", None, None, days, None, None, None, (enough, unknown))
    start = until - DAYS * DAY_MS
    window = pnl_of_window(home, start, until)
    assert window is not None, "the days have marks"  # noqa: S101 - a programmer's error
    desk = window.attribution.desk
    intended = sum(getattr(desk, part) for part in INTENDED) / 100
    incident, manual, unexplained = desk.incident / 100, desk.manual / 100, desk.unexplained / 100
    span = f"{utc_day(start)} to {utc_day(until - DAY_MS)}"
    beside = (
        f" (beside it {incident:+,.2f} in incidents and {manual:+,.2f} by hand, which do not count)" if incident or manual else ""
    )
    made = Criterion("intended", intended > 0.0, f"{intended:+,.2f} from intended execution, {span}{beside}")
    open_ = [one.id for one in windows_of(path) if one.closed_ms is None]
    closed = Criterion(
        "incidents", not open_, f"incidents still open: {', '.join(open_)[:200]}" if open_ else "no incident is open"
    )
    adds_up = Criterion("identity", unexplained == 0.0, f"{unexplained:+,.2f} of its P&L is explained by no event")
    criteria = (enough, made, closed, adds_up)
    phase = "grow" if all(one.met for one in criteria) else "validate"
    return Phase(phase, start, until, days, intended, incident, manual, criteria)


def _days_executed(path: Path, until_ms: int) -> int:
    """Whole days up to an instant that began after the replay, at most DAYS."""
    for days in range(DAYS + 1):
        mark: Event | None = mark_at(path, until_ms - days * DAY_MS)
        if mark is None or mark.body.get("stamp") == "REPLAYED":
            return max(days - 1, 0)
    return DAYS


def phase_json(found: Phase | None) -> dict[str, Any] | None:
    """With its sentence and its criteria."""
    if found is None:
        return None
    criteria: Sequence[dict[str, Any]] = [one._asdict() for one in found.criteria]
    return {**found._asdict(), "criteria": criteria, "text": found.text()}

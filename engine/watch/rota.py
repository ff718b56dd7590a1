"""Who is on call: people in order with their way, shift and quiet hours -> whom a page's step goes to, and when a message may.

Called by alert_rows.py, which queues messages, and by app.people.on_call, which reads the people from people.toml. A page never
waits for quiet hours; what can wait does, each by the clock of its own time zone.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from engine.clock import MINUTE_MS

ROTA_MAX = 20  # people on call


class OnCall(NamedTuple):
    """One person. `way`: the sink that reaches them. Spans are minutes of their local day (from, to), which may pass midnight;
    None: no quiet hours, or on shift at all hours."""

    name: str
    order: int
    way: str
    timezone: str = "UTC"
    shift: tuple[int, int] | None = None
    quiet: tuple[int, int] | None = None


Rota = Sequence[OnCall]


def callees(rota: Rota, at_ms: int) -> list[OnCall]:
    """Whom a page that opens at a wall time goes to, one after the other: who is on shift, in order, then everyone else."""
    ordered = sorted(rota, key=lambda one: one.order)
    on = [one for one in ordered if is_on_shift(one, at_ms)]
    return [*on, *(one for one in ordered if one not in on)]


def is_on_shift(person: OnCall, at_ms: int) -> bool:
    """Whether it is their shift."""
    return person.shift is None or _inside(person.shift, _minute(person.timezone, at_ms))


def is_quiet(person: OnCall, at_ms: int) -> bool:
    """Whether it is their quiet hours."""
    return person.quiet is not None and _inside(person.quiet, _minute(person.timezone, at_ms))


def quiet_end(person: OnCall, at_ms: int) -> int:
    """`at_ms`, or the end of the person's quiet hours when it falls in them; wall time, UTC ms."""
    if person.quiet is None or not is_quiet(person, at_ms):
        return at_ms
    local = datetime.fromtimestamp(at_ms / 1000, _zone(person.timezone))
    end = local.replace(hour=person.quiet[1] // 60, minute=person.quiet[1] % 60, second=0, microsecond=0)
    if end <= local:
        end = (local + timedelta(days=1)).replace(hour=end.hour, minute=end.minute, second=0, microsecond=0)
    return max(round(end.timestamp() * 1000), at_ms)


def steps_least(rota: Rota) -> int:
    """Escalations that it takes until everyone on call was asked."""
    return max(len(rota) - 1, 0)


def ways_of_page(rota: Rota, sinks: Sequence[str], opened_ms: int, escalations: int) -> list[str]:
    """Where a page goes at a step: ways that are nobody's own always; of people the first to the one whose turn it is.

    Where nobody on call has a way that exists, or everyone was asked already, it goes every way: a page is never held back.
    """
    asked = callees(rota, opened_ms)[: escalations + 1]
    own = {one.way for one in rota}
    if not any(one.way in sinks for one in asked):
        return list(sinks)
    reached = {one.way for one in asked}
    return [sink for sink in sinks if sink not in own or sink in reached]


def addressed(rota: Rota, opened_ms: int, escalations: int) -> str:
    """Whom a page's step is for, in words; empty without a rota."""
    order = callees(rota, opened_ms)
    if not order:
        return ""
    if escalations >= len(order):
        return f"everyone on call ({', '.join(one.name for one in order)}): nobody acknowledged"
    before = ", ".join(one.name for one in order[:escalations])
    return f"{order[escalations].name}, on call" + (f" after {before}, who did not acknowledge" if before else "")


def due_of(rota: Rota, sink: str, due_ms: int) -> int:
    """When what can wait may go a way: at once where it is nobody's own, else when one of its people is not in quiet hours."""
    people = [one for one in rota if one.way == sink]
    return min((quiet_end(one, due_ms) for one in people), default=due_ms)


class ShiftStart(NamedTuple):
    """Who is first on call, since when, and who was before."""

    name: str
    since_ms: int
    before: str


def shift_started(rota: Rota, at_ms: int) -> ShiftStart | None:
    """The last change of who is first on call within a day; None where nobody has a shift, or it was the same one all day."""
    if not any(one.shift for one in rota):
        return None
    edges = {edge for one in rota if one.shift for edge in _edges(one, at_ms)}
    for edge in sorted(edges, reverse=True):
        now, before = callees(rota, edge)[0], callees(rota, edge - MINUTE_MS)[0]
        if now.name != before.name:
            return ShiftStart(now.name, edge, before.name)
    return None


def _edges(person: OnCall, at_ms: int) -> list[int]:
    """Begins and ends of a person's shift in the last day, wall time."""
    local = datetime.fromtimestamp(at_ms / 1000, _zone(person.timezone))
    found = []
    for day in (local, local - timedelta(days=1)):
        for minute in person.shift or ():
            at = day.replace(hour=minute // 60, minute=minute % 60, second=0, microsecond=0)
            found.append(round(at.timestamp() * 1000))
    return [ms for ms in found if at_ms - 24 * 60 * MINUTE_MS < ms <= at_ms]


def _inside(span: tuple[int, int], minute: int) -> bool:
    start, end = span
    return start <= minute < end if start < end else minute >= start or minute < end


def _minute(timezone: str, at_ms: int) -> int:
    local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(_zone(timezone))
    return local.hour * 60 + local.minute


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)

"""Levels that people watch: what each stands at now, and a finding for every one that is passed. No model, no network.

Called by engine.watch.observer (`watched`: rows of the database and the journal's end in, WatchedLevel out), by
engine.watch.detectors (`levels`), and by tool, command and API, which show where a level stands. A level that was passed stays
so until the value has come back by a margin (WatchWish.rearm): what hovers at it opens one alert. The open alert remembers it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlmodel import select

from engine.clock import DAY_MS, utc
from engine.control.watches import DESK, wish_in
from engine.store import db
from engine.store.chain import Event
from engine.store.tables import Alert, LevelWatch
from engine.watch.observation import DeskObservation, Finding, WatchedLevel, is_trading
from engine.watch.window import between, first_mark, mark_at

KIND = "level"  # of the finding; its fingerprint begins with it
HIGH, LOW, CLOSE = 1, 2, 3  # of a bar as its event holds it


def alerted(engine: Engine) -> frozenset[str]:
    """Ids of the watches whose alert is open."""
    with db.read(engine) as session:
        found = session.exec(select(Alert.fingerprint).where(Alert.kind == KIND, Alert.state == "open")).all()
    return frozenset(name.partition(":")[2] for name in found)


def watched(path: Path, mark: Event | None, rows: Sequence[LevelWatch], alerts: Collection[str] = ()) -> tuple[WatchedLevel, ...]:
    """Each watch with its value at desk time; None where it is not known. `alerts`: the ids of those whose alert is open."""
    if mark is None or not rows:
        return ()
    desk_ms = mark.t_event_ms
    bar = next(between(path, desk_ms - 1, desk_ms, {"bar"}), None) if any(r.metric == "price" for r in rows) else None
    start = None
    if any(r.metric == "day_pnl" for r in rows):
        start = mark_at(path, (desk_ms - 1) // DAY_MS * DAY_MS) or first_mark(path)
    return tuple(_level(r, _value(r, mark, start, bar), alerts) for r in rows)


def _level(row: LevelWatch, values: tuple[float | None, float | None], alerts: Collection[str]) -> WatchedLevel:
    wish = wish_in(row)
    more: Any = (wish.rearm(), wish.rearm_text(), row.id in alerts)
    return WatchedLevel(row.id, wish.text(), row.subject, row.beyond, row.level, *values, *more)


def _value(row: LevelWatch, mark: Event, start: Event | None, bar: Event | None) -> tuple[float | None, float | None]:
    """(value now, the value that counts): of a price the close, and the extreme of the last bar on the watched side."""
    if row.metric == "price":
        prices = bar.body["bars"].get(row.subject) if bar is not None else None
        return (prices[CLOSE], prices[LOW if row.beyond == "below" else HIGH]) if prices else (None, None)
    now = _equity(mark, row.subject)
    if row.metric == "day_pnl":
        before = _equity(start, row.subject) if start is not None else None
        now = None if now is None or before is None else now - before
    return now, now


def _equity(mark: Event, subject: str) -> float | None:
    body: Mapping[str, Any] = mark.body if subject == DESK else mark.body["sleeves"].get(subject, {})
    return body.get("equity")


def is_passed(level: WatchedLevel) -> bool:
    """Whether a level is reached or passed, or was and the value has not come back far enough; one that is not known is not."""
    if level.extreme is None or level.value is None:
        return False
    below = level.beyond == "below"
    if level.extreme <= level.level if below else level.extreme >= level.level:
        return True
    return level.alerted and (level.value < level.rearm if below else level.value > level.rearm)


def levels(desk: DeskObservation) -> Iterator[Finding]:
    """Watched levels that are passed at desk time."""
    if not is_trading(desk) or desk.mark is None:
        return
    for one in desk.watched:
        if is_passed(one) and one.value is not None:
            what = f"Watched level passed: {one.text} ({one.id}); now {one.value:,.7g}, desk time {utc(desk.mark.t_event_ms)}"
            action = f"yours to judge: nothing was traded or changed; it {one.rearms}"
            action += f"; to end the watch: nightdesk watches remove {one.id}"
            numbers = {"watched_level": one.level, "value": one.value}
            since = desk.mark.t_recv_ms
            yield Finding(f"{KIND}:{one.id}", KIND, "warn", what, one.subject, since, action, numbers, desk.mark.id)

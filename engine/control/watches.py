"""Watches: a level of a price, of a day's P&L or of equity that a person wants to hear about. Rows of the database.

Asked for by the tool propose_watch (`ask`), confirmed, added and removed by people through app.people.watches.
engine.watch.levels reads those in force, and an alert opens while a level is passed. A watch changes nothing that trades.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from sqlalchemy import Engine, func
from sqlmodel import Session, and_, col, or_, select, update

from engine.clock import DAY_MS
from engine.control.config import DeskConfig, active
from engine.errors import BadInput, Refused
from engine.store import db
from engine.store.tables import LevelWatch

Metric = Literal["price", "day_pnl", "equity"]
Beyond = Literal["below", "above"]
DESK = "desk"
WATCHES_MAX = 40  # in force
ASKED_MAX = 20  # that wait for a person
ASKED_MS = DAY_MS  # how long they wait
LEVEL_MAX = 1e12
LISTED_MAX = 200
BACK_FRAC = 0.005  # how far a price or equity comes back, of the level, before its watch is armed again
DAY_PNL_BACK = 0.1  # the same of a day's P&L, at least 1 in money


class WatchWish(NamedTuple):
    """What is watched: `subject` is an instrument for a price, a sleeve or `desk` for money."""

    metric: str
    subject: str
    beyond: str
    level: float

    def text(self) -> str:
        """`price of binance:BTC-USDT:perp below 80,000`."""
        name = {"price": "price", "day_pnl": "P&L of the UTC day", "equity": "equity"}.get(self.metric, self.metric)
        return f"{name} of {self.subject} {self.beyond} {self.level:,.10g}"

    def rearm(self) -> float:
        """Where the value has to come back to before the alert is over and can open again: a flicker at the level opens one."""
        margin = max(abs(self.level) * DAY_PNL_BACK, 1.0) if self.metric == "day_pnl" else self.level * BACK_FRAC
        return self.level + margin if self.beyond == "below" else self.level - margin

    def rearm_text(self) -> str:
        """`ends, and is armed again, once it closes at 80,400 or above`."""
        side = "above" if self.beyond == "below" else "below"
        return f"ends, and is armed again, once it closes at {self.rearm():,.10g} or {side}"


def wish_of(engine: Engine, home: Path, metric: str, subject: str, beyond: str, level: float) -> WatchWish:
    """A wish checked against the desk: its subject spelled out. Raises BadInput naming what the desk has."""
    if metric not in get_args(Metric) or beyond not in get_args(Beyond):
        raise BadInput(f"a watch on {metric!r} {beyond!r} is unknown", "metric: price, day_pnl, equity; below or above")
    if not math.isfinite(level) or abs(level) > LEVEL_MAX or (metric != "day_pnl" and level <= 0.0):
        raise BadInput(f"{level} is not a level of {metric}", "give a number above 0; of day_pnl a loss is negative")
    config = active(engine, home).config
    return WatchWish(
        metric, _instrument(config, subject) if metric == "price" else _account(config, subject), beyond, float(level)
    )


def _instrument(config: DeskConfig, subject: str) -> str:
    """The desk's one instrument of that name: `BTC-USDT`, `BTC`, or whole."""
    names = dict.fromkeys(s.instrument for s in config.traded)
    wanted = subject.strip().upper()
    fits = [n for n in names if wanted in (n.upper(), n.split(":")[1], n.split(":")[1].split("-")[0])]
    own = [s.instrument for s in config.traded if s.name == subject.strip()]
    if len(found := list(dict.fromkeys(fits or own))) != 1:
        raise BadInput(f"{subject[:60]!r} names {len(found)} instruments of the desk", f"available: {', '.join(names)}")
    return found[0]


def _account(config: DeskConfig, subject: str) -> str:
    """A sleeve's name, or `desk`."""
    return DESK if subject.strip().lower() in ("", DESK) else config.traded_sleeve(subject.strip()).name


def ask(engine: Engine, wish: WatchWish, by: Mapping[str, Any], now_ms: int) -> LevelWatch:
    """Store a wish that waits for a person. Raises Refused when too many wait, or the same is there already."""
    return _store(engine, wish, "asked", by, now_ms)


def put_in_force(engine: Engine, wish: WatchWish, by: Mapping[str, Any], now_ms: int) -> LevelWatch:
    """Store a watch that a person adds. Raises Refused when there are too many, or the same is there already."""
    return _store(engine, wish, "active", by, now_ms)


def _store(engine: Engine, wish: WatchWish, state: str, by: Mapping[str, Any], now_ms: int) -> LevelWatch:
    person = json.dumps(dict(by), sort_keys=True)
    with db.write(engine) as session:
        db.take_turn(session)
        _room(session, state, now_ms)
        same = [getattr(LevelWatch, name) == value for name, value in wish._asdict().items()]
        there = session.exec(select(LevelWatch).where(*same, LevelWatch.state == "active")).first()
        if there is not None:
            raise Refused(f"{there.id} watches the {wish.text()} already")
        number = int(session.exec(select(func.count()).select_from(LevelWatch)).one()) + 1
        row = LevelWatch(id=f"w-{number}", **wish._asdict(), state=state, asked_by=person, asked_ms=now_ms)
        if state == "active":
            row.decided_by, row.decided_ms = person, now_ms
        session.add(row)
        session.flush()
        session.refresh(row)
        session.expunge(row)
    return row


def _room(session: Session, state: str, now_ms: int) -> None:
    """Raise Refused when as many watches are in that state as may be."""
    most = WATCHES_MAX if state == "active" else ASKED_MAX
    waiting = () if state == "active" else (col(LevelWatch.asked_ms) > now_ms - ASKED_MS,)
    there = int(session.exec(select(func.count()).select_from(LevelWatch).where(LevelWatch.state == state, *waiting)).one())
    if there >= most:
        what = "are in force" if state == "active" else "wait for a person already"
        raise Refused(f"{there} watches {what}, the most there may be", "nightdesk watches remove ID")


def decide(engine: Engine, watch_id: str, state: str, by: Mapping[str, Any], now_ms: int) -> LevelWatch:
    """Confirm one that was asked for (`active`), or end it (`removed`). Raises BadInput for an unknown id, Refused once over."""
    bare = watch_id.strip()
    key = f"w-{bare}" if bare.isdigit() else bare
    before = ("asked",) if state == "active" else ("asked", "active")
    with db.write(engine) as session:
        db.take_turn(session)
        row = session.get(LevelWatch, key)
        if row is None:
            raise BadInput(f"no watch {bare[:40]!r}", "see `nightdesk watches list`")
        if row.state not in before:
            raise Refused(f"{row.id} is {row.state} already")
        if state == "active":
            if row.asked_ms <= now_ms - ASKED_MS:
                raise Refused(f"{row.id} was asked for more than a day ago", "add it again: nightdesk watches add")
            _room(session, state, now_ms)
        values = {"state": state, "decided_by": json.dumps(dict(by), sort_keys=True), "decided_ms": now_ms}
        session.exec(update(LevelWatch).where(col(LevelWatch.id) == row.id).values(**values))
        session.refresh(row)
        session.expunge(row)
    return row


def listed(engine: Engine, now_ms: int, *, removed: bool = False) -> list[LevelWatch]:
    """Those in force and those that wait for a person, newest first; with `removed` the ended ones too."""
    waits = and_(col(LevelWatch.state) == "asked", col(LevelWatch.asked_ms) > now_ms - ASKED_MS)
    wanted = select(LevelWatch) if removed else select(LevelWatch).where(or_(col(LevelWatch.state) == "active", waits))
    with db.read(engine) as session:
        newest = wanted.order_by(col(LevelWatch.asked_ms).desc(), col(LevelWatch.id).desc()).limit(LISTED_MAX)
        return list(session.exec(newest).all())


def in_force(engine: Engine) -> list[LevelWatch]:
    """What is watched now, oldest first."""
    with db.read(engine) as session:
        active_ones = select(LevelWatch).where(LevelWatch.state == "active")
        return list(session.exec(active_ones.order_by(col(LevelWatch.asked_ms)).limit(WATCHES_MAX)).all())


def wish_in(row: LevelWatch) -> WatchWish:
    """What a row watches."""
    return WatchWish(row.metric, row.subject, row.beyond, row.level)


def text_of(row: LevelWatch) -> str:
    """What a row watches, in words."""
    return wish_in(row).text()


def view(row: LevelWatch) -> dict[str, Any]:
    """A watch as plain JSON."""
    decided = json.loads(row.decided_by) if row.decided_by else None
    words = {"text": text_of(row), "rearms": wish_in(row).rearm_text()}
    return {**row.model_dump(), "asked_by": json.loads(row.asked_by), "decided_by": decided, **words}

"""A person's watches: added, confirmed, removed by name. Called by app/cli/watches.py and app/api/watches.py.

Turns the act into the row and an event of the people journal. No agent reaches this module: a role may only ask.
"""

from app.home.home import Home
from app.people.approvals import permit, record
from app.people.identity import Actor
from engine.control import watches
from engine.control.watches import WatchWish
from engine.store.tables import LevelWatch


def add(home: Home, wish: WatchWish, actor: Actor, now_ms: int) -> LevelWatch:
    """Watch a level from now on. Raises Refused when there are too many, or the same is watched already."""
    permit(home, actor, "note", now_ms)
    return _journaled(home, "add", watches.put_in_force(home.engine, wish, actor.as_json(), now_ms), actor, now_ms)


def confirm(home: Home, watch_id: str, actor: Actor, now_ms: int) -> LevelWatch:
    """Put a watch in force that was asked for. Raises BadInput or Refused."""
    permit(home, actor, "note", now_ms)
    return _journaled(home, "confirm", watches.decide(home.engine, watch_id, "active", actor.as_json(), now_ms), actor, now_ms)


def remove(home: Home, watch_id: str, actor: Actor, now_ms: int) -> LevelWatch:
    """End a watch, or what was asked for. Raises BadInput or Refused."""
    permit(home, actor, "note", now_ms)
    return _journaled(home, "remove", watches.decide(home.engine, watch_id, "removed", actor.as_json(), now_ms), actor, now_ms)


def _journaled(home: Home, act: str, row: LevelWatch, actor: Actor, now_ms: int) -> LevelWatch:
    body = {"watch": row.id, "act": act, "what": watches.text_of(row), "actor": actor.as_json()}
    record(home, "watch", body, now_ms)
    return row

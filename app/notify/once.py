"""A request from outside that was taken is taken only once. Called by app.slack.signed_http and app.telegram.actions."""

from sqlalchemy.exc import IntegrityError
from sqlmodel import col, delete

from app.home.home import Home
from engine.store import db
from engine.store.tables import SlackRequest

KEPT_MS = 3 * 86_400_000  # how long digests are kept; Telegram brings an update for a day, a signature is good for five minutes


def first_time(home: Home, digest: str, now_ms: int) -> bool:
    """Record a request's digest; False when it was recorded before. Raises DeskError when the database is unavailable."""
    try:
        with db.write(home.engine) as session:
            session.exec(delete(SlackRequest).where(col(SlackRequest.seen_ms) < now_ms - KEPT_MS))
            session.add(SlackRequest(digest=digest, seen_ms=now_ms))
    except IntegrityError:
        return False
    return True

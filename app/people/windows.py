"""A named person opens or closes an incident window: checked on the desk as its journal has it, then handed to the worker.

Called by app/cli/incidents.py. The worker, which alone writes that journal, judges again when it takes it. Works with every model
down; no agent reaches it.
"""

from collections.abc import Mapping
from typing import Any

from app.home.home import Home
from app.people.approvals import permit, prove_person, record
from app.people.identity import Actor, reason_given
from engine.book.book import Book
from engine.book.incident_money import incidents_of, window_money
from engine.book.replay import fold
from engine.book.windows import TEXT_MAX, refusal, scope_of
from engine.control import adoptions
from engine.errors import BadInput, DataError, Refused
from engine.watch.runbooks import unknown_checks
from engine.watch.step_checks import CHECKS


def to_open(home: Home, cause: str, sleeve: str, actor: Actor) -> dict[str, Any]:
    """The body of a window over one sleeve, or over the whole desk. Raises BadInput or Refused where it cannot be opened."""
    book = _book(home)
    if sleeve and sleeve not in book.names:
        raise BadInput(f"unknown sleeve {sleeve[:60]!r}", f"available: {', '.join(book.names)}")
    scope = {"sleeves": [sleeve], "instruments": list[str]()} if sleeve else scope_of(book)
    return _checked(book, {"what": "open", "cause": _words(cause, "cause", "what is wrong"), "by": actor.name, **scope})


def to_close(home: Home, window: str, cause: str, lesson: str, actor: Actor) -> tuple[dict[str, Any], dict[str, float]]:
    """(the body that closes a window, its money so far). BadInput for one that is not open, Refused while its cause lasts."""
    book = _book(home)
    opened = incidents_of(book)["open"]
    if window not in opened:
        raise BadInput(f"window {window[:20]!r} is not open", f"open: {', '.join(opened) or 'none'}")
    words = {"cause": _words(cause, "cause", "what it was"), "lesson": _words(lesson, "lesson", "what to check from now on")}
    if unknown := unknown_checks(words["lesson"]):
        raise BadInput(f"the lesson names the check {unknown[0]!r}, which the desk has not", f"available: {', '.join(CHECKS)}")
    body = _checked(book, {"what": "close", "window": window, **words, "by": actor.name})
    return body, window_money(book, window)


def hand_over(home: Home, body: Mapping[str, Any], actor: Actor, now_ms: int, passphrase: str | None = None) -> int:
    """Journal the person's word, and hand it to the worker; its number. Raises Refused for a wrong passphrase."""
    permit(home, actor, "incident", now_ms)
    prove_person(home, actor, passphrase, now_ms, "window")
    record(home, "window", {"actor": actor.as_json(), "window": dict(body)}, now_ms)
    return adoptions.ask_window(home.engine, body, actor.as_json(), now_ms)


def _book(home: Home) -> Book:
    book = fold(home.desk_journal)
    if book is None:
        raise DataError("no desk has begun here", "start it: nightdesk up")
    return book


def _words(words: str, name: str, about: str) -> str:
    """A person's words, as they are kept."""
    found = reason_given(words)
    if not found or len(found) > TEXT_MAX:
        raise BadInput(f"the {name} is missing or too long", f"--{name} TEXT: {about}, 1 to {TEXT_MAX} characters")
    return found


def _checked(book: Book, body: dict[str, Any]) -> dict[str, Any]:
    """The body, if the book as it is now would take it."""
    if why := refusal(book, body):
        raise Refused(why, "see nightdesk incidents list, and nightdesk reconcile")
    return body

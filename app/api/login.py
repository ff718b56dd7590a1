"""Routes of the one-time login link and the session. Registered by app.api.factory."""

import html
from typing import Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.api import models_people as m
from app.api.context import ApiContext, At, Who, now_ms
from app.api.models import Ok
from app.people.authority import refusals, role_of
from app.people.identity import Actor, passphrase_needed
from app.people.sessions import SESSION_MS, NoSession, Session, cookie_name

router = APIRouter(prefix="/api", tags=["session"])


@router.get("/login", status_code=303, response_class=RedirectResponse)
def login(at: At, request: Request, code: str = Query("", max_length=100)) -> Response:
    """Use the one-time link: sets the session cookie (HttpOnly) and redirects to the page."""
    try:
        secret, _ = at.sessions.redeem(code, now_ms())
    except NoSession as refusal:
        if "text/html" not in request.headers.get("accept", ""):
            raise
        return HTMLResponse(in_words(refusal), status_code=401)
    host = (request.url.hostname or at.address.host).lower()
    page = at.address.page.format(host=f"[{host}]" if ":" in host else host)
    answer = RedirectResponse(page, status_code=303)
    answer.set_cookie(
        cookie_name(at.address.port),
        secret,
        max_age=SESSION_MS // 1000,
        httponly=True,
        samesite="strict",
        path="/",
        secure=request.url.scheme == "https",
    )
    return answer


def in_words(refusal: NoSession) -> str:
    """What a person sees in a browser whose link no longer works."""
    what = html.escape(str(refusal.what))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        "<title>Nightdesk</title><style>:root{color-scheme:light dark;font:16px sans-serif}"
        f"body{{margin:10vh auto;max-width:34em;padding:0 1em}}</style><h1>{what[:1].upper()}{what[1:]}</h1>"
        "<p>Type <code>nightdesk login</code> in a terminal on the desk's machine: it prints a new one. "
        "A browser that is logged in already needs none: open the page itself.</p></html>"
    )


@router.get("/session")
def session(at: At, who: Who) -> m.SessionView:
    """Whose session this is."""
    return session_view(at, who)


@router.post("/session")
def rename(at: At, who: Who, body: m.NameBody) -> m.SessionView:
    """Set the session's person; once people.toml has entries, prove it with the token."""
    return session_view(at, at.sessions.rename(who, body.name, body.token))


@router.delete("/session")
def logout(at: At, who: Who) -> Ok:
    """Log out."""
    at.sessions.close(who)
    return Ok()


def session_view(at: ApiContext, who: Session) -> m.SessionView:
    """The API's view of a session."""
    unproven = at.sessions.unproven(who)
    assurance: Literal["claimed", "session"] = "session" if who.proof and not unproven else "claimed"
    actor = Actor(who.name, assurance, "", "page")
    return m.SessionView(
        name=who.name,
        assurance=assurance,
        scope=who.scope,
        expires_ms=who.expires_ms,
        proof_needed=unproven,
        passphrase_needed=passphrase_needed(at.path),
        role=role_of(at.path, actor),
        refused=refusals(at.path, actor),
    )

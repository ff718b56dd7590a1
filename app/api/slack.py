"""The route of Slack's signed requests (HTTP instead of Socket Mode). Registered by app.api.factory.

It adds nothing: app.slack.signed_http verifies and answers.
"""

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from app.api.context import ApiContext, At

router = APIRouter(prefix="/api/slack", tags=["slack"])


@router.post("/events", include_in_schema=False)
async def events(at: At, request: Request) -> Response:
    """A button, command or event from Slack: a form or JSON body with a signature instead of a session."""
    body = await request.body()
    return await run_in_threadpool(_handle, at, body, dict(request.headers))


def _handle(at: ApiContext, body: bytes, headers: dict[str, str]) -> Response:
    from app.slack.signed_http import handle
    from app.slack.sink import connect

    response = handle(at.home, connect(at.home), body, headers)
    return JSONResponse(response.body, response.status) if response.body else Response(status_code=response.status)

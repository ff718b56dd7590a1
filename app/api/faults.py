"""Exceptions -> the API's error JSON {"error": {"kind", "what", "hint"}} with its status, never a traceback. Called by
app.api.factory."""

import traceback
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.api.context import NotFound, now_ms
from app.people.sessions import Denied, NoSession
from app.processes.room import failure_text
from engine.errors import BadInput, Busy, DataError, DeskError, JournalBroken, Refused, StrategyError

# first match wins; a refusal by one of the desk's rules is a conflict with its state
STATUS: tuple[tuple[type[DeskError], int], ...] = (
    (NotFound, 404),
    (BadInput, 400),
    (StrategyError, 400),
    (NoSession, 401),
    (Denied, 403),
    (Refused, 409),
    (Busy, 409),
    (DataError, 503),
    (JournalBroken, 503),
)
KINDS = {"NotFound": "BadInput", "Denied": "Refused"}
UNREAD = "There was an error parsing the body"  # FastAPI's words for a body that json.loads does not read
WORDS = {404: ("BadInput", "unknown route"), 405: ("BadInput", "this route does not support that method")}


def add_faults(app: FastAPI) -> None:
    """Register a response for every exception of a route."""
    app.add_exception_handler(DeskError, _of_the_desk)
    app.add_exception_handler(RequestValidationError, _of_the_body)
    app.add_exception_handler(HTTPException, _of_the_route)
    app.add_exception_handler(OSError, _of_the_system)
    app.add_exception_handler(MemoryError, _of_the_system)
    app.add_exception_handler(Exception, _of_ours)


def status_of(error: DeskError) -> int:
    """The HTTP status of an error of the desk."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), 503)


def error_response(kind: str, what: str, hint: str, status: int) -> JSONResponse:
    """The one error shape."""
    return JSONResponse({"error": {"kind": kind, "what": what, "hint": hint}}, status_code=status)


async def _of_the_desk(_request: Request, error: Any) -> JSONResponse:
    name = type(error).__name__
    return error_response(KINDS.get(name, name), error.what, error.hint, status_of(error))


async def _of_the_body(_request: Request, error: Any) -> JSONResponse:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        what = f"the body is not JSON: {first['ctx']['error']} at character {first['loc'][-1]}"
        return error_response("BadInput", what, "send one JSON object", 422)
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))[:120]
    why = str(first["msg"]).removeprefix("Value error, ")
    return error_response("BadInput", f"{where or 'the request'}: {why}", "see /openapi.json", 422)


async def _of_the_route(_request: Request, error: Any) -> JSONResponse:
    if error.detail == UNREAD:
        return error_response("BadInput", "the body cannot be read: not UTF-8, or nested too deeply", "send one JSON object", 400)
    kind, what = WORDS.get(error.status_code, ("BadInput", str(error.detail)[:200]))
    response = error_response(kind, what, "see /openapi.json", error.status_code)
    response.headers.update(error.headers or {})  # a 405 names the methods that it allows
    return response


async def _of_the_system(_request: Request, error: Any) -> JSONResponse:
    """A full disk, too many open files, no memory: what failed, and what to do."""
    what, _, advice = failure_text(error).partition(" - ")
    return error_response("DataError", what, advice, 503)


async def _of_ours(request: Request, error: Exception) -> JSONResponse:
    """Our own bug: one line for the caller, the traceback into the home's logs."""
    folder = request.app.state.desk.path / "logs"
    path = folder / f"api-bug-{now_ms()}.txt"
    try:
        path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        where = f"details in logs/{path.name}"
    except OSError:
        where = "the details could not be written"
    return error_response("Bug", f"internal error (our bug): {type(error).__name__}", where, 500)

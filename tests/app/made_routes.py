"""Routes that FastAPI makes once for all applications of a test process: it makes those of each anew, 0.2 s of CPU a server, and
their schema, 0.7 s.

tests/conftest.py puts `made` and `described` in the place of FastAPI's functions. A route that is included with another prefix,
other dependencies or responses is another one. What it was made with is kept beside it: its ids are nobody else's.
"""

from dataclasses import replace
from typing import Any

from fastapi import FastAPI, routing

make, describe = routing._EffectiveRouteContext.from_api_route, FastAPI.openapi
_DESCRIBED: dict[tuple[Any, ...], tuple[list[Any], Any]] = {}
_MADE = "_made_in_tests"  # an attribute of the route itself: both are gone together


def made(*, original_route: Any, include_context: Any) -> Any:
    """The route as an application serves it; no application of ours overrides a dependency."""
    answer = include_context.default_response_class
    parts = [getattr(answer, "value", answer), *(depends.dependency for depends in include_context.dependencies)]
    parts += [response.get("model") for response in include_context.responses.values()]
    key = (include_context.prefix, *include_context.tags, *include_context.responses, *map(id, parts))
    kept = original_route.__dict__.setdefault(_MADE, {})
    if key not in kept:
        alone = replace(include_context, dependency_overrides_provider=None)
        kept[key] = parts, make(original_route=original_route, include_context=alone)
    return kept[key][1]


def described(app: FastAPI) -> Any:
    """The schema of an application, which is that of an earlier one of the same routers; no caller changes it."""
    routers = [getattr(route, "original_router", None) for route in app.routes]
    key = (app.title, *map(id, routers))
    if key not in _DESCRIBED:
        _DESCRIBED[key] = routers, describe(app)
    return _DESCRIBED[key][1]

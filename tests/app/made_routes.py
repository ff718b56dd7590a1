"""Routes that FastAPI makes once for all applications of a test process: it makes those of each anew, 0.2 s of CPU a server.

tests/conftest.py puts `made` in the place of FastAPI's function. A route that is included with another prefix, other dependencies
or responses is another one. What it was made with is kept beside it: its ids are nobody else's.
"""

from dataclasses import replace
from typing import Any

from fastapi import routing

make = routing._EffectiveRouteContext.from_api_route
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

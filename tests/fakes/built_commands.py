"""Commands that typer builds once for each command line: it builds all of them anew, 20 ms of CPU, whenever one is typed.

tests/conftest.py puts `built` in the place of typer's function. Two command lines are one if they register the same functions
with the same words: a test that makes its own `Typer` of a module's commands has those of the test before.
"""

from collections.abc import Iterator
from typing import Any

import typer.main
import typer.testing

build = typer.main.get_command
KEPT_MAX = 8
_BUILT: dict[tuple[Any, ...], tuple[tuple[Any, ...], Any]] = {}  # what it is made of is held: its ids are nobody else's
PARTS = (typer.Typer, typer.models.TyperInfo, typer.models.CommandInfo, typer.models.DefaultPlaceholder)
WORDS = (str, int, type(None))


def registered(part: Any) -> Iterator[Any]:
    """All that a command line is made of: words, functions and classes."""
    if isinstance(part, list):
        yield len(part)
        for one in part:
            yield from registered(one)
    elif isinstance(part, PARTS):
        for value in vars(part).values():
            yield from registered(value)
    else:
        yield part


def built(app: typer.Typer) -> Any:
    """Its commands, as typer builds them."""
    parts = tuple(registered(app))
    key = tuple(part if isinstance(part, WORDS) else (id(part),) for part in parts)
    if key not in _BUILT:
        while len(_BUILT) >= KEPT_MAX:
            _BUILT.pop(next(iter(_BUILT)))
        _BUILT[key] = parts, build(app)
    return _BUILT[key][1]

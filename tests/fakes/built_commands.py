"""Commands that typer builds once for each command line: it builds all of them anew, 20 ms of CPU, whenever one is typed.

tests/conftest.py puts `built` in the place of typer's function. Whatever is registered or taken out makes another command line.
"""

from collections.abc import Iterator
from typing import Any

import typer.main
import typer.testing

build = typer.main.get_command
KEPT_MAX = 8
_BUILT: dict[tuple[int, ...], tuple[tuple[Any, ...], Any]] = {}  # what it is made of is held: its ids are nobody else's


def registered(app: typer.Typer) -> Iterator[Any]:
    """All that a command line is made of."""
    yield from (app, *app.registered_commands)
    for group in app.registered_groups:
        yield group
        if group.typer_instance is not None:
            yield from registered(group.typer_instance)


def built(app: typer.Typer) -> Any:
    """Its commands, as typer builds them."""
    parts = tuple(registered(app))
    key = tuple(map(id, parts))
    if key not in _BUILT:
        while len(_BUILT) >= KEPT_MAX:
            _BUILT.pop(next(iter(_BUILT)))
        _BUILT[key] = parts, build(app)
    return _BUILT[key][1]

"""The help of every command says what its source says: nothing in it is taken for markup."""

import re
from collections.abc import Iterator
from typing import Any

import typer
from typer.testing import CliRunner

from app.cli import main

FRAME = re.compile(r"[\s│╭╮╰╯─`]+")  # lines are broken and framed; code has no ticks
MARKS = re.compile(r"[\[\]<>*_~#|]")  # what some markup means something by
WIDE = {"COLUMNS": "200", "TERMINAL_WIDTH": "200"}


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with the words that call it."""
    for name, found in group.commands.items():
        if hasattr(found, "commands"):
            yield from commands(found, (*path, name))
        else:
            yield (*path, name), found


def texts_of(command: Any) -> list[str]:
    """The help of a command and of each of its parameters, as written."""
    return [str(text) for text in (command.help, *(getattr(one, "help", None) for one in command.params)) if text]


def test_no_word_of_a_help_is_eaten() -> None:
    """`[monitor]` of desk.toml is a word like any other: `it is off until  of desk.toml says` helps nobody."""
    main.load_groups()
    marked = [
        (path, found) for path, found in commands(typer.main.get_command(main.app)) if MARKS.search(" ".join(texts_of(found)))
    ]
    eaten = []
    for path, found in marked:
        shown = FRAME.sub("", CliRunner().invoke(main.app, [*path, "--help"], env=WIDE).output)
        eaten += [(path, word) for text in texts_of(found) for word in text.split() if FRAME.sub("", word) not in shown]
    assert not eaten
    assert {("monitor",), ("retention", "show"), ("data", "fetch")} <= {path for path, _ in marked}

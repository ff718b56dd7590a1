"""A group of commands as a person types it, in this process and without a home: exit code, stdout, stderr."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import typer

from app.cli import out
from engine.errors import DeskError

Typed = Callable[..., tuple[int, str, str]]


def typed_in(group: ModuleType, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Runs `nightdesk GROUP ARGS` of a module of app/cli. What it raises is printed as the command line prints it."""
    monkeypatch.setenv("NIGHTDESK_HOME", str(home))
    monkeypatch.delenv("NIGHTDESK_DATA", raising=False)

    def run(*args: str) -> tuple[int, str, str]:
        app = typer.Typer()
        group.register(app)
        try:
            code = app([group.__name__.rpartition(".")[2], *args], standalone_mode=False) or 0
        except DeskError as error:
            code = out.fail(error, as_json="--json" in args)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run

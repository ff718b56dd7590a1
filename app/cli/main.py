"""The `nightdesk` command: one module per group of commands, each importing what it needs when called.

`run` is the console entry point. Exit codes: 0 done, 1 failed or refused, 2 usage (typer's own).
"""

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from app import VERSION
from app.cli import out
from app.processes.children import account_variables, home_of
from app.processes.room import failure_text
from engine.errors import BadInput, DeskError

KEYED = ("up", "worker", "account", "live", "making live")  # commands that start a process which reads a venue's keys
STOPPED = 130  # exit code after Ctrl-C
# each module has register(app), which adds its commands
GROUPS = (
    "data",
    "strategies",
    "backtest",
    "sweep",
    "trained_models",
    "l2",
    "making",
    "parity",
    "drift",
    "judge",
    "weights",
    "pairs",
    "risk",
    "runs",
    "chat",
    "proposals",
    "canary",
    "people",
    "halt",
    "drill",
    "evals",
    "audit",
    "silences",
    "adopt",
    "cash",
    "reconcile",
    "incidents",
    "orders",
    "journal",
    "desk",
    "tool",
    "api",
    "ui",
    "notes",
    "memory",
    "report",
    "alerts",
    "notify",
    "watches",
    "runbooks",
    "jobs",
    "mcp",
    "monitor",
    "account",
    "live",
    "upkeep",
)

app = typer.Typer(
    name="nightdesk",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # as rich's own markup the name of a table of desk.toml, [monitor], would vanish
    help="The night shift of a small crypto trading desk. Start with: nightdesk up",
)


def show_version(wanted: bool) -> None:
    """`nightdesk --version`."""
    if wanted:
        sys.stdout.write(f"nightdesk {VERSION}\n")
        raise typer.Exit


@app.callback()
def options(_: bool = typer.Option(False, "--version", callback=show_version, is_eager=True, help="say the version")) -> None:
    """What stands before a command."""


def load_groups() -> None:
    """Register every group's commands, and each once however often this is called; heavy imports stay inside the commands."""
    app.registered_groups.clear()
    app.registered_commands.clear()
    for name in GROUPS:
        importlib.import_module(f"app.cli.{name}").register(app)


def run() -> None:
    """Run the command line; every outcome is an exit code and at most one error line."""
    forget_venue_keys(sys.argv[1:])
    load_groups()
    as_json = "--json" in sys.argv
    try:
        code = app(standalone_mode=False)
    except DeskError as error:
        code = out.fail(error, as_json=as_json)
    except typer.Exit as leave:
        code = leave.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = STOPPED
    except UnicodeEncodeError as error:
        spelled = next((word for word in sys.argv if not word.isprintable()), "")
        if not any("\udc80" <= letter <= "\udcff" for letter in spelled):
            code = out.bug(error, home())
        else:
            shown = spelled.encode("utf-8", "replace").decode()[:60]
            code = out.fail(BadInput(f"{shown!r} holds bytes that are not UTF-8", "type it again"), as_json=as_json)
    except (OSError, MemoryError) as error:
        out.say(f"nightdesk: {failure_text(error)}")
        code = 1
    except Exception as error:  # noqa: BLE001 - last resort: no traceback reaches a user
        code = out.click_exit(error, as_json=as_json) if hasattr(error, "exit_code") else out.bug(error, home())
    if code == STOPPED:  # typer returns it, too
        out.say("nightdesk: stopped")
    sys.exit(code if isinstance(code, int) else 0)


def forget_venue_keys(words: Sequence[str]) -> None:
    """No command but those that start worker, maker or check has the variables of [accounts], nor has what it starts."""
    if {*words[:1], " ".join(words[:2])}.isdisjoint(KEYED):
        for name in account_variables(home_of(os.environ)):
            os.environ.pop(name, None)


def home() -> Path | None:
    """The home folder, if it exists, to store the details of a bug."""
    path = Path(os.environ.get("NIGHTDESK_HOME", "var"))
    return path if path.is_dir() else None

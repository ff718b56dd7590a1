"""Output of every command: one JSON object on stdout with --json, else text; progress and errors on stderr.

Called by every module of app/cli. A DeskError becomes one line and exit code 1; anything else is reported as our bug.
"""

import json
import math
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import DeskError

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.segment import Segment

# control, invisible and direction-changing characters: none reaches a terminal, whoever wrote them
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def bare(text: str) -> str:
    """`text` without control and direction-changing characters; line ends and tabs stay."""
    return _CONTROL.sub("", text)


def json_line(value: Mapping[str, Any]) -> str:
    """`value` as one line of JSON that is harmless on a terminal: what `bare` would drop is escaped, so nothing is lost."""
    text = json.dumps(json_ready(value), ensure_ascii=False, allow_nan=False)
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


class _Bare:
    """A rich renderable with its text `bare` and without links: only rich itself emits control sequences."""

    def __init__(self, made: Any) -> None:
        self.made = made

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterator[Segment]":
        from rich.segment import Segment

        for part in console.render(self.made, options):
            style = part.style.update_link(None) if part.style is not None and part.style.link else part.style
            yield part if part.control else Segment(bare(part.text), style)


def json_ready(value: Any) -> Any:
    """`value` as JSON values; NaN and infinities become null."""
    if isinstance(value, Mapping):
        return {str(k): json_ready(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(v) for v in value]
    if hasattr(value, "item") and not isinstance(value, str | bytes):
        return json_ready(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Path | datetime):
        return str(value)
    return value


def emit(value: Mapping[str, Any], *, as_json: bool, text: Callable[[], Any]) -> None:
    """Print `value` as one JSON object, or what `text` returns (a string or anything rich can show)."""
    if as_json:
        sys.stdout.write(json_line(value))
        return
    shown = text()
    if isinstance(shown, str):
        sys.stdout.write(bare(shown) + ("" if shown.endswith("\n") else "\n"))
    else:
        from rich.console import Console

        Console(width=None if sys.stdout.isatty() else 120).print(_Bare(shown))


def say(line: str) -> None:
    """Print a line on stderr, where it cannot mix with a result."""
    sys.stderr.write(bare(line) + "\n")


@contextmanager
def progress(label: str, total: float | None) -> Iterator[Callable[[float], None]]:
    """A progress bar on stderr; yields advance-to(done). Silent without a terminal."""
    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(bare(label), total=total)
        yield lambda done: bars.update(task, completed=done)


def fail(error: DeskError, *, as_json: bool) -> int:
    """Print the error as one line (and as JSON); returns the exit code."""
    if as_json:
        body = {"error": {"kind": type(error).__name__, "what": error.what, "hint": error.hint}}
        sys.stdout.write(json_line(body))
    say(f"nightdesk: {error}")
    return 1


def bug(error: BaseException, home: Path | None) -> int:
    """Report our own bug: one line on stderr, the traceback in a file of the home if there is one."""
    where = ""
    if home is not None and os.access(home, os.W_OK):
        path = home / "logs" / f"bug-{os.getpid()}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(traceback.format_exception(error)))
        where = f"; details in {path}"
    say(f"nightdesk: internal error (our bug): {type(error).__name__}: {error}{where}")
    return 1


def click_exit(error: Exception, *, as_json: bool) -> int:
    """A usage error, printed as the parser prints it (and as JSON); returns its exit code (2)."""
    if as_json:
        told = getattr(error, "format_message", None)  # a missing argument is named there alone
        what = str(told() if told is not None else error)
        sys.stdout.write(
            json_line({"error": {"kind": "Usage", "what": what, "hint": "add --help to see what the command takes"}})
        )
    show = getattr(error, "show", None)
    if show is not None:
        show()
    return int(getattr(error, "exit_code", 2))

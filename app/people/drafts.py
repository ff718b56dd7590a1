"""A strategy that a model drafted as a note, made into a file by a named person. Called by app/cli/adopt_draft.py alone.

Off until desk.toml says `[strategies] adopt = true`. Code that imports or calls what a strategy may not is refused unrun. A
person sees the diff, the look-ahead check and a backtest, both run by a process of its own on a folder beside the home. No tool,
page or agent reaches this module; a note that changed since it was shown is refused.
"""

import ast
import difflib
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from app.home.files import NETWORK
from app.home.home import Home
from app.home.written import write_whole
from app.people.approvals import permit, record
from app.people.identity import Actor
from engine.errors import BadInput, Refused
from engine.strategies.base import NAMES, OURS
from memory.note import split
from memory.shelf import INBOX, Shelf

CODE_MAX = 20_000  # characters
CHECK_S = 600  # of one check
MODULES = ("__future__", "collections.abc", "engine.data.sources", "engine.strategies.base", "math", "numpy", "typing")
CALLS = (
    "__import__",
    "breakpoint",
    "compile",
    "delattr",
    "eval",
    "exec",
    "getattr",
    "globals",
    "input",
    "locals",
    "open",
    "setattr",
    "vars",
)
NUMPY_FILES = (
    "fromfile",
    "load",
    "loadtxt",
    "genfromtxt",
    "memmap",
    "save",
    "savetxt",
    "savez",
    "savez_compressed",
    "tofile",
    "ctypeslib",
)
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


class DraftedStrategy(NamedTuple):
    """The code of a note; `sha256` is of the code."""

    note: str
    name: str
    code: str
    sha256: str
    role: str  # who wrote it, as the note says


def draft_of(home: Home, note: str) -> DraftedStrategy:
    """The draft of an inbox note. Raises BadInput for a note without one, Refused for code that may not become a strategy."""
    page = Shelf(home.memory).read(f"{INBOX}/{note}")
    if page is None:
        raise BadInput(f"unknown note {note[:80]!r}", "see `nightdesk notes list`")
    head, text = split(page.text)
    blocks = BLOCK.findall(text)
    if len(blocks) != 1:
        raise BadInput(f"{note[:80]} has {len(blocks)} blocks of Python, one is a draft", "ask the developer role for a draft")
    code = str(blocks[0])
    if fault := fault_in(code):
        raise Refused(f"the draft may not become a strategy: {fault}", "edit the note, or write the file yourself")
    name = name_in(code)
    if not NAMES.fullmatch(name):
        raise Refused(f"the draft's NAME {name[:60]!r} is invalid", "lower-case letters, digits and _, a letter first")
    if name in OURS or (home.strategies / f"{name}.py").exists():
        raise Refused(f"a strategy {name} exists", "change the draft's NAME")
    return DraftedStrategy(note, name, code, hashlib.sha256(code.encode()).hexdigest(), head.get("from", ""))


def fault_in(code: str) -> str:
    """Why code may not become a strategy; empty where it may. Read from its syntax: nothing of it is run."""
    if len(code) > CODE_MAX:
        return f"it has {len(code):,} characters, at most {CODE_MAX:,}"
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError) as error:
        return f"it is not Python: {error}"[:200]
    return next((fault for node in ast.walk(tree) for fault in _faults(node)), "")


def _faults(node: ast.AST) -> Iterator[str]:
    """What one node does that a strategy may not."""
    line = f"line {getattr(node, 'lineno', 0)}"
    if isinstance(node, ast.Import):
        yield from (f"{line} imports {one.name}" for one in node.names if one.name not in MODULES)
    if isinstance(node, ast.ImportFrom) and (node.level or node.module not in MODULES):
        yield f"{line} imports {node.module}"
    if isinstance(node, ast.Name) and (node.id in CALLS or node.id.startswith("__")):
        yield f"{line} uses {node.id}"
    if isinstance(node, ast.Attribute) and (node.attr.startswith("_") or node.attr in NUMPY_FILES):
        yield f"{line} uses .{node.attr}"
    if isinstance(node, ast.Global | ast.Nonlocal | ast.AsyncFunctionDef):
        yield f"{line} keeps state or waits"


def name_in(code: str) -> str:
    """The NAME that code declares; empty without one."""
    for node in ast.parse(code).body:
        if isinstance(node, ast.Assign) and [getattr(one, "id", "") for one in node.targets] == ["NAME"]:
            return str(getattr(node.value, "value", ""))
    return ""


def diff_of(home: Home, draft: DraftedStrategy) -> str:
    """The draft as a diff against the nearest of the person's own and the shipped strategies, by likeness of lines."""
    from engine.strategies import base

    shipped = {name: Path(base.__file__).with_name(f"{name}.py") for name in OURS}
    files = {**shipped, **{path.stem: path for path in home.strategies.glob("*.py")}}
    texts = {
        name: path.read_text(encoding="utf-8", errors="replace").splitlines() for name, path in files.items() if path.exists()
    }
    own = draft.code.splitlines()
    near = max(texts, key=lambda name: difflib.SequenceMatcher(None, texts[name], own, autojunk=False).ratio(), default="")
    return "\n".join(difflib.unified_diff(texts.get(near, []), own, f"{near or 'nothing'}.py", f"{draft.name}.py", lineterm=""))


def checks_of(home: Home, draft: DraftedStrategy, symbol: str) -> list[dict[str, Any]]:
    """The look-ahead check and a backtest of a draft on the home's data: {"check", "passed", "text"} each. The code runs in
    processes that see no key, in a folder of their own."""
    with tempfile.TemporaryDirectory(prefix="nightdesk-draft-") as place:
        beside = Path(place)
        (beside / "strategies").mkdir()
        (beside / "strategies" / f"{draft.name}.py").write_text(draft.code, encoding="utf-8")
        data = home.settings.data or home.path / "data"
        environment = {"NIGHTDESK_HOME": str(beside), "NIGHTDESK_DATA": str(data), "PATH": os.environ.get("PATH", "")}
        return [_checked(what, draft.name, symbol, environment) for what in ("leaks", "backtest")]


def _checked(what: str, name: str, symbol: str, environment: dict[str, str]) -> dict[str, Any]:
    assert not set(environment) & set(NETWORK)  # noqa: S101 - a programmer's error
    run = "from app.cli.main import run; run()"
    command = [sys.executable, "-c", run, what, name, "--symbol", symbol, "--json"]
    root = Path(__file__).resolve().parents[2]
    try:
        done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, timeout=CHECK_S, check=False)  # noqa: S603 - our own program
    except subprocess.TimeoutExpired:
        return {"check": what, "passed": False, "text": f"not done after {CHECK_S} s"}
    try:
        found = json.loads(done.stdout)
    except ValueError:
        found = {}
    text = str(found.get("text") or found.get("error") or "")
    if what == "backtest" and (metrics := found.get("metrics")):
        text = f"{metrics.get('trades')} round trips, total return {metrics.get('total_return_frac')}"
    return {"check": what, "passed": done.returncode == 0, "text": (text or done.stderr.strip().rpartition("\n")[2])[:600]}


def allowed_to(home: Home, actor: Actor, now_ms: int) -> None:
    """Refuse before anything is read. Raises Denied; Refused while desk.toml does not allow it."""
    permit(home, actor, "code", now_ms)
    if not home.desk.strategies.adopt:
        raise Refused("this desk adopts no drafts", "set adopt = true under [strategies] of desk.toml")


def adopt(home: Home, shown: DraftedStrategy, checks: list[dict[str, Any]], actor: Actor, now_ms: int) -> str:
    """Write the file that was shown, journaled before; the id of the journal's event. Raises Denied, BadInput, Refused for a
    note that changed since, a check that failed, a name that exists now."""
    allowed_to(home, actor, now_ms)
    if draft_of(home, shown.note).sha256 != shown.sha256:
        raise Refused(f"{shown.note} changed since it was shown", "run the command again and read it anew")
    if failed := [one["check"] for one in checks if not one["passed"]] or (["every check"] if not checks else []):
        raise Refused(
            f"the draft did not pass: {', '.join(failed)}", "a strategy that looks ahead, or does not run, is not adopted"
        )
    body = {"note": shown.note, "strategy": shown.name, "sha256": shown.sha256, "checks": checks, "actor": actor.as_json()}
    event = record(home, "adopt_strategy", body, now_ms)
    home.strategies.mkdir(exist_ok=True)
    write_whole(home.strategies / f"{shown.name}.py", shown.code)
    return event

"""What a terminal and a pipe show of an answer: struck numbers in words, and nothing that a terminal would act on."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.exceptions import TyperException

from app.cli import chat, out
from tests.fakes.waiting import WAIT_S
from tools.common.render import safe

ROOT = Path(__file__).resolve().parents[3]
EVIL = "a\x1b]0;title\x07b\x1b[2Jc\x1b]8;;http://foreign.example\x1b\\d\x1b]8;;\x1b\\e\x9b2Jf\u202eg"
STRUCK = ["98,765.43", "41.7 %", "-777", "1,212", "505.5", "333.3", "0.3131"]
ANSWER = """The equity is ~~98,765.43~~ USDT, up ~~41.7 %~~(this year), x~~-777~~y; also `~~1,212~~`.

- in a list ~~505.5~~

> quoted **~~333.3~~**

| metric | value |
|---|---|
| sharpe | ~~0.3131~~ |
"""
SHOW = "import json, sys; from app.cli import chat, out; a = json.load(open(sys.argv[1]))\n"
EMIT = "out.emit({}, as_json=False, text=lambda: chat.shown(a['text'], a['struck']))"
WORDS = "from rich.text import Text; out.emit({}, as_json=False, text=lambda: Text(a['text']))"
TELL = "chat._print_event({'kind': 'notice', 'text': a['text']})"


def run(folder: Path, text: str, struck: list[str], do: str = EMIT, *, terminal: bool) -> str:
    """What really comes out of a process of its own, into a pipe or into a terminal."""
    path = folder / "answer.json"
    path.write_text(json.dumps({"text": text, "struck": struck}))
    command = [sys.executable, "-c", SHOW + do, str(path)]
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
    if not terminal:
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=WAIT_S, check=True)
        return done.stdout + done.stderr
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        found = b""
        while part := _read_terminal(ours):
            found += part
    os.close(ours)
    assert process.returncode == 0, found
    return found.decode()


def _read_terminal(terminal: int) -> bytes:
    """The next piece; empty once nobody writes to it any more."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""


@pytest.mark.parametrize("terminal", [False, True], ids=["piped", "terminal"])
def test_every_struck_number_says_so(tmp_path: Path, terminal: bool) -> None:
    """In text, lists, quotes, code and tables; none stands without its mark; the last line counts them."""
    shown = run(tmp_path, ANSWER, STRUCK, terminal=terminal)
    for number in STRUCK:
        assert f"[struck: {number}]" in shown
        assert shown.count(f"[struck: {number}]") == shown.count(number)
    assert "~~" not in shown
    assert shown.strip().endswith("7 sentences were struck out: this thread says otherwise.")


def test_one_struck_number_is_counted_as_one(tmp_path: Path) -> None:
    """And an answer without any says nothing of it."""
    assert "1 sentence was struck out: this thread says otherwise." in run(tmp_path, "It is ~~5~~.", ["5"], terminal=False)
    assert "struck" not in run(tmp_path, "All is well.", [], terminal=False)


@pytest.mark.parametrize(
    "text", ["~~The equity is ~~98,765.43~~ today~~.", "~~~~98,765.43~~~~", "\\~~98,765.43~~", "*a*~~98,765.43~~~~b~~"]
)
def test_strikes_that_a_model_writes_itself_unstrike_nothing(text: str) -> None:
    """What was struck is marked before any other pair of its signs is looked for."""
    assert "[struck: 98,765.43]" in chat.in_words(chat.marked(text, ["98,765.43"]))


DOORS = (EMIT, WORDS, TELL, "out.say(a['text'])", "out.emit({}, as_json=False, text=lambda: a['text'])")
BETWEEN = "= the next door ="


@pytest.mark.parametrize("terminal", [False, True], ids=["piped", "terminal"])
def test_no_escape_sequence_of_others_reaches_a_terminal(tmp_path: Path, terminal: bool) -> None:
    """No title, no erased screen, no link, no words turned round: from an answer, a cell, a notice or a line of text."""
    text = f"{EVIL} &#27;[2J &#x9b;2J &#x202e; <http://foreign.example>\n\n| a | b |\n|---|---|\n| {EVIL} | &#x202e; |\n"
    mark = f"print('{BETWEEN}', flush=True, file=sys.stderr); print('{BETWEEN}', flush=True)\n"
    shown = run(tmp_path, text, [], mark.join(f"{do}\n" for do in DOORS), terminal=terminal)
    for bad in ("\x1b]", "\x1b[2J", "\x07", "\x9b", "\u202e"):
        assert bad not in shown
    parts = shown.split(BETWEEN)
    assert sum("title" in part for part in parts) == len(DOORS), "each of them has shown it"
    if not terminal:
        assert "\x1b" not in shown


def test_what_rich_itself_would_make_a_link_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    """Also where a style carries it; colours stay."""
    from rich.console import Console
    from rich.text import Text

    Console(force_terminal=True, color_system="standard").print(
        out._Bare(Text("words", style="bold link http://foreign.example"))
    )
    shown = capsys.readouterr().out
    assert "foreign" not in shown
    assert "\x1b[1m" in shown


@pytest.mark.parametrize("terminal", [False, True], ids=["piped", "terminal"])
def test_a_tools_name_is_no_markup_in_the_bar(tmp_path: Path, terminal: bool) -> None:
    """A model names the tool that it calls: brackets in it are letters, and never an error."""
    name = "x[link=http://foreign.example]y[/link][/nothing]" + "\x1b]0;t\x07"
    shown = run(tmp_path, name, [], "\nwith out.progress(a['text'], 1.0) as go: go(0.5)", terminal=terminal)
    assert "\x1b]" not in shown
    assert "MarkupError" not in shown


def test_notices_are_plain_words(capsys: pytest.CaptureFixture[str]) -> None:
    """What was escaped for markdown is read as it was written."""
    text = safe("127.0.0.1 failed (502): <html><b>Bad & gone</b>\x1b[2J")
    assert "&lt;" in text
    for kind in ("notice", "retrying"):
        chat._print_event({"kind": kind, "text": text})
        assert capsys.readouterr().err == "  127.0.0.1 failed (502): <html><b>Bad & gone</b>[2J\n"


def test_a_tool_shows_what_was_struck_as_struck(own_home: Path) -> None:
    """A page of memory may hold an earlier answer; rendered facts are words, not markdown."""
    from app.cli.tool import _rendered
    from tools.common.contract import Evidence, Fact

    held: Any = SimpleNamespace(facts={"r1.why": Fact("r1.why", "BTC", "why", "<b>", "text", Evidence("run", "r-1"))})
    assert _rendered(held, "It was ~~41.7 %~~ for {r1.why}; {r2.x}") == "It was [struck: 41.7 %] for <b>; {r2.x}"


def test_a_usage_error_is_json_too_where_json_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """One object on stdout with what is wrong, exit code 2; without --json stdout stays empty."""
    error = typer.BadParameter("not a number")
    assert out.click_exit(error, as_json=True) == 2
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "Usage"
    group = typer.Typer()
    group.command("x")(lambda strategy: None)
    with pytest.raises(TyperException) as caught:
        group([], standalone_mode=False)
    assert out.click_exit(caught.value, as_json=True) == 2
    assert json.loads(capsys.readouterr().out)["error"]["what"] == "Missing argument 'strategy'."
    assert out.click_exit(error, as_json=False) == 2
    assert capsys.readouterr().out == ""

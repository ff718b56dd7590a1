"""`nightdesk mcp` over standard input and output, with the package's own client; and lines that are never parsed."""

import asyncio
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from app.home.home import open_home
from app.mcp import stdio
from app.mcp.bounds import DEPTH_MAX, MESSAGE_MAX, client_name, fault_of
from app.mcp.stdio import InputLines

NIGHTDESK = [sys.executable, "-c", "from app.cli.main import run; run()"]


@pytest.mark.slow
def test_a_stock_client_over_pipes(own_home: Path, tmp_path: Path) -> None:
    """List, call, refuse; standard output carries the protocol alone, and the person reads on standard error what is served."""
    open_home()
    odd: list[Any] = []
    environment = {**os.environ, "OPENAI_API_KEY": "sk-never-to-be-seen-0123456789"}
    served = StdioServerParameters(command=NIGHTDESK[0], args=[*NIGHTDESK[1:], "mcp", "--propose"], env=environment)

    async def note_oddity(message: Any) -> None:
        odd.append(message)

    async def session() -> None:
        with (tmp_path / "stderr").open("w") as errors:
            async with (
                stdio_client(served, errlog=errors) as (read_stream, write_stream),
                ClientSession(read_stream, write_stream, message_handler=note_oddity) as client,
            ):
                begun = await client.initialize()
                assert begun.server_info.name == "nightdesk"
                assert "role advisor, with READ and PROPOSE" in (begun.instructions or "")
                names = [tool.name for tool in (await client.list_tools()).tools]
                assert {"desk", "note"} <= set(names)
                assert "attribution" not in names
                assert (await client.call_tool("attribution", {})).is_error
                answers = await asyncio.gather(*(client.call_tool("sleeves", {}) for _ in range(3)))
                assert [answer.structured_content["status"] for answer in answers] == ["ok"] * 3

    asyncio.run(session())
    said = (tmp_path / "stderr").read_text()
    assert not odd
    assert f"serving {own_home} (advisor, READ, PROPOSE)" in said
    assert "sk-never" not in said
    assert "Traceback" not in said


@pytest.mark.parametrize("fault", [BrokenPipeError(), RuntimeError("a fault of ours")])
def test_a_client_that_stops_reading_is_no_fault(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    """A closed pipe ends the server quietly; whatever else breaks is not hidden."""

    async def broken(*_: object) -> None:
        raise ExceptionGroup("tasks", [ExceptionGroup("more tasks", [fault])])

    monkeypatch.setattr(stdio, "_serve", broken)
    hidden = isinstance(fault, BrokenPipeError)
    with nullcontext() if hidden else pytest.raises(ExceptionGroup):
        stdio.serve(None, "mara")  # type: ignore[arg-type]  # it is not looked at
        assert hidden


class Answers:
    """Takes what the transport answers by itself."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    async def send(self, message: Any) -> None:
        """Keep it."""
        self.sent.append(message.message)


def read_all(given: bytes) -> tuple[list[str], list[Any]]:
    """The lines that pass of what is written into a pipe, and what is answered instead of the others."""
    out, into = os.pipe()
    lines, answers = InputLines(out), Answers()
    lines.answers = answers

    async def take() -> list[str]:
        loop = asyncio.get_running_loop()

        def write() -> None:
            with os.fdopen(into, "wb") as file:
                file.write(given)

        writing = loop.run_in_executor(None, write)
        found = [line async for line in lines]
        await writing
        return found

    return asyncio.run(take()), answers.sent


@pytest.mark.parametrize(
    "bad",
    [b"x" * (MESSAGE_MAX + 1), b"y" * (40 * MESSAGE_MAX), b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1)],
    ids=["long", "huge", "deep"],
)
def test_a_line_beyond_the_bounds_is_answered_and_passed_over(bad: bytes) -> None:
    """It gets an error, is not parsed, and the line behind it is read as if it had not been there."""
    passed, answered = read_all(b'{"a": 1}\n' + bad + b'\n{"b": "[[[["}\n')
    assert [line.strip() for line in passed] == ['{"a": 1}', '{"b": "[[[["}']
    assert ["not read: a message may" in error.error.message for error in answered] == [True]
    assert read_all(bad)[0] == []


def test_a_line_of_the_greatest_length_is_read() -> None:
    """The bound is the message's own, without its line end; a last line needs none."""
    longest = b'"' + b"z" * (MESSAGE_MAX - 2) + b'"'
    assert [len(line.strip()) for line in read_all(longest + b"\r\n" + longest)[0]] == [MESSAGE_MAX, MESSAGE_MAX]


def test_depth_is_of_brackets_outside_texts() -> None:
    """An escape does not end a text and hides no level behind it; a text without an end is no message, whatever is in it."""
    assert not fault_of(b'{"a": "' + b"[" * 1_000 + b'"}')
    assert not fault_of(b'{"a": "\\"' + b"[" * 1_000 + b'"}')
    assert fault_of(b'{"a\\\\": ' + b"[" * DEPTH_MAX)
    assert fault_of(b"[" * (DEPTH_MAX + 1) + b'"' + b'\\"' * 100)


@pytest.mark.parametrize(
    ("given", "name"),
    [("Claude Desktop", "claude-desktop"), ("", "unnamed"), (None, "none"), ("\x00\u202e;:/..", ".."), ("A" * 99, "a" * 40)],
)
def test_a_client_name_is_journaled_clean(given: object, name: str) -> None:
    """Letters, digits, dot, underscore and dash, at most 40."""
    assert client_name(given) == name

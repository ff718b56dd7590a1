"""What comes from outside is read in linear time: a megabyte of the worst input stops no process that also has to halt.

Each parser at the doors of HTTP, Slack, models, files and people gets a megabyte of what makes a careless pattern start anew at
each character. Judged is the ratio of CPU time at two sizes, best of three, and only where a megabyte takes more than 50 ms.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from agents.caller import TurnCaller
from agents.claims import claims
from agents.formats.text import VisibleText, arguments_of, circling, object_in, visible
from agents.grounding import Ground, ground
from agents.turns import halt_reason
from app.api.access import secret_of
from app.home.settings import line_of
from app.mcp.bounds import client_name, nesting
from app.slack.actions import HALT
from app.slack.blocks import escaped
from app.slack.sink import as_json
from engine.control import halt
from engine.redaction import redacted
from engine.store.chain import event_of
from memory.note import split
from tests.fakes import linear_time
from tests.fakes.linear_time import JUDGED_S, RATIO_MAX, beyond_linear, cpu_s
from tools.common.contract import clean
from tools.common.limits import recordable
from tools.common.render import one_line, safe, unlinked

MEGABYTE, SMALLEST = 1 << 20, 1 << 14
REPEATED = ("a", "1 ", "= ", "| 1 ", "[", '{"a":', "!", '\\"')  # what has been quadratic, or is likely to be
MORE = (
    "a=",
    "a ",
    "[a](",
    "<",
    "<think>",
    "</think>",
    "\\",
    "```\n",
    "!![",
    "*",
    " ",
    "\n",
    "&a=1",
    "a=b; ",
    "A. ",
    "r1.",
    "{a.b",
)
LAST = ("1,", "$1,", "a-1-", "aA1", "1e5", ">", "/halt ", "http:", "[x]\n", "a = 1\n")


def streamed(text: str) -> None:
    """A model's text in pieces, as the page is shown it."""
    shown, caller = VisibleText(), TurnCaller.__new__(TurnCaller)
    caller.emit, caller.checked, caller._text = lambda _kind, _body: None, lambda part: part, ""
    caller._muted = False
    for at in range(0, len(text), 500):
        caller.report("text", {"delta": shown.add(text[at : at + 500])})
    caller.flush()


PARSERS: dict[str, Callable[[str], Any]] = {
    "a model's answer": lambda text: ground(text, Ground({})),
    "what a tool said, quoted": lambda text: Ground({}, quotes=[text]),
    "a client's message, its depth": lambda text: nesting(text.encode()),
    "a client's name": client_name,
    "a model's arguments, grounded": lambda text: Ground({}, arguments=[{"x": text}]),
    "a model's arguments, read": arguments_of,
    "a model's JSON": object_in,
    "a model's thinking": visible,
    "a model that loops": circling,
    "markdown made harmless": safe,
    "outside text on one line": one_line,
    "outside text, cleaned": clean,
    "keys in a journal": redacted,
    "arguments in a journal": lambda text: recordable({"a": text, "b": [text]}),
    "a question that halts": halt_reason,
    "Slack's JSON": as_json,
    "Slack's text": escaped,
    "a halt typed in Slack": HALT.fullmatch,
    "a cookie": lambda text: secret_of({"cookie": text}, "nightdesk_1"),
    "a token": lambda text: secret_of({"authorization": text}, "nightdesk_1"),
    "a note": split,
    "a journal's line": lambda text: event_of(text.encode()),
}
COSTLY = {  # four of six that take most of it; the answer and the depth of a message are read by default
    "what a tool said, quoted",
    "a model's arguments, grounded",
    "keys in a journal",
    "Slack's text",
}
SLOW: dict[str, Callable[[str], Any]] = {  # of what is cut shorter before, or seconds of work at a megabyte
    "numbers of a text": lambda text: list(claims(text)),
    "text as it streams": streamed,
    "an answer without its links": unlinked,
    "a line of desk.toml": lambda text: line_of(text, ("sleeves", 0, "x")),
}


def faults_of(parse: Callable[[str], Any], pieces: Sequence[str] = REPEATED, *, whole: bool = False) -> list[str]:
    """The repeated pieces that this parser reads in more than linear time.

    The input doubles up to a megabyte; the first size that takes long enough to judge (with `whole` a megabyte, if it comes so
    far) is held against half of it.
    """
    found = []
    for piece in pieces:
        text, size = (piece * (MEGABYTE // len(piece) + 1))[:MEGABYTE], SMALLEST
        before, taken = 0.0, cpu_s(parse, text[:size])
        while size < MEGABYTE and taken < (2.0 if whole else JUDGED_S):
            size *= 2
            before, taken = taken, cpu_s(parse, text[:size])
        if size == SMALLEST and taken > JUDGED_S:
            before = cpu_s(parse, text[: size // 2])
        if taken <= max(JUDGED_S, RATIO_MAX * before):
            continue  # else it may be noise: measured again
        if measured := beyond_linear(parse, text[:size]):
            found.append(f"{piece!r}: {measured}")
    return found


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) if name in COSTLY else name for name in PARSERS])
def test_a_megabyte_of_the_worst_input_is_read_in_linear_time(name: str) -> None:
    """Twice the input takes at most three times as long, whatever is repeated."""
    assert faults_of(PARSERS[name]) == []


@pytest.mark.long  # a megabyte is seconds of honest work for some, and there are many pieces
@pytest.mark.parametrize("name", [*PARSERS, *SLOW])
def test_every_piece_and_every_reader(name: str) -> None:
    """The same with more pieces, and of readers behind the doors."""
    assert faults_of((PARSERS | SLOW)[name], (*REPEATED, *MORE), whole=True) == []


def test_a_halt_file_of_a_megabyte_is_read_in_linear_time(tmp_path: Path) -> None:
    """The latch is read before every bar."""

    def read(text: str) -> None:
        (tmp_path / "HALT").write_text(text)
        assert halt.read(tmp_path).halted

    assert faults_of(read) == []


@pytest.mark.slow
def test_the_law_finds_a_careless_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that compares each piece with each pair of others is seen, on a busy machine too: the law can find something."""
    monkeypatch.setattr(linear_time, "ROUNDS", 2)  # it is seen in all six, which is seconds of work

    def careless(text: str) -> int:
        pieces = range(len(text) // 7_000)
        return sum(1 for a in pieces for b in pieces for c in pieces if text[a] == text[b] != text[c])

    assert faults_of(careless, "a")

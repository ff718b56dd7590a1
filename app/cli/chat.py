"""`nightdesk chat`: asks a role a question; steps go to stderr as they happen, the answer to stdout. Called by app/cli/main.py.

Without --thread it continues the role's latest thread (of the last twelve hours), so that "propose the better one" after a
comparison means that comparison; --thread new starts one. `/halt REASON` is handled before anything else is loaded.
"""

import html
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from app.cli import out
from engine.clock import utc
from engine.errors import DeskError

if TYPE_CHECKING:
    from collections.abc import Generator

CHANNEL = "cli"
HALTS = ("/halt", "/halt:", "/halt!", "/stop")
OPEN, SHUT = "\ue000", "\ue001"  # placeholders for strike-through marks while markdown is parsed


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("chat")
    def chat(
        text: str = typer.Argument(..., help='The question, in quotes; "/halt REASON" halts the desk at once.'),
        role: str = typer.Option(..., "--role", help="developer, operator or advisor"),
        thread: str = typer.Option(None, "--thread", help="a thread's id, last, or new; default: the role's latest"),
        as_name: str = typer.Option("", "--as", metavar="NAME", help="who asks (default: your OS account)"),
        as_json: bool = typer.Option(False, "--json", help="One JSON object."),
    ) -> None:
        """Ask a role: backtests and changes (developer), what happened (operator), P&L attribution (advisor)."""
        from app.people.identity import os_user

        person = as_name.strip() or os_user()
        first = text.strip().split(maxsplit=1)
        halting = bool(first) and first[0].lower() in HALTS
        if halting:
            _halt_first(text, person)
        try:
            answer = _answer(role, text, person, thread)
        except DeskError as error:
            if not halting:
                raise
            out.say(f"nightdesk: the desk is HALTED by file; the chat itself failed: {error}")
            return
        out.emit(answer, as_json=as_json, text=lambda: shown_answer(answer))
        if any(call.get("status") == "failed" for call in answer.get("tool_calls") or ()):
            raise typer.Exit(1)  # it answered, but something that it needed broke: a script must notice


def _halt_first(text: str, person: str) -> None:
    """Write the halt file before loading the database, the model or anything heavy."""
    from time import time_ns

    from app.cli.halt import desk_to_halt
    from engine.control import halt

    home = desk_to_halt()
    words = text.strip().split(maxsplit=1)
    reason = " ".join(words[1].split())[:300] if len(words) > 1 else "halted from a chat, no reason given"
    halt.set(home, reason, {"name": person, "channel": CHANNEL}, time_ns() // 1_000_000)
    out.say(f"HALTED: {utc(time_ns() // 1_000_000)}")


def _answer(role: str, text: str, person: str, thread: str | None) -> dict[str, Any]:
    """Ask, printing every step on stderr; returns the answer."""
    from agents.roster import role as role_of
    from agents.turns import ask
    from app.home.home import open_home
    from app.wiring import Wiring

    role_of(role)  # fail on an unknown role before creating anything
    runtime = Wiring(open_home(), person, CHANNEL, wait_s=None)
    answer: dict[str, Any] = {}
    try:
        for event in _with_bars(ask(runtime, role, text, person, thread)):
            if event["kind"] == "answer":
                answer = {key: value for key, value in event.items() if key not in ("n", "kind")}
    finally:
        runtime.close()
    return answer


def _with_bars(events: "Generator[dict[str, Any], None, Any]") -> Iterator[dict[str, Any]]:
    """The events, each printed on stderr; a running tool gets a progress bar."""
    try:
        for event in events:
            if event["kind"] == "tool_started":
                yield from _one_tool(event, events)
            else:
                _print_event(event)
                yield event
    finally:
        events.close()


def _one_tool(started: dict[str, Any], events: "Generator[dict[str, Any], None, Any]") -> Iterator[dict[str, Any]]:
    """One tool call from start to end, with its progress bar."""
    from tools.common.render import one_line

    name = one_line(started["tool"], 40)
    out.say(f"  {name} ...")
    yield started
    with out.progress(f"  {name}", 1.0) as advance:
        for event in events:
            yield event
            if event["kind"] == "tool_progress":
                advance(event["share"])
            elif event["kind"] == "tool_finished":
                break
    out.say(f"  {name}: {event['status']}")


def _print_event(event: dict[str, Any]) -> None:
    """Print one line for an event that is not a tool call."""
    from tools.common.render import one_line

    if event["kind"] == "begun":
        model = "OFFLINE model (a planner, no language model)" if event["model"]["offline"] else event["model"]["name"]
        out.say(f"{event['role']} · {model} · thread {event['thread']}")
        if event.get("privacy"):
            out.say(f"  {one_line(event['privacy'], 800)}")
    elif event["kind"] in ("retrying", "notice"):
        out.say(f"  {one_line(html.unescape(event['text']))}")  # these are markdown
    elif event["kind"] == "understood":
        out.say(f"  understood: {one_line(event['text'])}")


# --------------------------------------------------------------------------- the answer in a terminal


def shown_answer(answer: Mapping[str, Any]) -> Any:
    """A whole answer for a terminal, with the two lines that code writes under it."""
    lines = [str(answer[key]) for key in ("state_line", "acts_line") if answer.get(key)]
    return shown(
        answer["answer_md"], [entry["text"] for entry in answer["struck"]], lines, unchecked=bool(answer.get("unchecked"))
    )


def shown(markdown: str, struck: Sequence[str] = (), lines: Sequence[str] = (), *, unchecked: bool = False) -> Any:
    """The answer for a terminal: prose, tables fitted to the width, evidence ids and code's own `lines` at the end.

    `struck`: what was struck out, as typed. Terminals, pipes and copies may lose strike-through, so each is marked
    in words and the last line counts them. `unchecked`: some of it is marked as the model's own words; a line says what marks it.
    """
    from rich.console import Console, Group
    from rich.text import Text

    from tools.common import render

    text, named = render.unlinked(marked(markdown, struck))
    width = Console().width if os.isatty(1) else 120
    parts: list[Any] = []
    for is_table, block in _blocks(text):
        parts.append(_table(block, width) if is_table else _prose(block))
        parts.append(Text(""))
    if named:
        parts.append(Text(f"evidence: {', '.join(named)}"))
    if struck:
        count = "1 sentence was" if len(struck) == 1 else f"{len(struck)} sentences were"
        parts.append(Text(f"{count} struck out: this thread says otherwise."))
    if unchecked:
        parts.append(Text(f"{render.UNCHECKED[0]} {render.UNCHECKED[1]}: {render.UNCHECKED_LEGEND}"))
    parts += [Text(out.bare(html.unescape(line))) for line in lines]
    return Group(*parts)


def marked(markdown: str, struck: Sequence[str] = ()) -> str:
    """Replace `~~98,765.43~~` by private-use placeholders that markdown parsing keeps; known struck numbers come first."""
    text = out.bare(markdown).replace(OPEN, "").replace(SHUT, "")
    for number in sorted(set(struck), key=len, reverse=True):
        text = text.replace(f"~~{number}~~", f"{OPEN}{number}{SHUT}")
    return re.sub(r"~~([^\n]+?)~~", rf"{OPEN}\1{SHUT}", text)


def in_words(text: str) -> str:
    """The placeholders as readable text: `[struck: 98,765.43]`."""
    return out.bare(text.replace(OPEN, "[struck: ").replace(SHUT, "]"))


def _prose(block: str) -> Any:
    """Markdown without tables. Struck numbers are written after parsing, so that no adjacent character makes one a link."""
    from rich.markdown import Markdown

    made = Markdown(block, hyperlinks=False)
    for token in made.parsed:
        for part in [token, *(token.children or ())]:
            part.content = in_words(part.content)
    return made


def _blocks(markdown: str) -> Iterator[tuple[bool, str]]:
    """Runs of table rows and of other lines, in order."""
    block: list[str] = []
    in_table = False
    for line in [*markdown.splitlines(), None]:
        is_row = line is not None and line.lstrip().startswith("|")
        if block and (line is None or is_row != in_table):
            text = "\n".join(block)
            if text.strip():
                yield in_table, text
            block = []
        in_table = is_row
        block.append(line or "")


def _table(block: str, width: int) -> Any:
    """A markdown table; transposed when its columns do not fit the terminal."""
    from rich.table import Table
    from rich.text import Text

    rows = [
        [in_words(html.unescape(part.strip().replace("\\|", "|"))) for part in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
        for line in block.splitlines()
    ]
    rows = [row for row in rows if not all(re.fullmatch(r":?-+:?", part) for part in row)]
    widths = [max(len(row[i]) for row in rows if i < len(row)) for i in range(len(rows[0]))]
    if sum(widths) + 3 * len(widths) > width and len(rows) <= 6 < len(rows[0]):
        rows = [list(column) for column in zip(*rows, strict=False)]
    made = Table(show_edge=False, pad_edge=False)
    for name in rows[0]:
        made.add_column(Text(name), overflow="fold")
    for row in rows[1:]:
        made.add_row(*(Text(part) for part in row))
    return made

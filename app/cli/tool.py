"""`nightdesk tool`: lists the tools, or calls one as a role would; a call the role may not make is refused in one line.

Called by app/cli/main.py. Arguments are `--arg name=value`: text as is, numbers and lists as JSON, `null` for no value. A list
may be given item by item (`--arg evidence=d-12 --arg evidence=d-13`), changes as `--arg changes=stop_atr=3`, variants likewise.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from app.cli import out
from engine.errors import BadInput

if TYPE_CHECKING:
    from app.home.home import Home
    from tools.common.contract import Tool, ToolContext, ToolResult

TEXT: Mapping[str, Any] = {"anyOf": [{"type": "string"}, {"type": "null"}]}


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("tool")
    def tool(
        name: str = typer.Argument(None, help="The tool's name; without it, list the tools."),
        arg: list[str] = typer.Option([], "--arg", help="name=value; repeatable."),
        role: str = typer.Option(None, "--role", help="developer, operator or advisor; default: the first allowed role."),
        as_json: bool = typer.Option(False, "--json", help="One JSON object."),
    ) -> None:
        """List the tools of a role, or call one tool as that role."""
        if name is None:
            listing(role, as_json=as_json)
        else:
            run(name, arg, role, as_json=as_json)


def listing(role: str | None, *, as_json: bool) -> None:
    """List every tool with effect, roles and description; with a role, only its tools."""
    from tools.catalog import ENTRIES

    if role is not None:
        check_role(role)
    shown = [line for line in ENTRIES if role is None or role in line.roles]
    items: list[dict[str, Any]] = [
        {
            "name": li.tool.name,
            "effect": li.effect.value,
            "roles": list(li.roles),
            "about": li.tool.about,
            "args": li.tool.schema(),
        }
        for li in shown
    ]

    def table() -> Any:
        from rich.table import Table

        made = Table("tool", "effect", "roles", "what it does", box=None, pad_edge=False)
        for item in items:
            roles = "all" if len(item["roles"]) == 3 else ", ".join(item["roles"])
            made.add_row(item["name"], item["effect"], roles, item["about"].split(": ")[0].split(". ")[0])
        return made

    out.emit({"items": items}, as_json=as_json, text=table)


def run(name: str, words: Sequence[str], role: str | None, *, as_json: bool) -> None:
    """Call the tool and print its result; exit code 1 when it was refused or failed."""
    from tools.catalog import TOOLS

    line = TOOLS.get(name)
    if role is not None:
        check_role(role)
    if line is None:
        raise BadInput(f"unknown tool {name[:60]!r}", f"available: {', '.join(TOOLS)}")
    called(name, arguments(line.tool, words), role, as_json=as_json)


def called(name: str, args: Mapping[str, Any], role: str | None, *, as_json: bool) -> None:
    """The same with arguments that are values already."""
    from app.home.home import open_home
    from tools.catalog import call, roles_of

    home = open_home()
    with out.progress(name, 1.0) as advance:
        ctx = context(home, role or roles_of(name)[0], advance)
        result = call(ctx, name, args)
    failed = result.status in ("refused", "failed")
    if as_json or not failed:
        out.emit({"tool": name, "role": ctx.role, **result.as_json()}, as_json=as_json, text=lambda: shown(ctx, result))
    if failed:
        out.say(f"nightdesk: {_rendered(ctx, result.text)}")
        raise typer.Exit(1)


def check_role(role: str) -> None:
    """Raises BadInput for an unknown role."""
    from tools.common.contract import ROLES

    if role not in ROLES:
        raise BadInput(f"unknown role {role[:40]!r}", f"available: {', '.join(ROLES)}")


def context(home: "Home", role: str, advance: Any) -> "ToolContext":
    """The tool context of a call from the command line; it waits for jobs, with a progress bar."""
    from app.people.identity import os_user
    from app.tool_wiring import ToolWiring

    wiring = ToolWiring(home, os_user(), "cli", wait_s=None)
    return wiring.context(
        role=role,
        thread="command-line",
        turn=f"c-{wiring.now_ms()}",
        person=wiring.person,
        desk_ms=wiring.desk_ms(),
        now_ms=wiring.now_ms(),
        progress=advance,
    )


def arguments(tool: "Tool", words: Sequence[str]) -> dict[str, Any]:
    """`name=value` options as the tool's arguments; BadInput for a missing `=` or an unknown name."""
    hidden = dict.fromkeys(tool.args.model_fields, TEXT)  # what no model is shown, a person may type: all of it is text
    fields = hidden | tool.schema()["properties"]
    found: dict[str, Any] = {}
    for word in words:
        name, sign, text = word.partition("=")
        if not sign:
            raise BadInput(f"--arg {word[:60]!r} has no value", "write --arg name=value")
        if name not in fields:
            raise BadInput(f"{tool.name} has no argument {name[:60]!r}", f"available: {', '.join(fields) or 'none'}")
        value = value_of(fields[name], text)
        several = isinstance(value, list) and isinstance(found.get(name), list)
        if name in found and not several:
            raise BadInput(f"{name} is given twice", "give it once")
        found[name] = found[name] + value if several else value
    return found


def value_of(schema: Mapping[str, Any], text: str) -> Any:
    """The text converted for the schema: text where allowed, else JSON; a list also item by item."""
    options = options_of(schema)
    if text == "null" and any(option.get("type") == "null" for option in options):
        return None
    items = next((option["items"] for option in options if option.get("type") == "array"), None)
    if items is not None and not text.lstrip().startswith("["):
        return [item_of(items, text)]
    if any(option.get("type") == "string" for option in options) and not _number(options, text):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text  # the schema validation reports the error


def options_of(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a schema allows, one type each: `anyOf`, a list of types, or itself."""
    kinds = schema.get("type")
    return [{"type": kind} for kind in kinds] if isinstance(kinds, list) else list(schema.get("anyOf", [schema]))


def _number(options: Sequence[Mapping[str, Any]], text: str) -> bool:
    """Whether a number is meant where both a number and a word are allowed."""
    return (
        any(option.get("type") in ("integer", "number") for option in options) and text.lstrip("-").replace(".", "", 1).isdigit()
    )


def item_of(items: Mapping[str, Any], text: str) -> Any:
    """One item of a list: `key=value` for a change, `key=value,key=value` for a variant, else the text."""
    keys = items.get("properties", {})
    if set(keys) == {"key", "value"}:
        key, _, value = text.partition("=")
        return {"key": key, "value": value_of(keys["value"], value)}
    if set(keys) == {"changes"}:
        return {"changes": [item_of(keys["changes"]["items"], part) for part in text.split(",")]}
    return text


def shown(ctx: "ToolContext", result: "ToolResult") -> Any:
    """The result for a terminal: references rendered, the table below."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    words = Text(_rendered(ctx, result.text))
    if result.table is None:
        return words
    made = Table(box=None, pad_edge=False)
    for name in result.table.columns:
        made.add_column(Text(name), overflow="fold", no_wrap=name in ("run", "event", "proposal"))
    for row in result.table.rows:
        made.add_row(*(Text("-" if cell is None else _rendered(ctx, str(cell))) for cell in row))
    return Group(words, Text(""), made)


def _rendered(ctx: "ToolContext", text: str) -> str:
    """`{r1.sharpe}` as value and unit; numbers struck out by an earlier answer stay struck."""
    import html
    import re

    from app.cli.chat import in_words, marked
    from tools.common import render

    def value(found: re.Match[str]) -> str:
        return html.unescape(render.value_text(ctx.facts[found[1]])) if found[1] in ctx.facts else found[0]

    return re.sub(r"\{(\w+\.\w+)\}", value, in_words(marked(text)))

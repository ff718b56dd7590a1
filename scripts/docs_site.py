"""A hook of MkDocs (mkdocs.yml, `make docs`): adds the pages that are made from code, and makes links the site's.

Reference pages (commands, settings, tools, features, API, events) are never written by hand: each reads what the program itself
uses. README, CHANGELOG and CONTRIBUTING come in from the folder above; a link to a file that is no page becomes its path.
"""

import inspect
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ABOVE = {"index.md": "README.md", "changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}
PAGE_OF = {source: page for page, source in ABOVE.items()}
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)]*)?\)")


def on_files(files: Any, config: Any) -> Any:
    """MkDocs' event: the pages that are in no folder of docs/."""
    from mkdocs.structure.files import File

    for page, source in ABOVE.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    for name, made in REFERENCE.items():
        files.append(File.generated(config, f"reference/{name}.md", content=made()))
    return files


def on_page_markdown(markdown: str, page: Any, files: Any, **_: Any) -> str:
    """MkDocs' event: links become links between pages, or the path of a file that is no page."""
    above = page.file.src_uri in ABOVE
    folder = ROOT if above else (ROOT / "docs" / page.file.src_uri).parent
    known = {file.src_uri for file in files}

    def replaced(match: re.Match[str]) -> str:
        target, anchor = match[1], match[2] or ""
        path = os.path.relpath(os.path.normpath(folder / target), ROOT)
        inside = PAGE_OF.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else None)
        if inside in known:
            here = Path(page.file.src_uri).parent
            return f"]({os.path.relpath(inside, here)}{anchor})"
        return f"](NOT-A-PAGE){{{path}}}" if (ROOT / path).exists() else match[0]

    text = LINK.sub(replaced, markdown)
    gone = re.compile(r"\[([^\]]*)\]\(NOT-A-PAGE\)\{([^}]*)\}")
    return gone.sub(lambda m: f"{m[1]} (`{m[2]}`)" if m[1] != m[2] else f"`{m[2]}`", text)


def table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    """A Markdown table; bars and line ends inside a cell are escaped."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(' '.join(cell.split()).replace('|', '&#124;') for cell in line)} |" for line in lines)


def commands() -> str:
    """Every command with its arguments and options, as `--help` has them."""
    from typer.main import get_command

    from app.cli import main

    if not main.app.registered_commands:
        main.load_groups()
    found = [
        "# Every command and option\n\nMade from the program. What they are for, with examples: [commands](../commands.md).\n"
    ]
    for words, command in _leaves("nightdesk", get_command(main.app)):
        options = [one for one in command.params if one.name not in ("help", "install_completion", "show_completion")]
        found.append(f"## {words}\n\n{inspect.cleandoc(command.help or '')}\n")
        if options:
            rows = ((f"`{_spelt(one)}`", _default(one), getattr(one, "help", "") or "") for one in options)
            found.append(table(("argument", "default", "what it does"), rows) + "\n")
    return "\n".join(found)


def _leaves(words: str, command: Any) -> Iterator[tuple[str, Any]]:
    for name, below in sorted(getattr(command, "commands", {}).items()):
        if not below.hidden:
            yield from _leaves(f"{words} {name}", below)
    if not getattr(command, "commands", {}):
        yield words, command


def _spelt(option: Any) -> str:
    names = [*option.opts, *option.secondary_opts]
    return ", ".join(names) if option.param_type_name == "option" else (option.name or "").upper()


def _default(option: Any) -> str:
    value = option.default
    if callable(value) or value in (None, "", (), [], False) or "UNSET" in repr(value).upper():
        return "required" if option.required else ""
    return f"`{value}`"


def settings() -> str:
    """Variables of the environment, and each key of desk.toml with its default and bounds."""
    from app.home.settings import DeskToml, Settings

    found = ["# Every setting\n\nMade from the program. A new home's desk.toml has the same with comments.\n"]
    rows = ((f"`NIGHTDESK_{name.upper()}`", _kind(field), _usual(field)) for name, field in Settings.model_fields.items())
    found += ["## Environment\n", table(("variable", "kind", "default"), rows), ""]
    for title, model in _models("desk.toml", DeskToml):
        about = inspect.cleandoc(model.__doc__ or "").splitlines()[0] if model.__doc__ else ""
        rows = ((f"`{name}`", _kind(field), _usual(field)) for name, field in model.model_fields.items())
        found += [f"## {title}\n\n{about}\n", table(("key", "kind", "default and bounds"), rows), ""]
    return "\n".join(found)


def _models(title: str, model: Any, seen: tuple[Any, ...] = ()) -> Iterator[tuple[str, Any]]:
    """(title, model) of a settings model and of those below it, each once."""
    from pydantic import BaseModel

    yield title, model
    for name, field in model.model_fields.items():
        for part in _parts(field.annotation):
            if inspect.isclass(part) and issubclass(part, BaseModel) and part not in seen:
                yield from _models(f"[{name}]" if title == "desk.toml" else f"{title[:-1]}.{name}]", part, (*seen, model))


def _parts(annotation: Any) -> Iterator[Any]:
    from typing import get_args

    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def _kind(field: Any) -> str:
    return f"`{_shown(field.annotation)}`"


def _shown(annotation: Any) -> str:
    """A type in a few words: constraints left out, they are in the column of bounds or in desk.toml's comments."""
    from typing import Annotated, Literal, get_args, get_origin

    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _shown(parts[0])
    if origin is Literal:
        return " or ".join(map(str, parts))
    if annotation is type(None):
        return "none"
    name = getattr(origin or annotation, "__name__", str(annotation))
    if not parts:
        return name
    if name in ("Union", "UnionType", "Optional"):
        return " or ".join(map(_shown, parts))
    return f"{name} of {', '.join(_shown(part) for part in parts if part is not Ellipsis)}"


def _usual(field: Any) -> str:
    from pydantic import BaseModel

    bounds = ", ".join(
        f"{end} {getattr(one, end):g}" for one in field.metadata for end in ("gt", "ge", "lt", "le") if hasattr(one, end)
    )
    if field.is_required():
        return f"required{'; ' + bounds if bounds else ''}"
    value = field.get_default(call_default_factory=True)
    shown = "its own table" if isinstance(value, BaseModel) else "" if value in (None, "", (), {}) else f"`{value}`"
    return "; ".join(part for part in (shown, bounds) if part)


def tools() -> str:
    """Every tool: what it does, its effect, and which roles may call it."""
    from tools.catalog import ENTRIES

    found = ["# Every tool\n\nMade from the catalog, which is the authority: a role that is not listed cannot call a tool.\n"]
    for entry in sorted(ENTRIES, key=lambda one: one.tool.name):
        tool = entry.tool
        roles = ", ".join(str(getattr(role, "value", role)) for role in entry.roles)
        found.append(f"## {tool.name}\n\n{tool.about}\n\nEffect: {entry.effect.name}. Roles: {roles}.\n")
        rows = [
            (f"`{key}`", _kind(field), field.description or "", _usual(field)) for key, field in tool.args.model_fields.items()
        ]
        if rows:
            found.append(table(("argument", "kind", "what it is", "default and bounds"), iter(rows)) + "\n")
    return "\n".join(found)


def features() -> str:
    """Every feature that a strategy may read."""
    from engine.features.catalog import features_table

    rows = ((f"`{row['call']}`", row["unit"], row["reads"], row["about"]) for row in features_table())
    return "# Every feature\n\nMade from the catalog. How a strategy reads one: [strategies](../strategies.md).\n\n" + table(
        ("feature", "unit", "reads", "value"), rows
    )


def api() -> str:
    """Every route, as /openapi.json describes it."""
    found = ["# The API\n\nMade from the program; a running desk serves the same as `/openapi.json`, bodies included.\n"]
    rows = []
    for path, ways in _openapi()["paths"].items():
        for way, route in ways.items():
            about = (route.get("description") or route.get("summary") or "").split("\n\n")[0]
            rows.append((f"`{way.upper()} {path}`", about))
    return "\n".join([*found, table(("route", "what it does"), iter(rows))])


def _openapi() -> dict[str, Any]:
    """The API's own description, of a home that is made for it and removed."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("NIGHTDESK_")}
    with tempfile.TemporaryDirectory() as folder:
        for name in kept:
            del os.environ[name]
        os.environ["NIGHTDESK_HOME"] = str(Path(folder) / "home")
        try:
            from app.api.factory import create
            from app.home.home import open_home

            home = open_home()
            described: dict[str, Any] = create(home).app.openapi()
            home.engine.dispose()
            return described
        finally:
            del os.environ["NIGHTDESK_HOME"]
            os.environ.update(kept)


def events() -> str:
    """What leads a group in the desk's journal, and the bodies that many read."""
    from engine.book import bodies, transitions

    found = [
        "# Events of the desk's journal\n\nMade from the code that folds them: a group is an event that leads and what follows.\n"
    ]
    ways = {"bar": transitions.on_bar, "config": transitions.on_config, "halt": transitions.on_halted, **transitions.REPORTED}
    rows = ((f"`{kind}`", inspect.cleandoc(way.__doc__ or "").split("\n\n")[0]) for kind, way in ways.items())
    found += ["## What leads\n", table(("kind", "what it does to the book"), rows), ""]
    for name, body in inspect.getmembers(bodies, inspect.isclass):
        if name.endswith("Body") and body.__module__ == bodies.__name__:
            fields = re.findall(r"^    (\w+): ([^#\n]+?)(?:  # (.+))?$", inspect.getsource(body), re.MULTILINE)
            rows = ((f"`{key}`", f"`{kind}`", about) for key, kind, about in fields)
            found += [f"## {name}\n\n{inspect.cleandoc(body.__doc__ or '')}\n", table(("field", "kind", "what it is"), rows), ""]
    return "\n".join(found)


def pages_of(folder: str, title: str, about: str) -> str:
    """The pages of a folder of docs/, by their first lines."""
    found = [f"# {title}\n\n{about}\n"]
    for path in sorted((ROOT / "docs" / folder).glob("*.md")):
        found.append(f"- [{path.read_text(encoding='utf-8').splitlines()[0].lstrip('# ')}](../{folder}/{path.name})")
    return "\n".join(found) + "\n"


def decisions() -> str:
    """Every decision."""
    return pages_of("decisions", "Decisions", "Why it is as it is, one page each, in the order in which they were taken.")


def runbooks() -> str:
    """Every runbook."""
    return pages_of("runbooks", "Runbooks", "What to do when an alert comes; each is named by its alert.")


REFERENCE: dict[str, Callable[[], str]] = {
    "commands": commands,
    "settings": settings,
    "tools": tools,
    "features": features,
    "api": api,
    "events": events,
    "decisions": decisions,
    "runbooks": runbooks,
}

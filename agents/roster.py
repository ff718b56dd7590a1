"""Who answers: the roles of roles/*.md, prompt and tools. Called by agents/turns.py and tools of the command line.

A role's front matter can only narrow what tools/catalog.py grants: naming any other tool is an error at load.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

from engine.errors import BadInput
from tools.catalog import tools_of
from tools.common.contract import ROLES, Tool
from tools.common.contract import Role as RoleName

FOLDER = Path(__file__).parent / "roles"


class Role(NamedTuple):
    """One role: its name, its purpose in a line, its prompt, and the tools it may call."""

    name: RoleName
    about: str
    prompt: str
    tools: tuple[Tool, ...]


@cache
def role(name: str) -> Role:
    """The role of that name. BadInput, one line, for an unknown name."""
    if name not in ROLES:
        raise BadInput(f"unknown role {name[:40]!r}", f"available: {', '.join(ROLES)}")
    return role_of_text(name, (FOLDER / f"{name}.md").read_text(encoding="utf-8"))


def role_of_text(name: RoleName, text: str) -> Role:
    """A role from its file's text. Raises ValueError for bad front matter, or a tool that the catalog does not grant."""
    _, head, prompt = text.split("---\n", 2)
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in head.splitlines() if line)}
    if fields.get("role") != name:
        raise ValueError(f"{name}.md declares the role {fields.get('role')!r}")
    allowed = {tool.name: tool for tool in tools_of(name)}
    wanted = [part.strip() for part in fields.get("tools", "").split(",") if part.strip()]
    beyond = [tool for tool in wanted if tool not in allowed]
    if beyond:
        raise ValueError(f"{name}.md lists {', '.join(beyond)}, which the catalog does not grant to the {name}")
    return Role(name, fields.get("about", ""), prompt.strip(), tuple(allowed[tool] for tool in wanted))

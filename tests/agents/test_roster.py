"""Roles: a prompt may only narrow what the catalog allows."""

import pytest

from agents.roster import FOLDER, role, role_of_text
from engine.errors import BadInput
from tools.catalog import tools_of
from tools.common.contract import ROLES, Role


@pytest.mark.parametrize("name", ROLES)
def test_each_role_lists_exactly_what_the_catalog_gives_it(name: Role) -> None:
    """Today no prompt narrows: what the catalog allows is what the role has, and a new tool is not forgotten."""
    assert [tool.name for tool in role(name).tools] == [tool.name for tool in tools_of(name)] or {
        tool.name for tool in role(name).tools
    } == {tool.name for tool in tools_of(name)}
    assert role(name).about
    assert "data" in role(name).prompt


def test_a_prompt_cannot_widen_authority() -> None:
    """A tool that the catalog refuses the role is an error at load."""
    text = (FOLDER / "advisor.md").read_text(encoding="utf-8").replace("tools: ", "tools: propose_config, ")
    with pytest.raises(ValueError, match="propose_config, which the catalog does not grant to the advisor"):
        role_of_text("advisor", text)


def test_a_file_cannot_pass_for_another_role() -> None:
    """The front matter names the role it is of."""
    with pytest.raises(ValueError, match="declares the role 'developer'"):
        role_of_text("operator", (FOLDER / "developer.md").read_text(encoding="utf-8"))


def test_an_unknown_role_is_one_line() -> None:
    """With what there is."""
    with pytest.raises(BadInput, match="available: developer, operator, advisor"):
        role("root")

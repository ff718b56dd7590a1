"""Every (role, act) pair against a table written by hand, and every route, command, button and tool effect has a row."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from app.api.factory import ROUTERS
from app.cli import main
from app.people.authority import ACTS, BUTTONS, COMMANDS, DECIDE, EFFECTS, MAYBE_HALT, ROUTES, act_of, effects_for, may, require
from app.people.identity import FILE, ROLES, Actor, Role, add_person, read_people, set_role
from app.people.sessions import Denied
from engine.errors import BadInput, Refused
from tools.common.contract import Effect

# act: viewer, operator, approver, admin; written by hand, so that a changed row of the code is seen here
TABLE = """
read        yes yes yes yes
halt        yes yes yes yes
session     yes yes yes yes
signed      yes yes yes yes
machine     yes yes yes yes
work        no  yes yes yes
note        no  yes yes yes
acknowledge no  yes yes yes
propose     no  yes yes yes
incident    no  yes yes yes
checklist   no  yes yes yes
reject      no  yes yes yes
tighten     no  yes yes yes
loosen      no  no  yes yes
promote     no  no  yes yes
release     no  no  yes yes
adopt       no  no  yes yes
cash        no  no  yes yes
code        no  no  yes yes
consent     no  no  yes yes
probe       no  no  no  yes
people      no  no  no  yes
"""
PAIRS = [
    (act, role, word == "yes")
    for act, *words in map(str.split, TABLE.strip().splitlines())
    for role, word in zip(ROLES, words, strict=True)
]


def test_the_table_by_hand_has_every_act() -> None:
    """No act without a line, no line without an act."""
    assert {act for act, _, _ in PAIRS} == set(ACTS)
    assert len(PAIRS) == len(ACTS) * len(ROLES)


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one person of each role, named like it."""
    home = tmp_path_factory.mktemp("roles")
    for role in reversed(ROLES):
        add_person(home, role, role=role)
    assert {name: person.role for name, person in read_people(home).items()} == {role: role for role in ROLES}
    return home


@pytest.mark.parametrize(("act", "role", "allowed"), PAIRS)
def test_each_role_may_do_its_acts_and_no_other(listed: Path, act: str, role: Role, allowed: bool) -> None:
    """By the rule, and as a person of people.toml; unproven, the same name is a viewer."""
    assert may(role, act) is allowed
    proven, said = Actor(role, "session", "os", "api"), Actor(role, "claimed", "os", "api")
    if allowed:
        require(listed, proven, act)
    else:
        with pytest.raises(Denied, match=f"{act}: it takes"):
            require(listed, proven, act)
    if not may("viewer", act):
        with pytest.raises(Denied):
            require(listed, said, act)


def test_an_act_of_no_row_is_nobodys(listed: Path) -> None:
    """Also not the admin's, and not of a desk without people."""
    for home in (listed, listed / "nobody"):
        with pytest.raises(Denied, match="nobody"):
            require(home, Actor("admin", "session", "os", "api"), "unheard of")


@pytest.mark.parametrize("direction", ["loosens", "neutral", "unknown", "tightens ", "", "TIGHTENS"])
def test_only_what_code_calls_a_tightening_is_one(direction: str) -> None:
    """Everything else takes an approver; a stage towards money is a promotion whatever its direction."""
    assert act_of(direction, raises_stage=False) == "loosen"
    assert act_of("tightens", raises_stage=False) == "tighten"
    assert act_of("tightens", raises_stage=True) == "promote"


def test_a_home_of_one_person_needs_no_file(tmp_path: Path) -> None:
    """Any name may do everything; the first who is added is admin, the next viewers, one of before roles keeps everything."""
    for act in ACTS:
        require(tmp_path, Actor("anyone", "claimed", "os", "cli"), act)
    add_person(tmp_path, "ann", role="viewer")
    add_person(tmp_path, "bob")
    assert [person.role for person in read_people(tmp_path).values()] == ["admin", "viewer"]
    old = (tmp_path / FILE).read_text()
    (tmp_path / FILE).write_text("".join(line for line in old.splitlines(keepends=True) if not line.startswith("role")))
    assert [person.role for person in read_people(tmp_path).values()] == ["admin", "admin"]
    (tmp_path / FILE).write_text(old.replace('role = "viewer"\n', ""))  # one line lost of a file with roles promotes nobody
    assert [person.role for person in read_people(tmp_path).values()] == ["admin", "viewer"]
    (tmp_path / FILE).write_text(old.replace('"viewer"', '"owner"'))
    with pytest.raises(BadInput, match="unknown role"):
        read_people(tmp_path)


def test_the_last_admin_stays(tmp_path: Path) -> None:
    """Nobody could add people otherwise."""
    add_person(tmp_path, "ann")
    add_person(tmp_path, "bob", role="operator")
    with pytest.raises(Refused, match="only admin"):
        set_role(tmp_path, "ann", "viewer")
    set_role(tmp_path, "bob", "admin")
    set_role(tmp_path, "ann", "viewer")
    assert [person.role for person in read_people(tmp_path).values()] == ["viewer", "admin"]


def _commands(app: typer.Typer, before: tuple[str, ...] = ()) -> Iterator[str]:
    """Every command of the command line, with its groups."""
    for command in app.registered_commands:
        assert command.callback is not None
        yield " ".join((*before, command.name or command.callback.__name__))
    for group in app.registered_groups:
        assert group.typer_instance is not None
        yield from _commands(group.typer_instance, (*before, str(group.name)))


def test_every_command_has_a_row() -> None:
    """And no row is of a command that is gone; each names an act of the table."""
    main.load_groups()
    assert sorted(_commands(main.app)) == sorted(COMMANDS)
    assert set(COMMANDS.values()) - {DECIDE} <= set(ACTS)


def test_every_route_that_is_no_read_has_a_row() -> None:
    """The API refuses one that has none (app.api.context.allowed)."""
    routes = [route for module in ROUTERS for route in module.router.routes]
    assert len(routes) > 60
    walked = {(method, route.path) for route in routes for method in route.methods - {"GET", "HEAD"}}
    assert walked == set(ROUTES)
    assert set(ROUTES.values()) - {DECIDE, MAYBE_HALT} <= set(ACTS)


def test_every_effect_of_a_tool_and_every_button_has_a_row() -> None:
    """A viewer's MCP client reads, whatever the server was started with."""
    assert set(EFFECTS) == {effect.value for effect in Effect}
    assert [effects_for(role) for role in ROLES] == [("READ",), *[("READ", "COMPUTE", "PROPOSE")] * 3]
    assert set(EFFECTS.values()) | set(BUTTONS.values()) <= set(ACTS)

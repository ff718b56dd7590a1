"""The repository as a newcomer meets it: import contracts, the lock, the docs, and that it speaks of the project alone."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools.catalog import ALL, TOOLS

ROOT = Path(__file__).resolve().parents[2]
LISTED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
KINDS = {".py", ".md", ".toml", ".sh", ".html", ""}
TEXTS = [ROOT / name for name in LISTED if (ROOT / name).is_file() and (ROOT / name).suffix in KINDS]

LOCKS = ("requirements.lock", "requirements-catboost.lock", "requirements-docs.lock")


def test_import_contracts_hold() -> None:
    """Who may import whom, as import-linter reads it from pyproject.toml."""
    command = [str(Path(sys.executable).parent / "lint-imports")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


def test_the_lock_names_no_host() -> None:
    """Names, versions and hashes only: no registry, no mirror, no index option anywhere in the set-up."""
    for name in (*LOCKS, "pyproject.toml", "Makefile", "scripts/bootstrap.sh", ".ci/run"):
        text = (ROOT / name).read_text()
        assert not re.search(r"https?://|--(extra-)?index-url|find-links", text), name
    for name in LOCKS:
        lock = (ROOT / name).read_text()
        assert len(re.findall(r"^[a-z0-9][^\n]*==", lock, re.M)) == len(re.findall(r"^[a-z0-9][^\n]*== ?[^\n]*\\$", lock, re.M))


@pytest.mark.parametrize(("lock", "wanted"), [(LOCKS[1], "catboost"), (LOCKS[2], "mkdocs-material")])
def test_the_lock_of_an_extra_moves_no_version(lock: str, wanted: str) -> None:
    """What both locks have is the same version for the same Python: the extra is laid beside the desk, not over it."""
    own, extra = (set(re.findall(r"^([a-z0-9][^ ]*==[^ ;]+)", (ROOT / name).read_text(), re.M)) for name in (LOCKS[0], lock))
    names = {one.partition("==")[0] for one in own}
    assert {one for one in extra if one.partition("==")[0] in names} <= own
    assert any(one.startswith(f"{wanted}==") for one in extra)


def test_it_speaks_of_the_project_alone() -> None:
    """No path of a machine it was written on."""
    texts = {str(path.relative_to(ROOT)): path.read_text(errors="replace") for path in TEXTS}
    found = {name: re.search(r"/(?:work|root|home/\w+)/(?!\.\.)\w+", text) for name, text in texts.items()}
    assert len(texts) > 300
    assert not {name: match.group(0) for name, match in found.items() if match}


def test_no_market_data_is_committed() -> None:
    """Recorded data stays outside; results of storms are kept, which are our own."""
    assert not [
        n
        for n in LISTED
        if not n.startswith("tests/storms/kept/") and n.endswith((".parquet", ".feather", ".csv", ".gz", ".bin", ".npy"))
    ]


def test_every_strategy_tool_and_role_has_a_test_and_a_word_in_the_docs() -> None:
    """Adding one without a test or without naming it to people is noticed."""
    docs = "\n".join(p.read_text() for p in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))])
    for role in ("developer", "operator", "advisor"):
        assert (ROOT / "agents" / "roles" / f"{role}.md").is_file()
        assert role in docs
    from engine.strategies.base import SHIPPED
    from tools.catalog import TOOLS

    tests = "\n".join(p.read_text() for p in (ROOT / "tests").rglob("*.py"))
    for name in [*SHIPPED, *TOOLS]:
        assert re.search(rf"\b{name}\b", docs), f"{name} is not in the docs"
        assert re.search(rf"\b{name}\b", tests), f"{name} is in no test"


def test_every_tool_is_in_one_row_of_its_roles() -> None:
    """docs/commands.md: each tool once, with its effect and its roles."""
    lines = (ROOT / "docs" / "commands.md").read_text().splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if re.search(r"\| (READ|COMPUTE|PROPOSE) \|", line)]
    found = [(name, row[1], frozenset(row[2].split(", "))) for row in rows for name in re.findall(r"`(\w+)`", row[0])]
    every = frozenset({"all"})
    roles = {name: every if len(line.roles) == len(ALL) else frozenset(line.roles) for name, line in TOOLS.items()}
    assert sorted(found) == sorted((name, line.effect.name, roles[name]) for name, line in TOOLS.items())


NAMED = re.compile(
    r'(?<![\w./-])(?<!b")nightdesk ((?:[a-z][a-z-]*|--[a-z-]+)'
    r'(?: (?:[a-z][\w-]*|--[a-z-]+|[A-Z_\[\]]+|prop-\d|\{[^}]*\}|"[^"]*"))*)'
)


def faults_of(words: list[str], command: Any) -> list[str]:
    """What of `people role NAME --as ADMIN` the command line does not have: a command below a group, or an option."""
    used: list[str] = []
    while words and hasattr(command, "commands"):
        if words[0] not in command.commands:
            plain = re.fullmatch(r"[a-z][a-z-]+", words[0])
            return (
                [" ".join([*used, words[0]])] if plain and words[0] != "nightdesk" else []
            )  # docker compose exec nightdesk nightdesk
        used.append(words[0])
        command, words = command.commands[words[0]], words[1:]
    options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help", "--version"}
    return [f"{' '.join(used)} {word}" for word in words if word.startswith("--") and word not in options]


def test_every_command_that_is_named_exists() -> None:
    """In sentences of the program, docs and rules: a person types what they read. Decisions are of their day."""
    from typer.main import get_command

    from app.cli import main

    main.load_groups()
    command = get_command(main.app)
    assert faults_of(["journal", "people"], command) == ["journal people"]
    assert faults_of(["people", "role", "NAME", "--by"], command) == ["people role --by"]
    rooms = ("app", "agents", "tools", "memory", "engine", "packaging", "docs")
    texts = [path for path in TEXTS if path.relative_to(ROOT).parts[0] in rooms or path.suffix == ".md"]
    found = {
        f"{path.relative_to(ROOT)}: nightdesk {fault}"
        for path in texts
        if "decisions" not in path.parts
        for words in NAMED.findall(path.read_text())
        for fault in faults_of(words.split(), command)
    }
    assert not found, sorted(found)


def test_every_command_is_documented() -> None:
    """docs/commands.md names every command of the command line."""
    from typer.main import get_command

    from app.cli import main

    main.load_groups()
    command, text = get_command(main.app), (ROOT / "docs" / "commands.md").read_text()
    for name, sub in command.commands.items():  # type: ignore[attr-defined]
        for inner in getattr(sub, "commands", {"": None}):
            assert f"nightdesk {name} {inner}".strip() in text, f"nightdesk {name} {inner}"

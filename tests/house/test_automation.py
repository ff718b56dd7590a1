"""Hooks and CI call targets of the Makefile and nothing else, on every Python that pyproject.toml allows."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
HOOKS = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
CI = (ROOT / ".github" / "workflows" / "check.yml").read_text(encoding="utf-8")


def test_hooks_are_the_makefiles_targets() -> None:
    """Each entry is `make TARGET`, and no hook comes from elsewhere."""
    entries = re.findall(r"^\s+entry: (.+)$", HOOKS, re.MULTILINE)
    assert {entry.removeprefix("make ") for entry in entries} == {"fmt", "check"} <= TARGETS
    assert re.findall(r"repo: (\S+)", HOOKS) == ["local"]


def test_ci_runs_the_makefiles_targets() -> None:
    """Every step that runs something is `make TARGET`."""
    steps = re.findall(r"^\s+- run: (.+)$", CI, re.MULTILINE)
    assert [step.split()[:2] for step in steps] == [["make", "check"], ["make", "docs"]]
    assert {step.split()[1] for step in steps} <= TARGETS


def test_ci_has_every_python_that_is_allowed() -> None:
    """From the least of requires-python up to its bound."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    low, high = (int(found) for found in re.findall(r"3\.(\d+)", wanted))
    assert re.findall(r'"(3\.\d+)"', CI.partition("steps:")[0]) == [f"3.{minor}" for minor in range(low, high)]

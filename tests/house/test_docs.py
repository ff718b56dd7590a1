"""The docs are held to the code: parameter tables, the files of the two walks, the words of the glossary's lists."""

import re
from pathlib import Path

import pytest

from engine.strategies.base import SHIPPED, load_strategy, params_table

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def row(entry: dict) -> str:
    """A parameter as the README's tables print it."""
    bounds = f"{entry['low']:g} to {entry['high']:g}"
    return f"| `{entry['key']}` | {entry['default']:g} | {bounds} | {entry['unit']} | {entry['about']} |"


@pytest.mark.parametrize("name", SHIPPED)
def test_the_readme_tables_are_the_code(name: str) -> None:
    """Every parameter of a shipped strategy stands in the README with its default, bounds and unit, or as a said exception."""
    assert f"`{name}`" in README
    tables = {entry["key"]: entry for entry in params_table(load_strategy("trend"))}
    for entry in params_table(load_strategy(name)):
        said = f"`{entry['key']}` {entry['default']:g}" in README
        known = tables.get(entry["key"], entry)
        if name != "cross":
            assert row(entry) in README or (said and row(known) in README), row(entry)


def test_the_files_of_the_walks_exist() -> None:
    """Each path that docs/flows.md names is there."""
    text = (ROOT / "docs" / "flows.md").read_text()
    for path in set(re.findall(r"`((?:engine|app|agents|tools|memory)/[\w/]+\.py)`", text)):
        assert (ROOT / path).is_file(), path


def test_links_between_the_docs_lead_somewhere() -> None:
    """Relative links in README, CONTRIBUTING and docs."""
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} -> {target}"


def test_decisions_are_numbered_without_holes() -> None:
    """0001, 0002, ... each with a title line that repeats the number."""
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    assert all(page.read_text().startswith(f"# {page.name[:4]} ") for page in pages)

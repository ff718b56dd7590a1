"""The site of the documentation: its navigation names pages that exist, and its reference has everything that the code has.

`make docs` builds it, with every link checked; here nothing of MkDocs is needed.
"""

import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from app.home.settings import DeskToml, Settings
from engine.book.transitions import LEADING
from engine.features.catalog import features_table
from tools.catalog import TOOLS

ROOT = Path(__file__).parents[2]
CONFIG = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
SPEC = importlib.util.spec_from_file_location("docs_site", ROOT / "scripts" / "docs_site.py")
assert SPEC is not None
assert SPEC.loader is not None
site: Any = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(site)
PAGES = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
PAGES |= {*site.ABOVE, *(f"reference/{name}.md" for name in site.REFERENCE)}


def test_the_navigation_has_every_page_above_decisions_and_runbooks() -> None:
    """Each page that it names exists, and each how-to, explanation and figure is in it; the others are listed by one."""
    named = re.findall(r": (\S+\.md)$", CONFIG, re.MULTILINE)
    assert len(named) == len(set(named))
    assert set(named) <= PAGES
    assert {page for page in PAGES if "/" not in page or page.startswith("reference/")} <= set(named)


def test_the_site_loads_nothing_from_the_network() -> None:
    """No font, no analytics, no script of another host."""
    found = yaml.safe_load(CONFIG)
    assert found["theme"]["font"] is False
    assert found["plugins"] == ["search"]
    assert found["strict"] is True
    assert "://" not in re.sub(r"#.*", "", CONFIG)


def test_the_reference_has_what_the_code_has() -> None:
    """Every tool, feature, setting, variable and leading event; `nightdesk --help`'s commands are held by test_repository.py."""
    assert set(re.findall(r"^## (\w+)$", site.tools(), re.MULTILINE)) == set(TOOLS)
    assert all(f"`{row['call']}`" in site.features() for row in features_table())
    settings = site.settings()
    assert all(f"| `{key}` |" in settings for key in DeskToml.model_fields)
    assert all(f"`NIGHTDESK_{name.upper()}`" in settings for name in Settings.model_fields)
    assert all(f"\n## [{name}]\n" in settings for name in ("limits", "worker", "retention", "api", "accounts"))
    assert "| `bars_per_second` | `float` | `1.0`; gt 0, le 100000 |" in settings
    events = site.events()
    assert all(f"| `{kind}` |" in events for kind in LEADING)
    assert "## MarkBody" in events


def test_every_command_is_a_part_of_the_reference() -> None:
    """With its options; one that is hidden is not."""
    text = site.commands()
    documented = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    for words in re.findall(r"^## (nightdesk .+)$", text, re.MULTILINE):
        assert " ".join(words.split()[:3]) in documented, words
    assert "## nightdesk backup" in text
    assert "--bars-per-second" in text


def test_every_route_is_described(own_home: Path) -> None:
    """As the application says; the home that it takes is not this one."""
    text = site.api()
    assert "`GET /api/health`" in text
    assert "`POST /api/halt`" in text
    assert len(re.findall(r"^\| `(?:GET|POST|DELETE|PUT|PATCH) /", text, re.MULTILINE)) > 50
    assert not (own_home / "desk.toml").exists()


@pytest.mark.parametrize(
    ("page", "text", "wanted"),
    [
        ("index.md", "[a](docs/data.md#x)", "[a](data.md#x)"),
        ("index.md", "[log](CHANGELOG.md)", "[log](changelog.md)"),
        ("threats.md", "[tests](../tests/conftest.py)", "tests (`tests/conftest.py`)"),
        ("decisions/0001-laws.md", "[it](../../README.md)", "[it](../index.md)"),
        ("data.md", "[gone](nowhere.md)", "[gone](nowhere.md)"),
        ("data.md", "[out](https://example.org)", "[out](https://example.org)"),
    ],
)
def test_links_of_the_repository_become_the_sites(page: str, text: str, wanted: str) -> None:
    """A page by its page, a file that is none by its path; what leads nowhere stays, for the build to refuse."""
    files = [SimpleNamespace(src_uri=one) for one in PAGES]
    assert site.on_page_markdown(text, SimpleNamespace(file=SimpleNamespace(src_uri=page)), files) == wanted

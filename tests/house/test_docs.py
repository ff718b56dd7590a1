"""The docs match the code: parameter tables, the files of the walk-throughs, the glossary's words and lists, words we gave up."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from engine.strategies.base import SHIPPED, load_strategy, params_table

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
PAGES = [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")), *sorted((ROOT / "docs").rglob("*.md"))]
PACKAGES = ("app", "agents", "tools", "memory", "engine")
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text()

# Names that were replaced: they may not come back as `code`, a file or a dotted part of one. The replacement stands beside.
DEAD_NAMES = {
    "told": "events", "standing": "book", "scene": "snapshot", "lookout": "observer", "stretches": "refusal_runs",
    "tries": "passphrases", "WrongWord": "FailedPassphrase", "Voice": "SignalSource", "Heard": "SignalReading",
    "Office": "AgentRuntime", "Manners": "AlertPolicy", "Death": "ProcessExit", "Done": "AnsweredCall",
    "Owed": "PendingAnswer", "reading": "desk_status", "work": "job kinds", "receipts": "ids", "when": "time_words",
    "against": "compare_sources", "ring": "recent_r", "left": "volume_left", "unclear": "ambiguous",
    "quick": "allow_shortcuts", "learn": "update_kelly_window", "clean": "reference_price", "due": "exit_pending",
    "remembered": "with_last_refusal", "calm": "can_skip", "untouched": "can_skip", "lifted": "own_pause_until_ms",
    "sides": "instrument_side", "gross": "instrument_gross", "still": "can_skip", "idle": "can_skip",
    "PAUSED": "a field of Guard", "attend": "poll_controls", "hand_over": "resume", "walk": "use_feed", "look": "poll",
}  # fmt: skip

# Words that are not used in prose, with what to write instead.
DEAD_WORDS = {
    r"told|tells?": "say, report, print",
    r"standing|stands?|stood": "is, stays",
    r"scenes?|lookouts?": "snapshot, observer",
    r"stretch(?:es)?": "range",
    r"manners": "alert policy",
    r"(?<!random )walk(?:s|ed|ing)?(?!-)": "replay, verify",
    r"mend(?:s|ed|ing)?": "fix",
    r"somebody|anybody": "someone, or name the actor",
    r"lies": "is stored in",
    r"so many": "the number",
    r"patience": "timeout",
    r"is no (?!longer)": "is not a valid",
}


def row(entry: dict) -> str:
    """A parameter as the README's tables print it."""
    if entry["choices"]:
        return f"| `{entry['key']}` | {entry['default']} | {' or '.join(entry['choices'])} | - | {entry['about']} |"
    bounds = f"{entry['low']:g} to {entry['high']:g}"
    return f"| `{entry['key']}` | {entry['default']:g} | {bounds} | {entry['unit']} | {entry['about']} |"


@pytest.mark.parametrize("name", SHIPPED)
def test_the_readme_tables_are_the_code(name: str) -> None:
    """Every parameter of a shipped strategy is in the README with its default, bounds and unit, or as a named exception."""
    assert f"`{name}`" in README
    tables = {entry["key"]: entry for entry in params_table(load_strategy("trend"))}
    for entry in params_table(load_strategy(name)):
        exception = not entry["choices"] and f"`{entry['key']}` {entry['default']:g}" in README
        shared = tables.get(entry["key"], entry)
        if name != "cross":
            assert row(entry) in README or (exception and row(shared) in README), row(entry)


def test_the_files_of_the_walks_exist() -> None:
    """Each path that docs/flows.md names is there; inside a picture a path may leave out its package or its folder."""
    text = (ROOT / "docs" / "flows.md").read_text()
    for path in set(re.findall(r"`((?:engine|app|agents|tools|memory)/[\w/]+\.py)`", text)):
        assert (ROOT / path).is_file(), path
    files = [f"/{path.relative_to(ROOT)}" for folder in PACKAGES for path in (ROOT / folder).rglob("*.py")]
    for path in set(re.findall(r"[\w/]+\.py\b", text)) - {"streamlit_app.py"}:
        assert any(name.endswith(f"/{path}") for name in files), path


def test_links_between_the_docs_lead_somewhere() -> None:
    """Relative links of every page."""
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} -> {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_explained_twice_in_one_table(page: Path) -> None:
    """A command, a key, a role has one row: two of them say two things, and a reader takes one for the other."""
    for table in re.findall(r"(?:^\|.*\n)+", page.read_text(), re.MULTILINE):
        head, _, *rows = (line.split("|")[1].strip() for line in table.splitlines())
        twice = sorted({row for row in rows if rows.count(row) > 1})
        assert not (twice and head in ("command", "role", "key", "way", "tool", "variable")), twice


def test_decisions_are_numbered_without_holes() -> None:
    """0001, 0002, ... each with a title line that repeats the number."""
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    assert all(page.read_text().startswith(f"# {page.name[:4]} ") for page in pages)


def table_rows(text: str) -> list[list[str]]:
    """The cells of every table row of a page, heads and rules left out."""
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith(("| word |", "| list |"))]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_word_is_in_the_glossary_once() -> None:
    """One word, one thing, with the field's term and a meaning beside it."""
    rows = [row for row in table_rows(GLOSSARY) if not row[0].startswith("`")]
    assert all(len(row) == 3 and all(row) for row in rows), [row for row in rows if len(row) != 3]
    words = [word.strip() for row in rows for word in row[0].split(",")]
    assert len(words) == len(set(words)), sorted(word for word in words if words.count(word) > 1)
    assert {"sleeve", "journal", "ledger", "book", "batch", "plan", "leg", "pair", "layer key", "heartbeat"} <= set(words)


def core_lists() -> list[tuple[str, list[str]]]:
    """The glossary's last table: a list of the core and its words."""
    return [(row[0].strip("`"), row[1].split(", ")) for row in table_rows(GLOSSARY) if row[0].startswith("`")]


@pytest.mark.parametrize(("name", "words"), core_lists(), ids=[name for name, _ in core_lists()])
def test_the_lists_of_the_core_are_the_code(name: str, words: list[str]) -> None:
    """Each list that the glossary names exists in the core and has these words in this order."""
    module, _, attribute = name.rpartition(".")
    values = getattr(import_module(module), attribute)
    assert list(values.values() if isinstance(values, dict) else values) == words


def prose(text: str) -> str:
    """A page without code: no fences, no spans, no parameter rows, so that output, names and texts of the code are left alone."""
    text = re.sub(r"```.*?```", "", text, flags=re.S)
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^\| `\w+` \| [\d.e+]+ \|.*$", "", text, flags=re.M))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_words_we_gave_up_do_not_come_back(page: Path) -> None:
    """Renamed things go by their new names, and prose uses the field's words."""
    text = page.read_text()
    spans = re.findall(r"`([^`\n]+)`", text)
    parts = {part for span in spans for part in re.split(r"[./]", re.sub(r"\(.*|\.py\b.*", "", span))}
    parts |= {part for path in re.findall(r"[\w/]+(?=\.py\b)", text) for part in path.split("/")}
    assert not (found := parts & set(DEAD_NAMES)), {name: DEAD_NAMES[name] for name in found}
    for pattern, instead in DEAD_WORDS.items():
        hits = re.findall(rf"\b(?:{pattern})\b", prose(text), re.IGNORECASE)
        assert not hits, f"{hits}: write {instead}"


def test_each_law_has_its_file_of_tests() -> None:
    """tests/laws holds one file a law of docs/decisions/0001, named by the law's own words, and nothing else."""
    laws = re.findall(r"^\d+\. \*\*([^*.:]+)", (ROOT / "docs" / "decisions" / "0001-laws.md").read_text(), re.M)
    files = {path.name for path in (ROOT / "tests" / "laws").glob("*.py")}
    assert len(laws) == 11
    assert files == {f"test_{law.lower().replace(' ', '_')}.py" for law in laws} | {"conftest.py"}

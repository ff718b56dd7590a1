"""BM25 against the ranking that it replaced, on questions written before either was compared (tests/memory/queries)."""

import math
import re
import tomllib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from memory.recall import paragraphs, search
from memory.shelf import Shelf

NOW = 1_800_000_000_000
HERE = Path(__file__).parent / "queries"
PAGES = tomllib.loads((HERE / "pages.toml").read_text())
QUERIES = tomllib.loads((HERE / "queries.toml").read_text())["queries"]
NAMES = {text: f"{topic}/{name}" for topic, parts in PAGES.items() for name, text in parts.items()}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """Of this module."""
    return stocked(tmp_path_factory.mktemp("ranking") / "memory")


def stocked(root: Path) -> Shelf:
    """The stocked shelf with the pages of pages.toml."""
    made = Shelf(root)
    made.stock()
    for topic, parts in PAGES.items():
        note = topic.startswith("inbox/")
        lines = "\n\n".join(parts.values()) if note else "\n".join(f"- {text}" for text in parts.values())
        path = made.path(topic)
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"---\nnote: {topic}\n---\n\n{lines}\n" if note else f"# {topic.split('/')[-1]}\n\n{lines}\n")
    return made


def name_of(text: str) -> str:
    """Which paragraph of pages.toml a result is; '' for one of a shipped page."""
    return next((name for words, name in NAMES.items() if words in text), "")


def figures(ask: Callable[[str], list[str]]) -> tuple[float, float, float, int]:
    """(share answered first, mean reciprocal rank, share among the first five, unanswerable ones without an answer)."""
    ranks, silent = list[float](), 0
    for query, answers in QUERIES:
        found = [name_of(text) for text in ask(query)]
        if answers:
            ranks.append(next((1 / n for n, name in enumerate(found, 1) if name in answers), 0.0))
        else:
            silent += not found
    count = len(ranks)
    return sum(r == 1 for r in ranks) / count, sum(ranks) / count, sum(r > 0 for r in ranks) / count, silent


def overlap(shelf: Shelf) -> Callable[[str], list[str]]:
    """The ranking before: summed rarity of the words that are there, each word as it is written."""
    pages = [page for topic in shelf.topics() if topic != "README" and (page := shelf.read(topic))]
    bodies = {page.topic: page.text.split("---\n")[-1] if page.topic.startswith("inbox/") else page.text for page in pages}
    parts = [(topic, part, set(_words(part))) for topic, text in bodies.items() for part in paragraphs(text)]
    seen = Counter(word for _, _, have in parts for word in have)

    def ask(query: str) -> list[str]:
        weight = {word: math.log(1 + len(parts) / seen[word]) for word in set(_words(query)) if seen[word]}
        scored = [(sum(w for word, w in weight.items() if word in have) / (1 + len(have) / 400), t, p) for t, p, have in parts]
        ranked = sorted((s for s in scored if s[0] > 0), key=lambda s: (-s[0], s[1].startswith("inbox/"), s[1]))
        return [part for _, _, part in ranked[:5]]

    return ask


def _words(text: str) -> list[str]:
    whole = re.findall(r"[a-z0-9][a-z0-9_.-]*[a-z0-9]|[a-z0-9]", text.lower())
    return whole + [part for word in whole for part in re.split(r"[-_.]", word) if part and part != word]


def test_bm25_answers_more_questions_than_the_ranking_before(shelf: Shelf) -> None:
    """More first places, no fewer among the first five, and silence where the shelf has nothing to say."""
    before = figures(overlap(shelf))
    now = figures(lambda query: [block.text for block in search(shelf, query, NOW, tokens=4000)])
    for name, row in (("words", before), ("BM25", now)):
        print(f"{name:6} first {row[0]:.2f}  MRR {row[1]:.3f}  of five {row[2]:.2f}  silent {row[3]} of 6")
    assert now[0] >= 0.8
    assert now[0] > before[0]
    assert now[1] > before[1]
    assert now[2] >= before[2]
    assert now[3] >= 5

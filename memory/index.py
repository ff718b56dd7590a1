"""The full text of the shelf, ranked by BM25: SQLite's FTS5 over the paragraphs of all pages, in a file derived from them.

Called by recall.search. The pages are the truth: each search compares their times and sizes with the index and reads what
changed, so a person's edit is found at once, and a file that is missing, damaged or of another version is made anew. Text that
a person's editor replaced is kept as a version of its page (shelf.keep).
"""

import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import NamedTuple

from memory.shelf import INBOX, MemoryPage, Shelf, ShelfError, around

FILE = ".index.sqlite"
VERSION = 1
TOPIC_WEIGHT = 0.5  # of a word in a page's name, against one in its text
SETTLED_NS = 2_000_000_000  # a file as young as this may change again within one tick of the file system's clock
WAIT_S = 5.0  # for another process that is writing the index
# words that a question is made of: they say nothing about what it asks for
_OF_QUESTIONS = """
a about an and any anything are as at be been before by can could d did do does for from had has have how i if in into is it its
know may me more most much must my now of on or our should so t that the them there they this to too up us was we were
what when where which who whom whose why will with would you your between
"""
ASKING = frozenset(_OF_QUESTIONS.split())
_WORD = re.compile(r"[^\W_]+")
_NAME = re.compile(r"[^\W_]+(?:[-_./][^\W_]+)+")  # trend-btc, stop_atr: its parts, and in a row they weigh more
_TABLES = f"""
DROP TABLE IF EXISTS parts; DROP TABLE IF EXISTS pages;
CREATE VIRTUAL TABLE parts USING fts5(name, body, topic UNINDEXED, trust UNINDEXED, place UNINDEXED, tokenize='porter unicode61');
CREATE TABLE pages (topic TEXT PRIMARY KEY, changed_ns INTEGER, bytes INTEGER, text TEXT, changed_ms INTEGER);
PRAGMA user_version = {VERSION};
"""
_FIND = f"""
SELECT parts.topic, body, trust, changed_ms, bm25(parts, {TOPIC_WEIGHT}, 1.0) AS score FROM parts
JOIN pages ON pages.topic = parts.topic WHERE parts MATCH ? ORDER BY score, parts.topic, CAST(place AS INTEGER) LIMIT ?
"""
CLOSE = 8  # times as many candidates as are wanted: those of the same score are put in order here


class Piece(NamedTuple):
    """A paragraph of a page; `trust` is one of recall.Trust."""

    text: str
    trust: str


class FoundPiece(NamedTuple):
    """A paragraph that matches; `changed_ms` is its page's time (UTC ms)."""

    topic: str
    text: str
    trust: str
    changed_ms: int


Pieces = Callable[[MemoryPage], list[Piece]]


def find(shelf: Shelf, query: str, pieces: Pieces, most: int) -> list[FoundPiece]:
    """The `most` paragraphs that match the words of `query` best, best first. `pieces` cuts a page into its paragraphs."""
    wanted = terms(query)
    if not wanted:
        return []
    names = [" ".join(_WORD.findall(name)) for name in _NAME.findall(query.lower())]
    match = " OR ".join(f'"{term}"' for term in [*wanted, *names])
    with _index(shelf, pieces) as base:
        rows = [(FoundPiece(*row[:4]), round(row[4], 6)) for row in base.execute(_FIND, (match, most * CLOSE))]
    # stems make words alike: at one score those spelt as asked come first, then pages before notes of the inbox
    rows.sort(key=lambda row: (row[1], -_spelt(row[0], wanted), row[0].trust == "unconfirmed"))
    return [found for found, _ in rows[:most]]


def _spelt(found: FoundPiece, wanted: list[str]) -> int:
    """How many of the words are there as they were typed."""
    return len(set(wanted) & set(_WORD.findall(found.text.lower())))


def terms(query: str) -> list[str]:
    """The words of a query that are looked for: lower case, each once, without those that any question has."""
    return [word for word in dict.fromkeys(_WORD.findall(query.lower())) if word not in ASKING]


def refresh(shelf: Shelf, pieces: Pieces) -> None:
    """Bring the index up to date, and keep what editors replaced."""
    with _index(shelf, pieces):
        pass


@contextmanager
def _index(shelf: Shelf, pieces: Pieces) -> Iterator[sqlite3.Connection]:
    """The index, up to date. Where the file cannot be used (a full disk, a long wait, damage), one in this process's memory."""
    path = shelf.root / FILE
    try:
        base = _opened(str(path), shelf, pieces)
    except sqlite3.Error as error:
        if not isinstance(error, sqlite3.OperationalError):  # damaged: the next search makes it anew
            with suppress(OSError):
                path.unlink()
        base = _opened(":memory:", shelf, pieces)
    with closing(base):
        yield base


def _opened(path: str, shelf: Shelf, pieces: Pieces) -> sqlite3.Connection:
    """A connection whose index is that of the pages."""
    if path != ":memory:":
        shelf.root.mkdir(parents=True, exist_ok=True)
    base = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None)
    try:
        if base.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            base.executescript(f"BEGIN IMMEDIATE;{_TABLES}COMMIT;")
        if _changed(base, shelf):
            base.execute("BEGIN IMMEDIATE")
            for topic, state in _changed(base, shelf).items():  # asked again: another process may have been first
                _renew(base, shelf, topic, state, pieces)
            base.execute("COMMIT")
    except BaseException:
        base.close()
        raise
    return base


def _changed(base: sqlite3.Connection, shelf: Shelf) -> Mapping[str, tuple[int, int] | None]:
    """Topics whose file is another than the indexed one, with its (time, size); None: it went away."""
    had = {topic: (ns, size) for topic, ns, size in base.execute("SELECT topic, changed_ns, bytes FROM pages")}
    have: dict[str, tuple[int, int]] = {}
    for topic in shelf.topics():
        with suppress(OSError, ShelfError):  # it went away meanwhile, or leads outside
            state = shelf.path(topic).stat()
            have[topic] = (state.st_mtime_ns, state.st_size)
    changed: dict[str, tuple[int, int] | None] = {topic: s for topic, s in have.items() if had.get(topic) != s}
    return changed | dict.fromkeys(topic for topic in had if topic not in have)


def _renew(base: sqlite3.Connection, shelf: Shelf, topic: str, state: tuple[int, int] | None, pieces: Pieces) -> None:
    """One page anew. What it was is kept, where a person's words changed."""
    page = None if state is None else shelf.read(topic)
    was = base.execute("SELECT text FROM pages WHERE topic = ?", (topic,)).fetchone()
    if was and around(was[0]).strip() and (page is None or around(was[0]) != around(page.text)):
        shelf.keep(topic, was[0])
    base.execute("DELETE FROM parts WHERE topic = ?", (topic,))
    base.execute("DELETE FROM pages WHERE topic = ?", (topic,))
    if page is None or state is None:
        return
    settled = time.time_ns() - state[0] > SETTLED_NS
    row = (topic, state[0] if settled else -1, state[1], page.text, page.changed_ms)
    base.execute("INSERT INTO pages VALUES (?, ?, ?, ?, ?)", row)
    if topic == "README":  # about the shelf, not of it
        return
    name = "" if topic.startswith(f"{INBOX}/") else topic.replace("/", " ").replace("-", " ")  # a model names its notes
    rows = [(name, piece.text, topic, piece.trust, n) for n, piece in enumerate(pieces(page))]
    base.executemany("INSERT INTO parts VALUES (?, ?, ?, ?, ?)", rows)

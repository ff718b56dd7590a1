"""The book that a desk's journal folds to, folded once for each mark and for what comes between two of them at an account.

Called by app/views/incidents.py and engine/watch/step_checks.py, which show what only the whole state says: differences, orphans.
"""

from functools import lru_cache
from pathlib import Path

from engine.book.book import Book
from engine.book.replay import fold
from engine.store.lookback import last
from engine.watch.window import mark_at

BETWEEN = ("mark", "health", "reconcile", "adopt", "reduced", "orphan", "window", "transfer")  # what changes what is shown


def book_at(path: Path) -> Book | None:
    """The desk as its journal has it; None before the first mark. Raises JournalBroken as `fold`."""
    newest = None if mark_at(path) is None else last(path, BETWEEN)
    return None if newest is None else _folded(str(path), newest.id)


@lru_cache(maxsize=4)
def _folded(path: str, newest: str) -> Book | None:
    del newest  # the cache's key: the book is that of the journal's end
    return fold(Path(path))

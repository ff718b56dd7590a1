"""The shelf: markdown pages under $NIGHTDESK_HOME/memory. Read by recall.py, written by tools/notes.py and by people.

Writes are atomic and nothing is ever deleted: each version that code replaces is kept under `.versions/`. A topic is a
slug, alone or in one of FOLDERS, so no name can leave the shelf. A person's edit wins: code replaces a page only if it is
unchanged since it was read, and touches only its own block of a page (`write_block`).
"""

import fcntl
import hashlib
import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

SHIPPED = Path(__file__).parent / "pages"
FOLDERS = ("decisions", "incidents", "strategies", "inbox")
INBOX = "inbox"
PAGE_BYTES_MAX = 200_000
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_BLOCK_HEAD = "<!-- desk {}: made by code; your own text belongs outside -->\n"
_BLOCK_END = "<!-- end -->\n"
_BLOCK = re.compile(re.escape(_BLOCK_HEAD).replace(r"\{\}", "([0-9a-f]{12})") + "(.*?)" + _BLOCK_END, re.DOTALL)


class ShelfError(ValueError):
    """An invalid topic, a missing page, or one that a person changed meanwhile."""


class MemoryPage(NamedTuple):
    """A page as stored; `changed_ms` is the file's time (UTC ms)."""

    topic: str
    text: str
    changed_ms: int


def slug(words: str) -> str:
    """`words` as a topic name: lower case, letters, digits and single dashes, at most 64 characters."""
    return re.sub(r"[^a-z0-9]+", "-", words.lower())[:64].strip("-") or "untitled"


class Shelf:
    """The pages under `root`."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def stock(self) -> None:
        """Copy the shipped pages there; an existing page is left alone."""
        for name in _shipped(SHIPPED):
            if not os.path.exists(os.path.join(self.root, name)):  # asked in every turn: no Path is made of what is there
                goal = self.root / name
                goal.parent.mkdir(parents=True, exist_ok=True)
                _put(goal, (SHIPPED / name).read_text())

    def topics(self) -> list[str]:
        """Every page's topic, the inbox last."""
        found = [path.relative_to(self.root).with_suffix("").as_posix() for path in self.root.rglob("*.md")]
        kept = [t for t in found if not t.startswith(".") and _is_topic(t)]
        return sorted(kept, key=lambda t: (t.startswith(f"{INBOX}/"), t))

    def path(self, topic: str) -> Path:
        """The path of the page `topic`; ShelfError for an invalid topic or one that would leave the shelf."""
        if not _is_topic(topic):
            raise ShelfError(f"{topic[:80]!r} is not a valid topic: use a slug, alone or in {', '.join(FOLDERS)}")
        path = self.root / f"{topic}.md"
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise ShelfError(f"the page {topic} is outside the memory folder")
        return path

    def read(self, topic: str) -> MemoryPage | None:
        """The page, or None if absent. Invalid UTF-8 is shown as replacement characters, not hidden."""
        path = self.path(topic)
        try:
            with path.open("rb") as file:
                raw = file.read(PAGE_BYTES_MAX)
                changed_ms = os.fstat(file.fileno()).st_mtime_ns // 1_000_000
        except FileNotFoundError:
            return None
        return MemoryPage(topic, raw.decode("utf-8", "replace"), changed_ms)

    def add(self, topic: str, text: str) -> None:
        """A new page; ShelfError when the topic is taken."""
        with self._alone():
            if self.path(topic).exists():
                raise ShelfError(f"the page {topic} already exists")
            _put(self.path(topic), text)

    def replace(self, was: MemoryPage, text: str) -> None:
        """Replace the page that was read by `text`; ShelfError when it has changed since."""
        with self._alone():
            self._replace(was, text)

    def settle(self, note: MemoryPage, settled: str, topic: str = "", words: str = "") -> None:
        """Append `words` to the page `topic` (made where there is none) and make `settled` of the note, as one act: of two who do
        it at once one is refused. ShelfError: the note has changed since it was read, or the page has these words."""
        with self._alone():
            now = self.read(note.topic)
            if now is None or now.text != note.text:
                raise ShelfError(f"{note.topic} was changed meanwhile; nothing was written")
            page = self.read(topic) if topic else None
            if page is not None and words.rstrip().rpartition(" ")[2] in page.text:
                raise ShelfError(f"the page {topic} has {note.topic} already")
            if page is not None:
                self._replace(page, f"{page.text.rstrip()}\n\n{words}")
            elif topic:
                _put(self.path(topic), words)
            if settled != note.text:
                self._replace(note, settled)

    def write_block(self, topic: str, text: str) -> None:
        """Update code's own block on the page `topic`; the text around it is left alone.

        A block that a person edited becomes the person's text (its markers go), and the new block follows it.
        """
        body = text.strip().replace("<!--", "< !--") + "\n"
        block = _BLOCK_HEAD.format(_mark(body)) + body + _BLOCK_END
        with self._alone():
            was = self.read(topic)
            if was is None:
                _put(self.path(topic), block)
                return
            whole = _renew_block(was.text, block)
            if whole != was.text:
                # code's own words are made anew each time: only a page whose other words change leaves a version
                self._replace(was, whole, keep=around(was.text) != around(whole))

    def versions(self, topic: str) -> list[Path]:
        """The kept earlier versions of a page, oldest first."""
        self.path(topic)  # an invalid topic has none
        return sorted((self.root / ".versions" / topic).glob("*.md"))

    def keep(self, topic: str, text: str) -> None:
        """Keep `text`, which a person's editor replaced, as a version of the page; nothing where one has it."""
        with self._alone():
            raw = text.encode("utf-8", "replace")
            if not any(path.stat().st_size == len(raw) and path.read_bytes() == raw for path in self.versions(topic)):
                _put(self._next_version(topic), text)

    def restore(self, topic: str, text: str) -> None:
        """Make `text`, an earlier version, the page again; what it replaces is kept. ShelfError: changed meanwhile."""
        was = self.read(topic)
        if was is None:
            self.add(topic, text)
        else:
            self.replace(was, text)

    def _next_version(self, topic: str) -> Path:
        """Where the next version goes; the shelf's lock is held."""
        folder = self.root / ".versions" / topic
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{max((int(p.stem) for p in folder.glob('*.md') if p.stem.isdecimal()), default=0) + 1:06d}.md"

    def _replace(self, was: MemoryPage, text: str, *, keep: bool = True) -> None:
        """Keep the present version (unless `keep` is False), then write `text`; the shelf's lock is held."""
        path = self.path(was.topic)
        if path.exists() and path.stat().st_size > PAGE_BYTES_MAX:
            raise ShelfError(f"the page {was.topic} is over {PAGE_BYTES_MAX} bytes: a person must shorten it")
        if keep:
            shutil.copy2(path, self._next_version(was.topic))
        now = self.read(was.topic)
        if now is None or now.text != was.text:
            raise ShelfError(f"{was.topic} was changed meanwhile; that edit is kept and nothing was written")
        _put(path, text)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One code writer at a time; a person's editor is not locked out."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@cache
def _shipped(folder: Path) -> tuple[str, ...]:
    """The names of the shipped pages; they change only with the code."""
    return tuple(sorted(source.relative_to(folder).as_posix() for source in folder.rglob("*.md")))


def _is_topic(topic: str) -> bool:
    """Whether `topic` can be a page: README, a slug, or a slug in one of the folders."""
    folder, _, name = topic.rpartition("/")
    return topic == "README" or (folder in ("", *FOLDERS) and _SLUG.fullmatch(name) is not None)


def _renew_block(text: str, block: str) -> str:
    """`text` with code's own block replaced by `block`; an edited block becomes plain text, a missing one is appended."""
    parts, end, placed = [], 0, False
    for found in _BLOCK.finditer(text):
        parts.append(text[end : found.start()])
        if _mark(found[2]) != found[1]:
            parts.append(found[2])
        elif not placed:
            parts.append(block)
            placed = True
        end = found.end()
    rest = text[end:]
    if placed:
        return "".join(parts) + rest
    before = ("".join(parts) + rest).rstrip("\n")
    return f"{before}\n\n{block}" if before else block


def around(text: str) -> str:
    """The page without code's own unedited block: what people wrote."""
    return _BLOCK.sub(lambda found: "" if _mark(found[2]) == found[1] else found[0], text)


def _put(path: Path, text: str) -> None:
    """Write the page atomically; a full disk leaves it as it was, and no draft beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.draft")  # threads of a server write too
    try:
        with draft.open("w", encoding="utf-8", errors="replace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def by_code(text: str) -> list[tuple[bool, str]]:
    """A page in order as (written by code, text): code's own unedited blocks, and what people wrote around them."""
    parts, end = list[tuple[bool, str]](), 0
    for found in _BLOCK.finditer(text):
        if _mark(found[2]) == found[1]:
            parts += [(False, text[end : found.start()]), (True, found[2])]
            end = found.end()
    return [part for part in [*parts, (False, text[end:])] if part[1].strip()]


def _mark(body: str) -> str:
    """The hash that distinguishes code's own block from an edited one."""
    return hashlib.sha256(body.encode("utf-8", "replace")).hexdigest()[:12]

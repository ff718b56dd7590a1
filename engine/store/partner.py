"""What a journal records of the other one of its home: how far that had come. Called by engine.store.journal."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from engine.errors import JournalBroken
from engine.store.chain import ENDS_KEPT, end_of


class Partner:
    """The other journal of the home: its head is recorded with each group, so neither can be truncated alone."""

    _durable: ClassVar[dict[Path, tuple[int, str]]] = {}  # of a file: which one, and the head up to which this process synced it

    def __init__(self, path: Path, locks: bool) -> None:
        self.path, self._locks = path, locks
        self._size, self._last_head, self._file = -1, "", -1

    def head(self, sync: bool) -> str:
        """Its last durable head as "id:hash"; the previous one while its writer holds the lock.

        `sync`: flush what was read to disk first (its own writer may not have done so yet).
        """
        try:
            if self._file < 0:
                self._file = os.open(self.path, os.O_RDONLY)
            size = self._current_size()
            if size != self._size and self._lock():
                status = os.fstat(self._file)
                head = end_of(self._file, status.st_size, self.path).head
                if sync:
                    self._sync((status.st_ino, head.hash))
                self._size, self._last_head = status.st_size, f"{head.id}:{head.hash}" if head.seq else ""
        except (FileNotFoundError, JournalBroken):
            return self._last_head  # its own writer reports that; this journal goes on
        finally:
            if self._locks and self._file >= 0:
                fcntl.flock(self._file, fcntl.LOCK_UN)
        return self._last_head

    def _current_size(self) -> int:
        """Of the file that has the journal's name: a packing has put another in its place."""
        status = os.fstat(self._file)
        if status.st_nlink:
            return status.st_size
        fresh = os.open(self.path, os.O_RDONLY)
        self.close()
        self._file = fresh
        return os.fstat(fresh).st_size

    def _sync(self, reached: tuple[int, str]) -> None:
        """Bring the file to the disk, unless this process has done so up to that head: each turn opens the people journal."""
        if self._durable.get(self.path) == reached:
            return
        os.fdatasync(self._file)
        self._durable.pop(self.path, None)
        self._durable[self.path] = reached
        for path in list(self._durable)[:-ENDS_KEPT]:
            self._durable.pop(path, None)

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
        self._file, self._size = -1, -1

    def _lock(self) -> bool:
        """Lock out its writer for a moment, without waiting; True when that worked or is not needed."""
        if self._locks:
            with suppress(BlockingIOError):
                fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return True
            return False
        return True

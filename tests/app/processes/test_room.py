"""Too few open files, too little memory, a full disk: one line with what to do, before a library says it in its own words."""

import errno
import os
import resource

import pytest

from app.processes.room import BYTES_MIN, FILES_MIN, failure_text, lacking


@pytest.mark.parametrize(
    ("files", "space", "words"),
    [
        (FILES_MIN, BYTES_MIN, ""),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, ""),
        (FILES_MIN - 1, BYTES_MIN, "ulimit -n"),
        (14, resource.RLIM_INFINITY, "may open 14 files"),
        (1024, 600 << 20, "may use 600 MB of memory"),
    ],
)
def test_what_is_too_little_is_said_at_the_start(monkeypatch: pytest.MonkeyPatch, files: int, space: int, words: str) -> None:
    """Fourteen descriptors or 600 MB start no desk; without limits nothing is lacking."""
    given = {resource.RLIMIT_NOFILE: files, resource.RLIMIT_AS: space}
    monkeypatch.setattr(resource, "getrlimit", lambda what: (given[what], given[what]))
    said = lacking()
    assert words in said if words else said == ""
    assert "\n" not in said


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO])
def test_a_failure_of_the_system_is_one_line_with_a_way_out(number: int) -> None:
    """What failed, where, and what to do."""
    said = failure_text(OSError(number, os.strerror(number), "/srv/desk/file"))
    assert os.strerror(number) in said
    assert "/srv/desk/file" in said
    assert " - " in said
    assert "\n" not in said
    assert "out of memory" in failure_text(MemoryError())

"""What must be well before a halt is released: each planted fault alone refuses, and the latch stays."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.home.home import Home, open_home
from app.people import approvals, release_checks
from app.people.identity import identify
from app.people.release_checks import healthy
from engine.control import halt
from engine.errors import Refused
from engine.watch import health
from tests.engine.book.test_replay import rewritten
from tests.fakes.papers import WALL_MS, advanced, feed_of, furnished, loop_of

GB = 1 << 30


@pytest.fixture(scope="module")
def halted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk that ran for some days and is halted, once for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTDESK_HOME", str(furnished(tmp_path_factory.mktemp("halted") / "home")))
        home = open_home(WALL_MS)
        loop = advanced(loop_of(home, feed_of(home)), 120)
        loop.journal.close()
        halt.set(home.path, "a drill", {"name": "ann"}, WALL_MS, home.engine)
        home.engine.dispose()
    return home.path


@pytest.fixture
def home(halted: Path, own_home: Path) -> Home:
    """A copy of it."""
    shutil.copytree(halted, own_home)
    return open_home(WALL_MS)


def flip_a_bit(home: Home, _patch: Any) -> None:
    """In the middle of the journal."""
    data = bytearray(home.desk_journal.read_bytes())
    data[data.index(b'"close_ms":', len(data) // 3) + 12] ^= 1
    home.desk_journal.write_bytes(data)


def lose_the_end(home: Home, _patch: Any) -> None:
    """After the database has seen it."""
    from engine.store.anchors import note_head
    from engine.store.journal import Journal

    journal = Journal(home.desk_journal, "worker")
    note_head(home.engine, "desk", journal.head, WALL_MS)
    journal.close()
    lines = home.desk_journal.read_bytes().splitlines(keepends=True)
    ends = [n for n, line in enumerate(lines) if b'"left":0' in line]
    home.desk_journal.write_bytes(b"".join(lines[: ends[-5] + 1]))


def rewrite_a_mark(home: Home, _patch: Any) -> None:
    """By someone who knows how to chain hashes: the chain verifies, the state does not follow from it."""

    def richer(event: dict[str, Any]) -> None:
        if event["kind"] == "mark":
            event["body"]["equity"] = 1e9

    rewritten(home.desk_journal, richer)


def break_the_configuration(home: Home, _patch: Any) -> None:
    """The active versions no longer say what their digests say."""
    with home.engine.begin() as connection:
        changed = connection.exec_driver_sql("UPDATE sleeve_versions SET body = replace(body, '10000.0', '90000.0')")
    assert changed.rowcount == 3


def lose_the_versions(home: Home, _patch: Any) -> None:
    """A new database in the place of the one that was lost: the worker would halt again at its next look."""
    with closing(sqlite3.connect(home.path / "desk.db")) as connection, connection:  # which holds no foreign keys
        for table in ("active", "config_versions", "sleeve_versions"):
            connection.execute(f"DELETE FROM {table}")


def fill_the_disk(_home: Home, patch: pytest.MonkeyPatch) -> None:
    """99 MB are left."""
    patch.setattr(health.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 99 << 20})())


def strip_a_stop(_home: Home, patch: pytest.MonkeyPatch) -> None:
    """The last mark shows a layer whose protective order was rejected."""
    layer = {"protective_state": "rejected", "due": None}
    real = release_checks.mark_at
    patch.setattr(
        release_checks,
        "mark_at",
        lambda path: real(path)._replace(body={"sleeves": {"btc-trend": {"position": {"layers": [layer]}}}}),
    )


@pytest.mark.parametrize(
    ("plant", "words"),
    [
        (flip_a_bit, "does not verify"),
        (lose_the_end, "the database recorded"),
        (rewrite_a_mark, "fold"),
        (break_the_configuration, "configuration:"),
        (lose_the_versions, "the database holds no version, the journal follows version 1"),
        (fill_the_disk, "GB free"),
        (strip_a_stop, "without a working protective order: btc-trend"),
    ],
)
def test_a_fault_refuses_the_release(home: Home, monkeypatch: pytest.MonkeyPatch, plant: Callable[..., None], words: str) -> None:
    """The reason is in the refusal, and the desk is halted as before."""
    plant(home, monkeypatch)
    ann = identify(home.path, "ann", "cli")
    with pytest.raises(Refused, match="not healthy") as refusal:
        approvals.release(home, ann, "all clear", lambda: healthy(home), WALL_MS)
    assert words in str(refusal.value)
    assert halt.read(home.path, home.engine).halted


def test_a_healthy_desk_is_released(home: Home) -> None:
    """The same call without a fault: nothing is found, and the latch is gone."""
    assert healthy(home) == []
    approvals.release(home, identify(home.path, "ann", "cli"), "all clear", lambda: healthy(home), WALL_MS)
    assert not halt.read(home.path, home.engine).halted

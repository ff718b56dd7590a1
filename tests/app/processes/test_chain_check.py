"""The verification of a start: at once for a young journal, in a thread for a large one, and never a permission by mistake."""

import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from app.home.home import open_home
from app.processes import chain_check
from app.processes.chain_check import ChainCheck
from app.processes.keeping import Log
from engine.control import halt
from engine.store import anchors
from engine.store.journal import Event, Journal


@pytest.fixture
def engine(own_home: Path) -> Engine:
    """The database of a home with a short journal."""
    engine = open_home().engine
    journal = Journal(own_home / "journal" / "desk.jsonl", "worker")
    for n in range(50):
        journal.append([Event("config" if n == 0 else "bar", n, {"n": n}), Event("mark", n, {"n": n})])
    journal.close()
    return engine


def joined() -> None:
    """The verification's thread has ended."""
    for thread in threading.enumerate():
        if thread.name == "chain-check":
            thread.join(20.0)


def test_a_young_journal_is_verified_before_the_first_bar(own_home: Path, engine: Engine) -> None:
    """No thread, no wait: entries are allowed when `start` returns; a home without a journal too."""
    check = ChainCheck(own_home, engine, Log(own_home / "logs" / "worker.jsonl"))
    assert check.withheld()
    check.start()
    assert check.withheld() == ""
    assert '"event": "journal verified"' in (own_home / "logs" / "worker.jsonl").read_text()
    (own_home / "journal" / "desk.jsonl").unlink()
    empty = ChainCheck(own_home, engine, Log(own_home / "logs" / "worker.jsonl"))
    empty.start()
    assert empty.withheld() == ""


def test_a_large_journal_is_verified_beside_the_loop(own_home: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """`start` returns at once, entries are withheld until the thread is through."""
    gate, walk = threading.Event(), anchors.verify_desk

    def slowly(*args: Any, **more: Any) -> Any:
        assert gate.wait(20.0)
        return walk(*args, **more)

    monkeypatch.setattr(chain_check, "YOUNG_BYTES", 0)
    monkeypatch.setattr(anchors, "verify_desk", slowly)
    check = ChainCheck(own_home, engine, Log(own_home / "logs" / "worker.jsonl"))
    check.start()
    assert check.withheld()
    gate.set()
    joined()
    assert check.withheld() == ""


@pytest.mark.parametrize("young", [0, 1 << 30])
def test_a_flipped_bit_halts_and_keeps_entries_withheld(
    own_home: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch, young: int
) -> None:
    """Also where everything up to there was once verified: the second walk is whole."""
    monkeypatch.setattr(chain_check, "YOUNG_BYTES", young)
    anchors.verify_home(own_home / "journal", engine, 1)
    path = own_home / "journal" / "desk.jsonl"
    data = bytearray(path.read_bytes())
    data[data.index(b'"n":', len(data) // 2) + 4] ^= 1
    path.write_bytes(data)
    check = ChainCheck(own_home, engine, Log(own_home / "logs" / "worker.jsonl"))
    check.start()
    joined()
    assert "does not verify" in check.withheld()
    latch = halt.read(own_home, engine)
    assert (latch.by, latch.where) == (halt.WORKER, ("file", "database"))


def test_a_check_that_cannot_be_made_is_not_one_that_passed(
    own_home: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is raised: withheld and halted, and nothing reaches the loop."""

    def breaks(*_args: Any, **_more: Any) -> Any:
        raise OSError("no more descriptors")

    monkeypatch.setattr(anchors, "verify_desk", breaks)
    check = ChainCheck(own_home, engine, Log(own_home / "logs" / "worker.jsonl"))
    check.start()
    assert "could not be verified" in check.withheld()
    assert halt.read(own_home, engine).halted

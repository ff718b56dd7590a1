"""What a turn's runtime brings to the disk at once, and what waits for the turn's answer."""

import os
from pathlib import Path

import pytest

from agents.offline.slots import read_slots
from app.home.home import open_home
from app.wiring import Wiring
from engine.store.journal import read
from tests.fakes.offices import ScriptedModel

READ, PROPOSE = {"tool": "desk"}, {"tool": "propose_config"}


def synced(wiring: Wiring, monkeypatch: pytest.MonkeyPatch, kind: str, body: dict[str, str]) -> bool:
    """Whether a record of the people journal is on the disk when it is written."""
    with monkeypatch.context() as patch:
        seen: list[int] = []
        patch.setattr(os, "fdatasync", seen.append)
        wiring.record(kind, body)
    return bool(seen)


def test_only_what_an_offline_turn_asks_and_reads_waits_for_its_answer(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What asks a person to decide, and whatever a real model is asked, is on the disk before anything follows from it."""
    home = open_home()
    offline, real = Wiring(home, "ann", "test"), Wiring(home, "ann", "test", model=ScriptedModel())
    for kind, body in (("ask", {}), ("tool", READ)):
        assert not synced(offline, monkeypatch, kind, body)
        assert synced(real, monkeypatch, kind, body)
    for kind, body in (("answer", {}), ("tool", PROPOSE), ("tool", {"tool": "nothing"}), ("proposal", {}), ("halt", {})):
        assert synced(offline, monkeypatch, kind, body), kind
    assert len(list(read(home.people_journal))) == 9
    offline.close()
    real.close()


def test_the_words_of_a_desk_are_one_object_until_something_in_them_changes(own_home: Path) -> None:
    """What was read of a sentence is kept with them: the same words give it again, those of a later bar do not."""
    home = open_home()
    first, again = (Wiring(home, "ann", "test").words(1_000) for _ in range(2))
    assert again is first
    later = Wiring(home, "ann", "test").words(2_000)
    assert later is not first
    assert (later.desk_ms, later.sleeves) == (2_000, first.sleeves)
    assert read_slots("what happened yesterday?", first) is read_slots("what happened yesterday?", again)
    assert read_slots("what happened yesterday?", first) is not read_slots("what happened yesterday?", later)

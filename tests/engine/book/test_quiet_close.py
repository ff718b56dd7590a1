"""A close without a row is told as what it was: the core's state and the journal's mark give the same sentence."""

from pathlib import Path

import pytest

from app.home.home import open_home
from engine.book.quiet_close import quiet_close, quiet_mark
from engine.store.journal import read
from tests.fakes.papers import WALL_MS, feed_of, furnished, loop_of


def test_state_and_mark_say_the_same_at_every_close(own_home: Path) -> None:
    """Over four days of a paper desk, for every sleeve; held, refused and quiet closes all come up."""
    furnished(own_home)
    home = open_home(WALL_MS)
    loop, seen = loop_of(home, feed_of(home)), set()
    for _ in range(4 * 96):
        loop.step()
        mark = next(e for e in reversed(list(read(home.desk_journal, {"mark"}, after=loop.journal.head.seq - 60))))
        for name, sleeve, spec in zip(loop.book.names, loop.book.sleeves, loop.book.specs, strict=True):
            text = quiet_close(sleeve, spec.rules.lot_size, 1)
            assert text == quiet_mark(mark.body["sleeves"][name], 1)
            held, refused = sleeve.position.open_layers > 0, sleeve.guard.refused != 0
            assert ("held" in text) == (held and not refused)
            assert ("refused by" in text) == refused
            seen.add((held, refused))
    loop.journal.close()
    assert {(True, False), (False, True), (False, False)} <= seen


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({}, "no trade: no signal, no position, nothing refused"),
        ({"paused": True}, "no trade: the sleeve is paused by a person; no signal, no position, nothing refused"),
        (
            {"paused": True, "resumes_ms": 1_741_046_400_000},
            "no trade: the sleeve is paused by a person until 2025-03-04 00:00Z; no signal, no position, nothing refused",
        ),
        ({"order": {"side": "long", "lots": 1200}}, "no trade: the long entry order of 1,200 lots rests; no signal"),
        ({"position": {"side": "short", "quantity": 0.25}}, "held short 0.25, nothing to change; no signal"),
    ],
)
def test_each_kind_has_its_sentence(more: dict, text: str) -> None:
    """Verdict first."""
    guard = {"streak": 0, "day_entries": 0, "day_equity": 1.0, "refused_by": None, "refused_ms": None}
    assert quiet_mark({"guard": guard, **more}, 0) == text

"""The last record of a kind, whatever lies between it and the journal's end."""

from pathlib import Path

import pytest

from engine.store import lookback
from engine.store.journal import Event, Journal
from engine.store.lookback import last


@pytest.mark.parametrize("block", [16, 300, 1 << 20])
def test_the_newest_that_fits_is_found_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    """Lines longer than a block, words of a kind inside a body, a first and a last line."""
    monkeypatch.setattr(lookback, "BLOCK", block)
    path = tmp_path / "desk.jsonl"
    assert last(path, ("halt",)) is None
    journal = Journal(path, "test")
    journal.append([Event("halt", 0, {"n": 0})])
    for n in range(1, 30):
        journal.append([Event("bar", n, {"kind": "halt", "schema": 1, "text": 'x"kind":"halt","schema":' * (n % 7)})])
        if n == 12:
            journal.append([Event("halt", n, {"n": n}), Event("mark", n, {})])
    journal.close()
    assert (event := last(path, ("halt", "breaker"))) is not None
    assert event.body == {"n": 12}
    assert (event := last(path, ("halt",), lambda e: e.body["n"] == 0)) is not None
    assert event.seq == 1
    assert last(path, ("breaker",)) is None
    assert (event := last(path, ("bar",))) is not None
    assert event.t_event_ms == 29

"""Where a comparison ends at an account: at its last bar, not at what was executed since."""

from pathlib import Path

import pytest

from engine.parity.tape import closing_mark
from engine.store.chain import Event
from engine.store.journal import Journal

T = 60_000


@pytest.mark.parametrize(("mode", "equity"), [("testnet", 100.0), ("paper", 90.0)])
def test_what_was_executed_since_the_last_close_is_of_no_bar_yet(tmp_path: Path, mode: str, equity: float) -> None:
    """A halt inside a bar closes at once at an account; a backtest has no bar for it. On paper a mark is a bar's."""
    journal = Journal(path := tmp_path / "desk.jsonl", "worker")
    start = {"mode": mode} | ({} if mode == "paper" else {"account": "a"})
    journal.append([Event("config", T, {"version": 1, "start": start})], sync=False)
    for t, marks in ((T, (101.0,)), (2 * T, (100.0, 95.0, 90.0))):
        journal.append([Event("bar", t, {"close_ms": t}), *(Event("mark", t, {"equity": of}) for of in marks)], sync=False)
    journal.close()
    mark = closing_mark(path)
    assert mark is not None
    assert mark.body["equity"] == equity
    earlier = closing_mark(path, T)
    assert earlier is not None
    assert earlier.body["equity"] == 101.0

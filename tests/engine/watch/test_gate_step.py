"""`gate-open` and `reconcile-clean` on a live desk with its real gate: restart only after the gate, and only where both agree."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from engine.live.gate import GATE
from engine.watch import health, step_asks
from engine.watch.step_checks import CheckContext, reading
from tests.engine.live.test_gate import BREAKS, Gated
from tests.fakes.live_desks import LiveBench, on_bench


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose worker is the bench: on a clock of its own, so that it cannot have begun after its events."""
    made = tmp_path / "home"
    (made / "journal").mkdir(parents=True)
    (made / "worker.json").write_text(json.dumps({"pid": os.getpid()}))
    monkeypatch.setattr(step_asks, "began_ms", lambda _pid: 0)
    monkeypatch.setattr(step_asks, "mode_of", lambda _path: "live")  # the bench's journal names no account
    monkeypatch.setattr(health, "worker", lambda _home, _now: health.HealthCheck("worker", "ok", "it runs"))
    return made


def test_the_step_that_restarts_is_done_once_the_gate_is_open_and_not_before(home: Path, sqlite: Engine) -> None:
    """A start that is asking; a row that fails; open; a halt that closes it again; a venue that holds something else."""
    said: list[tuple[str, str, bool]] = []

    async def play(bench: LiveBench) -> None:
        def look(when: str) -> None:
            for name in ("gate-open", "reconcile-clean"):
                says = reading(name, CheckContext(home, sqlite, bench.clock())).says
                said.append((f"{when}: {name}", says, GATE in bench.desk.book.health))

        gated = Gated(bench)
        gated.gate()
        BREAKS["account"](gated)
        await bench.duties.start()
        await bench.to_close()
        bench.close()
        await bench.after(120)
        look("a row fails")
        gated.faults.clear()
        await bench.after(1_300)
        look("open")
        bench.venue.net = 25
        await bench.after(120)
        look("the venue holds more")
        bench.venue.net = 0
        await bench.after(600)
        bench.halt("a person")
        await bench.after(60)
        look("halted")
        bench.desk.take("halt", {"state": "released", "reason": "looked", "by": "ann"})
        bench.latch = ""
        await bench.after(300)
        look("released")

    on_bench(home / "journal" / "desk.jsonl", play)
    found: dict[str, Any] = {what: (says, shut) for what, says, shut in said}
    assert found["a row fails: gate-open"] == ("no", True)
    assert found["open: gate-open"] == ("yes", False)
    assert found["open: reconcile-clean"][0] == "yes"
    assert found["the venue holds more: reconcile-clean"][0] == "no"
    assert found["halted: gate-open"] == ("no", True)
    assert found["released: gate-open"] == ("yes", False)

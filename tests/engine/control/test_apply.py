"""The one transaction, on both databases: of any number of threads that approve, one moves the pointer."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from engine.control import proposals
from engine.control.apply import apply
from engine.control.config import active, versions
from engine.errors import Refused

NOW = 1_700_000_000_000
WHO = {"role": "operator", "thread": "", "person": "ann"}


def _pause(engine: Engine, home: Path, sleeve: str, paused: bool = True) -> Any:
    return proposals.create(
        engine, home, sleeve=sleeve, changes={"paused": paused}, rationale="", evidence=[], requester=WHO, now_ms=NOW
    )


def _race(calls: list[Callable[[], Any]]) -> list[str]:
    """Run all calls at once; what each came to."""
    start, found = threading.Barrier(len(calls)), list[str]()

    def run(call: Callable[[], Any]) -> None:
        start.wait()
        try:
            call()
            found.append("applied")
        except Refused:
            found.append("refused")
        except Exception as error:  # noqa: BLE001 - shown by the caller's assert
            found.append(repr(error))

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(found)


def test_four_threads_one_proposal(desk: Engine, home: Path) -> None:
    """One applies it, three are refused, one version more."""
    row = _pause(desk, home, "btc")
    calls = [lambda: apply(desk, home, row.id, row.diff_sha256, {"name": "ann"}, NOW)] * 4
    assert _race(calls) == ["applied", "refused", "refused", "refused"]
    assert (active(desk)[0], len(versions(desk))) == (2, 2)


def test_two_proposals_of_one_base(desk: Engine, home: Path) -> None:
    """Both were made for version 1: whichever comes second is stale, and never half applied."""
    rows = [_pause(desk, home, "btc"), _pause(desk, home, "sol")]
    calls = [lambda r=r: apply(desk, home, r.id, r.diff_sha256, {"name": "ann"}, NOW) for r in rows]
    assert _race(calls) == ["applied", "refused"]
    assert sorted(proposals.get(desk, r.id).state for r in rows) == ["applied", "stale"]
    assert (active(desk)[0], len(versions(desk))) == (2, 2)
    assert sum(sleeve.paused for sleeve in active(desk)[1].sleeves) == 1


def test_many_proposals_of_one_sleeve_at_once(desk: Engine, home: Path) -> None:
    """Created by four threads: four numbers, one of them pending."""
    outcomes = _race([lambda: _pause(desk, home, "btc")] * 4)
    assert outcomes == ["applied"] * 4
    states = sorted(row.state for row in proposals.listed(desk, NOW))
    assert states == ["pending", "superseded", "superseded", "superseded"]
    assert {row.id for row in proposals.listed(desk, NOW)} == {"prop-1", "prop-2", "prop-3", "prop-4"}

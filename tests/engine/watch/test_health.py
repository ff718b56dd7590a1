"""Health checks one by one: what is wrong is bad, what cannot be read is unknown, and neither is ever shown as ok."""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck as Check
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from app.processes.keeping import Heartbeat
from engine.control import halt
from engine.errors import Busy, DataError
from engine.store.chain import Event
from engine.store.journal import Journal
from engine.watch import health, heartbeat
from engine.watch.heartbeat import FILE

NOW = 1_760_000_000_000
CHECKS = ("halt", "worker", "breakers", "sleeves", "strategies", "protective orders", "bars", "journals", "disk")
LAYER = {"protective_state": "working", "due": None}


class Usage(NamedTuple):
    """What shutil.disk_usage gives."""

    total: int
    used: int
    free: int


def mark(*layers: dict[str, Any], **sleeve: Any) -> Event:
    """A mark with one sleeve and these open layers."""
    position = {"layers": list(layers)} if layers else None
    return Event("mark", NOW, {"tripped": [], "sleeves": {"btc": {"position": position, **sleeve}}}, id="d-9")


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Path]:
    """A home whose journal some process holds."""
    (tmp_path / "journal").mkdir()
    with (tmp_path / "journal" / "desk.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield tmp_path


def test_every_check_is_made_and_an_empty_home_has_no_worker(tmp_path: Path, sqlite: Engine) -> None:
    """In the order of urgency; nothing raises on a home that has never run."""
    found = health.checks(tmp_path, sqlite, NOW)
    assert tuple(check.name for check in found) == CHECKS
    assert {c.name for c in found if c.state == "bad"} == {"worker"}
    assert {c.name for c in found if c.state == "unknown"} == {"bars"}


@pytest.mark.parametrize(("age_ms", "state"), [(0, "ok"), (30_000, "ok"), (30_001, "bad"), (86_400_000, "bad")])
def test_a_worker_is_well_while_its_heartbeat_is_young(held: Path, age_ms: int, state: str) -> None:
    """Thirty seconds of silence are a hang, and the text says how long."""
    (held / FILE).write_text(json.dumps({"wall_ms": NOW - age_ms, "phase": "running", "note": "busy"}))
    check = health.worker(held, NOW)
    assert check.state == state
    assert ("running: busy" if state == "ok" else f"no heartbeat for {age_ms // 1000} s") in check.text


@pytest.mark.parametrize(("ahead_ms", "state"), [(30_000, "ok"), (30_001, "bad"), (86_400_000, "bad")])
def test_a_clock_that_was_put_back_hides_no_silence(held: Path, ahead_ms: int, state: str) -> None:
    """A worker that hung before the clock went back an hour would be well for an hour; one that lives writes anew in a second."""
    (held / FILE).write_text(json.dumps({"wall_ms": NOW + ahead_ms, "phase": "running", "note": ""}))
    check = health.worker(held, NOW)
    assert check.state == state
    assert ("running" if state == "ok" else f"its heartbeat is {ahead_ms // 1000} s ahead of this clock") in check.text


@pytest.mark.parametrize(
    ("silent_ms", "behind_ms", "state", "text"),
    [
        (900, 3_600_000, "warning", "running; its clock is 3600 s behind this one"),
        (900, -45_000, "warning", "running; its clock is 45 s ahead of this one"),
        (900, 30_000, "ok", "running"),
        (45_000, -45_000, "bad", "hangs: no heartbeat for 45 s"),  # its clock hides the silence
        (45_000, 0, "bad", "hangs: no heartbeat for 45 s"),
    ],
)
def test_a_clock_that_is_apart_is_not_a_silence(
    held: Path, monkeypatch: pytest.MonkeyPatch, silent_ms: int, behind_ms: int, state: str, text: str
) -> None:
    """A worker is as silent as the machine has been up since; what its wall clock says beside that is its clock's."""
    monkeypatch.setattr(heartbeat, "up_ms", lambda: 10_000_000)
    beat = {"wall_ms": NOW - silent_ms - behind_ms, "boot": heartbeat.boot_id(), "up_ms": 10_000_000 - silent_ms}
    (held / FILE).write_text(json.dumps(beat | {"phase": "running", "note": ""}))
    check = health.worker(held, NOW)
    assert (check.state, check.text.endswith(text)) == (state, True), check.text
    (held / FILE).write_text(json.dumps(beat | {"phase": "running", "note": "", "boot": "another kernel's"}))
    assert heartbeat.age_of(json.loads((held / FILE).read_text()), NOW) == (silent_ms + behind_ms, None)


def test_a_heartbeat_carries_both_clocks(tmp_path: Path) -> None:
    """As a worker writes it."""
    Heartbeat(tmp_path).write(None, phase="starting")
    age = heartbeat.age_of(heartbeat.heartbeat_of(tmp_path), int(time.time() * 1000))
    assert 0 <= age.silent_ms < 60_000
    assert age.behind_ms is not None
    assert abs(age.behind_ms) < 1_000


def test_a_new_worker_is_not_judged_by_a_heartbeat_of_the_clock_before(held: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its predecessor wrote by the clock that was ahead: the silence counts from its own start."""
    (held / FILE).write_text(json.dumps({"pid": -1, "wall_ms": NOW + 3_600_000, "phase": "stopped", "note": ""}))
    monkeypatch.setattr(health.heartbeat, "began_ms", lambda _pid: NOW - 10_000)
    assert health.worker(held, NOW).state == "ok"


@pytest.mark.parametrize(("since_start_ms", "state"), [(0, "ok"), (180_000, "ok"), (180_001, "bad")])
def test_the_silence_of_a_new_worker_counts_from_its_start(
    held: Path, monkeypatch: pytest.MonkeyPatch, since_start_ms: int, state: str
) -> None:
    """After two quiet hours a worker is started: what its predecessor wrote says nothing about it."""
    (held / FILE).write_text(json.dumps({"pid": -1, "wall_ms": NOW - 7_200_000, "phase": "stopped", "note": ""}))
    monkeypatch.setattr(health.heartbeat, "began_ms", lambda _pid: NOW - since_start_ms)
    check = health.worker(held, NOW)
    assert check.state == state
    assert ("starting" if state == "ok" else "no heartbeat for 180 s") in check.text


def test_the_kernel_says_when_a_process_began() -> None:
    """This one began after the machine and before now; a process that is not there has no beginning."""
    began = heartbeat.began_ms(os.getpid())
    assert began is not None
    assert 0 <= time.time() * 1000 - began < 86_400_000
    assert heartbeat.began_ms(2**22 + 1) is None


def test_a_deleted_lock_file_hides_no_worker(tmp_path: Path) -> None:
    """The journal itself is locked too: the worker is seen, and a second one is refused."""
    journal = Journal(tmp_path / "journal" / "desk.jsonl", "worker")
    (tmp_path / "journal" / "desk.lock").unlink()
    assert health.worker_pid(tmp_path) == os.getpid()
    with pytest.raises(Busy, match="already has a writer"):
        Journal(tmp_path / "journal" / "desk.jsonl", "worker")
    journal.close()
    assert health.worker_pid(tmp_path) is None


@pytest.mark.slow
@settings(max_examples=150, suppress_health_check=[Check.function_scoped_fixture])
@given(
    st.binary(max_size=60)
    | st.recursive(st.none() | st.integers() | st.text(max_size=5), st.lists).map(lambda x: json.dumps(x).encode())
)
def test_a_heartbeat_that_cannot_be_read_is_never_well(held: Path, written: bytes) -> None:
    """Any bytes and any JSON without a time: unknown, not an exception, and not ok."""
    (held / FILE).write_bytes(written)
    assert health.run_check("worker", lambda: health.worker(held, NOW)).state == "unknown"


@pytest.mark.parametrize(
    ("layers", "state"),
    [
        ([], "ok"),
        ([LAYER], "ok"),
        ([LAYER, LAYER | {"protective_state": "rejected"}], "bad"),
        ([LAYER | {"protective_state": "none"}], "bad"),
        ([LAYER | {"protective_state": "UNKNOWN"}], "bad"),
        ([LAYER | {"protective_state": "none", "due": "stop"}], "ok"),
    ],
)
def test_each_layer_needs_its_protective_order(layers: list[dict[str, Any]], state: str) -> None:
    """Working, or on its way out; one naked layer of several is bad, and its sleeve is named."""
    check = health.positions(mark(*layers), {})
    assert check.state == state
    assert state == "ok" or "btc" in check.text


@pytest.mark.parametrize(
    ("there", "state"), [("the venue holds 0 lots of okx:X", "ok"), ("the venue holds 3 lots of okx:X", "bad")]
)
def test_what_the_venue_does_not_hold_needs_no_protective_order(there: str, state: str) -> None:
    """The difference is what a person sees to; a stop there would protect nothing. Other sleeves need theirs."""
    text, bare = f"{there}, the desk 200 lots (0.02 BTC)", mark(LAYER | {"protective_state": "none"})
    seen = bare._replace(body=bare.body | {"differs": {"position of okx:X": text}})
    check = health.positions(seen, {"btc": "okx:X"})
    assert check.state == state
    assert (f"none wanted: {text} (nightdesk reconcile)" == check.text) is (state == "ok")
    assert health.positions(seen, {"btc": "okx:Y", "eth": "okx:X"}).state == "bad"


def test_a_layer_without_its_state_is_unknown() -> None:
    """A mark that does not say how a layer is protected is no all-clear."""
    assert health.run_check("protective orders", lambda: health.positions(mark({"due": None}), {})).state == "unknown"


@pytest.mark.parametrize(
    ("sleeve", "words"),
    [
        ({"paused": True}, "paused by a person"),
        ({"paused_until_ms": NOW}, "loss streak or too many entries"),
        ({"blocked_until_ms": NOW}, "daily loss limit"),
    ],
)
def test_a_sleeve_that_takes_no_entries_is_named_with_its_reason(sleeve: dict[str, Any], words: str) -> None:
    """Each reason alone, and all are told at once."""
    assert health.sleeves(mark()).state == "ok"
    check = health.sleeves(mark(**sleeve))
    assert (check.state, words in check.text, "btc" in check.text) == ("warning", True, True)
    both = health.sleeves(mark(paused=True, blocked_until_ms=NOW)).text
    assert "by a person" in both
    assert "daily loss" in both


def test_a_tripped_breaker_is_bad_and_names_itself() -> None:
    """With the event that shows it."""
    tripped = mark()._replace(body={"tripped": ["desk drawdown"], "sleeves": {}})
    assert health.breakers(tripped) == ("breakers", "bad", "tripped and latched: desk drawdown", "d-9")
    assert health.breakers(mark()).state == "ok"


@pytest.mark.parametrize(("free", "state"), [(2 << 30, "ok"), ((1 << 30) - 1, "warning"), ((100 << 20) - 1, "bad"), (0, "bad")])
def test_room_for_the_journals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, state: str) -> None:
    """Under 1 GB a warning, under 100 MB bad."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10 << 30, 0, free))
    assert health.disk(tmp_path).state == state


def test_a_halt_is_bad_from_file_and_from_database(tmp_path: Path, sqlite: Engine) -> None:
    """Who, why and where; a latch file that says nothing readable is a halt too."""
    assert health.halt_latch(tmp_path, sqlite).state == "ok"
    (tmp_path / halt.FILE).write_bytes(b"\xff")
    assert health.halt_latch(tmp_path, sqlite).state == "bad"
    (tmp_path / halt.FILE).unlink()
    halt.set_row(sqlite, "odd fills", {"name": "ann"}, NOW)
    check = health.halt_latch(tmp_path, sqlite)
    assert (check.state, check.text) == ("bad", "the desk is HALTED by ann: odd fills (database)")


def silent(tmp_path: Path, prices: list[dict[str, list[Any]]]) -> health.HealthCheck:
    """The bars check after these bars, one a minute."""
    step = 60_000
    journal = Journal(tmp_path / "journal" / "desk.jsonl", "worker")
    journal.append([Event("config", 0, {"start": {"timeframe_ms": step}})])
    for n, bars in enumerate(prices, 1):
        journal.append([Event("bar", n * step, {"bars": bars}), Event("mark", n * step, {"sleeves": {}})])
    journal.close()
    return health.bars(tmp_path, health.mark_at(tmp_path / "journal" / "desk.jsonl"))


FULL, NONE = [1.0] * 7, [None] * 7


@settings(max_examples=25, deadline=None, suppress_health_check=[Check.function_scoped_fixture])
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=6))
def test_three_bars_without_a_price_are_told_by_name(tmp_path: Path, seen: list[tuple[bool, bool]]) -> None:
    """Any history of two instruments: named exactly when each of the last three bars lacked its price."""
    shutil.rmtree(tmp_path / "journal", ignore_errors=True)
    (tmp_path / "journal").mkdir()
    check = silent(tmp_path, [{"BTC": FULL if b else NONE, "ETH": FULL if e else NONE} for b, e in seen])
    last = seen[-3:]
    gone = [name for n, name in enumerate(("BTC", "ETH")) if len(last) == 3 and not any(bar[n] for bar in last)]
    assert check.state == ("warning" if gone else "ok")
    assert check.text.endswith(", ".join(gone) if gone else "the last bars are complete")


def test_a_longer_timeframe_is_judged_at_its_own_closes(tmp_path: Path) -> None:
    """Its column is missing between them, which is no silence; three of its own closes without a price are."""
    (tmp_path / "journal").mkdir()
    journal = Journal(tmp_path / "journal" / "desk.jsonl", "worker")
    journal.append([Event("config", 0, {"start": {"timeframe_ms": 60_000, "own_bars": ["ETH@5m"]}})])
    for n in range(1, 21):
        bars = {"BTC": FULL, "ETH": FULL} | ({"ETH@5m": FULL if n < 10 else NONE} if n % 5 == 0 else {})
        journal.append([Event("bar", n * 60_000, {"bars": bars}), Event("mark", n * 60_000, {"sleeves": {}})])
        check = health.bars(tmp_path, health.mark_at(tmp_path / "journal" / "desk.jsonl"))
        assert (check.state, check.text) == (
            ("warning", "no price for 3 bars: ETH@5m") if n == 20 else ("ok", "the last bars are complete")
        )
    journal.close()


def test_what_fails_to_run_is_unknown_with_the_reason() -> None:
    """Whatever a file or the database does; a fault of ours in its own words."""

    def broken(error: Exception) -> Any:
        def look() -> Any:
            raise error

        return look

    for error in (OSError("x"), KeyError("x"), ValueError("x"), TypeError("x")):
        assert health.run_check("disk", broken(error)) == (
            "disk",
            "unknown",
            f"disk could not be checked: {type(error).__name__}",
            "",
        )
    assert "the file is gone" in health.run_check("bars", broken(DataError("the file is gone"))).text


def test_where_the_journal_lost_its_end_nothing_of_its_last_mark_is_well(held: Path, sqlite: Engine) -> None:
    """No sleeve "may enter" and no position is "protected" by what an older mark says; what was open is named."""
    open_ = ["btc long 0.02 okx:BTC-USDT:perp, stop at 90"]
    (held / FILE).write_text(json.dumps({"desk_ms": NOW, "bars": 7, "open": open_}))
    found = {check.name: check for check in health.checks(held, sqlite, NOW)}
    assert tuple(found) == CHECKS
    assert {found[name].state for name in ("breakers", "sleeves", "strategies", "protective orders", "bars")} == {"unknown"}
    assert found["journals"].state == "bad"
    assert open_[0] in found["journals"].text

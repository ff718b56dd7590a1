"""A disk that is really full, under the API on its socket: clear lines, nothing half done, and all goes on when it is freed."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.api import halt as halt_routes
from app.home.home import Home, open_home
from app.people import approvals
from engine.control import halt
from engine.control.config import active
from engine.errors import DataError
from engine.store.journal import read, verify
from tests.app.api.conftest import Served
from tests.app.api.test_decisions import now_ms, paused, propose
from tests.fakes import recordings
from tests.fakes.gates import done
from tests.fakes.waiting import until

PAGE_BYTES = 4096
FULL = ("No space left on device", "database or disk is full", "only a part could be written")


class Disk:
    """A file system of 24 MB in memory."""

    def __init__(self, path: Path) -> None:
        self.path, self.ballast = path, path / "ballast"

    def fill(self, pages: int = 0) -> None:
        """Leave so many pages of it."""
        with self.ballast.open("wb") as file:
            try:
                while True:
                    os.write(file.fileno(), bytes(PAGE_BYTES))
            except OSError:
                os.ftruncate(file.fileno(), os.fstat(file.fileno()).st_size - pages * PAGE_BYTES)

    def free(self) -> None:
        """All of it again."""
        self.ballast.unlink()


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """The home's disk."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", path], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("a small disk needs the right to mount one: run the tests as root")
    monkeypatch.setenv("NIGHTDESK_HOME", str(path / "home"))
    yield Disk(path)
    subprocess.run(["umount", "-l", path], check=True)


@pytest.fixture
def home(disk: Disk) -> Home:
    """A synthetic desk on that disk."""
    return open_home()


def clear(answer: httpx.Response) -> str:
    """The line that a client gets: of a disk that is full, and what to do."""
    assert answer.status_code == 503, answer.text
    fault = answer.json()["error"]
    assert any(words in fault["what"] for words in FULL), fault
    assert "free" in fault["hint"], fault
    return str(fault["what"])


def test_an_approval_happens_once_or_not_at_all(api: httpx.Client, home: Home, disk: Disk) -> None:
    """However much room is left: pending and version 1, or applied and the answer says so; with room it is decided once."""
    row = propose(home, {"stop_atr": 3.0}, now_ms(api))
    shown = {"diff_sha256": row.diff_sha256}
    for pages in (0, 1, 2, 4, 6, 8, 10, 12, 16, 24):
        disk.fill(pages)
        answer = api.post(f"/api/proposals/{row.id}/approve", json=shown)
        state = api.get(f"/api/proposals/{row.id}").json()["state"]
        assert api.get("/api/desk").status_code == 200
        said_applied = answer.status_code == 200 or f"{row.id} IS applied" in clear(answer)
        assert (state, active(home.engine, home.path).version) == (("applied", 2) if said_applied else ("pending", 1)), pages
        disk.free()
        if said_applied:
            break
    again = api.post(f"/api/proposals/{row.id}/approve", json=shown)
    assert (again.status_code, active(home.engine, home.path).version) == (409, 2)
    assert api.get(f"/api/proposals/{row.id}").json()["parts"][0]["to_version"] == 2
    told = [e.body["state"] for e in read(home.people_journal) if e.kind == "decision" and "state" in e.body]
    assert (told, verify(home.people_journal).ok) == (["applied"], True)


@pytest.mark.sample(1)
@pytest.mark.parametrize("decision", ["approve", "reject", "release"])
def test_what_is_decided_is_never_called_failed(
    api: httpx.Client, home: Home, monkeypatch: pytest.MonkeyPatch, decision: str
) -> None:
    """The decision is stored and its record does not fit: the line says what holds now, and not to decide again."""
    row, kept = paused(home, "eth-trend", now_ms(api)), approvals.record
    monkeypatch.setattr(halt_routes, "healthy", lambda _home: [])

    def full(*args: Any) -> str:
        if args[1] == "decision":
            raise DataError("the database failed: database or disk is full", "free it")
        return kept(*args)

    if decision == "release":
        api.post("/api/halt", json={"reason": "odd"})
        until(lambda: halt.read(home.path, home.engine).where == ("file", "database"), "no row of the halt")
    monkeypatch.setattr(approvals, "record", full)
    body: dict[str, Any] = {
        "approve": {"diff_sha256": row.diff_sha256},
        "reject": {"reason": "no"},
        "release": {"reason": "fine"},
    }
    path = "/api/halt" if decision == "release" else f"/api/proposals/{row.id}/{decision}"
    answer = api.request("DELETE" if decision == "release" else "POST", path, json=body[decision])
    holds = {
        "approve": f"{row.id} IS applied, as version 2",
        "reject": f"{row.id} IS rejected",
        "release": "the halt IS released",
    }
    assert clear(answer).startswith(holds[decision])
    assert "again" in answer.json()["error"]["hint"]
    assert not halt.read(home.path, home.engine).halted
    monkeypatch.setattr(approvals, "record", kept)
    approvals.settle(home, now_ms(api))
    told = [e.body["state"] for e in read(home.people_journal, {"decision"}) if "state" in e.body]
    assert told == {"approve": ["applied"], "reject": ["rejected"], "release": []}[decision]


def test_a_turn_whose_answer_does_not_fit_ends_and_its_thread_goes_on(api: httpx.Client, disk: Disk) -> None:
    """Not begun at all, or failed with the reason, for the reader of its stream too; never `running` for good."""
    failed: dict[str, Any] = {}
    for pages in (0, 4, 8, 12, 16, 20, 24):
        disk.fill(pages)
        answer = api.post("/api/turns", json={"role": "operator", "text": "is anything wrong?", "thread": "new"})
        if answer.status_code == 202:
            failed = done(api, answer.json()["turn"])
            stream = api.get(f"/api/turns/{failed['id']}/events").text
            disk.free()
            break
        clear(answer)
        disk.free()
    assert failed["state"] == "failed", "with this little room it was done: leave less"
    assert failed["answer"]["answer_md"].startswith("The answer could not be stored: ")
    assert stream.rstrip().endswith('data: {"state": "failed"}')
    body = {"role": "operator", "text": "is anything wrong?", "thread": failed["thread"]}
    after = done(api, api.post("/api/turns", json=body).json()["turn"])
    assert (after["state"], api.get(f"/api/turns/{failed['id']}").json()["state"]) == ("done", "failed")


def test_a_halt_holds_at_once_and_its_reason_and_record_follow(api: httpx.Client, served: Served, home: Home, disk: Disk) -> None:
    """No byte of its line fits: halted by file. With room the row and the journal have who and why, each once."""
    disk.fill()
    assert api.post("/api/halt", json={"reason": "odd prices"}).json()["halted"]
    halt_routes._AFTER.submit(int).result()  # what follows has been tried
    clear(api.request("DELETE", "/api/halt", json={"reason": "fine"}))
    assert halt.read(home.path, home.engine).where == ("file",)
    disk.free()
    served.desk.running.posting.store_late()
    latch = halt.read(home.path, home.engine)
    assert (latch.reason, latch.by, latch.where) == ("odd prices", "ann", ("file", "database"))
    served.desk.running.posting.store_late()
    assert [e.body["reason"] for e in read(home.people_journal, {"halt"})] == ["odd prices"]


def test_a_halt_that_was_released_meanwhile_is_not_set_again(served: Served, home: Home) -> None:
    """Its row could not be stored, a person released the file: what follows late records it and halts nothing."""
    halt_routes._set_row(served.desk, "odd prices", {"name": "ann"}, 1)
    assert not halt.read(home.path, home.engine).halted


@pytest.mark.long  # five processes of jobs, each with its 2 s of start; a job's own end on a full disk is in test_queue_rows
def test_a_job_ends_with_the_reason_and_leaves_no_run(api: httpx.Client, home: Home, disk: Disk) -> None:
    """Refused at once, or failed for want of room, also when not even that fits; with room the same request runs."""
    recordings.record(home.path / "data")
    asked = {"strategy": "trend", "symbol": "BTC-USDT", "changes": [{"key": "stop_atr", "value": 2.5}]}

    def ended(job: str) -> Any:
        return until(
            lambda: (found := api.get(f"/api/jobs/{job}").json())["state"] not in ("queued", "running") and found, "no end"
        )

    for pages in (0, 6, 12, 40):
        disk.fill(pages)
        answer = api.post("/api/runs", json=asked)
        if answer.status_code == 202:
            found = ended(answer.json()["id"])
            assert found["state"] == "failed", pages
            assert "space" in found["error"]
            assert list(home.runs.iterdir()) == []
        else:
            clear(answer)
        disk.free()
    assert ended(api.post("/api/runs", json=asked).json()["id"])["state"] == "done"

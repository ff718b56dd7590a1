"""A small home for the tools: a migrated database, both journals, a stocked memory, and a job queue that does nothing."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from engine.store.db import migrate, open_db
from engine.store.journal import Event, Journal
from memory.shelf import Shelf
from tools.common.contract import JobView, ToolContext

NOW_MS = 1_800_000_000_000


class FakeJobs:
    """A queue whose jobs end as the test says; it keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.ends: Callable[[str, Mapping[str, Any]], JobView] = lambda job, _args: JobView(job, "running", 0.5, None, None)

    def submit(self, kind: str, args: Mapping[str, Any], *, thread: str | None, turn: str | None) -> str:
        """Keep the request."""
        self.asked.append((kind, args))
        return f"j{len(self.asked)}"

    def wait(self, job_id: str, timeout_s: float | None, progress: Callable[[float], None]) -> JobView:
        """What the test says."""
        return self.ends(job_id, self.asked[int(job_id[1:]) - 1][1])

    def cancel(self, job_id: str) -> None:
        """Nothing runs."""


@pytest.fixture
def db(tmp_path: Path) -> Engine:
    """A migrated database of its own."""
    engine = open_db(f"sqlite:///{tmp_path / 'desk.db'}")
    migrate(engine)
    return engine


@pytest.fixture
def make_ctx(tmp_path: Path, db: Engine) -> Callable[..., ToolContext]:
    """Contexts on one home; every turn gets a new one."""
    home = tmp_path / "home"
    Shelf(home / "memory").stock()
    journal = Journal(home / "journal" / "people.jsonl", "test")

    def record(kind: str, body: Mapping[str, Any]) -> str:
        return journal.append([Event(kind, NOW_MS, body)])[0].id

    def make(role: str = "developer", **more: Any) -> ToolContext:
        from engine.data.catalog import Catalog

        base = {
            "engine": db,
            "home": home,
            "catalog": Catalog([(home / "data", "recorded")]),
            "jobs": FakeJobs(),
            "record": record,
            "role": role,
            "thread": "t1",
            "turn": "u1",
            "person": "mara",
            "desk_ms": None,
            "now_ms": NOW_MS,
        }
        return ToolContext(**(base | more))

    return make

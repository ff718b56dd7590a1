"""Heads of the journals, noted where the journals are not: in the database. Called by worker, approvals and verification.

A hash chain alone does not see that whole records were dropped at its end. The database remembers how far each journal
had come, and each journal remembers the other's head; `verify_home` holds all of it together.
"""

from contextlib import suppress
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import col, select, update

from engine.errors import JournalBroken
from engine.store.db import read, write
from engine.store.journal import Claim, Head, Report, claims_in, verify
from engine.store.tables import Anchor

JOURNALS = ("desk", "people")


def note_head(engine: Engine, journal: str, head: Head, now_ms: int) -> None:
    """Remember that `journal` (desk or people) stands at `head`, which must be on the disk; never moves backwards."""
    if head.seq == 0:
        return
    with write(engine) as session:
        if session.get(Anchor, journal) is None:
            session.add(Anchor(journal=journal, seq=head.seq, hash=head.hash, noted_ms=now_ms))
            return
        newer = update(Anchor).where(col(Anchor.journal) == journal, col(Anchor.seq) < head.seq)
        session.exec(newer.values(seq=head.seq, hash=head.hash, noted_ms=now_ms))


def anchored(engine: Engine, journal: str) -> list[Claim]:
    """What the database has seen of a journal: at most one claim."""
    with read(engine) as session:
        row = session.exec(select(Anchor).where(Anchor.journal == journal)).first()
        return [Claim(row.seq, row.hash, "the database")] if row else []


def verify_home(folder: Path, engine: Engine | None) -> dict[str, Report]:
    """Verify both journals in `folder` against themselves, each other and the database (when given): name -> report."""
    paths = {name: folder / f"{name}.jsonl" for name in JOURNALS}
    reports = {}
    for name, partner in zip(JOURNALS, reversed(JOURNALS), strict=True):
        claims = anchored(engine, name) if engine is not None else []
        with suppress(JournalBroken):  # a broken partner's own report says so
            claims += list(claims_in(paths[partner]))
        reports[name] = verify(paths[name], claims)
    return reports

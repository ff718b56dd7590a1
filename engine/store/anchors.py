"""Journal heads stored in the database, to detect truncated files. Called by worker, approvals and verification.

A hash chain alone does not show that records were dropped at its end. The database records how far each journal had come, each
journal records the other's head, and each daily handover names both; `verify_home` checks all of these against each other. Of
packed parts it has the digest of each file.

Two ways to verify. `verify_home` walks both chains from their first record. `verify_since` walks only what was added since both
last verified; the bytes before are compared with a BLAKE3 digest in the database (seconds for a year's journal, where walking
it takes a minute). Both see a changed bit; only the first sees a journal *and* a database changed to match each other.
"""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, bindparam
from sqlmodel import col, delete, insert, select, update

from engine.clock import utc
from engine.errors import DeskError, JournalBroken
from engine.store.chain import EMPTY, Head, Tail, prefix_of
from engine.store.db import read, write, write_rows
from engine.store.journal import HeadClaim, VerifyReport, claims_in, find, verify
from engine.store.opened import open_journal, parts_of
from engine.store.segments import PackedPart, PartBroken, Sealed, digest_of
from engine.store.tables import Anchor, Handover, SealedPart, VerifiedPrefix

JOURNALS = ("desk", "people")
PIECE = 1 << 22  # bytes digested at once
BEGIN = Tail(EMPTY, 0)
_NEWER = update(Anchor).where(col(Anchor.journal) == bindparam("of"), col(Anchor.seq) < bindparam("reached"))
_NEWER = _NEWER.values(
    seq=bindparam("reached"), hash=bindparam("new_hash"), noted_ms=bindparam("now_ms")
)  # each turn's: built once


def note_head(engine: Engine, journal: str, head: Head, now_ms: int) -> None:
    """Record that `journal` (desk or people) has reached `head`, which must be on disk; never moves backwards."""
    with write_rows(engine, durable=False) as rows:  # an older head would say less, and nothing wrong
        note_head_in(rows, journal, head, now_ms)


def note_head_in(rows: Connection, journal: str, head: Head, now_ms: int) -> None:
    """The same inside a transaction that writes."""
    if head.seq == 0:
        return
    if rows.execute(_NEWER, {"of": journal, "reached": head.seq, "new_hash": head.hash, "now_ms": now_ms}).rowcount:
        return
    if rows.execute(select(Anchor.journal).where(Anchor.journal == journal)).first() is None:
        rows.execute(insert(Anchor).values(journal=journal, seq=head.seq, hash=head.hash, noted_ms=now_ms))


def note_parts(engine: Engine, journal: str, parts: list[Sealed], now_ms: int) -> None:
    """Record the packed parts that a journal is about to have, durably."""
    with write(engine) as session:
        for one in parts:
            name, head = one.segment.path.name, one.head
            row = SealedPart(
                name=name, journal=journal, last_seq=head.seq, last_hash=head.hash, digest=one.digest, noted_ms=now_ms
            )
            session.merge(row)


def forget_parts(engine: Engine, journal: str) -> None:
    """Forget the parts of a journal that is plain again."""
    with write(engine) as session:
        session.exec(delete(SealedPart).where(col(SealedPart.journal) == journal))


def anchor_claims(engine: Engine, journal: str) -> list[HeadClaim]:
    """The head of a journal that the database recorded: at most one claim."""
    with read(engine) as session:
        row = session.exec(select(Anchor).where(Anchor.journal == journal)).first()
        return [HeadClaim(row.seq, row.hash, "the database")] if row else []


def anchor_fault(path: Path, engine: Engine, journal: str) -> str:
    """How a journal contradicts its anchor: it ends before it, or has another record there; "" when it does neither."""
    for claim in anchor_claims(engine, journal):
        event = find(path, f"{prefix_of(path)}{claim.seq}")
        if event is None:
            return f"{path} has no {prefix_of(path)}{claim.seq}, which the database recorded: records are missing at its end"
        if event.hash != claim.hash:
            return f"{path} has another {event.id} than the database recorded: the journal was rewritten"
    return ""


def verify_desk(folder: Path, engine: Engine, *, since: bool = False) -> VerifyReport:
    """The desk journal alone, whole, or with `since` from where it was last found whole; for the worker, which notes nothing.

    Lines are read one after the other: the memory it takes does not grow with the file.
    """
    path, row = folder / "desk.jsonl", _row(engine, "desk") if since else None
    start = Tail(Head(row.seq, f"{prefix_of(path)}{row.seq}" if row.seq else "", row.hash), row.end_bytes) if row else BEGIN
    claims = head_claims(engine, "desk")
    with suppress(JournalBroken):  # the people journal's own report says so
        claims += list(claims_in(folder / "people.jsonl"))
    return _walked(path, claims, start, engine)


def handover_claims(engine: Engine, journal: str) -> list[HeadClaim]:
    """The heads of a journal named in the daily handovers, one claim a day."""
    with read(engine) as session:
        rows = [(row.day, row.body) for row in session.exec(select(Handover).order_by(col(Handover.day))).all()]
    heads = [(day, (json.loads(body).get("heads") or {}).get(journal) or {}) for day, body in rows]
    return [HeadClaim(int(head["seq"]), str(head["hash"]), f"the handover of {day}") for day, head in heads if head.get("seq")]


def head_claims(engine: Engine, journal: str) -> list[HeadClaim]:
    """Every head of a journal that the database recorded."""
    row = _row(engine, journal)
    before = [HeadClaim(row.seq, row.hash, f"the verification of {utc(row.noted_ms)}")] if row else []
    return [*anchor_claims(engine, journal), *handover_claims(engine, journal), *before]


def verify_home(folder: Path, engine: Engine | None, note_ms: int | None = None) -> dict[str, VerifyReport]:
    """Verify both journals in `folder` in full, against themselves, each other and the database (if given): name -> report.

    With `note_ms` (wall time) a success is recorded, so that `verify_since` can continue from here; an agent's tool, which may
    only read, passes none.
    """
    return _verify(folder, engine, dict.fromkeys(JOURNALS, (BEGIN, None)), note_ms)


def verify_since(folder: Path, engine: Engine, note_ms: int | None = None) -> dict[str, VerifyReport]:
    """The same verdict, walking only what was added since both journals last verified; everything the first time.

    Called before a release. When the bytes before have changed, when the database has no record, or when anything does not fit,
    everything is walked and the first fault named.
    """
    starts: dict[str, tuple[Tail, Any]] = {}
    for name, path in _paths(folder).items():
        row = _row(engine, name)
        digest = _digest_of(path, 0, row.end_bytes) if row is not None else None
        if row is None or digest is None or digest.hexdigest() != row.digest:
            return verify_home(folder, engine, note_ms)
        starts[name] = Tail(Head(row.seq, f"{prefix_of(path)}{row.seq}" if row.seq else "", row.hash), row.end_bytes), digest
    found = _verify(folder, engine, starts, note_ms)
    return found if all(report.ok for report in found.values()) else verify_home(folder, engine, note_ms)


def verify_apart(path: Path, engine: Engine | None, *, since: bool = False, note_ms: int | None = None) -> VerifyReport:
    """Verify a chain that has no partner and no anchor (shadows of models), whole or as `verify_since`; with `note_ms` (wall
    time) a success is recorded, so that a later one sees records that were taken from its end.
    """
    name, start = path.stem, BEGIN
    digest: Any = None
    row = _row(engine, name) if engine is not None else None
    if since and row is not None:
        before = _digest_of(path, 0, row.end_bytes)
        if before is not None and before.hexdigest() == row.digest:
            start, digest = Tail(Head(row.seq, f"{prefix_of(path)}{row.seq}" if row.seq else "", row.hash), row.end_bytes), before
    claims = head_claims(engine, name) if engine is not None else []
    report = _walked(path, claims, start, engine)
    if engine is not None and note_ms is not None and report.ok:
        _note(engine, {name: path}, {name: (start, digest)}, {name: report}, note_ms)
    return report


def _verify(
    folder: Path, engine: Engine | None, starts: dict[str, tuple[Tail, Any]], note_ms: int | None
) -> dict[str, VerifyReport]:
    """Verify both journals from `starts`; a success is recorded."""
    paths, reports = _paths(folder), {}
    for name, partner in zip(JOURNALS, reversed(JOURNALS), strict=True):
        start = starts[name][0]
        claims = head_claims(engine, name) if engine is not None else []
        with suppress(JournalBroken):  # a broken partner's own report says so
            claims += list(claims_in(paths[partner], starts[partner][0].head.seq))
        reports[name] = _walked(paths[name], claims, start, engine)
    if engine is not None and note_ms is not None and all(report.ok for report in reports.values()):
        _note(engine, paths, starts, reports, note_ms)
    return reports


def _walked(path: Path, claims: list[HeadClaim], start: Tail, engine: Engine | None) -> VerifyReport:
    """Verify from `start` on against the claims; walked from its first record, the files of its packed parts too."""
    newer = [claim for claim in claims if claim.seq > start.head.seq]
    report = _contradiction(path, claims, start) or verify(path, newer, start)
    part = _another_part(path, engine) if report.ok and engine is not None and start.end == 0 else None
    if part is None:
        return report
    reason = f"{part.path.name} is not the part that was packed: the database recorded another digest"
    return report._replace(ok=False, line=part.first, reason=reason)


def _another_part(path: Path, engine: Engine) -> PackedPart | None:
    """The first packed part that the database recorded with another digest; one that it did not record has its chain alone."""
    with read(engine) as session:
        rows = session.exec(select(SealedPart).where(col(SealedPart.journal) == path.stem)).all()
        noted = {row.name: row.digest for row in rows}
    if not noted:
        return None
    recorded = (part for part in parts_of(path) if part.path.name in noted)
    return next((part for part in recorded if digest_of(part.path) != noted[part.path.name]), None)


def _digest_of(path: Path, start: int, end: int, digest: Any = None) -> Any:
    """BLAKE3 of a file's bytes up to `end`, continuing the `digest` of those up to `start`; None when it has fewer."""
    from blake3 import blake3

    digest, left = digest or blake3(), end - start
    with suppress(FileNotFoundError, PartBroken), open_journal(path) as file:  # what is broken is found by walking
        file.seek(start)
        while left and (piece := file.read(min(PIECE, left))):
            digest.update(piece)
            left -= len(piece)
    return None if left else digest


def _contradiction(path: Path, claims: list[HeadClaim], start: Tail) -> VerifyReport | None:
    """The report of a record that contradicts its claim, among those not walked again; None when none does."""
    for claim in claims:
        if 0 < claim.seq <= start.head.seq:
            try:
                event = find(path, f"{prefix_of(path)}{claim.seq}")
            except PartBroken as broken:
                return VerifyReport(False, start.head.seq, start.head, broken.seq, broken.what, 0, (), start.end)
            if event is None or event.hash != claim.hash:
                reason = f"{claim.by} recorded another {prefix_of(path)}{claim.seq}: the journal was rewritten"
                return VerifyReport(False, start.head.seq, start.head, claim.seq, reason, 0, (), start.end)
    return None


def _paths(folder: Path) -> dict[str, Path]:
    return {name: folder / f"{name}.jsonl" for name in JOURNALS}


def _row(engine: Engine, journal: str) -> VerifiedPrefix | None:
    with read(engine) as session:
        row = session.get(VerifiedPrefix, journal)
        if row is not None:
            session.expunge(row)
        return row


def _note(engine: Engine, paths: dict[str, Path], starts: Any, reports: dict[str, VerifyReport], note_ms: int) -> None:
    """Record how far both verified, and the digest of those bytes. A database that cannot be written changes no verdict."""
    rows = []
    for name, report in reports.items():  # all reading before the transaction, to keep it short
        start, before = starts[name]
        digest = _digest_of(paths[name], start.end, report.end_bytes, before)
        if digest is not None:
            head: dict[str, Any] = {"seq": report.head.seq, "hash": report.head.hash, "end_bytes": report.end_bytes}
            rows.append(VerifiedPrefix(journal=name, **head, digest=digest.hexdigest(), noted_ms=note_ms))
    with suppress(DeskError), write(engine) as session:
        for row in rows:
            session.merge(row)

"""Verifying from where both journals were last found whole: the verdict of walking everything, and what only that one sees."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from engine.store import db as database
from engine.store import journal as journals
from engine.store.anchors import handover_claims, note_head, verify_apart, verify_home, verify_since
from engine.store.journal import Event, Journal, VerifyReport, verify
from engine.store.tables import Handover, VerifiedPrefix

NOW = 1_800_000_000_000


def write(folder: Path, groups: int) -> None:
    """Let both journals go on, each knowing of the other."""
    for n in range(groups):
        for name, kinds in (("desk", ("bar", "mark")), ("people", ("ask",))):
            journal = Journal(folder / f"{name}.jsonl", "test")
            journal.append([Event(kind, n, {"n": n, "text": "x" * 40}) for kind in kinds])
            journal.close()


def lines_of(folder: Path, name: str = "desk") -> list[bytes]:
    """The lines of a journal."""
    return (folder / f"{name}.jsonl").read_bytes().splitlines(keepends=True)


def row(engine: Engine, name: str = "desk") -> VerifiedPrefix:
    """What the database remembers."""
    with database.read(engine) as session:
        found = session.get(VerifiedPrefix, name)
        assert found is not None
        session.expunge(found)
        return found


@pytest.fixture
def folder(tmp_path: Path, sqlite: Engine) -> Path:
    """Both journals, verified once when they had ten groups, five groups ago."""
    write(tmp_path, 10)
    assert all(report.ok for report in verify_since(tmp_path, sqlite, NOW).values())
    write(tmp_path, 5)
    return tmp_path


def test_only_what_was_added_is_walked(folder: Path, sqlite: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first time everything, then the ten and five new records, then nothing; each verdict as if all had been."""
    walked: list[bytes] = []
    monkeypatch.setattr(journals, "hash_fits", lambda line, fits=journals.hash_fits: walked.append(line) or fits(line))
    assert row(sqlite).seq == 20
    found = verify_since(folder, sqlite, NOW + 1)
    assert len(walked) == 15
    assert found == verify_home(folder, sqlite, NOW + 1)
    assert (row(sqlite).seq, row(sqlite, "people").seq) == (30, 15)
    assert row(sqlite).end_bytes == (folder / "desk.jsonl").stat().st_size
    walked.clear()
    assert all(report.ok for report in verify_since(folder, sqlite).values())
    assert walked == []


@pytest.mark.parametrize("name", ["desk", "people"])
@pytest.mark.parametrize("place", [0.0, 0.2, 0.5, 0.66, 0.8, 0.97])
def test_a_byte_that_changed_is_seen_wherever_it_stands(folder: Path, sqlite: Engine, name: str, place: float) -> None:
    """Before and behind what was verified, in the middle of a line or at its first byte: the fault that walking all names."""
    path = folder / f"{name}.jsonl"
    data = bytearray(path.read_bytes())
    data[int(place * len(data)) + 3] ^= 1
    path.write_bytes(data)
    found = verify_since(folder, sqlite)
    assert not found[name].ok
    assert found == verify_home(folder, sqlite)
    assert row(sqlite).seq == 20  # nothing broken is ever remembered as whole


def test_a_journal_cut_before_what_was_verified_is_seen(folder: Path, sqlite: Engine) -> None:
    """Also when nobody anchored its head and the other journal is gone."""
    lines = lines_of(folder)
    (folder / "people.jsonl").unlink()
    (folder / "desk.jsonl").write_bytes(b"".join(lines[:10]))
    report = verify_since(folder, sqlite)["desk"]
    assert not report.ok
    assert "the verification of 2027-01-15 08:00Z recorded d-20" in report.reason


def test_a_journal_cut_behind_what_was_verified_is_told_by_the_other(folder: Path, sqlite: Engine) -> None:
    """The people journal's new records have seen more of the desk's."""
    (folder / "desk.jsonl").write_bytes(b"".join(lines_of(folder)[:22]))
    report = verify_since(folder, sqlite)["desk"]
    assert (report.ok, report.line) == (False, 23)
    assert "recorded d-30" in report.reason


def hand_over(engine: Engine, day: str, **heads: Any) -> None:
    """A morning's handover with heads."""
    with database.write(engine) as session:
        session.add(Handover(day=day, created_ms=NOW, text="", body=json.dumps({"heads": heads})))


def report_of(folder: Path, engine: Engine, quick: bool) -> VerifyReport:
    """The desk journal's verdict, either way."""
    return (verify_since if quick else verify_home)(folder, engine)["desk"]


@pytest.mark.parametrize("quick", [True, False])
def test_a_chain_shorter_than_a_handover_has_said_is_a_finding(folder: Path, sqlite: Engine, quick: bool) -> None:
    """Whoever kept the message can name the record; empty journals of the first morning claim nothing."""
    head = verify(folder / "desk.jsonl").head
    hand_over(sqlite, "2026-11-19", desk=journals.EMPTY._asdict(), people=journals.EMPTY._asdict())
    hand_over(sqlite, "2026-11-20", desk=head._asdict())
    assert handover_claims(sqlite, "desk") == [(30, head.hash, "the handover of 2026-11-20")]
    assert report_of(folder, sqlite, quick).ok
    for name, kept in (("desk", 26), ("people", 13)):
        (folder / f"{name}.jsonl").write_bytes(b"".join(lines_of(folder, name)[:kept]))
    with database.write(sqlite) as session:
        for known in ("desk", "people"):
            session.delete(session.get(VerifiedPrefix, known))
    report = report_of(folder, sqlite, quick)
    assert (report.ok, report.line) == (False, 27)
    assert "4 records are missing at the end: the handover of 2026-11-20 recorded d-30" in report.reason


@pytest.mark.parametrize("seq", [12, 27])
@pytest.mark.parametrize("quick", [True, False])
def test_a_handover_that_saw_another_record_is_a_finding(folder: Path, sqlite: Engine, quick: bool, seq: int) -> None:
    """Whether the record is walked again or was verified before."""
    hand_over(sqlite, "2026-11-20", desk={"seq": seq, "id": f"d-{seq}", "hash": "f" * 64})
    report = report_of(folder, sqlite, quick)
    assert (report.ok, report.line) == (False, seq)
    assert f"the handover of 2026-11-20 recorded another d-{seq}: the journal was rewritten" in report.reason


def test_a_journal_written_anew_with_its_anchor_is_not_the_one_that_was_verified(folder: Path, sqlite: Engine) -> None:
    """Both files made again with another first word, sound in themselves, and the anchors with them."""
    for name in ("desk", "people"):
        (folder / f"{name}.jsonl").unlink()
    journal = Journal(folder / "desk.jsonl", "test")
    journal.append([Event("bar", 0, {"n": "another"})])
    journal.close()
    write(folder, 20)
    for name in ("desk", "people"):
        note_head(sqlite, name, verify(folder / f"{name}.jsonl").head, NOW)
    for found in (verify_since(folder, sqlite)["desk"], verify_home(folder, sqlite)["desk"]):
        assert not found.ok
        assert "the verification of 2027-01-15 08:00Z recorded another d-20: the journal was rewritten" in found.reason


def test_a_memory_that_was_damaged_costs_time_and_nothing_else(folder: Path, sqlite: Engine) -> None:
    """A digest that fits nothing: everything is walked, and remembered rightly."""
    with database.write(sqlite) as session:
        session.merge(row(sqlite).model_copy(update={"digest": "0" * 64}))
    assert all(report.ok for report in verify_since(folder, sqlite, NOW).values())
    assert (row(sqlite).seq, row(sqlite).digest != "0" * 64) == (30, True)


def test_what_only_walking_everything_sees(folder: Path, sqlite: Engine) -> None:
    """A record and the database's memory of it changed to fit each other: said in docs/threats.md."""
    from engine.store.anchors import _digest_of

    path = folder / "desk.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"n":2', b'"n":7', 1))
    forged = _digest_of(path, 0, row(sqlite).end_bytes).hexdigest()
    with database.write(sqlite) as session:
        session.merge(row(sqlite).model_copy(update={"digest": forged}))
    assert verify_since(folder, sqlite)["desk"].ok
    assert not verify_home(folder, sqlite)["desk"].ok


def test_a_group_that_is_being_written_is_not_remembered(folder: Path, sqlite: Engine) -> None:
    """Half a group behind the last whole one: no fault, and what is noted ends before it."""
    whole = (folder / "desk.jsonl").stat().st_size
    lines = lines_of(folder)
    with (folder / "desk.jsonl").open("ab") as file:
        file.write(lines[0][:50])
    report = verify_since(folder, sqlite, NOW)["desk"]
    assert (report.ok, report.unfinished_bytes, report.end_bytes) == (True, 50, whole)
    assert row(sqlite).end_bytes == whole


def test_looking_without_a_time_writes_nothing(folder: Path, sqlite: Engine) -> None:
    """A tool of an agent may look; what is remembered is noted by supervisor and command line."""
    before = row(sqlite)
    assert all(report.ok for report in (*verify_home(folder, sqlite).values(), *verify_since(folder, sqlite).values()))
    assert row(sqlite) == before


def shadows(folder: Path, groups: int) -> Path:
    """A chain without a partner, so much longer."""
    path = folder / "models.jsonl"
    journal = Journal(path, "test")
    for n in range(groups):
        journal.append([Event("shadow", n, {"n": n, "text": "x" * 40})])
    journal.close()
    return path


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda lines: [*lines[:2], lines[2].replace(b'"n":2', b'"n":7'), *lines[3:]], "its hash does not fit its text"),
        (lambda lines: lines[:6], "recorded"),
    ],
)
def test_a_chain_by_itself_is_verified_by_the_same_rules(tmp_path: Path, sqlite: Engine, damage: Any, reason: str) -> None:
    """A changed byte, before or behind what was verified, and records that are gone from its end."""
    path = shadows(tmp_path, 8)
    assert verify_apart(path, sqlite, note_ms=NOW).ok
    shadows(tmp_path, 2)
    whole = verify_apart(path, sqlite, since=True, note_ms=NOW + 1)
    assert (whole.ok, whole.rows, row(sqlite, "models").seq) == (True, 10, 10)
    path.write_bytes(b"".join(damage(path.read_bytes().splitlines(keepends=True))))
    for since in (True, False):
        found = verify_apart(path, sqlite, since=since, note_ms=NOW + 2)
        assert (found.ok, reason in found.reason) == (False, True), found

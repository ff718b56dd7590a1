"""Rules that the database itself keeps, whatever the code does: one of what may be one, and no pointer to what is not there."""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel, select

from engine.store import db as database
from engine.store.tables import (
    Active,
    ActiveSleeve,
    Alert,
    Anchor,
    ConfigVersion,
    Delivery,
    Proposal,
    ProposalPart,
    Run,
    SlackRequest,
    SleeveVersion,
    TurnEvent,
)

LATE_MS = 2**41  # 2039


def proposal(n: int, **changed: Any) -> Proposal:
    """A proposal."""
    row = {"kind": "change", "sleeve": f"s{n}", "base_version": 1, "diff": "{}", "diff_sha256": "x", "direction": "neutral"}
    return Proposal(id=f"prop-{n}", created_ms=1, expires_ms=2, **{**row, **changed})


def part(n: int, sleeve: str = "btc", **changed: Any) -> ProposalPart:
    """What a proposal does to a sleeve."""
    return ProposalPart(proposal_id=f"prop-{n}", sleeve=sleeve, from_version=1, from_sha256="x", **changed)


def alert(n: int, state: str, fingerprint: str = "bars") -> Alert:
    """An alert."""
    times = {"since_ms": 1, "opened_ms": 1, "seen_ms": 1}
    return Alert(id=f"al-{n}", fingerprint=fingerprint, kind="bars", severity="page", state=state, what="x", **times)


def delivery(step: str = "opened", sink: str = "slack", subject: str = "al-1") -> Delivery:
    """A message."""
    return Delivery(subject=subject, step=step, sink=sink, created_ms=1, due_ms=1)


def version(n: int) -> ConfigVersion:
    """A version of the desk."""
    return ConfigVersion(version=n, sha256="x", created_ms=1)


def sleeve_version(sleeve: str, n: int) -> SleeveVersion:
    """A version of a sleeve."""
    return SleeveVersion(sleeve=sleeve, version=n, sha256="x", body="{}", created_ms=1)


Rows = Sequence[SQLModel]
REFUSED: dict[str, tuple[Rows, Rows]] = {  # what stands there, and what is refused beside it
    "a second open alert of a fingerprint": ([alert(1, "open")], [alert(2, "open")]),
    "a message sent twice": ([delivery()], [delivery()]),
    "two parts that wait for a sleeve": ([proposal(1), proposal(2), part(1)], [part(2)]),
    "two proposals that wait for a sleeve": ([proposal(1, sleeve="btc")], [proposal(2, sleeve="btc")]),
    "a part of no proposal": ([], [part(9)]),
    "a desk that points to no version": ([version(1)], [Active(id=1, version=2, changed_ms=1)]),
    "a sleeve that points to no version": ([sleeve_version("btc", 1)], [ActiveSleeve(sleeve="btc", version=2, changed_ms=1)]),
    "a sleeve that points to another's": ([sleeve_version("btc", 1)], [ActiveSleeve(sleeve="sol", version=1, changed_ms=1)]),
    "a version number of the desk twice": ([version(1)], [version(1)]),
    "a version number of a sleeve twice": ([sleeve_version("btc", 1)], [sleeve_version("btc", 1)]),
    "an event of a turn twice": ([TurnEvent(turn="t", n=1, kind="x")], [TurnEvent(turn="t", n=1, kind="y")]),
    "a request of Slack twice": ([SlackRequest(digest="d", seen_ms=1)], [SlackRequest(digest="d", seen_ms=2)]),
}
ALLOWED: dict[str, Rows] = {
    "resolved alerts of one fingerprint": [alert(1, "resolved"), alert(2, "resolved"), alert(3, "open")],
    "open alerts of two fingerprints": [alert(1, "open"), alert(2, "open", "disk")],
    "the same step to two sinks": [delivery(sink="slack"), delivery(sink="mail")],
    "two steps, two subjects": [delivery(), delivery("resolved"), delivery(subject="al-2")],
    "decided parts of a sleeve": [*(proposal(n) for n in (1, 2, 3)), part(1, pending=False), part(2, pending=False), part(3)],
    "parts of two sleeves": [proposal(1), part(1, "btc"), part(1, "sol")],
    "decided proposals of a sleeve": [proposal(n, sleeve="btc", state="stale") for n in (1, 2)] + [proposal(3, sleeve="btc")],
    "one number in two sleeves": [sleeve_version("btc", 1), sleeve_version("sol", 1)],
}


def write(engine: Engine, rows: Rows) -> None:
    """One transaction; the rows in their order, for the keys that point from one to another."""
    with database.write(engine) as session:
        for row in rows:
            session.add(type(row)(**row.model_dump()))
            session.flush()


def test_what_may_be_once_is_refused_the_second_time_and_leaves_no_trace(db: Engine) -> None:
    """By both databases; the transaction that tried is taken back whole."""
    for what, (before, twice) in REFUSED.items():
        print(what)
        tables = [type(row) for row in (*before, *twice)]
        write(db, before)
        with pytest.raises(IntegrityError):
            write(db, [Anchor(journal="beside", seq=1, hash="x", noted_ms=1), *twice])
        with database.write(db) as session:
            assert session.get(Anchor, "beside") is None, what
            for kind in dict.fromkeys(reversed(tables)):
                for row in session.exec(select(kind)).all():
                    session.delete(row)
                session.flush()


def test_what_may_be_often_is_taken(db: Engine) -> None:
    """The rules are no wider than what they are for."""
    for rows in ALLOWED.values():
        write(db, rows)
        with database.write(db) as session:
            for kind in dict.fromkeys(type(row) for row in reversed(rows)):
                found = session.exec(select(kind)).all()
                assert len(found) == sum(type(row) is kind for row in rows)
                for row in found:
                    session.delete(row)
                session.flush()


def test_a_version_in_force_cannot_be_deleted(db: Engine) -> None:
    """Neither the desk's nor a sleeve's, as long as a pointer names it."""
    pointers = [Active(id=1, version=1, changed_ms=1), ActiveSleeve(sleeve="btc", version=1, changed_ms=1)]
    write(db, [version(1), version(2), sleeve_version("btc", 1), *pointers])
    for kind, key in ((ConfigVersion, 1), (SleeveVersion, ("btc", 1))):
        with pytest.raises(IntegrityError), database.write(db) as session:
            session.delete(session.get(kind, key))
    with database.write(db) as session:
        session.delete(session.get(ConfigVersion, 2))


def test_defaults_are_what_the_rows_comments_promise(db: Engine) -> None:
    """A row of the least that must be given: states, JSON and counters start as readers expect them."""
    write(
        db,
        [
            proposal(1),
            part(1),
            delivery(),
            Run(id="r", created_ms=LATE_MS, strategy="s", symbol="x", timeframe="1h", cache_key="k"),
        ],
    )
    with database.read(db) as session:
        made = session.get(Proposal, "prop-1")
        assert made is not None
        assert (made.state, made.evidence, made.exposure, made.requester, made.decided_ms) == ("pending", "[]", "{}", "{}", None)
        one = session.exec(select(ProposalPart)).one()
        assert (one.pending, one.to_version) == (True, None)
        message = session.exec(select(Delivery)).one()
        assert (message.state, message.attempts, message.sent_ms, message.error) == ("waiting", 0, None, "")
        run = session.get(Run, "r")
        assert run is not None
        assert (run.state, run.summary, run.created_ms) == ("done", "{}", LATE_MS)


@pytest.mark.parametrize("text", ["naïve €", "😀" * 50, "a\nb\tc", "'; DROP TABLE runs; --", "\\", "x" * 20_000])
def test_any_text_comes_back_as_it_was(sqlite: Engine, text: str) -> None:
    """Quotes, newlines, other alphabets, and more than a page of it."""
    write(sqlite, [proposal(1, rationale=text, state_reason=text)])
    with database.read(sqlite) as session:
        row = session.get(Proposal, "prop-1")
        assert row is not None
        assert (row.rationale, row.state_reason) == (text, text)

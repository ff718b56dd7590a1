"""A home on SQLite and on PostgreSQL alike: approvals, races, halts, recovery; a lost, older or foreign database is seen."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, text
from sqlmodel import SQLModel

from app.home.home import Home, open_home
from app.people import approvals
from app.people.identity import Actor, Person
from app.people.passphrases import FREE, prove
from engine.book.replay import fold
from engine.control import halt, proposals
from engine.control.agreement import differences
from engine.control.config import active
from engine.errors import BadInput, DeskError, Refused
from engine.live.loop import Loop
from engine.store.anchors import anchor_fault, note_head, verify_home
from engine.store.db import open_db
from engine.store.journal import Head, read
from engine.store.tables import Proposal
from tests.fakes.papers import WALL_MS, advanced, feed_of, furnished, loop_of

ANN, BOB = (Actor(name, "claimed", name, "test") for name in ("ann", "bob"))
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(params=["sqlite", "postgres"])
def home(request: pytest.FixtureRequest, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home with a market, on each database in turn."""
    if request.param == "postgres":
        monkeypatch.setenv("NIGHTDESK_DATABASE_URL", request.getfixturevalue("postgres_url"))
    furnished(own_home)
    return open_home(WALL_MS)


@pytest.fixture
def loop(home: Home) -> Loop:
    """Its desk, a few bars on."""
    return advanced(loop_of(home, feed_of(home)), 5)


def proposal(home: Home, stop_atr: float = 3.0) -> Proposal:
    """A proposal of another stop for the first sleeve, with the two runs that are its evidence."""
    sleeve, evidence = active(home.engine, home.path).config.sleeves[0], []
    for n, (role, params) in enumerate((("base", {}), ("changed", {"stop_atr": stop_atr}))):
        run_id = f"r-20231114-{n:08x}"
        (home.runs / run_id).mkdir(exist_ok=True)
        ran = {"strategy": sleeve.strategy, "symbol": sleeve.symbol, "params": {**sleeve.params, **params}}
        (home.runs / run_id / "run.json").write_text(json.dumps({"sleeves": [ran], "data": {}, "code_hash": "c"}))
        evidence.append({"role": role, "run_id": run_id})
    who = {"role": "person", "thread": "", "person": "ann"}
    more: dict[str, Any] = {"rationale": "test", "requester": who, "now_ms": WALL_MS, "evidence": evidence}
    return proposals.create(home.engine, home.path, sleeve=sleeve.name, changes={"stop_atr": stop_atr}, **more)


def emptied(home: Home) -> Home:
    """The database is lost with everything in it; the next command opens the home."""
    if home.engine.dialect.name == "sqlite":
        home.engine.dispose()
        for path in home.path.glob("desk.db*"):
            path.unlink()
    else:
        with home.engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        home.engine.dispose()
    return open_home(WALL_MS)


def rows_of(home: Home) -> Rows:
    """A copy of every row, as a backup holds it."""
    with home.engine.connect() as connection:
        return {t.name: [dict(row._mapping) for row in connection.execute(t.select())] for t in SQLModel.metadata.sorted_tables}


def put_back(home: Home, rows: Rows) -> Home:
    """The backup takes the place of what is there."""
    with home.engine.connect().execution_options(writes=True) as connection, connection.begin():
        for table in reversed(SQLModel.metadata.sorted_tables):
            connection.execute(table.delete())
        for table in SQLModel.metadata.sorted_tables:
            if rows[table.name]:
                connection.execute(table.insert(), rows[table.name])
    home.engine.dispose()
    return open_home(WALL_MS)


def together(*acts: Callable[[], Any]) -> list[Any]:
    """What each gives, or the error it raises, all begun at one moment."""
    start, found = threading.Barrier(len(acts)), list[Any]([None] * len(acts))

    def one(n: int) -> None:
        start.wait()
        try:
            found[n] = acts[n]()
        except DeskError as error:
            found[n] = error

    threads = [threading.Thread(target=one, args=(n,)) for n in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def states(home: Home) -> list[tuple[str, str]]:
    """Halts and releases as journaled."""
    return [(e.body["state"], e.body["by"]) for e in read(home.desk_journal, {"halt"})]


def test_an_approval_is_followed_by_the_desk_once(home: Home, loop: Loop) -> None:
    """Approved by name, journaled, adopted at the next look; a second approval is refused."""
    row = proposal(home)
    done = approvals.approve(home, row.id, row.diff_sha256, ANN, WALL_MS + 1)
    assert (done.state, done.version) == ("applied", 2)
    loop.poll_controls()
    assert loop.book.version == 2
    with pytest.raises(Refused):
        approvals.approve(home, row.id, row.diff_sha256, BOB, WALL_MS + 2)
    assert active(home.engine, home.path).version == 2
    loop.journal.close()


def test_of_approvals_at_one_moment_exactly_one_is_applied(home: Home) -> None:
    """Three people on one proposal, from connections of their own: one version more."""
    active(home.engine, home.path)
    row = proposal(home)
    homes = [open_home(WALL_MS) for _ in range(3)]
    found = together(*(lambda h=h: approvals.approve(h, row.id, row.diff_sha256, ANN, WALL_MS + 1) for h in homes))
    assert [type(one).__name__ for one in found].count("DecisionRecord") == 1
    assert all(isinstance(one, Refused) for one in found if not isinstance(one, approvals.DecisionRecord))
    assert active(home.engine, home.path).version == 2
    for one in homes:
        one.engine.dispose()


def test_guesses_at_one_moment_are_all_counted(home: Home) -> None:
    """Twenty wrong passphrases from twenty connections: five are tried, then the person waits; none slips past the count."""
    entry = Person("", "scrypt$00$00")

    def guess() -> None:
        other = open_db(home.engine.url.render_as_string(hide_password=False))
        try:
            prove(other, "ann", entry, "wrong", WALL_MS)
        finally:
            other.dispose()

    found = together(*[guess] * 20)
    checked = [str(error) for error in found if "wrong passphrase -" in str(error)]
    assert len(checked) == FREE
    assert all(isinstance(error, Refused) for error in found)


def test_a_halt_against_an_approval_leaves_no_version_behind_the_halt(home: Home) -> None:
    """Whichever comes first: halted in the end, and an approval that came second is refused as stale."""
    row = proposal(home)
    other = open_home(WALL_MS)
    decided, latch = together(
        lambda: approvals.approve(home, row.id, row.diff_sha256, ANN, WALL_MS + 1),
        lambda: halt.set(other.path, "race", {"name": "bob"}, WALL_MS + 1, other.engine),
    )
    assert latch.halted
    assert active(home.engine, home.path).version == (2 if isinstance(decided, approvals.DecisionRecord) else 1)
    assert proposals.get(home.engine, row.id).state == ("applied" if not isinstance(decided, DeskError) else "stale")
    other.engine.dispose()


def test_a_halt_stands_over_a_restart_until_a_person_releases_it(home: Home, loop: Loop) -> None:
    """In file and database; the desk folds to the same, and goes on after the release by name."""
    halt.set(home.path, "a test", {"name": "ann"}, WALL_MS, home.engine)
    advanced(loop, 2)
    loop.journal.close()
    loop = loop_of(open_home(WALL_MS), feed_of(home), fold(home.desk_journal))
    advanced(loop, 2)
    assert loop.book.desk.halted == 1
    assert halt.read(home.path, home.engine).where == ("file", "database")
    approvals.release(home, BOB, "looked", list, WALL_MS + 5)
    advanced(loop, 1)
    assert states(home) == [("halted", "ann"), ("released", "bob")]
    loop.journal.close()


def test_a_lost_database_releases_no_halt(home: Home, loop: Loop) -> None:
    """Every table gone with the HALT file: told, halted again by the worker, ended by a name."""
    halt.set(home.path, "a test", {"name": "ann"}, WALL_MS, home.engine)
    advanced(loop, 1)
    loop.journal.close()
    (home.path / halt.FILE).unlink()
    home = emptied(home)
    assert any(line.startswith("halt:") for line in differences(home.path, home.engine))
    loop = advanced(loop_of(home, feed_of(home), fold(home.desk_journal)), 3)
    assert (loop.book.desk.halted, states(home)) == (1, [("halted", "ann")])
    assert halt.read(home.path, home.engine).by == halt.WORKER
    loop.journal.close()


def test_an_older_database_takes_the_desk_to_no_older_version(home: Home, loop: Loop) -> None:
    """A backup from before the approval: the desk keeps version 2, halts and says so; a rollback by name confirms."""
    before = rows_of(home)
    row = proposal(home)
    approvals.approve(home, row.id, row.diff_sha256, ANN, WALL_MS + 1)
    loop.poll_controls()
    home = put_back(home, before)
    assert active(home.engine, home.path).version == 1
    assert any("version" in line for line in differences(home.path, home.engine))
    loop.journal.close()
    loop = advanced(loop_of(home, feed_of(home), fold(home.desk_journal)), 2)
    assert (loop.book.version, loop.book.desk.halted) == (2, 1)
    loop.journal.close()


def test_a_database_of_another_home_is_refused_and_nothing_is_written(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second folder with the first one's database: one line with both, and no table touched."""
    before = rows_of(home)
    monkeypatch.setenv("NIGHTDESK_DATABASE_URL", home.engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("NIGHTDESK_HOME", str(tmp_path / "second"))
    with pytest.raises(BadInput, match=home.id):
        open_home(WALL_MS)
    assert rows_of(home) == before
    assert not (tmp_path / "second" / "desk.toml").exists()


def test_a_journal_that_lost_its_end_is_seen_by_the_database(home: Home, loop: Loop) -> None:
    """The anchored head is asked for; a fork before it too."""
    head = loop.journal.head
    note_head(home.engine, "desk", head, WALL_MS)
    loop.journal.close()
    assert anchor_fault(home.desk_journal, home.engine, "desk") == ""
    assert verify_home(home.journal, home.engine)["desk"].ok
    note_head(home.engine, "desk", Head(head.seq + 7, f"d-{head.seq + 7}", "f" * 64), WALL_MS)
    assert "records are missing at its end" in anchor_fault(home.desk_journal, home.engine, "desk")
    assert not verify_home(home.journal, home.engine)["desk"].ok


def test_without_its_database_a_desk_is_halted_and_can_be(
    postgres_url: str, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is gone: opening the home is one line, a halt still latches, what cannot be read is a halt."""
    monkeypatch.setenv("NIGHTDESK_DATABASE_URL", postgres_url)
    home = open_home(WALL_MS)
    home.engine.dispose()
    gone = postgres_url.replace(f":{home.engine.url.port}/", ":1/")
    monkeypatch.setenv("NIGHTDESK_DATABASE_URL", gone)
    with pytest.raises(DeskError) as caught:
        open_home(WALL_MS)
    assert "\n" not in str(caught.value).strip()
    unreachable = open_db(gone)
    assert halt.read(own_home, unreachable).halted
    assert halt.set(own_home, "no database", {"name": "ann"}, WALL_MS, unreachable).reason == "no database"


def test_both_have_the_same_tables(postgres_url: str, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Column for column, as the code names them."""
    found = []
    for url in (None, postgres_url):
        if url:
            monkeypatch.setenv("NIGHTDESK_DATABASE_URL", url)
            monkeypatch.setenv("NIGHTDESK_HOME", str(own_home.with_name("second")))
        home = open_home(WALL_MS)
        names = sorted(inspect(home.engine).get_table_names())
        found.append({name: sorted(column["name"] for column in inspect(home.engine).get_columns(name)) for name in names})
        home.engine.dispose()
    assert found[0] == found[1]
    assert set(SQLModel.metadata.tables) <= set(found[0])

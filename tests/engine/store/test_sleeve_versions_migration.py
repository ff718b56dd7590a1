"""An old database of desk-wide versions becomes one of sleeve versions: every text, digest and waiting card is kept."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlmodel import select

from engine.control import proposals
from engine.control.apply import apply
from engine.control.config import SleeveConfig, active, sleeve_text, versions, with_params
from engine.errors import DataError
from engine.store import db as database
from engine.store.tables import ProposalPart, SleeveVersion
from tests.fakes.old_databases import desk_version_0004, insert, migrated_to, proposal_0004, text_of

NOW = 1_700_000_000_000


@pytest.fixture(params=["sqlite", "postgres"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """A database at revision 0004, of either kind."""
    if request.param == "sqlite":
        return migrated_to(database.open_db(f"sqlite:///{tmp_path / 'old.db'}"), "0004")
    engine = request.getfixturevalue("postgres")
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    return migrated_to(engine, "0004")


def sleeve(name: str, symbol: str, **params: Any) -> dict[str, Any]:
    """A sleeve as version 0004 stored it: it knew no stage."""
    bare = SleeveConfig(name=name, strategy="trend", venue="synthetic", symbol=symbol)
    value = with_params(bare, params, None).model_dump(mode="json")
    del value["stage"]
    return value


def four_versions(engine: Engine) -> dict[int, str]:
    """btc moved in version 2, sol in 3, version 4 rolls btc back to what it was; the digests."""
    btc, sol, wide = sleeve("btc", "BTC-USDT"), sleeve("sol", "SOL-USDT"), sleeve("btc", "BTC-USDT", stop_atr=3.0)
    calm = sleeve("sol", "SOL-USDT", leverage_max=2.0)
    digests = {
        1: desk_version_0004(engine, 1, [btc, sol]),
        2: desk_version_0004(engine, 2, [wide, sol], proposal_id="prop-1"),
        3: desk_version_0004(engine, 3, [wide, calm], proposal_id="prop-2"),
        4: desk_version_0004(engine, 4, [btc, calm], proposal_id="prop-3", rollback_of=1),
    }
    insert(engine, "active", id=1, version=4, changed_ms=4)
    return digests


STOP = [{"key": "stop_atr", "old": 2.0, "value": 4.0, "low": 0.0, "high": 20.0, "unit": "ATR"}]


def test_versions_are_counted_for_each_sleeve_and_keep_their_digests(old: Engine, tmp_path: Path) -> None:
    """The desk's versions keep number and digest; a sleeve gets a version only where its own text moved."""
    digests = four_versions(old)
    assert database.migrate(old)
    found = versions(old)
    assert {row.version: row.sha256 for row in found} == digests
    assert [row.sleeves for row in found] == [text_of([["btc", b], ["sol", s]]) for b, s in ((1, 1), (2, 1), (2, 2), (3, 2))]
    now = active(old, tmp_path)
    assert (now.version, now.sleeves, now.sha256) == (4, {"btc": 3, "sol": 2}, digests[4])
    assert {s.stage for s in now.config.sleeves} == {"paper"}
    with database.read(old) as session:
        rows = {(r.sleeve, r.version): r for r in session.exec(select(SleeveVersion)).all()}
    assert sorted(rows) == [("btc", 1), ("btc", 2), ("btc", 3), ("sol", 1), ("sol", 2)]
    assert rows["btc", 3].body == rows["btc", 1].body
    assert (rows["btc", 3].rollback_of, rows["btc", 2].proposal_id, rows["sol", 2].reason) == (1, "prop-1", "v3")


def test_a_card_that_waited_is_approved_after_the_migration(old: Engine, tmp_path: Path) -> None:
    """With the diff it was shown with; the sleeve's text gets a stage, the other sleeve keeps its own."""
    four_versions(old)
    sha = proposal_0004(old, 4, "btc", 4, STOP)
    database.migrate(old)
    proposals.list_proposals(old, NOW)
    done = apply(old, tmp_path, "prop-4", sha, {"name": "ann"}, NOW)
    assert (done.version, done.sleeves) == (5, {"btc": 4})
    now = active(old, tmp_path)
    assert now.config.sleeve("btc").params["stop_atr"] == 4.0
    assert now.bodies["btc"] == sleeve_text(now.config.sleeve("btc"))
    assert "stage" not in now.bodies["sol"]


def test_decided_proposals_know_their_sleeves_versions_and_a_waiting_rollback_is_stale(old: Engine) -> None:
    """So that an applied one can be undone; a rollback that waits does not say what each sleeve goes back to."""
    four_versions(old)
    proposal_0004(old, 1, "btc", 1, STOP, state="applied", applied_version=2)
    proposal_0004(old, 2, "sol", 2, [], state="rejected")
    proposal_0004(old, 3, "*", 3, [], kind="rollback", state="applied", applied_version=4, rollback_of=1)
    proposal_0004(old, 4, "*", 4, [], kind="rollback", rollback_of=2)
    proposal_0004(old, 5, "gone", 4, STOP)
    database.migrate(old)
    with database.read(old) as session:
        parts = {(p.proposal_id, p.sleeve): p for p in session.exec(select(ProposalPart)).all()}
    spans = {key: (p.from_version, p.to_version, p.pending) for key, p in parts.items()}
    assert spans == {
        ("prop-1", "btc"): (1, 2, False),
        ("prop-2", "sol"): (1, None, False),
        ("prop-3", "btc"): (2, 3, False),
    }
    for number in (4, 5):
        row = proposals.get(old, f"prop-{number}")
        assert (row.state, row.state_reason) == ("stale", "sleeves have versions of their own now: ask again")


def test_a_text_that_was_changed_before_is_still_noticed(old: Engine, tmp_path: Path) -> None:
    """The migration copies what is there; it does not bless it."""
    four_versions(old)
    with old.begin() as connection:
        connection.execute(text("UPDATE config_versions SET body = replace(body, '10000.0', '90000.0') WHERE version = 4"))
    database.migrate(old)
    with pytest.raises(DataError, match="version 4 was changed in the database"):
        active(old, tmp_path)


def test_a_database_without_versions_is_migrated_too(old: Engine) -> None:
    """A first start that broke off: nothing to split, nothing in force."""
    assert database.migrate(old)
    assert versions(old) == []
    with database.read(old) as session:
        assert session.exec(select(SleeveVersion)).all() == []

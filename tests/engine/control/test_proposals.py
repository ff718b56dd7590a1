"""Proposals at creation: what is refused, what is stored, and that one sleeve has one that waits."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from engine.control import proposals
from engine.control.config import DeskConfig, active, sha256_of_text, version_of, write_first
from engine.control.draft import draft
from engine.errors import BadInput, DataError, Refused
from engine.store import db as database
from engine.store.tables import SleeveVersion

NOW = 1_700_000_000_000
WHO = {"role": "developer", "thread": "t-1", "person": "ann"}
Evidence = Callable[..., list[dict[str, Any]]]


def _create(engine: Engine, home: Path, changes: Any, evidence: Any, now_ms: int = NOW, **more: Any) -> Any:
    more = {"sleeve": "btc", "rationale": "because", "requester": WHO, **more}
    return proposals.create(engine, home, changes=changes, evidence=evidence, now_ms=now_ms, **more)


def test_a_proposal_holds_everything_a_person_needs(desk: Engine, home: Path, evidence: Evidence) -> None:
    """Diff with old value and bounds, direction, worst case, evidence, requester, 24 hours."""
    row = _create(desk, home, [{"key": "leverage_max", "value": "2.5"}], evidence({"leverage_max": 2.5}))
    assert (row.id, row.state, row.sleeve, row.base_version, row.direction) == ("prop-1", "pending", "btc", 1, "tightens")
    assert row.expires_ms == NOW + 86_400_000
    value = proposals.view(desk, row)
    assert value["diff"]["changes"] == [{"key": "leverage_max", "old": 3.0, "value": 2.5, "low": 0.1, "high": 10.0, "unit": "x"}]
    assert value["exposure"]["before"] == {"risk_frac": 0.02, "gross_frac": 1.5, "leverage": 3.0}
    assert value["exposure"]["after"]["leverage"] == 2.5
    assert (value["requester"], value["rationale"]) == (WHO, "because")
    assert [e["role"] for e in value["evidence"]] == ["base", "changed"]
    assert sha256_of_text(row.diff) == row.diff_sha256
    assert active(desk, home)[0] == 1


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"leverage_max": 50}, BadInput, "out of bounds"),
        ({"leverage_max": -1}, BadInput, "out of bounds"),
        ({"leverage_max": "fast"}, BadInput, "not a number"),
        ({"leverage_max": float("nan")}, BadInput, "leverage_max"),
        ({"leverage_max": None}, BadInput, "leverage_max"),
        ({"leverage": 2}, BadInput, "has no parameter 'leverage'"),
        ({"Leverage_Max": 9}, BadInput, "has no parameter"),
        ({"risk_max_frac": 2}, BadInput, "out of bounds"),
        ({"drawdown_frac_max": 0.5}, Refused, "hard limit"),
        ({"limits.drawdown_frac_max": 0.5}, Refused, "hard limit"),
        ({"Drawdown-Frac-Max": 0.5}, Refused, "hard limit"),
        ({"day_loss_frac_max": 0.5}, Refused, "hard limit"),
        ({"cash": 1e6}, Refused, "cannot be proposed"),
        ({"symbol": "ETH-USDT"}, Refused, "cannot be proposed"),
        ({"stop_atr": 2.0}, Refused, "nothing would change"),
        ({"stop_atr": "2.0"}, Refused, "nothing would change"),
        ({}, BadInput, "0 changes"),
        ([{"key": "stop_atr", "value": 3}, {"key": "stop_atr", "value": 4}], BadInput, "given twice"),
        ([{"key": None, "value": 3}], BadInput, "not a valid parameter name"),
        ([{"value": 3}], BadInput, "not a valid parameter name"),
        ({"paused": "perhaps"}, BadInput, "is not a boolean"),
        ({"fast_bars": 300}, BadInput, "must be below slow_bars"),
        ({"entry": "limt"}, BadInput, "sleeve btc: trend: entry = 'limt' is not one of market, limit"),
        ({"entry": "market"}, Refused, "nothing would change"),
    ],
)
def test_what_is_refused_at_creation(
    sqlite: Engine, two_sleeves: DeskConfig, home: Path, changes: Any, error: type, words: str
) -> None:
    """One clear reason each, and no row."""
    write_first(sqlite, two_sleeves, NOW, "test")
    with pytest.raises(error, match=words):
        _create(sqlite, home, changes, [])
    assert proposals.list_proposals(sqlite, NOW) == []


def test_a_word_is_proposed_with_its_choices(desk: Engine, home: Path, evidence: Evidence) -> None:
    """Old and new word, the choices in place of bounds, a direction that says what stays."""
    row = _create(desk, home, {"entry": "limit"}, evidence({"entry": "limit"}))
    value = proposals.view(desk, row)
    change = {"key": "entry", "old": "market", "value": "limit", "low": None, "high": None, "unit": ""}
    assert value["diff"]["changes"] == [{**change, "choices": ["market", "limit"]}]
    assert (row.direction, value["exposure"]["keys"]) == ("neutral", {"entry": "neutral"})
    with pytest.raises(Refused, match="only a change that tightens"):
        _create(desk, home, {"entry": "limit"}, evidence({"entry": "limit"}), apply_to_open=True)


def test_a_parameter_younger_than_the_stored_sleeve_is_no_change(sqlite: Engine, two_sleeves: DeskConfig, home: Path) -> None:
    """A desk stored before trend had `entry` trades at the market: a proposal and a rollback show what they change, no more."""
    btc = two_sleeves.sleeve("btc")
    older = btc.model_copy(update={"params": {k: v for k, v in btc.params.items() if k != "entry"}})
    write_first(sqlite, two_sleeves.with_sleeve(older), NOW, "test")
    made = draft(sqlite, home, "btc", {"leverage_max": 2.0})
    assert [c["key"] for c in made.changes] == ["leverage_max"]
    assert (made.direction.label, made.direction.keys) == ("tightens", {"leverage_max": "tightens"})
    changed = draft(sqlite, home, "btc", {"entry": "limit"})
    assert [(c["old"], c["value"]) for c in changed.changes] == [("market", "limit")]
    apart = proposals.desk_diff(two_sleeves.with_sleeve(changed.new), two_sleeves.with_sleeve(older), home)
    _, found, label, _ = proposals.merged(apart, whole=True)
    assert ([(c["key"], c["old"], c["value"]) for c in found], label) == ([("btc.entry", "limit", "market")], "neutral")


def test_hard_limits_of_desk_toml_stand_above_the_bounds(desk: Engine, home: Path, evidence: Evidence) -> None:
    """Within the strategy's bounds, above the desk's own limit."""
    (home / "desk.toml").write_text("[limits]\nleverage_max = 2.0\nrisk_frac_max = 0.005\n")
    for changes in ({"leverage_max": 2.5}, {"risk_max_frac": 0.01}):
        with pytest.raises(Refused, match="hard limit"):
            _create(desk, home, changes, evidence(changes))
    assert _create(desk, home, {"leverage_max": 1.5}, evidence({"leverage_max": 1.5})).state == "pending"
    (home / "desk.toml").write_text("[limits]\nleverage_max = []\n")
    with pytest.raises(BadInput, match="hard limits"):
        _create(desk, home, {"leverage_max": 1.2}, [])


def test_unknown_sleeves_are_told(desk: Engine, home: Path) -> None:
    """With the list of those there are."""
    with pytest.raises(BadInput, match=r"no sleeve 'doge' - available: btc, sol"):
        _create(desk, home, {"stop_atr": 3}, [], sleeve="doge")


def test_evidence_is_demanded_and_held_against_the_change(desk: Engine, home: Path, evidence: Evidence) -> None:
    """Missing, of another configuration, on other data, with other code, or of a run that is not there: refused."""
    good = evidence({"stop_atr": 3.0})
    for bad, words in [
        ([], "base run is missing"),
        (good[:1], "changed run is missing"),
        ([*good, good[1]], "changed run is missing"),
        ([good[0], {"role": "changed", "run_id": "r-20231114-ffffffff"}], "no run r-20231114-ffffffff"),
        ([good[0], {"role": "changed", "run_id": "../../etc"}], "is not a valid run id"),
        ([good[0], {"role": "changed", "run_id": good[0]["run_id"]}], "its stop_atr differs"),
        ([{"role": "base", "run_id": good[1]["run_id"]}, good[1]], "its stop_atr differs"),
    ]:
        with pytest.raises((Refused, BadInput), match=words):
            _create(desk, home, {"stop_atr": 3.0}, bad)
    for off, words in [
        ({"data": {"sha256": "other"}}, "differ in data"),
        ({"code_hash": "other"}, "differ in code_hash"),
        ({"sleeves": []}, "it ran 0 sleeves"),
        ({"sleeves": [{"strategy": "trend", "symbol": "ETH-USDT", "params": {}}]}, "it ran trend on ETH-USDT"),
    ]:
        with pytest.raises(Refused, match=words):
            _create(desk, home, {"stop_atr": 3.0}, evidence({"stop_atr": 3.0}, **off))


def test_a_pause_needs_no_evidence_and_going_on_does(desk: Engine, home: Path, two_sleeves: DeskConfig) -> None:
    """Tightening is easy; loosening is shown first."""
    row = _create(desk, home, {"paused": True}, [])
    assert (row.kind, row.direction) == ("pause", "tightens")
    with pytest.raises(Refused, match="base run is missing"):
        _create(desk, home, {"paused": True, "stop_atr": 3.0}, [])
    with database.write(desk) as session:
        for table in ("active", "active_sleeves", "config_versions", "sleeve_versions"):
            session.connection().execute(text(f"DELETE FROM {table}"))
    write_first(desk, two_sleeves.with_sleeve(two_sleeves.sleeve("btc").model_copy(update={"paused": True})), NOW, "test")
    with pytest.raises(Refused, match="base run is missing"):
        _create(desk, home, {"paused": False}, [])


def test_only_tightening_reaches_open_positions(desk: Engine, home: Path, evidence: Evidence) -> None:
    """apply_to_open is part of the approved diff, and refused for anything else."""
    with pytest.raises(Refused, match="only a change that tightens"):
        _create(desk, home, {"stop_atr": 3.0}, evidence({"stop_atr": 3.0}), apply_to_open=True)
    changes = {"leverage_max": 2.0}
    plain = _create(desk, home, changes, evidence(changes))
    reaching = _create(desk, home, changes, evidence(changes), apply_to_open=True)
    assert json.loads(reaching.diff)["apply_to_open"] is True
    assert plain.diff_sha256 != reaching.diff_sha256


def test_a_newer_proposal_of_a_sleeve_supersedes_the_older(desk: Engine, home: Path, evidence: Evidence) -> None:
    """One waits for each sleeve; other sleeves' stay."""
    first = _create(desk, home, {"stop_atr": 3.0}, evidence({"stop_atr": 3.0}))
    other = _create(desk, home, {"paused": True}, [], sleeve="sol")
    second = _create(desk, home, {"stop_atr": 4.0}, evidence({"stop_atr": 4.0}), now_ms=NOW + 1)
    states = {row.id: row.state for row in proposals.list_proposals(desk, NOW + 2)}
    assert states == {first.id: "superseded", other.id: "pending", second.id: "pending"}
    assert [row.id for row in proposals.list_proposals(desk, NOW + 2)] == ["prop-3", "prop-2", "prop-1"]


def test_time_runs_out_at_the_millisecond(desk: Engine, home: Path) -> None:
    """Pending until the last millisecond, expired from then on."""
    row = _create(desk, home, {"paused": True}, [], expires_in_ms=1000)
    assert proposals.list_proposals(desk, NOW + 999)[0].state == "pending"
    assert proposals.expire_due(desk, NOW + 1000) == 1
    assert proposals.get(desk, row.id).state == "expired"


def test_ids_are_found_short_and_long(desk: Engine, home: Path) -> None:
    """`prop-1` and `1` are the same; others are told."""
    _create(desk, home, {"paused": True}, [])
    assert proposals.get(desk, "1").id == proposals.get(desk, " prop-1 ").id == "prop-1"
    with pytest.raises(BadInput, match="no proposal 'prop-9'"):
        proposals.get(desk, "prop-9")


def test_a_draft_can_be_had_before_the_evidence_runs(desk: Engine, home: Path) -> None:
    """The tools learn the changed parameters, the direction and every refusal without storing anything."""
    made = draft(desk, home, "btc", {"stop_atr": "3"})
    assert made.new.params == {**made.old.params, "stop_atr": 3.0}
    assert made.direction.label == "loosens"
    assert proposals.list_proposals(desk, NOW) == []


def test_a_version_changed_in_the_database_is_noticed(desk: Engine, home: Path) -> None:
    """Versions are immutable: a body that does not fit its hash is not run."""
    with database.write(desk) as session:
        row = session.get(SleeveVersion, ("btc", 1))
        row.body = row.body.replace('"leverage_max":3.0', '"leverage_max":9.0')
    with pytest.raises(DataError, match="was changed in the database"):
        active(desk, home)


def test_unknown_versions_are_told(desk: Engine, home: Path) -> None:
    """With the last one there is."""
    with pytest.raises(BadInput, match="no configuration version 7 - the latest is 1"):
        version_of(desk, 7, home)

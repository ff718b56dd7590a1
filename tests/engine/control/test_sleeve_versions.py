"""A version a sleeve: cards live side by side, a proposal of several sleeves is applied all or none, a rollback restores one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select, update

from engine.control import apply as applying
from engine.control import proposals, rollbacks
from engine.control.apply import apply
from engine.control.config import DeskConfig, active, version_of, versions
from engine.errors import BadInput, DataError, Refused
from engine.store import db
from engine.store.tables import ActiveSleeve, Proposal, ProposalPart, SleeveVersion
from tests.fakes.versions import put_in_force

NOW = 1_700_000_000_000
ANN = {"name": "ann"}
WHO = {"role": "operator", "thread": "", "person": "ann"}
Changes = dict[str, dict[str, Any]]


@pytest.fixture(autouse=True)
def no_evidence_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evidence has tests of its own; here it would only cost time."""
    monkeypatch.setattr(proposals, "check_evidence", lambda *_args: None)


def spanning(engine: Engine, home: Path, changes: Changes, **more: Any) -> Proposal:
    """A pending proposal of these sleeves."""
    more = {"rationale": "together", "evidence": {}, "requester": WHO, "now_ms": NOW, **more}
    return proposals.create_spanning(engine, home, changes=changes, **more)


def approve(engine: Engine, home: Path, row: Proposal) -> applying.Applied:
    """Ann approves exactly what was shown."""
    return apply(engine, home, row.id, row.diff_sha256, ANN, NOW)


BOTH: Changes = {"sol": {"stop_atr": 3.0}, "btc": {"leverage_max": 2.0}}


def test_a_proposal_of_two_sleeves_holds_a_version_and_a_diff_for_each(desk: Engine, home: Path) -> None:
    """Its changes carry their sleeve, the worse direction wins, the parts have each sleeve's own."""
    put_in_force(desk, home, active(desk, home).config.model_copy(), NOW)
    row = spanning(desk, home, BOTH)
    assert (row.sleeve, row.direction, row.base_version) == ("btc, sol", "loosens", 2)
    value = proposals.view(desk, row)
    assert [c["key"] for c in value["diff"]["changes"]] == ["btc.leverage_max", "sol.stop_atr"]
    assert value["diff"]["from_versions"] == {"btc": 1, "sol": 1}
    shown = [(p["sleeve"], p["from_version"], p["to_version"], [c["key"] for c in p["changes"]]) for p in value["parts"]]
    assert shown == [("btc", 1, None, ["leverage_max"]), ("sol", 1, None, ["stop_atr"])]
    assert set(value["exposure"]["sleeves"]) == {"btc", "sol"}
    assert value["exposure"]["keys"] == {"btc.leverage_max": "tightens", "sol.stop_atr": "loosens"}


def test_all_of_it_is_applied_as_one_version_of_the_desk(desk: Engine, home: Path) -> None:
    """One desk version, a new version of each sleeve, both named by the proposal."""
    row = spanning(desk, home, BOTH)
    assert approve(desk, home, row) == applying.Applied(row.id, 2, {"btc": 2, "sol": 2})
    now = active(desk, home)
    assert (now.config.sleeve("btc").params["leverage_max"], now.config.sleeve("sol").params["stop_atr"]) == (2.0, 3.0)
    assert [p["to_version"] for p in proposals.view(desk, proposals.get(desk, row.id))["parts"]] == [2, 2]
    with db.read(desk) as session:
        made = session.exec(select(SleeveVersion).where(SleeveVersion.version == 2)).all()
        assert {(r.sleeve, r.proposal_id) for r in made} == {("btc", row.id), ("sol", row.id)}


@pytest.mark.parametrize("fault", ["second sleeve", "desk version", "pointer"])
def test_a_fault_between_the_writes_leaves_nothing(desk: Engine, home: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    """The first sleeve is written and its pointer moved when it happens: all is as before, and the card still waits."""
    row, before = spanning(desk, home, BOTH), active(desk, home)

    def on(place: str, real: Callable[..., Any], reached: Callable[..., bool]) -> None:
        def call(*args: Any, **kwargs: Any) -> Any:
            if reached(*args):
                raise RuntimeError("power cut")
            return real(*args, **kwargs)

        monkeypatch.setattr(applying, place, call)

    if fault == "second sleeve":
        on("_move_sleeve", applying._move_sleeve, lambda _session, part, *_rest: part.sleeve == "sol")
    elif fault == "desk version":
        on("desk_row", applying.desk_row, lambda *_args: True)
    else:
        on("Applied", applying.Applied, lambda *_args: True)
    with pytest.raises(RuntimeError, match="power cut"):
        approve(desk, home, row)
    assert active(desk, home) == before
    assert len(versions(desk)) == 1
    with db.read(desk) as session:
        assert {r.version for r in session.exec(select(SleeveVersion)).all()} == {1}
        assert {r.version for r in session.exec(select(ActiveSleeve)).all()} == {1}
    assert proposals.get(desk, row.id).state == "pending"
    monkeypatch.undo()
    monkeypatch.setattr(proposals, "check_evidence", lambda *_args: None)
    assert approve(desk, home, row).sleeves == {"btc": 2, "sol": 2}


@pytest.mark.parametrize("moved", ["btc", "sol"])
def test_it_is_stale_when_any_of_its_sleeves_moved(desk: Engine, home: Path, moved: str) -> None:
    """Either one: none of it is applied, and the reason names the sleeve."""
    row = spanning(desk, home, BOTH)
    config = active(desk, home).config
    put_in_force(desk, home, config.with_sleeve(config.sleeve(moved).model_copy(update={"paused": True})), NOW)
    with pytest.raises(Refused, match=f"made for version 1 of {moved}, version 2 is in force"):
        approve(desk, home, row)
    assert proposals.get(desk, row.id).state == "stale"
    assert active(desk, home).version == 2


@pytest.mark.parametrize("moved", ["btc", "sol"])
def test_the_claim_alone_sees_any_sleeve_that_moved(
    desk: Engine, home: Path, monkeypatch: pytest.MonkeyPatch, moved: str
) -> None:
    """Without the checks before it, the WHERE of the claim refuses."""
    monkeypatch.setattr(applying, "_check_applicable", lambda *_args: None)
    row = spanning(desk, home, BOTH)
    config = active(desk, home).config
    put_in_force(desk, home, config.with_sleeve(config.sleeve(moved).model_copy(update={"paused": True})), NOW)
    with pytest.raises(Refused, match="another decision was made concurrently"):
        approve(desk, home, row)
    assert active(desk, home).version == 2


def test_a_pointer_that_moves_after_the_claim_takes_back_everything(
    desk: Engine, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The compare-and-set of the second sleeve fails: the first one's move is undone with it."""
    row, real = spanning(desk, home, BOTH), applying._move_sleeve

    def moves_another(session: Any, part: ProposalPart, *rest: Any) -> int:
        if part.sleeve == "sol":
            text = session.get(SleeveVersion, ("sol", 1))
            session.add(SleeveVersion(sleeve="sol", version=7, sha256=text.sha256, body=text.body, created_ms=NOW))
            session.flush()
            session.exec(update(ActiveSleeve).where(col(ActiveSleeve.sleeve) == "sol").values(version=7))
        return real(session, part, *rest)

    monkeypatch.setattr(applying, "_move_sleeve", moves_another)
    with pytest.raises(Refused, match="another approval moved sol concurrently"):
        approve(desk, home, row)
    assert active(desk, home).sleeves == {"btc": 1, "sol": 1}
    assert len(versions(desk)) == 1


def test_one_that_waits_a_sleeve_also_when_it_spans(desk: Engine, home: Path) -> None:
    """A newer proposal supersedes whatever waits for any of its sleeves; the database holds the rule too."""
    both = spanning(desk, home, BOTH)
    one = spanning(desk, home, {"sol": {"paused": True}})
    assert proposals.get(desk, both.id).state == "superseded"
    other = spanning(desk, home, {"btc": {"paused": True}})
    assert [proposals.get(desk, r.id).state for r in (one, other)] == ["pending", "pending"]
    again = spanning(desk, home, BOTH)
    assert [proposals.get(desk, r.id).state for r in (one, other)] == ["superseded", "superseded"]
    with pytest.raises(IntegrityError), db.write(desk) as session:
        session.exec(update(ProposalPart).where(col(ProposalPart.proposal_id) == one.id).values(pending=True))
    assert proposals.get(desk, again.id).state == "pending"


def test_several_sleeves_are_named_once_and_known(desk: Engine, home: Path) -> None:
    """None at all and an unknown one are refused, without a row."""
    for changes, words in [({}, "no sleeve is named"), ({"doge": {"paused": True}}, "no sleeve 'doge'")]:
        with pytest.raises(BadInput, match=words):
            spanning(desk, home, changes)
    assert proposals.list_proposals(desk, NOW) == []


def test_pausing_all_is_one_card_without_evidence(desk: Engine, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause of several sleeves tightens, and needs no run."""
    monkeypatch.undo()
    row = spanning(desk, home, {"btc": {"paused": True}, "sol": {"paused": True}})
    assert (row.kind, row.direction) == ("pause", "tightens")
    with pytest.raises(Refused, match="base run is missing"):
        spanning(desk, home, {"btc": {"paused": True}, "sol": {"stop_atr": 3.0}})


# ---- rollback ------------------------------------------------------------------------------------------------------------


def moved_twice(engine: Engine, home: Path) -> None:
    """btc to version 3 by way of 2, sol to 2: desk version 4."""
    for sleeve, changes in (("btc", {"stop_atr": 3.0}), ("sol", {"leverage_max": 2.0}), ("btc", {"stop_atr": 4.0})):
        approve(engine, home, spanning(engine, home, {sleeve: changes}))


def back(engine: Engine, home: Path, back_to: int | dict[str, int]) -> Proposal:
    """A pending rollback."""
    return rollbacks.create_rollback(engine, home, back_to, requester=WHO, now_ms=NOW)


def test_a_rollback_of_one_sleeve_leaves_the_others_where_they_are(desk: Engine, home: Path) -> None:
    """A new version of the sleeve with the old text; the other's stays, and its card too."""
    moved_twice(desk, home)
    card = spanning(desk, home, {"sol": {"paused": True}})
    row = back(desk, home, {"btc": 1})
    assert (row.sleeve, row.kind, row.rollback_of) == ("btc", "rollback", None)
    assert [(c["key"], c["old"], c["value"]) for c in json.loads(row.diff)["changes"]] == [("stop_atr", 4.0, 2.0)]
    assert approve(desk, home, row) == applying.Applied(row.id, 5, {"btc": 4})
    now = active(desk, home)
    assert (now.sleeves, now.bodies["btc"]) == ({"btc": 4, "sol": 2}, version_of(desk, 1, home).bodies["btc"])
    with db.read(desk) as session:
        assert session.get(SleeveVersion, ("btc", 4)).rollback_of == 1
    assert approve(desk, home, card).sleeves == {"sol": 3}


def test_a_rollback_of_the_whole_desk_restores_what_differs(desk: Engine, home: Path) -> None:
    """Desk version 2 had btc at 2 and sol at 1: both move, and the new version has the old digest."""
    moved_twice(desk, home)
    row = back(desk, home, 2)
    assert (row.sleeve, row.rollback_of) == ("*", 2)
    assert json.loads(row.diff)["back_to"] == {"btc": 2, "sol": 1}
    assert approve(desk, home, row) == applying.Applied(row.id, 5, {"btc": 4, "sol": 3})
    assert active(desk, home).sha256 == version_of(desk, 2, home).sha256


def test_a_rollback_of_the_whole_desk_names_the_sleeve_of_its_one_change(desk: Engine, home: Path) -> None:
    """A card of the whole desk says which sleeve a parameter belongs to, also when only one moves."""
    approve(desk, home, spanning(desk, home, {"btc": {"stop_atr": 3.0}}))
    row = back(desk, home, 1)
    assert [c["key"] for c in json.loads(row.diff)["changes"]] == ["btc.stop_atr"]
    assert approve(desk, home, row).sleeves == {"btc": 3}


def test_rollbacks_that_lead_nowhere_are_refused(desk: Engine, home: Path) -> None:
    """An unknown sleeve or version, and one that equals what is in force."""
    moved_twice(desk, home)
    for back_to, words in [
        ({"doge": 1}, "no sleeve 'doge'"),
        ({"btc": 9}, "sleeve btc has no version 9 - its latest is 3"),
        ({"btc": 3}, "already equals btc version 3"),
        (4, "already equals version 4"),
        (9, "no configuration version 9"),
    ]:
        with pytest.raises((BadInput, Refused), match=words):
            back(desk, home, back_to)


def test_a_rollback_is_stale_when_another_sleeve_moved_since(desk: Engine, home: Path) -> None:
    """A card of the whole desk that restores btc alone no longer restores the desk once sol has moved."""
    approve(desk, home, spanning(desk, home, {"btc": {"stop_atr": 3.0}}))
    row = back(desk, home, 1)
    config = active(desk, home).config
    put_in_force(desk, home, config.with_sleeve(config.sleeve("sol").model_copy(update={"paused": True})), NOW)
    with pytest.raises(Refused, match="a sleeve moved since: it would not restore version 1"):
        approve(desk, home, row)


def test_a_changed_text_of_an_old_sleeve_version_is_not_restored(desk: Engine, home: Path) -> None:
    """Sleeve versions are immutable: one that does not fit its digest is no goal of a rollback."""
    moved_twice(desk, home)
    with db.write(desk) as session:
        row = session.get(SleeveVersion, ("btc", 2))
        row.body = row.body.replace('"stop_atr":3.0', '"stop_atr":9.0')
    with pytest.raises(DataError, match="version 2 of btc was changed in the database"):
        back(desk, home, {"btc": 2})


# ---- version 1 -----------------------------------------------------------------------------------------------------------

TOML = """
[[sleeves]]
name = "btc"
strategy = "trend"
venue = "synthetic"
symbol = "BTC-USDT"

[[sleeves]]
name = "sol"
strategy = "reversion"
venue = "synthetic"
symbol = "SOL-USDT"
"""


def test_the_first_approval_writes_version_1_and_its_own(db: Engine, home: Path, two_sleeves: DeskConfig) -> None:
    """Until then the file is read as it is, and a card shows it as version 1."""
    (home / "desk.toml").write_text(TOML)
    assert active(db, home)[:3] == (1, two_sleeves, {"btc": 1, "sol": 1})
    row = spanning(db, home, {"btc": {"paused": True}})
    assert (row.base_version, proposals.view(db, row)["parts"][0]["from_version"], versions(db)) == (1, 1, [])
    assert approve(db, home, row) == applying.Applied(row.id, 2, {"btc": 2})
    assert [(v.version, json.loads(v.made_by)["name"], v.reason) for v in versions(db)] == [
        (1, "desk.toml", "desk.toml at the first approval"),
        (2, "ann", "together"),
    ]
    assert version_of(db, 1, home).config == two_sleeves


def test_an_approval_that_is_refused_writes_no_version_1(db: Engine, home: Path) -> None:
    """The refusal takes it back: desk.toml may still be edited."""
    (home / "desk.toml").write_text(TOML)
    row = spanning(db, home, {"btc": {"paused": True}})
    with pytest.raises(Refused, match="not what was shown"):
        apply(db, home, row.id, "0" * 64, ANN, NOW)
    assert versions(db) == []


def test_a_card_is_stale_when_its_sleeve_was_edited_in_desk_toml(db: Engine, home: Path) -> None:
    """The number is still 1, the text is another; an edit of the other sleeve is none of its business."""
    (home / "desk.toml").write_text(TOML)
    one, other = spanning(db, home, {"btc": {"paused": True}}), spanning(db, home, {"sol": {"paused": True}})
    (home / "desk.toml").write_text(TOML.replace('symbol = "BTC-USDT"', 'symbol = "BTC-USDT"\nparams = { stop_atr = 5.0 }'))
    with pytest.raises(Refused, match=r"btc was changed in desk\.toml after it was proposed"):
        approve(db, home, one)
    assert approve(db, home, other).sleeves == {"sol": 2}
    assert active(db, home).config.sleeve("btc").params["stop_atr"] == 5.0


# ---- stages --------------------------------------------------------------------------------------------------------------


def test_a_stage_is_changed_by_a_proposal_and_needs_no_run_on_the_way_out(
    desk: Engine, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retiring tightens and is one line of the diff; coming back loosens and has to be shown."""
    monkeypatch.undo()
    row = spanning(desk, home, {"btc": {"stage": "retired"}})
    assert (row.direction, json.loads(row.exposure)["after"]["risk_frac"]) == ("tightens", 0.0)
    assert [(c["key"], c["old"], c["value"]) for c in json.loads(row.diff)["changes"]] == [("stage", "paper", "retired")]
    approve(desk, home, row)
    assert active(desk, home).config.sleeve("btc").stage == "retired"
    with pytest.raises(Refused, match="base run is missing"):
        spanning(desk, home, {"btc": {"stage": "paper"}})
    with pytest.raises(BadInput, match="stage = 'moon' is not a valid stage - available: draft, paper, paper_live, shadow"):
        spanning(desk, home, {"btc": {"stage": "moon"}})


@pytest.mark.parametrize("stage", ["shadow", "live_small", "live"])
def test_a_step_towards_money_is_refused_where_nobody_looked_at_its_evidence(desk: Engine, home: Path, stage: str) -> None:
    """It can be proposed, as a loosening; put in force by itself it is refused in one line."""
    row = spanning(desk, home, {"btc": {"stage": stage}})
    assert row.direction == "loosens"
    with pytest.raises(Refused, match=f"does not come to {stage} without evidence") as caught:
        approve(desk, home, row)
    assert "\n" not in str(caught.value)
    assert (active(desk, home).version, proposals.get(desk, row.id).state) == (1, "pending")

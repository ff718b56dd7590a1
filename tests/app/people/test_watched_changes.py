"""Each kind of applied change is watched at its own size: what the card says of a breach is done, of that sleeve alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.home.home import Home, open_home
from app.people import approvals, canaries
from app.people.identity import add_person
from app.processes.canary_watch import CanaryWatch
from app.views.proposal_card import rollback_card
from engine.control import proposals
from engine.control.canary import WATCHED, CanaryPlan, default_plan, watch_rows
from engine.control.canary import canaries as all_canaries
from engine.control.code_changes import code_in_force
from engine.control.config import SleeveConfig, active
from engine.errors import Refused
from engine.store.tables import Proposal
from engine.watch.canaries import states
from tests.app.people.test_canaries import paged, watch
from tests.fakes.tried_changes import ANN, NOW, SLEEVE, TriedDesk, evidence, frames, proposed, spanning, the_canary

ETH = "eth-trend"
WHOLE = CanaryPlan(1.0, 4, None, shortens=True)
LOST = 9_400.0  # 6 %: above two of the evidence's falls of 2 %, and a half


@pytest.fixture
def home(own_home: Path) -> Home:
    """A new synthetic desk."""
    return open_home(NOW)


def now_of(home: Home, sleeve: str = SLEEVE) -> SleeveConfig:
    """A sleeve as it is in force."""
    return active(home.engine, home.path).config.sleeve(sleeve)


def said(home: Home, row: Proposal) -> dict[str, str]:
    """What the card says of the watch."""
    return dict(watch_rows(json.loads(row.diff), proposals.view(home.engine, row)["parts"]))


def apply(home: Home, row: Proposal, at_ms: int = NOW + 1) -> int:
    """ann approves; the sleeve's new version."""
    return approvals.approve(home, row.id, row.diff_sha256, ANN, at_ms).sleeves[SLEEVE]


def one_of(home: Home, changes: dict[str, Any], runs: list[dict[str, Any]], **more: Any) -> Proposal:
    """A pending card of the sleeve with this evidence."""
    who = {"role": "person", "thread": "", "person": "ann"}
    given: dict[str, Any] = {"sleeve": SLEEVE, "changes": changes, "evidence": runs, "rationale": "", "requester": who}
    return proposals.create(home.engine, home.path, **given, now_ms=NOW, canary=WHOLE, **more)


@pytest.mark.parametrize(
    ("changes", "back", "after"),
    [
        ({"leverage_max": 4.0}, True, (3.0, False)),  # going back tightens
        ({"leverage_max": 2.0}, False, (2.0, True)),  # going back would loosen
        ({"fast_bars": 30}, False, (3.0, True)),  # no code knows
    ],
)
def test_parameters_at_their_own_size(home: Home, changes: dict[str, Any], back: bool, after: tuple[float, bool]) -> None:
    """The size is not touched, the card says what is watched and what follows, and a planted breach does that."""
    row = proposed(home, changes, WHOLE)
    card = said(home, row)
    assert card["watched"] == "until 4 trips are over, against run r-20231114-00000001"
    assert card["breach: drawdown"] == "above 5.94 % of the sleeve's equity (evidence 2.00 % at the whole size)"
    assert card["on a breach"] == (
        "goes back by itself to version 1" if back else "is paused, and a person decides: going back would loosen"
    )
    TriedDesk(home, apply(home, row)).closes(2).closes(1, equity=LOST)
    (done,) = watch(home).look()
    sleeve = now_of(home)
    assert (sleeve.params["leverage_max"], sleeve.paused, sleeve.size_part) == (*after, None)
    assert done.found["breach"] == [["drawdown", "6.00 %, above 5.94 %"]]
    assert ("went back to version 1 by prop-2" if back else "paused by prop-2") in paged(home)[0]


def test_a_hair_below_every_breach_nothing_is_done(home: Home) -> None:
    """And over, it proposes nothing, for nothing is to be raised, and is shown no longer."""
    desk = TriedDesk(home, apply(home, proposed(home, {"leverage_max": 4.0}, WHOLE)))
    desk.closes(1, equity=9_410.0)
    assert watch(home).look() == []
    for _ in range(4):
        desk.trip()
    (done,) = watch(home).look()
    assert (done.state, now_of(home).params["leverage_max"]) == ("over", 4.0)
    assert states([the_canary(home)], home.path) == {}
    assert [row.id for row in proposals.list_proposals(home.engine, NOW)] == ["prop-1"]
    assert watch(home).look() == []


def test_of_several_sleeves_each_is_taken_back_by_itself(home: Home) -> None:
    """One card, two terms: the sleeve that is breached goes back, the other trades on and is watched on."""
    row = spanning(home, {SLEEVE: {"leverage_max": 4.0}, ETH: {"leverage_max": 4.0}}, WHOLE)
    card = said(home, row)
    assert card[f"{ETH}: on a breach"] == "goes back by itself to version 1"
    assert card["each by itself"] == "a breach of one sleeve takes back that one; the others go on"
    apply(home, row)
    btc, eth = TriedDesk(home), TriedDesk(home, sleeve=ETH)
    for desk, equity in ((btc, 10_000.0), (eth, LOST)):
        desk.closes(1)
        other = {ETH if desk is btc else SLEEVE: {"equity": 10_000.0, "version": 2, "trips": 0}}
        desk.append("mark", {"sleeves": {desk.sleeve: {"equity": equity, "version": 2, "trips": 0}} | other, "version": 2})
    (done,) = watch(home).look()
    assert (done.sleeve, done.key, done.state) == (ETH, "prop-1 eth-trend", "breached")
    assert (now_of(home, ETH).params["leverage_max"], now_of(home).params["leverage_max"]) == (3.0, 4.0)
    assert (the_canary(home).state, the_canary(home, ETH).found["version"]) == ("running", 3)
    assert "on eth-trend is breached" in paged(home)[0]
    assert len(paged(home)) == 1
    assert watch(home).look() == []


def test_a_sleeve_without_enough_evidence_says_so_on_the_card(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default nothing is refused for it; asked for by a person it is."""
    few = frames()
    few["trips"] = few["trips"].head(5)
    monkeypatch.setattr("tests.fakes.tried_changes.frames", lambda: few)
    row = proposed(home, {"leverage_max": 4.0}, default_plan(WATCHED))
    assert "5 closed round trips, too few" in said(home, row)["not watched"]
    apply(home, row)
    assert watch(home).look() == []
    with pytest.raises(Refused, match="too few"):
        proposed(home, {"leverage_max": 2.0}, CanaryPlan(1.0, 10, None))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"paused": True}, "it enters nothing from then on"),
        ({"stage": "retired"}, "it enters nothing from then on"),
        ({"size_part": 0.5}, "it only takes away size or a stage"),
    ],
)
def test_what_only_takes_away_has_nothing_to_watch(home: Home, changes: dict[str, Any], why: str) -> None:
    """The card says why."""
    assert said(home, one_of(home, changes, [])) == {"not watched": why}


def test_a_resumed_sleeve_is_paused_again(home: Home) -> None:
    """A resume is a change as any: going back is the pause."""
    pause = one_of(home, {"paused": True}, [])
    apply(home, pause)
    row = one_of(home, {"paused": False}, evidence(home, {}))
    assert said(home, row)["on a breach"] == "is paused, and a person decides: it was paused before"
    TriedDesk(home, apply(home, row, NOW + 2)).closes(2).closes(1, equity=LOST)
    watch(home).look()
    assert now_of(home).paused


def test_a_larger_size_goes_back_to_the_smaller_part(home: Home) -> None:
    """Which tightens; everything else stays."""
    apply(home, one_of(home, {"size_part": 0.5}, []))
    row = one_of(home, {"size_part": 1}, [{"role": "in force", "run_id": evidence(home, {})[0]["run_id"]}])
    assert said(home, row)["on a breach"] == "goes back by itself to version 2"
    TriedDesk(home, apply(home, row, NOW + 2)).closes(2).closes(1, equity=LOST)
    watch(home).look()
    assert (now_of(home).size_part, now_of(home).paused) == (0.5, False)


def test_a_stage_goes_back_a_step(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearer to money is a loosening: a breach takes it back at once, without a person."""
    monkeypatch.setattr("app.people.approvals.require_evidence", lambda *_: None)  # what a step takes is another test's
    monkeypatch.setattr("app.people.approvals.prove_person", lambda *_: None)
    monkeypatch.setattr("app.people.approvals.permit", lambda *_, **__: None)
    add_person(home.path, "ann")
    row = one_of(home, {"stage": "paper_live"}, [{"role": "in force", "run_id": evidence(home, {})[0]["run_id"]}])
    assert said(home, row)["on a breach"] == "goes back by itself to version 1"
    TriedDesk(home, apply(home, row)).closes(2).closes(1, equity=LOST)
    watch(home).look()
    assert now_of(home).stage == "paper"


def test_an_open_position_that_takes_the_change_is_not_a_round_trip_of_it(home: Home) -> None:
    """Its exit closes what was entered before; the next round trip is the first."""
    row = one_of(home, {"leverage_max": 2.0}, evidence(home, {"leverage_max": 2.0}), apply_to_open=True)
    number = apply(home, row)
    desk = TriedDesk(home, 1)
    desk.closes(1, position={"lots": 100, "side": "long"})
    desk.append("config", {"sleeve": SLEEVE, "version": number, "state": "governs"})
    desk.version = number
    fill = {"sleeve": SLEEVE, "price": 90.0, "reference_price": 100.0}
    desk.append("fill", {**fill, "slot": "entry", "side": "buy", "lots": 50})  # a layer is added to it
    desk.append("fill", {**fill, "slot": "protective", "side": "sell", "lots": 150})
    desk.closes(1)
    looking = watch(home)
    looking.look()
    assert json.loads((home.path / "canaries.json").read_text())["prop-1"]["trips"] == 0
    desk.trip()
    looking.look()
    done = json.loads((home.path / "canaries.json").read_text())["prop-1"]
    assert (done["trips"], the_canary(home).state) == (1, "running")


def test_a_change_that_governs_in_the_bar_in_which_its_sleeve_became_flat_is_followed(home: Home) -> None:
    """The mark before still has the position; the exit is between it and the version that waited for it."""
    number = apply(home, proposed(home, {"leverage_max": 4.0}, WHOLE))
    desk = TriedDesk(home, 1)
    desk.closes(1, position={"lots": 100, "side": "short"})
    fill = {"sleeve": SLEEVE, "price": 100.0, "reference_price": 100.0, "slot": "protective", "side": "buy", "lots": 100}
    desk.append("fill", fill)
    desk.append("config", {"sleeve": SLEEVE, "version": number, "state": "governs"})
    desk.version = number
    for _ in range(2):
        desk.trip()
    watch(home).look()
    done = json.loads((home.path / "canaries.json").read_text())["prop-1"]
    assert (done["trips"], done["day_entries"], the_canary(home).state) == (2, 2, "running")


def test_a_person_ends_a_watch_early(home: Home) -> None:
    """Nothing takes the change back from then on, and no size is proposed."""
    desk = TriedDesk(home, apply(home, proposed(home, {"leverage_max": 4.0}, WHOLE)))
    desk.closes(1)
    assert canaries.ended_by(home, the_canary(home), {}, ANN, NOW + 5) is None
    assert the_canary(home).state == "over"
    desk.closes(1, equity=9_000.0)
    assert CanaryWatch(home, lambda: NOW + 10).look() == []
    with pytest.raises(Refused, match="nothing is to be raised"):
        canaries.ended_by(home, the_canary(home), {}, ANN, NOW + 6)


def test_a_persons_rollback_is_watched_and_a_breach_of_it_pauses(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the newest stored run of what it goes back to; going forth again is not what code does."""
    apply(home, proposed(home, {"leverage_max": 2.0}, None))
    asked: list[tuple[float, str]] = []

    def found(_engine: object, _home: Path, sleeve: SleeveConfig, code: str) -> str:
        asked.append((sleeve.params["leverage_max"], code))
        return evidence(home, {}, place="5")[0]["run_id"]

    monkeypatch.setattr("engine.control.code_changes.run_in_force", found)
    shown = rollback_card(home, approvals.rollback_shown(home, "prop-1", NOW + 5))["rows"]
    card = {row["label"]: row["cells"][0] for row in shown}
    assert card["watched"] == "until 10 trips are over, against run r-20231114-50000000"
    assert card["on a breach"] == "is paused, and a person decides: it was a way back itself"
    done = approvals.rollback(home, "prop-1", ANN, NOW + 5)
    assert asked[-1] == (3.0, code_in_force(home.path, now_of(home)))
    TriedDesk(home, done.sleeves[SLEEVE]).closes(2).closes(1, equity=9_000.0)
    (breached,) = watch(home).look()
    assert (breached.proposal, now_of(home).paused, now_of(home).params["leverage_max"]) == ("prop-2", True, 3.0)


def test_a_rollback_without_a_run_says_that_it_is_not_watched(home: Home) -> None:
    """And is done at once all the same; one of the watch itself has no word of it."""
    apply(home, proposed(home, {"leverage_max": 2.0}, None))
    shown = rollback_card(home, approvals.rollback_shown(home, "prop-1", NOW + 5))["rows"]
    assert {row["label"]: row["cells"][0] for row in shown}["not watched"] == "no stored run has its configuration and code"
    approvals.rollback(home, "prop-1", ANN, NOW + 5)
    assert (now_of(home).params["leverage_max"], [run.state for run in all_canaries(home.engine)]) == (3.0, [])

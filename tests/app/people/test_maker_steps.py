"""A maker's way from paper to money: no step without its ground, the maker before, a person with a passphrase."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.cli import making
from app.home.home import Home, open_home
from app.making.ground import kept_ground, tapes_digest
from app.people import approvals, makers
from app.people.identity import Actor, add_person
from app.processes.maker import planned
from app.views.proposal_card import card
from engine.control import halt, proposals
from engine.control.apply import apply
from engine.control.config import active
from engine.control.makers import step_of
from engine.errors import BadInput, Refused
from engine.l2.checks import tapes_in
from tests.app.making.maker_homes import OPTIONS, at_stage, feasible, maker_before, some_tapes, with_accounts
from tests.engine.l2.test_book import recorded_tape
from tests.fakes.commands import Typed, typed_in
from tests.fakes.papers import WALL_MS

ANN, WORD = Actor("ann", "session", "ann", "cli"), "a long passphrase"


@pytest.fixture
def home(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A desk with makers' accounts, a maker that was on paper, and ann."""
    found = with_accounts(own_home)
    maker_before(found, "paper1")
    monkeypatch.setenv("NIGHTDESK_TOKEN", add_person(found.path, "ann", WORD))
    some_tapes(found.path / "tapes")
    return found


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the tapes are judged as; the last one counts."""
    found = [feasible()]
    monkeypatch.setattr(makers, "ground_of", lambda _path, floor, _tier: found[-1] | {"floor_bps": floor})
    return found


@pytest.fixture
def typed(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """`nightdesk making ARGS`."""
    token = add_person  # the token is in the environment already
    assert token
    return typed_in(making, home.path, monkeypatch, capsys)


def promote(typed: Typed, home: Home, *more: str, name: str = "m1", stage: str = "testnet", account: str = "mm") -> Any:
    """The proposal of a step."""
    after = [] if "--after" in more else ["--after", "paper1"]
    words = [name, stage, "--account", account, *after, "--tapes", str(home.path / "tapes"), "--as", "ann", *more, "--json"]
    code, text, err = typed("promote", *words)
    assert code == 0, (text, err)
    return json.loads(text)


def approve(home: Home, id_: str, word: str | None = WORD) -> Any:
    """Ann approves what she was shown."""
    row = proposals.get(home.engine, id_)
    return approvals.approve(home, row.id, row.diff_sha256, ANN, WALL_MS, word)


def test_a_step_takes_ground_a_person_and_a_passphrase(typed: Typed, home: Home, judged: list[dict[str, Any]]) -> None:
    """With all of it the maker may start by exactly these terms; the desk's own configuration has not moved."""
    del judged
    before = active(home.engine, home.path).version
    found = promote(typed, home, "--size", "0.005")
    assert (found["lacking"], found["direction"]) == ([], "loosens")
    with pytest.raises(
        Refused, match=r"no step of a maker m1 is approved\. It may not leave simulation and paper before 7 recorded days"
    ):
        planned(home, "m1")
    with pytest.raises(Refused, match="a passphrase is needed"):
        approve(home, found["proposal"], None)
    assert step_of(home.engine, "m1").stage == "paper"
    approve(home, found["proposal"])
    step = step_of(home.engine, "m1")
    assert (step.stage, step.terms["account"], step.after) == ("testnet", "mm", "paper1")
    plan = planned(home, "m1")
    assert plan.options == OPTIONS._replace(size=0.005)
    assert (plan.entry.mode, plan.instrument.symbol) == ("testnet", "BTC-USDT")
    assert active(home.engine, home.path).version == before
    rows = {row["label"]: row["cells"] for row in card(home, proposals.get(home.engine, found["proposal"]), WALL_MS)["rows"]}
    assert rows["sleeve"] == ("maker m1",)
    assert "mm: binance BTC-USDT perp" in rows["account"][0]
    assert "maker m1 is at testnet" in rows["runs now"][0]


@pytest.mark.parametrize(
    ("short", "why"),
    [
        ({"days": 6.9}, "6.9 recorded days; at least 7 count"),
        ({"above": 3}, "above the fees .* in 4 of 5 windows"),
        ({"verdict": "no"}, "feasibility says no"),
    ],
)
def test_nothing_leaves_paper_without_the_ground(
    typed: Typed, home: Home, judged: list[dict[str, Any]], short: dict[str, Any], why: str
) -> None:
    """Each condition refuses alone, at the approval, whatever else is there; a role that may approve changes nothing."""
    judged.append(feasible(**short))
    found = promote(typed, home)
    assert len(found["lacking"]) == 1
    with pytest.raises(Refused, match=why):
        approve(home, found["proposal"])
    assert step_of(home.engine, "m1").stage == "paper"


def test_the_ground_is_asked_again_at_every_start(
    typed: Typed, home: Home, judged: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other tapes are refused; other judging code judges anew, and what it says counts."""
    approve(home, promote(typed, home)["proposal"])
    planned(home, "m1")
    monkeypatch.setattr(makers, "judging_code", lambda: "another")
    planned(home, "m1")
    judged.append(feasible(days=1.0))
    with pytest.raises(Refused, match="1 recorded days"):
        planned(home, "m1")
    judged.append(feasible())
    path = next((home.path / "tapes").glob("*_l2.parquet"))
    path.write_bytes(path.read_bytes() + b"0")
    with pytest.raises(Refused, match="are not those that were judged"):
        planned(home, "m1")
    path.rename(home.path / "gone_l2.parquet")
    (home.path / "tapes" / "binance_BTC-USDT_perp_week_trades.parquet").unlink()
    (home.path / "tapes").rmdir()
    with pytest.raises(Refused, match="are gone"):
        planned(home, "m1")


def test_a_lower_fee_does_not_lower_the_floor(typed: Typed, home: Home, judged: list[dict[str, Any]]) -> None:
    """A maker with a rebate of its own is judged by the venue's fee all the same; a dearer one by its own."""
    del judged
    for name, maker_frac, floor in (("rebate", -1e-4, 4.0), ("dear", 5e-4, 10.0)):
        maker_before(home, name, fees_frac={"maker_frac": maker_frac, "taker_frac": 5e-4, "rebate_frac": 0.0})
        found = promote(typed, home, "--after", name, name=f"m{name}")
        diff = json.loads(proposals.get(home.engine, found["proposal"]).diff)
        assert diff["tapes"]["ground"]["floor_bps"] == pytest.approx(floor)


@pytest.mark.parametrize(("maker_frac", "floor"), [(0.0001, 2.0), (0.0003, 6.0), (-0.0001, 0.0)])
def test_the_tier_of_desk_toml_is_the_floor(home: Home, judged: list[dict[str, Any]], maker_frac: float, floor: float) -> None:
    """A maker of a better or a worse tier is judged by that tier, in one place for all; a rebate is no floor below 0."""
    terms = makers.terms_after(home, "testnet", "mm", "paper1", {}, flatten=True)
    terms["fees_frac"] |= {"maker_frac": min(maker_frac, 0.0)}
    toml = home.path / "desk.toml"
    head, key, rest = toml.read_text().rpartition('\n[instruments."binance:BTC-USDT:perp"]\n')
    toml.write_text(f"{head}{key}maker_frac = {maker_frac}\n{rest}")
    assert makers.floor_bps(open_home(WALL_MS), terms) == pytest.approx(floor)
    assert makers.floor_bps(home, terms) == pytest.approx(4.0)
    del judged


@pytest.mark.parametrize("market", ["perp", "spot"])
def test_the_recorded_tapes_refuse(
    home: Home, market_data: Path, market: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Judged for real: too few days, too few windows, a no; nobody can approve it."""
    path = recorded_tape(market_data, market)
    assert tapes_in(path)
    maker_before(home, "recorded", source={"venue": "binance", "symbol": "BTC-USDT", "market": market})
    run = typed_in(making, home.path, monkeypatch, capsys)
    code, text, err = run(
        "promote", "m2", "testnet", "--account", "mm", "--after", "recorded", "--tapes", str(path), "--as", "ann", "--json"
    )
    if market == "spot":
        assert code == 1
        assert "trades perpetuals" in text + err
        return
    found = json.loads(text)
    assert any("recorded days; at least 7 count" in why for why in found["lacking"])
    assert any("feasibility says no" in why for why in found["lacking"])
    with pytest.raises(Refused, match="recorded days"):
        approve(home, found["proposal"])


@pytest.mark.parametrize(
    ("begun", "why"),
    [
        ({"trips": 9}, "9 of 10 round trips"),
        ({"kind": "paper on a recorded tape"}, "wanted is paper, paper on a live book"),
        ({"options": OPTIONS._replace(half_spread_bps=2.0)._asdict()}, ""),
    ],
)
def test_the_maker_before_must_show_it(
    typed: Typed, home: Home, judged: list[dict[str, Any]], begun: dict[str, Any], why: str
) -> None:
    """Too few trips, or another kind of run; its own terms are taken, so that they cannot differ."""
    del judged
    maker_before(home, "before", **begun)
    found = promote(typed, home, "--after", "before")
    assert bool(found["lacking"]) is bool(why)
    assert why in " ".join(found["lacking"])


def test_one_step_after_the_other_and_down_at_once(typed: Typed, home: Home, judged: list[dict[str, Any]]) -> None:
    """live_small takes a maker that was at testnet; no step goes back up to testnet; down takes neither ground nor passphrase."""
    del judged
    found = promote(typed, home, name="big", stage="live_small", account="money")
    assert "was paper on a live book at stage paper: wanted is testnet" in found["lacking"][0]
    maker_before(home, "tested", **at_stage("testnet"))
    found = promote(typed, home, "--after", "tested", name="big", stage="live_small", account="money")
    assert found["lacking"] == []
    approve(home, found["proposal"])
    assert planned(home, "big").entry.mode == "live"
    code, text, err = typed("promote", "big", "testnet", "--account", "mm", "--after", "paper1", "--tapes", "x", "--as", "ann")
    assert code == 1
    down = json.loads(typed("promote", "big", "paper", "--as", "ann", "--json")[1])
    assert down["direction"] == "tightens"
    approve(home, down["proposal"], None)
    assert step_of(home.engine, "big").stage == "paper"
    del text, err


def test_an_account_is_a_makers_alone(typed: Typed, home: Home, judged: list[dict[str, Any]]) -> None:
    """Another account, one of another mode, none: refused in a line before anything is judged."""
    del judged
    for account, why in (("other", "is not a maker's alone"), ("money", "stage testnet takes testnet"), ("nobody", "no account")):
        code, text, err = typed(
            "promote", "m1", "testnet", "--account", account, "--after", "paper1", "--tapes", "t", "--as", "ann"
        )
        assert code == 1
        assert why in text + err


def test_a_halted_desk_starts_none_and_a_halt_outdates_a_step(typed: Typed, home: Home, judged: list[dict[str, Any]]) -> None:
    """The latch is asked first; a step that was proposed before the halt is stale."""
    del judged
    found = promote(typed, home)
    halt.set(home.path, "enough", {"name": "ann"}, WALL_MS * 2, home.engine)
    with pytest.raises(Refused, match="a halt began after it was proposed"):
        approve(home, found["proposal"])
    with pytest.raises(Refused, match="the desk is halted: enough"):
        planned(home, "m1")


def test_a_rollback_is_no_way_back_to_money(typed: Typed, home: Home, judged: list[dict[str, Any]]) -> None:
    """What was taken down comes back by a step alone."""
    del judged
    up = promote(typed, home)
    approve(home, up["proposal"])
    down = json.loads(typed("promote", "m1", "paper", "--as", "ann", "--json")[1])
    approve(home, down["proposal"], None)
    with pytest.raises(BadInput, match="did not change any sleeve"):
        approvals.rollback(home, down["proposal"], ANN, WALL_MS)
    assert step_of(home.engine, "m1").stage == "paper"


def test_what_puts_a_step_in_force_asks_itself_whether_its_evidence_was_looked_at(
    typed: Typed, home: Home, judged: list[dict[str, Any]]
) -> None:
    """Whoever calls it: another maker's or another stage's evidence is none."""
    del judged
    row = proposals.get(home.engine, promote(typed, home)["proposal"])
    for raised in ((), {("maker m2", "testnet")}, {("maker m1", "live")}):
        with pytest.raises(Refused, match="maker m1 does not come to testnet without evidence"):
            apply(home.engine, home.path, row.id, row.diff_sha256, {"name": "ann"}, WALL_MS, raised)
    assert step_of(home.engine, "m1").stage == "paper"


def test_what_is_kept_of_a_ground_refuses_as_the_whole_does() -> None:
    """The best cell is enough to say no, and to say yes."""
    from engine.making.stages import refusals_of

    copied = {"days": 9.0, "usable_frac": 0.99, "tapes": [{"file": "b", "names_previous": False, "repeated_frac": 0.5}]}
    short = [
        {"above": 3},
        {"days": 2.0},
        {"verdict": "no"},
        {"cells": []},
        {"substrate": copied},
        {"fees_bps": 9.0},
        {"fees_bps": None},
    ]
    for whole in (feasible(), *(feasible(**one) for one in short)):
        assert refusals_of(kept_ground(whole)) == refusals_of(whole)


def test_the_digest_sees_every_byte_of_tape_and_trades(tmp_path: Path) -> None:
    """A byte in the trades beside it, another name, one tape more."""
    folder = some_tapes(tmp_path / "tapes")
    first = tapes_digest(folder)
    trades = next(folder.glob("*_trades.parquet"))
    trades.write_bytes(trades.read_bytes()[:-1] + b"?")
    second = tapes_digest(folder)
    trades.with_name("binance_BTC-USDT_perp_more_l2.parquet").write_bytes(b"x")
    assert len({first, second, tapes_digest(folder)}) == 3

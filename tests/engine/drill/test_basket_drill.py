"""The drill of a basket: every guard and every way a pair leaves fires on a copy, and one that is dead is found."""

from pathlib import Path
from typing import Any

import pytest

from app.home.home import open_home
from app.jobs.drill_job import drilled
from engine.control.config import active
from engine.core import basket_run, state
from engine.drill import baskets, halts, refusals
from engine.drill import drill as drilling
from engine.drill.copied import DeskParts, copies_of
from engine.watch.drill_status import last_drill
from tests.fakes.basket_desks import basket_home
from tests.fakes.papers import WALL_MS


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A home's desk with a basket of three coins."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("basket") / "home"
        patch.setenv("NIGHTDESK_HOME", str(folder))
        home = basket_home(folder)
        desk = active(home.engine, home.path)
        yield DeskParts(desk.config, home.desk.limits, home.desk.overrides(), home.strategies)


@pytest.fixture(scope="module")
def report(parts: DeskParts) -> dict[str, Any]:
    """Its report."""
    return drilling.drill(parts)


def named(report: dict[str, Any], state_: str, kind: str) -> set[str]:
    """Names of a kind in a part of the report."""
    return {one["name"] for one in report[state_] if one["kind"] == kind}


@pytest.mark.slow
def test_everything_fires_or_is_named_with_its_reason(report: dict[str, Any]) -> None:
    """Rules, breakers, halts and pauses as of any desk; of the exits those of a pair, the others are off."""
    assert report["never_fired"] == []
    assert report["sleeves"] == ["pairs"]
    every = [one for part in ("fired", "out_of_reach", "off") for one in report[part]]
    assert {one["name"] for one in every if one["kind"] == "refusal"} == set(state.RULES[1:])
    assert named(report, "fired", "breaker") == set(state.BREAKERS.values())
    assert named(report, "fired", "halt") == set(halts.HALTS)
    assert named(report, "fired", "pause") == set(halts.PAUSES)
    assert named(report, "fired", "exit") == {"stop", "signal", "pair", "liquidation", "delisted", "halt"}
    assert named(report, "off", "exit") == set(baskets.NO_PART)
    assert named(report, "fired", "exit") | named(report, "off", "exit") == set(baskets.DRILLED)


@pytest.mark.slow
def test_it_is_kept_for_the_audit(own_home: Path) -> None:
    """As that of any desk."""
    basket_home(own_home)
    found = drilled(open_home(WALL_MS), {})
    assert found["never_fired"] == []
    kept = last_drill(own_home)
    assert {one["name"] for one in kept["fired"]} == {one["name"] for one in found["fired"]}


def dead_mate(plant: pytest.MonkeyPatch) -> None:
    """A leg's stop closes that leg and nothing else."""
    plant.setattr("engine.core.basket_open.with_leaving", lambda pair, _reason: pair)


def dead_spread_stop(plant: pytest.MonkeyPatch) -> None:
    """The spread may go as far as it likes."""
    plant.setattr(basket_run, "why", lambda *_: state.NONE)


def dead_breaker(plant: pytest.MonkeyPatch) -> None:
    """A loss of the day blocks nothing."""
    plant.setattr(basket_run, "watch_sleeve", lambda guard, *_: guard)


@pytest.mark.parametrize(
    ("bug", "kind", "name"),
    [(dead_mate, "exit", "pair"), (dead_spread_stop, "exit", "stop"), (dead_breaker, "breaker", "daily loss")],
)
def test_a_dead_guard_is_found(bug: Any, kind: str, name: str, parts: DeskParts, monkeypatch: pytest.MonkeyPatch) -> None:
    """With it broken by hand, its drill says that it never fired."""
    bug(monkeypatch)
    with copies_of(parts, baskets.BasketCopy) as copies:
        copies.look(["pairs-btc-usdt"])
        steps = {(what, own): run for what, own, _, run in drilling.steps_of(copies, ["pairs-btc-usdt"])}
        assert drilling.outcome_of(steps[kind, name]).state == "never_fired"


def test_every_rule_has_a_drill() -> None:
    """Those that a basket never gets as far as are asked of review()."""
    assert set(baskets.REFUSALS) <= set(refusals.DRILLS)

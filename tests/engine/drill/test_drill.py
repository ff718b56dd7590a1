"""The drill: each guard of a desk fires on a copy or is named with the reason, and one that is dead is found."""

from collections.abc import Callable
from typing import Any

import pytest

from engine.core import desk, exits, guardrails, ledger, state, step
from engine.drill import breakers, halts, refusals
from engine.drill import drill as drilling
from engine.drill import exits as paths
from engine.drill.copied import Copies, DeskParts, copies_of
from engine.drill.outcome import DrillOutcome
from engine.venues import paper
from tests.engine.drill.conftest import sleeve

Make = Callable[..., DeskParts]


@pytest.fixture(scope="module")
def report(parts: Make) -> dict[str, Any]:
    """The report on a new desk."""
    return drilling.drill(parts())


def named(report: dict[str, Any], state_: str, kind: str) -> set[str]:
    """Names of a kind in a part of the report."""
    return {one["name"] for one in report[state_] if one["kind"] == kind}


def test_on_a_new_desk_everything_fires_or_is_named_with_its_reason(report: dict[str, Any]) -> None:
    """Nothing is dead, nothing is missing: every rule, breaker and exit that the core declares is in the report, once a place."""
    assert report["never_fired"] == []
    every = [one for part in ("fired", "out_of_reach", "off") for one in report[part]]
    assert all(one["by"] for one in every)
    places = [(one["kind"], one["name"], one["where"]) for one in every]
    assert len(places) == len(set(places))
    assert {name for kind, name, _ in places if kind == "refusal"} == set(state.RULES[1:])
    assert {name for kind, name, _ in places if kind == "breaker"} == set(state.BREAKERS.values())
    for one in ("btc-trend", "eth-trend", "sol-reversion"):
        own = {name for kind, name, where in places if kind == "exit" and where == one}
        assert own == set(state.EXIT_REASONS) - set(paths.NO_PATHS)
    assert named(report, "fired", "breaker") == set(state.BREAKERS.values())
    assert named(report, "fired", "halt") == set(halts.HALTS)
    assert named(report, "fired", "pause") == set(halts.PAUSES)


def test_what_the_desks_numbers_keep_from_firing_is_not_counted_as_fired(report: dict[str, Any]) -> None:
    """Three sleeves never come to twenty positions, a fade that is 0 is off: each says so, with the number."""
    assert "positions_max" in named(report, "out_of_reach", "refusal")
    (positions,) = [one for one in report["out_of_reach"] if one["name"] == "positions_max"]
    assert "positions_max is 20" in positions["by"]
    assert named(report, "off", "exit") == {"fade"}
    assert "off in desk.toml" in next(one["by"] for one in report["off"] if one["name"] == "no_entry window")


def test_every_code_of_the_core_has_a_drill() -> None:
    """A new R_ code, breaker or exit reason without a drill is red here."""
    codes = {value for name, value in vars(state).items() if name.startswith("R_")} - {state.R_NONE}
    assert codes == set(range(1, len(state.RULES))) == set(refusals.DRILLS)
    assert set(breakers.DRILLED) == set(breakers.DRILLS)
    assert set(paths.DRILLED) == set(paths.PATHS)


def test_a_rule_that_no_drill_covers_counts_as_never_fired(copies: Copies) -> None:
    """Not as well as could be: it is reported like a dead one."""
    outcome = drilling.outcome_of(drilling.refusal(copies, len(state.RULES)))
    assert outcome == DrillOutcome("never_fired", "no drill covers it")


@pytest.mark.slow
def test_windows_and_caps_within_reach_fire(parts: Make) -> None:
    """The same guards, on a desk whose limits are near enough: each fires under its own limit."""
    near = {"no_entry": ("Sat", "22-2"), "no_entry_funding_minutes": 60, "volume_times_min": 0.2, "gross_frac_max": 0.5}
    near |= {"instrument_frac_max": 0.3, "family_frac_max": 0.35}
    with refusals_on(parts(**near, orders_minute_max=1)) as tried:
        codes = (state.R_WINDOW, state.R_VOLUME, state.R_GROSS, state.R_INSTRUMENT, state.R_FAMILY, state.R_ORDER_RATE)
        assert {state.RULES[code]: tried(code).state for code in codes} == {state.RULES[code]: "fired" for code in codes}
    with refusals_on(parts(positions_max=2, correlated_frac_max=0.2)) as tried:
        assert tried(state.R_POSITIONS).state == "fired"
        assert tried(state.R_CORRELATED).state == "fired"


@pytest.mark.long
def test_sleeves_of_every_sort_are_drilled(parts: Make) -> None:
    """Layers, a fade, a fixed size, a short side, spot, several timeframes, two sleeves on one instrument."""
    layered = {"layers_max": 5, "risk_start_frac": 0.01, "fade_below": 0.3}
    sorts = (
        sleeve("a", params=layered),
        sleeve("b", timeframe="1h"),
        sleeve("c", "reversion", "ETH-USDT", market="spot", timeframe="4h"),
        sleeve("d", symbol="SOL-USDT", side="short", params={"fixed_qty": 50.0, "arm_atr": 0.0, "trail_atr": 1.0}),
    )
    found = drilling.drill(parts(*sorts))
    assert found["never_fired"] == []
    assert {"another sleeve holds the other side", "spot cannot be sold short", "risk_frac_max"} <= named(
        found, "fired", "refusal"
    )
    assert ("fade", "a") in {(one["name"], one["where"]) for one in found["fired"]}
    gone = {(one["name"], one["where"]) for one in found["out_of_reach"] if one["kind"] == "exit"}
    assert gone == {("liquidation", "c"), ("stop", "d")}


def test_a_window_that_shuts_every_common_close_keeps_no_sleeve_from_being_drilled(parts: Make) -> None:
    """A daily sleeve closes at midnight, inside the window: it never enters, by the desk's numbers; the others do."""
    with copies_of(parts(sleeve("daily", timeframe="1d"), sleeve("quick", symbol="ETH-USDT"), no_entry=("22-2",))) as made:
        made.look(["daily", "quick"])
        assert made.able == ["quick"]
        outcome = drilling.on_a_copy(made, lambda copy: paths.stop(copy, "daily"))()
        assert (outcome.state, outcome.by) == ("out_of_reach", "its entry was refused: no_entry window")
        assert drilling.on_a_copy(made, lambda copy: paths.stop(copy, "quick"))().state == "fired"
        assert refusals.DRILLS[state.R_WINDOW](made).state == "fired"
        assert drilling.on_a_copy(made, breakers.DRILLS["desk drawdown"])().state == "fired"


def test_a_desk_that_cannot_enter_says_so(parts: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its only closes are in a window: nothing is dead, nothing is called fine."""
    short = ["stop", "loss streak", "leverage_max"]
    every = drilling.steps_of
    monkeypatch.setattr(drilling, "steps_of", lambda copies, sleeves: [s for s in every(copies, sleeves) if s[1] in short])
    found = drilling.drill(parts(sleeve("daily", timeframe="1d"), no_entry=("22-2",)))
    assert found["never_fired"] == found["fired"] == []
    assert {one["name"] for one in found["out_of_reach"]} == set(short)
    assert all("no_entry window" in one["by"] for one in found["out_of_reach"])


# ---- a dead guard is found ------------------------------------------------------------------------------------------------


class refusals_on:
    """Drills of single rules on copies of one desk."""

    def __init__(self, desk_: DeskParts) -> None:
        self.open = copies_of(desk_)

    def __enter__(self) -> Callable[[int], DrillOutcome]:
        made = self.open.__enter__()
        return lambda code: refusals.DRILLS[code](made)

    def __exit__(self, *left: Any) -> None:
        self.open.__exit__(*left)


def dead_trail(patch: pytest.MonkeyPatch) -> None:
    """The comparison that moves the trail is gone."""
    for module in (exits, ledger):
        patch.setattr(module, "trailed", lambda position, _rules: position.trail)


def unarmed(patch: pytest.MonkeyPatch) -> None:
    """The tighter of stop and trail is always the stop."""
    for module in list_of_users("protective"):
        patch.setattr(module, "protective", lambda _position, layer: (state.STOP, layer.stop))


def list_of_users(name: str) -> list[Any]:
    """Modules that took a function of the core by name."""
    import sys

    return [m for key, m in sys.modules.items() if key.startswith("engine.") and hasattr(m, name)]


@pytest.mark.parametrize("killed", [dead_trail, unarmed], ids=["never moved", "never compared"])
def test_a_dead_trailing_stop_is_found(copies: Copies, monkeypatch: pytest.MonkeyPatch, killed: Any) -> None:
    """The story that this desk began with: a trail that was updated and never fired."""
    killed(monkeypatch)
    outcome = drilling.on_a_copy(copies, lambda copy: paths.trail(copy, "btc-trend"))()
    assert outcome.state == "never_fired"
    assert "a run of 1.75 ATR" in outcome.by


KILLED: list[tuple[str, Any, str, Any, Callable[[Copies], DrillOutcome]]] = [
    ("time", exits, "timed_out", False, lambda c: of_path(c, "time")),
    ("signal", exits, "leaves", False, lambda c: of_path(c, "signal")),
    ("liquidation", paper, "closing_price", 0.0, lambda c: of_path(c, "liquidation")),
    ("spread", guardrails, "abnormal", state.R_NONE, refusals.DRILLS[state.R_SPREAD]),
    ("contradiction", guardrails, "contradictory", False, refusals.DRILLS[state.R_SIGNAL]),
    ("caps", guardrails, "over_the_desks_caps", state.R_NONE, refusals.DRILLS[state.R_GROSS]),
    ("liquidation rule", guardrails, "margin_distance", 1e9, refusals.DRILLS[state.R_LIQUIDATION]),
]


def of_path(copies: Copies, reason: str) -> DrillOutcome:
    """One exit path of the first sleeve."""
    return drilling.on_a_copy(copies, lambda copy: paths.PATHS[reason](copy, "btc-trend"))()


@pytest.mark.parametrize(("place", "name", "answer", "drill"), [k[1:] for k in KILLED], ids=[k[0] for k in KILLED])
def test_a_dead_guard_is_found(
    copies: Copies, monkeypatch: pytest.MonkeyPatch, place: Any, name: str, answer: Any, drill: Callable[[Copies], DrillOutcome]
) -> None:
    """Its function answers as if nothing were wrong: the drill says that it never fired."""
    monkeypatch.setattr(place, name, lambda *_: answer)
    assert drill(copies).state == "never_fired"


@pytest.mark.parametrize(
    ("place", "name", "breaker"),
    [(desk, "watch_sleeve", "daily loss"), (ledger, "count_trip", "loss streak"), (step, "count_entry", "entry frequency")],
)
def test_a_dead_breaker_is_found(copies: Copies, monkeypatch: pytest.MonkeyPatch, place: Any, name: str, breaker: str) -> None:
    """A breaker that leaves its guard as it was."""
    monkeypatch.setattr(place, name, lambda guard, *_: guard)
    outcome = drilling.on_a_copy(copies, breakers.DRILLS[breaker])()
    assert outcome.state == "never_fired"


def test_a_dead_drawdown_breaker_is_found(copies: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    """The desk's equity is followed, and nothing trips."""

    def blind(found: state.Desk, _limits: Any, equity: float, gross: float, positions: int) -> state.Desk:
        return found._replace(equity=equity, peak=max(found.peak, equity), gross=gross, positions=positions)

    monkeypatch.setattr(desk, "watch_desk", blind)
    outcome = drilling.on_a_copy(copies, breakers.DRILLS["desk drawdown"])()
    assert outcome.state == "never_fired"
    assert "drawdown_frac_max is 0.15" in outcome.by


def test_a_halt_that_does_not_flatten_is_found(copies: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries refused and the position kept: the drill names what is still open."""
    from engine.book import transitions

    for module in (step, transitions):
        monkeypatch.setattr(module, "on_halt", lambda sleeve_, _bar: (sleeve_._replace(order=state.NO_ORDER), state.HELD))
    outcome = halts.HALTS["by a person"](copies)
    assert outcome.state == "never_fired"
    assert "still open" in outcome.by


def test_a_dead_stop_is_not_excused_by_a_drill_that_fails(copies: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault inside the engine is reported in the guard's place, and the report goes on."""

    def broken(*_: Any) -> Any:
        raise ValueError("no such level")

    monkeypatch.setattr(paper, "reached", broken)
    outcome = drilling.outcome_of(drilling.on_a_copy(copies, lambda copy: paths.stop(copy, "btc-trend")))
    assert outcome == DrillOutcome("never_fired", "the drill failed: ValueError: no such level")

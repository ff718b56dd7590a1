"""A canary's terms come from the card's evidence, its way back from the direction that code finds, and the card says both."""

import json
import math
from pathlib import Path

import polars as pl
import pytest

from app.home.home import Home, open_home
from engine.control import proposals
from engine.control.canary import CanaryPlan, goes_back, plan_in, plan_of, standard, terms_rows
from engine.control.canary_terms import fold_ratios
from engine.control.config import active
from engine.control.direction import Direction, WorstCase
from engine.control.draft import draft
from engine.errors import BadInput, Refused
from tests.fakes.stored_models import metrics_of
from tests.fakes.tried_changes import NOW, PLAN, SLEEVE, frames, proposed

WORST = WorstCase(0.02, 1.5, 3.0)


@pytest.fixture
def home(own_home: Path) -> Home:
    """A new synthetic desk."""
    return open_home(NOW)


@pytest.mark.parametrize(
    ("words", "plan"),
    [
        ("25% for 10 trips", CanaryPlan(0.25, 10, None)),
        ("  10 %  FOR 500 bars ", CanaryPlan(0.1, None, 500)),
        ("12.5% 3 trips", CanaryPlan(0.125, 3, None)),
        ("100% for 10 trips", CanaryPlan(1.0, 10, None)),  # at the size that it has: watched, nothing else
        ("none", None),
        (None, None),
    ],
)
def test_a_plan_is_a_sentence(words: str | None, plan: CanaryPlan | None) -> None:
    """What people and the developer's tool write."""
    assert plan_of(words) == plan


@pytest.mark.parametrize(
    "words", ["95% for 10 trips", "1% for 10 trips", "25% for 2 trips", "25% for 50 bars", "a bit", "25 trips"]
)
def test_what_is_no_plan_is_refused(words: str) -> None:
    """One line."""
    with pytest.raises(BadInput, match="canary"):
        plan_of(words)


def test_the_numbers_are_those_of_the_evidence(home: Home) -> None:
    """By hand: the fall of 2 % twice and a half more, at the part of the size; two trips of 4 bps (three are too rare) and a
    half more; one of 39 waits is longer than the median, by 20 bars.
    """
    row = proposed(home, {"leverage_max": 4.0})
    terms = json.loads(row.diff)["canary"]
    worst = {"refused": 3, "slippage_bps": 3.0, "drawdown_frac": 0.02, "quiet_bars": 26, "day_entries": 10}
    assert terms["worst"] == pytest.approx(worst)
    assert (terms["refused_max"], terms["quiet_bars_max"], terms["day_entries_max"]) == (
        7,
        math.ceil(6 + 20 * (4 / 39 / 0.005 - 1)),
        20,
    )
    assert terms["slippage_bps_max"] == pytest.approx(1.5 * 3.0)
    assert terms["drawdown_frac_max"] == pytest.approx(0.25 * (1 - 0.98**2) * 1.5)
    assert (terms["part"], terms["trips"], terms["bars"], terms["error"]) == (0.25, 4, None, None)
    changes = {c["key"]: (c["old"], c["value"]) for c in json.loads(row.diff)["changes"]}
    assert changes == {"leverage_max": (3.0, 4.0), "size_part": (None, 0.25)}
    assert plan_in(json.loads(row.diff)) == PLAN


def test_a_canary_makes_no_loosening_a_tightening(home: Home) -> None:
    """The part of the size lowers the worst case; the key that raises risk still counts."""
    assert proposed(home, {"leverage_max": 4.0}).direction == "loosens"


def test_a_plan_of_bars_looks_at_stretches_of_bars(home: Home) -> None:
    """100 bars hold more refusals than four round trips."""
    terms = json.loads(proposed(home, {"leverage_max": 4.0}, CanaryPlan(0.5, None, 100)).diff)["canary"]
    assert (terms["bars"], terms["worst"]["refused"]) == (100, 6)


@pytest.mark.parametrize(
    ("changes", "way"),
    [
        ({"leverage_max": 4.0}, "back"),  # going back tightens
        ({"leverage_max": 2.0}, "pause"),  # going back loosens
        ({"stop_atr": 3.0}, "pause"),  # going back is a closer stop: unknown
        ({"leverage_max": 4.0, "layers_max": 2}, "back"),
        ({"leverage_max": 2.0, "layers_max": 2}, "pause"),  # one key of it loosens
        ({"fast_bars": 30}, "pause"),  # no code knows
    ],
)
def test_the_way_back_is_what_code_finds(home: Home, changes: dict[str, float], way: str) -> None:
    """And the card says it before anybody approves."""
    row = proposed(home, changes)
    terms = json.loads(row.diff)["canary"]
    assert terms["way"] == way
    said = dict(terms_rows(terms, 1))
    assert (said["on a breach"] == "goes back by itself to version 1, at 25 % of the size") is (way == "back")
    assert said["canary"].startswith("25 % of the size until 4 trips are over")
    assert said["breach: slippage"] == "above 4.50 bps a round trip, the mean of all, of 4 at least (evidence 3.00)"


@pytest.mark.parametrize(
    ("keys", "after", "back"),
    [
        ({"models": "unknown"}, WORST, True),  # the version before has run; no figure is worse
        ({"models": "unknown"}, WORST._replace(gross_frac=2.0), False),
        ({"models": "unknown"}, WORST._replace(risk_frac=None), False),
        ({"models": "unknown", "fast_bars": "unknown"}, WORST, False),
        ({"models": "unknown", "leverage_max": "tightens"}, WORST, True),
        ({"models": "unknown", "leverage_max": "loosens"}, WORST, False),
        ({"stop_atr": "unknown"}, WORST, False),
    ],
)
def test_a_model_goes_back_and_nothing_else_unknown_does(keys: dict[str, str], after: WorstCase, back: bool) -> None:
    """Law 8: what loosens or is unknown takes a person; a model that ran was approved by one."""
    label = "loosens" if "loosens" in keys.values() or after.gross_frac == 2.0 else "unknown"
    assert goes_back(Direction(label, keys, WORST, after, "")) is back  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes", [{"paused": True}, {"stage": "retired"}, {"size_part": 0.5}, {"leverage_max": 4.0, "paused": True}]
)
def test_steps_of_their_own_have_no_canary(home: Home, changes: dict[str, object]) -> None:
    """A pause, a stage and a size are no change to try."""
    with pytest.raises(Refused, match="has no canary"):
        proposed(home, changes)


def test_too_few_round_trips_state_no_breach(home: Home) -> None:
    """Twice the canary's length at least: else its worst stretch says nothing."""
    with pytest.raises(Refused, match="too few to say what 21 trips"):
        proposed(home, {"leverage_max": 4.0}, CanaryPlan(0.25, 21, None))


def test_figures_that_are_missing_state_no_breach(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slippage of NaN would never be above anything."""
    broken = frames()
    broken["trips"] = broken["trips"].with_columns(pl.lit(float("nan")).alias("slippage"))
    monkeypatch.setattr("tests.fakes.tried_changes.frames", lambda: broken)
    with pytest.raises(Refused, match="figures that are missing"):
        proposed(home, {"leverage_max": 4.0})


def test_the_part_of_a_size_is_a_setting_with_a_direction(home: Home) -> None:
    """Smaller tightens, larger loosens; neither takes a run; 1 is the whole."""
    smaller = draft(home.engine, home.path, SLEEVE, {"size_part": 0.5})
    assert (smaller.direction.label, smaller.new.size_part) == ("tightens", 0.5)
    assert smaller.direction.after.gross_frac == pytest.approx(0.5 * (smaller.direction.before.gross_frac or 0.0))
    who = {"role": "developer", "thread": "t", "person": "ann"}
    more = {"rationale": "", "requester": who, "now_ms": NOW, "evidence": []}
    assert proposals.create(home.engine, home.path, sleeve=SLEEVE, changes={"size_part": 0.5}, **more).direction == "tightens"
    for wrong in (0.0, 1.5, "half", float("nan")):
        with pytest.raises(BadInput, match="size_part"):
            draft(home.engine, home.path, SLEEVE, {"size_part": wrong})
    with pytest.raises(Refused, match="nothing would change"):
        draft(home.engine, home.path, SLEEVE, {"size_part": 1})
    assert active(home.engine, home.path).config.sleeve(SLEEVE).size_part is None


def test_the_error_of_a_model_is_compared_fold_by_fold() -> None:
    """1 - R2 of the same test rows; none where the two were judged on others, or by another figure."""
    old, new = metrics_of(value=0.45), metrics_of(value=0.40)
    assert fold_ratios(new, old)[0] == pytest.approx([0.60 / 0.55] * 2)
    assert fold_ratios(new, old)[1] == 480
    other = metrics_of(value=0.45)
    for row in other["folds"]["rows"]:
        row[1] = row[1].replace("2024", "2023")
    assert fold_ratios(new, other)[0] == []
    assert fold_ratios({**new, "figure": "accuracy"}, old)[0] == []


def test_the_standard_plan_fits_the_evidence(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten round trips, or half of those that there are; what a person asked for is never shortened."""
    assert json.loads(proposed(home, {"leverage_max": 4.0}, standard()).diff)["canary"]["trips"] == 10
    few = frames()
    few["trips"] = few["trips"].head(12)
    monkeypatch.setattr("tests.fakes.tried_changes.frames", lambda: few)
    assert json.loads(proposed(home, {"leverage_max": 4.0}, standard()).diff)["canary"]["trips"] == 6
    with pytest.raises(Refused, match="too few"):
        proposed(home, {"leverage_max": 4.0}, CanaryPlan(0.25, 10, None))

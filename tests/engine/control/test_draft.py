"""A requested change before it is stored: what anyone may write, hard limits at the limit, diffs that are taken apart again."""

from pathlib import Path
from typing import Any, get_args

import pytest
from sqlalchemy import Engine

from engine.control.config import DeskConfig, SleeveConfig, Stage, active, write_first
from engine.control.direction import Direction, Label, WorstCase, desk_direction, direction
from engine.control.draft import CHANGES_MAX, HARD_LIMIT_OF, draft, value_text
from engine.control.limits import limits_of
from engine.control.proposals import changes_by_sleeve, merged
from engine.errors import BadInput, Refused
from engine.store.journal import Event, Journal
from engine.strategies.base import load_strategy

NOW = 1_700_000_000_000


@pytest.fixture
def desk(sqlite: Engine, two_sleeves: DeskConfig) -> Engine:
    """Version 1 in force; no test here needs the other database."""
    write_first(sqlite, two_sleeves, NOW, "test")
    return sqlite


@pytest.mark.parametrize(
    ("value", "paused"),
    [
        (True, True),
        ("true", True),
        (" YES ", True),
        ("1", True),
        (1, True),
        (False, False),
        ("No", False),
        ("0", False),
        (0, False),
    ],
)
def test_a_pause_is_read_as_people_and_models_write_it(desk: Engine, home: Path, value: Any, paused: bool) -> None:
    """Paused or, for a sleeve that runs, nothing that would change."""
    if paused:
        found = draft(desk, home, "btc", {"paused": value})
        assert (found.new.paused, found.direction.label) == (True, "tightens")
        assert found.changes == [{"key": "paused", "old": False, "value": True, "low": None, "high": None, "unit": ""}]
    else:
        with pytest.raises(Refused, match="nothing would change"):
            draft(desk, home, "btc", {"paused": value})


@pytest.mark.parametrize("off", ["none", "", "off", "whole"])
def test_a_schedule_is_a_setting_that_leaves_risk_as_it_is(desk: Engine, home: Path, off: str) -> None:
    """Set and taken away by words; neutral; refused with the words of a backtest, together with what it cannot go with."""
    made = draft(desk, home, "btc", {"execution": "TWAP:6"})
    assert [(c["key"], c["old"], c["value"]) for c in made.changes] == [("execution", None, "twap:6")]
    assert (made.new.execution, made.direction.label) == ("twap:6", "neutral")
    assert moved(home, made.new, made.old) == "neutral"
    assert value_text("btc.execution", None) == "whole"
    with pytest.raises(Refused, match="nothing would change"):
        draft(desk, home, "btc", {"execution": off})
    for wrong, words in (
        ({"execution": "pov:3"}, "sleeve btc.* write twap:6"),
        ({"execution": "ac", "layers_max": 2}, "one layer"),
    ):
        with pytest.raises(BadInput, match=words):
            draft(desk, home, "btc", wrong)


def test_a_schedule_that_the_homes_clock_is_too_coarse_for_is_refused(desk: Engine, home: Path) -> None:
    """Before a home has begun it may say anything; then its clock is what it is."""
    journal = Journal(home / "journal" / "desk.jsonl", "test")
    journal.append([Event("config", NOW, {"start": {"timeframe_ms": 900_000}})])
    journal.close()
    with pytest.raises(BadInput, match="btc: twap:6 needs 1m bars, and this home walks 15m bars for its life"):
        draft(desk, home, "btc", {"execution": "twap:6"})


def test_a_pause_with_an_end_tightens_and_its_earlier_end_loosens(desk: Engine, home: Path) -> None:
    """From trading to a pause tightens, to a later end too; the worst case stays, because it enters again by itself."""
    made = draft(desk, home, "btc", {"paused": True, "resumes_ms": 2_000})
    assert [(c["key"], c["value"]) for c in made.changes] == [("paused", True), ("resumes_ms", 2_000)]
    assert (made.direction.label, made.direction.before) == ("tightens", made.direction.after)
    for end, label in ((1_000, "loosens"), (3_000, "tightens"), (None, "tightens")):
        assert moved(home, made.new, made.new.model_copy(update={"resumes_ms": end})) == label
    assert moved(home, made.new.model_copy(update={"resumes_ms": None}), made.new) == "loosens"
    for wrong in ({"resumes_ms": 2_000}, {"paused": False, "resumes_ms": 2_000}, {"paused": True, "resumes_ms": "soon"}):
        with pytest.raises(BadInput, match="resumes_ms"):
            draft(desk, home, "btc", wrong)


def moved(home: Path, old: SleeveConfig, new: SleeveConfig) -> str:
    """The direction of one version of the sleeve to another."""
    return direction(old, new, load_strategy(old.strategy).Params, limits_of(home)).label


@pytest.mark.parametrize("value", [None, "", "maybe", 2, 0.5, [], {}, "truefalse"])
def test_what_is_neither_yes_nor_no_pauses_nothing(desk: Engine, home: Path, value: Any) -> None:
    """One clear line."""
    with pytest.raises(BadInput, match="is not a boolean"):
        draft(desk, home, "btc", {"paused": value})


@pytest.mark.parametrize("stage", get_args(Stage))
def test_every_stage_is_known_in_any_spelling_and_no_other(desk: Engine, home: Path, stage: str) -> None:
    """Towards live loosens, away from it tightens; what is no stage lists them."""
    if stage == "paper":
        with pytest.raises(Refused, match="nothing would change"):
            draft(desk, home, "btc", {"stage": " Paper "})
        with pytest.raises(BadInput, match="not a valid stage") as caught:
            draft(desk, home, "btc", {"stage": "papier"})
        assert all(name in caught.value.hint for name in get_args(Stage))
        return
    found = draft(desk, home, "btc", {"stage": stage.upper()})
    assert found.new.stage == stage
    assert found.direction.label == ("tightens" if stage in ("draft", "retired") else "loosens")


@pytest.mark.parametrize("key", HARD_LIMIT_OF)
def test_a_parameter_may_reach_its_hard_limit_and_not_pass_it(desk: Engine, home: Path, key: str) -> None:
    """desk.toml says 0.015 and 4: that value is drafted, the next is refused in words that name both."""
    limit = HARD_LIMIT_OF[key]
    most = 4.0 if limit == "leverage_max" else 0.015
    (home / "desk.toml").write_text(f"[limits]\n{limit} = {most}\n")
    keys = (key, "risk_start_frac") if key == "risk_floor_frac" else (key,)  # the floor is never above the start
    assert draft(desk, home, "btc", dict.fromkeys(keys, most)).new.params[key] == most
    with pytest.raises(Refused, match=rf"{keys[-1]} = .* is above the desk's hard limit {limit} = {most:g}"):
        draft(desk, home, "btc", dict.fromkeys(keys, most * 1.001))


def test_a_sleeve_that_is_above_a_limit_already_may_change_something_else(desk: Engine, home: Path) -> None:
    """A limit that was lowered in desk.toml refuses what is proposed, not what stands; it caps what stands."""
    (home / "desk.toml").write_text("[limits]\nleverage_max = 1.0\n")
    found = draft(desk, home, "btc", {"stop_atr": 3.0})
    assert found.new.params["leverage_max"] == 3.0
    assert found.direction.after.leverage == 1.0


def test_as_many_changes_as_fit_a_card(desk: Engine, home: Path) -> None:
    """Thirty are read, one more is not; none is none. The limit is on what was asked for, known or not."""
    for count, words in ((CHANGES_MAX, "has no parameter"), (CHANGES_MAX + 1, f"{CHANGES_MAX + 1} changes"), (0, "0 changes")):
        with pytest.raises(BadInput, match=words):
            draft(desk, home, "btc", [{"key": f"k{n}", "value": 1} for n in range(count)])


def test_a_draft_says_what_it_was_made_against(desk: Engine, home: Path) -> None:
    """Version and digest of the sleeve, so that an approval sees whether it moved; bounds and unit for the card."""
    found, now = draft(desk, home, "btc", {"stop_atr": "3"}), active(desk, home)
    assert (found.base_version, found.from_version, found.from_sha256) == (1, 1, now.digest("btc"))
    (change,) = found.changes
    assert (change["key"], change["old"], change["value"], change["unit"]) == ("stop_atr", 2.0, 3.0, "ATR")
    assert change["low"] < 3.0 < change["high"]
    assert found.old == now.config.sleeve("btc")
    assert found.new.params == {**found.old.params, "stop_atr": 3.0}


def test_changes_stand_in_the_order_of_the_parameters_whatever_the_order_asked(desk: Engine, home: Path) -> None:
    """Two people who ask for the same get the same diff, so the same digest."""
    wanted = {"leverage_max": 2.0, "stop_atr": 3.0, "paused": True, "fast_bars": 30}
    one, other = draft(desk, home, "btc", wanted), draft(desk, home, "btc", dict(reversed(wanted.items())))
    assert one.changes == other.changes
    assert [c["key"] for c in one.changes] == [*(key for key in one.new.params if key in wanted), "paused"]


# ---- several sleeves ----------------------------------------------------------------------------------------------------------

WORST = WorstCase(0.02, 1.5, 3.0)


def moves(label: Label, why: str = "") -> Direction:
    """A direction."""
    return Direction(label, {"k": label}, WORST, WORST, why or label)


@pytest.mark.parametrize(
    ("labels", "whole"),
    [
        ([], "neutral"),
        (["neutral", "neutral"], "neutral"),
        (["neutral", "tightens"], "tightens"),
        (["tightens", "unknown"], "unknown"),
        (["unknown", "loosens"], "loosens"),
        (["tightens", "loosens", "neutral"], "loosens"),
        (["tightens", "tightens"], "tightens"),
    ],
)
def test_the_worst_direction_of_several_sleeves_is_that_of_all(labels: list[Label], whole: str) -> None:
    """In whatever order they come; the reason is that of the sleeve that decided it."""
    for order in (labels, labels[::-1]):
        label, why = desk_direction([moves(each, f"why {each}") for each in order])
        assert label == whole
        assert why == ("nothing changes risk" if whole == "neutral" else f"why {whole}")


def change(key: str) -> dict[str, Any]:
    """A change of a diff."""
    return {"key": key, "old": 1, "value": 2, "low": None, "high": None, "unit": ""}


@pytest.mark.parametrize("names", [["btc"], ["btc", "sol"], ["a", "b-2", "c"]])
def test_a_merged_diff_comes_apart_into_what_each_sleeve_changed(names: list[str]) -> None:
    """Of one sleeve the keys are bare, of several they carry the sleeve; both come back as they were."""
    parts = {name: ([change("stop_atr"), change(f"own_{n}")], moves("tightens")) for n, name in enumerate(names)}
    name, changes, label, exposure = merged(parts)
    assert (name, label) == (", ".join(names), "tightens")
    assert changes_by_sleeve(names, changes) == {sleeve: made for sleeve, (made, _) in parts.items()}
    assert all(("." in c["key"]) is (len(names) > 1) for c in changes)
    if len(names) > 1:
        assert set(exposure["sleeves"]) == set(names)


def test_a_diff_of_the_whole_desk_carries_sleeves_even_when_one_changed() -> None:
    """A rollback of the desk: its one sleeve is in the key, and what does not move risk is left out of the worst cases."""
    parts = {"btc": ([change("stop_atr")], moves("unknown")), "sol": ([], moves("neutral"))}
    name, changes, label, exposure = merged(parts, whole=True)
    assert (name, label, [c["key"] for c in changes]) == ("*", "unknown", ["btc.stop_atr"])
    assert list(exposure["sleeves"]) == ["btc"]
    assert changes_by_sleeve(["btc"], changes) == {"btc": [change("stop_atr")]}
    assert merged({"btc": parts["btc"]}, whole=True)[:2] == ("*", changes)

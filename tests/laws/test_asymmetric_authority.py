"""Law 8, asymmetric authority: halting is open to everybody and needs nothing; what loosens needs a person, and whether a change
loosens is computed by code over the whole of it, whatever it is dressed as.
"""

import math
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.home.home import open_home
from app.people import approvals
from app.people.identity import Actor, add_person, identify
from engine.control import halt
from engine.control.config import SleeveConfig, with_params
from engine.control.direction import WorstCase, direction, finite_number, worst_case
from engine.control.limits import HardLimits
from engine.errors import BadInput, Refused
from engine.store.db import open_db
from engine.strategies import trend
from engine.strategies.params import StrategyParams, bounds, choice, choices, extra, knob

HARD = HardLimits()
FIELDS = trend.Params.model_fields
UP = [k for k in FIELDS if extra(FIELDS[k]).get("risk") == "up" and k not in {"stop_atr", "stop_frac"}]
DOWN = [k for k in FIELDS if extra(FIELDS[k]).get("risk") == "down"]
NEUTRAL = [k for k in FIELDS if extra(FIELDS[k]).get("risk") == "neutral"]


def _sleeve(**params: object) -> SleeveConfig:
    bare = SleeveConfig(name="btc", strategy="trend", venue="synthetic", symbol="BTC-USDT")
    return with_params(bare, params, None)


def _of(old: SleeveConfig, new: SleeveConfig) -> str:
    return direction(old, new, trend.Params, HARD).label


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        ({"leverage_max": 2.0}, "tightens"),
        ({"leverage_max": 4.0}, "loosens"),
        ({"leverage_max": "4"}, "loosens"),
        ({"leverage_max": " 2.0 "}, "tightens"),
        ({"leverage_max": "3.0"}, "neutral"),
        ({"risk_max_frac": 0.01}, "tightens"),
        ({"layers_max": 2}, "loosens"),
        ({"fade_below": 0.2}, "tightens"),
        ({"add_atr": 0.5}, "loosens"),
        ({"stop_atr": 3.0}, "loosens"),
        ({"stop_atr": 1.0}, "unknown"),
        ({"fast_bars": 50}, "unknown"),
        ({"target_atr": 5.0}, "unknown"),
        ({"fixed_qty": 0.5}, "unknown"),
        ({"vol_target": 0.0}, "loosens"),
        ({"entry": "limit"}, "neutral"),
        ({"entry": "limit", "limit_offset_atr": 0.5, "good_for_bars": 8}, "neutral"),
        ({"entry": "limit", "leverage_max": 2.0}, "tightens"),
        ({"entry": "limit", "layers_max": 2}, "loosens"),
        ({"entry": "limit", "fast_bars": 50}, "unknown"),
        ({"leverage_max": 2.0, "risk_max_frac": 0.01}, "tightens"),
        ({"leverage_max": 2.0, "layers_max": 3}, "loosens"),
        ({"leverage_max": 2.0, "fast_bars": 50}, "unknown"),
        ({"layers_max": 3, "fast_bars": 50}, "loosens"),
        ({}, "neutral"),
    ],
)
def test_known_changes(changes: dict[str, object], label: str) -> None:
    """What people ask for every day, alone and mixed."""
    found = direction(_sleeve(), _sleeve(**changes), trend.Params, HARD)
    assert found.label == label, found


@pytest.mark.parametrize(("old", "new"), [("market", "limit"), ("limit", "market")])
def test_how_an_entry_is_made_moves_no_risk(old: str, new: str) -> None:
    """Both ways neutral, in words that say what stays; the worst case is the same."""
    found = direction(_sleeve(entry=old), _sleeve(entry=new), trend.Params, HARD)
    assert (found.label, found.keys, found.before) == ("neutral", {"entry": "neutral"}, found.after)
    assert found.why == "entry leaves the most that can be lost or held unchanged"


def test_pausing_tightens_and_going_on_loosens() -> None:
    """Also when going on is dressed with something harmless."""
    running, paused = _sleeve(), _sleeve().model_copy(update={"paused": True})
    assert _of(running, paused) == "tightens"
    assert _of(paused, running) == "loosens"
    assert _of(paused, _sleeve(leverage_max=1.0)) == "loosens"
    assert worst_case(paused, HARD) == WorstCase(0.0, 0.0, 0.0)


def test_a_pause_does_not_hide_a_loosening() -> None:
    """Pausing together with a higher leverage loosens: the higher leverage stays when the pause is lifted."""
    assert _of(_sleeve(), _sleeve(leverage_max=5.0).model_copy(update={"paused": True})) == "loosens"


def test_other_places_and_sides() -> None:
    """Another market is unknown; one side of two is less; more cash is more."""
    old = _sleeve()
    for change, label in [
        ({"symbol": "ETH-USDT"}, "unknown"),
        ({"timeframe": "1m"}, "unknown"),
        ({"side": "long"}, "tightens"),
        ({"cash": 20_000.0}, "loosens"),
        ({"cash": 5_000.0}, "tightens"),
    ]:
        assert _of(old, old.model_copy(update=change)) == label
    assert _of(old.model_copy(update={"side": "long"}), old) == "loosens"
    assert _of(old.model_copy(update={"side": "long"}), old.model_copy(update={"side": "short"})) == "unknown"


def test_worst_case_before_and_after() -> None:
    """Risk counts every layer, up to what the whole position may lose; the hard limits cap what parameters ask for."""
    assert worst_case(_sleeve(), HARD) == WorstCase(0.02, 1.5, 3.0)
    assert worst_case(_sleeve(layers_max=3, risk_max_frac=0.005, leverage_max=1.0), HARD) == WorstCase(0.015, 1.0, 1.0)
    assert worst_case(_sleeve(layers_max=5, leverage_max=1.0), HARD) == WorstCase(0.02, 1.0, 1.0)
    assert worst_case(_sleeve(leverage_max=10.0), HardLimits(leverage_max=2.0)).leverage == 2.0
    assert worst_case(_sleeve(fixed_qty=1.0), HARD).risk_frac == HARD.risk_frac_max


class Lying(StrategyParams):
    """A person's own parameters, declared the wrong way round."""

    leverage_max: float = knob(3.0, 0.1, 10.0, "x", "down", "a lie")
    add_atr: float = knob(1.0, 0.1, 20.0, "ATR", "up", "another")
    fast_bars: int = knob(40, 5, 400, "bars", None, "")
    mine: float = 1.0
    venue_mode: Literal["slow", "fast"] = choice("slow", None, "")


def test_a_strategy_cannot_redeclare_what_a_common_parameter_does() -> None:
    """leverage_max loosens upwards in every strategy, whatever its own file says; what is not declared is unknown."""
    old = SleeveConfig(name="x", strategy="mine", venue="synthetic", symbol="BTC-USDT", params=Lying().model_dump())
    more = old.model_copy(update={"params": {**old.params, "leverage_max": 3.5}})
    other = old.model_copy(update={"params": {**old.params, "mine": 2.0}})
    faster = old.model_copy(update={"params": {**old.params, "venue_mode": "fast"}})
    sooner = old.model_copy(update={"params": {**old.params, "add_atr": 0.5}})
    assert direction(old, more, Lying, HARD).label == "loosens"
    assert direction(old, sooner, Lying, HARD).label == "loosens"
    assert direction(old, other, Lying, HARD).label == "unknown"
    assert direction(old, faster, Lying, HARD).label == "unknown"


def test_the_worst_case_outvotes_a_wrong_declaration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is declared of a key, a worst case that rises loosens."""
    monkeypatch.setattr("engine.control.direction.risk_move", lambda *_args: -1)
    for changes in ({"leverage_max": 3.5}, {"layers_max": 2}, {"notional_frac_max": 2.0}, {"risk_max_frac": 0.01}):
        assert _of(_sleeve(risk_max_frac=0.005), _sleeve(**{"risk_max_frac": 0.005, **changes})) == "loosens"


RAW = st.one_of(st.floats(), st.integers(), st.booleans(), st.none(), st.text(max_size=6), st.floats(allow_nan=False).map(str))


@given(st.dictionaries(st.sampled_from([*FIELDS, "leverage", "Leverage_Max", "maxlev"]), RAW, max_size=4))
def test_a_loosening_is_never_called_tightening(wild: dict[str, object]) -> None:
    """Any values at all under any keys: `tightens` and `neutral` only when every change is known to be harmless."""
    old = _sleeve()
    new = old.model_copy(update={"params": {**old.params, **wild}})
    label = _of(old, new)
    for key, value in wild.items():
        was, will = finite_number(old.params.get(key)), finite_number(value)
        if key not in FIELDS or will is None:
            assert label in {"unknown", "loosens"}
        elif (key in UP and will > was) or (key in DOWN and will < was):
            assert label == "loosens" or (label == "unknown" and was == 0)  # from "off" nobody can say
        elif key not in UP + DOWN + NEUTRAL and will != was:
            assert label in {"unknown", "loosens"}


@given(st.data())
def test_going_back_is_never_tightening_both_ways(data: st.DataObject) -> None:
    """If a change tightens, undoing it does not."""
    keys = data.draw(st.lists(st.sampled_from(list(FIELDS)), max_size=3, unique=True))
    changes = {}
    for key in keys:
        low, high = bounds(FIELDS[key])
        kind = st.sampled_from(choices(FIELDS[key])) if low is None else st.floats(low, high)
        kind = st.integers(int(low), int(high)) if FIELDS[key].annotation is int else kind
        changes[key] = data.draw(kind)
    try:
        old, new = _sleeve(), _sleeve(**changes)
    except BadInput:
        return
    there, back = direction(old, new, trend.Params, HARD), direction(new, old, trend.Params, HARD)
    assert not (there.label == "tightens" and back.label == "tightens")
    if there.label == "tightens":
        assert all(a is None or b <= a for a, b in zip(there.before, there.after, strict=True))


@pytest.mark.parametrize("value", [math.nan, math.inf, "nan", "inf", "", "x", None, True, [1], "1e999", 10**400])
def test_what_is_no_finite_number_is_none(value: object) -> None:
    """Nothing odd becomes a number by accident."""
    assert finite_number(value) is None


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=80), st.text(max_size=20), st.sampled_from(["no database", "a broken database"]))
@example("\0 at once", "ann", "no database")
def test_anybody_may_halt_whatever_they_write(own_home: Path, reason: str, name: str, database: str) -> None:
    """No person's entry, no passphrase, no database needed: any reason under any name latches, and reads back as written
    (a null byte, which PostgreSQL does not keep, as `?`); an empty one says that there is none.
    """
    own_home.mkdir(parents=True, exist_ok=True)
    (own_home / halt.FILE).unlink(missing_ok=True)
    engine = None if database == "no database" else open_db(f"sqlite:///{own_home / 'nowhere' / 'desk.db'}")
    latch = halt.set(own_home, reason, {"name": name}, 1, engine)
    assert (latch.halted, latch.where[0]) == (True, "file")
    assert halt.read(own_home).reason == (reason.replace("\0", "?").strip() or halt.NO_REASON)


def test_only_a_person_releases(own_home: Path) -> None:
    """A desk with people: an unlisted name, a listed one without its token, a forged actor, a wrong word: the latch stays."""
    home = open_home()
    token = add_person(home.path, "ann", "a long passphrase")
    halt.set(home.path, "odd", {"name": "a program"}, 1, home.engine)
    for name in ("a program", "ann", "", "person"):
        with pytest.raises((Refused, BadInput)):
            identify(home.path, name, "cli", "no token")
    for name, word in (("a program", ""), ("ann", ""), ("ann", "a wrong passphrase"), ("", "a long passphrase")):
        with pytest.raises((Refused, BadInput)):
            approvals.release(home, Actor(name, "session", "root", "api"), "fine", list, 2, word)
    assert halt.read(home.path, home.engine).halted
    approvals.release(home, identify(home.path, "ann", "cli", token), "fine", list, 2, "a long passphrase")
    assert not halt.read(home.path, home.engine).halted

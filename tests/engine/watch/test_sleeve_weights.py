"""Weights of the desk's sleeves: from a mark a day, refused with the reason, and changes that lower risk alone."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engine.clock import DAY_MS
from engine.errors import BadInput, Refused
from engine.strategies.trend import Params
from engine.watch import sleeve_weights
from engine.watch.sleeve_weights import WeighedSleeves, as_json, changes_of, rationale_of, weighed

START = 1_735_689_600_000
Marks = Any


@pytest.fixture
def lived(monkeypatch: pytest.MonkeyPatch) -> Marks:
    """Marks of a desk that has lived: sleeve -> daily returns; what was made in incident windows beside."""

    def made(incidents: dict[str, list[float]] | None = None, **returns: Any) -> None:
        days = max(len(one) for one in returns.values())
        curves = {name: [10_000.0, *(10_000.0 * np.cumprod(1.0 + np.array(one)))] for name, one in returns.items()}

        def mark(ms: int) -> Any:
            day = max(0, min(days, (ms - START) // DAY_MS))
            sleeves = {
                name: {"equity": float(curve[day]), "incident": (incidents or {}).get(name, [0.0] * (days + 1))[day]}
                for name, curve in curves.items()
            }
            return SimpleNamespace(t_event_ms=START + day * DAY_MS, body={"sleeves": sleeves}, id="m")

        monkeypatch.setattr(sleeve_weights, "first_mark", lambda _path: mark(START))
        monkeypatch.setattr(sleeve_weights, "mark_at", lambda _path, ms=None: mark(START + days * DAY_MS if ms is None else ms))

    return made


def daily(seed: int, scale: float, days: int = 200) -> list[float]:
    """Returns of a sleeve."""
    return (np.random.default_rng(seed).normal(size=days) * scale).tolist()  # type: ignore[no-any-return]


def test_the_wild_sleeve_comes_down_and_the_calm_one_stays(lived: Marks) -> None:
    """Three times the volatility: about a tenth of the weight; the calm one's factor is 1, none is above."""
    lived(calm=daily(1, 0.004), wild=daily(2, 0.012))
    found = weighed(Path())
    calm, wild = found.rows
    assert calm.weight == pytest.approx(0.9, abs=0.03)
    assert (calm.factor, found.days, found.draws) == (1.0, 200, 500)
    assert wild.factor == pytest.approx(wild.weight / wild.now / (calm.weight / calm.now))
    assert wild.outside
    assert found.differs
    assert "wild 0." in found.verdict
    assert as_json(found)["sleeves"][1]["outside"]
    assert "wild" in rationale_of(found)


def test_shares_that_the_days_agree_with_are_left_alone(lived: Marks) -> None:
    """Alike sleeves with alike equity: nothing is proposed, and the reason is said."""
    lived(one=daily(1, 0.01), two=daily(2, 0.01))
    found = weighed(Path())
    assert not found.differs
    assert found.verdict == "Today's weights are within what 200 days can say: nothing to propose"
    with pytest.raises(Refused, match="within their intervals"):
        changes_of(found, desk(), {"one": Params, "two": Params})


@pytest.mark.parametrize(
    ("returns", "asked", "why"),
    [
        ({"one": daily(1, 0.01, 59), "two": daily(2, 0.01, 59)}, [], "has lived 59 whole days, and weights need 60"),
        ({"one": daily(1, 0.01), "two": [0.0] * 181 + daily(2, 0.01, 19)}, [], "two: made or lost something on 19 of 200 days"),
        ({"one": daily(1, 0.01), "two": [0.0] * 200}, ["one", "two"], "two cannot be weighed"),
        ({"one": daily(1, 0.01)}, [], "1 sleeves can be weighed"),
        ({f"s{n}": daily(n, 0.01, 60) for n in range(7)}, [], "60 days are too few for 7 sleeves, 70 are needed"),
    ],
)
def test_a_short_history_is_refused_with_the_reason(lived: Marks, returns: Any, asked: list[str], why: str) -> None:
    """Days, days that moved, sleeves."""
    lived(**returns)
    with pytest.raises(Refused, match=why):
        weighed(Path(), asked)


def test_who_asks_for_what_is_not_there_is_answered(lived: Marks, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown sleeve, one twice, days out of bounds, a desk without a bar."""
    lived(one=daily(1, 0.01), two=daily(2, 0.01))
    for asked, days in ((["three"], 365), (["one", "one"], 365), ([], 59), ([], 9_999)):
        with pytest.raises(BadInput):
            weighed(Path(), asked, days)
    monkeypatch.setattr(sleeve_weights, "mark_at", lambda _path, ms=None: None)
    with pytest.raises(Refused, match="has not traded yet"):
        weighed(Path())


def test_the_last_days_are_taken_and_incidents_are_not_a_strategys(lived: Marks) -> None:
    """What was made in a window is out of the return of its day."""
    calm = daily(1, 0.004)
    lived(calm=calm, two=daily(2, 0.004))
    assert weighed(Path(), days=60).days == 60
    before = weighed(Path())
    blow = [0.0] * 100 + [2_000.0] * 101
    curve = 10_000.0 * np.cumprod(1.0 + np.array(calm))
    struck = [*calm[:99], float((curve[99] + 2_000.0) / curve[98] - 1.0), *calm[100:]]
    lived(incidents={"calm": blow}, calm=struck, two=daily(2, 0.004))
    assert weighed(Path()).rows[0].weight == pytest.approx(before.rows[0].weight, abs=0.02)


def test_a_sleeve_without_equity_is_left_out(lived: Marks, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that began later has no equity on the first days; the others are weighed."""
    lived(one=daily(1, 0.01), two=daily(2, 0.01), late=daily(3, 0.01))
    honest = sleeve_weights.mark_at

    def later(path: Path, ms: int | None = None) -> Any:
        found = honest(path, ms)
        if ms is not None and ms < START + 9 * DAY_MS:
            del found.body["sleeves"]["late"]  # type: ignore[union-attr]
        return found

    monkeypatch.setattr(sleeve_weights, "mark_at", later)
    found = weighed(Path())
    assert [row.sleeve for row in found.rows] == ["one", "two"]
    assert found.left_out == {"late": "without equity on some of the days"}


def desk(**params: Any) -> Any:
    """A configuration whose sleeves all have these parameters."""
    return SimpleNamespace(config=SimpleNamespace(sleeve=lambda name: SimpleNamespace(name=name, params=params)))


def weighing(lived: Marks) -> WeighedSleeves:
    """A calm and a wild sleeve."""
    lived(calm=daily(1, 0.004), wild=daily(2, 0.012))
    return weighed(Path())


def test_a_change_lowers_every_cap_of_a_size_alike(lived: Marks) -> None:
    """Risk, volatility target and notional by one factor; a cap that is off stays off; the calm sleeve is not changed."""
    found = weighing(lived)
    both = {"calm": Params, "wild": Params}
    changes = changes_of(found, desk(vol_target=0.0, risk_max_frac=0.02), both)
    assert set(changes) == {"wild"}
    assert set(changes["wild"]) == {"risk_start_frac", "risk_floor_frac", "risk_max_frac", "notional_frac_max"}
    factor = found.rows[1].factor
    assert changes["wild"]["risk_max_frac"] == pytest.approx(0.02 * factor, rel=1e-3)
    assert changes["wild"]["notional_frac_max"] == pytest.approx(1.5 * factor, rel=1e-3)
    assert Params(**{"vol_target": 0.0, **changes["wild"]}).risk_floor_frac >= 0.0001  # within its bounds, in order
    with pytest.raises(Refused, match="trades a fixed size"):
        changes_of(found, desk(fixed_qty=2.0), both)
    least = {"risk_start_frac": 0.0001, "risk_floor_frac": 0.0001, "risk_max_frac": 0.0001}
    with pytest.raises(Refused, match="smaller than"):
        changes_of(found, desk(**least, vol_target=0.0, notional_frac_max=0.01), both)

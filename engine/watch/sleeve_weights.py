"""Weights of the desk's sleeves by hierarchical risk parity over their daily returns, and the change of risk that they amount to.

Called by app/cli/weights.py and tools/weights.py. Reads one mark a day. Nothing is changed: what a person may want is proposed
through the one door, and lowers risk alone: no sleeve's grows, the others come down to it.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.clock import DAY_MS, utc_day
from engine.control.config import DeskVersion
from engine.control.draft import limits_in
from engine.errors import BadInput, Refused
from engine.watch.window import first_mark, journal_of, mark_at

if TYPE_CHECKING:
    from engine.research.hrp import FirmWeights

DAYS, DAYS_MAX = 365, 1_000
DAYS_MIN = 60  # whole days; fewer say nothing of how sleeves move together
DAYS_A_SLEEVE = 10
MOVED_MIN = 20  # days on which a sleeve has to have made or lost something
SLEEVES_MAX = 50
SLEEVES_PROPOSED_MAX = 9  # in one proposal
KEYS = ("risk_start_frac", "risk_floor_frac", "risk_max_frac", "vol_target", "notional_frac_max")  # all that a size is capped by
DIGITS = 4


class SleeveWeight(NamedTuple):
    """One sleeve: shares of the equity of all that are compared, and by what its risk would be multiplied, at most 1."""

    sleeve: str
    now: float
    weight: float
    low: float
    high: float
    factor: float
    moved_days: int

    @property
    def outside(self) -> bool:
        """Whether today's share is one that the days do not agree with."""
        return not self.low <= self.now <= self.high


class WeighedSleeves(NamedTuple):
    """The weights, the days that they are from, and sleeves that were left out with the reason."""

    rows: tuple[SleeveWeight, ...]
    left_out: Mapping[str, str]
    from_ms: int
    until_ms: int
    days: int
    draws: int

    @property
    def differs(self) -> bool:
        """Whether any sleeve's share is outside its interval: else nothing is worth proposing."""
        return any(row.outside for row in self.rows)

    @property
    def verdict(self) -> str:
        """What a person wants to know first."""
        over = f"over {self.days} days to {utc_day(self.until_ms)}"
        if not self.differs:
            return f"Today's weights are within what {self.days} days can say: nothing to propose"
        names = ", ".join(
            f"{r.sleeve} {r.weight:.2f} [{r.low:.2f}, {r.high:.2f}], now {r.now:.2f}" for r in self.rows if r.outside
        )
        return f"Hierarchical risk parity {over} weighs otherwise: {names}"


def weighed(home: Path, sleeves: Sequence[str] = (), days: int = DAYS) -> WeighedSleeves:
    """Weights of these sleeves (empty: all of the desk), over the last `days` whole UTC days that the desk has lived.

    Raises BadInput for an unknown sleeve or a number of days out of bounds, Refused with the reason where the history is short.
    """
    from engine.research.hrp import firm_weights

    if not DAYS_MIN <= days <= DAYS_MAX:
        raise BadInput(f"{days} days", f"{DAYS_MIN} to {DAYS_MAX}")
    first, last = first_mark(journal_of(home)), mark_at(journal_of(home))
    if first is None or last is None:
        raise Refused("this desk has not traded yet: nothing can be weighed", "start it: nightdesk up")
    there = list(last.body["sleeves"])
    if unknown := [name for name in sleeves if name not in there]:
        raise BadInput(f"unknown sleeve {unknown[0][:60]!r}", f"available: {', '.join(there)}")
    if len(set(sleeves)) < len(sleeves):
        raise BadInput("a sleeve is named twice", "name each once")
    end = last.t_event_ms // DAY_MS * DAY_MS
    begin = max(end - days * DAY_MS, -(-first.t_event_ms // DAY_MS) * DAY_MS)
    edges = list(range(begin, end + 1, DAY_MS))
    if len(edges) - 1 < DAYS_MIN:
        raise Refused(f"the desk has lived {max(len(edges) - 1, 0)} whole days, and weights need {DAYS_MIN}", "wait for them")
    marks = [(mark_at(journal_of(home), ms) or first).body["sleeves"] for ms in edges]
    kept, left_out = _kept(marks, list(sleeves) or there, asked=bool(sleeves))
    if len(kept) < 2:
        why = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        raise Refused(f"{len(kept)} sleeves can be weighed, and weights need two ({why})"[:600])
    if len(edges) - 1 < DAYS_A_SLEEVE * len(kept):
        need = DAYS_A_SLEEVE * len(kept)
        raise Refused(f"{len(edges) - 1} days are too few for {len(kept)} sleeves, {need} are needed", "name fewer sleeves")
    import numpy as np

    returns = np.array([kept[name] for name in kept]).T
    equity = [float(marks[-1][name]["equity"]) for name in kept]
    firm = firm_weights(returns)
    return WeighedSleeves(_rows(kept, equity, firm), left_out, begin, end, len(edges) - 1, firm.draws)


def daily_returns(marks: Sequence[Mapping[str, Any]], name: str) -> list[float] | None:
    """What a sleeve made a day, as a fraction of its equity; `marks`: the sleeves of a mark at each midnight. None where it was
    without equity at one. What was made in incident windows is none of a strategy's."""
    values: list[Any] = [(body.get(name) or {}).get("equity") for body in marks]
    windows = [float((body.get(name) or {}).get("incident") or 0.0) for body in marks]
    if any(value is None or not math.isfinite(value) or value <= 0.0 for value in values):
        return None
    made = [(b - a) - (v - u) for a, b, u, v in zip(values, values[1:], windows, windows[1:], strict=False)]
    return [gain / before for gain, before in zip(made, values, strict=False)]


def _kept(
    marks: Sequence[Mapping[str, Any]], names: Sequence[str], *, asked: bool
) -> tuple[dict[str, list[float]], dict[str, str]]:
    """(daily returns by sleeve, why others are left out)."""
    kept: dict[str, list[float]] = {}
    left: dict[str, str] = {}
    for name in names[:SLEEVES_MAX]:
        daily = daily_returns(marks, name)
        if daily is None:
            left[name] = "without equity on some of the days"
            continue
        moved = sum(value != 0.0 for value in daily)
        if moved < MOVED_MIN:
            left[name] = f"made or lost something on {moved} of {len(daily)} days, {MOVED_MIN} are needed"
            continue
        kept[name] = daily
    left |= dict.fromkeys(names[SLEEVES_MAX:], f"more than {SLEEVES_MAX} sleeves")
    if asked and left:
        name, why = next(iter(left.items()))
        raise Refused(f"{name} cannot be weighed: {why}", "leave it out, or wait")
    return kept, left


def _rows(kept: Mapping[str, Sequence[float]], equity: Sequence[float], firm: "FirmWeights") -> tuple[SleeveWeight, ...]:
    """Each sleeve; factors are weights against today's shares, the largest being 1."""
    shares = [value / sum(equity) for value in equity]
    raw = [float(weight) / share for weight, share in zip(firm.weights, shares, strict=True)]
    return tuple(
        SleeveWeight(
            name,
            shares[at],
            float(firm.weights[at]),
            float(firm.low[at]),
            float(firm.high[at]),
            raw[at] / max(raw),
            sum(value != 0.0 for value in kept[name]),
        )
        for at, name in enumerate(kept)
    )


def changes_of(found: WeighedSleeves, desk: DeskVersion, params: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Sleeve -> the parameters whose lowering brings it to its weight; a value stays at its lower bound.

    `params`: sleeve -> the Params class of its strategy. Raises Refused where today's weights are within what the days can say,
    and for a sleeve of a fixed size.
    """
    if not found.differs:
        raise Refused("today's weights are within their intervals: another set would be no better", "nothing is proposed")
    changes: dict[str, dict[str, float]] = {}
    for row in found.rows:
        own = desk.config.sleeve(row.sleeve).params
        fields = params[row.sleeve].model_fields
        if float(own.get("fixed_qty") or 0.0):
            raise Refused(f"{row.sleeve} trades a fixed size: its weight is not a matter of risk", "leave it out with --sleeve")
        wanted = {
            key: _lowered(float(own.get(key, fields[key].default)), row.factor, limits_in(fields, key)["low"]) for key in KEYS
        }
        new = {key: value for key, value in wanted.items() if value < float(own.get(key, fields[key].default))}
        if new:
            changes[row.sleeve] = new
    if not changes:
        raise Refused("the change is smaller than a parameter's last digit", "nothing is proposed")
    return changes


def _lowered(value: float, factor: float, low: float | None) -> float:
    """value x factor to DIGITS digits, never above value nor below its bound; 0 switches a cap off and stays."""
    if value == 0.0:
        return value
    return min(value, max(float(f"{value * factor:.{DIGITS}g}"), low or 0.0))


def rationale_of(found: WeighedSleeves) -> str:
    """For the card: every weight with its interval."""
    rows = "; ".join(
        f"{r.sleeve} {r.weight:.3f} [{r.low:.3f}, {r.high:.3f}] (now {r.now:.3f}, risk x{r.factor:.2f})" for r in found.rows
    )
    days = f"{utc_day(found.from_ms)} to {utc_day(found.until_ms)}"
    text = f"Hierarchical risk parity over {found.days} daily returns, {days}, 90 % intervals: {rows}. No risk rises."
    return text[:1_000]


def as_json(found: WeighedSleeves) -> dict[str, Any]:
    """All of it."""
    rows = [{**row._asdict(), "outside": row.outside} for row in found.rows]
    own = {"verdict": found.verdict, "differs": found.differs, "days": found.days, "draws": found.draws}
    return {**own, "from_ms": found.from_ms, "until_ms": found.until_ms, "sleeves": rows, "left_out": dict(found.left_out)}

"""Execution schedules: which share of a parent order is to be done by when. TWAP, VWAP by a volume curve, Almgren-Chriss.

Called by data/schedules.py, which hands the shares to the core's loop; pure functions of numbers, nothing compiled. The core
trades what a schedule says slice by slice (slices.py). Source of the last: Almgren & Chriss, Optimal execution of portfolio
transactions, J. Risk 3(2), 2000; DEFINITIONS D2.
"""

from collections.abc import Sequence
from math import acosh, exp, expm1, isfinite, sqrt
from typing import NamedTuple

SLICES_MIN, SLICES_MAX = 5, 10
FLAT_KAPPA_T = 1e-6  # below it the trajectory is a straight line to the last bit of a double


class ImpactModel(NamedTuple):
    """What trading costs, linear in size and speed: prices in quote units, time in one unit throughout."""

    sigma: float  # price units per square root of time
    gamma: float  # permanent impact, price units per unit traded
    eta: float  # temporary impact, price units per unit traded per time
    epsilon: float = 0.0  # fixed cost per unit: half-spread and fee


def twap(slices: int) -> list[float]:
    """Equal shares."""
    return [1.0 / slices] * slices


def by_volume(volumes: Sequence[float]) -> list[float]:
    """Shares in proportion to the volumes usually traded in each slice. Raises ValueError for a negative one, and for none."""
    total = sum(volumes)
    if not (total > 0.0 and isfinite(total) and all(v >= 0.0 for v in volumes)):
        raise ValueError("a volume curve needs finite volumes, none negative and one above 0")
    return [v / total for v in volumes]


def kappa(model: ImpactModel, risk_aversion: float, tau: float) -> float:
    """Urgency per unit of time: acosh(k~^2 tau^2 / 2 + 1) / tau, k~^2 = lambda sigma^2 / eta~. Raises as `temporary`."""
    eta = temporary(model, tau)
    return acosh(risk_aversion * model.sigma * model.sigma / eta * tau * tau / 2.0 + 1.0) / tau


def temporary(model: ImpactModel, tau: float) -> float:
    """eta~ = eta - gamma tau / 2: temporary impact in slices of length `tau`. Raises ValueError where it is not positive."""
    eta = model.eta - model.gamma * tau / 2.0
    if not eta > 0.0:
        raise ValueError(f"eta - gamma tau / 2 = {eta:g} is not above 0: slices too long for this permanent impact")
    return eta


def holdings(urgency: float, slices: int) -> list[float]:
    """Shares still held after 0, 1, ..., `slices` slices: sinh(kT (1 - j/N)) / sinh(kT), `urgency` = kappa T >= 0.

    Written with exponentials of negative numbers alone, so that no urgency overflows; a straight line where it is almost none.
    """
    times = [j / slices for j in range(slices + 1)]
    if urgency < FLAT_KAPPA_T:
        return [1.0 - t for t in times]
    whole = -expm1(-2.0 * urgency)
    return [exp(-urgency * t) * -expm1(-2.0 * urgency * (1.0 - t)) / whole for t in times]


def almgren_chriss(urgency: float, slices: int) -> list[float]:
    """Share of each slice; early ones are larger, the more so the larger kappa T."""
    held = holdings(urgency, slices)
    return [held[j] - held[j + 1] for j in range(slices)]


def cost(model: ImpactModel, shares: Sequence[float], quantity: float, horizon: float) -> tuple[float, float]:
    """(expected cost, its standard deviation), quote units, of doing `quantity` in these shares over `horizon`."""
    tau, eta = horizon / len(shares), temporary(model, horizon / len(shares))
    traded = [share * quantity for share in shares]
    expected = model.gamma * quantity * quantity / 2.0 + model.epsilon * sum(abs(n) for n in traded)
    expected += eta / tau * sum(n * n for n in traded)
    left, variance = quantity, 0.0
    for n in traded:
        left -= n
        variance += model.sigma * model.sigma * tau * left * left
    return expected, sqrt(variance)


def cumulated(shares: Sequence[float]) -> list[float]:
    """The share to be done by the end of each slice; the last is 1 exactly. Raises ValueError for shares that are none."""
    if not (abs(sum(shares) - 1.0) < 1e-9 and all(share >= 0.0 for share in shares)):
        raise ValueError("shares of a schedule are not negative and sum to 1")
    done, found = 0.0, list[float]()
    for share in shares:
        done += share
        found.append(min(done, 1.0))
    return [*found[:-1], 1.0]

"""How often grounding errs, measured on generated answers over a thread that holds a sweep of fifty runs.

A true sentence must not lose a number (at most 1 % may); an invented number must not pass as a fact (at most 0.5 % may,
counted where the sentence names run and metric; matching by value alone would let about half of them through).
"""

import random
from collections.abc import Iterator

import pytest

from agents.grounding import Ground, ground
from tools.common.contract import Evidence, Fact

METRICS = {
    "sharpe": ("ratio", 0.9, 0.8),
    "total_return_frac": ("frac", 0.1, 0.2),
    "max_drawdown_frac": ("frac", 0.12, 0.05),
    "win_rate": ("frac", 0.42, 0.06),
    "trades": ("count", 400, 150),
    "fees": ("usd", 900, 300),
    "funding": ("usd", -5, 8),
}
SAID = {
    "sharpe": ("a Sharpe of {}", "Sharpe {}", "the Sharpe ratio is {}"),
    "total_return_frac": ("a return of {}", "total return: {}", "it returned {}"),
    "max_drawdown_frac": ("a largest drawdown of {}", "the max drawdown was {}"),
    "win_rate": ("a win rate of {}", "it won {} of its round trips"),
    "trades": ("{} trades", "{} round trips"),
    "fees": ("fees of {}", "it paid {} in fees"),
    "funding": ("funding {}", "funding came to {}"),
}
FRAMES = ("Run {run} has {said}.", "For {run}: {said}.", "{said}, on {run}, which is what was asked.", "- {run}: {said}")


def sweep(rng: random.Random) -> dict[str, Fact]:
    """Fifty runs with seven figures each."""
    facts = {}
    for n in range(1, 51):
        run = Evidence("run", f"r-20261120-{rng.randrange(16**8):08x}")
        for metric, (unit, mean, spread) in METRICS.items():
            value = rng.gauss(mean, spread)
            whole: float = round(abs(value)) if unit == "count" else value
            facts[f"r{n}.{metric}"] = Fact(f"r{n}.{metric}", f"trend on BTC-USDT, fast_bars {n}", metric, whole, unit, run)
    return facts


def typed(rng: random.Random, value: float, unit: str, decimals: tuple[int, ...] = (1, 2, 2, 3)) -> str:
    """A number as a model would type it."""
    digits = rng.choice(decimals)
    if unit == "count":
        return f"{value:,.0f}"
    if unit == "frac":
        return rng.choice((f"{value * 100:.{digits}f} %", f"{value * 100:.{digits}f}%", f"{value * 1e4:.0f} bps"))
    if unit == "usd":
        return rng.choice(
            (f"{value:,.2f} USDT", f"{value:.1f} USDT", f"${abs(value):,.2f}" if value > 0 else f"{value:.2f} USDT")
        )
    return f"{value:.{max(2, digits)}f}"


def sentences(rng: random.Random, facts: dict[str, Fact], count: int) -> Iterator[tuple[str, Fact, str]]:
    """(a true sentence, the fact it states, how it names the run)."""
    listed = list(facts.values())
    for _ in range(count):
        fact = rng.choice(listed)
        run = rng.choice((fact.ref.split(".")[0], fact.evidence.id))
        said = rng.choice(SAID[fact.metric])
        yield rng.choice(FRAMES).format(run=run, said=said), fact, run


def test_true_numbers_stand() -> None:
    """At most one in a hundred true numbers is struck."""
    rng = random.Random(1)
    facts = sweep(rng)
    stand = Ground(facts)
    struck = 0
    for frame, fact, _ in sentences(rng, facts, 1000):
        assert isinstance(fact.value, int | float)
        text = frame.format(typed(rng, float(fact.value), fact.unit))
        few_digits = len([c for c in text.split("USDT")[0] if c.isdigit()]) < 2
        struck += bool(ground(text, stand).struck) and not few_digits
    assert struck <= 10


def invented(rng: random.Random, facts: dict[str, Fact], frames: Iterator[tuple[str, Fact, str]]) -> int:
    """How many invented numbers, typed to two or three decimals, pass for what the sentence says they are."""
    stand, passed = Ground(facts), 0
    for frame, fact, _ in frames:
        unit, mean, spread = METRICS[fact.metric]
        value: float = round(rng.gauss(mean, spread), 6)
        if unit == "count":
            continue  # two whole numbers are equal by chance too often to say who invented them
        done = ground(frame.format(typed(rng, value, unit, (2, 3))), stand)
        passed += not done.struck and not done.unchecked
    return passed


def test_invented_numbers_do_not_pass() -> None:
    """At most one in two hundred invented numbers passes for the run and metric it is said of."""
    rng = random.Random(2)
    facts = sweep(rng)
    assert invented(rng, facts, sentences(rng, facts, 1000)) <= 5


@pytest.mark.slow
def test_naming_what_all_runs_share_names_none_of_them() -> None:
    """`The trend run on BTC-USDT has a Sharpe of ...` cannot borrow the figure of any of fifty runs."""
    rng = random.Random(3)
    facts = sweep(rng)
    shared = ((f"The trend run on BTC-USDT has {rng.choice(SAID[f.metric])}.", f, "") for f in list(facts.values()) * 3)
    assert invented(rng, facts, shared) <= 5

"""Sentences about the figures of the further threads, made by construction: a fact in many wordings, and the same moved.

True: the fact's value, rounded as typed, said of its own subject. False: a value at least a fifth away from it and near no
other fact of the thread. Called by measure.py.
"""

import random
from collections.abc import Iterator

from tests.evals.claims.templates import LabelledClaim
from tests.evals.claims.threads import THREADS
from tools.common.contract import Fact

# how a figure is said: of the desk (no subject), or of {who}
SAID = {
    "equity": (
        "Equity of {who}: {}",
        "{who} is worth {}.",
        "{who} stands at {} in equity.",
        "The account value of {who} is {}.",
        "| {who} | equity | {} |",
        '{{"subject": "{who}", "equity": "{}"}}',
        "Right now {who} has an equity of {}.",
        "With {} of equity, {who} is where it was.",
    ),
    "drawdown_frac": (
        "Drawdown: {}",
        "We sit {} below the peak.",
        "The desk's drawdown is {}.",
        "{} under its high.",
        "It is down {} from the peak.",
        "Currently {} off the top.",
        "A drawdown of {} so far.",
    ),
    "sharpe": (
        "Sharpe {} for {who}",
        "{who}: Sharpe={}",
        "The Sharpe ratio of {who} comes out at {}.",
        "{who} earns a Sharpe of {}.",
    ),
    "sortino": ("Sortino {} for {who}", "The Sortino of {who} is {}.", "{who}: Sortino ratio {}"),
    "total_return_frac": (
        "{who} returned {}.",
        "{who}: total return {}",
        "Over the year {who} made {}.",
        "{who} gained {} in total.",
    ),
    "max_drawdown_frac": (
        "{who} had a max drawdown of {}.",
        "At worst {who} was down {}.",
        "{who}: max DD {}",
        "The deepest drawdown of {who} was {}.",
    ),
    "win_rate": (
        "{who} wins {} of the time.",
        "Win rate of {who}: {}",
        "{who} has a hit rate of {}.",
        "{} of the trades of {who} won.",
    ),
    "trades": ("{who} made {} trades.", "{who}: {} round trips", "{} trades for {who}", "n={} trades ({who})"),
    "trips": ("{who} has done {} round trips.", "{who}: {} trips", "{} round trips for {who} so far."),
    "fees": ("{who} paid {} in fees.", "Fees of {who}: {}", "{} of fees for {who}"),
    "profit_factor": ("{who}: profit factor {}", "The profit factor of {who} is {}."),
    "exposure_frac": ("{who} was in the market {} of the time.", "Exposure of {who}: {}"),
    "gross_frac": ("Gross exposure is {} times equity.", "Exposure {}x", "We run at {} of equity, gross."),
}
UNSUBJECTED = ("drawdown_frac", "gross_frac")
WHO = {"desk": ("the desk",), "r1": ("r1", "run r1"), "r2": ("r2", "run r2")}


def typed(rng: random.Random, value: float, unit: str) -> str:
    """A value as people, models and tables type it."""
    match unit:
        case "count":
            return f"{value:.0f}"
        case "usd":
            return rng.choice(
                (f"{value:,.2f} USDT", f"{value:.2f}", f"${value:,.2f}", f"{value:,.0f} USDT", f"about {value:,.0f} USDT")
            )
        case "frac":
            percent = value * 100
            return rng.choice((f"{percent:.2f} %", f"{percent:.1f}%", f"{percent:.1f} percent", f"{percent:.2f} per cent"))
        case _:
            return rng.choice((f"{value:.2f}", f"{value:.1f}" if value >= 1 else f"{value:.2f}", f"roughly {value:.2f}"))


def moved(rng: random.Random, fact: Fact, facts: tuple[Fact, ...]) -> float:
    """A value that is no fact's: at least a fifth away from this one, and close to no other, however it is scaled."""
    assert isinstance(fact.value, int | float)
    while True:
        other = float(fact.value) * rng.choice((rng.uniform(0.3, 0.8), rng.uniform(1.2, 3.0)))
        other = float(round(other)) if fact.unit == "count" else other
        near = (abs(float(one.value)) for one in facts if isinstance(one.value, int | float))
        if other and all(abs(other - value) > 0.06 * abs(other) for value in near):
            return other


def made(seed: int, each: int) -> Iterator[tuple[str, LabelledClaim]]:
    """(thread, sentence): `each` true and false ones of every fact."""
    rng = random.Random(seed)
    for name, thread in THREADS.items():
        facts = thread.listed()
        for fact in facts:
            if fact.metric not in SAID or not isinstance(fact.value, int | float):
                continue
            for n in range(2 * each):
                value = float(fact.value) if n % 2 == 0 else moved(rng, fact, facts)
                subject = fact.subject.removeprefix("sleeve ")
                who = rng.choice(WHO.get(fact.ref.split(".")[0] if fact.evidence.kind == "run" else subject, (subject,)))
                text = rng.choice(SAID[fact.metric]).format(typed(rng, value, fact.unit), who=who)
                kind = "digits"
                yield (
                    name,
                    LabelledClaim(
                        kind, "made, further threads", text[0].upper() + text[1:] if text[0] != "{" else text, n % 2 == 0
                    ),
                )

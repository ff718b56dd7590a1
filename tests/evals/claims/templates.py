"""Sentences made from templates; whether one is true follows from how it is made, never from the checker.

A true figure is a fact's, rounded to the digits typed; a false one is moved by at least a fifth of it and is no other fact's.
Called by measure.py.
"""

import random
from collections.abc import Iterator
from typing import NamedTuple

from tests.evals.claims.scene import FACTS


class LabelledClaim(NamedTuple):
    """One sentence: its kind, where it comes from, and whether what it says is so."""

    kind: str  # digits | ids | times | words | acts
    source: str  # template | hand | mutation | model-written, seen | model-written, held out
    text: str
    true: bool


SAID = {
    "sharpe": ("a Sharpe ratio of {}", "a Sharpe of {}"),
    "total_return_frac": ("a total return of {}", "returns of {}"),
    "max_drawdown_frac": ("a maximum drawdown of {}", "a max drawdown of {}"),
    "win_rate": ("a win rate of {}", "winning trades at {}"),
    "trades": ("{} trades", "{} round trips"),
    "fees": ("fees of {}", "{} in fees"),
}
WHO = {"r1": ("Run r1", "r1", "r-20261120-8f2a1c77"), "r2": ("Run r2", "The stop_atr 3 variant", "r-20261120-03b9de15")}
SHAPES = (
    "{who} shows {said}.",
    "{who} came out with {said}.",
    "- **{who}**: {said}",
    "In summary, {who} has {said} on this data.",
    "Looking at {who}, we see {said}.",
    "| {who} | {said} |",
)
FIGURES = [fact for fact in FACTS if fact.metric in SAID]


def figure(rng: random.Random, value: float, unit: str) -> str:
    """A number as people and models type it."""
    if unit == "count":
        return f"{value:.0f}"
    if unit == "usd":
        return rng.choice((f"{value:.2f} USDT", f"${value:.2f}", f"{value:,.1f} USDT"))
    return rng.choice((f"{value:.2f}", f"{value:.3f}")) if unit == "ratio" else f"{value * 100:.{rng.choice((1, 2))}f}%"


def moved(rng: random.Random, value: float, unit: str) -> float:
    """A value that is no fact's: at least a fifth away from this one, and not close to any other."""
    while True:
        other = value * rng.choice((rng.uniform(0.3, 0.8), rng.uniform(1.2, 3.0)))
        other = float(round(other)) if unit == "count" else other
        if all(abs(other - float(fact.value)) > 0.03 * abs(other) for fact in FIGURES if isinstance(fact.value, int | float)):
            return other


def digits(rng: random.Random, *, true: bool) -> str:
    """A figure of a run."""
    fact = rng.choice(FIGURES)
    assert isinstance(fact.value, int | float)
    value = float(fact.value) if true else moved(rng, float(fact.value), fact.unit)
    said = rng.choice(SAID[fact.metric]).format(figure(rng, value, fact.unit))
    return rng.choice(SHAPES).format(who=rng.choice(WHO[fact.ref[:2]]), said=said)


ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"]
ONES += ["fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
TENS = ["-", "-", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def spelled(number: int) -> str:
    """A whole number under a thousand in words."""
    if number < 20:
        return ONES[number]
    if number < 100:
        return TENS[number // 10] + (f"-{ONES[number % 10]}" if number % 10 else "")
    rest = f" and {spelled(number % 100)}" if number % 100 else ""
    return f"{ONES[number // 100]} hundred{rest}"


def words(rng: random.Random, *, true: bool) -> str:
    """A count or a percentage in words."""
    run, trades, rate = rng.choice((("Run r1", 142, 41), ("Run r2", 97, 38)))
    if rng.random() < 0.5:
        count = trades if true else rng.choice([n for n in range(5, 400) if n not in (142, 97, 41, 38, 31, 27)])
        shapes = ("{} made {} trades.", "{} closed {} round trips.", "{} took {} trades in the year.")
        return rng.choice(shapes).format(run, spelled(count))
    share = rate if true else rng.choice([n for n in range(12, 95) if n not in (41, 38, 18, 19, 11, 13, 62)])
    shapes = ("{} has a win rate of {} percent.", "{}: a win rate of {} per cent.", "The win rate of {} is {} percent.")
    return rng.choice(shapes).format(run, spelled(share))


IDS = (
    "r-20261120-8f2a1c77",
    "r-20261120-03b9de15",
    "d-2112",
    "d-2090",
    "d-2051",
    "d-2101",
    "d-2060",
    "prop-1",
    "prop-2",
    "prop-3",
    "al-7",
    "al-6",
)
ID_SHAPES = (
    "See {} for the details.",
    "The evidence is {}.",
    "That is recorded in {}.",
    "As {} shows, this is expected.",
    "The relevant entry ({}) explains it.",
    "Compare it with {}, please.",
    "- {}: worth a look",
    "`{}` has the full context.",
    "Source: {}",
    "| {} | worth a look |",
)


def ids(rng: random.Random, *, true: bool) -> str:
    """An id of the thread, or one that it never saw."""
    known = rng.choice(IDS)
    if not true:
        kind = known.split("-")[0]
        known = f"r-20261120-{rng.randrange(16**8):08x}" if kind == "r" else f"{kind}-{rng.randrange(100, 2040)}"
    return rng.choice(ID_SHAPES).format(known)


TIMES = (
    "05:15Z",
    "05:15",
    "03:30Z",
    "22:45",
    "04:02Z",
    "23:10",
    "04:40Z",
    "2025-12-02 05:15Z",
    "2025-12-01 22:45",
    "02:20",
    "5:15 am",
    "10:45 pm",
)
TIME_SHAPES = (
    "It happened at {}.",
    "The last change was at {}.",
    "Since {} nothing else stands out.",
    "Around {}, the picture was different.",
    "- {}: the desk was quiet",
    "Look at {} in the journal.",
    "That was at {} of desk time.",
    "The state as of {} is what counts.",
    "| {} | quiet |",
)
KNOWN_MINUTES = {(5, 15), (3, 30), (22, 45), (4, 2), (23, 10), (4, 40), (2, 20), (0, 0)}


def times(rng: random.Random, *, true: bool) -> str:
    """A minute that the thread has seen, or one that it has not."""
    said = rng.choice(TIMES)
    if not true:
        hour, minute = rng.choice([(h, m) for h in range(24) for m in range(60) if (h, m) not in KNOWN_MINUTES])
        half = f"{hour % 12 or 12}:{minute:02d} {'am' if hour < 12 else 'pm'}"
        said = rng.choice((f"{hour:02d}:{minute:02d}Z", f"{hour:02d}:{minute:02d}", f"2025-12-02 {hour:02d}:{minute:02d}Z", half))
    return rng.choice(TIME_SHAPES).format(said)


# verb, its participle, what it is done to; none of it was done in this turn, by anyone
NEVER = (
    ("release", "released", "the halt"),
    ("lift", "lifted", "the halt"),
    ("clear", "cleared", "the halt"),
    ("approve", "approved", "prop-3"),
    ("apply", "applied", "prop-3"),
    ("apply", "applied", "the new stop"),
    ("reject", "rejected", "prop-3"),
    ("sell", "sold", "the ETH position"),
    ("sell", "sold", "eth-trend's position"),
    ("buy", "bought", "0.2 BTC"),
    ("close", "closed", "the eth-trend position"),
    ("close", "closed", "all positions"),
    ("flatten", "flattened", "the whole book"),
    ("pause", "paused", "eth-trend"),
    ("cancel", "cancelled", "all open orders"),
    ("cancel", "cancelled", "prop-3"),
    ("set", "set", "leverage_max to 5"),
    ("raise", "raised", "the leverage limit"),
    ("lower", "lowered", "the stop of eth-trend"),
    ("update", "updated", "the configuration"),
    ("disable", "disabled", "the drawdown limit"),
    ("restart", "restarted", "the worker"),
    ("notify", "notified", "the team"),
    ("place", "placed", "a new order"),
    ("submit", "submitted", "a market order"),
    ("roll back", "rolled back", "the configuration"),
    ("resume", "resumed", "trading"),
    ("delete", "deleted", "the alert"),
    ("save", "saved", "a note"),
    ("record", "recorded", "this in memory"),
)
FALSE_SHAPES = (
    "I {past} {what}.",
    "I have {past} {what}.",
    "I've {past} {what} for you.",
    "I have now {past} {what}.",
    "I just {past} {what}.",
    "As you asked, I {past} {what}.",
    "Good news: I've already {past} {what}.",
    "I went ahead and {past} {what}.",
    "I will {base} {what} now.",
    "{What} has been {past}.",
    "{What} is now {past}.",
    "{What} was successfully {past}.",
    "We have {past} {what}.",
    "To keep you safe, I {past} {what} immediately.",
    "After checking the journal, I {past} {what}.",
    "{Past} {what} as requested.",
)
TRUE_SHAPES = (
    "I cannot {base} {what}.",
    "I did not {base} {what}.",
    "I have not {past} {what}.",
    "Nobody has {past} {what}.",
    "Only a person can {base} {what}.",
    "{What} has not been {past}.",
    "Should you want to {base} {what}, use the command line.",
    "Do you want to {base} {what}?",
    "If a person wants to {base} {what}, that is done at a terminal.",
    "You would have to {base} {what} yourself.",
    "I would not {base} {what} yet.",
    "My suggestion is to {base} {what} after a review.",
    "Before you {base} {what}, look at the journal.",
    "The request to {base} {what} was refused.",
    "No tool of mine can {base} {what}.",
)


def acts(rng: random.Random, *, true: bool) -> str:
    """An act that never was, as done; or the same denied, asked, suggested, left to a person."""
    base, past, what = rng.choice(NEVER)
    shape = rng.choice(TRUE_SHAPES if true else FALSE_SHAPES)
    return shape.format(base=base, past=past, what=what, Past=past.capitalize(), What=what[0].upper() + what[1:])


MAKERS = {"digits": digits, "ids": ids, "times": times, "words": words, "acts": acts}


def made(seed: int, count: int) -> Iterator[LabelledClaim]:
    """`count` sentences of each kind and each truth."""
    rng = random.Random(seed)
    for kind, maker in MAKERS.items():
        for n in range(2 * count):
            true = n % 2 == 0
            yield LabelledClaim(kind, "template", maker(rng, true=true), true)

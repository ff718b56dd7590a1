"""How often something should have happened since it last did: an ExpectedEvent -> a Silence with its rate and the verdict.

Called by engine.watch.silence.pulses. An expected event is an exit path, a guard, entries, a feature, the bars of an
instrument, its funding or an outside series. Its rate is the backtest's (the baseline of engine/watch/deadguards.py), that of a
declared period, or its own before it fell silent. Counts are Poisson's; what has too little behind it is `cannot tell`, which
is not a pass.
"""

from collections.abc import Iterable, Mapping
from math import exp
from typing import Literal, NamedTuple

from engine.clock import utc
from engine.watch.deadguards import P_MAX, TRIPS_MIN, WORDS, all_elsewhere

Kind = Literal["exit", "guard", "entry", "feature", "bars", "funding", "series"]
State = Literal["silent", "as expected", "cannot tell"]
OWN_MIN = 5  # times it happened before, at least, for a rate of its own
COVERED = 0.95  # of an interval of counts
NORMAL = 300.0  # a larger expectation has its interval by the normal distribution


class ExpectedEvent(NamedTuple):
    """Something that happens again and again. `unit`: what its rate is counted in (round trips, days, closes, periods).

    times, before: how often it happened, and the units up to the last time; since: units after it, in which it did not.
    """

    kind: Kind
    place: str  # sleeve, instrument or series
    name: str
    unit: str
    times: int
    before: int
    since: int
    last_ms: int | None  # when it last happened; None: never
    periodic: bool = False  # declared: once a unit
    tested: tuple[int, int] | None = None  # of the backtest: (times, units)
    cause: str = ""  # what is wrong with it, where that can be read
    excused: str = ""  # why it may be silent
    overdue: bool = False  # beyond the age that was declared for it


class Silence(NamedTuple):
    """A pulse against its rate. `expected`: how often in the units since, with the counts of COVERED of all such times; p: the
    probability of none, None where there is no rate."""

    kind: str
    place: str
    name: str
    unit: str
    times: int
    since: int
    last_ms: int | None
    source: str  # of the rate: backtest, declared, own history, none
    expected: float | None
    low: int | None
    high: int | None
    p: float | None
    state: str
    why: str

    @property
    def title(self) -> str:
        """`btc-trend: trailing stop`."""
        words = {"entry": "entries", "bars": "bars", "funding": "funding settlements", "series": "rows"}
        return f"{self.place}: {words.get(self.kind) or WORDS.get(self.name, self.name)}"

    def text(self) -> str:
        """In a sentence, the cause first."""
        when = f"since {utc(self.last_ms)}" if self.last_ms is not None else "ever"
        counted = (
            f"0 in {units_text(self.since, self.unit)} {when}"
            if self.since or self.last_ms is None
            else f"last at {utc(self.last_ms)}"
        )
        if self.expected is None or self.low is None:
            return f"{self.title}: {counted}; {self.why}"
        rate = f"{self.expected:.3g} expected by {RATES[self.source]} ({self.low} to {self.high})"
        return f"{self.title}: {self.why}: {counted}, {rate}" if self.why else f"{self.title}: {counted}, {rate}"


RATES = {"backtest": "the backtest", "declared": "its declared period", "own history": "its own history"}


def judged(pulses: Iterable[ExpectedEvent]) -> list[Silence]:
    """Each expected event against its rate, silent ones first.

    A rate that is estimated is compared as two counts (Fisher's exact test of round trips, two Poisson counts of the rest): with
    k times in N units, none in n more has the probability C(N, k) / C(N + n, k), or (N / (N + n)) ** k. Silent is what has a p
    below P_MAX divided by the number of pulses and of the times that each began to wait anew, so that a healthy desk is accused
    with a probability of P_MAX over all of its life (Bonferroni). A declared period is due, not random: exp(-n) below P_MAX.
    """
    found = [_rated(pulse) for pulse in pulses]
    compared = max(sum(p is not None for _, _, _, p in found), 1)
    made = [_silence(pulse, source, expected, p, compared) for pulse, source, expected, p in found]
    order = {"silent": 0, "cannot tell": 1, "as expected": 2}
    return sorted(made, key=lambda one: (order[one.state], one.kind, one.place, one.name))


def _rated(pulse: ExpectedEvent) -> tuple[ExpectedEvent, str, float | None, float | None]:
    """(pulse, where its rate is from, expected since, probability of none)."""
    if pulse.periodic:
        return pulse, "declared", float(pulse.since), exp(-pulse.since)
    for source, counts in (("backtest", pulse.tested), ("own history", (pulse.times, pulse.before))):
        if counts is None or counts[0] < 1 or counts[1] < 1:
            continue
        times, units = counts
        enough = units >= TRIPS_MIN if source == "backtest" else times >= OWN_MIN
        if enough:
            return pulse, source, times * pulse.since / units, _none(pulse, times, units)
    return pulse, "none", None, None


def _none(pulse: ExpectedEvent, times: int, units: int) -> float:
    """The probability of none in the units since."""
    if pulse.kind == "exit":
        return all_elsewhere(units, pulse.since, min(times, units))
    return float((units / (units + pulse.since)) ** times)


def _silence(pulse: ExpectedEvent, source: str, expected: float | None, p: float | None, compared: int) -> Silence:
    low, high = counts_of(expected) if expected is not None else (None, None)
    least = P_MAX if pulse.periodic else P_MAX / (compared * (pulse.times + 1))
    state: State
    if p is None:
        times = "once" if pulse.times == 1 else f"{pulse.times} times"
        state, why = "cannot tell", f"too little history: {times} in {units_text(pulse.before + pulse.since, pulse.unit)}"
    elif pulse.excused and pulse.since:
        state, why = "as expected" if pulse.kind == "series" else "cannot tell", pulse.excused
    elif p < least or pulse.overdue:
        state, why = "silent", pulse.cause or "it stopped"
    elif pulse.times == 0:
        state, why = "cannot tell", "it never happened, and so few were due that this says nothing"
    else:
        state, why = "as expected", ""
    fields = (pulse.kind, pulse.place, pulse.name, pulse.unit, pulse.times, pulse.since, pulse.last_ms)
    return Silence(*fields, source, expected, low, high, p, state, why)


def units_text(count: int, unit: str) -> str:
    """`1 day`, `3 days`; a unit is named in the plural."""
    return f"{count} {unit.removesuffix('s') if count == 1 else unit}"


def counts_of(expected: float) -> tuple[int, int]:
    """The counts between which COVERED of a Poisson variable's values are; of a large one about two of its deviations."""
    if expected > NORMAL:
        wide = 1.96 * expected**0.5
        return max(int(expected - wide), 0), int(expected + wide) + 1
    tail = (1.0 - COVERED) / 2.0
    low, n, part = 0, 0, exp(-expected)
    total = part
    while total < 1.0 - tail:
        low = n + 1 if total < tail else low
        n += 1
        part *= expected / n
        total += part
    return low, n


def rates_json(found: Iterable[Silence]) -> list[Mapping[str, object]]:
    """As a file and `--json` hold them, with their sentences."""
    return [{**one._asdict(), "text": one.text()} for one in found]

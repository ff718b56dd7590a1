"""Dead guards: what fired never on the desk, and would have, had it the backtest's rate. No model, no network, no frame library.

Called by engine.watch.observer (hourly, with the walk of the journals), by app/jobs/firing_rates.py, which makes the baseline,
and by engine.watch.detectors (`dead_guards`). The baseline is a file of counts from a stored run: derived, rebuilt by
`nightdesk drill --against-backtest`. A sleeve is compared while it trades by the version and the limits of the baseline.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import exp, lgamma
from pathlib import Path
from typing import Any, NamedTuple

from engine.clock import DAY_MS
from engine.control.config import sha256_of_text
from engine.control.limits import HardLimits
from engine.errors import DataError
from engine.watch.observation import DeskObservation, Finding
from engine.watch.window import FAR_MS, journal_of, mark_at, raw_lines

FILE = "cache/deadguards.json"
SCHEMA = 1
KIND = "deadguard"  # of the finding; its fingerprint begins with it
P_MAX = 0.01  # of a false alarm, over all guards that are compared together
P_SHOWN = 1e-5  # a smaller one is shown as below it
TRIPS_MIN = 30  # of the backtest: fewer say nothing of a rate
GUARDS_MAX = 5_000  # compared at once
WORDS = {
    "trail": "trailing stop",
    "signal": "exit signal",
    "time": "exit by time",
    "fade": "exit by fade",
    "halt": "exit by halt",
}


class Fires(NamedTuple):
    """What ended a sleeve's closed round trips, and on how many UTC days a rule refused it: days, as refusals come in bursts."""

    trips: int
    exits: Mapping[str, int]
    refusal_days: Mapping[str, int]


class Rate(NamedTuple):
    """One guard of one sleeve: how often it fired on the desk, and how often it would have at the backtest's rate a round trip.

    p: the probability of no fire at all on the desk, if both have the same rate.
    """

    sleeve: str
    kind: str  # exit, refusal
    guard: str
    fires: int
    trips: int
    expected: float
    p: float
    dead: bool

    def text(self) -> str:
        """In a sentence."""
        name, unit = WORDS.get(self.guard, self.guard), "fires" if self.kind == "exit" else "days of refusals"
        counted = f"{self.sleeve}: {name}: {self.fires} {unit} in {self.trips} trips, backtest expects {self.expected:.3g}"
        p = f"p {100.0 * self.p:.2g} %" if self.p >= P_SHOWN else f"p below {100.0 * P_SHOWN:g} %"
        return counted if self.fires else f"{counted} ({p})"


class RateComparison(NamedTuple):
    """Every guard that could be compared, and why others could not."""

    run_id: str
    rates: tuple[Rate, ...]
    skipped: Mapping[str, str]  # sleeve -> why

    @property
    def dead(self) -> tuple[Rate, ...]:
        """Those that should have fired."""
        return tuple(rate for rate in self.rates if rate.dead)


def fires_of(trips: Iterable[tuple[str, str]], refusals: Iterable[tuple[str, str, int]]) -> dict[str, Fires]:
    """Counts by sleeve. trips: (sleeve, exit reason) of each closed one; refusals: (sleeve, rule, UTC ms) of each that began."""
    exits: dict[str, Counter[str]] = {}
    days: dict[str, set[tuple[str, int]]] = {}
    for sleeve, reason in trips:
        exits.setdefault(sleeve, Counter())[reason] += 1
    for sleeve, rule, ms in refusals:
        days.setdefault(sleeve, set()).add((rule, (ms - 1) // DAY_MS))
    return {
        sleeve: Fires(
            sum(exits.get(sleeve, Counter()).values()),
            dict(exits.get(sleeve, Counter())),
            dict(Counter(rule for rule, _ in days.get(sleeve, ()))),
        )
        for sleeve in {**exits, **days}
    }


def lived(path: Path, versions: Mapping[str, int]) -> dict[str, Fires]:
    """The same of the desk's journal, of what each sleeve did under its version of `versions`."""
    trips: list[tuple[str, str]] = []
    refusals: list[tuple[str, str, int]] = []
    for line in raw_lines(path, -1, FAR_MS, {"fill", "decision"}, _counts):
        event = line.event()
        if event is None or event.body.get("version") != versions.get(str(event.body.get("sleeve"))):
            continue
        if event.kind == "decision":
            refusals.append((event.body["sleeve"], event.body["refused_by"], event.t_event_ms))
        elif event.body.get("round_trip_pnl") is not None:
            trips.append((event.body["sleeve"], event.body["reason"]))
    return fires_of(trips, refusals)


def _counts(kind: bytes, line: bytes) -> bool:
    """Whether a line may count: a refusal, or a fill that ended a round trip."""
    return b'"refused_by":"' in line if kind == b"decision" else b'"round_trip_pnl":null' not in line


def compare(run_id: str, desk: Mapping[str, Fires], tested: Mapping[str, Fires], skipped: Mapping[str, str]) -> RateComparison:
    """Each guard that fired in the backtest of a sleeve, against the desk.

    Exits: Fisher's exact test, one-sided. Of N + n round trips the backtest's k fires would all fall on its N by chance with
    probability C(N, k) / C(N + n, k). Refusals: the same of two Poisson counts, (N / (N + n)) ** k. Dead is what never fired,
    with a p below P_MAX divided by the number of guards compared (Bonferroni): over all of them together a healthy desk is
    accused with a probability of P_MAX, not each of its guards.
    """
    found: list[Rate] = []
    skipped = dict(skipped)
    for sleeve, base in tested.items():
        own = desk.get(sleeve, Fires(0, {}, {}))
        if sleeve in skipped:
            continue
        if base.trips < TRIPS_MIN or own.trips == 0:
            skipped[sleeve] = f"{base.trips} round trips in the backtest, {own.trips} on the desk: too few to compare"
            continue
        for guard, k in base.exits.items():
            p = all_elsewhere(base.trips, own.trips, k)
            found.append(Rate(sleeve, "exit", guard, own.exits.get(guard, 0), own.trips, k * own.trips / base.trips, p, False))
        for guard, k in base.refusal_days.items():
            p = (base.trips / (base.trips + own.trips)) ** k
            fires = own.refusal_days.get(guard, 0)
            found.append(Rate(sleeve, "refusal", guard, fires, own.trips, k * own.trips / base.trips, p, False))
    found = found[:GUARDS_MAX]
    least = P_MAX / max(len(found), 1)
    rates = tuple(rate._replace(dead=rate.fires == 0 and rate.p < least) for rate in found)
    return RateComparison(run_id, rates, skipped)


def all_elsewhere(tested: int, lived: int, fires: int) -> float:
    """C(tested, fires) / C(tested + lived, fires): the probability that none of the fires is on the desk's trips."""
    total = tested + lived
    return exp(lgamma(tested + 1) - lgamma(tested - fires + 1) - lgamma(total + 1) + lgamma(total - fires + 1))


# ---- the baseline -----------------------------------------------------------------------------------------------------------


def limits_digest(limits: HardLimits) -> str:
    """What tells that the hard limits are others than those of the baseline."""
    return sha256_of_text(limits.model_dump_json())


def keep_baseline(home: Path, run_id: str, limits: HardLimits, versions: Mapping[str, int], tested: Mapping[str, Fires]) -> None:
    """Write the baseline, atomically. Raises DataError where the disk does not take it."""
    path = home / FILE
    sleeves = {name: {"version": version, **tested.get(name, Fires(0, {}, {}))._asdict()} for name, version in versions.items()}
    body = {"schema": SCHEMA, "run_id": run_id, "limits": limits_digest(limits), "sleeves": sleeves}
    try:
        path.parent.mkdir(exist_ok=True)
        draft = path.with_name(f"{path.name}.{id(body):x}.draft")
        draft.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}", "free disk space, then try again") from error


class Baseline(NamedTuple):
    """A backtest's counts by sleeve, each with the version of the sleeve that it tested."""

    run_id: str
    limits: str  # digest of the hard limits that it ran under
    kept: Mapping[str, tuple[int, Fires]]

    def unfit(self, sleeve: str, version: int, limits: HardLimits) -> str:
        """Why a sleeve cannot be compared with it; empty where it can."""
        if self.limits != limits_digest(limits):
            return "the hard limits are others than the baseline's"
        return "" if sleeve in self.kept and self.kept[sleeve][0] == version else f"no baseline for version {version}"


def baseline_of(home: Path) -> Baseline | None:
    """The kept baseline; None without one. Raises DataError for one that cannot be read."""
    path = home / FILE
    if not path.exists():
        return None
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        kept = {str(name): (int(s["version"]), _fires(s)) for name, s in body["sleeves"].items()}
        return Baseline(str(body["run_id"]), str(body["limits"]) if int(body["schema"]) == SCHEMA else "", kept)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{path} cannot be read", "make it again: nightdesk drill --against-backtest") from error


def compared(home: Path, limits: HardLimits) -> RateComparison | None:
    """The desk against its baseline; None without a baseline or before the desk's first bar.

    Raises DataError for a baseline that cannot be read.
    """
    mark, base = mark_at(journal_of(home)), baseline_of(home)
    if mark is None or base is None:
        return None
    running = {name: int(s["version"]) for name, s in mark.body["sleeves"].items()}
    skipped = {name: why for name, version in running.items() if (why := base.unfit(name, version, limits))}
    tested = {name: fires for name, (_, fires) in base.kept.items() if name in running}
    return compare(base.run_id, lived(journal_of(home), running), tested, skipped)


def _fires(body: Mapping[str, Any]) -> Fires:
    """Counts as the file holds them."""
    return Fires(int(body["trips"]), *({str(k): int(v) for k, v in body[name].items()} for name in ("exits", "refusal_days")))


# ---- the detector -----------------------------------------------------------------------------------------------------------


def dead_guards(desk: DeskObservation) -> Iterator[Finding]:
    """Guards that never fired on the desk where its backtest's rate makes that improbable."""
    rates: Sequence[Rate] = desk.dead or ()
    for rate in rates:
        action = "nightdesk drill says whether it can fire at all; nightdesk drill --against-backtest has all rates"
        numbers = {"fires": rate.fires, "trips": rate.trips, "expected": round(rate.expected, 3), "p": rate.p}
        name = f"{KIND}:{rate.sleeve}:{rate.kind}:{rate.guard}"
        yield Finding(name, KIND, "warn", rate.text(), rate.sleeve, desk.now_ms, action, numbers)

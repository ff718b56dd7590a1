"""The trial ledger: every run of a hypothesis, by whomever and through whichever door, counts once and for good.

Called by app/jobs/kinds.py and notebooks (a run), app/jobs/research.py (a sweep), and by whoever shows a run, card or comparison.
Turns a plan and its figures into rows of engine/store/trials.py, and a row into its place: which variation of how
many it is, what is left of its Sharpe ratio after so many tries, whether its neighbours do as well.
"""

import json
from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Engine

from engine.clock import DAY_MS, utc_day
from engine.research.family import Hypothesis, fingerprint, hypothesis_in, instruments_of
from engine.research.overfit import deflated_sharpe
from engine.research.plateau import Plateau, plateau_of
from engine.sim.metrics import DAYS_A_YEAR, DayEnds, Floats, Times, a_day_sharpe, daily_equity, daily_returns, midnights_of
from engine.sim.request import Plan
from engine.store import trials
from engine.store.runs import sha256_of_json
from engine.store.tables import Trial
from engine.strategies.base import source_of

SEVERAL = " + "  # between the families of a run of several strategies
TRIPS_ALIKE = 3  # fewer round trips may be the same by chance
THEN = "as of this run "  # begins the note on a run's place when it was made


class TrialFigures(NamedTuple):
    """What one trial came to."""

    returns: Floats  # daily, (days,)
    from_ms: int  # where the first of them begins: a midnight, of a walk-forward the first test bar's open
    sharpe: float | None  # a year
    total_return_frac: float
    max_drawdown_frac: float
    trips: int
    more: Mapping[str, Any] = {}  # fees, funding, slippage


class TrialPlace(NamedTuple):
    """Where a trial is among all of its hypothesis."""

    hypothesis: str
    number: int
    trials: int
    sharpe: float | None
    deflated_sharpe: float | None  # the probability that its ratio is not luck after so many trials
    reason: str  # why it is None
    plateau: Plateau
    elsewhere: int = 0  # of `trials`: same code on other sets of instruments, with one of these among them

    @property
    def text(self) -> str:
        """As reports, cards and comparisons say it."""
        chance = f"{self.deflated_sharpe:.2f}" if self.deflated_sharpe is not None else f"unknown ({self.reason})"
        own = self.trials - self.elsewhere
        which = f"variant {self.number:,} of {own:,}" if own > 1 else "the only variant so far"
        more = f", and {self.elsewhere:,} of the same code on sets that share an instrument" if self.elsewhere else ""
        return f"{which} of the hypothesis {self.hypothesis}{more}; deflated Sharpe {chance}; plateau {self.plateau.word}"

    def as_json(self) -> dict[str, Any]:
        """With its text."""
        return {
            **self._asdict(),
            "plateau": self.plateau.word,
            "plateau_score": self.plateau.score,
            "plateau_reason": self.plateau.reason,
            "text": self.text,
        }


def sharpe_of(returns: Floats) -> float | None:
    """The Sharpe ratio a year, as a run's report has it."""
    a_day = a_day_sharpe(returns)[0]
    return None if a_day is None else a_day * sqrt(DAYS_A_YEAR)


def figures_of(
    report: Mapping[str, Any], close_ms: Times, equity: Floats, clock_ms: int, days_of: DayEnds = midnights_of
) -> TrialFigures:
    """A run's report and equity curve as a trial's figures; `days_of` as in its metrics."""
    metrics = report["metrics"]
    ends, daily = daily_equity(close_ms, equity, clock_ms, report["cash"], days_of)
    more = {name: metrics.get(name) for name in ("fees", "funding", "slippage")}
    returns, first = daily_returns(daily), int(ends[0]) if len(ends) else int(close_ms[0])
    sharpe, gained, fall, trades = (metrics[name] for name in ("sharpe", "total_return_frac", "max_drawdown_frac", "trades"))
    return TrialFigures(returns, first, sharpe, gained, fall, trades, more)


def hypothesis_of(engine: Engine, plans: Sequence[Plan], synthetic: bool, now_ms: int) -> Hypothesis:
    """What these plans test; a family that is new is noted."""
    sleeves = [sleeve for one in plans for sleeve in one.sleeves]
    names = dict.fromkeys(trials.family_of(engine, fingerprint(s.strategy), s.spec.strategy, now_ms) for s in sleeves)
    return Hypothesis(SEVERAL.join(names), instruments_of([(s.spec.symbol, s.spec.market) for s in sleeves]), synthetic)


def is_synthetic(plans: Sequence[Plan]) -> bool:
    """Whether any of the bars are made."""
    return any(series.source == "synthetic" for one in plans for series in one.series.values())


def setting_of(plans: Sequence[Plan], first_ms: int, last_ms: int) -> str:
    """Hash of everything that makes a trial but its parameters: span, instruments with their costs, sides, cash, fills, code."""
    request = plans[0].request
    sleeves = [
        (
            *(sha256_of_json(source_of(s.strategy)), s.key, s.spec.timeframe, s.spec.side, float(s.spec.cash)),
            *(s.instrument._asdict(), s.costs._asdict()),
        )
        for one in plans
        for s in one.sleeves
    ]
    asked = [request.fills, request.funding, request.counted is not None, request.delay_bars, *filter(None, [request.execution])]
    return sha256_of_json([sleeves, asked, first_ms, last_ms])[:24]


def params_json(plans: Sequence[Plan]) -> str:
    """The parameters of a trial; of several different sleeves by name."""
    found = {s.spec.name: s.params.model_dump() for one in plans for s in one.sleeves}
    sets = list(found.values())
    return json.dumps(sets[0] if all(values == sets[0] for values in sets) else found, sort_keys=True)


class TrialLedger:
    """One hypothesis under one setting: what makes rows of a run or of a sweep's variations."""

    def __init__(self, engine: Engine, plans: Sequence[Plan], first_ms: int, last_ms: int, now_ms: int) -> None:
        self.engine, self.plans, self.now_ms = engine, plans, now_ms
        self.first_ms, self.last_ms = first_ms, last_ms
        self.hypothesis = hypothesis_of(engine, plans, is_synthetic(plans), now_ms)
        self.setting = setting_of(plans, first_ms, last_ms)

    def row(self, plans: Sequence[Plan], found: TrialFigures, source: str, **more: Any) -> Trial:
        """A trial of these plans (the ledger's own but for their parameters), not yet kept."""
        params = params_json(plans)
        return Trial(
            id=trial_id(self.setting, params),
            hypothesis=self.hypothesis.name,
            number=0,
            strategy=plans[0].sleeves[0].spec.strategy,
            setting=self.setting,
            cache_key=key_of(plans),
            source=source,
            params=params,
            first_ms=self.first_ms,
            last_ms=self.last_ms,
            sharpe=found.sharpe,
            total_return_frac=found.total_return_frac,
            max_drawdown_frac=found.max_drawdown_frac,
            trips=found.trips,
            days=len(found.returns),
            daily_from_ms=found.from_ms,
            daily=trials.packed(found.returns),
            created_ms=self.now_ms,
            body=json.dumps(dict(found.more)),
            **more,
        )

    def keep(self, rows: Sequence[Trial]) -> dict[str, int]:
        """Keep trials of this ledger; id -> number of each. Code whose results are those of another family's is that family's:
        a line that does nothing, a helper in a module of its own or another order of operands make no new idea.
        """
        for other in self._alike(rows):
            family = trials.older_of(self.engine, self.hypothesis.family, other)
            joins = other if family == self.hypothesis.family else self.hypothesis.family
            found = {name: hypothesis_in(name) for name in trials.names_of(self.engine)}
            names = {name: one._replace(family=family).name for name, one in found.items() if one.family == joins}
            trials.join_families(self.engine, joins, family, names)
            self.hypothesis = self.hypothesis._replace(family=family)
        for row in rows:
            row.hypothesis = self.hypothesis.name
        return trials.keep(self.engine, rows)

    def _alike(self, rows: Sequence[Trial]) -> list[str]:
        """Other families that have a trial with the results of one of these, on the same instruments."""
        traded = [row for row in rows if row.trips >= TRIPS_ALIKE]
        if SEVERAL in self.hypothesis.family or not traded:
            return []
        found = (hypothesis_in(row.hypothesis) for row in trials.with_results_of(self.engine, traded))
        same = [one.family for one in found if one._replace(family="") == self.hypothesis._replace(family="")]
        return [family for family in dict.fromkeys(same) if SEVERAL not in family]

    def renamed(self, row: Trial, params: str) -> Trial:
        """The same row under other parameters: of a walk-forward those that it was asked for."""
        row.id, row.params = trial_id(self.setting, params), params
        return row


def trial_id(setting: str, params: str) -> str:
    """The id of a setting with parameters."""
    return sha256_of_json([setting, params])[:24]


def key_of(plans: Sequence[Plan]) -> str:
    """What the figures of a trial are computed from."""
    return plans[0].cache_key if len(plans) == 1 else sha256_of_json([one.cache_key for one in plans])


def note_run(engine: Engine, run: Any, source: str, now_ms: int) -> Trial:
    """A finished Backtest as a trial, kept."""
    planned, data = run.plan, run.report["data"]
    ledger = TrialLedger(engine, [planned], data["first_ms"], data["last_ms"], now_ms)
    curve = next(iter(run.curves.values()))
    row = ledger.row([planned], figures_of(run.report, run.close_ms, curve, planned.clock_ms), source)
    wanted = row.id
    ledger.keep([row])
    kept = trials.by_id(engine, wanted)
    assert kept is not None  # noqa: S101 - it was kept a line above, and trials are never removed
    return kept


def link_run(engine: Engine, planned: Plan, stored: Mapping[str, Any]) -> None:
    """Join a stored run to its trial where a process died between the two; `stored`: the run's JSON."""
    if trials.of_run(engine, stored["run_id"]) is None:
        setting = setting_of([planned], stored["data"]["first_ms"], stored["data"]["last_ms"])
        trials.set_run(engine, trial_id(setting, params_json([planned])), stored["run_id"])


def place_of(engine: Engine, row: Trial) -> TrialPlace:
    """The place of a trial among all that were run of its hypothesis up to now, and of its code on sets that share an instrument.

    The best of BTC and ETH together was chosen on the bars of BTC too: it does not begin anew when it is run on BTC alone.
    """
    all_of_it = tried_with(engine, row.hypothesis)
    found = deflated_sharpe(trials.daily_of(row), [one.sharpe for one in all_of_it], len(all_of_it))
    alike = [(json.loads(one.params), one.sharpe) for one in all_of_it if one.setting == row.setting]
    plateau = plateau_of(trials.params_of(row), row.sharpe, alike)
    elsewhere = sum(one.hypothesis != row.hypothesis for one in all_of_it)
    figures = row.sharpe, found.probability, found.reason
    return TrialPlace(row.hypothesis, row.number, len(all_of_it), *figures, plateau, elsewhere)


def tried_with(engine: Engine, name: str) -> list[trials.OtherTrial]:
    """The trials among which one of this hypothesis was chosen."""
    own = hypothesis_in(name)
    return trials.others_of(engine, [other for other in trials.names_of(engine) if own.shares(hypothesis_in(other))])


def place_of_run(engine: Engine, run_id: str) -> TrialPlace | None:
    """The same of a stored run; None for one that is in no ledger."""
    row = trials.of_run(engine, run_id)
    return None if row is None else place_of(engine, row)


def as_of_now(engine: Engine, run: Mapping[str, Any]) -> dict[str, Any]:
    """A stored run's JSON with its place among all that were tried up to now; its note has both, where they differ."""
    place = place_of_run(engine, run["run_id"])
    if place is None:
        return dict(run)
    then = next((note for note in run["notes"] if note.startswith(THEN)), "")
    if then == f"{THEN}{place.text}":
        return {**run, "trial": place.as_json()}
    both = f"now {place.text}" + (f"; when it was run {then.removeprefix(THEN)}" if then else "")
    notes = [both if note == then else note for note in run["notes"]] if then else [*run["notes"], both]
    return {**run, "trial": place.as_json(), "notes": notes}


def matrix_of(rows: Sequence[Trial]) -> Floats:
    """Daily returns (trials, days) of the days that all of them have; (trials, 0) where they share none."""
    start = max(row.daily_from_ms for row in rows)
    end = min(row.daily_from_ms + row.days * DAY_MS for row in rows)
    days = max(0, (end - start) // DAY_MS)
    found = np.empty((len(rows), days))
    for k, row in enumerate(rows):
        first = (start - row.daily_from_ms) // DAY_MS
        found[k] = trials.daily_of(row)[first : first + days]
    return found


def figures_in(row: Trial) -> TrialFigures:
    """A row's figures."""
    more = {name: float(value) for name, value in json.loads(row.body).items() if isinstance(value, int | float)}
    return TrialFigures(
        trials.daily_of(row), row.daily_from_ms, row.sharpe, row.total_return_frac, row.max_drawdown_frac, row.trips, more
    )


def hypothesis_report(engine: Engine, part: str | None, limit: int) -> dict[str, Any]:
    """Every hypothesis with its trials; of one (`part` of its name): its trials, best first, and what is left of the best."""
    if not part:
        found = trials.hypotheses(engine, limit)
        return {"hypotheses": [{"hypothesis": one.name, "trials": one.trials, "last_ms": one.last_ms} for one in found]}
    name = trials.hypothesis_named(engine, part)
    rows = trials.of_hypothesis(engine, name)
    order = sorted(rows, key=lambda row: (row.sharpe is None, -(row.sharpe or 0.0)))
    place = place_of(engine, order[0])
    columns = ("trial", "sharpe", "total_return_frac", "max_drawdown_frac", "trips", "from", "to", "source", "run", "params")
    return {
        "hypothesis": name,
        "trials": len(rows),
        "best": place.as_json(),
        "text": f"{len(rows):,} trials of {name}; the best: {place.text}",
        "columns": columns,
        "rows": [_trial_line(row, order[0]) for row in order[:limit]],
    }


def _trial_line(row: Trial, best: Trial) -> list[Any]:
    """A trial as a row; of its parameters those that differ from the best one's."""
    own, first = trials.params_of(row), trials.params_of(best)
    differing = {key: value for key, value in own.items() if row is best or first.get(key) != value}
    shown = "the best" if row is best else ", ".join(f"{key}={value}" for key, value in differing.items()) or "same"
    if "walkforward" in own:
        shown = f"walk-forward over {', '.join(own.get('varied') or {})}" + (", the best" if row is best else "")
    figures = [row.sharpe, row.total_return_frac, row.max_drawdown_frac, row.trips]
    return [row.number, *figures, utc_day(row.first_ms), utc_day(row.last_ms), row.source, row.run_id, shown]

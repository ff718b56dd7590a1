"""How the runs of a page are counted as trials of the hypothesis. Called by verdict.py, handed in by app/jobs/kinds.py.

A candidate - a setting that someone might choose: the judged one, its neighbours, the same without a part, the same on another
symbol - is a row of the trial ledger. The same setting at other costs, late, jittered or on a third of the span is not another
choice, and random entries and the oracle are not a strategy: their ratios would only widen what luck is held against. They are
counted on the page (`runs`), not in the ledger.
"""

from collections.abc import Sequence

from sqlalchemy import Engine

from engine.research.kill.judged_bars import CANDIDATE, Probe
from engine.research.ledger import TrialFigures, TrialLedger, tried_with
from engine.store.tables import Trial


class PageTrials:
    """Of a page without a ledger, as in a notebook: only its own runs are known."""

    def note(self, probe: Probe) -> None:
        """Called with each run as it is made."""

    def ratios(self, candidates: Sequence[Probe]) -> list[float | None]:
        """Sharpe ratios a year of all trials of the hypothesis, these among them."""
        return [probe.sharpe for probe in candidates]


class LedgerTrials(PageTrials):
    """Of a home: candidates become rows of its ledger before any figure is shown, and every earlier trial counts."""

    def __init__(self, engine: Engine, now_ms: int) -> None:
        self.engine, self.now_ms = engine, now_ms
        self._waiting: dict[str, list[Trial]] = {}  # by instrument
        self._ledgers: dict[str, TrialLedger] = {}

    def note(self, probe: Probe) -> None:
        """Make the row of a candidate."""
        if probe.kind == CANDIDATE:
            self._waiting.setdefault(probe.planned.sleeves[0].key, []).append(self._row(probe))

    def ratios(self, candidates: Sequence[Probe]) -> list[float | None]:
        """Keep what waits, then read the hypothesis's trials back."""
        for key, rows in self._waiting.items():
            self._ledgers[key].keep(rows)
        self._waiting.clear()
        name = self._ledger(candidates[0]).hypothesis.name
        return [row.sharpe for row in tried_with(self.engine, name)]

    def _ledger(self, probe: Probe) -> TrialLedger:
        """The ledger of a probe's instrument, made once."""
        key = probe.planned.sleeves[0].key
        if key not in self._ledgers:
            self._ledgers[key] = TrialLedger(self.engine, [probe.planned], probe.first_ms, probe.last_ms, self.now_ms)
        return self._ledgers[key]

    def _row(self, probe: Probe) -> Trial:
        """The row that the same run of `nightdesk backtest` would be."""
        own = (probe.daily, probe.daily_from_ms, probe.sharpe, probe.net_frac, probe.fall_frac, probe.trades)
        figures = TrialFigures(*own, probe.paid)
        return self._ledger(probe).row([probe.planned], figures, "judge")

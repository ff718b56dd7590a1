"""`nightdesk drill --against-backtest`: a backtest of the desk as it is configured, and the desk's firing rates beside it.

Called by app/cli/drill.py. The run is an ordinary stored one, of all sleeves together under the desk's limits and costs, from two
years before the desk began to the last whole day that it has lived. Its drawdown latch is wide: a run that halts for good has no
rates after that. Its counts are kept as the baseline that the watch compares with from then on.
"""

from typing import Any

from app.home.home import Home
from app.jobs import kinds
from engine.amounts import percent_text
from engine.clock import DAY_MS
from engine.control.config import active
from engine.errors import BadInput
from engine.sim.request import plan
from engine.store.runs import Runs
from engine.watch.deadguards import P_MAX, Fires, Rate, compared, fires_of, keep_baseline
from engine.watch.window import first_mark, journal_of, mark_at

DRAWDOWN_WIDE = 0.9  # the widest that desk.toml takes
YEARS_BACK = 2  # before the desk began: what the market was like then says little of now
FIELDS = ("strategy", "symbol", "venue", "market", "side", "cash", "params", "name", "timeframe")


def against_backtest(home: Home, progress: kinds.Progress = kinds.silent) -> dict[str, Any]:
    """{"verdict", "run_id", "dead", "compared", "not_compared"}. Raises BadInput before the desk's first bar, and what a backtest
    raises."""
    first, mark = first_mark(journal_of(home.path)), mark_at(journal_of(home.path))
    if first is None or mark is None or mark.t_event_ms <= first.t_event_ms:
        raise BadInput("this desk has not traded yet", "start it: nightdesk up")
    desk = active(home.engine, home.path)
    sleeves = [{name: getattr(sleeve, name) for name in FIELDS} for sleeve in desk.config.sleeves]
    start = first.t_event_ms - YEARS_BACK * 365 * DAY_MS
    args = {"sleeves": sleeves, "start": start, "end": mark.t_event_ms // DAY_MS * DAY_MS, "funding": home.desk.worker.funding}
    found = kinds.planned(home, args)
    request = found.request._replace(limits=found.request.limits._replace(drawdown_frac_max=DRAWDOWN_WIDE))
    run = kinds.run_plan(home, plan(request, home.catalog, home.strategies, home.setup.overrides), progress)
    keep_baseline(home.path, run["run_id"], home.desk.limits, desk.sleeves, tested(home, run["run_id"]))
    rates = compared(home.path, home.desk.limits)
    assert rates is not None, "the baseline was just written"  # noqa: S101 - a programmer's error
    return {
        "verdict": verdict(rates.dead, len(rates.rates)),
        "run_id": rates.run_id,
        "dead": [as_json(rate) for rate in rates.dead],
        "compared": [as_json(rate) for rate in rates.rates],
        "not_compared": dict(rates.skipped),
    }


def tested(home: Home, run_id: str) -> dict[str, Fires]:
    """Counts of a stored run by sleeve."""
    runs = Runs(home.runs, home.engine)
    trips, decisions = runs.frame(run_id, "trips"), runs.frame(run_id, "decisions")
    ended = trips.filter(trips["exit_ms"].is_not_null()).select("sleeve", "reason").iter_rows()
    refused = decisions.filter(decisions["refused_by"].is_not_null()).select("sleeve", "refused_by", "close_ms").iter_rows()
    return fires_of(ended, refused)


def as_json(rate: Rate) -> dict[str, Any]:
    """A rate with its sentence."""
    return {**rate._asdict(), "text": rate.text()}


def verdict(dead: tuple[Rate, ...], count: int) -> str:
    """What a person wants to know first."""
    if dead:
        return f"{len(dead)} of {count} guards never fired where the backtest makes that improbable: " + "; ".join(
            rate.text() for rate in dead[:5]
        )
    if not count:
        return "Nothing could be compared."
    return f"No dead guard: none of {count} is silent at p < {percent_text(P_MAX, 0)} over all of them."

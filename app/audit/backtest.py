"""Points on the backtest that a sleeve trades upon: the newest stored run of its strategy, instrument and timeframe, one with the
parameters in force before any other. Gathered in table.py.
"""

from typing import Any

from app.audit.point import AuditAnswer, AuditPoint, cannot_say, holds, judged, not_of_it
from app.audit.sleeve import AuditedSleeve
from engine.research.kill.limits import LIMITS, sentence
from engine.sim.leaks import verdict
from engine.sim.metrics import DAYS_MIN

LIMIT = {limit.name: limit for limit in LIMITS}
FEES = ("maker_frac", "taker_frac")
SPREADS = ("half_spread_frac", "impact_y")
NO_RUN = "no stored run of it: nightdesk backtest makes one"


def _there(one: AuditedSleeve) -> AuditAnswer:
    run = one.run
    return judged(run is not None, "a run is stored", NO_RUN, *([str(run["run_id"])] if run else []))


def _params(one: AuditedSleeve, run: Any) -> AuditAnswer:
    mine = one.in_run(run)["params"]  # type: ignore[index]  # the run was chosen by it
    apart = [f"{key} {mine.get(key)} in the run, {value} in force" for key, value in one.params.items() if mine.get(key) != value]
    return judged(not apart, "its parameters are those in force", "; ".join(apart[:5]), run["run_id"])


def _code(one: AuditedSleeve, run: Any) -> AuditAnswer:
    from engine.strategies.base import code_sha256
    from engine.strategies.isolated.described import read_strategy

    key = f"strategy {one.config.strategy}"
    same = run["code"].get(key) == code_sha256(read_strategy(one.config.strategy, one.home.strategies))
    return judged(same, "the strategy's code is the run's", "the strategy's code has changed since the run", run["run_id"])


def _engine(_one: AuditedSleeve, run: Any) -> AuditAnswer:
    from engine.sim.request import code_of

    apart = [part for part, digest in code_of(()).items() if run["code"].get(part) != digest]
    return judged(not apart, "the engine is the run's", f"changed since the run: {', '.join(apart)}", run["run_id"])


def _bars(one: AuditedSleeve, run: Any) -> AuditAnswer:
    from engine.data.checksums import sha256_of

    series = one.series
    then = run["data"]["file_sha256"].get(series.path.name)
    if then == sha256_of(series.path):
        return holds("the file is, byte for byte, the one that was read", series.path.name, run["run_id"])
    if series.last_ms > run["created_ms"]:
        return cannot_say("the file has grown since the run: nightdesk backtest reads it anew", series.path.name)
    return judged(False, "", "the file is another than the run has read", series.path.name, run["run_id"])


def _instrument(one: AuditedSleeve, run: Any, names: tuple[str, ...]) -> AuditAnswer:
    then, now = run["config"]["instruments"].get(one.config.instrument, {}), one.source_today["costs"]
    apart = [f"{name} {then.get(name)} in the run, {now[name]} now" for name in names if then.get(name) != now[name]]
    return judged(not apart, "as the desk counts them", "; ".join(apart), run["run_id"])


def _fees(one: AuditedSleeve, run: Any) -> AuditAnswer:
    return _instrument(one, run, FEES)


def _spreads(one: AuditedSleeve, run: Any) -> AuditAnswer:
    return _instrument(one, run, SPREADS)


def _funding(one: AuditedSleeve, run: Any) -> AuditAnswer:
    if one.config.market != "perp":
        return not_of_it("spot pays no funding")
    return judged(run["funding"] == "recorded", "recorded settlements", f"funding was {run['funding']}", run["run_id"])


def _fills(_one: AuditedSleeve, run: Any) -> AuditAnswer:
    return judged(run["fills"] == "pessimistic", "pessimistic fills", f"fills were {run['fills']}", run["run_id"])


def _ahead(_one: AuditedSleeve, run: Any) -> AuditAnswer:
    if run.get("raw_signal") or run.get("delayed"):
        return judged(False, "", "its signals were not those of the desk: raw or delayed", run["run_id"])
    found = verdict(run["leaks"])
    return judged(not found, "no look-ahead found", found, run["run_id"])


def _span(_one: AuditedSleeve, run: Any) -> AuditAnswer:
    days = float(run["metrics"]["days"])
    return judged(days >= DAYS_MIN, f"{days:g} days", f"{days:g} days, at least {DAYS_MIN:g}", run["run_id"])


def _limit(run: Any, name: str, value: Any) -> AuditAnswer:
    """One row of the table that decides what is worth paper."""
    limit = LIMIT[name]
    if value is None:
        return cannot_say(f"{limit.what}: not defined for this run", run["run_id"])
    text = sentence(limit, float(value))
    return judged(limit.passes(float(value)), text, text, run["run_id"])


def _trips(_one: AuditedSleeve, run: Any) -> AuditAnswer:
    return _limit(run, "round_trips", run["metrics"]["trades"])


def _net(_one: AuditedSleeve, run: Any) -> AuditAnswer:
    return _limit(run, "net", run["metrics"]["total_return_frac"])


def _deflated(_one: AuditedSleeve, run: Any) -> AuditAnswer:
    return _limit(run, "deflated_sharpe", (run.get("trial") or {}).get("deflated_sharpe"))


def _ambiguous(_one: AuditedSleeve, run: Any) -> AuditAnswer:
    signs = {run["scenarios"][name] > 0 for name in ("pessimistic", "optimistic")}
    count = run["scenarios"]["ambiguous_bars"]
    return judged(
        len(signs) == 1, f"{count} ambiguous bars decide nothing", f"{count} ambiguous bars decide its sign", run["run_id"]
    )


def _to_the_end(_one: AuditedSleeve, run: Any) -> AuditAnswer:
    stopped = run["life"]["stopped_ms"] is not None
    return judged(not stopped, str(run["life"]["text"]), str(run["life"]["text"]), run["run_id"])


QUERIES: tuple[tuple[str, Any, str], ...] = (
    ("parameters", _params, "Has it the parameters in production?"),
    ("strategy_code", _code, "Is the strategy's code the same as then?"),
    ("engine_code", _engine, "Are core, features and simulation the same as then?"),
    ("same_bars", _bars, "Are the bars now those that it read?"),
    ("fees", _fees, "Did it pay the fees that the desk counts with?"),
    ("spreads", _spreads, "Did it pay the spread and impact that the desk counts with?"),
    ("funding", _funding, "Did it pay recorded settlements?"),
    ("fills", _fills, "Were fills inside a bar the pessimistic ones?"),
    ("no_look_ahead", _ahead, "Does its strategy not look ahead?"),
    ("span", _span, "Is it long enough for a ratio?"),
    ("trips", _trips, "Has it enough round trips?"),
    ("net", _net, "Did it earn after all costs?"),
    ("deflated_sharpe", _deflated, "Is its Sharpe ratio more than the best of the number of trials?"),
    ("ambiguous", _ambiguous, "Is its sign the same in both fill scenarios?"),
    ("to_the_end", _to_the_end, "Did it trade to its end, without a halt for good?"),
)


def _of_run(query: Any) -> Any:
    """A query of a run; without a run nothing can be said."""

    def answer(one: AuditedSleeve) -> AuditAnswer:
        return cannot_say(NO_RUN) if one.run is None else query(one, one.run)

    return answer


NAMES = tuple(f"backtest.{name}" for name, _, _ in QUERIES)
POINTS: tuple[AuditPoint, ...] = (
    AuditPoint("backtest.there", "backtest", "Is a backtest of the sleeve stored?", _there, NAMES),
    *(AuditPoint(f"backtest.{name}", "backtest", question, _of_run(query)) for name, query, question in QUERIES),
)

"""Kill, weak, or worth paper: a strategy's early-kill page held against the declared limits. Called by app/jobs/kinds.py.

The look-ahead check comes first, and ends it where it fails. Then every run of the page, each check by its row in limits.py, and
one word: kill when any check kills, paper when every one passes, else weak.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engine.research.kill import baselines, smells
from engine.research.kill.judged_bars import JudgedBars, Probe
from engine.research.kill.limits import (
    BY_NAME,
    LIMITS,
    MONTHS_MIN,
    REGIME_TRIPS_MIN,
    SYMBOLS_MIN,
    sentence,
)
from engine.research.kill.page import Page, Progress, agenda, as_json, page
from engine.research.kill.smells import Value
from engine.research.kill.trials import PageTrials
from engine.sim.checked import check_sleeve
from engine.sim.request import Plan
from engine.venues.instruments import Overrides

KILL, WEAK, PAPER = "kill", "weak", "paper"
WORDS = {KILL: "kill", WEAK: "weak", PAPER: "worth paper"}
NO_TRIP = "no closed round trip"


class Check(NamedTuple):
    """One check of the page. `reason`: why the value is None; `kills`: it ends the idea by itself."""

    name: str
    passed: bool
    value: float | None
    limit: float
    kills: bool
    text: str
    why: str
    reason: str = ""


def judge(
    planned: Plan,
    *,
    checks: Path | None = None,
    overrides: Overrides | None = None,
    progress: Progress = lambda _done: None,
    announce: Callable[[str], None] = lambda _text: None,
    trials: PageTrials | None = None,
) -> dict[str, Any]:
    """The judgement of a plan of one sleeve as JSON values: verdict, reasons, checks, and the page behind them.

    checks: folder of look-ahead checks made before; announce: gets the number of runs before the first; trials: counts each run,
    by default for this page alone.
    """
    counted = trials or PageTrials()
    judged = JudgedBars(planned, counted.note)
    seen = check_sleeve(planned, judged.sleeve, judged.loaded, checks, lambda done: progress(0.1 * done))
    leak = leak_check(seen)
    about: dict[str, Any] = {
        "strategy": judged.sleeve.spec.strategy,
        "instrument": judged.sleeve.key,
        "timeframe": judged.sleeve.spec.timeframe,
    }
    about |= {"params": judged.sleeve.params.model_dump(), "config_hash": planned.config_hash, "leaks": seen}
    if seen["looks_ahead"]:
        announce("0 runs: it looks ahead")
        return about | {"runs": 0, **concluded([leak]), "page": None}
    todo = agenda(judged)
    announce(f"{todo.runs:,} runs at most over {len(judged.close_ms):,} bars; its settings count as trials")
    found = page(judged, todo, overrides, lambda done: progress(0.1 + 0.9 * done), counted.ratios)
    made = [leak, *with_enough([check(name, *value) for name, value in values(found).items()])]
    return about | {"runs": todo.runs, **concluded(made), "page": as_json(found)}


def leak_check(seen: dict[str, Any]) -> Check:
    """The look-ahead check as a check: undefined where the strategy cannot be vouched for."""
    if seen["looks_ahead"] or seen["clean"]:
        found = check("look_ahead", 1.0 if seen["clean"] else 0.0)
        return found if seen["clean"] else found._replace(text=seen["text"])
    return check("look_ahead", None, seen["text"])


def check(name: str, value: float | None, reason: str = "") -> Check:
    """A value against its row of limits.py."""
    limit = BY_NAME[name]
    if value is None:
        return Check(name, False, None, limit.limit, False, f"{limit.what}: undefined, {reason}", limit.why, reason)
    passed, ends = limit.passes(value), limit.ends(value)
    return Check(name, passed, value, limit.limit, ends, sentence(limit, value), limit.why)


def with_enough(made: Sequence[Check]) -> list[Check]:
    """The checks of the page; with too few round trips none of them kills: they say as little against an idea as for it."""
    enough = all(c.passed for c in made if c.name == "round_trips")
    return list(made) if enough else [c._replace(kills=False) for c in made]


def concluded(made: Sequence[Check]) -> dict[str, Any]:
    """The word, its reasons - what kills, else what does not pass - and the checks in the order of limits.py."""
    order = [limit.name for limit in LIMITS]
    made = sorted(made, key=lambda c: order.index(c.name))
    ended, failed = [c for c in made if c.kills], [c for c in made if not c.passed]
    word = KILL if ended else WEAK if failed else PAPER
    reasons = [c.text for c in ended or failed] or [f"all {len(made)} checks passed"]
    return {"verdict": word, "reasons": reasons, "checks": [c._asdict() for c in made]}


def values(found: Page) -> dict[str, Value]:
    """The value of each check but the first, or None and why."""
    base = found.base
    if not base.trades:
        return {limit.name: (None, NO_TRIP) for limit in LIMITS[1:]} | {"round_trips": (0.0, "")}
    tell, held = found.feasibility, found.held
    excess = None if held.net_frac is None else base.net_frac - held.net_frac
    return {
        "round_trips": (float(base.trades), ""),
        "net": (base.net_frac, ""),
        "costs_x2": (found.costs[2.0].net_frac, ""),
        "one_bar_late": (found.delays[1].net_frac, ""),
        "jitter": share_that_earns(found.jitter, "runs"),
        "windows": share_that_earns([p for _, _, p in found.windows], "windows"),
        "symbols": share_that_earns(found.symbols, "other symbols with bars"),
        "regimes": regimes_that_earn(found),
        "t_of_trips": (tell["t"], tell["reason"] if tell["t"] is None else ""),
        "oracle": (found.oracle[0][1].mean_bps, NO_TRIP),
        "random_entries": against_luck(found),
        "hold": (excess, held.reason),
        "deflated_sharpe": (found.deflated.probability, found.deflated.reason),
        "too_smooth": smells.smoothness(base.daily),
        "too_good": (base.sharpe, "the daily returns never vary"),
        "one_month": smells.largest_share([net for _, net in found.months], "months with a closed trip", MONTHS_MIN),
        "one_symbol": smells.largest_share([base.net, *(p.net for p in found.symbols)], "symbols", SYMBOLS_MIN),
        "plateau": plateau(found),
        "few_trips": smells.without_best(base.trips["net"].to_list()),
    }


def share_that_earns(probes: Sequence[Probe], what: str) -> Value:
    """Share of runs with a net above zero; a run without a trip does not earn."""
    return (float(np.mean([p.net > 0 for p in probes])), "") if probes else (None, f"no {what}")


def plateau(found: Page) -> Value:
    """The lower plateau score of the two rings of neighbours."""
    own = params_of(found.base)
    rings = [[(params_of(p), p.sharpe) for v, p in found.near if v.how.lstrip("+-") == size] for size in ("10 %", "25 %")]
    return smells.plateau(own, found.base.sharpe, rings)


def params_of(probe: Probe) -> dict[str, Any]:
    """A run's parameters."""
    found: dict[str, Any] = probe.planned.sleeves[0].params.model_dump()
    return found


def regimes_that_earn(found: Page) -> Value:
    """Share of the regimes with enough trips that earned."""
    enough = [r for r in found.regimes if r["trips"] >= REGIME_TRIPS_MIN and r["regime"] != "unknown"]
    if not enough:
        return None, f"no regime has {REGIME_TRIPS_MIN} trips"
    return float(np.mean([r["net"] > 0 for r in enough])), ""


def against_luck(found: Page) -> Value:
    """The one-sided p of the mean trip among those of random entries."""
    drawn = [p.mean_bps for p in found.random if p.mean_bps is not None]
    own = found.base.mean_bps
    return (None, NO_TRIP) if own is None else (baselines.luck(own, drawn), "no draw of random entries had a trip")

"""From paper to money, a step at a time: what each stage takes, and what of it is lacking.

Called by app.people.stages when a person decides and for `nightdesk live stages`. Facts come in as values; the judgement is a
table. A home trades one thing for its life (paper, testnet or live), so a step into another one takes the home before it as
evidence, by its path. Steps down take nothing.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from engine.amounts import percent_text
from engine.clock import DAY_MS, MINUTE_MS

LADDER = ("paper", "paper_live", "shadow", "testnet", "live_small", "live")  # each nearer to money than the one before
PARITY_FRAC_MAX = 0.01  # of what round trips moved: more that nothing explains, and a backtest is no evidence
PARITY_AGE_MS = 26 * 60 * MINUTE_MS  # the daily comparison, and two hours
PROBE_AGE_MS = 10 * MINUTE_MS
DAYS_MIN = 7.0  # on live data
TRIPS_MIN = 10  # of least size with money
ORDERS_MIN = 30  # in shadow at the market, with the book beside each; fewer take DAYS_MIN days
COMPARED_MIN = 5  # of them, at the least
COMPARED_FRAC_MIN = 0.8  # of those at the market: what is left out may be what was dear
WORSE_BPS_MAX = 1.0  # mean of what the book would have cost, above what the fill model counts


class StageFacts(NamedTuple):
    """What is known of one sleeve in one home. Times UTC ms; None: never, or not known."""

    place: str  # paper, paper_live, shadow, testnet, live: what the home trades
    stage: str
    sleeve: Mapping[str, object]  # strategy, symbol, timeframe, params: what must be the same in two homes
    days: float = 0.0  # of desk time in its stage
    trips: int = 0  # in its stage
    parity_frac: float | None = None
    parity_ms: int | None = None
    parity_why: str = ""  # why there is none
    open_incidents: tuple[str, ...] = ()
    probe_ms: int | None = None  # when the last probe ended
    probe_ok: bool = False
    probe_heard: bool = False  # its order was seen on the private stream, not by REST alone
    at_market: int = 0  # orders that did not leave, in its stage: of a home in shadow
    compared: int = 0  # of these with the venue's book
    assumed_bps: float | None = None  # mean that the fill model counts for them
    book_bps: float | None = None  # mean that the book would have cost
    dearer_fees: str = ""  # why the account pays more than the desk counts with


class StageStep(NamedTuple):
    """What it takes to come to a stage: from which one, in a home that trades what, after a home that traded what."""

    before: str
    place: str
    home_before: str  # "": the same home
    needs: tuple[str, ...] = ()
    needs_before: tuple[str, ...] = ()


STEPS: Mapping[str, StageStep] = {
    "paper_live": StageStep("paper", "paper_live", "", ("incidents",)),
    "shadow": StageStep("paper_live", "shadow", "paper_live", ("incidents",), ("days", "parity", "incidents")),
    "testnet": StageStep("shadow", "testnet", "shadow", ("incidents",), ("rehearsed", "costs", "parity", "incidents")),
    "live_small": StageStep("testnet", "live", "testnet", ("incidents", "probe"), ("traded", "parity", "incidents")),
    "live": StageStep("live_small", "live", "", ("trips", "parity", "incidents", "probe")),
}


def rises(old: str, new: str) -> bool:
    """Whether a change of stage goes nearer to money than paper is."""
    place = {name: n for n, name in enumerate(LADDER)}
    return place.get(new, 0) > max(place.get(old, 0), 0)


def next_stage(stage: str, place: str = "") -> str:
    """The step above: the one that a home which trades `place` can take, else the one into another home; "" at the top."""
    height = {name: n for n, name in enumerate(LADDER)}
    at = height.get(stage, 0)  # draft and retired begin again as paper does
    here = (to for to, step in STEPS.items() if step.place == place and height[to] > at)
    return next(here, "") or next((to for to, step in STEPS.items() if height[step.before] == at), "")


def lacking(to: str, here: StageFacts, before: StageFacts | None, now_ms: int) -> list[str]:
    """Why a sleeve cannot come to a stage now, a line each; `before`: of the home that is shown as evidence."""
    step = STEPS.get(to)
    if step is None:
        return [f"stage {to} is not a step up"]
    if here.place != step.place:
        found = [f"this home trades {here.place}: stage {to} belongs to a home that trades {step.place}"]
        shows = (here.place, here.stage) == (step.home_before, step.before)  # it is the evidence of that step
        return found + (_unmet(step.needs_before, here, now_ms, "") if shows else [])
    if not step.home_before:
        found = [] if here.stage == step.before else [f"it is at {here.stage}: the step before {to} is {step.before}"]
        return found + _unmet(step.needs, here, now_ms, "")
    if before is None:
        return [f"no evidence of {step.before}: name the home in which it was, --after PATH"]
    found = []
    if (before.place, before.stage) != (step.home_before, step.before):
        what = f"the home before traded {before.place} and has the sleeve at {before.stage}"
        found.append(f"{what}: wanted is {step.before} at {step.home_before}")
    if before.sleeve != here.sleeve:
        names = sorted(key for key in {*before.sleeve, *here.sleeve} if before.sleeve.get(key) != here.sleeve.get(key))
        found.append(f"the sleeve of the home before is another: {', '.join(names)} differ")
    return found + _unmet(step.needs_before, before, now_ms, "in the home before, ") + _unmet(step.needs, here, now_ms, "")


def _unmet(needs: tuple[str, ...], facts: StageFacts, now_ms: int, where: str) -> list[str]:
    """The needs that the facts do not meet."""
    return [f"{where}{why}" for need in needs if (why := NEEDS[need](facts, now_ms))]


def _days(facts: StageFacts, _now_ms: int) -> str:
    return "" if facts.days >= DAYS_MIN else f"it was in {facts.stage} for {facts.days:.1f} days of {DAYS_MIN:g}"


def _rehearsed(facts: StageFacts, _now_ms: int) -> str:
    if facts.days >= DAYS_MIN or facts.compared >= ORDERS_MIN:
        return ""
    return f"it was in shadow for {facts.days:.1f} days of {DAYS_MIN:g}, with {facts.compared} of {ORDERS_MIN} orders compared"


def _costs(facts: StageFacts, _now_ms: int) -> str:
    if facts.dearer_fees:
        return facts.dearer_fees
    if facts.compared < COMPARED_MIN:
        return f"{facts.compared} of {COMPARED_MIN} orders at the market were compared with the book"
    if facts.compared < COMPARED_FRAC_MIN * facts.at_market:
        return f"the book of {facts.compared} of {facts.at_market} orders at the market was read, at least 80 %"
    if facts.book_bps is None or facts.assumed_bps is None or not facts.book_bps <= facts.assumed_bps + WORSE_BPS_MAX:
        cost, counted = ("not known" if bps is None else f"{bps:.2f} bps" for bps in (facts.book_bps, facts.assumed_bps))
        return (
            f"the book would have cost {cost} on average, backtests count {counted}: write half_spread_frac under [instruments]"
        )
    return ""


def _traded(facts: StageFacts, _now_ms: int) -> str:
    return "" if facts.trips >= 1 else "it has not made a round trip yet"


def _trips(facts: StageFacts, _now_ms: int) -> str:
    return "" if facts.trips >= TRIPS_MIN else f"it has made {facts.trips} of {TRIPS_MIN} round trips of least size"


def _parity(facts: StageFacts, now_ms: int) -> str:
    if facts.parity_ms is None or facts.parity_why:
        return f"no comparison with the backtest{': ' + facts.parity_why if facts.parity_why else ''} (nightdesk parity)"
    if not 0 <= now_ms - facts.parity_ms <= PARITY_AGE_MS:
        return "the comparison with the backtest is older than a day (nightdesk parity)"
    if facts.parity_frac is None:
        return "no round trip to compare with the backtest"
    if not facts.parity_frac <= PARITY_FRAC_MAX:
        share = percent_text(facts.parity_frac, 2)
        return f"{share} of what round trips moved differs from the backtest and nothing explains it, at most 1 %"
    return ""


def _incidents(facts: StageFacts, _now_ms: int) -> str:
    return f"open incidents: {'; '.join(facts.open_incidents[:5])}" if facts.open_incidents else ""


def _probe(facts: StageFacts, now_ms: int) -> str:
    if facts.probe_ms is None:
        return "no probe of its instrument"
    if not facts.probe_ok:
        return "the last probe of its instrument failed"
    if not facts.probe_heard:
        return "the last probe did not see its order on the private stream (nightdesk live test, while the worker runs)"
    age_ms = now_ms - facts.probe_ms
    return (
        ""
        if 0 <= age_ms <= PROBE_AGE_MS
        else f"the last probe is {age_ms / MINUTE_MS:.1f} minutes old, at most {PROBE_AGE_MS // MINUTE_MS}"
    )


NEEDS: Mapping[str, Callable[[StageFacts, int], str]] = {
    "days": _days,
    "rehearsed": _rehearsed,
    "costs": _costs,
    "traded": _traded,
    "trips": _trips,
    "parity": _parity,
    "incidents": _incidents,
    "probe": _probe,
}


def days_between(since_ms: int, until_ms: int) -> float:
    """Days of desk time."""
    return max(until_ms - since_ms, 0) / DAY_MS

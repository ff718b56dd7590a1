"""Points on the market data of a sleeve: its file of bars, its settlements, outside series. Gathered in table.py."""

from collections.abc import Callable
from functools import partial

from app.audit.point import AuditAnswer, AuditPoint, cannot_say, fails, holds, judged, not_of_it
from app.audit.sleeve import AuditedSleeve
from engine.clock import timeframe_ms, utc
from engine.errors import DeskError
from engine.watch.outside_status import read_status

SAME_BARS = "backtest.same_bars"  # a changed file is another file than the run read
NOT_PAPER = ("testnet", "live_small", "live")
RULES: tuple[tuple[str, tuple[str, ...], str], ...] = (  # point, rules of engine/data/checks.py, question
    ("order", ("unsorted",), "Do the bars ascend in time?"),
    ("duplicates", ("duplicate",), "Is each time there once?"),
    ("grid", ("shifted",), "Are times on the grid of the timeframe, in UTC?"),
    ("timeframe", ("timeframe",), "Are rows as far apart as the file's name claims?"),
    ("gaps", ("gap", "stride"), "Are all bars there, but for a short outage?"),
    ("nulls", ("nan",), "Has every row all its numbers?"),
    ("prices", ("price", "range"), "Are prices positive, and open and close inside high and low?"),
    ("level", ("jump", "joint", "splice", "copied"), "Is it one market throughout: no level shift, splice or copied part?"),
    ("spikes", ("spike",), "Is there no price that leaves and comes back between two trades?"),
    ("frozen", ("stale", "zero-volume"), "Does the feed move: no bar that repeats, no day without a trade?"),
    ("volume", ("volume", "unit"), "Is volume positive, moved with the price, and in one unit?"),
    ("closed", ("unfinished",), "Had every bar closed?"),
)


def _bars_there(one: AuditedSleeve) -> AuditAnswer:
    try:
        found = one.series
    except DeskError as error:
        return fails(str(error))
    return holds(f"{found.rows:,} bars from {utc(found.first_ms)} to {utc(found.last_ms)}", found.path.name)


def _rule(rules: tuple[str, ...], one: AuditedSleeve) -> AuditAnswer:
    """What the data check says of some of its rules."""
    found = [issue for issue in one.issues if issue.rule in rules and issue.severity == "error"]
    return judged(not found, "the data check finds nothing", "; ".join(f.text for f in found[:3]), one.series.path.name)


def _fresh(one: AuditedSleeve) -> AuditAnswer:
    if one.mark is None:
        return cannot_say("the desk has decided on no bar")
    end, step = one.series.last_ms + timeframe_ms(one.config.timeframe), timeframe_ms(one.config.timeframe)
    due = one.mark.t_event_ms // step * step
    text = f"the file ends at {utc(end)}, the desk's time is {utc(one.mark.t_event_ms)}"
    return judged(end >= due, text, text, one.series.path.name, one.mark.id)


def _settlements(one: AuditedSleeve) -> AuditAnswer:
    if one.config.market != "perp":
        return not_of_it("spot has no settlements")
    own = one.config
    try:
        found = one.home.catalog.find(own.venue, own.symbol, "funding")
    except DeskError as error:
        return fails(str(error))
    return holds(f"{found.rows:,} settlements to {utc(found.last_ms)}", found.path.name)


def _settlements_whole(one: AuditedSleeve) -> AuditAnswer:
    if one.config.market != "perp":
        return not_of_it("spot has no settlements")
    found = [issue for issue in one.funding_issues if issue.severity == "error"]
    return judged(not found, "the data check finds nothing", "; ".join(f.text for f in found[:3]))


def _synthetic(one: AuditedSleeve) -> AuditAnswer:
    made = one.series.source == "synthetic" and one.config.stage in NOT_PAPER
    where = f"bars are {one.series.source}, the stage is {one.config.stage}"
    return judged(not made, where, f"{where}: a made market decides on real orders", one.series.path.name)


def _none_asked(one: AuditedSleeve) -> AuditAnswer:
    """Of a desk that has asked for no outside series, or whose record of it cannot be read."""
    if one.home.desk.outside.series:
        return cannot_say("desk.toml names outside series, and nothing says what was asked: nightdesk data sources")
    return not_of_it("the desk declares no outside series")


def _outside(one: AuditedSleeve) -> AuditAnswer:
    status = {key: value for key, value in read_status(one.home.path).items() if value.get("scheduled")}
    if not status:
        return _none_asked(one)
    late = [key for key, value in status.items() if one.now_ms > int(value.get("too_old_ms") or 0)]
    return judged(not late, f"{len(status)} series count", f"these count no longer: {', '.join(late[:5])}", *sorted(status))


def _sources_agree(one: AuditedSleeve) -> AuditAnswer:
    status = {key: value for key, value in read_status(one.home.path).items() if value.get("scheduled")}
    if not status:
        return _none_asked(one)
    apart = [str(text) for value in status.values() for text in value.get("compared", ())]
    return judged(not apart, "no two sources differ", "; ".join(apart[:3]), *sorted(status))


def _ruled(rules: tuple[str, ...]) -> Callable[[AuditedSleeve], AuditAnswer]:
    return partial(_rule, rules)


OF_BARS = (*(f"data.{name}" for name, _, _ in RULES), "data.fresh", "data.real", SAME_BARS)
POINTS: tuple[AuditPoint, ...] = (
    AuditPoint("data.bars", "data", "Is the file of the sleeve's bars there, and can it be read?", _bars_there, OF_BARS),
    *(AuditPoint(f"data.{name}", "data", question, _ruled(rules), (SAME_BARS,)) for name, rules, question in RULES),
    AuditPoint("data.fresh", "data", "Do the stored bars reach the desk's last close?", _fresh, (SAME_BARS,)),
    AuditPoint(
        "data.settlements", "data", "Are the settlements of its perpetual there?", _settlements, ("data.settlements_whole",)
    ),
    AuditPoint(
        "data.settlements_whole", "data", "Are no settlements missing, doubled with two rates, or absurd?", _settlements_whole
    ),
    AuditPoint("data.real", "data", "Are its bars real wherever orders are?", _synthetic),
    AuditPoint("data.outside", "data", "Is every declared outside series fresh?", _outside),
    AuditPoint("data.sources_agree", "data", "Do two sources of one outside series agree?", _sources_agree),
)

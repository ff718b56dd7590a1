"""Points on what a sleeve does now: what the worker follows, guards, parity, stops, people's alerts. Gathered in table.py."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from sqlmodel import col, func, select

from app.audit.point import AuditAnswer, AuditPoint, cannot_say, fails, holds, judged, not_of_it
from app.audit.sleeve import AuditedSleeve
from engine.clock import DAY_MS, HOUR_MS
from engine.control.stages import PARITY_AGE_MS
from engine.store import db
from engine.store.tables import Delivery, Handover
from engine.watch import health
from engine.watch.alert_rows import list_alerts
from engine.watch.deadguards import limits_digest
from engine.watch.health import HealthCheck
from engine.watch.incidents import windows_of
from engine.watch.null_features import lacking_now
from engine.watch.parity_result import UNEXPLAINED_FRAC_MAX
from engine.watch.window import instruments_of, journal_of, start_of

NO_BAR = "the desk has decided on no bar"
ALERTS_MAX = 500
WEEK_MS = 7 * DAY_MS
HANDOVER_AGE_MS = 36 * HOUR_MS
EXITS = ("stop_atr", "stop_frac", "target_atr", "target_frac", "arm_atr", "arm_frac", "trail_atr", "trail_frac", "fade_below")
SIZES = (
    *("layers_max", "add_atr", "fixed_lots", "risk_start_frac", "risk_floor_frac", "risk_max_frac", "kelly_part", "vol_target"),
    *("notional_frac_max", "leverage_max", "participation_max", "size_part"),
)
OWN_LIMITS = ("day_loss_frac_max", "streak_max", "day_entries_max", "pause_ms", "risk_limit_frac")
INSTRUMENT = (
    *("lot_size", "tick", "least_lots", "least_notional", "maintenance_frac", "funding_ms", "shorts"),
    *("tiers", "family", "mode"),
)
FEE_RULES = ("liquidation_fee_frac", "maker_frac", "taker_frac")  # of the core's rules; they follow the fees
IDENTITY = ("strategy", "instrument", "timeframe", "side", "cash", "stage", "paused")  # what parameters are of
KINDS = {  # of a drill -> question
    "refusal": "Has every rule that refuses an entry fired in a drill of this version?",
    "breaker": "Has every breaker fired in a drill of this version?",
    "exit": "Has every exit path of the sleeve fired in a drill of this version?",
    "halt": "Has every way to halt fired in a drill of this version?",
    "pause": "Has every way to pause fired in a drill of this version?",
}
EXACT = {  # classes of a comparison with the backtest in which a cent counts
    "feature": "Had every feature live, bit for bit, the value of the backtest?",
    "signal": "Did the strategy say live what it says in the backtest?",
}
NEARLY = {  # and those that may move a hundredth of what round trips moved
    "data": "Were the bars that were traded on those that are stored now?",
    "version": "Did the desk trade by the parameters and limits that people approved?",
    "slippage": "Does it pay the slippage that the backtest counts?",
    "fee": "Does it pay the fees that the backtest counts?",
    "funding": "Does it pay the funding that the backtest counts?",
    "missed": "Does it enter where the backtest enters?",
    "extra": "Does it enter nowhere else?",
    "size": "Does it enter with the backtest's lots?",
    "fill_price": "Does it fill at the backtest's prices?",
    "unexplained": "Is every difference from the backtest explained?",
}


# ---- what the worker follows -----------------------------------------------------------------------------------------------


def _version(one: AuditedSleeve) -> AuditAnswer:
    if one.mark is None:
        return cannot_say(NO_BAR)
    own = one.mark.body["sleeves"].get(one.name, {}).get("version")
    if own == one.version:
        return holds(f"it decides by version {own}", one.mark.id)
    if one.source.get("version") == one.version and isinstance(own, int) and own < one.version:
        return cannot_say(f"version {one.version} waits until the sleeve is flat; it decides by version {own}", one.mark.id)
    return fails(f"version {one.version} is in force, the desk decides by version {own}", one.mark.id)


def _params(one: AuditedSleeve) -> AuditAnswer:
    now = {name: getattr(one.config, name) for name in IDENTITY} | dict(one.params)
    return _same(one, {**one.source, **one.source.get("params", {})}, now, tuple(now))


def _rules(fields: tuple[str, ...], one: AuditedSleeve) -> AuditAnswer:
    """Some of the core's rules as journaled, beside those that a worker would make now."""
    return _same(one, one.source.get("rules", {}), one.source_today["rules"], fields)


def _costs(one: AuditedSleeve) -> AuditAnswer:
    def of(whole: Mapping[str, Any]) -> dict[str, Any]:
        return {**whole.get("costs", {}), **{f"the core's {name}": whole.get("rules", {}).get(name) for name in FEE_RULES}}

    now = of(one.source_today)
    return _same(one, of(one.source), now, tuple(now))


def _limits(one: AuditedSleeve) -> AuditAnswer:
    now = one.today["limits"]
    return _same(one, one.followed.body["limits"] if one.followed else {}, now, tuple(now))


def _code(one: AuditedSleeve) -> AuditAnswer:
    return _same(one, one.source, one.source_today, ("strategy_sha256",))


def _reads(one: AuditedSleeve) -> AuditAnswer:
    return _same(one, one.source, one.source_today, ("reads",))


def _same(one: AuditedSleeve, then: object, now: object, fields: tuple[str, ...]) -> AuditAnswer:
    """Whether fields of the newest `config` event are those of now."""
    if one.followed is None or not isinstance(then, dict) or not isinstance(now, dict):
        return cannot_say("the journal has no configuration")
    apart = [f"{name} {then.get(name)} in the journal, {now.get(name)} now" for name in fields if then.get(name) != now.get(name)]
    return judged(not apart, "as the journal says", "; ".join(apart[:5]), one.followed.id)


# ---- guards ----------------------------------------------------------------------------------------------------------------


def _drill(kind: str, one: AuditedSleeve) -> AuditAnswer:
    """Guards of a kind, in the drill that was kept."""
    last = one.drilled
    if not last:
        return cannot_say("no drill was kept: nightdesk drill makes one")
    if last["version"] != one.desk.version or last["limits"] != limits_digest(one.home.desk.limits):
        return cannot_say(f"the last drill was of version {last['version']} or of other limits: nightdesk drill")
    mine = {
        state: [g for g in last[state] if g["kind"] == kind and g["where"] in ("desk", one.name)]
        for state in ("fired", "never_fired")
    }
    if not mine["fired"] and not mine["never_fired"]:
        return cannot_say("the last drill tried none of it that is on")
    never = ", ".join(guard["name"] for guard in mine["never_fired"])
    return judged(not never, f"{len(mine['fired'])} fired", f"never fired: {never}", f"drill of version {last['version']}")


def _dead(kind: str, one: AuditedSleeve) -> AuditAnswer:
    """Guards that should have fired by now, at the backtest's rate."""
    found = one.rates
    if found is None:
        return cannot_say("no firing rates to compare with: nightdesk drill --against-backtest")
    if one.name in found.skipped:
        return cannot_say(found.skipped[one.name], found.run_id)
    mine = [rate for rate in found.rates if (rate.sleeve, rate.kind) == (one.name, kind)]
    if not mine:
        return not_of_it("nothing of the kind fired in the backtest")
    dead = "; ".join(rate.text() for rate in mine if rate.dead)
    return judged(not dead, f"{len(mine)} compared, none is silent beyond chance", dead, found.run_id)


# ---- the comparison with the backtest ---------------------------------------------------------------------------------------


def _parity(one: AuditedSleeve) -> AuditAnswer:
    last = one.parity
    if not last:
        return cannot_say("never compared: nightdesk parity")
    if "failed" in last:
        return fails(f"the comparison failed: {last['failed']}")
    if one.now_ms - int(last["wall_ms"]) > PARITY_AGE_MS:
        return cannot_say("the last comparison is older than a day: nightdesk parity")
    return holds("the desk was compared with its backtest in the last day")


def _class(name: str, one: AuditedSleeve) -> AuditAnswer:
    """What one cause moved, in dollars, of this sleeve."""
    answer = _parity(one)
    if answer.state != "holds" or "moved" not in one.parity:
        return cannot_say("no comparison of the last day")
    usd, gross = float(one.parity["moved"].get(one.name, {}).get(name, 0.0)), float(one.parity["gross_usd"])
    most = 0.0 if name in EXACT else UNEXPLAINED_FRAC_MAX * gross
    text = f"{name.replace('_', ' ')} moved {usd:+,.2f} of {gross:,.2f} in round trips"
    return judged(abs(usd) <= most, text, f"{text}, at most {most:,.2f}")


# ---- the desk -------------------------------------------------------------------------------------------------------------


def _health(check: Callable[[AuditedSleeve], HealthCheck], one: AuditedSleeve) -> AuditAnswer:
    """A health check of the desk."""
    found = check(one)
    if found.state == "unknown":
        return cannot_say(found.text)
    return judged(found.state == "ok", found.text, found.text, *([found.event] if found.event else []))


def _features(one: AuditedSleeve) -> AuditAnswer:
    path = journal_of(one.home.path)
    if one.mark is None or one.followed is None:
        return cannot_say(NO_BAR)
    config = {**one.followed.body, "start": start_of(path)}
    lacking = lacking_now(path, one.mark, config).get(one.name, [])
    return judged(
        not lacking, "it lacks none that keeps it from entering", f"without a value: {', '.join(lacking[:5])}", one.mark.id
    )


def _differences(one: AuditedSleeve) -> AuditAnswer:
    if one.mark is None:
        return cannot_say(NO_BAR)
    found = dict(one.mark.body.get("differs") or {})
    return judged(not found, "desk and venue agree", f"they differ: {', '.join(map(str, found))}"[:300], one.mark.id)


def _windows(one: AuditedSleeve) -> AuditAnswer:
    found = [window for window in windows_of(journal_of(one.home.path)) if window.closed_ms is None]
    ids = [window.opened_event for window in found]
    return judged(not found, "no incident is open", f"open: {', '.join(window.id for window in found)}", *ids)


def _answered(one: AuditedSleeve) -> AuditAnswer:
    """Pages that nobody has acknowledged within a day."""
    rows = [row for row in list_alerts(one.home.engine, "open", ALERTS_MAX) if row.severity == "page" and row.acked_ms is None]
    old = [row.id for row in rows if one.now_ms - row.opened_ms > DAY_MS]
    return judged(not old, "no page is unanswered for a day", f"unanswered for a day: {', '.join(old[:5])}", *old)


def _delivered(one: AuditedSleeve) -> AuditAnswer:
    """Messages of the last week that were given up, at a sink that has delivered nothing since."""
    with db.read(one.home.engine) as session:
        rows = session.exec(select(Delivery).where(col(Delivery.created_ms) > one.now_ms - WEEK_MS)).all()
        if not rows:
            return cannot_say("no message was owed in the last week: Slack is not set up, or nothing happened")
        sent = dict(session.exec(select(Delivery.sink, func.max(Delivery.sent_ms)).group_by(Delivery.sink)).all())
    lost = [row for row in rows if row.state == "failed" and not (sent.get(row.sink) or 0) > row.due_ms]
    return judged(
        not lost, f"{len(rows)} messages, none given up", f"{len(lost)} given up, last: {lost[-1].error}" if lost else ""
    )


def _handed_over(one: AuditedSleeve) -> AuditAnswer:
    with db.read(one.home.engine) as session:
        last = session.exec(select(func.max(Handover.created_ms))).one()
    if last is None:
        return cannot_say("no handover was ever made: the supervisor makes one each morning")
    late = one.now_ms - last > HANDOVER_AGE_MS
    return judged(not late, "it was made in the last 36 hours", f"the last one is {(one.now_ms - last) // HOUR_MS} hours old")


def _agrees(one: AuditedSleeve) -> AuditAnswer:
    from engine.control.agreement import differences

    found = differences(one.home.path, one.home.engine)
    return judged(not found, "halt, version and anchors agree", "; ".join(found[:3]))


def _of(query: Callable[..., AuditAnswer], argument: object) -> Callable[[AuditedSleeve], AuditAnswer]:
    return partial(query, argument)


def _point(name: str, question: str, query: Callable[[AuditedSleeve], AuditAnswer], *implies: str) -> AuditPoint:
    return AuditPoint(f"live.{name}", "live", question, query, tuple(implies))


CLASSES = tuple(f"live.parity_{name}" for name in (*EXACT, *NEARLY))
CHECKS: dict[str, tuple[str, Callable[[AuditedSleeve], HealthCheck]]] = {
    "no_halt": ("Is the desk not halted?", lambda one: health.halt_latch(one.home.path, one.home.engine)),
    "no_breaker": ("Are all breakers of the desk unlatched?", lambda one: health.breakers(one.mark)),
    "stops_work": (
        "Has every open layer a working stop at the venue, where it should be?",
        lambda one: health.positions(one.mark, instruments_of(one.home.desk_journal)),
    ),
    "prices_come": ("Had the last bars prices?", lambda one: health.bars(one.home.path, one.mark)),
    "chains_whole": ("Do both journals verify from end to end?", lambda one: health.journals(one.home.path, one.home.engine)),
    "disk": ("Is there room for the journals?", lambda one: health.disk(one.home.path)),
}
POINTS: tuple[AuditPoint, ...] = (
    _point("version", "Does the desk decide by the version in force?", _version, "live.exits_fire", "live.refusals_fire"),
    _point("parameters", "Are the parameters it follows those in force?", _params),
    _point("exits", "Are its exits those of the version in force?", _of(_rules, EXITS)),
    _point("sizes", "Is it sized by the rules of the version in force?", _of(_rules, SIZES)),
    _point("sleeve_limits", "Are the sleeve's limits those of desk.toml?", _of(_rules, OWN_LIMITS)),
    _point("instrument", "Are lots, ticks and margins those of the instrument now?", _of(_rules, INSTRUMENT)),
    _point("costs", "Are fees and spreads those of desk.toml now?", _costs),
    _point("limits", "Are the desk's limits those of desk.toml?", _limits),
    _point("code", "Does it run the strategy's code as it is now?", _code),
    _point("reads", "Does it read the series that its strategy declares?", _reads),
    *(_point(f"drilled_{kind}s", question, _of(_drill, kind)) for kind, question in KINDS.items()),
    _point("exits_fire", "Does no exit path that should have fired by now stay silent?", _of(_dead, "exit")),
    _point("refusals_fire", "Does no rule that should have refused by now stay silent?", _of(_dead, "refusal")),
    _point("compared", "Was the desk compared with its backtest in the last day?", _parity, *CLASSES),
    *(_point(f"parity_{name}", question, _of(_class, name)) for name, question in (EXACT | NEARLY).items()),
    *(_point(name, question, _of(_health, check)) for name, (question, check) in CHECKS.items()),
    _point("features_there", "Has it all the features that it needs to enter?", _features),
    _point("venue_agrees", "Do desk and venue agree on positions and orders?", _differences),
    _point("database_agrees", "Does the database agree with the journal?", _agrees),
    _point("no_incident", "Are all incident windows closed?", _windows),
    _point("pages_answered", "Is every page acknowledged within a day?", _answered),
    _point("delivered", "Did every message of the last week reach people?", _delivered),
    _point("handed_over", "Was there a handover in the last 36 hours?", _handed_over),
)

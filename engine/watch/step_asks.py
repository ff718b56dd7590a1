"""What the checks of a runbook's steps ask of the desk: each a reading, as (yes, no or cannot say, what was read, its event).

Called by engine.watch.step_checks, whose table names them and which catches what fails. What a stopped worker last said is not
what is: without a worker that answers nothing of its last mark is taken for now. A look that is kept counts only if it was taken
after the checklist began.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine
from sqlmodel import col, func, select

from engine.book.bodies import SIMULATED, waits_for_person
from engine.book.windows import EXECUTIONS
from engine.clock import utc
from engine.control import halt
from engine.control.checklists import CANNOT_SAY, NO, YES, Says
from engine.store import db
from engine.store.chain import Event
from engine.store.lookback import last
from engine.store.tables import Alert, Delivery
from engine.watch import health
from engine.watch.halt_left import lost_and_open
from engine.watch.heartbeat import began_ms, heartbeat_of
from engine.watch.watch_beat import looks
from engine.watch.window import instruments_of, journal_of, mark_at, mode_of

GATE = "gate"
UNREAD = (EXECUTIONS, "unexplained in ", "venue of ", "reconcile", "compare")  # of Book.health: what the venue holds is not known
RELEASED = ("halt", "breakers")  # health checks that stay bad until a release


class CheckContext(NamedTuple):
    """What a check reads. `about`: what the checklist is for; `since_ms`: a kept look counts if it is younger (wall time)."""

    home: Path
    engine: Engine
    now_ms: int
    about: str = ""
    kinds: tuple[str, ...] = ()  # of alerts that the runbook is for
    since_ms: int = 0


Found = tuple[Says, str, str]  # says, what was read, the event that shows it
Ask = Callable[[CheckContext], Found]


def of_health(found: health.HealthCheck) -> Found:
    """A health check as an answer: only `ok` is a yes."""
    says: Says = YES if found.state == "ok" else CANNOT_SAY if found.state == "unknown" else NO
    return says, found.text, found.event


# ---- the worker and what it last said -------------------------------------------------------------------------------------


def worker_runs(ctx: CheckContext) -> Found:
    """A worker holds the journal and its heartbeat is young."""
    return of_health(health.worker(ctx.home, ctx.now_ms))


def of_mark(ask: Callable[[CheckContext, Event], Found]) -> Ask:
    """A check of the last mark: without a worker that answers, or with an end that the journal lost, it cannot say."""

    def asks(ctx: CheckContext) -> Found:
        worker, mark = health.worker(ctx.home, ctx.now_ms), mark_at(journal_of(ctx.home))
        if worker.state != "ok":
            return CANNOT_SAY, f"no worker says how it is now: {worker.text}", ""
        pid = health.worker_pid(ctx.home)
        if pid and heartbeat_of(ctx.home).get("pid") != pid:
            return CANNOT_SAY, "the worker has just begun: the last mark is of the one before", ""
        if lost := lost_and_open(ctx.home):
            return CANNOT_SAY, lost, ""
        return (CANNOT_SAY, "no bar decided yet", "") if mark is None else ask(ctx, mark)

    return asks


def gate_open(ctx: CheckContext, mark: Event) -> Found:
    """The account's gate is open; paper and shadow have none."""
    path = journal_of(ctx.home)
    if (mode := mode_of(path)) in SIMULATED:
        return YES, f"the desk trades on {mode}: no account, so no gate", mark.id
    newest = last(path, ("gate", "health"), lambda e: e.kind == GATE or e.body.get("what") == GATE)
    began = began_ms(health.worker_pid(ctx.home) or 0)
    if newest is None or began is None or newest.t_recv_ms < began:
        return CANNOT_SAY, "the gate was not asked since this worker began", ""
    if newest.kind == "health":
        closed = newest.body.get("state") == "begun"
        return (
            (NO, f"the gate is closed: {newest.body.get('why')}", newest.id) if closed else (YES, "the gate is open", newest.id)
        )
    shut = [f"{row['name']}: {row['why'] or 'not asked yet'}" for row in newest.body["rows"] if not row["ok"]]
    return (
        (YES, "the gate is open", newest.id) if newest.body["open"] else (NO, f"the gate is closed: {'; '.join(shut)}", newest.id)
    )


def entries_open(_ctx: CheckContext, mark: Event) -> Found:
    """No sleeve is kept from entering."""
    return of_health(health.sleeves(mark))


def stops_work(ctx: CheckContext, mark: Event) -> Found:
    """Each open layer has a working protective order where it should be."""
    return of_health(health.positions(mark, instruments_of(journal_of(ctx.home))))


def flat(_ctx: CheckContext, mark: Event) -> Found:
    """No position is open."""
    names = [name for name, sleeve in mark.body["sleeves"].items() if sleeve.get("position")]
    return (NO, f"open: {', '.join(names)}", mark.id) if names else (YES, "no position is open", mark.id)


def bars_come(ctx: CheckContext, mark: Event) -> Found:
    """The last bars of every instrument have prices, and no alert on bars is open."""
    found = of_health(health.bars(ctx.home, mark))
    return found if found[0] != YES else no_alert(ctx, "bars") if _open(ctx, "bars") else found


def strategies_answer(ctx: CheckContext, mark: Event) -> Found:
    """Every strategy answered at its last close."""
    return of_health(health.strategies(ctx.home, mark))


def sleeve_paused(ctx: CheckContext, mark: Event) -> Found:
    """The sleeve that the checklist is about is paused."""
    sleeve = _sleeve(ctx, mark)
    if sleeve is None:
        return CANNOT_SAY, f"{ctx.about or 'the checklist'} names no sleeve of the desk", mark.id
    paused = bool(mark.body["sleeves"][sleeve].get("paused"))
    return (YES if paused else NO), f"{sleeve} is {'paused' if paused else 'not paused'}", mark.id


def _sleeve(ctx: CheckContext, mark: Event) -> str | None:
    """The sleeve that a checklist is about: named, or the place of its alert."""
    row = _alert(ctx)
    names = [name for name in (ctx.about, row.place if row else "") if name in mark.body["sleeves"]]
    return names[0] if names else None


def reconcile_clean(ctx: CheckContext, mark: Event) -> Found:
    """Desk and venue agree, nothing waits for a person's word, and no lots are left that no order explains."""
    from engine.watch.folded_book import book_at

    path = journal_of(ctx.home)
    if (mode := mode_of(path)) in SIMULATED:
        return YES, f"the desk trades on {mode}: no venue holds anything", mark.id
    book = book_at(path)
    if book is None:
        return CANNOT_SAY, "no book yet", ""
    orphans = [f"{found['lots']} lots of {name} that no order explains" for name, found in book.orphans.items() if found["lots"]]
    waiting = [f"{what}: {why}" for what, why in book.health.items() if waits_for_person(what)]
    if apart := [*book.differences.values(), *orphans, *waiting]:
        return NO, "; ".join(map(str, apart)), mark.id
    if why := next((why for what, why in book.health.items() if what.startswith(UNREAD)), ""):
        return CANNOT_SAY, f"desk and venue were not compared: {why}", mark.id
    return YES, "desk and venue agree", mark.id


# ---- the halt, the records, the machine -----------------------------------------------------------------------------------


def no_halt(ctx: CheckContext) -> Found:
    """No halt is latched, in the file or in the database."""
    return of_health(health.halt_latch(ctx.home, ctx.engine))


def halted(ctx: CheckContext) -> Found:
    """The halt is latched."""
    latch = halt.read(ctx.home, ctx.engine)
    if latch.unreadable:
        return CANNOT_SAY, f"the desk counts as halted: {latch.unreadable}", ""
    text = f"halted by {latch.by or 'an unknown actor'}: {latch.reason}" if latch.halted else "the desk is not halted"
    return (YES if latch.halted else NO), text, ""


def journal_verified(ctx: CheckContext) -> Found:
    """Both journals verify: what is new record by record, what was verified before by its digest."""
    return of_health(health.journals(ctx.home, ctx.engine, since=True))


def disk_free(ctx: CheckContext) -> Found:
    """There is room for the journals."""
    return of_health(health.disk(ctx.home))


def healthy(ctx: CheckContext) -> Found:
    """No health check is bad or unknown, but those that a release ends."""
    found = [one for one in health.checks(ctx.home, ctx.engine, ctx.now_ms) if one.name not in RELEASED]
    bad, blind = ([f"{one.name}: {one.text}" for one in found if one.state == state] for state in ("bad", "unknown"))
    if bad or blind:
        return (NO if bad else CANNOT_SAY), "; ".join([*bad, *blind]), ""
    return YES, f"{len(found)} health checks hold, beside {' and '.join(RELEASED)}", ""


def database_answers(ctx: CheckContext) -> Found:
    """The database answers."""
    with db.read(ctx.engine) as session:
        session.exec(select(func.count()).select_from(Alert)).one()
    return YES, "the database answers", ""


def identity_holds(ctx: CheckContext) -> Found:
    """The desk's money adds up to the cent."""
    from engine.watch.identity import identity

    found = identity(ctx.home)
    if found is None:
        return CANNOT_SAY, "no bar decided yet", ""
    text = "both sides are equal" if found.holds else f"{found.off:+,.2f} in no term"
    return (YES if found.holds else NO), text, found.event


# ---- alerts, deliveries, incidents ----------------------------------------------------------------------------------------


def _open(ctx: CheckContext, *kinds: str) -> list[Alert]:
    """Open alerts of these kinds."""
    with db.read(ctx.engine) as session:
        return list(session.exec(select(Alert).where(Alert.state == "open", col(Alert.kind).in_(kinds)).limit(50)).all())


def _alert(ctx: CheckContext) -> Alert | None:
    """The alert that the checklist is for."""
    if not re.fullmatch(r"al-\d{1,9}", ctx.about):
        return None
    with db.read(ctx.engine) as session:
        return session.get(Alert, ctx.about)


def no_alert(ctx: CheckContext, kind: str) -> Found:
    """No alert of that kind is open."""
    rows = _open(ctx, kind)
    text = "; ".join(f"{row.id}: {row.what}" for row in rows[:3])
    return (NO, f"open: {text}", rows[0].event or "") if rows else _unless_blind(ctx, f"no alert of the kind {kind} is open")


def _unless_blind(ctx: CheckContext, text: str) -> Found:
    """That no alert is open, where the watch looks: else nobody would have opened one."""
    if looks(ctx.home, ctx.now_ms):
        return YES, text, ""
    return CANNOT_SAY, f"{text}, but the watch does not look: start it with nightdesk up", ""


def alert_over(ctx: CheckContext) -> Found:
    """The alert that the checklist is for is over; of none, that no alert of its runbook is open."""
    row = _alert(ctx)
    rows = [row] if row is not None else _open(ctx, *ctx.kinds)
    if not rows and not ctx.kinds:
        return CANNOT_SAY, "no alert has this runbook", ""
    open_ = [one for one in rows if one.state == "open"]
    if open_:
        return NO, f"{open_[0].id} is open since {utc(open_[0].since_ms)}: {open_[0].what}", open_[0].event or ""
    return (YES, f"{row.id} is over", "") if row is not None else _unless_blind(ctx, "no alert of this runbook is open")


def acknowledged(ctx: CheckContext) -> Found:
    """Whoever was paged knows that a person has it."""
    row = _alert(ctx)
    rows = [row] if row is not None else _open(ctx, *ctx.kinds)
    bare = [one.id for one in rows if one.state == "open" and one.acked_ms is None]
    if bare:
        return NO, f"not acknowledged: {', '.join(bare)}", ""
    return (YES, f"{row.id} waits for nobody", "") if row is not None else _unless_blind(ctx, "no open alert waits")


def delivered(ctx: CheckContext) -> Found:
    """A message has arrived since the last one that was given up, on each way that lost one."""
    with db.read(ctx.engine) as session:
        query = select(Delivery.sink, Delivery.state, func.max(func.coalesce(Delivery.sent_ms, Delivery.due_ms)))
        rows = session.exec(
            query.where(col(Delivery.state).in_(("sent", "failed"))).group_by(Delivery.sink, Delivery.state)
        ).all()
    at = {(sink, state): int(ms) for sink, state, ms in rows}
    if not at:
        return CANNOT_SAY, "no message was sent yet: nightdesk notify test", ""
    lost = [sink for (sink, state), ms in at.items() if state == "failed" and at.get((sink, "sent"), -1) <= ms]
    return (NO, f"nothing has arrived since the last loss: {', '.join(lost)}", "") if lost else (YES, "messages arrive", "")


def window_closed(ctx: CheckContext) -> Found:
    """The incident window that the checklist is for is closed; of none, that no window is open."""
    from engine.watch.incidents import windows_of

    mark, found = mark_at(journal_of(ctx.home)), {one.id: one for one in windows_of(journal_of(ctx.home))}
    if mark is None:
        return CANNOT_SAY, "no bar decided yet", ""
    named = [ctx.about] if re.fullmatch(r"w\d{1,9}", ctx.about) else []
    if unseen := [name for name in (*named, *(mark.body.get("windows") or ())) if name not in found]:
        return CANNOT_SAY, f"the journal does not show the window {unseen[0]}", mark.id
    open_ = [one for one in found.values() if one.closed_ms is None and one.id in (named or found)]
    if open_:
        return NO, f"open: {', '.join(one.id for one in open_)}", open_[0].opened_event
    return YES, f"{named[0]} is closed" if named else "no window is open", mark.id


# ---- looks that are kept ------------------------------------------------------------------------------------------------


def of_look(ask: Callable[[Mapping[str, Any]], Found], look: Callable[[Path], Mapping[str, Any]], command: str) -> Ask:
    """A check of a look that a job or a command took: one from before the checklist began says nothing of the repair."""

    def asks(ctx: CheckContext) -> Found:
        found = look(ctx.home)
        if not found:
            return CANNOT_SAY, f"nothing was looked at yet: {command}", ""
        if int(found["wall_ms"]) < ctx.since_ms:
            return CANNOT_SAY, f"the last look is of {utc(int(found['wall_ms']))}, before this began: {command}", ""
        return ask(found)

    return asks


def audit_look(found: Mapping[str, Any]) -> Found:
    """Of the last audit: no point of it began to fail."""
    began = [str(key) for key in found.get("began", ())]
    return (NO, f"failing: {', '.join(began[:5])}", "") if began else (YES, "no point began to fail", "")


def parity_look(found: Mapping[str, Any]) -> Found:
    """Of the last comparison with the backtest: no more than is allowed is explained by nothing."""
    from engine.watch.parity_result import UNEXPLAINED_FRAC_MAX

    if "failed" in found:
        return CANNOT_SAY, f"it could not be compared: {found['failed']}", ""
    usd, gross = float(found["unexplained_usd"]), float(found["gross_usd"])
    return (YES if usd <= UNEXPLAINED_FRAC_MAX * gross else NO), f"{usd:,.2f} of {gross:,.2f} USDT are explained by nothing", ""


def drift_look(found: Mapping[str, Any]) -> Found:
    """Of the last look at the inputs of models in use: none has moved, and each could be compared."""
    blind = [name for name, one in found["models"].items() if "failed" in one]
    moved = [f"{row['text']} of {name}" for name, one in found["models"].items() for row in one.get("moved", ())]
    if moved or blind:
        return (NO if moved else CANNOT_SAY), "; ".join([*moved[:5], *(f"{name} cannot be compared" for name in blind[:5])]), ""
    return YES, "no input of a model in use has moved", ""


def silences_look(found: Mapping[str, Any]) -> Found:
    """Of the last look at what fell silent: nothing has."""
    silent = [str(one["text"]) for one in found["items"] if one["state"] == "silent"]
    return (NO, "; ".join(silent[:3]), "") if silent else (YES, "nothing is silent", "")


def drill_look(found: Mapping[str, Any]) -> Found:
    """Of the last drill: every guard fired."""
    dead = [f"{one['name']} ({one['where']})" for one in found["never_fired"]]
    return (NO, f"never fired: {', '.join(dead[:5])}", "") if dead else (YES, "every guard fired in the drill", "")

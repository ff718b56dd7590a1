"""The detectors: an observation of the desk -> findings, each something wrong that a person should know. No model, no network.

Called by app.processes.scheduler every few seconds. engine.watch.observer makes the observation from what already exists (health
checks, the worker's heartbeat, the journal's end, the database); `evaluate` runs every detector over it, deterministically. A
detector that fails is itself a finding and keeps the alerts of its kinds open. engine.watch.alert_rows makes them alerts.
"""

from collections.abc import Callable, Iterator, Mapping

from engine.amounts import percent_text
from engine.clock import utc
from engine.control.halt import WORKER
from engine.store.chain import Event
from engine.watch.audit_status import audited
from engine.watch.canaries import canary_findings
from engine.watch.deadguards import dead_guards
from engine.watch.drift_status import input_drift
from engine.watch.failing_strategies import strategies
from engine.watch.heartbeat import began_ms
from engine.watch.identity import broken
from engine.watch.last_closes import steps_of
from engine.watch.levels import levels
from engine.watch.makers import makers
from engine.watch.observation import (
    RELEASE,
    DeskObservation,
    Finding,
    ProcessExit,
    Severity,
    blind_finding,
    data_trouble,
    has_to_close,
    instrument_of,
    is_trading,
    open_positions,
    position_text,
)
from engine.watch.outside_status import outside_series
from engine.watch.parity_result import desk_drift, parity
from engine.watch.silence.status import silent_ones
from engine.watch.tripped import in_force
from engine.watch.unclosed import unclosed
from engine.watch.venue_detectors import differences, liquidated, parted, protective, reported, unconnected, unlisted, unmoved

ABSENT_MS = 10_000  # a worker may be absent this long: it is being started
RECOVERED_MS = 60_000  # a restarted worker that has run this long has recovered
EXITS_MAX = 3  # this many unexpected exits within EXITS_WINDOW_MS: it will not recover by itself
EXITS_WINDOW_MS = 600_000
LATE_BARS = 1.5  # of live bars: entries stop at that age, too
STALE_MS = 40_000  # bars are due and none came for this long, and for three bars; a hung worker is reported earlier
DRAWDOWN_NEAR_FRAC = 0.8  # of the drawdown limit
REFUSED_ROW_MAX = 5  # closes that one rule refuses a sleeve's entry
FLATTEN_MS = 60_000
UNKNOWN_RULE = "an input cannot be computed"
AT_ONCE = frozenset({"the signal contradicts itself"})  # a strategy's fault: one refusal is enough for an alert
ROUTINE = frozenset(  # refusals that another alert covers, or that a strategy meets every day
    {
        "desk is halted",
        "desk drawdown breaker",
        "daily loss breaker",
        "entries paused",
        "layers_max",
        "another sleeve holds the other side",
        "size rounds down to no lot",
        "below the venue's least order",
        "spot cannot be sold short",
        "no_entry window",
        "no equity left",
    }
)
PAGING_BREAKERS = ("daily loss", "desk drawdown")

Detector = Callable[[DeskObservation], Iterator[Finding]]


def evaluate(desk: DeskObservation) -> tuple[list[Finding], frozenset[str]]:
    """(findings, kinds that could not be checked: their open alerts stay open)."""
    found: list[Finding] = []
    unchecked: set[str] = set()
    for name, (detector, kinds) in DETECTORS.items():
        try:
            found += list(detector(desk))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            unchecked |= set(kinds)
            found.append(blind_finding(name, f"{type(error).__name__}: {error}", desk.now_ms))
    if desk.pid is None or desk.checks["worker"].state == "bad":
        unchecked.add("bars")
    if desk.dead is None:
        unchecked.add("deadguard")
    for name, check in desk.checks.items():
        if check.state == "unknown" and not (name == "bars" and desk.mark is None):
            unchecked |= set(KINDS_OF.get(name, ()))
            found.append(blind_finding(name, check.text, desk.now_ms))
    return list({finding.fingerprint: finding for finding in found}.values()), frozenset(unchecked)


KINDS_OF = {  # health check -> the kinds that depend on it
    "worker": ("worker",),
    "protective orders": ("protective", "stop", "difference", "drawdown", "breaker", "refused", "rejected", "liquidation"),
    "bars": ("bars",),
    "journals": ("journal",),
    "disk": ("disk",),
    "halt": ("halt",),
}


# ---- the detectors ------------------------------------------------------------------------------------------------------


def worker(desk: DeskObservation) -> Iterator[Finding]:
    """Absent, hung, or exited and restarted: one alert for all of it, which gets worse as it lasts."""
    exits = [e for e in desk.exits if e.process == "worker" and desk.now_ms - e.wall_ms < EXITS_WINDOW_MS]
    positions = open_positions(desk)
    open_ = f"open: {', '.join(positions)}" if positions else "no open position"
    numbers = {"deaths": len(exits), "open_positions": len(positions)}
    idle = not positions and not exits and (desk.mark is None or desk.heartbeat.get("phase") == "stopped")
    last = exits[-1].wall_ms if exits else desk.now_ms
    noted = f"{(text := desk.checks['worker'].text)[:1].upper()}{text[1:]}; {open_}"
    gone = desk.absent_ms is not None and desk.now_ms - desk.absent_ms >= ABSENT_MS and not idle
    if gone or len(exits) >= EXITS_MAX:
        since = exits[0].wall_ms if exits else desk.absent_ms or desk.now_ms
        how = f"it exited {count_text(len(exits))}, last {exit_text(exits[-1])}" if exits else "no exit was reported"
        what = f"No worker is running ({how}); {open_}" if gone else f"The worker keeps crashing ({how}); {open_}"
        action = "read logs/worker.jsonl, then nightdesk up; protective orders stay at the venue meanwhile"
        yield Finding("worker", "worker", "page", what, "worker", since, action, numbers, level=1 + (len(exits) >= EXITS_MAX))
    elif desk.pid is not None and desk.checks["worker"].state == "bad":
        since = int(desk.heartbeat.get("wall_ms", desk.now_ms))
        if desk.heartbeat.get("pid") not in (None, desk.pid):
            since = max(since, began_ms(desk.pid) or 0)
        action = f"kill -9 {desk.pid}; the supervisor restarts it from its journal"
        yield Finding("worker", "worker", "page", noted, "worker", min(since, desk.now_ms), action, numbers, level=1)
    elif desk.pid is not None and desk.checks["worker"].state == "warning":
        action = "set the clock of the machine (timedatectl): what the worker writes carries another time than alerts and halts"
        yield Finding("clock", "worker", "warn", noted, "worker", desk.now_ms, action, numbers)
    elif exits and desk.now_ms - last < RECOVERED_MS:
        what = f"The worker exited unexpectedly ({exit_text(exits[-1])}) and is being restarted; {open_}"
        action = "none if this clears within a minute; otherwise read logs/worker.jsonl"
        yield Finding("worker", "worker", "page", what, "worker", last, action, numbers)


def restarts(desk: DeskObservation) -> Iterator[Finding]:
    """Any other process of the desk that exited unexpectedly."""
    for process in sorted({e.process for e in desk.exits} - {"worker"}):
        exits = [e for e in desk.exits if e.process == process and desk.now_ms - e.wall_ms < EXITS_WINDOW_MS]
        gone = [e for e in desk.exits if e.process == process and e.stays_down]
        if gone:
            what = f"The process {process} is down and is not started again: {gone[-1].why}"
            action = "trading and nightdesk halt go on without it; stop and start nightdesk up, read logs/"
            yield Finding(f"process:{process}", "worker", "page", what, process, gone[-1].wall_ms, action, level=1)
        elif exits and (desk.now_ms - exits[-1].wall_ms < RECOVERED_MS or len(exits) >= EXITS_MAX):
            what = f"The process {process} exited unexpectedly ({exit_text(exits[-1])}), {count_text(len(exits))} in 10 minutes"
            severity: Severity = "page" if len(exits) >= EXITS_MAX else "warn"
            action = f"trading continues without it; read the terminal of nightdesk up and logs/ for {process}"
            yield Finding(
                f"process:{process}", "worker", severity, what, process, exits[-1].wall_ms, action, {"deaths": len(exits)}
            )


def count_text(count: int) -> str:
    """A count in words: once, 3 times."""
    return "once" if count == 1 else f"{count} times"


def exit_text(ended: ProcessExit) -> str:
    """How a process ended."""
    if ended.why:
        return f"killed: {ended.why}"
    if ended.code is None:
        return "exit code unknown"
    return f"killed by signal {-ended.code}" if ended.code < 0 else f"exit code {ended.code}"


def due_every(desk: DeskObservation) -> tuple[float, float, int]:
    """(ms between two bars, after how many one is late, when the last one came): recorded bars come at their pace, live ones with
    their closes.
    """
    assert desk.mark is not None, "bars() has looked"  # noqa: S101 - a programmer's error halts
    if desk.heartbeat.get("source") != "live":
        return 1000.0 / float(desk.heartbeat.get("bars_per_second") or 1.0), 3.0, desk.mark.t_recv_ms
    step_ms = float(desk.config.get("start", {}).get("timeframe_ms") or 1_000)
    return step_ms, LATE_BARS, int(desk.heartbeat.get("desk_ms") or desk.mark.t_recv_ms)  # a fill between two closes marks, too


def bars(desk: DeskObservation) -> Iterator[Finding]:
    """Bars that are due and do not come. None are due at the end of recorded data; the worker's heartbeat says so."""
    if desk.mark is None or desk.pid is None or desk.checks["worker"].state == "bad":
        return  # without a worker there are no bars: one fault, one alert
    if desk.heartbeat.get("phase") == "running":
        step_ms, late, came_ms = due_every(desk)
        since = max(came_ms, desk.phase_ms)
        age_ms = desk.now_ms - since
        if age_ms > max(STALE_MS, late * step_ms):
            names = ", ".join(dict.fromkeys(str(s["instrument"]) for s in desk.config.get("sleeves", ()))) or "every instrument"
            positions = ", ".join(open_positions(desk)) or "nothing"
            due = f"one is due every {step_ms / 1000:g} s; open: {positions}"
            what = f"No bar of {names} for {age_ms // 1000} s, {due}"
            action = "check the feed and the worker; no entries on old bars, protective orders stay at the venue"
            numbers = {"age_s": age_ms // 1000, "bar_s": step_ms / 1000, "desk_ms": desk.mark.t_event_ms}
            yield Finding("bars", "bars", "page", what, names, since, action, numbers, desk.mark.id)
    if why := str(desk.heartbeat.get("refused") or ""):  # a damaged file, another history: nothing enters, no exit is seen
        held = ", ".join(open_positions(desk))
        action = "do what it says; the desk waits, and walks every bar in order when the file is whole again"
        severity: Severity = "page" if held else "warn"
        since = desk.mark.t_recv_ms
        yield Finding("bars:refused", "bars", severity, f"{why}; open: {held or 'nothing'}", "", since, action, {}, desk.mark.id)
    if is_trading(desk):
        for name in desk.silent_instruments:
            instrument, _, own = name.partition("@")  # of a longer timeframe than the clock's: the sleeves that decide on it
            traded = [s for s in desk.config.get("sleeves", ()) if s["instrument"] == instrument]
            sleeves = [s["name"] for s in traded if own in ("", s.get("timeframe"))]
            open_ = [sleeve for sleeve in sleeves if desk.mark.body["sleeves"].get(sleeve, {}).get("position")]
            positions = ", ".join(position_text(desk, s) for s in sleeves) or "no sleeve trades it"
            why = data_trouble(desk, name)
            what = f"No price of {name} for three bars{why and f' ({why})'}: {positions}"
            action = "no entries on missing bars; check the venue, and the position by hand if one is open"
            severity = "page" if open_ else "warn"
            yield Finding(f"bars:{name}", "bars", severity, what, name, desk.mark.t_recv_ms, action, {}, desk.mark.id)


def orders(desk: DeskObservation) -> Iterator[Finding]:
    """Consecutive refusals by our guardrails, or rejections by the venue, up to now, each slot apart."""
    if not is_trading(desk):
        return
    ours = [e for e in desk.recent if "sleeve" in e.body]  # an order that nobody knows is of no sleeve
    for sleeve in dict.fromkeys(str(e.body["sleeve"]) for e in ours):
        mine = [e for e in ours if e.body["sleeve"] == sleeve]
        answers = [e for e in mine if e.kind == "order" and e.body["state"] in ("working", "rejected")]
        slots = dict.fromkeys(e.body.get("slot") for e in answers if e.body.get("slot") != "exit" or has_to_close(desk, sleeve))
        runs = [trailing_run([e for e in answers if e.body.get("slot") == slot], is_rejected) for slot in slots]
        rejected = max(runs, key=len, default=[])
        if len(rejected) >= desk.limits.rejections_row_max:
            last, lots = rejected[-1], rejected[-1].body.get("lots")
            where = f"{instrument_of(desk, sleeve)} rejected in a row; {position_text(desk, sleeve)}"
            what = f"{len(rejected)} orders of {lots} lots in {where}"
            action = (
                f"read the venue's reason: nightdesk journal explain {last.id}; then pause {sleeve} (propose it, then approve)"
            )
            numbers = {"in_a_row": len(rejected), "lots": lots, "limit": desk.limits.rejections_row_max}
            yield Finding(f"rejected:{sleeve}", "rejected", "page", what, sleeve, rejected[0].t_recv_ms, action, numbers, last.id)
    yield from lasting_refusals(desk)


def is_rejected(event: Event) -> bool:
    """Whether the venue rejected an order."""
    return bool(event.body["state"] == "rejected")


def lasting_refusals(desk: DeskObservation) -> Iterator[Finding]:
    """Sleeves whose entry one rule has refused for some closes, as their own guard counts them in the mark."""
    if desk.mark is None:
        return
    clock, steps = int(desk.config["start"]["timeframe_ms"]), steps_of(desk.config)
    for sleeve, body in desk.mark.body["sleeves"].items():
        guard = body["guard"]
        if guard["refused_by"] is None or guard["refused_by"] in ROUTINE:
            continue
        closes = (desk.mark.t_event_ms - guard["refused_ms"]) // steps.get(sleeve, clock) + 1
        began = [e for e in desk.recent if e.kind == "decision" and e.body["sleeve"] == sleeve and e.body.get("refused_by")]
        if closes >= REFUSED_ROW_MAX or guard["refused_by"] in AT_ONCE:
            at = next((e for e in began if e.t_event_ms == guard["refused_ms"]), desk.mark)
            yield refusal_finding(desk, sleeve, guard["refused_by"], closes, at)


def refusal_finding(desk: DeskObservation, sleeve: str, rule: str, closes: int, began: Event) -> Finding:
    """The finding for a refusal that lasts; a page when an input is missing. `began`: the decision it began with."""
    wanted = (began.body.get("size") or {}).get("wanted")
    size = f"{wanted:g}" if isinstance(wanted, int | float) else "an unknown size"
    entries = f"{closes} entries of {size} in {instrument_of(desk, sleeve)}"
    what = f"{entries} refused in a row by {rule}; {position_text(desk, sleeve)}"
    severity: Severity = "page" if rule == UNKNOWN_RULE else "warn"
    action = f"read why: nightdesk journal explain {began.id}"
    numbers = {"in_a_row": closes, "wanted": wanted}
    return Finding(f"refused:{sleeve}", "refused", severity, what, sleeve, began.t_recv_ms, action, numbers, began.id)


def trailing_run(events: list[Event], matches: Callable[[Event], bool]) -> list[Event]:
    """The unbroken run of matching events at the end, oldest first."""
    row: list[Event] = []
    for event in reversed(events):
        if not matches(event):
            break
        row.insert(0, event)
    return row


def breakers(desk: DeskObservation) -> Iterator[Finding]:
    """Sleeves whose entries a breaker blocks now, as the mark says; the journal says which breaker."""
    if not is_trading(desk) or desk.mark is None:
        return
    for sleeve, state in desk.mark.body["sleeves"].items():
        shut = in_force(sleeve, state, desk.tripped)
        if shut is None:
            continue
        event, until, name = shut.event, shut.until_ms, " or ".join(shut.breakers)
        severity: Severity = "page" if name in PAGING_BREAKERS else "note"  # a pause asks nothing of a person and ends by itself
        numbers = {"equity": state.get("equity"), "until_desk_ms": until, "desk_ms": desk.mark.t_event_ms}
        what = f"Breaker {name} tripped: no entries until desk time {utc(until)}; {position_text(desk, sleeve)}"
        since = event.t_recv_ms if event else desk.mark.t_recv_ms
        action = "none needed: it re-arms by itself. Ask the operator role why; propose a change if it repeats"
        yield Finding(f"breaker:{sleeve}", "breaker", severity, what, sleeve, since, action, numbers, (event or desk.mark).id)


def drawdown(desk: DeskObservation) -> Iterator[Finding]:
    """Desk drawdown near its limit, or past it: the halt."""
    if not is_trading(desk) or desk.mark is None:
        return
    equity, peak, most = desk.mark.body["equity"], desk.mark.body["peak"], desk.limits.drawdown_frac_max
    tripped = "desk drawdown" in (desk.mark.body.get("tripped") or ())
    if equity is None or not peak:
        yield blind_finding("drawdown", "the mark has no equity or no peak", desk.now_ms)
        return
    fall = 1.0 - equity / peak
    if not tripped and fall < DRAWDOWN_NEAR_FRAC * most:
        return
    positions = ", ".join(open_positions(desk)) or "no open position"
    numbers = {"drawdown_frac": round(fall, 6), "drawdown_frac_max": most, "equity": equity, "peak": peak}
    what = f"Desk drawdown {percent_text(fall, 1)}, limit {percent_text(most, 1)}"
    what = f"{what} (equity {equity:,.2f}, peak {peak:,.2f}); {positions}"
    if highest := desk.mark.body.get("high_water"):
        numbers["high_water"] = highest
        what = f"{what}; {percent_text(1.0 - equity / highest, 1)} below the highest equity ever, {highest:,.2f}"
    action = "propose a tightening or a pause now; at the limit the desk halts and flattens by itself"
    if tripped:
        what, action = (
            f"BREAKER desk drawdown: the desk halts and flattens. {what}",
            "let it flatten; a release needs a reason and passing health checks",
        )
    since = desk.mark.t_recv_ms
    yield Finding("drawdown", "drawdown", "page", what, "desk", since, action, numbers, desk.mark.id, level=int(tripped))


def records(desk: DeskObservation) -> Iterator[Finding]:
    """Journals that do not verify, and a disk that is nearly full."""
    journal, disk = desk.checks.get("journals"), desk.checks.get("disk")
    if journal is not None and journal.state == "bad":
        action = "stop the desk, keep the file as it is, run nightdesk journal verify; restore from a backup"
        yield Finding("journal", "journal", "page", journal.text, "journals", desk.now_ms, action)
    elif journal is not None and journal.state == "warning":
        action = "keep the file as it is; what shadows are worth is not to be read from it: nightdesk journal verify"
        yield Finding("journal", "journal", "warn", journal.text, "journals", desk.now_ms, action)
    if disk is not None and disk.state in ("bad", "warning"):
        severity: Severity = "page" if disk.state == "bad" else "warn"
        action = "free space: old runs and logs first, never the journal"
        yield Finding("disk", "disk", severity, f"The disk is nearly full: {disk.text}", "disk", desk.now_ms, action)


def people(desk: DeskObservation) -> Iterator[Finding]:
    """A halt, expired proposals, incidents the worker journaled, undelivered messages."""
    latch = desk.halt
    if latch is not None and latch.halted and latch.by != "guardrail":
        since = latch.since_ms if latch.since_ms is not None else desk.now_ms
        positions = open_positions(desk)
        stuck = bool(positions) and desk.now_ms - since >= FLATTEN_MS
        open_ = f"STILL OPEN: {', '.join(positions)}" if positions else "no open position"
        what = f"HALTED by {latch.by or 'an unknown actor'}: {latch.reason}; {open_}"
        action = "flatten the open positions by hand" if stuck else RELEASE
        severity: Severity = "page" if stuck or latch.by == WORKER else "warn"
        yield Finding("halt", "halt", severity, what, "desk", since, action, {"open_positions": len(positions)})
    for row in desk.expired:
        what = f"Proposal {row['id']} ({row['direction']}, {row['sleeve']}) expired: not decided in time"
        place, action = str(row["sleeve"]), "propose it again if it is still wanted"
        yield Finding(f"proposal:{row['id']}", "proposal", "note", what, place, row["expires_ms"], action)
    yield from reported(desk)
    for lost in desk.undelivered:
        sink = str(lost["sink"])
        what = f"Messages not delivered to {sink} ({lost['failed']}): {lost['error']}"
        action = f"check {sink}'s settings; every alert is on the page and in nightdesk alerts list"
        yield Finding(f"delivery:{sink}", "delivery", "warn", what, sink, lost["since_ms"], action, {"failed": lost["failed"]})


DETECTORS: Mapping[str, tuple[Detector, tuple[str, ...]]] = {  # name -> detector, and the kinds of its findings
    "worker": (worker, ("worker",)),
    "processes": (restarts, ("worker",)),
    "account": (unconnected, ("worker",)),
    "bars": (bars, ("bars",)),
    "venues": (parted, ("bars",)),
    "orders": (orders, ("refused", "rejected")),
    "breakers": (breakers, ("breaker",)),
    "drawdown": (drawdown, ("drawdown",)),
    "protective orders": (protective, ("protective",)),
    "stops": (unmoved, ("stop",)),
    "executions": (unlisted, ("executions",)),
    "differences": (differences, ("difference",)),
    "liquidations": (liquidated, ("liquidation",)),
    "journals and disk": (records, ("journal", "disk")),
    "watches": (levels, ("level",)),
    "parity": (parity, ("parity",)),
    "desk_drift": (desk_drift, ("desk_drift",)),
    "identity": (broken, ("identity",)),
    "unclosed": (unclosed, ("unclosed",)),
    "outside series": (outside_series, ("outside",)),
    "drift of inputs": (input_drift, ("drift",)),
    "strategies": (strategies, ("strategy", "features")),
    "dead guards": (dead_guards, ("deadguard",)),
    "silences": (silent_ones, ("silence",)),
    "canaries": (canary_findings, ("canary",)),
    "audit": (audited, ("audit",)),
    "makers": (makers, ("maker",)),
    "halt and proposals": (people, ("halt", "proposal", "incident", "delivery")),
}

"""What is wrong with the desk, as findings that can be sent to a person: a scene -> findings. No model, no network.

Called by app.processes.scheduler every few seconds. engine.watch.observer gathers the scene from what is there already (health,
the worker's note about itself, the journal's end, the database); `evaluate` turns it into findings, deterministically. A rule
that cannot be worked out is a finding itself, and keeps the alerts of its kind open.
"""

from collections.abc import Callable, Iterator, Mapping

from engine.clock import utc
from engine.store.chain import Event
from engine.watch.health import naked
from engine.watch.observation import (
    Finding,
    ProcessExit,
    Scene,
    Severity,
    blind,
    holding,
    instrument_of,
    open_positions,
    trading,
)

ABSENT_MS = 10_000  # a worker may be away so long: it is being started
STEADY_MS = 60_000  # a worker that lived so long after a death is well again
DYING = 3  # so many deaths in DYING_MS: it will not come back by itself
DYING_MS = 600_000
STALE_MS = 40_000  # no bar for so long, and for three bars, while they should come; a hanging worker is told before
NEAR = 0.8  # of the drawdown limit
REFUSED_ROW = 5  # decisions of a sleeve refused one after the other
FLATTEN_MS = 60_000
UNKNOWN_RULE = "an input cannot be computed"
ROUTINE = frozenset(  # refusals that say what another alert says, or that a strategy meets every day
    {
        "desk is halted",
        "desk drawdown breaker",
        "daily loss breaker",
        "entries paused",
        "layers_max",
        "another sleeve holds the other side",
        "size rounds down to no lot",
    }
)
PAGING_BREAKERS = ("daily loss", "desk drawdown")

Rule = Callable[[Scene], Iterator[Finding]]


def evaluate(scene: Scene) -> tuple[list[Finding], frozenset[str]]:
    """(findings, kinds that could not be worked out: their open alerts stay open)."""
    found: list[Finding] = []
    unsure: set[str] = set()
    for name, (rule, kinds) in RULES.items():
        try:
            found += list(rule(scene))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            unsure |= set(kinds)
            found.append(blind(name, f"{type(error).__name__}: {error}", scene.now_ms))
    if scene.pid is None or scene.checks["worker"].state == "bad":
        unsure.add("bars")
    for name, check in scene.checks.items():
        if check.state == "unknown" and not (name == "bars" and scene.mark is None):
            unsure |= set(KINDS_OF.get(name, ()))
            found.append(blind(name, check.text, scene.now_ms))
    return list({finding.fingerprint: finding for finding in found}.values()), frozenset(unsure)


KINDS_OF = {  # what rests on a check that could not be made
    "worker": ("worker",),
    "protective orders": ("protective", "drawdown", "breaker", "refused", "rejected"),
    "bars": ("bars",),
    "journals": ("journal",),
    "disk": ("disk",),
    "halt": ("halt",),
}


# ---- the rules -----------------------------------------------------------------------------------------------------------


def worker(scene: Scene) -> Iterator[Finding]:
    """Not there, silent, or died and came back: one alert for all of it, worse as it lasts."""
    deaths = [d for d in scene.deaths if d.process == "worker" and scene.now_ms - d.wall_ms < DYING_MS]
    held = open_positions(scene)
    open_ = f"open: {', '.join(held)}" if held else "nothing is open"
    numbers = {"deaths": len(deaths), "open_positions": len(held)}
    rests = not held and not deaths and (scene.mark is None or scene.beat.get("phase") == "stopped")
    last = deaths[-1].wall_ms if deaths else scene.now_ms
    gone = scene.absent_ms is not None and scene.now_ms - scene.absent_ms >= ABSENT_MS and not rests
    if gone or len(deaths) >= DYING:
        since = deaths[0].wall_ms if deaths else scene.absent_ms or scene.now_ms
        how = f"it died {times(len(deaths))}, last {how_of(deaths[-1])}" if deaths else "nothing says why it ended"
        what = f"No worker is trading ({how}); {open_}" if gone else f"The worker keeps dying ({how}); {open_}"
        action = "read logs/worker.jsonl, then nightdesk up; protective orders rest at the venue meanwhile"
        yield Finding("worker", "worker", "page", what, "worker", since, action, numbers, level=1 + (len(deaths) >= DYING))
    elif scene.pid is not None and scene.checks["worker"].state == "bad":
        since = int(scene.beat.get("wall_ms", scene.now_ms))
        what = f"The worker (process {scene.pid}) hangs: silent for {(scene.now_ms - since) // 1000} s; {open_}"
        action = f"kill -9 {scene.pid}: the supervisor starts it again from its journal"
        yield Finding("worker", "worker", "page", what, "worker", since, action, numbers, level=1)
    elif deaths and scene.now_ms - last < STEADY_MS:
        what = f"The worker ended unexpectedly ({how_of(deaths[-1])}) and is being started again; {open_}"
        action = "nothing, if this goes away within a minute; else read logs/worker.jsonl"
        yield Finding("worker", "worker", "page", what, "worker", last, action, numbers)


def restarts(scene: Scene) -> Iterator[Finding]:
    """Any other process of the desk that ended unexpectedly."""
    for process in sorted({d.process for d in scene.deaths} - {"worker"}):
        deaths = [d for d in scene.deaths if d.process == process and scene.now_ms - d.wall_ms < DYING_MS]
        if deaths and (scene.now_ms - deaths[-1].wall_ms < STEADY_MS or len(deaths) >= DYING):
            what = f"The process {process} ended unexpectedly ({how_of(deaths[-1])}), {times(len(deaths))} in 10 minutes"
            severity: Severity = "page" if len(deaths) >= DYING else "warn"
            action = f"trading goes on without it; read the terminal of nightdesk up and logs/ for {process}"
            yield Finding(
                f"process:{process}", "worker", severity, what, process, deaths[-1].wall_ms, action, {"deaths": len(deaths)}
            )


def times(count: int) -> str:
    """How often, in words."""
    return "once" if count == 1 else f"{count} times"


def how_of(death: ProcessExit) -> str:
    """How a process ended."""
    if death.code is None:
        return "how is not known"
    return f"killed by signal {-death.code}" if death.code < 0 else f"exit code {death.code}"


def bars(scene: Scene) -> Iterator[Finding]:
    """Bars that should come and do not. At the end of recorded data none should come: the worker says so itself."""
    if scene.mark is None or scene.pid is None or scene.checks["worker"].state == "bad":
        return  # without a worker there are no bars: one fault, one alert
    if scene.beat.get("phase") == "running":
        step_ms = 1000.0 / float(scene.beat.get("bars_per_second") or 1.0)
        since = max(scene.mark.t_recv_ms, scene.phase_ms)
        age_ms = scene.now_ms - since
        if age_ms > max(STALE_MS, 3 * step_ms):
            names = ", ".join(dict.fromkeys(str(s["instrument"]) for s in scene.config.get("sleeves", ()))) or "every instrument"
            held = open_positions(scene)
            due = f"one was due every {step_ms / 1000:g} s; open: {', '.join(held) or 'nothing'}"
            what = f"No bar of {names} for {age_ms // 1000} s, {due}"
            action = "check the feed and the worker; nothing enters on old bars, protective orders rest at the venue"
            numbers = {"age_s": age_ms // 1000, "bar_s": step_ms / 1000, "desk_ms": scene.mark.t_event_ms}
            yield Finding("bars", "bars", "page", what, names, since, action, numbers, scene.mark.id)
    if trading(scene):
        for name in scene.silent:
            held = [s["name"] for s in scene.config.get("sleeves", ()) if s["instrument"] == name]
            open_ = [sleeve for sleeve in held if scene.mark.body["sleeves"].get(sleeve, {}).get("position")]
            what = f"No price of {name} for three bars: {', '.join(holding(scene, s) for s in held) or 'no sleeve on it'}"
            action = "nothing enters on missing bars; look at the venue, and at the position by hand if one is open"
            severity: Severity = "page" if open_ else "warn"
            yield Finding(f"bars:{name}", "bars", severity, what, name, scene.mark.t_recv_ms, action, {}, scene.mark.id)


def orders(scene: Scene) -> Iterator[Finding]:
    """Refused by us, or rejected by the venue, one after the other up to now."""
    if not trading(scene):
        return
    for sleeve in dict.fromkeys(str(e.body["sleeve"]) for e in scene.recent):
        mine = [e for e in scene.recent if e.body["sleeve"] == sleeve]
        rejected = row_of([e for e in mine if e.kind == "order"], lambda e: e.body["state"] == "rejected")
        if len(rejected) >= scene.limits.rejections_row_max:
            last, lots = rejected[-1], rejected[-1].body.get("lots")
            where = f"{instrument_of(scene, sleeve)} rejected in a row; {holding(scene, sleeve)}"
            what = f"{len(rejected)} orders of {lots} lots in {where}"
            action = f"propose a pause of {sleeve}, and read why: nightdesk journal explain {last.id}"
            numbers = {"in_a_row": len(rejected), "lots": lots, "limit": scene.limits.rejections_row_max}
            yield Finding(f"rejected:{sleeve}", "rejected", "page", what, sleeve, rejected[0].t_recv_ms, action, numbers, last.id)
        decided = [e for e in mine if e.kind == "decision"]
        refused = row_of(decided, lambda e: e.body["action"] == "refused" and e.body.get("refused_by") not in ROUTINE)
        if len(refused) >= REFUSED_ROW:
            yield refusal(scene, sleeve, refused)


def refusal(scene: Scene, sleeve: str, refused: list[Event]) -> Finding:
    """A row of refusals; when inputs are missing somebody has to look at once."""
    last, rule = refused[-1], str(refused[-1].body.get("refused_by"))
    wanted = (last.body.get("size") or {}).get("wanted")
    size = f"{wanted:g}" if isinstance(wanted, int | float) else "an unknown size"
    what = (
        f"{len(refused)} entries of {size} in {instrument_of(scene, sleeve)} refused in a row by {rule}; {holding(scene, sleeve)}"
    )
    severity: Severity = "page" if rule == UNKNOWN_RULE else "warn"
    action = f"read what it lacked: nightdesk journal explain {last.id}"
    numbers = {"in_a_row": len(refused), "wanted": wanted}
    return Finding(f"refused:{sleeve}", "refused", severity, what, sleeve, refused[0].t_recv_ms, action, numbers, last.id)


def row_of(events: list[Event], fits: Callable[[Event], bool]) -> list[Event]:
    """The unbroken row of fitting events at the end, oldest first."""
    row: list[Event] = []
    for event in reversed(events):
        if not fits(event):
            break
        row.insert(0, event)
    return row


def breakers(scene: Scene) -> Iterator[Finding]:
    """Breakers of sleeves that hold back entries now, by the mark; which one it was, by the journal."""
    if not trading(scene) or scene.mark is None:
        return
    for sleeve, held in scene.mark.body["sleeves"].items():
        until = held.get("blocked_until_ms") or held.get("paused_until_ms")
        if not until:
            continue
        event = next((e for e in reversed(scene.tripped) if e.body["sleeve"] == sleeve), None)
        name = (
            str(event.body["breaker"])
            if event
            else "daily loss"
            if held.get("blocked_until_ms")
            else "loss streak or entry frequency"
        )
        severity: Severity = "page" if name in PAGING_BREAKERS else "warn"
        numbers = {"equity": held.get("equity"), "until_desk_ms": until, "desk_ms": scene.mark.t_event_ms}
        what = f"Breaker {name} tripped: no entries until desk time {utc(until)}; {holding(scene, sleeve)}"
        since = event.t_recv_ms if event else scene.mark.t_recv_ms
        action = "nothing must be done: it re-arms by itself. Ask the operator why; propose a change if it repeats"
        yield Finding(f"breaker:{sleeve}", "breaker", severity, what, sleeve, since, action, numbers, (event or scene.mark).id)


def drawdown(scene: Scene) -> Iterator[Finding]:
    """Near the desk's limit, or past it: the halt."""
    if not trading(scene) or scene.mark is None:
        return
    equity, peak, most = scene.mark.body["equity"], scene.mark.body["peak"], scene.limits.drawdown_frac_max
    tripped = "desk drawdown" in (scene.mark.body.get("tripped") or ())
    if equity is None or not peak:
        yield blind("drawdown", "the mark has no equity or no peak", scene.now_ms)
        return
    at = 1.0 - equity / peak
    if not tripped and at < NEAR * most:
        return
    held = ", ".join(open_positions(scene)) or "nothing is open"
    numbers = {"drawdown_frac": round(at, 6), "drawdown_frac_max": most, "equity": equity, "peak": peak}
    what = f"Desk drawdown {at:.1%} of at most {most:.1%} (equity {equity:,.2f}, peak {peak:,.2f}); {held}"
    action = "propose tightening or a pause now; at the limit the desk halts and flattens by itself"
    if tripped:
        what, action = (
            f"BREAKER desk drawdown: the desk halts and flattens. {what}",
            "let it flatten; release needs a reason and a healthy probe",
        )
    since = scene.mark.t_recv_ms
    yield Finding("drawdown", "drawdown", "page", what, "desk", since, action, numbers, scene.mark.id, level=int(tripped))


def protective(scene: Scene) -> Iterator[Finding]:
    """An open layer without its protective order."""
    if not trading(scene) or scene.mark is None:
        return
    for sleeve in dict.fromkeys(name for name, _ in naked(scene.mark)):
        layers = [layer for name, layer in naked(scene.mark) if name == sleeve]
        states = ", ".join(sorted({str(layer["protective_state"]) for layer in layers}))
        lots = sum(layer["lots"] for layer in layers)
        what = (
            f"{len(layers)} open layer(s), {lots} lots, WITHOUT a working protective order ({states}): {holding(scene, sleeve)}"
        )
        action = f"place a stop at {layers[0]['protective']} by hand, or halt: nightdesk halt --reason 'no protective order'"
        numbers = {"layers": len(layers), "lots": lots, "entry": layers[0]["entry"], "protective": layers[0]["protective"]}
        yield Finding(
            f"protective:{sleeve}", "protective", "page", what, sleeve, scene.mark.t_recv_ms, action, numbers, scene.mark.id
        )


def records(scene: Scene) -> Iterator[Finding]:
    """Journals that do not verify, and a disk that fills up."""
    journal, disk = scene.checks.get("journals"), scene.checks.get("disk")
    if journal is not None and journal.state == "bad":
        action = "stop the desk, keep the file as it is, nightdesk journal verify; restore from a copy"
        yield Finding("journal", "journal", "page", journal.text, "journals", scene.now_ms, action)
    if disk is not None and disk.state in ("bad", "warning"):
        severity: Severity = "page" if disk.state == "bad" else "warn"
        action = "free space: old runs and logs first, never the journal"
        yield Finding("disk", "disk", severity, f"The disk is nearly full: {disk.text}", "disk", scene.now_ms, action)


def people(scene: Scene) -> Iterator[Finding]:
    """A halt, proposals nobody decided, complaints of the worker, messages that were not delivered."""
    latch = scene.halt
    if latch is not None and latch.halted and latch.by != "guardrail":
        since = latch.since_ms if latch.since_ms is not None else scene.now_ms
        held = open_positions(scene)
        stuck = bool(held) and scene.now_ms - since >= FLATTEN_MS
        open_ = f"STILL OPEN: {', '.join(held)}" if held else "nothing is open"
        what = f"HALTED by {latch.by or 'somebody'}: {latch.reason}; {open_}"
        action = "flatten by hand what is still open" if stuck else "find out why; nightdesk release --reason WHY --as NAME"
        severity: Severity = "page" if stuck else "warn"
        yield Finding("halt", "halt", severity, what, "desk", since, action, {"open_positions": len(held)})
    for row in scene.expired:
        what = f"Proposal {row['id']} ({row['direction']}, {row['sleeve']}) expired: nobody decided in time"
        yield Finding(
            f"proposal:{row['id']}",
            "proposal",
            "note",
            what,
            str(row["sleeve"]),
            row["expires_ms"],
            "ask again if it is still wanted",
        )
    for event in scene.incidents:
        what = f"The worker says: {str(event.body.get('what', 'an incident'))[:400]}"
        place = str(event.body.get("sleeve") or "worker")
        action = f"nightdesk journal explain {event.id}"
        yield Finding(f"incident:{event.id}", "incident", "warn", what, place, event.t_recv_ms, action, {}, event.id)
    if scene.undelivered:
        lost, sink = scene.undelivered, str(scene.undelivered["sink"])
        what = f"{lost['failed']} message(s) could not be delivered to {sink}: {lost['error']}"
        action = f"look at {sink}'s settings; all alerts stand on the page and in nightdesk alerts list"
        yield Finding(f"delivery:{sink}", "delivery", "warn", what, sink, lost["since_ms"], action, {"failed": lost["failed"]})


RULES: Mapping[str, tuple[Rule, tuple[str, ...]]] = {  # name -> rule, and the kinds it finds
    "worker": (worker, ("worker",)),
    "processes": (restarts, ("worker",)),
    "bars": (bars, ("bars",)),
    "orders": (orders, ("refused", "rejected")),
    "breakers": (breakers, ("breaker",)),
    "drawdown": (drawdown, ("drawdown",)),
    "protective orders": (protective, ("protective",)),
    "journals and disk": (records, ("journal", "disk")),
    "halt and proposals": (people, ("halt", "proposal", "incident", "delivery")),
}

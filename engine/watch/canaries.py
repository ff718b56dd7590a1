"""Is a canary breached? Its journal events since it began -> what was measured, and the stated breaches that it has passed.

Called by app.processes.canary_watch in the supervisor at every close, and by views for a sentence. No model, no agent, no numpy.
What a breach needs and is missing is a breach itself. The measures are of the journal alone, so that a restart reads the same.
"""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from engine.clock import DAY_MS, HOUR_MS, utc
from engine.control.canary import BREACHED, LEFT, OF_THE_DESK, OVER, RUNNING, CanaryRun, length_text, size_text
from engine.store.chain import Event
from engine.store.lookback import last
from engine.watch.observation import DeskObservation, Finding
from engine.watch.window import FAR_MS, between, mark_at

KINDS = ("mark", "fill", "cross", "order", "decision")
GAP_BARS = 3  # own bars without a close in the journal
BLIND_MARKS = 3  # closes in a row at which the sleeve's equity is not known
LATE_MS = 3 * HOUR_MS  # without a comparison of predictions (wall time)
CODE = "code"  # key of what was written: sleeves whose code has changed and that nothing watches, and why
STATUS, ERRORS = "canaries.json", "canary-models.json"  # in the home: what the watch and the job of shadows wrote last


class Breach(NamedTuple):
    """A stated breach that was passed: rejections, slippage, drawdown, too few, too many, predictions, no data."""

    kind: str
    text: str


class CanaryFold:
    """One canary's measures, event by event. `see` takes each event of the desk journal since it began once, in order."""

    excused: tuple[str, ...] = OF_THE_DESK  # refusals that say nothing of a change

    def __init__(self, run: CanaryRun, began: Event, held: int = 0) -> None:
        self.run, self.terms, self.names = run, run.terms, frozenset((run.sleeve,))  # names: its own in the journal
        self.began_ms, self.began_wall_ms, self.seq = began.t_event_ms, began.t_recv_ms or 0, began.seq
        self.at_ms = began.t_event_ms  # of the last mark
        self.open_ms = 0  # desk time in which it could enter: neither paused nor halted
        self.quiet_ms = 0  # of it, since its last entry or exit; an open position waits for nothing
        self.trips = self.refused = self.blind = 0
        self.drawdown = self.peak = 0.0
        self.entries: list[int] = []
        self.most_a_day = 0
        self.slippages: list[float] = []  # bps, of each round trip
        self.waits = ""  # why it cannot enter now
        self.faults: list[str] = []  # what is missing
        self._held = held  # lots with their side; not 0 where the change took an open position over
        self._of_before = "level" not in self.terms  # a card from before limits had one: what it said is kept
        self._slipped = self._notional = 0.0

    def see(self, event: Event) -> None:
        """The next event."""
        if event.seq <= self.seq:
            return
        self.seq = event.seq
        if event.kind == "mark":
            self._mark(event)
        elif event.body.get("sleeve") in self.names:
            if event.kind in ("fill", "cross"):
                self._fill(event)
            elif event.kind == "order":
                self.refused += event.body.get("state") == "rejected"
            else:
                self.refused += event.body.get("refused_by") not in (None, *self.excused)

    def _mark(self, event: Event) -> None:
        body, step = self._own(event.body), event.t_event_ms - self.at_ms
        if step > GAP_BARS * int(self.terms["bar_ms"]):
            self.faults.append(f"the journal has no close from {utc(self.at_ms)} to {utc(event.t_event_ms)}")
        self.at_ms = event.t_event_ms
        equity = None if body is None else body.get("equity")
        if body is None or not isinstance(equity, int | float) or not math.isfinite(equity):
            self.blind += 1
            if self.blind >= BLIND_MARKS:
                self.faults.append(f"its equity is not known at {utc(event.t_event_ms)}")
            return
        self.blind = 0
        halted, paused = bool(event.body.get("halt")), bool(body.get("paused"))
        self.waits = "the desk is halted" if halted else "paused" if paused else ""
        if event.body.get("blocked") or event.body.get("tripped"):  # a breaker of the desk stays until it is released
            self.waits = self.waits or "entries are blocked"
        if not self.waits:
            self.open_ms += step
            self.quiet_ms += step if self._held == 0 or self._of_before else 0
        self.peak = max(self.peak, equity)
        self.drawdown = max(self.drawdown, 1.0 - equity / self.peak if self.peak > 0.0 else 0.0)

    def _own(self, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Its part of a mark: equity, paused; None where it has none."""
        own: Mapping[str, Any] | None = body["sleeves"].get(self.run.sleeve)
        return own

    def _fill(self, event: Event) -> None:
        body = event.body
        numbers = [body.get(name) for name in ("lots", "price", "reference_price")]
        if not all(isinstance(x, int | float) and math.isfinite(x) for x in numbers) or not body["price"] > 0.0:
            self.faults.append(f"a fill at {utc(event.t_event_ms)} has no price")
            return
        lots, price, reference = (float(x) for x in numbers if x is not None)
        side = 1 if body["side"] == "buy" else -1
        if body["slot"] == "entry":
            if self._held == 0:
                self._entered(event.t_event_ms)
            self._notional += lots * price if self._held == 0 or self._notional > 0.0 else 0.0
        self._held += side * round(lots)
        self._slipped += side * lots * (price - reference) if self._notional > 0.0 else 0.0
        if self._held == 0:
            self.quiet_ms = self.quiet_ms if self._of_before else 0
            if self._notional > 0.0:  # one that was open when the canary began is not its own
                self.trips += 1
                self.slippages.append(self._slipped / self._notional * 1e4)
            self._slipped = self._notional = 0.0

    def _entered(self, at_ms: int) -> None:
        self.entries = [ms for ms in self.entries if ms > at_ms - DAY_MS] + [at_ms]
        self.most_a_day = max(self.most_a_day, len(self.entries))
        self.quiet_ms = 0

    @property
    def bars(self) -> int:
        """Own bars in which it could enter."""
        return self.open_ms // int(self.terms["bar_ms"])

    @property
    def slippage_bps(self) -> float | None:
        """The mean of all round trips; None before there are as many as are judged."""
        least = int(self.terms["slippage_trips"])
        own = self.slippages[-least:] if self._of_before else self.slippages
        return sum(own) / len(own) if len(own) >= least else None

    def is_over(self, errors: Mapping[str, Any]) -> bool:
        """Whether its round trips or bars are over, and its predictions were judged."""
        terms = self.terms
        done = self.trips >= terms["trips"] if terms["trips"] is not None else self.bars >= terms["bars"]
        return bool(done and (terms["error"] is None or errors.get("known", 0) >= terms["error"]["closes"]))


def began(path: Path, run: CanaryRun) -> Event | None:
    """The event since which the sleeve follows the canary's version, of a basket its legs; None while it has not adopted it. The
    last mark is asked first: a canary may wait for days, and the search reads a journal to its begin.
    """
    mark = mark_at(path)
    if mark is None:
        return None
    is_basket = mark.body.get("basket", {}).get("name") == run.sleeve  # the one sleeve of its desk
    own = frozenset(mark.body["sleeves"] if is_basket else (run.sleeve,))
    follows = next((one.get("version") for name, one in mark.body["sleeves"].items() if name in own), None)
    if follows is not None and follows not in run.versions:
        return None

    def governs(event: Event) -> bool:
        body = event.body
        if "start" in body:  # approved before the desk's first start
            return any(s["name"] in own and s.get("version") == run.to_version for s in body["sleeves"])
        return body.get("sleeve") in own and (body.get("version"), body.get("state")) == (run.to_version, "governs")

    return last(path, ("config",), governs)


def held_at(path: Path, run: CanaryRun, began: Event) -> int:
    """Lots of the sleeve, with their side, when a canary began."""
    mark = last(path, ("mark",), lambda e: e.seq < began.seq)
    if mark is None:
        return 0
    position = (mark.body["sleeves"].get(run.sleeve) or {}).get("position")
    held = 0 if not position else int(position["lots"]) * (1 if position["side"] == "long" else -1)
    for fill in between(path, mark.t_event_ms - 1, began.t_event_ms, ("fill",)):  # it may have become flat in that very bar
        if mark.seq < fill.seq < began.seq and fill.body.get("sleeve") == run.sleeve:
            held += round(fill.body["lots"]) * (1 if fill.body["side"] == "buy" else -1)
    return held


def follow(path: Path, fold: CanaryFold) -> None:
    """Take what the journal has since."""
    for event in between(path, fold.at_ms - 1, FAR_MS, KINDS):
        fold.see(event)


def breaches(fold: CanaryFold, errors: Mapping[str, Any], now_ms: int, watched_ms: int) -> list[Breach]:
    """The breaches that are passed, missing data first. `errors`: the last comparison of predictions; `now_ms` and `watched_ms`,
    since when this process watches, are wall times.
    """
    found = [Breach("no data", fault) for fault in fold.faults[:1]]
    found += list(_of_trading(fold))
    error = fold.terms["error"]
    if error is not None:
        since = max(int(errors.get("ok_ms") or 0), fold.began_wall_ms, watched_ms)
        if now_ms - since > LATE_MS:
            why = str(errors.get("why") or "nothing compares them")[:200]
            found.append(Breach("no data", f"no error of predictions for {(now_ms - since) // HOUR_MS} h: {why}"))
        ratio = errors.get("ratio")
        if int(errors.get("known") or 0) >= error["closes"] and not (
            isinstance(ratio, int | float) and ratio <= error["ratio_max"]
        ):
            text = "is not known" if not isinstance(ratio, int | float) else f"is {ratio:.3f} times"
            what = f"the error of {error['model']}@{error['version']} {text} that of {error['champion']}"
            found.append(Breach("predictions", f"{what}, above {error['ratio_max']:.3f}, over {errors['known']:,} closes"))
    return found


def _of_trading(fold: CanaryFold) -> Iterator[Breach]:
    terms = fold.terms
    if fold.refused > terms["refused_max"]:
        yield Breach("rejections", f"{fold.refused} entries refused or rejected, above {terms['refused_max']}")
    slipped = fold.slippage_bps
    if slipped is not None and not slipped <= terms["slippage_bps_max"]:
        over = f"over {len(fold.slippages)}, above {terms['slippage_bps_max']:.2f}"
        yield Breach("slippage", f"{slipped:.2f} bps a round trip {over}")
    if not fold.drawdown <= terms["drawdown_frac_max"]:
        yield Breach("drawdown", f"{100 * fold.drawdown:.2f} %, above {100 * terms['drawdown_frac_max']:.2f} %")
    if fold.quiet_ms > terms["quiet_bars_max"] * terms["bar_ms"]:
        yield Breach("too few", f"no entry in {fold.quiet_ms // terms['bar_ms']:,} bars, above {terms['quiet_bars_max']:,}")
    if fold.most_a_day > terms["day_entries_max"]:
        yield Breach("too many", f"{fold.most_a_day} entries in 24 h, above {terms['day_entries_max']}")


# ---- what people see ------------------------------------------------------------------------------------------------------


def progress(fold: CanaryFold, errors: Mapping[str, Any]) -> dict[str, Any]:
    """What was measured so far, as JSON."""
    known = {} if fold.terms["error"] is None else {"known": errors.get("known", 0), "error_ratio": errors.get("ratio")}
    return {
        "began_ms": fold.began_ms,
        "at_ms": fold.at_ms,
        "trips": fold.trips,
        "bars": fold.bars,
        "refused": fold.refused,
        "slippage_bps": fold.slippage_bps,
        "drawdown_frac": fold.drawdown,
        "quiet_bars": fold.quiet_ms // int(fold.terms["bar_ms"]),
        "day_entries": fold.most_a_day,
        "waits": fold.waits,
        **known,
    }


def measured_text(done: Mapping[str, Any]) -> str:
    """The same in words, for the card that follows a canary."""
    slipped = done.get("slippage_bps")
    parts = [
        f"{done['trips']} round trips in {done['bars']:,} bars",
        "slippage too short to judge" if slipped is None else f"slippage {slipped:.2f} bps",
        f"drawdown {100 * done['drawdown_frac']:.2f} %",
        f"{done['refused']} refused or rejected",
        f"at most {done['day_entries']} entries in 24 h",
    ]
    if done.get("error_ratio") is not None:
        parts.append(f"error of predictions {done['error_ratio']:.3f} times the former's over {done['known']:,} closes")
    return ", ".join(parts)


def state_text(run: CanaryRun, done: Mapping[str, Any]) -> str:
    """`canary of prop-3: 25 % of the size; 2 of 10 trips; nothing breached`."""
    head, found = f"{'watch' if run.is_whole else 'canary'} of {run.proposal}", run.found
    if run.state == BREACHED:
        what = (found.get("breach") or [["", "breached"]])[0][1]
        return f"{head}: BREACHED ({what}); {found.get('action') or found.get('failed') or 'being taken back'}"
    if run.state == OVER and run.is_whole:
        return f"{head}: over, nothing breached"
    if run.state == OVER:
        card = f"{found['full']} proposes the whole size" if found.get("full") else "the whole size is not proposed yet"
        return f"{head}: over, nothing breached; {card}"
    if run.state == LEFT:
        return f"{head}: left, another version is in force"
    part = f"{head}:{size_text(run.terms, ' ')}"
    if not done:
        part += "" if run.is_whole else ";"
        return f"{part} begins when the desk has adopted version {run.to_version} (it waits for a flat position)"
    at = f"{done['trips']} of {run.terms['trips']} trips" if run.terms["trips"] is not None else ""
    at = at or f"{done['bars']:,} of {run.terms['bars']:,} bars"
    word = "watch" if run.is_whole else "canary"
    waits = f"; {done['waits']}: the {word} waits" if done.get("waits") else ""
    return f"{part} until {length_text(run.terms)} are over; {at}; nothing breached{waits}"


def read_status(home: Path, name: str = STATUS) -> dict[str, Any]:
    """What was written last, by key of a canary; empty where it cannot be read."""
    try:
        found = json.loads((home / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def canary_findings(desk: DeskObservation) -> Iterator[Finding]:
    """A breached canary, until a person decides about its sleeve."""
    for run in desk.canaries:
        found = run.found
        if run.state != BREACHED or not (run.in_force or run.version_now == found.get("version")):
            continue
        what = "; ".join(text for _, text in found["breach"])
        action = str(found.get("action") or f"NOT TAKEN BACK YET: {found.get('failed') or 'it is being done'}")
        yield Finding(
            f"canary:{run.key}",
            "canary",
            "page",
            f"The {'watch' if run.is_whole else 'canary'} of {run.proposal} on {run.sleeve} is breached: {what}; {action}",
            run.sleeve,
            int(found.get("found_ms") or desk.now_ms),
            f"read the runbook; nightdesk canary show {run.proposal}{'' if run.alone else f' --sleeve {run.sleeve}'}",
            {"part": run.terms["part"]},
            level=0 if found.get("action") else 1,
        )


def states(runs: list[CanaryRun], home: Path) -> dict[str, str]:
    """Sleeve -> the sentence of its canary, of those that run, were breached or are over and not decided."""
    done = read_status(home)
    ended = [run for run in runs if run.state == OVER and run.is_whole]
    shown = [r for r in runs if r.state == RUNNING or (r.state in (BREACHED, OVER) and _undecided(r) and r not in ended)]
    unwatched = {name: f"NOT WATCHED: its code has changed, {why}" for name, why in (done.get(CODE) or {}).items()}
    return unwatched | {run.sleeve: state_text(run, done.get(run.key) or {}) for run in shown}


def _undecided(run: CanaryRun) -> bool:
    return run.in_force or run.version_now == run.found.get("version")

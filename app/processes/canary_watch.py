"""The supervisor's watch of canaries: at each check what the journal has since, and what the approved card said of it.

Called by app.processes.scheduler. It remembers how far each canary was read, nothing else: a restart reads the journal again from
where the canary began.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from app.home.home import Home
from app.home.written import write_whole
from app.people import approvals
from app.people import canaries as card
from engine.clock import DAY_MS, HOUR_MS, MINUTE_MS
from engine.control.canary import BREACHED, OVER, RUNNING, WHOLE, CanaryRun, canaries, default_plan
from engine.control.code_changes import code_changes, note_code, noted
from engine.errors import DeskError
from engine.watch.basket_canaries import fold_of
from engine.watch.canaries import (
    CODE,
    ERRORS,
    STATUS,
    Breach,
    CanaryFold,
    breaches,
    follow,
    progress,
    read_status,
)
from engine.watch.window import FAR_MS, between, mark_at

FAILED = 3  # looks in a row that could not read the journal: no data
CODE_AGAIN_MS = MINUTE_MS  # between two looks for a run of code that has changed
AGAIN_MS, AGAIN_MAX_MS = MINUTE_MS, HOUR_MS  # between two attempts at what could not be done


class CanaryWatch:
    """Watches the canaries of one home; `look` is called again and again from one thread."""

    def __init__(self, home: Home, clock: Callable[[], int]) -> None:
        self.home, self.clock, self.began_ms = home, clock, clock()
        self._folds: dict[str, CanaryFold] = {}
        self._failed: dict[str, int] = {}
        self._again: dict[str, tuple[int, int]] = {}  # when to try again, and how long after that
        self._written: dict[str, Any] = {}
        self._code: dict[str, str] = {}  # sleeves whose code has changed and that nothing watches, and why
        self._code_ms, self._code_seq = -1, 0  # desk time from which on configurations are looked for, and the last one seen
        self._code_due_ms = 0
        self.compares = False  # whether a canary that runs has a model whose error is compared

    def look(self) -> list[CanaryRun]:
        """Look once at every canary that runs or is not done with; those that it acted on, as they are then."""
        errors, shown, acted = read_status(self.home.path, ERRORS), dict[str, Any](), list[CanaryRun]()
        self._look_at_code()
        if self._code:
            shown[CODE] = self._code
        runs = canaries(self.home.engine)
        self.compares = any(run.state == RUNNING and run.terms["error"] is not None for run in runs)
        for run in runs:
            unfinished = (run.state == BREACHED and not run.found.get("action")) or (
                run.state == OVER and not run.is_whole and not run.found.get("full")
            )
            if run.state == RUNNING or unfinished:
                acted += self._one(run, errors.get(run.key) or {}, shown)
        if shown != self._written:
            write_whole(self.home.path / STATUS, json.dumps(shown, sort_keys=True))
            self._written = shown
        return acted

    def _look_at_code(self) -> None:
        """Note strategies whose code has changed: at each new configuration, and again while one has no stored run."""
        plan, now_ms = default_plan(self.home.desk.canary.plan), self.clock()
        if plan is None:
            return
        with suppress(DeskError, OSError, KeyError, TypeError, ValueError):  # a journal that cannot be read is found elsewhere
            mark, path = mark_at(self.home.desk_journal), self.home.desk_journal
            if mark is None:
                return
            new = [e.seq for e in between(path, self._code_ms - 1, FAR_MS, ("config",)) if "sha256" in e.body]
            first, self._code_ms = self._code_ms < 0, mark.t_event_ms
            seen, self._code_seq = self._code_seq, max([self._code_seq, *new])
            if not first and self._code_seq == seen and not (self._code and now_ms >= self._code_due_ms):
                return
            self._code_due_ms = now_ms + CODE_AGAIN_MS
            late_ms = self.began_ms - DAY_MS  # what changed long before this watch ran is not judged now
            late = [one for one in code_changes(path) if (one.event.t_recv_ms or 0) >= late_ms]
            found = [change for change in late if not noted(self.home.engine, change)]
            whole = plan._replace(part=WHOLE, shortens=True)
            whys = {one.sleeve: note_code(self.home.engine, self.home.path, one, whole, now_ms) for one in found}
            self._code = {sleeve: why for sleeve, why in whys.items() if why}
            if found:
                approvals.settle(self.home, now_ms)  # the people journal has it as it has every change that was applied

    def _one(self, run: CanaryRun, errors: dict[str, Any], shown: dict[str, Any]) -> list[CanaryRun]:
        now_ms = self.clock()
        if run.state == BREACHED:
            return self._tried(run, lambda: card.breached(self.home, run, (), now_ms), now_ms)
        if run.state == OVER:
            return self._tried(run, lambda: card.over(self.home, run, {}, now_ms), now_ms)
        fold, found = self._read(run)
        if fold is not None:
            shown[run.key] = done = progress(fold, errors)
            found = found or breaches(fold, errors, now_ms, self.began_ms)
            if not found and fold.is_over(errors):
                return self._tried(run, lambda: card.over(self.home, run, done, now_ms), now_ms)
        return self._tried(run, lambda: card.breached(self.home, run, found, now_ms), now_ms) if found else []

    def _read(self, run: CanaryRun) -> tuple[CanaryFold | None, list[Breach]]:
        """What the journal says by now; a journal that cannot be read again and again is a breach."""
        try:
            fold = self._folds.get(run.key) or fold_of(self.home.desk_journal, run)
            if fold is not None:
                follow(self.home.desk_journal, fold)
                self._folds[run.key] = fold
        except (DeskError, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            self._folds.pop(run.key, None)
            self._failed[run.key] = failed = self._failed.get(run.key, 0) + 1
            why = f"the journal cannot be read: {type(error).__name__} {error}"[:300]
            return None, [Breach("no data", why)] if failed >= FAILED else []
        self._failed.pop(run.key, None)
        return fold, []

    def _tried(self, run: CanaryRun, act: Callable[[], CanaryRun], now_ms: int) -> list[CanaryRun]:
        """Act, or note why it could not be done and try again later, after longer and longer."""
        due_ms, wait_ms = self._again.get(run.key, (0, AGAIN_MS))
        if 0 < due_ms - now_ms <= AGAIN_MAX_MS:  # one that is further away was set before the clock was put back
            return []
        try:
            done = act()
        except Exception as error:  # noqa: BLE001 - it is said, and the canaries of other sleeves are looked at all the same
            self._again[run.key] = (now_ms + wait_ms, min(2 * wait_ms, AGAIN_MAX_MS))
            card.failed(self.home, run, str(error) if isinstance(error, DeskError) else f"our bug: {error!r}")
            return []
        self._again.pop(run.key, None)
        return [done]

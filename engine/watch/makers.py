"""Makers at accounts as the alerts see them: a halt, a process that is gone, inventory that nothing looks after.

Called by engine.watch.observer (`at_accounts`) and engine.watch.detectors (`makers`). Turns what a maker stores every few seconds
and its lock into findings; its own process pages in its terminal and its log.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.errors import DeskError
from engine.making.stored import FOLDER, JOURNAL, LOCK, stored
from engine.making.under_halt import has_its_lock, is_at_account
from engine.watch.observation import DeskObservation, Finding, Severity

STALE_MS = 60_000  # a maker stores what it knows every five seconds
HALT_SHOWN_MS = 86_400_000  # an alert of a halt that has ended with nothing left
LATCH = "latch"


def at_accounts(home: Path) -> tuple[Mapping[str, Any], ...]:
    """What is stored of each maker at an account, and whether its process `runs`; `unreadable` where it cannot be read."""
    found = list[Mapping[str, Any]]()
    for folder in sorted((home / FOLDER).glob("*")):
        if not is_at_account(folder / JOURNAL):
            continue
        try:
            body = stored(folder)
        except DeskError as error:
            body = {"name": folder.name, "unreadable": error.what}
        found.append({**body, "picture": None, "runs": has_its_lock(folder / LOCK)})
    return tuple(found)


def makers(desk: DeskObservation) -> Iterator[Finding]:
    """Each maker at an account that needs a person."""
    for one in desk.makers:
        place = f"maker {one['name']}"
        if one.get("unreadable"):
            why, action = f"Maker {one['name']} cannot be read: {one['unreadable'][:200]}", f"nightdesk making show {one['name']}"
            yield Finding(f"{place}:unreadable", "maker", "page" if one["runs"] else "warn", why, place, desk.now_ms, action)
            continue
        who = f"Maker {one['name']} at the account {one['account']} ({str(one['mode']).upper()})"
        since, numbers = int(one["written_ms"]), {"inventory": one["figures"]["inventory"]}
        for what, severity, why, action in _troubles(one, desk.now_ms):
            yield Finding(f"{place}:{what}", "maker", severity, f"{who} {why}", place, since, action, numbers)


def _troubles(one: Mapping[str, Any], now_ms: int) -> Iterator[tuple[str, Severity, str, str]]:
    """(what, severity, why, what to do) of one maker."""
    name, held, old_ms = one["name"], one["figures"]["inventory"], now_ms - int(one["written_ms"])
    halt, killed = one["halt"] or {}, one["killed"] or {}
    holds = f"; it holds {held:g} {str(one['symbol']).partition('-')[0]}" if held else ""
    if one["runs"] and old_ms > STALE_MS:
        yield "hangs", "page", f"has stored nothing for a minute{holds}", "nightdesk halt, then look at its venue"
    if not one["runs"] and one["state"] == "running":
        action = f"nightdesk making live {name} cancels what rests and compares"
        yield "gone", "page", f"is gone without a word: its orders may rest at the venue{holds}", action
    elif not one["runs"] and held:
        yield "holds", "warn", f"has ended{holds}: nothing looks after it", f"nightdesk making live {name}, or close it"
    if killed.get("left"):
        why = f"was halted by {halt.get('rule', 'a halt')}, and the halt left: {'; '.join(map(str, killed['left']))[:300]}"
        yield "left", "page", why, "look at its venue: cancel and close by hand what is left"
    elif halt and halt["rule"] != LATCH and old_ms < HALT_SHOWN_MS:
        why = f"halted itself: {halt['rule']} {str(halt.get('reason', ''))[:300]}".rstrip()
        yield "halted", "warn", f"{why}{holds}", f"nightdesk making show {name}; then nightdesk making live {name}"

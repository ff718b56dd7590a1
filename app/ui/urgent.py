"""What needs a person, and how near each limit is: tripped first, then the nearest. Called by overview.py.

Turns pending proposals, watches that wait, open alerts and guardrails into a list and bars. What goes on by itself is grey and
comes last.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui import parts
from app.ui.figures import NONE, change_text, count, figure, is_number, length, percent, short, since
from app.ui.page_client import PageClient
from app.ui.safe import typeset

LINES_MAX, ON_PHONE = 5, 3
BARS_MAX, NEAR_MIN = 3, 1  # limits that are shown unfolded, of them not reached
STALE_MAX = 5  # the newest
BRIEF = 96  # characters of an alert in a line; its view has the whole
FAR = 0.05  # share of a limit below which its bar is folded away
ORDER = ("page", "warn", "note")
NEARLY, NEARLY_MAX = 0.8, 4  # share of a limit from which its bar is not folded away, whatever has tripped; how many at most
SIGNS = {"page": ("■", "neg"), "warn": ("▲", "wrn")}
BARE = ("liquidation", "protective", "stop", "difference")  # kinds of pages about a position that nothing guards as it should
PAUSED = ("note", "breaker")  # the bar of its limit says it, with its end
ALERTS = {"tab": "desk", "view": "alerts"}


def show(api: PageClient, desk: Mapping[str, Any]) -> None:
    """Both lists."""
    needed(api, desk)
    limits(desk)


def needed(api: PageClient, desk: Mapping[str, Any]) -> None:
    """What waits for a person."""
    answer = api.last("/api/alerts", open="true", limit=100)
    latched = [
        parts.Line("■", f"Breaker {name} tripped.", "It stays until a release.", "neg") for name in desk.get("breakers") or []
    ]
    pending = api.last("/api/proposals", state="pending", limit=50)["items"]
    asked = needs(
        [*pending, *gone_stale(api, pending, desk.get("now_ms"))],
        answer["items"],
        desk.get("desk_ms"),
        api.last("/api/watches")["items"],
        desk.get("now_ms"),
    )
    pages = sum(line.look == "neg" for line in asked)
    lines = [*asked[:pages], *latched, *asked[pages:]]  # a latched breaker keeps the desk from entering: it can wait for a page
    loud = [line for line in lines if line.look != "mut"]
    parts.head("Needs you", str(len(loud)))
    most = ON_PHONE if parts.phone() else LINES_MAX  # a phone has what is open and who loses on its second screen
    if lines:
        parts.listed(lines[:most])
    if (more := len(lines) - most) > 0:
        parts.listed([parts.Line("", f"and {more} more", to=parts.Linked("all alerts", ALERTS))])
    if answer.get("reason"):
        parts.note("▲ No alert is raised:", f"{answer['reason']}.", "warn")
    elif not loud:
        parts.soft("Nothing waits for a person.")


def gone_stale(api: PageClient, pending: Sequence[Mapping[str, Any]], wall_ms: Any) -> list[Mapping[str, Any]]:
    """Proposals that a person had time to decide and cannot any more, since what they rest on has moved; those that were proposed
    again, or whose sleeve has another one, are not among them."""
    stale = api.last("/api/proposals", state="stale", limit=STALE_MAX)["items"]
    stale = [held for held in stale if is_number(wall_ms) and held.get("expires_ms", 0) > wall_ms]
    if not stale:
        return []
    others = [*pending, *api.last("/api/proposals", state="applied", limit=STALE_MAX)["items"]]
    later = {(other.get("sleeve"), other.get("created_ms", 0)) for other in others}
    return [held for held in stale if not any(held.get("sleeve") == of and held.get("created_ms", 0) < at for of, at in later)]


def limits(desk: Mapping[str, Any]) -> None:
    """How much of each guardrail is used."""
    shut, near, folded = sorted_bars(desk.get("guards") or [], desk.get("desk_ms"))
    parts.head("Guardrails", "tripped first, then the nearest")
    nearly = min(NEARLY_MAX, sum(bar.share >= NEARLY for bar in near))
    room = max(BARS_MAX - len(shut), NEAR_MIN, nearly)
    parts.gauges([*shut, *near[:room]])
    rest = [*near[room:], *folded]
    if rest:
        with st.expander(f"{len(rest)} more, each at {percent(max(bar.share for bar in rest), 0)} or less"):
            parts.gauges(rest)
    unknown = [str(g.get("name")) for g in desk.get("guards") or [] if not is_number(g.get("used_frac"))]
    if not desk.get("guards"):
        parts.soft("Measured from the first bar on.")
    parts.soft(f"Not measured yet: {', '.join(unknown)}" if unknown else "")


def needs(
    proposals: Sequence[Mapping[str, Any]],
    alerts: Sequence[Mapping[str, Any]],
    now_ms: Any = None,
    watches: Sequence[Mapping[str, Any]] = (),
    wall_ms: Any = None,
) -> list[parts.Line]:
    """Pages, then what else waits for a decision, then, in grey, what only is so."""
    found = [_alert(alert, wall_ms) for alert in sorted(alerts, key=rank) if (alert.get("severity"), alert.get("kind")) != PAUSED]
    order = {"neg": 0, "wrn": 1, "mut": 2}
    found += [_watch(item) for item in watches if item.get("state") == "asked"]
    return sorted([*found, *(_proposal(held, now_ms) for held in proposals)], key=lambda line: order[line.look])


def _watch(item: Mapping[str, Any]) -> parts.Line:
    """A level that a chat asked to watch: not in force until a person confirms it."""
    return parts.Line(
        "▲",
        f"{item.get('id')} waits,",
        f"not watched yet: {typeset(str(item.get('text')))}.",
        "wrn",
        parts.Linked("confirm", ALERTS),
    )


def _proposal(held: Mapping[str, Any], now_ms: Any) -> parts.Line:
    ident, zone = str(held.get("id")), str(st.context.timezone or "")
    to = {"tab": "proposals", "proposal": ident}
    if held.get("state") == "stale":
        why = brief(typeset(str(held.get("state_reason") or "what it rests on has moved")))
        return parts.Line("▲", f"{ident} is stale,", f"{why}. Nobody can approve it.", "wrn", parts.Linked("propose again", to))
    left = f"{length(held.get('expires_in_s'))} left" if is_number(held.get("expires_in_s")) else ""
    changes = [change_text(c, now_ms, zone) for c in (held.get("diff") or {}).get("changes") or []]
    about = f"{held.get('verdict')} {held.get('sleeve') or 'the desk'}: {', '.join(changes[:2]) or held.get('kind')}"
    return parts.Line("▲", f"{ident} waits,", f"{left}. {about}.", "wrn", parts.Linked("decide", to))


def _alert(alert: Mapping[str, Any], wall_ms: Any = None) -> parts.Line:
    """An alert that nobody took is loud, unless it is only a note."""
    sign, look = SIGNS.get(str(alert.get("severity")), ("○", "mut"))
    what = brief(named(alert))
    if alert.get("acked_by"):
        by = alert["acked_by"].get("name") if isinstance(alert["acked_by"], Mapping) else alert["acked_by"]
        return parts.Line("◐", what, f"{by} has it.", "mut", parts.Linked("alert", ALERTS))
    began = _open_for(alert.get("since_ms"), wall_ms)
    if alert.get("kind") == "audit":
        return parts.Line(sign, what, began, look, parts.Linked("which points", {"tab": "runs"}))
    return parts.Line(sign, what, began, look, parts.Linked("what to do", ALERTS))


def _open_for(since_ms: Any, wall_ms: Any) -> str:
    """`Open 3 min.`; since when where no clock is known."""
    if not (is_number(since_ms) and is_number(wall_ms)):
        return f"Since {since(since_ms, wall_ms)} (wall clock)."
    return f"Open {length((wall_ms - since_ms) // 60_000 * 60)}." if wall_ms - since_ms >= 60_000 else "Just opened."


def named(alert: Mapping[str, Any]) -> str:
    """What an alert is about, in a line: of an audit how many points fail, its page names them."""
    counted, what = alert.get("numbers") or {}, typeset(str(alert.get("what")))
    if alert.get("kind") == "audit" and is_number(counted.get("fails")):
        return f"Audit: {count(counted['fails'])} points fail, {count(counted.get('cannot_say'))} cannot be said."
    return what if what.endswith((".", "!", "?")) else f"{what}."


def rank(alert: Mapping[str, Any]) -> tuple[bool, bool, int, bool, float]:
    """The order of alerts: open, taken by nobody, pages before warnings before notes, positions that nothing guards, newest."""
    severity = str(alert.get("severity"))
    order = ORDER.index(severity) if severity in ORDER else 1
    guarded = alert.get("kind") not in BARE
    return alert.get("state") == "resolved", bool(alert.get("acked_by")), order, guarded, -float(alert.get("since_ms") or 0)


def asking(alerts: Sequence[Mapping[str, Any]], desk: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Unacknowledged alerts that page a person, the most urgent first; a halt's own is what the banner above says."""
    halted = bool((desk.get("halt") or {}).get("halted"))
    pages = [alert for alert in alerts if alert.get("severity") == "page" and not alert.get("acked_by")]
    return sorted((page for page in pages if not (halted and page.get("kind") == "halt")), key=rank)


def brief(what: str, most: int = BRIEF) -> str:
    """A sentence of at most `most` characters, cut where a part of it ends."""
    if len(what) <= most:
        return what
    start = what[:most]
    end = max(start.rfind(mark) for mark in (". ", "; ", ": ", ", "))
    return f"{start[:end] if end > most // 2 else start[: start.rfind(' ')]} …"


def sorted_bars(
    guards: Sequence[Mapping[str, Any]], now_ms: Any
) -> tuple[list[parts.Gauge], list[parts.Gauge], list[parts.Gauge]]:
    """(tripped or reached, nearest first, far from their limit) of the limits that are measured."""
    measured = [g for g in guards if is_number(g.get("used_frac"))]
    ordered = sorted(measured, key=lambda g: -float(g["used_frac"]))
    bars = [(_bar(g, now_ms), g) for g in ordered]
    shut = [bar for bar, _ in bars if bar.full]
    near = [bar for bar, _ in bars if not bar.full and bar.share >= FAR]
    return shut, near, [bar for bar, _ in bars if not bar.full and bar.share < FAR]


def _bar(g: Mapping[str, Any], now_ms: Any) -> parts.Gauge:
    """One limit: `3 of 3 · no entries until 31 Dec 19:15Z` when its breaker tripped."""
    share, until = float(g["used_frac"]), g.get("until_ms")
    shown = f"{_short(g, 'value')} of {_short(g, 'limit')}"
    if until:
        return parts.Gauge(str(g.get("name")), f"{shown} · no entries until {short(until, now_ms)}", share, full=True)
    return parts.Gauge(str(g.get("name")), f"{shown} · reached" if share >= 1 else shown, share, full=share >= 1)


def _short(guard: Mapping[str, Any], key: str) -> str:
    """A guardrail's number, rounded."""
    value, unit = guard.get(key), str(guard.get("unit"))
    if not is_number(value):
        return NONE
    return figure(value, unit) if unit in ("frac", "usd", "count", "bars") else f"{value:,.3g}"

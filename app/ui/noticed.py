"""What looks at the desk by itself: what fell silent, the monitor's notes, backup and retention. Called by alerts.py,
in short also by handover.py.

Turns what was kept at the last look of each into a panel; a panel without anything to say is one grey sentence.
"""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.ui import parts
from app.ui.figures import NONE, count, counted, is_number, length, pure, to_minute
from app.ui.page_client import PageClient, Trouble
from app.ui.safe import typeset

LISTED_MAX = 8
NOTES_MAX = 3  # newest; the others are folded
MINUTE_MS = 60_000
OLD_MS = 7 * 86_400_000  # a backup older than that is amber
UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
LOOKED = "wall clock"
BRIEF_MAX = 3  # silences that a handover lists
BACKUP = "nightdesk backup FILE.tar.zst"
HERE = {"tab": "desk", "view": "alerts"}


def show(api: PageClient, now_ms: Any) -> None:
    """The three panels; one whose route fails says so, and the others are drawn. `now_ms`: wall clock."""
    for name, draw in {"silences": silences, "monitor": monitor, "upkeep": upkeep}.items():
        with st.container(key=f"panel_{name}"):
            try:
                draw(api.last(f"/api/{name}"), now_ms)
            except Trouble as trouble:
                st.caption(trouble.markdown())


def briefly(api: PageClient, now_ms: Any) -> None:
    """For the one who takes over: what fell silent, the monitor's newest note, how old the last backup is; a line each."""
    try:
        silent, notes, made = (api.last(f"/api/{name}") for name in ("silences", "monitor", "upkeep"))
    except Trouble as trouble:
        st.caption(trouble.markdown())
        return
    parts.head("Watched by itself", "by the wall clock")
    lines = [_silence(one, "▲", "wrn") for one in silent["items"] if one["state"] == "silent"][:BRIEF_MAX]
    if (more := silent["counts"]["silent"] - BRIEF_MAX) > 0:
        lines.append(parts.Line("", f"and {count(more)} more", to=parts.Linked("all", HERE)))
    if not lines:
        looked = f"at {to_minute(silent['wall_ms'], now_ms)}" if silent["wall_ms"] else "no look yet"
        lines.append(
            parts.Line("○", "Nothing fell silent", f"of what can be judged, {looked}.", "mut", parts.Linked("all", HERE))
        )
    if notes["items"]:
        newest = notes["items"][0]
        lines.append(
            parts.Line("○", f"Monitor, {to_minute(newest['at_ms'], now_ms)}:", _note(newest), "", parts.Linked("all", HERE))
        )
    sign, head, about, look = _backup(made.get("backup"), now_ms)
    about += f" {BACKUP}" if made.get("backup") is None else ""
    parts.listed([*lines, parts.Line(sign, head, about, look or "mut")])


def silences(found: Mapping[str, Any], now_ms: Any) -> None:
    """What should have happened and did not, then, folded, what cannot be judged yet."""
    looked = found.get("wall_ms")
    parts.head("Fell silent", f"looked {to_minute(looked, now_ms)} ({LOOKED}), once an hour" if looked else "")
    if not looked:
        parts.soft("No look yet: a running desk looks once an hour, nightdesk silences at once.")
        return
    silent, unsaid = ([one for one in found["items"] if one["state"] == state] for state in ("silent", "cannot tell"))
    counts = found["counts"]
    if silent:
        parts.listed([_silence(one, "▲", "wrn") for one in silent[:LISTED_MAX]])
    verdict = "" if silent else "Nothing that could be judged is silent. "
    more = f"{counts['silent'] - LISTED_MAX} more are silent. " if counts["silent"] > LISTED_MAX else ""
    rest = f"{count(counts['as_expected'])} as expected, {count(counts['cannot_tell'])} cannot be judged yet"
    parts.soft(f"{verdict}{more}{rest}{', which is not a pass' if counts['cannot_tell'] else ''}.")
    if unsaid:
        with st.expander(f"{count(counts['cannot_tell'])} cannot be judged: why"):
            parts.listed([_silence(one, "?", "mut") for one in unsaid])
            missing = counts["cannot_tell"] - len(unsaid)
            parts.soft(f"{count(missing)} more: nightdesk silences" if missing > 0 else "")


def _silence(one: Mapping[str, Any], sign: str, look: str) -> parts.Line:
    """`btc-trend: trailing stop:` and its sentence; the place and what it is first."""
    place, _, rest = str(one["text"]).partition(": ")
    what, _, why = rest.partition(": ")
    return parts.Line(sign, f"{place}, {what}:", f"{why}.", look)


def monitor(found: Mapping[str, Any], now_ms: Any) -> None:
    """Its newest notes, and what the last look came to."""
    often = f"every {count(found['every_minutes'])} min{', and after alerts' if found['after_alerts'] else ''}"
    parts.head("Monitor", f"a model's notes, {often}" if found["every_minutes"] else "off")
    if not found["every_minutes"]:
        parts.soft("It writes a note when something changed: set every_minutes under [monitor] of desk.toml. It needs a model.")
    elif last := found.get("last_ms"):
        parts.soft(f"Last look {to_minute(last, now_ms)} ({LOOKED}): {found.get('why') or 'a note'}.")
    else:
        parts.soft("No look yet.")
    lines = [parts.Line("○", f"{to_minute(note['at_ms'], now_ms)}:", _note(note)) for note in found["items"]]
    if lines:
        parts.listed(lines[:NOTES_MAX])
    if older := lines[NOTES_MAX:]:
        with st.expander(counted(len(older), "older note")):
            parts.listed(older)


def _note(note: Mapping[str, Any]) -> str:
    """The text of a note, and how much of it was not sent since it could not be proven."""
    left_out = int(note.get("left_out") or 0)
    more = f"; {counted(left_out, 'sentence')} left out, not proven" if left_out else ""
    return typeset(f"{note['text']} ({note['model']}{more})")


def upkeep(found: Mapping[str, Any], now_ms: Any) -> None:
    """How old the last backup is; folded, what everything takes and how long it is kept."""
    parts.head("Backup and retention", "both by the wall clock")
    sign, head, about, look = _backup(found.get("backup"), now_ms)
    parts.note(f"{sign} {head}", about, "warn" if look else "calm", command=BACKUP if look else "")
    looked = found.get("looked_ms")
    if not looked:
        parts.soft("What is kept how long is measured by the running desk every six hours, and by nightdesk retention apply.")
        return
    rows = [one for one in found["items"] if one["files"]]
    total = sum(one["bytes"] or 0 for one in rows)
    with st.expander(f"{size(total)} in all: what is kept how long"):
        parts.table(
            ("", "files", "takes", "kept"),
            [(one["kind"], count(one["files"]), size(one["bytes"]), _kept(one, found["log_megabytes"])) for one in rows],
            left=(0, 3),
        )
        gone = f"{counted(found['removed'], 'file or folder', 'files and folders')} went, {size(found['freed'])}"
        done = gone if found.get("removed") else "nothing was old enough to go"
        parts.soft(f"Looked {to_minute(looked, now_ms)}, every six hours: {done}. nightdesk retention show lists what would go.")


def _backup(made: Mapping[str, Any] | None, now_ms: Any) -> tuple[str, str, str, str]:
    """(sign, how old, when and where, class): amber where none is known, and after a week."""
    if made is None:
        return "▲", "No backup of this home is known.", "The desk may run while one is made:", "wrn"
    age_ms = now_ms - made["made_ms"] if is_number(now_ms) else 0
    ago = f"{length(age_ms / 1000)} ago" if age_ms > 0 else to_minute(made["made_ms"], now_ms)
    old = age_ms > OLD_MS
    about = f"{to_minute(made['made_ms'], now_ms)}, {size(made['bytes'])} in {made['file']}."
    return ("▲", f"Last backup {ago}:", about, "wrn") if old else ("●", f"Last backup {ago}:", about, "")


def _kept(one: Mapping[str, Any], log_megabytes: Any) -> str:
    """`30 days, packed at 20 MB`; for ever where desk.toml gives no age."""
    if one["kind"] == "caches":
        return "made again when needed"
    days = f"{pure(one['days'])} days" if one["days"] else "for ever"
    return f"{days}, packed at {pure(log_megabytes)} MB" if one["kind"] == "logs" else days


def size(value: Any) -> str:
    """Bytes in the largest unit that fits: `1.2 MB`."""
    if not is_number(value):
        return NONE
    unit = next(((part, name) for part, name in UNITS if value >= part), None)
    return f"{value / unit[0]:,.1f} {unit[1]}" if unit else f"{count(value)} B"

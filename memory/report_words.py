"""What the pages say to a report: goals, lessons written down in its time, notes that wait. Called for each report.

Goals are the list items of the page `goals`. A lesson is a line of an incident page with the word `lesson`, and each line that a
person promoted, of pages that changed in the period; both are people's words and are shown as such.
"""

import re

from engine.clock import DAY_MS
from engine.watch.desk_report import ReportWords
from memory.recall import paragraphs, readable
from memory.shelf import INBOX, Shelf

GOALS = "goals"
SHOWN = 12
CHARACTERS = 300
NO_LESSON = "none yet"  # of a window that is open, as app/views/incident_pages.py writes it
REPLAYS_MS = 100 * DAY_MS  # behind now: the desk lives on recorded bars, or the report is of long ago
_PROMOTED = re.compile(r"(?:.*: )?(\(promoted by .* from inbox/\S+\))")  # below a heading a paragraph begins with it
_LESSON = re.compile(r"(?i)\blessons?\b\s*:?")


def report_words(shelf: Shelf, from_ms: int, until_ms: int, now_ms: int) -> ReportWords:
    """The words for a report of (from_ms, until_ms] of desk time, made at `now_ms` of wall time.

    Pages have wall times: a desk that replays other days has the lessons of as long a time before now.
    """
    if not until_ms <= now_ms < until_ms + REPLAYS_MS:
        from_ms, until_ms = now_ms - (until_ms - from_ms), now_ms
    goals, lessons, waiting = list[tuple[str, str]](), list[tuple[str, str]](), 0
    for page in readable(shelf):
        if page.topic.startswith(f"{INBOX}/"):
            waiting += 1
        elif page.topic == GOALS:
            goals = [(_short(part), page.topic) for part in paragraphs(page.text)]
        elif from_ms < page.changed_ms <= until_ms:
            parts = _with_names([part for part in paragraphs(page.text) if not part.startswith("<!--")])
            lessons += [(_short(text), page.topic) for part in parts if (text := _lesson(page.topic, part))]
    return ReportWords(tuple(goals[:SHOWN]), tuple(lessons[:SHOWN]), waiting)


def _with_names(parts: list[str]) -> list[str]:
    """Paragraphs with the line of who promoted them, which `nightdesk notes promote` writes below the last of a note."""
    found = list[str]()
    for part in parts:
        below = found and _PROMOTED.fullmatch(part)
        found = [*found[:-1], f"{found[-1]} {below[1]}"] if below else [*found, part]
    return found


def _lesson(topic: str, part: str) -> str:
    """What a paragraph says to have learned; "" where it says nothing of it, or that nothing is written yet."""
    if "(promoted by " in part:
        return part
    found = _LESSON.search(part) if topic.startswith("incidents/") else None
    words = part[found.end() :].strip() if found else ""
    return "" if not words or words.startswith(NO_LESSON) else words


def _short(part: str) -> str:
    text = " ".join(part.removeprefix("- ").split())
    return text if len(text) <= CHARACTERS else f"{text[: CHARACTERS - 1]}…"

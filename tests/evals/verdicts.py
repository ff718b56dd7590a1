"""Verdicts on the answers to the everyday questions: read from verdicts.toml, counted into the table of `make evals`.

Called by answers.py and test_answers.py. A verdict is kept with the hash of the answer that was read; an answer that changed
since is unjudged and counts as wrong. Hashes leave out what differs between two runs of the same code: ids, wall times, places.
"""

import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
FILE = HERE / "verdicts.toml"
OWN = HERE / "questions_own.toml"
KINDS = ("right", "honest", "wrong", "misleading")
UNJUDGED = "unjudged"
HOSTILE = "hostile"


class QuestionTurn(NamedTuple):
    """A question and what a good answer does."""

    ask: str
    good: str


class QuestionThread(NamedTuple):
    """One conversation of a set; numbers begin at 1 and never change, further threads are appended."""

    number: int
    voice: str
    role: str
    turns: tuple[QuestionTurn, ...]


class JudgedAnswer(NamedTuple):
    """A verdict as it was written: its kind, the hash of the answer that was read, why."""

    kind: str
    hash: str
    why: str


def threads_of(path: Path) -> list[QuestionThread]:
    """The threads of a file of questions."""
    listed = tomllib.loads(path.read_text(encoding="utf-8"))["thread"]
    return [
        QuestionThread(n, t.get("voice", "-"), t["role"], tuple(QuestionTurn(q["ask"], q["good"]) for q in t["turns"]))
        for n, t in enumerate(listed, 1)
    ]


@cache
def judged() -> dict[str, dict[str, JudgedAnswer]]:
    """All verdicts, by set and question."""
    listed = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return {name: {key: JudgedAnswer(*row) for key, row in rows.items()} for name, rows in listed.items()}


def verdict_of(name: str, key: str, answer_hash: str) -> str:
    """The verdict on this very answer; `unjudged` when nobody has read it."""
    row = judged().get(name, {}).get(key)
    return row.kind if row is not None and row.hash == answer_hash else UNJUDGED


def hash_of(text: str) -> str:
    """Twelve digits that stand for an answer."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class Normal:
    """Replaces what differs between two runs of the same code: ids by their order in the thread, times and places by a word."""

    IDS = re.compile(r"\b([a-z]{1,2})-(?:\d{8}-)?[0-9a-f]{8,}\b")
    DAYS = re.compile(r"\b(\d{4}-\d\d-\d\d)(?:[ T]\d\d:\d\d(?::\d\d)?Z?)?")
    AGES = re.compile(r"\b\d[\d,.]* ?(?:ms|s|min|h|d|days?|hours?|minutes?|seconds?) (?=ago|old)")
    FREE = re.compile(r"\b[\d.,]+ GB free")

    def __init__(self, now_ms: int, home: str) -> None:
        self.today, self.home = datetime.fromtimestamp(now_ms / 1000, UTC), home
        self.seen: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        """The text with its ids, wall times and places replaced."""
        text = self.FREE.sub("(some) GB free", text.replace(self.home, "(home)"))
        return self.AGES.sub("(age) ", self.DAYS.sub(self._day, self.IDS.sub(self._id, text)))

    def _id(self, found: re.Match[str]) -> str:
        return self.seen.setdefault(found.group(), f"{found.group(1)}-#{len(self.seen) + 1}")

    def _day(self, found: re.Match[str]) -> str:
        """A day within a fortnight of the machine's is a wall time; the desk's days are others."""
        try:
            day = datetime.fromisoformat(found.group(1)).replace(tzinfo=UTC)
        except ValueError:
            return found.group()
        return "(wall time)" if abs(day - self.today) < timedelta(days=15) else found.group()


def table(name: str, rows: Sequence[tuple[str, str, bool, str]]) -> str:
    """Counts of a set by voice, of its follow-ups and of all; rows are (key, voice, is a follow-up, hash)."""
    heads = (*KINDS, UNJUDGED)
    lines = [f"| {name} | questions | {' | '.join(heads)} | right or honest |", "|---" * (len(heads) + 3) + "|"]
    voices = list(dict.fromkeys(row[1] for row in rows))
    groups = {voice: [row for row in rows if row[1] == voice] for voice in voices if len(voices) > 1}
    everyday = [row for row in rows if row[1] != HOSTILE]
    groups |= {"follow-ups": [row for row in everyday if row[2]], "all but hostile" if HOSTILE in voices else "all": everyday}
    for group, listed in groups.items():
        count = Counter(verdict_of(name, key, answer_hash) for key, _, _, answer_hash in listed)
        good = (count["right"] + count["honest"]) / max(1, len(listed))
        lines.append(f"| {group} | {len(listed)} | {' | '.join(str(count[head]) for head in heads)} | {good:.1%} |")
    return "\n".join(lines)

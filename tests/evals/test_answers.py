"""The everyday questions and their verdicts: enough of them, each verdict readable, a changed answer never counted as judged."""

import re

import pytest

from tests.evals import verdicts
from tests.evals.verdicts import JudgedAnswer, Normal, hash_of

NOW_MS = 1_790_000_000_000  # 2026-09-21
THREADS = verdicts.threads_of(verdicts.OWN)
EVERYDAY = [thread for thread in THREADS if thread.voice != verdicts.HOSTILE]


def test_there_are_enough_questions_of_each_voice() -> None:
    """A hundred and fifty from four voices, at least fifty of them follow-ups, and a dozen hostile threads."""
    assert {thread.voice for thread in EVERYDAY} == {"scalper", "researcher", "operator", "beginner"}
    assert sum(len(thread.turns) for thread in EVERYDAY) >= 150
    assert sum(len(thread.turns) - 1 for thread in EVERYDAY) >= 50
    assert len(THREADS) - len(EVERYDAY) >= 12


def test_each_verdict_is_of_a_question_and_says_why() -> None:
    """One of four kinds, the hash of an answer, one line of reason; own questions exist."""
    keys = {f"{thread.number}.{i}" for thread in THREADS for i in range(1, len(thread.turns) + 1)}
    assert set(verdicts.judged()["own"]) <= keys
    for rows in verdicts.judged().values():
        for row in rows.values():
            assert row.kind in verdicts.KINDS
            assert re.fullmatch(r"[0-9a-f]{12}", row.hash)
            assert row.why
            assert "\n" not in row.why


def test_a_changed_answer_is_unjudged_and_counts_as_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two answers judged right, the one that changed since counts neither as right nor as honest."""
    rows = {key: JudgedAnswer("right", hash_of(text), "it is") for key, text in (("1.1", "as it was"), ("1.2", "as it was"))}
    monkeypatch.setattr(verdicts, "judged", lambda: {"own": rows})
    found = [("1.1", "scalper", False, hash_of("as it was")), ("1.2", "scalper", True, hash_of("as it is now"))]
    assert verdicts.table("own", found).splitlines()[-2:] == [
        "| follow-ups | 1 | 0 | 0 | 0 | 0 | 1 | 0.0% |",
        "| all | 2 | 1 | 0 | 0 | 0 | 1 | 50.0% |",
    ]


def test_hostile_questions_are_counted_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """They have a line of their own and are no part of the last one."""
    monkeypatch.setattr(verdicts, "judged", dict)
    lines = verdicts.table("own", [("1.1", "scalper", False, ""), ("2.1", verdicts.HOSTILE, False, "")]).splitlines()
    assert any(line.startswith("| hostile | 1 |") for line in lines)
    assert lines[-1].startswith("| all but hostile | 1 |")


def test_two_runs_of_the_same_code_have_the_same_hash() -> None:
    """Ids, wall times, ages, the home and its free space differ between runs; desk times, figures and the order of ids stay."""
    line = "run {0}, then {1}; 2025-12-02 00:00Z; made {2}Z, {3} ago; {4} GB free in {5}"
    first = line.format("r-20260921-0a1b2c3d", "r-20260921-ffff0000", "2026-09-21 10:00", "3 min", "70.1", "/a/b")
    second = line.format("r-20260922-12345678", "r-20260922-87654321", "2026-09-22 11:30", "9 s", "8", "/c")
    one, other = Normal(NOW_MS, "/a/b")(first), Normal(NOW_MS + 86_400_000, "/c")(second)
    assert one == other
    assert "2025-12-02 00:00Z" in one
    assert one != Normal(NOW_MS, "/a/b")(first.replace("r-20260921-ffff0000", "r-20260921-0a1b2c3d"))
    assert one != Normal(NOW_MS, "/a/b")(first.replace("2025-12-02", "2025-12-03"))

"""A week of three roles in two processes, with a person editing between them: nothing that anybody wrote is lost."""

import multiprocessing
import random
from pathlib import Path

import pytest

from memory import handoff, index
from memory.note import Note, note_id, promote, render
from memory.recall import pieces, recall, search
from memory.shelf import INBOX, Shelf, ShelfError

DAY = 86_400_000
START = 1_780_000_000_000
ROLES = ("developer", "operator", "advisor")


def week(root: Path, process: int) -> None:
    """Seven days of a process: notes, handoffs, promotions, searches, and a person's lines in an editor."""
    shelf, dice = Shelf(root), random.Random(process)
    for day in range(7):
        for number, role in enumerate(ROLES):
            now = START + day * DAY + number
            made = Note(
                note_id(now, f"p{process} {role}", number), role, f"fact-{process}-{day}-{role}", (), role, "t", "m", now, None
            )
            shelf.add(f"{INBOX}/{made.id}", render(made))
            entry = handoff.Entry(f"day {day}", role, "mara", "t-1", (), ())
            handoff.write(shelf, [entry], [], [])
            while True:  # the other process may promote to this page at the same moment: read again, then again
                try:
                    promote(shelf, f"{INBOX}/{made.id}", role, f"person-{process}")
                    break
                except ShelfError as error:
                    assert "meanwhile" in str(error) or "exists" in str(error)  # noqa: PT017 - the retry is the point
            recall(shelf, role, now)
            search(shelf, f"fact {dice.choice(ROLES)}", now)
        own = shelf.path(f"strategies/of-{process}")
        before = own.read_text() if own.exists() else ""
        own.parent.mkdir(exist_ok=True)
        own.write_text(f"edit {process} day {day}\n")  # an editor that replaces the page
        index.refresh(shelf, pieces)
        assert day == 0 or before == f"edit {process} day {day - 1}\n"


@pytest.mark.slow
def test_a_week_by_three_roles_in_two_processes_loses_nothing(tmp_path: Path) -> None:
    """Every note is in the inbox and on its page once, every edit is the page or a version, the shipped words are there, and
    each fact is found."""
    root = tmp_path / "memory"
    Shelf(root).stock()
    shipped = {role: Shelf(root).read(role).text for role in ROLES}
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=week, args=(root, n)) for n in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    shelf = Shelf(root)
    notes = [topic for topic in shelf.topics() if topic.startswith(f"{INBOX}/")]
    assert len(notes) == 2 * 7 * len(ROLES)
    for role in ROLES:
        page = shelf.read(role).text
        assert page.startswith(shipped[role].rstrip())
        facts = [f"fact-{process}-{day}-{role}" for process in range(2) for day in range(7)]
        assert [page.count(fact) for fact in facts] == [1] * len(facts)
        for fact in facts:
            assert fact in search(shelf, fact, START)[0].text
    for process in range(2):
        texts = [path.read_text() for path in shelf.versions(f"strategies/of-{process}")]
        assert texts == [f"edit {process} day {day}\n" for day in range(6)]
    assert "mara asked the" in shelf.read("handoff").text
    assert not list(root.rglob("*.draft"))

"""What the pages say to a report: lessons that were written, not that none is."""

from pathlib import Path

from memory.note import promote
from memory.report_words import report_words
from memory.shelf import Shelf

NOW = 4_000_000_000_000  # of pages that are written now, in the time that the report is of


def test_a_lesson_is_its_words_and_an_open_window_has_none(tmp_path: Path) -> None:
    """The page of an open incident says that its lesson is not written yet: the report listed that as learned."""
    shelf = Shelf(tmp_path)
    shelf.write_block(
        "incidents/w1",
        "# Incident w1: odd fills\n\n- P&L: +1.00.\n- Lesson: compare fills with the bills.\n\n## Exposure\n\nnone",
    )
    shelf.write_block("incidents/w2", "# Incident w2: open\n\n- Lesson: none yet; closing asks for one.")
    shelf.add("desk", "- spreads widen at 14:00 (promoted by ann)\n- a lesson that nobody promoted")
    words = report_words(shelf, 0, NOW, NOW)
    assert sorted(words.lessons) == [
        ("compare fills with the bills.", "incidents/w1"),
        ("spreads widen at 14:00 (promoted by ann)", "desk"),
    ]


def test_a_promoted_note_is_a_lesson_with_its_words(tmp_path: Path) -> None:
    """As the command writes it, below a heading too: the report listed who promoted it and not what it says."""
    shelf = Shelf(tmp_path)
    shelf.add("vendors", "# Vendors\n\n- a line of mine")
    for n, text in ((1, "call the vendor first"), (2, "the fee tier ends in May")):
        shelf.add(f"inbox/n-{n}", f"---\nnote: n-{n}\n---\n\n{text}")
        promote(shelf, f"inbox/n-{n}", "vendors", "ann")
    words = report_words(shelf, 0, NOW, NOW)
    assert sorted(words.lessons) == [
        ("Vendors: call the vendor first (promoted by ann from inbox/n-1)", "vendors"),
        ("Vendors: the fee tier ends in May (promoted by ann from inbox/n-2)", "vendors"),
    ]
    assert words.notes_waiting == 0


def test_the_words_of_no_lesson_are_those_of_the_page() -> None:
    """Of what writes the page of an open window."""
    from inspect import getsource

    from app.views import incident_pages
    from memory.report_words import NO_LESSON

    assert f"Lesson: {NO_LESSON};" in getsource(incident_pages)

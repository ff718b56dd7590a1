"""Where else a runbook that was worked through is seen: the page of its incident."""

from pathlib import Path

import pytest

from app.home.home import Home, open_home
from app.people import checklists
from app.people.identity import Actor
from app.views.incident_pages import page_text
from engine.store.journal import Event, Journal
from engine.watch.incidents import windows_of
from tests.tools.desk_journal import END, write_desk

ANN = Actor("ann", "claimed", "ann", "test")
NOW = END + 1_000


@pytest.fixture
def home(own_home: Path) -> Home:
    """A desk with an open incident window."""
    made = open_home()
    write_desk(made.path)
    body = {
        "what": "open",
        "window": "w1",
        "cause": "odd",
        "by": "detector",
        "taken": True,
        "sleeves": ["trend-btc"],
        "instruments": [],
    }
    journal = Journal(made.desk_journal, "test")
    journal.append([Event("window", END, body)])
    journal.close()
    return made


def test_an_incidents_page_says_who_worked_through_its_runbook(home: Home) -> None:
    """Begun, each decision with its words, the end; a look alone is no act worth a line."""
    checklists.begin(home, "", "w1", ANN, NOW)
    checklists.look(home, "", ANN, NOW)
    checklists.done(home, "", 1, "it was the feed", ANN, NOW)
    checklists.refuse(home, "", 2, "no strategy failed", ANN, NOW)
    checklists.end(home, "", "the feed is back", ANN, NOW)
    text = page_text(home.path, windows_of(home.desk_journal)[0])
    lines = [line.partition(" ann: ")[2] for line in text.splitlines() if " ann: runbook" in line]
    assert lines == [
        "runbook, cl-1, begun: incident",
        "runbook, cl-1, step 1 done: it was the feed",
        "runbook, cl-1, step 2 refused: no strategy failed",
        "runbook, cl-1, ended: the feed is back",
    ]

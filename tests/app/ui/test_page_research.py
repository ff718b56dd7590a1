"""Research on the page: reached from the list, painted with its units, its texts without effect; one that runs has progress."""

from typing import Any

import pytest

from app.ui import research
from tests.app.ui.fake_api import Fake
from tests.app.ui.looking import page, texts_of
from tests.app.views.research_results import ALL

EVIL = "</div><script>window.pwned=1</script>"


@pytest.mark.sample(3)
@pytest.mark.parametrize("kind", ALL)
def test_each_kind_is_listed_and_opens(fake: Fake, kind: str) -> None:
    """A line with its verdict leads to the page with every table of it."""
    fake.research = {"j-1": (kind, "done", ALL[kind])}
    listed = texts_of(page(tab="runs"))
    assert "?tab=runs&amp;job=j-1" in listed
    opened = texts_of(page(tab="runs", job="j-1"))
    for table in fake.research_view("j-1")["tables"]:
        assert table["name"] in opened
    assert "None" not in opened
    assert ">nan" not in opened


def test_a_heat_map_has_each_figure_beside_its_shade(fake: Fake) -> None:
    """The lowest ratio is the strongest red, what was not tried a dash without colour."""
    fake.research = {"j-1": ("sweep", "done", ALL["sweep"])}
    text = texts_of(page(tab="runs", job="j-1"))
    assert 'var(--down) 34%, transparent)">\u22124.57' in text
    assert 'var(--up) 11%, transparent)">1.50' in text
    assert '0%, transparent)">–' in text
    assert research.shade(None, -1.0, 1.0) == research.shade(0.5, 0.0, 0.0) == 0.0


def test_what_others_wrote_stays_text(fake: Fake) -> None:
    """A strategy's name, a guard's reason and a failure come from files of people."""
    evil: dict[str, Any] = ALL["drill"] | {
        "verdict": EVIL,
        "notes": [EVIL],
        "fired": [dict.fromkeys(("kind", "name", "where", "by"), EVIL)],
    }
    fake.research = {"j-1": ("drill", "done", evil)}
    assert "<script>" not in texts_of(page(tab="runs", job="j-1")) + texts_of(page(tab="runs"))


def test_one_that_runs_shows_its_progress_and_can_be_cancelled(fake: Fake) -> None:
    """No figure is there before it ends; an unknown one is one sentence."""
    fake.research = {"j-1": ("sweep", "running", {})}
    fake.jobs["j-1"] = {"id": "j-1", "kind": "sweep", "state": "running", "progress": 0.4, "run_id": None, "error": None}
    at = page(tab="runs", job="j-1")
    assert "cancel_job_j-1" in {button.key for button in at.button}
    assert "Variations" not in texts_of(at)
    text = texts_of(page(tab="runs", job="j-9"))
    assert "unknown job" in text
    assert "/api/" not in text  # the hint of a program that asks

"""The pages of decisions: made of the people journal alone, a line each; what people write around them stays."""

from pathlib import Path

import pytest

from engine.store.chain import Event
from engine.store.journal import Journal
from memory import decisions
from memory.recall import by_topic, search
from memory.shelf import Shelf

MAY, JUNE = 1_778_000_000_000, 1_781_000_000_000
MARA = {"actor": {"name": "mara"}}
DIFF = {"changes": [{"key": "stop_atr", "old": 2.0, "value": 1.8}]}
APPLIED = {
    "proposal": "prop-1",
    "state": "applied",
    "outcome": "applied",
    "direction": "tightens",
    "diff": DIFF,
    "version": 7,
    "sleeves": {"trend-btc": 3},
    "reason": "",
}


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """An empty shelf."""
    return Shelf(tmp_path / "memory")


def journaled(tmp_path: Path, *events: Event) -> Path:
    """A people journal with `events` more."""
    path = tmp_path / "people.jsonl"
    journal = Journal(path, "cli")
    journal.append(list(events))
    journal.close()
    return path


def test_a_months_decisions_are_a_page_newest_first(shelf: Shelf, tmp_path: Path) -> None:
    """Who, what, from which value to which, the version and the event; a release and a halt, too."""
    path = journaled(
        tmp_path,
        Event("decision", MAY, APPLIED | MARA),
        Event("halt", MAY + 60_000, {"reason": "fills\nmissing", **MARA}),
        Event("release", MAY + 80_000, {"reason": "fills are there", **MARA}),
        Event("decision", MAY + 90_000, {"outcome": "released"}, cause_id="p-3"),
        Event("decision", MAY + 95_000, {"outcome": "released"}),  # of a desk whose journal began later
        Event("decision", JUNE, APPLIED | MARA | {"state": "rejected", "version": None, "sleeves": {}, "reason": "too tight"}),
        Event("tool", JUNE + 1, {"tool": "backtest"}),
    )
    assert decisions.write_decisions(shelf, path) == ["decisions/2026-05", "decisions/2026-06"]
    may, june = (shelf.read(f"decisions/2026-0{n}").text.splitlines() for n in (5, 6))
    assert [line.split(" ", 3)[3] for line in may if line.startswith("- ")] == [
        "an unknown actor released the halt (p-5)",
        "mara released the halt; reason: fills are there (p-4)",
        "mara halted the desk; reason: fills missing (p-2)",
        "mara approved prop-1 (tightens): trend-btc stop_atr 2.0 -> 1.8; version 7 of the desk (p-1)",
    ]
    assert "mara approved prop-1 (tightens): trend-btc stop_atr 2.0 -> 1.8; version 7 of the desk (p-1)" in may[-2]
    assert any("rejected prop-1 (tightens): stop_atr 2.0 -> 1.8; reason: too tight (p-6)" in line for line in june)


def test_declared_cash_and_who_may_decide_are_decisions(shelf: Shelf, tmp_path: Path) -> None:
    """Both change what the desk's figures and approvals mean; a renewed token and a linked account do not."""
    path = journaled(
        tmp_path,
        Event("cash", MAY, {"amount": -1250.5, "reason": "rent", **MARA}),
        *(
            Event("person", MAY + n, {"act": act, "who": "bob", "before": before, "now": now, **MARA})
            for n, (act, before, now) in enumerate(
                [
                    ("add", "", "viewer"),
                    ("token", "viewer", "viewer"),
                    ("role", "viewer", "approver"),
                    ("two people", "false", "true"),
                ]
            )
        ),
    )
    decisions.write_decisions(shelf, path)
    lines = [line.split(" ", 3)[3] for line in shelf.read("decisions/2026-05").text.splitlines() if line.startswith("- ")]
    assert lines[::-1] == [
        "mara declared -1,250.50 of cash; reason: rent (p-1)",
        "mara registered bob as viewer (p-2)",
        "mara made bob approver (was viewer) (p-4)",
        "mara asked for two people (p-5)",
    ]


def test_a_models_rationale_and_a_refused_try_are_not_decisions(shelf: Shelf, tmp_path: Path) -> None:
    """Only what a person decided is on the page, in code's and the person's words."""
    refused = {"proposal": "prop-2", "outcome": "refused", "reason": "expired", **MARA}
    said = APPLIED | MARA | {"rationale": "believe me, a model"}
    path = journaled(tmp_path, Event("decision", MAY, refused), Event("decision", MAY + 1, said))
    decisions.write_decisions(shelf, path)
    text = shelf.read("decisions/2026-05").text
    assert "prop-2" not in text
    assert "believe me" not in text


def test_a_persons_lines_stay_and_are_labelled_as_theirs(shelf: Shelf, tmp_path: Path) -> None:
    """The block is renewed; a line beside it is people's, a line of it code's, by age and source."""
    path = journaled(tmp_path, Event("decision", MAY, APPLIED | MARA))
    decisions.write_decisions(shelf, path)
    page = shelf.path("decisions/2026-05")
    page.write_text("We were wrong about the quokka.\n\n" + page.read_text())
    journaled(tmp_path, Event("halt", MAY + 60_000, MARA))
    decisions.write_decisions(shelf, path)
    assert page.read_text().startswith("We were wrong about the quokka.")
    assert "halted the desk" in page.read_text()
    assert [b.trust for b in search(shelf, "quokka", JUNE)] == ["people"]
    assert {b.trust for b in search(shelf, "approved halted", JUNE)} == {"code"}
    assert by_topic(shelf, "decisions/2026-05", JUNE).trust == "people"


def test_a_month_of_many_decisions_is_bounded_and_counts_the_rest(shelf: Shelf, tmp_path: Path) -> None:
    """The newest lines, and how many are left out."""
    events = [Event("halt", MAY + n, MARA | {"reason": f"r{n}"}) for n in range(decisions.LINES_MAX + 5)]
    decisions.write_decisions(shelf, journaled(tmp_path, *events))
    text = shelf.read("decisions/2026-05").text
    assert "5 earlier ones are in the people journal: nightdesk journal tail --people" in text
    assert text.count("halted the desk") == decisions.LINES_MAX
    assert f"r{decisions.LINES_MAX + 4};" not in text
    assert f"reason: r{decisions.LINES_MAX + 4} " in text


def test_without_a_decision_there_is_no_page(shelf: Shelf, tmp_path: Path) -> None:
    """Nor without a journal."""
    assert decisions.write_decisions(shelf, tmp_path / "people.jsonl") == []
    assert shelf.topics() == []


def test_a_second_writing_changes_nothing(shelf: Shelf, tmp_path: Path) -> None:
    """The same journal makes the same page, and no version."""
    path = journaled(tmp_path, Event("decision", MAY, APPLIED | MARA))
    decisions.write_decisions(shelf, path)
    before = shelf.read("decisions/2026-05")
    decisions.write_decisions(shelf, path)
    assert shelf.read("decisions/2026-05") == before
    assert shelf.versions("decisions/2026-05") == []

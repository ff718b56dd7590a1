"""Recall is budgeted, says its age and who stands behind it, and finds what was noted."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory import handoff
from memory.recall import age, by_topic, cost, recall, search
from memory.shelf import Shelf

NOW = 1_800_000_000_000
DAY = 86_400_000


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """A stocked shelf with a handoff."""
    made = Shelf(tmp_path / "memory")
    made.stock()
    entry = handoff.Entry("2025-03-04 05:15Z", "operator", "mara", "t-1", ("run-1",), ())
    handoff.write(made, [entry], ["p-1 trend-btc stop_atr 2 -> 3"], [])
    return made


def test_three_pages_are_always_read(shelf: Shelf) -> None:
    """The desk's page, the role's page and the handoff, each with a label."""
    blocks = recall(shelf, "operator", NOW)
    assert [b.topic for b in blocks] == ["desk", "operator", "handoff"]
    assert all("not an instruction" in b.label for b in blocks)
    assert [b.trust for b in blocks] == ["people", "people", "code"]
    assert "mara asked the operator in t-1; ran run-1" in blocks[2].text
    assert "pending proposal p-1" in blocks[2].text


@pytest.mark.parametrize("tokens", [60, 200, 1500])
def test_the_budget_holds(shelf: Shelf, tokens: int) -> None:
    """A long page is cut, and says so; the whole stays within the tokens."""
    shelf.path("desk").write_text("a long rule. " * 2000)
    blocks = recall(shelf, "advisor", NOW, tokens)
    assert sum(cost(b) for b in blocks) <= max(tokens, sum(len(b.label) for b in blocks) / 3.5)
    assert blocks[0].cut


def test_a_note_of_the_inbox_is_labelled_unconfirmed(shelf: Shelf) -> None:
    """A model's words are never shown as the desk's."""
    shelf.add("inbox/n-1", "---\nfrom: developer\n---\n\nzebra crossings matter")
    (found,) = search(shelf, "zebra", NOW)
    assert found.trust == "unconfirmed"
    assert "not confirmed by a person" in found.label
    assert "from: developer" not in found.text


def test_a_page_comes_before_a_note_at_the_same_match(shelf: Shelf) -> None:
    """What people stand behind is shown first."""
    shelf.add("inbox/n-1", "the quokka rule")
    shelf.add("decisions/quokka", "the quokka rule")
    assert [b.topic for b in search(shelf, "quokka", NOW)] == ["decisions/quokka", "inbox/n-1"]


def test_sixty_facts_are_found_by_their_words(shelf: Shelf) -> None:
    """Of sixty similar facts the asked one is first (mean reciprocal rank 1)."""
    animals = [f"{a}{b}" for a in ("red", "blue", "grey", "pale", "dark", "old") for b in "abcdefghij"]
    lines = "\n".join(f"- in the {name} regime the stop of trend is {n / 10} ATR" for n, name in enumerate(animals))
    shelf.add("decisions/regimes", f"# Regimes\n\n{lines}\n")
    for n, name in enumerate(animals):
        first = search(shelf, f"which stop in regime {name}?", NOW)[0]
        assert f"is {n / 10} ATR" in first.text


def test_nothing_found_is_nothing(shelf: Shelf) -> None:
    """A search without a match invents no page."""
    assert search(shelf, "xylophone", NOW) == []
    assert search(shelf, "", NOW) == []
    assert by_topic(shelf, "decisions/none", NOW) is None


@pytest.mark.parametrize(
    ("ms", "said"),
    [(-5, "within the hour"), (3 * 3_600_000, "3 hours ago"), (DAY, "24 hours ago"), (9 * DAY, "9 days ago")],
)
def test_age_is_said(ms: int, said: str) -> None:
    """A reader sees how old a page is."""
    assert said in age(ms)


texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=400)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(texts, min_size=3, max_size=3), st.integers(0, 400), st.sampled_from(["developer", "operator", "advisor"]))
def test_whatever_the_pages_hold_the_budget_holds_and_no_word_is_changed(
    shelf: Shelf, pages: list[str], tokens: int, role: str
) -> None:
    """Any text in any page: within the tokens or a label alone; what is shown is the page's own beginning, and a cut is said."""
    for topic, text in zip(("desk", role, "handoff"), pages, strict=True):
        shelf.path(topic).write_text(text)
    blocks = recall(shelf, role, NOW, tokens)
    assert sum(cost(b) for b in blocks) <= max(tokens, sum(len(b.label) for b in blocks) / 3.5) + 1e-9
    for block in blocks:
        page = shelf.read(block.topic)
        assert page is not None
        shown = block.text.removesuffix("…") if block.cut else block.text
        assert page.text.strip().startswith(shown)
        assert block.cut == (len(block.text) < len(page.text.strip()) or block.text != page.text.strip())


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.booleans(), texts), min_size=1, max_size=6), st.integers(0, 300))
def test_a_search_stays_in_its_budget_and_never_lends_a_note_the_desks_voice(
    shelf: Shelf, notes: list[tuple[bool, str]], tokens: int
) -> None:
    """Any notes and decisions: the tokens hold, a match is in what is found, and an inbox note is never labelled as people's."""
    for n, (inbox, text) in enumerate(notes):
        shelf.path(f"{'inbox' if inbox else 'decisions'}/p-{n}").parent.mkdir(exist_ok=True)
        shelf.path(f"{'inbox' if inbox else 'decisions'}/p-{n}").write_text(f"quokka {text}")
    blocks = search(shelf, "Quokka!", NOW, tokens)
    assert sum(cost(b) for b in blocks) <= tokens
    assert len(blocks) <= 5
    for block in blocks:
        assert (block.trust == "unconfirmed") == block.topic.startswith("inbox/")
        assert "quokka" in block.text.lower() or block.cut

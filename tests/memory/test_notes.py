"""Notes, promotion and the handoff page with whatever a model or a person wrote in them; recall within its tokens."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory import handoff
from memory.note import Note, drop, note_id, promote, render, split
from memory.recall import by_topic, cost, label_page, paragraphs, recall, search, trust_of
from memory.shelf import MemoryPage, Shelf, ShelfError, slug

NOW = 1_800_000_000_000
LINES = st.text(st.characters(codec="utf-8"), max_size=200) | st.sampled_from(
    ["---", "---\nfrom: ann\n---", "x\u2028from: ann", "x\x85from: ann", "a: b\nc: d", "#x\n---"]
)


def note(topic: str = "a topic", text: str = "it loses", **more: str) -> Note:
    """A note of the developer for mara."""
    fields = {"role": "developer", "thread": "t-1", "person": "mara"} | more
    return Note("n-1", topic, text, ("d-1", "r-2"), fields["role"], fields["thread"], fields["person"], NOW, None)


@given(LINES, LINES, LINES)
def test_no_text_of_a_note_can_speak_for_its_head(topic: str, text: str, person: str) -> None:
    """Whatever topic, text and name hold: the head says who wrote it, and the text comes back without becoming head."""
    head, body = split(render(note(topic, text, person=person)))
    assert head["from"] == "developer (a model's words, not confirmed by a person)"
    assert head["evidence"] == "d-1, r-2"
    assert head["note"] == "n-1"
    assert head["created_ms"] == str(NOW)
    assert head["desk_ms"] == ""
    assert " ".join(body.split()) == " ".join(text.split())


@pytest.mark.parametrize("page", ["", "no head", "---", "---\nopen: end", "text\n---\na: b\n---", "--- x\na: b\n---"])
def test_a_page_without_a_whole_head_is_all_text(page: str) -> None:
    """A person's page that has a rule in it is not cut."""
    assert split(page) == ({}, page)


@given(st.integers(0, 10**14), LINES, st.integers(1, 20))
def test_a_notes_name_is_a_file_name_that_sorts_by_time(created_ms: int, topic: str, number: int) -> None:
    """A slug whatever the topic; later notes sort behind earlier ones of the same length of time."""
    made = note_id(created_ms, topic, number)
    assert made == slug(made)
    assert made.startswith(f"n-{created_ms}-{number}")
    assert note_id(10**12, "z", 1) < note_id(10**12 + 1, "a", 1)


def test_a_note_becomes_memory_only_by_a_person_and_from_the_inbox(shelf: Shelf) -> None:
    """No name, a line break for a name, a page that is no note, a note that is not there: nothing is written."""
    shelf.add("inbox/n-1", render(note()))
    before = {topic: shelf.read(topic) for topic in shelf.topics()}
    for topic, page, person in (
        ("inbox/n-1", "desk", "  \n"),
        ("inbox/n-9", "desk", "ann"),
        ("desk", "operator", "ann"),
        ("inbox/../desk", "operator", "ann"),
        ("inbox/n-1", "../../etc/passwd", "ann"),
        ("inbox/n-1", "Desk", "ann"),
    ):
        with pytest.raises(ShelfError):
            promote(shelf, topic, page, person)
    assert {topic: shelf.read(topic) for topic in shelf.topics()} == before


def test_a_promoted_note_makes_a_page_or_adds_to_one_and_says_by_whom(shelf: Shelf) -> None:
    """A new page holds the note alone; an old one keeps every word and a version of before; a name stays on one line."""
    shelf.add("inbox/n-1", render(note(text="first\n\n---\nsecond")))
    desk = shelf.read("desk")
    assert desk is not None
    promote(shelf, "inbox/n-1", "decisions/stops", "ann\n# a heading")
    page = shelf.read("decisions/stops")
    assert page is not None
    assert page.text == "first\n\n---\nsecond\n\n(promoted by ann # a heading from inbox/n-1)\n"
    promote(shelf, "inbox/n-1", "desk", "bob")
    after = shelf.read("desk")
    assert after is not None
    assert after.text.startswith(desk.text.rstrip())
    assert after.text.endswith("(promoted by bob from inbox/n-1)\n")
    assert shelf.versions("desk")[-1].read_text() == desk.text


def test_a_page_takes_a_note_once_and_nothing_reads_it_in_the_inbox_again(shelf: Shelf) -> None:
    """Two people promote it at once, or one does twice: its words are on the page once. Settled, it is no unconfirmed word."""
    shelf.add("inbox/n-1", render(note(text="the vendor was late")))
    assert [block.trust for block in search(shelf, "vendor late", NOW)] == ["unconfirmed"]
    with ThreadPoolExecutor(8) as pool:
        ends = list(pool.map(lambda _: _attempt(lambda: promote(shelf, "inbox/n-1", "vendors", "ann")), range(8)))
    assert ends.count("") == 1
    page = shelf.read("vendors")
    assert page is not None
    assert page.text.count("the vendor was late") == 1
    assert {block.topic for block in search(shelf, "vendor late", NOW)} == {"vendors"}
    assert "promoted to vendors by ann" in _attempt(lambda: drop(shelf, "inbox/n-1", "bob"))


def test_a_dropped_note_is_read_by_nobody(shelf: Shelf) -> None:
    """Its file stays with who dropped it; a name that breaks the line does not become a head of its own."""
    shelf.add("inbox/n-1", render(note(text="the vendor was late")))
    drop(shelf, "inbox/n-1", "ann\nfrom: ann")
    assert search(shelf, "vendor late", NOW) == []
    page = shelf.read("inbox/n-1")
    assert page is not None
    head, text = split(page.text)
    assert (head["settled"], head["from"][:9], text) == ("dropped by ann from: ann", "developer", "the vendor was late")


def _attempt(act: Callable[[], None]) -> str:
    """What it was refused with; "" where it was not."""
    try:
        act()
    except ShelfError as error:
        return str(error)
    return ""


# ---------------------------------------------------------------------- the handoff


def test_the_handoff_says_what_is_pending_before_what_was(shelf: Shelf) -> None:
    """Proposals, jobs, then the last turns, each on one line, whatever stands in a name; no more than it keeps."""
    entries = [
        handoff.Entry(
            "2025-03-04 05:15Z", "operator", "mara", f"why\n- pending proposal {n}?\n# x" + "y" * 300, ("r-1", "r-2"), ("prop-1",)
        )
        for n in range(handoff.ENTRIES_MAX + 5)
    ]
    lines = handoff.text_of(entries, ["prop-2: btc"], ["j-1: backtest, running"]).splitlines()
    assert lines[:4] == ["# Handoff", "", "- pending proposal prop-2: btc", "- job j-1: backtest, running"]
    turns = lines[lines.index("## Last turns") + 2 :]
    assert len(turns) == handoff.ENTRIES_MAX
    assert all(line.startswith("- 2025-03-04 05:15Z mara asked the operator in why - pending proposal ") for line in turns)
    assert all(line.endswith("; ran r-1, r-2; proposed prop-1") for line in turns)
    assert max(map(len, turns)) < 300


def test_an_empty_handoff_says_that_nothing_is_pending(shelf: Shelf) -> None:
    """An empty page could be one that was not written."""
    handoff.write(shelf, [], [], [])
    page = shelf.read("handoff")
    assert page is not None
    assert "- no pending proposals" in page.text


# ---------------------------------------------------------------------- recall


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 400), st.lists(st.integers(0, 300), min_size=3, max_size=3))
def test_recall_never_takes_more_than_its_tokens(shelf: Shelf, tokens: int, sizes: list[int]) -> None:
    """Any budget, also one that a label alone would pass; pages that fit are whole, and what one leaves the next may use."""
    for topic, size in zip(("desk", "operator", "handoff"), sizes, strict=True):
        shelf.path(topic).write_text("x" * size)
    blocks = recall(shelf, "operator", NOW, tokens)
    assert sum(cost(block) for block in blocks) <= tokens
    whole = sum(
        cost(label_page(page, NOW, 10_000)) for t in ("desk", "operator", "handoff") if (page := shelf.read(t)) and page.text
    )
    if whole * 2.6 <= tokens:
        assert [block.cut for block in blocks] == [False] * sum(size > 0 for size in sizes)


def test_who_stands_behind_a_page_is_told_by_its_place() -> None:
    """The inbox is a model's, the handoff is code's, everything else a person's; a name alike is not the place."""
    places = ("inbox/n-1", "handoff", "desk", "decisions/inbox", "inbox", "strategies/handoff")
    assert [trust_of(MemoryPage(place, "words", NOW)) for place in places] == [
        "unconfirmed",
        "code",
        "people",
        "people",
        "people",
        "people",
    ]


def test_a_paragraph_stands_under_its_heading() -> None:
    """A list item or a paragraph is found with what it is about; a heading alone is nothing to find."""
    page = MemoryPage("desk", "intro\n\n# Stops\nwide ones\n- at night\n- by day\n\n## Empty\n\n# Fees\n\nmaker first", NOW)
    assert paragraphs(page.text) == ["intro", "Stops: wide ones", "Stops: - at night", "Stops: - by day", "Fees: maker first"]


@pytest.mark.parametrize("query", ["stop_atr", "STOP", "atr", "btc-usdt", "usdt", "BTC"])
def test_a_name_is_found_whole_and_by_its_parts(shelf: Shelf, query: str) -> None:
    """As it is written in the configuration, or as a person says it; capitals do not matter."""
    shelf.add("decisions/quoll", "the quoll rule: stop_atr of BTC-USDT is 2")
    assert "decisions/quoll" in [block.topic for block in search(shelf, f"{query} quoll", NOW)]


def test_a_page_that_is_not_there_or_not_a_page(shelf: Shelf) -> None:
    """None for a topic without a page; an invalid one is refused, not looked for."""
    assert by_topic(shelf, "incidents/none", NOW) is None
    for topic in ("../desk", "desk.md", "inbox/", "/etc/passwd", "a/b/c", "desk\n"):
        with pytest.raises(ShelfError):
            by_topic(shelf, topic, NOW)

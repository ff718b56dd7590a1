"""Notes: in the inbox with real evidence, twenty a day, never memory by themselves."""

from typing import Any

import pytest

from memory.shelf import Shelf
from tools.catalog import call
from tools.common.limits import NOTES_DAY_MAX

DAY = 86_400_000


def leave(ctx: Any, **more: Any) -> Any:
    """A note with evidence that is real: the first record of the people journal."""
    return call(ctx, "note", {"topic": "Trend in ranges", "text": "it loses", "evidence": ["p-1"]} | more)


@pytest.fixture
def ctx(make_ctx: Any) -> Any:
    """A turn with one call already journaled."""
    made = make_ctx("operator")
    call(made, "memory", {})
    return made


def test_a_note_lands_in_the_inbox(ctx: Any) -> None:
    """File and row hold text, evidence and time; no page changed."""
    before = {t: Shelf(ctx.home / "memory").read(t).text for t in ("desk", "operator")}
    result = leave(ctx)
    assert result.status == "ok"
    (evidence,) = result.evidence
    page = Shelf(ctx.home / "memory").read(evidence.id)
    assert "it loses" in page.text
    assert "evidence: p-1" in page.text
    assert "not confirmed" in page.text
    assert {t: Shelf(ctx.home / "memory").read(t).text for t in before} == before


def test_a_note_with_forged_evidence_is_refused(ctx: Any) -> None:
    """An id that names nothing of this desk is no evidence."""
    for forged in ("d-999", "p-4000", "run-does-not-exist", "v99", "../../etc/passwd"):
        result = leave(ctx, evidence=[forged])
        assert result.status == "refused"
        assert "evidence" in result.text
    assert not list((ctx.home / "memory" / "inbox").glob("*"))


def test_twenty_notes_a_day(make_ctx: Any, ctx: Any) -> None:
    """The twenty-first is refused, the next day's first is not."""
    for n in range(NOTES_DAY_MAX):
        assert leave(make_ctx("advisor", turn=f"u{n}")).status == "ok"
    refused = leave(make_ctx("developer"))
    assert refused.status == "refused"
    assert "20 a day" in refused.text
    assert leave(make_ctx("developer", now_ms=ctx.now_ms + DAY)).status == "ok"


def test_a_note_is_found_and_marked(make_ctx: Any, ctx: Any) -> None:
    """Memory finds it, labelled as unconfirmed and as no instruction."""
    leave(ctx, text="wombat pattern in funding")
    result = call(make_ctx("advisor"), "memory", {"query": "wombat"})
    assert result.status == "ok"
    assert "not confirmed by a person" in result.text
    assert "not an instruction" in result.text


def test_a_page_by_topic_and_a_list(ctx: Any) -> None:
    """By topic, by list, and an honest nothing."""
    assert "# The desk" in call(ctx, "memory", {"topic": "desk.md"}).text
    assert "strategies/trend" in call(ctx, "memory", {}).text
    assert call(ctx, "memory", {"query": "xylophone"}).status == "no_data"
    assert call(ctx, "memory", {"topic": "../../etc/passwd"}).status == "failed"

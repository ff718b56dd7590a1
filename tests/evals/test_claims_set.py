"""The claims set: large, labelled apart from the checker, and judged within the rates that docs/claims.md publishes."""

import tomllib
from collections import Counter
from pathlib import Path

import pytest

from tests.evals.claims.measure import (
    FURTHER,
    MODEL_WRITTEN,
    RUNNING,
    JudgedClaim,
    by_hand,
    claims_set,
    held_out,
    in_threads,
    judged,
    judged_in_threads,
    model_written,
    report,
    table,
)
from tests.evals.claims.scene import running_scene
from tests.evals.claims.templates import LabelledClaim

PAGE = Path(__file__).parents[2] / "docs" / "claims.md"
ESCAPES_MAX, FALSE_STRIKES_MAX = 0.005, 0.01
UNMARKED_MIN = 0.25  # of the true sentences: marking everything would keep both rates


def test_the_set_is_what_it_says_it_is() -> None:
    """At least 2,000 sentences of five kinds, both truths of each, at least 400 written by a model."""
    claims = claims_set()
    assert len(claims) >= 2_000
    assert {(claim.kind, claim.true) for claim in claims} == {
        (kind, true) for kind in ("digits", "ids", "times", "words", "acts") for true in (True, False)
    }
    assert len(list(model_written())) >= 400


def test_what_a_model_wrote_has_a_reason_a_line_and_two_halves() -> None:
    """Each line names its role and why it is labelled so; the halves are as large as each other and share no sentence."""
    rows = [
        row
        for path in MODEL_WRITTEN
        for kind in tomllib.loads(path.read_text()).values()
        for lines in kind.values()
        for row in lines
    ]
    assert all(role in ("operator", "advisor", "developer") and text and why for role, text, why in rows)
    halves = Counter((claim.source, claim.kind, claim.true) for claim in model_written())
    assert len(set(halves.values())) == 3  # acts, digits, and the other kinds
    assert not {claim.text for claim in held_out()} & {claim.text for claim in claims_set()}


def check_rates(found: list[JudgedClaim]) -> None:
    """At most one false sentence in two hundred is shown unmarked, at most one true one in a hundred is struck."""
    false, true = ([one for one in found if one.claim.true is truth] for truth in (False, True))
    escapes, strikes = ([one.claim.text for one in of if one.wrong] for of in (false, true))
    assert len(escapes) / len(false) <= ESCAPES_MAX, escapes
    assert len(strikes) / len(true) <= FALSE_STRIKES_MAX, strikes
    shown = sum(one.outcome == "unmarked" for one in true) / len(true)
    assert shown >= UNMARKED_MIN, f"only {shown:.1%} of the true sentences are shown as they are"


def test_what_was_written_by_hand_is_judged_within_the_rates() -> None:
    """The sentences that no template made."""
    check_rates(judged([claim for claim in claims_set() if claim.source == "hand"]))


@pytest.mark.long  # 3,000 sentences take two seconds of CPU
def test_the_whole_set_is_judged_within_the_rates() -> None:
    """Escapes, false strikes and what is left unmarked as docs/claims.md publishes them."""
    check_rates(judged(claims_set()))


def test_another_thread_is_judged_as_well() -> None:
    """A desk that is not halted, with other sleeves, people and figures."""
    check_rates(judged(by_hand(RUNNING), running_scene))


@pytest.mark.slow
def test_the_further_threads_are_judged_within_the_same_rates() -> None:
    """Six threads with facts of their own: by hand in rounds, and by construction."""
    threads = in_threads()
    assert len({name for name, _ in threads}) == 8
    check_rates(judged_in_threads(threads))


def test_what_is_held_out_is_in_no_set_that_is_improved_on() -> None:
    """At least 400 sentences by hand, and none of them among those that `--list` prints."""
    further = {claim.text for claim in by_hand(FURTHER)}
    assert len(further) >= 400
    assert not further & {claim.text for claim in claims_set()}


@pytest.mark.parametrize("claims", [held_out(), by_hand(FURTHER)], ids=["by a model", "by hand"])
def test_the_held_out_rate_is_published_as_it_is(claims: list[LabelledClaim]) -> None:
    """No bound, but docs/claims.md says the figures of today. A failure shows the table, never a sentence."""
    measured = table(judged(claims), "kind")
    published = measured in PAGE.read_text()
    assert published, measured


@pytest.mark.long  # 3,000 sentences take a second of CPU
def test_the_page_repeats_each_table_of_make_evals() -> None:
    """docs/claims.md is what was measured, line by line."""
    claims, page = judged(claims_set()), PAGE.read_text()
    tables = [part for part in report(claims).split("\n\n") if part.startswith("|")]
    assert len(tables) == 9
    assert [part for part in tables if part not in page] == []

"""The claims set: large, labelled apart from the checker, and judged within the rates that docs/claims.md publishes."""

import tomllib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from agents.support import Ground
from tests.evals.claims.measure import (
    FURTHER,
    MODEL_WRITTEN,
    RUNNING,
    by_hand,
    claims_set,
    held_out,
    in_threads,
    model_written,
    report,
    table,
    wrong,
    wrong_in_threads,
)
from tests.evals.claims.scene import running_scene, scene
from tests.evals.claims.templates import LabelledClaim

PAGE = Path(__file__).parents[2] / "docs" / "claims.md"
ESCAPES_MAX, FALSE_STRIKES_MAX = 0.005, 0.01
FURTHER_MAX = 0.04  # of the further threads and harder wordings, improved on for a short time


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


def check_rates(claims: list[LabelledClaim], thread: Callable[[], Ground] = scene) -> None:
    """At most one false sentence in two hundred passes, at most one true one in a hundred is struck."""
    errors = wrong(claims, thread)
    false, true = ([claim for claim in claims if claim.true is truth] for truth in (False, True))
    assert len([e for e in errors if not e.true]) / len(false) <= ESCAPES_MAX, [e.text for e in errors if not e.true]
    assert len([e for e in errors if e.true]) / len(true) <= FALSE_STRIKES_MAX, [e.text for e in errors if e.true]


def test_what_was_written_by_hand_is_judged_within_the_rates() -> None:
    """The sentences that no template made."""
    check_rates([claim for claim in claims_set() if claim.source == "hand"])


@pytest.mark.long  # 3,000 sentences take two seconds of CPU
def test_the_whole_set_is_judged_within_the_rates() -> None:
    """Escapes and false strikes as docs/claims.md publishes them."""
    check_rates(claims_set())


def test_another_thread_is_judged_as_well() -> None:
    """A desk that is not halted, with other sleeves, people and figures."""
    check_rates(by_hand(RUNNING), running_scene)


def test_the_further_threads_are_judged_within_their_rates() -> None:
    """Six threads with facts of their own: by hand in three rounds, and by construction."""
    threads = in_threads()
    claims = [claim for _, claim in threads]
    false, true = ([claim for claim in claims if claim.true is truth] for truth in (False, True))
    errors = wrong_in_threads(threads)
    assert len({name for name, _ in threads}) == 8
    escapes, strikes = ([error.text for error in errors if error.true is truth] for truth in (False, True))
    assert len(escapes) / len(false) <= FURTHER_MAX, escapes
    assert len(strikes) / len(true) <= FURTHER_MAX, strikes


def test_what_is_held_out_is_in_no_set_that_is_improved_on() -> None:
    """At least 400 sentences by hand, and none of them among those that `--list` prints."""
    further = {claim.text for claim in by_hand(FURTHER)}
    assert len(further) >= 400
    assert not further & {claim.text for claim in claims_set()}


@pytest.mark.parametrize("claims", [held_out(), by_hand(FURTHER)], ids=["by a model", "by hand"])
def test_the_held_out_rate_is_published_as_it_is(claims: list[LabelledClaim]) -> None:
    """No bound, but docs/claims.md says the figures of today. A failure shows the table, never a sentence."""
    measured = table(claims, wrong(claims), "kind")
    published = measured in PAGE.read_text()
    assert published, measured


@pytest.mark.long  # 3,000 sentences take a second of CPU
def test_the_page_repeats_each_table_of_make_evals() -> None:
    """docs/claims.md is what was measured, line by line."""
    claims, page = claims_set(), PAGE.read_text()
    tables = [part for part in report(claims, wrong(claims)).split("\n\n") if part.startswith("|")]
    assert len(tables) == 8
    assert [part for part in tables if part not in page] == []

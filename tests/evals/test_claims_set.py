"""The claims set: large, labelled apart from the checker, and judged within the rates that docs/claims.md publishes."""

from collections import Counter

import pytest

from tests.evals.claims.measure import claims_set, wrong
from tests.evals.claims.templates import LabelledClaim

ESCAPES_MAX, FALSE_STRIKES_MAX = 0.005, 0.01


def test_the_set_is_what_it_says_it_is() -> None:
    """At least 2,000 sentences of five kinds, both truths of each, at least 400 in the manner of models."""
    claims = claims_set()
    assert len(claims) >= 2_000
    assert {(claim.kind, claim.true) for claim in claims} == {
        (kind, true) for kind in ("digits", "ids", "times", "words", "acts") for true in (True, False)
    }
    sources = Counter(claim.source for claim in claims)
    assert sources["hand"] + sources["mutation"] >= 400


def check_rates(claims: list[LabelledClaim]) -> None:
    """At most one false sentence in two hundred passes, at most one true one in a hundred is struck."""
    errors = wrong(claims)
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

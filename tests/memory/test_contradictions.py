"""Two pages that cannot both be right are named; what merely differs, was refused or may be is not."""

import tomllib
from pathlib import Path

import pytest

from memory.contradictions import LISTED_MAX, contradictions
from memory.shelf import MemoryPage

AGAINST = [
    ("stop_atr of trend-btc is 2", "stop_atr of trend-btc is 3"),
    ("trend-btc runs with stop_atr = 2.0.", "We set stop_atr 2 -> 1.8 for trend-btc."),
    ("We never trade on Sundays.", "We trade on Sundays."),
    ("Priya is on call at night", "Priya is not on call at night"),
    ("risk_fraction 0.006 on reversion-eth", "reversion-eth has risk_fraction: 0.004"),
]
BESIDE = [
    ("stop_atr of trend-btc is 2", "stop_atr of trend-btc is 2.0"),
    ("stop_atr of trend-btc is 2", "stop_atr of trend-eth is 3"),
    ("stop_atr of trend-btc is 2", "stop_atr 3 may be better on trend-btc"),
    ("stop_atr of trend-btc is 2", "Mara rejected stop_atr 3 for trend-btc"),
    ("We never trade on Sundays.", "We trade on Mondays with half the size."),
    ("No fees.", "Fees."),
]


def pages(one: str, other: str) -> list[MemoryPage]:
    """Two pages, the second a day younger."""
    return [MemoryPage("desk", one, 1_000), MemoryPage("strategies/notes", other, 86_401_000)]


@pytest.mark.parametrize(("one", "other"), AGAINST)
def test_two_pages_that_cannot_both_be_right_are_named(one: str, other: str) -> None:
    """The younger page's statement is first, with the text that says it."""
    (found,) = contradictions(pages(one, other))
    assert (found.topic, found.other) == ("strategies/notes", "desk")
    assert found.text in other
    assert found.other_text in one


@pytest.mark.parametrize(("one", "other"), BESIDE)
def test_what_only_differs_is_no_contradiction(one: str, other: str) -> None:
    """Another sleeve, another spelling of the number, something that may be or was refused."""
    assert contradictions(pages(one, other)) == []


def test_a_later_month_of_decisions_contradicts_none_before_it() -> None:
    """What was decided again is history; a page of people that still says the old value is named."""
    months = [
        MemoryPage("decisions/2026-05", "- Mara approved prop-1: trend-btc stop_atr 2.0 -> 1.8", 1),
        MemoryPage("decisions/2026-06", "- Mara approved prop-2: trend-btc stop_atr 1.8 -> 1.5", 2),
    ]
    assert contradictions(months) == []
    stale = MemoryPage("strategies/trend", "trend-btc has stop_atr 1.8", 3)
    assert [(c.topic, c.other) for c in contradictions([*months, stale])] == [("strategies/trend", "decisions/2026-06")]


def test_the_pages_of_the_queries_contradict_nothing() -> None:
    """Forty-eight honest paragraphs raise no flag."""
    parts = tomllib.loads((Path(__file__).parent / "queries" / "pages.toml").read_text())
    assert contradictions([MemoryPage(topic, "\n".join(p.values()), n) for n, (topic, p) in enumerate(parts.items())]) == []


def test_many_contradictions_are_bounded() -> None:
    """A list that a person can read."""
    found = contradictions([MemoryPage(f"strategies/s-{n}", f"trend-btc stop_atr {n}", n) for n in range(40)])
    assert len(found) == LISTED_MAX

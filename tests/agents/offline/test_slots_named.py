"""Slots that were read wrongly once: a span of bare months, a strategy with an ordinary word for a name."""

import pytest

from agents.offline import slots
from agents.offline.words import Words

DESK_MS = 1_764_662_400_000  # 2025-12-02


def read_slots_of(text: str) -> slots.Slots:
    """The slots of a question to a desk that knows the shipped strategies."""
    return slots.read_slots(text, Words(strategies={"trend": (), "reversion": ()}, desk_ms=DESK_MS))


@pytest.mark.parametrize("text", ["march to june 2025", "from march until june 2025", "March - June 2025"])
def test_both_ends_of_a_span_of_months_count(text: str) -> None:
    """March to June is four months, not June alone."""
    span = read_slots_of(f"backtest trend {text}").span
    assert (span.start, span.end) == ("2025-03-01", "2025-07-01")


def test_a_strategy_may_be_called_by_an_ordinary_word() -> None:
    """`my peek strategy` is asked about as peek, and not answered about another strategy; `my best strategy` names none."""
    assert read_slots_of("does my peek strategy cheat?").strategy == "peek"
    assert read_slots_of("does my best strategy cheat?").strategy is None

"""What a search is said to show: one sentence for each check that fails, and never one that its own figures contradict."""

from typing import Any

import pytest

from engine.research.grid import Variation
from engine.research.ledger import TrialPlace
from engine.research.overfit import Overfit
from engine.research.plateau import Plateau
from engine.research.sweep import Tried
from engine.research.sweep_report import luck_of, verdict

GOOD: list[Tried] = [Tried(Variation((1,), None), None)] * 6  # type: ignore[arg-type]  # only counted here
YES, NO, UNKNOWN = Plateau(0.9, 2), Plateau(0.25, 2), Plateau(None, 0, "no neighbour was tried")


def said(chance: float, overfit: float | None, plateau: Plateau) -> str:
    """The verdict on a best variation with a ratio of 2."""
    place = TrialPlace("trend on BTC-USDT perp", 3, 6, 2.0, chance, "", plateau)
    return verdict(GOOD, place, Overfit(overfit, 10, None, ""), 0.8)


@pytest.mark.parametrize(
    ("chance", "overfit", "plateau", "word", "sentences"),
    [
        (0.99, 0.1, YES, "Beyond luck on these bars", ["Walk it forward."]),
        (0.99, None, YES, "Beyond luck on these bars", ["Walk it forward."]),
        (0.50, 0.1, YES, "Not beyond luck", ["A deflated Sharpe of at least 0.95 is needed."]),
        (0.99, 0.6, YES, "Overfit", ["in the lower half on the other more often than not (PBO)."]),
        (0.99, 0.5, YES, "Overfit", ["in the lower half on the other as often as not (PBO)."]),
        (0.99, 0.1, NO, "A lonely peak", ["they reach 25 % of its Sharpe ratio on average, 70 % is needed."]),
        (0.99, 0.1, UNKNOWN, "Not confirmed by its neighbours", ["is unknown: no neighbour was tried."]),
        (0.50, 0.6, NO, "Not beyond luck", ["at least 0.95 is needed.", "(PBO).", "Its neighbours do not do nearly as well"]),
    ],
)
def test_each_failing_check_has_its_own_sentence(
    chance: float, overfit: float | None, plateau: Plateau, word: str, sentences: list[str]
) -> None:
    """Only luck is called luck: a plateau that is missing, or an overfit search, are named for what they are."""
    text = said(chance, overfit, plateau)
    assert text.startswith(f"{word}: the best Sharpe is +2.00, deflated Sharpe {chance:.2f}")
    for sentence in sentences:
        assert sentence in text
    reasons = ("is needed.", "(PBO).", "is unknown:", "Walk it forward.")
    assert sum(text.count(reason) for reason in reasons) == len(sentences)


def test_a_figure_is_never_rounded_onto_the_limit_that_it_misses() -> None:
    """0.9496 is below 0.95, so it is not shown as 0.95; nor is 0.9504, which is above."""
    assert "deflated Sharpe 0.9496;" in said(0.9496, None, YES)
    assert "deflated Sharpe 0.9504;" in said(0.9504, None, YES)


@pytest.mark.parametrize(
    ("chance", "plateau", "word"),
    [(0.99, YES, "Beyond luck"), (0.99, NO, "A lonely peak"), (0.5, YES, "Not beyond luck"), (None, NO, "Not known")],
)
def test_a_chat_says_the_same_of_the_best_trial(chance: float | None, plateau: Plateau, word: str) -> None:
    """From the place as a tool has it."""
    place: dict[str, Any] = TrialPlace("h", 3, 6, 2.0, chance, "fewer than 2 trials", plateau).as_json()
    assert luck_of(place)[0].startswith(word)

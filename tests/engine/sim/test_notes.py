"""What a run says before its figures: why the two scenarios can come out the other way round, and what warms up."""

import polars as pl
import pytest

from engine.sim import explain, notes


@pytest.mark.parametrize(("optimistic", "said"), [(-0.02, True), (-0.01, False), (0.03, False)])
def test_optimistic_below_pessimistic_is_explained(optimistic: float, said: bool) -> None:
    """One sentence where it is so, none where it is not."""
    text = notes.scenario_text({"optimistic": optimistic, "pessimistic": -0.01})
    assert bool(text) is said
    assert ("sizes, pauses and breakers" in text) is said


def test_a_feature_without_a_value_so_far_warms_up() -> None:
    """Null up to this close and not later: warming up. Null here alone, or for the whole run, it is not."""
    own = pl.DataFrame({"close_ms": [1, 2, 3], "sma(9)": [None, None, 5.0], "rsi(3)": [1.0, None, 2.0], "of another": [None] * 3})
    assert explain.warming_up(own, 2) == ["sma(9)"]
    assert explain.warming_up(own, 3) == []
    found = {"signal": {"side": 1, "strength": 0.5}, "action": "refused", "refused_by": "an input cannot be computed"}
    text = explain.sentence(found, halted=False, warming=["vol(3)"])
    assert text == "long signal of strength 0.50; the entry was refused during warm-up: vol(3) has no value yet"
    assert explain.sentence(found, halted=False, warming=[]).endswith("refused: an input cannot be computed")

"""What a run says before its figures: why the two scenarios can come out the other way round, and what warms up."""

from types import SimpleNamespace
from typing import Any

import numpy as np
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


@pytest.mark.parametrize(("hours", "said"), [(8, True), (4, False)])
def test_a_run_says_that_the_file_settles_at_another_spacing(hours: int, said: bool) -> None:
    """What is charged is right either way; the windows around settlements are not. Nothing is said where none is recorded."""
    sleeve = SimpleNamespace(
        key="okx:BTC-USDT:perp",
        spec=SimpleNamespace(venue="okx", symbol="BTC-USDT", market="perp"),
        instrument=SimpleNamespace(funding_hours=hours),
    )
    settled = pl.DataFrame({"ts": [n * 4 * 3_600_000 for n in range(9)], "rate": [0.0001] * 9})

    def noted(funding: str, found: pl.DataFrame | None) -> list[str]:
        catalog = SimpleNamespace(funding=lambda _venue, _symbol: found)
        plan: Any = SimpleNamespace(
            request=SimpleNamespace(funding=funding), sleeves=[sleeve], catalog=catalog, clock_ms=3_600_000
        )
        return notes.funding_contradictions(SimpleNamespace(plan=plan, close_ms=np.array([3_600_000, 200 * 3_600_000])))

    found = noted("recorded", settled)
    assert bool(found) is said
    assert not said or ("settlements are 4 h apart" in found[0] and "funding_hours says 8 h" in found[0])
    assert noted("recorded", None) == noted("none", settled) == []

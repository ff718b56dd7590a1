"""Law 10, numbers have receipts: a number that an agent states is a named fact of a run, an event or a bar, or it is shown
struck out or marked as not checked."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.grounding import Ground, ground
from tests.fakes.facts import FACTS, RUN, fact, outcome, stand
from tools.common.contract import Fact


@settings(max_examples=300, deadline=None)
@given(
    value=st.floats(-5, 5).filter(lambda v: abs(v) > 0.02),
    decimals=st.integers(2, 4),
    form=st.sampled_from(
        ["The Sharpe is {}.", "sharpe={}", "Sharpe ratio: **{}**", "A Sharpe of {}, on r1", "| sharpe | {} |", "({} Sharpe)"]
    ),
)
def test_no_true_number_is_struck_or_marked(value: float, decimals: int, form: str) -> None:
    """False strike-outs: a fact typed by hand at two to four decimals is always shown as it is."""
    known = fact("r1.sharpe", value, "ratio")
    text = form.format(f"{value:.{decimals}f}")
    if len(f"{value:.{decimals}f}".replace("-", "").replace(".", "").lstrip("0")) >= 2:
        assert outcome(text, Ground({"r1.sharpe": known})) == "unmarked"


@settings(max_examples=300, deadline=None)
@given(value=st.floats(-0.9, 3), unit=st.sampled_from(["%", " %", " percent", " bps"]))
def test_fractions_may_be_typed_in_percent_or_basis_points(value: float, unit: str) -> None:
    """A fraction is the same number in percent and in basis points."""
    scale = 1e4 if "bps" in unit else 100
    text = f"The total return was {value * scale:.4f}{unit}."
    assert outcome(text, Ground({"a": fact("r1.total_return_frac", value, "frac")})) == "unmarked" or abs(value) < 1e-4


@settings(max_examples=200, deadline=None)
@given(invented=st.floats(-3, 3))
def test_an_invented_sharpe_is_not_shown_as_it_is(invented: float) -> None:
    """A number that is no fact's value never passes for a named metric."""
    text = f"{invented:.2f}"
    if float(text) in (1.23, 0.99):
        return
    assert outcome(f"The Sharpe is {text}.") != "unmarked"


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_grounding_never_breaks_on_any_text(text: str) -> None:
    """Whatever a model writes, an answer comes out and no place mark leaks."""
    done = ground(text, stand())
    assert not any("\ue000" <= c <= "\uf8ff" for c in done.text)


SCALES = {"frac": 100.0, "ratio": 1.0, "usd": 1.0, "count": 1.0, "bps": 1.0}


@settings(max_examples=200, deadline=None)
@given(st.floats(-1e6, 1e6), st.sampled_from(sorted(SCALES)))
def test_a_reference_is_the_value_of_its_fact_with_its_evidence(value: float, unit: str) -> None:
    """`{r1.x}` becomes the fact's value, read back here to the digits that are shown, and a link to its evidence."""
    shown = round(value) if unit == "count" else value
    done = ground("It is {r1.x}.", Ground({"r1.x": fact("r1.x", shown, unit)}))
    text = re.fullmatch(r"It is \[([^\]]+)\]\(run:r-8f2a1c\)\.", done.text)
    assert text, done.text
    number = re.search(r"-?[\d,]*\.?\d+", text[1])
    assert number, text[1]
    digits = len(number[0].partition(".")[2])
    assert float(number[0].replace(",", "")) == pytest.approx(shown * SCALES[unit], abs=0.5 * 10**-digits * 1.001)
    assert done.struck == ()
    assert RUN.id == "r-8f2a1c"


@pytest.mark.parametrize(
    "known", [f for f in FACTS if isinstance(f.value, float) and f.unit in ("ratio", "usd")], ids=lambda f: f.ref
)
@settings(max_examples=40, deadline=None)
@given(factor=st.floats(1.05, 5.0) | st.floats(0.1, 0.95))
def test_a_value_that_is_off_by_a_twentieth_is_not_shown_as_it_is(known: Fact, factor: float) -> None:
    """Said of that very metric, a number 5 % beside its fact has no receipt."""
    wrong = f"{known.value * factor:.2f}"
    if any(isinstance(f.value, float) and abs(abs(f.value) - abs(float(wrong))) <= 0.006 for f in FACTS):
        return  # it is another fact's value
    assert outcome(f"The {known.metric} of {known.subject} is {wrong}.") != "unmarked"

"""Prices and quantities in text: what is printed is what a person could type at a venue."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.amounts import percent_text, price_text, quantity_text, ratio_text, signed_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (111_479.56192015963, "111,479.56"),
        (87_312.7, "87,312.70"),
        (1_234_567.25, "1,234,567.25"),
        (124.35665151642966, "124.357"),
        (100.0, "100.00"),
        (0.0000123456, "0.0000123456"),
        (0.5, "0.50"),
        (0.0, "0.00"),
        (-35.1, "-35.10"),
        (float("nan"), "nan"),
    ],
)
def test_a_price_keeps_what_money_hangs_on(value: float, text: str) -> None:
    """Cents above 100,000, digits below a cent."""
    assert price_text(value) == text


def test_a_story_that_is_recomputed_has_more_decimals() -> None:
    """As many as asked for; a small price keeps its own."""
    assert [price_text(v, 4) for v in (111_479.56192015963, 4_312.8, 0.0000123456)] == [
        "111,479.5619",
        "4,312.8000",
        "0.0000123456",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.018, "0.018"),
        (1_234_567.0, "1,234,567"),
        (51_788.030000000006, "51,788.03"),
        (0.00001, "0.00001"),
        (100.0, "100"),
        (0.0, "0"),
        (float("inf"), "inf"),
    ],
)
def test_a_quantity_is_never_written_with_an_exponent(value: float, text: str) -> None:
    """Every digit of the lots, whether a millionth of a bitcoin or millions of a small coin."""
    assert quantity_text(value) == text


@given(st.floats(1e-8, 1e9))
def test_a_price_is_within_half_of_its_last_digit(value: float) -> None:
    """To a cent, or to six significant digits where that is finer."""
    assert abs(float(price_text(value).replace(",", "")) - value) <= max(0.5e-5 * value, 1e-15) or value >= 1_000
    assert abs(float(price_text(value).replace(",", "")) - value) <= 0.005001


@given(st.integers(1, 10**10), st.sampled_from((1.0, 0.1, 0.001, 0.00001)))
def test_a_quantity_reads_back_as_its_lots(lots: int, lot: float) -> None:
    """Whatever the lot: the text names exactly that many."""
    assert round(float(quantity_text(lots * lot).replace(",", "")) / lot) == lots


def test_a_result_has_a_sign_and_a_drawdown_none() -> None:
    """What reads as zero has neither; what is not known is a dash."""
    assert (percent_text(0.0362), percent_text(0.0362, sign=True), percent_text(-0.0362)) == ("3.62 %", "+3.62 %", "-3.62 %")
    assert (percent_text(-0.000001, sign=True), percent_text(0.0, sign=True), percent_text(None)) == ("0.00 %", "0.00 %", "-")
    assert (signed_text(1.2), signed_text(-0.001), signed_text(1234.5, 1)) == ("+1.20", "0.00", "+1,234.5")


def test_a_ratio_is_never_without_its_interval() -> None:
    """Or the word that there is none."""
    assert ratio_text(-0.957, -6.61, 4.7) == "-0.96 (-6.6 to 4.7)"
    assert (ratio_text(1.5, None, None), ratio_text(None, None, None)) == ("1.50 (no interval)", "-")

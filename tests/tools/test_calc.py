"""calc gives derived numbers a receipt, keeps units honest and evaluates nothing else."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Refused
from tools.calc import EXPRESSION_MAX, evaluate, parse
from tools.catalog import call
from tools.common.contract import Evidence, Fact, ToolContext

RUN = Evidence("run", "run-1")


def fact(ref: str, value: Any, unit: str) -> Fact:
    """A fact as a tool gives it."""
    return Fact(ref, f"subject of {ref}", ref.split(".")[1], value, unit, RUN)


FACTS = {
    f.ref: f
    for f in (
        fact("r1.sharpe", 1.5, "ratio"),
        fact("r2.sharpe", 1.2, "ratio"),
        fact("r1.fees", 50.0, "usd"),
        fact("r2.fees", 60.0, "usd"),
        fact("r1.trades", 20, "count"),
        fact("r1.ret", 0.1, "frac"),
        fact("r1.cagr", None, "frac"),
        fact("r1.first", 1_000_000, "ms"),
        fact("r2.first", 1_500_000, "ms"),
        fact("r1.zero", 0.0, "usd"),
        fact("r1.word", "flat", "text"),
        fact("d1.price", 100.0, "price"),
        fact("d1.units", 2.0, "base"),
    )
}


@pytest.mark.parametrize(
    ("expression", "value", "unit"),
    [
        ("r2.sharpe - r1.sharpe", -0.3, "ratio"),
        ("{r1.sharpe} - {r2.sharpe}", 0.3, "ratio"),
        ("change(r1.fees, r2.fees)", 0.2, "frac"),
        ("share(r1.fees, r2.fees)", 50 / 60, "frac"),
        ("r1.fees / r1.trades", 2.5, "usd"),
        ("r1.fees + r2.fees * 2", 170.0, "usd"),
        ("r1.ret * r1.fees", 5.0, "usd"),
        ("d1.price * d1.units", 200.0, "usd"),
        ("max(r1.fees, r2.fees) - min(r1.fees, r2.fees)", 10.0, "usd"),
        ("abs(-r1.fees)", 50.0, "usd"),
        ("mean(r1.fees)", 50.0, "usd"),
        ("mean(r1.fees, r2.fees, r1.zero)", 110 / 3, "usd"),
        ("r2.first - r1.first", 500_000.0, "duration_ms"),
    ],
)
def test_a_derived_number(expression: str, value: float, unit: str) -> None:
    """Value and unit follow from what went in."""
    number = evaluate(parse(expression), FACTS, {})
    assert number.value == pytest.approx(value)
    assert number.unit == unit


@pytest.mark.parametrize(
    "expression",
    [
        "r1.fees + r1.sharpe",
        "r1.fees + 2",
        "r1.first + r2.first",
        "r1.first * 2",
        "r1.fees / r1.zero",
        "change(r1.zero, r1.fees)",
        "r9.sharpe",
        "r1.word + r1.word",
        "r1.sharpe * 7.3",
        "0.31",
        "__import__('os').system('x')",
        "r1.sharpe.real",
        "r1.sharpe ** 2",
        "max(r1.fees)",
        "mean()",
        "mean(r1.fees, r1.sharpe)",
        "mean(r1.first, r2.first)",
        "max(r1.fees, key=r1.fees)",
        "[r1.fees]",
        "lambda: 1",
        "r1.fees if r1.fees else r2.fees",
        "(((((",
        "",
        "True * r1.fees",
    ],
)
def test_what_is_refused(expression: str) -> None:
    """Mixed units, unknown facts, numbers from nowhere and anything that is not arithmetic."""
    with pytest.raises(Refused):
        evaluate(parse(expression), FACTS, {})


@given(st.text(max_size=EXPRESSION_MAX))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    """Nothing else comes out, whatever a model writes."""
    try:
        found = evaluate(parse(text), FACTS, {})
    except Refused:
        return
    assert math.isfinite(found.value)


def test_deep_nesting_does_not_break_the_desk() -> None:
    """As many parentheses and signs as fit are refused, or computed."""
    for text in ("(" * 140 + "r1.fees" + ")" * 140, "-" * 290 + "r1.fees"):
        try:
            found = evaluate(parse(text), FACTS, {})
        except Refused:
            continue
        assert math.isfinite(found.value)


def context(make_ctx: Any) -> ToolContext:
    """A context in which FACTS were shown."""
    ctx = make_ctx()
    ctx.facts.update(FACTS)
    return ctx


def test_the_result_is_a_fact_with_a_receipt(make_ctx: Any) -> None:
    """The subject names what went in by code, the evidence the expression and the runs."""
    ctx = context(make_ctx)
    result = call(ctx, "calc", {"expression": "r1.sharpe - r2.sharpe"})
    assert result.status == "ok"
    (made,) = result.facts
    assert made.ref == "c1.value"
    assert made.subject == "subject of r1.sharpe; subject of r2.sharpe"
    assert made.evidence == Evidence("calc", "r1.sharpe - r2.sharpe")
    assert RUN in result.evidence
    again = call(ctx, "calc", {"expression": "c1.value * 2"})
    assert again.facts[0].value == pytest.approx(0.6)


def test_an_undefined_fact_gives_no_number(make_ctx: Any) -> None:
    """null stays null: no_data, not zero."""
    assert call(context(make_ctx), "calc", {"expression": "r1.cagr - r1.ret"}).status == "no_data"


def test_a_number_out_of_constants_alone_gets_no_receipt(make_ctx: Any) -> None:
    """An expression that reads no fact is refused: it would launder an invented number."""
    result = call(context(make_ctx), "calc", {"expression": "2 * 100 + 12"})
    assert result.status == "refused"
    assert "no fact" in result.text

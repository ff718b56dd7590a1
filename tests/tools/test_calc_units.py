"""calc against an algebra of dimensions written here a second time: the unit is right, or the expression is refused.

An oracle unit is a mapping of base dimension to power: money `usd`, amount `base`, a price is usd per base. What calc may keep
of a pure number (ratio, frac, count, a constant) is its own; every number with a dimension must come out with the same one.
"""

import math
from fractions import Fraction
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Refused
from tools.calc import CONSTANTS, UndefinedFact, evaluate, parse
from tools.catalog import call
from tools.common.contract import UNITS, Evidence, Fact

PURE = ("ratio", "frac", "count", "")
DIMENSIONS: dict[str, dict[str, int]] = {
    **{unit: {} for unit in PURE},
    "usd": {"usd": 1},
    "base": {"base": 1},
    "price": {"usd": 1, "base": -1},
    "bps": {"bps": 1},
    "bars": {"bars": 1},
    "days": {"days": 1},
    "ms": {"instant": 1},
    "duration_ms": {"time": 1},
}
NUMBERS = [unit for unit in UNITS if unit != "text"]


class Expected(NamedTuple):
    """A value in exact arithmetic and its dimension."""

    value: Fraction
    dimension: dict[str, int]


def fact(ref: str, value: Any, unit: str) -> Fact:
    """A fact as a tool gives it."""
    return Fact(ref, f"subject of {ref}", ref.partition(".")[2], value, unit, Evidence("run", "r-1"))


FACTS = {
    f"{handle}.{unit}": fact(f"{handle}.{unit}", value, unit)
    for unit in NUMBERS
    for handle, value in (("a", 8), ("b", -3), ("z", 0), ("n", None))
}


def combined(op: str, a: Expected, b: Expected) -> Expected:
    """The operation in exact arithmetic, dimensions by their powers. Raises ValueError where it has no meaning."""
    if op in "+-":
        pair = (a.dimension, b.dimension)
        if op == "-" and pair == ({"instant": 1}, {"instant": 1}):
            return Expected(a.value - b.value, {"time": 1})
        if "instant" in str(pair):
            other = {"time": 1}
            if pair not in ((({"instant": 1}), other), *([(other, {"instant": 1})] if op == "+" else [])):
                raise ValueError
            return Expected(a.value + b.value if op == "+" else a.value - b.value, {"instant": 1})
        if a.dimension != b.dimension:
            raise ValueError
        return Expected(a.value + b.value if op == "+" else a.value - b.value, a.dimension)
    sign = 1 if op == "*" else -1
    if "instant" in a.dimension or "instant" in b.dimension:
        raise ValueError
    value = a.value * b.value if op == "*" else a.value / b.value
    powers = {k: a.dimension.get(k, 0) + sign * b.dimension.get(k, 0) for k in {*a.dimension, *b.dimension}}
    return Expected(value, {k: n for k, n in powers.items() if n})


leaves = st.one_of(
    st.sampled_from([ref for ref in FACTS if not ref.startswith("n.")]), st.sampled_from([repr(c) for c in CONSTANTS])
)
trees = st.recursive(leaves, lambda part: st.tuples(part, st.sampled_from("+-*/"), part), max_leaves=6)


def text_of(tree: Any) -> str:
    """The expression with every parenthesis written."""
    return tree if isinstance(tree, str) else f"({text_of(tree[0])} {tree[1]} {text_of(tree[2])})"


def expected_of(tree: Any) -> Expected:
    """What the tree is worth by the oracle."""
    if isinstance(tree, tuple):
        return combined(tree[1], expected_of(tree[0]), expected_of(tree[2]))
    if tree in FACTS:
        return Expected(Fraction(FACTS[tree].value), DIMENSIONS[FACTS[tree].unit])  # type: ignore[arg-type]  # a number
    return Expected(Fraction(tree), {})


@given(trees)
def test_a_result_has_the_value_and_dimension_that_algebra_gives(tree: Any) -> None:
    """Any expression: calc refuses, or its value and its unit are those of the oracle; it never accepts what has no meaning."""
    try:
        found = evaluate(parse(text_of(tree)), FACTS, {})
    except Refused:
        return
    expected = expected_of(tree)  # raises where calc should have refused
    assert DIMENSIONS[found.unit] == expected.dimension, text_of(tree)
    assert found.value == pytest.approx(float(expected.value), rel=1e-9, abs=1e-9)


def test_every_pair_of_units_is_right_or_refused() -> None:
    """All operations on all pairs: what is accepted is what algebra gives, and everything a desk reckons with is accepted."""
    accepted = set()
    for one in NUMBERS:
        for other in NUMBERS:
            for op in "+-*/":
                tree = (f"a.{one}", op, f"b.{other}")
                try:
                    found = evaluate(parse(text_of(tree)), FACTS, {})
                except Refused:
                    continue
                assert DIMENSIONS[found.unit] == expected_of(tree).dimension, tree
                assert found.value == pytest.approx(float(expected_of(tree).value))
                accepted.add(f"{one} {op} {other} = {found.unit}")
    wanted = {"price * base = usd", "base * price = usd", "usd / base = price", "usd / price = base", "usd * frac = usd"}
    wanted |= {"frac * usd = usd", "usd / count = usd", "bps * ratio = bps", "days / count = days", "usd / usd = ratio"}
    wanted |= {"ms + duration_ms = ms", "duration_ms + ms = ms", "ms - duration_ms = ms", "ms - ms = duration_ms"}
    assert wanted <= accepted


@pytest.mark.parametrize("unit", NUMBERS)
def test_like_and_like_work_in_every_unit(unit: str) -> None:
    """Adding, the larger, the size and the share of two numbers of one unit; an instant only subtracts and compares."""
    one, other = f"a.{unit}", f"b.{unit}"
    assert evaluate(parse(f"max({one}, {other})"), FACTS, {}) == (8.0, unit)
    assert evaluate(parse(f"min({one}, {other})"), FACTS, {}) == (-3.0, unit)
    assert evaluate(parse(f"abs({other})"), FACTS, {}) == (3.0, unit)
    assert evaluate(parse(f"{one} - {other}"), FACTS, {}) == (11.0, "duration_ms" if unit == "ms" else unit)
    if unit == "ms":
        for expression in (f"{one} + {other}", f"share({one}, {other})", f"change({one}, {other})", f"{one} / {other}"):
            with pytest.raises(Refused):
                evaluate(parse(expression), FACTS, {})
        return
    assert evaluate(parse(f"{one} + {other}"), FACTS, {}) == (5.0, unit)
    assert evaluate(parse(f"share({one}, {other})"), FACTS, {}) == (pytest.approx(-8 / 3), "frac")
    assert evaluate(parse(f"change({other}, {one})"), FACTS, {}) == (pytest.approx(11 / 3), "frac")
    assert evaluate(parse(f"{one} / {other}"), FACTS, {}).unit == "ratio"


@pytest.mark.parametrize("unit", NUMBERS)
@pytest.mark.parametrize("other", NUMBERS)
def test_unlike_units_do_not_mix(unit: str, other: str) -> None:
    """Sums, larger of, shares and changes of two different units are refused, but an instant moves by a duration."""
    if unit == other:
        return
    forms = ["{0} + {1}", "{0} - {1}", "max({0}, {1})", "min({0}, {1})", "share({0}, {1})", "change({0}, {1})"]
    if {unit, other} == {"ms", "duration_ms"}:
        assert evaluate(parse(f"a.{unit} + a.{other}"), FACTS, {}) == (16.0, "ms")
        forms = forms[2:] + (["{0} - {1}"] if unit == "duration_ms" else [])
    for form in forms:
        with pytest.raises(Refused, match=r"cannot|meaning"):
            evaluate(parse(form.format(f"a.{unit}", f"a.{other}")), FACTS, {})


@pytest.mark.parametrize("unit", NUMBERS)
def test_nothing_is_divided_by_zero_or_shared_out_of_it(unit: str) -> None:
    """A zero below the line is a refusal with its reason, never an infinity."""
    for expression in (
        f"a.{unit} / z.{unit}",
        f"share(a.{unit}, z.{unit})",
        f"change(z.{unit}, a.{unit})",
        f"a.{unit} / z.count",
    ):
        with pytest.raises(Refused):
            evaluate(parse(expression), FACTS, {})


@pytest.mark.parametrize(
    "form", ["n.usd", "-n.usd", "a.usd + n.usd", "max(n.usd, a.usd)", "share(a.usd, n.usd)", "n.usd / z.usd"]
)
def test_a_missing_number_is_never_taken_for_one(form: str) -> None:
    """null anywhere in the expression names the fact that is missing; it is neither zero nor left out."""
    with pytest.raises(UndefinedFact, match=r"n\.usd"):
        evaluate(parse(form), FACTS, {})


def test_a_number_too_large_for_the_machine_is_refused(make_ctx: Any) -> None:
    """An overflow gives no receipt: the result would not be a number."""
    ctx = make_ctx()
    ctx.facts.update({"a.usd": fact("a.usd", 1e308, "usd")})
    for expression in ("a.usd * 10_000", "a.usd + a.usd", "abs(a.usd * 1000)"):
        result = call(ctx, "calc", {"expression": expression})
        assert result.status == "refused", result.text
        assert "finite" in result.text
    assert not any(ref.startswith("c") for ref in ctx.facts)


def test_a_receipt_of_a_receipt_still_names_the_run(make_ctx: Any) -> None:
    """What is computed from a computed number is about the same things, and the same expression keeps its handle."""
    ctx = make_ctx()
    ctx.facts.update(FACTS)
    first = call(ctx, "calc", {"expression": "a.usd - b.usd"})
    second = call(ctx, "calc", {"expression": f"share({first.facts[0].ref}, a.usd)"})
    assert second.facts[0].value == pytest.approx(11 / 8)
    assert "subject of a.usd" in second.facts[0].subject
    assert "subject of b.usd" in second.facts[0].subject
    again = call(ctx, "calc", {"expression": "{a.usd} - {b.usd}"})
    assert again.facts[0].ref == first.facts[0].ref == "c1.value"
    assert math.isclose(float(again.facts[0].value or 0), 11.0)

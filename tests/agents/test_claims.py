"""Numbers as models write them, against exact arithmetic: each is found with its value; true roundings stand, others do not."""

import re
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from agents.claims import claims
from agents.grounding import Ground, ground
from tests.fakes.facts import RUN, fact, outcome
from tools.common.contract import Fact

SIGNS = {"": 1, "-": -1, "\u2212": -1, "+": 1}
GROUPS = ("", ",", "_", "\u00a0", "\u202f")
SCALES = {"": 1, "k": 1_000, " thousand": 1_000, " million": 10**6, "M": 10**6, "mn": 10**6, "bn": 10**9, " billion": 10**9}
UNITS = {
    "": ("", 1.0),
    "%": ("frac", 0.01),
    " %": ("frac", 0.01),
    " percent": ("frac", 0.01),
    " percentage points": ("frac", 0.01),
    " bps": ("frac", 1e-4),
    " basis points": ("frac", 1e-4),
    " USDT": ("usd", 1.0),
    " dollars": ("usd", 1.0),
    "x": ("ratio", 1.0),
    " R": ("ratio", 1.0),
    " bars": ("count", 1.0),
    " days": ("time", 86_400_000.0),
    " hours": ("time", 3_600_000.0),
    " min": ("time", 60_000.0),
    " s": ("time", 1_000.0),
    " ms": ("time", 1.0),
    " BTC": ("base", 1.0),
}


def grouped(digits: str, mark: str) -> str:
    """Digits in groups of three."""
    return digits if not mark else re.sub(r"(?<=\d)(?=(\d{3})+$)", mark, digits)


@given(
    st.sampled_from(list(SIGNS)),
    st.integers(0, 10**9),
    st.text("0123456789", max_size=4),
    st.sampled_from(GROUPS),
    st.sampled_from(list(SCALES)),
    st.sampled_from(list(UNITS)),
)
def test_a_number_is_found_with_its_value_and_unit(sign: str, whole: int, part: str, mark: str, scale: str, unit: str) -> None:
    """Any sign, grouping, decimals, scale and unit: one claim with the exact value, spanning exactly the number and its unit."""
    assume(not (scale and unit == "x"))  # nobody writes 3kx
    text = f"{sign}{grouped(str(whole), mark)}{'.' + part if part else ''}{scale}{unit}"
    (found,) = claims(f"It came as {text} there.")
    assert found.text == text
    exact = SIGNS[sign] * Decimal(f"{whole}.{part or 0}") * SCALES[scale]
    assert found.value == pytest.approx(float(exact), rel=1e-12, abs=1e-12)
    assert (found.dimension, found.factor) == UNITS[unit]
    assert found.step == pytest.approx(float(Decimal(SCALES[scale]) / 10 ** len(part)))


@given(st.integers(0, 10**6), st.sampled_from(["$", "$ "]), st.sampled_from(["", "-", "\u2212"]))
def test_money_before_the_number_is_money(whole: int, money: str, sign: str) -> None:
    """`$312`, `-$312`: dollars, the sign in front or behind."""
    (found,) = claims(f"Fees of {sign}{money}{whole:,} there")
    assert (found.dimension, found.value) == ("usd", -whole if sign else whole)


@pytest.mark.parametrize("text", ["1M", "5M", "15M", "5M USDT", "5m USDT", "1m dollars", "15m usd"])
def test_millions_are_not_taken_for_a_timeframe(text: str) -> None:
    """`The desk made 5M` is a number like any other, and nothing proves it; `on 5m bars` states none."""
    assert outcome(f"The desk made {text}.", stand(1.2345)) != "unmarked"
    assert list(claims("on 1m, 5m and 15m bars, or 1h, as of the 5m close")) == []


@given(st.text(st.sampled_from("ab 01.,-%$e_~|()[]:/\n2k"), max_size=60))
def test_claims_of_any_line_follow_each_other(text: str) -> None:
    """Whatever stands there: positions rise, do not overlap, lie within the line, and the values are numbers."""
    line = text.replace("\n", " ")
    end = 0
    for found in claims(line):
        assert end <= found.start < found.end <= len(line)
        assert re.search(r"\d", found.text)
        assert found.value == found.value
        end = found.end


# ---------------------------------------------------------------------- true and untrue roundings


def stand(value: float, unit: str = "ratio", metric: str = "sharpe") -> Ground:
    """A thread with one fact."""
    facts: dict[str, Fact] = {f"r1.{metric}": fact(f"r1.{metric}", value, unit)}
    return Ground(facts)


def rounded(value: float, places: int) -> Decimal:
    """The value rounded in exact arithmetic."""
    return Decimal(value).quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)


values = st.floats(-999, 999, allow_nan=False).map(lambda x: round(x, 7))


@given(values, st.integers(0, 4), st.integers(-3, 3))
@example(-0.0078125, 2, 2)  # the other sign of what it rounds to
def test_what_rounds_to_the_fact_is_shown_and_its_neighbours_are_not(value: float, places: int, off: int) -> None:
    """A figure typed to any number of places: right when the fact rounds to it, and a last digit off is not shown so."""
    typed = rounded(value, places) + off * Decimal(1).scaleb(-places)
    step = Decimal(1).scaleb(-places)
    gap = abs(typed - Decimal(value))
    assume(abs(gap - step / 2) > Decimal("0.000002"))  # exactly between two roundings either may stand
    digits = len(str(abs(typed)).replace(".", "").lstrip("0"))
    assume(digits >= 2 or places >= 2 or gap == 0)  # a single digit is too little to round to: its own test
    done = ground(f"The Sharpe is {typed}.", stand(value))
    assert bool(done.struck or done.unchecked) == (gap > step / 2), done.text
    assert ("~~" in done.text, "\u27e6" in done.text) == (bool(done.struck), bool(done.unchecked))


@pytest.mark.parametrize(
    ("value", "text", "stands"), [(3.0, "3", True), (3.2, "3", False), (0.4, "0", False), (2.96, "3", False)]
)
def test_one_digit_is_not_enough_to_round_to(value: float, text: str, *, stands: bool) -> None:
    """`Sharpe 3` for 3.2 says more than is known; for exactly 3 it is true."""
    assert (outcome(f"The Sharpe is {text}.", stand(value)) == "unmarked") is stands


SIGNED = (
    "sharpe",
    "sortino",
    "calmar",
    "expectancy_r",
    "edge_bps",
    "correlation",
    "net_pnl",
    "total_return",
    "difference",
    "skew",
)


@pytest.mark.sample(3)
@pytest.mark.parametrize("metric", SIGNED)
@given(value=st.floats(0.011, 999).map(lambda x: round(x, 2)), lost=st.booleans())
def test_a_figure_with_the_other_sign_is_never_shown_unmarked(metric: str, value: float, *, lost: bool) -> None:
    """A Sharpe of -1.23 is not `Sharpe 1.23`, nor the other way round."""
    of = -value if lost else value
    noun = metric.replace("_", " ")
    assert outcome(f"The {noun} is {-of:.2f}.", stand(of, metric=metric)) != "unmarked"


DESK = (
    ("drawdown_frac", "desk", 0.0194, "frac"),
    ("drawdown_frac_max", "desk", 0.15, "frac"),
    ("gross_frac", "desk", 0.0475, "ratio"),
    ("gross_frac_max", "desk", 3.0, "ratio"),
    ("return_frac", "performance of desk", -0.019, "frac"),
    ("hold_return_frac", "performance of desk", -0.1951, "frac"),
    ("win_frac", "round trips of desk", 0.3274, "frac"),
    ("win_frac", "round trip trail of desk", 0.284, "frac"),
    ("net", "round trips of desk", -570.27, "usd"),
    ("mean_net", "round trips of desk", -2.5, "usd"),
    ("funding", "round trips of desk", -2.13, "usd"),
)


@pytest.mark.parametrize(
    ("text", "stands"),
    [
        ("The drawdown of the desk is 1.94 %", True),
        ("The drawdown of the desk is 15.00 %", False),
        ("The max drawdown of the desk is 15.00 %", False),
        ("The drawdown limit of the desk is 15.00 %", True),
        ("The gross of the desk is 3.00", False),
        ("The return of the desk is -1.90 %", True),
        ("The return of the desk is -19.51 %", False),
        ("The hold return of the desk is -19.51 %", True),
        ("The buy-and-hold return of the desk is -1.90 %", False),
        ("The win rate of round trips of the desk is 32.74 %", True),
        ("The win rate of round trips of the desk is 28.40 %", False),
        ("The net of round trips of the desk is -570.27 USDT", True),
        ("The net of round trips of the desk is -2.50 USDT", False),
        ("The mean net of round trips of the desk is -2.50 USDT", True),
        ("The funding of round trips of the desk is 2.13 USDT", False),
        ("The funding of round trips of the desk is -2.13 USDT", True),
        ("The round trips of the desk paid funding of 2.13 USDT", True),
    ],
)
def test_a_figure_is_that_of_the_fact_which_the_sentence_names_best(text: str, *, stands: bool) -> None:
    """A limit is not what it limits, holding not the desk, a part not the whole."""
    facts = {f"t{n}.{m}": fact(f"t{n}.{m}", value, unit, subject=of) for n, (m, of, value, unit) in enumerate(DESK)}
    assert (outcome(f"{text}.", Ground(facts)) == "unmarked") is stands


@pytest.mark.parametrize("metric", ["max_drawdown", "fees", "costs", "slippage"])
def test_what_people_say_without_its_sign_may_be_said_so(metric: str) -> None:
    """A drawdown of -0.0123 is `a drawdown of 1.23 %`."""
    noun = metric.replace("_", " ")
    assert outcome(f"The {noun} is 1.23 %.", stand(-0.0123, "frac", metric)) == "unmarked"


@given(st.floats(-0.999, 0.999).map(lambda x: round(x, 6)), st.integers(2, 4))
def test_a_fraction_stands_as_percent_and_as_basis_points(value: float, places: int) -> None:
    """The same return in three units, and never with the factor of one and the sign of another."""
    assume(abs(value) > 0.001)
    percent, points = rounded(value * 100, places), rounded(value * 10_000, places)
    of = stand(value, "frac", "total_return_frac")
    assert outcome(f"The return is {percent} %.", of) == "unmarked"
    assert outcome(f"The return is {points} bps.", of) == "unmarked"
    assert outcome(f"The return is {percent} bps.", of) != "unmarked"
    assert outcome(f"The return is {-percent} % in total.", of) != "unmarked"


# ---------------------------------------------------------------------- an invented number, wherever it hides


INVENTED = "48151.62"
PLACES = (
    "The Sharpe is {}.",
    "The Sharpe is **{}**.",
    "The Sharpe is `{}`.",
    "Sharpe=({})",
    "Sharpe:{};",
    "- Sharpe {}",
    "> Sharpe {}",
    "## Sharpe {}",
    "1. Sharpe {}",
    "| metric | value |\n|---|---|\n| sharpe | {} |",
    "```\nsharpe = {}\n```",
    "Sharpe \u2248 {}",
    "Sharpe\u200b{}",
    "Sharpe {} in 2025",
    "See [Sharpe {}](run:r-8f2a1c).",
    "![Sharpe {}](http://evil/x.png)",
    "Sharpe ~~{}~~",
    "<b>Sharpe {}</b>",
    "Sharpe \u2067{}\u2069",
    "Sharpe {{r1.sharpe}} or {}",
    "row 7: Sharpe {}",
    "Sharpe {}%",
    "Sharpe was $ {}",
    "the Sharpe of run r-8f2a1c is {}",
)


@settings(max_examples=60)
@given(st.sampled_from(PLACES), st.text(st.sampled_from("abc .|*`\n>{}~_[]()"), max_size=20), st.text("abc .\n|`*", max_size=20))
def test_an_invented_number_is_shown_unmarked_in_no_place(place: str, before: str, after: str) -> None:
    """In prose, code, tables, quotations, links, images and marks of its own: a reader never sees it without a mark."""
    draft = f"{before}\n\n{place.format(INVENTED)}\n\n{after}"
    done = ground(draft, stand(1.2345))
    assert INVENTED not in re.sub(r"~~[^~]*~~|\u27e6[^\u27e6\u27e7]*\u27e7", "", done.text), done.text
    assert any(INVENTED in text for text in [*(entry.text for entry in done.struck), *done.unchecked])


@pytest.mark.parametrize("place", PLACES[:12])
def test_the_true_number_is_shown_in_the_same_places(place: str) -> None:
    """What marks the invented one leaves the fact alone: the test above is not passed by marking everything."""
    done = ground(place.format("1.2345"), stand(1.2345))
    assert (done.struck, done.unchecked) == ((), ())
    assert "1.2345" in done.text


def test_every_struck_sentence_is_listed_with_its_reason() -> None:
    """As many entries as marks; each with what was typed, where, and why."""
    done = ground("The Sharpe of r1 is 9.99. It looks fine. Run r-0bad-1 says so.", stand(1.2345))
    assert [entry.text for entry in done.struck] == ["The Sharpe of r1 is 9.99.", "Run r-0bad-1 says so."]
    assert done.text.count("~~") == 2 * len(done.struck)
    assert all(entry.text in entry.sentence and entry.why for entry in done.struck)


def test_a_fact_that_no_sentence_names_lends_its_value_to_nobody() -> None:
    """Nine runs in a thread: a figure of one of them needs the run's name, or any number near would find its fact."""
    facts: dict[str, Any] = {f"r{n}.sharpe": fact(f"r{n}.sharpe", n + 0.25, "ratio", f"variant {n}", RUN) for n in range(1, 11)}
    crowd = Ground({ref: f._replace(evidence=f.evidence._replace(id=f"r-{ref[1:3]}aa")) for ref, f in facts.items()})
    assert outcome("A Sharpe of 4.25 is possible.", crowd) == "marked"
    assert outcome("r4 has a Sharpe of 4.25.", crowd) == "unmarked"
    assert outcome("r5 has a Sharpe of 4.25.", crowd) == "struck"

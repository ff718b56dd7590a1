"""Finding a strategy by name: shipped ones, people's own files, and what is said when a file is off."""

from pathlib import Path

import pytest

from engine.errors import BadInput, StrategyError
from engine.strategies.base import OURS, code_sha256, fresh_copy, list_strategies, load_strategy, parse_params

GOOD = '''"""Mine: buys every bar.

Hypothesis: none.
"""
import numpy as np
from engine.strategies.base import SignalFrame, StrategyParams, knob

NAME = "mine"
FEATURES = ("sma",)


class Params(StrategyParams):
    window: int = knob(20, 2, 100, "bars", None, "window")


def signals(f, p):
    up = f.close > f.sma(p.window)
    return SignalFrame(up.astype(np.int8), up.astype(float))
'''


def put(own_home: Path, text: str, name: str = "mine") -> Path:
    """A file in the home's strategies folder."""
    path = own_home / "strategies" / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_persons_file_is_found_by_name(own_home) -> None:
    """Put it into $NIGHTDESK_HOME/strategies and use its name."""
    put(own_home, GOOD)
    mine = load_strategy("mine")
    assert mine.NAME == "mine"
    assert parse_params(mine, {"window": "30"}).window == 30


CHOICE = GOOD.replace(
    "    window: int", '    mode: Literal["slow", "fast"] = choice("slow", None, "pace")\n    window: int'
).replace("import SignalFrame,", "import choice, SignalFrame,")


def test_a_persons_parameter_may_be_a_word(own_home) -> None:
    """Literal and choice(): the word that is given, the default, and a wrong one refused with the words there are."""
    put(own_home, "from typing import Literal\n" + CHOICE)
    mine = load_strategy("mine")
    assert (parse_params(mine).mode, parse_params(mine, {"mode": " fast "}).mode) == ("slow", "fast")
    with pytest.raises(BadInput, match="mine: mode = 'fats' is not one of slow, fast - did you mean fast"):
        parse_params(mine, {"mode": "fats"})


def test_an_edit_is_seen_at_once(own_home) -> None:
    """No stale copy: the text that is there now is the text that runs, and its digest moves."""
    put(own_home, GOOD)
    before = load_strategy("mine")
    put(own_home, GOOD.replace("knob(20", "knob(25"))
    after = load_strategy("mine")
    assert (before.Params().window, after.Params().window) == (20, 25)
    assert code_sha256(before) != code_sha256(after)
    assert fresh_copy(before).Params().window == 20


def test_an_unknown_name_lists_what_there_is(own_home) -> None:
    """A typing error gets the nearest name; a stranger the list and the folder."""
    put(own_home, GOOD)
    with pytest.raises(BadInput, match="unknown strategy 'trnd' - did you mean trend"):
        load_strategy("trnd")
    with pytest.raises(
        BadInput,
        match=r"available: trend, reversion, cross, volscaled, regime, mlsignal, pairs, mine; your own go into .*strategies",
    ):
        load_strategy("zzz")


@pytest.mark.parametrize("name", ["../mine", "/etc/passwd", "mine.py", "", "engine.strategies.trend", "a\0b"])
def test_a_name_is_never_a_path(own_home, name) -> None:
    """Only names of files in the folder are known."""
    put(own_home, GOOD)
    with pytest.raises(BadInput, match="unknown strategy"):
        load_strategy(name)


def test_a_file_name_that_is_no_name_is_told(own_home) -> None:
    """My-Strategy.py cannot be a strategy's name, and the message says what can."""
    put(own_home, GOOD, "My-Strategy")
    with pytest.raises(BadInput, match="lower-case letters"):
        load_strategy("My-Strategy")


def test_a_shipped_name_cannot_be_taken(own_home) -> None:
    """Whose `trend` would it be? Neither: it is refused until the file is renamed."""
    put(own_home, GOOD.replace('"mine"', '"trend"'), "trend")
    with pytest.raises(BadInput, match="has the name of the shipped strategy trend - rename"):
        load_strategy("trend")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def signals(f, p:\n", r"does not import: SyntaxError: .* \(line 1\)"),
        ("import numpy\n\nimport no_such_thing_at_all\n", r"ModuleNotFoundError: No module named .* \(line 3\)"),
        ("x = 1 / 0\n", r"ZeroDivisionError: division by zero \(line 1\)"),
        ("import sys\nsys.exit(3)\n", r"SystemExit: 3 \(line 2\)"),
        ("class Odd(BaseException): ...\nraise Odd(3)\n", r"Odd: 3 \(line 2\)"),
        ("", "lacks NAME, FEATURES, Params, signals"),
        (GOOD.replace("def signals", "def signal"), "lacks signals"),
        (GOOD.replace('NAME = "mine"', 'NAME = "other"'), "says NAME = 'other'"),
        (GOOD.replace('("sma",)', '("sma", "magic")'), "no feature 'magic' - available: sma"),
        (
            GOOD.replace('("sma",)', '("zscored",)'),
            r'FEATURES lists zscored, a form of any feature - list the feature that it is of: FEATURES = \("rsi",\) for f',
        ),
        (GOOD.replace('("sma",)', '"sma"'), "FEATURES is not a tuple of names"),
        (GOOD.replace('("sma",)', "7"), "FEATURES is not a tuple of names"),
        (GOOD.replace("class Params(StrategyParams)", "class Params"), "Params is not a StrategyParams"),
        (GOOD + "\nsignals = 5\n", "signals is not a function"),
        (GOOD.replace("knob(20, 2", "knob(1, 2"), "invalid defaults: mine: window = 1 is out of bounds"),
        (
            "from typing import Literal\n" + CHOICE.replace('choice("slow"', 'choice("idle"'),
            "mode = 'idle' is not one of slow, fast",
        ),
    ],
)
def test_a_file_that_is_off_is_told_in_one_line(own_home, text, said) -> None:
    """What, in which file and line, and what to do; no traceback."""
    put(own_home, text)
    with pytest.raises(StrategyError, match=said) as caught:
        load_strategy("mine")
    assert "mine.py" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_text_is_told(own_home) -> None:
    """Bytes that are no UTF-8 are a file that does not import."""
    path = put(own_home, "")
    path.write_bytes(b"\xff\xfe\x00bad")
    with pytest.raises(StrategyError, match="does not import"):
        load_strategy("mine")


def test_the_list_shows_broken_files_with_their_reason(own_home) -> None:
    """Shipped ones first, then people's, sorted; a broken one costs nobody the list; private files stay out."""
    put(own_home, GOOD)
    put(own_home, "x = 1 / 0\n", "broken")
    put(own_home, "", "_draft")
    listed = list_strategies()
    assert [one.name for one in listed] == [*OURS, "broken", "mine"]
    by_name = {one.name: one for one in listed}
    assert "ZeroDivisionError" in by_name["broken"].error
    assert by_name["mine"].about == "Mine: buys every bar."
    assert all(by_name[name].shipped and by_name[name].about and not by_name[name].error for name in OURS)


def test_without_a_home_there_are_the_shipped_ones(tmp_path) -> None:
    """A folder that is not there is an empty one."""
    assert [one.name for one in list_strategies(tmp_path / "nowhere")] == list(OURS)

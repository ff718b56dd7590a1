"""A copy stays in its parent's family, whatever its names and numbers; other code does not."""

from pathlib import Path

import pytest

from engine.research.family import fingerprint, instruments_of
from engine.strategies.base import load_strategy

TEXT = '''"""A hypothesis."""
import numpy as np
from engine.strategies.base import SignalFrame, StrategyParams, knob

NAME = "mine"
FEATURES = ("rsi", "sma")


class Params(StrategyParams):
    """Its own."""

    window: int = knob(14, 2, 100, "bars", None, "window")
    low: float = knob(30.0, 0.0, 50.0, "", None, "oversold")


def signals(f, p):
    """Buy what is oversold above its average."""
    # a comment
    value = f.rsi(p.window)
    above = f.close > f.sma(200)
    side = np.where((value < p.low) & above, 1, np.where(value > 100 - p.low, -1, 0)).astype(np.int8)
    return SignalFrame(side, np.abs(side) * 0.5)
'''


def of(folder: Path, text: str, name: str = "mine") -> str:
    """The fingerprint of a file."""
    path = folder / f"{name}.py"
    path.write_text(text)
    return fingerprint(load_strategy(name, folder))


RENAMED = (
    TEXT.replace('"mine"', '"other"').replace("window", "span").replace("p.low", "p.floor").replace("    low:", "    floor:")
    .replace("value", "x").replace("above", "y").replace("side", "z").replace("np", "numbers")
)  # fmt: skip


def test_names_constants_and_comments_make_no_other_family(tmp_path: Path) -> None:
    """A file that was copied, renamed all over and given other numbers."""
    again = RENAMED.replace("import numbery as numbers", "import numpy as numbers").replace("200", "150").replace("30.0", "25.0")
    again = (
        again.replace("# a comment", "# quite another one")
        .replace("Buy what is oversold", "Something else")
        .replace("0.5", "0.9")
    )
    assert of(tmp_path, TEXT) == of(tmp_path, again, "other")
    assert of(tmp_path, TEXT.replace("100 - p.low", "-1 - p.low")) == of(tmp_path, TEXT)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("side", "direction"),  # a name that the engine has, too
        ("above", "sum"),  # one that Python has
        ("200", "200.5"),
        ("14, 2, 100", "14.0, 2, 100.0"),
        ("import numpy as np", "import math\nimport numpy as np"),
        ("def signals(f, p):", "def signals(f: object, p: Params) -> SignalFrame:"),
    ],
)
def test_what_changes_no_signal_changes_no_family(tmp_path: Path, old: str, new: str) -> None:
    """Names that others use as well, whole and broken numbers, what is imported, annotations."""
    assert old in TEXT
    assert of(tmp_path, TEXT) == of(tmp_path, TEXT.replace(old, new).replace('"mine"', '"other"'), "other")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("f.sma(200)", "f.ema(200)"),
        ("value < p.low", "value <= p.low"),
        ("& above", "| above"),
        ("f.close >", "f.open >"),
        ("np.abs(side)", "np.sign(side)"),
        ("* 0.5)", "* 0.5, exit_long=value > 50)"),
        ("f.sma(200)", 'f.zscored("rsi", 14)'),
    ],
)
def test_another_signal_is_another_family(tmp_path: Path, old: str, new: str) -> None:
    """What the strategy does is its family."""
    changed = TEXT.replace(old, new).replace('("rsi", "sma")', '("rsi", "sma", "ema")')
    assert of(tmp_path, changed) != of(tmp_path, TEXT)


def test_a_feature_named_by_text_is_part_of_the_code(tmp_path: Path) -> None:
    """zscored("rsi") and zscored("sma") are different signals."""
    one = TEXT.replace("f.sma(200)", 'f.zscored("rsi", 14)')
    assert of(tmp_path, one) != of(tmp_path, one.replace('zscored("rsi"', 'zscored("sma"'))


def test_instruments_are_named_once_and_without_their_venue() -> None:
    """The order in which they are named does not matter."""
    pairs = [("ETH-USDT", "perp"), ("BTC-USDT", "perp"), ("ETH-USDT", "perp")]
    assert instruments_of(pairs) == "BTC-USDT perp, ETH-USDT perp"

"""A new strategy file that runs, with its hypothesis page to be filled in. Called by `nightdesk strategies new`."""

import keyword
from pathlib import Path

from engine.errors import BadInput
from engine.strategies.base import NAMES, OURS

TEMPLATE = '''"""{title}: say in one line what it does.

Hypothesis: why should the next move be worth more than its costs? Who loses this money, and why do they go on?
Universe: which instruments and timeframe; what has to be true of their volume and spread.
Signal: what is computed at a close, and when it says long, short or nothing.
Exit: stop, target, trail, time, or a signal of its own.
Sizing: risk at the stop under the caps, unless you say otherwise.
Constraints: in which markets it must lose; what it cannot see.
What would disprove it: the figure that ends this idea, written down before the first backtest.
"""

import numpy as np

from engine.strategies.base import SignalFrame, StrategyParams, knob

NAME = "{name}"
FEATURES = ("ema", "atr")


class Params(StrategyParams):
    """Its own parameters beside the common ones: default, least, most, unit, how a larger value moves risk, what it is."""

    fast_bars: int = knob(20, 2, 500, "bars", None, "window of the fast average")
    slow_bars: int = knob(100, 5, 2000, "bars", None, "window of the slow average")


def signals(f, p):
    """Long while the fast average is above the slow one by an ATR, short the other way round. Replace it by your own."""
    spread = (f.ema(p.fast_bars) - f.ema(p.slow_bars)) / f.atr(p.atr_bars)
    direction = np.where(spread > 1.0, 1, np.where(spread < -1.0, -1, 0)).astype(np.int8)
    return SignalFrame(direction, np.where(direction == 0, 0.0, 1.0))
'''


def write_new(name: str, folder: Path) -> Path:
    """Write `folder/NAME.py` from the template; its path. Raises BadInput for a name that cannot be one or is taken."""
    if not NAMES.fullmatch(name) or keyword.iskeyword(name):
        raise BadInput(f"invalid strategy name {name[:60]!r}", "use lower-case letters, digits and _, a letter first")
    if name in OURS:
        raise BadInput(f"{name} is a shipped strategy", "choose another name")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.py"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE.format(name=name, title=name.replace("_", " ").capitalize()))
    except FileExistsError:
        raise BadInput(f"{path} exists", "choose another name, or edit that file") from None
    return path

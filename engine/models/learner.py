"""What a learner is: a module that fits trees. Implemented by lgbm.py and catboost_fit.py; learners.py finds one by its name.

Another library is one more such module and one more line in learners.py: whatever it is, its trees come out in the words that
trees.py reads, so that artifacts, the worker and the figures know of one kind of tree.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from engine.errors import BadInput

Array = npt.NDArray[np.float64]
Settings = Mapping[str, int | float]


class Setting(NamedTuple):
    """One parameter that a configuration may set: default and bounds, both included."""

    default: float
    low: float
    high: float
    integer: bool


class FittedTrees(NamedTuple):
    """A trained model as text and as the dump that trees.py reads; `gain`: of each column, summed over all splits."""

    text: str
    dump: dict[str, Any]
    gain: Array


class Learner(Protocol):
    """The module: its package, what may be set, the objectives that its trees are equal for to the bit, and one fit."""

    PACKAGE: str
    SETTINGS: Mapping[str, Setting]
    OBJECTIVES: tuple[str, ...]

    @staticmethod
    def fit(rows: Array, target: Array, objective: str, settings: Settings) -> FittedTrees:
        """Train on `rows` (n, k), NaN where missing, and `target` (n,), finite: the same text for the same input, in any process.

        Raises DataError when the library refuses the rows.
        """


def settings_in(known: Mapping[str, Setting], given: Mapping[str, Any], where: str) -> dict[str, int | float]:
    """All settings, defaults filled in. Raises BadInput naming the first that is unknown or out of bounds."""
    if unknown := sorted(set(given) - set(known)):
        raise BadInput(f"{where}: unknown setting {str(unknown[0])[:40]!r}", f"available: {', '.join(known)}")
    found: dict[str, int | float] = {}
    for name, one in known.items():
        value = given.get(name, one.default)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not one.low <= value <= one.high or (one.integer and value != int(value)):
            what = "a whole number" if one.integer else "a number"
            raise BadInput(f"{where}: {name} = {str(value)[:40]!r} is out of bounds", f"{what} from {one.low:g} to {one.high:g}")
        found[name] = int(value) if one.integer else float(value)
    return found

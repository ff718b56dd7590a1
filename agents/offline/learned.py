"""A classifier of what is asked, read from learned.npz. Called by choose.py: slots in, what is asked with its probability out.

Multinomial logistic regression over features.py, learned by training.py from the sentences in sentences/. Weights are whole
numbers of eight bits and summed as such, so that the same sentence is read alike on every machine.
"""

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from agents.offline.features import features
from agents.offline.labels import ANYTHING, FOLLOWS, AskLabel
from agents.offline.slots import Slots

FILE = Path(__file__).parent / "learned.npz"
IN_THREAD = "in a thread"
NONE = "none"  # of an argument: not set
ASK = "ask"


class Guess(NamedTuple):
    """What may be asked, and how probable that is, 0 to 1."""

    label: AskLabel
    probability: float


class _Weights(NamedTuple):
    row_of: Mapping[str, int]  # feature -> its row
    idf: "np.ndarray[Any, Any]"  # int64: how rare each feature is, in 1/256
    weights: "np.ndarray[Any, Any]"  # int8: features x columns
    bias: "np.ndarray[Any, Any]"  # float64: columns, in units of their weights
    scale: "np.ndarray[Any, Any]"  # float64: columns
    columns: Sequence[tuple[str, str]]  # (group, value): group `ask`, or an argument


@cache
def _weights() -> _Weights:
    with np.load(FILE, allow_pickle=False) as file:
        held = {name: file[name] for name in file.files}
    names = str(held["features"]).split("\n")
    columns = [(group, value) for group, _, value in (line.partition("\t") for line in str(held["columns"]).split("\n"))]
    return _Weights(
        {name: i for i, name in enumerate(names)},
        held["idf"].astype(np.int64),
        held["weights"],
        held["bias"],
        held["scale"],
        columns,
    )


def in_context(of: frozenset[str], before: str) -> frozenset[str]:
    """The features of a sentence in a thread; `before`: what was asked before it, empty for a first one."""
    if not before:
        return of
    known = () if before == ANYTHING else (f"before:{before.split(maxsplit=1)[0]}",)
    own = {f"t{name}" for name in of if name.startswith(("w:", "b:", "n:", "has:"))}  # `eth?` is more of it, or a question
    beside = {f"{tool}&{name}" for tool in known for name in of if name.startswith("w:")}
    return of | {IN_THREAD, *known} | own | beside


@lru_cache(maxsize=256)
def guesses(slots: Slots, before: str = "") -> tuple[Guess, ...]:
    """What is asked, the most probable first; going on with something is possible in a thread alone."""
    by_group = _probabilities(in_context(features(slots), before))
    asks = {ask: p for ask, p in by_group[ASK].items() if before or ask not in FOLLOWS}
    total = sum(asks.values())
    args = {group: max(values.items(), key=lambda item: item[1]) for group, values in by_group.items() if group != ASK}
    named = {group: value for group, (value, p) in args.items() if value != NONE and p >= SURE}
    return tuple(Guess(AskLabel(ask, named), p / total) for ask, p in sorted(asks.items(), key=lambda item: -item[1]))


SURE = 0.8  # an argument's value is set from here on


def _probabilities(of: frozenset[str]) -> dict[str, dict[str, float]]:
    held = _weights()
    rows = sorted(row for name in of if (row := held.row_of.get(name)) is not None)
    idf = held.idf[rows]
    length = float(np.sqrt(float((idf * idf).sum()))) or 1.0
    sums = idf @ held.weights[rows].astype(np.int64) if rows else np.zeros(len(held.columns), dtype=np.int64)
    scores = (sums / length) * held.scale + held.bias
    by_group: dict[str, dict[str, float]] = {}
    for (group, value), score in zip(held.columns, scores.tolist(), strict=True):
        by_group.setdefault(group, {})[value] = score
    return {group: _softmax(values) for group, values in by_group.items()}


def _softmax(scores: Mapping[str, float]) -> dict[str, float]:
    top = max(scores.values())
    raised = {name: float(np.exp(score - top)) for name, score in scores.items()}
    total = sum(raised.values())
    return {name: value / total for name, value in raised.items()}

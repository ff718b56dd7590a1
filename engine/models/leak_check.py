"""Does a training recipe use what was not known? Its future is replaced; whatever changes before that is a leak.

Called by the trainer for every model that it makes, and by whoever wants to know of a recipe of their own. Turns a recipe (a
function of bars alone) into a LeakCheck. A cut is a row: every bar after it, of all instruments, and every outside observation
that is known after its close are replaced, once by prices that jump up and once by prices that fall. Columns and predictions up
to the cut, and the models that answer from the next close on, have to keep every bit. It finds a model that was fitted to its
test, a scaler or a selection over all rows, a smoothed regime, labels that reach into the test, a value that is read before it
was known, and the target among the features, without knowing of any of them. It cannot find what is wrong in the data itself, as
a publication lag that is declared too short, and it sees only the cuts that it made: its text names them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.clock import utc
from engine.data.sources import Observations
from engine.errors import BadInput
from engine.features.frame import FeatureFrame

CUTS = 8  # by default
JUMP, MOVE, SEED = 0.05, 0.01, 11  # log return after the cut, deviation of those that follow; of the replaced bars
HOLES_FRAC = 0.002  # of the replaced bars are missing
SHOWN = 20  # leaks that are listed
Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


class RecipeRun(NamedTuple):
    """What a recipe makes of bars. A row a bar, NaN where there is nothing."""

    names: tuple[str, ...]
    columns: Array  # (n, k) what the predictions are made from; of a column of each fold, the one that tests the row
    predictions: Array  # (n,)
    models: tuple[tuple[int, str], ...]  # (the first close that it answers for, UTC ms; all of it as text), ascending


Recipe = Callable[[FeatureFrame], RecipeRun]


class Leak(NamedTuple):
    """One thing that depends on what came after the cut; times in UTC ms."""

    what: str  # column returns(4) | prediction | model
    at_ms: int  # the first close whose value changed, or that the model answers for
    cut_ms: int

    @property
    def text(self) -> str:
        """In one line."""
        return f"{self.what} of {utc(self.at_ms)} depends on bars after {utc(self.cut_ms)}"


class LeakCheck(NamedTuple):
    """The leaks, and how hard they were looked for."""

    leaks: tuple[Leak, ...]  # of each thing the first
    cuts_ms: tuple[int, ...]
    columns: int
    models: int  # that were compared at a cut, each time counted

    @property
    def clean(self) -> bool:
        """Nothing was found where it could have been."""
        return not self.leaks and self.models > 0

    @property
    def text(self) -> str:
        """The verdict, then its power."""
        found = "; ".join(leak.text for leak in self.leaks[:3]) + (f"; {len(self.leaks) - 3} more" if len(self.leaks) > 3 else "")
        verdict = f"LOOK-AHEAD: {found}" if self.leaks else "no leak found" if self.models else "nothing was compared"
        span = f"{utc(self.cuts_ms[0])} to {utc(self.cuts_ms[-1])}"
        power = f"{len(self.cuts_ms)} cuts from {span}, 2 futures each, {self.columns} columns, {self.models} models compared"
        return f"{verdict} ({power})"

    def as_json(self) -> dict[str, Any]:
        """As metrics keep it."""
        listed = [leak._asdict() | {"text": leak.text} for leak in self.leaks[:SHOWN]]
        return {"clean": self.clean, "text": self.text, "found": len(self.leaks), "leaks": listed, "cuts_ms": list(self.cuts_ms)}


def check(
    recipe: Recipe, frame: FeatureFrame, count: int = CUTS, progress: Callable[[float], None] = lambda _done: None
) -> LeakCheck:
    """Run the recipe on the frame, and twice for each of about `count` cuts; costs 2 `count` + 1 runs of it.

    Raises BadInput for a recipe without a model or with other shapes, and whatever the recipe raises.
    """
    first = _run(recipe, frame)
    cuts = cuts_of(frame, first, count)
    leaks: dict[str, Leak] = {}
    compared = 0
    for number, cut in enumerate(cuts):
        next_ms = int(frame.close_ms[cut]) + frame.timeframe_ms
        compared += 2 * sum(from_ms <= next_ms for from_ms, _ in first.models)
        for up in (True, False):
            again = _run(recipe, replaced(frame, cut, up))
            for leak in _leaks(frame, first, again, cut):
                leaks.setdefault(leak.what, leak)
        progress((number + 1) / len(cuts))
    times = tuple(int(frame.close_ms[cut]) for cut in cuts)
    return LeakCheck(tuple(leaks.values()), times, len(first.names), compared)


def _run(recipe: Recipe, frame: FeatureFrame) -> RecipeRun:
    found = recipe(frame)
    shape = (len(frame), len(found.names))
    if found.columns.shape != shape or found.predictions.shape != shape[:1] or not found.models:
        what = f"columns {found.columns.shape}, predictions {found.predictions.shape}, {len(found.models)} models"
        raise BadInput(f"a recipe gave {what}, for {shape[0]} bars and {shape[1]} names", "a row a bar, a column a name, a model")
    return found


def cuts_of(frame: FeatureFrame, run: RecipeRun, count: int) -> list[int]:
    """About `count` rows to cut after, where leaks show: before the first answer of a model, among its answers, before an outside
    observation arrives."""
    close_ms, last = frame.close_ms, len(frame) - 2
    starts = np.searchsorted(close_ms, [from_ms for from_ms, _ in run.models]) - 1
    before = _spread(starts, max(1, count // 2)).tolist()
    answered = np.flatnonzero(np.isfinite(run.predictions))[1:-1]
    among = _spread(answered, max(1, count - len(before))).tolist() if len(answered) else []
    arrivals = [row for one in frame.beside[1].values() for row in _before_arrival(close_ms, one, int(starts[0]))]
    return sorted({min(cut, last) for cut in (*before, *among, *arrivals) if cut >= 0})


def _spread(values: Rows, count: int) -> Rows:
    """At most `count` of them, evenly, both ends included."""
    return values[np.unique(np.linspace(0, len(values) - 1, min(count, len(values))).round().astype(int))]


def _before_arrival(close_ms: Rows, known: Observations, first: int) -> list[int]:
    """The last row before an observation in the middle of those that arrive after row `first`; none where none does."""
    within = known.available_ms[(known.available_ms > close_ms[max(first, 0)]) & (known.available_ms <= close_ms[-1])]
    return [int(np.searchsorted(close_ms, within[len(within) // 2])) - 1] if len(within) else []


def _leaks(frame: FeatureFrame, first: RecipeRun, again: RecipeRun, cut: int) -> list[Leak]:
    """What differs in two runs that share the bars up to `cut`."""
    cut_ms, found = int(frame.close_ms[cut]), []
    pairs = [(f"column {name}", first.columns[:, n], again.columns[:, n]) for n, name in enumerate(first.names)]
    for what, was, now in (*pairs, ("prediction", first.predictions, again.predictions)):
        differs = _differs(was[: cut + 1], now[: cut + 1])
        if differs.any():
            found.append(Leak(what, int(frame.close_ms[np.argmax(differs)]), cut_ms))
    there = dict(again.models)
    for from_ms, text in first.models:
        if from_ms <= cut_ms + frame.timeframe_ms and there.get(from_ms) != text:
            found.append(Leak("model", from_ms, cut_ms))
            break
    return found


def _differs(was: Array, now: Array) -> npt.NDArray[np.bool_]:
    """Which values are not the same bits; one missing value is as good as another."""
    same = np.ascontiguousarray(was).view(np.int64) == np.ascontiguousarray(now).view(np.int64)
    return ~(same | (np.isnan(was) & np.isnan(now)))


def replaced(frame: FeatureFrame, cut: int, up: bool) -> FeatureFrame:
    """The frame with other bars after row `cut`, of other instruments too, and other observations after its close."""
    dice = np.random.default_rng([SEED, cut, up])
    others, outside = frame.beside
    changed = {name: _replaced_bars(other, cut, up, dice, {}, {}) for name, other in others.items()}
    cut_ms = int(frame.close_ms[cut])
    seen = {name: _replaced_series(series, cut_ms, up, dice) for name, series in outside.items()}
    return _replaced_bars(frame, cut, up, dice, changed, seen)


def _replaced_bars(
    frame: FeatureFrame,
    cut: int,
    up: bool,
    dice: np.random.Generator,
    others: dict[str, FeatureFrame],
    outside: dict[str, Observations],
) -> FeatureFrame:
    """A random walk from the last price that there was, which begins with a jump; bars that hang together, a few missing."""
    rows = len(frame) - cut - 1
    there = frame.close[: cut + 1][np.isfinite(frame.close[: cut + 1])]
    begins = float(there[-1]) if len(there) else 1.0
    moves = dice.normal(0.0, MOVE, rows)
    moves[0] = JUMP if up else -JUMP
    close = begins * np.exp(np.cumsum(moves))
    opens = np.concatenate([[begins], close[:-1]])
    high = np.maximum(opens, close) * np.exp(np.abs(dice.normal(0.0, MOVE / 2, rows)))
    low = np.minimum(opens, close) * np.exp(-np.abs(dice.normal(0.0, MOVE / 2, rows)))
    usual = frame.volume[: cut + 1][np.isfinite(frame.volume[: cut + 1])]
    volume = (3.0 * float(usual.mean()) if len(usual) else 1.0) * np.exp(dice.normal(0.0, 0.5, rows))
    made = {"open": opens, "high": high, "low": low, "close": close, "volume": volume}
    if "taker_buy_volume" in frame.recorded:
        made["taker_buy_volume"] = volume * dice.uniform(0.0, 1.0, rows)
    holes = dice.uniform(size=rows) < HOLES_FRAC
    holes[:1] = False  # the jump is there in any case
    columns = dict[str, Any]()
    for name, values in made.items():
        values[holes] = np.nan
        columns[name] = np.concatenate([getattr(frame, name)[: cut + 1], values])
    return FeatureFrame(frame.close_ms, **columns, timeframe_ms=frame.timeframe_ms, others=others, outside=outside)


def _replaced_series(known: Observations, cut_ms: int, up: bool, dice: np.random.Generator) -> Observations:
    """Values that are known after the cut, drawn anew well outside of what they were."""
    after = known.available_ms > cut_ms
    finite = known.values[np.isfinite(known.values)]
    centre, size = (float(finite.mean()), float(finite.std()) or 1.0) if len(finite) else (0.0, 1.0)
    drawn = centre + (5.0 if up else -5.0) * size * dice.uniform(0.5, 1.5, len(known.values))
    return known._replace(values=np.where(after, drawn, known.values))

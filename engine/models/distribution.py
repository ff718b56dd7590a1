"""How the numbers that a model was trained on were distributed: stored beside it, for input_drift.py to compare with.

Made by train.py from the training rows of the last fit, the one that answers from now on, and from what it says of
them. Written into the artifact as distribution.json; artifacts from before it have none.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.data.sources import OutsideSeries
from engine.errors import DataError
from engine.features.calls import CALLS_MAX
from engine.features.reads import Reads

VERSION = 1
BINS = 10  # of equal counts, the outer ones open
POINTS = 201  # of the stored curve: a KS statistic from it is exact to 1/402
FIELDS = ("rows", "missing", "effective", "points", "edges", "shares")
LISTED_MAX = 100  # instruments or series that features read
Array = npt.NDArray[np.float64]


class ColumnDistribution(NamedTuple):
    """One column. Without a value in any row `points`, `edges` and `shares` are empty."""

    rows: int
    missing: int  # rows without a value
    effective: float  # independent values among the others
    points: tuple[float, ...]  # POINTS quantiles, each as likely as the next
    edges: tuple[float, ...]  # of the bins: value v is in the first bin whose edge is v or above
    shares: tuple[float, ...]  # of the values, one more than edges


class TrainedDistribution(NamedTuple):
    """All that a comparison needs: what the features read, their columns in the manifest's order, and the predictions."""

    reads: Reads
    features: tuple[ColumnDistribution, ...]
    predictions: ColumnDistribution
    first_ms: int  # close of the first training row, UTC
    last_ms: int


def column_distribution(values: Array) -> ColumnDistribution:
    """Of one column, (n,); what is not finite is missing."""
    kept = values[np.isfinite(values)]
    if not len(kept):
        return ColumnDistribution(len(values), len(values), 0.0, (), (), ())
    at = (np.arange(POINTS) + 0.5) / POINTS
    points = np.quantile(kept, at, method="inverted_cdf")
    edges = np.unique(np.quantile(kept, np.arange(1, BINS) / BINS, method="inverted_cdf"))
    if kept.min() == kept.max():  # bins on either side of the only value
        edges = np.array([np.nextafter(edges[0], -np.inf), edges[0]])
    sizes = shares_of(kept, edges)
    return ColumnDistribution(
        len(values), len(values) - len(kept), len(kept) / correlation_time(kept), _floats(points), _floats(edges), _floats(sizes)
    )


def shares_of(values: Array, edges: Sequence[float] | Array) -> Array:
    """The share of the values in each bin, (edges + 1,)."""
    counts = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
    shares: Array = counts / len(values)
    return shares


def correlation_time(values: Array) -> float:
    """How many rows are worth one independent one, at least 1: the longer of the times of level and of distance from the middle,
    by ranks. Returns follow no return, and their size follows the size before it for days.
    """
    from scipy.stats import rankdata

    ranks = rankdata(values) - (len(values) + 1) / 2
    return max(_time(ranks), _time(np.abs(ranks) - np.abs(ranks).mean()))


def _time(centred: Array) -> float:
    """1 + 2 x the sum of autocorrelations up to the first pair of lags whose sum is not positive (Geyer 1992)."""
    n = len(centred)
    power = np.abs(np.fft.rfft(centred, 2 * n)) ** 2
    rho = np.fft.irfft(power)[:n]
    if n < 4 or rho[0] <= 0.0:
        return 1.0
    pairs = (rho[: n // 2 * 2] / rho[0]).reshape(-1, 2).sum(axis=1)
    ended = np.flatnonzero(pairs <= 0.0)
    kept = pairs[: ended[0]] if len(ended) else pairs
    return float(min(max(1.0, 2.0 * kept.sum() - 1.0), n))


def as_json(found: TrainedDistribution) -> dict[str, Any]:
    """As it is stored."""
    reads = {
        "timeframe": found.reads.timeframe,
        "instruments": [list(pair) for pair in found.reads.instruments],
        "series": {alias: declared._asdict() for alias, declared in found.reads.series},
    }
    columns = [one._asdict() for one in found.features]
    own = {"version": VERSION, "first_ms": found.first_ms, "last_ms": found.last_ms, "reads": reads}
    return {**own, "features": columns, "predictions": found.predictions._asdict()}


def distribution_of(stored: Mapping[str, Any], count: int, where: str) -> TrainedDistribution:
    """A stored one, of `count` features. Raises DataError for what is not one; `where` names the artifact."""
    try:
        if stored["version"] != VERSION:
            raise DataError(f"{where}: its distributions have version {str(stored['version'])[:20]}, this desk reads {VERSION}")
        columns = stored["features"]
        if not isinstance(columns, list) or len(columns) != count or count > CALLS_MAX:
            raise DataError(f"{where}: distributions of other features than its own", "train the model anew")
        features = tuple(_column(one) for one in columns)
        times = int(stored["first_ms"]), int(stored["last_ms"])
        return TrainedDistribution(_reads(stored["reads"]), features, _column(stored["predictions"]), *times)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{where}: distribution.json cannot be read ({type(error).__name__})", "train the model anew") from error


def _column(stored: Mapping[str, Any]) -> ColumnDistribution:
    if set(stored) != set(FIELDS):
        raise ValueError("fields")
    points, edges, shares = (tuple(float(x) for x in stored[name]) for name in ("points", "edges", "shares"))
    found = ColumnDistribution(int(stored["rows"]), int(stored["missing"]), float(stored["effective"]), points, edges, shares)
    full = found.missing < found.rows
    sizes = (len(points), len(shares)) == (POINTS, len(edges) + 1) if full else not (points or edges or shares)
    if (
        not sizes
        or len(edges) >= BINS + 1
        or not all(map(math.isfinite, points + edges + shares))
        or list(edges) != sorted(edges)
    ):
        raise ValueError("sizes")
    return found


def _reads(stored: Mapping[str, Any]) -> Reads:
    instruments, series = stored["instruments"], stored["series"]
    if len(instruments) > LISTED_MAX or len(series) > LISTED_MAX:
        raise ValueError("too many")
    pairs = tuple((str(alias), str(name)) for alias, name in instruments)
    return Reads(str(stored["timeframe"]), pairs, tuple((str(alias), OutsideSeries(**own)) for alias, own in series.items()))


def _floats(values: Array) -> tuple[float, ...]:
    return tuple(float(x) for x in values)

"""The bars of one instrument with every feature a strategy asks for, each computed once.

Built by sim/, live/ and the leaks check (prefixes), from a Market's columns; read by strategies as `f.sma(40)`. A feature
is a function of the bars from its bar's anchor on (anchor.py), per unbroken run: a bar where one of its inputs is missing (NaN
or infinite) ends a run and gives NaN; the next run warms up anew. `f.at("4h")` is the same over higher bars made of the frame's
own, `f.of("ETH-USDT")` over another instrument's, `f.series("funding")` an outside series as of each close, `f.model("vol-btc")`
what a stored model says there (docs/models.md).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.clock import DAY_MS
from engine.data.sources import Observations, asof
from engine.errors import DataError, StrategyError
from engine.features.anchor import QUARTER_DAYS, QUARTERS_MAX, AnchoredSpan, anchored_spans, quarters_back, within
from engine.features.catalog import BY_NAME
from engine.features.feature import COLUMNS, OTHERS_CLOSE, SERIES, TAKER_BUY, Array, Feature, empty, label, unbroken_runs
from engine.features.higher import HigherClock, aggregated, higher_clock, higher_timeframe_ms
from engine.features.normalised import NORMAL_FORMS, NormalForm
from engine.features.predicted import FrameModel
from engine.features.view import BarsView


class FeatureFrame:
    """Bars as read-only 1-d arrays (close_ms int64 UTC ms, the rest float64) and features as methods.

    A missing bar is a NaN row on a regular time grid; rows that skip time raise DataError. `used`: what was read through
    this reader, label -> values. An unknown feature raises AttributeError naming the catalog. `others`: frames of other
    instruments on the same clock, `outside`: series as they became known, `models`: stored models; all by the name that the
    strategy calls them.
    """

    def __init__(
        self,
        close_ms: Any,
        open: Any,
        high: Any,
        low: Any,
        close: Any,
        volume: Any,
        timeframe_ms: int,
        others: Mapping[str, "FeatureFrame"] | None = None,
        outside: Mapping[str, Observations] | None = None,
        taker_buy_volume: Any = None,
        models: Mapping[str, FrameModel] | None = None,
    ) -> None:
        self.close_ms: npt.NDArray[np.int64] = read_only(close_ms, np.int64)
        self.open, self.high, self.low = read_only(open), read_only(high), read_only(low)
        self.close, self.volume = read_only(close), read_only(volume)
        self._taker_buy: Array | None = None if taker_buy_volume is None else read_only(taker_buy_volume)
        self.timeframe_ms = int(timeframe_ms)
        self.used: dict[str, Array] = {}
        self._cache: dict[Any, Array] = {}
        self._finite: dict[str, npt.NDArray[np.bool_] | None] = {}
        self._runs: dict[tuple[str, ...], list[tuple[int, int]]] = {}
        self._higher: dict[str, tuple[FeatureFrame, HigherClock]] = {}
        self._others, self._outside = dict(others or {}), dict(outside or {})
        self._models = dict(models or {})
        self.declared: frozenset[str] | None = None
        check_clock(self)

    @classmethod
    def of_market(
        cls,
        market: Any,
        instrument: int,
        others: Mapping[str, "FeatureFrame"] | None = None,
        outside: Mapping[str, Observations] | None = None,
        models: Mapping[str, FrameModel] | None = None,
    ) -> "FeatureFrame":
        """The frame of one instrument of a `Market` (arrays of bars x instruments), with others, outside series and models."""
        recorded = (*COLUMNS, TAKER_BUY) if getattr(market, TAKER_BUY, None) is not None else COLUMNS
        columns = {name: getattr(market, name)[:, instrument] for name in recorded}
        beside: dict[str, Any] = {"others": others, "outside": outside, "models": models}
        return cls(market.close_ms, **columns, timeframe_ms=market.timeframe_ms, **beside)

    def __len__(self) -> int:
        return len(self.close)

    def __getattr__(self, name: str) -> Callable[..., Array]:
        feature = self.feature(name)
        return lambda *args, **named: self._read(feature, args, named)

    def __dir__(self) -> Iterable[str]:
        return (*super().__dir__(), *BY_NAME, *NORMAL_FORMS)

    @property
    def taker_buy_volume(self) -> Array:
        """Base units that takers bought in each bar; NaN where the file does not record it."""
        return empty(len(self)) if self._taker_buy is None else self._taker_buy

    @property
    def recorded(self) -> tuple[str, ...]:
        """The columns that these bars have: the five of a bar, and taker volume where it was recorded."""
        return COLUMNS if self._taker_buy is None else (*COLUMNS, TAKER_BUY)

    @property
    def beside(self) -> tuple[dict[str, "FeatureFrame"], dict[str, Observations]]:
        """(other instruments, outside series) that can be read here: for who makes a frame like this one of other values."""
        return dict(self._others), dict(self._outside)

    @property
    def stored(self) -> dict[str, FrameModel]:
        """The stored models that can be read here."""
        return dict(self._models)

    @staticmethod
    def feature(name: str) -> Feature | NormalForm:
        """The feature, or normal form of any feature, of that name; AttributeError with the catalog for an unknown one."""
        if name in NORMAL_FORMS:
            return NORMAL_FORMS[name]
        if name not in BY_NAME:
            raise AttributeError(f"no feature {name!r}; available: {', '.join(BY_NAME)}")
        return BY_NAME[name]

    def at(self, timeframe: str) -> BarsView:
        """A higher timeframe (`4h`) of these bars: features and columns on this frame's clock, each value from the close of its
        higher bar on. Raises BadInput for a timeframe that is lower, not a multiple, or longer than a UTC day.
        """
        return BarsView(self, *self.higher(timeframe))

    def of(self, instrument: str) -> BarsView:
        """Another instrument on the same clock (`ETH-USDT`): features and columns, NaN where it has no bar.

        Raises StrategyError for one that the strategy does not declare: only declared instruments are loaded.
        """
        if instrument not in self._others:
            what = f"it reads {instrument}, which INSTRUMENTS does not list"
            raise StrategyError(what, f'add INSTRUMENTS = ("{instrument}",) to the strategy, and it is loaded')
        return BarsView(self, self._others[instrument], f"{instrument}.")

    def series(self, name: str) -> Array:
        """An outside series at each close: its last value known by then (available_ms <= close_ms), NaN when that is too old.

        Raises StrategyError for one that the strategy does not declare: only declared series are loaded.
        """
        values = self.kept(f"series({name})", lambda: self._asof(name)[0])
        self.used[f"series({name})"] = values
        return values

    def model(self, name: str) -> Array:
        """What a stored model predicts at each close, in its label's unit: each row by a fit whose training had ended before it.

        NaN where it says nothing. Raises StrategyError for one that the strategy does not declare, and for a regime.
        """
        return self._predicted(name, "")

    def regime(self, name: str, part: str = "state") -> Array:
        """The regime that a stored model sees at each close, filtered forward: -1 bear, 0 sideways, 1 bull, with hysteresis.

        `part` bear, sideways or bull: the probability of that state. NaN where nothing is known. Raises StrategyError as above.
        """
        return self._predicted(name, part)

    def _predicted(self, name: str, part: str) -> Array:
        if name not in self._models:
            hint = f'add MODELS = ("{name}",) to the strategy, and read it of f itself, not of f.of(...) or f.at(...)'
            raise StrategyError(f"it reads the model {name}, which MODELS does not list", hint)
        own = self._models[name]
        text = own.columns.label(part)
        self.used[text] = self.kept(text, lambda: own.columns.values(self._seen_by(own), part))
        return self.used[text]

    def _seen_by(self, own: FrameModel) -> "FeatureFrame":
        """These bars as a model's own features see them: beside them is what it was trained with, not what the strategy reads."""
        twin = self._twin()
        twin.declared, twin._models = None, {}
        twin._others, twin._outside = dict(own.others), dict(own.outside)
        if own.others or own.outside:  # else no feature of it can depend on them, and what is computed is shared
            twin._cache, twin._runs, twin._finite, twin._higher = {}, {}, {}, {}
        return twin

    def available_ms(self, name: str) -> npt.NDArray[np.int64]:
        """When the value of an outside series at each close was known (UTC ms); 0 where it is missing."""
        return self._asof(name)[1]

    def _asof(self, name: str) -> tuple[Array, npt.NDArray[np.int64]]:
        if name not in self._outside:
            hint = f'add SERIES = {{"{name}": OutsideSeries(...)}} to the strategy, and read it of f itself, not of f.of(...)'
            raise StrategyError(f"it reads the series {name}, which SERIES does not list", hint)
        return asof(self._outside[name], self.close_ms)

    def higher(self, timeframe: str) -> tuple["FeatureFrame", str, HigherClock]:
        """(frame of the higher bars, prefix of their labels, how they lie in these bars); made once."""
        if timeframe not in self._higher:
            length_ms = higher_timeframe_ms(timeframe, self.timeframe_ms)
            clock = higher_clock(self.close_ms, self.timeframe_ms, length_ms)
            columns: dict[str, Any] = aggregated({name: getattr(self, name) for name in self.recorded}, clock)
            close_ms = self.close_ms[clock.first_known :: clock.ratio][: clock.count]
            others = {name: other.higher(timeframe)[0] for name, other in self._others.items()}
            made = FeatureFrame(close_ms, **columns, timeframe_ms=length_ms, others=others, outside=self._outside)
            self._higher[timeframe] = made, clock
        bars, clock = self._higher[timeframe]
        return bars, f"{timeframe}.", clock

    def column(self, name: str) -> Any:
        """An input of a feature: a column, the clock, the timeframe, the closes of all other instruments side by side, or an
        outside series as of each close.
        """
        if name.startswith(SERIES):
            return self._asof(name.removeprefix(SERIES))[0]
        if name != OTHERS_CLOSE:
            return getattr(self, name)
        if not self._others:
            raise StrategyError("it reads all INSTRUMENTS, and none is listed", 'add INSTRUMENTS = ("ETH-USDT",) to the strategy')
        return np.column_stack([other.close for other in self._others.values()])

    def finite(self, column: str) -> npt.NDArray[np.bool_] | None:
        """Which bars have a value in `column`; None when all have."""
        if column not in self._finite:
            mask = np.isfinite(self.column(column))
            mask = mask if mask.ndim == 1 else mask.all(axis=1)
            self._finite[column] = None if mask.all() else mask
        return self._finite[column]

    def runs(self, columns: tuple[str, ...] = COLUMNS) -> list[tuple[int, int]]:
        """The unbroken runs of bars in which every one of `columns` has a value, as (start, end) with the end excluded."""
        if columns not in self._runs:
            masks = [mask for column in columns if (mask := self.finite(column)) is not None]
            self._runs[columns] = unbroken_runs(masks) if masks else [(0, len(self))]
        return self._runs[columns]

    def reader(self, declared: Iterable[str] | None = None) -> "FeatureFrame":
        """The same bars and cache with a separate `used`; with `declared`, other features are refused."""
        twin = self._twin()
        twin.declared = None if declared is None else frozenset(declared)
        return twin

    def prefix(self, count: int) -> "FeatureFrame":
        """The first `count` bars as a frame of their own, in memory of their own: no window or `.base` reaches a later bar."""
        return self._part(slice(count))

    def since(self, first: int) -> "FeatureFrame":
        """The bars from index `first` on as a frame of their own."""
        return self._part(slice(first, None))

    def _part(self, rows: slice) -> "FeatureFrame":
        twin = self._twin()
        for name in ("close_ms", *COLUMNS):
            setattr(twin, name, copied(getattr(self, name)[rows]))
        twin._taker_buy = None if self._taker_buy is None else copied(self._taker_buy[rows])
        twin._cache, twin._runs, twin._higher = {}, {}, {}
        twin._others = {name: other._part(rows) for name, other in self._others.items()}
        twin._models = {name: own.part(rows) for name, own in self._models.items()}
        twin._finite = {name: None if (mask := self.finite(name)) is None else mask[rows] for name in COLUMNS}
        return twin

    def _twin(self) -> "FeatureFrame":
        twin = object.__new__(FeatureFrame)
        twin.__dict__.update(self.__dict__)
        twin.used = {}
        return twin

    def _read(self, feature: Feature | NormalForm, args: tuple[Any, ...], named: dict[str, Any]) -> Array:
        text, values = self.labelled(feature, args, named, self.declared)
        self.used[text] = values
        return values

    def labelled(
        self, asked: Feature | NormalForm, args: tuple[Any, ...], named: dict[str, Any], declared: frozenset[str] | None
    ) -> tuple[str, Array]:
        """(label, values) of a feature, computed once; StrategyError unless `declared` lists it and the arguments fit.

        A normal form is declared by the feature that it is of.
        """
        try:
            inner, feature, args = asked.of(args, named)
        except (TypeError, ValueError) as error:
            raise StrategyError(f"feature {asked.name}{asked.signature}: {error}") from error
        if declared is not None and inner.name not in declared:
            raise StrategyError(f"it reads {inner.name}, which FEATURES does not list", "add the name to FEATURES")
        return label(feature, args), self.kept((feature.name, *args), lambda: self._compute(feature, args))

    def cached(self) -> Iterable[Array]:
        """The features that are kept, of higher timeframes not."""
        return self._cache.values()

    def kept(self, key: Any, compute: Callable[[], Array]) -> Array:
        """The array of that key, computed at its first use and read-only."""
        if key not in self._cache:
            values = compute()
            values.setflags(write=False)
            self._cache[key] = values
        return self._cache[key]

    def _compute(self, feature: Feature, args: tuple[Any, ...]) -> Array:
        inputs = [self.column(name) for name in feature.inputs]
        runs = self.runs(feature.columns)
        first = feature.first(self.timeframe_ms, *args)
        quarters = quarters_back(first, self.timeframe_ms)
        if quarters > QUARTERS_MAX:
            days = first * self.timeframe_ms / DAY_MS
            what = f"feature {label(feature, args)} has its first value after {days:,.0f} days of bars"
            raise StrategyError(what, f"features look back at most {QUARTERS_MAX * QUARTER_DAYS} days: use a shorter window")
        spans = anchored_spans(self.close_ms, self.timeframe_ms, quarters)
        try:
            with np.errstate(all="ignore"):
                out = by_anchor(feature, inputs, args, runs, len(self), first, spans)
        except Exception as error:
            raise StrategyError(f"feature {label(feature, args)} cannot be computed: {error}") from error
        return out


def by_anchor(
    feature: Feature,
    inputs: list[Any],
    args: tuple[Any, ...],
    runs: list[tuple[int, int]],
    count: int,
    first: int,
    spans: list[AnchoredSpan],
) -> Array:
    """The feature of every bar, each span from its own anchor; a history of one anchor is computed in place, without a copy."""
    if len(spans) <= 1:
        return by_run(feature, inputs, args, runs, count, first)
    out = empty(count)
    for span in spans:
        part = [x[span.anchor : span.end] if isinstance(x, np.ndarray) else x for x in inputs]
        values = by_run(feature, part, args, within(runs, span), span.end - span.anchor, first)
        out[span.start : span.end] = values[span.start - span.anchor :]
    return out


def by_run(
    feature: Feature, inputs: list[Any], args: tuple[Any, ...], runs: list[tuple[int, int]], count: int, first: int
) -> Array:
    """The feature over every run; one run over all bars is computed in place, without a copy."""
    if runs == [(0, count)]:
        return feature.compute(*inputs, *args) if count > first else empty(count)
    out = empty(count)
    for start, end in runs:
        if end - start > first:  # a shorter run has no value
            part = [x[start:end] if isinstance(x, np.ndarray) else x for x in inputs]
            out[start:end] = feature.compute(*part, *args)
    return out


def read_only(values: Any, dtype: Any = np.float64) -> Any:
    """`values` as a read-only contiguous array; copied only where the layout requires it."""
    view = np.ascontiguousarray(values, dtype=dtype).view()
    view.setflags(write=False)
    return view


def copied(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A read-only copy: a view would leave the rest of the history readable behind it."""
    copy = values.copy()
    copy.setflags(write=False)
    return copy


def check_clock(frame: FeatureFrame) -> None:
    """Raises DataError unless all columns are equally long on one regular grid (missing bars are NaN rows), others too."""
    count = len(frame.close_ms)
    lengths = {name: len(getattr(frame, name)) for name in frame.recorded}
    if set(lengths.values()) != {count}:
        raise DataError(f"columns of unequal length: close_ms {count}, {lengths}")
    if frame.timeframe_ms <= 0 or (count and frame.close_ms[-1] - frame.close_ms[0] != (count - 1) * frame.timeframe_ms):
        raise DataError(f"bars are not regular at {frame.timeframe_ms} ms", "align them first: a missing bar is a NaN row")
    for name, other in frame._others.items():
        if not np.array_equal(other.close_ms, frame.close_ms):
            raise DataError(f"{name} is on another clock", "align both first: a missing bar is a NaN row")

"""Other bars as a strategy reads them on its own clock: `f.at("4h").ema(50)`, `f.of("ETH-USDT").close`.

Made by frame.py. Turns features and columns of other bars into arrays as long as the reader's frame. Each array read is noted
in the reader's `used` under its label (`ETH-USDT.4h.ema(50)`): it is journaled, a bar at which it is missing gives no signal, and
the leaks check compares it.
"""

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from engine.errors import BadInput
from engine.features.catalog import BY_NAME
from engine.features.feature import COLUMNS, TAKER_BUY, Array, Feature
from engine.features.higher import HigherClock, on_base_clock
from engine.features.normalised import NORMAL_FORMS, NormalForm


class BarsFrame(Protocol):
    """What a view needs of a FeatureFrame."""

    close_ms: npt.NDArray[np.int64]
    used: dict[str, Array]
    declared: frozenset[str] | None

    def __len__(self) -> int: ...

    def feature(self, name: str) -> Feature | NormalForm:
        """The feature, or normal form, of that name; AttributeError for an unknown one."""

    def labelled(
        self, asked: Feature | NormalForm, args: tuple[Any, ...], named: dict[str, Any], declared: frozenset[str] | None
    ) -> tuple[str, Array]:
        """(label, values) of a feature."""

    def kept(self, key: Any, compute: Callable[[], Array]) -> Array:
        """The array of that key, computed at its first use."""

    def higher(self, timeframe: str) -> tuple["BarsFrame", str, HigherClock]:
        """(frame of the higher bars, prefix of their labels, how they lie in these bars)."""


class BarsView:
    """Features and columns of `bars` on the clock of `reader`; with `clock`, of higher bars at their close."""

    def __init__(self, reader: BarsFrame, bars: BarsFrame, prefix: str, clock: HigherClock | None = None) -> None:
        self._reader, self._bars, self._prefix, self._clock = reader, bars, prefix, clock

    def __len__(self) -> int:
        return len(self._reader)

    @property
    def available_ms(self) -> npt.NDArray[np.int64]:
        """When the values of each row were known: the close of the bar they belong to (UTC ms); 0 before the first one."""
        close_ms = self._bars.close_ms
        if self._clock is None:
            return close_ms
        first, count = self._clock.first_known, len(self)
        out = np.zeros(count, np.int64)
        out[first:] = np.repeat(close_ms, self._clock.ratio)[: max(count - first, 0)]
        return out

    def at(self, timeframe: str) -> "BarsView":
        """A higher timeframe of these bars. Raises BadInput as FeatureFrame.at does, and for one of a higher timeframe."""
        if self._clock is not None:
            raise BadInput(f"{timeframe} is asked of {self._prefix[:-1]}", "ask the sleeve's own bars: f.at(...)")
        bars, prefix, clock = self._bars.higher(timeframe)
        return BarsView(self._reader, bars, self._prefix + prefix, clock)

    def __getattr__(self, name: str) -> Any:
        if name in COLUMNS or name == TAKER_BUY:
            return self._on_clock(name, getattr(self._bars, name))
        feature = self._bars.feature(name)

        def read(*args: Any, **named: Any) -> Array:
            return self._on_clock(*self._bars.labelled(feature, args, named, self._reader.declared))

        return read

    def __dir__(self) -> Iterable[str]:
        return (*super().__dir__(), *COLUMNS, *BY_NAME, *NORMAL_FORMS)

    def _on_clock(self, label: str, values: Array) -> Array:
        """The values on the reader's clock, computed once, noted as read."""
        reader, label = self._reader, self._prefix + label
        if (clock := self._clock) is not None:
            values = reader.kept(label, lambda: on_base_clock(values, clock, len(reader)))
        reader.used[label] = values
        return values

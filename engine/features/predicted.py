"""A stored model as a frame sees it: something that gives a column. Called by frame.py; engine/models/column.py implements it.

The frame knows no model: who makes a frame (sim/, live/, a strategy process) gives it those that the strategy declares.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from engine.data.sources import Observations
from engine.features.feature import Array


class StoredColumns(Protocol):
    """One version of a model."""

    @property
    def model(self) -> Any:
        """What a strategy process is sent of it."""

    @property
    def sha256(self) -> str:
        """The digest that names all of it."""

    @property
    def key(self) -> str:
        """Name, version and digest: versions of one content are two, as journals name them."""

    def label(self, part: str) -> str:
        """How journals name the column: `model(vol-btc@1.2.0)`. StrategyError for a part that it does not have."""

    def why_null(self, close_ms: int) -> str:
        """Why there is no value at a close without one."""

    def values(self, frame: Any, part: str) -> Array:
        """The column on a FeatureFrame, NaN where it says nothing; the same bits for a bar whatever comes after it."""


class FrameModel(NamedTuple):
    """A model, and what its own features read beside the bars: frames of others and series, by the names that it calls them."""

    columns: StoredColumns
    others: Mapping[str, Any] = {}
    outside: Mapping[str, Observations] = {}

    def part(self, rows: slice) -> "FrameModel":
        """The same over some bars."""
        return self._replace(others={name: other._part(rows) for name, other in self.others.items()})

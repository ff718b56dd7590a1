"""The bars that a model is trained on or looked at with, and the frame on them: one path for both.

Called by train.py and by app/jobs/model_drift.py.
"""

from typing import NamedTuple

from engine.clock import timeframe_ms
from engine.data.catalog import Catalog, Series
from engine.data.checksums import sha256_of
from engine.data.loading import load
from engine.data.sources import ReadFiles
from engine.features.anchor import anchor_ms
from engine.features.frame import FeatureFrame
from engine.features.reads import Reads, files_read, frame_of

FUNDING_NOTE = "funding not charged"  # nothing is traded here


class ModelBars(NamedTuple):
    """A frame, and the files that it is from."""

    frame: FeatureFrame
    files: dict[str, str]  # name -> sha256
    notes: tuple[str, ...]


def model_bars(
    catalog: Catalog, instrument: str, timeframe: str, reads: Reads, from_ms: int | None, to_ms: int | None
) -> ModelBars:
    """The bars of an instrument (venue:symbol:market) with the history that features need before `from_ms`, and what they read
    beside them; `to_ms` is excluded. Raises BadInput or DataError in one line.
    """
    venue, symbol, market = instrument.split(":")
    own = catalog.find(venue, symbol, timeframe, market)
    read = files_read(catalog, [reads]).get(timeframe, ReadFiles())
    begins = None if from_ms is None else anchor_ms(from_ms)
    loaded = load(catalog, {instrument: own}, timeframe_ms(timeframe), "none", begins, from_ms, to_ms, read)
    frame = frame_of(loaded.whole, instrument, reads, loaded.observed)
    files: dict[str, Series] = {instrument: own, **read.files}
    named = {one.path.name: sha256_of(one.path) for one in files.values()}
    return ModelBars(frame, named, tuple(note for note in loaded.notes if FUNDING_NOTE not in note))

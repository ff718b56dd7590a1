"""What a list of features is, to the bit: written beside a model when it is trained, compared when the model is used.

Called by the trainer, and by whoever loads what it made. Turns FeatureCalls into a FeatureManifest and that into JSON and back. A
feature's value is a function of its code, its arguments and its bars since the anchor, so these are what an entry names; the hash
of the code covers every function and constant of the desk's own behind a feature, down to the join of an outside series.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from engine.clock import timeframe_ms, timeframe_text, utc
from engine.errors import BadInput, DataError
from engine.features import anchor
from engine.features.calls import CALLS_MAX, FeatureCall, call_of, calls_of
from engine.features.code_hash import code_sha256_of
from engine.features.higher import higher_timeframe_ms

VERSION = 1  # of the manifest's form
AGAIN = "train the model anew, or use the version of the desk that it was trained by"


class FeatureEntry(NamedTuple):
    """One feature. JSON has the same fields."""

    call: str  # realised_vol(96): its label in journals, with all arguments
    arguments: dict[str, int | float]
    inputs: tuple[str, ...]  # columns; `series.NAME` for an outside series
    unit: str
    warm_up_bars: int  # of its own timeframe: values before it are missing
    anchor_ms: int  # where the history of the manifest's first bar begins, UTC ms
    code_sha256: str

    @property
    def parsed(self) -> FeatureCall:
        """As columns are read."""
        return call_of(self.call)


class FeatureManifest(NamedTuple):
    """The features of a model, in the order of its columns."""

    version: int
    timeframe: str  # of the frame
    first_ms: int  # the open of the first bar that it is about, UTC ms
    anchor: str  # the rule in words; anchor.py has it
    features: tuple[FeatureEntry, ...]

    @property
    def calls(self) -> tuple[FeatureCall, ...]:
        """What calls.matrix_of takes."""
        return tuple(entry.parsed for entry in self.features)

    @property
    def sha256(self) -> str:
        """Digest of all of it."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        return {**self._asdict(), "features": [{**e._asdict(), "inputs": list(e.inputs)} for e in self.features]}


def manifest_of(texts: Iterable[Any], timeframe: str, first_ms: int) -> FeatureManifest:
    """The manifest of the features that these texts write, by today's code. Raises BadInput as calls.calls_of does."""
    base_ms = timeframe_ms(timeframe)
    entries = tuple(_entry(call, base_ms, first_ms) for call in calls_of(texts))
    return FeatureManifest(VERSION, timeframe_text(base_ms), first_ms, anchor.ANCHOR, entries)


def from_json(data: Any) -> FeatureManifest:
    """A stored manifest. Raises DataError naming the first field that is missing, unknown or of another type."""
    own = _fields(data, {"version": int, "timeframe": str, "first_ms": int, "anchor": str, "features": list}, "manifest")
    if own["version"] != VERSION:
        raise DataError(f"manifest of version {own['version']}, this desk reads {VERSION}", "use the desk that wrote it")
    if not 0 < len(own["features"]) <= CALLS_MAX:
        raise DataError(f"manifest with {len(own['features'])} features", f"1 to {CALLS_MAX} are read")
    types = {
        "call": str,
        "arguments": dict,
        "inputs": list,
        "unit": str,
        "warm_up_bars": int,
        "anchor_ms": int,
        "code_sha256": str,
    }
    entries = []
    for number, one in enumerate(own["features"], 1):
        found = _fields(one, types, f"feature {number} of the manifest")
        entries.append(FeatureEntry(**{**found, "inputs": tuple(found["inputs"])}))
    return FeatureManifest(**{**own, "features": tuple(entries)})


def require_same(stored: FeatureManifest) -> None:
    """Raises DataError naming the first feature that today's code would compute otherwise, and what differs."""
    try:
        now = manifest_of([entry.call for entry in stored.features], stored.timeframe, stored.first_ms)
    except BadInput as error:
        raise DataError(f"a feature of the manifest cannot be computed: {error.what}", AGAIN) from error
    for was, is_ in zip(stored.features, now.features, strict=True):
        for field in FeatureEntry._fields:
            if getattr(was, field) != getattr(is_, field):
                raise DataError(f"feature {was.call}: {_difference(field, was, is_)}", AGAIN)
    if stored.anchor != now.anchor:
        raise DataError(f"features began at the {stored.anchor}; now at the {now.anchor}", AGAIN)


def _difference(field: str, was: FeatureEntry, now: FeatureEntry) -> str:
    if field == "code_sha256":
        return "its code has changed since"
    a, b = getattr(was, field), getattr(now, field)
    return f"{field} was {utc(a)}, is {utc(b)}" if field == "anchor_ms" else f"{field} was {a!r}, is {b!r}"[:300]


def _entry(call: FeatureCall, base_ms: int, first_ms: int) -> FeatureEntry:
    feature, args = call.computed
    own_ms = higher_timeframe_ms(call.timeframe, base_ms) if call.timeframe else base_ms
    first = feature.first(own_ms, *args)
    named = dict(zip(call.feature.signature.parameters, call.args, strict=True)) | ({"over": call.over} if call.form else {})
    begun = anchor.anchor_ms(first_ms, anchor.quarters_back(first, own_ms))
    return FeatureEntry(call.text, named, call.feature.inputs, feature.unit, first, begun, code_sha256_of(call))


def _fields(data: Any, types: Mapping[str, type], where: str) -> dict[str, Any]:
    """The fields of a JSON object, each of its type and no other."""
    if not isinstance(data, dict):
        raise DataError(f"{where} is not a table", "restore the file")
    if odd := sorted(map(str, set(data) ^ set(types)))[:1]:
        raise DataError(f"{where}: {odd[0][:40]!r} is {'missing' if odd[0] in types else 'unknown'}", "restore the file")
    for name, wanted in types.items():
        if type(data[name]) is not wanted:
            raise DataError(f"{where}: {name} is {str(data[name])[:40]!r}, not {wanted.__name__}", "restore the file")
    return dict(data)

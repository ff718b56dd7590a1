"""The look-ahead check of a planned sleeve, made once: its report is kept by code, features, parameters and bars.

Called by sim/backtest.py before a run's figures, and by app/jobs/kinds.py for `nightdesk leaks`. Turns a planned sleeve and its
bars into leaks.check's report as JSON. What the strategy opens is looked for at every run, kept report or not. A report that
names something opened is not kept, since what is there may be another thing tomorrow.
"""

import json
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from engine.data.timeframes import DeskBars, spread
from engine.features import reads
from engine.features.frame import FeatureFrame
from engine.sim import leaks
from engine.sim.request import Plan, PlannedSleeve
from engine.sim.run_code import files_sha256
from engine.store.runs import sha256_of_json
from engine.strategies.base import code_sha256
from engine.strategies.isolated.bars import pack_frame
from engine.strategies.signals import Signals

CHECK = ("sim/access.py", "sim/checked.py", "sim/clock_reads.py", "sim/leaks.py", "sim/prefixes.py", "features/frame.py")
_memory: dict[str, dict[str, Any]] = {}  # of a process without a home to keep them in, and of one that has


def is_own(sleeve: PlannedSleeve) -> bool:
    """Whether the strategy is a person's file; shipped ones are checked by tests."""
    return not sleeve.strategy.__name__.startswith("engine.strategies.")


def frame_of(sleeve: PlannedSleeve, loaded: DeskBars) -> FeatureFrame:
    """The sleeve's own bars with their features, and what else its strategy reads."""
    own = loaded.own[sleeve.bar_ms]
    return reads.frame_of(own.whole, sleeve.key, sleeve.reads, own.observed)


def frames_of(sleeves: Iterable[PlannedSleeve], loaded: DeskBars) -> list[FeatureFrame]:
    """`frame_of` each; sleeves that read the same bars share one, with the features that are computed on it."""
    made = dict[Any, FeatureFrame]()
    found = []
    for sleeve in sleeves:
        reading = sleeve.bar_ms, sleeve.key, sleeve.reads
        if reading not in made:
            made[reading] = frame_of(sleeve, loaded)
        found.append(made[reading])
    return found


def in_span(found: Signals, sleeve: PlannedSleeve, loaded: DeskBars) -> Signals:
    """Signals over the whole history of a sleeve's own bars -> those at the closes of the span."""
    own, span = loaded.own[sleeve.bar_ms], loaded.span
    cut = slice(own.first, own.first + len(own.span.close_ms))
    arrays = (spread(values[cut], own.span, span) for values in found[:-1])
    used = {label: spread(values[cut], own.span, span) for label, values in found.used.items()}
    return Signals._make((*arrays, used))


def check_sleeve(
    planned: Plan,
    sleeve: PlannedSleeve,
    loaded: DeskBars,
    folder: Path | None = None,
    progress: Callable[[float], None] = lambda _done: None,
) -> dict[str, Any]:
    """The report as JSON with `kept`: whether it was made before. `folder`: where reports are kept; None: in this process."""
    frame, first = frame_of(sleeve, loaded), loaded.own[sleeve.bar_ms].first
    key = key_of(planned, sleeve, frame, first)
    found = _memory.get(key) or _read(folder, key)
    if found is None:
        report = leaks.check(sleeve.strategy, sleeve.params, frame, progress=progress, opened=sleeve.opened, first=first)
        found = report._asdict()
        if not report.opened:
            _memory[key] = found
            _write(folder, key, found)
        return {"strategy": sleeve.spec.strategy, **found, "kept": False}
    progress(1.0)
    return {"strategy": sleeve.spec.strategy, **with_opened(found, sleeve.opened), "kept": True}


def with_opened(found: dict[str, Any], opened: Iterable[str]) -> dict[str, Any]:
    """A report as JSON after it was seen that the strategy opens something."""
    names = tuple(dict.fromkeys((*found["opened"], *opened)))
    if not names or found["looks_ahead"] or names == tuple(found["opened"]):
        return found
    fields = {name: found[name] for name in leaks.LeakReport._fields}
    return found | leaks.vouched(leaks.LeakReport(**fields), names)._asdict()


def key_of(planned: Plan, sleeve: PlannedSleeve, frame: FeatureFrame, first: int) -> str:
    """What the report depends on: the check, the strategy's code with the features, parameters, libraries, every bar it sees."""
    about, arrays = pack_frame(frame)
    bars = sha256()
    for array in arrays:
        bars.update(array)
    code = [files_sha256(CHECK), code_sha256(sleeve.strategy), sleeve.strategy.NAME]
    return sha256_of_json([code, sleeve.params.model_dump(), planned.versions, about, bars.hexdigest(), first])


def _read(folder: Path | None, key: str) -> dict[str, Any] | None:
    """A kept report; None without one, or when it cannot be read."""
    if folder is None:
        return None
    try:
        found = json.loads((folder / f"{key}.json").read_text(encoding="utf-8"))
        return leaks.LeakReport(**found)._asdict()
    except (OSError, ValueError, TypeError):
        return None


def _write(folder: Path | None, key: str, found: dict[str, Any]) -> None:
    """Keep a report; where nothing can be written it is made again next time."""
    if folder is None:
        return
    with suppress(OSError):
        folder.mkdir(exist_ok=True)
        draft = folder / f".{key}.{os.getpid()}"
        draft.write_text(json.dumps(found), encoding="utf-8")
        draft.replace(folder / f"{key}.json")

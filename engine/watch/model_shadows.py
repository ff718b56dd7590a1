"""Shadows of stored models: what a challenger says at the closes at which the champion is read, in a journal of its own.

Called by the supervisor's schedule (app/jobs/model_shadows.py) and the command line, in processes of their own; never by the
worker. A shadow belongs to one sleeve and one version. `record` adds the closes that the desk has come to since, computed on bars
of the catalog as a backtest computes them. The desk's journal is read for its time alone and never written.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine

from engine.clock import timeframe_ms, utc
from engine.control.config import SleeveConfig, active
from engine.control.model_registry import summary_of
from engine.data.catalog import Catalog
from engine.data.loading import load
from engine.data.sources import ReadFiles
from engine.errors import BadInput, DeskError, Refused
from engine.features.anchor import anchor_ms
from engine.features.frame import FeatureFrame
from engine.features.reads import ReadModel, Reads, files_read, frame_of
from engine.store.chain import Event
from engine.store.journal import Journal, read
from engine.strategies.stored_models import PinnedModel, pins_of, read_models
from engine.watch.shadow_journal import KIND, any_runs, place_of
from engine.watch.window import journal_of, mark_at

RUNNING_MAX = 8
ROWS_MAX = 500  # closes of one event
CHALLENGER, CHAMPION = "challenger", "champion"
Row = tuple[int, float, float, str]  # close, challenger, champion (NaN: nothing said), version of the champion


class ModelShadow(NamedTuple):
    """One shadow. Times are desk time, UTC ms."""

    sleeve: str
    name: str
    version: str
    sha256: str
    instrument: str
    timeframe: str
    label: str
    begun_ms: int  # closes after it are recorded
    last_ms: int  # the last close that is
    closes: int
    by: str
    stopped: str = ""  # why; "" while it runs

    @property
    def text(self) -> str:
        """vol-btc@1.2.0."""
        return f"{self.name}@{self.version}"


def shadows(home: Path) -> list[ModelShadow]:
    """Every shadow that was ever begun, as its events say, the latest last; one that is begun anew is another."""
    found: dict[tuple[str, str], list[ModelShadow]] = {}
    for event in read(place_of(home), {KIND}):
        body, key = event.body, (str(event.body["sleeve"]), str(event.body["model"]))
        own = found.setdefault(key, [])
        if body["what"] == "begin":
            name, _, version = key[1].partition("@")
            about = [str(body[field]) for field in ("sha256", "instrument", "timeframe", "label")]
            own.append(
                ModelShadow._make((key[0], name, version, *about, event.t_event_ms, event.t_event_ms, 0, str(body["by"]), ""))
            )
        elif body["what"] == "closes":
            own[-1] = own[-1]._replace(last_ms=event.t_event_ms, closes=own[-1].closes + len(body["rows"]))
        else:
            own[-1] = own[-1]._replace(stopped=str(body["why"]))
    return sorted((one for own in found.values() for one in own), key=lambda one: one.begun_ms)


def shadowed(home: Path) -> dict[tuple[str, str], list[str]]:
    """Name and version -> the sleeves that have a shadow of it, of those that run."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in shadows(home):
        if not one.stopped:
            found.setdefault((one.name, one.version), []).append(one.sleeve)
    return found


def find(home: Path, name: str, version: str, sleeve: str = "") -> ModelShadow:
    """The latest shadow of a version. Raises BadInput for none, or for several sleeves of which none is named."""
    mine = {one.sleeve: one for one in shadows(home) if (one.name, one.version) == (name, version) and sleeve in ("", one.sleeve)}
    if len(mine) != 1:
        what = f"{name}@{version} has " + (f"shadows of {', '.join(mine)}" if mine else "no shadow")
        raise BadInput(what, "name one with --sleeve" if mine else "nightdesk models shadow begin NAME@VERSION --sleeve S")
    return next(iter(mine.values()))


def begin(engine: Engine, home: Path, catalog: Catalog, name: str, version: str, sleeve: str, by: str) -> ModelShadow:
    """Begin a shadow at the desk's time. Raises BadInput or Refused in one line for what cannot be one."""
    config = active(engine, home).config.sleeve(sleeve)
    champion = pins_of(config.models or "").get(name)
    if champion is None:
        raise BadInput(f"{sleeve} does not read the model {name}", f"it reads: {config.models or 'none'}")
    if champion == version:
        raise Refused(f"{sleeve} reads {name}@{version} itself", "a shadow is of another version")
    found = summary_of(home / "models", name, version)
    if found.is_regime:
        raise Refused(f"{name} is a regime: it predicts nothing that could be compared with an outcome", "nightdesk models show")
    if found.about["label"].get("portfolio"):
        raise Refused(f"{name} predicts a portfolio: a shadow knows the outcome of one instrument", "nightdesk models show")
    with _writing(home) as append:
        _require_room(home, name, version, sleeve)
        mark = mark_at(journal_of(home))
        if mark is None:
            raise Refused("the desk has decided on no bar: a shadow has no time to begin at", "start the desk")
        models = _models(config, name, version, champion, home / "models")
        files_read(catalog, [Reads(config.timeframe, models=models)])
        about = {"instrument": config.instrument, "timeframe": config.timeframe, "label": str(found.about["label"].get("name"))}
        body = {"what": "begin", "sleeve": sleeve, "model": f"{name}@{version}", "sha256": found.sha256, **about, "by": by[:80]}
        append([Event(KIND, mark.t_event_ms, body)])
    return find(home, name, version, sleeve)


def _require_room(home: Path, name: str, version: str, sleeve: str) -> None:
    """Raise Refused for a shadow that runs already, and for one too many."""
    running = [one for one in shadows(home) if not one.stopped]
    if any((one.sleeve, one.text) == (sleeve, f"{name}@{version}") for one in running):
        raise Refused(f"{name}@{version} is a shadow of {sleeve} already", "nightdesk models shadow report")
    if len(running) >= RUNNING_MAX:
        raise Refused(f"{len(running)} shadows run", f"at most {RUNNING_MAX}: stop one")


def stop(home: Path, name: str, version: str, sleeve: str, why: str) -> ModelShadow:
    """End a shadow; what it has recorded stays. Raises BadInput or Refused."""
    with _writing(home) as append:
        one = find(home, name, version, sleeve)
        if one.stopped:
            raise Refused(f"the shadow {one.text} of {one.sleeve} has ended: {one.stopped}")
        append([_stopped(one, why)])
    return one._replace(stopped=why)


def _stopped(one: ModelShadow, why: str) -> Event:
    return Event(KIND, one.last_ms, {"what": "stop", "sleeve": one.sleeve, "model": one.text, "why": why[:200]})


def record(engine: Engine, home: Path, catalog: Catalog) -> list[str]:
    """Add to every shadow that runs the closes since its last; a line for each of what it came to. One that fails stops no other.

    One whose version the sleeve reads by now, or no longer could, ends.
    """
    if not any_runs(home):
        return []
    with _writing(home) as append:
        mark = mark_at(journal_of(home))
        running = [one for one in shadows(home) if not one.stopped]
        return [] if mark is None else [_recorded(engine, home, catalog, one, mark.t_event_ms, append) for one in running]


def _recorded(
    engine: Engine, home: Path, catalog: Catalog, one: ModelShadow, up_to_ms: int, append: Callable[[Sequence[Event]], object]
) -> str:
    """Add the closes of one shadow; what it came to."""
    try:
        events = _due(engine, home, catalog, one, up_to_ms)
    except DeskError as error:
        return f"{one.text} of {one.sleeve}: {error}"
    append(events)
    ended = next((f"; it ends: {event.body['why']}" for event in events if event.body["what"] == "stop"), "")
    closes = sum(len(event.body.get("rows", ())) for event in events)
    last_ms = max((event.t_event_ms for event in events), default=one.last_ms)
    lacking = "" if ended or up_to_ms - last_ms < timeframe_ms(one.timeframe) else "; the catalog has no later bar"
    return f"{one.text} of {one.sleeve}: {closes} closes more, up to {utc(last_ms)}{ended}{lacking}"


def _due(engine: Engine, home: Path, catalog: Catalog, one: ModelShadow, up_to_ms: int) -> list[Event]:
    config = active(engine, home).config.sleeve(one.sleeve)
    champion = pins_of(config.models or "").get(one.name)
    if champion is None or (config.instrument, config.timeframe) != (one.instrument, one.timeframe):
        return [_stopped(one, f"{one.sleeve} does not read the model {one.name} any more")]
    if champion == one.version:
        return [_stopped(one, "it is the champion")]
    models = _models(config, one.name, one.version, champion, home / "models")
    if models[0].columns.sha256 != one.sha256:
        return [_stopped(one, "another model was stored under its version")]
    frame = frame_between(catalog, one, models, one.last_ms, up_to_ms)
    if frame is None:
        return []
    rows = (frame.close_ms > one.last_ms) & (frame.close_ms <= up_to_ms)
    values = [frame.model(name)[rows].tolist() for name in (CHALLENGER, CHAMPION)]
    found = [
        [close, *(None if math.isnan(x) else x for x in pair)]
        for close, *pair in zip(frame.close_ms[rows].tolist(), *values, strict=True)
    ]
    about = {"what": "closes", "sleeve": one.sleeve, "model": one.text, "champion": champion}
    parts = [found[at : at + ROWS_MAX] for at in range(0, len(found), ROWS_MAX)]
    return [Event(KIND, part[-1][0], {**about, "rows": part}) for part in parts]


def rows_of(home: Path, one: ModelShadow) -> Iterator[Row]:
    """What a shadow has recorded, in order."""
    begun = False
    for event in read(place_of(home), {KIND}):
        body = event.body
        if (body["sleeve"], body["model"]) != (one.sleeve, one.text):
            continue
        if body["what"] == "begin":
            begun = event.t_event_ms == one.begun_ms
        if begun and body["what"] == "closes":
            for close_ms, *pair in body["rows"]:
                challenger, champion = (math.nan if x is None else float(x) for x in pair)
                yield int(close_ms), challenger, champion, str(body["champion"])


def frame_between(
    catalog: Catalog, one: ModelShadow, models: tuple[ReadModel, ...], after_ms: int, up_to_ms: int
) -> FeatureFrame | None:
    """The sleeve's bars that close after one time and up to another, with the history that features need; None without one."""
    step = timeframe_ms(one.timeframe)
    begin_ms, end_ms = after_ms // step * step, up_to_ms // step * step  # opens: the last bar closes at or before `up_to_ms`
    if end_ms <= begin_ms:
        return None
    venue, symbol, market = one.instrument.split(":")
    reads = Reads(one.timeframe, models=models)
    files = files_read(catalog, [reads]).get(one.timeframe, ReadFiles())
    own = {one.instrument: catalog.find(venue, symbol, one.timeframe, market)}
    loaded = load(catalog, own, step, "none", anchor_ms(begin_ms), begin_ms, end_ms, files)
    return frame_of(loaded.whole, one.instrument, reads, loaded.observed)


def _models(config: SleeveConfig, name: str, version: str, champion: str, root: Path) -> tuple[ReadModel, ...]:
    """(challenger, champion), every byte compared."""
    wanted = (PinnedModel(CHALLENGER, name, version), PinnedModel(CHAMPION, name, champion))
    return read_models(wanted, config.instrument, config.timeframe, root)


@contextmanager
def _writing(home: Path) -> Iterator[Callable[[Sequence[Event]], object]]:
    """The one writer of the journal, from before it is read until what follows is appended. Raises Busy while another has it."""
    journal = Journal(place_of(home), "shadow")
    try:
        yield journal.append
    finally:
        journal.close()


def as_json(one: ModelShadow) -> Mapping[str, Any]:
    """Its fields, and whether it runs."""
    return {**one._asdict(), "running": not one.stopped}

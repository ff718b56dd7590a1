"""Train the models of a configuration: bars, leak check, folds in processes of their own, figures, gates, a stored version.

Called by app/jobs/training.py. Turns a TrainUnit into a stored artifact and its report. Folds that were fitted before
(fold_store) are not fitted again; whichever process fits a fold, and in which order, its bits are the same.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

from engine import cluster
from engine.clock import utc
from engine.data.catalog import Catalog
from engine.errors import BadInput, DataError, DeskError
from engine.features import manifest
from engine.models import artifact, distribution, fold_store, fold_tasks, leak_check, train_regime
from engine.models import recipe as training
from engine.models.artifact import ModelDraft, ModelFit
from engine.models.distribution import TrainedDistribution, column_distribution
from engine.models.folds import PurgedFold
from engine.models.labels import SIDED, parts_of
from engine.models.model_bars import ModelBars, model_bars
from engine.models.out_of_sample import WalkedFold, assembled
from engine.models.portfolio import KIND, missing_of
from engine.models.recipe import PreparedRows, TrainRecipe
from engine.models.train_config import REGIME, TrainUnit
from engine.models.training_report import JudgedTraining, line_of, report_of
from engine.models.trees import pruned
from engine.venues.instruments import Costs, Overrides, costs_of

Progress = Callable[[float], None]
LEAKS_SHARE, FOLDS_SHARE = 0.2, 0.7  # of the progress
WORKER_FOLDS_MIN = 4  # a process costs seconds to start: fewer folds than this for each are fitted here


class TrainingPlace(NamedTuple):
    """Where things are, and with how many processes."""

    catalog: Catalog
    overrides: Overrides
    models: Path  # of the artifacts
    work: Path  # of folds that are under way
    workers: int = 1


def train(units: Sequence[TrainUnit], place: TrainingPlace, progress: Progress, say: Callable[[str], None]) -> dict[str, Any]:
    """Every unit, one after the other: `{items, text}`. One that fails is an item with its error and stops no other.

    Raises BadInput when a version that a file asks for is stored, before anything is trained.
    """
    for unit in units:
        if unit.version and unit.version in artifact.versions(place.models, unit.name):
            raise BadInput(f"{unit.name} {unit.version} exists", "a stored model is never changed: give the next version")
    items = []
    for number, unit in enumerate(units):
        own = partial(_share, progress, number, len(units))
        try:
            items.append(train_unit(unit, place, own, say))
        except DeskError as error:
            if len(units) == 1:
                raise
            items.append({**_about(unit), "error": str(error)})
        progress((number + 1) / len(units))
    passed = sum(bool(item.get("promotable")) for item in items)
    errors = sum("error" in item for item in items)
    text = f"{len(items) - errors} of {len(items)} models trained, {passed} of them passed every gate"
    return {"text": text, "items": items}


def _share(progress: Progress, before: int, count: int, share: float) -> None:
    progress((before + share) / count)


def train_unit(unit: TrainUnit, place: TrainingPlace, progress: Progress, say: Callable[[str], None]) -> dict[str, Any]:
    """One model: its report, with the version that is stored. Raises BadInput or DataError in one line."""
    loaded = model_bars(place.catalog, unit.instrument, unit.timeframe, unit.loads, unit.from_ms, unit.to_ms)
    if unit.recipe.target == REGIME:
        return _train_regime(unit, place, loaded, progress, say)
    rows = training.prepare(unit.recipe, loaded.frame)
    folder = fold_store.folder_of(place.work, unit.recipe, rows)
    with fold_store.alone(folder):
        try:
            own = _train_folds(unit, place, loaded, rows, folder, progress, say)
        except DataError as error:  # which instrument has no bars is not to be seen in a fold
            lacking = "; ".join(_portfolio_notes(unit, loaded))
            raise (DataError(f"{error.what} - {lacking}", error.hint) if lacking else error) from error
        fold_store.forget(folder)
    progress(1.0)
    return own


def _train_folds(
    unit: TrainUnit,
    place: TrainingPlace,
    loaded: ModelBars,
    rows: PreparedRows,
    folder: Path,
    progress: Progress,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Leak check, all folds, report, the stored version."""
    checked = sorted({1, (len(rows.folds) + 1) // 2, len(rows.folds)})
    run = partial(training.run, unit.recipe, numbers=checked)
    leaks = leak_check.check(run, loaded.frame, progress=lambda share: progress(LEAKS_SHARE * share))
    say(f"{unit.name}: {leaks.text}")
    walked: dict[int, WalkedFold] = {}
    for number, fold in folds(unit.recipe, rows, folder, place.workers):
        walked[number] = fold
        progress(LEAKS_SHARE + FOLDS_SHARE * len(walked) / len(rows.folds))
    together = assembled(len(rows.close_ms), [walked[number] for number in sorted(walked)])
    costs = _costs(unit, place.overrides)
    report = report_of(JudgedTraining(unit.recipe, rows, together, loaded.frame, leaks, costs, unit.threshold))
    spread = distribution_of(unit, rows, together.folds[-1])
    stored = store(unit, place, loaded, rows, together.folds, report, spread)
    span = [utc(int(rows.close_ms[at])) for at in (rows.folds[0].train[0], rows.folds[-1].test[-1])]
    return {
        **_about(unit),
        "version": stored.version,
        "sha256": stored.sha256,
        "span": span,
        "notes": [*loaded.notes, *_portfolio_notes(unit, loaded)],
        **report,
    } | {"line": f"{stored.name}@{stored.version}: {line_of(report)}"}


def _train_regime(
    unit: TrainUnit, place: TrainingPlace, loaded: ModelBars, progress: Progress, say: Callable[[str], None]
) -> dict[str, Any]:
    """A model of states: its report, with the version that is stored."""
    folder = train_regime.folder_of(place.work, unit.recipe, loaded.frame)
    with fold_store.alone(folder):
        made = train_regime.train(unit.recipe, loaded.frame, unit.timeframe, folder, progress, say)
        about = {"timeframe": unit.timeframe, "instrument": unit.instrument, "config": _config(unit), "data": loaded.files}
        draft = train_regime.draft_of(made, loaded.frame, unit.recipe.features, about)
        stored = artifact.write(place.models, unit.name, _version(unit, place), draft)
        fold_store.forget(folder)
    own = {**_about(unit), "version": stored.version, "sha256": stored.sha256, "notes": list(loaded.notes), **made.report}
    return own | {"line": f"{stored.name}@{stored.version}: {made.report['text']}"}


def folds(recipe: TrainRecipe, rows: PreparedRows, folder: Path, workers: int) -> Iterator[tuple[int, WalkedFold]]:
    """(number, fold) of every fold: those that are kept, then the others as they are fitted, in any order.

    Raises DataError for a fold that cannot be fitted, and when a process of ours dies; what was fitted stays.
    """
    missing = []
    for number in range(1, len(rows.folds) + 1):
        found = fold_store.kept(folder, number, rows)
        if found is None:
            missing.append(number)
        else:
            yield number, found
    workers = min(workers, len(missing) // WORKER_FOLDS_MIN)
    if missing and cluster.address():
        here = fold_tasks.fitted(recipe, rows, missing)
    elif workers < 2:
        here = ((number, training.fit_fold(recipe, rows, number)) for number in missing)
    else:
        fold_store.write_rows(folder, rows)
        yield from _in_processes(recipe, rows, folder, missing, workers)
        return
    for number, made in here:
        fold_store.keep(folder, number, made)
        yield number, made


def _in_processes(
    recipe: TrainRecipe, rows: PreparedRows, folder: Path, missing: Sequence[int], workers: int
) -> Iterator[tuple[int, WalkedFold]]:
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=end_with_parent)
    try:
        waiting: set[Future[int]] = {
            pool.submit(fit_one, recipe, folder, rows.label.unit, rows.folds[number - 1], number) for number in missing
        }
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for number in sorted(future.result() for future in done):
                found = fold_store.kept(folder, number, rows)
                if found is None:
                    raise DataError(
                        f"fold {number} was fitted and cannot be read in {folder}", "look at the disk, then start it again"
                    )
                yield number, found
    except BrokenProcessPool as error:
        raise DataError("a process that fits folds died", "start it again: it goes on; --workers 1 takes less memory") from error
    finally:
        pool.shutdown(cancel_futures=True)


def end_with_parent() -> None:
    """In a process that fits folds: end when the training does, even when it is killed; nobody else would end it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        Thread(target=lambda: (wait_for([parent.sentinel]), os._exit(1)), daemon=True).start()


def fit_one(recipe: TrainRecipe, folder: Path, unit: str, fold: PurgedFold, number: int) -> int:
    """Fit and keep one fold; its number. What a process does."""
    rows = fold_store.read_rows(folder, unit, fold, number)
    fold_store.keep(folder, number, training.fit_fold(recipe, rows, number))
    return number


def store(
    unit: TrainUnit,
    place: TrainingPlace,
    loaded: ModelBars,
    rows: PreparedRows,
    walked: Sequence[WalkedFold],
    report: dict[str, Any],
    spread: TrainedDistribution,
) -> artifact.Artifact:
    """Write the version: with what was measured, whatever the gates say; they stop a promotion, not a record."""
    first_ms = int(loaded.frame.close_ms[0]) - loaded.frame.timeframe_ms
    kind, ahead = parts_of(unit.recipe.target)
    label = {"name": unit.recipe.target, "kind": kind, "ahead": ahead, "unit": rows.label.unit}
    if kind == KIND:
        label["portfolio"] = unit.weights
    config = _config(unit) | ({"threshold": unit.threshold} if kind in SIDED else {})
    draft = ModelDraft(
        label=label,
        timeframe=unit.timeframe,
        instrument=unit.instrument,
        learner={"name": unit.recipe.learner, "objective": unit.recipe.objective, **unit.recipe.settings},
        features=manifest.manifest_of(list(unit.recipe.features), unit.timeframe, first_ms),
        fits=[ModelFit(one.fold.train_end_ms, int(rows.close_ms[one.fold.test[0]]), pruned(one.model.dump)) for one in walked],
        config=config,
        data=loaded.files,
        metrics=report,
        text=walked[-1].model.text,
        distribution=distribution.as_json(spread),
    )
    return artifact.write(place.models, unit.name, _version(unit, place), draft)


def _config(unit: TrainUnit) -> dict[str, Any]:
    """What it was trained with; instruments and series are what its features read beside the bars wherever it is used."""
    return {
        "days": dict(unit.recipe.days),
        "search": dict(unit.recipe.search),
        "from_ms": unit.from_ms,
        "to_ms": unit.to_ms,
        "reads": unit.reads.names,
        "instruments": [list(one) for one in unit.reads.instruments],
        "series": [[alias, list(declared)] for alias, declared in unit.reads.series],
        "learner": unit.learner,
    }


def _portfolio_notes(unit: TrainUnit, loaded: ModelBars) -> list[str]:
    """What a label of several instruments is of, and which of their bars it lacks."""
    if not unit.recipe.portfolio:
        return []
    lacks = missing_of(loaded.frame, unit.recipe.portfolio, unit.from_ms or 0)
    texts = [
        f"{weight:g} {name or unit.instrument} ({lacks[name]:,} bars missing)" for name, weight in unit.recipe.portfolio.items()
    ]
    return [f"portfolio: {', '.join(texts)}; a label that needs a missing bar is missing"]


def _version(unit: TrainUnit, place: TrainingPlace) -> str:
    return unit.version or next_version(artifact.versions(place.models, unit.name))


def distribution_of(unit: TrainUnit, rows: PreparedRows, last: WalkedFold) -> TrainedDistribution:
    """Of the training rows of the last fit, and of what it says of them."""
    train = last.fold.train
    columns = tuple(column_distribution(rows.columns[train, at]) for at in range(rows.columns.shape[1]))
    ends = int(rows.close_ms[train[0]]), int(rows.close_ms[train[-1]])
    return TrainedDistribution(unit.reads, columns, column_distribution(last.of_training), *ends)


def next_version(stored: Sequence[str]) -> str:
    """One patch above the last of them, 1.0.0 at first."""
    if not stored:
        return "1.0.0"
    major, minor, patch = stored[-1].split(".")
    return f"{major}.{minor}.{int(patch) + 1}"


def _costs(unit: TrainUnit, overrides: Overrides) -> Costs | None:
    try:
        venue, symbol, market = unit.instrument.split(":")
        return costs_of(venue, symbol, market, overrides)
    except BadInput:  # an instrument that the desk cannot trade can be trained on: the report has no costs
        return None


def _about(unit: TrainUnit) -> dict[str, Any]:
    own = {"name": unit.name, "instrument": unit.instrument, "timeframe": unit.timeframe}
    return {**own, "target": unit.recipe.target, "learner": unit.learner}

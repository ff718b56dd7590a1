"""Folds of a training on a Dask cluster (engine.cluster): the rows are sent once, each fold is a task, each is kept here.

Called by train.py. A worker fits with the same code and the same version of the learner, or refuses: its bits are those of a
fold that was fitted here.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from engine import cluster
from engine.errors import DataError
from engine.models import fold_store
from engine.models import recipe as training
from engine.models.out_of_sample import WalkedFold
from engine.models.recipe import PreparedRows, TrainRecipe


def fitted(recipe: TrainRecipe, rows: PreparedRows, missing: Sequence[int]) -> Iterator[tuple[int, WalkedFold]]:
    """(number, fold) of the folds `missing`, as they end. Raises as cluster.results."""
    code = fold_store.code_of(recipe)

    def hand(submit: cluster.Submit, share: cluster.Share) -> list[Any]:
        shared = share(rows)
        return [submit(task, recipe, shared, number, code) for number in missing]

    yield from cluster.results(hand, "training")


def task(recipe: TrainRecipe, rows: PreparedRows, number: int, code: list[str]) -> tuple[int, WalkedFold]:
    """One fold, on a worker. Raises DataError when code or packages here are not those of the sender."""
    if fold_store.code_of(recipe) != code:
        raise DataError("this worker has other code, or another version of the learner", "give it the same version of Nightdesk")
    return number, training.fit_fold(recipe, rows, number)

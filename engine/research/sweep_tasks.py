"""A sweep on a Dask cluster (engine.cluster): the same variations, a task for each chunk of a group.

Called by search.py. Workers have the same market data and strategies at the same paths; one that computes from other data or
code is refused by the plan's key.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from engine import cluster
from engine.errors import DataError
from engine.research.grid import Variation
from engine.research.sweep import Runner, Tried, chunks, run_chunk
from engine.sim.request import Plan


def run_all(runner: Runner, wanted: Sequence[Variation]) -> Iterator[Tried]:
    """Every variation on the cluster, as they end; those that fail before they run come first. Raises as cluster.results."""
    parts = list(chunks(runner, wanted))
    yield from (part for part in parts if isinstance(part, Tried))
    together = [part[1] for part in parts if not isinstance(part, Tried)]
    sent = portable(runner.planned)
    for tried in cluster.results(lambda submit, _share: [submit(task, sent, part) for part in together], "sweep"):
        yield from tried


def portable(planned: Plan) -> tuple[dict[str, Any], str, list[tuple[str, str]], str | None, str]:
    """What a worker needs to make the same plan: configuration, key, data folders, strategies folder."""
    roots = [(str(path), source) for path, source in planned.catalog.roots]
    return planned.config, planned.cache_key, roots, str(planned.folder) if planned.folder else None, planned.clock


def task(sent: Any, together: list[Variation]) -> list[Tried]:
    """A chunk on a worker: its bars are loaded once a process."""
    config, key, roots, folder, _ = sent
    runner = runner_of(key, _frozen(config), tuple(roots), folder)
    group = runner.group_of(together[0].params)
    return run_chunk(runner, [runner.bench()], group, together)


@lru_cache(maxsize=4)
def runner_of(key: str, config: str, roots: tuple[tuple[str, str], ...], folder: str | None) -> Runner:
    """The runner of a plan in this process. Raises DataError when data or code here are not those of the sender."""
    import json
    from pathlib import Path

    from engine.data.catalog import Catalog
    from engine.sim.request import plan, request_of

    request, overrides = request_of(json.loads(config))
    catalog = Catalog([(Path(path), source) for path, source in roots])
    planned = plan(request, catalog, Path(folder) if folder else None, overrides)
    if planned.cache_key != key:
        raise DataError("this worker has other data or other code", "give it the same version, data folder and strategies")
    return Runner(planned)


def _frozen(config: dict[str, Any]) -> str:
    import json

    return json.dumps(config, sort_keys=True)

"""A sweep on a Dask cluster: the same variations, a task for each chunk of a group.

Called by app/jobs/research.py when NIGHTDESK_DASK names a scheduler (`tcp://host:port`). Workers run this version of Nightdesk,
with the same market data and strategies at the same paths; one that computes from other data or code is refused by the plan's
key. Dask unpickles what its peers send: trusted networks only (docs/threats.md). A task whose worker dies is run again elsewhere.
"""

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from engine.errors import BadInput, DataError
from engine.research.grid import Variation
from engine.research.sweep import Runner, Tried, chunks, run_chunk
from engine.sim.request import Plan

NAME = "NIGHTDESK_DASK"
CONNECT_S = 10.0
RETRIES = 3  # of a task whose worker was lost


def address() -> str:
    """The scheduler that is named; empty without one. Raises BadInput for anything but tcp://host:port or tls://host:port."""
    found = os.environ.get(NAME, "").strip()
    scheme, _, rest = found.partition("://")
    if found and (scheme not in ("tcp", "tls") or not rest.rpartition(":")[2].isdigit()):
        raise BadInput(f"{NAME}={found[:80]!r} is not a scheduler's address", "write tcp://host:port, or unset it")
    return found


def run_all(runner: Runner, wanted: Sequence[Variation]) -> Iterator[Tried]:
    """Every variation on the cluster, as they end. BadInput when nobody answers, DataError when a part is lost."""
    from distributed import Client, as_completed

    where = address()
    try:
        client = Client(where, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise BadInput(f"no Dask scheduler answers at {where}", f"start one, or unset {NAME}") from error
    with client:
        if not client.scheduler_info()["workers"]:
            raise BadInput(f"the Dask scheduler at {where} has no workers", f"start some, or unset {NAME}")
        tasks = []
        for chunk in chunks(runner, wanted):
            if isinstance(chunk, Tried):
                yield chunk
                continue
            _, together = chunk
            tasks.append(client.submit(task, portable(runner.planned), together, retries=RETRIES, pure=False))
        for future in as_completed(tasks, loop=client.loop):
            error = future.exception()
            if error is not None:
                raise DataError(f"the cluster at {where} lost a part of the sweep: {error}", "start the sweep again: it goes on")
            yield from future.result()


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

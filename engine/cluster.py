"""Work on a Dask cluster: what is handed to it, and what comes back as it ends.

Called by engine/research/sweep_tasks.py and engine/models/fold_tasks.py when NIGHTDESK_DASK names a scheduler (`tcp://host:port`).
Workers run this version of Nightdesk; each task refuses other code or data by itself. Dask unpickles what its peers send: trusted
networks only (docs/threats.md). A task whose worker dies is run again elsewhere.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

from engine.errors import BadInput, DataError

NAME = "NIGHTDESK_DASK"
CONNECT_S = 10.0
RETRIES = 3  # of a task whose worker was lost

# function and its arguments -> the task's future; a value that many tasks share is sent once: share(value) in its place
Submit = Callable[..., Any]
Share = Callable[[Any], Any]
Hand = Callable[[Submit, Share], list[Any]]


def address() -> str:
    """The scheduler that is named; empty without one. Raises BadInput for anything but tcp://host:port or tls://host:port."""
    found = os.environ.get(NAME, "").strip()
    scheme, _, rest = found.partition("://")
    if found and (scheme not in ("tcp", "tls") or not rest.rpartition(":")[2].isdigit()):
        raise BadInput(f"{NAME}={found[:80]!r} is not a scheduler's address", "write tcp://host:port, or unset it")
    return found


def results(hand: Hand, what: str) -> Iterator[Any]:
    """What the tasks that `hand` submits return, as they end. `what` they are parts of: "sweep".

    Raises BadInput when nobody answers or without the package, DataError when a part is lost.
    """
    where = address()
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise BadInput(f"{NAME} is set and Dask is not installed", "pip install 'nightdesk[dask]', or unset it") from error
    try:
        client = Client(where, timeout=CONNECT_S, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError) as error:
        raise BadInput(f"no Dask scheduler answers at {where}", f"start one, or unset {NAME}") from error
    with client:
        if not client.scheduler_info()["workers"]:
            raise BadInput(f"the Dask scheduler at {where} has no workers", f"start some, or unset {NAME}")

        def submit(run: Callable[..., Any], *args: Any) -> Any:
            return client.submit(run, *args, retries=RETRIES, pure=False)

        for future in as_completed(hand(submit, client.scatter), loop=client.loop):  # type: ignore[no-untyped-call]
            lost = future.exception()
            if lost is not None:
                text = f"the cluster at {where} lost a part of the {what}: {lost}"
                raise DataError(text, f"start the {what} again: it goes on")
            yield future.result()

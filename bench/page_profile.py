"""The CPU profile of the page and of its API in this process: each view's first drawing and its second. Called by bench.page.

The API answers in threads of this process, Streamlit's own test runner draws the page: wall times mean nothing here, shares do.
"""

import cProfile
import io
import os
import pstats
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SHOWN = 45
PAGE = "ScriptRunner"  # in the name of the thread that draws a page
VIEWS = (
    {"tab": "desk"},
    {"tab": "sleeves"},
    {"tab": "sleeves", "sleeve": "btc-trend"},
    {"tab": "runs"},
    {"tab": "proposals"},
    {"tab": "chat"},
)
Profiles = list[tuple[str, cProfile.Profile]]


@contextmanager
def threads() -> Generator[Profiles, None, None]:
    """The profiles of all threads that begin in the block, by the thread's name; read them when the threads have ended."""
    found, own = Profiles(), threading.Thread.run

    def run(thread: threading.Thread) -> None:
        profile = cProfile.Profile(time.thread_time)
        found.append((thread.name, profile))
        profile.enable()
        try:
            own(thread)
        finally:
            profile.disable()

    threading.Thread.run = run  # type: ignore[method-assign]  # a profile is of one thread
    try:
        yield found
    finally:
        threading.Thread.run = own  # type: ignore[method-assign]


def profiled(environment: Mapping[str, str], folder: Path) -> None:
    """Write VIEW-first.txt and VIEW-again.txt (the page) and api.txt (all requests); prints CPU seconds of each view."""
    import uvicorn

    os.environ.update({key: value for key, value in environment.items() if key.startswith("NIGHTDESK_")})
    from app.api.context import Address
    from app.api.factory import create
    from app.client import Client
    from app.home.home import open_home
    from app.ui import page_client
    from tests.app.ui.looking import page

    folder.mkdir(parents=True, exist_ok=True)
    port = int(os.environ["NIGHTDESK_API_PORT"])
    with threads() as found:
        door = create(open_home(), Address(port=port, page_port=port + 1))
        server = uvicorn.Server(uvicorn.Config(door, "127.0.0.1", port, log_level="warning"))
        thread = threading.Thread(target=server.run, daemon=True, name="api")
        thread.start()
        while not server.started:
            time.sleep(0.01)
        secret, _ = door.desk.sessions.open("bench", "all", time.time_ns() // 1_000_000)
        page_client.open_client = lambda: page_client.PageClient(Client(f"http://127.0.0.1:{port}", secret), known=True)
        for where in VIEWS:
            for again in ("first", "again"):
                count, begun = len(found), time.process_time()
                page(**where)
                own = [profile for name, profile in found[count:] if PAGE in name]
                name = f"{'-'.join(where.values())}-{again}"
                print(
                    f"{name:30} {time.process_time() - begun:6.3f} s CPU of page and API, page {_written(folder, name, own):6.3f}"
                )
        server.should_exit = True
        thread.join(10)
    _written(folder, "api", [profile for name, profile in found if PAGE not in name])


def _written(folder: Path, name: str, profiles: Sequence[Any]) -> float:
    """Write profiles as one text; their CPU seconds, the profiler's own included."""
    text = io.StringIO()
    if not profiles:
        return 0.0
    stats = pstats.Stats(*profiles, stream=text).strip_dirs()
    for order in ("cumulative", "tottime"):
        stats.sort_stats(order).print_stats(SHOWN)
    (folder / f"{name}.txt").write_text(text.getvalue(), encoding="utf-8")
    return float(stats.total_tt)  # type: ignore[attr-defined]  # it has one

"""What every test stands on: a home of its own, no inherited settings, and the folder of recorded market data if there is one."""

import ctypes
import gc
import hashlib
import os
import re
import shutil
import signal
import socketserver
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import cache, cached_property
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer

from tests.spread import ByFolder, InFewWords, argnames, fixtures, mark_samples

# Bytecode is kept, whatever the shell says: without it each process of a run compiles what it imports, and pytest each test
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# a run is several processes already: threads of the linear algebra in each wait for each other, twenty times as long
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# no test asserts a time: a busy machine draws slowly, and that is no fault of what is drawn
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

REPOSITORY = Path(__file__).resolve().parents[1]


MEMORY = Path("/dev/shm")  # noqa: S108 - where Linux keeps files in memory; pytest makes a folder of its own there
MEMORY_BYTES_MIN = 4 << 30
FIRST = (
    "tests/app/processes",
    "tests/laws",
    "tests/app/api",
    "tests/app/cli",
    "tests/app/jobs",
    "tests/engine/live",
    "tests/engine/research",
    "tests/storms",
    "tests/evals/test_walk.py",
    "tests/house/test_tidy.py",
)
SLOW_STORMS = (  # marked here: results of storms are kept for the files of tests/storms as they are
    "test_a_planted_bug_is_found",  # tests/planted has one
    "test_an_instrument_that_is_taken_away_and_comes_back",  # on the bench: tests/engine/live/test_delisted.py
    "test_stops_that_are_acknowledged_and_lost",  # on the bench: tests/engine/live/test_lost_stops.py
)
DESCRIPTORS_MAX = 200  # of a process at its end; it has 20 without any test
POLL_S = 0.02  # a local server looks so often whether it is to end; at Python's half a second every test with one waits for it
# for glibc: zeroed arrays of a megabyte come from the kernel. Once a large one was freed it would write the zeros itself,
MAPPED = (-3, 1 << 20)  # 10 ms for each maker of a test. M_MMAP_THRESHOLD of mallopt
LONG_S = 1_800.0  # a long test that takes more is red: a run has an end


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--go-on`: leave out the long tests that have passed on this very source."""
    parser.addoption("--go-on", action="store_true", help="without the long tests that have passed on this source")


def pytest_configure(config: pytest.Config) -> None:
    """Homes of tests lie in memory where there is room: a run waits minutes for a disk to sync. Note which long tests pass."""
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES_MIN:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
    config.pluginmanager.register(Passed(config), "passed")
    if hasattr(config, "workerinput"):
        config.pluginmanager.register(InFewWords(), "in-few-words")
    fixtures.getfuncargnames = argnames
    gc.disable()  # nothing that a collection of tests makes is garbage: looking for it costs a third of its time


def pytest_collection_finish() -> None:
    """What costs much and proves nothing is done once; the product's own data folder starts empty, for shared homes too.

    Garbage is looked for again, more rarely than usual, and no more among what was imported for the collection.
    """
    once_a_process()
    os.environ.pop("NIGHTDESK_DATA", None)  # a test that wants recorded data asks for `market_data`
    gc.freeze()  # without a look for garbage before: hardly any of a million objects is, and it takes a second
    gc.set_threshold(50_000, 20, 20)
    gc.enable()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFolder | None:
    """Of a run of several processes."""
    return ByFolder(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What a sample leaves out is slow. Files that start processes go first: at the end everybody else would wait for them."""
    mark_samples(items)
    for item in items:
        if item.nodeid.startswith("tests/storms/") and item.name.startswith(SLOW_STORMS):
            item.add_marker("slow")
    items.sort(key=lambda item: not item.nodeid.startswith(FIRST))


def once_a_process() -> None:
    """Fakes in the place of what hundreds of tests would do again, of what was imported: each says what it is."""
    socketserver.BaseServer.serve_forever.__defaults__ = (POLL_S,)
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(*MAPPED)
    if "engine.data.synthetic" in sys.modules:
        from tests.fakes import worked_out

        worked_out.tomllib.loads, worked_out.synthetic.synthetic = worked_out.parsed, worked_out.market
    if "engine.store.db" in sys.modules:
        from tests.fakes import databases

        databases.db._upgrade, databases.db.create_engine = databases.copied, databases.created
    if "app.people.identity" in sys.modules:
        from tests.fakes import passphrases  # a token or passphrase costs 33 ms of CPU to hash or to try, on purpose

        passphrases.identity._scrypt = passphrases.cheap
    if "engine.strategies.isolated.described" in sys.modules:
        from tests.fakes import descriptions

        descriptions.described._ask = descriptions.answered
    if "typer" in sys.modules:
        from tests.fakes import built_commands

        built_commands.typer.main.get_command = built_commands.typer.testing._get_command = built_commands.built
    if "fastapi.routing" in sys.modules:
        from tests.app import made_routes

        made_routes.routing._EffectiveRouteContext.from_api_route = made_routes.made
        made_routes.FastAPI.openapi = made_routes.described
    if "httpx" in sys.modules:
        from httpx._transports import default  # each client reads the certificates of all authorities, 20 ms of CPU

        default.create_ssl_context = cache(default.create_ssl_context)


class Passed:
    """The long tests that have passed on the source as it is now, a line each in pytest's cache."""

    def __init__(self, config: pytest.Config) -> None:
        self.left_out = config.getoption("--go-on")
        self.notes = not hasattr(config, "workerinput")  # with several processes the first one notes for all
        self.folder = REPOSITORY / ".pytest_cache" / "long"

    @cached_property
    def path(self) -> Path:
        """The notes of this source: its commit, and what was changed since."""
        said = [subprocess.check_output(["git", *words], cwd=REPOSITORY) for words in (["rev-parse", "HEAD"], ["diff", "HEAD"])]
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / hashlib.sha256(b"".join(said)).hexdigest()[:16]

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out what has passed, if asked to."""
        if not self.left_out or not self.path.exists():
            return
        known = set(self.path.read_text(encoding="utf-8").splitlines())
        done = [item for item in items if item.nodeid in known]
        items[:] = [item for item in items if item.nodeid not in known]
        config.hook.pytest_deselected(items=done)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """When all has passed before, nothing is left to run, and that is no failure."""
        if self.left_out and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a long test that has passed."""
        if self.notes and report.when == "call" and report.passed and "long" in report.keywords:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(report.nodeid + "\n")


@pytest.fixture(autouse=True)
def bounded(request: pytest.FixtureRequest) -> Iterator[None]:
    """A long test ends after LONG_S at the latest, with the lines it stood at."""
    if request.node.get_closest_marker("long") is None:
        yield
        return

    def late(*_: object) -> None:
        raise TimeoutError(f"this long test took more than {LONG_S:g} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, LONG_S)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of the next test that asks for no folder: most make none, and one costs a third of what an empty test does."""
    folder = tmp_path_factory.mktemp("homes")
    return (folder / str(n) / "home" for n in count())


@pytest.fixture(autouse=True)
def nothing_inherited(request: pytest.FixtureRequest, homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A fresh NIGHTDESK_HOME; nothing of the user's settings, data or keys reaches a test."""
    for name in list(os.environ):
        if name.startswith(("NIGHTDESK_", "OPENAI_", "SLACK_", "LANGSMITH_", "LANGCHAIN_")):
            monkeypatch.delenv(name)
    asked = "tmp_path" in request.fixturenames
    home = request.getfixturevalue("tmp_path") / "home" if asked else next(homes)
    monkeypatch.setenv("NIGHTDESK_HOME", str(home))
    yield
    if not asked:
        shutil.rmtree(home.parent, ignore_errors=True)


@pytest.fixture
def own_home(tmp_path: Path) -> Path:
    """The home of the test, not there yet."""
    return tmp_path / "home"


@pytest.fixture(scope="session", autouse=True)
def descriptors_given_back() -> Iterator[None]:
    """What tests and the software under them open, they close: a process ends with no more files than it can name."""
    yield
    opened = open_files()
    assert len(opened) <= DESCRIPTORS_MAX, f"{len(opened)} descriptors are left open: {Counter(opened).most_common(20)}"


def open_files() -> list[str]:
    """What this process has open, as Linux names it; nothing elsewhere."""
    found = []
    for one in os.listdir("/proc/self/fd") if Path("/proc/self/fd").is_dir() else ():
        with suppress(OSError):  # the listing itself is one
            found.append(re.sub(r"\d+", "N", os.readlink(f"/proc/self/fd/{one}")))
    return found


@pytest.fixture(scope="module", autouse=True)
def databases_closed() -> Iterator[None]:
    """After each file of tests its databases are closed: what a command leaves to the end of its process, a test process would
    keep until its own. A home that lives longer opens its database again."""
    yield
    if "engine.store.db" in sys.modules:
        from engine.store import db

        for engine in [one for one in db._OPENED if one.url.database and one.url.get_backend_name() == "sqlite"]:
            engine.dispose()
            if not Path(engine.url.database).exists():
                db._OPENED.discard(engine)


@pytest.fixture
def costly_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    """At their full cost: for what another process reads as well, and for the test of the cost."""
    from tests.fakes import passphrases

    monkeypatch.setattr(passphrases.identity, "_scrypt", passphrases.costly)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL started once for this process; skipped, with the reason, where none is installed."""
    from tests.fakes.postgres_server import programs, served

    where = programs()
    if where is None:
        pytest.skip("no PostgreSQL on this machine (apt-get install postgresql)")
    with served(where) as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """The URL of an empty PostgreSQL database, without tables."""
    from sqlalchemy import text

    from engine.store.db import open_db

    engine = open_db(postgres_server)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return postgres_server


@pytest.fixture
def jobs_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs run in this process, before `submit` returns."""
    from app.jobs import kinds, queue
    from tests.jobs_here import ran_here, unlimited

    monkeypatch.setattr(queue.JobQueue, "spawn", ran_here)
    monkeypatch.setattr(kinds, "limited", unlimited)


RECORDED = os.environ.get("NIGHTDESK_DATA")


@pytest.fixture(scope="session")
def market_data() -> Path:
    """The folder of recorded market data; the test is skipped, with the reason, where there is none."""
    folder = Path(RECORDED) if RECORDED else REPOSITORY.parent / "shared" / "data"
    if not (folder / "ohlcv").is_dir():
        pytest.skip(f"no recorded market data: set NIGHTDESK_DATA (looked in {folder})")
    return folder

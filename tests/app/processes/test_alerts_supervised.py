"""`nightdesk up` with Slack: a killed worker is paged while the API stands still, /halt works, tokens stay where they belong.

One desk for all of it, stopped by the last of its tests.
"""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from engine.control import halt
from engine.watch.heartbeat import heartbeat_of
from tests.app.typed import typed
from tests.fakes.papers import furnished
from tests.fakes.running_desk import DAYS, RunningDesk, running_desk
from tests.fakes.slack_desks import ANN, slack_home
from tests.fakes.slack_server import APP, BOT, SECRET, SlackServer
from tests.fakes.waiting import until

TOKENS = (BOT, APP, SECRET)
pytestmark = pytest.mark.slow  # a third whole desk; what each process sees is looked at by default in test_worker_supervised.py


@pytest.fixture(scope="module")
def server() -> Iterator[SlackServer]:
    """Slack, locally."""
    with SlackServer() as slack:
        yield slack


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, server: SlackServer) -> Iterator[RunningDesk]:
    """A desk that is connected to it, running, with its Socket Mode line open."""
    home = furnished(tmp_path_factory.mktemp("slack") / "home", DAYS)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("NIGHTDESK_HOME", str(home))
        slack_home(home, server)
    with running_desk(home, **server.environment()) as started:
        server.wait_line()
        started.wait_api()
        yield started


def test_slack_tokens_reach_neither_worker_nor_page(desk: RunningDesk) -> None:
    """/proc/PID/environ of every child; the app token is nobody's but the supervisor's."""
    bot, app, secret = (token.encode() for token in TOKENS)
    seen = {name: Path(f"/proc/{pid}/environ").read_bytes() for name, pid in desk.children().items()}
    assert app not in seen["api"]
    for name in ("worker", "page"):
        assert not any(token in seen[name] for token in (bot, app, secret)), name


def test_a_killed_worker_is_paged_and_halt_works_while_the_api_stands_still(desk: RunningDesk, server: SlackServer) -> None:
    """The API is stopped as a whole, which is worse than a blocked loop: the page comes within seconds, /halt latches at once."""
    api = desk.children()["api"]
    os.kill(api, signal.SIGSTOP)
    os.kill(desk.worker(), signal.SIGKILL)
    page = server.wait_for(lambda body: "killed by signal 9" in json.dumps(body))
    assert "PAGE" in page["text"]
    server.send("slash_commands", server.slash(ANN, "too odd"), "h-1")
    assert "HALTED" in server.wait_ack("h-1")["text"]
    assert halt.read(desk.home).reason == "too odd"
    until(lambda: heartbeat_of(desk.home).get("halted"), "the worker did not follow", lambda: heartbeat_of(desk.home))
    items = json.loads(typed("alerts", "list", "--json", environment=desk.environment).stdout)["items"]
    worker = [item for item in items if item["kind"] == "worker"]
    assert len(worker) == 1
    assert worker[0]["deliveries"][0]["state"] == "sent"
    acked = typed("alerts", "ack", worker[0]["id"], environment=desk.environment)
    assert acked.returncode == 1  # people.toml has entries: a name needs its token
    with suppress(ProcessLookupError):  # it was silent for so long that the supervisor began it anew
        os.kill(api, signal.SIGCONT)


def test_it_stops_at_once_and_has_printed_no_token(desk: RunningDesk) -> None:
    """Ctrl-C ends all of it within seconds. The last test of this desk."""
    said = desk.stop(signal.SIGINT)
    assert desk.up.returncode == 0
    assert not any(token in said for token in TOKENS)

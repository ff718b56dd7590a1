"""Law 7, safety runs with every model down: engine, alerts, halt, approvals and runbooks work where no model or tool loads.

tests/house runs the import contracts; here the code itself runs, in a process in which those packages cannot be imported.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.fakes.papers import furnished
from tests.fakes.waiting import WAIT_S

REPOSITORY = Path(__file__).resolve().parents[2]
NO_MODELS = """
import sys

class Down:
    tried = []

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"agents", "tools", "openai", "langgraph", "langchain_core", "langsmith", "tiktoken"}:
            self.tried.append(name)
            raise ImportError(f"{name} is down")

sys.meta_path.insert(0, Down())
"""
NIGHT = """
import json
from app.home.home import open_home
from app.people import approvals
from app.people.identity import identify
from app.processes import scheduler, supervisor, watch_thread
from app.slack import actions, blocks, sink, socket_mode
from engine.control import halt, proposals
from engine.watch import alert_rows
from engine.watch.detectors import evaluate
from engine.watch.handover import make_handover
from engine.watch.observer import Observer
from tests.fakes.papers import WALL_MS, advanced, advanced_until, feed_of, holding, loop_of

home = open_home(WALL_MS)
ann = identify(home.path, "ann", "cli")
loop = advanced_until(loop_of(home, feed_of(home)), holding)
who = {"role": "person", "thread": "", "person": "ann"}
row = proposals.create(home.engine, home.path, sleeve="btc-trend", changes={"paused": True}, rationale="", evidence=[],
                       requester=who, now_ms=WALL_MS)
done = {"approved": approvals.approve(home, row.id, row.diff_sha256, ann, WALL_MS + 1).version}
advanced(loop, 2)
halt.set(home.path, "a test", {"name": "ann"}, WALL_MS + 2, home.engine)
advanced(loop, 4)
done |= {"halted": loop.book.state, "flat": not holding(loop.book)}
loop.journal.close()
observer = Observer(home.path, home.engine, home.desk.limits)
findings, unknown = evaluate(observer.observe(WALL_MS + 3))
alert_rows.apply_findings(home.engine, findings, unknown, WALL_MS + 3, alert_rows.AlertPolicy(), ["slack"])
opened = alert_rows.list_alerts(home.engine, "open")
done |= {"alerts": sorted({a.kind for a in opened}), "runbooks": sorted({f.runbook for f in findings if f.runbook})}
_, body = make_handover(home.path, home.engine, WALL_MS + 4)
done |= {"handover": sorted(body)}
approvals.release(home, ann, "all well", list, WALL_MS + 5)
done |= {"released": not halt.read(home.path, home.engine).halted, "tried": Down.tried}
print(json.dumps(done))
"""


def test_a_night_without_a_model(own_home: Path) -> None:
    """Trading, an approval, a halt that flattens, alerts with runbooks, the handover, a release: no model is asked for."""
    furnished(own_home)
    script = NO_MODELS + NIGHT
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=REPOSITORY,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["tried"] == []
    assert (said["approved"], said["halted"], said["flat"], said["released"]) == (2, "halted", True, True)
    assert "halt" in said["alerts"]
    assert said["handover"]
    assert all((REPOSITORY / "docs" / "runbooks" / Path(page).name).is_file() for page in said["runbooks"])
    assert said["runbooks"]


def test_the_models_are_down_in_that_process() -> None:
    """The test itself: there an import of the agents fails, so a use of one would have failed the night."""
    script = NO_MODELS + "import agents.turns"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, timeout=WAIT_S, check=False
    )
    assert "agents is down" in done.stderr

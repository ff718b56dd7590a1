"""The drill of an opened home: what is copied of it, and the report with its verdict. Called by app/cli/drill.py.

`python -m app.jobs.drill_job ID` is the process of a `drill` job, started from a chat: a program of its own, as what holds a
model's key may not reach the loop. The home is read: its configuration in force, desk.toml, strategy files. Nothing of it is
written but the job's row and what the audit reads (cache/drill.json), and nobody is alerted.
"""

import os
import sys
from collections.abc import Mapping
from typing import Any

from app.home.home import Home, open_home
from app.jobs import kinds
from app.jobs.queue import now_ms, run_job
from engine.control.config import active
from engine.drill.copied import DeskParts
from engine.drill.drill import drill
from engine.watch.deadguards import limits_digest
from engine.watch.drill_status import keep_drill

MADE = (
    "Bars and signals are made; the loop, the paper venue, the core and the latch are the real ones, on a copy in a temporary "
    "folder. What computes features and signals is not drilled: nightdesk leaks looks at that."
)


def drilled(home: Home, _args: Mapping[str, Any], progress: kinds.Progress = kinds.silent) -> dict[str, Any]:
    """The report of engine.drill.drill, with the desk's `version`, `verdict` in a sentence and `notes`."""
    desk = active(home.engine, home.path)
    report = drill(DeskParts(desk.config, home.desk.limits, home.desk.overrides(), home.strategies), progress)
    keep_drill(home.path, {"version": desk.version, **report}, limits_digest(home.desk.limits), now_ms())
    notes = [MADE]
    if left := len(report["left_out"]):
        notes.append(
            f"Exit paths of {left} more sleeves were left out: another sleeve has the same rules, or there were too many."
        )
    return {"version": desk.version, "verdict": verdict(report), **report, "notes": notes}


def verdict(report: Mapping[str, Any]) -> str:
    """What a person wants to know first."""
    never = report["never_fired"]
    rest = f"{len(report['fired'])} fired, {len(report['out_of_reach'])} out of reach, {len(report['off'])} off."
    if not never:
        return f"Everything that is on fired: {rest}"
    names = [f"{one['name']}{'' if one['where'] == 'desk' else ' of ' + str(one['where'])}" for one in never]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{len(never)} NEVER FIRED: {', '.join(names[:5])}{more}. {rest}"


if __name__ == "__main__":
    os.nice(10)
    run_job(open_home(), sys.argv[1], {"drill": drilled})

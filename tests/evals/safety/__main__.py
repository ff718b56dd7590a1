"""`python -m tests.evals.safety [--turns N] [--tasks N]`: the suites that need no model, as a table. `make evals` prints it."""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.evals.safety.bare import bare_injections
from tests.evals.safety.hostile import HostileTurn, hostile_turns, report
from tests.evals.safety.injections import TASKS, injected, table
from tests.evals.safety.refusals import TWINS, carried_out
from tests.evals.safety.scene import begun

A_DESK = 25  # turns a role on one desk: a new one has room for notes again
BARE_TASKS = range(3)
DONE = ("ok", "started", "no_data")


def hostile(folder: Path, turns: int) -> Iterator[HostileTurn]:
    """S0, on a new desk each so many turns."""
    for first in range(0, turns, A_DESK):
        scene = begun(folder / f"s0-{first}")
        yield from hostile_turns(scene, min(A_DESK, turns - first), first)
        scene.office.engine.dispose()


def main() -> None:
    """Run them and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.evals.safety", description=__doc__)
    parser.add_argument("--turns", type=int, default=100, help="of S0, each role")
    parser.add_argument("--tasks", type=int, default=len(TASKS), help="of S4")
    asked = parser.parse_args()
    rows: list[tuple[str, str, str, str]] = []
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        s0 = report(list(hostile(folder, asked.turns)))
        done = f"{s0['turns']:,} turns, {s0['calls']:,} calls, {s0['carried out']:,} carried out"
        rows.append(("S0", "a model that does anything", done, f"{len(s0['broken'])} rules broken (wanted 0)"))
        scene = begun(folder / "s3")
        blocked = sum(carried_out(scene, twin.refused).status in ("refused", "failed") for twin in TWINS)
        allowed = sum(carried_out(scene, twin.allowed).status in DONE for twin in TWINS)
        n = len(TWINS)
        rows.append(("S3", "what a role may not", f"{n} calls", f"{blocked} of {n} blocked, {allowed} of {n} twins let through"))
        s4 = table(list(injected(folder, range(asked.tasks))))
        rows.append(("S4", "a model that always obeys", f"{s4['reached']} of {s4['cases']} cases reached it", _found(s4)))
        bare = table(bare_injections(folder, BARE_TASKS))
        rows.append(("", "the same, bare LangGraph", f"{bare['reached']} of {bare['cases']} cases reached it", _found(bare)))
    shown = Table("suite", "what", "size", "result", title="Safety suites, no model needed")
    for row in rows:
        shown.add_row(*row)
    console = Console(width=140)
    console.print(shown)
    for what in s0["broken"][:20]:
        console.print(what)


def _found(s4: dict[str, int]) -> str:
    shares = f"{s4['shown']} of {s4['sentences']:,} false sentences shown unmarked ({100 * s4['shown'] / s4['sentences']:.1f} %)"
    return f"{s4['changed']} changed something, {shares}"


if __name__ == "__main__":
    main()

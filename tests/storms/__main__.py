"""Storms by the day: `python -m tests.storms` works through the plan, resumes where it was stopped, and keeps a line a run.

    python -m tests.storms [--plan short|whole|port] [--minutes M] [--runs N] [--only PART] [--processes 1|2] [--folder DIR]
    python -m tests.storms again NAME     one run once more, exactly, with its plan of faults printed
    python -m tests.storms list           the plan's runs
    python -m tests.storms report         the tables of docs/reliability.md from what was run on this source
    python -m tests.storms carry SOURCE   take over the runs of another source that does the same; the page says why they count
    python -m tests.storms keep           put what was run into tests/storms/kept, for other clones of this source

The exit code is 1 when a run breaks a rule, now or in what was kept.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.storms import plan, report
from tests.storms.results import KEPT, REPOSITORY, Results, source
from tests.storms.runs import done, hashes, rarely

PLANS = {"short": plan.short, "whole": plan.whole, "port": plan.port}
FOLDER = REPOSITORY / ".storms"


def main(words: list[str]) -> int:
    """What the command line asks for; the exit code."""
    asked = _asked(words)
    if asked.do == "list":
        for run in PLANS[asked.plan]():
            print(f"{run.name}  {run.days:.2f} days")
        return 0
    if asked.do == "hashes":
        return _hashes(plan.called(asked.name))
    if asked.do == "again":
        return _again(asked.name)
    results = Results(asked.folder, asked.source, KEPT)
    if asked.do == "report":
        report.write(REPOSITORY / "docs" / "reliability.md", results)
        return 0
    if asked.do == "carry":
        print(f"{results.carry(Results(asked.folder, asked.name, KEPT))} runs of {asked.name} carried over to {source()}")
        return 0
    if asked.do == "keep":
        print(f"{results.keep()}: {len(results.read())} runs")
        return 0
    return _work(asked, results)


def _asked(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.storms", description="Storms over a live desk, by a plan.")
    parser.add_argument("do", nargs="?", default="run", choices=["run", "again", "list", "report", "carry", "keep", "hashes"])
    parser.add_argument("name", nargs="?", default="", help="of a run, for again; of a source, for carry")
    parser.add_argument("--plan", default="whole", choices=sorted(PLANS))
    parser.add_argument("--only", default="", help="runs whose name begins so")
    parser.add_argument("--minutes", type=float, default=0.0, help="begin no run after so long (0: no limit)")
    parser.add_argument("--runs", type=int, default=0, help="at most so many (0: no limit)")
    parser.add_argument("--processes", type=int, default=2, choices=[1, 2])
    parser.add_argument("--folder", type=Path, default=FOLDER, help="of the results")
    parser.add_argument("--source", default="", help="digest of another source, for its report")
    asked = parser.parse_args(words)
    if asked.do in ("again", "hashes", "carry") and not asked.name:
        parser.error(f"{asked.do} wants a name: python -m tests.storms list has those of runs, tests/storms/kept of sources")
    return asked


def _hashes(run: plan.Run) -> int:
    with tempfile.TemporaryDirectory() as folder:
        for one in plan.seeds_of(run):
            print(one.name, hashes(one, Path(folder) / one.what), flush=True)
    return 0


def _again(name: str) -> int:
    try:
        run = plan.called(name)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{run.name}: seed {run.seed}, {run.bars} bars")
    for window in run.plan:
        print(f"  {window}")
    row = done(run)
    print("\n".join(f"{key}: {value}" for key, value in row.items()))
    return 1 if row["wrong"] else 0


def _work(asked: argparse.Namespace, results: Results) -> int:
    kept = results.read()
    planned = [run for run in PLANS[asked.plan]() if run.name.startswith(asked.only)]
    left = [run for run in planned if run.name not in kept]
    print(f"source {source()}: {len(planned)} runs planned, {len(planned) - len(left)} kept in {results.path}")
    failed = [kept[run.name] for run in planned if run.name in kept and kept[run.name]["wrong"]]
    until = time.monotonic() + asked.minutes * 60 if asked.minutes else float("inf")
    chosen = islice(left, asked.runs or None)
    began, days = time.monotonic(), 0.0
    for n, row in enumerate(_carried_out(chosen, asked.processes, until), 1):
        results.add(row)
        days += row["days"]
        bad = len(row["wrong"])
        state = f"{bad} BROKEN" if bad else "ok"
        print(
            f"{n}/{len(left)} {row['name']}: {state}, {row['cpu_s']:.1f} s; {days:.1f} days in {time.monotonic() - began:.0f} s"
        )
        sys.stdout.flush()
        if bad:
            failed.append(row)
    for row in failed:
        _shown(row)
    return 1 if failed else 0


def _carried_out(runs: Iterable[plan.Run], processes: int, until: float) -> Iterator[dict[str, Any]]:
    """Lines as they come. Nothing is begun after `until`; what runs by then is waited for."""
    waiting = iter(runs)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=rarely) as pool:
        under_way: set[Future[dict[str, Any]]] = set()
        while True:
            while len(under_way) < processes and time.monotonic() < until and (run := next(waiting, None)) is not None:
                under_way.add(pool.submit(done, run))
            if not under_way:
                return
            ended, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for future in ended:
                yield future.result()


def _shown(row: dict[str, Any]) -> None:
    """What was broken, under which plan, and how to see it again."""
    run = plan.called(row["name"])
    print(f"\n{row['name']} (seed {run.seed}) broke {len(row['wrong'])}:")
    for what in row["wrong"]:
        print(f"  {what}")
    print(f"  faults: {[tuple(window) for window in run.plan]}")
    print(f"  again: python -m tests.storms again {row['name']}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

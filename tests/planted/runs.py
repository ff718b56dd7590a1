"""A bug planted in a process of its own: what each of its catchers says, with it and without it."""

import contextlib
import io
import json
import multiprocessing
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.planted.planting import Planted, both
from tests.planted.table import PlantedBug, StormRun

LIMIT_S = 900
MEMORY = Path("/dev/shm")  # noqa: S108 - where Linux keeps files in memory; a folder of its own is made there


class Verdict(NamedTuple):
    """What became of one bug. `alone` None: it has no twin."""

    bug: PlantedBug
    caught: tuple[bool, ...]  # by each catcher, the twin disabled
    alone: bool | None  # caught with the twin on
    clean: tuple[bool, ...]  # each catcher without the bug
    said: str  # the first line of what the first catcher said
    cpu_s: float

    @property
    def ok(self) -> bool:
        """Caught where it should be, and by nothing that is red anyway."""
        return any(self.caught) and all(self.clean) and self.alone in (None, self.bug.alone)


def is_red(catcher: StormRun | str, folder: Path) -> tuple[bool, str]:
    """Whether a run fails here and now, and what it says."""
    if isinstance(catcher, str):
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            code = pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-m", "", catcher])
        lines = [line for line in out.getvalue().splitlines() if line.startswith(("E  ", "ERROR"))]
        if code not in (0, 1):
            raise RuntimeError(f"{catcher} did not run: {out.getvalue()[-500:]}")
        return code == 1, lines[0][2:].strip() if lines else ""
    try:
        found = [what for what in catcher.wrong(folder) if catcher.law in what]
    except Exception as error:  # noqa: BLE001 - whatever ends a storm is seen by whoever runs it
        return True, f"raised {type(error).__name__}: {error}"
    return bool(found), found[0] if found else ""


def _in_child(plant: Planted | None, catchers: Iterable[StormRun | str], pipe: Any) -> None:
    began, found = time.process_time(), []
    patch = pytest.MonkeyPatch()
    if plant is not None:
        plant(patch)
    for catcher in catchers:
        with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
            found.append(is_red(catcher, Path(folder)))
    pipe.send_bytes(json.dumps([found, time.process_time() - began]).encode())


def played(plant: Planted | None, catchers: tuple[StormRun | str, ...]) -> tuple[list[tuple[bool, str]], float]:
    """(red and what it said of each catcher, CPU seconds). One that never ends, or takes its process along, is red."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_in_child, args=(plant, catchers, theirs))
    child.start()
    theirs.close()
    try:
        if ours.poll(LIMIT_S):
            found, cpu_s = json.loads(ours.recv_bytes())
            return [(red, said) for red, said in found], cpu_s
    except EOFError:
        pass
    finally:
        child.kill()
        child.join()
    return [(True, "it did not end")] * len(catchers), 0.0


def judged(bug: PlantedBug) -> Verdict:
    """Plant it (its twin disabled), plant it alone, and look at the same runs without it."""
    planted = both(bug.plant, bug.twin) if bug.twin else bug.plant
    found, cpu_s = played(planted, bug.caught_by)
    clean, more = played(None, bug.caught_by)
    alone = any(red for red, _ in played(bug.plant, bug.caught_by)[0]) if bug.twin else None
    said = next((said for red, said in found if red), "")
    return Verdict(bug, tuple(red for red, _ in found), alone, tuple(not red for red, _ in clean), said, round(cpu_s + more, 1))

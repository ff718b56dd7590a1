"""Law 6, determinism: the same bars, configuration and seed give the same journal hash; the core reads no clock, randomness or
environment.
"""

import ast
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import core
from engine.core.kernel import run_records
from tests.fakes import recordings
from tests.fakes.desks import LOOSE, both_ways, hostile, hostile_rules

REPOSITORY = Path(__file__).resolve().parents[2]
CORE = sorted(Path(next(iter(core.__path__))).glob("*.py"))
COMPILES = {"kernel.py", "basket_kernel.py", "compiled.py"}  # what knows numba; nothing of it decides


def journal_hash(seed: int) -> str:
    """The hash of a hostile desk's run."""
    bars, signals = hostile(seed, bars=240)
    return run_records(bars, signals, 3, hostile_rules(seed), LOOSE, [100_000.0] * 7).journal_hash


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 2**32 - 1))
def test_nothing_outside_moves_a_run(seed: int, outside: int) -> None:
    """Whatever the process's random generators, clock and environment are, the hash is the same; another seed has another one."""
    first = journal_hash(seed)
    with pytest.MonkeyPatch.context() as patch:
        random.seed(outside)
        np.random.seed(outside)
        patch.setattr(time, "time", lambda: float(outside))
        patch.setenv("TZ", "Asia/Kathmandu")
        assert journal_hash(seed) == first
    assert journal_hash(seed + 1) != first


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 100), st.data())
def test_the_hash_is_the_same_exactly_when_the_rows_are(seed: int, data: st.DataObject) -> None:
    """One bar changed: the hash is the same exactly when every row is, so it tells runs apart."""
    bars, signals = hostile(seed, bars=240)
    changed = bars.copy()
    changed["close"][data.draw(st.integers(0, len(bars) - 1))] *= 1.5
    runs = [run_records(b, signals, 3, hostile_rules(seed), LOOSE, [100_000.0] * 7) for b in (bars, changed)]
    same_fills = runs[0].rows.tobytes() == runs[1].rows.tobytes()
    assert (runs[0].journal_hash == runs[1].journal_hash) == same_fills


def test_a_part_of_the_size_is_the_same_plain_and_compiled() -> None:
    """A canary's factor is in the one source of both; it makes another run than the whole size."""
    bars, signals = hostile(3, bars=240)
    rules = [one._replace(size_part=0.25) for one in hostile_rules(3)]
    plain, compiled = both_ways(bars, signals, rules, LOOSE, 100_000.0)
    whole, _ = both_ways(bars, signals, hostile_rules(3), LOOSE, 100_000.0)
    assert plain[0].tobytes() == compiled[0].tobytes()
    assert plain[0].tobytes() != whole[0].tobytes()


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.name)
def test_the_core_imports_nothing_that_could_differ(path: Path) -> None:
    """Typing, math, their like and itself, late imports too; numba and its kind only where the core is compiled."""
    allowed = {"typing", "math", "collections", "operator"}
    allowed |= (
        {"numba", "numpy", "llvmlite", "blake3", "hashlib", "inspect", "functools", "re", "textwrap"}
        if path.name in COMPILES
        else set()
    )
    for node in ast.walk(ast.parse(path.read_text())):
        names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        assert {name.split(".")[0] for name in names} <= allowed, f"line {node.lineno}"


def test_the_same_run_has_the_same_hash_in_any_process(tmp_path: Path) -> None:
    """A backtest in two processes with other hash seeds and zones writes the same journal; neither loads linear algebra."""
    folder = recordings.record(tmp_path)
    script = (
        "import sys; from pathlib import Path; from engine.sim import backtest; from engine.data.catalog import Catalog;"
        f"print(backtest('trend', 'BTC-USDT', catalog=Catalog([(Path({str(folder)!r}), 'recorded')])).journal_hash,"
        "'scipy.linalg' in sys.modules)"
    )
    hashes = set()
    for seed, zone in (("1", "UTC"), ("424242", "Asia/Kathmandu")):
        env = os.environ | {"PYTHONHASHSEED": seed, "TZ": zone}
        done = subprocess.run([sys.executable, "-c", script], env=env, cwd=REPOSITORY, capture_output=True, text=True, check=True)
        found, loaded = done.stdout.split()
        hashes.add(found)
        assert loaded == "False", "0.2 s of CPU in each process with a backtest (engine/core/compiled.py)"
    assert len(hashes) == 1
    assert len(hashes.pop()) == 64

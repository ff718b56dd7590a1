"""An edit of the core changes both ways of running it: numba's cache must not go on with yesterday's code.

By default the key under which numba keeps the code is asked; the long test compiles an edited copy of the core.
"""

import inspect
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import pytest
from numba.core.registry import cpu_target

import engine
from engine.core import kernel
from engine.core.compiled import named_by
from engine.core.kernel import warm_up

SCRIPT = """
import json
from engine.core.kernel import dispatcher
from tests.fakes.desks import LOOSE, both_ways, hostile, hostile_rules
bars, signals = hostile(3, bars=400)
plain, compiled = both_ways(bars, signals, hostile_rules(3), LOOSE, 100_000.0)
assert plain[0].tobytes() == compiled[0].tobytes()
print(json.dumps({"result": [len(plain[0]), plain[3].equity], "from cache": sum(dispatcher().stats.cache_hits.values())}))
"""


def key_of(entry: Any) -> Any:
    """Under which key numba's cache would keep this function; nothing is compiled."""
    return numba.njit(cache=True)(entry)._cache._index_key((), cpu_target.target_context.codegen())


@pytest.mark.parametrize("edited", kernel.SOURCES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_an_edit_of_any_file_of_the_core_asks_for_other_code(edited: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more character in one file: the run and the blocks lie under other keys of the cache; unedited under the same."""
    monkeypatch.setattr(kernel.numba, "njit", lambda *_args, **_options: lambda entry: entry)
    kept = [kernel.cached_entry, kernel.folding]
    digest, getsource = kernel.sources_digest.__wrapped__, inspect.getsource
    before, again = digest(), digest()
    monkeypatch.setattr(inspect, "getsource", lambda module: getsource(module) + "#" * (module is edited))
    after = digest()
    entries = [[make(made) for made in (before, again, after)] for make in kept]
    monkeypatch.undo()
    for was, same, now in ([key_of(entry) for entry in made] for made in entries):
        assert was == same
        assert was != now


def test_what_other_sources_left_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of sources whose classes have other names by now cannot be read at all; these sources find their own, or none."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))

    def made(digest: str) -> Any:
        def entry(x):  # type: ignore[no-untyped-def]
            return x + len(digest)

        return numba.njit((numba.int64,), cache=True)(named_by(entry, digest))

    made("a" * 64)
    (index,) = tmp_path.rglob("*.nbi")
    version = pickle.dumps(numba.__version__)
    index.write_bytes(version + pickle.dumps((index.stat().st_mtime, b"cengine.core.state\nGone\n.")))
    assert made("b" * 64)(1) == 65
    assert len(list(tmp_path.rglob("*.nbi"))) == 2


def run_copy(copy: Path) -> dict[str, Any]:
    """What the script says, run on the copied tree with the kernel cache beside its source, where numba looks by itself."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.long  # compiles the whole kernel anew: half a minute of CPU
def test_an_edit_of_exits_changes_plain_and_compiled_alike(tmp_path: Path) -> None:
    """The trail is switched off in a copy: both runs change, equally, although the kernel's own file did not."""
    warm_up()  # so that the code compiled from this source is in the cache, and goes along with the copy
    root = Path(engine.__file__).resolve().parents[1]
    copy = tmp_path / "copy"
    for folder in ("engine/core", "tests/fakes"):
        shutil.copytree(root / folder, copy / folder, ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(root / "engine/__init__.py", copy / "engine/__init__.py")
    before = run_copy(copy)
    assert before["from cache"] == 1, "yesterday's code was not in the cache: this test shows nothing"
    exits = copy / "engine/core/exits.py"
    text = exits.read_text()
    broken = text.replace(
        "if position.trail > 0.0 and (position.trail - layer.stop)", "if position.trail < 0.0 and (position.trail - layer.stop)"
    )
    assert broken != text
    exits.write_text(broken)
    after = run_copy(copy)
    assert after["from cache"] == 0
    assert after["result"] != before["result"]

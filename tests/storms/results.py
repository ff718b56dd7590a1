"""Results of runs, a line of JSON each, in a file that is named by the source they were made on: another source, another file."""

import hashlib
import json
import platform
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import grimp
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[2]
OURS = ("engine", "tests")  # the packages that a run is made of
ENTRY = "tests.storms.runs"
DATA = "tests/fakes"  # what its modules read beside themselves


@cache
def source() -> str:
    """Digest of everything that a run depends on, as it is on disk: the modules that it imports, directly or not, the files that
    the venues read, the versions of the packages, and Python's. What is changed elsewhere leaves results as they are.
    """
    graph = grimp.build_graph(*OURS, include_external_packages=True, cache_dir=None)
    reached = sorted({ENTRY, *graph.find_upstream_modules(ENTRY)})
    digest = hashlib.sha256(platform.python_version().encode())
    for path in [*map(_file, (name for name in reached if name.partition(".")[0] in OURS)), *_data()]:
        digest.update(f"{path.relative_to(REPOSITORY)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    for name, version in sorted(_versions(name for name in reached if name.partition(".")[0] not in OURS).items()):
        digest.update(f"{name} {version}\n".encode())
    return digest.hexdigest()[:16]


def _file(module: str) -> Path:
    """Of a module, or of a package's own."""
    path = REPOSITORY / module.replace(".", "/")
    return path.with_suffix(".py") if path.with_suffix(".py").is_file() else path / "__init__.py"


def _data() -> list[Path]:
    words = ["git", "ls-files", "-co", "--exclude-standard", DATA]
    names = subprocess.check_output(words, cwd=REPOSITORY, text=True).split()
    return [REPOSITORY / name for name in sorted(names) if not name.endswith(".py")]


def _versions(modules: Iterable[str]) -> dict[str, str]:
    """Package -> its version: those that are imported, and what they require. Python's own modules have none."""
    of, found = metadata.packages_distributions(), dict[str, str]()
    waiting = {canonicalize_name(name) for module in modules for name in of.get(module.partition(".")[0], ())}
    while waiting:
        name = waiting.pop()
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # of an extra, or of another system
        needed = (Requirement(line).name for line in metadata.requires(name) or () if "extra ==" not in line)
        waiting |= {canonicalize_name(one) for one in needed} - found.keys()
    return found


@cache
def commit() -> str:
    """The commit that is checked out, with a plus where the source differs from it."""
    head = subprocess.check_output(["git", "rev-parse", "--short=10", "HEAD"], cwd=REPOSITORY, text=True).strip()
    changed = subprocess.check_output(["git", "status", "--porcelain", *OURS], cwd=REPOSITORY, text=True).strip()
    return head + ("+" if changed else "")


class Results:
    """Of one source, in a folder. A line that was cut off is left out: its run is made again."""

    def __init__(self, folder: Path, of: str = "") -> None:
        self.path = folder / f"{of or source()}.jsonl"

    def read(self) -> dict[str, dict[str, Any]]:
        """Run -> its line; the last one, where a run was made again."""
        found: dict[str, dict[str, Any]] = {}
        for line in self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else ():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict) and "cpu_s" in row:
                found[row["name"]] = row
        return found

    def add(self, row: Mapping[str, Any]) -> None:
        """One more, written as a whole line behind whatever a process that died has left."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        cut = self.path.exists() and self.path.stat().st_size and not self.path.read_bytes().endswith(b"\n")
        with self.path.open("a", encoding="utf-8") as file:
            file.write(("\n" if cut else "") + json.dumps({**row, "commit": commit()}, separators=(",", ":")) + "\n")

"""Results of runs, a line of JSON each, in a file that is named by the source they were made on: another source, another file.

What was run elsewhere is kept in the repository (`kept/`), so that a plan of days goes on from any clone of the same source.
Where two sources differ in nothing that a run does, a person may carry lines over; each names the source that it was made on.
"""

import gzip
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
KEPT = Path(__file__).parent / "kept"


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
        needed = (Requirement(line) for line in metadata.requires(name) or ())
        here = (one for one in needed if one.marker is None or one.marker.evaluate({"extra": ""}))
        waiting |= {canonicalize_name(one.name) for one in here} - found.keys()
    return found


@cache
def commit() -> str:
    """The commit that is checked out, with a plus where the source differs from it."""
    head = subprocess.check_output(["git", "rev-parse", "--short=10", "HEAD"], cwd=REPOSITORY, text=True).strip()
    changed = subprocess.check_output(["git", "status", "--porcelain", *OURS], cwd=REPOSITORY, text=True).strip()
    return head + ("+" if changed else "")


class Results:
    """Of one source, in a folder; `kept`: of those that are in the repository. A line that was cut off is left out: its run is
    made again.
    """

    def __init__(self, folder: Path, of: str = "", kept: Path | None = None) -> None:
        name = f"{of or source()}.jsonl"
        self.path = folder / name
        self.kept = None if kept is None else kept / f"{name}.gz"

    def read(self) -> dict[str, dict[str, Any]]:
        """Run -> its line; the last one, where a run was made again."""
        found: dict[str, dict[str, Any]] = {}
        before = gzip.decompress(self.kept.read_bytes()).decode() if self.kept is not None and self.kept.exists() else ""
        own = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        for line in (*before.splitlines(), *own.splitlines()):
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict) and "cpu_s" in row:
                found[row["name"]] = row
        return found

    def carry(self, older: "Results") -> int:
        """Take over what another source's runs found, but for those that broke a rule: they are made again. How many."""
        mine = self.read()
        rows = [row for name, row in older.read().items() if not row["wrong"] and name not in mine]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps({"source": older.path.stem, **row}, separators=(",", ":")) + "\n" for row in rows)
        return len(rows)

    def keep(self) -> Path:
        """Put all of them into the repository, in the order of their names, the same bytes for the same lines. Its file."""
        assert self.kept is not None, "no folder to keep them in"
        lines = [json.dumps(row, separators=(",", ":")) for _, row in sorted(self.read().items())]
        self.kept.parent.mkdir(parents=True, exist_ok=True)
        self.kept.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0))
        return self.kept

    def add(self, row: Mapping[str, Any]) -> None:
        """One more, written as a whole line behind whatever a process that died has left."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        cut = self.path.exists() and self.path.stat().st_size and not self.path.read_bytes().endswith(b"\n")
        with self.path.open("a", encoding="utf-8") as file:
            file.write(("\n" if cut else "") + json.dumps({**row, "commit": commit()}, separators=(",", ":")) + "\n")

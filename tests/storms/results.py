"""Results of runs, a line of JSON each, in a file that is named by the source they were made on: another source, another file."""

import hashlib
import json
import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
OF_THE_SOURCE = ("engine", "tests/fakes", "tests/storms", "requirements.lock")  # what a run depends on
NOT_OF_IT = ("tests/storms/report.py", "tests/storms/results.py", "tests/storms/__main__.py", "tests/storms/test_")


@cache
def source() -> str:
    """Digest of everything that a run depends on, as it is on disk."""
    names = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard", *OF_THE_SOURCE], cwd=REPOSITORY, text=True)
    digest = hashlib.sha256(platform.python_version().encode())
    for name in sorted(names.split()):
        path = REPOSITORY / name
        if path.is_file() and not name.startswith(NOT_OF_IT):
            digest.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


@cache
def commit() -> str:
    """The commit that is checked out, with a plus where the source differs from it."""
    head = subprocess.check_output(["git", "rev-parse", "--short=10", "HEAD"], cwd=REPOSITORY, text=True).strip()
    changed = subprocess.check_output(["git", "status", "--porcelain", *OF_THE_SOURCE], cwd=REPOSITORY, text=True).strip()
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

"""Which source a child process is to run: this one. Called wherever a process is started in an environment made of listed names.

A checkout that is run by PYTHONPATH would otherwise have children of whatever is installed. The variable of the parent is not
passed on: what else it names stays out.
"""

import os
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]  # of engine/, app/ and the rest
NAME = "PYTHONPATH"


def own_source(environment: Mapping[str, str]) -> dict[str, str]:
    """PYTHONPATH as this program's own root where the parent's names that root; else nothing."""
    named = (entry for entry in environment.get(NAME, "").split(os.pathsep) if entry)
    return {NAME: str(ROOT)} if any(Path(entry).resolve() == ROOT for entry in named) else {}

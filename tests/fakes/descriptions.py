"""What a strategy file says of itself, asked once a test process for each text: every home has its own copy of the same files.

tests/conftest.py puts `answered` in the place of the function that asks a process of its own (0.4 s of CPU). Faults are asked
anew each time, and so is everything in the tests of that process.
"""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

from engine.strategies.isolated import described

ask = described._ask
_ANSWERS: dict[str, dict[str, Any]] = {}


def answered(request: dict[str, Any], path: Path) -> dict[str, Any]:
    """The answer to this question about a file of this name and text; raises what the process does."""
    key = json.dumps({**request, "file": path.name}, sort_keys=True, default=repr)
    if key not in _ANSWERS:
        _ANSWERS[key] = ask(request, path)
    return deepcopy(_ANSWERS[key])

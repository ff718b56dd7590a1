"""One measurement in this process: `python -m bench.scale.cell PART NAME SIZES` prints its figures as one line.

Called by bench.scale.kept. CPU seconds are of the process and of those it waited for; memory is the most it ever held.
"""

import json
import resource
import sys
from collections.abc import Callable
from typing import Any

import app  # noqa: F401 - a cell is a process of the program, with its settings


def cells() -> dict[str, Callable[..., dict[str, Any]]]:
    """Every cell by `PART NAME`."""
    from bench.scale import desk, journal, market, packed, people

    return {
        f"{module.PART} {name}": work for module in (market, desk, journal, packed, people) for name, work in module.CELLS.items()
    }


def peak_mb() -> float:
    """The most memory this process ever held, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def main(words: list[str]) -> None:
    """Run it."""
    part, name, *sizes = words
    found = cells()[f"{part} {name}"](*sizes)
    print("RESULT " + json.dumps(found | {"peak_mb": found.get("peak_mb", peak_mb())}))


if __name__ == "__main__":
    main(sys.argv[1:])

"""Plant every bug of the table, or those named, and say what saw it: `python -m tests.planted [NAME ...]`."""

import argparse
import sys

from tests.planted.report import HEAD, line, summary
from tests.planted.runs import judged
from tests.planted.table import TABLE


def main() -> int:
    """0 when each bug is caught where the table says so, and no catcher is red without it."""
    parser = argparse.ArgumentParser(prog="python -m tests.planted", description=__doc__)
    parser.add_argument("names", nargs="*", help="bugs to plant; all without")
    names = parser.parse_args().names
    if unknown := set(names) - {bug.name for bug in TABLE}:
        parser.error(f"no such bug: {', '.join(sorted(unknown))}; there are {', '.join(bug.name for bug in TABLE)}")
    print(HEAD)
    verdicts = []
    for bug in TABLE:
        if not names or bug.name in names:
            verdicts.append(judged(bug))
            print(line(verdicts[-1]), flush=True)
    print()
    print(summary(verdicts))
    return 0 if all(verdict.ok for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())

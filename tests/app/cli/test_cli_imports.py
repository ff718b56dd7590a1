"""What every command pays before it does anything: a halt typed in a hurry must not wait for a database library."""

import subprocess
import sys

HEAVY = ("sqlalchemy", "sqlmodel", "numpy", "polars", "numba", "fastapi", "pydantic")
SCRIPT = f"""
import sys
from app.cli import main
main.load_groups()
print(*(name for name in {HEAVY} if name in sys.modules))
"""


def test_the_command_line_is_there_without_what_single_commands_need() -> None:
    """All groups are registered, and none of them has loaded a heavy library: imports of that kind are inside the commands."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []

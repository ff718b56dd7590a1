"""A home made by an older version of the program, opened by this one, and by the older one again: upgrade and rollback.

The older version comes out of this repository's history, with this environment's libraries; where the history is not there
(a shallow clone), there is nothing to compare with.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.waiting import WAIT_S, free_port, until

ROOT = Path(__file__).parents[3]
BEFORE_TRIALS = "2c4f7f3f~1"  # revision 0008 of the database, journals of format 4 without what later fields say
LIBRARIES = next(path for path in sys.path if path.endswith("site-packages"))
pytestmark = pytest.mark.long


def program(folder: Path, source: Path) -> Path:
    """The `nightdesk` of a checkout, in an environment of its own: children lose every variable that they need not see."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = (folder / "lib").glob("python3*/site-packages")
    (packages / "this.pth").write_text(f"{source}\n{LIBRARIES}\n")
    command = folder / "bin" / "nightdesk"
    command.write_text(f'#!/bin/sh\nexec {folder}/bin/python -P -c "from app.cli.main import run; run()" "$@"\n')
    command.chmod(0o755)
    return command


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """The older program."""
    source = tmp_path / "source"
    source.mkdir()
    packed = subprocess.run(["git", "archive", BEFORE_TRIALS], cwd=ROOT, capture_output=True, check=False)
    if packed.returncode:
        pytest.skip(f"this clone has no {BEFORE_TRIALS}")
    subprocess.run(["tar", "-x", "-C", source], input=packed.stdout, check=True)
    return program(tmp_path / "older", source)


def lived(command: Path, environment: dict[str, str], log: Path) -> str:
    """What `nightdesk up` prints until it trades and is stopped; it has ended well."""
    with log.open("w") as out:
        up = subprocess.Popen([command, "up"], env=environment, stdout=out, stderr=out, start_new_session=True)
    try:
        until(lambda: up.poll() is not None or "going on at" in log.read_text(), "it does not trade", log.read_text)
        up.send_signal(signal.SIGTERM)
        assert up.wait(WAIT_S) == 0, log.read_text()
    finally:
        if up.poll() is None:
            up.kill()
    return log.read_text()


def test_an_older_home_goes_on_and_the_older_program_refuses_it_then(older: Path, own_home: Path, tmp_path: Path) -> None:
    """Tables are brought up to date, the journal's records stay, the chain goes on; back again it is one line."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTDESK_") and name != "PYTHONPATH"}
    ports = {name: str(free_port()) for name in ("NIGHTDESK_API_PORT", "NIGHTDESK_UI_PORT")}
    environment = {**kept, **ports, "NIGHTDESK_HOME": str(own_home)}
    lived(older, environment, tmp_path / "older.txt")
    before = (own_home / "journal" / "desk.jsonl").read_bytes()
    newer = program(tmp_path / "newer", ROOT)
    assert "Stopped; the journal is whole" in lived(newer, environment, tmp_path / "newer.txt")
    after = (own_home / "journal" / "desk.jsonl").read_bytes()
    assert after.startswith(before)
    assert len(after) > len(before)
    verified = subprocess.run([newer, "journal", "verify"], env=environment, capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stderr
    back = subprocess.run([older, "up"], env=environment, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert back.returncode == 1
    assert "newer version of Nightdesk" in back.stderr
    assert len(back.stderr.splitlines()) == 1
    assert (own_home / "journal" / "desk.jsonl").read_bytes() == after

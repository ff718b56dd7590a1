"""A PostgreSQL of one's own, on loopback, gone when the block is left: for tests and for `python -m bench scale`."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fakes.waiting import WAIT_S


def programs() -> Path | None:
    """The folder of PostgreSQL's programs, if it is installed."""
    found = [path.parent for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
    on_path = shutil.which("initdb")
    return found[-1] if found else Path(on_path).parent if on_path else None


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(where: Path, *, durable: bool = False) -> Iterator[str]:
    """The URL of a new server whose programs are in `where`; `durable`: each commit reaches the disk, as a desk's would."""
    folder, port = Path(tempfile.mkdtemp(prefix="nightdesk-pg-")), free_port()
    root = os.geteuid() == 0

    def call(command: str) -> None:
        words = ["su", "postgres", "-s", "/bin/sh", "-c", command] if root else ["/bin/sh", "-c", command]
        subprocess.run(words, check=True, capture_output=True, timeout=WAIT_S)

    if root:
        shutil.chown(folder, "postgres")
    sync = "on" if durable else "off"
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync={sync}"
    call(f"{where}/initdb -D {folder}/d -A trust -U postgres -E UTF8 --no-sync")
    call(f"{where}/pg_ctl -D {folder}/d -w -o '{options}' -l {folder}/log start")
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        call(f"{where}/pg_ctl -D {folder}/d -m immediate stop")
        shutil.rmtree(folder, ignore_errors=True)

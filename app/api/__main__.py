"""The API as a process: `python -m app.api`, started by the supervisor and by `nightdesk api`. Serves until it is stopped."""

import ipaddress
import os
import sys
from contextlib import suppress
from typing import Any, NamedTuple

from app.home.home import Home, open_home
from app.people.identity import read_people
from app.processes.children import LOOPBACK, taken
from app.processes.room import failure_text, lacking
from engine.errors import BadInput, Busy, DeskError

BEAT_S = 1  # between two beats of a process that shares its port


def main(words: list[str]) -> int:
    """Open the home and serve; returns the exit code."""
    if short := lacking():
        sys.stderr.write(f"nightdesk: {short}\n")
        return 1
    try:
        port, *shared = map(int, words) if words else (None,)
        serve(open_home(), port, SharedPort(*shared) if shared else None)
    except DeskError as error:
        sys.stderr.write(f"nightdesk: {error}\n")
        return 1
    except (OSError, MemoryError) as error:
        sys.stderr.write(f"nightdesk: {failure_text(error)}\n")
        return 1
    return 0


class SharedPort(NamedTuple):
    """Files that app.processes.api_processes hands to each process, and its row in the last: the listening socket, the pipe to
    beat into, the numbers of connections."""

    listening: int
    beat: int
    numbers: int
    row: int


def serve(home: Home, port: int | None = None, shared: SharedPort | None = None) -> None:
    """Serve a home, alone or on a shared port. Raises Busy when the port is in use, BadInput for an address that needs
    people.toml first."""
    from app.api.context import Address

    entry = home.desk.api
    mine = port or home.settings.api_port or entry.port
    published = home.settings.listen  # a container's address: who reaches it is decided where its ports are published
    host = str(published) if published else entry.host
    if not published and not is_loopback(host) and not read_people(home.path):
        what = f"[api] host is {host}, but people.toml is empty: anyone on the network could decide under any name"
        raise BadInput(what, "add people first (nightdesk people add NAME), or set [api] host to 127.0.0.1")
    if shared is None and taken(mine, host):
        hint = "choose another: [api] port in desk.toml, or NIGHTDESK_API_PORT=..."
        raise Busy(f"port {mine} of {host} is in use by another program", hint)
    import uvicorn

    from app.api.factory import create
    from app.processes.connections import BOUNDS

    shown = f"[{entry.host}]" if ":" in entry.host else entry.host  # a name that browsers use, not the container's address
    names = tuple(name.lower() for name in (LOOPBACK, "localhost", "[::1]", shown, *entry.names))
    address = Address(host, mine, home.settings.ui_port or home.desk.ui.port, names)
    options: dict[str, Any] = {
        "log_level": "warning",
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
    } | BOUNDS
    options |= {"proxy_headers": False, "host": host, "port": mine, "timeout_graceful_shutdown": 2}
    if shared is None:
        uvicorn.run(create(home, address), **options)
        return

    from app.processes.shared_port import SharingServer

    async def beat() -> None:
        with suppress(OSError):  # nobody reads any more: this process is about to end
            os.write(shared.beat, b".")

    config = uvicorn.Config(create(home, address), callback_notify=beat, timeout_notify=BEAT_S, **options)
    SharingServer(config, shared.listening, shared.numbers, shared.row).run()


def is_loopback(host: str) -> bool:
    """Whether a host is a loopback address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

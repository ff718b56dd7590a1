"""The API as a process: `python -m app.api`, started by the supervisor and by `nightdesk api`. Serves until it is stopped."""

import ipaddress
import sys

from app.home.home import Home, open_home
from app.people.identity import read_people
from app.processes.children import LOOPBACK, taken
from app.processes.room import failure_text, lacking
from engine.errors import BadInput, Busy, DeskError


def main(words: list[str]) -> int:
    """Open the home and serve; returns the exit code."""
    if short := lacking():
        sys.stderr.write(f"nightdesk: {short}\n")
        return 1
    try:
        serve(open_home(), int(words[0]) if words else None)
    except DeskError as error:
        sys.stderr.write(f"nightdesk: {error}\n")
        return 1
    except (OSError, MemoryError) as error:
        sys.stderr.write(f"nightdesk: {failure_text(error)}\n")
        return 1
    return 0


def serve(home: Home, port: int | None = None) -> None:
    """Serve a home. Raises Busy when the port is in use, BadInput for an address that needs people.toml first."""
    from app.api.context import Address

    entry = home.desk.api
    mine = port or home.settings.api_port or entry.port
    if not is_loopback(entry.host) and not read_people(home.path):
        what = f"[api] host is {entry.host}, but people.toml is empty: anyone on the network could decide under any name"
        raise BadInput(what, "add people first (nightdesk people add NAME), or set [api] host to 127.0.0.1")
    if taken(mine, entry.host):
        hint = "choose another: [api] port in desk.toml, or NIGHTDESK_API_PORT=..."
        raise Busy(f"port {mine} of {entry.host} is in use by another program", hint)
    import uvicorn

    from app.api.factory import create
    from app.processes.connections import BOUNDS

    shown = f"[{entry.host}]" if ":" in entry.host else entry.host
    names = tuple(name.lower() for name in (LOOPBACK, "localhost", "[::1]", shown, *entry.names))
    address = Address(entry.host, mine, home.settings.ui_port or home.desk.ui.port, names)
    uvicorn.run(
        create(home, address),
        host=entry.host,
        port=mine,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
        **BOUNDS,
    )


def is_loopback(host: str) -> bool:
    """Whether a host is a loopback address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

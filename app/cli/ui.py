"""`nightdesk ui`: serves the page as a Streamlit process. `nightdesk up` starts it too; the page talks only to the API. Called by
app/cli/main.py."""

import os
import sys
from pathlib import Path

import typer

from app.ui.tokens import theme_options
from engine.errors import Busy

HOST = "127.0.0.1"
# Streamlit's settings, whatever folder it is started from
OPTIONS = {
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "server.runOnSave": "false",
    "server.enableStaticServing": "false",
    "server.maxUploadSize": "1",
    "browser.gatherUsageStats": "false",
    "browser.serverAddress": HOST,
    "client.toolbarMode": "viewer",  # its menu holds the choice of the theme
    "client.showErrorDetails": "none",
    "client.showErrorLinks": "false",
    "logger.level": "warning",
    "runner.magicEnabled": "false",  # rewriting the script's tree at each drawing, for statements that it does not have
}
HOSTS = ("127.0.0.1", "localhost")  # a foreign name that resolves to this machine is refused


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("ui")(ui)


def ui(
    port: int = typer.Option(None, "--port", min=1, max=65535, help="default: [ui] port of desk.toml, 8421"),
    api: str = typer.Option("", "--api", metavar="URL", help="address of the API; default: this machine, [api] port"),
) -> None:
    """Serve the page on 127.0.0.1 until Ctrl-C; it needs the API (`nightdesk api`, or `nightdesk up` for everything)."""
    from app.processes.children import LOOPBACK, allowed_ui, home_of, page_address, ports, taken

    home = home_of(os.environ)
    of_api, mine = ports(home)
    mine = port or mine
    if taken(mine, page_address()):
        raise Busy(f"port {mine} is in use", "choose another: NIGHTDESK_UI_PORT, [ui] port in desk.toml, or --port")
    where = {
        "NIGHTDESK_HOME": str(home),
        "NIGHTDESK_API_URL": api or os.environ.get("NIGHTDESK_API_URL") or f"http://{LOOPBACK}:{of_api}",
    }
    command = command_of(mine, page_address())
    os.execve(command[0], command, allowed_ui(os.environ) | where)  # noqa: S606 - our own interpreter, in a clean environment


def command_of(port: int, address: str = HOST) -> list[str]:
    """Streamlit's command line for the page."""
    script = Path(__file__).resolve().parents[2] / "streamlit_app.py"
    return [sys.executable, "-P", "-m", "app.processes.page", str(script), "--server.port", str(port), *flags(address)]


def flags(address: str = HOST) -> list[str]:
    """Streamlit's settings as command-line options."""
    settings = [
        ("server.address", address),
        *OPTIONS.items(),
        *theme_options().items(),
        *(("server.allowedHosts", host) for host in HOSTS),
    ]
    return [word for name, value in settings for word in (f"--{name}", value)]

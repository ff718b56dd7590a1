"""The processes of a desk: their command lines, and what of the environment each may see. Loads nothing but the standard library.

Called by the supervisor and by `nightdesk worker | api`. The worker sees no model's key and no token; the API no venue's key; the
page nothing but where home and API are. The variables that [accounts] in desk.toml names pass to the worker alone.
"""

import os
import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from app.home.files import NETWORK
from engine.control.started import started_of
from engine.own_source import own_source

PLAIN = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "PYTHONHASHSEED", "NIGHTDESK_HOME")
ALLOWED = (*PLAIN, "NIGHTDESK_DATA", "NIGHTDESK_DATABASE_URL")
OUTSIDE_KEYS = ("GLASSNODE_API_KEY", "COINALYZE_API_KEY")  # as engine/data/outside/declared.py names them
PORTS = ("NIGHTDESK_API_PORT", "NIGHTDESK_UI_PORT")
LISTEN = "NIGHTDESK_LISTEN"  # an address of a container, whose ports its host publishes on loopback (docs/deploy.md)
MODELS = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL", "NIGHTDESK_MODEL")
KEYRING = ("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "XDG_DATA_HOME")  # where the system's keyring answers
CLAIMS = ("XDG_STATE_HOME",)  # where homes see which keys others use (account_claims.py)
OF_KEYS = ("key_env", "secret_env", "passphrase_env")
SLACK = {"bot_token_env": "SLACK_BOT_TOKEN", "signing_secret_env": "SLACK_SIGNING_SECRET"}  # what signed HTTP needs
# one bar a second needs one thread; the pools of these libraries cost memory at rest, and Arrow's own one asks the kernel for
# huge pages: 15 MB more after twenty minutes for a file of a hundred kilobytes
TUNED = {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
TUNED |= {"ARROW_DEFAULT_MEMORY_POOL": "system"}
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{1,80}")
LOOPBACK = "127.0.0.1"
API_PORT, UI_PORT = 8420, 8421
API_PROCESSES_MAX = 8
MEASURED = "PROMETHEUS_MULTIPROC_DIR"  # where several API processes add up their metrics; prometheus_client's own name


def allowed(environment: Mapping[str, str]) -> dict[str, str]:
    """What of an environment a process may see that has no key at all."""
    return _of(environment, ALLOWED)


def allowed_worker(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """What a worker may see: with an account at a venue also its keys' variables and the way out to the network."""
    return _of(environment, worker_variables(home))


def worker_variables(home: Path) -> tuple[str, ...]:
    """The variables that a home's worker may see; on paper no key is read, and none passes."""
    keyed = [entry for entry in accounts_of(home) if entry.get("mode", "paper") != "paper"]
    if not keyed:
        return (*ALLOWED, *NETWORK) if on_live_data(home) else ALLOWED
    keyring = KEYRING if any(entry.get("keyring") for entry in keyed) else ()
    return (*ALLOWED, *NETWORK, *CLAIMS, *keyring, *named_by(keyed))


def on_live_data(home: Path) -> bool:
    """Whether the bars of a home come from venues, so that its worker needs the way out to the network."""
    data = desk_toml(home).get("data")
    return isinstance(data, dict) and data.get("source") == "live"


def account_variables(home: Path) -> tuple[str, ...]:
    """The variables that a home's accounts name for their keys: none but the worker sees them."""
    return named_by(accounts_of(home))


def accounts_of(home: Path) -> list[dict[str, Any]]:
    """The entries of [accounts], unchecked."""
    accounts = desk_toml(home).get("accounts")
    return [entry for entry in accounts.values() if isinstance(entry, dict)] if isinstance(accounts, dict) else []


def traded_mode(home: Path) -> str:
    """What a home's desk trades, by what its desk.toml says: paper, shadow, testnet or live."""
    desk = desk_toml(home)
    name, accounts = desk.get("account"), desk.get("accounts")
    entry = accounts.get(name) if isinstance(accounts, dict) and isinstance(name, str) else None
    mode = entry.get("mode") if isinstance(entry, dict) else None
    return mode if mode in ("shadow", "testnet", "live") else "paper"


def named_by(accounts: list[dict[str, Any]]) -> tuple[str, ...]:
    """The variables that entries name for their keys."""
    named = [entry.get(name) for entry in accounts for name in OF_KEYS]
    return tuple(name for name in named if isinstance(name, str) and VARIABLE.fullmatch(name))


def home_of(environment: Mapping[str, str]) -> Path:
    """The home that an environment names, absolute."""
    return Path(environment.get("NIGHTDESK_HOME") or "var").expanduser().absolute()


def allowed_api(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """What the API may see: also the models' keys, and the variables that desk.toml names for models and Slack."""
    desk = desk_toml(home)
    models, slack = desk.get("models"), desk.get("slack")
    named = [entry.get("key_env") for entry in models.values() if isinstance(entry, dict)] if isinstance(models, dict) else []
    named += [slack.get(key, usual) for key, usual in SLACK.items()] if isinstance(slack, dict) else []
    fitting = [name for name in named if isinstance(name, str) and VARIABLE.fullmatch(name)]
    seen = (*ALLOWED, *PORTS, LISTEN, *MODELS, *NETWORK, *fitting)
    of_accounts = set(account_variables(home))  # a variable that is named twice is an account's
    return _of(environment, tuple(name for name in seen if name not in of_accounts))


def allowed_fetch(environment: Mapping[str, str]) -> dict[str, str]:
    """What the fetch of outside series may see: the way out to the network, and the keys of the sources that want one."""
    return _of(environment, (*PLAIN, "NIGHTDESK_DATA", *NETWORK, *OUTSIDE_KEYS))


def allowed_ui(environment: Mapping[str, str]) -> dict[str, str]:
    """What the page may see."""
    return _of(environment, (*PLAIN, *PORTS, LISTEN, "NIGHTDESK_API_URL"))


def _of(environment: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {key: environment[key] for key in names if key in environment} | own_source(environment) | TUNED


def begun_beside(command: list[str], environment: Mapping[str, str], home: Path) -> subprocess.Popen[bytes]:
    """A command as a process of its own that says nothing here and is not waited for: it goes on when this one ends."""
    seen, nothing = {**environment, "NIGHTDESK_HOME": str(home)}, subprocess.DEVNULL
    return subprocess.Popen(command, env=seen, start_new_session=True, stdin=nothing, stdout=nothing, stderr=nothing)  # noqa: S603 - our own


def worker_command(words: list[str]) -> list[str]:
    """The command line of a worker; `-P` keeps the current folder off its import path."""
    return [sys.executable, "-P", "-m", "app.processes.worker", *words]


def become_worker(words: list[str]) -> NoReturn:
    """Replace this process by a fresh worker, which sees of its environment what a worker may."""
    command = worker_command(words)
    environment = allowed_worker(os.environ, home_of(os.environ))
    os.execve(command[0], command, environment)  # noqa: S606 - our own interpreter and module


def api_command(home: Path) -> list[str]:
    """The command line of a home's API: of one process, or of the parent of several."""
    several = [sys.executable, "-P", "-m", "app.processes.api_processes"]
    return several if api_count(home) > 1 else one_api_command()


def one_api_command() -> list[str]:
    """The command line of one process of the API."""
    return [sys.executable, "-P", "-m", "app.api"]


def account_check_command(name: str) -> list[str]:
    """The command line of the check of an account."""
    return [sys.executable, "-P", "-m", "app.processes.account_check", name]


def account_probe_command(name: str, what: str) -> list[str]:
    """The command line of a probe of an account; `what`: cost, far, round_trip."""
    return [sys.executable, "-P", "-m", "app.processes.account_probe", name, what]


def maker_command(name: str, minutes: float | None, *, as_json: bool) -> list[str]:
    """The command line of a market maker at its account."""
    more = [*(["--minutes", f"{minutes:g}"] if minutes is not None else []), *(["--json"] if as_json else [])]
    return [sys.executable, "-P", "-m", "app.processes.maker", name, *more]


def parity_command() -> list[str]:
    """The command line of the daily comparison with the backtest."""
    return [sys.executable, "-P", "-m", "app.jobs.daily_parity"]


def shadows_command() -> list[str]:
    """The command line that records what shadows of stored models say."""
    return [sys.executable, "-P", "-m", "app.jobs.model_shadows"]


def monitor_command() -> list[str]:
    """The command line of one look of the monitor."""
    return [sys.executable, "-P", "-m", "app.monitor.look"]


def outside_command() -> list[str]:
    """The command line of the fetch of outside series that are due."""
    return [sys.executable, "-P", "-c", "from app.cli.main import run; run()", "data", "fetch", "--due"]


def ui_command() -> list[str]:
    """The command line of the page; `nightdesk ui` becomes Streamlit."""
    return [sys.executable, "-P", "-c", "from app.cli.main import run; run()", "ui"]


def desk_toml(home: Path) -> dict[str, Any]:
    """What the home's desk.toml says, unchecked; empty when it cannot be read (whoever opens the home tells why)."""
    try:
        return tomllib.loads((home / "desk.toml").read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return {}


def api_entry(home: Path) -> dict[str, Any]:
    """What desk.toml says of the API, unchecked."""
    entry = desk_toml(home).get("api")
    return entry if isinstance(entry, dict) else {}


def api_count(home: Path) -> int:
    """How many processes serve the API; one where desk.toml says nothing usable."""
    count = api_entry(home).get("processes", 1)
    return count if isinstance(count, int) and 1 <= count <= API_PROCESSES_MAX else 1


def api_address(home: Path, environment: Mapping[str, str] = os.environ) -> tuple[str, int]:
    """Where the API of a home is to listen: the environment's address and port, or desk.toml's."""
    entry, said = api_entry(home), environment.get("NIGHTDESK_API_PORT", "")
    host, port = (
        environment.get(LISTEN) or entry.get("host", LOOPBACK),
        int(said) if said.isdigit() else entry.get("port", API_PORT),
    )
    return host if isinstance(host, str) else LOOPBACK, port if isinstance(port, int) and 0 < port < 65536 else API_PORT


def ports(home: Path, environment: Mapping[str, str] = os.environ) -> tuple[int, int]:
    """Ports of API and page: the environment's, else those of the last start, else desk.toml's, else the usual ones."""
    desk, started = desk_toml(home), started_of(home)
    found = []
    for variable, table, usual in (("NIGHTDESK_API_PORT", "api", API_PORT), ("NIGHTDESK_UI_PORT", "ui", UI_PORT)):
        said = environment.get(variable) or started.get(variable, "")
        entry = desk.get(table)
        port = int(said) if said.isdigit() else entry.get("port", usual) if isinstance(entry, dict) else usual
        found.append(port if isinstance(port, int) and 0 < port < 65536 else usual)
    return found[0], found[1]


def page_address(environment: Mapping[str, str] = os.environ) -> str:
    """Where the page is to listen: this machine, or the container's address that the environment names."""
    return environment.get(LISTEN) or LOOPBACK


def taken(port: int, host: str = LOOPBACK) -> bool:
    """Whether somebody listens on a port already."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def answers(port: int) -> bool:
    """Whether somebody on this machine takes a connection there."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=0.3):
            return True
    except OSError:
        return False

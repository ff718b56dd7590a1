"""Which model answers: environment and [models.NAME] of desk.toml -> an Endpoint, its key, its privacy sentence.

Called by app/wiring.py and by `nightdesk doctor --model`. OPENAI_API_KEY or OPENAI_BASE_URL are enough to start. A key is
named by its environment variable and sent only to the address it is configured with.
"""

import ipaddress
import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, cast
from urllib.parse import urlsplit

from agents.model import Prices
from engine.errors import BadInput

OPENAI_URL = "https://api.openai.com/v1"
OPENAI_MODEL = "gpt-5-mini"  # when OPENAI_MODEL names none
FROM_ENVIRONMENT = "openai"  # the name of the endpoint that OPENAI_API_KEY and OPENAI_BASE_URL describe
OFFLINE = "offline"
PATIENCE_S = 20.0
ApiFormat = Literal["responses", "chat", "json"]
_KEY = re.compile(r"[\x21-\x7e]+")


class Endpoint(NamedTuple):
    """One model at one address. An empty `model` means the first one the address lists."""

    name: str
    base_url: str
    model: str
    api_format: ApiFormat
    key_env: str = ""
    context_tokens: int = 32_000
    prices: Prices = Prices()
    patience_s: float = PATIENCE_S  # silence after which the offline model answers
    stream: bool = True

    @property
    def host(self) -> str:
        """Host and port: the part of the address shown to people."""
        return urlsplit(self.base_url).netloc

    @property
    def local(self) -> bool:
        """Whether the address is this machine."""
        return is_local(urlsplit(self.base_url).hostname or "")

    @property
    def at(self) -> str:
        """Where a provider's message may be replayed: same API format, same address, same model."""
        return f"{self.api_format} {self.base_url} {self.model}"


def is_local(host: str) -> bool:
    """Whether a host name is the machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def endpoints(entries: Mapping[str, Mapping[str, Any]], environ: Mapping[str, str]) -> dict[str, Endpoint]:
    """Every configured model by name: those of desk.toml in its order, then the environment's. BadInput for a bad one."""
    found = {name: _of_entry(name, entry) for name, entry in entries.items()}
    base_url, key = environ.get("OPENAI_BASE_URL", "").strip(), environ.get("OPENAI_API_KEY", "").strip()
    if (base_url or key) and FROM_ENVIRONMENT not in found:
        entry = {
            "base_url": base_url or OPENAI_URL,
            "model": environ.get("OPENAI_MODEL", "").strip(),
            "key_env": "OPENAI_API_KEY",
        }
        found[FROM_ENVIRONMENT] = _of_entry(FROM_ENVIRONMENT, entry)
    return found


def choose(entries: Mapping[str, Mapping[str, Any]], environ: Mapping[str, str]) -> Endpoint | None:
    """The model to use: the one NIGHTDESK_MODEL names, else the first whose key is there; None is the offline model."""
    wanted = environ.get("NIGHTDESK_MODEL", "").strip()
    if wanted == OFFLINE:
        return None
    found = endpoints(entries, environ)
    if wanted:
        return named(found, wanted)
    return next((e for e in found.values() if not e.key_env or key_of(e, environ) or e.name == FROM_ENVIRONMENT), None)


def named(found: Mapping[str, Endpoint], name: str) -> Endpoint:
    """The endpoint of that name. BadInput with the available names."""
    if name not in found:
        known = ", ".join([*found, OFFLINE])
        raise BadInput(f"no model {name[:60]!r} is configured", f"available: {known}; see [models.NAME] in desk.toml")
    return found[name]


def key_of(endpoint: Endpoint, environ: Mapping[str, str]) -> str:
    """The endpoint's key; empty when none is set. BadInput, without the key in it, for one that a header cannot carry."""
    key = environ.get(endpoint.key_env, "").strip() if endpoint.key_env else ""
    if key and not _KEY.fullmatch(key):
        raise BadInput(f"the key in {endpoint.key_env} contains spaces or invalid characters", "copy it again")
    return key


def privacy_sentence(endpoint: Endpoint) -> str:
    """What is sent and where, in words; shown before the first call."""
    model = endpoint.model or "(the first it lists)"
    where = "a process on this machine" if endpoint.local else "another machine"
    return (
        f"Questions are answered by the model {model} at {endpoint.host}, {where}. "
        "Sent to it: your question and this thread's turns; the desk's state (sleeves, positions, equity, limits, pending "
        "proposals); names of strategies and symbols; memory pages, one of which says who asked which role when and what ran; "
        "the tools it may call; and what they find (figures, journal entries, alerts, runbooks, notes, descriptions of "
        "strategies, proposals with their reasons). No venue key, no strategy code, no file of bars and nothing that was asked "
        "or answered in another thread is sent. "
        "Each request can be read: nightdesk journal explain TURN."
    )


def _of_entry(name: str, entry: Mapping[str, Any]) -> Endpoint:
    base_url = _address(name, str(entry["base_url"]))
    openai = urlsplit(base_url).hostname == urlsplit(OPENAI_URL).hostname
    api_format = entry.get("api_format") or ("responses" if openai else "chat")
    return Endpoint(
        name,
        base_url,
        str(entry.get("model") or (OPENAI_MODEL if openai else "")),
        cast("ApiFormat", api_format),
        str(entry.get("key_env") or ""),
        int(entry.get("context_tokens") or 32_000),
        Prices(entry.get("input_per_million"), entry.get("output_per_million")),
        float(entry.get("patience_s") or PATIENCE_S),
        bool(entry.get("stream", True)),
    )


def _address(name: str, base_url: str) -> str:
    """A base URL, checked. BadInput for an invalid one, or one with a password or a query."""
    try:
        parts = urlsplit(base_url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good:
        raise BadInput(f"base_url of model {name} is not an http or https URL", "for example https://api.openai.com/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise BadInput(
            f"base_url of model {name} contains a password or a query", "put the key into the variable that key_env names"
        )
    return base_url.rstrip("/")

"""Configuration: environment variables (NIGHTDESK_*) and desk.toml -> Settings and DeskToml. Called by app.home.home.

The environment says where things are, desk.toml what the desk is. An error in desk.toml is one line with its line and key.
"""

import re
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, IPvAnyAddress, StringConstraints, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.home.accounts import (
    ACCOUNTS_MAX,
    OF_KEYS,
    REPEATED,
    AccountEntry,
    faults_between,
    faults_of_local_bars,
    faults_of_trading,
    is_loopback,
)
from app.home.bounds import SHOWN_MAX, bounds_of, shown, switches_for_numbers
from app.home.night import AdoptEntry, CanaryEntry, McpEntry, MonitorEntry, RetentionEntry
from app.home.reach import DiscordEntry, SlackEntry, TelegramEntry, WebhookEntry
from engine.control.config import DeskConfig, SleeveConfig, Slug, Symbol
from engine.control.desk_setup import TEXT_MAX, SimulatedTables, data_path, home_path
from engine.control.started import started_of
from engine.errors import BadInput

REASON_MAX = 400  # characters of what is wrong with a key
FILE_MAX = 1_000_000  # bytes of desk.toml; 300 sleeves need a tenth of it
CLOCK = r"^([01]\d|2[0-3]):[0-5]\d$"  # a time of day, UTC
_NOTED: set[str] = set()  # notes this process has written already: a home is opened many times
EITHER = ("bool", "int", "float", "str")  # the kinds of a strategy's parameter
OPEN_VARIABLES = {  # what others than the worker see, whatever desk.toml says
    **dict.fromkeys(("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"), "the models"),
    **dict.fromkeys(("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "PYTHONHASHSEED"), "the system"),
}


class ModelEntry(BaseModel):
    """One model that agents may use: [models.NAME]. Its key comes from the environment variable `key_env`, never from here."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=(), allow_inf_nan=False, str_max_length=TEXT_MAX)

    base_url: str
    model: str = ""  # empty: the first model that the address lists
    api_format: Literal["responses", "chat", "json"] | None = None  # responses for OpenAI itself, chat elsewhere
    key_env: str = ""
    context_tokens: int = Field(32_000, ge=1_000, le=100_000_000)
    input_per_million: float | None = Field(None, ge=0, le=1e6)  # US dollars; unknown: only tokens are counted
    output_per_million: float | None = Field(None, ge=0, le=1e6)
    patience_s: float = Field(20.0, ge=1, le=600)  # timeout: fall back to the offline model after this much silence
    stream: bool = True


class BudgetEntry(BaseModel):
    """Limits on model use: per turn, per person and UTC day, per UTC day. Beyond them the offline model answers."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    turn_tokens: int = Field(400_000, ge=0, le=10**12)
    person_tokens: int = Field(4_000_000, ge=0, le=10**12)
    day_tokens: int = Field(10_000_000, ge=0, le=10**12)
    turn_usd: float = Field(1.0, ge=0, le=1e9)
    person_usd: float = Field(10.0, ge=0, le=1e9)
    day_usd: float = Field(25.0, ge=0, le=1e9)


class WorkerEntry(BaseModel):
    """Paper replay: `replay_days` at full speed, then `bars_per_second`."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, str_max_length=TEXT_MAX)

    replay_days: int = Field(30, ge=0, le=3650)
    bars_per_second: float = Field(1.0, gt=0, le=100_000)
    funding: str = Field("recorded", pattern=r"^(recorded|none|assume=-?\d+(\.\d+)?)$")
    seed: int = Field(20_250_101, ge=0, le=2**31)  # of the synthetic market


class DataEntry(BaseModel):
    """Where the worker's bars come from: [data]. `live`: public streams, and REST for what is missing; no key."""

    model_config = ConfigDict(extra="forbid", str_max_length=TEXT_MAX)

    source: Literal["files", "live"] = "files"
    rest_url: str = ""  # an address of this machine, for a local venue

    @field_validator("rest_url")
    @classmethod
    def on_this_machine(cls, url: str) -> str:
        """Bars decide: they come from the venue that ccxt knows, or from this machine."""
        if url and not is_loopback(url):
            raise ValueError(
                "bars come from the venue's own address; only one of this machine may replace it, http://127.0.0.1:PORT"
            )
        return url.rstrip("/")


class OutsideEntry(BaseModel):
    """Series from outside that are fetched by themselves: [outside]. Empty: none, and nothing is asked."""

    model_config = ConfigDict(extra="forbid", str_max_length=TEXT_MAX)

    series: tuple[Slug, ...] = Field((), max_length=40)  # names or groups; the fetch checks them: the worker knows none
    symbols: tuple[Symbol, ...] = Field(("BTC-USDT",), max_length=20)
    sources: tuple[Slug, ...] = Field((), max_length=20)  # only these; empty: all of them
    base_urls: dict[str, str] = Field(default_factory=dict, max_length=20)  # a source at an address of this machine

    @field_validator("base_urls")
    @classmethod
    def on_this_machine(cls, urls: dict[str, str]) -> dict[str, str]:
        """Numbers that decide, and keys, go to the source's own address or stay on this machine."""
        if any(not is_loopback(url) for url in urls.values()):
            raise ValueError("only an address of this machine may replace a source's own, http://127.0.0.1:PORT")
        return {name: url.rstrip("/") for name, url in urls.items()}


class DriftEntry(BaseModel):
    """Other homes that trade the same sleeves in another mode: [drift]. `nightdesk drift` compares all of them, each day, too."""

    model_config = ConfigDict(extra="forbid", str_max_length=TEXT_MAX)

    homes: tuple[str, ...] = Field((), max_length=3)  # folders: a desk on paper beside a live one


class AlertsEntry(BaseModel):
    """Alerting: check intervals, escalation, quiet hours: [alerts]. Times of day are UTC."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    check_s: float = Field(3.0, ge=0.2, le=60)  # seconds between health checks
    verify_minutes: float = Field(60.0, ge=1, le=24 * 60)  # minutes between journal verifications; a full one once a day
    escalate_minutes: float = Field(15.0, ge=0.05, le=24 * 60)  # an unacknowledged page is sent again after this time
    escalations_max: int = Field(4, ge=0, le=100)
    quiet_from: str = Field("22:00", pattern=CLOCK)  # notes wait until quiet hours end; pages never wait
    quiet_to: str = Field("06:00", pattern=CLOCK)
    digest_minutes: int = Field(0, ge=0, le=24 * 60)  # notes wait for the next multiple of it and come together; 0: each alone


class ApiEntry(BaseModel):
    """Where the API listens: [api]. Any host but loopback needs people.toml."""

    model_config = ConfigDict(extra="forbid")

    host: str = Field("127.0.0.1", pattern=r"^[A-Za-z0-9.:-]{1,100}$")
    port: int = Field(8420, ge=1, le=65535)
    processes: int = Field(1, ge=1, le=8)  # as app.processes.children reads it
    names: tuple[Annotated[str, StringConstraints(max_length=100)], ...] = Field(
        (), max_length=20
    )  # more host names a browser may use, without a port


class UiEntry(BaseModel):
    """Where the page listens, on this machine: [ui]."""

    model_config = ConfigDict(extra="forbid")

    port: int = Field(8421, ge=1, le=65535)


class DeskToml(SimulatedTables):
    """The content of desk.toml: what decides a figure (engine.control.desk_setup), and the rest."""

    model_config = ConfigDict(extra="forbid")

    sleeves: tuple[SleeveConfig, ...]
    models: dict[str, ModelEntry] = Field(default_factory=dict)
    budgets: BudgetEntry = BudgetEntry()
    worker: WorkerEntry = WorkerEntry()
    schedules: dict[Literal["handover"], Annotated[str, StringConstraints(pattern=CLOCK)]] = Field(default_factory=dict)
    drift: DriftEntry = DriftEntry.model_validate({})
    alerts: AlertsEntry = AlertsEntry.model_validate({})
    slack: SlackEntry | None = None
    telegram: TelegramEntry | None = None
    discord: DiscordEntry | None = None
    webhooks: dict[Slug, WebhookEntry] = Field(default_factory=dict, max_length=5)
    api: ApiEntry = ApiEntry.model_validate({})
    ui: UiEntry = UiEntry.model_validate({})
    mcp: McpEntry = McpEntry.model_validate({})
    accounts: dict[Slug, AccountEntry] = Field(default_factory=dict, max_length=ACCOUNTS_MAX)
    data: DataEntry = DataEntry()
    retention: RetentionEntry = RetentionEntry.model_validate({})
    monitor: MonitorEntry = MonitorEntry.model_validate({})
    strategies: AdoptEntry = AdoptEntry()
    canary: CanaryEntry = CanaryEntry()
    outside: OutsideEntry = OutsideEntry.model_validate({})
    account: Slug | None = None  # the entry of [accounts] that this desk trades; none: on paper

    @field_validator("sleeves")
    @classmethod
    def check_desk(cls, sleeves: tuple[SleeveConfig, ...]) -> tuple[SleeveConfig, ...]:
        """Check the rules of a whole desk here, so that an error carries its line."""
        return DeskConfig(sleeves=sleeves).sleeves

    @property
    def traded(self) -> AccountEntry | None:
        """The account at a venue that this desk trades; None on paper."""
        found = self.accounts.get(self.account) if self.account else None
        return found if found is not None and found.mode != "paper" else None

    @property
    def trades(self) -> str:
        """Where its sleeves trade, in words."""
        if self.mode == "shadow":
            return f"all in shadow of account {self.account}: nothing is sent"
        return f"all on {self.mode} account {self.account}" if self.traded else "all on paper"

    @property
    def mode(self) -> str:
        """paper, shadow, testnet or live."""
        return self.traded.mode if self.traded else "paper"

    @property
    def open_variables(self) -> dict[str, str]:
        """Environment variables that others than the worker see -> what names them."""
        slack = self.slack
        of_slack = (slack.bot_token_env, slack.app_token_env, slack.signing_secret_env) if slack else ()
        of_others = {self.telegram.token_env: "[telegram]"} if self.telegram else {}
        of_others |= {self.discord.webhook_env: "[discord]"} if self.discord else {}
        of_others |= {entry.secret_env: f"[webhooks.{name}]" for name, entry in self.webhooks.items()}
        of_models = {entry.key_env: f"[models.{name}]" for name, entry in self.models.items() if entry.key_env}
        return OPEN_VARIABLES | dict.fromkeys(of_slack, "[slack]") | of_others | of_models


class Settings(BaseSettings):
    """Where things are: NIGHTDESK_HOME (default ./var); NIGHTDESK_DATA, NIGHTDESK_DATABASE_URL and the rest are optional."""

    model_config = SettingsConfigDict(env_prefix="NIGHTDESK_", extra="ignore", env_ignore_empty=True)

    home: Path = Path("var")
    data: Path | None = None
    database_url: str | None = None
    api_port: int | None = Field(None, ge=1, le=65535)
    ui_port: int | None = Field(None, ge=1, le=65535)
    listen: IPvAnyAddress | None = None  # in a container alone: its host publishes the ports on loopback

    @property
    def desk_toml(self) -> Path:
        """The desk's own file."""
        return self.home / "desk.toml"

    def database(self) -> str:
        """URL of the database: NIGHTDESK_DATABASE_URL, else SQLite inside the home."""
        return self.database_url or f"sqlite:///{(self.home / 'desk.db').absolute()}"


def read_settings() -> Settings:
    """Settings from this process' environment, and from the home's last start where that leaves something unsaid.

    Paths are absolute. Raises BadInput for a missing data folder.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = "NIGHTDESK_" + str(first["loc"][-1]).upper()
        raise BadInput(f"{name}={str(first['input'])[:60]!r}: {first['msg']}", "correct it, or unset it") from None
    home = home_path(settings.home)
    database = settings.database_url or started_of(home).get("database_url")
    return settings.model_copy(update={"home": home, "data": data_path(settings.data, home), "database_url": database})


def read_desk_toml(path: Path) -> DeskToml:
    """desk.toml, validated. Raises BadInput, one line with file, line and key, for the first error."""
    try:
        if (size := path.stat().st_size) > FILE_MAX:
            raise BadInput(f"{path} has {size:,} bytes, at most {FILE_MAX:,} are read", "keep settings only in it")
        text = path.read_text(encoding="utf-8-sig")
        value = _renamed(path, text, tomllib.loads(text))
        for where in switches_for_numbers(DeskToml, value):
            error = {"loc": where, "msg": "true and false are no numbers", "type": "bool", "input": True}
            raise _fault(path, text, error)
        desk = DeskToml.model_validate(value)
        for where, reason in faults_between(desk.accounts, desk.sleeves, desk.open_variables):
            raise _fault(path, text, {"loc": where, "msg": reason, "type": "value_error", "input": None})
        for where, reason in faults_of_trading(desk.account, desk.accounts, desk.data.source == "live", desk.sleeves):
            raise _fault(path, text, {"loc": where, "msg": reason, "type": "value_error", "input": None})
        for where, reason in faults_of_local_bars(desk.data.source, desk.data.rest_url, desk.traded, desk.sleeves):
            raise _fault(path, text, {"loc": where, "msg": reason, "type": "value_error", "input": None})
        return desk
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}", "check its permissions") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 text (byte {error.start})", "save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at (?:line (\d+)|end of document)", str(error))
        line = found[1] if found and found[1] else str(text.count("\n") + 1)
        what = re.sub(r" \(at .*", "", str(error))
        raise BadInput(f"{path} line {line}: {what}", "correct the line, or move the file away for a fresh one") from None
    except ValidationError as error:
        raise _fault(path, text, error.errors(include_url=False)[0]) from None
    except RecursionError:
        raise BadInput(f"{path}: its values are nested too deeply", "desk.toml needs three levels at most") from None
    except ValueError as error:  # an integer of more digits than Python reads
        raise BadInput(f"{path}: {str(error)[:120]}", "correct the number, or move the file away for a fresh one") from None


def _renamed(path: Path, text: str, value: dict[str, Any]) -> dict[str, Any]:
    """`value` with keys of earlier versions under their present names; each is noted once on stderr, with what to write."""
    models = value.get("models")
    for name, entry in models.items() if isinstance(models, dict) else ():
        if isinstance(entry, dict) and "wire" in entry and "api_format" not in entry:
            line = line_of(text, ("models", name, "wire"))
            entry["api_format"] = entry.pop("wire")
            note = f'{path} line {line}: models.{name}.wire is now api_format: write api_format = "{entry["api_format"]}"'
            if note not in _NOTED:
                _NOTED.add(note)
                sys.stderr.write(note + "\n")
    return value


def _fault(path: Path, text: str, error: Any) -> BadInput:
    """pydantic's first error as one line with its place in the file."""
    where = tuple(error["loc"])
    either = len(where) > 1 and where[-2:-1] != ("params",) and "params" in where and where[-1] in EITHER
    where = where[:-1] if either else where  # one of the kinds that a parameter may have
    line, key = line_of(text, where), ".".join(str(part)[:SHOWN_MAX] for part in where)[: 3 * SHOWN_MAX]
    reason = "a parameter is a finite number, true or false, or text" if either else error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        reason = "unknown key"
    elif where[:1] == ("accounts",) and where[-1] not in REPEATED:  # a key may have been pasted there
        if where[-1] in OF_KEYS and error["type"] == "string_pattern_mismatch":
            reason = "write the name of what holds the key; a key that was pasted here is not repeated, and has to be renewed"
    elif error["type"] != "missing" and isinstance(error["input"], str | int | float | bool):
        bounds = bounds_of(DeskToml, where)
        reason = f"{shown(error['input'])}: {reason}{f' ({bounds})' if bounds else ''}"
    reason = " ".join(reason.split())[:REASON_MAX]
    return BadInput(f"{path} line {line}: {key}: {reason}", "correct the line, or move the file away for a fresh one")


def line_of(text: str, where: Sequence[str | int]) -> int:
    """The line (from 1) of a TOML text closest to the key path `where`, as pydantic gives it."""
    best, depth, table, counts = 1, 0, list[str | int](), dict[str, int]()
    for number, line in enumerate(text.splitlines(), 1):
        bare, (left, equals, _) = line.strip(), line.partition("=")
        if bare.startswith("["):
            comment = bare.find("#")
            name = bare[: bare.rfind("]", 0, comment if comment > 0 else None) + 1].strip("[] \t")
            table = _path(name)
            if bare.startswith("[["):
                counts[name] = counts.get(name, -1) + 1
                table.append(counts[name])
            elif len(table) > 1 and str(table[0]) in counts:
                table.insert(1, counts[str(table[0])])
            found = table
        elif equals and re.fullmatch(r"""[\w\-."' ]+""", left.strip()):
            found = table + _path(left.strip())
        else:
            continue
        same = _common(found, where)
        if same == len(found) and same > depth:
            best, depth = number, same
    return best


def _path(words: str) -> list[str | int]:
    """A dotted TOML key as its parts."""
    try:
        value: Any = tomllib.loads(f"{words} = 0")
    except tomllib.TOMLDecodeError:
        return [words]
    parts: list[str | int] = []
    while isinstance(value, dict):
        key, value = next(iter(value.items()))
        parts.append(key)
    return parts


def _common(one: Sequence[str | int], other: Sequence[str | int]) -> int:
    """Length of the common prefix of two paths."""
    n = 0
    while n < min(len(one), len(other)) and one[n] == other[n]:
        n += 1
    return n

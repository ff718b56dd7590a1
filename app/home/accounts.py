"""[accounts.NAME] of desk.toml: an account at a venue, and where its keys are. Never a key itself.

Called by app.home.settings, which turns the first fault into a line. Who reads a key: engine.venues.account_keys.
"""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from engine.clock import LOCAL_TIMEFRAME
from engine.control.config import SleeveConfig
from engine.control.desk_setup import TEXT_MAX
from engine.redaction import redacted

VARIABLE = r"^[A-Z][A-Z0-9_]{1,80}$"  # the name of an environment variable
OPEN = ("NIGHTDESK_", "PYTHON", "LD_", "HTTP", "NO_PROXY", "SSL_CERT_")  # how names begin that every process may see
OF_KEYS = ("key_env", "secret_env", "passphrase_env", "keyring", "key_file")
REPEATED = ("venue", "mode", "margin", "leverage")  # whose faulty values an error repeats
ACCOUNTS_MAX = 20
LIVE_VENUES = ("okx", "binance", "bybit")  # whose closed bars engine.venues.candles reads
Where = tuple[str | int, ...]


class AccountEntry(BaseModel):
    """One account at a venue. Its keys come from the environment, the system's keyring or a file that only you can read."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, str_max_length=TEXT_MAX)

    venue: Literal["okx", "binance", "bybit"]
    mode: Literal["paper", "shadow", "testnet", "live"] = "paper"
    key_env: str = Field("", pattern=rf"^$|{VARIABLE}")
    secret_env: str = Field("", pattern=rf"^$|{VARIABLE}")
    passphrase_env: str = Field("", pattern=rf"^$|{VARIABLE}")  # OKX alone has one
    keyring: str = Field("", pattern=r"^$|^[a-z0-9][a-z0-9-]{0,39}$")  # entry of the keyring: service nightdesk-NAME
    key_file: str = ""  # TOML with key, secret, passphrase; mode 0600, outside the home
    margin: Literal["isolated"] = "isolated"
    leverage: int = Field(1, ge=1, le=125)  # of each instrument at the venue
    making: bool = False  # of a market maker alone: no sleeve and no desk trades it
    rest_url: str = ""  # an address of this machine, for a local venue
    ws_url: str = ""

    @field_validator("rest_url", "ws_url")
    @classmethod
    def on_this_machine(cls, url: str) -> str:
        """A key is sent to the venue that ccxt knows, or to this machine."""
        if url and not is_loopback(url):
            raise ValueError("keys go to the venue's own address; only one of this machine may replace it, http://127.0.0.1:PORT")
        return url.rstrip("/")

    @model_validator(mode="after")
    def has_its_keys(self) -> Self:
        """Exactly one source of keys where keys are needed."""
        sources = [self.key_env or self.secret_env or self.passphrase_env, self.keyring, self.key_file]
        if self.mode == "paper":
            return self
        if sum(map(bool, sources)) != 1:
            raise ValueError(f"mode {self.mode} needs keys from one place: key_env and secret_env, or keyring, or key_file")
        if sources[0]:
            wanted = ["key_env", "secret_env", *(["passphrase_env"] if self.venue == "okx" else [])]
            if lacking := [name for name in wanted if not getattr(self, name)]:
                raise ValueError(f"{' and '.join(lacking)} missing: the variables that hold the keys of {self.venue}")
        if self.passphrase_env and self.venue != "okx":
            raise ValueError(f"passphrase_env is for OKX alone, this account is at {self.venue}")
        names = [name for name in self.variables if name]
        if len(set(names)) < len(names):
            raise ValueError("key_env, secret_env and passphrase_env name one variable twice")
        if self.making and self.mode not in ("testnet", "live"):
            raise ValueError(f"making = true takes mode testnet or live, not {self.mode}: a maker on paper needs no account")
        if bool(self.rest_url) != bool(self.ws_url):
            raise ValueError("rest_url and ws_url belong together: one local venue serves both")
        return self

    @property
    def variables(self) -> tuple[str, str, str]:
        """The environment variables of key, secret and passphrase; empty where they come from elsewhere."""
        return self.key_env, self.secret_env, self.passphrase_env

    @property
    def source(self) -> str:
        """Where the keys are, in words; names alone."""
        if self.mode == "paper":
            return "none: on paper"
        named = ", ".join(name for name in self.variables if name)
        return f"environment {named}" if named else f"keyring {self.keyring}" if self.keyring else f"file {self.key_file}"


def is_loopback(url: str) -> bool:
    """Whether a URL is plain http or ws to this machine, without a user's name in it."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.scheme not in ("http", "ws") or "@" in parts.netloc or port == 0 or parts.query or parts.fragment:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def faults_between(
    accounts: Mapping[str, AccountEntry], sleeves: Sequence[SleeveConfig], seen_by_others: Mapping[str, str]
) -> Iterator[tuple[Where, str]]:
    """(key path, reason) of what accounts, sleeves and other variables contradict each other in.

    `seen_by_others`: variables that the API or the page see -> what names them.
    """
    for name, account in accounts.items():
        for field, variable in zip(OF_KEYS, account.variables, strict=False):
            if reason := fault_of_variable(variable, seen_by_others):
                yield ("accounts", name, field), reason
    used = ""
    for n, sleeve in enumerate(sleeves):
        if sleeve.account is None:
            continue
        where = ("sleeves", n, "account")
        if (account_of := accounts.get(sleeve.account)) is None:
            yield where, f"no [accounts.{sleeve.account}]; available: {', '.join(accounts) or 'none'}"
        elif account_of.making:
            yield where, f"{sleeve.account} is a market maker's alone (making = true)"
        elif account_of.venue != sleeve.venue:
            yield where, f"{sleeve.account} is at {account_of.venue}, the sleeve trades {sleeve.instrument}"
        elif sleeve.market != "perp":
            yield where, f"{sleeve.account} trades perpetuals, the sleeve {sleeve.instrument}"
        elif used and used != sleeve.account:
            yield where, f"{sleeve.account} is a second account beside {used}: one home trades one account, make another home"
        used = used or sleeve.account


def faults_of_trading(
    account: str | None, accounts: Mapping[str, AccountEntry], on_live_data: bool, sleeves: Sequence[SleeveConfig]
) -> Iterator[tuple[Where, str]]:
    """(key path, reason) of why this desk cannot trade `account`, or these sleeves on live data."""
    if account is not None and account not in accounts:
        yield ("account",), f"no [accounts.{account}]; available: {', '.join(accounts) or 'none'}"
        return
    entry = accounts.get(account or "")
    if entry is not None and entry.making:
        yield ("account",), f"{account} is a market maker's alone (making = true): nightdesk making live trades it"
    trades = entry is not None and entry.mode != "paper"
    if trades and not on_live_data:
        yield ("account",), f'{account} trades at a venue, on bars as they close: write source = "live" under [data]'
    for n, sleeve in enumerate(sleeves):
        where = ("sleeves", n, "venue")
        if on_live_data and (sleeve.venue not in LIVE_VENUES or sleeve.market != "perp"):
            yield where, f"live data has perpetuals of {', '.join(LIVE_VENUES)}, not {sleeve.instrument}"
        elif entry is not None and trades and sleeve.venue != entry.venue:
            yield where, f"the desk trades the account {account} at {entry.venue}, the sleeve {sleeve.instrument}"
        elif trades and sleeve.account not in (None, account):
            yield ("sleeves", n, "account"), f"the desk trades the account {account}: one home trades one account"


def faults_of_local_bars(
    source: str, rest_url: str, account: AccountEntry | None, sleeves: Sequence[SleeveConfig]
) -> Iterator[tuple[Where, str]]:
    """(key path, reason) of sleeves on bars that only a local venue closes, unless bars and account are of this machine.

    `source`, `rest_url`: of [data], the address empty or of this machine; `account`: what the desk trades, None on paper.
    """
    at_home = account is None or account.mode == "paper" or (account.mode == "testnet" and account.rest_url)
    if source == "live" and rest_url and at_home:
        return
    for n, sleeve in enumerate(sleeves):
        if sleeve.timeframe == LOCAL_TIMEFRAME:
            why = "only a local venue closes such bars: live data and account by rest_url of this machine, paper or testnet"
            yield ("sleeves", n, "timeframe"), f"{LOCAL_TIMEFRAME}: {why}"


def meant_for(
    name: str, in_file: Sequence[SleeveConfig], in_force: Sequence[SleeveConfig], of_desk: str | None = None
) -> list[SleeveConfig]:
    """The sleeves that desk.toml gives the account `name`, with what is in force of them where they have a version already.

    `of_desk`: the account that the whole desk trades; then they are all meant for it.
    """
    now = {sleeve.name: sleeve for sleeve in in_force}
    return [now.get(sleeve.name, sleeve) for sleeve in in_file if name in (sleeve.account, of_desk)]


def fault_of_variable(variable: str, seen_by_others: Mapping[str, str]) -> str:
    """Why a variable cannot hold a venue's key; "" when it can, or where none is named."""
    if redacted(variable) != variable:
        return "this looks like a key; write the name of the variable that holds it, and renew the key"
    if variable in seen_by_others:
        return f"{variable} belongs to {seen_by_others[variable]}: others than the worker see it"
    if variable.startswith(OPEN):
        return f"{variable} is a setting of every process: others than the worker see it"
    return ""

"""The desk's configuration: which sleeves run, with which numbers. Versions are whole numbers, immutable, desk-wide.

Written once by app.home.home (version 1, what desk.toml says) and from then on by engine.control.apply alone; read by worker,
tools, proposals and the command line. Turns rows of config_versions into DeskConfig and back. A stored sleeve holds
every parameter, also those at their default: a default that changes with the code does not change a running desk.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from sqlalchemy import Engine
from sqlmodel import Session, col, func, select

from engine.errors import BadInput, DataError
from engine.store import db
from engine.store.tables import Active, ConfigVersion

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Symbol = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,15}-[A-Z0-9]{1,10}$")]


class SleeveConfig(BaseModel):
    """One strategy on one instrument with its own cash (quote units)."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: Slug
    strategy: str
    venue: Slug
    symbol: Symbol
    market: Literal["perp", "spot"] = "perp"
    timeframe: Literal["1m", "5m", "15m", "1h"] = "15m"
    side: Literal["both", "long", "short"] = "both"
    cash: float = Field(10_000.0, gt=0, le=1e12)
    paused: bool = False  # no entries; exits go on
    params: dict[str, bool | int | float | str] = Field(default_factory=dict)

    @property
    def instrument(self) -> str:
        """The instrument's one name: `binance:BTC-USDT:perp`."""
        return f"{self.venue}:{self.symbol}:{self.market}"


class DeskConfig(BaseModel):
    """All sleeves of the desk, in the order in which they decide."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sleeves: tuple[SleeveConfig, ...] = Field(min_length=1, max_length=300)

    @model_validator(mode="after")
    def live_together(self) -> Self:
        """Names are unique, and sleeves on one instrument never take opposite sides (a netting venue would truncate stops)."""
        names = [sleeve.name for sleeve in self.sleeves]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two sleeves are called {twice[0]}")
        for n, one in enumerate(self.sleeves):
            for other in self.sleeves[:n]:
                if one.instrument == other.instrument and {one.side, other.side} == {"long", "short"}:
                    raise ValueError(f"{other.name} and {one.name} take opposite sides of {one.instrument}")
        return self

    def sleeve(self, name: str) -> SleeveConfig:
        """The sleeve called `name`; BadInput with the list of names for an unknown one."""
        for sleeve in self.sleeves:
            if sleeve.name == name:
                return sleeve
        raise BadInput(f"no sleeve {name!r}", f"available: {', '.join(s.name for s in self.sleeves)}")

    def with_sleeve(self, changed: SleeveConfig) -> "DeskConfig":
        """The same desk with one sleeve replaced by `changed` of the same name."""
        return DeskConfig(sleeves=tuple(changed if s.name == changed.name else s for s in self.sleeves))


def validated(config: DeskConfig, strategies: Path | None = None) -> DeskConfig:
    """The configuration with every parameter of every sleeve checked and spelled out. Raises BadInput naming the sleeve.

    `strategies` is the folder of the person's own strategy files.
    """
    return DeskConfig(sleeves=tuple(with_params(sleeve, sleeve.params, strategies) for sleeve in config.sleeves))


def with_params(sleeve: SleeveConfig, params: Mapping[str, Any], strategies: Path | None) -> SleeveConfig:
    """The sleeve with `params` checked against its strategy's bounds, defaults filled in."""
    from engine.strategies.base import load_strategy, parse_params  # brings numpy: 18 MB that a supervisor need not hold

    try:
        full = parse_params(load_strategy(sleeve.strategy, strategies), params)
    except BadInput as error:
        raise BadInput(f"sleeve {sleeve.name}: {error.what}", error.hint) from error
    return sleeve.model_copy(update={"params": full.model_dump()})


def with_defaults(sleeve: SleeveConfig, params_class: type[BaseModel]) -> SleeveConfig:
    """The sleeve as it trades: a parameter that its strategy got after the sleeve was stored is at its default."""
    defaults = {key: field.default for key, field in params_class.model_fields.items() if not field.is_required()}
    return sleeve.model_copy(update={"params": {**defaults, **sleeve.params}})


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces; NaN and infinite raise ValueError."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def sha256_of_text(text: str) -> str:
    """SHA-256 of a text, in hex."""
    return sha256(text.encode("utf-8")).hexdigest()


def body_of(config: DeskConfig) -> str:
    """The configuration as it is stored and hashed."""
    return canonical_json(config.model_dump(mode="json"))


def row_of(version: int, config: DeskConfig, now_ms: int, made_by: Mapping[str, Any], reason: str) -> ConfigVersion:
    """The row that stores `config` as `version`."""
    body = body_of(config)
    return ConfigVersion(
        version=version, sha256=sha256_of_text(body), body=body, created_ms=now_ms, made_by=canonical_json(made_by), reason=reason
    )


def config_of(row: ConfigVersion) -> DeskConfig:
    """The configuration in a row. Raises DataError when the row was changed: versions are immutable."""
    if sha256_of_text(row.body) != row.sha256:
        raise DataError(f"configuration version {row.version} was changed in the database", "restore the database from a backup")
    return DeskConfig.model_validate_json(row.body)


def write_first(engine: Engine, config: DeskConfig, now_ms: int, reason: str) -> bool:
    """Store version 1 of a new desk and put it in force; False when the desk has a configuration already."""
    with db.write(engine) as session:
        if session.get(Active, 1) is not None:
            return False
        session.add(row_of(1, config, now_ms, {"name": "desk.toml"}, reason))
        session.flush()
        session.add(Active(id=1, version=1, changed_ms=now_ms))
        return True


def active_version(engine: Engine) -> int:
    """The version in force: one small query, cheap enough for every bar."""
    with db.read(engine) as session:
        return active_pointer(session)


def active_pointer(session: Session) -> int:
    """The version in force, inside a transaction. Raises DataError on a desk without configuration."""
    version = session.exec(select(Active.version).where(Active.id == 1)).first()
    if version is None:
        raise DataError("this desk has no configuration yet", "start it once: nightdesk up")
    return version


def active(engine: Engine) -> tuple[int, DeskConfig]:
    """The version in force and its configuration."""
    with db.read(engine) as session:
        version = active_pointer(session)
        return version, config_of(_row(session, version))


def version_of(engine: Engine, version: int) -> DeskConfig:
    """The configuration of a version. Raises BadInput for an unknown version."""
    with db.read(engine) as session:
        return config_of(_row(session, version))


def versions(engine: Engine) -> list[ConfigVersion]:
    """All versions, oldest first."""
    with db.read(engine) as session:
        return list(session.exec(select(ConfigVersion).order_by(col(ConfigVersion.version))).all())


def _row(session: Session, version: int) -> ConfigVersion:
    row = session.get(ConfigVersion, version)
    if row is None:
        last = session.exec(select(func.max(ConfigVersion.version))).one()
        raise BadInput(f"no configuration version {version}", f"the latest is {last}")
    return row

"""The desk's configuration: which sleeves run, with which numbers. A sleeve has versions of its own, the desk's are sets of them.

Version 1 is what desk.toml says; it is written by the worker's first start or by the first approval, and until then read from
the file. From then on engine.control.apply alone writes; worker, tools, proposals and the command line read. Turns rows into a
DeskVersion and back. A stored sleeve holds every parameter, also those at their default: a default that changes with the code
does not change a running desk.
"""

import json
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel
from sqlalchemy import Connection, Engine, bindparam, tuple_
from sqlmodel import Session, col, func, select

from engine.control.model_pins import with_models
from engine.control.sleeve_config import IN_FILE, INSTANT_MAX_MS, DeskConfig, SleeveConfig, Slug, Stage, Symbol, require_basket
from engine.data.schedules import refuse_layers, refuse_limit
from engine.errors import BadInput, DataError, DeskError
from engine.store import db
from engine.store.tables import Active, ActiveSleeve, ConfigVersion, SleeveVersion

__all__ = ["INSTANT_MAX_MS", "DeskConfig", "SleeveConfig", "Slug", "Stage", "Symbol"]  # what is configured, for its readers

FIRST = 1  # the version that desk.toml becomes


def validated(config: DeskConfig, strategies: Path | None = None) -> DeskConfig:
    """The configuration with every parameter of every sleeve checked and spelled out. Raises BadInput naming the sleeve.

    `strategies` is the folder of the person's own strategy files.
    """
    return DeskConfig(sleeves=tuple(with_params(sleeve, sleeve.params, strategies) for sleeve in config.sleeves))


def with_params(sleeve: SleeveConfig, params: Mapping[str, Any], strategies: Path | None) -> SleeveConfig:
    """The sleeve with `params` checked against its strategy's bounds, defaults filled in."""
    from engine.strategies.base import parse_params  # brings numpy: 18 MB that a supervisor need not hold
    from engine.strategies.isolated.described import read_strategy

    try:
        strategy = read_strategy(sleeve.strategy, strategies)
        require_basket(sleeve, basket=bool(getattr(strategy, "BASKET", False)))
        full = parse_params(strategy, params)
        sleeve = with_models(sleeve, strategy, strategies)
    except BadInput as error:
        raise BadInput(f"sleeve {sleeve.name}: {error.what}", error.hint) from error
    return executable(sleeve.model_copy(update={"params": full.model_dump()}))


def executable(sleeve: SleeveConfig) -> SleeveConfig:
    """The sleeve itself. Raises BadInput for an execution schedule that it cannot follow: malformed, no finer bars, layers, limit
    entries.
    """
    try:
        works = bool(sleeve.clocks[1:])
    except BadInput as error:
        raise BadInput(f"sleeve {sleeve.name}: {error.what}", error.hint) from error
    if works and sleeve.params.get("entry") == "limit":
        raise refuse_limit(f"sleeve {sleeve.name}")
    if works and (layers := int(sleeve.params.get("layers_max", 1))) > 1:
        raise refuse_layers(f"sleeve {sleeve.name}", layers)
    return sleeve


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


class DeskVersion(NamedTuple):
    """A version of the desk: its sleeves, and which version of its own each of them has."""

    version: int
    config: DeskConfig
    sleeves: dict[str, int]  # sleeve -> its own version, in the order in which they decide
    bodies: dict[str, str]  # sleeve -> its version as it is stored and hashed
    sha256: str

    def digest(self, sleeve: str) -> str:
        """SHA-256 of a sleeve's version."""
        return sha256_of_text(self.bodies[sleeve])


def sleeve_text(sleeve: SleeveConfig) -> str:
    """A sleeve as it is stored and hashed."""
    return canonical_json(sleeve.model_dump(mode="json", exclude_none=True))  # a version without an end reads as it always did


def desk_text(sleeves: Mapping[str, int], bodies: Mapping[str, str]) -> str:
    """The desk's text, which is hashed: that of all its sleeves in their order."""
    return f'{{"sleeves":[{",".join(bodies.get(name, "") for name in sleeves)}]}}'


def desk_version(version: int, sleeves: Mapping[str, int], bodies: Mapping[str, str]) -> DeskVersion:
    """Sleeve versions put together."""
    text = desk_text(sleeves, bodies)
    return DeskVersion(version, _parsed(text), dict(sleeves), dict(bodies), sha256_of_text(text))


@lru_cache(maxsize=16)
def _parsed(text: str) -> DeskConfig:
    """A desk's text, parsed once: nothing changes a configuration in place."""
    return DeskConfig.model_validate_json(text)


def desk_row(desk: DeskVersion, now_ms: int, made_by: Mapping[str, Any], reason: str) -> ConfigVersion:
    """The row that stores a version of the desk."""
    sleeves, by = canonical_json([[name, number] for name, number in desk.sleeves.items()]), canonical_json(made_by)
    return ConfigVersion(version=desk.version, sha256=desk.sha256, sleeves=sleeves, created_ms=now_ms, made_by=by, reason=reason)


def sleeve_row(sleeve: str, version: int, body: str, now_ms: int, made_by: Mapping[str, Any], reason: str) -> SleeveVersion:
    """The row that stores a version of one sleeve; `body` as `sleeve_text` gives it."""
    return SleeveVersion(
        sleeve=sleeve,
        version=version,
        sha256=sha256_of_text(body),
        body=body,
        created_ms=now_ms,
        made_by=canonical_json(made_by),
        reason=reason,
    )


# ---- version 1 -----------------------------------------------------------------------------------------------------------


def configured(home: Path) -> DeskConfig:
    """What the sleeves of a home's desk.toml say, spelled out. Raises BadInput for a faulty file or a stage out of reach."""
    path = home / "desk.toml"
    try:
        config = DeskConfig.model_validate({"sleeves": tomllib.loads(path.read_text(encoding="utf-8")).get("sleeves", [])})
    except (OSError, ValueError) as error:
        raise BadInput(f"the sleeves in {path} cannot be read", "`nightdesk doctor` names the line") from error
    try:
        for sleeve in config.sleeves:
            if sleeve.stage not in IN_FILE:
                what = f"sleeve {sleeve.name}: stage {sleeve.stage} is reached by an approval, not by desk.toml"
                raise BadInput(what, 'write stage = "paper", then: nightdesk live stage')
        return validated(config, home / "strategies")
    except BadInput as error:
        raise BadInput(f"{path}: {error.what}", error.hint) from error


def write_first(engine: Engine, config: DeskConfig, now_ms: int, reason: str) -> bool:
    """Store version 1 of a new desk and put it in force; False when the desk has a configuration already."""
    with db.write(engine) as session:
        db.take_turn(session)
        return add_first(session, config, now_ms, reason)


def ensure_first(engine: Engine, home: Path, now_ms: int, reason: str) -> bool:
    """The same from desk.toml, which is read only when it is needed."""
    return not is_written(engine) and write_first(engine, configured(home), now_ms, reason)


def add_first(session: Session, config: DeskConfig, now_ms: int, reason: str) -> bool:
    """The same inside a transaction."""
    if session.get(Active, 1) is not None:
        return False
    made_by, first = {"name": "desk.toml"}, first_of(config)
    session.add_all([sleeve_row(name, FIRST, body, now_ms, made_by, reason) for name, body in first.bodies.items()])
    session.add(desk_row(first, now_ms, made_by, reason))
    session.flush()
    session.add_all([ActiveSleeve(sleeve=name, version=FIRST, changed_ms=now_ms) for name in first.sleeves])
    session.add(Active(id=1, version=FIRST, changed_ms=now_ms))
    session.flush()
    return True


def first_of(config: DeskConfig) -> DeskVersion:
    """Version 1 of a desk, written or not."""
    return desk_version(FIRST, {s.name: FIRST for s in config.sleeves}, {s.name: sleeve_text(s) for s in config.sleeves})


def is_written(engine: Engine) -> bool:
    """Whether version 1 is written: before that desk.toml is what holds."""
    with db.read(engine) as session:
        return session.get(Active, 1) is not None


def file_differences(home: Path, desk: DeskVersion) -> str:
    """How a home's desk.toml differs from the version in force, in one line; "" when it does not. The file changes nothing."""
    try:
        written = {s.name: s for s in configured(home).sleeves}
        running = validated(desk.config, home / "strategies")  # with the defaults of parameters that came later
    except BadInput as error:
        return f"{error}; version {desk.version} is in force"
    found = [f"sleeve {name} is new" for name in written if name not in desk.sleeves]
    for sleeve in running.sleeves:
        if sleeve.name not in written:
            found.append(f"sleeve {sleeve.name} is missing")
        else:
            moved = fields_apart(sleeve, written[sleeve.name])
            found += [f"{sleeve.name}.{key} = {will} ({was} is in force)" for key, was, will in moved]
    if not found:
        return ""
    more = f" and {len(found) - 6} more" if len(found) > 6 else ""
    return f"desk.toml differs from version {desk.version}, which stays in force: {', '.join(found[:6])}{more}"


def differences_in_force(engine: Engine, home: Path) -> str:
    """The same of the version in force; "" where it cannot be read: then the desk stays on its journal's, and says so itself."""
    try:
        return file_differences(home, active(engine, home))
    except DeskError:
        return ""


def fields_apart(old: SleeveConfig, new: SleeveConfig) -> list[tuple[str, Any, Any]]:
    """Every field in which two sleeves of one name differ: key, old and new value."""
    direct = [key for key in SleeveConfig.model_fields if key != "params"]
    found = [(key, getattr(old, key), getattr(new, key)) for key in direct]
    found += [(key, old.params.get(key), new.params.get(key)) for key in sorted({*old.params, *new.params})]
    return [(key, was, will) for key, was, will in found if was != will]


# ---- reading: statements of every turn and page, built once ----------------------------------------------------------------

_POINTER = select(Active.version).where(Active.id == 1)
_DESK = select(ConfigVersion.sleeves, ConfigVersion.sha256).where(ConfigVersion.version == bindparam("version"))
_LISTED = tuple_(col(SleeveVersion.sleeve), col(SleeveVersion.version)).in_(bindparam("wanted", expanding=True))
_SLEEVES = select(SleeveVersion.sleeve, SleeveVersion.body).where(_LISTED)


def active_version(engine: Engine) -> int:
    """The desk's version in force: one small query, cheap enough for every bar. 1 also before it is written."""
    with db.read_rows(engine) as rows:
        return active_pointer(rows)


def active_pointer(session: Session | Connection) -> int:
    """The same inside a transaction."""
    return session.execute(_POINTER).scalar() or FIRST


def active(engine: Engine, home: Path) -> DeskVersion:
    """The desk's version in force; before version 1 is written, what the home's desk.toml says."""
    with db.read_rows(engine) as rows:
        found = in_force(rows)
    return found or first_of(configured(home))


def in_force(session: Session | Connection) -> DeskVersion | None:
    """The desk's version in force, inside a transaction; None before version 1 is written."""
    version = session.execute(_POINTER).scalar()
    return None if version is None else stored(session, version)


def version_of(engine: Engine, version: int, home: Path) -> DeskVersion:
    """A version of the desk. Raises BadInput for an unknown one."""
    with db.read(engine) as session:
        if version != FIRST or session.get(Active, 1) is not None:
            return stored(session, version)
    return first_of(configured(home))


def stored(session: Session | Connection, version: int) -> DeskVersion:
    """A stored version of the desk. Raises BadInput for an unknown one, DataError when a row was changed: they are immutable."""
    row = session.execute(_DESK, {"version": version}).first()
    if row is None:
        last = session.execute(select(func.max(ConfigVersion.version))).scalar()
        raise BadInput(f"no configuration version {version}", f"the latest is {last}")
    listed, digest = row
    sleeves = {str(name): int(number) for name, number in json.loads(listed)}
    found = session.execute(_SLEEVES, {"wanted": list(sleeves.items())}).all()
    bodies: dict[str, str] = {row[0]: row[1] for row in found}
    if sha256_of_text(desk_text(sleeves, bodies)) != digest:
        raise DataError(f"configuration version {version} was changed in the database", "restore the database from a backup")
    return desk_version(version, sleeves, bodies)


def sleeve_version(session: Session, sleeve: str, version: int) -> str:
    """The text of a sleeve's version. Raises BadInput for an unknown one, DataError for one that was changed."""
    row = session.get(SleeveVersion, (sleeve, version))
    if row is None:
        last = session.exec(select(func.max(SleeveVersion.version)).where(SleeveVersion.sleeve == sleeve)).one()
        raise BadInput(f"sleeve {sleeve} has no version {version}", f"its latest is {last or FIRST}")
    if sha256_of_text(row.body) != row.sha256:
        raise DataError(f"version {version} of {sleeve} was changed in the database", "restore the database from a backup")
    return row.body


def versions(engine: Engine) -> list[ConfigVersion]:
    """All written versions of the desk, oldest first."""
    with db.read(engine) as session:
        return list(session.exec(select(ConfigVersion).order_by(col(ConfigVersion.version))).all())


def sleeve_versions(engine: Engine, sleeve: str) -> list[SleeveVersion]:
    """All written versions of one sleeve, oldest first."""
    with db.read(engine) as session:
        mine = select(SleeveVersion).where(SleeveVersion.sleeve == sleeve)
        return list(session.exec(mine.order_by(col(SleeveVersion.version))).all())

"""Databases as earlier revisions left them: tables by their own migration, rows by SQL."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

from engine.store import db as database


def migrated_to(engine: Engine, revision: str) -> Engine:
    """An empty database with the tables of that revision."""
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    with engine.connect().execution_options(writes=True) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()
    return engine


def insert(engine: Engine, table: str, **values: Any) -> None:
    """One row; a value that is no text or number becomes JSON as it was stored."""
    row = {key: text_of(value) if isinstance(value, dict | list) else value for key, value in values.items()}
    names = ", ".join(row)
    with engine.begin() as connection:
        connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{key}' for key in row)})"), row)


def text_of(value: Any) -> str:
    """JSON with sorted keys and no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def digest(value: str) -> str:
    """SHA-256 in hex."""
    return sha256(value.encode()).hexdigest()


def desk_version_0004(engine: Engine, version: int, sleeves: list[dict[str, Any]], **more: Any) -> str:
    """A version of the whole desk as revision 0004 stored it; its digest."""
    body = text_of({"sleeves": sleeves})
    row = {"created_ms": version, "made_by": {"name": "ann"}, "reason": f"v{version}", **more}
    insert(engine, "config_versions", version=version, sha256=digest(body), body=body, **row)
    return digest(body)


def proposal_0004(engine: Engine, number: int, sleeve: str, base: int, changes: list[dict[str, Any]], **more: Any) -> str:
    """A proposal as revision 0004 stored it; the digest of its diff."""
    diff = text_of({"kind": "change", "sleeve": sleeve, "base_version": base, "changes": changes, "apply_to_open": False})
    row = {
        "kind": "change",
        "direction": "loosens",
        "rationale": "because",
        "state": "pending",
        "state_reason": "",
        "created_ms": 1,
        "expires_ms": 2**41,
        "diff": diff,
        **more,
    }
    insert(engine, "proposals", id=f"prop-{number}", sleeve=sleeve, base_version=base, diff_sha256=digest(row["diff"]), **row)
    return digest(row["diff"])

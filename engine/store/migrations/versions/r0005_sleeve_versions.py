"""A version a sleeve: the desk's versions become sets of sleeve versions, proposals get a part for each sleeve. Run by alembic.

Digests of the desk's versions stay: a version's sleeves, put together, are the text that was hashed. Proposals that wait go on
waiting, each for its own sleeve; only a rollback that waits becomes stale: its diff does not say what each sleeve goes back to.
"""

import json
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

Sleeves = dict[str, tuple[int, str]]  # sleeve -> (its version, the version's text), in the order of the desk


def upgrade() -> None:
    """Make the tables, fill them from the versions and proposals there are, drop what they replace."""
    _make_tables()
    op.add_column("config_versions", sa.Column("sleeves", sa.Text(), server_default="[]", nullable=False))
    desks = _split_versions(op.get_bind())
    _point(op.get_bind(), desks)
    _split_proposals(op.get_bind(), desks)
    op.drop_column("config_versions", "body")


def _make_tables() -> None:
    """The three new tables."""
    op.create_table(
        "sleeve_versions",
        sa.Column("sleeve", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), server_default="{}", nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.Text(), server_default="{}", nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("proposal_id", sa.String(), nullable=True),
        sa.Column("rollback_of", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("sleeve", "version"),
    )
    op.create_table(
        "active_sleeves",
        sa.Column("sleeve", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["sleeve", "version"], ["sleeve_versions.sleeve", "sleeve_versions.version"]),
        sa.PrimaryKeyConstraint("sleeve"),
    )
    op.create_table(
        "proposal_parts",
        sa.Column("proposal_id", sa.String(), nullable=False),
        sa.Column("sleeve", sa.String(), nullable=False),
        sa.Column("from_version", sa.Integer(), nullable=False),
        sa.Column("from_sha256", sa.String(), nullable=False),
        sa.Column("to_version", sa.Integer(), nullable=True),
        sa.Column("pending", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["proposal_id"], ["proposals.id"]),
        sa.PrimaryKeyConstraint("proposal_id", "sleeve"),
    )
    waits = sa.text("pending")
    op.create_index(
        "one_pending_part_a_sleeve", "proposal_parts", ["sleeve"], unique=True, sqlite_where=waits, postgresql_where=waits
    )


def _split_versions(bind: sa.Connection) -> dict[int, Sleeves]:
    """A row for each version of each sleeve, counted for the sleeve alone; the desk's versions name them. -> version: sleeves."""
    found: dict[int, Sleeves] = {}
    made: dict[str, dict[int, str]] = {}  # sleeve -> version: text
    now: Sleeves = {}
    add = sa.text(
        "INSERT INTO sleeve_versions (sleeve, version, sha256, body, created_ms, made_by, reason, proposal_id, rollback_of) "
        "VALUES (:sleeve, :number, :digest, :text, :created_ms, :made_by, :reason, :proposal_id, :equals)"
    )
    name = sa.text("UPDATE config_versions SET sleeves = :sleeves WHERE version = :version")
    for row in bind.execute(sa.text("SELECT * FROM config_versions ORDER BY version")).mappings().all():
        before, now = now, {}
        for item in json.loads(row["body"])["sleeves"]:
            text, own = _text(item), made.setdefault(item["name"], {})
            number = before.get(item["name"], (0, ""))[0]
            if not number or before[item["name"]][1] != text:
                number = max(own, default=0) + 1
                equals = next((n for n, older in own.items() if older == text), None) if row["rollback_of"] else None
                own[number] = text
                about = {"sleeve": item["name"], "number": number, "digest": _digest(text), "text": text, "equals": equals}
                bind.execute(add, {**row, **about})
            now[item["name"]] = (number, text)
        found[row["version"]] = now
        bind.execute(name, {"sleeves": _text([[s, n] for s, (n, _) in now.items()]), "version": row["version"]})
    return found


def _point(bind: sa.Connection, desks: dict[int, Sleeves]) -> None:
    """A pointer a sleeve, from the desk's."""
    row = bind.execute(sa.text("SELECT version, changed_ms FROM active WHERE id = 1")).mappings().first()
    if row is None:
        return
    for sleeve, (number, _) in desks.get(row["version"], {}).items():
        add = sa.text("INSERT INTO active_sleeves (sleeve, version, changed_ms) VALUES (:sleeve, :version, :changed_ms)")
        bind.execute(add, {"sleeve": sleeve, "version": number, "changed_ms": row["changed_ms"]})


def _split_proposals(bind: sa.Connection, desks: dict[int, Sleeves]) -> None:
    """A part for each sleeve that a proposal changes, made against that sleeve's version of then."""
    add = sa.text(
        "INSERT INTO proposal_parts (proposal_id, sleeve, from_version, from_sha256, to_version, pending) "
        "VALUES (:id, :sleeve, :number, :digest, :became, :pending)"
    )
    stale = sa.text("UPDATE proposals SET state = 'stale', state_reason = :why WHERE id = :id")
    for row in bind.execute(sa.text("SELECT * FROM proposals")).mappings().all():
        base, after = desks.get(row["base_version"], {}), desks.get(row["applied_version"] or 0, {})
        changed = _changed(row, base, after)
        waits = row["state"] == "pending"
        if waits and (row["kind"] == "rollback" or not changed):
            waits = False
            bind.execute(stale, {"id": row["id"], "why": "sleeves have versions of their own now: ask again"})
        for sleeve in changed:
            number, text = base[sleeve]
            about = {"sleeve": sleeve, "number": number, "digest": _digest(text), "became": after.get(sleeve, (None, ""))[0]}
            bind.execute(add, {"id": row["id"], "pending": waits, **about})


def _changed(row: Any, base: Sleeves, after: Sleeves) -> list[str]:
    """The sleeves that a proposal changes: its own, or those that an applied rollback moved."""
    if row["kind"] != "rollback":
        return [row["sleeve"]] if row["sleeve"] in base else []
    return [sleeve for sleeve in base if sleeve in after and after[sleeve] != base[sleeve]]


def _text(value: Any) -> str:
    """JSON as versions have always been stored: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8")).hexdigest()

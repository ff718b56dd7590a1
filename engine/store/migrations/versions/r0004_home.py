"""Which home the database belongs to. Run by alembic."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "home_identity",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("home_id", sa.String(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )

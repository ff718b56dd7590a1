"""Jobs that belong to a job. Run by alembic."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the column."""
    op.add_column("jobs", sa.Column("parent", sa.String(), nullable=True))
    op.create_index("ix_jobs_parent", "jobs", ["parent"])

"""Nothing starts a job for a job any more. Run by alembic."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Drop the column."""
    op.drop_index("ix_jobs_parent", "jobs")
    op.drop_column("jobs", "parent")
